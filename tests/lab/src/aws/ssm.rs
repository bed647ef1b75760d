//! Parameter Store (Systems Manager API reference 2014-11-06).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ACCOUNT;
use super::error::{Refusal, Result, refused};
use super::secrets::{need_key, page, tags};
use super::state::{Caller, State, random_secret};

/// A parameter of one region
#[derive(Clone)]
pub(crate) struct Parameter {
    pub(crate) kind: String,
    pub(crate) value: String,
    pub(crate) version: u64,
    pub(crate) changed: i64,
    pub(crate) kms_key: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
}

pub(crate) fn arn_of(region: &str, name: &str) -> String {
    format!("arn:aws:ssm:{region}:{ACCOUNT}:parameter/{}", name.trim_start_matches('/'))
}

pub(crate) fn action(action: &str, body: &Value, caller: &Caller, state: &mut State) -> Result<Value> {
    match action {
        "GetParameter" => one(body, caller, state),
        "GetParameters" => several(body, caller, state),
        "GetParametersByPath" => by_path(body, caller, state),
        "DescribeParameters" => describe(body, caller, state),
        "PutParameter" => put(body, caller, state),
        "AddTagsToResource" => add_tags(body, caller, state),
        "ListTagsForResource" => list_tags(body, caller, state),
        "GetResourcePolicies" => resource_policies(body, caller, state),
        _ => refused(400, "InvalidAction", ""),
    }
}

fn absent() -> Refusal {
    Refusal::new(400, "ParameterNotFound", "")
}

fn need<'a>(body: &'a Value, name: &str) -> Result<&'a str> {
    let found = body[name].as_str().filter(|text| !text.is_empty());
    found.ok_or_else(|| {
        Refusal::validation(format!(
            "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null",
            name.to_lowercase()
        ))
    })
}

/// A name, or the ARN of a parameter of the caller's region
fn name_of(text: &str, region: &str) -> String {
    match text.strip_prefix(&arn_of(region, "")) {
        Some(rest) if rest.contains('/') => format!("/{rest}"),
        Some(rest) => rest.to_owned(),
        None => text.to_owned(),
    }
}

fn shown(name: &str, caller: &Caller, state: &mut State, decrypted: bool) -> Result<Value> {
    let key = (caller.region.clone(), name.to_owned());
    let parameter = state.parameters.get(&key).ok_or_else(absent)?.clone();
    let encrypted = parameter.kind == "SecureString";
    let value = if encrypted && !decrypted {
        random_secret(120)
    } else {
        if encrypted {
            need_key(parameter.kms_key.as_ref(), "ssm", caller, state)?;
        }
        parameter.value
    };
    Ok(json!({
        "Name": name, "Type": parameter.kind, "Value": value, "Version": parameter.version,
        "LastModifiedDate": parameter.changed, "ARN": arn_of(&caller.region, name), "DataType": "text",
    }))
}

fn one(body: &Value, caller: &Caller, state: &mut State) -> Result<Value> {
    let name = name_of(need(body, "Name")?, &caller.region);
    state.may(caller, "ssm:GetParameter", &arn_of(&caller.region, &name))?;
    Ok(json!({"Parameter": shown(&name, caller, state, body["WithDecryption"] == true)?}))
}

fn several(body: &Value, caller: &Caller, state: &mut State) -> Result<Value> {
    let names = super::policy::texts(&body["Names"]);
    if names.is_empty() || names.len() > 10 {
        let message = "1 validation error detected: Value at 'names' failed to satisfy constraint: Member must have \
                       length between 1 and 10";
        return Err(Refusal::validation(message));
    }
    for name in &names {
        let arn = arn_of(&caller.region, &name_of(name, &caller.region));
        state.may(caller, "ssm:GetParameters", &arn)?;
    }
    let (mut found, mut invalid) = (Vec::new(), Vec::new());
    for name in names {
        let name = name_of(&name, &caller.region);
        match shown(&name, caller, state, body["WithDecryption"] == true) {
            Ok(value) => found.push(value),
            Err(refusal) if refusal.code == "ParameterNotFound" => invalid.push(name),
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(json!({"Parameters": found, "InvalidParameters": invalid}))
}

fn by_path(body: &Value, caller: &Caller, state: &mut State) -> Result<Value> {
    let path = need(body, "Path")?;
    if !path.starts_with('/') {
        let message = "The parameter doesn't meet the parameter name requirements. The parameter name must begin \
                       with a forward slash \"/\".";
        return Err(Refusal::validation(message));
    }
    state.may(caller, "ssm:GetParametersByPath", &arn_of(&caller.region, path))?;
    let below = format!("{}/", path.trim_end_matches('/'));
    let deep = body["Recursive"] == true;
    let names: Vec<String> = state
        .parameters
        .keys()
        .filter(|(region, name)| {
            let rest = name.strip_prefix(&below);
            *region == caller.region && rest.is_some_and(|rest| deep || !rest.contains('/'))
        })
        .map(|(_, name)| name.clone())
        .collect();
    let mut all = Vec::new();
    for name in names {
        all.push(shown(&name, caller, state, body["WithDecryption"] == true)?);
    }
    Ok(page(body, "Parameters", all, state.settings.page(10)))
}

fn describe(body: &Value, caller: &Caller, state: &mut State) -> Result<Value> {
    state.may(caller, "ssm:DescribeParameters", &format!("arn:aws:ssm:{}:{ACCOUNT}:*", caller.region))?;
    let filters = body["ParameterFilters"].as_array().cloned().unwrap_or_default();
    if filters.iter().any(|filter| filter["Key"] != "Name") {
        return refused(400, "InvalidFilterKey", "Only filters by Name are known here.");
    }
    let fits = |name: &str| {
        filters.iter().all(|filter| {
            super::policy::texts(&filter["Values"]).iter().any(|value| match filter["Option"].as_str() {
                Some("BeginsWith") => name.starts_with(value.as_str()),
                Some("Contains") => name.contains(value.as_str()),
                _ => name == value,
            })
        })
    };
    let all = state.parameters.iter().filter(|((region, name), _)| *region == caller.region && fits(name));
    let piece = |((region, name), it): (&(String, String), &Parameter)| {
        let mut out = json!({
            "Name": name, "ARN": arn_of(region, name), "Type": it.kind, "Version": it.version,
            "LastModifiedDate": it.changed, "DataType": "text", "Tier": "Standard",
        });
        if it.kind == "SecureString" {
            out["KeyId"] = json!(it.kms_key.as_deref().unwrap_or("alias/aws/ssm"));
        }
        out
    };
    let all = all.map(piece).collect();
    Ok(page(body, "Parameters", all, state.settings.page(50)))
}

fn put(body: &Value, caller: &Caller, state: &mut State) -> Result<Value> {
    let (name, value) = (need(body, "Name")?.to_owned(), need(body, "Value")?.to_owned());
    let arn = arn_of(&caller.region, &name);
    let tags = tags(body);
    state.may(caller, "ssm:PutParameter", &arn)?;
    if !tags.is_empty() {
        state.may(caller, "ssm:AddTagsToResource", &arn)?;
    }
    let key = (caller.region.clone(), name);
    let before = state.parameters.get(&key).cloned();
    if before.is_some() && body["Overwrite"] != true {
        let message = "The parameter already exists. To overwrite this value, set the overwrite option in the request \
                       to true.";
        return refused(400, "ParameterAlreadyExists", message);
    }
    if before.is_some() && !tags.is_empty() {
        let message = "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, \
                       please remove overwrite flag.";
        return Err(Refusal::validation(message));
    }
    let kind = body["Type"].as_str().map(str::to_owned);
    let kind = kind.or_else(|| before.as_ref().map(|before| before.kind.clone()));
    let kind = kind.filter(|kind| ["String", "StringList", "SecureString"].contains(&kind.as_str()));
    let Some(kind) = kind else {
        return Err(Refusal::validation("A parameter type is required when you create a parameter."));
    };
    let version = before.as_ref().map_or(1, |before| before.version + 1);
    let tags = before.map_or(tags, |before| before.tags);
    let kms_key = body["KeyId"].as_str().filter(|key| *key != "alias/aws/ssm").map(str::to_owned);
    let parameter = Parameter { kind, value, version, changed: state.now(), kms_key, tags };
    state.parameters.insert(key, parameter);
    Ok(json!({"Version": version, "Tier": "Standard"}))
}

fn tagged(action: &str, body: &Value, caller: &Caller, state: &mut State) -> Result<(String, String)> {
    let name = need(body, "ResourceId")?.to_owned();
    state.may(caller, &format!("ssm:{action}"), &arn_of(&caller.region, &name))?;
    let key = (caller.region.clone(), name);
    if body["ResourceType"] == "Parameter" && state.parameters.contains_key(&key) {
        return Ok(key);
    }
    refused(400, "InvalidResourceId", "")
}

fn add_tags(body: &Value, caller: &Caller, state: &mut State) -> Result<Value> {
    let key = tagged("AddTagsToResource", body, caller, state)?;
    if let Some(parameter) = state.parameters.get_mut(&key) {
        parameter.tags.extend(tags(body));
    }
    Ok(json!({}))
}

fn resource_policies(body: &Value, caller: &Caller, state: &mut State) -> Result<Value> {
    let arn = need(body, "ResourceArn")?;
    state.may(caller, "ssm:GetResourcePolicies", arn)?;
    let name = name_of(arn, &caller.region);
    if !state.parameters.contains_key(&(caller.region.clone(), name.clone())) {
        return refused(
            400,
            "ResourceNotFoundException",
            "The specified parameter to be shared could not be found.",
        );
    }
    let policy = state.resource_policies.get(&(caller.region.clone(), name));
    let policies: Vec<Value> = policy
        .map(|policy| json!({"PolicyId": "1", "PolicyHash": "1", "Policy": policy.to_string()}))
        .into_iter()
        .collect();
    Ok(json!({"Policies": policies}))
}

fn list_tags(body: &Value, caller: &Caller, state: &mut State) -> Result<Value> {
    let key = tagged("ListTagsForResource", body, caller, state)?;
    let tags = state.parameters[&key].tags.iter();
    let tags: Vec<Value> = tags.map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    Ok(json!({"TagList": tags}))
}
