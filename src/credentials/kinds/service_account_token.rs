//! PURE. Stored tokens of ServiceAccounts: the Secret itself.

use super::super::{Class, Finds, Kind, Part, Severity, Who};

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
    let is_here = finds.at() == "data" && part.get("token").is_some();
    if holder.secret_type == "kubernetes.io/service-account-token" && is_here {
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
}
