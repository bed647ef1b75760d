//! What the operator does with a store at AWS: a token of the ServiceAccount, an exchange, a signed read.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use base64::{Engine, engine::general_purpose::STANDARD};
use lab::SigningKey;
use serde_json::{Value, json};

use super::call::{Call, form, now};

/// An object of the cluster, by version, kind, namespace and name.
pub(super) type Reader = dyn Fn(&str, &str, Option<&str>, &str) -> Option<Value> + Send + Sync;

/// The operator, as far as it speaks to AWS.
pub(super) struct Operator {
    pub(super) cluster: Box<Reader>,
    pub(super) key: SigningKey,
    pub(super) issuer: String,
    /// Where AWS is.
    pub(super) url: String,
}

impl Operator {
    /// As the store says, to the end: what AWS gives for a key. An empty key asks for the login alone.
    pub(super) fn read(&self, store: &Value, key: &str) -> Result<Vec<u8>, String> {
        let provider = &store["spec"]["provider"]["aws"];
        let region = provider["region"].as_str().ok_or("no region")?;
        let auth = provider["auth"].as_object().ok_or("no login")?;
        let credentials = match (auth.get("secretRef"), auth.get("jwt"), auth.len()) {
            (Some(secret), None, 1) => self.stored(secret)?,
            (None, Some(jwt), 1) => self.exchanged(&jwt["serviceAccountRef"])?,
            _ => return Err(format!("{} ways to log in", auth.len())),
        };
        if key.is_empty() {
            return Ok(Vec::new());
        }
        let body = json!({ "SecretId": key, "VersionStage": "AWSCURRENT" }).to_string();
        let target = ("x-amz-target", "secretsmanager.GetSecretValue");
        let headers = [("content-type", "application/x-amz-json-1.1"), target];
        let signer = Some(("secretsmanager", region, credentials));
        let answer = Call { url: &self.url, headers: &headers, body, signer }.send()?;
        let answer: Value = serde_json::from_str(&answer).map_err(|_| answer)?;
        let secret = answer["SecretString"].as_str().ok_or_else(|| answer.to_string())?;
        Ok(secret.as_bytes().to_vec())
    }

    /// The access key in Secrets.
    fn stored(&self, reference: &Value) -> Result<Credentials, String> {
        let value = |member: &str| -> Result<String, String> {
            let at = &reference[member];
            let text = |name: &str| at[name].as_str().unwrap_or_default();
            let secret = (self.cluster)("v1", "Secret", Some(text("namespace")), text("name"));
            let secret = secret.ok_or_else(|| format!("no Secret {}", text("name")))?;
            let value = STANDARD.decode(secret["data"][text("key")].as_str().unwrap_or_default());
            Ok(String::from_utf8(value.unwrap()).unwrap())
        };
        let (id, secret) = (value("accessKeyIDSecretRef")?, value("secretAccessKeySecretRef")?);
        Ok(Credentials::new(id, secret, None, None, "stored"))
    }

    /// What STS gives for a token of the ServiceAccount, whose annotation names the role.
    fn exchanged(&self, reference: &Value) -> Result<Credentials, String> {
        let named = |member: &str| reference[member].as_str().unwrap_or_default();
        let (namespace, name) = (named("namespace"), named("name"));
        let account = (self.cluster)("v1", "ServiceAccount", Some(namespace), name);
        let account = account.ok_or_else(|| format!("no ServiceAccount {namespace}/{name}"))?;
        let annotations = &account["metadata"]["annotations"];
        let role = annotations["eks.amazonaws.com/role-arn"].as_str().ok_or("no role")?;
        // The operator adds those of the reference to the usual one.
        let more = reference["audiences"].as_array().into_iter().flatten().cloned();
        let audiences: Vec<_> = [json!("sts.amazonaws.com")].into_iter().chain(more).collect();
        let issued = now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let token = self.key.jws(&json!({
            "iss": self.issuer, "sub": format!("system:serviceaccount:{namespace}:{name}"), "aud": audiences,
            "iat": issued, "nbf": issued, "exp": issued + 3600,
        }));
        let parameters = [
            ("RoleArn", role),
            ("RoleSessionName", "external-secrets-provider-aws"),
            ("WebIdentityToken", token.as_str()),
        ];
        let body = form("2011-06-15", "AssumeRoleWithWebIdentity", &parameters);
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let answer = Call { url: &self.url, headers: &headers, body, signer: None }.send()?;
        let part = |name: &str| {
            let rest = answer.split_once(&format!("<{name}>"))?.1;
            Some(rest.split_once("</")?.0.to_owned())
        };
        let parts = (part("AccessKeyId"), part("SecretAccessKey"), part("SessionToken"));
        let (Some(id), Some(secret), Some(session)) = parts else { return Err(answer) };
        Ok(Credentials::new(id, secret, Some(session), None, "exchanged"))
    }
}
