//! PURE. What the providers say, as hits. A key that was found is one that a provider lists if ID and public half are
//! the same; where only the ID is, they are two.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Hit, Identity, Opens, Stored, Weight,
    leg::LegState,
    verdict::{Root, Verdict},
};
use crate::{
    cluster::{objects::Unseen, snapshot::Inventory},
    credentials::{Class, Sighting},
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
    let here = inventory.unseen.iter().chain(&inventory.sightings.unseen);
    let all: BTreeSet<_> = here.chain(look.into_iter().flat_map(|look| &look.unseen)).cloned().collect();
    all.into_iter().collect()
}

pub(super) fn hits(inventory: &Inventory, look: &CloudLook) -> Vec<Hit> {
    let found = inventory.sightings.distinct();
    let mut hits: Vec<_> = look.issued.iter().flat_map(|issued| of_issued(issued, &found)).collect();
    hits.extend(look.findings.iter().map(|remark| of_remark(remark, Weight::Finding)));
    hits.extend(look.notes.iter().map(|remark| of_remark(remark, Weight::Note)));
    hits
}

/// The credential that was issued, and every other one that only calls itself by its name.
fn of_issued(issued: &Issued, found: &[Sighting]) -> Vec<Hit> {
    let named = found.iter().find(|it| it.name() == Some(&issued.name));
    let halves: BTreeSet<&str> = named.into_iter().flat_map(public_halves).collect();
    let Some(half) = issued.public_half.as_deref() else {
        return vec![counted(issued, issued.name.clone(), &issued.what)];
    };
    // A copy without an ID is named by its public half.
    let is_unnamed_copy = found.iter().any(|it| it.name() == Some(half));
    let mut hits = Vec::new();
    let mut others: Vec<_> = halves.iter().filter(|other| **other != half).collect();
    if halves.contains(half) || others.is_empty() {
        let name = match named.is_none() && is_unnamed_copy {
            true => half.to_owned(),
            false => issued.name.clone(),
        };
        hits.push(counted(issued, name, &issued.what));
    } else {
        // The one that was found goes by the name; this one has another public half.
        others.pop();
        hits.push(counted(issued, format!("{}@{half}", issued.name), &issued.what));
    }
    hits.extend(others.into_iter().map(|other| another(issued, other, named)));
    hits
}

/// A key that was found under the name of the one that was issued, and is not that one.
fn another(issued: &Issued, half: &str, named: Option<&Sighting>) -> Hit {
    let what = format!("a key that calls itself {}, and has another public half", issued.what);
    let mut stored = stored(issued, format!("{}@{half}", issued.name), what);
    let places = named.into_iter().flat_map(|it| &it.places);
    stored.objects = places.map(|place| format!("{} ({})", place.object(), place.at)).collect();
    Hit {
        rule: issued.kind.id,
        weight: Weight::Counted(stored),
        place: issued.place.clone(),
        why: "one of these places holds it; whose it is, and whether it is active, is not known".into(),
        remedy: "find out whose key it is, and revoke it where it was issued".into(),
    }
}

fn public_halves(sighting: &Sighting) -> impl Iterator<Item = &str> {
    sighting.claims.iter().filter_map(|claim| claim.public_half.as_deref())
}

fn counted(issued: &Issued, name: String, what: &str) -> Hit {
    Hit {
        rule: issued.kind.id,
        weight: Weight::Counted(stored(issued, name, what.to_owned())),
        place: issued.place.clone(),
        why: issued.why.clone(),
        remedy: issued.remedy.clone(),
    }
}

fn stored(issued: &Issued, name: String, what: String) -> Stored {
    let class = issued.kind.class.unwrap_or(Class::Root);
    Stored { class, ..Stored::new(Identity::Named(name), what, Opens::Unused) }
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
            () if self.stores + self.generators == 0 => LegState::NothingToJudge,
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
