//! PURE. Settings into the text of `keyless.yaml`. What people wrote there, comments too, stays as it is.
//!
//! A line is changed or added where the file's form allows it. The result is parsed and must say exactly what the
//! file held before and the settings besides; otherwise nothing is changed, and the lines are for people to add.

use std::iter;

use serde_json::{Value, json};

use super::file::VERSION;

/// One level of what is written here.
const INDENT: &str = "  ";

const HEADER: &str = "# Written by `keyless setup`, which keeps to these values: change them as you like.\n";

/// A setting by its path in the file, e.g. `google.project`.
pub(crate) type Setting = (&'static str, Value);

/// What becomes of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edit {
    /// The new text; `None` if it stays as it is.
    pub(crate) text: Option<String>,
    /// The settings that the new text has, and what the file held for them before.
    pub(crate) changed: Vec<(&'static str, Option<String>, String)>,
    /// What the file does not say and where its form leaves no place to write it: `google.project: acme-prod`.
    pub(crate) by_hand: Vec<String>,
}

/// What the text says of a setting, if it is a word.
pub(crate) fn held(text: &str, path: &str) -> Option<String> {
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
        if put(&mut lines, path, want) {
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
fn put(lines: &mut Vec<String>, path: &str, value: &Value) -> bool {
    if !path.contains('.') {
        return put_at_top(lines, path, value);
    }
    let mut keys: Vec<_> = path.split('.').collect();
    let mut block = Block { from: 0, to: lines.len(), indent: String::new() };
    while let [section, _, ..] = keys.as_slice() {
        let Some(header) = block.find(lines, section) else { break };
        if !has_no_value(&lines[header], &block.indent, section) {
            return false;
        }
        block = block.inside(lines, header);
        keys.remove(0);
    }
    match keys.as_slice() {
        [key] => match block.find(lines, key) {
            Some(index) => return replace(lines, index, &block.indent, key, value),
            None => insert(lines, block.end(lines), &written(&block.indent, key, value)),
        },
        [sections @ .., key] => {
            let mut indent = block.indent.clone();
            let mut made = Vec::new();
            for section in sections {
                made.push(format!("{indent}{section}:"));
                indent.push_str(INDENT);
            }
            made.extend(written(&indent, key, value));
            let at = if block.indent.is_empty() { lines.len() } else { block.end(lines) };
            insert(lines, at, &made);
        }
        [] => return false,
    }
    true
}

/// The lines of a block mapping.
struct Block {
    from: usize,
    to: usize,
    indent: String,
}

impl Block {
    fn find(&self, lines: &[String], key: &str) -> Option<usize> {
        (self.from..self.to).find(|index| is_key(&lines[*index], &self.indent, key))
    }

    /// What is under a key.
    fn inside(&self, lines: &[String], header: usize) -> Self {
        let is_outside =
            |index: &usize| is_content(&lines[*index]) && indent(&lines[*index]).len() <= self.indent.len();
        let to = (header + 1..self.to).find(is_outside).unwrap_or(self.to);
        let first = lines[header + 1..to].iter().find(|line| is_content(line));
        let indent = first.map_or_else(|| format!("{}{INDENT}", self.indent), |line| indent(line).to_owned());
        Self { from: header + 1, to, indent }
    }

    /// Where one more member is written: comments and blank lines after the last one are about what follows.
    fn end(&self, lines: &[String]) -> usize {
        (self.from..self.to).rev().find(|index| is_content(&lines[*index])).map_or(self.from, |last| last + 1)
    }
}

fn put_at_top(lines: &mut Vec<String>, key: &str, value: &Value) -> bool {
    let line = format!("{key}: {}", rendered(value));
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

/// A list has a line for each entry: that is what reviews of changes show.
fn written(indent: &str, key: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Array(all) if !all.is_empty() => {
            let entries = all.iter().map(|entry| format!("{indent}{INDENT}- {}", rendered(entry)));
            iter::once(format!("{indent}{key}:")).chain(entries).collect()
        }
        value => vec![format!("{indent}{key}: {}", rendered(value))],
    }
}

fn insert(lines: &mut Vec<String>, at: usize, new: &[String]) {
    lines.splice(at..at, new.iter().cloned());
}

/// A value on the line of its key is replaced there. A list with a line for each entry keeps those that stay.
fn replace(lines: &mut Vec<String>, at: usize, indent: &str, key: &str, value: &Value) -> bool {
    let on_one_line = |line: &str| format!("{indent}{key}: {}{}", rendered(value), comment(line));
    let (Value::Array(wanted), true) = (value, has_no_value(&lines[at], indent, key)) else {
        lines[at] = on_one_line(&lines[at]);
        return true;
    };
    let mut entries = Vec::new();
    for (index, line) in lines.iter().enumerate().skip(at + 1) {
        match entry(line, indent) {
            Some(entry) => entries.push((index, entry)),
            None if is_content(line) => break,
            None => {}
        }
    }
    if wanted.is_empty() || entries.is_empty() {
        lines[at] = on_one_line(&lines[at]);
    }
    let stays = |entry: &Value| wanted.iter().any(|want| says_the_same(entry, want));
    let margin = entries
        .first()
        .map_or_else(|| format!("{indent}{INDENT}"), |(index, _)| self::indent(&lines[*index]).to_owned());
    let last = entries.iter().rev().find(|(_, entry)| stays(entry)).map_or(at, |(index, _)| *index);
    let new = wanted.iter().filter(|want| !entries.iter().any(|(_, entry)| says_the_same(entry, want)));
    let new: Vec<_> = new.map(|want| format!("{margin}- {}", rendered(want))).collect();
    if !entries.is_empty() {
        insert(lines, last + 1, &new);
    }
    for (index, _) in entries.iter().rev().filter(|(_, entry)| !stays(entry)) {
        lines.remove(if *index > last { index + new.len() } else { *index });
    }
    true
}

/// The entry of a list that a line is.
fn entry(line: &str, key_indent: &str) -> Option<Value> {
    let text = line.trim_start_matches(' ').strip_prefix("- ")?;
    let entry: Value = serde_saphyr::from_str(text).ok()?;
    (indent(line).len() >= key_indent.len() && (entry.is_string() || entry.is_number())).then_some(entry)
}

fn indent(line: &str) -> &str {
    &line[..line.len() - line.trim_start_matches(' ').len()]
}

fn is_content(line: &str) -> bool {
    !line.trim().is_empty() && !line.trim_start().starts_with('#')
}

fn is_key(line: &str, indent: &str, key: &str) -> bool {
    line.strip_prefix(indent)
        .and_then(|rest| rest.strip_prefix(key))
        .and_then(|rest| rest.strip_prefix(':'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

fn has_no_value(line: &str, indent: &str, key: &str) -> bool {
    let rest = line[indent.len() + key.len() + 1..].trim();
    rest.is_empty() || rest.starts_with('#')
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

/// Plain where YAML has one reading only; quoted as in JSON otherwise.
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
        // Lists are sets, in the order that people like.
        (Value::Array(have), Value::Array(want)) => {
            let is_in = |want| have.iter().any(|have| says_the_same(have, want));
            have.len() == want.len() && want.iter().all(is_in)
        }
        (Value::Number(have), Value::String(want)) => have.to_string() == *want,
        _ => have == want,
    }
}

#[cfg(test)]
#[path = "written_tests.rs"]
mod tests;
