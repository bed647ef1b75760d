//! What a right is for, really done with a workload's temporary credentials: read, listed, or for rights to write, asked
//! for.

use std::collections::BTreeSet;

use aws_credential_types::Credentials;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    Aws, Service, Settings,
    api::Signer,
    names,
    place::Api,
    refusal::{Outcome, Refusal},
    search, write,
};
use crate::{
    error::Check,
    federation::{
        Reading, Trial,
        judged::{self, Judged, Seen, subject},
    },
    plan::Say,
    relying_party::Finding,
};

const READ: Check = Check::AwsRead;
const PROPERTY: Check = Check::AwsProperty;

/// The check that a trial ends in.
pub(super) fn check(trial: &Trial) -> Check {
    match trial {
        Trial::Read { .. } => READ,
        Trial::Metadata { .. } => Check::AwsMetadata,
        Trial::Versions { .. } => Check::AwsVersions,
        Trial::Find(_) => Check::AwsSearch,
        Trial::Write(_) => Check::AwsWrite,
    }
}

pub(super) async fn run(aws: &Aws, credentials: &Credentials, trial: &Trial, say: Say<'_>) -> Vec<Finding> {
    let (check, subject) = (check(trial), subject(trial));
    let mut spreading = aws.spreading();
    let tried = loop {
        let tried = match trial {
            Trial::Read { secret, readings } => match read(aws, credentials, secret, readings).await {
                Ok(findings) => return findings.into_iter().map(|it| it.finding(&subject)).collect(),
                Err(refusal) => Err(refusal),
            },
            Trial::Metadata { secret, properties } => metadata(aws, credentials, secret, properties).await,
            // AWS lists no versions for a store: they are read by their names, which the trial to read does.
            Trial::Versions { .. } => Ok(Seen::NotProved("nothing lists versions here".to_owned())),
            Trial::Find(find) => search::search(aws, credentials, find).await,
            Trial::Write(right) => Ok(write::write(aws, right).await),
        };
        match tried {
            Err(refusal) if refusal.is_forbidden() && spreading.wait(&refusal, say).await => {}
            tried => break tried,
        }
    };
    vec![match tried {
        Ok(seen) => Judged { check, more: String::new(), seen }.finding(&subject),
        Err(refusal) => refused(aws, check, subject, &refusal),
    }]
}

fn refused(aws: &Aws, check: Check, subject: String, refusal: &Refusal) -> Finding {
    let role = &aws.settings.role;
    if refusal.is_absent() {
        let cause = "it does not exist on this side, or has no value, or not this version";
        let remedy = match aws.settings.service {
            Service::SecretsManager => {
                "`aws secretsmanager create-secret --name NAME …`; the store reads it by this name"
            }
            Service::ParameterStore => {
                "`aws ssm put-parameter --name NAME --type SecureString …`; the store reads it by this name"
            }
        };
        return Finding::failed(check, subject, refusal.summary(), cause, remedy).of_the_thing();
    }
    if !refusal.is_forbidden() {
        let error = refusal.clone().error("trying it", "this right");
        return Finding::refused(check, subject, &error);
    }
    // AWS has one code for all of these.
    let cause = format!(
        "the policy of the role {role} does not give this right, another policy denies it, or the secret is encrypted with a key of KMS that the role may not use"
    );
    let more = match refusal.speaks_of("KMS") {
        true => {
            "; AWS speaks of KMS: see first whether aws.kmsKey names that key, and whether its policy lets the account's IAM policies decide"
        }
        false => "",
    };
    let remedy = format!("run `keyless setup`, which shows what it takes and grants it{more}");
    Finding::failed(check, subject, refusal.summary(), cause, remedy)
}

/// Each version once, and what is read out of it. Never the content: its number of bytes.
async fn read(
    aws: &Aws,
    credentials: &Credentials,
    secret: &str,
    readings: &[Reading],
) -> Outcome<Vec<Judged>> {
    let whole = [Reading::default()];
    let readings = if readings.is_empty() { whole.as_slice() } else { readings };
    let versions: BTreeSet<_> = readings.iter().map(|reading| reading.version.as_deref()).collect();
    let mut all = Vec::new();
    for version in versions {
        let value = one_version(aws, credentials, secret, version).await?;
        let of_this = readings.iter().filter(|reading| reading.version.as_deref() == version);
        all.extend(judged::value((READ, PROPERTY), version, &value, of_this));
    }
    Ok(all)
}

/// As the operator asks (<https://external-secrets.io/latest/provider/aws-secrets-manager/>).
pub(super) async fn one_version(
    aws: &Aws,
    credentials: &Credentials,
    secret: &str,
    version: Option<&str>,
) -> Outcome<Vec<u8>> {
    let signer = Signer::Workload(credentials);
    let nothing = || Refusal::without(aws.settings.service.api(), "no value");
    match aws.settings.service {
        Service::SecretsManager => {
            let mut body = json!({ "SecretId": secret });
            match version.map(|version| (version, version.strip_prefix("uuid/"))) {
                Some((_, Some(id))) => body["VersionId"] = json!(id),
                Some((stage, None)) => body["VersionStage"] = json!(stage),
                None => body["VersionStage"] = json!("AWSCURRENT"),
            }
            let answer = aws.client.json(Api::SecretsManager, signer, "GetSecretValue", &body).await?;
            is_about(&aws.settings, secret, &answer["ARN"])?;
            let text = answer["SecretString"].as_str().map(|text| text.as_bytes().to_vec());
            let bytes = || answer["SecretBinary"].as_str().and_then(|text| STANDARD.decode(text).ok());
            text.or_else(bytes).ok_or_else(nothing)
        }
        Service::ParameterStore => {
            let name = version.map_or_else(|| secret.to_owned(), |version| format!("{secret}:{version}"));
            let body = json!({ "Name": name, "WithDecryption": true });
            let answer = aws.client.json(Api::Ssm, signer, "GetParameter", &body).await?;
            is_about(&aws.settings, secret, &answer["Parameter"]["ARN"])?;
            let text = answer.pointer("/Parameter/Value").and_then(Value::as_str);
            text.map(|text| text.as_bytes().to_vec()).ok_or_else(nothing)
        }
    }
}

/// Refuses an answer about another secret than was asked for.
pub(super) fn is_about(settings: &Settings, secret: &str, arn: &Value) -> Outcome<()> {
    match arn.as_str() {
        Some(arn) if names::is_arn_of(settings, secret, arn) => Ok(()),
        seen => Err(Refusal::about_another(settings.service.api(), secret, seen)),
    }
}

async fn metadata(
    aws: &Aws,
    credentials: &Credentials,
    secret: &str,
    properties: &[String],
) -> Outcome<Seen> {
    let signer = Signer::Workload(credentials);
    let answer;
    let tags = match aws.settings.service {
        Service::SecretsManager => {
            let body = json!({ "SecretId": secret });
            answer = aws.client.json(Api::SecretsManager, signer, "DescribeSecret", &body).await?;
            is_about(&aws.settings, secret, &answer["ARN"])?;
            // A secret without tags has no list of them.
            if answer["Tags"].is_null() { Some(Vec::new()) } else { tags(&answer["Tags"]) }
        }
        Service::ParameterStore => {
            let body = json!({ "ResourceType": "Parameter", "ResourceId": secret });
            answer = aws.client.json(Api::Ssm, signer, "ListTagsForResource", &body).await?;
            tags(&answer["TagList"])
        }
    };
    let tags = tags.ok_or_else(|| Refusal::without(aws.settings.service.api(), "no list of tags"))?;
    let missing: Vec<_> = properties
        .iter()
        .filter(|name| !name.is_empty() && !tags.iter().any(|(key, _)| key == name))
        .map(|name| name.escape_debug().to_string())
        .collect();
    if missing.is_empty() {
        return Ok(Seen::Passed(format!("{} tags", tags.len())));
    }
    Ok(Seen::Failed {
        seen: format!("no {}", missing.join(", ")),
        cause: "objects read tags that the secret does not have".to_owned(),
        remedy: "tag the secret, or correct the object that reads it".to_owned(),
        of_the_thing: true,
    })
}

/// `None`: it is no list of tags.
pub(super) fn tags(list: &Value) -> Option<Vec<(&str, &str)>> {
    list.as_array()?.iter().map(tag).collect()
}

fn tag(tag: &Value) -> Option<(&str, &str)> {
    Some((tag["Key"].as_str()?, tag["Value"].as_str().unwrap_or_default()))
}

#[cfg(test)]
#[path = "trials_tests.rs"]
mod tests;
