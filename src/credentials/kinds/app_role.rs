//! PURE. AppRoles of Vault and OpenBao.

use super::super::{
    Class, Finds, Kind, Part, Same, Severity, Who,
    text::{is_placeholder, is_uuid},
};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL132",
    id: "app-role",
    class: Class::Root,
    severity: Severity::Critical,
    title: "a secret ID of an AppRole",
    recognised: "A UUID under the name of a secret ID, beside a role ID, or in an object that is named after Vault, OpenBao or an AppRole.",
    remedy: "Let the workload log in at auth/kubernetes or auth/jwt; then vault write auth/approle/role/ROLE/secret-id/destroy.",
    find,
};

fn find(part: &Part<'_>, finds: &mut Finds) {
    let has_role = part.named(|name| name.ends_with("roleid")).next().is_some();
    let is_secret = |name: &str| name.ends_with("secretid");
    for (name, value) in part.named(is_secret) {
        let is_vault = has_role
            || name.contains("vault")
            || name.contains("approle")
            || part.holder.is_called(&["vault", "approle", "bao"]);
        if is_vault && is_uuid(value) && !is_placeholder(value) {
            finds.add(&KIND, Who::Same(Same::of(value.as_bytes())), "a secret ID of an AppRole".into());
        }
    }
}
