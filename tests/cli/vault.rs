//! `keyless setup --to vault` from outside: there and back, refused for every reason that the server can have, and
//! mended.

use std::process::Command;

use base64::{Engine, engine::general_purpose::STANDARD};
use lab::{Ca, SigningKey, Vault, VaultFlavour};
use serde_json::{Value, json};

use crate::{
    estate::Estate,
    world::{ISSUER, Ran},
};

const SETUP: [&str; 5] = ["setup", "--yes", "--watch-for", "0s", "--to"];
/// The names that a setup takes when it is told none.
const POLICY: &str = "keyless-external-secrets";

/// A cluster whose store reads Google with a stored key, and a Vault beside it that holds the same secret.
struct Scene {
    estate: Estate,
    vault: Vault,
    before: Value,
}

impl Scene {
    /// The server is given the keys.
    fn new() -> Self {
        let scene = Self::bare(Estate::new(), |ca| Vault::start(ca, &["vault.lab.test"]));
        scene.settings("mode: static-keys", "");
        scene
    }

    /// The server fetches the documents, which setup publishes; `authority` has its own certificate signed.
    fn with_documents(authority: Option<&Ca>) -> Self {
        let estate = Estate::new();
        estate.world.cluster.change_servers(|settings| settings.issuers = vec![ISSUER.into()]);
        let scene = Self::bare(estate, |ca| Vault::start(authority.unwrap_or(ca), &["vault.lab.test"]));
        scene.vault.resolve("oidc.lab.test", scene.estate.world.web.addr());
        scene.settings("", &scene.documents());
        scene
    }

    fn bare(estate: Estate, start: impl FnOnce(&Ca) -> Vault) -> Self {
        let vault = start(&estate.world.ca);
        vault.enable_kv("kv");
        vault.put_secret("kv", "db", json!({"password": "hunter2"}));
        let before = estate.store();
        Self { estate, vault, before }
    }

    /// Writes `keyless.yaml`: members of `vault` beside its address, and what else.
    fn settings(&self, vault: &str, more: &str) {
        let separator = if vault.is_empty() { "" } else { ", " };
        let text = format!(
            "apiVersion: keyless/v1\n{more}vault: {{address: '{}'{separator}{vault}}}\n",
            self.vault.url()
        );
        std::fs::write(self.estate.world.dir.path().join("keyless.yaml"), text).unwrap();
    }

    fn documents(&self) -> String {
        format!("issuer: {ISSUER}\nbucket: {{url: 'file://{}'}}\n", self.estate.world.www.display())
    }

    fn command(&self, token: &str, arguments: &[&str]) -> Command {
        let mut command = self.estate.command(arguments);
        if !token.is_empty() {
            command.env("VAULT_TOKEN", token);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.command(&self.vault.root_token(), arguments).output().unwrap().into()
    }

    /// Everything, to this provider, with a token of Vault's administrator.
    fn setup(&self, to: &str) -> Ran {
        self.run(&[&SETUP[..], &[to]].concat())
    }

    fn setup_as(&self, token: &str) -> Ran {
        self.command(token, &[&SETUP[..], &["vault"]].concat()).output().unwrap().into()
    }

    #[track_caller]
    fn old_path_is_untouched(&self) {
        let spec = |store: &Value| store["spec"].clone();
        assert_eq!(spec(&self.estate.store()), spec(&self.before), "the store is as it was");
        assert_eq!(self.estate.key_disabled(), Some(false), "the key still works");
        assert!(self.estate.secret_is_there());
    }

    /// What was wrong is mended, and setup comes to its end.
    #[track_caller]
    fn ends_well(&self) {
        self.setup("vault").ends(0);
        let provider = self.provider();
        assert!(provider["auth"]["jwt"]["kubernetesServiceAccountToken"].is_object(), "{provider:#}");
        assert_eq!(self.estate.key_disabled(), Some(true), "disabled, not deleted");
    }

    fn provider(&self) -> Value {
        self.estate.store()["spec"]["provider"]["vault"].clone()
    }

    /// Writes of the program to the API server, without the tokens that it asks for.
    fn writes(&self) -> Vec<String> {
        let calls = self.estate.world.cluster.server(0).faults().requests();
        let asks = |path: &str| path.ends_with("/token") || path.contains("authorization.k8s.io");
        calls
            .into_iter()
            .filter(|call| call.method != "GET" && !asks(&call.path))
            .map(|call| format!("{} {}", call.method, call.path.split('?').next().unwrap_or_default()))
            .collect()
    }
}

#[test]
fn the_store_is_the_one_object_that_changes_there_and_back() {
    let scene = Scene::new();
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
        let writes = scene.writes();
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
fn what_would_not_survive_the_swap_is_shown_before_it() {
    let scene = Scene::new();
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
    let planned = scene.run(&["setup", "--dry-run", "--to", "vault"]).ends(1);
    for named in [
        "! ExternalSecret shop/whole data[0].remoteRef.property",
        "! ExternalSecret shop/pinned data[0].remoteRef.version",
        "leave it out, which means the latest at both",
    ] {
        assert!(planned.out.contains(named), "does not name `{named}`:\n{}", planned.out);
    }
    assert!(!planned.out.contains("ExternalSecret shop/db"), "that one survives:\n{}", planned.out);
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
    scene.run(&["setup", "--dry-run", "--to", "vault"]).ends(1).says("path \"kv/data/team/db\"");
    let ran = scene.run(&["setup", "--dry-run", "--to", "google"]);
    assert_ne!(ran.code, Some(0));
    assert!(format!("{}{}", ran.out, ran.err).contains("team/db"), "{ran:?}");
}

#[test]
fn a_server_that_cannot_be_asked_is_named_with_the_remedy() {
    let scene = Scene::new();
    let gone = format!("apiVersion: keyless/v1\nvault: {{address: 'https://127.0.0.1:{}'}}\n", 9);
    let file = scene.estate.world.dir.path().join("keyless.yaml");

    scene.vault.change(|settings| settings.sealed = true);
    scene.setup("vault").fails(3, "vault-sealed", &[&scene.vault.url(), "unseal"]);
    scene.old_path_is_untouched();
    scene.vault.change(|settings| settings.sealed = false);

    std::fs::write(&file, gone).unwrap();
    scene.setup("vault").fails(3, "connect", &["https://127.0.0.1:9", "firewall"]);
    scene.old_path_is_untouched();
    std::fs::write(&file, "apiVersion: keyless/v1\n").unwrap();
    scene.setup("vault").fails(2, "setting-missing", &["vault.address"]);

    scene.settings("mode: static-keys, namespace: team/none", "");
    scene.setup("vault").fails(3, "vault-namespace", &["team/none", "vault.namespace"]);
    scene.old_path_is_untouched();
    scene.settings("mode: static-keys", "");

    scene.setup_as("").fails(3, "vault-no-token", &["VAULT_TOKEN", "BAO_TOKEN", "vault login"]);
    scene.setup_as("hvs.unknown").fails(3, "vault-token", &["expired", "vault login"]);
    let token = scene.vault.token(&["root"]);
    scene.vault.expire(&token);
    let ran = scene.setup_as(&token).fails(3, "vault-token", &["expired", "vault login"]);
    assert!(!format!("{}{}", ran.out, ran.err).contains(&token), "{ran:?}");
    scene.old_path_is_untouched();
    scene.ends_well();
}

#[test]
fn each_missing_permission_is_named_with_path_capability_and_policy() {
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
        scene.old_path_is_untouched();
    }
    grant("", "");
    scene.setup_as(&token).ends(0);
    assert_eq!(scene.estate.key_disabled(), Some(true));
}

#[test]
fn what_is_somebody_elses_at_vault_is_left_and_a_name_of_our_own_is_the_remedy() {
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

    // A method that somebody else has configured for something else, beside ours.
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

/// As whoever runs the server does it, with their own tool.
fn write(scene: &Scene, token: &str, path: &str, body: &Value) {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--fail", "--noproxy", "*", "--cacert"])
        .arg(scene.estate.world.dir.path().join("ca.pem"))
        .args(["-H", &format!("X-Vault-Token: {token}"), "-d", &body.to_string()])
        .arg(format!("{}/v1/{path}", scene.vault.url()));
    assert!(curl.status().unwrap().success());
}

#[test]
fn a_secret_that_the_other_side_does_not_have_is_found_before_anything_depends_on_it() {
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
fn what_was_changed_by_hand_is_shown_and_brought_back() {
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
fn documents_that_the_server_cannot_fetch_are_explained_in_its_own_words() {
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
    let said = "x509: certificate signed by unknown authority";
    scene.setup("vault").fails(3, "vault-ca", &[said, "vault.issuerCaFile"]);
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

#[test]
fn in_a_namespace_from_a_stored_token_and_back_to_nothing() {
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
    scene.run(&SETUP[..4]).ends(0);
    let provider = scene.provider();
    assert_eq!(provider["namespace"], "team/prod");
    assert_eq!(provider["auth"].as_object().unwrap().keys().collect::<Vec<_>>(), ["jwt"]);
    let asked = scene.vault.faults().requests();
    let outside = asked.iter().find(|call| call.header("x-vault-namespace") != Some("team/prod"));
    assert!(outside.is_none(), "{outside:?}");
    scene.run(&["teardown", "--yes"]).ends(0);
    assert_eq!((scene.vault.description("keyless"), scene.vault.policy(POLICY)), (None, None));
}
