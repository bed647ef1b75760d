//! PURE. Bootstrap tokens that never expire.

use super::super::{Class, Finds, Kind, Part, Severity, Who, text::shown};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL144",
    id: "bootstrap-token",
    class: Class::Irreducible,
    severity: Severity::High,
    title: "a bootstrap token without an expiry",
    recognised: "A Secret of the type bootstrap.kubernetes.io/token without `expiration`. It is named by its ID.",
    remedy: "kubeadm token delete ID, and make tokens that live for hours (kubeadm token create --ttl 1h).",
    find,
};

fn find(part: &Part<'_>, finds: &mut Finds) {
    if part.holder.secret_type != "bootstrap.kubernetes.io/token" || finds.at() != "data" {
        return;
    }
    if part.get("expiration").is_none() && part.get("tokensecret").is_some() {
        // kubeadm: six lower-case letters or digits. Anything else may be more than the ID.
        let is_id = |id: &&str| {
            id.len() == 6 && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        let id = shown(part.get("tokenid").filter(is_id).unwrap_or(&part.holder.name));
        finds.add(
            &KIND,
            Who::Named(format!("bootstrap-token:{id}")),
            format!("the bootstrap token {id}, which never expires"),
        );
    }
}
