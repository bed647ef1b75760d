//! A store of a run: what is done with it, and how far it came.

use serde_json::Value;

use super::{
    members::Member,
    outcome::{self, Farewell},
    plan::StorePart,
    retire::Retirement,
};
use crate::{
    cluster::ServiceAccount,
    commands::{Exit, rights::Rights},
    error::{Error, Result},
    federation::Federation,
    publication::{Kept, PublicationPlan},
    report::Report,
    retirement::{
        End, State, StoreId,
        remaining::{Remaining, remaining},
        run::{Outcome, Run},
    },
    secret_store::{Planned, StoreName},
};

/// The keys that relying parties are to have, in documents or at the provider, and what the ledger notes of them.
pub(super) struct Keys<'k, 'p> {
    pub(super) documents: Option<&'k mut PublicationPlan<'p>>,
    pub(super) kept: &'k mut Kept,
}

/// A store, what is done with it, and how a run speaks that ends there.
pub(super) struct Seat {
    pub(super) member: Member,
    pub(super) part: StorePart,
    pub(super) farewell: Farewell,
    /// What keeps it from its new login, and does not hold up the others.
    pub(super) failed: Option<Error>,
    /// What the store used before and is not known to be gone, as it was last seen.
    pub(super) remaining: Vec<Remaining>,
}

/// How far it came before the store is turned to.
pub(super) enum Prepared {
    /// Everything that is granted was tried with the new login.
    Probed,
    /// Another person has to do something first.
    Ended(Exit),
}

/// What is done with a store once its new login is proved.
pub(super) enum Begun<'a> {
    Nothing,
    /// It was not there, or is unchanged and has no past.
    Unmoved(&'a Planned),
    Moving(Box<Moving<'a>>),
}

/// A store on its way from one login to another.
pub(super) struct Moving<'a> {
    pub(super) store: &'a StoreName,
    pub(super) run: Run<'a>,
    pub(super) farewell: &'a Farewell,
    pub(super) rights: &'a mut Rights,
    pub(super) provider: &'a dyn Federation,
    pub(super) account: &'a ServiceAccount,
    pub(super) planned: &'a Planned,
    pub(super) remaining: &'a mut Vec<Remaining>,
}

impl Seat {
    pub(super) fn new(member: Member, part: StorePart, mut farewell: Farewell) -> Self {
        farewell.was_blocked = part.retirement.as_ref().is_some_and(|it| it.block().is_some());
        let remaining = part.retirement.as_ref().map(Retirement::remaining).unwrap_or_default();
        Self { member, part, farewell, failed: None, remaining }
    }

    /// What state things are in before anything was done with the store.
    pub(super) fn early_words(&self) -> String {
        early_words(&self.farewell, &self.member, &self.part)
    }
}

/// What state things are in before anything was done with a store.
pub(super) fn early_words(farewell: &Farewell, member: &Member, part: &StorePart) -> String {
    let store = member.present.as_ref().and_then(|present| present.store());
    match (&part.retirement, store) {
        (Some(retirement), _) if !retirement.shelf.is_empty() => farewell.words_of(&retirement.state, None),
        (Some(retirement), _) => farewell.early_words(&retirement.state),
        (None, Some(store)) => {
            let state = State::new("", StoreId::of(store), None, Value::Null);
            farewell.early_words(&state)
        }
        (None, None) => format!("To go on: {}.", farewell.command),
    }
}

impl Moving<'_> {
    /// Keeps what is known by now of what the store used before.
    pub(super) fn note_remaining(&mut self) {
        let keys = self.run.seen.keys.as_ref().map(|(_, keys)| keys.as_slice());
        *self.remaining = remaining(&self.run.state, keys);
    }

    pub(super) fn conclude(&mut self, outcome: &Outcome, report: &mut Report<'_>) -> Result<Exit> {
        match outcome {
            Outcome::End(End::Retired) => self.remaining.clear(),
            _ => self.note_remaining(),
        }
        match outcome {
            Outcome::End(end) => {
                let words = self.farewell.words(&self.run);
                let exit = self.farewell.conclude(end, &self.run.state, &words, report)?;
                outcome::not_ready(self.run.not_waited_for(), &self.farewell.again, report);
                Ok(exit)
            }
            Outcome::LeftToFile => {
                report.result("\nThe new login works. Commit the store's manifest; once it is applied, run setup again: it goes on with the old credential.");
                Ok(Exit::Found)
            }
        }
    }
}
