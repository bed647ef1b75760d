//! PURE. One file per rule: which long-lived credentials open the secret stores.
//!
//! Everything that logs in is one list: stores, generators, and the controllers themselves; every rule runs over all of
//! it. What is counted is distinct credentials, not places: twelve copies of one key are one credential in twelve places.
//! What could not be looked at, or is of an unknown kind, is never taken for keyless: it makes the verdict incomplete.

mod catalogue;
mod claims;
mod cloud;
mod compare;
mod count;
mod document;
mod exceptions;
mod finding;
mod fleet;
mod kind;
mod leg;
mod lines;
mod login;
mod outcome;
mod principal;
mod record;
mod reports;
mod rules;
mod states;
mod surroundings;
mod verdict;

pub(crate) use self::{
    catalogue::{Described, catalogue},
    compare::{Answer, MAX_REPORT, NewSince, Saved, difference, schema as difference_schema},
    document::schema,
    exceptions::{Exceptions, exceptions_schema},
    fleet::{Fleet, Member, schema as fleet_schema},
    kind::{LoginKind, login_kind},
    reports::{Evidence, FORMATS, FleetEvidence, Format},
    verdict::{Gate, Outcome, Verdict, judge, judge_with},
};
use self::{
    finding::{Hit, Identity, Opens, Stored, Weight},
    principal::Scene,
};
use crate::credentials::{Class, Severity};

/// One thing to look for: a value, so that the list of them is all there is to register.
pub(crate) struct Rule {
    /// Stable: `KL211`.
    pub(crate) code: &'static str,
    /// Stable name, in kebab case; also the name of its file and of its fixtures' folder.
    pub(crate) id: &'static str,
    /// What a credential is that it finds. `None`: it finds none, or of many classes.
    pub(crate) class: Option<Class>,
    pub(crate) severity: Severity,
    pub(crate) summary: &'static str,
    /// In general; each hit names the change for its own object.
    pub(crate) remedy: &'static str,
    check: fn(&Scene<'_>) -> Vec<Hit>,
}

/// Every rule, in the order in which their hits are shown.
pub(crate) const RULES: &[Rule] = &[
    rules::stored_credential::RULE,
    rules::leftover_credential::RULE,
    rules::pod_credential::RULE,
    rules::external_account::RULE,
    rules::legacy_token::RULE,
    rules::replaced_credential::RULE,
    rules::stray_credential::RULE,
    rules::unknown_login::RULE,
    rules::token_file::RULE,
    rules::unserved::RULE,
    rules::missing_secret::RULE,
    rules::token_audience::RULE,
    rules::minting_power::RULE,
];

#[cfg(test)]
mod outputs_tests;
#[cfg(test)]
pub(super) mod tests;
#[cfg(test)]
mod worlds_tests;
