//! One provider in one run: what it has, what it is to have, and what came of it. It fails by itself.

use super::super::{History, each};
use crate::{
    error::{Error, Kind, Result},
    federation::{Change, Federation, Keys, not_set_up},
    oidc::{KeySet, PublicKey},
    rotation::{Decision, PublishedSet},
    warning::Warning,
};

pub(super) struct Place<'p> {
    pub(super) provider: &'p dyn Federation,
    pub(super) name: String,
    /// What it has; `None`: it could not be read, or is another cluster's.
    pub(super) set: Option<PublishedSet>,
    decision: Option<Decision>,
    pub(super) change: Option<Change<'p>>,
    /// Why nothing more is done here.
    pub(super) failed: Option<Error>,
    /// It was given its keys, and has them.
    pub(super) written: bool,
}

impl<'p> Place<'p> {
    pub(super) async fn read(provider: &'p dyn Federation) -> Self {
        let name = provider.to_string();
        let mut place =
            Self { provider, name, set: None, decision: None, change: None, failed: None, written: false };
        match place.keys().await {
            Ok(keys) => {
                place.set = Some(PublishedSet { name: place.name.clone(), keys, copy: false });
            }
            Err(error) => place.failed = Some(error),
        }
        place
    }

    async fn keys(&self) -> Result<Vec<PublicKey>> {
        match self.provider.keys().await? {
            Keys::Given(keys) => Ok(keys.iter().cloned().collect()),
            Keys::Fetched => Err(not_set_up(&self.name, "it fetches public documents")),
            Keys::Absent => Err(not_set_up(&self.name, "it is not there, or has no keys that can be read")),
        }
    }

    /// Decides what it is to have, again where that was done before: the ledger may say something else by now.
    pub(super) fn decide(&mut self, live: &KeySet, files: Option<&KeySet>, history: Option<&History>) {
        let Some(set) = &self.set else { return };
        let before = self.decision.take();
        match each::decide(live, files, set, self.provider.rules(), history) {
            Ok(decision) => {
                if before.is_none() {
                    // It was refused by what was judged before.
                    self.failed = None;
                }
                self.decision = Some(decision);
            }
            Err(error) => self.failed = Some(error),
        }
    }

    /// What it has, and is to have, unless something failed.
    pub(super) fn decided(&self) -> Option<(&PublishedSet, &Decision)> {
        match &self.failed {
            Some(_) => None,
            None => self.set.as_ref().zip(self.decision.as_ref()),
        }
    }

    /// What is to be written, and can be.
    pub(super) fn pending(&self) -> Option<&Change<'p>> {
        self.change.as_ref().filter(|change| self.failed.is_none() && change.is_pending())
    }

    /// What became of it, or would.
    pub(super) fn outcome(&self) -> &'static str {
        match (&self.failed, self.written, self.pending()) {
            (Some(_), ..) => "failed",
            (None, true, _) => "given",
            (None, false, Some(_)) => "pending",
            (None, false, None) => "unchanged",
        }
    }

    pub(super) fn failure(&self) -> Option<Warning> {
        let error = self.failed.as_ref()?;
        let causes: String = error.causes.iter().map(|cause| format!(": {cause}")).collect();
        // A warning is one line.
        let hints = error.hints.iter().filter(|hint| !hint.contains('\n'));
        let hints: String = hints.map(|hint| format!("; hint: {hint}")).collect();
        Some(Warning::new(error.code, format!("{}: {}{causes}{hints}", self.name, error.message)))
    }
}

/// Where nothing could be read anywhere.
pub(super) fn all_unread(places: &[Place<'_>]) -> Option<Error> {
    match places.iter().all(|place| place.set.is_none()) {
        true => all_failed(places),
        false => None,
    }
}

/// Where nothing is left to be done anywhere: the gravest error, with those of the others.
pub(super) fn all_failed(places: &[Place<'_>]) -> Option<Error> {
    let failed: Vec<_> = places.iter().filter_map(|place| Some((place, place.failed.as_ref()?))).collect();
    if failed.len() < places.len() {
        return None;
    }
    // What could not be done or established ends with 3, and with several failures the worst counts.
    let first = failed.iter().position(|(_, error)| error.kind != Kind::Usage).unwrap_or_default();
    let (_, error) = failed.get(first)?;
    let others = failed.iter().enumerate().filter(|(index, _)| *index != first).map(|(_, other)| other);
    let error = others.fold((*error).clone(), |error, (place, other)| {
        let error = error.caused_by(format_args!("{}: {}: {}", place.name, other.code, other.message));
        other.hints.iter().fold(error, |error, hint| error.hint(format!("{}: {hint}", place.name)))
    });
    Some(error)
}
