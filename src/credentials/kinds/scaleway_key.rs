//! PURE. API keys of Scaleway. <https://www.scaleway.com/en/docs/iam/concepts/#api-key>

use super::super::{
    Class, Finds, Kind, Part, Same, Severity, Who,
    text::{is_placeholder, is_uuid, words},
};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL116",
    id: "scaleway-key",
    class: Class::Root,
    severity: Severity::Critical,
    title: "an API key of Scaleway",
    recognised: "SCW and 17 capital letters or digits, with a UUID under the name of a secret key beside it. It is named by its ID.",
    remedy: "There is no login without one. One key for each application, with an expiry and rights on its project only; move what it opens to a store that takes the cluster's tokens.",
    find,
};

fn find(part: &Part<'_>, finds: &mut Finds) {
    let is_named = |name: &str| name.ends_with("secretkey") || name.ends_with("secretaccesskey");
    let secrets = part.named(is_named).map(|(_, value)| value).filter(|value| is_uuid(value));
    let Some(secret) = secrets.filter(|value| !is_placeholder(value)).last() else { return };
    let values = part.pairs.iter().map(|(_, value)| value.trim());
    for id in values.flat_map(|text| words(text, "")).filter(|word| is_id(word)) {
        // The pair has the form of a key of a store that speaks S3 as well.
        let key = Some(Who::Same(Same::of(secret.as_bytes())));
        finds.add_key(&KIND, Who::Named(format!("scaleway:{id}")), format!("Scaleway API key {id}"), key);
    }
}

fn is_id(word: &str) -> bool {
    word.starts_with("SCW")
        && word.len() == 20
        && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && !is_placeholder(word)
}
