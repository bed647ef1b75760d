//! PURE. Tokens of Cloudflare: they have no form of their own, so their place tells.

use super::super::{
    Class, Finds, Kind, Part, Same, Severity, Who,
    text::{is_hex, is_placeholder, plain},
};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL172",
    id: "cloudflare-token",
    class: Class::Irreducible,
    severity: Severity::High,
    title: "a token of Cloudflare",
    recognised: "40 letters, digits, `-` and `_` in an object or under a name of Cloudflare; 37 hexadecimal digits are the key of the whole account.",
    remedy: "There is no login without one: HTTP-01 where it is for certificates; else a token for one zone, rotated.",
    find,
};

fn find(part: &Part<'_>, finds: &mut Finds) {
    let field = plain(part.field);
    let is_here = part.holder.is_called(&["cloudflare"]) || field.contains("cloudflare");
    let is_named =
        |name: &str| name.contains("cloudflare") || name.starts_with("cfapi") || name.starts_with("cfdns");
    let whole = part.text.filter(|_| is_named(&field) || is_here && !field.is_empty()).map(str::trim);
    let here = part.all_named().filter(|_| is_here);
    let found: Vec<&str> = part.named(is_named).chain(here).map(|(_, value)| value).chain(whole).collect();
    for value in found {
        let is_token = value.len() == 40
            && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            && !is_hex(value);
        if (is_token || value.len() == 37 && is_hex(value)) && !is_placeholder(value) {
            finds.add(&KIND, Who::Same(Same::of(value.as_bytes())), "a token of Cloudflare".into());
        }
    }
}
