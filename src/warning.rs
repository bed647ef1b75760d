//! PURE. What does not stop the work, but should be known.

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Code;

/// A warning. In a plan, and in the JSON results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Warning {
    /// Stable name, in kebab case.
    #[schemars(with = "String")]
    pub(crate) code: Code,
    pub(crate) message: String,
}

impl Warning {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}
