//! PURE. Private keys of SSH.

use super::super::{Class, Finds, Kind, Part, Severity, marks::PRIVATE_KEY, pem_text::private_keys_in};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL155",
    id: "ssh-key",
    class: Class::Platform,
    severity: Severity::High,
    title: "a private key of SSH",
    recognised: "A private key in the form of OpenSSH, or the value of a Secret of the type kubernetes.io/ssh-auth. It is named by its fingerprint.",
    remedy: "Use short-lived certificates of SSH or the forge's own identity; then take the public key out of where it opens something.",
    find,
};

fn find(part: &Part<'_>, finds: &mut Finds) {
    let is_ssh = part.holder.secret_type == "kubernetes.io/ssh-auth";
    let keys: Vec<_> = part.text_with(PRIVATE_KEY).into_iter().flat_map(private_keys_in).collect();
    for key in keys.into_iter().filter(|key| is_ssh || key.tag == "OPENSSH PRIVATE KEY") {
        finds.add_around(&KIND, KIND.class, &key, "a private key of SSH");
    }
}
