//! The way of a real token, as the secret store goes it: log in, read, log out.

use http::Method;
use serde_json::{Map, Value, json};

use super::{
    Settings,
    api::{Api, Said},
    wanted,
};
use crate::{error::Error, oidc::Token, relying_party::Finding, secret::Secret};

const LOGIN: &str = "vault-login";
const READ: &str = "vault-read";
const LOGOUT: &str = "vault-logout";

/// `members` are those of the secret that are read out of it.
pub(super) async fn walk(
    api: &Api,
    settings: &Settings,
    token: &Token,
    secret: &str,
    members: &[String],
) -> Vec<Finding> {
    let subject = format!("login at auth/{} of {}", settings.mount, settings.address);
    let read_subject = format!("read of {}/{secret}", settings.kv);
    let body = json!({ "role": settings.role, "jwt": token.expose() });
    let said =
        match api.call(Method::POST, &format!("auth/{}/login", settings.mount), Some(&body), None).await {
            Ok(said) => said,
            Err(error) => {
                let skipped = Finding::skipped(READ, read_subject, "there is no login to read it with");
                return vec![refused_login(subject, error, settings, token), skipped];
            }
        };
    let Some((session, finding)) = logged_in(&subject, &said, settings) else {
        return vec![
            Finding::failed(
                LOGIN,
                subject,
                "no token in the answer",
                "there is no JWT auth method at this path, or something stands before the server",
                "check vault.address and vault.mount; run `keyless setup`",
            ),
            Finding::skipped(READ, read_subject, "there is no login to read it with"),
        ];
    };
    let read = match wanted::secret_path(secret) {
        Ok(path) => {
            let path = format!("{}/data/{path}", settings.kv);
            let answer = api.call(Method::GET, &path, None, Some(&session)).await;
            judge_read(read_subject, answer, settings, members)
        }
        Err(error) => Finding::refused(READ, read_subject, &error),
    };
    let subject = format!("logout from {}", settings.address);
    let revoked = api.call(Method::POST, "auth/token/revoke-self", None, Some(&session)).await;
    let logout = match revoked {
        Ok(_) => Finding::passed(LOGOUT, subject, "the login is revoked"),
        // It ends by itself in minutes, so this breaks nothing.
        Err(error) => {
            Finding::skipped(LOGOUT, subject, format!("not revoked ({}); it ends by itself", error.code))
        }
    };
    vec![finding, read, logout]
}

fn logged_in(subject: &str, said: &Said, settings: &Settings) -> Option<(Secret, Finding)> {
    let auth = said.body.get("auth")?;
    let session = Secret::new(auth.get("client_token")?.as_str()?.to_owned());
    let lease = auth.get("lease_duration").and_then(Value::as_u64).unwrap_or_default();
    let policies = auth.get("policies").and_then(Value::as_array);
    let policies: Vec<_> = policies.into_iter().flatten().filter_map(Value::as_str).collect();
    let seen = format!("role {}, policies {}, for {lease} s", settings.role, policies.join(" and "));
    Some((session, Finding::passed(LOGIN, subject, seen)))
}

/// The server's words for a refused token, with cause and remedy. All of them come with status 400.
fn refused_login(subject: String, error: Error, settings: &Settings, token: &Token) -> Finding {
    let Settings { mount, role, .. } = settings;
    let claims = token.claims();
    let said = error.causes.join("; ");
    let has = |part: &str| said.contains(part);
    let setup = "run `keyless setup`, which shows the difference and mends it";
    let (cause, remedy) = if !["vault-refused", "vault-forbidden", "vault-token"].contains(&error.code) {
        return Finding::refused(LOGIN, subject, &error);
    } else if has("is expired") || has("expiration time (exp)") {
        (
            "the token has expired, or the server's clock is ahead".to_owned(),
            "compare the clocks of the control plane and of Vault; 60 s of difference are tolerated"
                .to_owned(),
        )
    } else if has("not before (nbf)") || has("issued at (iat)") || has("not valid yet") {
        (
            "the token begins in the future: the server's clock is behind".to_owned(),
            "set the clocks of the control plane and of Vault by NTP".to_owned(),
        )
    } else if has("audience") {
        (
            format!("the role does not take the audience {}", claims.audiences.join(", ")),
            format!("bound_audiences of auth/{mount}/role/{role} must be [\"{}\"]: {setup}", super::AUDIENCE),
        )
    } else if has("(sub) claim") {
        (
            format!("the role is bound to another subject than {}", claims.subject.escape_debug()),
            format!("bound_subject of auth/{mount}/role/{role} names the store's ServiceAccount: {setup}"),
        )
    } else if has("(iss) claim") || has("issuer") {
        (
            format!("the cluster signs as {}, and auth/{mount} believes another issuer", claims.issuer),
            format!(
                "if this is the old issuer, let the API server sign with the new one (`keyless render issuer`); else: {setup}"
            ),
        )
    } else if has("failed to decode keys") || has("unsupported key type") {
        (
            "the published key set holds a key that the server cannot read, and so it takes none of them"
                .to_owned(),
            "publish RSA and EC keys only: `keyless publish`, then `keyless verify --public-only`".to_owned(),
        )
    } else if has("fetching keys") {
        (
            "the server cannot fetch the key set".to_owned(),
            "let it reach the issuer's host, or write the keys into it: vault.mode: static-keys".to_owned(),
        )
    } else if has("signature") {
        (
            format!(
                "the server does not have the key {} that signed the token",
                claims.kid.as_deref().unwrap_or("without kid")
            ),
            format!("run `keyless publish`, then `keyless verify`; with static keys: {setup}"),
        )
    } else if has("could not be found") || has("missing role") {
        (format!("there is no role {role} in auth/{mount}"), setup.to_owned())
    } else if has("permission denied") {
        (
            format!(
                "there is no auth method at auth/{mount}, or a CIDR rule or a lock keeps this machine out"
            ),
            format!("check vault.mount and vault.namespace; {setup}"),
        )
    } else {
        return Finding::refused(LOGIN, subject, &error);
    };
    Finding::failed(LOGIN, subject, if said.is_empty() { error.message } else { said }, cause, remedy)
}

/// Never the secret's content: its number of fields and of bytes.
fn judge_read(
    subject: String,
    answer: crate::error::Result<Said>,
    settings: &Settings,
    members: &[String],
) -> Finding {
    let Settings { kv, role, .. } = settings;
    match answer {
        Ok(said) if said.status == 404 => {
            let deleted = said.data().is_some_and(|data| data.contains_key("metadata"));
            let no_engine = said.body.to_string().contains("no handler for route");
            let (seen, cause, remedy) = if deleted {
                (
                    "the latest version is deleted",
                    "somebody deleted it",
                    format!("`vault kv undelete -mount={kv} …`, or write it anew"),
                )
            } else if no_engine {
                (
                    "no secrets engine",
                    "nothing is mounted at this path",
                    "vault.kv names the path of a KV v2 engine".to_owned(),
                )
            } else {
                (
                    "nothing there",
                    "the secret does not exist on this side",
                    format!("`vault kv put -mount={kv} …`; the store reads it by this name"),
                )
            };
            Finding::failed(READ, subject, seen, cause, remedy)
        }
        Ok(said) => match said.data().and_then(|data| data.get("data")).and_then(Value::as_object) {
            Some(fields) => {
                let missing: Vec<_> = members.iter().filter(|name| !has(fields, name)).cloned().collect();
                if !missing.is_empty() {
                    return Finding::failed(
                        READ,
                        subject,
                        format!("no {}", missing.join(", ")),
                        "ExternalSecrets read members that the secret does not have on this side",
                        format!(
                            "`vault kv patch -mount={kv} …`: give it the members that it has on the other side"
                        ),
                    );
                }
                let bytes: usize = fields.values().map(length).sum();
                let members =
                    if fields.len() == 1 { "1 field".to_owned() } else { format!("{} fields", fields.len()) };
                Finding::passed(READ, subject, format!("{members}, {bytes} bytes"))
            }
            None => Finding::failed(
                READ,
                subject,
                "an answer without data.data",
                "the engine is not KV version 2",
                "name the path of a KV v2 engine as vault.kv",
            ),
        },
        Err(error) if error.code == "vault-forbidden" => Finding::failed(
            READ,
            subject,
            error.causes.join("; "),
            format!("the policy of the role {role} does not give this secret"),
            "name the secret under store.secrets and run `keyless setup`",
        ),
        Err(error) => Finding::refused(READ, subject, &error),
    }
}

/// Whether a `property` of an ExternalSecret can lead somewhere: it is the name of a member, or a path that begins
/// with one. What is more than that (gjson's modifiers and wildcards) is not judged.
fn has(fields: &Map<String, Value>, property: &str) -> bool {
    let first = property.split('.').next().unwrap_or(property);
    let plain = first.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    fields.contains_key(property) || fields.contains_key(first) || !plain
}

fn length(value: &Value) -> usize {
    value.as_str().map_or_else(|| value.to_string().len(), str::len)
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
