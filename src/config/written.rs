//! PURE. Settings into the text of `keyless.yaml`. What people wrote there, comments too, stays as it is.
//!
//! A line is changed or added where the file's form allows it. The result is parsed and must say exactly what the
//! file said before and the settings besides; otherwise nothing is changed, and the lines are for people to add.

use serde_json::{Value, json};

use super::file::VERSION;

const HEADER: &str = "# What `keyless setup` settled. It keeps to what stands here: change it as you like.\n";

/// A setting by its path in the file, e.g. `google.project`.
pub(crate) type Setting = (&'static str, Value);

/// What becomes of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edit {
    /// The new text; `None` if it stays as it is.
    pub(crate) text: Option<String>,
    /// The settings that the new text has, and what the file said of them before.
    pub(crate) changed: Vec<(&'static str, Option<String>, String)>,
    /// What the file does not say and where its form leaves no place to write it: `google.project: acme-prod`.
    pub(crate) by_hand: Vec<String>,
}

/// What the text says of a setting, if it is a word.
pub(crate) fn said(text: &str, path: &str) -> Option<String> {
    at(&parse(text)?, path)?.as_str().map(str::to_owned)
}

/// Brings the settings into the text. `None` is a file that is not there yet.
pub(crate) fn edit(text: Option<&str>, settings: &[Setting]) -> Edit {
    let old = text.unwrap_or_default();
    let now = parse(old).unwrap_or_default();
    let differs: Vec<_> = settings
        .iter()
        .filter(|(path, want)| at(&now, path).is_none_or(|have| !says_the_same(have, want)))
        .collect();
    if differs.is_empty() {
        return Edit::default();
    }
    let mut lines: Vec<String> = match text {
        Some(text) => text.lines().map(str::to_owned).collect(),
        None => HEADER.lines().map(str::to_owned).chain([format!("apiVersion: {VERSION}")]).collect(),
    };
    let (mut edit, mut expected) = (Edit::default(), now.clone());
    if text.is_none() {
        expected["apiVersion"] = json!(VERSION);
    }
    for (path, want) in differs {
        if put(&mut lines, path, &rendered(want)) {
            set(&mut expected, path, want);
            edit.changed.push((path, at(&now, path).map(rendered), rendered(want)));
        } else {
            edit.by_hand.push(by_hand(path, want));
        }
    }
    let new = lines.join("\n") + "\n";
    if parse(&new).is_some_and(|new| says_the_same(&new, &expected)) {
        edit.text = (!edit.changed.is_empty()).then_some(new);
        return edit;
    }
    let all =
        settings.iter().filter(|(path, want)| at(&now, path).is_none_or(|have| !says_the_same(have, want)));
    Edit { by_hand: all.map(|(path, want)| by_hand(path, want)).collect(), ..Edit::default() }
}

fn by_hand(path: &str, want: &Value) -> String {
    format!("{path}: {}", rendered(want))
}

/// `false`: there is no place for it.
fn put(lines: &mut Vec<String>, path: &str, value: &str) -> bool {
    let Some((section, key)) = path.split_once('.') else { return put_at_top(lines, path, value) };
    let Some(header) = lines.iter().position(|line| is_key(line, "", section)) else {
        lines.extend([format!("{section}:"), format!("  {key}: {value}")]);
        return true;
    };
    if !has_no_value(&lines[header], section) {
        return false;
    }
    let end = (header + 1..lines.len()).find(|index| begins_at_margin(&lines[*index])).unwrap_or(lines.len());
    let children = header + 1..end;
    let is_child = |line: &&String| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let indent: String = lines[children.clone()]
        .iter()
        .find(is_child)
        .map_or("  ".to_owned(), |line| line.chars().take_while(|c| *c == ' ').collect());
    let line = format!("{indent}{key}: {value}");
    match children.clone().find(|index| is_key(&lines[*index], &indent, key)) {
        Some(index) => lines[index] = line + comment(&lines[index]),
        None => {
            let last = children.rev().find(|index| is_child(&&lines[*index])).unwrap_or(header);
            lines.insert(last + 1, line);
        }
    }
    true
}

fn put_at_top(lines: &mut Vec<String>, key: &str, value: &str) -> bool {
    let line = format!("{key}: {value}");
    match lines.iter().position(|line| is_key(line, "", key)) {
        Some(index) => lines[index] = line + comment(&lines[index]),
        // Sections follow the plain settings.
        None => match lines.iter().position(|line| is_key(line, "", "apiVersion")) {
            Some(version) => lines.insert(version + 1, line),
            None => return false,
        },
    }
    true
}

fn is_key(line: &str, indent: &str, key: &str) -> bool {
    line.strip_prefix(indent)
        .and_then(|rest| rest.strip_prefix(key))
        .and_then(|rest| rest.strip_prefix(':'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

fn has_no_value(line: &str, key: &str) -> bool {
    let rest = line[key.len() + 1..].trim();
    rest.is_empty() || rest.starts_with('#')
}

fn begins_at_margin(line: &str) -> bool {
    line.starts_with(|c: char| !c.is_whitespace() && c != '#')
}

/// The comment at the end of a line, as long as it surely is one.
fn comment(line: &str) -> &str {
    match line.find(" #") {
        Some(index) if !line.contains(['"', '\'']) => &line[index..],
        _ => "",
    }
}

fn rendered(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(all) => format!("[{}]", all.iter().map(rendered).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// Plain where nobody could read anything else into it; quoted as in JSON otherwise.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/@-".contains(c);
    let word = text.split_once("://").map_or(text, |(_, rest)| rest);
    let ambiguous = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    // UUIDs look the same whether they begin with a digit or a letter.
    let is_uuid = text.len() == 36
        && text.char_indices().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        });
    let is_plain = (text.starts_with(|c: char| c.is_ascii_alphabetic()) || is_uuid)
        && word.chars().all(plain)
        && !ambiguous.contains(&text.to_ascii_lowercase().as_str());
    if is_plain { text.to_owned() } else { json!(text).to_string() }
}

fn parse(text: &str) -> Option<Value> {
    if text.trim().is_empty() {
        return Some(json!({}));
    }
    serde_saphyr::from_str(text).ok()
}

fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, key| value.get(key)).filter(|value| !value.is_null())
}

fn set(value: &mut Value, path: &str, want: &Value) {
    let mut place = value;
    for key in path.split('.') {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[key];
    }
    *place = want.clone();
}

/// A project's number is a number for YAML, and a text for everybody else.
fn says_the_same(have: &Value, want: &Value) -> bool {
    match (have, want) {
        (Value::Object(have), Value::Object(want)) => {
            have.len() == want.len()
                && have.iter().all(|(key, have)| want.get(key).is_some_and(|want| says_the_same(have, want)))
        }
        (Value::Array(have), Value::Array(want)) => {
            have.len() == want.len() && have.iter().zip(want).all(|(have, want)| says_the_same(have, want))
        }
        (Value::Number(have), Value::String(want)) => have.to_string() == *want,
        _ => have == want,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Vec<Setting> {
        vec![
            ("provider", json!("google")),
            ("google.project", json!("acme-prod")),
            ("store.name", json!("gcp")),
        ]
    }

    #[test]
    fn a_file_that_is_not_there_is_made() {
        let edit = edit(None, &[settings(), vec![("store.secrets", json!(["db", "12"]))]].concat());
        let made = format!(
            "{HEADER}apiVersion: keyless/v1\nprovider: google\ngoogle:\n  project: acme-prod\nstore:\n  name: gcp\n  secrets: [db, \"12\"]\n"
        );
        assert_eq!(edit.text, Some(made.clone()));
        assert!(edit.by_hand.is_empty());
        super::super::file::File::parse(&made, std::path::Path::new("keyless.yaml")).unwrap();
        assert_eq!(
            super::edit(Some(&made), &settings()),
            Edit::default(),
            "a second time nothing is to be done"
        );
    }

    #[test]
    fn what_people_wrote_stays() {
        let text = "# ours\napiVersion: keyless/v1\n\nprovider: vault # for now\n\n# the old one\ngoogle:\n    pool: a # x\n\n    # a note\n    mode: uploaded\n\nbucket:\n    url: s3://b\n";
        let edit = edit(Some(text), &settings());
        let new = "# ours\napiVersion: keyless/v1\n\nprovider: google # for now\n\n# the old one\ngoogle:\n    pool: a # x\n\n    # a note\n    mode: uploaded\n    project: acme-prod\n\nbucket:\n    url: s3://b\nstore:\n  name: gcp\n";
        assert_eq!(edit.text.as_deref(), Some(new));
        assert_eq!(edit.changed.first(), Some(&("provider", Some("vault".to_owned()), "google".to_owned())));
    }

    #[test]
    fn a_form_without_a_place_is_left_to_people() {
        for text in [
            "apiVersion: keyless/v1\nprovider: google\ngoogle: {pool: a}\nstore: {name: gcp}\n",
            "apiVersion: keyless/v1\nprovider: google\ngoogle: &google\n  pool: a\nstore: {name: gcp}\n",
            r#"{"apiVersion": "keyless/v1", "provider": "google", "google": {"pool": "a"}, "store": {"name": "gcp"}}"#,
            "apiVersion: keyless/v1\nprovider: google\n\"google\":\n  pool: a\nstore: {name: gcp}\n",
            "apiVersion: keyless/v1\nprovider: google\ngoogle:\n\tpool: a\nstore: {name: gcp}\n",
        ] {
            let edit = edit(Some(text), &settings());
            assert_eq!(edit.text, None, "{text}");
            assert!(edit.by_hand.contains(&"google.project: acme-prod".to_owned()), "{text}: {edit:?}");
        }
    }

    #[test]
    fn a_value_over_several_lines_is_not_torn() {
        let text = "apiVersion: keyless/v1\nprovider: google\nstore:\n  name: gcp\n  secrets:\n    - a\n    - b\ngoogle:\n  project: >-\n    acme-prod\n";
        assert_eq!(edit(Some(text), &settings()), Edit::default());
        let edit =
            edit(Some(text), &[("store.secrets", json!(["c"])), ("google.project", json!("other-project"))]);
        assert_eq!(edit.text, None, "{edit:?}");
        assert_eq!(edit.by_hand.len(), 2);
    }

    #[test]
    fn scalars_that_yaml_would_take_for_something_else_are_quoted() {
        for (text, plain) in [
            ("acme-prod", true),
            ("s3://acme-oidc", true),
            ("https://oidc.example.com/prod", true),
            ("external-secrets/keyless-gcp", true),
            ("123456789012", false),
            ("1f0e8400-e29b-41d4-a716-446655440000", true),
            ("f10e8400-e29b-41d4-a716-446655440000", true),
            ("12345678-1234-1234-1234-123456789012", true),
            ("12345678-1234-1234-1234-12345678901", false),
            ("no", false),
            ("Null", false),
            ("a: b", false),
            ("a #b", false),
            ("https://a.example/x:y", false),
            ("-a", false),
            ("", false),
            ("a\"b", false),
        ] {
            assert_eq!(scalar(text) == text, plain, "{text}");
            let read: Value = serde_saphyr::from_str(&format!("key: {}\n", scalar(text))).unwrap();
            assert_eq!(read["key"], text);
        }
        let numbered = "apiVersion: keyless/v1\ngoogle:\n  project: 123456789012\n";
        assert_eq!(edit(Some(numbered), &[("google.project", json!("123456789012"))]), Edit::default());
    }
}
