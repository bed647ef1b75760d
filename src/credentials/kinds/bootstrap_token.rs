//! PURE. Bootstrap tokens that never expire.

use std::collections::BTreeSet;

use super::super::{Class, Finds, Holder, Kind, Part, Severity, Who, text::shown};

const TYPE: &str = "bootstrap.kubernetes.io/token";

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
    if part.holder.secret_type != TYPE || finds.at() != "data" {
        return;
    }
    if part.get("expiration").is_none() && part.get("tokensecret").is_some() {
        add(part.get("tokenid").filter(is_id).unwrap_or(&part.holder.name), finds);
    }
}

/// Without its values: that there is no expiry is known only where the names of all keys are.
pub(super) fn by_type(holder: &Holder, keys: Option<&BTreeSet<&str>>, finds: &mut Finds) {
    let Some(keys) = keys.filter(|_| holder.secret_type == TYPE) else { return };
    if keys.contains("token-secret") && !keys.contains("expiration") {
        let id = holder.name.strip_prefix("bootstrap-token-").filter(is_id);
        add(id.unwrap_or(&holder.name), finds);
    }
}

/// kubeadm: six lower-case letters or digits. Anything else may be more than the ID.
fn is_id(id: &&str) -> bool {
    id.len() == 6 && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn add(id: &str, finds: &mut Finds) {
    let id = shown(id);
    finds.add(
        &KIND,
        Who::Named(format!("bootstrap-token:{id}")),
        format!("the bootstrap token {id}, which never expires"),
    );
}
