//! Fuzzes every reader of foreign bytes for a given time, on stable Rust, from a fixed seed.
//!
//! ```console
//! $ cargo test --features fuzzing --test fuzz -- --seconds 60
//! $ cargo test --features fuzzing --test fuzz -- --target jwks --seed 7 --seconds 600
//! $ cargo test --features fuzzing --test fuzz -- --target jwks target/fuzz/jwks-7-1234
//! ```
//!
//! A quarter of the time goes to `answers`: the program itself against far sides one of whose answers is changed.
//!
//! An input fails when its reader panics, takes more than a second, takes memory out of proportion, or shows a secret
//! that lies in it. It is kept in `target/fuzz`, and the run ends with 1. `fuzz/` has the same readers for `cargo fuzz`.

#![expect(clippy::print_stdout, reason = "its results")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../cli/estate.rs"]
#[allow(dead_code, reason = "the other tests need the rest")]
mod estate;
mod mutate;
mod seeds;
mod wire;
#[path = "../cli/world.rs"]
#[allow(dead_code, reason = "the other tests need the rest")]
mod world;

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    fs,
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use keyless::fuzzing::{self, TARGETS, Target};
use rustix::time::{ClockId, clock_gettime};

use self::{
    mutate::{Mutated, Random},
    seeds::{CANARY, SENT, Seed},
};

const SECONDS: u64 = 60;
/// No reader, but the program itself.
const ANSWERS: &str = "answers";
const SEED: u64 = 20_261_125;
/// The time of this thread, not of the clock: the machine may be busy.
const SLOW: Duration = Duration::from_secs(1);
/// Above so much, memory must be in proportion to the input.
const FREE: u64 = 64 << 20;
const PROPORTION: u64 = 400;

thread_local! {
    /// A panic there is a result, and not printed.
    static IN_TARGET: Cell<bool> = const { Cell::new(false) };
}

struct Arguments {
    seconds: u64,
    seed: u64,
    only: Option<String>,
    files: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let Some(arguments) = arguments() else {
        println!("usage: [--seconds N] [--seed N] [--target NAME] [FILE…]");
        return ExitCode::from(2);
    };
    fuzzing::remember(SENT);
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(
        cargo_fuzz_targets(),
        BTreeSet::from_iter(names.iter().map(|name| format!("{name}.rs"))),
        "fuzz/fuzz_targets"
    );
    let chosen: Vec<_> = TARGETS
        .iter()
        .filter(|target| arguments.only.as_deref().is_none_or(|name| name == target.name))
        .collect();
    if chosen.is_empty() && arguments.only.as_deref() != Some(ANSWERS) {
        println!("there is no target of this name; there are {names:?}");
        return ExitCode::from(2);
    }
    if !arguments.files.is_empty() {
        for file in &arguments.files {
            let input = fs::read(file).expect("a file");
            for target in &chosen {
                println!("{} {}: {}", target.name, file.display(), (target.run)(&input));
            }
        }
        return ExitCode::SUCCESS;
    }
    let other = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if !IN_TARGET.get() {
            other(panic);
        }
    }));
    let time = Duration::from_secs(arguments.seconds);
    let (answers, readers) = match arguments.only.as_deref() {
        Some(ANSWERS) => (time, Duration::ZERO),
        Some(_) => (Duration::ZERO, time),
        None => (time / 4, time / 4 * 3),
    };
    let share = readers / u32::try_from(chosen.len().max(1)).expect("few targets");
    let mut failed = 0;
    if !answers.is_zero() {
        let (runs, failures) = wire::fuzz(arguments.seed, answers);
        failed += failures.len();
        println!("{ANSWERS:<16} {runs:>9} runs,   {} failures", failures.len());
        failures.iter().for_each(|failure| println!("    {failure}"));
    }
    for target in chosen {
        let found = fuzz(*target, arguments.seed, share);
        failed += found.failures.len();
        println!("{:<16} {:>9} inputs, {} failures", target.name, found.inputs, found.failures.len());
        for (why, file) in &found.failures {
            println!("    {why}: {}", file.display());
        }
    }
    ExitCode::from(u8::from(failed > 0))
}

/// `fuzz/` has every reader, too.
fn cargo_fuzz_targets() -> BTreeSet<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let entries = fs::read_dir(folder).expect("a folder of targets");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

fn arguments() -> Option<Arguments> {
    let mut found = Arguments { seconds: SECONDS, seed: SEED, only: None, files: Vec::new() };
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--seconds" => found.seconds = given.next()?.parse().ok()?,
            "--seed" => found.seed = given.next()?.parse().ok()?,
            "--target" => found.only = Some(given.next()?),
            flag if flag.starts_with('-') => return None,
            file => found.files.push(file.into()),
        }
    }
    Some(found)
}

#[derive(Default)]
struct Found {
    inputs: usize,
    /// Of each kind the first: why, and the file that holds the input.
    failures: BTreeMap<String, PathBuf>,
}

fn fuzz(target: Target, seed: u64, share: Duration) -> Found {
    let began = Instant::now();
    let mut random = Random::new(
        seed ^ target.name.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31) ^ u64::from(byte)),
    );
    let seeds = seeds::of(target.name);
    assert!(!seeds.is_empty(), "{} has no seeds", target.name);
    let mut found = Found::default();
    // First the seeds as they are: all of them, whatever the time.
    for seed in &seeds {
        found.inputs += 1;
        let whole = Mutated { bytes: seed.bytes.clone(), secrets_stay: true };
        judge(target, &whole, &format!("seed-{}", found.inputs), &mut found);
    }
    while began.elapsed() < share {
        found.inputs += 1;
        let input = mutate::mutate(&mut random, &seeds);
        judge(target, &input, &format!("{seed}-{}", found.inputs), &mut found);
    }
    found
}

fn judge(target: Target, input: &Mutated, name: &str, found: &mut Found) {
    let Some(why) = failure(target, input) else { return };
    if found.failures.contains_key(&why) {
        return;
    }
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/fuzz");
    fs::create_dir_all(&folder).expect("a folder for failures");
    let file = folder.join(format!("{}-{name}", target.name));
    fs::write(&file, &input.bytes).expect("a file for a failure");
    found.failures.insert(why, file);
}

/// Why this input fails, if it does.
fn failure(target: Target, input: &Mutated) -> Option<String> {
    let (before, memory) = (cpu_time(), resident());
    IN_TARGET.set(true);
    let run = panic::catch_unwind(AssertUnwindSafe(|| fuzzing::run(target.name, &input.bytes)));
    IN_TARGET.set(false);
    let (took, grown) = (cpu_time() - before, resident().saturating_sub(memory));
    let shown = match run {
        Ok(shown) => shown,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text");
            return Some(format!("panic: {}", text.chars().take(120).collect::<String>()));
        }
    };
    if took > SLOW {
        return Some("slow".to_owned());
    }
    if grown > FREE + PROPORTION * input.bytes.len() as u64 {
        return Some("memory".to_owned());
    }
    if input.secrets_stay && [CANARY, SENT].iter().any(|secret| shown.contains(secret)) {
        return Some("shows a secret".to_owned());
    }
    shown.chars().any(|c| c.is_control() && c != '\n').then(|| "shows control characters".to_owned())
}

fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default())
}

/// In bytes; the second number of `statm` is in pages.
fn resident() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.as_deref().and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or_default() * 4096
}

impl Seed {
    fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }
}
