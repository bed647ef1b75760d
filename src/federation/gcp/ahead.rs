//! Answers to what a plan asks, asked before.

use serde_json::Value;

use super::{
    lacking::Held,
    state::{Holder, Provider},
};
use crate::{
    federation::ahead::Answers,
    google::{Outcome, Policy},
};

/// What Google has answered, and no look has used yet.
#[derive(Default)]
pub(super) struct Ahead {
    pub(super) project: Answers<(), Outcome<Value>>,
    pub(super) services: Answers<(), Outcome<Value>>,
    pub(super) pool: Answers<(), Outcome<Value>>,
    pub(super) providers: Answers<(), Outcome<Vec<Provider>>>,
    pub(super) policies: Answers<Holder, Outcome<Policy>>,
    /// What the login may do in the project.
    pub(super) held: Answers<(), Held>,
}

impl Ahead {
    /// Something is written: what was answered before may not be so any more.
    pub(super) fn forget(&self) {
        self.project.forget();
        self.services.forget();
        self.pool.forget();
        self.providers.forget();
        self.policies.forget();
        self.held.forget();
    }
}
