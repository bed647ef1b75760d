//! PURE. The objects of `deploy/`, which the program carries with it, for a namespace and an image.

use clap::ValueEnum;
use serde_json::{Value, json};

use super::image::Image;
use crate::cluster::snapshot::Mode;

/// The namespace that `deploy/` is written for.
pub(super) const NAMESPACE: &str = "keyless-system";
/// The file of the settings, in their ConfigMap.
const SETTINGS: &str = "keyless.yaml";

macro_rules! deploy {
    ($path:literal) => {
        include_str!(concat!("../../../deploy/", $path))
    };
}

const BASE_NAMESPACE: &str = deploy!("base/namespace.yaml");
const BASE_ACCOUNTS: &str = deploy!("base/service-account.yaml");
const BASE_RBAC: &str = deploy!("base/rbac.yaml");
const BASE_LEDGER: &str = deploy!("base/ledger.yaml");
const BASE_NETWORK: &str = deploy!("base/network-policy.yaml");
const BASE_CRON_JOB: &str = deploy!("base/cron-job.yaml");
const WATCH_RBAC: &str = deploy!("deployment/rbac.yaml");
const WATCH_LEASE: &str = deploy!("deployment/lease.yaml");
const WATCH_DEPLOYMENT: &str = deploy!("deployment/deployment.yaml");
const WATCH_BUDGET: &str = deploy!("deployment/pod-disruption-budget.yaml");
const AUDIT_JOB: &str = deploy!("audit/job/cron-job.yaml");
const AUDIT_ACCOUNT: &str = deploy!("auditor/service-account.yaml");
const AUDIT_RBAC: &str = deploy!("auditor/rbac.yaml");
const COUPLING_ACCOUNT: &str = deploy!("coupling/service-account.yaml");
const COUPLING_RBAC: &str = deploy!("coupling/rbac.yaml");
const METADATA_ACCOUNT: &str = deploy!("auditor-metadata/service-account.yaml");
const METADATA_RBAC: &str = deploy!("auditor-metadata/rbac.yaml");
const REFS_ACCOUNT: &str = deploy!("auditor-refs/service-account.yaml");
const REFS_RBAC: &str = deploy!("auditor-refs/rbac.yaml");
const SETUP_RBAC: &str = deploy!("setup/rbac.yaml");
const KEYS_RBAC: &str = deploy!("keys/rbac.yaml");
const STORE_RBAC: &str = deploy!("store/rbac.yaml");
const VERIFY_RBAC: &str = deploy!("verify/rbac.yaml");

/// The port of the metrics.
const METRICS: u16 = 9102;

/// A command, as its rights are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Purpose {
    /// publish, as a CronJob
    Publish,
    /// publish --watch, as a Deployment
    Watch,
    /// keys and keys wait
    Keys,
    /// keys add
    KeysAdd,
    /// keys revoke
    KeysRevoke,
    /// verify
    Verify,
    /// status
    Status,
    /// doctor
    Doctor,
    /// audit
    Audit,
    /// coupling
    Coupling,
    /// setup
    Setup,
    /// teardown
    Teardown,
    /// render store
    RenderStore,
}

/// Who gets the rights instead of the ServiceAccount.
pub(super) struct Subject {
    /// `User` or `Group`
    pub(super) kind: &'static str,
    pub(super) name: String,
}

/// What the publisher is.
pub(super) struct Publisher<'a> {
    pub(super) namespace: &'a str,
    pub(super) image: &'a Image,
    /// keyless.yaml as the pods read it.
    pub(super) settings: &'a str,
    /// Other settings have another one; only for pods that stay.
    pub(super) checksum: &'a str,
    /// A Deployment in place of the CronJob.
    pub(super) watch: bool,
    /// Between two looks, unless it is the usual time.
    pub(super) poll: Option<String>,
    /// A CronJob beside it that audits in this mode.
    pub(super) audit: Option<Mode>,
}

impl Publisher<'_> {
    /// Every object, in the order in which they can be applied.
    pub(super) fn objects(&self) -> Vec<Value> {
        let settings = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "keyless-settings", "namespace": NAMESPACE },
            "data": { SETTINGS: self.settings },
        });
        let mut objects = parsed(&[BASE_NAMESPACE, BASE_ACCOUNTS, BASE_RBAC, BASE_LEDGER]);
        objects.push(settings);
        objects.extend(parsed(&[BASE_NETWORK]));
        let pods = match self.watch {
            true => {
                if let Some(policy) = objects.last_mut() {
                    policy["spec"]["ingress"] =
                        json!([{ "ports": [{ "protocol": "TCP", "port": METRICS }] }]);
                }
                objects.extend(parsed(&[WATCH_RBAC, WATCH_LEASE, WATCH_BUDGET]));
                let mut deployment = parsed(&[WATCH_DEPLOYMENT]);
                for object in &mut deployment {
                    object["spec"]["template"]["metadata"]["annotations"] =
                        json!({ "checksum/settings": self.checksum });
                    self.set_poll(object);
                }
                deployment
            }
            false => parsed(&[BASE_CRON_JOB]),
        };
        objects.extend(pods);
        objects.extend(self.audit.into_iter().flat_map(audit));
        for object in &mut objects {
            in_namespace(object, self.namespace);
            self.set_image(object);
        }
        objects
    }

    fn set_poll(&self, deployment: &mut Value) {
        let containers = deployment.pointer_mut("/spec/template/spec/containers");
        for container in containers.and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(arguments) = container["args"].as_array_mut() else { continue };
            let flag = arguments.iter().position(|argument| argument == "--poll");
            if let (Some(poll), Some(flag)) = (&self.poll, flag)
                && let Some(value) = arguments.get_mut(flag + 1)
            {
                *value = json!(poll);
            }
        }
    }

    fn set_image(&self, object: &mut Value) {
        let pod = match object["kind"].as_str() {
            Some("CronJob") => "/spec/jobTemplate/spec/template/spec",
            Some("Deployment") => "/spec/template/spec",
            _ => return,
        };
        let containers = object.pointer_mut(pod).and_then(|pod| pod["containers"].as_array_mut());
        for container in containers.into_iter().flatten() {
            container["image"] = json!(self.image.to_string());
        }
    }
}

/// The rights of a command, bound to a ServiceAccount of its own, or to `subject`. Rights of a person are bound to none
/// without one. `mode`: of an audit.
pub(super) fn rbac(purpose: Purpose, mode: Mode, namespace: &str, subject: Option<&Subject>) -> Vec<Value> {
    let files: &[&str] = match (purpose, mode) {
        (Purpose::Publish, _) => &[BASE_ACCOUNTS, BASE_RBAC],
        (Purpose::Watch, _) => &[BASE_ACCOUNTS, BASE_RBAC, WATCH_RBAC],
        (Purpose::Keys, _) => &[KEYS_RBAC],
        (Purpose::KeysAdd | Purpose::KeysRevoke, _) => &[BASE_RBAC, REFS_RBAC],
        (Purpose::Verify, _) => &[KEYS_RBAC, REFS_RBAC, VERIFY_RBAC],
        (Purpose::Status, _) => &[KEYS_RBAC, REFS_RBAC],
        (Purpose::Doctor, _) => &[KEYS_RBAC, AUDIT_RBAC, COUPLING_RBAC, VERIFY_RBAC],
        (Purpose::RenderStore, _) => &[REFS_RBAC, STORE_RBAC],
        (Purpose::Audit, mode) => of_audit(mode),
        (Purpose::Coupling, _) => &[COUPLING_ACCOUNT, COUPLING_RBAC],
        (Purpose::Setup | Purpose::Teardown, _) => &[AUDIT_RBAC, SETUP_RBAC],
    };
    let mut objects = parsed(files);
    if subject.is_some() || purpose.is_for_a_person() {
        objects.retain(is_role);
    }
    if let Some(subject) = subject {
        let bindings: Vec<_> = objects.iter().map(|role| subject.binding(role)).collect();
        objects.extend(bindings);
    }
    objects.iter_mut().for_each(|object| in_namespace(object, namespace));
    objects
}

/// The ServiceAccount and the rights of an audit.
fn of_audit(mode: Mode) -> &'static [&'static str] {
    match mode {
        Mode::Deep => &[AUDIT_ACCOUNT, AUDIT_RBAC],
        Mode::Metadata => &[METADATA_ACCOUNT, METADATA_RBAC],
        Mode::Refs => &[REFS_ACCOUNT, REFS_RBAC],
    }
}

/// A CronJob that audits, with exactly the rights that its mode takes.
fn audit(mode: Mode) -> Vec<Value> {
    let mut objects = parsed(of_audit(mode));
    let account = objects.iter().find(|object| object["kind"] == "ServiceAccount");
    let account = account.map(|account| account["metadata"]["name"].clone()).unwrap_or_default();
    for mut job in parsed(&[AUDIT_JOB]) {
        let pod = &mut job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
        pod["serviceAccountName"] = account.clone();
        for argument in pod["containers"][0]["args"].as_array_mut().into_iter().flatten() {
            if argument == Mode::Refs.name() {
                *argument = json!(mode.name());
            }
        }
        objects.push(job);
    }
    objects
}

impl Purpose {
    /// Whether no ServiceAccount of `deploy/` has these rights.
    pub(super) fn is_for_a_person(self) -> bool {
        !matches!(self, Self::Publish | Self::Watch | Self::Audit | Self::Coupling)
    }
}

impl Subject {
    fn binding(&self, role: &Value) -> Value {
        let kind = role["kind"].as_str().unwrap_or_default();
        let name = role["metadata"]["name"].as_str().unwrap_or_default();
        // Names of RBAC objects are segments of a path: neither of these may be in one.
        let mut metadata = json!({
            "name": format!("{name}-{}", self.name.replace(['/', '%'], "-")),
            "labels": role["metadata"]["labels"],
        });
        if let Some(namespace) = role["metadata"].get("namespace") {
            metadata["namespace"] = namespace.clone();
        }
        json!({
            "apiVersion": role["apiVersion"], "kind": format!("{kind}Binding"), "metadata": metadata,
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": self.kind, "name": self.name }],
        })
    }
}

fn is_role(object: &Value) -> bool {
    object["kind"].as_str().is_some_and(|kind| kind == "Role" || kind == "ClusterRole")
}

fn parsed(files: &[&str]) -> Vec<Value> {
    let read =
        |text: &&str| -> Vec<Value> { serde_saphyr::from_multiple(text).expect("a test reads deploy/") };
    files.iter().flat_map(read).collect()
}

/// Puts the other namespace wherever an object names that of `deploy/`: alone, or before a slash.
fn in_namespace(value: &mut Value, namespace: &str) {
    match value {
        Value::String(text) => {
            if let Some(rest) = text.strip_prefix(NAMESPACE)
                && (rest.is_empty() || rest.starts_with('/'))
            {
                *text = format!("{namespace}{rest}");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| in_namespace(item, namespace)),
        Value::Object(members) => members.values_mut().for_each(|member| in_namespace(member, namespace)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Purpose; 13] = [
        Purpose::Publish,
        Purpose::Watch,
        Purpose::Keys,
        Purpose::KeysAdd,
        Purpose::KeysRevoke,
        Purpose::Verify,
        Purpose::Status,
        Purpose::Doctor,
        Purpose::Audit,
        Purpose::Coupling,
        Purpose::Setup,
        Purpose::Teardown,
        Purpose::RenderStore,
    ];

    #[test]
    fn other_namespace_is_put_everywhere() {
        let image = "a/b:1".parse().unwrap();
        for watch in [false, true] {
            let publisher = Publisher {
                namespace: "other",
                image: &image,
                settings: "a: 1\n",
                checksum: "0",
                watch,
                poll: Some("30s".to_owned()),
                audit: Some(Mode::Metadata),
            };
            let text = json!(publisher.objects()).to_string();
            assert_eq!(text.contains("\"--poll\",\"30s\""), watch, "{text}");
            assert!(!text.contains(NAMESPACE) && !text.contains("keyless:0.1.0"), "{text}");
            assert!(text.contains("\"a/b:1\"") && text.contains("\"namespace\":\"default\""), "{text}");
            assert_eq!(text.contains("other/keyless-publisher"), watch, "{text}");
        }
        for purpose in ALL {
            assert!(!json!(rbac(purpose, Mode::Deep, "other", None)).to_string().contains(NAMESPACE));
        }
    }

    #[test]
    fn subject_gets_every_role_alone() {
        let subject = Subject { kind: "User", name: "https://idp/alice%1".to_owned() };
        for purpose in ALL {
            let objects = rbac(purpose, Mode::Deep, NAMESPACE, Some(&subject));
            let (roles, bindings): (Vec<_>, Vec<_>) = objects.iter().partition(|it| is_role(it));
            assert!(!roles.is_empty() && roles.len() == bindings.len(), "{purpose:?}");
            for (role, binding) in roles.iter().zip(bindings) {
                assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
                assert_eq!(binding["metadata"].get("namespace"), role["metadata"].get("namespace"));
                assert_eq!(binding["subjects"][0]["name"], "https://idp/alice%1");
                let name = binding["metadata"]["name"].as_str().unwrap();
                assert!(name.ends_with("-https:--idp-alice-1"), "{name}");
            }
        }
    }

    #[test]
    fn account_has_rights_without_subject() {
        for purpose in ALL {
            let objects = rbac(purpose, Mode::Deep, NAMESPACE, None);
            let has = |kind: &str| objects.iter().any(|object| object["kind"] == kind);
            assert_eq!(has("ServiceAccount"), !purpose.is_for_a_person(), "{purpose:?}");
            let is_bound = has("RoleBinding") || has("ClusterRoleBinding");
            assert_eq!(is_bound, !purpose.is_for_a_person(), "{purpose:?}");
        }
    }
}
