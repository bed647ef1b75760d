//! Secrets Manager (API reference 2017-10-17).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::ACCOUNT;
use super::error::{Refusal, Result, refused};
use super::state::{Caller, State, random_id};
use crate::keys::uuid;

/// A secret of one region
#[derive(Clone)]
pub(crate) struct Secret {
    /// Six characters at the end of its ARN
    pub(crate) suffix: String,
    pub(crate) created: i64,
    pub(crate) description: String,
    pub(crate) kms_key: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) deleted: bool,
    /// Oldest first
    pub(crate) versions: Vec<Version>,
}

#[derive(Clone)]
pub(crate) struct Version {
    id: String,
    created: i64,
    /// `SecretString` or `SecretBinary`
    member: &'static str,
    value: String,
    stages: Vec<String>,
}

impl Secret {
    pub(crate) fn new(now: i64) -> Self {
        let suffix = random_id("")[..6].to_owned();
        Self {
            suffix,
            created: now,
            description: String::new(),
            kms_key: None,
            tags: BTreeMap::new(),
            deleted: false,
            versions: Vec::new(),
        }
    }

    pub(crate) fn arn(&self, region: &str, name: &str) -> String {
        format!("{}-{}", bare_arn(region, name), self.suffix)
    }

    /// A new version, which becomes the current one
    pub(crate) fn put(&mut self, id: String, member: &'static str, value: String, now: i64) {
        for version in &mut self.versions {
            version.stages.retain(|stage| stage != "AWSPREVIOUS");
            for stage in &mut version.stages {
                if stage == "AWSCURRENT" {
                    *stage = "AWSPREVIOUS".into();
                }
            }
        }
        let stages = vec!["AWSCURRENT".to_owned()];
        self.versions.push(Version { id, created: now, member, value, stages });
    }
}

fn bare_arn(region: &str, name: &str) -> String {
    format!("arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:{name}")
}

pub(crate) fn action(action: &str, body: &Value, caller: &Caller, state: &mut State) -> Result<Value> {
    match action {
        "GetSecretValue" => value(body, caller, state),
        "BatchGetSecretValue" => batch(body, caller, state),
        "DescribeSecret" => describe(body, caller, state),
        "GetResourcePolicy" => resource_policy(body, caller, state),
        "ListSecrets" => list(body, caller, state),
        "CreateSecret" => create(body, caller, state),
        "PutSecretValue" => put(body, caller, state),
        "TagResource" => tag_resource(body, caller, state),
        _ => refused(400, "InvalidAction", ""),
    }
}

fn absent() -> Refusal {
    Refusal::new(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body[name].as_str()
}

/// The secret that `SecretId` means, if the caller may do this to it
fn find(action: &str, body: &Value, caller: &Caller, state: &mut State) -> Result<(String, String)> {
    let id = text(body, "SecretId").filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| Refusal::validation("SecretId must not be null"))?;
    let region = &caller.region;
    let found = state.secrets.iter().find(|((at, name), secret)| {
        let arns = [bare_arn(at, name), secret.arn(at, name)];
        at == region && (name == id || arns.iter().any(|arn| arn == id))
    });
    let found = found.map(|((at, name), secret)| (name.clone(), secret.arn(at, name)));
    let arn = match &found {
        Some((_, arn)) => arn.clone(),
        None if id.starts_with("arn:") => id.to_owned(),
        None => bare_arn(region, id),
    };
    state.may_in(caller, &format!("secretsmanager:{action}"), &arn, id, &[])?;
    found.ok_or_else(absent)
}

/// A customer's key decrypts for those only who may use it through this service
fn decrypt(key: Option<&String>, service: &str, caller: &Caller, state: &mut State) -> Result<()> {
    let Some(key) = key else { return Ok(()) };
    let through = vec![format!("{service}.{}.amazonaws.com", caller.region)];
    state.may_in(caller, "kms:Decrypt", key, key, &[("kms:ViaService".to_owned(), through)])
}

/// What both services that encrypt say of a key that the caller may not use
pub(crate) fn need_key(
    key: Option<&String>,
    service: &str,
    caller: &Caller,
    state: &mut State,
) -> Result<()> {
    decrypt(key, service, caller, state).map_err(|refusal| {
        Refusal::new(
            400,
            "AccessDeniedException",
            match service {
                "secretsmanager" => "Access to KMS is not allowed".to_owned(),
                _ => refusal.message,
            },
        )
    })
}

fn value(body: &Value, caller: &Caller, state: &mut State) -> Result<Value> {
    let (name, arn) = find("GetSecretValue", body, caller, state)?;
    let secret = state.secrets[&(caller.region.clone(), name.clone())].clone();
    if secret.deleted {
        let message = "You can't perform this operation on the secret because it was marked for deletion.";
        return refused(400, "InvalidRequestException", message);
    }
    let (id, stage) = (text(body, "VersionId"), text(body, "VersionStage"));
    let stage = stage.or(if id.is_some() { None } else { Some("AWSCURRENT") });
    let found = secret.versions.iter().find(|version| {
        id.is_none_or(|id| version.id == id)
            && stage.is_none_or(|stage| version.stages.iter().any(|it| it == stage))
    });
    let Some(version) = found else {
        let what = match (id, stage) {
            (Some(id), _) => format!("VersionId: {id}"),
            (None, stage) => format!("staging label: {}", stage.unwrap_or_default()),
        };
        let message = format!("Secrets Manager can't find the specified secret value for {what}");
        return refused(400, "ResourceNotFoundException", message);
    };
    need_key(secret.kms_key.as_ref(), "secretsmanager", caller, state)?;
    let mut out = json!({
        "ARN": arn, "Name": name, "VersionId": version.id, "VersionStages": version.stages,
        "CreatedDate": version.created,
    });
    out[version.member] = json!(version.value);
    Ok(out)
}

fn batch(body: &Value, caller: &Caller, state: &mut State) -> Result<Value> {
    state.may(caller, "secretsmanager:BatchGetSecretValue", "*")?;
    let ids = super::policy::texts(&body["SecretIdList"]);
    if ids.is_empty() || ids.len() > 20 {
        let message = "SecretIdList must have 1 to 20 members; filters are not known here.";
        return refused(400, "InvalidParameterException", message);
    }
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for id in ids {
        match value(&json!({"SecretId": id}), caller, state) {
            Ok(value) => values.push(value),
            Err(refusal) => {
                let code = match refusal.code.as_str() {
                    "AccessDenied" => "AccessDeniedException",
                    own => own,
                };
                errors.push(json!({"SecretId": id, "ErrorCode": code, "Message": refusal.message}));
            }
        }
    }
    Ok(json!({"SecretValues": values, "Errors": errors}))
}

/// What is public of a secret
fn shown(region: &str, name: &str, secret: &Secret, stages: &str) -> Value {
    let versions: Map<String, Value> = secret
        .versions
        .iter()
        .filter(|version| !version.stages.is_empty())
        .map(|version| (version.id.clone(), json!(version.stages)))
        .collect();
    let tags: Vec<Value> =
        secret.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    let changed = secret.versions.last().map_or(secret.created, |version| version.created);
    let mut out = json!({
        "ARN": secret.arn(region, name), "Name": name, "LastChangedDate": changed, "Tags": tags,
        "CreatedDate": secret.created,
    });
    out[stages] = json!(versions);
    if !secret.description.is_empty() {
        out["Description"] = json!(secret.description);
    }
    if let Some(key) = &secret.kms_key {
        out["KmsKeyId"] = json!(key);
    }
    if secret.deleted {
        out["DeletedDate"] = json!(secret.created);
    }
    out
}

fn describe(body: &Value, caller: &Caller, state: &mut State) -> Result<Value> {
    let (name, _) = find("DescribeSecret", body, caller, state)?;
    let secret = &state.secrets[&(caller.region.clone(), name.clone())];
    Ok(shown(&caller.region, &name, secret, "VersionIdsToStages"))
}

fn resource_policy(body: &Value, caller: &Caller, state: &mut State) -> Result<Value> {
    let (name, arn) = find("GetResourcePolicy", body, caller, state)?;
    let mut out = json!({"ARN": arn, "Name": name});
    if let Some(policy) = state.resource_policies.get(&(caller.region.clone(), name)) {
        out["ResourcePolicy"] = json!(policy.to_string());
    }
    Ok(out)
}

fn list(body: &Value, caller: &Caller, state: &mut State) -> Result<Value> {
    state.may(caller, "secretsmanager:ListSecrets", "*")?;
    let mut prefixes = Vec::new();
    for filter in body["Filters"].as_array().into_iter().flatten() {
        if filter["Key"] != "name" {
            return refused(400, "InvalidParameterException", "Only filters by name are known here.");
        }
        prefixes.push(super::policy::texts(&filter["Values"]));
    }
    let all = state.secrets.iter().filter(|((region, name), secret)| {
        let fits = |values: &Vec<String>| values.iter().any(|value| name.starts_with(value.as_str()));
        *region == caller.region
            && (!secret.deleted || body["IncludePlannedDeletion"] == true)
            && prefixes.iter().all(fits)
    });
    let all: Vec<Value> =
        all.map(|((region, name), secret)| shown(region, name, secret, "SecretVersionsToStages")).collect();
    Ok(page(body, "SecretList", all, state.settings.page(100)))
}

/// One page of a list by `NextToken` and `MaxResults`
pub(crate) fn page(body: &Value, name: &str, all: Vec<Value>, longest: usize) -> Value {
    let from: usize = text(body, "NextToken").and_then(|token| token.parse().ok()).unwrap_or(0);
    let most = body["MaxResults"].as_u64().map_or(longest, |most| longest.min(most as usize));
    let more = all.len() > from + most;
    let mut out = json!({name: all.into_iter().skip(from).take(most).collect::<Vec<_>>()});
    if more {
        out["NextToken"] = json!((from + most).to_string());
    }
    out
}

/// The value in a request: a text or bytes
fn sent(body: &Value) -> Result<Option<(&'static str, String)>> {
    match (text(body, "SecretString"), text(body, "SecretBinary")) {
        (Some(_), Some(_)) => refused(
            400,
            "InvalidParameterException",
            "You can't specify both a binary secret value and a string secret value in the same secret.",
        ),
        (Some(value), None) => Ok(Some(("SecretString", value.to_owned()))),
        (None, Some(value)) => Ok(Some(("SecretBinary", value.to_owned()))),
        (None, None) => Ok(None),
    }
}

pub(crate) fn tags(body: &Value) -> BTreeMap<String, String> {
    let tags = body["Tags"].as_array().into_iter().flatten();
    tags.filter_map(|tag| Some((text(tag, "Key")?.to_owned(), text(tag, "Value")?.to_owned()))).collect()
}

fn create(body: &Value, caller: &Caller, state: &mut State) -> Result<Value> {
    let name = text(body, "Name").unwrap_or_default();
    let letters = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
    if name.is_empty() || name.len() > 512 || !name.chars().all(letters) {
        let message = "Invalid name. Must be a valid name containing alphanumeric characters, or any of the \
                       following: -/_+=.@!";
        return refused(400, "ValidationError", message);
    }
    let (arn, tags) = (bare_arn(&caller.region, name), tags(body));
    state.may_in(caller, "secretsmanager:CreateSecret", &arn, name, &[])?;
    if !tags.is_empty() {
        state.may_in(caller, "secretsmanager:TagResource", &arn, name, &[])?;
    }
    let key = (caller.region.clone(), name.to_owned());
    if state.secrets.contains_key(&key) {
        let message = format!("The operation failed because the secret {name} already exists.");
        return refused(400, "ResourceExistsException", message);
    }
    let now = state.now();
    let mut secret = Secret::new(now);
    secret.description = text(body, "Description").unwrap_or_default().to_owned();
    secret.kms_key =
        text(body, "KmsKeyId").filter(|key| *key != "alias/aws/secretsmanager").map(str::to_owned);
    secret.tags = tags;
    let mut out = json!({"ARN": secret.arn(&caller.region, name), "Name": name});
    if let Some((member, value)) = sent(body)? {
        let id = text(body, "ClientRequestToken").map_or_else(uuid, str::to_owned);
        out["VersionId"] = json!(id);
        secret.put(id, member, value, now);
    }
    state.secrets.insert(key, secret);
    Ok(out)
}

fn put(body: &Value, caller: &Caller, state: &mut State) -> Result<Value> {
    let (name, arn) = find("PutSecretValue", body, caller, state)?;
    let Some((member, value)) = sent(body)? else {
        let message = "You must provide either SecretString or SecretBinary.";
        return refused(400, "InvalidParameterException", message);
    };
    let (now, key) = (state.now(), (caller.region.clone(), name.clone()));
    let secret = state.secrets.get_mut(&key).ok_or_else(absent)?;
    let id = text(body, "ClientRequestToken").map_or_else(uuid, str::to_owned);
    secret.put(id.clone(), member, value, now);
    Ok(json!({"ARN": arn, "Name": name, "VersionId": id, "VersionStages": ["AWSCURRENT"]}))
}

fn tag_resource(body: &Value, caller: &Caller, state: &mut State) -> Result<Value> {
    let (name, _) = find("TagResource", body, caller, state)?;
    let secret = state.secrets.get_mut(&(caller.region.clone(), name)).ok_or_else(absent)?;
    secret.tags.extend(tags(body));
    Ok(Value::Null)
}
