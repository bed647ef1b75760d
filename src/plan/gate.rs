//! PURE. What a step waits for. Who plans a step gives it its gate; who does it opens the gate first, and the one that is
//! shown is the one that is opened.

use schemars::JsonSchema;
use serde::Serialize;

/// What a step waits for, beyond the steps that it depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Gate {
    /// It is made where the object is kept, e.g. in the repository that Argo CD reads: in the cluster it would be undone.
    AtItsSource,
    /// Every API server signs as the public issuer.
    AfterIssuerSwitch,
    /// The login through the new provider has been tried.
    AfterProbe,
    /// Everything that uses the store has read or written by the new login.
    AfterRefresh,
    /// Nothing that works now stops working by it.
    OnceNothingBreaks,
    /// `--retire-key` was given.
    OnRetireKey,
}

impl Gate {
    /// The run that shows the step does not do it: something else has to be done, or given, first.
    pub(crate) fn is_later(self) -> bool {
        match self {
            Self::AfterIssuerSwitch | Self::OnceNothingBreaks | Self::OnRetireKey => true,
            // A file with the manifest is written now.
            Self::AtItsSource | Self::AfterProbe | Self::AfterRefresh => false,
        }
    }
}
