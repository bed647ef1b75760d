//! PURE. Keys that open everything that lies encrypted in git.

use crate::cluster::base64_of;

use super::super::{
    Class, Finds, Kind, Part, Same, Severity, Who,
    marks::{PRIVATE_KEY, mark},
    pem_text::private_keys_in,
    text::{is_placeholder, words},
};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL154",
    id: "decryption-key",
    class: Class::Root,
    severity: Severity::Critical,
    title: "a key that decrypts the secrets in git",
    recognised: "The label of a key of Sealed Secrets, an identity of age, or a private block of PGP.",
    remedy: "Read secrets from a store through External Secrets Operator, or let SOPS use a KMS; then rotate and encrypt everything again.",
    find,
};

fn find(part: &Part<'_>, finds: &mut Finds) {
    if part.holder.label("sealedsecrets.bitnami.com/sealed-secrets-key").is_some() {
        let keys: Vec<_> = part.text_with(PRIVATE_KEY).into_iter().flat_map(private_keys_in).collect();
        for key in keys {
            finds.add_around(&KIND, KIND.class, &key, "a key of Sealed Secrets");
        }
    }
    const AGE: &str = "AGE-SECRET-KEY-1";
    let of_age = part.text_with(const { mark(AGE) }).into_iter().flat_map(|text| words(text, "-"));
    for word in of_age.filter(|word| word.starts_with(AGE) && word.len() == AGE.len() + 58) {
        if !is_placeholder(&word[AGE.len()..]) {
            finds.add(&KIND, Who::Same(Same::of(word.as_bytes())), "an identity of age".into());
        }
    }
    const PGP: &str = "-----BEGIN PGP PRIVATE KEY BLOCK-----";
    let in_pgp = part.text_with(PRIVATE_KEY).into_iter().flat_map(|text| text.split(PGP).skip(1));
    for block in in_pgp {
        let body = block.split("-----END").next().unwrap_or_default();
        if body.trim().len() >= 64 && !is_placeholder(body) {
            let body = base64_of(body);
            finds.add(&KIND, Who::Same(Same::of(body.as_bytes())), "a private key of PGP".into());
        }
    }
}
