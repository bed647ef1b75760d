//! Our requests beside those that gcloud sends for the same: same method, path, query, and meaning of the body.
//!
//! `fixtures/gcloud` holds requests recorded from gcloud 528, with its command. What a flag has chosen there
//! (a description, a condition) is ours to choose; that it is sent, and where, is not.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use lab::{Curve, SigningKey};
use serde_json::{Value, json};

use super::{mark::mark, tests::*, *};
use crate::federation::{reading, workload};

const DOCUMENTS: &str = "https://storage.googleapis.com/acme-oidc";

#[derive(Clone, Debug)]
struct Asked {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    body: Value,
    headers: BTreeMap<String, String>,
}

/// Answers what is written in it, and keeps what it was asked.
struct Fake {
    base: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    /// `answers`: a part of method and path (`…$`: its end), and the answer; the first that fits. Everything else
    /// is not there.
    fn start(answers: Vec<(&'static str, Value)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answers, kept) = (answers.clone(), kept.clone());
                std::thread::spawn(move || answer(stream.unwrap(), &answers, &kept));
            }
        });
        Self { base, asked }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(mut stream: TcpStream, answers: &[(&'static str, Value)], kept: &Mutex<Vec<Asked>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let (method, target) = line.split_once(' ').unwrap();
    let target = target.split(' ').next().unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let pairs = |text: &[u8]| url::form_urlencoded::parse(text).into_owned().collect::<BTreeMap<_, _>>();
    let body = match headers.get("content-type").map(String::as_str) {
        Some("application/x-www-form-urlencoded") => json!({ "form": pairs(&body) }),
        _ => serde_json::from_slice(&body).unwrap_or(Value::Null),
    };
    let (method, path, query) = (method.to_owned(), path.to_owned(), pairs(query.as_bytes()));
    let called = format!("{method} {path}");
    kept.lock().unwrap().push(Asked { method, path, query, body, headers });
    let fits = |part: &str| match part.strip_suffix('$') {
        Some(end) => called.ends_with(end),
        None => called.contains(part),
    };
    let (status, text) = match answers.iter().find(|(part, _)| fits(part)) {
        Some((_, answer)) => ("200 OK", answer.to_string()),
        None => ("404 Not Found", json!({"error": {"code": 404, "status": "NOT_FOUND"}}).to_string()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        text.len()
    );
    stream.write_all((head + &text).as_bytes()).unwrap();
}

const POOL: &str = "projects/123456789012/locations/global/workloadIdentityPools/keyless-pool";

/// What Google has answered to gcloud, as far as it matters here.
fn answers() -> Vec<(&'static str, Value)> {
    let done = || json!({"name": "operations/op1", "done": true, "response": {}});
    let project =
        json!({"projectId": "acme-prod", "projectNumber": "123456789012", "lifecycleState": "ACTIVE"});
    vec![
        ("GET /v1/projects/acme-prod$", project),
        ("GET /v1/projects/acme-prod/services:batchGet", json!({"services": []})),
        ("secrets/db-password:getIamPolicy", json!({"etag": "ZXRhZy0wMDAwMDE=", "version": 1})),
        (
            "serviceAccounts/eso-reader@acme-prod.iam.gserviceaccount.com:getIamPolicy",
            json!({"etag": "ZXRhZy0wMDAwMTc=", "version": 1}),
        ),
        ("POST /v1/projects/acme-prod:getIamPolicy", json!({"etag": "ZXRhZy0wMDAwMTM=", "version": 1})),
        ("versions/latest:access", json!({"payload": {"data": "eA=="}})),
        ("POST /v1/token", json!({"access_token": "federated", "expires_in": 900})),
        (
            ":generateAccessToken",
            json!({"accessToken": "impersonated", "expireTime": "2036-01-01T00:00:00Z"}),
        ),
        ("POST ", done()),
        ("PATCH ", done()),
        ("DELETE ", done()),
    ]
}

/// Plans and does everything with these things in place, and gives back what was asked.
async fn asked(things: Vec<(&'static str, Value)>, change: fn(&mut Settings)) -> Vec<Asked> {
    let (fake, gcp, want) = meet(things, change);
    do_all(&gcp, &want).await.unwrap();
    fake.asked()
}

fn meet(mut things: Vec<(&'static str, Value)>, change: fn(&mut Settings)) -> (Fake, Gcp, Trust) {
    things.extend(answers());
    let fake = Fake::start(things);
    let mut settings = settings(&fake.base, "ya29.token");
    (settings.pool, settings.provider) = ("keyless-pool".to_owned(), "keyless-k3s".to_owned());
    change(&mut settings);
    let want = Trust { issuer: issuer(settings.mode, DOCUMENTS), ..recorded_trust() };
    (fake, connect(&settings), want)
}

fn recorded_trust() -> Trust {
    let mut want = trust(&[&SigningKey::ec(Curve::P256)]);
    want.issuer = issuer(Mode::Uploaded, DOCUMENTS);
    want.workloads = vec![workload("external-secrets/eso-gcp", &["db-password"])];
    want
}

/// A provider of ours as desired, but for these fields.
fn provider(change: Value) -> Value {
    let mark = mark(CLUSTER, "https://storage.googleapis.com/acme-oidc");
    let mut provider = json!({
        "name": format!("{POOL}/providers/keyless-k3s"), "state": "ACTIVE", "description": mark,
        "attributeMapping": {
            "google.subject": "assertion.sub",
            "attribute.namespace": "assertion['kubernetes.io']['namespace']",
            "attribute.service_account_name": "assertion['kubernetes.io']['serviceaccount']['name']",
        },
        "attributeCondition": "assertion.sub in ['system:serviceaccount:external-secrets:eso-gcp']",
        "oidc": {"issuerUri": "https://storage.googleapis.com/acme-oidc"},
    });
    for (key, value) in change.as_object().unwrap() {
        match key.strip_prefix("oidc.") {
            Some(key) => provider["oidc"][key] = value.clone(),
            None => provider[key] = value.clone(),
        }
    }
    json!({"workloadIdentityPoolProviders": [provider]})
}

fn there(change: Value) -> Vec<(&'static str, Value)> {
    let mark = mark(CLUSTER, "https://storage.googleapis.com/acme-oidc");
    let state = change.get("state").cloned().unwrap_or(json!("ACTIVE"));
    vec![
        (
            "GET /v1/projects/acme-prod/locations/global/workloadIdentityPools/keyless-pool/providers",
            provider(change),
        ),
        (
            "GET /v1/projects/acme-prod/locations/global/workloadIdentityPools/keyless-pool",
            json!({"name": POOL, "state": state, "description": mark}),
        ),
    ]
}

/// Compares with each request of a recording. `chosen`: pointers whose value a flag chose; `theirs`: what gcloud
/// sends on account of a flag that we do not mean, or always.
fn same(recording: &str, asked: &[Asked], chosen: &[&str], theirs: &[&str]) {
    let path = format!("{}/fixtures/gcloud/{recording}.json", env!("CARGO_MANIFEST_DIR"));
    let recorded: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for request in recorded["requests"].as_array().unwrap() {
        let fits = |ours: &&Asked| request["method"] == ours.method && request["path"] == ours.path;
        let ours =
            asked.iter().find(fits).unwrap_or_else(|| panic!("{recording}: {request} is not in {asked:#?}"));
        let query: BTreeMap<_, _> = request["query"].as_object().into_iter().flatten().collect();
        for (name, value) in &query {
            let sent = ours.query.get(*name).map(|sent| sent.to_lowercase());
            assert_eq!(sent, Some(value.as_str().unwrap().to_lowercase()), "{recording}: {name}");
        }
        let more: Vec<_> =
            ours.query.keys().filter(|name| !query.contains_key(name) && *name != "pageSize").collect();
        assert_eq!(more, Vec::<&String>::new(), "{recording}");
        let mask = ours.query.get("updateMask").map(String::as_str);
        let (mut theirs_body, mut ours_body) = (meaning(&request["body"], mask), meaning(&ours.body, mask));
        for pointer in theirs {
            remove(&mut theirs_body, pointer);
        }
        for pointer in chosen {
            for body in [&mut theirs_body, &mut ours_body] {
                if let Some(value) = body.pointer_mut(pointer) {
                    assert!(value.is_string() || value.is_object() || value.is_array());
                    *value = json!("chosen");
                }
            }
        }
        assert_eq!(ours_body, theirs_body, "{recording}");
    }
}

/// Of a PATCH, what its mask names; of a policy, its version as well.
fn meaning(body: &Value, mask: Option<&str>) -> Value {
    let Some(mask) = mask else { return body.clone() };
    let pointer = |path: &str| format!("/{}", path.replace('.', "/"));
    mask.split(',')
        .map(|path| (path.to_owned(), body.pointer(&pointer(path)).cloned().unwrap_or_default()))
        .collect()
}

fn remove(body: &mut Value, pointer: &str) {
    let (outer, last) = pointer.rsplit_once('/').unwrap();
    if let Some(Value::Object(object)) = body.pointer_mut(outer) {
        object.remove(last);
    }
}

#[tokio::test]
async fn all_that_is_made() {
    let asked = asked(Vec::new(), |it| {
        it.impersonate = Some("eso-reader@acme-prod.iam.gserviceaccount.com".to_owned());
    })
    .await;
    same("project-describe", &asked, &[], &[]);
    same("services-enable", &asked, &[], &[]);
    same("pool-describe", &asked, &[], &[]);
    same("pool-create", &asked, &["/description", "/displayName"], &[]);
    same("provider-list", &asked, &[], &[]);
    let chosen = ["/attributeCondition", "/displayName", "/oidc/jwksJson"];
    let mut without_mark = asked.clone();
    for request in &mut without_mark {
        if request.path.ends_with("/providers") {
            remove(&mut request.body, "/description");
        }
    }
    same("provider-create", &without_mark, &chosen, &["/oidc/allowedAudiences"]);
    same("account-grant", &asked, &[], &[]);
}

#[tokio::test]
async fn grants_match_requests_of_gcloud() {
    let direct = asked(Vec::new(), |_| {}).await;
    same("secret-grant", &direct, &[], &[]);
    let project = asked(Vec::new(), |it| it.grant = Grant::Project).await;
    same("project-grant", &project, &[], &[]);
    for request in direct.iter().chain(&project) {
        assert_eq!(request.headers["authorization"], "Bearer ya29.token");
        // Google's front ends refuse a POST without a length.
        assert!(request.method != "POST" || request.headers.contains_key("content-length"), "{request:?}");
    }
}

#[tokio::test]
async fn patches_and_their_masks() {
    let uploaded = asked(there(json!({"oidc.jwksJson": "{\"keys\":[]}"})), |_| {}).await;
    same("provider-upload-keys", &uploaded, &["/oidc.jwksJson"], &[]);
    let fetched =
        asked(there(json!({"oidc.jwksJson": "{\"keys\":[]}"})), |it| it.mode = Mode::Documents).await;
    same("provider-fetch-keys", &fetched, &[], &[]);
    let several = json!({
        "attributeCondition": "true", "attributeMapping": {"google.subject": "assertion.email"},
        "disabled": true, "oidc.allowedAudiences": ["x"],
    });
    let several = asked(there(several), |it| it.mode = Mode::Documents).await;
    let chosen = ["/attributeCondition", "/attributeMapping", "/oidc.allowedAudiences"];
    let mut enabled = several.clone();
    for request in enabled.iter_mut().filter(|request| request.method == "PATCH") {
        assert_eq!(request.body["disabled"], false);
        request.body["disabled"] = json!(true);
    }
    same("provider-update", &enabled, &chosen, &[]);
}

#[tokio::test]
async fn undeleted_and_deleted() {
    let undeleted = asked(there(json!({"state": "DELETED"})), |it| it.mode = Mode::Documents).await;
    same("pool-undelete", &undeleted, &[], &[]);
    same("provider-undelete", &undeleted, &[], &[]);
    let (fake, gcp, want) = meet(there(json!({})), |_| {});
    for change in gcp.withdraw(&want).await.unwrap() {
        change.change.run(&mut |_| {}).await.unwrap();
    }
    same("provider-delete", &fake.asked(), &[], &[]);
    same("pool-delete", &fake.asked(), &[], &[]);
}

#[tokio::test]
async fn the_way_of_a_token() {
    let token = token(&SigningKey::ec(Curve::P256), |_| {});
    let (fake, gcp, _) = meet(Vec::new(), |_| {});
    let findings = gcp.probe(&token, &reading("db-password"), &mut |_: &str| ()).await;
    assert!(findings.iter().all(|finding| !finding.is_failed()), "{findings:#?}");
    let asked = fake.asked();
    same("exchange", &asked, &["/form/subject_token", "/form/scope"], &[]);
    let exchange = asked.iter().find(|request| request.path == "/v1/token").unwrap();
    assert_eq!(exchange.body["form"]["subject_token"], token.expose());
    assert_eq!(exchange.body["form"]["scope"], CLOUD_PLATFORM);
    assert!(!exchange.headers.contains_key("authorization"), "anonymous requests come without");
    assert_eq!(asked.last().unwrap().headers["authorization"], "Bearer federated");

    let (fake, gcp, _) = meet(Vec::new(), |it| {
        it.impersonate = Some("eso-reader@acme-prod.iam.gserviceaccount.com".to_owned());
    });
    gcp.probe(&token, &reading("db-password"), &mut |_: &str| ()).await;
    let chosen = ["/form/subject_token", "/form/scope", "/scope"];
    same("exchange-impersonated", &fake.asked(), &chosen, &["/delegates"]);
    assert_eq!(fake.asked().last().unwrap().headers["authorization"], "Bearer impersonated");
}
