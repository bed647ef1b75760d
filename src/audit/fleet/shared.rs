//! PURE. Distinct credentials over several clusters: one that lies in three of them is one. Two are the same by public
//! identity or by value, never by where they lie: `Secret shop/vault` of two clusters are two.

use std::collections::BTreeMap;

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
    /// Whether it must not be there. What is excepted in one cluster only counts.
    pub(in crate::audit) fn fails(&self, gate: Gate) -> bool {
        self.held.iter().any(|it| !it.is_excepted && gate.covers(it.root.class))
    }

    pub(in crate::audit) fn is_excepted(&self) -> bool {
        self.held.iter().all(|it| it.is_excepted)
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
    /// By its value, or by its place in one cluster.
    Other(Identity, Option<Cluster>),
}

/// By its UID, else by the number of the member: it may be any.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cluster {
    Uid(String),
    Number(usize),
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
        // Each has a group of its own until a key shows that two are one.
        let mut groups: Vec<usize> = (0..all.len()).collect();
        let mut first: BTreeMap<Key, usize> = BTreeMap::new();
        for (number, held) in all.iter().enumerate() {
            for (identity, halves) in &held.root.known {
                let key = self.key(held.member, identity, halves, &claims);
                let other = *first.entry(key).or_insert(number);
                let (from, to) = (groups[number], groups[other]);
                if from == to {
                    continue;
                }
                groups.iter_mut().filter(|group| **group == from).for_each(|group| *group = to);
            }
        }
        let mut shared: BTreeMap<usize, Shared<'_>> = BTreeMap::new();
        for (group, held) in groups.into_iter().zip(all) {
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

    fn key(&self, member: usize, identity: &Identity, halves: &Halves, claims: &Claims) -> Key {
        let cluster = || match self.members[member].uid() {
            Some(uid) => Cluster::Uid(uid.to_owned()),
            None => Cluster::Number(member),
        };
        match identity {
            Identity::Named(name) => Key::Named(name.clone(), claims.own(name, halves)),
            Identity::Claimed { name, halves } => Key::Named(name.clone(), claims.own(name, halves)),
            Identity::Equal(_) => Key::Other(identity.clone(), None),
            Identity::At(_) => Key::Other(identity.clone(), Some(cluster())),
        }
    }
}
