//! PURE. What a look at Vault or OpenBao can find. None of it is counted as a credential of its own: which of them lies in
//! the cluster could only be told with the credential that was found, and that one is never sent.

use crate::{credentials::Severity, federation::cloud::IssuedKind};

pub(crate) static KINDS: [IssuedKind; 4] = [
    IssuedKind {
        code: "KL306",
        id: "lasting-vault-token",
        class: None,
        severity: Severity::Critical,
        summary: "the Vault or OpenBao server of a store has a root token, or a token that never expires or lasts longer than 768 h",
        remedy: "Prove that nothing uses the token, then vault token revoke -accessor ACCESSOR. Vault does not keep when a token was used last: its audit log does.",
    },
    IssuedKind {
        code: "KL307",
        id: "lasting-secret-id",
        class: None,
        severity: Severity::Critical,
        summary: "an AppRole that a store logs in as has a secret ID that never expires or lasts longer than 768 h, or takes logins without one",
        remedy: "Let the store log in by its ServiceAccount's token, then vault write auth/approle/role/ROLE/secret-id-accessor/destroy secret_id_accessor=ACCESSOR.",
    },
    IssuedKind {
        code: "KL308",
        id: "vault-password",
        class: None,
        severity: Severity::High,
        summary: "a user of Vault or OpenBao that a store names is there: a password never expires",
        remedy: "Let the store log in by its ServiceAccount's token, then vault delete auth/userpass/users/NAME.",
    },
    IssuedKind {
        code: "KL403",
        id: "wide-vault-role",
        class: None,
        severity: Severity::High,
        summary: "a role of Vault or OpenBao that a store logs in as takes the tokens of every ServiceAccount",
        remedy: "Bind the role to one: bound_subject=system:serviceaccount:NAMESPACE:NAME in the JWT method, bound_service_account_names and bound_service_account_namespaces in the Kubernetes method.",
    },
];

pub(super) static TOKEN: &IssuedKind = &KINDS[0];
pub(super) static SECRET_ID: &IssuedKind = &KINDS[1];
pub(super) static PASSWORD: &IssuedKind = &KINDS[2];
pub(super) static WIDE: &IssuedKind = &KINDS[3];
