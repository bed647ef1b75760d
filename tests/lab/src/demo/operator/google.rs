//! Google Secret Manager: with a stored key, or with a token of the cluster.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use lab::SigningKey;

use super::{Read, Reader, text, words};

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

pub(super) async fn read(reader: &Reader, store: &Value, key: &str) -> Read<Vec<u8>> {
    let auth = &store["auth"];
    let access_token = match (&auth["secretRef"], &auth["workloadIdentityFederation"]) {
        (stored, Value::Null) if stored.is_object() => with_key(reader, stored).await?,
        (Value::Null, federation) if federation.is_object() => with_token(reader, federation).await?,
        _ => return Err("not exactly one way to log in".into()),
    };
    if key.is_empty() {
        return Ok(Vec::new());
    }
    let project = text(&store["projectID"]);
    let url = format!(
        "https://secretmanager.googleapis.com/v1/projects/{project}/secrets/{key}/versions/latest:access"
    );
    let version = reader.ask(reader.client.get(url).bearer_auth(access_token)).await?;
    STANDARD.decode(text(&version["payload"]["data"])).map_err(words)
}

/// An assertion that the stored key signs (RFC 7523), for an access token of its service account
async fn with_key(reader: &Reader, stored: &Value) -> Read<String> {
    let file = reader.secret_value(&stored["secretAccessKeySecretRef"]).await?;
    let file: Value = serde_json::from_slice(&file).map_err(words)?;
    let key = SigningKey::rsa_from_pem(text(&file["private_key"])).ok_or("the stored key is no RSA key")?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(words)?.as_secs();
    let header = json!({"alg": key.alg(), "typ": "JWT", "kid": file["private_key_id"]});
    let claims = json!({
        "iss": file["client_email"], "scope": SCOPE, "aud": file["token_uri"], "iat": now, "exp": now + 3600,
    });
    let assertion = key.jws_with_header(&header, &claims);
    let form =
        [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion.as_str())];
    let granted = reader.ask(reader.client.post(text(&file["token_uri"])).form(&form)).await?;
    Ok(text(&granted["access_token"]).to_owned())
}

/// The exchange of a token of the cluster (RFC 8693)
async fn with_token(reader: &Reader, federation: &Value) -> Read<String> {
    let account = &federation["serviceAccountRef"];
    let token = reader.token(account, &account["audiences"]).await?;
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("audience", text(&federation["audience"])),
        ("scope", SCOPE),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ("subject_token", token.as_str()),
    ];
    let exchanged = reader.ask(reader.client.post("https://sts.googleapis.com/v1/token").form(&form)).await?;
    Ok(text(&exchanged["access_token"]).to_owned())
}
