//! PURE. Distinct credentials over several clusters: one that lies in three of them is one. Two are the same by public
//! identity or by value, never by where they lie: `Secret shop/vault` of two clusters are two.

use std::collections::{BTreeMap, BTreeSet};

use super::Fleet;
use crate::{
    audit::{
        Identity,
        claims::Claims,
        verdict::{Gate, Root},
    },
    credentials::{Class, Halves},
};

/// One credential, and every cluster that holds it.
#[derive(Clone, Debug)]
pub(in crate::audit) struct Shared<'f> {
    pub(in crate::audit) class: Class,
    /// In the order of the clusters; never empty.
    pub(in crate::audit) held: Vec<Held<'f>>,
}

/// A credential in one cluster.
#[derive(Clone, Copy, Debug)]
pub(in crate::audit) struct Held<'f> {
    /// The number of the member.
    pub(in crate::audit) member: usize,
    pub(in crate::audit) root: &'f Root,
    pub(in crate::audit) is_excepted: bool,
}

impl Shared<'_> {
    /// Whether it must not be there. What is excepted in one cluster only counts: what one copy opens, each of them opens.
    pub(in crate::audit) fn fails(&self, gate: Gate) -> bool {
        gate.covers(self.class) && !self.is_excepted()
    }

    pub(in crate::audit) fn is_excepted(&self) -> bool {
        self.held.iter().all(|it| it.is_excepted)
    }

    /// The members in which it is not excepted.
    pub(super) fn open_in(&self) -> impl Iterator<Item = usize> {
        self.held.iter().filter(|it| !it.is_excepted).map(|it| it.member)
    }

    pub(in crate::audit) fn id(&self) -> &str {
        &self.held[0].root.id
    }

    pub(in crate::audit) fn what(&self) -> &str {
        &self.held[0].root.what
    }

    /// The members that hold it, each once.
    pub(in crate::audit) fn members(&self) -> Vec<usize> {
        let mut members: Vec<_> = self.held.iter().map(|it| it.member).collect();
        members.dedup();
        members
    }
}

/// By what credentials of several clusters are the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// By its public name, and by its secret half where several have the name.
    Named(String, Option<Halves>),
    /// By its value, or by its place in the cluster of the member with this number.
    Other(Identity, Option<usize>),
}

impl Key {
    /// The name of several that differ in their secret halves, of which this is one.
    fn told_apart(&self) -> Option<String> {
        match self {
            Self::Named(name, Some(_)) => Some(name.clone()),
            Self::Named(..) | Self::Other(..) => None,
        }
    }
}

/// Which are one: each has a group of its own until something shows that two are the same.
struct Groups {
    /// By the number of the credential.
    of: Vec<usize>,
    /// By the number of the group.
    with: Vec<Vec<usize>>,
}

impl Groups {
    fn new(count: usize) -> Self {
        Self { of: (0..count).collect(), with: (0..count).map(|number| vec![number]).collect() }
    }

    /// Makes one group of those of these two. Two that one cluster tells apart stay two, whatever another cluster says:
    /// the number is never below that of one cluster.
    fn unite(&mut self, all: &[Held<'_>], one: usize, other: usize) {
        let (from, to) = (self.of[one], self.of[other]);
        if from == to {
            return;
        }
        let members = |group: usize| self.with[group].iter().map(|number| all[*number].member);
        if members(from).any(|member| members(to).any(|other| other == member)) {
            return;
        }
        for number in std::mem::take(&mut self.with[from]) {
            self.of[number] = to;
            self.with[to].push(number);
        }
    }
}

impl Fleet {
    /// Every distinct credential, what must not be there first.
    pub(in crate::audit) fn shared(&self) -> Vec<Shared<'_>> {
        let all: Vec<Held<'_>> = self.held();
        let mut claims = Claims::default();
        for (identity, halves) in all.iter().flat_map(|it| &it.root.known) {
            match identity {
                Identity::Named(name) => claims.add(name, halves),
                Identity::Claimed { name, halves } => claims.add(name, halves),
                Identity::Equal(_) | Identity::At(_) => {}
            }
        }
        let mut groups = Groups::new(all.len());
        let mut first: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
        for (number, held) in all.iter().enumerate() {
            for key in self.keys(held, &claims) {
                let others = first.entry(key).or_default();
                for other in &*others {
                    groups.unite(&all, number, *other);
                }
                others.push(number);
            }
        }
        let mut shared: BTreeMap<usize, Shared<'_>> = BTreeMap::new();
        for (group, held) in groups.of.into_iter().zip(all) {
            let one = shared.entry(group).or_insert(Shared { class: held.root.class, held: Vec::new() });
            one.class = one.class.min(held.root.class);
            one.held.push(held);
        }
        let mut shared: Vec<_> = shared.into_values().collect();
        shared.sort_by_key(|it| (!it.fails(self.gate), it.class));
        shared
    }

    fn held(&self) -> Vec<Held<'_>> {
        let mut all = Vec::new();
        for (member, one) in self.members.iter().enumerate() {
            let Ok(verdict) = &one.result else { continue };
            let open = verdict.roots.iter().chain(&verdict.others);
            all.extend(open.map(|root| Held { member, root, is_excepted: false }));
            let excepted = verdict.excepted.iter().map(|it| &it.root);
            all.extend(excepted.map(|root| Held { member, root, is_excepted: true }));
        }
        all
    }

    /// By what it is the same as others. A name alone says nothing beside the same name with a secret half.
    fn keys(&self, held: &Held<'_>, claims: &Claims) -> BTreeSet<Key> {
        let keys = held.root.known.iter().map(|(identity, halves)| match identity {
            Identity::Named(name) => Key::Named(name.clone(), claims.own(name, halves)),
            Identity::Claimed { name, halves } => Key::Named(name.clone(), claims.own(name, halves)),
            Identity::Equal(_) => Key::Other(identity.clone(), None),
            Identity::At(_) => Key::Other(identity.clone(), Some(self.cluster(held.member))),
        });
        let mut keys: BTreeSet<_> = keys.collect();
        let told_apart: BTreeSet<_> = keys.iter().filter_map(Key::told_apart).collect();
        keys.retain(|key| !matches!(key, Key::Named(name, None) if told_apart.contains(name)));
        keys
    }
}
