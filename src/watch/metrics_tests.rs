use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::watch::{
    Ended,
    board::{At, Lead},
};

const NOW: Duration = Duration::from_secs(5);

fn board() -> Board {
    let mut board = Board::new(Duration::from_secs(10), Lead::Always);
    board.found(Facts {
        keys: BTreeMap::from([("live", 2), ("foreign", 1)]),
        servers: 3,
        sick: 1,
        signer_wait: 300,
    });
    let at = At { clock: Duration::from_secs(4), time: 1_795_694_400, took: Duration::from_millis(120) };
    board.ended(Ended { outcome: Outcome::Incomplete, changed: true }, at, None);
    board.ended(Ended { outcome: Outcome::Found, changed: false }, at, None);
    board
}

/// What `promtool check metrics` demands: help and type before the samples of each name, together, once; base units;
/// `_total` for counters and for nothing else; a line break at the end.
#[test]
fn metrics_pass_the_linter() {
    let text = board().metrics(NOW);
    assert!(text.ends_with('\n'));
    let mut types = BTreeMap::new();
    let mut helped = BTreeSet::new();
    let mut finished = BTreeSet::new();
    let mut samples = BTreeSet::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(!help.is_empty() && !help.contains('\\') && helped.insert(name.to_owned()), "{line}");
            finished.insert(std::mem::replace(&mut current, name.to_owned()));
            assert!(!finished.contains(name), "{line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, current);
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            types.insert(name.to_owned(), kind.to_owned());
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(samples.insert(series.to_owned()), "twice: {line}");
            assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            assert_eq!(name, current, "{line}");
            assert!(name.starts_with("keyless_") && types.contains_key(name), "{line}");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{line}");
            for odd in ["_ms", "_millis", "_minutes", "_hours", "_count", "_sum", "_bucket"] {
                assert!(!name.ends_with(odd), "{line}");
            }
            assert!(labels.is_empty() || labels.ends_with("\"}"), "{line}");
        }
    }
    assert!(types.len() > 10);
}

#[test]
fn metrics_say_what_is_known() {
    let text = board().metrics(NOW);
    for line in [
        "keyless_is_leader 1",
        "keyless_looks_total{outcome=\"incomplete\"} 1",
        "keyless_looks_total{outcome=\"failed\"} 0",
        "keyless_changes_total 1",
        "keyless_last_look_timestamp_seconds 1795694400",
        "keyless_last_look_duration_seconds 0.12",
        "keyless_keys{state=\"live\"} 2",
        "keyless_keys{state=\"retained\"} 0",
        "keyless_foreign_keys 1",
        "keyless_returned_keys 0",
        "keyless_signing_key_wait_seconds 300",
        "keyless_servers 3",
        "keyless_sick_servers 1",
        "keyless_poll_interval_seconds 10",
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line} is not in\n{text}");
    }
}

/// No zero that no look has found.
#[test]
fn unknown_numbers_are_left_out() {
    let text = Board::new(Duration::from_secs(10), Lead::Another).metrics(NOW);
    for name in ["keyless_keys", "keyless_foreign_keys", "keyless_sick_servers", "keyless_signing_key_wait"] {
        assert!(!text.contains(name), "{name} in\n{text}");
    }
    assert!(
        text.contains("keyless_is_leader 0\n") && text.contains("keyless_last_success_timestamp_seconds 0\n")
    );
}
