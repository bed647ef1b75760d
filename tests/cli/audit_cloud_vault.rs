//! `keyless audit --cloud` from outside: what Vault or OpenBao holds of the logins that the cluster names.

use lab::Vault;
use serde_json::{Value, json};

use crate::{estate::Estate, world::Ran};

/// A cluster whose one store is at Vault.
struct Scene {
    estate: Estate,
    vault: Vault,
    token: String,
}

impl Scene {
    /// It logs in with its ServiceAccount's token, and Vault has no token without an end.
    fn zero() -> Self {
        let estate = Estate::new();
        estate.world.cluster.remove_object("v1", "Secret", Some("external-secrets"), "gcp-key");
        let vault = Vault::start(&estate.world.ca, &["vault.lab.test"]);
        vault.enable_auth("keyless", "jwt", "");
        vault.change_role("keyless", "eso", |role| {
            role["role_type"] = json!("jwt");
            role["bound_subject"] = json!("system:serviceaccount:external-secrets:eso");
        });
        let token = vault.administrator();
        vault.revoke_root();
        let scene = Self { estate, vault, token };
        scene.store(
            "gcp",
            &json!({"jwt": {"path": "keyless", "role": "eso", "kubernetesServiceAccountToken": {
                "serviceAccountRef": {"name": "eso", "namespace": "external-secrets"}}}}),
        );
        scene
    }

    fn store(&self, name: &str, auth: &Value) {
        self.estate.world.cluster.put_object(json!({"apiVersion": "external-secrets.io/v1",
            "kind": "ClusterSecretStore", "metadata": {"name": name}, "spec": {"provider": {"vault": {
                "server": self.vault.url(), "path": "kv", "version": "v2", "auth": auth}}}}));
    }

    fn secret(&self, name: &str, value: &str) {
        self.estate.world.cluster.put_object(json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": name, "namespace": "external-secrets"}, "stringData": {"value": value}}));
    }

    fn cloud_as(&self, token: &str, more: &[&str]) -> Ran {
        let arguments = [&["audit", "--cloud", "--ca-file", "ca.pem"], more].concat();
        let mut command = self.estate.world.command(&arguments);
        Ran::of(command.env("VAULT_ADDR", self.vault.url()).env("VAULT_TOKEN", token))
    }

    fn cloud(&self) -> Ran {
        self.cloud_as(&self.token, &[])
    }

    fn report(&self, code: i32) -> Value {
        self.cloud_as(&self.token, &["-o", "json"]).ends(code).json()
    }
}

fn state_of(report: &Value) -> &str {
    report["legs"][2]["state"].as_str().unwrap()
}

#[test]
fn bound_role_without_tokens_is_zero() {
    let scene = Scene::zero();
    let ran = scene.cloud().ends(0);
    assert!(ran.out.starts_with("ZERO (cluster + consumption + cloud): "), "{}", ran.out);
    let asked: Vec<_> = scene.vault.faults().requests().into_iter().map(|call| call.path).collect();
    for wanted in ["/v1/auth/token/accessors", "/v1/auth/keyless/role/eso"] {
        assert!(asked.iter().any(|path| path.starts_with(wanted)), "{wanted}: {asked:?}");
    }
    assert!(ran.out.contains(", at vault "), "{}", ran.out);
    assert!(!ran.out.contains("at vault unknown"), "{}", ran.out);
}

#[test]
fn token_without_an_end_is_found() {
    let scene = Scene::zero();
    for (period, wanted) in
        [(0, "it never expires"), (3600, "it lives as long as it is renewed every 3600 s")]
    {
        let token = scene.vault.lasting_token(period);
        let accessor = scene.vault.accessor(&token);
        let ran = scene.cloud().ends(1).says("[KL306 lasting-vault-token]").says(wanted);
        assert!(ran.out.contains(&format!("vault token revoke -accessor {accessor}")), "{}", ran.out);
        assert!(!ran.out.contains(&token), "{}", ran.out);
        assert_eq!(state_of(&scene.report(1)), "found");
        scene.vault.expire(&token);
        scene.cloud().ends(0);
    }
}

#[test]
fn root_token_that_asks_is_found() {
    let scene = Scene::zero();
    let root = scene.vault.token(&["root"]);
    let ran = scene.cloud_as(&root, &[]).ends(1);
    assert!(ran.out.contains("it may do everything: it is the one that this audit asks with"), "{}", ran.out);
}

/// What lies in the cluster is counted once: Vault is not asked with it which of its secret IDs it is.
#[test]
fn endless_secret_id_is_found() {
    let scene = Scene::zero();
    let id = scene.vault.app_role("approle", "reader", |_| {});
    scene.vault.app_role("approle", "other", |_| {});
    let other = scene.vault.secret_id("approle", "other", 0, 0);
    scene.vault.secret_id("approle", "reader", 3600, 0);
    let found = scene.vault.secret_id("approle", "reader", 0, 0);
    scene.secret("approle", "0f9ab5f0-8b6e-4d0f-9d55-2b9b0c7f0f11");
    let reference = json!({"name": "approle", "namespace": "external-secrets", "key": "value"});
    scene.store("approle", &json!({"appRole": {"path": "approle", "roleId": id, "secretRef": reference}}));
    let report = scene.report(1);
    assert_eq!((&report["count"], state_of(&report)), (&json!(1), "found"), "{report}");
    let text = report.to_string();
    assert!(text.contains(&found) && !text.contains(&other), "{report}");
    assert!(text.contains("it never expires") && text.contains("that have an end: 1"), "{report}");
    // Of which role the ID in a Secret is, is not known: each may be it.
    let role = json!({"name": "approle", "namespace": "external-secrets", "key": "value"});
    scene.store("approle", &json!({"appRole": {"path": "approle", "roleRef": role, "secretRef": reference}}));
    let text = scene.report(1).to_string();
    assert!(text.contains(&found) && text.contains(&other), "{text}");
    let sent = format!("{:?}", scene.vault.faults().requests());
    assert!(!sent.contains("0f9ab5f0") && !sent.contains("login"), "{sent}");
}

#[test]
fn user_that_store_names_is_found() {
    let scene = Scene::zero();
    scene.vault.user("userpass", "eso");
    scene.secret("password", "correct horse battery staple");
    let reference = json!({"name": "password", "namespace": "external-secrets", "key": "value"});
    scene
        .store("user", &json!({"userPass": {"path": "userpass", "username": "eso", "secretRef": reference}}));
    let report = scene.report(1);
    assert_eq!((&report["count"], state_of(&report)), (&json!(1), "found"), "{report}");
    assert!(report.to_string().contains("KL308"), "{report}");
}

#[test]
fn role_that_takes_anyone_is_found() {
    let scene = Scene::zero();
    let change = |subject: &str, claims: Value, kind: &str| {
        scene.vault.change_role("keyless", "eso", |role| {
            role["bound_subject"] = json!(subject);
            role["bound_claims"] = claims;
            role["bound_claims_type"] = json!(kind);
        });
    };
    for (claims, kind) in [
        (Value::Null, "string"),
        (json!({"sub": "system:serviceaccount:*"}), "glob"),
        (json!({"sub": "*"}), "glob"),
        (json!({"iss": "https://issuer.lab.test"}), "string"),
    ] {
        change("", claims, kind);
        scene.cloud().ends(1).says("[KL403 wide-vault-role]");
    }
    change("", json!({"sub": "system:serviceaccount:external-secrets:*"}), "glob");
    scene.cloud().ends(0).says("it takes every ServiceAccount of a namespace");
    change("", json!({"sub": ["system:serviceaccount:external-secrets:eso"]}), "string");
    scene.cloud().ends(0);
    scene.vault.kubernetes_role("kubernetes", "eso", &["*"], &["*"]);
    let account = json!({"name": "eso", "namespace": "external-secrets"});
    scene.store(
        "kubernetes",
        &json!({"kubernetes": {"mountPath": "kubernetes", "role": "eso", "serviceAccountRef": account}}),
    );
    scene.cloud().ends(1).says("it takes every ServiceAccount of every namespace");
}

#[test]
fn each_denied_path_makes_it_incomplete() {
    let scene = Scene::zero();
    let id = scene.vault.app_role("approle", "reader", |_| {});
    scene.vault.secret_id("approle", "reader", 3600, 0);
    scene.vault.user("userpass", "eso");
    let reference = json!({"name": "absent", "namespace": "external-secrets", "key": "value"});
    scene.store("approle", &json!({"appRole": {"path": "approle", "roleId": id, "secretRef": reference}}));
    scene
        .store("user", &json!({"userPass": {"path": "userpass", "username": "eso", "secretRef": reference}}));
    for path in [
        "auth/token/accessors",
        "auth/token/lookup-accessor",
        "auth/keyless/role/eso",
        "auth/approle/role",
        "auth/approle/role/reader",
        "auth/approle/role/reader/role-id",
        "auth/approle/role/reader/secret-id",
        "auth/approle/role/reader/secret-id-accessor/lookup",
        "auth/userpass/users/eso",
    ] {
        let policy = format!(
            "path \"*\" {{ capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\", \"sudo\"] }}\n\
             path \"{path}\" {{ capabilities = [\"deny\"] }}\n\
             path \"{path}/\" {{ capabilities = [\"deny\"] }}"
        );
        scene.vault.put_policy("less", &policy);
        let token = scene.vault.token(&["less"]);
        let report = scene.cloud_as(&token, &["-o", "json"]).json();
        let not_seen = report["notSeen"].to_string();
        assert_eq!(report["complete"], json!(false), "{path}: {report}");
        assert!(not_seen.contains(&format!("path \\\"{path}\\\"")), "{path}: {not_seen}");
    }
}

/// What the rendered commands give to `vault policy write`.
fn rendered_policy(scene: &Scene, mounts: &str) -> String {
    let render = ["render", "rbac", "--for", "audit", "--cloud", "vault"];
    let commands = scene.estate.world.run(&render).ends(0).out;
    let commands = commands.replace("| vault policy write keyless-audit -", "");
    let mut shell = std::process::Command::new("sh");
    let ran = shell.arg("-euc").arg(commands).env("MOUNTS", mounts).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
fn rendered_policy_suffices_refusals_are_named() {
    let scene = Scene::zero();
    let id = scene.vault.app_role("team/approle", "reader", |_| {});
    scene.vault.secret_id("team/approle", "reader", 3600, 0);
    let reference = json!({"name": "absent", "namespace": "external-secrets", "key": "value"});
    scene.store(
        "approle",
        &json!({"appRole": {"path": "team/approle", "roleId": id, "secretRef": reference}}),
    );
    let cloud_with = |policy: &str| {
        scene.vault.put_policy("audit", policy);
        scene.cloud_as(&scene.vault.token(&["audit"]), &[])
    };
    let whole = rendered_policy(&scene, "+ team/approle");
    let ran = cloud_with(&whole);
    let is_whole = !ran.err.contains("lacks") && !ran.out.contains("could not be read:");
    assert!(is_whole, "{}{}", ran.err, ran.out);
    // A mount with a slash is none that + means.
    let ran = cloud_with(&rendered_policy(&scene, "+")).ends(3);
    assert!(
        ran.err.contains("the login at vault lacks: ") && ran.err.contains("auth/team/approle/role"),
        "{}",
        ran.err
    );
    for path in ["auth/token/lookup-accessor", "auth/team/approle/role/+/secret-id-accessor/lookup"] {
        let less: Vec<_> = whole.lines().filter(|line| !line.contains(path)).collect();
        let ran = cloud_with(&less.join("\n")).ends(3);
        let named = path.replace('+', "reader");
        assert!(
            ran.err.contains("the login at vault lacks: ") && ran.err.contains(&named),
            "{path}: {}",
            ran.err
        );
    }
}

/// What a tenant writes decides what is asked for, never where.
#[test]
fn store_at_another_server_is_unseen() {
    let scene = Scene::zero();
    let other = Vault::start(&scene.estate.world.ca, &["other.lab.test"]);
    scene.estate.world.cluster.put_object(json!({"apiVersion": "external-secrets.io/v1",
        "kind": "ClusterSecretStore", "metadata": {"name": "other"}, "spec": {"provider": {"vault": {
            "server": other.url(), "path": "kv", "auth": {"jwt": {"path": "keyless", "role": "eso",
                "kubernetesServiceAccountToken": {"serviceAccountRef": {"name": "eso", "namespace": "b"}}}}}}}}));
    scene.cloud().ends(3).says("INCOMPLETE").says("ClusterSecretStore other");
    assert!(other.faults().requests().is_empty());
    let without =
        Ran::of(&mut scene.estate.world.command(&["audit", "--cloud", "--ca-file", "ca.pem"])).ends(3);
    assert!(without.out.contains("set VAULT_ADDR and VAULT_TOKEN"), "{}", without.out);
}
