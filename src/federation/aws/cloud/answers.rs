//! PURE. What the answers of IAM and STS say. An answer of another form than the documented one says nothing.

use std::collections::BTreeMap;

use super::super::key::{is_id, is_time};
use crate::xml::Element;

/// An access key of an IAM user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AccessKey {
    pub(super) is_active: bool,
    pub(super) created: Option<String>,
}

/// Whose an access key is, and when it was used last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LastUsed {
    pub(super) user: String,
    /// `None`: never, as far as AWS knows.
    pub(super) at: Option<String>,
}

/// `GetCallerIdentity`, or `GetAccessKeyInfo`: the account.
pub(super) fn account(answer: &Element, action: &str) -> Result<String, &'static str> {
    let account = answer.text_at(&[&format!("{action}Result"), "Account"]).unwrap_or_default();
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    is_account.then(|| account.to_owned()).ok_or("it names no account")
}

/// `GetCallerIdentity`: who asks.
pub(super) fn caller(answer: &Element) -> Result<String, String> {
    let arn = answer.text_at(&["GetCallerIdentityResult", "Arn"]).unwrap_or_default();
    let is_arn = arn.starts_with("arn:")
        && arn.len() <= 2048
        && arn.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/_+=,.@-".contains(&byte));
    is_arn
        .then(|| arn.to_owned())
        .ok_or_else(|| "the answer to sts:GetCallerIdentity names no ARN".to_owned())
}

/// `GetAccessKeyLastUsed`.
pub(super) fn last_used(answer: &Element) -> Result<LastUsed, &'static str> {
    let result = answer.get("GetAccessKeyLastUsedResult").ok_or("it has no result")?;
    let user = result.text_at(&["UserName"]).filter(|user| is_user(user)).ok_or("it names no IAM user")?;
    let at = match result.text_at(&["AccessKeyLastUsed", "LastUsedDate"]) {
        None | Some("" | "N/A") => None,
        Some(time) if is_time(time) => Some(time.to_owned()),
        Some(_) => return Err("the time of its last use is none"),
    };
    Ok(LastUsed { user: user.to_owned(), at })
}

/// One page of `ListAccessKeys` for this user is added to `all`; gives the marker of the next page.
pub(super) fn keys(
    answer: &Element,
    user: &str,
    all: &mut BTreeMap<String, AccessKey>,
) -> Result<Option<String>, &'static str> {
    let result = answer.get("ListAccessKeysResult").ok_or("it has no result")?;
    if result.get("AccessKeyMetadata").is_none() {
        return Err("it has no list of keys");
    }
    for key in result.members("AccessKeyMetadata") {
        if key.text_at(&["UserName"]) != Some(user) {
            return Err("it lists a key of another user");
        }
        let id =
            key.text_at(&["AccessKeyId"]).filter(|id| is_id(id)).ok_or("it lists a key without an ID")?;
        let is_active = match key.text_at(&["Status"]) {
            Some("Active") => true,
            Some("Inactive") => false,
            _ => return Err("it lists a key in a state that is not known"),
        };
        let created = key.text_at(&["CreateDate"]).filter(|time| is_time(time)).map(str::to_owned);
        if all.insert(id.to_owned(), AccessKey { is_active, created }).is_some() {
            return Err("it lists a key twice");
        }
    }
    let marker = result.text_at(&["Marker"]).filter(|marker| !marker.is_empty());
    match (result.text_at(&["IsTruncated"]), marker) {
        (Some("false"), _) => Ok(None),
        (Some("true"), Some(marker)) => Ok(Some(marker.to_owned())),
        (Some("true"), None) => Err("it is cut short, and does not say where it goes on"),
        _ => Err("it does not say whether it is the whole list"),
    }
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_User.html>
pub(super) fn is_user(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte))
}

#[cfg(test)]
#[path = "answers_tests.rs"]
mod tests;
