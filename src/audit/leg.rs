//! PURE. The sides from which the audit asks, and what each came to.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Gate, Hit, Opens, cloud,
    verdict::{Root, Verdict},
};
use crate::credentials::{Class, KINDS};

/// One side from which the question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Leg {
    pub(crate) name: LegName,
    pub(crate) state: LegState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum LegName {
    /// No copy of such a credential lies in the cluster.
    Cluster,
    /// Nothing of External Secrets Operator logs in with one.
    Consumption,
    /// None is active where it was issued.
    Cloud,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum LegState {
    Zero,
    Found,
    Incomplete,
    /// Only credentials were found that an exception covers.
    Excepted,
    NothingToJudge,
    NotLookedAt,
}

impl LegName {
    pub(in crate::audit) fn title(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Consumption => "consumption",
            Self::Cloud => "cloud",
        }
    }

    /// What is asked from this side.
    pub(in crate::audit) fn question(self) -> &'static str {
        match self {
            Self::Cluster => "Does a copy of such a credential lie in the cluster?",
            Self::Consumption => "Does External Secrets Operator log in with one?",
            Self::Cloud => "Is one active where it was issued?",
        }
    }
}

impl LegState {
    pub(in crate::audit) fn title(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::Found => "found",
            Self::Excepted => "only exceptions",
            Self::Incomplete => "incomplete",
            Self::NothingToJudge => "nothing to judge",
            Self::NotLookedAt => "not looked at",
        }
    }
}

impl Verdict {
    /// From which sides the question was asked, and what each came to.
    pub(crate) fn legs(&self) -> [Leg; 3] {
        let is_used = |root: &Root| root.opens.iter().any(|opens| *opens != Opens::Unused);
        let lies = |root: &Root| root.lies() || is_used(root);
        let platform = self.gate == Gate::Platform && self.open_count_of(Class::Platform) > 0;
        let excepted = || self.excepted_within_gate().map(|it| &it.root);
        // A part of a credential lies there.
        let is_half = self.unknown.iter().any(|hit| KINDS.iter().any(|kind| kind.id == hit.rule));
        let is_unseen = !self.unseen_here.is_empty();
        let of_cluster = |hit: &&Hit| !cloud::is_of_provider(hit.rule);
        let cluster = match () {
            () if self.roots.iter().any(lies) || platform => LegState::Found,
            () if is_half || is_unseen => LegState::Incomplete,
            () if !self.installed => LegState::NotLookedAt,
            () if excepted().next().is_some() => LegState::Excepted,
            () => LegState::Zero,
        };
        let consumption = match () {
            () if self.roots.iter().any(is_used) || self.findings.iter().any(|hit| of_cluster(&hit)) => {
                LegState::Found
            }
            () if !self.unknown.is_empty() || is_unseen => LegState::Incomplete,
            () if self.stores + self.generators == 0 => LegState::NothingToJudge,
            () if excepted().any(is_used) => LegState::Excepted,
            () => LegState::Zero,
        };
        [
            Leg { name: LegName::Cluster, state: cluster },
            Leg { name: LegName::Consumption, state: consumption },
            Leg { name: LegName::Cloud, state: self.cloud_state() },
        ]
    }
}
