//! PURE. Steps about the resources of a provider.

use crate::plan::{Action, Change, FieldChange, Step, Target};

pub(super) fn step(action: Action, object: impl Into<String>, why: impl Into<String>) -> Step {
    Step::new(Target::ProviderResource, action, object, why)
}

/// It stays as it is.
pub(super) fn leave<A>(object: impl Into<String>, why: impl Into<String>) -> Change<A> {
    Change::no_op(Target::ProviderResource, object, why)
}

/// What it needs, and what it waits for, is filled in later: see [`in_turn`].
pub(super) fn change<A>(
    action: Action,
    object: impl Into<String>,
    why: impl Into<String>,
    fields: Vec<FieldChange>,
    act: A,
) -> Change<A> {
    Change::new(step(action, object, why).fields(fields), act)
}

/// One after the other, the first one after `before`. Returns the last one that changes something.
pub(super) fn in_turn<A>(changes: &mut [&mut Change<A>], mut before: Option<String>) -> Option<String> {
    for change in changes {
        if change.is_pending() {
            change.step.depends_on = before.replace(change.step.name.clone()).into_iter().collect();
        }
    }
    before
}
