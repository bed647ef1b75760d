//! The pauses between looks.

use std::time::Duration;

use crate::retry::{Attempts, Backoff};

/// Without an end: when a look is the last is decided by what it shows.
const LOOKS: Backoff = Backoff::poll(Duration::from_millis(20), Duration::from_secs(1), Duration::MAX);

/// Looks at growing distances, so that a quick operator costs no second, and a large cluster is not asked all the time.
pub(crate) struct Pause(Attempts);

impl Default for Pause {
    fn default() -> Self {
        Self(Attempts::begin(LOOKS))
    }
}

impl Pause {
    pub(crate) async fn until_the_next_look(&mut self, look_took: Duration) {
        self.0.pause(Some(look_took.saturating_mul(2))).await;
    }
}
