//! What text may become before it leaves the process: short, of one line, and without anything secret.

use std::sync::{PoisonError, RwLock};

/// The longest part of a server's message that is shown, in characters.
const LONGEST: usize = 600;

/// Shorter texts are parts of ordinary words: taking them out would damage the text and hide nothing.
const SHORTEST: usize = 6;

/// The secrets that this process holds or has seen.
static KNOWN: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// From now on this text is left out of everything that the process prints.
///
/// Call it where a secret enters: types that hold one do so when they are made.
pub(crate) fn remember(secret: &str) {
    let secret = secret.trim();
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if secret.len() >= SHORTEST && !known.iter().any(|known| known == secret) {
        known.push(secret.to_owned());
    }
}

/// A message of a server or a library, made fit to be shown. A server may send back what it was sent, so known
/// secrets and words that look like a signature, a key or a token are left out.
pub(crate) fn message(text: &str) -> String {
    let mut text = text.to_owned();
    for secret in KNOWN.read().unwrap_or_else(PoisonError::into_inner).iter() {
        text = text.replace(secret, "…");
    }
    let mut shown = String::new();
    let mut word = String::new();
    for c in text.trim().chars() {
        if c.is_ascii_alphanumeric() || "+/-_.~".contains(c) {
            word.push(c);
            continue;
        }
        shown.push_str(if looks_secret(&word) { "…" } else { &word });
        word.clear();
        shown.push(if c.is_control() { ' ' } else { c });
    }
    shown.push_str(if looks_secret(&word) { "…" } else { &word });
    match shown.char_indices().nth(LONGEST) {
        None => shown,
        Some((at, _)) => format!("{}…", &shown[..at]),
    }
}

/// SigV4 signatures are 64 hex digits, secret keys and session tokens are base64, Google's tokens and JWTs are
/// base64url with dots. Names of roles, buckets and objects are shorter, or have letters of one case only.
fn looks_secret(word: &str) -> bool {
    let mixed = word.bytes().any(|b| b.is_ascii_uppercase())
        && word.bytes().any(|b| b.is_ascii_lowercase())
        && word.bytes().any(|b| b.is_ascii_digit());
    let base64 = word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/');
    let hex = word.bytes().all(|b| b.is_ascii_hexdigit());
    (hex && word.len() >= 64) || (mixed && base64 && word.len() >= 40) || (mixed && word.len() >= 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_stay_and_secrets_go() {
        let arn = "User: arn:aws:iam::123456789012:user/me is not authorized to perform: s3:PutObject on resource: \
                   \"arn:aws:s3:::a-bucket-with-a-long-name-for-the-keys-of-this-cluster/openid/v1/jwks\"";
        assert_eq!(message(arn), arn);
        let role = "User: arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_AdministratorAccess_1a2b3c4d5e6f7a8b/me";
        assert_eq!(message(role), role);
        let key = message("the key wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY is wrong");
        assert_eq!(key, "the key … is wrong");
        let signature = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        assert_eq!(message(&format!("Signature={signature}, end")), "Signature=…, end");
        let token = format!("ya29.{}", "a0AfH6SMB-x_9".repeat(12));
        assert!(!message(&format!("bad token {token}!")).contains("a0AfH6"));
        let session = format!("IQoJb3JpZ2luX2VjE{}/{}==", "aZ09+".repeat(9), "bY8".repeat(30));
        assert!(!message(&session).contains("aZ09"), "{}", message(&session));
    }

    #[test]
    fn messages_are_one_short_line_without_control_characters() {
        assert_eq!(message(" a\nb\u{1b}[31mc "), "a b [31mc");
        assert_eq!(message(&"ab ".repeat(1000)).chars().count(), LONGEST + 1);
        assert_eq!(message(""), "");
    }
}
