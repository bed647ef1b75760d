//! PURE. Long-lived access keys of AWS. Temporary ones (ASIA) expire by themselves.

use std::collections::BTreeSet;

use super::super::{
    Class, Finds, Halves, Kind, Part, Same, Severity, Who,
    marks::mark,
    text::{is_base64, is_hex, is_placeholder, words},
};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL111",
    id: "aws-key",
    class: Class::Root,
    severity: Severity::Critical,
    title: "a long-lived access key of AWS",
    recognised: "AKIA and 16 letters or digits, with a secret of 40 characters in the same object; or that secret under its own name. It is named by its ID.",
    remedy: "Let the workload assume a role with its own token (AssumeRoleWithWebIdentity); then aws iam update-access-key --status Inactive, and delete it.",
    find,
};

fn find(part: &Part<'_>, finds: &mut Finds) {
    // Under its own name a value of another length is one as well: something cut it off.
    let is_named = |name: &str| name.contains("secretaccesskey");
    let with_id = part.texts_with(const { mark("AKIA") });
    let ids: Vec<&str> = with_id.flat_map(|text| words(text, "")).filter(|word| is_id(word)).collect();
    let halves = if ids.is_empty() { Halves::new() } else { secret_halves(part, &is_named) };
    if !halves.is_empty() {
        for (id, halves) in paired(&ids, &halves) {
            finds.add_named(&KIND, format!("aws:{id}"), halves, format!("AWS access key {id}"));
        }
        return;
    }
    // The secret half is somewhere else: it is not known whether the key is active, nor who has it.
    for id in ids.iter().filter(|id| !id.ends_with("EXAMPLE")) {
        let what = format!("the ID of the AWS access key {id}, without its secret half");
        finds.add_as(&KIND, Class::NotSeen, Who::Named(format!("aws:{id}")), what);
    }
    // With an ID of another form it is a key of something else that speaks S3, or a temporary one.
    let is_other = |value: &str| !value.is_empty() && !is_id(value);
    let is_of_id = |name: &str| {
        (name.ends_with("accesskeyid") || name.ends_with("accesskey")) && !name.contains("secret")
    };
    if part.named(is_of_id).any(|(_, id)| is_other(id)) {
        return;
    }
    for (_, secret) in part.named(is_named).filter(|(_, value)| is_secret(value)) {
        finds.add(
            &KIND,
            Who::Same(Same::of(secret.as_bytes())),
            "the secret half of an AWS access key".into(),
        );
    }
}

/// IDs with what may be the secret half of each: several beside one ID are several credentials.
pub(super) fn paired<'i>(ids: &[&'i str], halves: &Halves) -> Vec<(&'i str, Halves)> {
    let ids: BTreeSet<&str> = ids.iter().copied().collect();
    match ids.len() {
        1 => ids.iter().flat_map(|id| halves.iter().map(|half| (*id, [half.clone()].into()))).collect(),
        _ => ids.into_iter().map(|id| (id, halves.clone())).collect(),
    }
}

/// What may be the secret half of an ID: the values under a name of one, else whatever has its form.
pub(super) fn secret_halves(part: &Part<'_>, is_named: &dyn Fn(&str) -> bool) -> Halves {
    let half = |value: &str| Who::Same(Same::of(value.as_bytes()));
    let named = part.named(is_named).filter(|(_, value)| value.len() >= 16 && !is_placeholder(value));
    // A line of a text has quotes and commas around the value.
    let bare = |value| words(value, "+/").find(|word| is_secret(word)).unwrap_or(value);
    let named: Halves = named.map(|(_, value)| half(bare(value))).collect();
    if !named.is_empty() {
        return named;
    }
    part.texts().flat_map(|text| words(text, "+/")).filter(|word| is_secret(word)).map(half).collect()
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>
fn is_id(word: &str) -> bool {
    word.len() == 20
        && word.starts_with("AKIA")
        && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// 40 characters of base64. A checksum has as many.
pub(super) fn is_secret(word: &str) -> bool {
    word.len() == 40 && is_base64(word) && !is_hex(word) && !is_placeholder(word)
}
