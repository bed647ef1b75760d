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
        return Public::EntraSecret;
    }
    match aws_profile(text) {
        Some(id) => Public::AwsAccessKey { id },
        None => Public::Opaque,
    }
}

/// The id of a long-lived access key: `AKIA` and 16 letters and digits
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>).
pub(super) fn is_aws_id(value: &[u8]) -> bool {
    let id = value.trim_ascii();
    id.len() == 20
        && id.starts_with(b"AKIA")
        && id.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// The secret half of an access key: 40 characters of base64.
pub(super) fn is_aws_secret(value: &[u8]) -> bool {
    let secret = value.trim_ascii();
    secret.len() == 40 && secret.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(byte))
}

/// The access key in a file of profiles, as the vendor's own tools write it.
fn aws_profile(text: &str) -> Option<String> {
    if !text.to_ascii_lowercase().contains("aws_secret_access_key") {
        return None;
    }
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.into_iter().find(|word| is_aws_id(word.as_bytes())).map(str::to_owned)
}

/// A credential in a text that holds more.
pub(super) fn among(value: &[u8]) -> Option<Public> {
    let text = std::str::from_utf8(value).ok()?;
    if let Some(key) = google_key(text) {
        return Some(key);
    }
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || "._~-".contains(c);
    let of_word = |word: &str| match () {
        () if !word.starts_with("s.") && is_vault_token(word) => Some(Public::VaultToken),
        () if is_entra_secret(word) => Some(Public::EntraSecret),
        () => TOKENS
            .iter()
            .find(|(prefix, length, _)| word.len() >= *length && word.starts_with(prefix))
            .map(|(_, _, what)| Public::Token(what)),
    };
    if let Some(found) = text.split(|c| !is_of_word(c)).find_map(of_word) {
        return Some(found);
    }
    let id = text.split(|c: char| !c.is_ascii_alphanumeric()).find(|word| is_aws_id(word.as_bytes()))?;
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"+/".contains(c));
    // A checksum has as many characters.
    let is_secret = |word: &str| {
        is_aws_secret(word.as_bytes())
            && word.bytes().any(|byte| !byte.is_ascii_hexdigit() || byte.is_ascii_uppercase())
    };
    words.any(is_secret).then(|| Public::AwsAccessKey { id: id.to_owned() })
}

/// Tokens of secret stores that do not expire by themselves: how they begin, how long they are at least.
const TOKENS: [(&str, usize, &str); 10] = [
    ("dp.st.", 40, "a token of Doppler"),
    ("dp.sa.", 40, "a token of Doppler"),
    ("dp.pt.", 40, "a token of Doppler"),
    ("dp.ct.", 40, "a token of Doppler"),
    ("ops_ey", 100, "a token of a 1Password service account"),
    ("pul-", 44, "a token of Pulumi"),
    ("glpat-", 26, "a token of GitLab"),
    ("ghp_", 40, "a token of GitHub"),
    ("github_pat_", 82, "a token of GitHub"),
    ("GOOG1E", 61, "an HMAC key of Google"),
];

/// The key of a Google service account, in whatever text its members are written.
pub(super) fn google_key(text: &str) -> Option<Public> {
    const ACCOUNT: &str = ".gserviceaccount.com";
    let at = text.find(ACCOUNT).filter(|_| text.contains("PRIVATE KEY-----"))?;
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "-.@_".contains(c);
    let begin = text[..at].rfind(|c| !is_of_name(c)).map_or(0, |before| before + 1);
    let client_email = &text[begin..at + ACCOUNT.len()];
    let private_key_id = text.split("private_key_id").nth(1).map(|rest| {
        let mut words = rest.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        words.next().filter(|word| word.len() >= 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit()))
    });
    let project = client_email.split_once('@').and_then(|(_, domain)| domain.split('.').next());
    Some(Public::GoogleKey {
        project_id: project.unwrap_or_default().to_owned(),
        client_email: client_email.chars().take(320).collect(),
        private_key_id: private_key_id.flatten().unwrap_or_default().chars().take(128).collect(),
    })
}

/// Whether an entry of this name holds the secret half of an access key.
pub(super) fn names_aws_secret(name: &str) -> bool {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    name.to_ascii_lowercase().contains("secretaccesskey")
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
            ("abc8Q~kanarienvogelkanarienvogelkanari", Public::EntraSecret),
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
