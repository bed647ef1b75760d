//! PURE. What a server's text may become before it is shown: short, of one line, and without anything secret.

/// The longest part of a server's message that is shown.
const LONGEST: usize = 600;

/// A message made fit to be shown. A server may send back what it was sent, so words that look like a
/// signature, a key or a token are left out.
pub(crate) fn fit(text: &str) -> String {
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
        assert_eq!(fit(arn), arn);
        let role = "User: arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_AdministratorAccess_1a2b3c4d5e6f7a8b/me";
        assert_eq!(fit(role), role);
        let key = fit("the key wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY is wrong");
        assert_eq!(key, "the key … is wrong");
        let signature = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        assert_eq!(fit(&format!("Signature={signature}, end")), "Signature=…, end");
        let token = format!("ya29.{}", "a0AfH6SMB-x_9".repeat(12));
        assert!(!fit(&format!("bad token {token}!")).contains("a0AfH6"));
        let session = format!("IQoJb3JpZ2luX2VjE{}/{}==", "aZ09+".repeat(9), "bY8".repeat(30));
        assert!(!fit(&session).contains("aZ09"), "{}", fit(&session));
    }

    #[test]
    fn messages_are_one_short_line_without_control_characters() {
        assert_eq!(fit(" a\nb\u{1b}[31mc "), "a b [31mc");
        assert_eq!(fit(&"ab ".repeat(1000)).chars().count(), LONGEST + 1);
        assert_eq!(fit(""), "");
    }
}
