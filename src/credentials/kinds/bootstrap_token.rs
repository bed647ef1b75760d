//! PURE. Bootstrap tokens that never expire.

use std::collections::BTreeSet;

use super::super::{Class, Finds, Halves, Holder, Kind, Part, Same, Severity, Who, text::shown};

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
    if part.get("expiration").is_none()
        && let Some(secret) = part.get("tokensecret")
    {
        let half = Who::Same(Same::of(secret.as_bytes()));
        add(part.get("tokenid").filter(is_id).unwrap_or(&part.holder.name), [half].into(), finds);
    }
}

/// Without its values: that there is no expiry is known only where the names of all keys are.
pub(super) fn by_type(holder: &Holder, keys: Option<&BTreeSet<&str>>, finds: &mut Finds) {
    let Some(keys) = keys.filter(|_| holder.secret_type == TYPE) else { return };
    if keys.contains("token-secret") && !keys.contains("expiration") {
        let id = holder.name.strip_prefix("bootstrap-token-").filter(is_id);
        add(id.unwrap_or(&holder.name), Halves::new(), finds);
    }
}

/// kubeadm: six lower-case letters or digits. Anything else may be more than the ID.
fn is_id(id: &&str) -> bool {
    id.len() == 6 && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn add(id: &str, halves: Halves, finds: &mut Finds) {
    let id = shown(id);
    finds.add_named(
        &KIND,
        format!("bootstrap-token:{id}"),
        halves,
        format!("the bootstrap token {id}, which never expires"),
    );
}
