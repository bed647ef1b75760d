//! PURE. Credentials that are told by the form of their text.

use super::Public;

/// Longer texts are no credential of these kinds; a file of profiles is shorter too.
const LONGEST: usize = 64 << 10;

/// What a text that is no JSON object is, by its form.
pub(super) fn public(value: &[u8]) -> Public {
    let Some(text) = (value.len() <= LONGEST).then(|| std::str::from_utf8(value).ok()).flatten() else {
        return Public::Opaque;
    };
    let text = text.trim();
    if is_aws_id(text.as_bytes()) {
        return Public::AwsAccessKey { id: text.to_owned() };
    }
    if is_vault_token(text) {
        return Public::VaultToken;
    }
    if is_entra_secret(text) {
        return Public::EntraSecret { hint: text.chars().take(3).collect() };
    }
    match aws_profile(text) {
        Some(id) => Public::AwsAccessKey { id },
        None => Public::Opaque,
    }
}

/// The id of a long-lived access key: `AKIA` and 16 letters and digits
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>).
fn is_aws_id(value: &[u8]) -> bool {
    let id = value.trim_ascii();
    id.len() == 20
        && id.starts_with(b"AKIA")
        && id.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// The access key in a file of profiles, as the vendor's own tools write it.
fn aws_profile(text: &str) -> Option<String> {
    if !text.to_ascii_lowercase().contains("aws_secret_access_key") {
        return None;
    }
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.into_iter().find(|word| is_aws_id(word.as_bytes())).map(str::to_owned)
}

/// `hvs.` (service), `hvb.` (batch), `hvr.` (recovery), or the older `s.`
/// (<https://developer.hashicorp.com/vault/docs/concepts/tokens>).
fn is_vault_token(text: &str) -> bool {
    let body = |body: &str| {
        body.len() >= 24 && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    ["hvs.", "hvb.", "hvr."].iter().any(|prefix| text.strip_prefix(prefix).is_some_and(body))
        || text.strip_prefix("s.").is_some_and(|rest| rest.len() == 24 && body(rest))
}

/// Three characters, a digit, `Q~`, and 31 to 34 more.
fn is_entra_secret(text: &str) -> bool {
    let bytes = text.as_bytes();
    (37..=40).contains(&bytes.len())
        && bytes[3].is_ascii_digit()
        && &bytes[4..6] == b"Q~"
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_~.-".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_told_by_form() {
        let id = || Public::AwsAccessKey { id: "AKIAIOSFODNN7EXAMPLE".into() };
        for (text, wanted) in [
            ("AKIAIOSFODNN7EXAMPLE\n", id()),
            ("[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key=x", id()),
            ("{\"AWS_SECRET_ACCESS_KEY\": \"AKIAIOSFODNN7EXAMPLE\"", id()),
            ("hvs.CAESIJkanarienvogelkanarienvogel", Public::VaultToken),
            ("s.kanarienvogelkanarienvog", Public::VaultToken),
            ("abc8Q~kanarienvogelkanarienvogelkanari", Public::EntraSecret { hint: "abc".into() }),
        ] {
            assert_eq!(public(text.as_bytes()), wanted, "{text}");
        }
        for text in [
            "",
            "AKIA",
            "ASIAIOSFODNN7EXAMPLE",
            "AKIAIOSFODNN7EXAMPLe",
            "hvs.short",
            "s.Title",
            "password",
            "the id AKIAIOSFODNN7EXAMPLE alone",
            "[default]\naws_secret_access_key=x",
            "Q~",
        ] {
            assert_eq!(public(text.as_bytes()), Public::Opaque, "{text}");
        }
        assert_eq!(public(&[0xff, 0xfe]), Public::Opaque);
    }
}
