//! PURE. Stored tokens of ServiceAccounts: the Secret itself.

use std::collections::BTreeSet;

use super::super::{Class, Finds, Holder, Kind, Part, Severity, Who};

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
    if holder.secret_type == TYPE && finds.at() == "data" && part.get("token").is_some() {
        add(holder, finds);
    }
}

/// Without its values: the API server puts a token into each Secret of this type.
pub(super) fn by_type(holder: &Holder, keys: Option<&BTreeSet<&str>>, finds: &mut Finds) {
    if holder.secret_type == TYPE && keys.is_none_or(|keys| keys.contains("token")) {
        add(holder, finds);
    }
}

fn add(holder: &Holder, finds: &mut Finds) {
    let state = match holder.label("kubernetes.io/legacy-token-invalid-since") {
        Some(_) => ", which the API server does not accept any more",
        None => "",
    };
    let who = Who::Named(format!("service-account-token:{}/{}", holder.namespace, holder.name));
    finds.add(
        &KIND,
        who,
        format!("the stored token {}/{} of a ServiceAccount{state}", holder.namespace, holder.name),
    );
}
