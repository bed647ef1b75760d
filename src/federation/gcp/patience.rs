//! How long Google takes to know what was written.

use std::time::Duration;

/// How long a grant is waited for that has not spread yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// After the first refusal; each time half as long again.
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
    /// In all, after something was granted here.
    pub(crate) after_grant: Duration,
    /// In all, when nothing was.
    pub(crate) otherwise: Duration,
    /// In all, until the token service knows the pool and provider as they were written here.
    pub(crate) after_write: Duration,
}

impl Default for Patience {
    /// Google on grants: "typically 2 minutes, potentially 7 minutes or longer".
    fn default() -> Self {
        Self {
            first: Duration::from_secs(2),
            longest: Duration::from_secs(15),
            after_grant: Duration::from_secs(600),
            otherwise: Duration::ZERO,
            // New keys have been seen to count after 5 seconds.
            after_write: Duration::from_secs(30),
        }
    }
}
