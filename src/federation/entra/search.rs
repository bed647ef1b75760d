//! Searches: everything that is found is read as well.

use std::collections::BTreeSet;

use http::HeaderValue;
use serde_json::Value;

use super::{
    Entra,
    api::Caller,
    place::{self, Api},
    refusal::{Outcome, Refusal},
    trials::{API, bundle},
};
use crate::{
    error::{Code, Error},
    federation::{Find, FindBy, judged::Seen},
};

/// More than this is found by a search only if it is wrong.
pub(super) const MOST: usize = 5000;

/// What may not be read ends the operator's search.
pub(super) async fn search(entra: &Entra, bearer: &HeaderValue, find: &Find) -> Outcome<Seen> {
    let found = list(entra, Caller::Workload(bearer), find).await?;
    if found.len() > MOST {
        return Ok(Seen::NotProved(format!("more than {MOST} are found")));
    }
    let (mut read, mut absent) = (0, 0);
    for secret in &found {
        match bundle(entra, bearer, secret, None).await {
            Ok(_) => read += 1,
            Err(refusal) if refusal.is_absent() || refusal.is_disabled() => absent += 1,
            Err(refusal) if refusal.is_forbidden() => {
                return Ok(Seen::Failed {
                    seen: format!("{} is found and cannot be read", secret.escape_debug()),
                    cause: format!("no role of the identity {} gives this secret", entra.settings.identity),
                    remedy: "run `keyless setup`, which shows what is found and asks to grant it".to_owned(),
                    of_the_thing: false,
                });
            }
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(match (read, absent) {
        (0, 0) => Seen::Passed("the search is allowed, and finds nothing now".to_owned()),
        (0, absent) => {
            Seen::NotProved(format!("{absent} found, and none of them has a value that could be read"))
        }
        (read, 0) => Seen::Passed(format!("{read} found, and read")),
        (read, absent) => Seen::Passed(format!("{read} found, and read; {absent} more have no value")),
    })
}

/// The names of the secrets that a search finds.
pub(super) async fn list(entra: &Entra, caller: Caller<'_>, find: &Find) -> Outcome<BTreeSet<String>> {
    let all = entra.client.list(Api::KeyVault, caller, &format!("/secrets?api-version={API}")).await?;
    let begin = format!("{}/secrets/", place::vault_url(&entra.settings.vault));
    let mut found = BTreeSet::new();
    for entry in &all {
        let id = entry["id"].as_str().unwrap_or_default();
        let name = id.get(begin.len()..).filter(|_| id.to_ascii_lowercase().starts_with(&begin));
        let name = name.filter(|name| place::cannot_name(name).is_none());
        let name = name.ok_or_else(|| Refusal::about_another(Api::KeyVault, &begin, Some(id)))?;
        if fits(entry, name, find) {
            found.insert(name.to_owned());
        }
    }
    Ok(found)
}

/// What is disabled is passed over by the operator.
fn fits(entry: &Value, name: &str, find: &Find) -> bool {
    let is_enabled = entry["attributes"]["enabled"] != Value::Bool(false);
    is_enabled
        && name.starts_with(&find.below)
        && match &find.by {
            FindBy::Name(pattern) => pattern.matches(name),
            FindBy::Tags(wanted) => {
                wanted.iter().all(|(key, value)| entry["tags"][key].as_str() == Some(value.as_str()))
            }
        }
}

pub(super) fn too_many(find: &Find) -> Error {
    Error::failed(Code::EntraSearchTooBroad, format!("more than {MOST} are found: {find}"))
        .hint("name a narrower pattern in the ExternalSecret: find.name.regexp")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pattern::Pattern;

    #[test]
    fn search_finds_by_name_or_tags() {
        let entry = json!({ "attributes": { "enabled": true }, "tags": { "team": "a", "env": "prod" } });
        let by_name = |pattern: &str, below: &str| Find {
            below: below.into(),
            by: FindBy::Name(Pattern::parse(pattern).unwrap()),
        };
        let by_tags = |tags: &[(&str, &str)]| Find {
            below: String::new(),
            by: FindBy::Tags(tags.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()),
        };
        assert!(fits(&entry, "db-1", &by_name("^db", "")) && fits(&entry, "x", &by_tags(&[("team", "a")])));
        assert!(!fits(&entry, "api", &by_name("^db", "")) && !fits(&entry, "db-1", &by_name("^db", "team")));
        assert!(!fits(&entry, "x", &by_tags(&[("team", "a"), ("env", "test")])));
        let off = json!({ "attributes": { "enabled": false } });
        assert!(!fits(&off, "db-1", &by_name("^db", "")));
    }
}
