//! The stand-in for Google Cloud: rules, recorded requests, and Google's own clients.

mod gcloud;
mod names;
mod python;
mod replay;
mod rules;

use lab::{Ca, Curve, Google, SigningKey};
use reqwest::{Client, Method};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://storage.googleapis.com/acme-oidc";
pub(crate) const SUBJECT: &str = "system:serviceaccount:external-secrets:eso-reader";
pub(crate) const POOLS: &str = "projects/123456789012/locations/global/workloadIdentityPools";

/// Google with a pool, a provider for a key, and a secret that the workload may read
pub(crate) struct Federation {
    pub(crate) ca: Ca,
    pub(crate) google: Google,
    pub(crate) key: SigningKey,
}

impl Federation {
    /// With the key uploaded
    pub(crate) fn uploaded() -> Self {
        let key = SigningKey::ec(Curve::P256);
        let jwks = json!({"keys": [key.jwk()]}).to_string();
        Self::start(key, json!({"issuerUri": ISSUER, "jwksJson": jwks}))
    }

    /// With the key in documents of a bucket
    pub(crate) fn documents() -> Self {
        let here = Self::start(SigningKey::rsa(2048), json!({"issuerUri": ISSUER}));
        let storage = here.google.storage();
        storage.own_bucket("acme-oidc");
        let discovery = json!({"issuer": ISSUER, "jwks_uri": format!("{ISSUER}/openid/v1/jwks")});
        let jwks = json!({"keys": [here.key.jwk()]});
        for (name, body) in [(".well-known/openid-configuration", discovery), ("openid/v1/jwks", jwks)] {
            storage.put("acme-oidc", name, "application/json", None, body.to_string().as_bytes());
        }
        here
    }

    fn start(key: SigningKey, oidc: Value) -> Self {
        let ca = Ca::new();
        let google = Google::start(&ca);
        Self::with(ca, google, key, oidc)
    }

    pub(crate) fn with(ca: Ca, google: Google, key: SigningKey, oidc: Value) -> Self {
        google.write("keyless-lab", None, |_| {});
        google.write("keyless-lab", Some("cluster"), |provider| {
            provider["oidc"] = oidc;
            provider["attributeMapping"] = json!({
                "google.subject": "assertion.sub",
                "attribute.namespace": "assertion['kubernetes.io']['namespace']",
                "attribute.service_account_name": "assertion['kubernetes.io']['serviceaccount']['name']",
            });
            provider["attributeCondition"] = json!(format!("assertion.sub in ['{SUBJECT}']"));
        });
        google.add_secret("db", br#"{"password":"correct horse"}"#);
        google.grant("secrets/db", "roles/secretmanager.secretAccessor", &principal(SUBJECT));
        Self { ca, google, key }
    }

    /// What the cluster mints for the workload, with some claims different
    pub(crate) fn token(&self, other: Value) -> String {
        self.key.jws(&claims(other))
    }

    /// The answer of the token service
    pub(crate) async fn exchange(&self, token: &str) -> (u16, Value) {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("audience", audience()),
            ("scope", "https://www.googleapis.com/auth/cloud-platform"),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
            ("subject_token", token),
        ];
        let url = format!("{}/v1/token", self.google.http_url());
        let answer = Client::new().post(url).form(&form).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// The bearer of a valid token
    pub(crate) async fn federated(&self) -> String {
        let (status, body) = self.exchange(&self.token(json!({}))).await;
        assert_eq!(status, 200, "{body}");
        body["access_token"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn audience() -> &'static str {
    "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/keyless-lab/providers/cluster"
}

pub(crate) fn principal(subject: &str) -> String {
    format!("principal://iam.googleapis.com/{POOLS}/keyless-lab/subject/{subject}")
}

/// Let everybody read the documents in the bucket
pub(crate) async fn make_public(here: &Federation) {
    let policy = json!({"bindings": [{"role": "roles/storage.objectViewer", "members": ["allUsers"]}]});
    let (owner, path) = (here.google.token(), "/storage/v1/b/acme-oidc/iam");
    let (status, body) = call(&here.google, &owner, "PUT", path, Some(policy)).await;
    assert_eq!(status, 200, "{body}");
}

pub(crate) fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_secs() as i64
}

pub(crate) fn claims(other: Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "sub": SUBJECT, "aud": [format!("https:{}", audience())],
        "iat": now(), "nbf": now(), "exp": now() + 900,
        "kubernetes.io": {
            "namespace": "external-secrets", "serviceaccount": {"name": "eso-reader", "uid": "6f8b"},
        },
    });
    for (name, value) in other.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

/// One call over http; the status and the JSON that came back
pub(crate) async fn call(
    google: &Google,
    token: &str,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> (u16, Value) {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let request = Client::new().request(method, format!("{}{path}", google.http_url())).bearer_auth(token);
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
}
