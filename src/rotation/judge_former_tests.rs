//! Keys that have left, come back, vanish, or are staged again.

use super::*;

/// A story in which key 1 has left, of so many servers.
fn left(servers: u32) -> Story {
    let mut story = Story::new();
    story.poll(0, servers, &[(1, servers)], &[1]);
    story.poll(300, servers, &[(2, servers)], &[2]);
    story.poll(WAIT, servers, &[(2, servers)], &[2]);
    assert_eq!(story.stored, ids(&[2]));
    story
}

#[test]
fn returned_key_is_never_ours() {
    for revoked in [false, true] {
        for later in [60, 2 * DAY] {
            let mut story = left(3);
            story.poll(60, 3, &[(2, 3)], &[2]);
            if revoked {
                story.ledger.as_mut().unwrap().keys.get_mut(&id(1)).unwrap().revoked = Some(story.now);
            }
            // A server is away, for however long.
            for _ in 0..3 {
                story.stored.insert(id(1));
                story.now += later;
                let mut look = story.look(3, &[(2, 2)], &[2]);
                look.whole = false;
                let state = story.polls(&look)[&id(1)];
                assert_eq!(state, State::Returned { leaves: false }, "{revoked} {later}");
                assert!(state.is_alarm() && !state.is_ours());
            }
            // There are fewer than there were: a revoked key leaves all the same.
            for _ in 0..3 {
                story.stored.insert(id(1));
                let states = story.poll(later, 2, &[(2, 2)], &[2]);
                assert_eq!(states[0], (1, State::Returned { leaves: revoked }), "{later}");
            }
            story.stored.insert(id(1));
            assert_eq!(story.poll(later, 3, &[(2, 3)], &[2])[0].1, State::Returned { leaves: true });
            assert_eq!(story.stored, ids(&[2]));
        }
    }
}

#[test]
fn interrupted_removal_is_no_alarm() {
    let mut story = left(1);
    // The ledger was written, and the bucket was not.
    story.stored.insert(id(1));
    assert_eq!(story.poll(60, 1, &[(2, 1)], &[2])[0].1, State::Leaving);
    story.stored.insert(id(1));
    story.now += 60;
    let mut look = story.look(1, &[(2, 1)], &[2]);
    look.whole = false;
    assert!(matches!(story.polls(&look)[&id(1)], State::Retained { .. }));
    // After that it is no interruption any more.
    story.now += 360;
    let mut look = story.look(1, &[(2, 1)], &[2]);
    look.whole = false;
    assert_eq!(story.polls(&look)[&id(1)], State::Returned { leaves: false });
}

#[test]
fn returned_key_that_is_live_counts() {
    let mut story = left(1);
    story.poll(60, 1, &[(2, 1)], &[2]);
    story.stored.insert(id(1));
    story.poll(60, 1, &[(2, 1)], &[2]);
    assert_eq!(story.poll(60, 1, &[(1, 1), (2, 1)], &[2])[0].1, State::Live);
    story.poll(60, 1, &[(1, 1), (2, 1)], &[2]);
    let until = Some(story.now + 60 + WAIT);
    assert_eq!(story.poll(60, 1, &[(2, 1)], &[2])[0].1, State::Retained { until });
}

#[test]
fn live_key_without_ledger_signed() {
    let mut story = Story::new();
    story.poll(0, 2, &[(1, 2), (2, 2)], &[2]);
    story.poll(60, 2, &[(1, 2), (2, 2), (3, 2)], &[2]);
    let signed = |key| story.ledger.as_ref().unwrap().keys[&id(key)].signed;
    assert_eq!([signed(1), signed(2), signed(3)], [true, true, false]);
    assert_eq!(story.ledger.as_ref().unwrap().keys[&id(1)].idle_since, Some(1000));
}

/// It was published before the ledger, and only then an API server that was away shows it.
#[test]
fn unknown_key_that_appears_signed() {
    for vouched in [false, true] {
        let mut story = Story::new();
        (story.stored, story.vouched) = (ids(&[1, 2]), vouched);
        story.poll(0, 2, &[(2, 2)], &[2]);
        story.poll(60, 2, &[(1, 2), (2, 2)], &[2]);
        assert!(story.ledger.as_ref().unwrap().keys[&id(1)].signed, "{vouched}");
    }
}

#[test]
fn staged_former_key_stays_published() {
    for whole in [true, false] {
        for revoked in [None, Some(1000)] {
            let mut story = left(3);
            story.ledger.as_mut().unwrap().keys.get_mut(&id(1)).unwrap().revoked = revoked;
            story.staged = ids(&[1]);
            let mut look = story.look(3, &[(2, 3)], &[2]);
            look.whole = whole;
            assert_eq!(story.polls(&look)[&id(1)], State::Staged);
            let before = story.ledger.clone();
            look = story.look(3, &[(2, 3)], &[2]);
            look.whole = whole;
            story.polls(&look);
            let entry = &story.ledger.as_ref().unwrap().keys[&id(1)];
            assert_eq!((entry.seen, entry.servers, entry.dropped), (Seen::Never, 0, None));
            assert!(!entry.signed && entry.revoked.is_none());
            let again = story.ledger.clone();
            story.polls(&look);
            assert_eq!(story.ledger, again, "an unchanged cluster changes nothing, after {before:?}");
            story.staged.clear();
            for _ in 0..3 {
                assert_eq!(story.poll(DAY, 2, &[(2, 2)], &[2])[0].1, State::Staged);
            }
            story.poll(60, 2, &[(1, 2), (2, 2)], &[2]);
            story.poll(60, 2, &[(2, 2)], &[2]);
            assert_eq!(story.poll(WAIT, 2, &[(2, 2)], &[2])[0].1, State::Leaving);
        }
    }
}

#[test]
fn same_cluster_vouches_published_keys() {
    let mut story = Story::new();
    story.stored = ids(&[1, 8, 9]);
    story.poll(0, 1, &[(1, 1)], &[1]);
    story.stored = ids(&[1, 9]);
    story.vouched = true;
    story.poll(60, 1, &[(1, 1)], &[1]);
    let source = |key| story.ledger.as_ref().unwrap().keys[&id(key)].source;
    assert_eq!((source(8), source(9)), (Source::Unknown, Source::Vouched));
    story.vouched = false;
    story.stored = ids(&[1, 8, 9]);
    let states = story.poll(60, 1, &[(1, 1)], &[1]);
    assert!(states[1].1.is_alarm() && !states[2].1.is_alarm(), "{states:?}");
}

#[test]
fn vanished_key_is_missing() {
    let mut story = Story::new();
    story.poll(0, 1, &[(1, 1)], &[1]);
    story.staged = ids(&[3]);
    story.stored.insert(id(9));
    story.poll(60, 1, &[(2, 1)], &[2]);
    story.staged.clear();
    story.poll(60, 1, &[(2, 1)], &[2]);
    story.stored = ids(&[2]);
    let missing = [(1, State::Missing), (2, State::Live), (3, State::Missing)];
    assert_eq!(story.poll(60, 1, &[(2, 1)], &[2]), missing, "not the foreign key");
    assert!(State::Missing.is_alarm());
    story.ledger.as_mut().unwrap().keys.get_mut(&id(3)).unwrap().revoked = Some(story.now);
    assert_eq!(story.poll(60, 1, &[(2, 1)], &[2]), missing[..2]);
    assert_eq!(story.poll(WAIT, 1, &[(2, 1)], &[2]), missing[1..2], "its tokens have expired");
}
