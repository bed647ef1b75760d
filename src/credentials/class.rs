//! PURE. What a credential is to the mission.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// In which number a credential is counted. The order is that of the report; what is met as several is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Class {
    /// It opens a cloud or a secret store: must be zero.
    Root,
    /// It opens something of the platform, and there is a way without it.
    Platform,
    /// There is no way without it today.
    Irreducible,
    /// It signs or decrypts; no bearer credential.
    RootKey,
    /// What could not be looked at.
    NotSeen,
}

impl Class {
    /// One of `RTIKX`.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Root => 'R',
            Self::Platform => 'T',
            Self::Irreducible => 'I',
            Self::RootKey => 'K',
            Self::NotSeen => 'X',
        }
    }

    /// What it means, as the heading of a table.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Root => "mission root",
            Self::Platform => "platform root",
            Self::Irreducible => "irreducible",
            Self::RootKey => "root key",
            Self::NotSeen => "not seen",
        }
    }

    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Root => "opens a cloud or a secret store; must be zero",
            Self::Platform => "opens a part of the platform, and there is a way without it",
            Self::Irreducible => "there is no way without it today",
            Self::RootKey => "signs or decrypts, and is no bearer credential",
            Self::NotSeen => "could not be read or judged; the verdict is INCOMPLETE",
        }
    }
}

/// How bad it is, if it gets into other hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Severity {
    Critical,
    High,
    Medium,
}

impl Severity {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
        }
    }
}
