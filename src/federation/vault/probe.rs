//! A real token, used as the secret store uses it: log in, do what the rights are for, log out.

use http::Method;
use serde_json::{Value, json};

use super::{
    Settings,
    api::{Api, Reply},
    trials,
};
use crate::{
    error::{Check, Code, Error},
    federation::{
        Reading, Trial,
        property::{Lookup, is_map, path},
    },
    lifetime::Lifetime,
    oidc::Token,
    relying_party::Finding,
    secret::{Secret, is_header_safe},
};

const LOGIN: Check = Check::VaultLogin;
pub(super) const READ: Check = Check::VaultRead;
const PROPERTY: Check = Check::VaultProperty;
const LOGOUT: Check = Check::VaultLogout;

/// In seconds. Vault's own limit is a setting of the server, by default 32 days.
const LONGEST_LOGIN: u32 = 10 * 366 * 24 * 3600;

pub(super) async fn probe(api: &Api, settings: &Settings, token: &Token, trial: &Trial) -> Vec<Finding> {
    let subject = format!("login at auth/{} of {}", settings.mount, settings.address);
    let skipped = || {
        let subject = trials::subject(trial, settings);
        Finding::skipped(trials::check(trial), subject, "there is no login to do it with")
    };
    let body = json!({ "role": settings.role, "jwt": token.expose() });
    let reply =
        match api.call(Method::POST, &format!("auth/{}/login", settings.mount), Some(&body), None).await {
            Ok(reply) => reply,
            Err(error) => return vec![refused_login(subject, error, settings, token), skipped()],
        };
    let (session, finding) = match logged_in(&subject, &reply, settings) {
        Ok(login) => login,
        Err(instead) => {
            return vec![
                Finding::failed(
                    LOGIN,
                    subject,
                    format!("the answer holds {instead}"),
                    "there is no JWT auth method at this path, or a proxy answers for the server",
                    "check vault.address and vault.mount; run `keyless setup`",
                ),
                skipped(),
            ];
        }
    };
    let mut findings = vec![finding];
    findings.extend(trials::run(api, settings, &session, trial).await);
    let subject = format!("logout from {}", settings.address);
    let revoked = api.call(Method::POST, "auth/token/revoke-self", None, Some(&session)).await;
    findings.push(match revoked {
        Ok(_) => Finding::passed(LOGOUT, subject, "the login is revoked"),
        // It ends by itself in minutes, so this breaks nothing.
        Err(error) => {
            Finding::skipped(LOGOUT, subject, format!("not revoked ({}); it ends by itself", error.code))
        }
    });
    findings
}

/// The session's token; or what the answer holds instead.
fn logged_in(subject: &str, reply: &Reply, settings: &Settings) -> Result<(Secret, Finding), String> {
    let auth = reply.body.get("auth").filter(|auth| auth.is_object()).ok_or("no `auth`")?;
    let session = auth.get("client_token").and_then(Value::as_str).filter(|text| is_header_safe(text));
    let session = Secret::new(session.ok_or("no token")?.to_owned());
    let lease = Lifetime::read(auth, "lease_duration", LONGEST_LOGIN)?;
    let policies = auth.get("policies").and_then(Value::as_array);
    let policies: Vec<_> = policies.into_iter().flatten().filter_map(Value::as_str).collect();
    let seen = format!("role {}, policies {}, for {lease}", settings.role, policies.join(" and "));
    Ok((session, Finding::passed(LOGIN, subject, seen)))
}

/// The server's words for a refused token, with cause and remedy. All of them come with status 400.
fn refused_login(subject: String, error: Error, settings: &Settings, token: &Token) -> Finding {
    let Settings { mount, role, .. } = settings;
    let claims = token.claims();
    let reply = error.causes.join("; ");
    let has = |part: &str| reply.contains(part);
    let setup = "run `keyless setup`, which shows the difference and fixes it";
    let (cause, remedy) = if ![Code::VaultRefused, Code::VaultForbidden, Code::VaultToken]
        .contains(&error.code)
    {
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
    Finding::failed(LOGIN, subject, if reply.is_empty() { error.message } else { reply }, cause, remedy)
}

/// Never the secret's content: its number of fields and of bytes. What is not judged of it follows.
pub(super) fn judge_read(
    subject: String,
    answer: crate::error::Result<Reply>,
    settings: &Settings,
    readings: &[Reading],
) -> Vec<Finding> {
    let Settings { kv, role, .. } = settings;
    let failed = |seen: &str, cause: &str, remedy: String| {
        vec![Finding::failed(READ, subject.clone(), seen, cause, remedy)]
    };
    let of_the_thing = |seen: &str, cause: &str, remedy: String| {
        failed(seen, cause, remedy).into_iter().map(Finding::of_the_thing).collect()
    };
    let reply = match answer {
        Ok(reply) => reply,
        Err(error) if error.code == Code::VaultForbidden => {
            let cause = format!("the policy of the role {role} does not give this secret");
            let remedy = "name the secret under store.secrets and run `keyless setup`";
            return failed(&error.causes.join("; "), &cause, remedy.to_owned());
        }
        Err(error) => return vec![Finding::refused(READ, subject, &error)],
    };
    if reply.status == 404 {
        let deleted = reply.data().is_some_and(|data| data.contains_key("metadata"));
        return if deleted {
            of_the_thing(
                "this version is deleted",
                "a value of the secret was deleted, and not the secret",
                format!("`vault kv undelete -mount={kv} …`, or write it again"),
            )
        } else if reply.body.to_string().contains("no handler for route") {
            let remedy = "vault.kv names the path of a KV v2 engine".to_owned();
            failed("no secrets engine", "nothing is mounted at this path", remedy)
        } else if readings.iter().any(|reading| reading.version.is_some()) {
            of_the_thing(
                "nothing there",
                "the secret, or this version of it, does not exist on this side",
                format!(
                    "`vault kv metadata get -mount={kv} …` lists the versions: name one of them, or none"
                ),
            )
        } else {
            let remedy = format!("`vault kv put -mount={kv} …`; the store reads it by this name");
            of_the_thing("nothing there", "the secret does not exist on this side", remedy)
        };
    }
    let data = reply.data().and_then(|data| data.get("data")).unwrap_or(&Value::Null);
    let Some(fields) = data.as_object() else {
        let remedy = "name the path of a KV v2 engine as vault.kv".to_owned();
        return failed("an answer without data.data", "the engine is not KV version 2", remedy);
    };
    let (mut missing, mut no_maps, mut not_judged) = (Vec::new(), Vec::new(), Vec::new());
    for reading in readings {
        let Some(property) = &reading.property else { continue };
        match found(data, property) {
            Lookup::Missing => missing.push(property.escape_debug().to_string()),
            Lookup::Found(value) if reading.is_map && !is_map(value) => {
                no_maps.push(property.escape_debug().to_string());
            }
            Lookup::Found(_) => {}
            Lookup::NotJudged => not_judged.push(property),
        }
    }
    let remedy =
        || format!("`vault kv patch -mount={kv} …`: give it the members that it has on the other side");
    if !missing.is_empty() {
        let cause = "ExternalSecrets read members that the secret does not have on this side";
        return of_the_thing(&format!("no {}", missing.join(", ")), cause, remedy());
    }
    if !no_maps.is_empty() {
        let seen = format!("no map: {}", no_maps.join(", "));
        return of_the_thing(&seen, "dataFrom.extract takes the members of a map", remedy());
    }
    let bytes: usize = fields.values().map(length).sum();
    let members = if fields.len() == 1 { "1 field".to_owned() } else { format!("{} fields", fields.len()) };
    let mut findings = vec![Finding::passed(READ, subject.clone(), format!("{members}, {bytes} bytes"))];
    findings.extend(not_judged.into_iter().map(|property| {
        let subject = format!("property {} in the {subject}", property.escape_debug());
        Finding::skipped(
            PROPERTY,
            subject,
            "not proved: keyless follows paths of members only, and this one says more",
        )
    }));
    findings
}

/// As the Vault provider of External Secrets Operator looks: a member of that very name first, then a path.
fn found<'a>(data: &'a Value, property: &str) -> Lookup<'a> {
    data.get(property).map_or_else(|| path(data, property), Lookup::Found)
}

fn length(value: &Value) -> usize {
    value.as_str().map_or_else(|| value.to_string().len(), str::len)
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
