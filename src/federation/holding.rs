//! PURE. What becomes of what a workload was given before: the one rule for all providers.
//!
//! ```text
//!                          │ granted, or asked for │ nothing asks for it
//! ─────────────────────────┼───────────────────────┼────────────────────
//! given back by name       │ it stays              │ it goes
//! --revoke-unused          │ it stays              │ it goes
//! neither                  │ it stays              │ it stays, and is shown
//! ```
//!
//! A run is often about a part of what uses a workload: some of its stores, or those objects that are ready now. That it
//! does not ask for something says nothing of what others need.

use std::collections::BTreeSet;

use super::{Right, Workload};
use crate::error::Result;

/// What a workload has and this run does not grant, in the provider's own terms: paths, roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holding<T> {
    /// It stays.
    pub(crate) kept: BTreeSet<T>,
    /// It goes: a person says so.
    pub(crate) dropped: BTreeSet<T>,
}

impl Workload {
    /// `held`: what it was given, as far as keyless gives such things. `gives`: what rights take.
    pub(crate) fn holding<T: Ord + Clone>(
        &self,
        held: &BTreeSet<T>,
        gives: impl Fn(&BTreeSet<Right>) -> Result<BTreeSet<T>>,
    ) -> Result<Holding<T>> {
        let (granted, asked, named) = (gives(&self.rights)?, gives(&self.asked)?, gives(&self.revoked)?);
        let rest = held.iter().filter(|it| !granted.contains(*it)).cloned();
        let goes = |it: &T| (self.revokes_unused || named.contains(it)) && !asked.contains(it);
        let (dropped, kept) = rest.partition(goes);
        Ok(Holding { kept, dropped })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::federation::{further, reads};

    fn names(rights: &BTreeSet<Right>) -> Result<BTreeSet<String>> {
        Ok(rights.iter().map(|right| right.on.clone()).collect())
    }

    fn holding(workload: &Workload) -> (Vec<String>, Vec<String>) {
        let held = ["a", "b", "c", "d"].map(str::to_owned).into();
        let Holding { kept, dropped } = workload.holding(&held, names).unwrap();
        (kept.into_iter().collect(), dropped.into_iter().collect())
    }

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn only_what_is_given_back_goes() {
        let plain = further("shop/b", &["a", "x"]);
        assert_eq!(holding(&plain), (list(&["b", "c", "d"]), list(&[])));
        let named = plain.clone().granting(reads(&["a", "x"]), reads(&["a", "b", "c"]));
        assert_eq!(holding(&named), (list(&["d"]), list(&["b", "c"])), "what is granted is not given back");
        let asked = named.clone().asking(reads(&["b"]), false);
        assert_eq!(holding(&asked), (list(&["b", "d"]), list(&["c"])), "nor what others ask for");
        let unused = plain.asking(reads(&["b"]), true);
        assert_eq!(holding(&unused), (list(&["b"]), list(&["c", "d"])));
    }
}
