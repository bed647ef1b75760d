//! A model of the whole retirement: a simulated cluster, operator and provider, in which several runs of `setup` are
//! killed at any of their acts while everybody else does what they like. It drives the very [`next`] of the program.
//!
//! Claimed after each event: what synced before never fails because of keyless; and no credential is disabled or
//! deleted that something else needs. `KEYLESS_MODEL_RUNS` sets the number of runs, `KEYLESS_MODEL_SEED` the first.

mod mutant;
mod process;
mod random;
mod views;
mod world;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use self::{mutant::Mutant, random::Random, world::World};

const RUNS: u64 = 2000;
const STEPS: usize = 250;

/// One history; what was violated, if anything was.
fn play(seed: u64, mutant: Option<Mutant>) -> Option<String> {
    let mut world = World::new(Random::new(seed), mutant);
    run(&mut world)
}

fn run(world: &mut World) -> Option<String> {
    for _ in 0..STEPS {
        world.step();
        if let Some(violated) = world.violated.take() {
            return Some(violated);
        }
    }
    world.come_to_rest();
    world.violated.take()
}

/// The end of a history, for those who look for what is wrong.
fn history(seed: u64) -> String {
    let mut world = World::new(Random::new(seed), None);
    world.history = Some(Vec::new());
    run(&mut world);
    let history = world.history.unwrap_or_default();
    history[history.len().saturating_sub(60)..].join("\n")
}

#[expect(clippy::disallowed_methods, reason = "how long a test runs is set from outside")]
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn no_history_breaks_a_claim() {
    let first = setting("KEYLESS_MODEL_SEED", 1);
    let next = AtomicU64::new(first);
    let last = first + setting("KEYLESS_MODEL_RUNS", RUNS);
    let play_on = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= last {
                return;
            }
            if let Some(violated) = play(seed, None) {
                panic!("KEYLESS_MODEL_SEED={seed} KEYLESS_MODEL_RUNS=1: {violated}\n{}", history(seed));
            }
        }
    };
    thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(play_on))));
}

/// The model sees each guard of the decision: without it, some history breaks a claim.
#[test]
fn each_missing_guard_is_found() {
    let look = |mutant: Mutant| {
        let found = (1..=4 * RUNS).find(|seed| play(*seed, Some(mutant)).is_some());
        assert!(found.is_some(), "{mutant:?} breaks no claim");
    };
    thread::scope(|scope| {
        for mutant in Mutant::ALL {
            scope.spawn(move || look(mutant));
        }
    });
}

/// The histories are not empty: all ends are reached, also the good one.
#[test]
fn every_end_is_reached() {
    let mut ends = std::collections::BTreeSet::new();
    for seed in 1..=RUNS / 4 {
        let mut world = World::new(Random::new(seed), None);
        (0..STEPS).for_each(|_| world.step());
        world.come_to_rest();
        ends.append(&mut world.ends);
    }
    for end in [
        "Kept",
        "Left",
        "Retired",
        "Undone",
        "NotYet",
        "Others",
        "Unplanned",
        "NeverRefreshed",
        "GaveBack",
        "StoreReverted",
    ] {
        assert!(ends.contains(end), "{end} is not among {ends:?}");
    }
}
