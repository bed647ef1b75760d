use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::*;
use crate::cluster::objects::Object;

/// The documents of a YAML text. `stringData` of a Secret is where the API server puts it.
pub(crate) fn objects(text: &str) -> Vec<Object> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    documents
        .into_iter()
        .filter(|document| !document.is_null())
        .map(|mut document| {
            if let Some(Value::Object(values)) = document.get("stringData").cloned() {
                for (name, value) in values {
                    document["data"][name] = json!(STANDARD.encode(value.as_str().unwrap()));
                }
            }
            Object(document)
        })
        .collect()
}

/// The estate of a cluster that holds exactly these objects.
pub(crate) fn estate(text: &str) -> Estate {
    let objects = objects(text);
    let of = |kinds: &[&str]| -> Vec<Object> {
        objects.iter().filter(|object| kinds.contains(&object.kind())).cloned().collect()
    };
    let is_generator =
        |object: &&Object| object.text("/apiVersion").starts_with("generators.external-secrets.io/");
    let lists = Lists {
        stores: of(&["SecretStore", "ClusterSecretStore"]),
        external_secrets: of(&["ExternalSecret", "ClusterExternalSecret"]),
        push_secrets: of(&["PushSecret", "ClusterPushSecret"]),
        generators: objects.iter().filter(is_generator).cloned().collect(),
        deployments: of(&["Deployment"]),
    };
    let schema = |plural: &str| {
        let name = format!("{plural}.external-secrets.io");
        let definitions = of(&["CustomResourceDefinition"]);
        definitions
            .iter()
            .find(|it| it.name() == name)
            .map_or(Look::Absent, |it| Look::Seen(StoreSchema::of(it)))
    };
    let mut estate =
        Estate::new(schema("clustersecretstores"), schema("secretstores"), lists, BTreeSet::new());
    let find = |kind: &str, namespace: &str, name: &str| {
        let found = of(&[kind]).into_iter().find(|it| it.namespace() == namespace && it.name() == name);
        found.map_or(Look::Absent, Look::Seen)
    };
    let wanted = estate.wanted();
    for ((namespace, name), keys) in wanted.secrets {
        estate.take_secret(&keys, &find("Secret", &namespace, &name));
    }
    for ((namespace, name), keys) in wanted.config_maps {
        estate.take_config_map(&keys, &find("ConfigMap", &namespace, &name));
    }
    for (namespace, name) in wanted.accounts {
        let account = find("ServiceAccount", &namespace, &name);
        estate.take_account((namespace, name), account);
    }
    let every = of(&["ClusterRole"]).iter().any(Controller::mints_every);
    for controller in &mut estate.controllers {
        controller.minting = Look::Seen(if every { Minting::Every } else { Minting::Named });
    }
    estate
}

#[test]
fn a_controller_is_told_from_its_helpers() {
    let deployment = |image: &str, args: &[&str]| {
        Object(
            json!({ "kind": "Deployment", "metadata": { "name": "a", "namespace": "b", "labels": { "helm.sh/chart": "external-secrets-2.5.0" } },
            "spec": { "template": { "spec": { "serviceAccountName": "eso", "containers": [{ "image": image, "args": args }] } } } }),
        )
    };
    let it =
        Controller::of(&deployment("ghcr.io/external-secrets/external-secrets:v0.20.4@sha256:00", &["--x"]))
            .unwrap();
    assert_eq!(it.version, Some(Version(0, 20, 4)));
    assert_eq!((it.flags, it.service_account.name), (vec!["--x".to_owned()], "eso".to_owned()));
    let it = Controller::of(&deployment("registry.acme.example:5000/mirror/external-secrets@sha256:00", &[]))
        .unwrap();
    assert_eq!(it.version, Some(Version(2, 5, 0)));
    assert!(
        Controller::of(&deployment("ghcr.io/external-secrets/external-secrets:v0.20.4", &["webhook"]))
            .is_none()
    );
    assert!(Controller::of(&deployment("nginx:1", &[])).is_none());
}

#[test]
fn managers_are_recognized() {
    let with = |metadata: Value| manager(&Object(json!({ "metadata": metadata })));
    let by = |metadata: Value| match with(metadata) {
        Some(Manager::PutsBack { by }) => by,
        other => panic!("{other:?}"),
    };
    let tracking = "platform:external-secrets.io/ClusterSecretStore:/gcp";
    assert!(
        by(json!({ "annotations": { "argocd.argoproj.io/tracking-id": tracking } }))
            .contains("Argo CD (application platform)")
    );
    assert!(by(json!({ "labels": { "kustomize.toolkit.fluxcd.io/name": "infra" } })).starts_with("Flux"));
    assert!(by(json!({ "managedFields": [{ "manager": "argocd-controller" }] })).starts_with("Argo CD"));
    assert_eq!(
        with(json!({ "managedFields": [{ "manager": "kustomize-controller", "subresource": "status" }] })),
        None
    );
    assert!(matches!(
        with(json!({ "annotations": { "meta.helm.sh/release-name": "eso" } })),
        Some(Manager::WritesAgain { .. })
    ));
    assert_eq!(with(json!({ "managedFields": [{ "manager": "kubectl" }, { "manager": "keyless" }] })), None);
}

#[test]
fn of_a_key_only_the_public_half_is_kept() {
    let text = include_str!("../../../fixtures/audit/stored-credential/bad-one-key-in-two-secrets.yaml");
    let estate = estate(text);
    let shown = format!("{estate:?}");
    assert!(!shown.contains("CANARY") && !shown.contains(&STANDARD.encode("CANARY-PRIVATE-HALF")), "{shown}");
    let places = estate.places_of_key("0123456789abcdef0123456789abcdef01234567");
    assert_eq!(places.len(), 2);
    let store = estate.store(true, "", "gcp").unwrap();
    assert!(estate.others_naming(places[0], store).len() < 2);
    let (place, _) = estate.google_key(store).unwrap();
    assert_eq!(place.to_string(), "Secret external-secrets/gcp-key (key.json)");
    let Some(Public::GoogleKey { project_id, client_email, .. }) =
        estate.credentials[places[0]].seen().map(|credential| credential.public.clone())
    else {
        panic!("{shown}")
    };
    assert_eq!(
        (project_id.as_str(), client_email.as_str()),
        ("acme-prod", "eso@acme-prod.iam.gserviceaccount.com")
    );
}

/// What the pod mounts it needs to start, whether or not a variable names it.
#[test]
fn a_secret_that_the_controller_mounts_is_used_by_it() {
    let store = include_str!("../../../fixtures/audit/stored-credential/bad-google-key.yaml");
    let pod = |volumes: &str| {
        format!(
            "{store}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: eso, namespace: external-secrets}}\n\
             spec: {{template: {{spec: {{volumes: {volumes}, containers: [{{name: eso, image: ghcr.io/external-secrets/external-secrets:v0.20.4,\n\
             \x20 volumeMounts: [{{name: v, mountPath: /etc/v}}]}}]}}}}}}\n"
        )
    };
    for (volumes, others) in [
        ("[{name: v, secret: {secretName: gcp-key}}]", 1),
        ("[{name: v, projected: {sources: [{secret: {name: gcp-key}}]}}]", 1),
        ("[{name: v, configMap: {name: gcp-key}}]", 0),
        ("[{name: v, secret: {secretName: other}}]", 0),
        ("[{name: unmounted, secret: {secretName: gcp-key}}]", 0),
    ] {
        let estate = estate(&pod(volumes));
        let store = &estate.stores[0];
        let (place, _) = estate.google_key(store).unwrap();
        assert_eq!(estate.others_naming(&place, store).len(), others, "{volumes}");
    }
}
