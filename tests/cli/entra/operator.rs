//! What the operator does with a store at Key Vault: a token of the ServiceAccount or a client secret, an exchange, a read.

use base64::{Engine, engine::general_purpose::STANDARD};
use lab::SigningKey;
use serde_json::{Value, json};

/// An object of the cluster, by version, kind, namespace and name.
type Reader = dyn Fn(&str, &str, Option<&str>, &str) -> Option<Value> + Send + Sync;

/// The operator, as far as it speaks to Azure.
pub(crate) struct Operator {
    pub(crate) cluster: Box<Reader>,
    pub(crate) key: SigningKey,
    pub(crate) issuer: String,
    /// Where Azure is.
    pub(crate) url: String,
}

impl Operator {
    /// As the store says, to the end: what the vault gives for a key. An empty key asks for the login alone.
    pub(crate) fn read(&self, store: &Value, key: &str) -> Result<Vec<u8>, String> {
        let provider = &store["spec"]["provider"]["azurekv"];
        let text = |member: &str| provider[member].as_str().unwrap_or_default().to_owned();
        if text("vaultUrl").trim_end_matches('/')
            != format!("https://{}.vault.azure.net", lab::Entra::vault())
        {
            return Err(format!("no such vault: {}", text("vaultUrl")));
        }
        let mut form = vec![
            ("scope".to_owned(), "https://vault.azure.net/.default openid".to_owned()),
            ("grant_type".to_owned(), "client_credentials".to_owned()),
        ];
        match text("authType").as_str() {
            "" | "ServicePrincipal" => form.extend(self.stored(&provider["authSecretRef"])?),
            "WorkloadIdentity" => form.extend(self.exchanged(&provider["serviceAccountRef"])?),
            other => return Err(format!("the login {other} is not played here")),
        }
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let token = send(&format!("{}/{}/oauth2/v2.0/token", self.url, text("tenantId")), Some(body), None)?;
        let Some(bearer) = token["access_token"].as_str() else { return Err(token.to_string()) };
        if key.is_empty() {
            return Ok(Vec::new());
        }
        let answer = send(&format!("{}/secrets/{key}/?api-version=7.0", self.url), None, Some(bearer))?;
        let value = answer["value"].as_str().ok_or_else(|| answer.to_string())?;
        Ok(value.as_bytes().to_vec())
    }

    /// The client ID and secret in Secrets.
    fn stored(&self, reference: &Value) -> Result<Vec<(String, String)>, String> {
        let value = |member: &str| -> Result<String, String> {
            let at = &reference[member];
            let text = |name: &str| at[name].as_str().unwrap_or_default();
            let secret = (self.cluster)("v1", "Secret", Some(text("namespace")), text("name"));
            let secret = secret.ok_or_else(|| format!("no Secret {}", text("name")))?;
            let value = STANDARD.decode(secret["data"][text("key")].as_str().unwrap_or_default());
            Ok(String::from_utf8(value.unwrap()).unwrap())
        };
        Ok(vec![("client_id".into(), value("clientId")?), ("client_secret".into(), value("clientSecret")?)])
    }

    /// A token of the ServiceAccount, whose annotation names the identity.
    fn exchanged(&self, reference: &Value) -> Result<Vec<(String, String)>, String> {
        let named = |member: &str| reference[member].as_str().unwrap_or_default();
        let (namespace, name) = (named("namespace"), named("name"));
        let account = (self.cluster)("v1", "ServiceAccount", Some(namespace), name);
        let account = account.ok_or_else(|| format!("no ServiceAccount {namespace}/{name}"))?;
        let annotations = &account["metadata"]["annotations"];
        let client_id =
            annotations["azure.workload.identity/client-id"].as_str().ok_or("missing clientID")?;
        if annotations["azure.workload.identity/tenant-id"].is_string() {
            return Err("multiple tenantID found".into());
        }
        // The operator adds those of the reference to the usual one.
        let more = reference["audiences"].as_array().into_iter().flatten().cloned();
        let audiences: Vec<_> = [json!("api://AzureADTokenExchange")].into_iter().chain(more).collect();
        let issued = now();
        let token = self.key.jws(&json!({
            "iss": self.issuer, "sub": format!("system:serviceaccount:{namespace}:{name}"), "aud": audiences,
            "iat": issued, "nbf": issued, "exp": issued + 3600,
        }));
        Ok(vec![
            ("client_id".into(), client_id.to_owned()),
            ("client_assertion".into(), token),
            ("client_assertion_type".into(), "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".into()),
        ])
    }
}

/// The JSON of the answer, whatever its status.
fn send(url: &str, form: Option<String>, bearer: Option<&str>) -> Result<Value, String> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = match form {
        Some(form) => client.post(url).header("content-type", "application/x-www-form-urlencoded").body(form),
        None => client.get(url),
    };
    if let Some(bearer) = bearer {
        request = request.header("authorization", format!("Bearer {bearer}"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let text = runtime.block_on(async {
        let answer = request.send().await.map_err(|error| error.to_string())?;
        answer.text().await.map_err(|error| error.to_string())
    })?;
    serde_json::from_str(&text).map_err(|_| text)
}

#[expect(clippy::disallowed_methods, reason = "the stand-in's clock is this machine's")]
fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap().as_secs()
}
