use super::*;

const DAY: u64 = 24 * 3600;
const POLICY: Policy = Policy { cache: 300, longest_token: DAY, skew: 60, between_sights: 30 };
const WAIT: u64 = DAY + 360;

fn id(number: u8) -> KeyId {
    KeyId([number; 32])
}

fn ids(numbers: &[u8]) -> BTreeSet<KeyId> {
    numbers.iter().map(|number| id(*number)).collect()
}

/// A cluster over time, with one publisher.
struct Story {
    now: u64,
    ledger: Option<Ledger>,
    stored: BTreeSet<KeyId>,
    staged: BTreeSet<KeyId>,
    vouched: bool,
}

impl Story {
    fn new() -> Self {
        Self { now: 1000, ledger: None, stored: BTreeSet::new(), staged: BTreeSet::new(), vouched: false }
    }

    /// So many of so many servers serve each of these keys; those of `signing` sign.
    fn look(&self, servers: u32, serving: &[(u8, u32)], signing: &[u8]) -> Look {
        let serving = serving.iter().map(|(key, count)| (id(*key), *count)).collect();
        Look { servers, whole: true, serving, signing: ids(signing), earliest: self.now, latest: self.now }
    }

    /// A look, after which what is decided is published.
    fn polls(&mut self, look: &Look) -> BTreeMap<KeyId, State> {
        let scene = Scene {
            ledger: self.ledger.as_ref(),
            look,
            staged: &self.staged,
            stored: &self.stored,
            public: Some(&self.stored),
            copies: &self.stored,
            served: Some(POLICY.cache),
            is_given: false,
            unread: false,
            tokens: None,
            most_token: u64::MAX,
            lost: &BTreeSet::new(),
            vouched: self.vouched,
            revoke: None,
            policy: &POLICY,
            kid: &|_| String::new(),
        };
        let Judged { ledger, states, .. } = judge(&scene, &Ledger::new("uid", "issuer"));
        self.ledger = Some(ledger);
        let stays = |state: &State| !state.leaves() && *state != State::Missing;
        self.stored = states.iter().filter(|(_, state)| stays(state)).map(|(id, _)| *id).collect();
        states
    }

    fn poll(&mut self, after: u64, servers: u32, serving: &[(u8, u32)], signing: &[u8]) -> Vec<(u8, State)> {
        self.now += after;
        let look = self.look(servers, serving, signing);
        self.polls(&look).into_iter().map(|(id, state)| (id.0[0], state)).collect()
    }
}

#[test]
fn former_key_leaves_after_its_tokens() {
    let mut story = Story::new();
    story.poll(0, 1, &[(1, 1)], &[1]);
    let states = story.poll(300, 1, &[(2, 1)], &[2]);
    let until = Some(1300 + WAIT);
    assert_eq!(states, [(1, State::Retained { until }), (2, State::Live)]);
    assert_eq!(story.poll(WAIT - 1, 1, &[(2, 1)], &[2])[0].1, State::Retained { until });
    assert_eq!(story.poll(1, 1, &[(2, 1)], &[2])[0].1, State::Leaving);
    assert_eq!(story.stored, ids(&[2]));
    // It is not forgotten: an attacker who puts it back gains nothing, and is noticed.
    story.stored = ids(&[1, 2]);
    assert_eq!(story.poll(DAY, 1, &[(2, 1)], &[2])[0].1, State::Returned { leaves: true });
    assert_eq!(story.stored, ids(&[2]));
}

#[test]
fn incomplete_look_restarts_the_wait() {
    let mut story = Story::new();
    story.poll(0, 2, &[(1, 2)], &[1]);
    story.poll(300, 2, &[(2, 2)], &[2]);
    story.now += WAIT;
    let mut look = story.look(2, &[(2, 1)], &[2]);
    look.whole = false;
    assert_eq!(story.polls(&look)[&id(1)], State::Retained { until: None });
    let until = Some(story.now + 300 + WAIT);
    assert_eq!(story.poll(300, 2, &[(2, 2)], &[2])[0].1, State::Retained { until });
}

#[test]
fn fewer_servers_than_before_remove_nothing() {
    let mut story = Story::new();
    story.poll(0, 3, &[(1, 3)], &[1]);
    for _ in 0..5 {
        assert_eq!(story.poll(DAY, 1, &[(2, 1)], &[2])[0].1, State::Retained { until: None });
    }
}

#[test]
fn clock_that_is_ahead_removes_nothing() {
    let mut story = Story::new();
    story.poll(0, 1, &[(1, 1)], &[1]);
    story.poll(300, 1, &[(2, 1)], &[2]);
    let mut look = story.look(1, &[(2, 1)], &[2]);
    look.latest += 400 * DAY;
    assert!(matches!(story.polls(&look)[&id(1)], State::Retained { .. }));
}

#[test]
fn appearing_key_is_foreign_until_removed() {
    let mut story = Story::new();
    story.poll(0, 1, &[(1, 1)], &[1]);
    story.stored.insert(id(9));
    for _ in 0..3 {
        assert_eq!(story.poll(DAY, 1, &[(1, 1)], &[1]), [(1, State::Live), (9, State::Foreign)]);
    }
    assert_eq!(story.ledger.as_ref().unwrap().keys[&id(9)].noticed, 1000 + DAY);
    story.ledger.as_mut().unwrap().keys.get_mut(&id(9)).unwrap().revoked = Some(story.now);
    assert_eq!(story.poll(1, 1, &[(1, 1)], &[1])[1].1, State::Leaving);
}

#[test]
fn lost_ledger_removes_nothing() {
    let mut story = Story::new();
    story.poll(0, 1, &[(1, 1)], &[1]);
    story.poll(300, 1, &[(2, 1)], &[2]);
    story.ledger = None;
    for _ in 0..3 {
        assert_eq!(story.poll(2 * DAY, 1, &[(2, 1)], &[2])[0].1, State::Unknown);
    }
    // The administrator knows better.
    story.vouched = true;
    let until = Some(story.ledger.as_ref().unwrap().keys[&id(1)].absent_since.unwrap() + WAIT);
    assert_eq!(story.poll(60, 1, &[(2, 1)], &[2])[0].1, State::Leaving, "{until:?}");
}

#[test]
fn single_sight_promotes_no_key() {
    for (servers, serving, signing, wanted) in [
        (3, 1, &[1][..], Seen::Once),
        (3, 2, &[1], Seen::Once),
        (1, 1, &[1], Seen::Once),
        (3, 3, &[1], Seen::Live),
        (3, 1, &[1, 2], Seen::Live),
        (1, 1, &[1, 2], Seen::Live),
    ] {
        let mut story = Story::new();
        story.poll(0, servers, &[(1, servers), (2, serving)], signing);
        assert_eq!(story.ledger.as_ref().unwrap().keys[&id(2)].seen, wanted, "{servers} {serving}");
        let gone = story.poll(300, servers, &[(1, servers)], &[1])[1].1;
        assert_eq!(gone.is_alarm(), wanted == Seen::Once, "{gone:?}");
    }
}

#[test]
fn second_sight_promotes_a_key() {
    let mut story = Story::new();
    story.poll(0, 3, &[(1, 3), (2, 1)], &[1]);
    story.poll(29, 3, &[(1, 3), (2, 1)], &[1]);
    assert_eq!(
        story.ledger.as_ref().unwrap().keys[&id(2)].seen,
        Seen::Once,
        "the same look of two publishers"
    );
    story.poll(1, 3, &[(1, 3), (2, 1)], &[1]);
    assert_eq!(story.ledger.as_ref().unwrap().keys[&id(2)].seen, Seen::Live);
}

/// Whatever is written into the ledger: what an API server has is published.
#[test]
fn forged_ledger_removes_no_live_key() {
    let forged = |id: u8, change: fn(&mut Entry)| {
        let mut ledger = Ledger::new("uid", "issuer");
        let mut entry = Entry::new(String::new(), 0, Source::Foreign);
        change(&mut entry);
        ledger.keys.insert(KeyId([id; 32]), entry);
        ledger
    };
    for change in [
        (|entry: &mut Entry| entry.revoked = Some(1)) as fn(&mut Entry),
        |entry| entry.dropped = Some(1),
        |entry| {
            entry.seen = Seen::Live;
            entry.absent_since = Some(1);
        },
        |entry| {
            entry.source = Source::Vouched;
            entry.absent_since = Some(1);
            entry.revoked = Some(1);
            entry.dropped = Some(1);
        },
    ] {
        let mut story = Story::new();
        (story.now, story.stored) = (400 * DAY, ids(&[1]));
        story.ledger = Some(forged(1, change));
        story.poll(0, 2, &[(1, 1), (2, 2)], &[2]);
        assert_eq!(story.stored, ids(&[1, 2]), "served by one");
        story.ledger = Some(forged(1, change));
        story.poll(300, 2, &[(2, 2)], &[1]);
        assert_eq!(story.stored, ids(&[1, 2]), "signing only");
        // The server that has it does not answer.
        story.ledger = Some(forged(1, change));
        let mut look = story.look(2, &[(2, 1)], &[2]);
        look.whole = false;
        story.polls(&look);
        assert_eq!(story.stored, ids(&[1, 2]), "unreachable");
        story.ledger = Some(forged(1, change));
        story.staged = ids(&[1]);
        story.poll(300, 2, &[(2, 2)], &[2]);
        assert_eq!(story.stored, ids(&[1, 2]), "from a file");
    }
}

#[test]
fn revoked_key_that_is_live_alarms() {
    let mut story = Story::new();
    story.poll(0, 1, &[(1, 1)], &[1]);
    story.ledger.as_mut().unwrap().keys.get_mut(&id(1)).unwrap().revoked = Some(1000);
    assert_eq!(story.poll(60, 1, &[(1, 1)], &[1]), [(1, State::RevokedLive)]);
    assert_eq!(story.poll(60, 1, &[(2, 1)], &[2]), [(1, State::Leaving), (2, State::Live)]);
    // A copy that lags behind does not bring it back, even while a server is away.
    let mut look = story.look(1, &[(2, 1)], &[2]);
    look.whole = false;
    let stale = ids(&[1, 2]);
    let scene = Scene {
        ledger: story.ledger.as_ref(),
        look: &look,
        staged: &story.staged,
        stored: &story.stored,
        public: Some(&stale),
        copies: &stale,
        served: Some(POLICY.cache),
        is_given: false,
        unread: false,
        tokens: None,
        most_token: u64::MAX,
        lost: &BTreeSet::new(),
        vouched: false,
        revoke: None,
        policy: &POLICY,
        kid: &|_| String::new(),
    };
    assert_eq!(judge(&scene, &Ledger::new("", "")).states[&id(1)], State::Leaving);
}

#[test]
fn unchanged_cluster_changes_no_ledger() {
    let mut story = Story::new();
    story.poll(0, 3, &[(1, 3), (2, 3)], &[1]);
    story.poll(300, 3, &[(1, 3), (2, 3)], &[1]);
    let before = story.ledger.clone();
    story.poll(40 * DAY, 3, &[(1, 3), (2, 3)], &[1]);
    assert_eq!(story.ledger, before);
}

#[path = "judge_former_tests.rs"]
mod former;
