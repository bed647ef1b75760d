//! PURE. What a plan has shown of a retirement bounds the run: what a later look finds beyond it is reported, and not done.

use super::{
    config_map::place_of,
    evidence::Tracker,
    observed::Due,
    state::{Kept, Place, Stage, State, StoreId},
    users::Sighting,
};
use crate::plan::{Action, Step, Target};

/// One write of a run, by the name that its step has in the plan.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Write<'a> {
    /// Of what is recorded.
    Namespace,
    /// What is recorded for this store.
    Record(&'a StoreId),
    /// The store gets another provider.
    Store(&'a StoreId),
    /// The annotation that makes the operator run an object, e.g. `ExternalSecret shop/db`.
    ForceSync(&'a str),
    Disable(&'a Kept),
    Enable(&'a Kept),
    /// At its provider.
    Delete(&'a Kept),
    DeleteSecret(&'a Place),
}

impl Write<'_> {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Namespace => "Namespace keyless-system".into(),
            Self::Record(store) => format!("ConfigMap {}", place_of(store)),
            Self::Store(store) => store.to_string(),
            Self::ForceSync(name) => name.to_owned(),
            Self::Disable(kept) | Self::Enable(kept) => kept.identity.to_string(),
            Self::Delete(kept) => format!("{} at its provider", kept.identity),
            Self::DeleteSecret(place) => place.to_string(),
        }
    }

    fn target(self) -> Target {
        match self {
            Self::Disable(_) | Self::Enable(_) | Self::Delete(_) => Target::Key,
            _ => Target::ClusterObject,
        }
    }

    /// The step that shows it.
    pub(crate) fn step(self, action: Action, reason: impl Into<String>) -> Step {
        Step::new(self.target(), action, self.name(), reason)
    }

    fn is_shown_as(self, action: Action) -> bool {
        match self {
            Self::Namespace => action == Action::Create,
            // A run that creates it updates it, and deletes it at its end.
            Self::Record(_) => matches!(action, Action::Create | Action::Update | Action::Delete),
            Self::Store(_) | Self::ForceSync(_) => action == Action::Update,
            Self::Disable(_) => action == Action::Disable,
            Self::Enable(_) => action == Action::Enable,
            Self::Delete(_) | Self::DeleteSecret(_) => action == Action::Delete,
        }
    }
}

/// The steps that a run was shown to do for one store, and for what the store leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    steps: Vec<(Target, Action, String)>,
    /// What else used the credentials then.
    pub(crate) others: Vec<String>,
}

impl Shown {
    /// Of these, what the run does that shows them.
    pub(crate) fn of<'s>(steps: impl IntoIterator<Item = &'s Step>, others: &[String]) -> Self {
        let now = steps.into_iter().filter(|step| step.is_of_this_run());
        let steps = now.map(|step| (step.target, step.action, step.name.clone())).collect();
        Self { steps, others: others.to_vec() }
    }

    pub(crate) fn has(&self, write: Write<'_>) -> bool {
        let (target, name) = (write.target(), write.name());
        let shows = |(of, action, named): &(Target, Action, String)| {
            *of == target && *named == name && write.is_shown_as(*action)
        };
        self.steps.iter().any(shows)
    }

    /// Whether a credential may be enabled again. What this program has disabled is enabled again where something needs it,
    /// whatever was shown: else what needs it stays broken, and no later plan would differ.
    pub(crate) fn may_give_back(&self, kept: &Kept) -> bool {
        kept.ours || self.has(Write::Enable(kept))
    }

    /// Whether the state is recorded. What this program has disabled has a record, which is kept up to date.
    pub(crate) fn may_record(&self, state: &State) -> bool {
        state.holds() || self.has(Write::Record(&state.store))
    }

    /// What a person was asked about in the run, and agreed to.
    pub(crate) fn add_force_sync<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        let added = names.into_iter().map(|name| Write::ForceSync(name).step(Action::Update, ""));
        self.steps.extend(added.map(|step| (step.target, step.action, step.name)));
    }
}

/// The names of those that are asked to run by the new login: they relied on the former one, and have not run by the new
/// one. `switch`: the store is about to be changed.
pub(crate) fn to_ask(state: &State, users: Vec<Sighting>, switch: bool, now: u64) -> Vec<String> {
    let mut state = state.clone();
    if switch {
        state.stage = Stage::Saved;
        let unready = users.iter().filter(|user| !user.ready);
        let unready = unready.map(|user| (user.uid.clone(), user.refreshed.unwrap_or_default()));
        state.remember_broken(unready.collect::<Vec<_>>());
    }
    let (users, _) = Tracker::default().see(&state, users, None, now);
    let waiting = users.into_iter().filter(|user| user.relied && !user.ran);
    waiting.filter(|user| !matches!(user.due, Due::Never(_))).map(|user| user.name).collect()
}

#[cfg(test)]
impl Shown {
    /// Everything that can be done with these credentials, and with their store.
    pub(super) fn everything(state: &State) -> Self {
        let mut all = vec![
            Write::Namespace.step(Action::Create, ""),
            Write::Record(&state.store).step(Action::Create, ""),
            Write::Store(&state.store).step(Action::Update, ""),
        ];
        for kept in &state.credentials {
            all.extend([
                Write::Disable(kept).step(Action::Disable, ""),
                Write::Enable(kept).step(Action::Enable, ""),
                Write::Delete(kept).step(Action::Delete, ""),
            ]);
            all.extend(kept.places.iter().map(|place| Write::DeleteSecret(place).step(Action::Delete, "")));
        }
        Self::of(&all, &[])
    }
}

#[cfg(test)]
#[path = "shown_tests.rs"]
mod tests;
