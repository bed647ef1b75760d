//! `keyless setup` and `teardown` from outside: from a stored key to none, refused, repeated.

use serde_json::json;

use crate::{
    estate::{DEFAULT_ISSUER, Estate, secret, store},
    world::{Ran, World},
};

const SETUP: [&str; 4] = ["setup", "--yes", "--watch-for", "1s"];

#[test]
fn setup_without_settings_reaches_zero_credentials() {
    let estate = Estate::new();
    estate.run(&["audit"]).ends(1).says("1 LONG-LIVED credential").snapshot("audit-one-key");
    let before = estate.store();
    let planned = estate.run(&["setup", "--dry-run"]).ends(1).snapshot("plan-google-uploaded-keys");
    for named in ["pool keyless-", "provider cluster", "ClusterSecretStore gcp", &estate.key_id, "uploaded"] {
        assert!(planned.out.contains(named), "the plan does not name {named}:\n{}", planned.out);
    }
    assert_eq!(estate.store(), before, "a dry run changes nothing");

    estate.run(&SETUP).ends(0);
    let provider = estate.store()["spec"]["provider"]["gcpsm"].clone();
    assert!(provider["auth"].get("secretRef").is_none(), "{provider:#}");
    let federation = &provider["auth"]["workloadIdentityFederation"];
    let audience = federation["audience"].as_str().unwrap();
    assert_eq!(federation["serviceAccountRef"]["audiences"], json!([format!("https:{audience}")]));
    assert_eq!(estate.store()["spec"]["conditions"], before["spec"]["conditions"], "who may use it stays");
    assert_eq!(estate.key_disabled(), Some(true), "disabled, not deleted");
    assert!(estate.secret_is_there(), "deleted only when asked");

    // Again, and then to the end.
    estate.run(&["setup", "--dry-run"]).ends(0).snapshot("plan-no-changes");
    estate.run(&["audit"]).ends(1).snapshot("audit-key-disabled");
    estate.run(&["setup", "--dry-run", "--retire-key"]).ends(1).snapshot("plan-retire-key");
    estate.run(&["setup", "--yes", "--watch-for", "1s", "--retire-key"]).ends(0);
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (None, false));
    assert!(estate.store()["metadata"]["annotations"].get("keyless/replaces").is_none());
    estate.run(&["setup", "--dry-run", "--retire-key"]).ends(0);
    estate.run(&["audit"]).ends(0).says("ZERO").snapshot("audit-zero");
}

#[test]
fn key_used_by_other_store_stays() {
    let estate = Estate::new();
    estate.world.cluster.put_object(store("other", "gcp-key"));
    estate.settings("store: {name: gcp}");
    // The second time, the store that was changed does not name it any more.
    for _ in 0..2 {
        // It was asked to be retired, and is not.
        let ran = estate.run(&["setup", "--yes", "--watch-for", "1s", "--retire-key"]).ends(1);
        assert!(ran.out.contains("also used by ClusterSecretStore other"), "{}", ran.out);
        assert_eq!((estate.key_disabled(), estate.secret_is_there()), (Some(false), true));
    }
}

#[test]
fn key_without_its_secret_is_retired() {
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    estate.world.cluster.remove_object("v1", "Secret", Some("external-secrets"), "gcp-key");
    let planned = estate.run(&["setup", "--dry-run", "--retire-key"]).ends(1);
    assert!(planned.out.contains(&format!("- delete  key {} of", estate.key_id)), "{}", planned.out);
    estate.run(&["setup", "--yes", "--watch-for", "0s", "--retire-key"]).ends(0);
    assert_eq!(estate.key_disabled(), None);
    assert!(estate.store()["metadata"]["annotations"].get("keyless/replaced-key").is_none());
}

#[test]
fn nothing_is_asked_without_a_terminal() {
    let estate = Estate::new();
    estate.run(&["setup"]).fails(2, "confirmation", &["--yes"]).snapshot("error-confirmation");
    assert!(estate.store()["spec"]["provider"]["gcpsm"]["auth"].get("secretRef").is_some());
    // Two stores with keys of their own: which one is meant cannot be known.
    let other = estate.google.create_key(&estate.email);
    estate.world.cluster.put_object(secret("other-key", &other));
    estate.world.cluster.put_object(store("other", "other-key"));
    estate
        .run(&["setup", "--dry-run"])
        .fails(2, "setting-missing", &["store.name", "ClusterSecretStore other"])
        .snapshot("error-two-stores");
}

#[test]
fn missing_or_old_operator_is_named() {
    let world = World::signing_as(1, DEFAULT_ISSUER);
    let kube_system = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}});
    world.cluster.put_object(kube_system);
    let ran: Ran = Ran::of(world.command(&["setup", "--dry-run"]).env("GOOGLE_OAUTH_ACCESS_TOKEN", "x"));
    ran.fails(3, "eso-missing", &["helm install"]).snapshot("error-eso-missing");
    let estate = Estate::new();
    estate.world.cluster.load_crds(include_str!("../lab/fixtures/crds/eso-0.19-min.yaml"));
    estate.run(&["setup", "--dry-run"]).fails(3, "eso-too-old", &["0.20.2"]).snapshot("error-eso-too-old");
}

#[test]
fn store_kept_by_argo_becomes_file() {
    let estate = Estate::new();
    let mut kept = estate.store();
    kept["metadata"]["annotations"] =
        json!({"argocd.argoproj.io/tracking-id": "shop:external-secrets.io/ClusterSecretStore:/gcp"});
    estate.world.cluster.remove_object("external-secrets.io/v1", "ClusterSecretStore", None, "gcp");
    estate.world.cluster.put_object(kept);
    estate.run(&SETUP).ends(1).says("manifests/clustersecretstore-gcp.yaml");
    assert!(
        estate.store()["spec"]["provider"]["gcpsm"]["auth"].get("secretRef").is_some(),
        "it is not fought over"
    );
    let file = std::fs::read_to_string(estate.world.dir.path().join("manifests/clustersecretstore-gcp.yaml"))
        .unwrap();
    assert!(file.contains("workloadIdentityFederation") && !file.contains("secretRef"), "{file}");
    assert_eq!(estate.key_disabled(), Some(false));
}

#[test]
fn teardown_removes_only_what_setup_made() {
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    let settings = "apiVersion: keyless/v1\nprovider: google\ngoogle: {project: acme-prod}\n";
    std::fs::write(estate.world.dir.path().join("keyless.yaml"), settings).unwrap();
    let planned = estate.run(&["teardown", "--dry-run"]).ends(1).snapshot("plan-teardown");
    assert!(planned.out.contains("ClusterSecretStore gcp: keyless did not make it"), "{}", planned.out);
    estate.run(&["teardown", "--yes"]).ends(0).says("removed:");
    let account =
        estate.world.cluster.object("v1", "ServiceAccount", Some("external-secrets"), "keyless-gcp");
    assert!(account.is_none(), "the identity that it made is gone");
    estate
        .run(&["teardown", "--dry-run"])
        .ends(0)
        .says("nothing to remove")
        .snapshot("plan-teardown-nothing");
}
