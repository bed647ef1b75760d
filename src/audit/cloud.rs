//! PURE. What the providers say, as hits. A key that was found is one that a provider lists if ID and public half are
//! the same; where only the ID is, they are two ([`super::claims`]).

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Hit, Identity, Opens, Stored, Weight,
    leg::LegState,
    verdict::{Root, Verdict},
};
use crate::{
    cluster::{
        objects::Unseen,
        snapshot::{Inventory, SecretKey},
    },
    credentials::{Class, Halves, Who},
    federation::cloud::{CloudLook, Issued, Remark, issued_kinds},
};

/// What the headline says of one, and of several, of which no copy was seen.
pub(super) const ELSEWHERE: (&str, &str) =
    ("was issued to an identity that the cluster names", "were issued to identities that the cluster names");

/// Whether hits of this rule come from a provider.
pub(super) fn is_of_provider(id: &str) -> bool {
    issued_kinds().any(|kind| kind.id == id)
}

/// How many objects and identities of each kind were looked through.
pub(super) fn looked(inventory: &Inventory, look: Option<&CloudLook>) -> BTreeMap<String, usize> {
    let at_providers = look.into_iter().flat_map(|look| look.looked.clone());
    inventory.sightings.looked.clone().into_iter().chain(at_providers).collect()
}

/// What could not be looked at, here and there.
pub(super) fn unseen(inventory: &Inventory, look: Option<&CloudLook>) -> Vec<Unseen> {
    let mut all = unseen_here(inventory);
    all.extend(look.into_iter().flat_map(|look| look.unseen.clone()));
    all.into_iter().collect()
}

/// What could not be looked at in the cluster.
pub(super) fn unseen_here(inventory: &Inventory) -> BTreeSet<Unseen> {
    inventory.unseen.iter().chain(&inventory.sightings.unseen).cloned().collect()
}

/// `seen`: what was found in the cluster.
pub(super) fn hits(look: &CloudLook, seen: &[Hit]) -> Vec<Hit> {
    let mut hits: Vec<_> = look.issued.iter().map(|issued| counted(issued, seen)).collect();
    hits.extend(look.findings.iter().map(|remark| of_remark(remark, Weight::Finding)));
    hits.extend(look.notes.iter().map(|remark| of_remark(remark, Weight::Note)));
    hits
}

/// A private key without a name that has the public half of one that was issued is that one: the provider says so.
pub(super) fn name_keys(hits: &mut [Hit], look: &CloudLook) {
    let issued: BTreeMap<_, _> =
        look.issued.iter().filter_map(|issued| Some((issued.public_half.as_ref()?, issued))).collect();
    let mut lying: BTreeMap<SecretKey, BTreeMap<&str, &Issued>> = BTreeMap::new();
    for hit in hits.iter_mut() {
        let (Weight::Counted(stored) | Weight::Lies(stored)) = &mut hit.weight else { continue };
        let Identity::Named(half) = &stored.identity else { continue };
        let Some(issued) = issued.get(half) else { continue };
        name(stored, issued);
        for key in stored.secrets.iter().filter(|key| key.key.is_some()) {
            lying.entry(key.clone()).or_default().insert(&issued.name, issued);
        }
    }
    // What something logs in with is the one of them that lies in its values.
    for hit in hits {
        let Weight::Counted(stored) = &mut hit.weight else { continue };
        let Identity::Equal(_) = &stored.identity else { continue };
        let within: BTreeMap<_, _> =
            stored.secrets.iter().filter_map(|key| lying.get(key)).flatten().collect();
        if let (Some(issued), 1) = (within.values().next(), within.len()) {
            name(stored, issued);
        }
    }
}

fn name(stored: &mut Stored, issued: &Issued) {
    stored.halves = halves(issued);
    stored.identity = Identity::Named(issued.name.clone());
}

fn halves(issued: &Issued) -> Halves {
    issued.public_half.iter().cloned().map(Who::Key).collect()
}

fn counted(issued: &Issued, seen: &[Hit]) -> Hit {
    let class = issued.kind.class.unwrap_or(Class::Root);
    let named = || Identity::Named(issued.name.clone());
    let copy = issued.copy.as_ref().map(|copy| Identity::Equal(vec![copy.clone()]));
    let is_seen = |identity: &Identity| {
        seen.iter().any(|hit| matches!(&hit.weight, Weight::Counted(stored) if stored.identity == *identity))
    };
    let identity = copy.filter(is_seen).unwrap_or_else(named);
    let stored = Stored::new(identity, issued.what.clone(), Opens::Unused);
    Hit {
        rule: issued.kind.id,
        weight: Weight::Counted(Stored { class, halves: halves(issued), ..stored }),
        place: issued.place.clone(),
        why: issued.why.clone(),
        remedy: issued.remedy.clone(),
    }
}

fn of_remark(remark: &Remark, weight: Weight) -> Hit {
    Hit {
        rule: remark.kind.id,
        weight,
        place: remark.place.clone(),
        why: remark.why.clone(),
        remedy: remark.remedy.clone(),
    }
}

impl Verdict {
    /// What the side of the providers came to.
    pub(super) fn cloud_state(&self) -> LegState {
        let Some(unseen) = &self.cloud else { return LegState::NotLookedAt };
        let is_there = |root: &Root| root.rules.iter().any(|id| is_of_provider(id));
        let excepted = || self.excepted_within_gate().map(|it| &it.root);
        match () {
            () if self.roots.iter().any(is_there) => LegState::Found,
            () if self.findings.iter().any(|hit| is_of_provider(hit.rule)) => LegState::Found,
            // What cannot be read in the cluster may name more identities; a credential of which only the copy in the
            // cluster is known may be active.
            () if !unseen.is_empty() || !self.unseen.is_empty() || !self.unknown.is_empty() => {
                LegState::Incomplete
            }
            () if !self.roots.is_empty() || excepted().any(|root| !is_there(root)) => LegState::Incomplete,
            () if excepted().next().is_some() => LegState::Excepted,
            // No provider was asked anything: that none has issued one is not known.
            () if self.asked == 0 => LegState::NothingToJudge,
            () => LegState::Zero,
        }
    }
}

impl Root {
    /// Whether a copy of it was seen in the cluster.
    pub(super) fn lies(&self) -> bool {
        !self.secrets.is_empty() || !self.config_maps.is_empty() || !self.objects.is_empty()
    }

    /// Known from its provider alone.
    pub(super) fn is_elsewhere(&self) -> bool {
        !self.lies() && self.opens.iter().all(|opens| *opens == Opens::Unused)
    }
}

#[cfg(test)]
#[path = "cloud_tests.rs"]
mod tests;
