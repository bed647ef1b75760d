//! Plays stories against servers that other people wrote. The script `run` beside this file starts
//! it, inside a network and mount namespace of its own, and says in its environment where they are.

mod aws;
mod azurite;
mod buckets;
mod call;
mod check;
mod dns;
mod entra;
mod eso;
mod far_sides;
mod google;
mod hosts;
mod kubernetes;
mod openbao;
mod pki;
mod process;
mod published;
mod shell;
mod stories;
mod tokens;
mod witness;
mod world;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use crate::check::{Checked, Failure};
use crate::far_sides::FarSides;
use crate::stories::{STORIES, Story};
use crate::world::World;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--list"] => {
            for story in STORIES {
                println!("{:26}{}", story.name, story.tells);
            }
            Ok(true)
        }
        // The lines that `run` adds to the hosts file of the namespace.
        ["--hosts"] => {
            for (address, name) in hosts::hosts() {
                println!("{address} {name}");
            }
            Ok(true)
        }
        ["--shell"] => shell::open().await,
        ["--exec", program, ref arguments @ ..] => shell::run(program, arguments).await,
        _ => play(&arguments).await,
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("real: {failure}");
            ExitCode::from(2)
        }
    }
}

/// Where the world may write, and which programs it is made of.
pub(crate) fn surroundings() -> Checked<(PathBuf, FarSides)> {
    let outside = || Failure("start it by tests/real/run".to_owned());
    let folder = env::var_os("KEYLESS_REAL_WORLD").ok_or_else(outside)?;
    Ok((folder.into(), FarSides::from_environment().ok_or_else(outside)?))
}

/// Plays the stories whose name contains one of `names`, or all, but none that contains what follows `--without=`; whether
/// that is a success.
async fn play(arguments: &[String]) -> Checked<bool> {
    let (without, names): (Vec<&str>, Vec<&str>) =
        arguments.iter().map(String::as_str).partition(|argument| argument.starts_with("--without="));
    let without =
        without.iter().filter_map(|argument| argument.strip_prefix("--without=")).collect::<Vec<_>>();
    let is_named = |story: &&Story, names: &[&str]| names.iter().any(|name| story.name.contains(name));
    let chosen: Vec<&Story> = STORIES
        .iter()
        .filter(|story| names.is_empty() || is_named(story, &names))
        .filter(|story| !is_named(story, &without))
        .collect();
    if chosen.is_empty() {
        return Err(Failure(format!("no story is named {}; --list shows them", names.join(", "))));
    }
    let (folder, far_sides) = surroundings()?;
    let mut skipped = 0;
    let mut playable = Vec::new();
    let mut needed = Vec::new();
    for story in chosen {
        let missing: Vec<String> =
            story.needs.iter().filter_map(|far_side| far_sides.locate(*far_side).err()).collect();
        if missing.is_empty() {
            playable.push(story);
            needed.extend(story.needs);
        } else {
            println!("{:26}skipped: {}", story.name, missing.join("; "));
            skipped += 1;
        }
    }

    let (mut passed, mut failed) = (0, 0);
    if !playable.is_empty() {
        let start = Instant::now();
        match World::start(folder.clone(), far_sides, &needed).await {
            Ok(mut world) => {
                eprintln!("the world is up after {:.1} s", start.elapsed().as_secs_f64());
                for story in playable {
                    let start = Instant::now();
                    let result = (story.play)(&mut world).await;
                    let seconds = start.elapsed().as_secs_f64();
                    match result {
                        Ok(()) => {
                            println!("{:26}ok ({seconds:.1} s)", story.name);
                            passed += 1;
                        }
                        Err(failure) => {
                            println!("{:26}FAILED ({seconds:.1} s): {failure}", story.name);
                            eprint!("the end of the servers' logs:\n{}", world::logs(&folder));
                            failed += 1;
                        }
                    }
                }
            }
            Err(failure) => {
                println!("the world did not start: {failure}");
                eprint!("the end of the servers' logs:\n{}", world::logs(&folder));
                failed = playable.len();
            }
        }
    }
    println!("\n{passed} passed, {failed} failed, {skipped} skipped");
    // On a person's machine a far side may be missing; in CI a skipped story would go unnoticed.
    let complete = skipped == 0 || env::var("CI").as_deref() != Ok("true");
    Ok(failed == 0 && complete)
}
