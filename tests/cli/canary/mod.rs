//! Secrets, and text that others wrote, on every way out of the program: stdout, stderr and files, at every level of detail
//! and in every form of output. A canary takes the place of each secret; it is made when the test runs.

mod credential_files;
mod crowd;
mod foreign_text;
mod kubeconfig;
mod output;
mod servers;
mod urls;

use std::{
    collections::BTreeMap,
    fs,
    hash::{BuildHasher, RandomState},
    path::{Path, PathBuf},
    process::Command,
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};

use crate::world::Ran;

/// Text and JSON, as little and as much as there is.
const MODES: [&[&str]; 4] = [&[], &["-vvv"], &["-o", "json"], &["-o", "json", "-vvv"]];
/// What shows most in each form.
const LOUD: [&[&str]; 2] = [&["-vvv"], &["-o", "json", "-v"]];

/// A secret that no other test has.
#[derive(Clone, Debug)]
struct Canary(String);

impl Canary {
    /// Of letters and digits, so that it fits wherever a secret does.
    fn new() -> Self {
        let random = || RandomState::new().hash_one("canary");
        Self(format!("cN{:016x}Ry{:016x}", random(), random()))
    }

    /// With characters that are encoded in URLs, JSON and headers.
    fn odd() -> Self {
        let Self(plain) = Self::new();
        Self(format!("{}+/{}=~{}", &plain[..14], &plain[14..24], &plain[24..]))
    }

    /// Every form that must not be seen.
    fn forms(&self) -> Vec<String> {
        let Self(raw) = self;
        let percent: String = raw.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let encoded: String = raw
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("%{:02X}", u32::from(c)) })
            .collect();
        let mut forms = vec![percent.to_lowercase(), percent, encoded];
        // A part is one as well.
        forms.extend(windows(raw, 12));
        // The last group depends on what follows.
        let coded = |text: String| text[..(text.len() / 4 * 4).saturating_sub(4)].to_owned();
        forms.extend([coded(STANDARD.encode(raw)), coded(URL_SAFE_NO_PAD.encode(raw))]);
        forms.retain(|form| !form.is_empty());
        forms
    }
}

fn windows(text: &str, length: usize) -> Vec<String> {
    match text.len().checked_sub(length) {
        Some(last) => (0..=last).map(|at| text[at..at + length].to_owned()).collect(),
        None => vec![text.to_owned()],
    }
}

/// Runs a command in each mode: no canary gets out, nothing acts on the terminal, and nothing panics.
#[track_caller]
fn keeps(
    what: &str,
    canaries: &[&Canary],
    folder: &Path,
    modes: &[&[&str]],
    command: impl Fn(&[&str]) -> Command,
) -> Vec<Ran> {
    let before = files(folder);
    let mut all = Vec::new();
    for mode in modes {
        let ran = Ran::from(command(mode).output().unwrap());
        checked(&format!("{what} {mode:?}"), canaries, &ran);
        all.push(ran);
    }
    for (path, content) in files(folder) {
        if before.get(&path) != Some(&content) {
            let content = String::from_utf8_lossy(&content).into_owned();
            holds_none(&format!("{what}: {}", path.display()), canaries, &content);
        }
    }
    all
}

#[track_caller]
fn checked(what: &str, canaries: &[&Canary], ran: &Ran) {
    for text in [&ran.out, &ran.err] {
        holds_none(what, canaries, text);
        is_printable(what, text);
        // Tokens that were minted on the way, and in base64.
        for token in ["eyJhbGciOi", "ZXlKaGJHY2lPa", "PRIVATE KEY"] {
            assert!(!text.contains(token), "{what}: {token} in\n{text}");
        }
    }
    assert_ne!(ran.code, Some(101), "{what}:\n{}{}", ran.out, ran.err);
    assert!(!ran.err.contains("panicked"), "{what}:\n{}{}", ran.out, ran.err);
}

#[track_caller]
fn holds_none(what: &str, canaries: &[&Canary], text: &str) {
    for canary in canaries {
        for form in canary.forms() {
            assert!(!text.contains(&form), "{what}: {form} of {canary:?} in\n{text}");
        }
    }
}

/// Nothing that moves the cursor, reverses text or cannot be seen.
#[track_caller]
fn is_printable(what: &str, text: &str) {
    let acts = |c: char| {
        c != '\n'
            && (c.is_control()
                || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'))
    };
    if let Some(c) = text.chars().find(|c| acts(*c)) {
        panic!("{what}: {:?} in\n{}", c, text.escape_debug());
    }
}

/// What lies in a folder, and in those below it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(files(&path)),
            false => drop(all.insert(path.clone(), fs::read(&path).unwrap())),
        }
    }
    all
}
