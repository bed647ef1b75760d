//! A plan in one line and in figures.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Action, Gate, Step};

/// How many steps there are of each kind. What changes nothing is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Summary {
    /// Created, granted, or restored from a soft-deleted state.
    pub(crate) create: usize,
    /// Updated, enabled or disabled.
    pub(crate) change: usize,
    /// Deleted or revoked.
    pub(crate) delete: usize,
    /// Steps of a later run: see [`Gate::is_later`].
    pub(crate) later: usize,
}

impl Summary {
    pub(crate) fn of<'s>(steps: impl IntoIterator<Item = &'s Step>) -> Self {
        let mut summary = Self::default();
        for step in steps {
            let count = match step.action {
                Action::NoOp => continue,
                _ if step.gate.is_some_and(Gate::is_later) => &mut summary.later,
                Action::Create | Action::Grant | Action::Restore => &mut summary.create,
                Action::Update | Action::Enable | Action::Disable => &mut summary.change,
                Action::Delete | Action::Revoke => &mut summary.delete,
            };
            *count += 1;
        }
        summary
    }

    /// How many steps this run does.
    pub(crate) fn pending(&self) -> usize {
        self.create + self.change + self.delete
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { create, change, delete, later } = self;
        write!(f, "Plan: {create} to create, {change} to change, {delete} to delete")?;
        if *later > 0 {
            write!(f, ", {later} later")?;
        }
        f.write_str(".")
    }
}
