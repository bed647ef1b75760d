//! PURE. Access keys of MinIO, Ceph, R2, Hetzner and others that speak S3.

use super::super::{Class, Finds, Kind, Part, Same, Severity, Who, text::is_placeholder};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL113",
    id: "s3-key",
    class: Class::Platform,
    severity: Severity::High,
    title: "an access key of a store that speaks S3",
    recognised: "A value under the name of an access key beside one under the name of a secret key, and the ID is none of AWS.",
    remedy: "Use short-lived credentials of its token service where it has one (MinIO, Ceph); else one key for each bucket, rotated.",
    find,
};

fn find(part: &Part<'_>, finds: &mut Finds) {
    let is_id = |name: &str| {
        ["accesskey", "accesskeyid"].iter().any(|end| name.ends_with(end)) && !name.contains("secret")
    };
    let is_secret = |name: &str| name.ends_with("secretkey") || name.ends_with("secretaccesskey");
    let Some((_, id)) =
        part.named(is_id).find(|(_, id)| fits(id) && !id.starts_with("AKIA") && !id.starts_with("ASIA"))
    else {
        return;
    };
    // With a session token it expires by itself.
    if part.named(|name| name.ends_with("sessiontoken")).next().is_some() {
        return;
    }
    for (_, secret) in
        part.named(is_secret).filter(|(_, secret)| secret.len() >= 16 && fits(secret) && *secret != id)
    {
        finds.add(
            &KIND,
            Who::Same(Same::of(secret.as_bytes())),
            "an access key of a store that speaks S3".into(),
        );
    }
}

fn fits(value: &str) -> bool {
    value.len() >= 8 && value.len() <= 256 && !value.contains(char::is_whitespace) && !is_placeholder(value)
}
