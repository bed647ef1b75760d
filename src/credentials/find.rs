//! PURE. What a kind found in one object: nothing of it is secret.

use std::{collections::BTreeSet, fmt};

use aws_lc_rs::digest::{Context, SHA256, digest};

use super::{Class, Kind};

/// Tells two equal values from two different ones, and nothing else: it cannot be printed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Same([u8; 32]);

impl Same {
    /// Of one value. White space around it makes no difference.
    pub(crate) fn of(value: &[u8]) -> Self {
        Self::ended(digest(&SHA256, value.trim_ascii()).as_ref())
    }

    /// Of several values that are one credential together.
    pub(crate) fn of_named<'v>(values: impl Iterator<Item = (&'v str, &'v [u8])>) -> Self {
        let mut context = Context::new(&SHA256);
        for (name, value) in values {
            for part in [name.as_bytes(), value] {
                context.update(&(part.len() as u64).to_be_bytes());
                context.update(part);
            }
        }
        Self::ended(context.finish().as_ref())
    }

    fn ended(digest: &[u8]) -> Self {
        let mut same = [0; 32];
        same.copy_from_slice(digest);
        Self(same)
    }
}

impl fmt::Debug for Same {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Same(…)")
    }
}

/// Which credential it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// By its public name: `aws:AKIA…`, `google:KEYID`, `key:sha256:…`.
    Named(String),
    /// By its value.
    Same(Same),
}

/// What a credential says of itself beside its name: nothing of it is proved.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Claim {
    /// The address of the Google service account.
    pub(crate) account: Option<String>,
    /// The public half of the key that is there: `key:sha256:…`.
    pub(crate) public_half: Option<String>,
}

/// One credential in one object.
#[derive(Clone, Debug)]
pub(crate) struct Find {
    pub(crate) kind: &'static Kind,
    pub(crate) class: Class,
    pub(crate) who: Who,
    /// In words that open nothing.
    pub(crate) what: String,
    /// Where in the object: `data.key.json`.
    pub(crate) at: String,
    pub(crate) claim: Option<Claim>,
    /// The private key that it is made of, so that the key is not counted a second time.
    key: Option<Who>,
}

/// What the kinds found in one object.
#[derive(Debug, Default)]
pub(crate) struct Finds {
    all: Vec<Find>,
    at: String,
    /// Bytes of every layer that were looked at.
    looked_at: usize,
}

/// What is looked at in one object, in all its layers: what was packed may be a thousand times as large.
const MOST_LOOKED_AT: usize = 192 << 20;
/// Finds in one object that are kept.
const MOST_FINDS: usize = 10_000;

impl Finds {
    /// Whether so many bytes more may be looked at in this object.
    pub(super) fn spend(&mut self, bytes: usize) -> bool {
        self.looked_at = self.looked_at.saturating_add(bytes);
        self.looked_at <= MOST_LOOKED_AT && self.all.len() < MOST_FINDS
    }

    /// Where in the object the next parts are.
    pub(super) fn begin(&mut self, at: &str) {
        at.clone_into(&mut self.at);
    }

    /// The place of the next parts.
    pub(super) fn at(&self) -> &str {
        &self.at
    }

    pub(super) fn add(&mut self, kind: &'static Kind, who: Who, what: String) {
        self.add_as(kind, kind.class, who, what);
    }

    pub(super) fn add_as(&mut self, kind: &'static Kind, class: Class, who: Who, what: String) {
        self.push(kind, class, who, what, None, None);
    }

    /// A credential that is a private key with something around it.
    pub(super) fn add_key(&mut self, kind: &'static Kind, who: Who, what: String, key: Option<Who>) {
        self.push(kind, kind.class, who, what, key, None);
    }

    /// The same for one that says whose it is.
    pub(super) fn add_claimed(
        &mut self,
        kind: &'static Kind,
        who: Who,
        what: String,
        key: Option<Who>,
        account: Option<String>,
    ) {
        let public_half = match &key {
            Some(Who::Named(name)) => Some(name.clone()),
            _ => None,
        };
        self.push(kind, kind.class, who, what, key, Some(Claim { account, public_half }));
    }

    fn push(
        &mut self,
        kind: &'static Kind,
        class: Class,
        who: Who,
        what: String,
        key: Option<Who>,
        claim: Option<Claim>,
    ) {
        if self.all.len() >= MOST_FINDS {
            return;
        }
        let at = self.at.clone();
        self.all.push(Find { kind, class, who, what, at, claim, key });
    }

    /// Each credential once for each place, by the kind that says most about it.
    pub(super) fn ended(self) -> Vec<Find> {
        let taken: BTreeSet<Who> = self.all.iter().filter_map(|find| find.key.clone()).collect();
        let is_whole = |find: &&Find| find.class != Class::NotSeen && matches!(find.who, Who::Named(_));
        let has_id = |code: &str| self.all.iter().filter(is_whole).any(|find| find.kind.code == code);
        // Half of a pair whose other half names it.
        let is_half = |find: &Find| {
            ["KL111", "KL115", "KL116"].contains(&find.kind.code)
                && matches!(find.who, Who::Same(_))
                && has_id(find.kind.code)
        };
        let is_key_of_another = |find: &Find| find.key.is_none() && taken.contains(&find.who);
        let mut seen = BTreeSet::new();
        let mut kept: Vec<Find> =
            self.all.iter().filter(|find| !is_half(find) && !is_key_of_another(find)).cloned().collect();
        kept.sort_by(|a, b| (a.class, a.kind.code).cmp(&(b.class, b.kind.code)));
        kept.retain(|find| seen.insert((find.who.clone(), find.at.clone(), find.claim.clone())));
        kept
    }
}
