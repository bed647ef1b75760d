//! A list of secrets, as External Secrets Operator asks for it: with the filter that it sends, and what it compares
//! itself.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;

use super::Gcp;
use crate::{
    error::{Code, Error, Result},
    federation::{Find, FindBy},
    google::Outcome,
    secret::Secret,
};

/// Entries of a page: an answer has 1 MiB at most, and a secret with many labels some kilobytes.
const PAGE: usize = 250;
/// More than this is found by a search only if it is wrong.
pub(super) const MOST: usize = 5000;

/// Who asks.
#[derive(Clone, Copy)]
pub(super) enum Caller<'a> {
    Administrator,
    Workload(&'a Secret),
}

/// With the administrator's credential.
pub(super) async fn find(gcp: &Gcp, find: &Find) -> Result<BTreeSet<String>> {
    let found = list(gcp, Caller::Administrator, find).await.map_err(|refusal| {
        let what = format!("listing {find}");
        refusal.error(&what, "secretmanager.secrets.list", &format!("the project {}", gcp.ids.project))
    })?;
    if found.len() > MOST {
        return Err(Error::failed(Code::GoogleSearchTooBroad, format!("more than {MOST} are found: {find}"))
            .hint("name a narrower pattern or path in the ExternalSecret"));
    }
    Ok(found)
}

/// The names of what is found; no more than one above [`MOST`].
pub(super) async fn list(gcp: &Gcp, who: Caller<'_>, find: &Find) -> Outcome<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut page = String::new();
    let url = format!("{}/v1/{}/secrets", gcp.secret_manager(), gcp.ids.secrets());
    loop {
        let url = format!("{url}?pageSize={PAGE}{}{page}", parameter("filter", &filter(find)));
        let answer = match who {
            Caller::Administrator => gcp.api.get(&url).await?,
            Caller::Workload(token) => gcp.api.call_as(token, Method::GET, &url, None).await?,
        };
        let secrets = answer["secrets"].as_array().into_iter().flatten();
        let names = secrets.filter_map(|secret| secret["name"].as_str()?.rsplit('/').next());
        found.extend(names.filter(|name| is_found(find, name)).map(str::to_owned));
        match answer["nextPageToken"].as_str() {
            Some(next) if !next.is_empty() && found.len() <= MOST => page = parameter("pageToken", next),
            _ => return Ok(found),
        }
    }
}

/// What the operator sends; empty for no filter.
fn filter(find: &Find) -> String {
    let mut terms = Vec::new();
    if let FindBy::Tags(tags) = &find.by {
        terms.extend(tags.iter().map(|(name, value)| format!("labels.{name}={value}")));
    }
    if !find.below.is_empty() {
        terms.push(format!("name:{}", find.below));
    }
    terms.join(" ")
}

/// What it compares after that.
fn is_found(find: &Find, name: &str) -> bool {
    let by_name = match &find.by {
        FindBy::Name(pattern) => pattern.matches(name),
        FindBy::Tags(_) => true,
    };
    by_name && name.starts_with(&find.below)
}

fn parameter(name: &str, value: &str) -> String {
    if value.is_empty() {
        return String::new();
    }
    let value: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    format!("&{name}={value}")
}

/// What means nothing in a filter: names of secrets and labels have nothing else.
pub(super) fn check(find: &Find, location: Option<&str>) -> Result<()> {
    if let (Some(location), FindBy::Tags(_)) = (location, &find.by) {
        return Err(Error::usage(
            Code::GoogleSearchUnsupported,
            format!("{find} cannot be found in {location}"),
        )
        .hint("External Secrets Operator searches the labels of global secrets only: search by name"));
    }
    let plain = |text: &str| {
        text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let tags = match &find.by {
        FindBy::Name(_) => true,
        FindBy::Tags(tags) => {
            tags.iter().all(|(name, value)| !name.is_empty() && plain(name) && plain(value))
        }
    };
    if tags && plain(&find.below) {
        return Ok(());
    }
    Err(Error::usage(Code::GoogleSearchUnsupported, format!("Secret Manager cannot be asked for {find}"))
        .hint("names, labels and paths have letters, digits, `-` and `_` only"))
}

/// The value of a member of a secret's labels or annotations that `property` names, as the operator reads it.
pub(super) fn noted<'a>(secret: &'a Value, property: &str) -> Option<&'a Value> {
    for part in ["annotations", "labels"] {
        if property == part {
            // None at all is an empty map.
            return Some(&secret[part]);
        }
        if let Some(name) = property.strip_prefix(part).and_then(|rest| rest.strip_prefix('.')) {
            return secret.get(part)?.get(name);
        }
    }
    property.is_empty().then_some(secret)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pattern::Pattern;

    fn by_name(below: &str, pattern: &str) -> Find {
        Find { below: below.into(), by: FindBy::Name(Pattern::parse(pattern).unwrap()) }
    }

    fn by_tags(below: &str, tags: &[(&str, &str)]) -> Find {
        let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Find { below: below.into(), by: FindBy::Tags(tags) }
    }

    #[test]
    fn filters_are_those_of_the_operator() {
        for (find, sent) in [
            (by_name("", "^team-"), ""),
            (by_name("team", ".*"), "name:team"),
            (by_tags("", &[("env", "prod"), ("app", "shop")]), "labels.app=shop labels.env=prod"),
            (by_tags("team", &[("env", "prod")]), "labels.env=prod name:team"),
        ] {
            assert_eq!(filter(&find), sent);
            check(&find, None).unwrap();
        }
        assert!(
            is_found(&by_name("team", "db$"), "team-db") && !is_found(&by_name("team", "db$"), "my-team-db")
        );
    }

    #[test]
    fn filter_that_says_more_is_refused() {
        for find in [
            by_tags("", &[("env", "prod OR labels.x=y")]),
            by_tags("", &[("", "prod")]),
            by_tags("", &[("a=b", "c")]),
            by_tags("a b", &[]),
            by_name("team/db", ".*"),
            by_name("x OR name:y", ".*"),
        ] {
            assert_eq!(check(&find, None).unwrap_err().code, Code::GoogleSearchUnsupported, "{find}");
        }
        assert!(check(&by_name("team", "."), Some("europe-west1")).is_ok());
        assert!(check(&by_tags("", &[("a", "b")]), Some("europe-west1")).is_err());
    }

    #[test]
    fn noted_members_match_those_of_operator() {
        let secret = json!({"labels": {"env": "prod", "a.b": "c"}});
        for (property, found) in [
            ("labels.env", true),
            ("labels.a.b", true),
            ("labels", true),
            ("annotations", true),
            ("", true),
            ("labels.none", false),
            ("annotations.env", false),
            ("env", false),
            ("label.env", false),
        ] {
            assert_eq!(noted(&secret, property).is_some(), found, "{property}");
        }
    }
}
