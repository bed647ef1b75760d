//! PURE. How `keyless publish --watch` looks.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    cli::parse_poll,
    error::{Code, Error, Result},
    redact,
};

/// `keyless publish --watch`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Watch {
    /// How long to wait between two looks, 1s to 1h, e.g. 30s; by default 10s
    #[schemars(extend("default" = "10s"))]
    poll: Option<String>,
}

impl Watch {
    /// The time between two looks, as `--poll` takes it.
    pub(super) fn poll(&self) -> Result<Option<Duration>> {
        let Some(text) = &self.poll else { return Ok(None) };
        parse_poll(text).map(Some).map_err(|why| {
            Error::usage(Code::ConfigMalformed, format!("watch.poll: `{}`: {why}", redact::given(text)))
                .hint("write a number with s, m or h, from 1s to 1h, e.g. 30s")
        })
    }
}
