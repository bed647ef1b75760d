//! PURE. The policy of a role, read statement by statement: which of them keyless wrote, and which must stay as they are.
//!
//! A statement of ours has a `Sid` that is a digest of everything else in it. So one that a person changed is told from one
//! that keyless wrote, wherever both have the same form.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::{
    Settings, names,
    policy::{ANY, Given, OF_DOCUMENTS, given_by_keyless, kms_via, searches},
};
use crate::hex::hex;

/// The version of the language that all of ours are written in.
pub(super) const VERSION: &str = "2012-10-17";
/// What each `Sid` of ours begins with.
const OURS: &str = "Keyless";
/// Bytes of the digest in a `Sid`.
const DIGEST: usize = 8;

/// What a policy says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Statements {
    /// By statements of ours.
    pub(super) given: BTreeSet<Given>,
    /// The statements of ours about a customer's key.
    pub(super) kms: Vec<Value>,
    /// Those that keyless did not write, or wrote for another region or service. They stay as they are.
    pub(super) others: Vec<Value>,
}

/// With a `Sid` of ours.
pub(super) fn signed(mut statement: Value) -> Value {
    statement["Sid"] = json!(sid(&statement));
    statement
}

fn sid(statement: &Value) -> String {
    let mut plain = statement.clone();
    if let Some(members) = plain.as_object_mut() {
        members.remove("Sid");
    }
    let of = digest(&SHA256, super::policy::normal(&plain).to_string().as_bytes());
    format!("{OURS}{}", hex(&of.as_ref()[..DIGEST]))
}

/// Whether this looks like a `Sid` of ours.
fn claims_to_be_ours(sid: &str) -> bool {
    sid.strip_prefix(OURS).is_some_and(|rest| {
        rest.len() == 2 * DIGEST && rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// `None`: it cannot be written again without a loss. It is of another form or version, or a statement of ours was
/// changed by hand.
pub(super) fn read(document: &Value, settings: &Settings) -> Option<Statements> {
    let members = document.as_object()?;
    if members.keys().any(|name| !["Version", "Statement"].contains(&name.as_str()))
        || members.get("Version")? != VERSION
    {
        return None;
    }
    let mut all = Statements::default();
    for statement in one_or_many(members.get("Statement")?)? {
        let members = statement.as_object()?;
        let own = members.get("Sid").and_then(Value::as_str).filter(|own| claims_to_be_ours(own));
        match own {
            Some(own) if own != sid(statement) => return None,
            Some(_) => match (gives(statement, settings), is_kms(statement, settings)) {
                (Some(given), _) => all.given.extend(given),
                (None, true) => all.kms.push(statement.clone()),
                (None, false) => all.others.push(statement.clone()),
            },
            None => all.others.push(statement.clone()),
        }
    }
    Some(all)
}

/// What a statement gives that has the form of ours; `None`: it has another form.
fn gives(statement: &Value, settings: &Settings) -> Option<BTreeSet<Given>> {
    let members = statement.as_object()?;
    if members.len() != 4 || members.get("Effect")? != "Allow" {
        return None;
    }
    let (begin, ours, searches) =
        (names::beginning(settings), given_by_keyless(settings.service), searches(settings.service));
    let actions = texts(members.get("Action")?)?;
    let mut all = BTreeSet::new();
    for resource in texts(members.get("Resource")?)? {
        for action in &actions {
            let fits = match resource {
                ANY => searches.contains(action),
                one => one.strip_prefix(&begin).is_some_and(|name| !name.contains('*')),
            };
            let is_document = is_object(resource, settings) && OF_DOCUMENTS.contains(action);
            if !(fits && ours.contains(action) || is_document) {
                return None;
            }
            all.insert((resource.to_owned(), (*action).to_owned()));
        }
    }
    Some(all)
}

/// Whether this names one object of a bucket.
fn is_object(resource: &str, settings: &Settings) -> bool {
    let begin = format!("arn:{}:s3:::", settings.region.partition().name());
    let object = resource.strip_prefix(&begin).and_then(|name| name.split_once('/'));
    object.is_some_and(|(bucket, name)| {
        !bucket.is_empty() && !name.is_empty() && !resource.contains(['*', '?'])
    })
}

/// Whether a statement is ours about a customer's key, for this service and region.
fn is_kms(statement: &Value, settings: &Settings) -> bool {
    let actions = texts(&statement["Action"]).unwrap_or_default();
    let keys = texts(&statement["Resource"]).unwrap_or_default();
    statement.as_object().is_some_and(|members| members.len() == 5)
        && statement["Effect"] == "Allow"
        && statement["Condition"] == kms_via(settings)
        && actions.iter().all(|action| ["kms:Decrypt", "kms:GenerateDataKey"].contains(action))
        && matches!(keys[..], [key] if names::kms_key(settings, key).is_ok())
}

fn one_or_many(value: &Value) -> Option<Vec<&Value>> {
    match value {
        Value::Array(many) => Some(many.iter().collect()),
        Value::Object(_) | Value::String(_) => Some(vec![value]),
        _ => None,
    }
}

fn texts(value: &Value) -> Option<Vec<&str>> {
    one_or_many(value)?.into_iter().map(Value::as_str).collect()
}

#[cfg(test)]
#[path = "statements_tests.rs"]
mod tests;
