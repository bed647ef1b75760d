//! PURE. Names of objects, as the API server takes them
//! (<https://kubernetes.io/docs/concepts/overview/working-with-objects/names/>).

/// RFC 1123 label, as namespaces have them: 1 to 63 lower-case letters, digits and hyphens, none of these at an end.
pub(crate) fn is_label(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let (first, last) = (text.bytes().next(), text.bytes().last());
    text.len() <= 63
        && first.is_some_and(plain)
        && last.is_some_and(plain)
        && text.bytes().all(|byte| plain(byte) || byte == b'-')
}

/// RFC 1123 subdomain, as ServiceAccounts, Secrets and stores have them: parts as of labels, between dots, 253 bytes in
/// all.
pub(crate) fn is_subdomain(text: &str) -> bool {
    let part = |part: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let (first, last) = (part.bytes().next(), part.bytes().last());
        first.is_some_and(plain)
            && last.is_some_and(plain)
            && part.bytes().all(|byte| plain(byte) || byte == b'-')
    };
    text.len() <= 253 && text.split('.').all(part)
}

/// Whether a text can be one segment of a path of the API. One that cannot names no object.
pub(crate) fn is_path_segment(text: &str) -> bool {
    !matches!(text, "" | "." | "..")
        && !text.contains(['/', '%', '?', '#'])
        && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_valid_kubernetes_names_are_accepted() {
        for label in ["a", "0", "kube-system", "a1-2b", &"a".repeat(63)] {
            assert!(is_label(label) && is_subdomain(label), "{label}");
        }
        for subdomain in ["a.b", "gcp.prod-1", &format!("{}.b", "a".repeat(251))] {
            assert!(is_subdomain(subdomain) && !is_label(subdomain), "{subdomain}");
        }
        for neither in [
            "",
            "-a",
            "a-",
            "A",
            "a_b",
            "a/b",
            "a'b",
            "a\"b",
            "a b",
            "..",
            ".",
            "a..b",
            ".a",
            "a.",
            "*",
            "+",
            "ä",
            "a\nb",
            "{{x}}",
            &"a".repeat(254),
        ] {
            assert!(!is_label(neither) && !is_subdomain(neither), "{neither:?}");
        }
        for segment in ["system:node", "a.b", "A_b"] {
            assert!(is_path_segment(segment), "{segment}");
        }
        for none in ["", ".", "..", "a/b", "%2e", "a?b", "a#b", "a\0b"] {
            assert!(!is_path_segment(none), "{none:?}");
        }
    }
}
