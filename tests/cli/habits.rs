//! docs/habits.md: each habit of other tools that it claims is shown by a test or by a reviewed text.

use std::{fs, path::PathBuf};

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Habit {
    habit: String,
    /// `FILE NAME` of a test, or the name of a snapshot.
    shown: Vec<String>,
}

fn read(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Whether it is there: as a test that is run, or as a text.
fn is_there(shown: &str) -> bool {
    match shown.split_once(' ') {
        Some((file, name)) => {
            let text = read(&format!("tests/cli/{file}"));
            // A test of its own, or one of a list that makes them.
            text.contains(&format!("#[test]\nfn {name}() {{\n")) || text.contains(&format!("\n    {name} \""))
        }
        None => !read(&format!("fixtures/snapshots/{shown}")).is_empty(),
    }
}

#[test]
fn habits_are_shown_by_tests() {
    let habits: Vec<Habit> = serde_saphyr::from_str(&read("fixtures/docs/habits.yaml")).unwrap();
    let page = read("docs/habits.md");
    let rows: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()).collect();
    let listed: Vec<_> = habits.iter().map(|habit| &*habit.habit).collect();
    assert_eq!(
        rows[1..],
        listed,
        "page and fixtures/docs/habits.yaml have the same habits in the same order"
    );
    assert!(listed.len() >= 30, "{}", listed.len());
    for habit in &habits {
        assert!(!habit.shown.is_empty(), "{}", habit.habit);
        for shown in &habit.shown {
            assert!(is_there(shown), "{}: there is no {shown}", habit.habit);
        }
    }
}

#[test]
fn missing_proof_of_habit_is_noticed() {
    assert!(!is_there("habits.rs no_such_test") && !is_there("played.rs no_such_page_is_played"));
}
