//! PURE. What a policy of ours gives already, read back from its text. Only rules of the forms that keyless writes count:
//! what else is in it was added by hand, and is repaired.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    paths::{Folder, PathRules, SecretPath, paths},
    wanted,
};
use crate::{
    error::Result,
    federation::{Right, Workload},
};

/// A path with one capability on it.
pub(super) type Given = (String, &'static str);

/// What these rights take.
pub(super) fn gives(rights: &BTreeSet<Right>, kv: &str) -> Result<BTreeSet<Given>> {
    let mut all = BTreeSet::new();
    for right in rights {
        for (path, capabilities) in paths(right, kv)? {
            all.extend(capabilities.iter().map(|&capability| (path.clone(), capability)));
        }
    }
    Ok(all)
}

/// What this policy gives of what keyless may have given by it. `None`: it is not of a form that can be read.
pub(super) fn held(policy: &str) -> Option<BTreeSet<Given>> {
    let mut held = BTreeSet::new();
    for (path, capabilities) in rules(policy)? {
        for &capability in ours(&path) {
            if capabilities.iter().any(|it| it == capability) {
                held.insert((path.clone(), capability));
            }
        }
    }
    Some(held)
}

/// What becomes of it: the rules of the policy as it shall be, and those of them that this run does not ask for.
pub(super) fn rules_of(
    workload: &Workload,
    kv: &str,
    held: &BTreeSet<Given>,
) -> Result<(PathRules, BTreeSet<Given>)> {
    // What lies in other engines, other settings are about.
    let holding = workload.holding(held, |rights| gives(rights, kv))?;
    let is_here = |path: &str| path.strip_prefix(kv).is_some_and(|rest| rest.starts_with('/'));
    let mut kept = holding.kept;
    kept.extend(holding.dropped.into_iter().filter(|(path, _)| !is_here(path)));
    let mut rules = PathRules::of(&workload.rights, kv)?;
    kept.iter().for_each(|(path, capability)| rules.add(path.clone(), &[*capability]));
    Ok((rules, kept))
}

/// For people: `kv/data/db (read), kv/metadata/db (list, read)`.
pub(super) fn shown(given: &BTreeSet<Given>) -> String {
    let mut paths: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (path, capability) in given {
        paths.entry(path).or_default().push(capability);
    }
    let paths: Vec<_> =
        paths.iter().map(|(path, capabilities)| format!("{path} ({})", capabilities.join(", "))).collect();
    paths.join(", ")
}

/// The capabilities that keyless may give on this path.
fn ours(path: &str) -> &'static [&'static str] {
    const SYSTEM: [&str; 4] = ["auth", "cubbyhole", "identity", "sys"];
    let below = |kind: &str| {
        path.match_indices(kind).any(|(at, _)| {
            let (engine, rest) = (&path[..at], &path[at + kind.len()..]);
            let is_engine = wanted::path("vault.kv", engine).is_ok_and(|it| it == engine)
                && !engine.split('/').next().is_some_and(|first| SYSTEM.contains(&first));
            is_engine && is_named(rest, kind == METADATA)
        })
    };
    match path.ends_with('*') {
        true if below(METADATA) => &["list", "read"],
        false if below("/data/") || below(METADATA) => &["create", "delete", "read", "update"],
        _ => &[],
    }
}

const METADATA: &str = "/metadata/";

/// Whether this is the path of one secret, or where folders are listed, of one.
fn is_named(rest: &str, may_be_folder: bool) -> bool {
    match rest.strip_suffix('*') {
        Some(folder) if may_be_folder => Folder::of(folder, "").is_ok_and(|it| it.as_str() == folder),
        Some(_) => false,
        None => SecretPath::of(rest, "").is_ok_and(|it| it.as_str() == rest),
    }
}

/// Every rule that is nothing but a path and capabilities. `None`: the text is no sequence of blocks.
fn rules(policy: &str) -> Option<Vec<(String, Vec<String>)>> {
    let tokens = tokens(policy)?;
    let mut rest = tokens.as_slice();
    let mut rules = Vec::new();
    while let [Token::Word(word), Token::Text(path), Token::Sign('{'), tail @ ..] = rest {
        let end = block_end(tail)?;
        let (block, after) = tail.split_at(end);
        rest = &after[1..];
        if word == "path"
            && let Some(capabilities) = capabilities(block)
        {
            rules.push((path.clone(), capabilities));
        }
    }
    rest.is_empty().then_some(rules)
}

/// Where the block ends that has just begun.
fn block_end(tokens: &[Token]) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign('{') => depth += 1,
            Token::Sign('}') if depth == 0 => return Some(index),
            Token::Sign('}') => depth -= 1,
            _ => {}
        }
    }
    None
}

/// `capabilities = ["create", "read"]`, and nothing else.
fn capabilities(block: &[Token]) -> Option<Vec<String>> {
    let [Token::Word(name), Token::Sign('='), Token::Sign('['), items @ .., Token::Sign(']')] = block else {
        return None;
    };
    let texts = items.iter().filter(|token| **token != Token::Sign(','));
    let texts = texts.map(|token| match token {
        Token::Text(text) => Some(text.clone()),
        _ => None,
    });
    texts.collect::<Option<Vec<_>>>().filter(|_| name == "capabilities")
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

/// HCL without its comments. `None`: it uses more of the language than plain texts, lists and blocks.
fn tokens(policy: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = policy.trim_start();
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        rest = match first {
            '#' => line_after(after),
            '/' if after.starts_with('/') => line_after(after),
            '/' if after.starts_with('*') => after[1..].split_once("*/")?.1,
            '"' => {
                let (text, after) = after.split_once('"')?;
                if text.contains(['\\', '\n']) {
                    return None;
                }
                tokens.push(Token::Text(text.to_owned()));
                after
            }
            '{' | '}' | '[' | ']' | '=' | ',' => {
                tokens.push(Token::Sign(first));
                after
            }
            _ => {
                let is_part = |it: char| it.is_ascii_alphanumeric() || "_-".contains(it);
                let end = rest.find(|it| !is_part(it)).unwrap_or(rest.len());
                if end == 0 {
                    return None;
                }
                tokens.push(Token::Word(rest[..end].to_owned()));
                &rest[end..]
            }
        }
        .trim_start();
    }
    Some(tokens)
}

fn line_after(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, rest)| rest)
}

#[cfg(test)]
#[path = "held_tests.rs"]
mod tests;
