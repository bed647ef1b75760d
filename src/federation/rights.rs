//! PURE. What a workload may do with secrets, by the provider's own names of them and in no provider's words. Each
//! provider maps these to its own permissions.

use std::{collections::BTreeMap, fmt};

use crate::pattern::Pattern;

/// One right. The order is that of the settings file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Right {
    pub(crate) kind: RightKind,
    /// The name of a secret; for [`RightKind::Find`] and [`RightKind::FindByTags`] what names begin with, `""` for all.
    pub(crate) on: String,
}

/// Rights to read these secrets.
#[cfg(test)]
pub(crate) fn reads(names: &[&str]) -> std::collections::BTreeSet<Right> {
    names.iter().map(|name| Right::read(*name)).collect()
}

/// A plain read of the latest version.
#[cfg(test)]
pub(crate) fn reading(secret: &str) -> Trial {
    Trial::Read { secret: secret.to_owned(), readings: Vec::new() }
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RightKind {
    /// Read the value of a secret, in every version.
    Read,
    /// Read what is noted on a secret: labels and annotations, or custom metadata.
    Metadata,
    /// List the versions of a secret.
    Versions,
    /// List the names of secrets.
    Find,
    /// List the names of secrets, and read what is noted on them.
    FindByTags,
    /// Write new values of a secret, and see whether it is there.
    Push,
    /// Change what is noted on a secret.
    Update,
    /// Delete a secret.
    Delete,
}

/// All kinds, in order.
pub(crate) const RIGHT_KINDS: [RightKind; 8] = [
    RightKind::Read,
    RightKind::Metadata,
    RightKind::Versions,
    RightKind::Find,
    RightKind::FindByTags,
    RightKind::Push,
    RightKind::Update,
    RightKind::Delete,
];

impl Right {
    pub(crate) fn new(kind: RightKind, on: impl Into<String>) -> Self {
        Self { kind, on: on.into() }
    }

    pub(crate) fn read(secret: impl Into<String>) -> Self {
        Self::new(RightKind::Read, secret)
    }

    /// The secret that it is about; `None` for a search.
    pub(crate) fn secret(&self) -> Option<&str> {
        (!self.kind.is_search()).then_some(self.on.as_str())
    }

    /// The same about a secret of another name.
    pub(crate) fn about(&self, on: impl Into<String>) -> Self {
        Self::new(self.kind, on)
    }
}

impl RightKind {
    pub(crate) fn is_search(self) -> bool {
        matches!(self, Self::Find | Self::FindByTags)
    }
}

/// `read db`, `find secrets that begin with team`: after `may`.
impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = self.on.escape_debug();
        match self.kind {
            RightKind::Read => write!(f, "read {on}"),
            RightKind::Metadata => write!(f, "read the metadata of {on}"),
            RightKind::Versions => write!(f, "list the versions of {on}"),
            RightKind::Find if self.on.is_empty() => f.write_str("find secrets by name"),
            RightKind::Find => write!(f, "find secrets by name below {on}"),
            RightKind::FindByTags if self.on.is_empty() => f.write_str("find secrets by their tags"),
            RightKind::FindByTags => write!(f, "find secrets by their tags below {on}"),
            RightKind::Push => write!(f, "write {on}"),
            RightKind::Update => write!(f, "change the metadata of {on}"),
            RightKind::Delete => write!(f, "delete {on}"),
        }
    }
}

/// A search for secrets, as an ExternalSecret writes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Find {
    /// What names begin with; `""` for all.
    pub(crate) below: String,
    pub(crate) by: FindBy,
}

/// By what secrets are found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FindBy {
    Name(Pattern),
    /// All of them.
    Tags(BTreeMap<String, String>),
}

impl Find {
    /// What the search itself takes; reading what it finds comes on top.
    pub(crate) fn right(&self) -> Right {
        let kind = match self.by {
            FindBy::Name(_) => RightKind::Find,
            FindBy::Tags(_) => RightKind::FindByTags,
        };
        Right::new(kind, self.below.clone())
    }
}

impl fmt::Display for Find {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.by {
            FindBy::Name(pattern) => write!(f, "secrets named like `{}`", pattern.as_str().escape_debug())?,
            FindBy::Tags(tags) => {
                let tags: Vec<_> = tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
                write!(f, "secrets with {}", tags.join(", ").escape_debug())?;
            }
        }
        if self.below.is_empty() { Ok(()) } else { write!(f, " below {}", self.below.escape_debug()) }
    }
}

/// One way in which a secret is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reading {
    /// `None` is the latest.
    pub(crate) version: Option<String>,
    /// What is read out of it; `None` is all of it.
    pub(crate) property: Option<String>,
    /// Whether that must be a map.
    pub(crate) is_map: bool,
    /// Whether the newest version that is enabled will do where the latest is not.
    pub(crate) or_enabled: bool,
}

/// Something that is really tried, with a token of the workload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trial {
    /// Read a secret in each of these ways.
    Read {
        secret: String,
        readings: Vec<Reading>,
    },
    /// Read what is noted on a secret, and these members of it.
    Metadata {
        secret: String,
        properties: Vec<String>,
    },
    Versions {
        secret: String,
    },
    /// Search, and read everything that is found.
    Find(Find),
    /// A right to write: the provider is asked whether it is held, and nothing is written.
    Write(Right),
}

impl Trial {
    /// What it shows to be there.
    pub(crate) fn right(&self) -> Right {
        match self {
            Self::Read { secret, .. } => Right::read(secret.clone()),
            Self::Metadata { secret, .. } => Right::new(RightKind::Metadata, secret.clone()),
            Self::Versions { secret } => Right::new(RightKind::Versions, secret.clone()),
            Self::Find(find) => find.right(),
            Self::Write(right) => right.clone(),
        }
    }
}
