//! What gcloud 528 was recorded to send, against the stand-in.

use std::time::Duration;

use lab::{Ca, Google, SigningKey};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::{call, claims};

const RECORDED: &str = include_str!("gcloud-requests.jsonl");

/// Members whose values differ from recording to recording
const OWN: [&str; 20] = [
    "etag",
    "createTime",
    "timeCreated",
    "updated",
    "generation",
    "metageneration",
    "uniqueId",
    "crc32c",
    "md5Hash",
    "access_token",
    "accessToken",
    "expireTime",
    "expires_in",
    "message",
    "errors",
    "status",
    "id",
    "name",
    "done",
    "version",
];

#[tokio::test(flavor = "multi_thread")]
async fn recorded_gcloud_requests_are_answered_alike() {
    let (google, key) = (Google::start(&Ca::new()), SigningKey::rsa(2048));
    google.change(|settings| settings.operation_time = Duration::ZERO);
    let owner = google.token();
    let mut bearer = owner.clone();
    let mut etags: Vec<(String, String)> = Vec::new();
    let reader = "eso-reader@acme-prod.iam.gserviceaccount.com";
    let mut federated = String::new();
    let mut seen = 0;
    for line in RECORDED.lines() {
        let recorded: Value = serde_json::from_str(line).unwrap();
        let number = recorded["seq"].as_u64().unwrap();
        match number {
            // The recorder did not verify tokens: a key for the recorded provider, and a token of it.
            27 => google.write("keyless-pool", Some("keyless-k3s"), |provider| {
                provider["oidc"]["jwksJson"] = json!(json!({"keys": [key.jwk()]}).to_string());
            }),
            // Nor did it keep accounts or look at policies.
            32 => {
                google.service_account(reader);
                google.grant(&format!("serviceAccounts/{reader}"), "roles/iam.workloadIdentityUser", MEMBER);
                google.grant(
                    "project",
                    "roles/secretmanager.secretAccessor",
                    &format!("serviceAccount:{reader}"),
                );
            }
            41 => {
                let path = format!("/v1/projects/acme-prod/serviceAccounts/{reader}");
                call(&google, &owner, "DELETE", &path, None).await;
                google.set_policy("project", json!([]));
            }
            36 | 38 => google.conflict(1),
            _ => {}
        }
        let (status, answer) = send(&google, &recorded, &bearer, &etags, &key, &federated).await;
        let context = format!("{number} {}: {status} {answer}", recorded["command"]);
        assert_eq!(json!(status), recorded["status"], "{context}");
        contains(&answer, &recorded["response"], &context);
        if let (Some(theirs), Some(ours)) = (recorded["response"]["etag"].as_str(), answer["etag"].as_str()) {
            etags.push((theirs.to_owned(), ours.to_owned()));
        }
        if let Some(token) = answer["access_token"].as_str() {
            federated = token.to_owned();
        }
        bearer = match number {
            30 => federated.clone(),
            32 => federated.clone(),
            33 => answer["accessToken"].as_str().unwrap().to_owned(),
            _ => owner.clone(),
        };
        seen += 1;
    }
    assert_eq!(seen, 62);
    assert!(google.storage().objects("acme-oidc").contains(&"keys.json".to_owned()));
}

const MEMBER: &str = "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/keyless-pool/subject/system:serviceaccount:external-secrets:eso-gcp";

async fn send(
    google: &Google,
    recorded: &Value,
    bearer: &str,
    etags: &[(String, String)],
    key: &SigningKey,
    federated: &str,
) -> (u16, Value) {
    let method = Method::from_bytes(recorded["method"].as_str().unwrap().as_bytes()).unwrap();
    let query: Vec<(String, String)> = recorded["query"].as_object().unwrap().iter().map(pair).collect();
    let url = format!("{}{}", google.http_url(), recorded["path"].as_str().unwrap());
    let mut request = Client::new().request(method, url).query(&query);
    let body = &recorded["body"];
    if let Some(form) = body["form"].as_object() {
        let mut form: Vec<(String, String)> = form.iter().map(pair).collect();
        for (name, value) in &mut form {
            match name.as_str() {
                "subject_token" => {
                    *value = key.jws(&claims(json!({
                        "iss": "https://issuer.example.net", "aud": ["aud-a"],
                        "sub": "system:serviceaccount:external-secrets:eso-gcp",
                    })));
                }
                "token" => federated.clone_into(value),
                _ => {}
            }
        }
        request = request.form(&form);
    } else if let Some(parts) = body["parts"].as_array() {
        let media = parts[1]["text"].as_str().unwrap();
        // gcloud puts single quotes around its boundary.
        let text = format!(
            "--===1==\ncontent-type: application/json\n\n{}\n--===1==\ncontent-type: {}\n\n{media}\n--===1==--",
            parts[0]["json"],
            parts[1]["content-type"].as_str().unwrap(),
        );
        request = request
            .header("content-type", "multipart/related; boundary='===1=='")
            .bearer_auth(bearer)
            .body(text);
    } else {
        request = request.bearer_auth(bearer);
        if !body.is_null() {
            // An etag of the recording is the one that was given out here in its place, the newest last.
            let mut text = body.to_string();
            for (theirs, ours) in etags.iter().rev() {
                text = text.replace(theirs, ours);
            }
            request = request.header("content-type", "application/json").body(text);
        }
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
}

fn pair((name, value): (&String, &Value)) -> (String, String) {
    (name.clone(), value.as_str().unwrap().to_owned())
}

/// Whatever was recorded is in the answer, but for what is everybody's own
fn contains(answer: &Value, recorded: &Value, context: &str) {
    match recorded {
        Value::Object(members) => {
            let own = |name: &String| OWN.contains(&name.as_str());
            // The recorder spelled out what proto3 JSON leaves out.
            let empty = |value: &Value| {
                *value == json!(false) || *value == json!("") || *value == json!([]) || *value == json!({})
            };
            for (name, value) in members.iter().filter(|(name, value)| !own(name) && !empty(value)) {
                contains(&answer[name], value, &format!("{context}\n at {name}"));
            }
        }
        Value::Array(items) => {
            for item in items {
                let found = answer.as_array().into_iter().flatten().any(|other| similar(other, item));
                assert!(found, "{context}\n misses {item}");
            }
        }
        other => assert_eq!(answer, other, "{context}"),
    }
}

fn similar(answer: &Value, recorded: &Value) -> bool {
    match recorded {
        Value::Object(members) => members
            .iter()
            .filter(|(name, value)| {
                !OWN.contains(&name.as_str()) && **value != json!(false) && **value != json!("")
            })
            .all(|(name, value)| similar(&answer[name], value)),
        Value::Array(items) => items
            .iter()
            .all(|item| answer.as_array().is_some_and(|all| all.iter().any(|other| similar(other, item)))),
        other => answer == other,
    }
}
