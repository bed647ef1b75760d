//! PURE. What the server's answers say. An answer of another form than the documented one says nothing.
//! <https://developer.hashicorp.com/vault/api-docs/auth/token>, <https://developer.hashicorp.com/vault/api-docs/auth/approle>

use std::collections::BTreeSet;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value};

type Data = Map<String, Value>;

/// How a secret ID without an end writes it.
const NEVER: &str = "0001-01-01T00:00:00Z";
/// What ends later is long-lived: 768 hours, the most that Vault gives unless its settings say otherwise.
pub(super) const LONG: u64 = 768 * 3600;
/// Longer names are cut off where they are shown.
const MOST_SHOWN: usize = 80;

/// The names of a list.
pub(super) fn keys(data: &Data) -> Result<Vec<String>, &'static str> {
    let keys = data.get("keys").and_then(Value::as_array).ok_or("it holds no list of keys")?;
    keys.iter().map(|key| key.as_str().map(str::to_owned).ok_or("one of its keys is no text")).collect()
}

/// The accessor of the token that asks; empty: it is a batch token, which has none. `None`, that nothing is known of it,
/// is no answer of Vault, but of something before it.
pub(super) fn own_accessor(data: Option<&Data>) -> Result<&str, &'static str> {
    let data = data.ok_or("it knows nothing of the token that asks")?;
    data.get("accessor").and_then(Value::as_str).ok_or("it names no accessor of the token that asks")
}

/// `lookup-self`: who asks. The token itself, which is part of the answer, is not looked at.
pub(super) fn caller(data: Option<&Data>) -> Result<String, String> {
    let text = |name: &str| {
        let text = data.and_then(|data| data.get(name)?.as_str()).filter(|text| !text.is_empty());
        text.map(|text| text.escape_debug().take(512).collect::<String>())
    };
    let name = text("display_name").ok_or("the answer to auth/token/lookup-self has no display name")?;
    Ok(match text("entity_id") {
        Some(entity) => format!("{name} (entity {entity})"),
        None => name,
    })
}

/// Whether this can be the list of the root namespace. A batch token is in no list, but was made by one that is.
pub(super) fn root_tokens(own: &str, accessors: &BTreeSet<String>) -> Result<(), &'static str> {
    match own {
        "" if accessors.is_empty() => Err("it is empty"),
        "" => Ok(()),
        own if accessors.contains(own) => Ok(()),
        _ => Err("the token that asks is not in it"),
    }
}

/// A token, as its accessor tells it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) lasts: Lasts,
    /// `policies: root; display name: token; created in 2026 by auth/token/root`.
    pub(super) shown: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lasts {
    /// It may do everything.
    Root,
    /// Nothing ends it.
    Forever,
    /// It lives as long as it is renewed in time: so many seconds.
    Renewed(u64),
    /// It has an end, and a late one.
    Until(String),
    Ends,
}

pub(super) fn token(data: &Data, accessor: &str) -> Result<Token, &'static str> {
    if data.get("accessor").and_then(Value::as_str) != Some(accessor) {
        return Err("it is about another token");
    }
    let policies = data.get("policies").and_then(Value::as_array).ok_or("it lists no policies")?;
    let policies: Option<Vec<&str>> = policies.iter().map(Value::as_str).collect();
    let policies = policies.ok_or("one of its policies is no text")?;
    let ttl = data.get("ttl").and_then(Value::as_u64).ok_or("it does not say how long the token lives")?;
    let end = match data.get("expire_time").ok_or("it does not say when the token ends")? {
        Value::Null => None,
        Value::String(end) if is_time(end) => Some(end),
        _ => return Err("when the token ends is no time"),
    };
    let number = |member: &str| data.get(member).and_then(Value::as_u64).unwrap_or_default();
    // So long it can be renewed. Without it, the settings of the server bound it.
    let is_renewed = data.get("renewable") == Some(&Value::Bool(true)) || number("period") > 0;
    let renewed = if is_renewed { number("explicit_max_ttl") } else { 0 };
    let lasts = match () {
        () if policies.contains(&"root") => Lasts::Root,
        () if ttl == 0 && end.is_none() => Lasts::Forever,
        // That of a login too: its role may say that it is periodic.
        () if end.is_some() && number("period") > 0 && number("explicit_max_ttl") == 0 => {
            Lasts::Renewed(number("period"))
        }
        () => match end {
            None => return Err("it says that the token has an end, and not when"),
            Some(end) if ttl > LONG => Lasts::Until(end.clone()),
            Some(_) if renewed > LONG => {
                Lasts::Until(crate::rfc3339::rfc3339(number("creation_time").saturating_add(renewed)))
            }
            Some(_) => Lasts::Ends,
        },
    };
    let mut shown =
        format!("policies {}", policies.iter().map(|it| plain(it)).collect::<Vec<_>>().join(", "));
    for (title, member) in [("display name", "display_name"), ("made by", "path")] {
        if let Some(text) = data.get(member).and_then(Value::as_str).filter(|text| !text.is_empty()) {
            shown.push_str(&format!("; {title} {}", plain(text)));
        }
    }
    if let Some(created) = data.get("creation_time").and_then(Value::as_u64).filter(|time| *time > 0) {
        shown.push_str(&format!("; created {}", crate::rfc3339::rfc3339(created)));
    }
    Ok(Token { lasts, shown })
}

/// A role of AppRole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AppRole {
    /// A login takes a secret ID.
    pub(super) is_bound: bool,
    /// New secret IDs have an end.
    pub(super) has_end: bool,
}

pub(super) fn app_role(data: &Data) -> Result<AppRole, &'static str> {
    let is_bound = data.get("bind_secret_id").and_then(Value::as_bool);
    let ttl = data.get("secret_id_ttl").and_then(Value::as_u64);
    Ok(AppRole {
        is_bound: is_bound.ok_or("it does not say whether a login takes a secret ID")?,
        has_end: ttl.ok_or("it does not say how long secret IDs live")? > 0,
    })
}

/// When a secret ID ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    Never,
    Late(String),
    Soon,
}

/// A secret ID of a role.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SecretId {
    pub(super) ends: Ends,
    /// `created TIME; used any number of times`.
    pub(super) shown: String,
}

/// `now` in seconds since 1970.
pub(super) fn secret_id(data: &Data, accessor: &str, now: i64) -> Result<SecretId, &'static str> {
    let text = |member: &str| data.get(member).and_then(Value::as_str);
    if text("secret_id_accessor") != Some(accessor) {
        return Err("it is about another secret ID");
    }
    let end = text("expiration_time").filter(|time| is_time(time)).ok_or("it does not say when it ends")?;
    let ends = match end.parse::<Timestamp>() {
        _ if end == NEVER => Ends::Never,
        Ok(time) if time.as_second().saturating_sub_unsigned(LONG) > now => Ends::Late(end.to_owned()),
        Ok(_) => Ends::Soon,
        Err(_) => return Err("when it ends is no time"),
    };
    let uses = data.get("secret_id_num_uses").and_then(Value::as_u64);
    let uses = uses.ok_or("it does not say how often it can be used")?;
    let created = text("creation_time").filter(|time| is_time(time));
    let mut shown: Vec<_> = created.iter().map(|time| format!("created {time}")).collect();
    shown.push(match uses {
        0 => "it can be used any number of times".to_owned(),
        1 => "it can be used once more".to_owned(),
        uses => format!("it can be used {uses} times more"),
    });
    // Each use of one that can be used so many times is written down; of others Vault keeps none.
    match text("last_updated_time").filter(|time| uses > 0 && is_time(time) && Some(*time) != created) {
        Some(time) => shown.push(format!("used last {time}")),
        None if uses > 0 => {}
        None => shown.push("Vault does not keep when it was used last".to_owned()),
    }
    Ok(SecretId { ends, shown: shown.join("; ") })
}

/// Whom a role takes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// One ServiceAccount, or some that are named.
    Named,
    /// More than one, of a namespace or some that are named.
    Namespace(&'static str),
    /// What it says is not judged here.
    NotKnown(&'static str),
    Anyone(&'static str),
}

/// A role of the JWT method.
pub(super) fn jwt_role(data: &Data) -> Result<Takes, &'static str> {
    match data.get("role_type").and_then(Value::as_str).ok_or("it is no role of the JWT method")? {
        "jwt" => {}
        _ => return Ok(Takes::NotKnown("it is for logins in a browser")),
    }
    match data.get("bound_subject") {
        None | Some(Value::Null) => {}
        Some(Value::String(subject)) if subject.is_empty() => {}
        Some(Value::String(_)) => return Ok(Takes::Named),
        Some(_) => return Err("its subject is no text"),
    }
    let glob = match data.get("bound_claims_type").and_then(Value::as_str) {
        None | Some("string" | "") => false,
        Some("glob") => true,
        Some(_) => return Err("how its claims are compared is not known"),
    };
    let claims = match data.get("bound_claims") {
        None | Some(Value::Null) => return Ok(Takes::Anyone("it binds no subject and no claim")),
        Some(Value::Object(claims)) => claims,
        Some(_) => return Err("its claims are no map"),
    };
    let mut is_other = false;
    let (mut namespaces, mut names) = (None, None);
    for (claim, value) in claims {
        let values: Vec<&str> = match value {
            Value::String(text) => vec![text],
            Value::Array(items) => items
                .iter()
                .map(Value::as_str)
                .collect::<Option<_>>()
                .ok_or("one of its claims is no text")?,
            _ => return Err("one of its claims is no text"),
        };
        let wild = |text: &&str| glob && text.contains('*');
        let width = match () {
            () if !values.iter().any(wild) => Width::Exact,
            () => Width::Wild,
        };
        match claim.trim_start_matches('/') {
            "sub" if width == Width::Exact => return Ok(Takes::Named),
            "sub" if values.iter().all(|value| is_of_namespace(value)) => namespaces = Some(Width::Exact),
            "sub" => {}
            "kubernetes.io/serviceaccount/uid" if width == Width::Exact => return Ok(Takes::Named),
            "kubernetes.io/serviceaccount/name" => names = Some(width),
            "kubernetes.io/namespace" => namespaces = Some(width),
            "aud" | "iss" => {}
            _ => is_other = true,
        }
    }
    Ok(match (namespaces, names) {
        (Some(Width::Exact), Some(Width::Exact)) => Takes::Named,
        (Some(Width::Exact), _) => Takes::Namespace("it takes every ServiceAccount of a namespace"),
        _ if is_other => Takes::NotKnown("whom its claims take was not judged"),
        (_, Some(Width::Exact)) => Takes::Anyone("it takes a ServiceAccount of that name in any namespace"),
        _ => Takes::Anyone("no claim that it binds names a ServiceAccount"),
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Exact,
    Wild,
}

/// `system:serviceaccount:NAMESPACE:` and a pattern.
fn is_of_namespace(subject: &str) -> bool {
    let rest = subject.strip_prefix("system:serviceaccount:");
    rest.and_then(|rest| rest.split_once(':'))
        .is_some_and(|(namespace, _)| !namespace.contains('*') && !namespace.is_empty())
}

/// A role of the Kubernetes method.
pub(super) fn kubernetes_role(data: &Data) -> Result<Takes, &'static str> {
    let list = |member: &str| -> Result<Vec<&str>, &'static str> {
        match data.get(member) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                items.iter().map(Value::as_str).collect::<Option<_>>().ok_or("one of its names is no text")
            }
            Some(_) => Err("its names are no list"),
        }
    };
    let names = list("bound_service_account_names")?;
    let namespaces = list("bound_service_account_namespaces")?;
    let selects = data.get("bound_service_account_namespace_selector").and_then(Value::as_str);
    let selects = selects.is_some_and(|selector| !selector.is_empty());
    let wild = |texts: &[&str]| texts.iter().any(|text| text.contains('*'));
    Ok(match () {
        () if names.is_empty() => return Err("it names no ServiceAccounts"),
        () if namespaces.contains(&"*") && names.contains(&"*") => {
            Takes::Anyone("it takes every ServiceAccount of every namespace")
        }
        () if namespaces.contains(&"*") => {
            Takes::Anyone("it takes ServiceAccounts of these names in any namespace")
        }
        () if wild(&namespaces) || selects || namespaces.is_empty() => {
            Takes::NotKnown("it names namespaces by a pattern or a selector, which was not judged")
        }
        () if wild(&names) => Takes::Namespace("it takes ServiceAccounts of a namespace by a pattern"),
        () => Takes::Named,
    })
}

/// RFC 3339, and nothing that a terminal could take for more.
fn is_time(text: &str) -> bool {
    (10..=40).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit() || b"TZ:.+-".contains(&byte))
}

/// A name from the server, short and without control characters.
pub(super) fn plain(text: &str) -> String {
    text.chars().take(MOST_SHOWN).collect::<String>().escape_debug().to_string()
}

#[cfg(test)]
#[path = "answers_tests.rs"]
mod tests;
