//! PURE. What was seen of credentials in the whole cluster: distinct ones, with the places of each. One object is held at a
//! time; of what it held, only this stays.

use std::collections::{BTreeMap, BTreeSet};

use super::{Class, Find, Halves, Holder, Kind, Same, Who};
use crate::cluster::objects::Unseen;

/// Places that are kept of one credential.
const MOST_PLACES: usize = 100;
/// Accounts that are kept of one credential.
const MOST_ACCOUNTS: usize = 100;
/// Distinct credentials that are kept.
const MOST: usize = 100_000;

/// Every credential that was seen, and what was looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sightings {
    all: BTreeMap<(Who, Halves, Class), Sighting>,
    pub(crate) unseen: BTreeSet<Unseen>,
    /// How many objects of each kind were looked through.
    pub(crate) looked: BTreeMap<String, usize>,
    /// Secrets without anything that is known.
    pub(crate) unmanaged: usize,
    /// Those of them that say that an ExternalSecret owns them.
    pub(crate) owned: BTreeSet<Same>,
}

/// One credential.
#[derive(Clone, Debug)]
pub(crate) struct Sighting {
    pub(crate) kind: &'static Kind,
    pub(crate) class: Class,
    pub(crate) who: Who,
    /// Of what is named by a claim.
    pub(crate) halves: Halves,
    pub(crate) what: String,
    pub(crate) places: BTreeSet<Place>,
    /// Places beyond those that are kept.
    pub(crate) more: usize,
    /// The accounts whose its copies say it is. Several: they do not agree.
    pub(crate) accounts: BTreeSet<String>,
}

/// Where in the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) kind: String,
    /// Empty for an object of the whole cluster.
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// `data.key.json`, `spec.template.spec.containers.app.env`.
    pub(crate) at: String,
}

impl Place {
    /// The key of the Secret or ConfigMap, where it is one of its values.
    pub(crate) fn key(&self) -> Option<&str> {
        self.at.strip_prefix("data.")
    }

    /// `Secret shop/db`.
    pub(crate) fn object(&self) -> String {
        match self.namespace.as_str() {
            "" => format!("{} {}", self.kind, self.name),
            namespace => format!("{} {namespace}/{}", self.kind, self.name),
        }
    }
}

impl Sightings {
    /// `owner`: what a Secret says of it.
    pub(super) fn add(&mut self, holder: &Holder, finds: Vec<Find>, owner: Option<Same>) {
        *self.looked.entry(holder.kind.clone()).or_default() += 1;
        if finds.is_empty() && holder.kind == "Secret" && is_opaque(&holder.secret_type) {
            self.unmanaged += 1;
            self.owned.extend(owner);
        }
        self.put(holder, finds);
    }

    /// An object that was not looked into: only what lies outside of its values was seen.
    pub(super) fn add_outside(&mut self, holder: &Holder, finds: Vec<Find>) {
        *self.looked.entry(format!("{} (metadata)", holder.kind)).or_default() += 1;
        self.put(holder, finds);
    }

    fn put(&mut self, holder: &Holder, finds: Vec<Find>) {
        for Find { kind, class, who, halves, what, at, accounts, .. } in finds {
            let place = Place {
                kind: holder.kind.clone(),
                namespace: holder.namespace.clone(),
                name: holder.name.clone(),
                at,
            };
            let places = BTreeSet::from([place]);
            let sighting = Sighting { kind, class, who, halves, what, places, more: 0, accounts };
            self.insert(sighting);
        }
    }

    /// What was seen in other lists.
    pub(crate) fn merge(&mut self, other: Self) {
        let Self { all, unseen, looked, unmanaged, owned } = other;
        all.into_values().for_each(|sighting| self.insert(sighting));
        self.unseen.extend(unseen);
        for (kind, count) in looked {
            *self.looked.entry(kind).or_default() += count;
        }
        self.unmanaged += unmanaged;
        self.owned.extend(owned);
    }

    fn insert(&mut self, sighting: Sighting) {
        let key = (sighting.who.clone(), sighting.halves.clone(), sighting.class);
        if !self.all.contains_key(&key) && self.all.len() >= MOST {
            self.unseen.insert(Unseen {
                what: "credentials".into(),
                right: "a look at fewer objects".into(),
                why: format!("there are more than {MOST} of them"),
            });
            return;
        }
        let known = self.all.entry(key).or_insert_with(|| Sighting {
            places: BTreeSet::new(),
            more: 0,
            ..sighting.clone()
        });
        known.more += sighting.more;
        known.places.extend(sighting.places);
        while known.places.len() > MOST_PLACES {
            known.places.pop_last();
            known.more += 1;
        }
        known.accounts.extend(sighting.accounts);
        if known.accounts.len() > MOST_ACCOUNTS {
            known.accounts.pop_last();
            self.unseen.insert(Unseen {
                what: known.what.clone(),
                right: "a look at fewer objects".into(),
                why: format!("its copies name more than {MOST_ACCOUNTS} accounts"),
            });
        }
    }

    /// Each distinct credential; one that was met as several classes is of the first. Those that call themselves the same
    /// and whose secret halves differ are several; a name without its secret half belongs to the one that has it, if it is
    /// only one.
    pub(crate) fn distinct(&self) -> Vec<Sighting> {
        let mut distinct: Vec<Sighting> = Vec::new();
        let mut all: Vec<&Sighting> = self.all.values().collect();
        // Names that are met with their secret halves first.
        all.sort_by_key(|it| (&it.who, it.halves.is_empty()));
        for sighting in all {
            let of_name = distinct.iter().rposition(|it| it.who != sighting.who).map_or(0, |at| at + 1);
            let alike = &mut distinct[of_name..];
            let known = match alike {
                [only] if sighting.halves.is_empty() => Some(only),
                _ => alike.iter_mut().find(|it| it.halves == sighting.halves),
            };
            match known {
                Some(known) => {
                    known.class = known.class.min(sighting.class);
                    known.places.extend(sighting.places.iter().cloned());
                    known.more += sighting.more;
                    known.accounts.extend(sighting.accounts.iter().cloned());
                }
                None => distinct.push(sighting.clone()),
            }
        }
        distinct
    }

    #[cfg(test)]
    pub(crate) fn clear(&mut self) {
        self.all.clear();
    }
}

/// A type that says nothing about what the Secret holds.
fn is_opaque(secret_type: &str) -> bool {
    matches!(secret_type, "" | "Opaque" | "kubernetes.io/basic-auth")
}
