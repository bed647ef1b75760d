//! PURE. What is known of the looks so far: readiness, and the numbers of the metrics.

use std::{collections::BTreeMap, time::Duration};

use super::{Ended, Facts, Outcome};

/// Ready is who had a look that came to an end within so many of the longest pauses.
const LOOKS: u32 = 3;
/// A look takes so long at most: API servers, bucket and read-back have limits of their own.
const LONGEST_LOOK: Duration = Duration::from_secs(60);
/// Without the end of any look, failed ones included, for so long, the process is stuck.
const STUCK: Duration = Duration::from_secs(600);

/// All that `/metrics`, `/livez` and `/readyz` show. Times are on the local clock where nothing else is stated.
#[derive(Clone, Debug)]
pub(crate) struct Board {
    poll: Duration,
    pub(super) facts: Option<Facts>,
    pub(super) looks: BTreeMap<Outcome, u64>,
    pub(super) changes: u64,
    /// When the last look ended, and the last one that came to an end.
    last: Option<Duration>,
    last_completed: Option<Duration>,
    /// Seconds since 1970.
    pub(super) last_at: Option<u64>,
    pub(super) last_success_at: Option<u64>,
    pub(super) last_took: Option<Duration>,
    /// The code of the error that the last look failed with.
    failed_with: Option<&'static str>,
    lead: Lead,
}

/// Whether this process may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lead {
    /// There is no Lease to hold.
    Always,
    /// Until then on the local clock, if nothing renews it.
    Until(Duration),
    /// Another process holds the Lease.
    Another,
    /// No process holds the Lease, or it is not known which.
    Unknown,
}

/// When a look ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    /// On the local clock.
    pub(crate) clock: Duration,
    /// In seconds since 1970.
    pub(crate) time: u64,
    pub(crate) took: Duration,
}

impl Board {
    pub(crate) fn new(poll: Duration, lead: Lead) -> Self {
        Self {
            poll,
            facts: None,
            looks: BTreeMap::new(),
            changes: 0,
            last: None,
            last_completed: None,
            last_at: None,
            last_success_at: None,
            last_took: None,
            failed_with: None,
            lead,
        }
    }

    pub(crate) fn poll(&self) -> Duration {
        self.poll
    }

    pub(crate) fn leads(&mut self, lead: Lead) {
        self.lead = lead;
    }

    /// Computed when it is asked for: a process that hangs does not renew its Lease, and notes nothing.
    pub(super) fn is_leader(&self, now: Duration) -> bool {
        match self.lead {
            Lead::Always => true,
            Lead::Until(end) => now < end,
            Lead::Another | Lead::Unknown => false,
        }
    }

    /// What a look has found out, whether what follows from it can be published or not.
    pub(crate) fn found(&mut self, facts: Facts) {
        self.facts = Some(facts);
    }

    /// The end of a look. `failed_with`: the code of its error.
    pub(crate) fn ended(&mut self, ended: Ended, at: At, failed_with: Option<&'static str>) {
        *self.looks.entry(ended.outcome).or_default() += 1;
        self.changes += u64::from(ended.changed);
        (self.last, self.last_at, self.last_took) = (Some(at.clock), Some(at.time), Some(at.took));
        self.failed_with = failed_with;
        if ended.outcome != Outcome::Failed {
            self.last_completed = Some(at.clock);
        }
        if ended.outcome.is_success() {
            self.last_success_at = Some(at.time);
        }
    }

    /// Whether it works: a look came to an end lately. `Err`: why not.
    pub(crate) fn readiness(&self, now: Duration) -> Result<String, String> {
        let limit = self.poll * LOOKS + LONGEST_LOOK.min(self.poll * LOOKS);
        let failing = || match self.failed_with {
            Some(code) => format!("the last one failed: {code}"),
            None => "one is under way".to_owned(),
        };
        match self.last_completed {
            None => Err(format!("no look has succeeded yet; {}", failing())),
            Some(at) if now.saturating_sub(at) > limit => Err(format!(
                "the last look that succeeded ended {} s ago; {}",
                now.saturating_sub(at).as_secs(),
                failing()
            )),
            Some(_) => Ok(match self.lead {
                _ if self.is_leader(now) => "ok",
                Lead::Another => "ok: another process holds the lease",
                _ => "ok: this process does not hold the lease",
            }
            .to_owned()),
        }
    }

    /// Whether looks end at all. `Err`: since when not.
    pub(crate) fn liveness(&self, now: Duration) -> Result<(), String> {
        let since = now.saturating_sub(self.last.unwrap_or_default());
        match since > STUCK + self.poll * LOOKS * 2 {
            true => Err(format!("no look has ended for {} s", since.as_secs())),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: Duration = Duration::from_secs(10);

    fn at(seconds: u64) -> At {
        At { clock: Duration::from_secs(seconds), time: 1_800_000_000 + seconds, took: Duration::ZERO }
    }

    fn end(board: &mut Board, outcome: Outcome, seconds: u64) {
        let failed_with = (outcome == Outcome::Failed).then_some("connect");
        board.ended(Ended { outcome, changed: false }, at(seconds), failed_with);
    }

    #[test]
    fn ready_follows_completed_looks() {
        let mut board = Board::new(POLL, Lead::Always);
        let ready = |board: &Board, seconds| board.readiness(Duration::from_secs(seconds));
        assert!(ready(&board, 0).unwrap_err().contains("yet; one is under way"));
        end(&mut board, Outcome::Failed, 1);
        assert!(ready(&board, 1).unwrap_err().contains("yet; the last one failed: connect"));
        for outcome in [Outcome::Unchanged, Outcome::Incomplete, Outcome::Found, Outcome::Pending] {
            let mut board = board.clone();
            end(&mut board, outcome, 10);
            assert_eq!(ready(&board, 10), Ok("ok".to_owned()));
            assert_eq!(ready(&board, 70), Ok("ok".to_owned()));
            let why = ready(&board, 71).unwrap_err();
            assert!(why.contains("61 s ago"), "{why}");
            end(&mut board, Outcome::Failed, 71);
            assert!(ready(&board, 72).unwrap_err().ends_with("failed: connect"));
            end(&mut board, outcome, 80);
            assert!(ready(&board, 81).is_ok());
        }
    }

    #[test]
    fn standby_is_ready_and_reported() {
        let mut board = Board::new(POLL, Lead::Another);
        end(&mut board, Outcome::Unchanged, 1);
        assert!(board.readiness(Duration::from_secs(2)).unwrap().contains("another process"));
        board.leads(Lead::Until(Duration::from_secs(3)));
        assert_eq!(board.readiness(Duration::from_secs(2)), Ok("ok".to_owned()));
        board.leads(Lead::Unknown);
        assert!(!board.readiness(Duration::from_secs(2)).unwrap().contains("another process"));
    }

    #[test]
    fn lease_runs_out_unnoticed() {
        let mut board = Board::new(POLL, Lead::Until(Duration::from_secs(10)));
        end(&mut board, Outcome::Unchanged, 1);
        let leads = |seconds| board.is_leader(Duration::from_secs(seconds));
        assert!(leads(9) && !leads(10) && !leads(11));
        let metric = |seconds| board.metrics(Duration::from_secs(seconds));
        assert!(metric(9).contains("keyless_is_leader 1\n") && metric(10).contains("keyless_is_leader 0\n"));
        let state = board.readiness(Duration::from_secs(10)).unwrap();
        assert!(state.contains("does not hold"), "{state}");
    }

    #[test]
    fn alive_while_looks_end() {
        let mut board = Board::new(POLL, Lead::Always);
        let alive = |board: &Board, seconds| board.liveness(Duration::from_secs(seconds)).is_ok();
        assert!(alive(&board, 0) && alive(&board, 660) && !alive(&board, 661));
        end(&mut board, Outcome::Failed, 600);
        assert!(alive(&board, 1260) && !alive(&board, 1261));
    }

    #[test]
    fn only_what_was_established_is_success() {
        let mut board = Board::new(POLL, Lead::Always);
        for (outcome, success) in [
            (Outcome::Unchanged, true),
            (Outcome::Changed, true),
            (Outcome::Found, true),
            (Outcome::Incomplete, false),
            (Outcome::Pending, false),
            (Outcome::Failed, false),
        ] {
            board.last_success_at = None;
            end(&mut board, outcome, 5);
            assert_eq!(board.last_success_at.is_some(), success, "{outcome:?}");
        }
    }
}
