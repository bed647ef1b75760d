//! PURE. When the next look begins.

use std::time::Duration;

use super::{Ended, Outcome};
use crate::retry::Backoff;

/// So many looks after a change, or after something became doubtful, are fast ones: a rotation goes on from server to
/// server, and a server that restarts is back soon.
const FAST_LOOKS: u32 = 12;
/// A fast interval is this part of the normal one.
const FASTER: u32 = 5;
/// However short the normal one is.
const SHORTEST: Duration = Duration::from_millis(500);
/// By how much a pause may be shortened at random, in percent: publishers that began together do not go on together.
const JITTER: u32 = 10;
/// After failures the pauses grow to so many normal ones.
const SLOWER: u32 = 3;

/// The interval between looks, and what changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    poll: Duration,
    fast_left: u32,
    doubtful: bool,
    failures: u32,
}

impl Pace {
    pub(crate) fn new(poll: Duration) -> Self {
        Self { poll, fast_left: 0, doubtful: false, failures: 0 }
    }

    /// The pause after a look that ended like this. `random` is any number, and each equally likely.
    pub(crate) fn after(&mut self, ended: Ended, random: u32) -> Duration {
        let is_failed = ended.outcome == Outcome::Failed;
        self.failures = if is_failed { self.failures.saturating_add(1) } else { 0 };
        let doubtful = matches!(ended.outcome, Outcome::Incomplete | Outcome::Pending);
        let is_news = ended.changed || doubtful != self.doubtful;
        if !is_failed {
            self.doubtful = doubtful;
        }
        self.fast_left = match (is_failed, is_news) {
            (false, true) => FAST_LOOKS,
            (false, false) => self.fast_left.saturating_sub(1),
            (true, _) => self.fast_left,
        };
        let (first, attempt) = match () {
            () if is_failed => (self.fast(), self.failures),
            () if self.fast_left > 0 => (self.fast(), 1),
            () => (self.poll, 1),
        };
        let backoff = Backoff {
            first,
            factor: 150,
            longest: self.poll * SLOWER,
            jitter: JITTER,
            attempts: u32::MAX,
            deadline: Duration::MAX,
        };
        // Without a deadline there is always a next one.
        backoff.next_pause(attempt, Duration::ZERO, None, random).unwrap_or(self.poll)
    }

    fn fast(&self) -> Duration {
        (self.poll / FASTER).max(SHORTEST).min(self.poll)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: Duration = Duration::from_secs(10);
    const FAST: Duration = Duration::from_secs(2);

    fn ended(outcome: Outcome) -> Ended {
        Ended { outcome, changed: outcome == Outcome::Changed }
    }

    /// The pauses after these looks, without jitter.
    fn pauses(outcomes: &[Outcome]) -> Vec<Duration> {
        let mut pace = Pace::new(POLL);
        outcomes.iter().map(|outcome| pace.after(ended(*outcome), 0)).collect()
    }

    #[test]
    fn quiet_cluster_is_polled_slowly() {
        assert_eq!(pauses(&[Outcome::Unchanged; 3]), [POLL; 3]);
        assert_eq!(pauses(&[Outcome::Found; 3]), [POLL; 3]);
    }

    #[test]
    fn change_is_followed_by_fast_looks() {
        let mut looks = vec![Outcome::Changed];
        looks.extend([Outcome::Unchanged; 20]);
        let pauses = pauses(&looks);
        assert_eq!(pauses.iter().filter(|pause| **pause == FAST).count(), FAST_LOOKS as usize);
        assert_eq!((pauses[0], pauses[20]), (FAST, POLL));
    }

    #[test]
    fn sick_server_is_fast_briefly() {
        let pauses = pauses(&[Outcome::Incomplete; 30]);
        assert_eq!((pauses[0], pauses[29]), (FAST, POLL));
        let mut pace = Pace::new(POLL);
        (0..30).for_each(|_| {
            pace.after(ended(Outcome::Incomplete), 0);
        });
        // That it is back is news.
        assert_eq!(pace.after(ended(Outcome::Unchanged), 0), FAST);
    }

    #[test]
    fn failures_grow_to_a_bound() {
        let pauses = pauses(&[Outcome::Failed; 40]);
        assert_eq!(pauses[0], FAST);
        assert!(pauses.windows(2).all(|two| two[0] <= two[1]), "{pauses:?}");
        assert_eq!(pauses[39], POLL * 3);
        let mut pace = Pace::new(POLL);
        (0..40).for_each(|_| {
            pace.after(ended(Outcome::Failed), 0);
        });
        assert_eq!(pace.after(ended(Outcome::Unchanged), 0), POLL);
        assert_eq!(pace.after(ended(Outcome::Failed), 0), FAST);
    }

    #[test]
    fn jitter_only_shortens() {
        for random in [0, 1, u32::MAX / 2, u32::MAX] {
            let pause = Pace::new(POLL).after(ended(Outcome::Unchanged), random);
            assert!(pause <= POLL && pause >= POLL * 9 / 10, "{pause:?}");
        }
    }

    #[test]
    fn fast_is_never_slower_than_normal() {
        for millis in [1, 100, 500, 700, 3000, 3_600_000] {
            let poll = Duration::from_millis(millis);
            let pause = Pace::new(poll).after(ended(Outcome::Changed), 0);
            assert!(pause <= poll && pause >= SHORTEST.min(poll), "{poll:?}: {pause:?}");
        }
    }
}
