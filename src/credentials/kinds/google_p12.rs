//! PURE. Keys of Google service accounts as PKCS#12. Another such file is a key store: class T.

use super::super::{Class, Finds, Kind, Part, Same, Severity, Who, pkcs12};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL102",
    id: "google-p12",
    class: Class::Root,
    severity: Severity::Critical,
    title: "a key of a Google service account (P12)",
    recognised: "A PKCS#12 file whose integrity is protected by the password that Google gives all of them, or that is named as Google names them.",
    remedy: "Let the workload log in by workload identity federation, then gcloud iam service-accounts keys delete KEY --iam-account=ACCOUNT.",
    find,
};

fn find(part: &Part<'_>, finds: &mut Finds) {
    if std::str::from_utf8(part.bytes).is_ok() || !pkcs12::is_file(part.bytes) {
        return;
    }
    let who = Who::Same(Same::of(part.bytes));
    let field = part.field.to_ascii_lowercase();
    // PROJECT-0123456789ab.p12
    let stem = field.strip_suffix(".p12").and_then(|name| name.rsplit_once('-'));
    let is_named =
        stem.is_some_and(|(_, id)| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_named || pkcs12::has_password(part.bytes, "notasecret") {
        finds.add(&KIND, who, "a key of a Google service account (P12)".into());
    } else {
        finds.add_as(&KIND, Class::Platform, who, "a key store (PKCS#12)".into());
    }
}
