//! The text that people read, kept as files in `fixtures/snapshots` so that each change of it is seen in review.

use std::{collections::BTreeMap, env, fs, path::Path};

use regex_lite::Regex;

use crate::world::Ran;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/snapshots");
const UPDATE: &str = "KEYLESS_UPDATE_SNAPSHOTS";

impl Ran {
    /// The command, what it printed and how it ended are those of `fixtures/snapshots/NAME.txt`. Of a run that ends
    /// with an error (names that begin with `error-` or `refused-`) the error alone is kept.
    #[track_caller]
    pub(crate) fn snapshot(self, name: &str) -> Self {
        transcript(name, [&self]);
        self
    }
}

/// As [`Ran::snapshot`], for several runs in one file.
#[track_caller]
pub(crate) fn transcript<'a>(name: &str, runs: impl IntoIterator<Item = &'a Ran>) {
    let error = name.starts_with("error-") || name.starts_with("refused-");
    let texts: Vec<_> = runs.into_iter().map(|ran| if error { error_text(ran) } else { text(ran) }).collect();
    let seen = normalized(&texts.join("\n"));
    let path = Path::new(FOLDER).join(format!("{name}.txt"));
    let kept = fs::read_to_string(&path).unwrap_or_default();
    if seen == kept {
        return;
    }
    if updates() {
        fs::create_dir_all(FOLDER).unwrap();
        fs::write(&path, seen).unwrap();
        return;
    }
    panic!(
        "fixtures/snapshots/{name}.txt differs (- kept, + seen):\n{}\n\
         if the new text is right: {UPDATE}=1 cargo test --locked --test cli",
        difference(&kept, &seen)
    );
}

#[expect(clippy::disallowed_methods, reason = "whether the snapshots are to be written")]
fn updates() -> bool {
    env::var_os(UPDATE).is_some()
}

fn text(ran: &Ran) -> String {
    let mut text = format!("$ {}\n", ran.command);
    for (stream, content) in [("stdout", &ran.out), ("stderr", &ran.err)] {
        if !content.is_empty() {
            text += &format!("--- {stream}\n{}\n", content.trim_end_matches('\n'));
        }
    }
    text + &exit_code(ran)
}

#[track_caller]
fn error_text(ran: &Ran) -> String {
    let at = ran.err.lines().position(|line| line.starts_with("error"));
    let at = at.unwrap_or_else(|| panic!("there is no error in {ran:?}"));
    let error = ran.err.lines().skip(at).map(|line| format!("{line}\n"));
    format!("$ {}\n{}{}", ran.command, error.collect::<String>(), exit_code(ran))
}

fn exit_code(ran: &Ran) -> String {
    format!("--- exit code {}\n", ran.code.map_or("none".to_owned(), |code| code.to_string()))
}

/// Lines that are not in both texts, in their order; a few lines before each are enough to find the place.
fn difference(kept: &str, seen: &str) -> String {
    let (kept, seen): (Vec<_>, Vec<_>) = (kept.lines().collect(), seen.lines().collect());
    let same = kept.iter().zip(&seen).take_while(|(kept, seen)| kept == seen).count();
    let rest = kept[same..].iter().rev().zip(seen[same..].iter().rev());
    let end = rest.take_while(|(kept, seen)| kept == seen).count();
    let mut lines: Vec<_> =
        kept[same.saturating_sub(3)..same].iter().map(|line| format!("  {line}")).collect();
    lines.extend(kept[same..kept.len() - end].iter().map(|line| format!("- {line}")));
    lines.extend(seen[same..seen.len() - end].iter().map(|line| format!("+ {line}")));
    lines.join("\n")
}

/// The one place that takes out what is random: times and request IDs by pattern; each distinct port, folder, UID,
/// `kid` and key ID gets a name and a number in the order in which it appears.
fn normalized(text: &str) -> String {
    let folders = env::temp_dir().join(".tmp").display().to_string();
    let mut text = text.replace(env!("CARGO_MANIFEST_DIR"), "/REPOSITORY").replace(&folders, "/FOLDER/");
    for (pattern, name) in [
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
        (r"\b1[78]\d{8}\b", "SECONDS"),
        (r"\d{7,} seconds ago", "SECONDS ago"),
        (r"request [0-9A-F]{16}\b", "request ID"),
        // The base64 of a certificate in PEM.
        (r"LS0tLS1[A-Za-z0-9+/=]{40,}", "CERTIFICATE"),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, name).into_owned();
    }
    let mut names = Names::default();
    let mut out = String::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        if word > 0 {
            out += &names.of(&rest[..word], &out);
            rest = &rest[word..];
        } else {
            let other = rest.find(is_word).unwrap_or(rest.len());
            out += &rest[..other];
            rest = &rest[other..];
        }
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_".contains(c)
}

#[derive(Default)]
struct Names(BTreeMap<String, String>, BTreeMap<&'static str, usize>);

impl Names {
    /// A word as the snapshot shows it, after the text `before`.
    fn of(&mut self, word: &str, before: &str) -> String {
        let Some(kind) = kind(word, before) else {
            // A name made of a fixed part and a random one, e.g. the pool that is called by the cluster's UID.
            return match word.rsplit_once('-') {
                Some((fixed, random)) if is_hex(random, &[8, 12, 16]) => {
                    format!("{fixed}-{}", self.number(random, "HEX"))
                }
                _ => word.to_owned(),
            };
        };
        self.number(word, kind)
    }

    fn number(&mut self, value: &str, kind: &'static str) -> String {
        if let Some(name) = self.0.get(value) {
            return name.clone();
        }
        let count = self.1.entry(kind).or_default();
        *count += 1;
        let name = format!("{kind}{count}");
        self.0.insert(value.to_owned(), name.clone());
        name
    }
}

fn kind(word: &str, before: &str) -> Option<&'static str> {
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    let mixed = word.bytes().any(|byte| byte.is_ascii_uppercase())
        && word.bytes().any(|byte| byte.is_ascii_lowercase());
    if word.len() == 36 && word.split('-').map(str::len).eq([8, 4, 4, 4, 12]) {
        Some("UID")
    } else if word.len() == 43 && mixed {
        Some("KID")
    } else if is_hex(word, &[32, 40, 64]) && !digits {
        Some("HEX")
    } else if digits && word.len() >= 4 && is_loopback(before) {
        Some("PORT")
    } else if word.len() == 20 && word.starts_with("AKIA") {
        Some("ACCESSKEY")
    } else if word.len() == 6 && before.ends_with("/FOLDER/") {
        Some("")
    } else {
        None
    }
}

/// Whether the text ends with `127.0.0.N:`.
fn is_loopback(before: &str) -> bool {
    let host = before.strip_suffix(':').unwrap_or_default();
    host.trim_end_matches(|c: char| c.is_ascii_digit()).ends_with("127.0.0.")
}

fn is_hex(word: &str, lengths: &[usize]) -> bool {
    lengths.contains(&word.len()) && word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A file that no test compares is a text that is not reviewed.
#[test]
fn every_snapshot_has_its_test() {
    let mut sources = String::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                sources += &fs::read_to_string(path).unwrap();
            }
        }
    }
    let prefixes: Vec<_> =
        sources.split("snapshot(&format!(\"").skip(1).filter_map(|rest| rest.split('{').next()).collect();
    for entry in fs::read_dir(FOLDER).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let name = file.strip_suffix(".txt").unwrap_or_else(|| panic!("{file} is no snapshot"));
        let known = sources.contains(&format!("\"{name}\""))
            || prefixes.iter().any(|prefix| !prefix.is_empty() && name.starts_with(prefix));
        assert!(known, "no test compares fixtures/snapshots/{file}: delete it");
    }
}

#[test]
fn random_values_are_numbered_in_snapshots() {
    let kid = "Zb3Q1k0Vv7p2Jw9yT4cXhL8sN6uRaE5fGmDoIiKqWzA";
    let uid = "0f8fad5b-d9cb-469f-a165-70867728950e";
    for (text, shown) in [
        (format!("{kid} {uid} {kid}"), "KID1 UID1 KID1"),
        ("https://127.0.0.1:34567/x 127.0.0.1:1".to_owned(), "https://127.0.0.1:PORT1/x 127.0.0.1:1"),
        (
            "pool keyless-0f8fad5b, keyless-external-secrets".to_owned(),
            "pool keyless-HEX1, keyless-external-secrets",
        ),
        (format!("{}/.tmpAb3dE9/keyless.yaml", env::temp_dir().display()), "/FOLDER/1/keyless.yaml"),
        ("at 123456789012 of 2 keys".to_owned(), "at 123456789012 of 2 keys"),
        ("at 2026-11-26T12:48:26Z, 1795697294".to_owned(), "at TIME, SECONDS"),
        ("127.0.0.2:44229".to_owned(), "127.0.0.2:PORT1"),
    ] {
        assert_eq!(normalized(&text), shown);
    }
}
