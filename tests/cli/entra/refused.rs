//! Every reason that stops it: named, with its remedy and the old path untouched; and once fixed, it ends well.

use base64::{Engine, engine::general_purpose::STANDARD};
use lab::{Curve, SigningKey};
use serde_json::{Value, json};

use super::{DRY, RETIRE, SETUP, SUBJECT, Scene};
use crate::world::{ISSUER, Ran};

const OTHER_TENANT: &str = "99999999-0000-0000-0000-000000000000";

impl Scene {
    /// Setup does not come to its end, and nothing that reads today was changed.
    #[track_caller]
    fn refuses(&self, code: &str, names: &[&str]) -> Ran {
        let before = self.writes();
        let ran = self.run(&SETUP).fails(3, code, names);
        self.is_untouched(code);
        assert_eq!(self.writes(), before, "{code}");
        ran
    }

    fn own_identity(&self) {
        self.azure.add_identity(&self.identity_name(), json!({"keyless": self.mark()}));
    }
}

#[test]
fn vault_of_access_policies_is_refused() {
    let scene = Scene::new();
    scene.azure.change(|it| it.vault_by_roles = false);
    scene
        .refuses("entra-vault-mode", &["az keyvault update", "--enable-rbac-authorization true"])
        .snapshot("error-entra-vault-mode");
    scene.azure.change(|it| it.vault_by_roles = true);
    scene.ends_well();
}

#[test]
fn other_tenant_is_refused() {
    for change in [(|it| it.vault_tenant = OTHER_TENANT.into()) as fn(&mut lab::EntraSettings), |it| {
        it.subscription_tenant = OTHER_TENANT.into()
    }] {
        let scene = Scene::new();
        scene.azure.change(change);
        scene.refuses("entra-other-tenant", &[OTHER_TENANT, "entra.tenant"]);
    }
    let scene = Scene::new();
    scene.azure.change(|it| it.identity_tenant = OTHER_TENANT.into());
    scene.own_identity();
    scene.refuses("entra-other-tenant", &[OTHER_TENANT, "managed identity"]);
    // A store that names another one.
    let scene = Scene::new();
    let named = format!("keyApplication: {}", scene.application.0);
    let settings = scene.world.dir.path().join("keyless.yaml");
    scene.settings(&[&named]);
    let text = std::fs::read_to_string(&settings).unwrap().replace(lab::Entra::tenant(), OTHER_TENANT);
    std::fs::write(&settings, text).unwrap();
    let ran = scene.run(&SETUP);
    assert!(ran.code.is_some_and(|code| code != 0) && ran.err.contains("entra.tenant"), "{ran:?}");
    scene.is_untouched("another tenant");
}

#[test]
fn full_identity_is_refused_before_plan() {
    let scene = Scene::new();
    scene.own_identity();
    for number in 0..20 {
        let subject = format!("repo:acme/{number}");
        scene.azure.federate(&scene.identity_name(), &format!("ci-{number}"), "https://ci.example", &subject);
    }
    scene.refuses("entra-limit", &["20 federated credentials", "entra.identity"]);
    let named = format!("keyApplication: {}", scene.application.0);
    scene.settings(&["identity: other", &named]);
    scene.ends_well();
}

/// It would let another cluster's ServiceAccount of the same name read what this one reads.
#[test]
fn subject_at_another_issuer_is_refused() {
    let scene = Scene::new();
    scene.own_identity();
    scene.azure.federate(&scene.identity_name(), "other", "https://other.example", SUBJECT);
    scene
        .refuses("entra-identity-foreign", &["https://other.example", SUBJECT])
        .snapshot("error-entra-identity-foreign");
    assert_eq!(scene.azure.assignments(), 0);
}

#[test]
fn subject_in_other_case_is_corrected() {
    let scene = Scene::new();
    scene.own_identity();
    let upper = "system:serviceaccount:external-secrets:Keyless-Azure";
    scene.azure.federate(&scene.identity_name(), "keyless", ISSUER, upper);
    scene.ends_well();
    assert_eq!(scene.identity().unwrap()["federated"][0]["subject"], SUBJECT);
}

#[test]
fn identity_of_somebody_else_is_refused() {
    let other = "managed by keyless in cluster 0f8fad5b-d9cb-469f-a165-70867728950e for its ServiceAccounts";
    for (tags, code) in [
        (json!({}), "entra-identity-foreign"),
        (json!({"keyless": "terraform"}), "entra-identity-foreign"),
        (json!({"keyless": other}), "entra-other-cluster"),
        (json!({"keyless": "managed by keyless"}), "entra-owner-unknown"),
    ] {
        let scene = Scene::new();
        scene.azure.add_identity(&scene.identity_name(), tags.clone());
        scene.azure.assign_vault(&scene.identity_name());
        scene.refuses(code, &["entra.identity"]);
        assert_eq!(scene.identity().unwrap()["tags"], tags);
        scene.run(&["teardown", "--yes"]);
        assert!(scene.identity().is_some(), "{code}");
        if code != "entra-identity-foreign" {
            continue;
        }
        let named = format!("keyApplication: {}", scene.application.0);
        scene.settings(&["identity: own", &named]);
        scene.ends_well();
    }
}

#[test]
fn cluster_that_signs_es256_is_refused() {
    let scene = Scene::signing_with(SigningKey::ec(Curve::P256));
    scene.refuses("entra-key-type", &["RS256", "RSA 2048"]);
}

/// Another program writes to the same identity: Azure takes one write at a time.
#[test]
fn conflicting_write_is_repeated() {
    let write = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write";
    let code = "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity";
    let scene = Scene::new();
    scene.azure.refuse_next(1, write, 409, code);
    scene.ends_well();
    let calls = scene.azure.heard();
    assert_eq!(calls.iter().filter(|call| call.action == write).count(), 2);
}

/// The client ID beside the secret proves nothing: an administrator names the application.
#[test]
fn secret_of_unnamed_application_is_left() {
    let scene = Scene::new();
    scene.settings(&[]);
    let ran = scene.run(&RETIRE);
    assert!(ran.code.is_some_and(|code| code != 0), "{ran:?}");
    ran.says("entra.keyApplication");
    assert_eq!((scene.key(), scene.secret_is_there()), ((1, true), true));
    // Among several secrets it is not known which one it is.
    let scene = Scene::new();
    scene.azure.add_secret(&scene.application.0);
    let ran = scene.run(&RETIRE);
    assert!(ran.code.is_some_and(|code| code != 0), "{ran:?}");
    ran.says("2 client secrets");
    assert_eq!(scene.key(), (2, true));
}

#[test]
fn answer_about_another_resource_is_refused() {
    let scene = Scene::new();
    scene.azure.change(|it| {
        it.swapped = Some(("vaults/acmevault\"".into(), "vaults/other\"".into()));
    });
    scene.refuses("entra-other-answer", &["vaults/other"]);
    scene.azure.change(|it| it.swapped = None);
    scene.ends_well();
}

/// With `audiences` in the store, the operator asks for a token with two of them, and Entra refuses it.
#[test]
fn second_audience_of_store_goes() {
    let scene = Scene::new();
    scene.ends_well();
    let ours = scene.store()["spec"].clone();
    let mut store = scene.store();
    store["spec"]["provider"]["azurekv"]["serviceAccountRef"]["audiences"] = json!(["https://other.example"]);
    scene.world.cluster.put_object(store);
    // No token of the operator's gets in; what is tried here asks for one audience.
    scene.run(&["verify"]).ends(1).says("shop/db");
    scene.run(&DRY).ends(1).says("audiences");
    scene.run(&SETUP).ends(0);
    assert_eq!(scene.store()["spec"], ours);
    // What was not ready before setup is not waited for.
    scene.until_read();
    scene.run(&["verify"]).ends(0);
}

/// Everyone who may write the Secret may name another application there than an administrator has named.
#[test]
fn secret_beside_other_client_is_left() {
    for client in ["00000000-0000-0000-0000-00000000abcd", "no ID at all"] {
        let scene = Scene::new();
        scene.name_client(client);
        let ran = scene.run(&RETIRE);
        assert!(ran.code.is_some_and(|code| code != 0), "{client}: {ran:?}");
        let ran = ran.says("entra.keyApplication").says("beside the secret");
        assert!(!ran.out.contains("ZERO") && !ran.err.contains("ZERO"), "{}{}", ran.out, ran.err);
        assert_eq!((scene.key(), scene.secret_is_there()), ((1, true), true), "{client}");
    }
}

/// Earlier versions did not keep whom the store named beside the secret.
#[test]
fn record_without_client_is_completed() {
    let scene = Scene::new();
    let named = scene.application.0.clone();
    scene.run(&SETUP).ends(0);
    let name = "keyless-retirement-clustersecretstore.azure";
    let mut saved = scene.world.cluster.object("v1", "ConfigMap", Some("keyless-system"), name).unwrap();
    let mut state: Value = serde_json::from_str(saved["data"]["state.json"].as_str().unwrap()).unwrap();
    let identity = state["credentials"][0]["identity"].as_object_mut().unwrap();
    assert_eq!(identity.remove("client"), Some(json!(named)));
    saved["data"]["state.json"] = json!(state.to_string());
    for client in ["00000000-0000-0000-0000-00000000abcd", "no ID at all"] {
        scene.world.cluster.put_object(saved.clone());
        scene.name_client(client);
        let before = scene.key();
        for arguments in [&RETIRE[..], &["setup", "--undo", "--yes"]] {
            let ran = scene.run(arguments);
            assert!(ran.code.is_some_and(|code| code != 0), "{client}: {ran:?}");
            let told = format!("{}{}", ran.out, ran.err);
            assert!(told.contains("beside the secret"), "{client}: {told}");
            assert_eq!((scene.key(), scene.secret_is_there()), (before, true), "{client}");
        }
    }
    // The remedy. The Secret itself was changed meanwhile.
    scene.name_client(&named);
    scene.run(&RETIRE).ends(0);
    assert_eq!(scene.key(), (0, false));
}

impl Scene {
    /// Writes this into the Secret of the store, where it names the application.
    fn name_client(&self, client: &str) {
        let cluster = &self.world.cluster;
        let mut secret = cluster.object("v1", "Secret", Some("external-secrets"), "azure-key").unwrap();
        secret["data"]["id"] = json!(STANDARD.encode(client));
        cluster.put_object(secret);
    }
}
