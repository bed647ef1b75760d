//! What can be wrong on the cluster's side of `keyless setup`: each is reported, nothing is half done, and once it is
//! fixed setup goes on.

mod rights;

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use lab::Right;
use serde_json::{Value, json};

use crate::{
    estate::{DEFAULT_ISSUER, Estate, RETIRE, SETUP, secret, store},
    rights::Asked,
    world::Ran,
};

const ESO: &str = "external-secrets.io/v1";
const CRD: &str = "apiextensions.k8s.io/v1";

/// Where the schema has a field of the store, below `provider`.
const FEDERATION: &str = "gcpsm/properties/auth/properties/workloadIdentityFederation/properties";

impl Estate {
    /// Ends with this error, and neither the cluster nor Google has changed.
    #[track_caller]
    fn refuses(&self, exit: i32, code: &str, names: &[&str]) -> Ran {
        let before = self.everything();
        let ran = self.run(&SETUP).fails(exit, code, names);
        assert_eq!(self.everything(), before, "something was written");
        ran
    }

    /// All that setup may write, as it is now.
    fn everything(&self) -> Vec<Value> {
        let cluster = &self.world.cluster;
        let kinds = ["ClusterSecretStore", "SecretStore", "ServiceAccount", "Role", "RoleBinding"];
        let specs = kinds.iter().flat_map(|kind| cluster.objects(kind)).map(|mut object| {
            object.as_object_mut().unwrap().remove("status");
            object["metadata"] =
                json!({"name": object["metadata"]["name"], "labels": object["metadata"]["labels"]});
            object
        });
        specs
            .chain([
                json!(self.google.federation()),
                json!(self.key_disabled()),
                json!(self.secret_is_there()),
            ])
            .chain([self.google.policy("secrets/db")["bindings"].clone()])
            .collect()
    }

    fn is_keyless(&self) -> bool {
        self.store()["spec"]["provider"]["gcpsm"]["auth"].get("secretRef").is_none()
    }

    /// The custom resource definition of ClusterSecretStores, without a field below `provider`.
    fn prune(&self, field: &str) {
        let name = "clustersecretstores.external-secrets.io";
        let mut definition = self.world.cluster.object(CRD, "CustomResourceDefinition", None, name).unwrap();
        let (parent, member) = field.rsplit_once('/').unwrap();
        let version = definition["spec"]["versions"].as_array_mut().unwrap().iter_mut();
        let version = version.into_iter().find(|version| version["name"] == "v1").unwrap();
        let path = format!("/schema/openAPIV3Schema/properties/spec/properties/provider/properties/{parent}");
        let members = version.pointer_mut(&path).unwrap().as_object_mut().unwrap();
        assert!(members.remove(member).is_some(), "{field} is not there");
        self.world.cluster.put_object(definition);
    }

    /// As a user does who keeps manifests.
    fn apply_by_hand(&self, file: &str) {
        let text = fs::read_to_string(self.world.dir.path().join(file)).unwrap();
        let manifest: Value = serde_saphyr::from_str(&text).unwrap();
        self.world.cluster.put_object(manifest);
    }

    fn change_store(&self, change: impl FnOnce(&mut Value)) {
        let mut store = self.store();
        change(&mut store);
        self.world.cluster.remove_object(ESO, "ClusterSecretStore", None, "gcp");
        self.world.cluster.put_object(store);
    }

    fn with_controller(&self, image: &str, env: Value) {
        self.world.cluster.put_object(json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "external-secrets", "namespace": "external-secrets"},
            "spec": {"template": {"spec": {"serviceAccountName": "external-secrets", "containers": [
                {"name": "external-secrets", "image": format!("ghcr.io/external-secrets/external-secrets:{image}"), "env": env}]}}}}));
    }
}

#[test]
fn incomplete_operator_is_refused_with_remedy() {
    let estate = Estate::new();
    let deployment = ("apps/v1", "Deployment", Some("external-secrets"), "external-secrets");
    let held = estate.world.cluster.object(deployment.0, deployment.1, deployment.2, deployment.3).unwrap();
    estate.world.cluster.remove_object(deployment.0, deployment.1, deployment.2, deployment.3);
    estate
        .refuses(3, "eso-controller-unknown", &["kubectl label", "start the one that was installed"])
        .snapshot("error-eso-controller-unknown");
    estate.world.cluster.put_object(held);
    // The definition of ClusterSecretStores alone: its objects are gone with it.
    for name in ["clustersecretstores", "secretstores"] {
        let name = format!("{name}.external-secrets.io");
        estate.world.cluster.remove_object(CRD, "CustomResourceDefinition", None, &name);
    }
    let settings =
        "apiVersion: keyless/v1\ngoogle: {project: acme-prod}\nstore: {name: gcp, secrets: [db]}\n";
    fs::write(estate.world.dir.path().join("keyless.yaml"), settings).unwrap();
    estate.refuses(
        3,
        "eso-missing",
        &["clustersecretstores.external-secrets.io", "helm upgrade", "installCRDs=true"],
    );
}

#[test]
fn old_controller_or_schema_is_refused() {
    for image in ["v0.19.2", "v0.20.0", "v0.20.1"] {
        let estate = Estate::new();
        estate.with_controller(image, json!([]));
        estate.refuses(3, "eso-too-old", &[&image[1..], "0.20.2 or later"]);
    }
    for field in ["audience", "serviceAccountRef/properties/audiences", "serviceAccountRef"] {
        let estate = Estate::new();
        estate.prune(&format!("{FEDERATION}/{field}"));
        let named = "spec.provider.gcpsm.auth.workloadIdentityFederation.";
        estate.refuses(3, "eso-too-old", &[named, "0.20.2 or later", "upgraded separately"]);
    }
    let estate = Estate::new();
    estate.prune("gcpsm/properties/projectID");
    estate.change_store(|store| {
        drop(store["spec"]["provider"]["gcpsm"].as_object_mut().unwrap().remove("projectID"))
    });
    estate.refuses(3, "eso-field-missing", &["spec.provider.gcpsm.projectID", "upgrade them together"]);
}

#[test]
fn store_managed_elsewhere_is_not_changed() {
    let argo = json!({"annotations": {"argocd.argoproj.io/tracking-id": "shop:external-secrets.io/ClusterSecretStore:/gcp"}});
    let labels = json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "infra", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}});
    for (metadata, by) in
        [(argo, "Argo CD (application shop)"), (labels, "Flux (Kustomization flux-system/infra)")]
    {
        let estate = Estate::new();
        estate.change_store(|store| {
            for (name, value) in metadata.as_object().unwrap() {
                store["metadata"][name] = value.clone();
            }
        });
        let planned = estate.run(&["setup", "--dry-run"]).ends(1);
        if by.starts_with("Flux") {
            estate.run(&["setup", "--dry-run"]).ends(1).snapshot("plan-store-kept-by-flux");
        }
        assert!(
            planned.out.contains(&format!("! update  ClusterSecretStore gcp: {by} keeps it")),
            "{}",
            planned.out
        );
        let before = estate.store()["spec"].clone();
        for _ in 0..2 {
            estate.run(&RETIRE).ends(1).says("manifests/clustersecretstore-gcp.yaml");
            assert_eq!((&estate.store()["spec"], estate.key_disabled()), (&before, Some(false)), "{by}");
        }
        estate.apply_by_hand("manifests/clustersecretstore-gcp.yaml");
        estate.run(&RETIRE).ends(0);
        assert_eq!((estate.key_disabled(), estate.secret_is_there()), (None, false), "{by}");
        estate.run(&["audit"]).ends(0).says("ZERO");
    }
}

#[test]
fn rewritten_store_is_changed_with_warning() {
    for (annotation, by) in [
        (
            json!({"meta.helm.sh/release-name": "platform", "meta.helm.sh/release-namespace": "infra"}),
            "the Helm release infra/platform",
        ),
        (json!({"kubectl.kubernetes.io/last-applied-configuration": "{}"}), "applied with kubectl"),
    ] {
        let estate = Estate::new();
        estate.change_store(|store| store["metadata"]["annotations"] = annotation.clone());
        let ran = estate.run(&SETUP).ends(0).says("warning[store-written-again]");
        assert!(ran.err.contains(by), "{}", ran.err);
        assert!(estate.is_keyless());
    }
}

#[test]
fn key_missing_from_secret_stays_enabled() {
    let gone = Estate::new();
    gone.world.cluster.remove_object("v1", "Secret", Some("external-secrets"), "gcp-key");
    let other_name = Estate::new();
    other_name.world.cluster.put_object(json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "gcp-key", "namespace": "external-secrets"},
        "data": {"other.json": STANDARD.encode("x")}}));
    for estate in [gone, other_name] {
        estate.run(&["audit"]).ends(3).says("does not exist or is empty");
        estate.run(&RETIRE).ends(0);
        assert!(estate.is_keyless());
        assert_eq!(estate.key_disabled(), Some(false), "which key it was could not be determined");
        estate.run(&["audit"]).ends(0).says("ZERO");
    }
}

#[test]
fn secret_holding_more_is_not_deleted() {
    let estate = Estate::new();
    let mut held = estate.world.cluster.object("v1", "Secret", Some("external-secrets"), "gcp-key").unwrap();
    held["data"]["password"] = json!(STANDARD.encode("hunter2"));
    estate.world.cluster.put_object(held.clone());
    estate
        .run(&RETIRE)
        .fails(3, "secret-holds-more", &["external-secrets/gcp-key"])
        .snapshot("error-secret-holds-more");
    assert!(estate.secret_is_there() && estate.is_keyless());
    held["data"].as_object_mut().unwrap().remove("password");
    estate.world.cluster.put_object(held);
    estate.run(&RETIRE).ends(0);
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (None, false));
}

/// Whatever else names the Secret would stop: also when it is looked at by a later run, after the store has changed.
#[test]
fn key_used_elsewhere_is_never_retired() {
    let generator = json!({"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "GCRAccessToken",
        "metadata": {"name": "pull", "namespace": "external-secrets"},
        "spec": {"projectID": "acme-prod", "auth": {"secretRef": {"secretAccessKeySecretRef": {"name": "gcp-key", "key": "key.json"}}}}});
    let variable = json!([{"name": "GOOGLE_APPLICATION_CREDENTIALS_JSON", "valueFrom": {"secretKeyRef": {"name": "gcp-key", "key": "key.json"}}}]);
    for (what, put) in [
        (
            "ClusterSecretStore other",
            Box::new(|estate: &Estate| estate.world.cluster.put_object(store("other", "gcp-key")))
                as Box<dyn Fn(&Estate)>,
        ),
        (
            "GCRAccessToken external-secrets/pull",
            Box::new(|estate: &Estate| {
                estate.world.cluster.load_crds(rights::GENERATORS);
                estate.world.cluster.put_object(generator.clone());
            }),
        ),
        (
            "Deployment external-secrets/external-secrets",
            Box::new(|estate: &Estate| estate.with_controller("v0.20.4", variable.clone())),
        ),
    ] {
        let estate = Estate::new();
        put(&estate);
        estate.settings("store: {name: gcp}");
        for _ in 0..2 {
            // It was asked for, and is not done.
            let ran = estate.run(&RETIRE).ends(1);
            assert!(ran.out.contains(&format!("also used by {what}")), "{}", ran.out);
            assert_eq!((estate.key_disabled(), estate.secret_is_there()), (Some(false), true), "{what}");
        }
    }
}

#[test]
fn no_api_server_at_all() {
    let estate = Estate::new();
    estate.world.cluster.server(0).stop();
    estate.run(&SETUP).fails(3, "connect", &["127.0.0."]);
    estate.world.cluster.server(0).restart();
    estate.run(&SETUP).ends(0);
}

#[test]
fn servers_disagreeing_on_issuer_change_nothing() {
    let estate = Estate::with_servers(2);
    let other = "https://other.lab.test";
    estate.world.cluster.server(1).change(|server| server.issuers.insert(0, other.into()));
    let before = estate.store()["spec"].clone();
    let ran = estate.run(&SETUP).ends(1).says("warning[issuer-not-signed]");
    assert!(ran.err.contains(other), "{}", ran.err);
    assert_eq!((estate.store()["spec"].clone(), estate.key_disabled()), (before, Some(false)));
    estate.world.cluster.server(1).change(|server| server.issuers = vec![DEFAULT_ISSUER.into()]);
    estate.run(&SETUP).ends(0);
    assert!(estate.is_keyless());
}

#[test]
fn store_keeps_members_beside_its_provider() {
    let estate = Estate::new();
    estate.change_store(|store| {
        store["spec"]["conditions"] =
            json!([{"namespaces": ["shop"]}, {"namespaceSelector": {"matchLabels": {"team": "a"}}}]);
        store["spec"]["controller"] = json!("eso");
        store["spec"]["provider"]["gcpsm"]["location"] = json!("europe-west1");
    });
    estate.google.add_secret("europe-west1/db", br#"{"password":"hunter2"}"#);
    let before = estate.store();
    estate.run(&SETUP).ends(0);
    let after = estate.store();
    for member in ["conditions", "controller"] {
        assert_eq!(after["spec"][member], before["spec"][member], "{member}");
    }
    assert_eq!(after["spec"]["provider"]["gcpsm"]["location"], "europe-west1");
}

#[test]
fn namespaced_store_runs_whole_lifecycle() {
    let estate = Estate::new();
    let cluster = &estate.world.cluster;
    let held = cluster.object("v1", "Secret", Some("external-secrets"), "gcp-key").unwrap();
    let key: Value =
        serde_json::from_slice(&STANDARD.decode(held["data"]["key.json"].as_str().unwrap()).unwrap())
            .unwrap();
    let mut moved = secret("gcp-key", &key);
    moved["metadata"]["namespace"] = json!("shop");
    let mut of_shop = store("gcp", "gcp-key");
    of_shop["kind"] = json!("SecretStore");
    of_shop["metadata"]["namespace"] = json!("shop");
    of_shop["spec"].as_object_mut().unwrap().remove("conditions");
    cluster.remove_object(ESO, "ClusterSecretStore", None, "gcp");
    cluster.remove_object("v1", "Secret", Some("external-secrets"), "gcp-key");
    let mut reader = cluster.object(ESO, "ExternalSecret", Some("shop"), "db").unwrap();
    reader["spec"]["secretStoreRef"]["kind"] = json!("SecretStore");
    [moved, of_shop, reader].into_iter().for_each(|object| cluster.put_object(object));
    estate.run(&["audit"]).ends(1).says("SecretStore shop/gcp");
    estate.run(&RETIRE).ends(0);
    let auth = cluster.object(ESO, "SecretStore", Some("shop"), "gcp").unwrap()["spec"]["provider"]["gcpsm"]
        ["auth"]
        .clone();
    let account = &auth["workloadIdentityFederation"]["serviceAccountRef"];
    assert_eq!((&account["name"], auth.get("secretRef")), (&json!("keyless-gcp"), None), "{auth:#}");
    for kind in ["ServiceAccount", "Role", "RoleBinding"] {
        let of_shop = cluster
            .objects(kind)
            .into_iter()
            .filter(|it| it["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "keyless");
        assert!(of_shop.into_iter().all(|it| it["metadata"]["namespace"] == "shop"), "{kind}");
    }
    assert!(cluster.object("v1", "Secret", Some("shop"), "gcp-key").is_none());
    assert_eq!(estate.key_disabled(), None);
    estate.run(&["audit"]).ends(0).says("ZERO");
    estate.run(&["teardown", "--yes"]).ends(0);
    estate.run(&["teardown", "--yes"]).ends(0).says("nothing to remove");
}
