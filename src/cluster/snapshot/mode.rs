//! PURE. How far an audit looks into Secrets.

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SECRETS;
use crate::cluster::objects::Unseen;

/// What an audit reads of Secrets. RBAC cannot grant less than whole Secrets, so each mode has its own rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Mode {
    /// No Secret: what stores, generators, pods and ConfigMaps hold and name
    Refs,
    /// In addition the types, names, labels and annotations of all Secrets, without their values
    Metadata,
    /// In addition the values of all Secrets
    #[default]
    Deep,
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Refs => "refs",
            Self::Metadata => "metadata",
            Self::Deep => "deep",
        }
    }

    /// What this mode does not see by design. It is the same for every Secret, so that the report says it once.
    pub(crate) fn not_seen(self) -> Option<Unseen> {
        let why = match self {
            Self::Refs => "the mode `refs` does not look into Secrets",
            Self::Metadata => "the mode `metadata` does not look at the values of Secrets",
            Self::Deep => return None,
        };
        Some(Unseen {
            what: SECRETS.name(),
            right: "keyless audit --mode deep, and its rights".into(),
            why: why.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_deep_sees_everything() {
        for mode in Mode::value_variants() {
            assert_eq!(mode.not_seen().is_none(), *mode == Mode::Deep, "{mode:?}");
            assert_eq!(mode.to_possible_value().unwrap().get_name(), mode.name());
        }
    }
}
