//! PURE. How long AWS is waited for.

use std::time::Duration;

/// How long AWS is waited for until it knows what was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// After the first refusal; each time half as long again.
    pub(super) first: Duration,
    pub(super) longest: Duration,
    /// In all, after something was written here.
    pub(super) after_write: Duration,
    /// In all, when nothing was.
    pub(super) otherwise: Duration,
}

impl Default for Patience {
    /// IAM is eventually consistent: changes are known everywhere within seconds as a rule.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(2),
            longest: Duration::from_secs(10),
            after_write: Duration::from_secs(120),
            otherwise: Duration::ZERO,
        }
    }
}
