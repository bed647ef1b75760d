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
    let secrets = part.named(is_named).filter(|(_, value)| is_uuid(value) && !is_placeholder(value));
    let secrets: Vec<(&str, &str)> = secrets.collect();
    if secrets.is_empty() {
        return;
    }
    let ids: Vec<&str> = part.values().flat_map(|text| words(text, "")).filter(|word| is_id(word)).collect();
    for (name, secret) in secrets {
        let key = Who::Same(Same::of(secret.as_bytes()));
        // The pair has the form of a key of a store that speaks S3 as well.
        for id in &ids {
            let what = format!("Scaleway API key {id}");
            let halves = [key.clone()].into();
            finds.add_named_key(&KIND, format!("scaleway:{id}"), halves, what, Some(key.clone()));
        }
        // It opens the API by itself.
        if ids.is_empty() && (name.starts_with("scw") || name.contains("scaleway")) {
            finds.add(&KIND, key, "the secret half of a Scaleway API key".into());
        }
    }
}

fn is_id(word: &str) -> bool {
    word.starts_with("SCW")
        && word.len() == 20
        && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && !is_placeholder(word)
}
