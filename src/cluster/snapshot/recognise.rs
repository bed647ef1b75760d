//! Which workloads run the controller of External Secrets Operator. The image's name alone does not tell: mirrors,
//! rebuilt images and other vendors' builds have names of their own.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use serde::Deserialize;

use super::Controller;
use crate::cluster::objects::{Items, Object, Resource, Strict, Unseen, broken_item, name_of};

/// Where in its pod the controller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recognised {
    /// Of the pod's `containers`.
    pub(super) container: usize,
}

/// A workload or a pod, as far as it tells what runs there.
#[derive(Deserialize)]
struct Workload<'a> {
    #[serde(borrow, default)]
    metadata: Strict<Metadata<'a>>,
    #[serde(borrow)]
    spec: Option<Strict<Spec<'a>>>,
}

#[derive(Default, Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    labels: Option<BTreeMap<Cow<'a, str>, Option<Cow<'a, str>>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(borrow)]
    template: Option<Strict<Template<'a>>>,
    #[serde(borrow)]
    containers: Option<Vec<Strict<Container<'a>>>>,
    #[serde(borrow)]
    service_account_name: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Template<'a> {
    #[serde(borrow, default)]
    metadata: Option<Strict<Metadata<'a>>>,
    #[serde(borrow)]
    spec: Option<Box<Strict<Spec<'a>>>>,
}

#[derive(Deserialize)]
struct Container<'a> {
    #[serde(borrow)]
    image: Option<Cow<'a, str>>,
    #[serde(borrow)]
    command: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow)]
    args: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow)]
    ports: Option<Vec<Strict<Port<'a>>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Port<'a> {
    container_port: Option<u32>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
}

/// Flags that no other program has.
const FLAGS: [&str; 9] = [
    "--controller-class",
    "--enable-cluster-external-secret-reconciler",
    "--enable-cluster-push-secret-reconciler",
    "--enable-cluster-store-reconciler",
    "--enable-flood-gate",
    "--enable-push-secret-reconciler",
    "--experimental-enable-aws-session-cache",
    "--experimental-enable-vault-token-cache",
    "--store-requeue-interval",
];
/// The same program as the validating webhook, or as the keeper of its certificate.
const OTHER_PARTS: [&str; 2] = ["webhook", "certcontroller"];
const NAME: &str = "external-secrets";

impl Recognised {
    /// From a workload's or a pod's JSON. The outer `None`: it has not the form of one.
    pub(super) fn of(json: &[u8]) -> Option<Option<Self>> {
        let Workload { metadata, spec } = serde_json::from_slice::<Strict<_>>(json).ok()?.0;
        let Some(Strict(spec)) = spec else { return Some(None) };
        let outer = metadata.0.labels.unwrap_or_default();
        let (inner, pod) = match spec.template {
            Some(Strict(template)) => {
                let labels = template.metadata.and_then(|metadata| metadata.0.labels).unwrap_or_default();
                let Some(pod) = template.spec else { return Some(None) };
                (labels, pod.0)
            }
            None => (BTreeMap::new(), spec),
        };
        let label = |name: &str| {
            let of = |labels: &BTreeMap<Cow<'_, str>, Option<Cow<'_, str>>>| {
                labels.get(name).and_then(|value| value.as_deref().map(str::to_owned))
            };
            of(&outer).or_else(|| of(&inner))
        };
        let containers = pod.containers.unwrap_or_default();
        let is_other_part =
            |container: &Container<'_>| container.words().any(|word| OTHER_PARTS.contains(&word));
        let position = |is: &dyn Fn(&Container<'_>) -> bool| {
            containers.iter().position(|container| is(container) && !is_other_part(container))
        };
        let by_itself = position(&|container| container.has_name() || container.has_flag());
        // Whatever a pod of these labels runs first: its image may be called anything.
        let by_labels = || {
            let named = label("app.kubernetes.io/name").as_deref() == Some(NAME)
                || label("helm.sh/chart").is_some_and(|chart| is_chart(&chart));
            let component = label("app.kubernetes.io/component").unwrap_or_default();
            let is_part = OTHER_PARTS.contains(&component.as_str()) || component == "cert-controller";
            if named && !is_part { position(&|_| true) } else { None }
        };
        let by_account = || {
            let account = pod.service_account_name.as_deref().unwrap_or_default();
            (account == NAME || account.ends_with("-external-secrets"))
                .then(|| position(&|container| container.has_metrics()))
                .flatten()
        };
        let found = by_itself.or_else(by_labels).or_else(by_account);
        Some(found.map(|container| Self { container }))
    }
}

impl Container<'_> {
    fn words(&self) -> impl Iterator<Item = &str> {
        self.command.iter().flatten().chain(self.args.iter().flatten()).map(AsRef::as_ref)
    }

    /// `…/external-secrets`, `…/external-secrets-rhel9`, `…/mirrored-external-secrets-external-secrets`; not the
    /// operator that installs it, and not the older program of another name.
    fn has_name(&self) -> bool {
        let image = self.image.as_deref().unwrap_or_default();
        let image = image.split('@').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        let name = image.split(':').next().unwrap_or_default();
        name.contains(NAME) && !name.contains("operator") && !name.starts_with("kubernetes-external-secrets")
    }

    fn has_flag(&self) -> bool {
        self.words().any(|word| FLAGS.contains(&word.split('=').next().unwrap_or_default()))
    }

    /// The port that the chart gives to the controller, and no port of a webhook.
    fn has_metrics(&self) -> bool {
        let ports = || self.ports.iter().flatten();
        ports().any(|port| port.container_port == Some(8080) && port.name.as_deref() == Some("metrics"))
            && !ports().any(|port| port.name.as_deref() == Some("webhook"))
    }
}

/// `external-secrets-0.20.4`, and not `external-secrets-stores-1.0.0`.
fn is_chart(chart: &str) -> bool {
    let rest = chart.strip_prefix(NAME).and_then(|rest| rest.strip_prefix('-'));
    rest.is_some_and(|rest| rest.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit()))
}

/// Reads the controllers out of a list of workloads or pods.
pub(super) struct ControllersRead<'a> {
    resource: &'a Resource,
    pub(super) controllers: Vec<Controller>,
    pub(super) unseen: BTreeSet<Unseen>,
}

impl<'a> ControllersRead<'a> {
    pub(super) fn new(resource: &'a Resource) -> Self {
        Self { resource, controllers: Vec::new(), unseen: BTreeSet::new() }
    }
}

impl Items for ControllersRead<'_> {
    fn begin(&mut self) {
        *self = Self::new(self.resource);
    }

    fn take(&mut self, json: &[u8]) {
        let controller = match Recognised::of(json) {
            Some(None) => return,
            Some(Some(recognised)) => Object::listed(self.resource, json)
                .and_then(|workload| Controller::recognised(&workload, &recognised)),
            None => None,
        };
        match controller {
            Some(controller) => self.controllers.push(controller),
            None => drop(self.unseen.insert(broken_item(self.resource, name_of(json).as_deref()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cluster::snapshot::{Class, Version};

    fn workload(labels: Value, container: Value) -> Object {
        Object(json!({"kind": "StatefulSet", "metadata": {"name": "a", "namespace": "b", "labels": labels},
            "spec": {"template": {"spec": {"serviceAccountName": "eso", "containers": [{"image": "sidecar:1", "args": ["webhook"]}, container]}}}}))
    }

    #[test]
    fn controllers_are_recognised_by_any_sign() {
        let name = json!({"app.kubernetes.io/name": "external-secrets"});
        for (labels, container) in [
            (json!({}), json!({"image": "ghcr.io/external-secrets/external-secrets:v0.20.4@sha256:00"})),
            (json!({}), json!({"image": "registry.acme.example:5000/mirror/external-secrets@sha256:00"})),
            (
                json!({}),
                json!({"image": "registry.redhat.io/external-secrets-operator/external-secrets-rhel9@sha256:00"}),
            ),
            (json!({}), json!({"image": "rancher/mirrored-external-secrets-external-secrets:v0.20.4"})),
            (
                json!({}),
                json!({"image": "acme/eso:1", "args": ["--concurrent=1", "--store-requeue-interval=5m"]}),
            ),
            (json!({}), json!({"image": "acme/eso:1", "command": ["/bin/x", "--controller-class", "own"]})),
            (name.clone(), json!({"image": "acme@sha256:00"})),
            (json!({"helm.sh/chart": "external-secrets-2.5.0"}), json!({"image": "acme@sha256:00"})),
        ] {
            let found = Controller::of(&workload(labels.clone(), container.clone()));
            let found = found.unwrap_or_else(|| panic!("{labels} {container}"));
            assert_eq!(found.image, container["image"]);
            assert_eq!((found.kind.as_str(), found.service_account.name.as_str()), ("StatefulSet", "eso"));
        }
        let pod = json!({"kind": "Pod", "metadata": {"name": "a", "namespace": "b"}, "spec": {"serviceAccountName": "external-secrets",
            "containers": [{"image": "acme@sha256:00", "ports": [{"containerPort": 8080, "name": "metrics"}]}]}});
        assert!(Controller::of(&Object(pod)).is_some());
    }

    #[test]
    fn other_programs_are_no_controllers() {
        let name = json!({"app.kubernetes.io/name": "external-secrets"});
        for (labels, container) in [
            (
                json!({}),
                json!({"image": "ghcr.io/external-secrets/external-secrets:v0.20.4", "args": ["webhook", "--port=10250"]}),
            ),
            (
                name,
                json!({"image": "ghcr.io/external-secrets/external-secrets:v0.20.4", "args": ["certcontroller"]}),
            ),
            (
                json!({"app.kubernetes.io/name": "external-secrets-webhook"}),
                json!({"image": "acme@sha256:00"}),
            ),
            (json!({}), json!({"image": "ghcr.io/external-secrets/external-secrets-helm-operator:v1"})),
            (json!({}), json!({"image": "ghcr.io/external-secrets/kubernetes-external-secrets:8.5"})),
            (json!({"helm.sh/chart": "external-secrets-stores-1.0.0"}), json!({"image": "acme@sha256:00"})),
            (json!({}), json!({"image": "nginx:1"})),
            (json!({}), json!({})),
        ] {
            assert_eq!(
                Controller::of(&workload(labels.clone(), container.clone())),
                None,
                "{labels} {container}"
            );
        }
    }

    #[test]
    fn version_class_and_scope_are_read() {
        let of = |labels: Value, image: &str, args: Value| {
            Controller::of(&workload(labels, json!({"image": image, "args": args}))).unwrap()
        };
        let eso = "ghcr.io/external-secrets/external-secrets";
        let it = of(
            json!({}),
            &format!("{eso}:v0.20.4@sha256:00"),
            json!(["--controller-class=a", "--namespace", "shop"]),
        );
        assert_eq!(
            (it.version, it.class, it.scope.as_deref()),
            (Some(Version(0, 20, 4)), Class::Named("a".into()), Some("shop"))
        );
        let it = of(
            json!({"helm.sh/chart": "external-secrets-2.5.0"}),
            &format!("{eso}@sha256:00"),
            json!(["--controller-class=$(X)"]),
        );
        assert_eq!((it.version, it.class, it.scope), (Some(Version(2, 5, 0)), Class::Unknown, None));
        let it = of(json!({}), eso, json!([]));
        assert_eq!((it.version, it.class), (None, Class::Named("default".into())));
    }

    #[test]
    fn what_is_no_workload_is_unseen() {
        let mut read = ControllersRead::new(&crate::cluster::snapshot::kinds::DEPLOYMENTS);
        for item in [
            "3",
            "[]",
            r#"{"metadata":{"name":"x"},"spec":3}"#,
            r#"{"spec":{"template":{"spec":{"containers":{}}}}}"#,
        ] {
            read.take(item.as_bytes());
        }
        read.take(br#"{"metadata":{},"spec":null}"#);
        assert_eq!(read.unseen.len(), 2, "{:?}", read.unseen);
        assert!(read.controllers.is_empty());
    }
}
