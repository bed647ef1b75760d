use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use lab::{Ca, Curve, SigningKey, Vault, Web};
use serde_json::{Value, json};

use crate::{Output, client, curl, run};

const ISSUER: &str = "https://issuer.example.com/lab";
const SUBJECT: &str = "system:serviceaccount:external-secrets:eso-reader";

/// An issuer behind https and a server that can reach it
struct Scene {
    dir: tempfile::TempDir,
    ca: Ca,
    key: SigningKey,
    _web: Web,
    vault: Vault,
}

impl Scene {
    fn new() -> Self {
        let (dir, ca) = (tempfile::tempdir().unwrap(), Ca::new());
        let web = Web::start(&ca, &["issuer.example.com"], dir.path());
        let vault = Vault::start(&ca, &["bao.example.com"]);
        vault.resolve("issuer.example.com", web.addr());
        let scene = Self { dir, ca, key: SigningKey::rsa(2048), _web: web, vault };
        scene.publish(ISSUER, &[&scene.key]);
        scene
    }

    fn publish(&self, issuer: &str, keys: &[&SigningKey]) {
        let root = self.dir.path().join("lab");
        fs::create_dir_all(root.join(".well-known")).unwrap();
        fs::create_dir_all(root.join("openid/v1")).unwrap();
        let document = json!({"issuer": issuer, "jwks_uri": format!("{ISSUER}/openid/v1/jwks")});
        fs::write(root.join(".well-known/openid-configuration"), document.to_string()).unwrap();
        let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
        fs::write(root.join("openid/v1/jwks"), json!({"keys": keys}).to_string()).unwrap();
    }

    fn claims(&self) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        json!({"iss": ISSUER, "sub": SUBJECT, "aud": ["vault"], "iat": now, "nbf": now, "exp": now + 600})
    }

    /// Method, path, body, token: status and body
    fn ask(&self, method: &str, path: &str, body: Option<Value>, token: &str) -> (u16, Value) {
        let mut curl = curl(&self.ca.write(self.dir.path())).unwrap();
        curl.args(["-X", method, "-H", &format!("X-Vault-Token: {token}")]);
        curl.arg(format!("{}/v1/{path}", self.vault.url()));
        if let Some(body) = body {
            curl.args(["--data-binary", &body.to_string()]);
        }
        let output = run(&mut curl).out;
        let (head, body) = output.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
    }

    fn root(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.ask(method, path, body, &self.vault.root_token())
    }

    fn login(&self, jwt: &str) -> (u16, Value) {
        self.ask("POST", "auth/jwt/login", Some(json!({"role": "eso", "jwt": jwt})), "")
    }
}

/// The real command line, from where tests/real keeps it or from the path
fn bao() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let kept = fs::read_dir(home.join(".cache/keyless/far-sides")).into_iter().flatten().flatten();
    let kept = kept.map(|folder| folder.path().join("openbao/bao")).find(|program| program.is_file());
    kept.or_else(|| client("bao").map(|_| PathBuf::from("bao")))
}

fn refused(answer: &(u16, Value), words: &str) {
    assert!(
        answer.0 >= 400 && answer.1["errors"][0].as_str().unwrap_or_default().contains(words),
        "{answer:?}"
    );
}

#[test]
fn bao_sets_up_login_and_reads() {
    let Some(program) = bao() else { return };
    let scene = Scene::new();
    let ca_file = scene.ca.write(scene.dir.path());
    let bao = |token: &str, args: &[&str]| -> Output {
        let mut bao = Command::new(&program);
        bao.env("BAO_ADDR", scene.vault.url()).env("BAO_CACERT", &ca_file).env("BAO_TOKEN", token);
        bao.env("HOME", scene.dir.path()).env_remove("HTTPS_PROXY").env_remove("https_proxy");
        run(bao.args(args))
    };
    let root = scene.vault.root_token();
    let done = |args: &[&str]| {
        let output = bao(&root, args);
        assert!(output.ok, "{args:?}: {output}");
        output.out
    };
    assert!(done(&["status"]).contains("Sealed"));
    done(&["auth", "enable", "-path=k3s", "jwt"]);
    let output = bao(&root, &["auth", "enable", "-path=k3s", "jwt"]);
    assert!(output.err.contains("path is already in use at k3s/"), "{output}");
    let discovery = format!("oidc_discovery_url={ISSUER}");
    done(&["write", "auth/k3s/config", &discovery, &format!("bound_issuer={ISSUER}")]);
    assert!(done(&["read", "auth/k3s/config"]).contains(ISSUER));
    let policy = scene.dir.path().join("policy.hcl");
    fs::write(&policy, "# managed by keyless\npath \"kv/data/db\" {\n  capabilities = [\"read\"]\n}\n")
        .unwrap();
    done(&["policy", "write", "keyless-eso", policy.to_str().unwrap()]);
    let subject = format!("bound_subject={SUBJECT}");
    let role = ["role_type=jwt", "user_claim=sub", "bound_audiences=vault", "token_policies=keyless-eso"];
    done(&[&["write", "auth/k3s/role/eso", "token_ttl=10m", &subject][..], &role].concat());
    assert_eq!(scene.vault.jwt_role("k3s", "eso").unwrap()["token_ttl"], 600);
    done(&["secrets", "enable", "-path=kv", "kv-v2"]);
    done(&["kv", "put", "kv/db", "password=hello"]);
    done(&["kv", "put", "kv/other", "password=hidden"]);
    assert!(done(&["kv", "list", "kv/"]).contains("other"));

    let jwt = format!("jwt={}", scene.key.jws(&scene.claims()));
    let token = done(&["write", "-field=token", "auth/k3s/login", "role=eso", &jwt]);
    let output = bao(token.trim(), &["kv", "get", "-field=password", "kv/db"]);
    assert_eq!(output.out.trim(), "hello", "{output}");
    let output = bao(token.trim(), &["kv", "get", "kv/other"]);
    assert!(!output.ok && output.err.contains("permission denied"), "{output}");
    let output = bao(token.trim(), &["token", "lookup"]);
    assert!(output.out.contains("keyless-eso") && output.out.contains(SUBJECT), "{output}");
    done(&["auth", "disable", "k3s"]);
    assert_eq!(scene.vault.jwt_config("k3s"), None);
}

#[test]
fn bao_namespace_is_invisible_from_outside() {
    let Some(program) = bao() else { return };
    let scene = Scene::new();
    let ca_file = scene.ca.write(scene.dir.path());
    let bao = |namespace: &str, token: &str, args: &[&str]| -> Output {
        let mut bao = Command::new(&program);
        bao.env("BAO_ADDR", scene.vault.url()).env("BAO_CACERT", &ca_file).env("BAO_TOKEN", token);
        bao.env("HOME", scene.dir.path()).env_remove("HTTPS_PROXY").env_remove("https_proxy");
        if !namespace.is_empty() {
            bao.env("BAO_NAMESPACE", namespace);
        }
        run(bao.args(args))
    };
    let root = scene.vault.root_token();
    let output = bao("team", &root, &["auth", "list"]);
    assert!(!output.ok && output.err.contains("namespace not found"), "{output}");
    scene.vault.enter("team");
    for args in [&["auth", "enable", "-path=k3s", "jwt"][..], &["secrets", "enable", "-path=kv", "kv-v2"]] {
        let output = bao("team", &root, args);
        assert!(output.ok, "{output}");
    }
    assert!(bao("team/", &root, &["auth", "list"]).out.contains("k3s/"));
    assert!(!bao("", &root, &["auth", "list"]).out.contains("k3s/"));
    let discovery = format!("oidc_discovery_url={ISSUER}");
    let config = ["write", "auth/k3s/config", &discovery, &format!("bound_issuer={ISSUER}")];
    assert!(!bao("", &root, &config).ok);
    assert!(bao("team", &root, &config).ok);

    // A token counts in its own namespace, and one of the root below it by paths that name it.
    scene.vault.put_policy("lister", "path \"sys/auth\" { capabilities = [\"read\"] }");
    let token = scene.vault.token(&["lister"]);
    assert!(bao("team", &token, &["auth", "list"]).ok);
    assert!(bao("", &token, &["auth", "list"]).err.contains("permission denied"));
    scene.vault.enter("");
    scene.vault.put_policy("lister", "path \"team/sys/auth\" { capabilities = [\"read\"] }");
    let token = scene.vault.token(&["lister"]);
    assert!(bao("team", &token, &["auth", "list"]).ok);
    assert!(bao("", &token, &["auth", "list"]).err.contains("permission denied"));
}

#[test]
fn configuration_is_checked_when_written() {
    let scene = Scene::new();
    if curl(&scene.ca.write(scene.dir.path())).is_none() {
        return;
    }
    assert_eq!(scene.root("POST", "sys/auth/jwt", Some(json!({"type": "jwt"}))).0, 204);
    let config = |body: Value| scene.root("POST", "auth/jwt/config", Some(body));
    let discovery = || json!({"oidc_discovery_url": ISSUER, "bound_issuer": ISSUER});
    assert_eq!(config(discovery()).0, 204);
    refused(&config(json!({})), "exactly one of 'jwt_validation_pubkeys', 'jwks_url'");
    refused(
        &config(json!({"oidc_discovery_url": format!("{ISSUER}/x")})),
        "oidc discovery URL: 404 Not Found",
    );
    refused(&config(json!({"oidc_discovery_url": "https://absent.example.com"})), "no such host");
    refused(&config(json!({"jwks_url": format!("{ISSUER}/x")})), "error checking jwks URL");
    refused(&config(json!({"jwt_validation_pubkeys": ["x"]})), "does not contain any valid public keys");
    scene.publish("https://issuer.example.com/other", &[]);
    refused(&config(discovery()), "issuer did not match the returned issuer, expected \"https://issuer.exam");
    scene.vault.change(|settings| settings.flavour = lab::VaultFlavour::Vault);
    let words = json!({"errors": ["error checking oidc discovery URL"]});
    assert_eq!(config(discovery()), (400, words));
    scene.publish(ISSUER, &[&scene.key]);
    scene.vault.change(|settings| {
        settings.flavour = lab::VaultFlavour::OpenBao;
        settings.trusts_lab = false;
    });
    refused(&config(discovery()), "x509: certificate signed by unknown authority");
    let mut with_ca = discovery();
    with_ca["oidc_discovery_ca_pem"] = json!(scene.ca.pem());
    assert_eq!(config(with_ca).0, 204);

    let limited = scene.vault.token(&["op"]);
    refused(&scene.ask("GET", "auth/jwt/config", None, &limited), "permission denied");
    scene.vault.put_policy("op", r#"path "auth/jwt/config" { capabilities = ["read"] }"#);
    assert_eq!(scene.ask("GET", "auth/jwt/config", None, &limited).0, 200);
    refused(&scene.ask("GET", "sys/auth", None, "s.unknown"), "permission denied");
    scene.vault.change(|settings| settings.sealed = true);
    assert_eq!(scene.root("GET", "sys/auth", None), (503, json!({"errors": ["Vault is sealed"]})));
    assert_eq!(scene.root("GET", "sys/health", None).0, 503);
    assert_eq!(scene.root("GET", "sys/seal-status", None).1["sealed"], true);
}

#[test]
fn refused_login_states_its_reason() {
    let scene = Scene::new();
    if curl(&scene.ca.write(scene.dir.path())).is_none() {
        return;
    }
    scene.root("POST", "sys/auth/jwt", Some(json!({"type": "jwt"})));
    let config = json!({"oidc_discovery_url": ISSUER, "bound_issuer": ISSUER});
    scene.root("POST", "auth/jwt/config", Some(config.clone()));
    refused(&scene.login("x.y.z"), "role \"eso\" could not be found");
    let role = json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_ttl": "10m",
        "bound_subject": SUBJECT, "token_policies": ["keyless-eso"]});
    assert_eq!(scene.root("POST", "auth/jwt/role/ESO", Some(role)).0, 204);
    let (status, body) = scene.login(&scene.key.jws(&scene.claims()));
    assert_eq!((status, &body["auth"]["lease_duration"]), (200, &json!(600)), "{body}");
    assert_eq!(body["auth"]["policies"], json!(["default", "keyless-eso"]));

    let changed = |name: &str, value: Value| {
        let mut claims = scene.claims();
        claims[name] = value;
        scene.login(&scene.key.jws(&claims))
    };
    refused(&changed("aud", json!(["x"])), "invalid audience (aud) claim: audience claim does not match any");
    refused(&changed("sub", json!("x")), "invalid subject (sub) claim");
    refused(&changed("iss", json!("x")), "invalid issuer (iss) claim");
    refused(&changed("exp", json!(1)), "invalid expiration time (exp) claim: token is expired");
    scene.vault.change(|settings| settings.clock_offset = -600);
    refused(
        &scene.login(&scene.key.jws(&scene.claims())),
        "invalid not before (nbf) claim: token not yet valid",
    );
    scene.vault.change(|settings| settings.clock_offset = 0);

    // A new key counts at once; a removed one until a login misses a key or a client writes the configuration.
    let next = SigningKey::ec(Curve::P256);
    refused(&scene.login(&next.jws(&scene.claims())), "failed to verify id token signature");
    scene.publish(ISSUER, &[&scene.key, &next]);
    assert_eq!(scene.login(&next.jws(&scene.claims())).0, 200);
    scene.publish(ISSUER, &[&next]);
    assert_eq!(scene.login(&scene.key.jws(&scene.claims())).0, 200);
    scene.root("POST", "auth/jwt/config", Some(config));
    refused(&scene.login(&scene.key.jws(&scene.claims())), "failed to verify id token signature");

    let pem = json!({"jwt_validation_pubkeys": [scene.key.public_pem(), next.public_pem()], "bound_issuer": ISSUER});
    assert_eq!(scene.root("POST", "auth/jwt/config", Some(pem)).0, 204);
    for key in [&scene.key, &next] {
        assert_eq!(scene.login(&key.jws(&scene.claims())).0, 200);
    }
    assert_ne!(scene.login(&SigningKey::rsa(2048).jws(&scene.claims())).0, 200);
}

#[test]
fn secrets_have_versions() {
    let scene = Scene::new();
    if curl(&scene.ca.write(scene.dir.path())).is_none() {
        return;
    }
    scene.vault.enable_kv("kv");
    scene.vault.put_secret("kv", "shop/db", json!({"password": "one"}));
    let write = json!({"data": {"password": "two"}});
    assert_eq!(scene.root("POST", "kv/data/shop/db", Some(write.clone())).1["data"]["version"], 2);
    assert_eq!(scene.root("GET", "kv/data/shop/db", None).1["data"]["data"], json!({"password": "two"}));
    let (_, first) = scene.root("GET", "kv/data/shop/db?version=1", None);
    assert_eq!(first["data"]["data"], json!({"password": "one"}));
    assert_eq!(scene.root("LIST", "kv/metadata", None).1["data"]["keys"], json!(["shop/"]));
    let mut stale = write;
    stale["options"] = json!({"cas": 0});
    refused(&scene.root("POST", "kv/data/shop/db", Some(stale)), "check-and-set parameter did not match");
    assert_eq!(scene.root("DELETE", "kv/data/shop/db", None).0, 204);
    assert_eq!(scene.root("GET", "kv/data/shop/db", None).0, 404);
    assert_eq!(scene.root("GET", "kv/metadata/shop/db", None).1["data"]["current_version"], 2);
}
