//! PURE. What a kind found in one object: nothing of it is secret.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use aws_lc_rs::digest::{Context, SHA256, digest};

use super::{Class, Kind, pem_text::PrivateKey};

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
    /// By its public half, computed from the private one: `key:sha256:…`. No text can claim it.
    Key(String),
    /// By a name that lies beside it: `aws:AKIA…`, `google:KEYID`. The author of the object chose it, so it tells two
    /// credentials apart only together with [`Find::halves`].
    Named(String),
    /// By its value.
    Same(Same),
}

/// What tells the secret half of a credential from others. Several: any of them may be it. None: it was not seen.
pub(crate) type Halves = BTreeSet<Who>;

/// One credential in one object.
#[derive(Clone, Debug)]
pub(crate) struct Find {
    pub(crate) kind: &'static Kind,
    pub(crate) class: Class,
    pub(crate) who: Who,
    /// Of what is named by a claim; empty of any other.
    pub(crate) halves: Halves,
    /// In words that open nothing.
    pub(crate) what: String,
    /// Where in the object: `data.key.json`.
    pub(crate) at: String,
    /// The accounts whose it says it is: nothing of that is proved.
    pub(crate) accounts: BTreeSet<String>,
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
        self.push(Find { class, ..self.find(kind, who, what) });
    }

    /// A credential that calls itself by a name, and what may be its secret half.
    pub(super) fn add_named(&mut self, kind: &'static Kind, name: String, halves: Halves, what: String) {
        self.push(Find { halves, ..self.find(kind, Who::Named(name), what) });
    }

    /// The same as it was found in an object within this one.
    pub(super) fn add_inner(&mut self, find: Find, at: &str) {
        self.push(Find { at: at.to_owned(), ..find });
    }

    /// A private key.
    pub(super) fn add_key(&mut self, kind: &'static Kind, class: Class, key: &PrivateKey, what: &str) {
        let find = self.find(kind, key.who.clone(), what.to_owned());
        self.push(Find { class, halves: key.halves.clone(), ..find });
    }

    /// A credential that is a private key with something around it, so that the key is not counted a second time.
    pub(super) fn add_around(&mut self, kind: &'static Kind, class: Class, key: &PrivateKey, what: &str) {
        let find = self.find(kind, key.who.clone(), what.to_owned());
        self.push(Find { class, halves: key.halves.clone(), key: Some(key.who.clone()), ..find });
    }

    /// The same, under a name that lies beside the key.
    pub(super) fn add_named_key(
        &mut self,
        kind: &'static Kind,
        name: String,
        halves: Halves,
        what: String,
        key: Option<Who>,
    ) {
        self.push(Find { halves, key, ..self.find(kind, Who::Named(name), what) });
    }

    /// A credential that says whose it is, and the private key that it is made of.
    pub(super) fn add_of_account(
        &mut self,
        kind: &'static Kind,
        (who, halves): (Who, Halves),
        what: String,
        key: Option<Who>,
        account: Option<String>,
    ) {
        let accounts = account.into_iter().collect();
        self.push(Find { halves, key, accounts, ..self.find(kind, who, what) });
    }

    fn find(&self, kind: &'static Kind, who: Who, what: String) -> Find {
        let (class, halves, at) = (kind.class, Halves::new(), self.at.clone());
        Find { kind, class, who, halves, what, at, accounts: BTreeSet::new(), key: None }
    }

    fn push(&mut self, find: Find) {
        if self.all.len() < MOST_FINDS {
            self.all.push(find);
        }
    }

    /// A name that lies by itself in one value belongs to what has its secret half in another value of the object.
    fn complete_names(&mut self) {
        let mut whole: BTreeMap<Who, BTreeSet<Halves>> = BTreeMap::new();
        for find in self.all.iter().filter(|find| !find.halves.is_empty()) {
            whole.entry(find.who.clone()).or_default().insert(find.halves.clone());
        }
        self.all.retain_mut(|find| {
            let Some(all) = whole.get(&find.who).filter(|_| find.halves.is_empty()) else { return true };
            if let (Some(only), 1) = (all.first(), all.len()) {
                find.halves.clone_from(only);
            }
            all.len() == 1
        });
    }

    /// Each credential once for each place, by the kind that says most about it.
    pub(super) fn ended(mut self) -> Vec<Find> {
        self.complete_names();
        let taken = self.all.iter().filter_map(|find| match find.key.as_ref()? {
            own if *own == find.who => Some((own.clone(), find.halves.clone())),
            other => Some((other.clone(), Halves::new())),
        });
        let taken: BTreeSet<(Who, Halves)> = taken.collect();
        // Half of a pair whose other half names it. One that is in no pair is a credential of its own, whatever lies beside it.
        let of_pairs: BTreeSet<&Who> = self.all.iter().flat_map(|find| &find.halves).collect();
        let is_half = |find: &Find| of_pairs.contains(&find.who);
        let is_key_of_another =
            |find: &Find| find.key.is_none() && taken.contains(&(find.who.clone(), find.halves.clone()));
        let mut seen: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        let mut kept: Vec<Find> =
            self.all.iter().filter(|find| !is_half(find) && !is_key_of_another(find)).cloned().collect();
        kept.sort_by(|a, b| (a.class, a.kind.code).cmp(&(b.class, b.kind.code)));
        let of = |find: &Find| (find.who.clone(), find.halves.clone(), find.at.clone());
        for find in &kept {
            seen.entry(of(find)).or_default().extend(find.accounts.iter().cloned());
        }
        kept.retain_mut(|find| match seen.remove(&of(find)) {
            Some(accounts) => {
                find.accounts = accounts;
                true
            }
            None => false,
        });
        kept
    }
}
