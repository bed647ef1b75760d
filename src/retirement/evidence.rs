//! PURE. Whether an object has run since the store was changed. Its status names no generation of the store, so the
//! times of its runs have to tell.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    observed::{Due, Trouble, User},
    state::{Stage, State},
    users::{Schedule, Sighting},
};

/// Between a change of the store and the first sighting that counts: API servers tell their watchers within this.
const SPREAD: u64 = 2;
/// A run that began this long after the store was changed cannot have begun before, whatever the clocks say.
const SKEW: u64 = 30;

/// What was seen in this run so far. Nothing of it is needed by the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tracker {
    /// When the store was first seen changed, by this run.
    since: Option<u64>,
    marks: BTreeMap<String, Mark>,
    asked: BTreeMap<String, Asked>,
    /// Since when what is not ready is so, by name.
    unready: BTreeMap<String, u64>,
    /// The operator's clock was seen to run ahead: it proves nothing in this run.
    ahead: bool,
}

/// The runs of one object that were seen one after the other.
#[derive(Clone, Debug)]
struct Mark {
    refreshed: Option<u64>,
    runs: usize,
}

/// What an object reported when it was asked to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// None: it did not use the store at that time, and was not asked. It is not asked again, and nothing it says is an
    /// answer.
    pub(crate) synced: Option<String>,
}

impl Tracker {
    /// These were asked to run, and reported this at that time.
    pub(crate) fn asked(&mut self, asked: impl IntoIterator<Item = (String, Asked)>) {
        self.asked.extend(asked);
    }

    pub(crate) fn asked_uids(&self) -> BTreeSet<String> {
        self.asked.keys().cloned().collect()
    }

    /// The store is about to be changed: what was seen before counts no more.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    /// `unready`: what else is not ready and says so, by name: the store, and what relies on other stores that used the
    /// same credential.
    pub(crate) fn see<'a>(
        &mut self,
        state: &State,
        sightings: Vec<Sighting>,
        unready: impl IntoIterator<Item = (&'a str, &'a str)>,
        now: u64,
    ) -> (Vec<User>, Option<Trouble>) {
        let since = switched_at(&state.stage);
        self.ahead |= sightings.iter().any(|user| user.refreshed.is_some_and(|at| at > now + SKEW / 2));
        if let Some(since) = since {
            let first = *self.since.get_or_insert(now.max(since));
            if now >= first + SPREAD {
                sightings.iter().for_each(|user| self.mark(user));
            }
        }
        let users: Vec<_> =
            sightings.into_iter().map(|sighting| self.user(state, since, sighting, now)).collect();
        let trouble = self.trouble(&users, unready, now);
        (users, trouble)
    }

    fn mark(&mut self, user: &Sighting) {
        let new = Mark { refreshed: user.refreshed, runs: 0 };
        let mark = self.marks.entry(user.uid.clone()).or_insert(new);
        if user.ready && user.refreshed != mark.refreshed {
            mark.refreshed = user.refreshed;
            mark.runs += 1;
        }
    }

    fn user(&self, state: &State, since: Option<u64>, seen: Sighting, now: u64) -> User {
        // What has run to its end since is not broken any more.
        let broken = state.broken.get(&seen.uid) == Some(&seen.refreshed.unwrap_or_default());
        let ran = seen.ready && since.is_some_and(|since| self.has_run_since(since, &seen));
        let due = match seen.schedule.clone() {
            Schedule::Every(interval) => Due::At(seen.refreshed.unwrap_or(now).saturating_add(interval)),
            Schedule::Asked(why) => Due::Asked(why),
            Schedule::Never(why) => Due::Never(why),
        };
        User {
            relied: seen.has_run() && !broken,
            refreshed: seen.refreshed,
            uid: seen.uid,
            name: seen.name,
            ready: seen.ready,
            says: seen.says,
            ran,
            due,
        }
    }

    /// The first run that is seen may have begun before the store was changed; the second began after the first had
    /// ended. A run that answers a change of annotations began after that change, and all runs of an object that is
    /// younger than the change did. By the clock a run counts that began well after the store was changed.
    fn has_run_since(&self, since: u64, seen: &Sighting) -> bool {
        let twice = self.marks.get(&seen.uid).is_some_and(|mark| mark.runs >= 2);
        // Not by `refreshTime`: it counts whole seconds, and two runs can share one.
        let asked = self.asked.get(&seen.uid).and_then(|asked| asked.synced.as_ref());
        let answered = asked.is_some_and(|synced| *synced != seen.synced);
        let younger = seen.created.is_some_and(|created| created > since.saturating_add(SPREAD));
        let by_clock = !self.ahead && seen.refreshed.is_some_and(|at| at >= since.saturating_add(SKEW));
        twice || answered || younger || by_clock
    }

    /// What has been unready for longest.
    fn trouble<'a>(
        &mut self,
        users: &[User],
        others: impl IntoIterator<Item = (&'a str, &'a str)>,
        now: u64,
    ) -> Option<Trouble> {
        let mut unready: Vec<(&str, &str)> = others.into_iter().collect();
        let relied = users.iter().filter(|user| !user.ready && user.relied);
        unready.extend(relied.map(|user| (user.name.as_str(), user.says.as_str())));
        let mut since = BTreeMap::new();
        let mut worst: Option<Trouble> = None;
        for (object, says) in unready {
            let at = self.unready.get(object).copied().unwrap_or(now);
            since.insert(object.to_owned(), at);
            if worst.as_ref().is_none_or(|worst| at < worst.since) {
                worst = Some(Trouble { since: at, object: object.to_owned(), says: says.to_owned() });
            }
        }
        self.unready = since;
        worst
    }
}

/// Since when the store logs in by its new provider, as far as the state knows.
pub(crate) fn switched_at(stage: &Stage) -> Option<u64> {
    match stage {
        Stage::Saved | Stage::Undoing { .. } => None,
        Stage::Switched { at }
        | Stage::Disabling { at }
        | Stage::Disabled { at, .. }
        | Stage::Deleting { at, .. }
        | Stage::GivingBack { at, .. }
        | Stage::GivenBack { at, .. } => Some(*at),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::retirement::StoreId;

    const AT: u64 = 1_000_000;

    fn state() -> State {
        let store = StoreId {
            kind: String::new(),
            namespace: String::new(),
            name: String::new(),
            uid: String::new(),
        };
        State::new("c", store, None, json!({})).with_stage(Stage::Switched { at: AT })
    }

    fn seen(refreshed: u64) -> Sighting {
        Sighting {
            uid: "u".into(),
            name: "ExternalSecret shop/db".into(),
            ready: true,
            says: String::new(),
            refreshed: Some(refreshed),
            created: Some(AT - 5000),
            synced: "1-a".into(),
            schedule: Schedule::Every(3600),
        }
    }

    fn ran(tracker: &mut Tracker, sighting: Sighting, now: u64) -> bool {
        tracker.see(&state(), vec![sighting], None, now).0[0].ran
    }

    /// The first run that is seen may have begun before the store was changed.
    #[test]
    fn only_second_run_counts() {
        let mut tracker = Tracker::default();
        assert!(!ran(&mut tracker, seen(AT - 10), AT));
        assert!(!ran(&mut tracker, seen(AT - 1), AT + 1), "API servers may not have told by then");
        assert!(!ran(&mut tracker, seen(AT - 1), AT + 3));
        assert!(!ran(&mut tracker, seen(AT + 4), AT + 5));
        assert!(ran(&mut tracker, seen(AT + 6), AT + 7));
        assert!(ran(&mut tracker, seen(AT + 6), AT + 8), "it stays so");
    }

    #[test]
    fn run_well_after_change_counts_immediately() {
        assert!(ran(&mut Tracker::default(), seen(AT + SKEW), AT + 4000));
        assert!(!ran(&mut Tracker::default(), seen(AT + SKEW - 1), AT + 4000));
        // An operator whose clock runs ahead proves nothing by it.
        assert!(!ran(&mut Tracker::default(), seen(AT + 600), AT + 10));
        let mut broken = seen(AT + SKEW);
        broken.ready = false;
        assert!(!ran(&mut Tracker::default(), broken, AT + 4000));
    }

    #[test]
    fn answer_to_being_asked_counts() {
        let mut tracker = Tracker::default();
        tracker.asked([("u".to_owned(), Asked { synced: Some("1-a".into()) })]);
        assert!(!ran(&mut tracker, seen(AT - 10), AT + 3));
        // A run that had begun before it was asked knows the former annotations.
        assert!(!ran(&mut tracker, seen(AT + 1), AT + 4));
        let mut answered = seen(AT + 4);
        answered.synced = "1-b".into();
        assert!(ran(&mut tracker, answered, AT + 5));
        let mut tracker = Tracker::default();
        tracker.asked([("u".to_owned(), Asked { synced: None })]);
        assert!(!ran(&mut tracker, seen(AT - 10), AT + 3), "it was not asked");
        // One that answers within the second in which the run before it began.
        let mut tracker = Tracker::default();
        tracker.asked([("u".to_owned(), Asked { synced: Some("1-a".into()) })]);
        let mut same_second = seen(AT - 10);
        same_second.synced = "1-b".into();
        assert!(ran(&mut tracker, same_second, AT + 3));
    }

    #[test]
    fn younger_object_never_used_former_login() {
        let mut young = seen(AT + 5);
        young.created = Some(AT + 4);
        assert!(ran(&mut Tracker::default(), young.clone(), AT + 6));
        young.created = Some(AT + 2);
        assert!(!ran(&mut Tracker::default(), young, AT + 6));
    }

    #[test]
    fn recovered_user_is_relied_on() {
        let mut state = state();
        state.remember_broken([("u".to_owned(), AT - 10)]);
        let relied =
            |refreshed| Tracker::default().see(&state, vec![seen(refreshed)], None, AT + 1).0[0].relied;
        assert!(!relied(AT - 10) && relied(AT - 5));
    }

    #[test]
    fn trouble_time_counts_per_object() {
        let (mut tracker, state) = (Tracker::default(), state());
        let unready = |name: &str| Sighting { ready: false, name: name.into(), ..seen(AT) };
        let since = |tracker: &mut Tracker, names: &[&str], now| {
            let all = names.iter().map(|name| unready(name)).collect();
            tracker.see(&state, all, None, now).1.map(|trouble| (trouble.object, trouble.since))
        };
        assert_eq!(since(&mut tracker, &[], 1), None);
        assert_eq!(since(&mut tracker, &["a"], 2), Some(("a".into(), 2)));
        assert_eq!(since(&mut tracker, &["a", "b"], 30), Some(("a".into(), 2)));
        assert_eq!(since(&mut tracker, &["b"], 40), Some(("b".into(), 30)), "another's time does not count");
        assert_eq!(since(&mut tracker, &[], 50), None);
        assert_eq!(since(&mut tracker, &["b"], 60), Some(("b".into(), 60)));
    }
}
