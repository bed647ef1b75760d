//! One file per rule. A new rule is a file here, a line in `RULES`, and a folder of fixtures.

pub(super) mod external_account;
pub(super) mod leftover_credential;
pub(super) mod legacy_token;
pub(super) mod minting_power;
pub(super) mod missing_secret;
pub(super) mod pod_credential;
pub(super) mod replaced_credential;
pub(super) mod stored_credential;
pub(super) mod stray_credential;
pub(super) mod token_audience;
pub(super) mod token_file;
pub(super) mod unknown_login;
pub(super) mod unserved;

use super::principal::{Holder, Principal};
use crate::cluster::snapshot::Store;

/// What to do about a login, for this very object.
fn keyless_instead(principal: &Principal<'_>) -> String {
    let place = principal.place();
    match (principal.holder, principal.kind) {
        (Holder::Store(store), "gcpsm") => format!("{}: keyless setup --retire-key", settings(store)),
        (Holder::Store(store), "vault" | "openBao") => {
            format!("{}: keyless setup --to vault, then revoke the credential at the server", settings(store))
        }
        (_, "aws" | "ECRAuthorizationToken" | "STSSessionToken") => {
            format!(
                "in {place} name a login by auth.jwt.serviceAccountRef, with a role that trusts this cluster's issuer, take auth.secretRef out of it, and delete the access key"
            )
        }
        (_, "azurekv") => format!(
            "in {place} set authType: WorkloadIdentity with serviceAccountRef, and delete the application's secret or certificate"
        ),
        (_, "ACRAccessToken") => format!(
            "in {place} name a login by auth.workloadIdentity.serviceAccountRef, and delete the application's secret"
        ),
        (_, "GCRAccessToken") => format!(
            "in {place} name a login by auth.workloadIdentityFederation, and delete the key at Google"
        ),
        (_, "VaultDynamicSecret") => format!(
            "in {place} name a login by provider.auth.jwt.kubernetesServiceAccountToken, and revoke the credential at the server"
        ),
        (
            _,
            "akeyless" | "alibaba" | "conjur" | "crd" | "doppler" | "ibm" | "infisical" | "kubernetes"
            | "oracle" | "pulumi",
        ) => {
            format!(
                "in {place} name the login by tokens that {} has, and revoke the stored credential",
                principal.kind
            )
        }
        (Holder::Store(_), kind) => format!(
            "{kind} has no login without a stored credential: move what is read through {place} to a store that has one (keyless setup --to)"
        ),
        (Holder::Generator(_), kind) => format!(
            "{kind} has no login without a stored credential: make the credential that {place} uses as narrow and short-lived as its issuer can"
        ),
    }
}

/// The settings by which `keyless setup` means this store.
fn settings(store: &Store) -> String {
    match store.0.namespace() {
        "" => format!("with `store: {{name: {}}}` in keyless.yaml", store.0.name()),
        namespace => {
            format!("with `store: {{name: {}, namespace: {namespace}}}` in keyless.yaml", store.0.name())
        }
    }
}
