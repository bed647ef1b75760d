use std::fmt;

use serde::Deserialize;

use super::*;

/// In place of every value of an input. No test prints it.
const CANARY: &str = "kZq7canaryX42";

#[derive(Debug)]
struct Wrapped(Box<dyn StdError + Send + Sync>);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "outer: {}", self.0)
    }
}

impl StdError for Wrapped {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0)
    }
}

fn texts(error: impl StdError + Send + Sync + 'static) -> String {
    let all = chain(&Wrapped(error.into())).join("\n");
    assert!(!all.contains(CANARY), "{all}");
    assert!(!all.is_empty());
    all
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    _list: Option<Vec<String>>,
    _number: Option<u16>,
    _choice: Option<Choice>,
    _flag: Option<bool>,
    _must: Option<Inner>,
}

#[derive(Debug, Deserialize)]
struct Inner {
    _must: u8,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Choice {
    One,
    Two,
}

#[test]
fn yaml_errors_show_place_and_reason() {
    for (text, reason) in [
        ("_list: C", "a list is expected at line 1"),
        ("_number: C", "a whole number is expected at line 1"),
        ("_flag: C", "at line 1"),
        ("_choice: C", "one of one, two is expected"),
        ("_must: {C: 1}", "`_must` is missing"),
        ("_must: C", "at line 1"),
        ("a: 1\nC: 2", "unknown field"),
        ("_list:\n\t- C", "tab"),
        ("_list: [C", "at line 1"),
        ("_list: {C: [}", "at line 1"),
        ("_list: 'C", "unclosed quote"),
        ("_list: \"\\C\"", "unknown escape"),
        ("_list: |\n C\nC", "at line"),
        ("_list: *C", "an alias without an anchor at line 1"),
        ("_list: !!C x", "at line 1"),
        ("_list: @C", "syntax error at line 1"),
        ("_choice: a: C", "at line 1"),
        ("C\u{0}", "at line 1"),
        ("%C", "at line"),
        ("_flag: true\n_flag: C", "a key is there twice at line 2"),
        ("_number: !!binary C", "at line 1"),
        ("---\nC\n---\nC", "at line"),
    ] {
        let error = serde_saphyr::from_str::<Settings>(&text.replace('C', CANARY)).unwrap_err();
        let shown = texts(error);
        assert!(shown.contains(reason), "{text:?}: {shown}");
    }
}

#[test]
fn json_errors_show_place_and_reason() {
    for (text, reason) in [
        ("{\"_list\": \"C\"}", "another type than expected, or a member is missing at line 1"),
        ("{\"_number\": \"C\"}", "another type"),
        ("{\"C\": 1}", "another type"),
        ("{\"_choice\": \"C\"}", "another type"),
        ("{\"_list\": C", "expected value at line 1"),
        ("{\"_choice\": \"C", "EOF while parsing a string at line 1"),
        ("{\"_choice\": \"\\C\"}", "invalid escape at line 1"),
        ("\"C", "EOF"),
        ("C", "expected value"),
    ] {
        let error = serde_json::from_str::<Settings>(&text.replace('C', CANARY)).unwrap_err();
        let shown = texts(error);
        assert!(shown.contains(reason), "{text:?}: {shown}");
    }
    let value = serde_json::json!({ "_list": CANARY });
    assert!(texts(serde_json::from_value::<Settings>(value).unwrap_err()).contains("another type"));
}
