//! PURE. The sides from which the audit asks, and what each came to.

use schemars::JsonSchema;
use serde::Serialize;

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
