use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::*;

fn entries() -> Vec<(String, Entry)> {
    let codes = Code::ALL.iter().map(|it| (format!("Code::{it:?}"), it.entry()));
    codes.chain(Check::ALL.iter().map(|it| (format!("Check::{it:?}"), it.entry()))).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("error/codes") {
            sources(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") && !path.to_str().unwrap().contains("test") {
            found.push(path);
        }
    }
}

#[test]
fn names_are_unique_kebab_case_variants() {
    let mut seen = BTreeSet::new();
    for (variant, entry) in entries() {
        let variant = variant.split_once("::").unwrap().1;
        let words = entry.name.split('-');
        let camel: String = words.map(|word| word[..1].to_uppercase() + &word[1..]).collect();
        assert_eq!(camel, variant, "{}", entry.name);
        assert!(entry.name.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-'));
        assert!(seen.insert(entry.name), "{} is there twice", entry.name);
    }
}

#[test]
fn entries_are_sentences_without_gaps() {
    for (variant, entry) in entries() {
        let texts = [entry.meaning, entry.remedy].into_iter().chain(entry.causes.iter().copied());
        for text in texts {
            assert!(text.ends_with('.'), "{variant}: {text}");
            assert!(!text.contains("  ") && !text.contains(['\n', '|']), "{variant}: {text}");
        }
        assert!(entry.meaning.len() <= 120, "{variant}: {}", entry.meaning);
    }
}

#[test]
fn every_code_is_raised_somewhere() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let program: String = files
        .iter()
        .map(|path| {
            let source = fs::read_to_string(path).unwrap();
            source.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned()
        })
        .collect();
    let words: BTreeSet<_> =
        program.split(|it: char| !(it.is_ascii_alphanumeric() || it == '_' || it == ':')).collect();
    let unused: Vec<_> =
        entries().into_iter().map(|it| it.0).filter(|it| !words.contains(it.as_str())).collect();
    assert!(unused.is_empty(), "no code raises {}", unused.join(", "));
}
