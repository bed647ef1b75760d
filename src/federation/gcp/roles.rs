//! PURE. Which roles give a right: the smallest predefined ones, on the secret where that is possible.
//!
//! | right | role | on |
//! |---|---|---|
//! | read | `secretmanager.secretAccessor` | the secret, or with `google.access: project` the project |
//! | metadata, versions | `secretmanager.viewer` | the secret |
//! | find | `secretmanager.viewer` | the project: a list has no smaller place |
//! | push | `secretmanager.viewer`, `.secretAccessor`, `.secretVersionAdder` | the secret, which must be there |
//! | update, delete | `secretmanager.admin` | the secret |
//!
//! To create secrets takes `secretmanager.admin` on the project, which opens all of them: that is not given.
//! Permissions of each role: <https://cloud.google.com/secret-manager/docs/access-control>.

use std::collections::{BTreeMap, BTreeSet};

use super::{Grant, state::Holder};
use crate::federation::{Right, RightKind};

/// Reads the values of secrets, and nothing else.
pub(super) const ACCESSOR: &str = "roles/secretmanager.secretAccessor";
/// Sees secrets and versions, and no value.
pub(super) const VIEWER: &str = "roles/secretmanager.viewer";
/// Adds versions, and reads none.
pub(super) const ADDER: &str = "roles/secretmanager.secretVersionAdder";
/// Everything with a secret.
pub(super) const ADMIN: &str = "roles/secretmanager.admin";
/// Becomes a service account.
pub(super) const WORKLOAD_USER: &str = "roles/iam.workloadIdentityUser";

/// The roles that are ever granted on a thing of this kind: what teardown takes back.
pub(super) fn ever_granted(holder: &Holder) -> &'static [&'static str] {
    match holder {
        Holder::Account(_) => &[WORKLOAD_USER],
        // What is granted there is known by its condition.
        Holder::Bucket(_) => &[],
        Holder::Project => &[ACCESSOR, VIEWER],
        Holder::Secret(_) => &[ACCESSOR, VIEWER, ADDER, ADMIN],
    }
}

/// A role on something.
pub(super) type Place = (Holder, &'static str);

/// Each role with the rights that it is granted for.
pub(super) fn roles<'a>(
    rights: impl IntoIterator<Item = &'a Right>,
    grant: Grant,
) -> BTreeMap<Place, BTreeSet<&'a Right>> {
    let mut roles: BTreeMap<Place, BTreeSet<&Right>> = BTreeMap::new();
    for right in rights {
        let secret = || Holder::Secret(right.on.clone());
        let (holder, names): (Holder, &[&'static str]) = match right.kind {
            RightKind::Read if grant == Grant::Project => (Holder::Project, &[ACCESSOR]),
            RightKind::Read => (secret(), &[ACCESSOR]),
            RightKind::Metadata | RightKind::Versions => (secret(), &[VIEWER]),
            RightKind::Find | RightKind::FindByTags => (Holder::Project, &[VIEWER]),
            RightKind::Push => (secret(), &[VIEWER, ACCESSOR, ADDER]),
            RightKind::Update | RightKind::Delete => (secret(), &[ADMIN]),
        };
        for name in names {
            roles.entry((holder.clone(), name)).or_default().insert(right);
        }
    }
    // Who administers a secret needs no lesser role on it.
    let administered: BTreeSet<_> =
        roles.keys().filter(|(_, role)| *role == ADMIN).map(|(holder, _)| holder.clone()).collect();
    roles.retain(|(holder, role), _| *role == ADMIN || !administered.contains(holder));
    roles
}

/// What a role lets its holder do beyond what it is granted for; `None`: nothing.
pub(super) fn more((holder, role): &Place, rights: &BTreeSet<&Right>) -> Option<&'static str> {
    let only = |kinds: &[RightKind]| rights.iter().all(|right| kinds.contains(&right.kind));
    match (holder, *role) {
        (Holder::Project, ACCESSOR) => Some("the values of every secret of the project can be read with it"),
        (Holder::Project, VIEWER) => {
            Some("it shows names, labels, versions and policies of every secret of the project, and no value")
        }
        (_, VIEWER) if only(&[RightKind::Versions, RightKind::Metadata, RightKind::Push]) => {
            Some("there is no smaller predefined role; it also shows who may use this secret")
        }
        (_, ADMIN) => Some(
            "there is no smaller predefined role; with it this secret can also be read, destroyed and given to others",
        ),
        _ => None,
    }
}

/// The permissions that a right to write takes on a secret.
pub(super) fn permissions(kind: RightKind) -> &'static [&'static str] {
    match kind {
        RightKind::Push => {
            &["secretmanager.secrets.get", "secretmanager.versions.access", "secretmanager.versions.add"]
        }
        RightKind::Update => &["secretmanager.secrets.get", "secretmanager.secrets.update"],
        RightKind::Delete => &["secretmanager.secrets.get", "secretmanager.secrets.delete"],
        RightKind::Read => &["secretmanager.versions.access"],
        RightKind::Metadata => &["secretmanager.secrets.get"],
        RightKind::Versions => &["secretmanager.versions.list"],
        RightKind::Find | RightKind::FindByTags => &["secretmanager.secrets.list"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rights: &[Right], grant: Grant) -> Vec<(String, &'static str)> {
        let named = |holder: &Holder| match holder {
            Holder::Account(email) => email.clone(),
            Holder::Bucket(name) => name.clone(),
            Holder::Project => "project".to_owned(),
            Holder::Secret(name) => name.clone(),
        };
        roles(rights, grant).keys().map(|(holder, role)| (named(holder), *role)).collect()
    }

    #[test]
    fn each_right_gets_its_smallest_roles() {
        let right = |kind| [Right::new(kind, "db")];
        let on = |holder: &str, role| (holder.to_owned(), role);
        for (kind, expected) in [
            (RightKind::Read, vec![on("db", ACCESSOR)]),
            (RightKind::Metadata, vec![on("db", VIEWER)]),
            (RightKind::Versions, vec![on("db", VIEWER)]),
            (RightKind::Find, vec![on("project", VIEWER)]),
            (RightKind::FindByTags, vec![on("project", VIEWER)]),
            (RightKind::Push, vec![on("db", ACCESSOR), on("db", ADDER), on("db", VIEWER)]),
            (RightKind::Update, vec![on("db", ADMIN)]),
            (RightKind::Delete, vec![on("db", ADMIN)]),
        ] {
            let mut found = of(&right(kind), Grant::Secrets);
            found.sort_unstable();
            let mut expected = expected;
            expected.sort_unstable();
            assert_eq!(found, expected, "{kind:?}");
        }
        assert_eq!(of(&right(RightKind::Read), Grant::Project), [on("project", ACCESSOR)]);
        assert_eq!(of(&right(RightKind::Metadata), Grant::Project), [on("db", VIEWER)], "not on the project");
    }

    #[test]
    fn secret_admin_needs_no_lesser_role() {
        let rights = [Right::read("db"), Right::new(RightKind::Delete, "db"), Right::read("api")];
        assert_eq!(of(&rights, Grant::Secrets), [("api".to_owned(), ACCESSOR), ("db".to_owned(), ADMIN)]);
    }

    #[test]
    fn roles_that_give_more_say_so() {
        for right in RIGHTS_WITH_MORE {
            let right = Right::new(right, "db");
            let roles = roles([&right], Grant::Secrets);
            assert!(roles.iter().any(|(place, rights)| more(place, rights).is_some()), "{right}");
        }
        let read = Right::read("db");
        let roles = roles([&read], Grant::Secrets);
        assert!(roles.iter().all(|(place, rights)| more(place, rights).is_none()));
    }

    const RIGHTS_WITH_MORE: [RightKind; 7] = [
        RightKind::Metadata,
        RightKind::Versions,
        RightKind::Find,
        RightKind::FindByTags,
        RightKind::Push,
        RightKind::Update,
        RightKind::Delete,
    ];
}
