//! PURE. What a right takes at AWS, the policy that gives it, and what a policy of ours gives already.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    Service, Settings, names,
    statements::{self, Statements, VERSION, signed},
};
use crate::{
    error::{Code, Error, Result},
    federation::{Documents, Right, RightKind, Workload},
};

/// The policy in each role. One of another name is none of ours.
pub(super) const NAME: &str = "keyless";
/// Of all policies inside one role, in characters without spaces
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
const LONGEST: usize = 10_240;
/// For actions that take no single resource.
pub(super) const ANY: &str = "*";

/// A resource with one action on it.
pub(super) type Given = (String, String);

/// What a right takes on what it is about.
fn actions(service: Service, kind: RightKind) -> &'static [&'static str] {
    match (service, kind) {
        (Service::SecretsManager, RightKind::Read) => &["secretsmanager:GetSecretValue"],
        (Service::SecretsManager, RightKind::Metadata) => &["secretsmanager:DescribeSecret"],
        // The operator reads each page of values at once.
        (Service::SecretsManager, RightKind::Find | RightKind::FindByTags) => {
            &["secretsmanager:BatchGetSecretValue", "secretsmanager:ListSecrets"]
        }
        // Each change of a value ends with the removal of its resource policy.
        (Service::SecretsManager, RightKind::Push) => &[
            "secretsmanager:CreateSecret",
            "secretsmanager:DeleteResourcePolicy",
            "secretsmanager:DescribeSecret",
            "secretsmanager:GetSecretValue",
            "secretsmanager:PutSecretValue",
            "secretsmanager:TagResource",
        ],
        (Service::SecretsManager, RightKind::Update) => {
            &["secretsmanager:DescribeSecret", "secretsmanager:TagResource", "secretsmanager:UntagResource"]
        }
        (Service::SecretsManager, RightKind::Delete) => {
            &["secretsmanager:DeleteSecret", "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
        }
        (Service::ParameterStore, RightKind::Read) => &["ssm:GetParameter"],
        (Service::ParameterStore, RightKind::Metadata) => &["ssm:ListTagsForResource"],
        (Service::ParameterStore, RightKind::Find | RightKind::FindByTags) => &["ssm:DescribeParameters"],
        (Service::ParameterStore, RightKind::Push) => {
            &["ssm:AddTagsToResource", "ssm:GetParameter", "ssm:ListTagsForResource", "ssm:PutParameter"]
        }
        (Service::ParameterStore, RightKind::Update) => {
            &["ssm:AddTagsToResource", "ssm:ListTagsForResource", "ssm:RemoveTagsFromResource"]
        }
        (Service::ParameterStore, RightKind::Delete) => {
            &["ssm:DeleteParameter", "ssm:GetParameter", "ssm:ListTagsForResource"]
        }
        // They are read by their name, with the right to read.
        (_, RightKind::Versions) => &[],
    }
}

const KINDS: [RightKind; 7] = [
    RightKind::Read,
    RightKind::Metadata,
    RightKind::Find,
    RightKind::FindByTags,
    RightKind::Push,
    RightKind::Update,
    RightKind::Delete,
];

/// What these rights take.
pub(super) fn gives<'a>(
    rights: impl IntoIterator<Item = &'a Right>,
    settings: &Settings,
) -> Result<BTreeSet<Given>> {
    let mut all = BTreeSet::new();
    for right in rights {
        let on = match right.secret() {
            Some(secret) => names::arn(settings, secret)?,
            None => ANY.to_owned(),
        };
        let actions = actions(settings.service, right.kind);
        all.extend(actions.iter().map(|action| (on.clone(), (*action).to_owned())));
    }
    Ok(all)
}

/// What it takes to keep the documents: they are read, and written under a condition. An object has no region and no account
/// in its name.
pub(super) fn of_documents(documents: &Documents, settings: &Settings) -> BTreeSet<Given> {
    let partition = settings.region.partition().name();
    let arn = |object: &String| format!("arn:{partition}:s3:::{}/{object}", documents.bucket);
    let of_one = |arn: String| OF_DOCUMENTS.iter().map(move |action| (arn.clone(), (*action).to_owned()));
    documents.objects.iter().map(arn).flat_map(of_one).collect()
}

/// Whether a policy is one of a publisher, as far as it can be read.
pub(super) fn names_documents(policy: &Value, settings: &Settings) -> bool {
    let given = statements::read(policy, settings).unwrap_or_default().given;
    given.iter().any(is_of_documents)
}

/// Whether this is given on an object of a bucket.
pub(super) fn is_of_documents((_, action): &Given) -> bool {
    OF_DOCUMENTS.contains(&action.as_str())
}

/// What statements of ours may give on objects of a bucket.
pub(super) const OF_DOCUMENTS: [&str; 2] = ["s3:GetObject", "s3:PutObject"];

/// What statements of ours may give on single resources.
pub(super) fn given_by_keyless(service: Service) -> BTreeSet<&'static str> {
    KINDS.iter().flat_map(|kind| actions(service, *kind)).copied().collect()
}

/// What they may give on all.
pub(super) fn searches(service: Service) -> &'static [&'static str] {
    actions(service, RightKind::Find)
}

/// The policy that gives exactly this, beside the statements that keyless did not write.
pub(super) fn document(settings: &Settings, given: &BTreeSet<Given>, others: &[Value]) -> Result<Value> {
    let mut statements = own_statements(settings, given);
    statements.extend_from_slice(others);
    let document = json!({ "Version": VERSION, "Statement": statements });
    let length = document.to_string().len();
    if length > LONGEST {
        return Err(Error::failed(
            Code::AwsPolicyTooLong,
            format!(
                "the policy of the role {} would have {length} characters, and AWS takes {LONGEST}",
                settings.role
            ),
        )
        .hint("let some of the stores log in with ServiceAccounts of their own: each gets a role of its own")
        .hint("or take back what no object asks for: keyless setup --revoke-unused"));
    }
    Ok(document)
}

fn own_statements(settings: &Settings, given: &BTreeSet<Given>) -> Vec<Value> {
    let mut by_resource: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (resource, action) in given {
        by_resource.entry(resource).or_default().push(action);
    }
    let mut by_actions: BTreeMap<Vec<&str>, Vec<&str>> = BTreeMap::new();
    for (resource, actions) in by_resource {
        by_actions.entry(actions).or_default().push(resource);
    }
    let statements = by_actions
        .into_iter()
        .map(|(actions, resources)| json!({ "Effect": "Allow", "Action": actions, "Resource": resources }));
    statements.chain(kms(settings, given)).map(signed).collect()
}

/// Whether a policy gives exactly this by statements of ours.
pub(super) fn is_given(settings: &Settings, given: &BTreeSet<Given>, have: &Statements) -> bool {
    let kms: Vec<_> = kms(settings, given).map(signed).into_iter().collect();
    have.given == *given && have.kms == kms
}

/// The use of the customer's key, through the service alone.
fn kms(settings: &Settings, given: &BTreeSet<Given>) -> Option<Value> {
    let key = settings.kms_key.as_ref().filter(|_| !given.iter().all(is_of_documents))?;
    let writes = given
        .iter()
        .any(|(_, action)| action.ends_with(":CreateSecret") || action.ends_with(":PutParameter"));
    let actions = if writes { vec!["kms:Decrypt", "kms:GenerateDataKey"] } else { vec!["kms:Decrypt"] };
    Some(json!({
        "Effect": "Allow", "Action": actions, "Resource": [key], "Condition": kms_via(settings),
    }))
}

/// The condition that a customer's key is used through the service.
pub(super) fn kms_via(settings: &Settings) -> Value {
    let region = &settings.region;
    let via =
        format!("{}.{}.{}", settings.service.api().name(), region.as_str(), region.partition().domain());
    json!({ "StringEquals": { "kms:ViaService": via } })
}

/// Documents that the publisher could write before those of this run.
pub(super) fn of_former_documents(
    workload: &Workload,
    settings: &Settings,
    held: &BTreeSet<Given>,
) -> BTreeSet<Given> {
    let Some(documents) = workload.documents() else { return BTreeSet::new() };
    let now = of_documents(documents, settings);
    held.iter().filter(|it| is_of_documents(it) && !now.contains(*it)).cloned().collect()
}

/// What becomes of what the policy gives: all that it shall give, and the part of it that this run does not ask for.
pub(super) fn given_and_kept(
    workload: &Workload,
    settings: &Settings,
    held: &BTreeSet<Given>,
) -> Result<(BTreeSet<Given>, BTreeSet<Given>)> {
    let documents = workload.documents().map(|documents| of_documents(documents, settings));
    let documents = documents.unwrap_or_default();
    let rest = held.difference(&documents).cloned().collect();
    let kept = workload.holding(&rest, |rights| gives(rights, settings))?.kept;
    let mut given = gives(&workload.rights, settings)?;
    given.extend(documents);
    given.extend(kept.iter().cloned());
    Ok((given, kept))
}

/// For people: `secretsmanager:GetSecretValue on …:secret:db-??????`.
pub(super) fn shown(given: &BTreeSet<Given>) -> String {
    let all: Vec<_> = given.iter().map(|(resource, action)| format!("{action} on {resource}")).collect();
    all.join(", ")
}

/// Two documents that AWS reads alike: a list of one is that one, and lists of texts are sets.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    normal(one) == normal(other)
}

pub(super) fn normal(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<_> = items.iter().map(normal).collect();
            items.sort_by_key(Value::to_string);
            items.dedup();
            match items.len() {
                1 => items.remove(0),
                _ => Value::Array(items),
            }
        }
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| *name != "Sid")
            .map(|(name, value)| (name.clone(), normal(value)))
            .collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
