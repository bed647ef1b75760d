//! What a server may answer beside what is asked of it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::{
    error::{Code, Kind},
    federation::{TrustedIssuer, reading, workload},
    oidc::{KeySet, keys_from_pem},
    retry::Backoff,
};

/// Status and body.
type Answer = (u16, String);
type Spoil = fn(&mut Settings);

/// Answers in the order in which they are given for a path; the last is repeated. Else 404.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<BTreeMap<String, Vec<Answer>>>>,
    /// Request heads, as they came.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Script {
    fn on(self, request: &str, status: u16, body: &str) -> Self {
        self.answers.lock().unwrap().entry(request.to_owned()).or_default().push((status, body.to_owned()));
        self
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn answer(&self, head: &str) -> Answer {
        self.asked.lock().unwrap().push(head.to_owned());
        let request = head.split(" HTTP").next().unwrap_or_default().replacen("/v1/", "", 1);
        let mut answers = self.answers.lock().unwrap();
        let any = "any".to_owned();
        let key = if answers.contains_key(&request) { &request } else { &any };
        match answers.get_mut(key) {
            Some(list) if list.len() > 1 => list.remove(0),
            Some(list) => list[0].clone(),
            None => (404, r#"{"errors":[]}"#.to_owned()),
        }
    }

    async fn serve(&self) -> Vault {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let script = self.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let script = script.clone();
                tokio::spawn(async move {
                    let mut bytes = Vec::new();
                    let mut chunk = [0; 4096];
                    let end = loop {
                        let read = stream.read(&mut chunk).await.unwrap();
                        bytes.extend_from_slice(&chunk[..read]);
                        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                            break end;
                        }
                        assert!(read > 0, "a request without an end");
                    };
                    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
                    let (status, body) = script.answer(&head);
                    let length = body.len();
                    let location =
                        if status == 307 { "Location: https://active.lab.test:8200/v1/x\r\n" } else { "" };
                    let answer = format!(
                        "HTTP/1.1 {status} X\r\n{location}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                    );
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    drop(stream.shutdown().await);
                });
            }
        });
        connect(&address, |_| ()).unwrap()
    }
}

fn connect(address: &str, change: Spoil) -> Result<Vault> {
    let mut settings = Settings {
        address: address.to_owned(),
        mount: "keyless".into(),
        mount_from_store: false,
        role_prefix: "external-secrets".into(),
        role: "ESO".into(),
        kv: "kv".into(),
        mode: Mode::StaticKeys,
        ca_pem: None,
        issuer_ca_pem: None,
        namespace: Some("team".into()),
        token: Some(Secret::new("hvs.hunter2".into())),
    };
    change(&mut settings);
    let mut vault = Vault::connect(&settings, &Http::new(&[]).unwrap())?;
    vault.api.backoff = Backoff::request(Duration::from_millis(1), 3);
    Ok(vault)
}

fn trust() -> Trust {
    let pem = lab::SigningKey::ec(lab::Curve::P256).public_pem();
    Trust {
        issuer: TrustedIssuer::Signed("https://oidc.lab.test/prod".parse().unwrap()),
        cluster_id: "0b0a3f46-7f0f-4c55-9f0e-3b6f8f1f2a11".to_owned(),
        keys: KeySet::new(keys_from_pem(pem.as_bytes(), "test").unwrap()).unwrap(),
        proof: None,
        signing: Vec::new(),
        staged: Vec::new(),
        former: Vec::new(),
        workloads: vec![workload("es/eso", &["db"])],
    }
}

fn mount() -> Step {
    Step::Mount { description: "managed by keyless for https://oidc.lab.test/prod".into() }
}

fn quiet() -> impl FnMut(&str) + Send {
    |_| ()
}

#[tokio::test]
async fn a_server_that_cannot_be_asked() {
    let sealed = r#"{"errors":["Vault is sealed"]}"#;
    let cases = [
        (Code::VaultSealed, 503, sealed, r#"{"initialized":true,"sealed":true}"#),
        (Code::VaultNotInitialized, 503, sealed, r#"{"initialized":false,"sealed":true}"#),
        (Code::VaultSealed, 503, sealed, "nothing that can be read"),
        (Code::VaultStandby, 307, "", r#"{"initialized":true,"sealed":false,"standby":true}"#),
        (Code::VaultBusy, 503, "<html>", r#"{"initialized":true,"sealed":false}"#),
        (
            Code::VaultBusy,
            429,
            r#"{"errors":["request path \"sys/auth\": rate limit quota exceeded"]}"#,
            "{}",
        ),
        (Code::VaultToken, 403, r#"{"errors":["permission denied"]}"#, "{}"),
        (
            Code::VaultToken,
            403,
            r#"{"errors":["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]}"#,
            "{}",
        ),
        (Code::VaultForbidden, 403, r#"{"errors":["1 error occurred:\n\t* permission denied\n\n"]}"#, "{}"),
        (Code::VaultNamespace, 404, r#"{"errors":["namespace not found"]}"#, "{}"),
        (Code::VaultRefused, 404, "<html>nginx</html>", "{}"),
        (Code::VaultNotVault, 200, "<html>a page</html>", "{}"),
        (Code::VaultRefused, 400, r#"{"errors":["missing client token hvs.hunter2"]}"#, "{}"),
    ];
    for (code, status, body, health) in cases {
        let script = Script::default().on("any", status, body).on("GET sys/health", 200, health);
        let vault = script.serve().await;
        let error = vault.plan(&trust()).await.unwrap_err();
        assert_eq!((error.code, error.kind), (code, Kind::Failed), "{body}: {error}");
        assert!(!error.hints.is_empty(), "no remedy: {error}");
        assert!(!format!("{error} {error:?} {vault:?}").contains("hunter2"), "{error}");
        let with_token = |head: &String| head.to_lowercase().contains("x-vault-token: hvs.hunter2");
        let (health, others): (Vec<_>, Vec<_>) =
            script.asked().into_iter().partition(|head| head.starts_with("GET /v1/sys/health"));
        assert!(others.iter().all(with_token) && !health.iter().any(with_token), "{others:?}");
        let in_namespace = |head: &String| head.to_lowercase().contains("x-vault-namespace: team");
        assert!(others.iter().all(in_namespace), "{others:?}");
        assert!(!health.iter().any(in_namespace), "a server refuses to speak of its health in a namespace");
    }
}

#[tokio::test]
async fn refused_write_names_path_and_capability() {
    let denied = r#"{"errors":["1 error occurred:\n\t* permission denied\n\n"]}"#;
    let cases = [
        (mount(), "sys/auth/keyless", "sudo"),
        (Step::Describe { description: String::new() }, "sys/mounts/auth/keyless/tune", "update"),
        (Step::Configure(json!({})), "auth/keyless/config", "update"),
        (Step::WritePolicy("#".into()), "sys/policies/acl/keyless-eso", "create"),
        (Step::WriteRole(json!({})), "auth/keyless/role/eso", "create"),
        (Step::RemoveRole, "auth/keyless/role/eso", "delete"),
        (Step::RemovePolicy, "sys/policies/acl/keyless-eso", "delete"),
        (Step::Unmount, "sys/auth/keyless", "sudo"),
    ];
    for (step, path, capability) in cases {
        let vault = Script::default().on("any", 403, denied).serve().await;
        let error = vault.act(step).run(&mut quiet()).await.unwrap_err();
        assert_eq!(error.code, Code::VaultForbidden, "{error}");
        assert_eq!(error.causes, ["permission denied"]);
        assert!(error.hints[0].contains(path) && error.hints[0].contains(capability), "{error}");
        let policy = format!("path \"{path}\" {{ capabilities = [");
        assert!(error.hints[1].contains(&policy), "{error}");
    }
}

#[tokio::test]
async fn busy_server_is_retried_with_message() {
    let busy = r#"{"errors":["rate limit quota exceeded"]}"#;
    let script =
        Script::default().on("POST sys/auth/keyless", 429, busy).on("POST sys/auth/keyless", 204, "");
    let vault = script.serve().await;
    let mut reply = Vec::new();
    vault.act(mount()).run(&mut |text: &str| reply.push(text.to_owned())).await.unwrap();
    assert_eq!(reply.len(), 1);
    assert!(reply[0].contains("rate limit quota exceeded"), "{reply:?}");

    let script = Script::default().on("any", 503, "").on("GET sys/health", 200, "{}");
    let error = script.serve().await.act(mount()).run(&mut quiet()).await.unwrap_err();
    assert_eq!(error.code, Code::VaultBusy);
    let tries = script.asked().iter().filter(|head| head.starts_with("POST /v1/sys/auth/keyless")).count();
    assert_eq!(tries, 3);
}

#[tokio::test]
async fn mount_from_interrupted_attempt_is_done() {
    let in_use = r#"{"errors":["path is already in use at keyless/"]}"#;
    let listed = |description: &str, kind: &str| {
        json!({ "data": { "keyless/": { "type": kind, "description": description } } }).to_string()
    };
    let ours = "managed by keyless for https://oidc.lab.test/prod";
    let cases = [(ours, "jwt", true), (ours, "kubernetes", false), ("theirs", "jwt", false)];
    for (description, kind, done) in cases {
        let script = Script::default().on("POST sys/auth/keyless", 400, in_use).on(
            "GET sys/auth",
            200,
            &listed(description, kind),
        );
        let outcome = script.serve().await.act(mount()).run(&mut quiet()).await;
        assert_eq!(
            outcome.map_err(|error| error.code),
            if done { Ok(()) } else { Err(Code::VaultMountInUse) }
        );
    }
}

#[tokio::test]
async fn absent_route_passes_removal_refuses_write() {
    let nothing = r#"{"errors":["no handler for route \"auth/keyless/role/eso\". route entry not found."]}"#;
    let vault = Script::default().on("any", 404, nothing).serve().await;
    for step in [Step::RemoveRole, Step::RemovePolicy, Step::Unmount] {
        vault.act(step).run(&mut quiet()).await.unwrap();
    }
    let error = vault.act(Step::WriteRole(json!({}))).run(&mut quiet()).await.unwrap_err();
    assert_eq!(error.code, Code::VaultMissing, "{error}");
}

#[tokio::test]
async fn login_is_made_without_administrators_token() {
    let script = Script::default()
        .on(
            "POST auth/keyless/login",
            200,
            r#"{"auth":{"client_token":"s.session","lease_duration":900,"policies":["keyless-eso"]}}"#,
        )
        .on("GET kv/data/team/db", 200, r#"{"data":{"data":{"password":"hunter3"}}}"#)
        .on("POST auth/token/revoke-self", 403, r#"{"errors":["permission denied"]}"#);
    let vault = script.serve().await;
    let claims =
        json!({ "iss": "https://oidc.lab.test/prod", "sub": "s", "aud": "vault", "iat": 1, "exp": 901 });
    let token = Token::parse(&lab::SigningKey::ec(lab::Curve::P256).jws(&claims)).unwrap();
    let findings = vault.probe(&token, &reading("team/db"), &mut |_: &str| ()).await;
    let text = findings.iter().map(Finding::to_text).collect::<Vec<_>>().join("\n");
    assert!(findings.iter().all(|finding| !finding.is_failed()), "{text}");
    assert_eq!(findings.len(), 3);
    assert!(
        !text.contains("hunter") && !text.contains("s.session") && !text.contains(token.expose()),
        "{text}"
    );
    let heads = script.asked();
    let named = heads.iter().filter(|head| head.to_lowercase().contains("x-vault-namespace: team")).count();
    assert_eq!(named, heads.len(), "login, read and logout are in the namespace: {heads:?}");
    let asked = heads.join("\n").to_lowercase();
    assert!(!asked.contains("hvs.hunter2"), "{asked}");
    assert_eq!(asked.matches("x-vault-token: s.session").count(), 2);

    let findings = vault.probe(&token, &reading("../sys/raw"), &mut |_: &str| ()).await;
    assert!(findings[1].is_failed(), "a name that leads elsewhere is not asked for");
    let findings = Script::default()
        .on("any", 200, "{}")
        .serve()
        .await
        .probe(&token, &reading("db"), &mut |_: &str| ())
        .await;
    assert!(findings[0].is_failed() && findings.len() == 2);
}

#[tokio::test]
async fn plan_without_usable_token_is_refused() {
    let tokens: [Spoil; 2] =
        [|it| it.token = None, |it| it.token = Some(Secret::new("hunter2\nline".into()))];
    for change in tokens {
        let vault = connect("http://127.0.0.1:9", change).unwrap();
        let error = vault.plan(&trust()).await.unwrap_err();
        assert_eq!((error.code, error.kind), (Code::VaultNoToken, Kind::Failed));
        assert!(error.hints[0].contains("VAULT_TOKEN") && !error.to_string().contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn settings_that_cannot_be_meant() {
    let cases: [(Code, Spoil); 7] = [
        (Code::VaultAddress, |it| it.address = "vault.lab.test".into()),
        (Code::VaultSetting, |it| it.mount = "a b".into()),
        (Code::VaultSetting, |it| it.role = "a/b".into()),
        (Code::VaultSetting, |it| it.kv = "kv/*".into()),
        (Code::VaultSetting, |it| it.namespace = Some("team prod".into())),
        (Code::CaFile, |it| it.ca_pem = Some("nothing".into())),
        (Code::CaFile, |it| {
            it.ca_pem = Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".into())
        }),
    ];
    for (code, change) in cases {
        let error = connect("https://vault.lab.test", change).map(|_| ()).unwrap_err();
        assert_eq!((error.code, error.kind), (code, Kind::Usage), "{error}");
    }
    let vault = connect("https://vault.lab.test/", |it| it.mount = "/auth/team/jwt/".into()).unwrap();
    assert_eq!(vault.to_string(), "auth/team/jwt of https://vault.lab.test, namespace team");
    let VaultLogin { server, mount, role, audience, namespace, .. } = vault.login();
    assert_eq!(namespace.as_deref(), Some("team"));
    assert_eq!((server.as_str(), mount.as_str()), ("https://vault.lab.test", "team/jwt"));
    assert_eq!((role.as_str(), audience.as_str()), ("eso", "vault"), "the server lowers the names of roles");
    assert_eq!(vault.audience().await.unwrap(), "vault");
}
