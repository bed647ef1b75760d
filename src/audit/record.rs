//! PURE. How an audit was made, and what it was compared with: what an auditor needs beside the verdict.

use schemars::JsonSchema;
use serde::Serialize;

use super::compare::NewSince;
use crate::rfc3339::rfc3339;

/// What surrounds a verdict and does not decide it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// When the audit began, in seconds since 1970.
    pub(crate) started: Option<u64>,
    /// What is new against the result that it was compared with.
    pub(crate) new_since: Option<NewSince>,
}

/// How the audit was made.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Evidence<'v> {
    /// When it began.
    started_at: Option<String>,
    /// `keyless`, and its version.
    program: &'v str,
}

impl Record {
    /// With every text passed through a function. No member is left out: one that is new must be decided on here.
    pub(super) fn clean(&self, clean: &dyn Fn(&str) -> String) -> Self {
        let Self { started, new_since } = self;
        Self { started: *started, new_since: new_since.as_ref().map(|it| it.clean(clean)) }
    }

    pub(super) fn evidence(&self) -> Evidence<'_> {
        Evidence {
            started_at: self.started.map(rfc3339),
            program: concat!("keyless ", env!("CARGO_PKG_VERSION")),
        }
    }
}
