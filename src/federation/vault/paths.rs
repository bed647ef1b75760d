//! PURE. Paths of secrets, as types that cannot hold more than one: policies and requests are built from them.

use std::{collections::BTreeMap, fmt};

use super::wanted::bad_name;
use crate::{
    error::Result,
    federation::{Right, RightKind},
};

/// The path of one secret below an engine. It has no wildcard, no template, no quote, no step up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SecretPath(String);

/// What paths of secrets begin with, e.g. `team/`; everything if it is empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Folder(String);

impl SecretPath {
    /// As an ExternalSecret names it: the operator takes the engine's own path, and `data/` after it, off the beginning.
    pub(super) fn of(text: &str, kv: &str) -> Result<Self> {
        let inner = within(text, kv);
        if inner.split('/').all(is_segment) {
            Ok(Self(inner.to_owned()))
        } else {
            Err(bad_name("secret", text, "the path of one secret below the engine, e.g. db or team/db"))
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Folder {
    pub(super) fn of(text: &str, kv: &str) -> Result<Self> {
        let inner = within(text, kv).trim_end_matches('/');
        if inner.is_empty() {
            return Ok(Self(String::new()));
        }
        if inner.split('/').all(is_segment) {
            Ok(Self(format!("{inner}/")))
        } else {
            Err(bad_name("find.path", text, "the path of a folder below the engine, e.g. team"))
        }
    }

    /// Empty, or with a slash at its end.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// As the settings and ExternalSecrets name it.
    pub(super) fn shown(&self) -> &str {
        self.0.trim_end_matches('/')
    }
}

impl fmt::Display for SecretPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn within<'a>(text: &'a str, kv: &str) -> &'a str {
    match text.strip_prefix(kv).and_then(|rest| rest.strip_prefix('/')) {
        Some(rest) => rest.strip_prefix("data/").unwrap_or(rest),
        None => text.trim_start_matches('/'),
    }
}

/// `*` and `+` are wildcards in a policy, braces are templates, and a quote ends the path.
fn is_segment(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..")
        && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@:=~".contains(&byte))
}

/// The rules of a policy: capabilities by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PathRules(BTreeMap<String, Vec<&'static str>>);

impl PathRules {
    /// What these rights take, path by path.
    pub(super) fn of<'a>(rights: impl IntoIterator<Item = &'a Right>, kv: &str) -> Result<Self> {
        let mut rules = Self::default();
        for right in rights {
            for (path, capabilities) in paths(right, kv)? {
                rules.add(path, capabilities);
            }
        }
        Ok(rules)
    }

    /// Whether anything can be changed by them.
    pub(super) fn write(&self) -> bool {
        self.0.values().flatten().any(|capability| !["list", "read"].contains(capability))
    }

    pub(super) fn add(&mut self, path: String, capabilities: &[&'static str]) {
        let list = self.0.entry(path).or_default();
        list.extend(capabilities);
        list.sort_unstable();
        list.dedup();
    }

    /// HCL, in the order of the paths.
    pub(super) fn to_text(&self) -> String {
        self.0.iter().map(|(path, capabilities)| rule(path, capabilities)).collect()
    }
}

/// One rule of a policy.
pub(super) fn rule(path: &str, capabilities: &[&str]) -> String {
    let quoted: Vec<_> = capabilities.iter().map(|capability| format!("\"{capability}\"")).collect();
    format!("\npath \"{path}\" {{\n  capabilities = [{}]\n}}", quoted.join(", "))
}

/// The paths that a right takes, each with its capabilities
/// (<https://developer.hashicorp.com/vault/docs/secrets/kv/kv-v2/setup#acl-rules>).
pub(super) fn paths(right: &Right, kv: &str) -> Result<Vec<(String, &'static [&'static str])>> {
    let secret = || SecretPath::of(&right.on, kv);
    let data = |path: &SecretPath| format!("{kv}/data/{path}");
    let metadata = |path: &SecretPath| format!("{kv}/metadata/{path}");
    // The one wildcard: a list of a folder, and of the folders in it.
    let below = |folder: &Folder| format!("{kv}/metadata/{}*", folder.as_str());
    Ok(match right.kind {
        RightKind::Read => vec![(data(&secret()?), &["read"])],
        RightKind::Metadata => vec![(metadata(&secret()?), &["read"])],
        // They are part of the metadata, and are read by their number.
        RightKind::Versions => Vec::new(),
        RightKind::Find => vec![(below(&Folder::of(&right.on, kv)?), &["list"])],
        RightKind::FindByTags => vec![(below(&Folder::of(&right.on, kv)?), &["list", "read"])],
        RightKind::Push => {
            let path = secret()?;
            vec![
                (data(&path), &["create", "read", "update"]),
                (metadata(&path), &["create", "read", "update"]),
            ]
        }
        RightKind::Update => vec![(metadata(&secret()?), &["create", "read", "update"])],
        RightKind::Delete => {
            let path = secret()?;
            vec![(data(&path), &["delete", "read", "update"]), (metadata(&path), &["delete", "read"])]
        }
    })
}

#[cfg(test)]
#[path = "paths_tests.rs"]
mod tests;
