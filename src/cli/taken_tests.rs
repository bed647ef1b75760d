use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use super::*;

/// Each command with the flags that its help shows, as a person has reviewed them.
const REVIEWED: &str = include_str!("../../fixtures/cli/flags.txt");

/// Flags of other programs, which messages name beside theirs.
const FOREIGN: &str = include_str!("../../fixtures/cli/foreign-flags.txt");

fn read(arguments: &[&str]) -> Result<Cli, Error> {
    Cli::read(["keyless"].iter().chain(arguments).map(OsString::from))
}

/// Of a command and all below it: the path and the flags that are shown.
fn flags(command: &Command, path: &str, all: &mut BTreeMap<String, Vec<String>>) {
    let shown = command.get_arguments().filter(|it| !it.is_hide_set() && it.get_long().is_some());
    let names: BTreeSet<_> = shown.map(|it| format!("--{}", it.get_long().unwrap_or_default())).collect();
    let names = names.into_iter().filter(|name| name != "--help" && name != "--version").collect();
    all.insert(path.to_owned(), names);
    for below in command.get_subcommands() {
        flags(below, &format!("{path} {}", below.get_name()), all);
    }
}

fn all_flags() -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    let mut command = Cli::definition();
    command.build();
    flags(&command, "keyless", &mut all);
    all.retain(|path, _| !path.split(' ').any(|word| word == "help"));
    all
}

#[test]
fn each_help_shows_reviewed_flags() {
    let lines: Vec<_> =
        all_flags().into_iter().map(|(path, flags)| format!("{path}: {}\n", flags.join(" "))).collect();
    assert_eq!(lines.concat(), REVIEWED);
    // What is listed is what is printed.
    for (path, flags) in all_flags() {
        let words: Vec<_> = path.split(' ').skip(1).chain(["--help"]).collect();
        let help = read(&words).unwrap_err().render().to_string();
        for flag in &flags {
            assert!(help.contains(flag), "{path}: {flag}");
        }
        for ids in TAKEN_BY.iter().flat_map(|(ids, _)| *ids) {
            let flag = format!("--{}", ids.replace('_', "-"));
            let listed = help.lines().any(|line| {
                let mut words =
                    line.split_whitespace().skip_while(|word| word.len() == 3 && word.ends_with(','));
                words.next() == Some(&flag)
            });
            assert_eq!(listed, flags.contains(&flag), "{path}: {flag}");
        }
    }
}

#[test]
fn every_taker_is_a_command() {
    let all = all_flags();
    for taker in TAKEN_BY.iter().flat_map(|(_, takers)| *takers) {
        assert!(all.contains_key(&format!("keyless {taker}")), "{taker}");
    }
}

#[test]
fn flag_without_use_is_refused() {
    for (arguments, says) in [
        (
            &["audit", "--bucket", "s3://b"][..],
            "`keyless audit` has no use for --bucket: it is a flag of setup,",
        ),
        (&["--bucket", "s3://b", "audit"], "`keyless audit` has no use for --bucket: it is a flag of setup,"),
        (&["config", "schema", "--context", "a"], "`keyless config schema` has no use for --context"),
        (
            &["render", "issuer", "--distro", "k3s", "--context", "a"],
            "`keyless render issuer` has no use for",
        ),
        (
            &["teardown", "--public-key", "a"],
            "it is a flag of setup, publish, verify, doctor, status, keys and config view",
        ),
        (&["audit", "--no-cluster"], "it is a flag of publish, verify, render credentials and config view"),
        (&["audit", "--yes"], "--yes is a flag of setup, publish, keys revoke and teardown"),
        (&["setup", "--distro", "k3s"], "--distro is a flag of render issuer"),
        (&["publish", "--to=vault"], "--to is a flag of setup and render store"),
    ] {
        let error = read(arguments).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let text = error.render().to_string();
        assert!(text.contains(says), "{arguments:?}: {text}");
        assert!(text.contains("Usage: keyless ") && text.contains("--help"), "{arguments:?}: {text}");
    }
}

#[test]
fn flag_may_stand_before_the_command() {
    let named = |cli: Cli| cli.common.context;
    assert_eq!(named(read(&["--context", "a", "audit"]).unwrap()), ["a"]);
    assert_eq!(named(read(&["audit", "--context", "a"]).unwrap()), ["a"]);
    assert_eq!(named(read(&["render", "--context", "a", "store"]).unwrap()), ["a"]);
    let keys = read(&["publish", "--public-key", "a", "--public-key", "b"]).unwrap().common.public_key;
    assert_eq!(keys, [PathBuf::from("a"), PathBuf::from("b")]);
    assert!(read(&["-vv", "-o", "json", "config", "schema"]).is_ok_and(|cli| cli.common.verbose == 2));
}

/// The source without comments and tests.
fn sources(folder: &Path, all: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_test = name.ends_with("tests.rs") || name.ends_with("_tests") || name == "tests";
        if path.is_dir() && !is_test {
            sources(&path, all);
        } else if name.ends_with(".rs") && !is_test && name != "fuzzing.rs" {
            let text = fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            all.push((path.clone(), lines.map(|line| format!("{line}\n")).collect()));
        }
    }
}

/// The texts between quotes, with lines that go on put together.
fn literals(source: &str) -> Vec<String> {
    let (mut all, mut chars) = (Vec::new(), source.chars().peekable());
    while let Some(character) = chars.next() {
        if character == '\'' && chars.peek() == Some(&'"') {
            chars.next();
            continue;
        }
        if character != '"' {
            continue;
        }
        let mut text = String::new();
        while let Some(character) = chars.next() {
            match character {
                '"' => break,
                '\\' => match chars.next() {
                    Some('\n') => while chars.next_if(|it| it.is_whitespace()).is_some() {},
                    Some('n') => text.push('\n'),
                    Some(other) => text.push(other),
                    None => {}
                },
                other => text.push(other),
            }
        }
        all.push(text);
    }
    all
}

fn word(text: &str) -> &str {
    let end = text.find(|it: char| !(it.is_ascii_alphanumeric() || it == '-')).unwrap_or(text.len());
    text[..end].trim_end_matches('-')
}

/// Every command with flags that a message names, and every flag that it names without a command.
#[test]
fn messages_name_flags_that_exist() {
    let foreign: BTreeSet<_> = FOREIGN.lines().filter(|line| !line.starts_with('#')).collect();
    let all = all_flags();
    let known: BTreeSet<_> = all.values().flatten().map(String::as_str).collect();
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let (mut commands, mut wrong) = (0, Vec::new());
    for (path, source) in files {
        for text in literals(&source) {
            for (at, _) in text.match_indices("keyless ") {
                // Up to the end of the command: its quote, its clause.
                let rest = &text[at..];
                let rest = rest.split(['`', '\n', ';', ',', '(', '&', '|', '>']).next().unwrap_or_default();
                let rest = rest.split(". ").next().unwrap_or_default();
                let words: Vec<_> = rest.split(' ').collect();
                let longest = (2..=3).rev().filter_map(|count| {
                    let path: Vec<_> = words.get(..count)?.iter().map(|it| word(it)).collect();
                    let path = path.join(" ");
                    all.get_key_value(&path)
                });
                let Some((command, taken)) = longest.into_iter().next() else { continue };
                commands += 1;
                for flag in words.iter().filter(|it| it.starts_with("--")) {
                    let flag = format!("--{}", word(&flag[2..]));
                    if flag != "--" && flag != "--help" && !taken.contains(&flag) {
                        wrong.push(format!("{}: `{command}` has no {flag}: {text}", path.display()));
                    }
                }
            }
            for (at, _) in text.match_indices("--") {
                let before = text[..at].chars().next_back();
                let name = word(&text[at + 2..]);
                let is_flag = before.is_none_or(|it| !it.is_ascii_alphanumeric() && it != '-')
                    && name.starts_with(|it: char| it.is_ascii_lowercase());
                let flag = format!("--{name}");
                if is_flag && !known.contains(flag.as_str()) && !foreign.contains(flag.as_str()) {
                    wrong.push(format!("{}: no command has {flag}: {text}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(commands > 60, "{commands}");
}
