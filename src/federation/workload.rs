//! PURE. Whose tokens a provider is told to believe, and what each of them may do.

use std::collections::BTreeSet;

use super::{Documents, Publishes, Right, Subject};
use crate::{cluster::ServiceAccount, error::Result};

/// A ServiceAccount that one or more secret stores log in with, and what it may do by the provider's names. No workload
/// gets what another one asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Workload {
    pub(crate) account: ServiceAccount,
    pub(crate) naming: Naming,
    pub(crate) rights: BTreeSet<Right>,
    /// What it must not be able to do any more, as far as it was given to it.
    pub(crate) revoked: BTreeSet<Right>,
    /// What anything asks for that logs in with it, granted or not, also by stores that a run is not about: none of it is
    /// taken back.
    pub(crate) asked: BTreeSet<Right>,
    /// Whether everything is taken back that it was given and that nothing asks for: see [`super::Holding`].
    pub(crate) revokes_unused: bool,
    /// The publisher, which may do this and nothing else. `None`: a store logs in with it.
    pub(crate) publishes: Option<Publishes>,
}

/// Where the name of something comes from that a provider has once for each workload, e.g. a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// The settings name it: they are about this workload.
    AsSet,
    /// From the ServiceAccount, so that it is the same whichever stores a run is about.
    FromAccount,
}

impl Workload {
    pub(crate) fn new(account: ServiceAccount, naming: Naming) -> Self {
        let (rights, revoked, asked) = Default::default();
        Self { account, naming, rights, revoked, asked, revokes_unused: false, publishes: None }
    }

    pub(crate) fn granting(self, rights: BTreeSet<Right>, revoked: BTreeSet<Right>) -> Self {
        Self { rights, revoked, ..self }
    }

    pub(crate) fn asking(self, asked: BTreeSet<Right>, revokes_unused: bool) -> Self {
        Self { asked, revokes_unused, ..self }
    }

    /// The publisher. What it could do before and is not asked for any more is taken back.
    pub(crate) fn publisher(account: ServiceAccount, publishes: Publishes) -> Self {
        Self { publishes: Some(publishes), revokes_unused: true, ..Self::new(account, Naming::FromAccount) }
    }

    /// The documents that it writes.
    pub(crate) fn documents(&self) -> Option<&Documents> {
        self.publishes.as_ref()?.documents()
    }

    /// `sub` of its tokens.
    pub(crate) fn subject(&self) -> Result<Subject> {
        Subject::of(&self.account)
    }

    /// Each ServiceAccount once, in the order in which they come first: stores that share one get what all of them ask
    /// for, and what one still asks for is not revoked because of another. A publisher is joined with no store.
    pub(crate) fn merged(all: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut merged: Vec<Self> = Vec::new();
        for workload in all {
            let is_same = |known: &&mut Self| {
                known.account == workload.account && known.publishes.is_some() == workload.publishes.is_some()
            };
            match merged.iter_mut().find(is_same) {
                Some(known) => {
                    known.rights.extend(workload.rights);
                    known.revoked.extend(workload.revoked);
                    known.asked.extend(workload.asked);
                    known.revokes_unused |= workload.revokes_unused;
                    known.publishes = known.publishes.take().or(workload.publishes);
                    if workload.naming == Naming::AsSet {
                        known.naming = Naming::AsSet;
                    }
                }
                None => merged.push(workload),
            }
        }
        for Self { rights, revoked, asked, .. } in &mut merged {
            revoked.retain(|right| !rights.contains(right) && !asked.contains(right));
        }
        merged
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::federation::reads;

    /// One that reads these secrets, with the names that the settings have.
    pub(crate) fn workload(account: &str, secrets: &[&str]) -> Workload {
        Workload { naming: Naming::AsSet, ..further(account, secrets) }
    }

    /// One that reads these secrets, with names of its own.
    pub(crate) fn further(account: &str, secrets: &[&str]) -> Workload {
        Workload { rights: reads(secrets), ..Workload::new(account.parse().unwrap(), Naming::FromAccount) }
    }

    #[test]
    fn shared_account_gets_rights_of_all() {
        let revokes = |account: &str, secrets: &[&str], revoked: &[&str]| Workload {
            revoked: reads(revoked),
            ..further(account, secrets)
        };
        let main = workload("eso/a", &["y"]);
        let merged = Workload::merged([
            revokes("eso/a", &["x"], &["y", "z"]),
            revokes("eso/b", &["b"], &["x"]),
            main,
            further("shop/a", &[]),
        ]);
        let shown: Vec<_> = merged.iter().map(|it| (it.account.to_string(), it.naming)).collect();
        assert_eq!(
            shown,
            [
                ("eso/a".to_owned(), Naming::AsSet),
                ("eso/b".to_owned(), Naming::FromAccount),
                ("shop/a".to_owned(), Naming::FromAccount)
            ]
        );
        assert_eq!((&merged[0].rights, &merged[0].revoked), (&reads(&["x", "y"]), &reads(&["z"])));
        assert_eq!((&merged[1].rights, &merged[1].revoked), (&reads(&["b"]), &reads(&["x"])));
        assert_eq!(Workload::merged([]), []);
    }

    #[test]
    fn publisher_is_joined_with_no_store() {
        let store = further("eso/a", &["x"]);
        let publisher = Workload::publisher("eso/a".parse().unwrap(), Publishes::Keys);
        let apart = [store.clone(), publisher.clone()];
        assert_eq!(Workload::merged(apart.clone()), apart);
        assert_eq!(Workload::merged([publisher.clone(), store.clone()]), [publisher, store]);
    }
}
