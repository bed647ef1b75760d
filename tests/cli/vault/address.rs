//! Where an administrator's token may go: to addresses that an administrator has named.

use base64::{Engine, engine::general_purpose::STANDARD};
use lab::Vault;
use serde_json::{Value, json};

use super::{SETUP, Scene};
use crate::world::Ran;

/// Setup where the store says which provider it is.
const ALL: &[&str] = &["setup", "--yes", "--accept-new-secrets", "--watch-for", "0s"];

/// A store that says it is at this server, and no setting that names one.
fn only_the_store_says(server: &str, more: &Value) -> Scene {
    let scene = Scene::new();
    let mut store = scene.before.clone();
    store["metadata"] = json!({"name": "gcp"});
    let mut vault = json!({"server": server, "path": "kv", "version": "v2", "auth": {"jwt": {"path": "keyless",
        "role": "external-secrets", "kubernetesServiceAccountToken": {"audiences": ["vault"],
            "serviceAccountRef": {"name": "keyless-gcp", "namespace": "external-secrets"}}}}});
    for (member, value) in more.as_object().unwrap() {
        vault[member.as_str()] = value.clone();
    }
    store["spec"]["provider"] = json!({"vault": vault});
    let cluster = &scene.estate.world.cluster;
    cluster.remove_object("external-secrets.io/v1", "ClusterSecretStore", None, "gcp");
    cluster.put_object(store);
    std::fs::write(scene.estate.world.dir.path().join("keyless.yaml"), "apiVersion: keyless/v1\n").unwrap();
    scene
}

/// Turns the store to the server of the scene, and returns the address.
fn at_the_server(scene: &Scene, change: impl FnOnce(&mut Value)) -> String {
    let mut store = scene.estate.store();
    store["metadata"] = json!({"name": "gcp"});
    let vault = &mut store["spec"]["provider"]["vault"];
    vault["server"] = json!(scene.vault.url());
    change(vault);
    scene.estate.world.cluster.put_object(store);
    scene.vault.url()
}

fn run(scene: &Scene, environment: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let mut command = scene.command(&scene.vault.root_token(), arguments);
    command.envs(environment.iter().copied()).output().unwrap().into()
}

/// Requests that carried a token of an administrator.
fn with_token(vault: &Vault) -> usize {
    vault.faults().requests().iter().filter(|it| it.who.as_deref() == Some("root")).count()
}

#[test]
fn address_of_store_gets_no_token() {
    let scene = only_the_store_says("https://placeholder.example", &json!({}));
    let own = at_the_server(&scene, |_| ());
    for arguments in [ALL, &["setup", "--dry-run"], &["teardown", "--yes"]] {
        let ran = run(&scene, &[], arguments).fails(2, "setting-missing", &["vault.address", &own]);
        assert!(ran.err.contains("only an object in the cluster says"), "{}", ran.err);
    }
    run(&scene, &[], &["verify"]);
    assert_eq!(with_token(&scene.vault), 0);
    // What the remedy says is enough.
    run(&scene, &[("VAULT_ADDR", own.as_str())], ALL).ends(0);
    assert!(with_token(&scene.vault) > 0);
}

#[test]
fn address_in_the_clear_is_refused() {
    let scene = only_the_store_says("http://vault.acme.example", &json!({}));
    run(&scene, &[], ALL).fails(2, "setting-missing", &["vault.address"]);
    for address in
        ["http://vault.acme.example", "http://10.0.0.1:8200", "ftp://127.0.0.1", "vault.acme.example"]
    {
        run(&scene, &[("VAULT_ADDR", address)], ALL).fails(2, "base-url", &["VAULT_ADDR"]);
        scene.estate.settings(&format!("vault: {{address: '{address}'}}"));
        run(&scene, &[], ALL).fails(2, "base-url", &["vault.address"]);
        scene.estate.settings("");
    }
    assert_eq!(with_token(&scene.vault), 0);
}

#[test]
fn token_of_other_server_stays_unsent() {
    let scene = Scene::new();
    let all = [&SETUP[..], &["vault"]].concat();
    run(&scene, &[("VAULT_ADDR", "https://vault.acme.example")], &all).fails(
        2,
        "vault-address-differs",
        &["https://vault.acme.example", &scene.vault.url()],
    );
    assert_eq!(with_token(&scene.vault), 0);
    run(&scene, &[("VAULT_ADDR", &format!("{}/", scene.vault.url()))], &all).ends(0);
}

#[test]
fn authority_in_store_is_not_trusted() {
    let authority = lab::Ca::new();
    let vault = Vault::start(&authority, &["vault.lab.test"]);
    let bundle = STANDARD.encode(authority.pem());
    let scene = only_the_store_says(&vault.url(), &json!({"caBundle": bundle}));
    let ran = run(&scene, &[("VAULT_ADDR", &vault.url())], ALL);
    let ran = ran.fails(3, "tls", &[&vault.url()]);
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    assert_eq!(vault.faults().requests().len(), 0, "nothing was sent");
}

#[test]
fn mount_named_by_store_stays_unwritten() {
    let scene = only_the_store_says("https://placeholder.example", &json!({}));
    let own = at_the_server(&scene, |vault| vault["auth"]["jwt"]["path"] = json!("ci"));
    scene.vault.enable_auth("ci", "jwt", "for the CI");
    run(&scene, &[("VAULT_ADDR", own.as_str())], ALL).fails(
        3,
        "vault-mount-foreign",
        &["auth/ci", "vault.mount"],
    );
    assert!(scene.vault.jwt_role("ci", "external-secrets").is_none());
}
