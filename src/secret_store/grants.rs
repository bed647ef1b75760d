//! PURE. What is granted, on whose word.
//!
//! Tenants write what a store is used for. An administrator decides what its identity may do: by the list in the
//! settings file, or by confirming what is new. Without a list, what was really read through the store counts as
//! decided: to go on reading it extends no one's reach.

use std::collections::{BTreeMap, BTreeSet};

use super::usage::{Act, LeftOut, Usage, Use, UseState};
use crate::{
    error::Result,
    federation::{Find, Reading, Right, RightKind, Trial},
};

/// Why a right is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Need {
    /// The objects that need it.
    pub(crate) because: BTreeSet<String>,
    /// One of them has really read by it, through the store as it is now.
    pub(crate) is_read: bool,
    /// Those that work now, by whatever they log in with.
    pub(crate) works_for: BTreeSet<String>,
}

/// What the users of a store ask for, by the provider's names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) rights: BTreeMap<Right, Need>,
    pub(crate) left_out: Vec<LeftOut>,
    uses: Vec<Use>,
    /// Left out, and perhaps needed all the same.
    unsure: BTreeSet<Right>,
    /// What a search finds is not known: any secret may be among it.
    is_blind: bool,
}

/// What was decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) granted: BTreeSet<Right>,
    /// Asked for, and not decided yet.
    pub(crate) new: BTreeMap<Right, Need>,
    /// Decided, and not asked for (any more).
    pub(crate) unused: BTreeSet<Right>,
}

impl Needs {
    /// `named` is the provider's own name of a right; `None` where it takes none there.
    pub(crate) fn of(usage: Usage, named: &dyn Fn(&Right) -> Result<Option<Right>>) -> Self {
        let unsure = usage.unsure.iter().flat_map(Act::rights);
        let unsure = unsure.filter_map(|right| named(&right).ok().flatten()).collect();
        let mut needs = Self { left_out: usage.left_out, unsure, ..Self::default() };
        for used in usage.uses {
            let rights: Result<Vec<_>> =
                used.act.rights().iter().map(named).filter_map(Result::transpose).collect();
            match rights {
                Ok(rights) => {
                    for right in rights {
                        needs.add(right, &used, true);
                    }
                    needs.uses.push(used);
                }
                Err(error) => needs.left_out.push(LeftOut {
                    object: format!("{} {}", used.object, used.field),
                    why: error.message,
                    is_refused: false,
                    works: used.state >= UseState::Ready,
                }),
            }
        }
        needs
    }

    /// Whether no object asks for anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.rights.is_empty() && self.left_out.is_empty()
    }

    /// Every right that may be needed, whatever is granted.
    pub(crate) fn asked(&self) -> BTreeSet<Right> {
        self.rights.keys().chain(&self.unsure).cloned().collect()
    }

    /// Whether it is known what is asked for: only then something can be found to be unused.
    pub(crate) fn are_known(&self) -> bool {
        !self.is_blind
    }

    /// Every search that is asked for, once.
    pub(crate) fn searches(&self) -> Vec<Find> {
        let mut searches: Vec<Find> = Vec::new();
        for used in &self.uses {
            if let Act::Find(find) = &used.act
                && !searches.contains(find)
            {
                searches.push(find.clone());
            }
        }
        searches
    }

    /// What a search finds is read, too. Whether it was read before is not known: what there is to find changes.
    pub(crate) fn found(&mut self, find: &Find, secrets: impl IntoIterator<Item = Right>) {
        let finders: Vec<Use> = self
            .uses
            .iter()
            .filter(|used| matches!(&used.act, Act::Find(it) if it == find))
            .cloned()
            .collect();
        for right in secrets {
            finders.iter().for_each(|finder| self.add(right.clone(), finder, false));
        }
    }

    /// Leaves out a search that could not be made, with the objects that ask for it.
    pub(crate) fn not_found(&mut self, find: &Find, why: &str) {
        let is_it = |used: &Use| matches!(&used.act, Act::Find(it) if it == find);
        let (gone, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.uses).into_iter().partition(is_it);
        self.uses = kept;
        self.unsure.extend(gone.iter().flat_map(|used| used.act.rights()));
        self.is_blind |= !gone.is_empty();
        self.left_out.extend(gone.iter().map(|used| LeftOut {
            object: format!("{} {}", used.object, used.field),
            why: why.to_owned(),
            is_refused: false,
            works: used.state >= UseState::Ready,
        }));
        let asked: BTreeSet<_> = self.uses.iter().flat_map(|used| used.act.rights()).collect();
        self.rights
            .retain(|right, _| !right.kind.is_search() || asked.iter().any(|it| it.kind == right.kind));
    }

    fn add(&mut self, right: Right, used: &Use, counts_as_read: bool) {
        let need = self.rights.entry(right).or_default();
        need.because.insert(used.object.clone());
        // Only reading is proved by having read.
        let reads = matches!(used.act, Act::Read { .. } | Act::Metadata { .. });
        need.is_read |= counts_as_read && reads && used.state == UseState::Read;
        if used.state >= UseState::Ready {
            need.works_for.insert(used.object.clone());
        }
    }

    /// What to try for the rights that are granted: as those who need them do it, and the rest plainly.
    pub(crate) fn trials(
        &self,
        granted: &BTreeSet<Right>,
        named: &dyn Fn(&Right) -> Result<Option<Right>>,
    ) -> Vec<Trial> {
        let name = |right: &Right| named(right).ok().flatten().filter(|right| granted.contains(right));
        let mut readings: BTreeMap<String, BTreeSet<Reading>> = BTreeMap::new();
        let mut properties: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut finds: Vec<Find> = Vec::new();
        for used in &self.uses {
            for right in used.act.rights().iter().filter_map(name) {
                match (&used.act, right.kind) {
                    (Act::Read { reading, .. }, RightKind::Read) => {
                        readings.entry(right.on).or_default().insert(reading.clone());
                    }
                    (Act::Metadata { property, .. }, _) => {
                        properties.entry(right.on).or_default().insert(property.clone());
                    }
                    (Act::Find(find), _) if !finds.contains(find) => finds.push(find.clone()),
                    _ => {}
                }
            }
        }
        let mut trials = Vec::new();
        for right in granted {
            let secret = right.on.clone();
            match right.kind {
                RightKind::Read => {
                    let readings = readings.remove(&secret).unwrap_or_default().into_iter().collect();
                    trials.push(Trial::Read { secret, readings });
                }
                RightKind::Metadata => {
                    let properties = properties.remove(&secret).unwrap_or_default().into_iter().collect();
                    trials.push(Trial::Metadata { secret, properties });
                }
                RightKind::Versions => trials.push(Trial::Versions { secret }),
                RightKind::Find | RightKind::FindByTags => {}
                RightKind::Push | RightKind::Update | RightKind::Delete => {
                    trials.push(Trial::Write(right.clone()))
                }
            }
        }
        trials.extend(finds.into_iter().map(Trial::Find));
        trials
    }
}

/// `listed` is what the settings file lists; `None`: there is no list. `is_the_same` says whether the store reads the very
/// place now that it is to read. `held`: what the identity of the store was given before. That was decided then, and to go
/// on with it extends no one's reach either.
pub(crate) fn decide(
    listed: Option<&BTreeSet<Right>>,
    needs: &Needs,
    is_the_same: bool,
    held: &BTreeSet<Right>,
) -> Decision {
    let mut decision = Decision::default();
    match listed {
        Some(listed) => {
            decision.granted.clone_from(listed);
            decision.unused = listed.difference(&needs.asked()).cloned().collect();
        }
        None => {
            let is_decided = |right: &Right, need: &Need| is_the_same && need.is_read || held.contains(right);
            let decided = needs.rights.iter().filter(|(right, need)| is_decided(right, need));
            decision.granted = decided.map(|(right, _)| right.clone()).collect();
        }
    }
    let new = needs.rights.iter().filter(|(right, _)| !decision.granted.contains(right));
    decision.new = new.map(|(right, need)| (right.clone(), need.clone())).collect();
    decision
}

impl Decision {
    /// An administrator has confirmed everything that is new.
    pub(crate) fn confirm(&mut self) {
        self.granted.extend(std::mem::take(&mut self.new).into_keys());
    }

    /// Takes away what no object asks for.
    pub(crate) fn drop_unused(&mut self) -> BTreeSet<Right> {
        let unused = std::mem::take(&mut self.unused);
        self.granted.retain(|right| !unused.contains(right));
        unused
    }
}

#[cfg(test)]
#[path = "grants_tests.rs"]
mod tests;
