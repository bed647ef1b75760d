//! PURE. A name that lies beside a credential is a claim: the author of the object chose it. Two that call themselves the
//! same and whose secret halves differ are two credentials. The halves are compared and never shown.

use std::collections::{BTreeMap, BTreeSet};

use super::{Hit, Identity, Stored, Weight};
use crate::credentials::Halves;

/// Gives each of several that call themselves the same an identity of its own. What is named without its secret half keeps
/// the name: it is not known which of them it is.
pub(super) fn tell_apart(hits: &mut [Hit]) {
    let mut claims = Claims::default();
    for stored in hits.iter().filter_map(stored) {
        if let Identity::Named(name) = &stored.identity {
            claims.add(name, &stored.halves);
        }
    }
    for stored in hits.iter_mut().filter_map(stored_mut) {
        let Identity::Named(name) = &stored.identity else { continue };
        let Some(own) = claims.own(name, &stored.halves) else { continue };
        stored.identity = Identity::Claimed { name: name.clone(), halves: own };
    }
}

/// Which secret halves were seen beside each name.
#[derive(Default)]
pub(super) struct Claims(BTreeMap<String, BTreeSet<Halves>>);

impl Claims {
    pub(super) fn add(&mut self, name: &str, halves: &Halves) {
        if !halves.is_empty() {
            self.0.entry(name.to_owned()).or_default().insert(halves.clone());
        }
    }

    /// What tells this one from the others of its name. `None`: all that have the name are one, or it is not known which
    /// of them this is.
    pub(super) fn own(&self, name: &str, halves: &Halves) -> Option<Halves> {
        let all = self.0.get(name)?;
        group(halves, all).filter(|_| groups(all) > 1)
    }
}

/// Which of them this is. What may have one of several secret halves is that which is known to have one of them.
fn group(halves: &Halves, all: &BTreeSet<Halves>) -> Option<Halves> {
    let single = |known: &&Halves| known.len() == 1 && known.is_subset(halves);
    (!halves.is_empty()).then(|| all.iter().find(single).unwrap_or(halves).clone())
}

fn groups(all: &BTreeSet<Halves>) -> usize {
    all.iter().filter_map(|halves| group(halves, all)).collect::<BTreeSet<_>>().len()
}

fn stored(hit: &Hit) -> Option<&Stored> {
    match &hit.weight {
        Weight::Counted(stored) | Weight::Lies(stored) => Some(stored),
        _ => None,
    }
}

fn stored_mut(hit: &mut Hit) -> Option<&mut Stored> {
    match &mut hit.weight {
        Weight::Counted(stored) | Weight::Lies(stored) => Some(stored),
        _ => None,
    }
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
