//! PURE. Tokens of secret stores that do not expire by themselves.

use super::super::{
    Class, Finds, Kind, Part, Same, Severity, Who,
    marks::marks_of,
    text::{is_placeholder, words},
};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL133",
    id: "secret-manager-token",
    class: Class::Root,
    severity: Severity::Critical,
    title: "a token of another secret store",
    recognised: "The prefixes of Doppler, 1Password and Pulumi.",
    remedy: "Log in with tokens of a ServiceAccount where the store takes them (Doppler, Pulumi); else move the secrets to one that does.",
    find,
};

/// How they begin, how long they are at least, and what they are.
const TOKENS: [(&str, usize, &str); 6] = [
    ("dp.st.", 40, "a token of Doppler"),
    ("dp.sa.", 40, "a token of Doppler"),
    ("dp.pt.", 40, "a token of Doppler"),
    ("dp.ct.", 40, "a token of Doppler"),
    ("ops_ey", 100, "a token of a 1Password service account"),
    ("pul-", 44, "a token of Pulumi"),
];

fn find(part: &Part<'_>, finds: &mut Finds) {
    let Some(text) = part.text.filter(|_| part.has_any(&const { marks_of(&TOKENS) })) else { return };
    for word in words(text, "._~-") {
        let token =
            TOKENS.iter().find(|(prefix, length, _)| word.len() >= *length && word.starts_with(prefix));
        if let Some((_, _, what)) = token.filter(|_| !is_placeholder(word)) {
            finds.add(&KIND, Who::Same(Same::of(word.as_bytes())), (*what).into());
        }
    }
}
