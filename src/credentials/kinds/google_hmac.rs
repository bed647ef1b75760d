//! PURE. HMAC keys of Google Cloud Storage.

use super::{
    super::{Class, Finds, Kind, Part, Severity, Who, marks::mark, text::words},
    aws_key::{paired, secret_halves},
};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL104",
    id: "google-hmac",
    class: Class::Root,
    severity: Severity::High,
    title: "an HMAC key of Google Cloud Storage",
    recognised: "An access ID of 61 characters that begins with GOOG1E, or of 24 that begins with GOOG.",
    remedy: "Reach the bucket by workload identity federation; then gcloud storage hmac update ID --deactivate, and delete it.",
    find,
};

fn find(part: &Part<'_>, finds: &mut Finds) {
    // Of a service account, and of a person.
    let is_id = |word: &&str| {
        (word.starts_with("GOOG1E") && word.len() == 61 || word.starts_with("GOOG") && word.len() == 24)
            && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    let with_id = part.texts_with(const { mark("GOOG") });
    let ids: Vec<&str> = with_id.flat_map(|text| words(text, "")).filter(is_id).collect();
    if ids.is_empty() {
        return;
    }
    let halves = secret_halves(part, &|name| name.contains("secret"));
    if halves.is_empty() {
        // The secret half is somewhere else.
        for id in &ids {
            finds.add(&KIND, Who::Named(format!("google-hmac:{id}")), format!("the HMAC key {id} of Google"));
        }
    }
    for (id, halves) in paired(&ids, &halves) {
        let name = format!("google-hmac:{id}");
        finds.add_named(&KIND, name, halves, format!("the HMAC key {id} of Google"));
    }
}
