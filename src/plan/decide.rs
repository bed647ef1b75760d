//! PURE. What is done about one resource: the table that every provider and every cluster object goes by.
//!
//! ```text
//!                    │ it shall be there                          │ it shall not be there
//! ───────────────────┼────────────────────────────────────────────┼──────────────────────
//! absent             │ create, if that is permitted               │ no-op
//! another cluster's  │ refuse                                     │ refuse
//! another issuer's   │ refuse                                     │ refuse
//! unproven           │ refuse                                     │ refuse
//! foreign, equal     │ no-op, if it may be used, and is active    │ refuse
//! foreign, different │ update, if that is permitted, else refuse  │ refuse
//! foreign, unfit     │ refuse                                     │ refuse
//! ours, soft-deleted │ restore                                    │ no-op
//! ours, disabled     │ enable                                     │ delete, unless others use it
//! ours, different    │ update                                     │ delete, unless others use it
//! ours, equal        │ no-op                                      │ delete, unless others use it
//! ours, unfit        │ refuse                                     │ delete, unless others use it
//! ```
//!
//! A caller says what it observed and what the resource permits. It names the refusal in its own words, and keeps the
//! order of its resources.

use super::{Action, ownership::Ownership};

/// Why nothing is done about what is equal.
pub(crate) const UNCHANGED: &str = "it is as desired";
/// Why nothing is done about a foreign one that fits.
pub(crate) const USED: &str = "keyless did not create it; it fits, and is used as it is";

/// What there shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Desired {
    Present(Permits),
    Absent {
        /// Something else would stop working.
        used_by_others: bool,
    },
}

/// What may be done to a resource of this kind so that it is as it shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Permits {
    /// Without it, the administrator creates it.
    pub(crate) create: bool,
    pub(crate) foreign: Foreign,
}

/// What may be done with one that keyless did not create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// Nothing, even if it is equal: it cannot be shared, or nothing shows that it may be.
    Refuse,
    /// It is used as it is, and never changed.
    Use,
    /// The parts that keyless is for are changed, e.g. `spec.provider` of a store. It is never deleted.
    Update,
}

/// What is there under the name of the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Observed {
    Absent,
    Present { ownership: Ownership, lifecycle: Lifecycle, fit: Fit },
}

/// Whether the resource does its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifecycle {
    Active,
    Disabled,
    /// It can be restored, and its name is taken until it is gone for good.
    SoftDeleted,
}

/// How the resource compares with what is desired; for a foreign one, with what is needed of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    Equal,
    Different,
    /// No update can make it fit, e.g. it has another type under the same name.
    Unfit,
}

/// Why nothing is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// It is not there, and keyless does not create it.
    Missing,
    /// It is marked for another cluster.
    OtherCluster,
    /// Its mark names no cluster, and it serves another issuer.
    OtherIssuer,
    /// Its mark names no cluster, and nothing else shows that it is this one's.
    Unproven,
    /// keyless did not create it, and it cannot be used as it is, or is to be deleted.
    Foreign,
    /// It is this cluster's, and no update can make it fit.
    Unfit,
    /// It would be deleted, and something else uses it.
    Used,
}

impl Permits {
    /// keyless creates it, and touches no other.
    pub(crate) const OURS: Self = Self { create: true, foreign: Foreign::Refuse };
    /// keyless creates it, and uses another's that fits.
    pub(crate) const OURS_OR_FITTING: Self = Self { create: true, foreign: Foreign::Use };
    /// keyless creates it, and changes its part in another's.
    pub(crate) const SHARED: Self = Self { create: true, foreign: Foreign::Update };
    /// The administrator creates it; keyless only uses it.
    pub(crate) const GIVEN: Self = Self { create: false, foreign: Foreign::Use };
}

impl Observed {
    pub(crate) fn active(ownership: Ownership, fit: Fit) -> Self {
        Self::Present { ownership, lifecycle: Lifecycle::Active, fit }
    }
}

impl Fit {
    pub(crate) fn of(is_equal: bool) -> Self {
        if is_equal { Self::Equal } else { Self::Different }
    }
}

/// The action that brings the resource to what is desired: [`Action::Create`], [`Action::Restore`], [`Action::Enable`],
/// [`Action::Update`], [`Action::Delete`] or [`Action::NoOp`]. After it, the same question is answered by a no-op.
pub(crate) fn decide(desired: Desired, observed: Observed) -> Result<Action, Obstacle> {
    let Observed::Present { ownership, lifecycle, fit } = observed else {
        return match desired {
            Desired::Present(Permits { create: true, .. }) => Ok(Action::Create),
            Desired::Present(_) => Err(Obstacle::Missing),
            Desired::Absent { .. } => Ok(Action::NoOp),
        };
    };
    match (ownership, desired) {
        (Ownership::OtherCluster, _) => Err(Obstacle::OtherCluster),
        (Ownership::OtherIssuer, _) => Err(Obstacle::OtherIssuer),
        (Ownership::Unproven, _) => Err(Obstacle::Unproven),
        (Ownership::Foreign, Desired::Absent { .. }) => Err(Obstacle::Foreign),
        (Ownership::Foreign, Desired::Present(permits)) => match (permits.foreign, lifecycle, fit) {
            (Foreign::Use | Foreign::Update, Lifecycle::Active, Fit::Equal) => Ok(Action::NoOp),
            (Foreign::Update, Lifecycle::Active, Fit::Different) => Ok(Action::Update),
            _ => Err(Obstacle::Foreign),
        },
        (Ownership::This, Desired::Absent { used_by_others }) => match (lifecycle, used_by_others) {
            (Lifecycle::SoftDeleted, _) => Ok(Action::NoOp),
            (_, true) => Err(Obstacle::Used),
            (_, false) => Ok(Action::Delete),
        },
        (Ownership::This, Desired::Present(_)) => match (lifecycle, fit) {
            (_, Fit::Unfit) => Err(Obstacle::Unfit),
            (Lifecycle::SoftDeleted, _) => Ok(Action::Restore),
            (Lifecycle::Disabled, _) => Ok(Action::Enable),
            (Lifecycle::Active, Fit::Different) => Ok(Action::Update),
            (Lifecycle::Active, Fit::Equal) => Ok(Action::NoOp),
        },
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
