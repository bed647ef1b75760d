//! Vault and OpenBao: a JWT login with a token of the cluster, and the KV store of version 2.

use serde_json::{Value, json};

use super::{Read, Reader, text};

/// What the operator mints tokens for when the store says nothing else
const AUDIENCE: &str = "vault";

pub(super) async fn read(reader: &Reader, store: &Value, key: &str) -> Read<Vec<u8>> {
    let (server, login) = (text(&store["server"]), &store["auth"]["jwt"]);
    let reference = &login["kubernetesServiceAccountToken"];
    let audiences = match &reference["audiences"] {
        Value::Null => json!([AUDIENCE]),
        named => named.clone(),
    };
    let token = reader.token(&reference["serviceAccountRef"], &audiences).await?;
    let url = format!("{server}/v1/auth/{}/login", text(&login["path"]));
    let request = reader.client.post(url).json(&json!({"role": login["role"], "jwt": token}));
    let session = reader.ask(request).await?;
    if key.is_empty() {
        return Ok(Vec::new());
    }
    let url = format!("{server}/v1/{}/data/{key}", text(&store["path"]));
    let request = reader.client.get(url).header("X-Vault-Token", text(&session["auth"]["client_token"]));
    Ok(reader.ask(request).await?["data"]["data"].to_string().into_bytes())
}
