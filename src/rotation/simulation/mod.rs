//! Random worlds, in which nothing that [`super`] promises may break.
//!
//! A world has 1 to 5 API servers, two publishers that may be stopped between any two calls, a bucket with conditional
//! writes, a ledger, a cache before the bucket, relying parties that keep what they read, and tokens. The documents' cache
//! time changes, keys are revoked. What is published is what [`super::decide`] says. A failing world is shrunk, and printed with
//! the seed that made it: `PROPTEST_RNG_SEED=… cargo test --lib rotation::simulation` plays it again.
//! `PROPTEST_CASES=1000000` plays more of them.
//!
//! What it does not hold: a server that is no longer listed, as it has lost etcd, signs on; and between the ledger's write
//! and the bucket's, which one run makes one after the other, another publisher looks at the cluster. Then a key that comes
//! back in this very moment is missing until the next look.

mod keys;
mod operator;
mod world;

use std::hash::{BuildHasher, RandomState};

use proptest::{
    collection::vec,
    test_runner::{Config, RngSeed, TestRunner},
};

use self::{operator::Operator, world::World};

/// Kind, subject and detail of what happens; [`World::happens`] reads it.
pub(super) type Event = (u8, u8, u16);

/// The worlds of `cargo test` are the same each time; a longer run plays others each time.
const SEED: u64 = 2026;

/// Plays so many worlds, or as many as `PROPTEST_CASES` says.
fn play(worlds: u32, story: impl Fn(u8, u8, Vec<Event>) -> Result<(), String>) {
    let given = Config::default();
    let cases = if given.cases == 256 { worlds } else { given.cases };
    let seed = match given.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random if cases == worlds => SEED,
        RngSeed::Random => RandomState::new().hash_one(0),
    };
    let config =
        Config { cases, rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..Config::default() };
    let events = vec((0..32_u8, proptest::num::u8::ANY, proptest::num::u16::ANY), 20..70);
    let worlds = (1..=5_u8, proptest::num::u8::ANY, events);
    let played = TestRunner::new(config).run(&worlds, |(servers, kind, events)| {
        story(servers, kind, events).map_err(proptest::test_runner::TestCaseError::fail)
    });
    if let Err(error) = played {
        panic!("{error}\nPROPTEST_RNG_SEED={seed}");
    }
}

/// Whatever the operator does: a key that was seen is not lost while a token of it lives, unless it was revoked; what is live
/// is public; what was revoked comes back only by an API server, a file or an attacker; and a key that the cluster never had
/// is noticed by the next look.
#[test]
fn careless_worlds_lose_no_key() {
    play(10_000, |servers, kind, events| {
        let mut world = World::new(servers, kind);
        for event in events {
            world.happens(event)?;
        }
        Ok(())
    });
}

/// A publisher looks, the key that it saw is revoked, and the ledger is lost after it published that look.
#[test]
fn overtaken_revocation_loses_no_key() {
    let events: [Event; 11] = [
        (9, 125, 0),
        (25, 145, 0),
        (20, 144, 21764),
        (22, 9, 0),
        (29, 53, 0),
        (9, 47, 0),
        (25, 2, 0),
        (28, 60, 0),
        (9, 11, 0),
        (5, 0, 0),
        (14, 0, 0),
    ];
    let mut world = World::new(3, 150);
    events.into_iter().try_for_each(|event| world.happens(event)).unwrap();
}

/// When the operator follows the advice, no relying party and no API server refuses a token that is valid.
#[test]
fn advised_rotations_refuse_no_token() {
    play(5_000, |servers, kind, events| {
        let mut operator = Operator::new(World::new(servers, kind));
        for event in events {
            operator.happens(event)?;
        }
        Ok(())
    });
}

/// The advice is no dead end: where nothing goes wrong, a rotation comes to its end.
#[test]
fn advised_rotations_come_to_an_end() {
    play(200, |servers, kind, _| {
        let mut operator = Operator::new(World::new(servers, kind));
        for _ in 0..200 {
            operator.goes_on(3600)?;
        }
        match operator.rotations() {
            0 => Err("no rotation was completed".into()),
            _ => Ok(()),
        }
    });
}
