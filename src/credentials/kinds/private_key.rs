//! PURE. Private keys that nothing else is known of.

use super::super::{Class, Finds, Kind, Part, Severity, marks::PRIVATE_KEY, pem_text::private_keys_in};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL203",
    id: "private-key",
    class: Class::Platform,
    severity: Severity::Medium,
    title: "a private key",
    recognised: "A private key in PEM that no other kind takes. In a Secret of the type kubernetes.io/tls it is the key of a certificate: class K. It is named by its public half.",
    remedy: "Find out what it signs or opens. Keys of certificates: let cert-manager renew them.",
    find,
};

fn find(part: &Part<'_>, finds: &mut Finds) {
    let is_tls = part.holder.secret_type == "kubernetes.io/tls";
    let keys: Vec<_> = part.text_with(PRIVATE_KEY).into_iter().flat_map(private_keys_in).collect();
    for key in keys.into_iter().filter(|key| key.tag != "OPENSSH PRIVATE KEY") {
        let (class, what) = match is_tls {
            true => (Class::RootKey, "the key of a certificate"),
            false => (KIND.class, "a private key"),
        };
        finds.add_key(&KIND, class, &key, what);
    }
}
