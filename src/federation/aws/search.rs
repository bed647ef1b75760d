//! Searches: everything that is found is read as well.

use std::collections::BTreeSet;

use aws_credential_types::Credentials;
use serde_json::json;

use super::{
    Aws, Service,
    api::Signer,
    place::Api,
    refusal::{Outcome, Refusal},
    trials::{Seen, one_version, tags},
};
use crate::{
    error::{Code, Error},
    federation::{Find, FindBy},
};

/// More than this is found by a search only if it is wrong.
pub(super) const MOST: usize = 5000;

/// Everything that is found is read: what may not be read ends the operator's search.
pub(super) async fn search(aws: &Aws, credentials: &Credentials, find: &Find) -> Outcome<Seen> {
    let found = list(aws, Signer::Workload(credentials), find).await?;
    if found.len() > MOST {
        return Ok(Seen::NotProved(format!("more than {MOST} are found")));
    }
    for secret in &found {
        match one_version(aws, credentials, secret, None).await {
            Ok(_) => {}
            // One without a value is passed over by the operator as well.
            Err(refusal) if refusal.is_absent() => {}
            Err(refusal) if refusal.is_forbidden() => {
                return Ok(Seen::Failed {
                    seen: format!("{} is found and cannot be read", secret.escape_debug()),
                    cause: format!("the policy of the role {} does not give this secret", aws.settings.role),
                    remedy: "run `keyless setup`, which shows what is found and asks to grant it".to_owned(),
                    of_the_thing: false,
                });
            }
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(Seen::Passed(format!("{} found, and read", found.len())))
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
            let Some(name) = entry["Name"].as_str() else { continue };
            let fits = match (&find.by, aws.settings.service) {
                (FindBy::Name(pattern), _) => pattern.matches(name),
                (FindBy::Tags(wanted), Service::SecretsManager) => {
                    let tags = tags(&entry["Tags"]);
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
