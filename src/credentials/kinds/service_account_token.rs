//! PURE. Stored tokens of ServiceAccounts: the Secret itself.

use std::collections::BTreeSet;

use super::super::{Class, Finds, Halves, Holder, Kind, Part, Same, Severity, Who};

const TYPE: &str = "kubernetes.io/service-account-token";

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL141",
    id: "service-account-token",
    class: Class::Platform,
    severity: Severity::High,
    title: "a stored token of a ServiceAccount",
    recognised: "A Secret of the type kubernetes.io/service-account-token. It never expires.",
    remedy: "Use projected tokens or TokenRequest; then kubectl delete secret.",
    find,
};

fn find(part: &Part<'_>, finds: &mut Finds) {
    let holder = part.holder;
    if holder.secret_type == TYPE
        && finds.at() == "data"
        && let Some(token) = part.get("token")
    {
        add(holder, [Who::Same(Same::of(token.as_bytes()))].into(), finds);
    }
}

/// Without its values: the API server puts a token into each Secret of this type.
pub(super) fn by_type(holder: &Holder, keys: Option<&BTreeSet<&str>>, finds: &mut Finds) {
    if holder.secret_type == TYPE && keys.is_none_or(|keys| keys.contains("token")) {
        add(holder, Halves::new(), finds);
    }
}

fn add(holder: &Holder, halves: Halves, finds: &mut Finds) {
    // A label is a claim: anyone who may change the Secret can set it.
    let state = match holder.label("kubernetes.io/legacy-token-invalid-since") {
        Some(_) => ", which a label calls invalid",
        None => "",
    };
    finds.add_named(
        &KIND,
        format!("service-account-token:{}/{}", holder.namespace, holder.name),
        halves,
        format!("the stored token {}/{} of a ServiceAccount{state}", holder.namespace, holder.name),
    );
}
