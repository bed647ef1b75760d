//! PURE. Tokens of Vault and OpenBao.

use super::super::{
    Class, Finds, Kind, Part, Same, Severity, Who,
    marks::mark,
    text::{is_placeholder, words},
};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL131",
    id: "vault-token",
    class: Class::Root,
    severity: Severity::Critical,
    title: "a token of Vault or OpenBao",
    recognised: "hvs., hvb. or hvr. and at least 24 characters; the older form `s.` as a whole value.",
    remedy: "Let the workload log in at auth/kubernetes or auth/jwt; then vault token revoke.",
    find,
};

fn find(part: &Part<'_>, finds: &mut Finds) {
    let Some(text) = part.text else { return };
    let has_new = part.has_any(&const { [mark("hvs."), mark("hvb."), mark("hvr.")] });
    let of_word = Some(text).filter(|_| has_new).into_iter().flat_map(|text| words(text, "._-"));
    let of_word = of_word.filter(|word| !word.starts_with("s.") && is_token(word));
    let named = part.named(|name| name.contains("token")).map(|(_, value)| value);
    let old = [text.trim()].into_iter().chain(named).filter(|word| word.starts_with("s.") && is_token(word));
    let found: Vec<&str> = of_word.chain(old).collect();
    for token in found {
        finds.add(&KIND, Who::Same(Same::of(token.as_bytes())), "a token of Vault or OpenBao".into());
    }
}

/// <https://developer.hashicorp.com/vault/docs/concepts/tokens>
fn is_token(word: &str) -> bool {
    let body = |body: &str| {
        body.len() >= 24
            && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            && !is_placeholder(body)
    };
    // In a namespace of Vault, its ID follows.
    let word = match word.rsplit_once('.') {
        Some((token, id)) if token.contains('.') && id.len() <= 8 => token,
        _ => word,
    };
    ["hvs.", "hvb.", "hvr."].iter().any(|prefix| word.strip_prefix(prefix).is_some_and(body))
        || word.strip_prefix("s.").is_some_and(|rest| rest.len() == 24 && body(rest))
}
