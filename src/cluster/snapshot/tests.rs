use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::*;
use crate::cluster::objects::Items;

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

/// What an audit sees of a cluster that holds exactly these objects.
pub(crate) fn inventory(objects: &[Object]) -> Inventory {
    read(objects, false).0
}

/// The estate of a cluster that holds exactly these objects.
pub(crate) fn estate(text: &str) -> Estate {
    let objects = objects(text);
    let schema = |plural: &str| {
        let name = format!("{plural}.external-secrets.io");
        let mut definitions = objects.iter().filter(|object| object.kind() == "CustomResourceDefinition");
        definitions.find(|it| it.name() == name).map_or(Look::Absent, |it| Look::Seen(StoreSchema::of(it)))
    };
    let (inventory, users) = read(&objects, true);
    let (push_secrets, external_secrets) =
        users.into_iter().partition(|user: &Object| user.kind().ends_with("PushSecret"));
    Estate {
        inventory,
        cluster_schema: schema("clustersecretstores"),
        namespaced_schema: schema("secretstores"),
        external_secrets,
        push_secrets,
    }
}

/// As the cluster is read: the same readers, over the same JSON.
fn read(objects: &[Object], whole: bool) -> (Inventory, Vec<Object>) {
    let mut inventory = Inventory { installed: true, ..Inventory::default() };
    let mut users = Vec::new();
    let feed = |kind: &str, items: &mut dyn Items| {
        items.begin();
        of(objects, kind).for_each(|object| items.take(object.0.to_string().as_bytes()));
    };
    for (resource, part) in kinds::known() {
        match part {
            kinds::Part::Store => inventory.stores.extend(of(objects, &resource.kind).cloned().map(Store)),
            kinds::Part::Generator => {
                let is_generator = |object: &&Object| {
                    object.text("/apiVersion").starts_with("generators.external-secrets.io/")
                };
                inventory
                    .generators
                    .extend(of(objects, &resource.kind).filter(is_generator).cloned().map(Generator));
            }
            kinds::Part::GeneratorState => {
                let mut states = lists::States::new(&resource);
                feed(&resource.kind, &mut states);
                inventory.generators.extend(states.objects.into_iter().map(Generator));
            }
            kinds::Part::User => {
                let mut read = usage::UsersRead::new(&resource, whole);
                feed(&resource.kind, &mut read);
                inventory.usage.merge(read.usage);
                inventory.unseen.extend(read.unseen);
                users.extend(read.objects.unwrap_or_default());
            }
            kinds::Part::Local => {}
        }
    }
    let is_strange = |object: &&Object| {
        object.text("/apiVersion").contains("external-secrets.io/")
            && kinds::known().iter().all(|(resource, _)| resource.kind != object.kind())
    };
    inventory.unknown_kinds.extend(objects.iter().filter(is_strange).cloned());
    for resource in [&kinds::DEPLOYMENTS, &kinds::STATEFUL_SETS, &kinds::DAEMON_SETS, &kinds::PODS] {
        let mut controllers = recognise::ControllersRead::new(resource);
        feed(&resource.kind, &mut controllers);
        let list = if resource.kind == "Pod" { &mut inventory.pods } else { &mut inventory.controllers };
        list.extend(controllers.controllers);
        inventory.unseen.extend(controllers.unseen);
    }
    let is_ours = |object: &&Object| object.namespace() == replaced::NAMESPACE && object.is_ours();
    for config_map in of(objects, "ConfigMap").filter(is_ours) {
        inventory.replaced.extend(Replaced::of_config_map(config_map.0.to_string().as_bytes()).unwrap());
    }
    inventory.in_order();
    let body = |kind: &str, (namespace, name): &(String, String)| {
        let found = of(objects, kind).find(|it| it.namespace() == namespace && it.name() == name);
        found.map_or(Look::Absent, |it| Look::Seen(it.0.to_string().into_bytes()))
    };
    for _ in 0..2 {
        let wanted =
            if inventory.accounts.is_empty() { inventory.wanted() } else { inventory.wanted_tokens() };
        for (name, keys) in &wanted.secrets {
            inventory.take_secret(keys, &body("Secret", name));
        }
        for (name, keys) in &wanted.config_maps {
            inventory.take_config_map(keys, &body("ConfigMap", name));
        }
        for (namespace, name) in wanted.accounts {
            let found =
                of(objects, "ServiceAccount").find(|it| it.namespace() == namespace && it.name() == name);
            let account = found.cloned().map_or(Look::Absent, Look::Seen);
            inventory.take_account((namespace, name), account);
        }
    }
    let swept = ["Secret", "ConfigMap", "Deployment", "StatefulSet", "DaemonSet", "Pod"];
    for object in objects.iter().filter(|object| swept.contains(&object.kind())) {
        let _ = inventory.sightings.take(object.kind(), &object.0);
    }
    let every = of(objects, "ClusterRole").any(Controller::mints_every);
    for controller in inventory.controllers.iter_mut().chain(&mut inventory.pods) {
        controller.minting = Look::Seen(if every { Minting::Every } else { Minting::Named });
    }
    (inventory, users)
}

fn of<'a>(objects: &'a [Object], kind: &'a str) -> impl Iterator<Item = &'a Object> {
    objects.iter().filter(move |object| object.kind() == kind)
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
fn only_public_half_of_key_stays() {
    let text = include_str!("../../../fixtures/audit/stored-credential/bad-one-key-in-two-secrets.yaml");
    let estate = estate(text);
    let shown = format!("{estate:?}");
    assert!(!shown.contains("CANARY") && !shown.contains(&STANDARD.encode("CANARY-PRIVATE-HALF")), "{shown}");
    let store = estate.store(true, "", "gcp").unwrap();
    let (place, _) = estate.google_key(store).unwrap();
    assert_eq!(place.to_string(), "Secret external-secrets/gcp-key (key.json)");
    let Some(Public::GoogleKey { project_id, client_email, .. }) =
        estate.credentials[&place].seen().map(|credential| credential.public.clone())
    else {
        panic!("{shown}")
    };
    assert_eq!(
        (project_id.as_str(), client_email.as_str()),
        ("acme-prod", "eso@acme-prod.iam.gserviceaccount.com")
    );
}
