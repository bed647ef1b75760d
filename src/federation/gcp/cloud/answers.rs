//! PURE. What Google's answers say. An answer of another form than the documented one says nothing.

use std::collections::BTreeSet;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::Value;

use super::super::{
    key::{Name, fingerprint, is_time},
    wanted::subjects,
};

/// A user-managed key of a service account.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UserKey {
    pub(super) name: Name,
    pub(super) created: Option<String>,
    /// `None`: it has no end.
    pub(super) expires: Option<String>,
    pub(super) is_disabled: bool,
    pub(super) is_uploaded: bool,
}

/// How IAM writes that a key has no end.
const NEVER: &str = "9999-12-31T23:59:59Z";

/// `projects.serviceAccounts.keys.list` for this account; `Err`: why it is not that.
pub(super) fn keys(answer: &Value, email: &str) -> Result<Vec<UserKey>, &'static str> {
    let Some(members) = answer.as_object() else { return Err("it is no JSON object") };
    if members.keys().any(|name| name != "keys") {
        return Err("it has members that a list of keys has not");
    }
    let keys = match members.get("keys") {
        None => return Ok(Vec::new()),
        Some(keys) => keys.as_array().ok_or("its keys are no list")?,
    };
    let mut ids = BTreeSet::new();
    let mut all = Vec::new();
    for key in keys {
        let name = key["name"].as_str().and_then(|name| Name::parse(name).ok());
        let name = name.filter(|name| name.email == email).ok_or("it lists a key of another account")?;
        match key["keyType"].as_str() {
            Some("USER_MANAGED") => {}
            // Google holds these, and replaces them.
            Some("SYSTEM_MANAGED") => continue,
            _ => return Err("it lists a key of a type that is not known"),
        }
        if !ids.insert(name.id.clone()) {
            return Err("it lists a key twice");
        }
        let time = |member: &str| key[member].as_str().filter(|time| is_time(time)).map(str::to_owned);
        let is_disabled = match &key["disabled"] {
            Value::Null => false,
            Value::Bool(disabled) => *disabled,
            _ => return Err("whether a key is disabled is neither yes nor no"),
        };
        all.push(UserKey {
            name,
            created: time("validAfterTime"),
            expires: time("validBeforeTime").filter(|time| time != NEVER),
            is_disabled,
            is_uploaded: key["keyOrigin"] == "USER_PROVIDED",
        });
    }
    Ok(all)
}

/// The public half in `projects.serviceAccounts.keys.get`, as the audit names that of a key which it finds.
pub(super) fn public_half(answer: &Value, name: &Name) -> Option<String> {
    let is_it = answer["name"].as_str().and_then(|it| Name::parse(it).ok()).is_some_and(|it| it == *name);
    let pem = STANDARD.decode(answer["publicKeyData"].as_str().filter(|_| is_it)?).ok()?;
    let kid = fingerprint(std::str::from_utf8(&pem).ok()?)?;
    let digest = URL_SAFE_NO_PAD.decode(kid).ok()?;
    Some(format!("key:sha256:{}", crate::hex::hex(&digest)))
}

/// An HMAC key of a service account.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HmacKey {
    pub(super) id: String,
    pub(super) created: Option<String>,
    pub(super) is_active: bool,
}

/// One page of `storage.projects.hmacKeys.list`, and the token of the next.
pub(super) fn hmac_keys(answer: &Value, email: &str) -> Result<(Vec<HmacKey>, Option<String>), &'static str> {
    if answer["kind"] != "storage#hmacKeysMetadata" {
        return Err("it does not call itself a list of HMAC keys");
    }
    let items = match &answer["items"] {
        Value::Null => &Vec::new(),
        Value::Array(items) => items,
        _ => return Err("its items are no list"),
    };
    let mut all = Vec::new();
    for item in items {
        if item["serviceAccountEmail"] != email {
            return Err("it lists a key of another account");
        }
        let is_active = match item["state"].as_str() {
            Some("ACTIVE") => true,
            Some("INACTIVE") => false,
            // It cannot be brought back.
            Some("DELETED") => continue,
            _ => return Err("it lists a key in a state that is not known"),
        };
        let plain = |id: &&str| id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let id = item["accessId"].as_str().filter(plain).filter(|id| !id.is_empty());
        let id = id.ok_or("it lists a key without an ID")?.to_owned();
        let created = item["timeCreated"].as_str().filter(|time| is_time(time)).map(str::to_owned);
        all.push(HmacKey { id, created, is_active });
    }
    let next = match &answer["nextPageToken"] {
        Value::Null => None,
        Value::String(token) if token.is_empty() => None,
        Value::String(token) => Some(token.clone()),
        _ => return Err("the token of its next page is no text"),
    };
    Ok((all, next))
}

/// Whom a provider lets in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admits {
    /// Subjects that its condition names.
    Named,
    /// Every subject of its issuer.
    Anyone,
    /// Its condition is of a form that is not judged here.
    NotKnown,
    /// No subject: it is disabled or deleted.
    None,
}

/// `projects.locations.workloadIdentityPools.providers.get`; `Err`: why it is not that.
pub(super) fn admits(answer: &Value, name: &str) -> Result<Admits, &'static str> {
    if answer["name"] != name {
        return Err("it is no provider of this name");
    }
    if answer["disabled"] == true || answer["state"] == "DELETED" {
        return Ok(Admits::None);
    }
    let condition = match &answer["attributeCondition"] {
        Value::Null => "",
        Value::String(condition) => condition.trim(),
        _ => return Err("its condition is no text"),
    };
    Ok(match condition {
        "" | "true" => Admits::Anyone,
        _ if subjects(condition).is_some_and(|subjects| !subjects.is_empty()) => Admits::Named,
        _ if is_one_subject("assertion.sub", condition) => Admits::Named,
        // It is what the mapping makes it.
        _ if answer["attributeMapping"]["google.subject"] == "assertion.sub"
            && is_one_subject("google.subject", condition) =>
        {
            Admits::Named
        }
        // Nothing of it is about who it is.
        _ if !["assertion", "google.subject", "attribute."].iter().any(|word| condition.contains(word)) => {
            Admits::Anyone
        }
        _ => Admits::NotKnown,
    })
}

/// `assertion.sub == "system:serviceaccount:NAMESPACE:NAME"`.
fn is_one_subject(name: &str, condition: &str) -> bool {
    let rest = condition.strip_prefix(name);
    let value = rest.and_then(|rest| rest.trim_start().strip_prefix("==")).map(str::trim);
    let quoted = ["\"", "'"].iter().find_map(|quote| value?.strip_prefix(quote)?.strip_suffix(quote));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":-._".contains(&byte);
    quoted.is_some_and(|subject| !subject.is_empty() && subject.bytes().all(plain))
}

#[cfg(test)]
#[path = "answers_tests.rs"]
mod tests;
