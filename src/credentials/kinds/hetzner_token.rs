//! PURE. Tokens of Hetzner Cloud: they have no form of their own, so their place tells.

use super::super::{
    Class, Finds, Kind, Part, Same, Severity, Who,
    text::{is_hex, is_placeholder, plain},
};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL171",
    id: "hetzner-token",
    class: Class::Irreducible,
    severity: Severity::High,
    title: "a token of Hetzner Cloud",
    recognised: "Exactly 64 letters and digits in an object or under a name of hcloud or Hetzner.",
    remedy: "There is no login without one. One token for each component, for its project only, rotated.",
    find,
};

fn find(part: &Part<'_>, finds: &mut Finds) {
    const CALLED: [&str; 2] = ["hcloud", "hetzner"];
    let field = plain(part.field);
    let is_here = part.holder.is_called(&CALLED) || CALLED.iter().any(|word| field.contains(word));
    let is_named = |name: &str| CALLED.iter().any(|word| name.contains(word));
    let whole = part.text.filter(|_| is_named(&field) || is_here && !field.is_empty()).map(str::trim);
    let here = part.all_named().filter(|_| is_here);
    let found: Vec<&str> = part
        .named(is_named)
        .chain(here)
        .map(|(_, value)| value)
        .chain(whole)
        .filter(|it| is_token(it))
        .collect();
    for token in found {
        finds.add(&KIND, Who::Same(Same::of(token.as_bytes())), "a token of Hetzner Cloud".into());
    }
}

fn is_token(text: &str) -> bool {
    text.len() == 64
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && !is_hex(text)
        && !is_placeholder(text)
}
