//! There and back: what changes, what is shown before, and what is brought back.

use lab::{Call, KeyFile, SigningKey};
use serde_json::{Value, json};

use super::{POLICY, SETUP, Scene};
use crate::world::Ran;

#[test]
fn swap_changes_only_the_store() {
    let scene = Scene::new();
    scene.run(&["setup", "--dry-run", "--to", "vault"]).ends(1).snapshot("plan-vault");
    scene.setup("google").ends(0);
    let user = || {
        let object = "external-secrets.io/v1";
        scene.estate.world.cluster.object(object, "ExternalSecret", Some("shop"), "db").unwrap()["spec"]
            .clone()
    };
    let reader = user();
    for to in ["vault", "google", "vault"] {
        scene.estate.world.cluster.server(0).faults().forget();
        scene.setup(to).ends(0);
        let mut writes = scene.writes();
        // What it notes itself: the keys that the provider was given.
        writes.retain(|write| !write.contains("/namespaces/keyless-system/configmaps"));
        assert_eq!(writes, ["PATCH /apis/external-secrets.io/v1/clustersecretstores/gcp"], "{to}");
        let provider = scene.estate.store()["spec"]["provider"].clone();
        let named: Vec<_> = provider.as_object().unwrap().keys().collect();
        assert_eq!(named, [if to == "vault" { "vault" } else { "gcpsm" }]);
        assert_eq!(user(), reader, "what reads through it does not");
        scene.run(&["setup", "--dry-run", "--to", to]).ends(0);
    }
    assert_eq!(scene.estate.store()["spec"]["conditions"], scene.before["spec"]["conditions"]);
}

#[test]
fn obstacles_are_shown_before_the_swap() {
    let scene = Scene::new();
    scene.settings("mode: static-keys", "google: {project: acme-prod}\n");
    let put = |name: &str, remote: Value| {
        scene.estate.world.cluster.put_object(
            json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"refreshInterval": "1h", "secretStoreRef": {"name": "gcp", "kind": "ClusterSecretStore"},
                "target": {"name": name}, "data": [{"secretKey": "x", "remoteRef": remote}]}}),
        );
    };
    put("whole", json!({"key": "db"}));
    put("pinned", json!({"key": "db", "property": "password", "version": "3"}));
    let planned =
        scene.run(&["setup", "--dry-run", "--to", "vault"]).ends(1).snapshot("plan-vault-not-portable");
    for named in [
        "! ExternalSecret shop/whole data[0].remoteRef.property",
        "! ExternalSecret shop/pinned data[0].remoteRef.version",
        "leave it out, which means the latest at both",
    ] {
        assert!(planned.out.contains(named), "does not name `{named}`:\n{}", planned.out);
    }
    assert!(!planned.out.contains("! ExternalSecret shop/db"), "that one survives:\n{}", planned.out);
    scene.old_path_is_untouched();

    // The other way round, a name that Google cannot have.
    let object = |name: &str| {
        scene.estate.world.cluster.remove_object(
            "external-secrets.io/v1",
            "ExternalSecret",
            Some("shop"),
            name,
        );
    };
    object("whole");
    object("pinned");
    scene.ends_well();
    scene.vault.put_secret("kv", "team/db", json!({"password": "hunter2"}));
    put("folder", json!({"key": "team/db", "property": "password"}));
    scene.run(&["setup", "--dry-run", "--to", "vault"]).ends(1).says("+ may read team/db");
    let accepted = ["setup", "--dry-run", "--to", "vault", "--accept-new-secrets"];
    scene.run(&accepted).ends(1).says("path \"kv/data/team/db\"").snapshot("plan-vault-new-secret");
    let ran = scene.run(&["setup", "--dry-run", "--to", "google"]);
    assert_ne!(ran.code, Some(0));
    assert!(format!("{}{}", ran.out, ran.err).contains("team/db"), "{ran:?}");
}

#[test]
fn manual_changes_are_shown_and_reverted() {
    let scene = Scene::new();
    scene.ends_well();
    let role = || scene.vault.jwt_role("keyless", "external-secrets").unwrap();
    assert_eq!((&role()["token_ttl"], &role()["token_max_ttl"]), (&json!(900), &json!(900)));
    assert_eq!(role()["token_no_default_policy"], true);
    assert_eq!(role()["bound_subject"], "system:serviceaccount:external-secrets:keyless-gcp");

    scene.vault.change_role("keyless", "external-secrets", |role| {
        role["bound_audiences"] = json!(["vault", "https://kubernetes.default.svc"]);
    });
    let planned = scene.run(&["setup", "--dry-run", "--to", "vault"]).ends(1);
    let planned = planned.snapshot("plan-vault-drift");
    let shown = "bound_audiences: vault, https://kubernetes.default.svc → vault";
    assert!(planned.out.contains(shown), "{}", planned.out);
    scene.setup("vault").ends(0);
    assert_eq!(role()["bound_audiences"], json!(["vault"]));

    // The cluster's key is rotated, and then its issuer moves: both are the server's to be told.
    let cluster = &scene.estate.world.cluster;
    let (old, new) = (scene.estate.world.key.clone(), SigningKey::rsa(2048));
    cluster.change_servers(|settings| {
        settings.key_files = vec![(&new).into(), (&old).into()];
        settings.signing_key = new.clone();
    });
    scene.run(&["setup", "--dry-run", "--to", "vault"]).ends(1).says("jwt_validation_pubkeys: ");
    scene.setup("vault").ends(0);
    let config = scene.vault.jwt_config("keyless").unwrap();
    assert_eq!(config["jwt_validation_pubkeys"].as_array().unwrap().len(), 2);

    cluster.change_servers(|settings| settings.issuers = vec!["https://oidc.lab.test/moved".into()]);
    let planned = scene.run(&["setup", "--dry-run", "--to", "vault"]).ends(1);
    for shown in
        ["description: managed by keyless in cluster ", "bound_issuer: ", "→ https://oidc.lab.test/moved"]
    {
        assert!(planned.out.contains(shown), "{shown}:\n{}", planned.out);
    }
    scene.setup("vault").ends(0);
    let config = scene.vault.jwt_config("keyless").unwrap();
    assert_eq!(config["bound_issuer"], "https://oidc.lab.test/moved");
    assert!(scene.vault.description("keyless").unwrap().ends_with(" for https://oidc.lab.test/moved"));

    scene.run(&["teardown", "--yes"]).ends(0);
    assert_eq!((scene.vault.description("keyless"), scene.vault.policy(POLICY)), (None, None));
}

#[test]
fn namespaced_vault_setup_replaces_stored_token() {
    let scene = Scene::new();
    scene.vault.enter("team/prod");
    scene.vault.enable_kv("kv");
    scene.vault.put_secret("kv", "db", json!({"password": "of the team"}));
    // The store is on Vault already, with a token in a Secret, and in the root namespace.
    let mut store = scene.before.clone();
    store["metadata"] = json!({"name": "gcp"});
    store["spec"]["provider"] = json!({"vault": {"server": scene.vault.url(), "path": "kv", "version": "v2", "auth": {
        "tokenSecretRef": {"name": "vault-token", "namespace": "external-secrets", "key": "token"}}}});
    let cluster = &scene.estate.world.cluster;
    cluster.remove_object("external-secrets.io/v1", "ClusterSecretStore", None, "gcp");
    cluster.put_object(store);
    scene.settings("mode: static-keys, namespace: /team/prod/", "");
    let planned = scene.run(&["setup", "--dry-run"]).ends(1);
    for shown in
        ["namespace team/prod", "spec.provider.vault.namespace: (none) → team/prod", "tokenSecretRef"]
    {
        assert!(planned.out.contains(shown), "{shown}:\n{}", planned.out);
    }
    scene.run(&SETUP[..5]).ends(0);
    let provider = scene.provider();
    assert_eq!(provider["namespace"], "team/prod");
    assert_eq!(provider["auth"].as_object().unwrap().keys().collect::<Vec<_>>(), ["jwt"]);
    let asked = scene.vault.faults().requests();
    // Whether there are namespaces is asked of the whole server without a token, and of one that does not exist.
    let of_the_server = |call: &&Call| match call.path.as_str() {
        "/v1/sys/health" => call.who.is_none(),
        "/v1/auth/token/lookup-self" => {
            call.method == "GET"
                && call.header("x-vault-namespace").is_some_and(|it| it.starts_with("team/prod/keyless-"))
        }
        _ => false,
    };
    let mut others = asked.iter().filter(|call| !of_the_server(call));
    let outside = others.find(|call| call.header("x-vault-namespace") != Some("team/prod"));
    assert!(outside.is_none(), "{outside:?}");
    scene.run(&["teardown", "--yes"]).ends(0);
    assert_eq!((scene.vault.description("keyless"), scene.vault.policy(POLICY)), (None, None));
}

#[test]
fn verify_follows_provider_of_the_store() {
    let scene = Scene::new();
    for (to, login, provider) in [
        ("google", "google-exchange", "keys of Google project"),
        ("vault", "vault-login", "keys of auth/keyless"),
    ] {
        scene.setup(to).ends(0);
        let result = scene.run(&["verify", "-o", "json"]).ends(0).json();
        let checks = result["checks"].as_array().unwrap();
        let of = |name: &str| checks.iter().filter(|check| check["check"] == name).collect::<Vec<_>>();
        assert_eq!(of(login).len(), 1, "{result:#}");
        let keys = of("uploaded-keys");
        assert!(keys[0]["subject"].as_str().unwrap().starts_with(provider), "{keys:#?}");
        assert_eq!(keys[0]["result"], "passed", "{keys:#?}");
    }
    // The token of an administrator is not needed to go the way, only to look at the keys.
    let unseen: Ran = scene.command("", &["verify", "-o", "json"]).output().unwrap().into();
    let unseen = unseen.ends(0);
    assert!(unseen.out.contains("VAULT_TOKEN"), "{}", unseen.out);
    let added = SigningKey::rsa(2048);
    let cluster = &scene.estate.world.cluster;
    cluster.change_servers(|server| server.key_files.push(KeyFile::Key(added.clone())));
    let ran = scene.run(&["verify"]).ends(1).says("keyless setup");
    assert!(ran.out.contains(&added.kid()), "{}", ran.out);
}

/// Without a settings file: what the store says of its server is enough for everything that follows, once an
/// administrator has named the server.
#[test]
fn store_at_vault_replaces_missing_settings() {
    let scene = Scene::new();
    scene.setup("vault").ends(0);
    let file = scene.estate.world.dir.path().join("keyless.yaml");
    std::fs::remove_file(&file).unwrap();
    let looked = scene.run(&["verify"]).ends(0);
    assert!(looked.out.contains("login at auth/keyless of "), "{}", looked.out);
    let named = |arguments: &[&str]| -> Ran {
        let mut command = scene.command(&scene.vault.root_token(), arguments);
        command.env("VAULT_ADDR", scene.vault.url()).output().unwrap().into()
    };
    named(&["setup", "--dry-run", "--to", "vault"]).ends(0);
    named(&[&SETUP[..], &["vault"]].concat()).ends(0);
    let written = std::fs::read_to_string(&file).unwrap();
    for line in ["provider: vault", "  mount: keyless", "  role: external-secrets", "  mode: static-keys"] {
        assert!(written.contains(line), "`{line}` is not in\n{written}");
    }
    assert!(written.contains(scene.vault.url().trim_start_matches("https://")), "{written}");
}
