//! PURE. What a refusal of the server means, and what to do about it.

use http::{Method, header};
use serde_json::Value;

use super::{Settings, wanted};
use crate::{
    error::{Code, Error, Result},
    http::Answer,
    redact,
};

/// What was asked of whom.
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) settings: &'a Settings,
}

impl Asked<'_> {
    fn refused(&self, code: Code, how: &str, reply: &str) -> Error {
        let Self { method, path, settings } = self;
        let place = settings.namespace.as_ref().map(|name| format!(" in the namespace {name}"));
        let place = place.unwrap_or_default();
        Error::failed(code, format!("{} {how} {method} {path}{place}", settings.address)).caused_by(reply)
    }
}

const LOG_IN: &str =
    "VAULT_TOKEN=$(vault print token), or BAO_TOKEN=$(bao print token), after `vault login` or `bao login`";

/// None is given, or a text that no header can hold.
pub(super) fn no_token() -> Error {
    Error::failed(Code::VaultNoToken, "there is no usable token for Vault in VAULT_TOKEN or BAO_TOKEN")
        .hint(LOG_IN)
}

/// The refusal that an answer is. `health` is what `sys/health` says.
pub(super) fn of(asked: &Asked<'_>, answer: &Answer, body: &Value, health: &Value) -> Error {
    let reply = reply(body);
    let address = &asked.settings.address;
    match answer.status {
        403 if is_unknown_token(body) => asked
            .refused(Code::VaultToken, "does not know the token, for", &reply)
            .hint(format!("it has expired, was revoked, or is of another server; {LOG_IN}"))
            .hint("check vault.address and vault.namespace as well: the message is the same where nothing is mounted"),
        403 => forbidden(asked, &reply),
        _ if health.get("initialized") == Some(&Value::Bool(false)) => {
            Error::failed(Code::VaultNotInitialized, format!("{address} has not been initialised"))
                .caused_by(reply)
                .hint("`bao operator init` or `vault operator init`, then unseal it; nothing was changed")
        }
        _ if health.get("sealed") == Some(&Value::Bool(true)) || reply.contains("is sealed") => {
            Error::failed(Code::VaultSealed, format!("{address} is sealed"))
                .caused_by(reply)
                .hint("unseal it (`bao operator unseal`, `vault operator unseal`), then start again; nothing was changed")
        }
        301..=308 | 472 | 473 => {
            let active = answer.header(header::LOCATION).and_then(|to| url::Url::parse(to).ok());
            let active = active.map(|url| url.origin().ascii_serialization());
            Error::failed(Code::VaultStandby, format!("{address} is a standby that passes requests on to another server"))
                .caused_by(reply)
                .hint(match active {
                    // A token goes to no address that was not given.
                    Some(active) => format!("give the active server's address as vault.address: it names {active}"),
                    None => "give the active server's address as vault.address".to_owned(),
                })
        }
        400 if reply.contains("path is already in use") => {
            asked.refused(Code::VaultMountInUse, "refuses", &reply).hint("choose another path: vault.mount")
        }
        408 | 412 | 429 | 500 | 502..=504 => asked
            .refused(Code::VaultBusy, &format!("answers with status {} to", answer.status), &reply)
            .hint("look at the server's log and at any proxy before it, then start again"),
        _ => asked
            .refused(Code::VaultRefused, &format!("answers with status {} to", answer.status), &reply)
            .hint("look at the server's log; `curl` the same path to compare"),
    }
}

/// A token without the right gets 403 as well, but as a list of errors.
fn is_unknown_token(body: &Value) -> bool {
    let errors = body.get("errors").and_then(Value::as_array);
    let mut errors = errors.into_iter().flatten().filter_map(Value::as_str);
    errors.any(|text| {
        text.trim() == "permission denied" || text.contains("invalid token") || text == "bad token"
    })
}

fn forbidden(asked: &Asked<'_>, reply: &str) -> Error {
    let path = asked.path.split('?').next().unwrap_or(asked.path);
    let Asked { method, settings, .. } = asked;
    let capability = match **method {
        Method::DELETE => "delete",
        Method::GET => "read",
        _ => "create and update",
    };
    asked
        .refused(Code::VaultForbidden, "does not allow", reply)
        .hint(needed_on(settings, path, capability))
        .hint(whole_policy(settings))
}

/// `otherwise`: of a path that keyless asks for no more of.
pub(super) fn needed_on(settings: &Settings, path: &str, otherwise: &str) -> String {
    let known = wanted::rights(settings).into_iter().find(|(of, _)| of == path);
    let needs = known.map_or_else(|| otherwise.to_owned(), |(_, capabilities)| capabilities.join(", "));
    format!("the token needs on {path}: {needs}")
}

/// What grants all that keyless asks for.
pub(super) fn whole_policy(settings: &Settings) -> String {
    let policy: Vec<_> = wanted::rights(settings)
        .into_iter()
        .map(|(path, capabilities)| {
            let capabilities: Vec<_> = capabilities.iter().map(|one| format!("\"{one}\"")).collect();
            format!("path \"{path}\" {{ capabilities = [{}] }}", capabilities.join(", "))
        })
        .collect();
    let place = match &settings.namespace {
        // A policy of the root namespace is read from there.
        Some(name) => {
            format!(" (written in the namespace {name}; in the root namespace, put {name}/ before each path)")
        }
        None => String::new(),
    };
    format!("a policy with all that keyless asks for{place}:\n{}", policy.join("\n"))
}

/// Where a write should have gone there is nothing.
pub(super) fn missing(asked: &Asked<'_>, body: &Value) -> Error {
    asked
        .refused(Code::VaultMissing, "has nothing at", &reply(body))
        .hint("another client deleted it in between: start again")
}

/// Something answers, but not as Vault does.
pub(super) fn not_vault(asked: &Asked<'_>) -> Error {
    asked
        .refused(Code::VaultNotVault, "does not answer as Vault does to", "the answer is not a JSON object")
        .hint("vault.address is the base URL of the API, e.g. https://vault.example.com:8200, without /v1 or /ui")
}

/// 404 is the answer for a path where nothing is, and for a namespace that does not exist.
pub(super) fn refuse_namespace(asked: &Asked<'_>, body: &Value) -> Result<()> {
    let reply = reply(body);
    if reply.contains("namespace not found") {
        return Err(asked.refused(Code::VaultNamespace, "has no such namespace for", &reply).hint(
            "vault.namespace names an existing namespace, e.g. team/prod; leave it out on a server without",
        ));
    }
    Ok(())
}

/// The server's message: one line, short, and without the token, should it send that back.
pub(super) fn reply(body: &Value) -> String {
    let errors = body.get("errors").and_then(Value::as_array);
    let lines: Vec<_> = errors.into_iter().flatten().filter_map(Value::as_str).collect();
    let mut text = lines.join("; ").split_whitespace().collect::<Vec<_>>().join(" ");
    text = text.replace("1 error occurred: * ", "");
    redact::message(&text)
}
