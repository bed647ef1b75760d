//! Every reason that stops it: named, with the remedy and the old path untouched; and once fixed, it ends well.

use std::process::Command;

use base64::{Engine, engine::general_purpose::STANDARD};
use lab::{Ca, SigningKey, VaultFlavour};
use serde_json::{Value, json};

use super::{POLICY, Scene};
use crate::world::{ISSUER, Ran};

#[test]
fn unusable_vault_is_named_with_remedy() {
    let scene = Scene::new();
    let gone = format!("apiVersion: keyless/v1\nvault: {{address: 'https://127.0.0.1:{}'}}\n", 9);
    let file = scene.estate.world.dir.path().join("keyless.yaml");

    scene.vault.change(|settings| settings.sealed = true);
    scene
        .setup("vault")
        .fails(3, "vault-sealed", &[&scene.vault.url(), "unseal"])
        .snapshot("error-vault-sealed");
    scene.old_path_is_untouched();
    scene.vault.change(|settings| settings.sealed = false);

    std::fs::write(&file, gone).unwrap();
    scene
        .setup("vault")
        .fails(3, "connect", &["https://127.0.0.1:9", "firewall"])
        .snapshot("error-vault-unreachable");
    scene.old_path_is_untouched();
    std::fs::write(&file, "apiVersion: keyless/v1\n").unwrap();
    scene
        .setup("vault")
        .fails(2, "setting-missing", &["vault.address"])
        .snapshot("error-vault-address-missing");

    scene.settings("mode: static-keys, namespace: team/none", "");
    scene.setup("vault").fails(3, "vault-namespace", &["team/none", "vault.namespace"]);
    scene.old_path_is_untouched();
    scene.settings("mode: static-keys", "");

    scene
        .setup_as("")
        .fails(3, "vault-no-token", &["VAULT_TOKEN", "BAO_TOKEN", "vault login"])
        .snapshot("error-vault-no-token");
    scene.setup_as("hvs.unknown").fails(3, "vault-token", &["expired", "vault login"]);
    let token = scene.vault.token(&["root"]);
    scene.vault.expire(&token);
    let ran = scene.setup_as(&token).fails(3, "vault-token", &["expired", "vault login"]);
    assert!(!format!("{}{}", ran.out, ran.err).contains(&token), "{ran:?}");
    scene.old_path_is_untouched();
    scene.ends_well();
}

#[test]
fn server_ignoring_namespaces_is_refused() {
    let scene = Scene::new();
    scene.settings("mode: static-keys, namespace: team/prod", "");
    for (version, code) in [(None, "vault-no-namespaces"), (Some(""), "vault-no-namespaces")] {
        scene.vault.change(|settings| {
            (settings.flavour, settings.version) = (VaultFlavour::Vault, version.map(str::to_owned));
        });
        for command in [&["setup", "--yes", "--to", "vault"][..], &["setup", "--dry-run", "--to", "vault"]] {
            scene.run(command).fails(
                3,
                code,
                &["team/prod", "leave out vault.namespace", &scene.vault.url()],
            );
        }
        scene.run(&["teardown", "--yes"]).fails(3, code, &["team/prod"]);
        scene.old_path_is_untouched();
    }
    scene.vault.change(|settings| {
        (settings.flavour, settings.version) = (VaultFlavour::OpenBao, Some("?".to_owned()));
    });
    scene.vault.enter("team/prod");
    scene.vault.enter("");
    scene.setup("vault").fails(3, "vault-namespaces-unknown", &["sys/health", "team/prod"]);
    let calls = scene.vault.faults().requests();
    let writes = calls.iter().filter(|it| it.method != "GET" && !it.path.ends_with("capabilities-self"));
    assert_eq!(writes.count(), 0, "{calls:?}");
    assert_eq!((scene.vault.description("keyless"), scene.vault.policy(POLICY)), (None, None));

    // Enterprise and OpenBao keep it apart; and without a namespace Community does as well.
    for flavour in [VaultFlavour::VaultEnterprise, VaultFlavour::OpenBao] {
        let scene = Scene::new();
        scene.vault.enter("team/prod");
        scene.vault.enable_kv("kv");
        scene.vault.put_secret("kv", "db", json!({"password": "hunter2"}));
        scene.vault.change(|settings| settings.flavour = flavour);
        scene.settings("mode: static-keys, namespace: team/prod", "");
        scene.ends_well();
        scene.run(&["verify"]).ends(0);
        scene.vault.change(|settings| settings.drops_namespace = true);
        scene.run(&["verify"]).ends(1).says("answers in the namespace team/prod/");
    }
    scene.vault.change(|settings| (settings.flavour, settings.version) = (VaultFlavour::Vault, None));
    scene.settings("mode: static-keys", "");
    scene.ends_well();
}

#[test]
fn missing_permission_names_capability_and_policy() {
    const ALL: [(&str, &str); 5] = [
        ("sys/auth", r#""read""#),
        ("sys/auth/keyless", r#""create", "update", "sudo""#),
        ("auth/keyless/config", r#""create", "read", "update""#),
        ("sys/policies/acl/keyless-external-secrets", r#""create", "read", "update""#),
        ("auth/keyless/role/external-secrets", r#""create", "read", "update""#),
    ];
    let scene = Scene::new();
    let grant = |changed: &str, to: &str| {
        let rules = ALL.iter().map(|(path, all)| (path, if *path == changed { to } else { all }));
        let text = rules.map(|(path, list)| format!("path \"{path}\" {{ capabilities = [{list}] }}\n"));
        scene.vault.put_policy("admin", &text.collect::<String>());
    };
    // What is refused: the look, or the write. The right for what is done already is not asked for again.
    let cases = [
        ("sys/auth", "\"list\"", "read"),
        ("sys/auth/keyless", "\"read\"", "create"),
        ("sys/auth/keyless", r#""create", "update""#, "sudo"),
        ("auth/keyless/config", r#""create", "read""#, "update"),
        ("auth/keyless/config", r#""create", "update""#, "read"),
        ("sys/policies/acl/keyless-external-secrets", r#""create", "update""#, "read"),
        ("sys/policies/acl/keyless-external-secrets", "\"read\"", "update"),
        ("auth/keyless/role/external-secrets", r#""create", "update""#, "read"),
        ("auth/keyless/role/external-secrets", "\"read\"", "create"),
    ];
    let token = scene.vault.token(&["admin"]);
    for (path, left, missing) in cases {
        grant(path, left);
        let needs = format!("the token needs on {path}: ");
        let snippet = format!("path \"{path}\" {{ capabilities = [");
        let ran = scene.setup_as(&token).fails(3, "vault-forbidden", &[&needs, &snippet]);
        let line = ran.err.lines().find(|line| line.contains(&needs)).unwrap();
        assert!(line.contains(missing), "{path} without {missing}: {line}");
        if missing == "sudo" {
            ran.snapshot("error-vault-forbidden");
        }
        scene.old_path_is_untouched();
    }
    grant("", "");
    scene.setup_as(&token).ends(0);
    assert_eq!(scene.estate.key_disabled(), Some(true));
}

/// All that the token lacks is in one answer, and nothing is written first.
#[test]
fn all_missing_capabilities_are_named() {
    let scene = Scene::new();
    let paths = ["sys/auth", "sys/auth/keyless", "auth/keyless/config", "auth/keyless/role/external-secrets"];
    let rules = paths.into_iter().chain(["sys/policies/acl/keyless-external-secrets"]);
    let text: String =
        rules.map(|path| format!("path \"{path}\" {{ capabilities = [\"read\"] }}\n")).collect();
    scene.vault.put_policy("admin", &text);
    let token = scene.vault.token(&["admin"]);
    let lacks = [
        "it lacks create, update, sudo on sys/auth/keyless",
        "it lacks create, update on auth/keyless/config",
        "it lacks create, update on sys/policies/acl/keyless-external-secrets",
        "it lacks create, update on auth/keyless/role/external-secrets",
        "nothing was changed",
    ];
    let ran = scene.setup_as(&token).fails(3, "vault-forbidden", &lacks).snapshot("error-vault-lacks-all");
    let calls = scene.vault.faults().requests();
    let writes = calls.iter().filter(|it| it.method != "GET" && !it.path.ends_with("capabilities-self"));
    assert_eq!(writes.count(), 0, "{calls:?}");
    assert_eq!((scene.vault.description("keyless"), scene.vault.policy(POLICY)), (None, None));
    scene.old_path_is_untouched();
    // The policy that it prints grants all of it.
    let rules = ran.err.lines().map(str::trim).filter(|line| line.starts_with("path \""));
    scene.vault.put_policy("admin", &rules.collect::<Vec<_>>().join("\n"));
    scene.setup_as(&token).ends(0);
    assert_eq!(scene.estate.key_disabled(), Some(true));
}

#[test]
fn foreign_vault_objects_are_left_alone() {
    let scene = Scene::new();
    let vault = &scene.vault;
    let refused = |code: &str, names: &[&str]| {
        let described = (vault.mounts(), vault.description("keyless"), vault.policy(POLICY));
        scene.setup("vault").fails(3, code, names);
        scene.old_path_is_untouched();
        let now = (vault.mounts(), vault.description("keyless"), vault.policy(POLICY));
        assert_eq!(now, described, "{code}: nothing of it was changed");
    };
    vault.enable_auth("keyless", "approle", "");
    refused("vault-mount-in-use", &["auth/keyless", "approle", "vault.mount"]);
    vault.disable_auth("keyless");

    let other = "managed by keyless in cluster 1f0c for https://kubernetes.default.svc.cluster.local";
    vault.enable_auth("keyless", "jwt", other);
    refused("vault-other-cluster", &["auth/keyless", "1f0c", "vault.mount", "vault.role"]);
    let back = scene.run(&["teardown", "--dry-run"]);
    assert!(back.out.contains("it belongs to another cluster, 1f0c"), "{back:?}");
    vault.disable_auth("keyless");

    vault.put_policy(POLICY, "path \"kv/*\" { capabilities = [\"read\"] }");
    refused("vault-policy-foreign", &[POLICY, "vault.role"]);
    vault.put_policy(POLICY, "# managed by keyless in cluster 1f0c for auth/keyless/role/external-secrets\n");
    refused("vault-other-cluster", &[POLICY, "1f0c", "vault.role"]);
    vault.remove_policy(POLICY);

    vault.enable_auth("keyless", "jwt", "for the CI");
    vault.change_role("keyless", "external-secrets", |role| role["token_policies"] = json!(["admin"]));
    refused("vault-role-foreign", &["external-secrets", "admin", "vault.role"]);
    vault.remove_role("keyless", "external-secrets");

    // A method that another client has configured for something else, beside ours.
    let key = SigningKey::rsa(2048).public_pem();
    let token = vault.root_token();
    let body = json!({"bound_issuer": "https://gitlab.example.com", "jwt_validation_pubkeys": [key]});
    write(&scene, &token, "auth/keyless/config", &body);
    refused("vault-config-foreign", &["auth/keyless", "https://gitlab.example.com", "vault.mount"]);
    scene.settings("mode: static-keys, mount: k3s", "");
    scene.ends_well();
    assert_eq!(vault.jwt_config("keyless").unwrap()["bound_issuer"], "https://gitlab.example.com");
    assert_eq!(scene.provider()["auth"]["jwt"]["path"], "k3s");
}

/// As the server's administrator does it, with their own tool.
pub(super) fn write(scene: &Scene, token: &str, path: &str, body: &Value) {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--fail", "--noproxy", "*", "--cacert"])
        .arg(scene.estate.world.dir.path().join("ca.pem"))
        .args(["-H", &format!("X-Vault-Token: {token}"), "-d", &body.to_string()])
        .arg(format!("{}/v1/{path}", scene.vault.url()));
    assert!(curl.status().unwrap().success());
}

#[test]
fn unreadable_secret_stops_setup_before_switch() {
    let scene = Scene::new();
    let not_readable = |names: &[&str]| {
        scene.setup("vault").fails(3, "new-path", &["db"]).says("kv/db").also(names);
        scene.old_path_is_untouched();
    };
    scene.vault.disable_kv("kv");
    not_readable(&["nothing is mounted at this path", "vault.kv"]);
    scene.vault.enable_kv_version("kv", "1");
    scene.setup("vault").fails(3, "vault-kv-version", &["kv is KV version 1", "vault.kv"]);
    scene.old_path_is_untouched();
    scene.vault.enable_kv("kv");

    scene.vault.remove_secret("kv", "db");
    not_readable(&["the secret does not exist on this side", "vault kv put -mount=kv"]);
    scene.vault.put_secret("kv", "db", json!({"user": "app"}));
    not_readable(&["no password", "vault kv patch -mount=kv"]);
    scene.vault.put_secret("kv", "db", json!({"user": "app", "password": "hunter2"}));

    // Clocks: the server's is behind, then ahead of the control plane's.
    for (seconds, cause, remedy) in
        [(-600, "begins in the future", "NTP"), (3 * 3600, "has expired", "compare the clocks")]
    {
        scene.vault.change(|settings| settings.clock_offset = seconds);
        let token = scene.vault.root_token();
        let ran = scene.setup_as(&token).fails(3, "new-path", &["claim", cause, remedy]);
        assert!(!ran.err.contains("hunter2"), "{}", ran.err);
        scene.old_path_is_untouched();
    }
    scene.vault.change(|settings| settings.clock_offset = 0);
    scene.ends_well();
}

impl Ran {
    #[track_caller]
    fn also(self, names: &[&str]) -> Self {
        names.iter().fold(self, |ran, name| ran.says(name))
    }
}

#[test]
fn unfetchable_documents_are_explained_by_server() {
    let authority = Ca::new();
    let scene = Scene::with_documents(Some(&authority));
    let dir = scene.estate.world.dir.path();
    std::fs::write(dir.join("vault-ca.pem"), authority.pem()).unwrap();
    scene.settings("", &scene.documents());
    scene.setup("vault").fails(3, "tls", &[&scene.vault.url()]);
    scene.old_path_is_untouched();

    // The server is trusted now, but is told of the wrong authority for the issuer's host.
    let both = "caFile: vault-ca.pem, issuerCaFile: ";
    scene.settings(&format!("{both}vault-ca.pem"), &scene.documents());
    let cause = "x509: certificate signed by unknown authority";
    scene.setup("vault").fails(3, "vault-ca", &[cause, "vault.issuerCaFile"]);
    scene.old_path_is_untouched();
    scene.settings(&format!("{both}ca.pem"), &scene.documents());

    let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
    scene.vault.resolve("oidc.lab.test", nowhere);
    scene.setup("vault").fails(3, "vault-cannot-fetch", &["connection refused", "vault.mode: static-keys"]);
    scene.vault.change(|settings| settings.flavour = VaultFlavour::Vault);
    let names = ["error checking oidc discovery URL", "in its log", "vault.mode: static-keys"];
    scene.setup("vault").fails(3, "vault-cannot-fetch", &names);
    scene.vault.change(|settings| settings.flavour = VaultFlavour::OpenBao);
    scene.old_path_is_untouched();

    scene.vault.resolve("oidc.lab.test", scene.estate.world.web.addr());
    scene.ends_well();
    let config = scene.vault.jwt_config("keyless").unwrap();
    assert_eq!((&config["bound_issuer"], &config["oidc_discovery_url"]), (&json!(ISSUER), &json!(ISSUER)));
    let issuer_ca = config["oidc_discovery_ca_pem"].as_str().unwrap().trim();
    assert_eq!(issuer_ca, scene.estate.world.ca.pem().trim());
    assert_eq!(scene.provider()["caBundle"], STANDARD.encode(authority.pem()), "the server's own");
}
