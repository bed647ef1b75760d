//! Searches: everything that is found is read as well.

use std::collections::BTreeSet;

use aws_credential_types::Credentials;
use serde_json::{Value, json};

use super::{
    Aws, Service, Settings,
    api::Signer,
    place::Api,
    refusal::{Outcome, Refusal},
    trials::{is_about, one_version, tags},
};
use crate::{
    error::{Code, Error},
    federation::{Find, FindBy, judged::Seen},
};

/// More than this is found by a search only if it is wrong.
pub(super) const MOST: usize = 5000;
/// As many as AWS takes at once.
const BATCH: usize = 20;

/// What became of all that was found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    read: usize,
    /// They have no value.
    absent: usize,
}

/// What ends the operator's search.
enum Halt {
    Refused(Refusal),
    /// This one may not be read.
    Forbidden(String),
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Everything that is found is read: what may not be read ends the operator's search.
pub(super) async fn search(aws: &Aws, credentials: &Credentials, find: &Find) -> Outcome<Seen> {
    let found = list(aws, Signer::Workload(credentials), find).await?;
    if found.len() > MOST {
        return Ok(Seen::NotProved(format!("more than {MOST} are found")));
    }
    let read = match aws.settings.service {
        Service::SecretsManager => in_batches(aws, credentials, &found).await,
        Service::ParameterStore => one_by_one(aws, credentials, &found).await,
    };
    match read {
        Ok(tally) => Ok(tally.seen()),
        Err(Halt::Refused(refusal)) => Err(refusal),
        Err(Halt::Forbidden(secret)) => Ok(Seen::Failed {
            seen: format!("{} is found and cannot be read", secret.escape_debug()),
            cause: format!("the policy of the role {} does not give this secret", aws.settings.role),
            remedy: "run `keyless setup`, which shows what is found and asks to grant it".to_owned(),
            of_the_thing: false,
        }),
    }
}

impl Tally {
    fn seen(&self) -> Seen {
        match self {
            Self { read: 0, absent: 0 } => {
                Seen::Passed("the search is allowed, and finds nothing now".to_owned())
            }
            Self { read: 0, absent } => {
                Seen::NotProved(format!("{absent} found, and none of them has a value that could be read"))
            }
            Self { read, absent: 0 } => Seen::Passed(format!("{read} found, and read")),
            Self { read, absent } => {
                Seen::Passed(format!("{read} found, and read; {absent} more have no value"))
            }
        }
    }
}

/// As the operator does: the values of many at once
/// (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html>).
async fn in_batches(aws: &Aws, credentials: &Credentials, found: &BTreeSet<String>) -> Result<Tally, Halt> {
    let names: Vec<_> = found.iter().collect();
    let mut tally = Tally::default();
    for names in names.chunks(BATCH) {
        let body = json!({ "SecretIdList": names });
        let answer =
            aws.client.json(Api::SecretsManager, Signer::Workload(credentials), "BatchGetSecretValue", &body);
        batch(&aws.settings, names, &answer.await?, &mut tally)?;
    }
    Ok(tally)
}

/// Each of these names must be in the answer: with a value, or with the reason why not.
fn batch(settings: &Settings, names: &[&String], answer: &Value, tally: &mut Tally) -> Result<(), Halt> {
    let list = |member: &str| answer[member].as_array().cloned().unwrap_or_default();
    let (values, errors) = (list("SecretValues"), list("Errors"));
    for name in names {
        let is_it = |value: &&Value| value["Name"].as_str() == Some(name.as_str());
        let error = errors.iter().find(|error| error["SecretId"].as_str() == Some(name.as_str()));
        if let Some(value) = values.iter().find(is_it) {
            is_about(settings, name, &value["ARN"])?;
            if value["SecretString"].as_str().or(value["SecretBinary"].as_str()).is_none() {
                return Err(Refusal::without(Api::SecretsManager, "a secret without its value").into());
            }
            tally.read += 1;
        } else if let Some(code) = error.and_then(|error| error["ErrorCode"].as_str()) {
            let refusal = Refusal::of_code(code);
            if refusal.is_absent() {
                tally.absent += 1;
            } else if refusal.is_forbidden() {
                return Err(Halt::Forbidden((*name).clone()));
            } else {
                return Err(refusal.into());
            }
        } else {
            return Err(
                Refusal::without(Api::SecretsManager, "neither a value nor an error for a secret").into()
            );
        }
    }
    Ok(())
}

async fn one_by_one(aws: &Aws, credentials: &Credentials, found: &BTreeSet<String>) -> Result<Tally, Halt> {
    let mut tally = Tally::default();
    for secret in found {
        match one_version(aws, credentials, secret, None).await {
            Ok(_) => tally.read += 1,
            // One without a value is passed over by the operator as well.
            Err(refusal) if refusal.is_absent() => tally.absent += 1,
            Err(refusal) if refusal.is_forbidden() => return Err(Halt::Forbidden(secret.clone())),
            Err(refusal) => return Err(refusal.into()),
        }
    }
    Ok(tally)
}

/// The names of the secrets that a search finds; no more than one page above [`MOST`].
pub(super) async fn list(aws: &Aws, signer: Signer<'_>, find: &Find) -> Outcome<BTreeSet<String>> {
    let (api, action, list, mut body) = match aws.settings.service {
        Service::SecretsManager => {
            let mut filters = Vec::new();
            if !find.below.is_empty() {
                filters.push(json!({ "Key": "name", "Values": [find.below] }));
            }
            (
                Api::SecretsManager,
                "ListSecrets",
                "SecretList",
                json!({ "MaxResults": 100, "Filters": filters }),
            )
        }
        Service::ParameterStore => {
            let mut filters = Vec::new();
            if !find.below.is_empty() {
                filters.push(json!({ "Key": "Path", "Option": "Recursive", "Values": [find.below] }));
            }
            if let FindBy::Tags(tags) = &find.by {
                let tags = tags.iter();
                filters.extend(
                    tags.map(|(key, value)| json!({ "Key": format!("tag:{key}"), "Values": [value] })),
                );
            }
            (
                Api::Ssm,
                "DescribeParameters",
                "Parameters",
                json!({ "MaxResults": 50, "ParameterFilters": filters }),
            )
        }
    };
    let mut found = BTreeSet::new();
    // A server that gives the same page again and again is not asked for ever.
    for _ in 0..MOST {
        let answer = aws.client.json(api, signer, action, &body).await?;
        let entries = answer[list].as_array().ok_or_else(|| Refusal::without(api, &format!("no {list}")))?;
        for entry in entries {
            let nameless = || Refusal::without(api, &format!("an entry of {list} without a name"));
            let name = entry["Name"].as_str().filter(|name| !name.is_empty()).ok_or_else(nameless)?;
            let fits = match (&find.by, aws.settings.service) {
                (FindBy::Name(pattern), _) => pattern.matches(name),
                (FindBy::Tags(wanted), Service::SecretsManager) => {
                    let tags = tags(&entry["Tags"]).unwrap_or_default();
                    wanted.iter().all(|(key, value)| tags.contains(&(key.as_str(), value.as_str())))
                }
                // They were asked for.
                (FindBy::Tags(_), Service::ParameterStore) => true,
            };
            if fits {
                found.insert(name.to_owned());
            }
        }
        match answer["NextToken"].as_str() {
            Some(next) if found.len() <= MOST => body["NextToken"] = json!(next),
            _ => return Ok(found),
        }
    }
    Err(Refusal::unanswered(too_many(find)))
}

pub(super) fn too_many(find: &Find) -> Error {
    Error::failed(Code::AwsSearchTooBroad, format!("more than {MOST} are found: {find}"))
        .hint("name a path in the ExternalSecret: find.path")
}

#[cfg(test)]
mod tests {
    use super::{super::plan::tests::settings, *};

    const BEGIN: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:";

    fn of(answer: &Value) -> Result<Tally, Halt> {
        let (db, api) = ("db".to_owned(), "api".to_owned());
        let mut tally = Tally::default();
        batch(&settings(), &[&db, &api], answer, &mut tally).map(|()| tally)
    }

    fn value(name: &str) -> Value {
        json!({ "Name": name, "ARN": format!("{BEGIN}{name}-AbC123"), "SecretString": "x" })
    }

    #[test]
    fn each_found_secret_must_be_answered() {
        assert!(matches!(
            of(&json!({ "SecretValues": [value("db"), value("api")] })),
            Ok(Tally { read: 2, .. })
        ));
        let absent = json!({ "SecretId": "api", "ErrorCode": "ResourceNotFoundException" });
        let tally = of(&json!({ "SecretValues": [value("db")], "Errors": [absent] }));
        assert!(matches!(tally, Ok(Tally { read: 1, absent: 1 })));
        let denied = json!({ "SecretId": "api", "ErrorCode": "AccessDeniedException" });
        let halt = of(&json!({ "SecretValues": [value("db")], "Errors": [denied] }));
        assert!(matches!(halt, Err(Halt::Forbidden(name)) if name == "api"));
        let mut empty = value("api");
        empty["SecretString"] = Value::Null;
        let mut other = value("api");
        other["ARN"] = json!(format!("{BEGIN}other-AbC123"));
        for answer in [
            json!({}),
            json!({ "SecretValues": [] }),
            json!({ "SecretValues": [value("db")] }),
            json!({ "SecretValues": [value("db"), empty] }),
            json!({ "SecretValues": [value("db"), other] }),
            json!({ "SecretValues": [value("db")], "Errors": [{ "SecretId": "api", "ErrorCode": "Odd" }] }),
        ] {
            assert!(matches!(of(&answer), Err(Halt::Refused(_))), "{answer}");
        }
    }

    #[test]
    fn absent_values_are_not_proved() {
        let seen = |read, absent| Tally { read, absent }.seen();
        assert!(matches!(seen(0, 2), Seen::NotProved(_)));
        assert!(matches!(seen(0, 0), Seen::Passed(why) if why.contains("finds nothing")));
        assert!(matches!(seen(1, 2), Seen::Passed(why) if why.contains("1 found") && why.contains("2 more")));
        assert!(matches!(seen(3, 0), Seen::Passed(why) if why == "3 found, and read"));
    }
}
