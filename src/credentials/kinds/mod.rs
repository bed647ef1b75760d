//! PURE. One file per kind. A new kind is a file here and a line in [`KINDS`]; docs/credentials.md is made of it.

mod alibaba_key;
mod app_role;
mod argo_login;
mod aws_key;
mod azure_sas;
mod azure_shared_key;
mod bedrock_key;
mod bootstrap_token;
mod cloudflare_token;
mod decryption_key;
mod entra_certificate;
mod entra_secret;
mod forge_token;
mod google_api_key;
mod google_hmac;
mod google_key;
mod google_p12;
mod google_user;
mod hetzner_token;
mod ibm_key;
mod k3s_token;
mod kubeconfig;
mod private_key;
mod registry_login;
mod s3_key;
mod scaleway_key;
mod secret_manager_token;
mod service_account_jwt;
mod service_account_token;
mod ssh_key;
mod vault_token;

use std::collections::BTreeSet;

use super::{Finds, Holder, Kind};

/// Every kind, by its code. Earlier ones say more about a value than later ones of the same class.
pub(crate) const KINDS: &[&Kind] = &[
    &google_key::KIND,
    &google_p12::KIND,
    &google_user::KIND,
    &google_hmac::KIND,
    &google_api_key::KIND,
    &aws_key::KIND,
    &s3_key::KIND,
    &bedrock_key::KIND,
    &alibaba_key::KIND,
    &scaleway_key::KIND,
    &ibm_key::KIND,
    &entra_secret::KIND,
    &entra_certificate::KIND,
    &azure_shared_key::KIND,
    &azure_sas::KIND,
    &vault_token::KIND,
    &app_role::KIND,
    &secret_manager_token::KIND,
    &service_account_token::KIND,
    &service_account_jwt::KIND,
    &bootstrap_token::KIND,
    &kubeconfig::KIND,
    &argo_login::KIND,
    &forge_token::KIND,
    &decryption_key::KIND,
    &ssh_key::KIND,
    &registry_login::KIND,
    &hetzner_token::KIND,
    &cloudflare_token::KIND,
    &k3s_token::KIND,
    &private_key::KIND,
];

/// What the type of a Secret alone tells. `keys`: the names of all its keys, where they are known; it has at least one.
pub(super) fn by_type(holder: &Holder, keys: Option<&BTreeSet<&str>>, finds: &mut Finds) {
    service_account_token::by_type(holder, keys, finds);
    bootstrap_token::by_type(holder, keys, finds);
}
