//! PURE. One file per rule: which long-lived credentials open the secret stores.
//!
//! What is counted is distinct credentials, not places: twelve copies of one key are one credential in twelve
//! places. What could not be looked at, or is of an unknown kind, is never taken for keyless: it makes the verdict
//! incomplete.

mod login;
mod rules;
mod verdict;

use std::collections::BTreeSet;

pub(crate) use self::verdict::judge;
use crate::cluster::snapshot::{ConfigMapKey, Estate, SecretKey};

/// One thing to look for: a value, so that the list of them is all there is to register.
pub(crate) struct Rule {
    /// Stable name, in kebab case; also the name of its file and of its fixtures' folder.
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) check: fn(&Estate) -> Vec<Hit>,
}

/// Every rule, in the order in which their hits are shown.
pub(crate) const RULES: &[Rule] = &[
    rules::stored_credential::RULE,
    rules::leftover_credential::RULE,
    rules::pod_credential::RULE,
    rules::external_account::RULE,
    rules::unknown_login::RULE,
    rules::missing_secret::RULE,
    rules::token_audience::RULE,
    rules::legacy_token::RULE,
    rules::generator_credential::RULE,
    rules::minting_power::RULE,
];

/// One place where a rule applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) rule: &'static str,
    pub(crate) weight: Weight,
    /// `ClusterSecretStore gcp`.
    pub(crate) place: String,
    pub(crate) why: String,
    /// The command, or the change, that removes it.
    pub(crate) remedy: String,
}

/// What a hit means for the verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// A long-lived credential that opens a secret store.
    Counted(Stored),
    /// Something to mend that is no credential.
    Finding,
    /// It cannot be told what this is: the verdict is incomplete.
    Unknown,
    /// Worth knowing, and no reason for another exit code.
    Note,
}

/// A stored credential: which one, and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) identity: Identity,
    /// In words that open nothing.
    pub(crate) what: String,
    pub(crate) secrets: BTreeSet<SecretKey>,
    pub(crate) config_maps: BTreeSet<ConfigMapKey>,
}

/// When two credentials are the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Identity {
    /// By its public name: a key id.
    Named(String),
    /// By its value.
    Equal(Vec<crate::cluster::snapshot::Same>),
    /// Not read, or written into the object itself: by its place.
    At(String),
}

#[cfg(test)]
mod tests;
