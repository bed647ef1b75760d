//! PURE. Tokens by which nodes join k3s and RKE2. It also decrypts the certificate authorities in the datastore.

use super::super::{
    Class, Finds, Kind, Part, Same, Severity, Who,
    marks::mark,
    text::{is_hex, words},
};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL201",
    id: "k3s-token",
    class: Class::Irreducible,
    severity: Severity::High,
    title: "the server token of k3s or RKE2",
    recognised: "K10, 64 hexadecimal digits, and `::`.",
    remedy: "k3s token rotate; join agents with a token of their own, servers with short-lived bootstrap tokens.",
    find,
};

fn find(part: &Part<'_>, finds: &mut Finds) {
    let Some(text) = part.text_with(const { mark("K10") }) else { return };
    for word in words(text, ":._-") {
        let Some((hash, secret)) = word.strip_prefix("K10").and_then(|rest| rest.split_once("::")) else {
            continue;
        };
        if hash.len() == 64 && is_hex(hash) && secret.len() >= 16 {
            finds.add(&KIND, Who::Same(Same::of(word.as_bytes())), "the server token of k3s or RKE2".into());
        }
    }
}
