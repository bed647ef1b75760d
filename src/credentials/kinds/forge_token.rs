//! PURE. Tokens of GitHub and GitLab.

use super::super::{
    Class, Finds, Kind, Part, Same, Severity, Who,
    marks::marks_of,
    text::{crc32, is_placeholder, words},
};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL153",
    id: "forge-token",
    class: Class::Platform,
    severity: Severity::High,
    title: "a token of a forge",
    recognised: "The prefixes of GitHub and GitLab. The last six characters of one of GitHub are a checksum of the rest.",
    remedy: "Use a GitHub App, a token that expires, or the generator of External Secrets Operator; then revoke the token at the forge.",
    find,
};

/// How they begin, how long they are at least, and whose they are.
const TOKENS: [(&str, usize, &str); 8] = [
    ("ghp_", 40, "GitHub"),
    ("gho_", 40, "GitHub"),
    ("ghu_", 40, "GitHub"),
    ("ghs_", 40, "GitHub"),
    ("ghr_", 40, "GitHub"),
    ("github_pat_", 82, "GitHub"),
    ("glpat-", 26, "GitLab"),
    ("gldt-", 25, "GitLab"),
];

fn find(part: &Part<'_>, finds: &mut Finds) {
    let Some(text) = part.text.filter(|_| part.has_any(&const { marks_of(&TOKENS) })) else { return };
    for word in words(text, "_-.") {
        let token =
            TOKENS.iter().find(|(prefix, length, _)| word.len() >= *length && word.starts_with(prefix));
        let Some((_, _, forge)) = token.filter(|(prefix, ..)| !is_placeholder(&word[prefix.len()..])) else {
            continue;
        };
        let proof = if has_checksum(word) { ", whose checksum is right" } else { "" };
        finds.add(&KIND, Who::Same(Same::of(word.as_bytes())), format!("a token of {forge}{proof}"));
    }
}

/// GitHub's: CRC-32 of the 30 characters after the prefix, in base 62, six digits.
fn has_checksum(token: &str) -> bool {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let Some(body) = token.get(4..34).filter(|_| token.len() == 40 && token.starts_with("gh")) else {
        return false;
    };
    let mut crc = crc32(body.as_bytes());
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(crc % 62) as usize];
        crc /= 62;
    }
    token.as_bytes().get(34..) == Some(&digits)
}
