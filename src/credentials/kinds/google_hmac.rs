//! PURE. HMAC keys of Google Cloud Storage.

use super::super::{Class, Finds, Kind, Part, Severity, Who, text::words};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL104",
    id: "google-hmac",
    class: Class::Root,
    severity: Severity::High,
    title: "an HMAC key of Google Cloud Storage",
    recognised: "An access ID that begins with GOOG1E.",
    remedy: "Reach the bucket by workload identity federation; then gcloud storage hmac update ID --deactivate, and delete it.",
    find,
};

fn find(part: &Part<'_>, finds: &mut Finds) {
    let Some(text) = part.text.filter(|text| text.contains("GOOG1E")) else { return };
    for id in words(text, "").filter(|word| word.starts_with("GOOG1E") && word.len() >= 61) {
        finds.add(
            &KIND,
            Who::Named(format!("google-hmac:{}", &id[..61])),
            format!("the HMAC key {} of Google", &id[..61]),
        );
    }
}
