//! PURE. Which looks are worth a line: those that changed something or failed, those that found something else than the
//! one before, and one an hour.

use std::time::Duration;

use super::{Ended, Outcome};

/// An unchanged look is told so often at most.
const HOUR: Duration = Duration::from_secs(3600);

/// What was told last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notice {
    last: Option<(Outcome, Vec<String>, Duration)>,
}

impl Notice {
    /// Whether a look is to be told. `notes`: what it warned of, as text without times. `now` on the local clock.
    pub(crate) fn of(&mut self, ended: Ended, notes: Vec<String>, now: Duration) -> bool {
        let is_due = match &self.last {
            None => true,
            Some(_) if ended.changed || ended.outcome == Outcome::Failed => true,
            Some((outcome, before, at)) => {
                // The look after a change finds nothing to do: that is no news.
                let is_same = *outcome == ended.outcome
                    || *outcome == Outcome::Changed && ended.outcome == Outcome::Unchanged;
                !is_same || *before != notes || now.saturating_sub(*at) >= HOUR
            }
        };
        if is_due {
            self.last = Some((ended.outcome, notes, now));
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tell(notice: &mut Notice, outcome: Outcome, note: &str, seconds: u64) -> bool {
        let ended = Ended { outcome, changed: outcome == Outcome::Changed };
        let notes = Some(note.to_owned()).filter(|note| !note.is_empty()).into_iter().collect();
        notice.of(ended, notes, Duration::from_secs(seconds))
    }

    #[test]
    fn unchanged_looks_are_told_hourly() {
        let mut notice = Notice::default();
        let told = (0..1000).filter(|look| tell(&mut notice, Outcome::Unchanged, "", look * 10));
        assert_eq!(told.collect::<Vec<_>>(), [0, 360, 720]);
    }

    #[test]
    fn each_change_and_failure_is_told() {
        let mut notice = Notice::default();
        for (at, outcome, note, told) in [
            (0, Outcome::Unchanged, "", true),
            (10, Outcome::Changed, "", true),
            (20, Outcome::Changed, "", true),
            (30, Outcome::Unchanged, "", false),
            (40, Outcome::Failed, "", true),
            (50, Outcome::Failed, "", true),
            (60, Outcome::Unchanged, "", true),
            (70, Outcome::Found, "foreign a", true),
            (80, Outcome::Found, "foreign a", false),
            (90, Outcome::Found, "foreign a, b", true),
            (100, Outcome::Incomplete, "foreign a, b", true),
            (110, Outcome::Incomplete, "foreign a, b", false),
            (120, Outcome::Unchanged, "", true),
            (130, Outcome::Unchanged, "", false),
        ] {
            assert_eq!(tell(&mut notice, outcome, note, at), told, "{at}");
        }
    }
}
