//! PURE. The way back: role, policy, and the auth method if we made it and nobody else uses it.

use super::{
    Settings, Step, mark,
    observe::Observed,
    plan::{change, is_our_role, leave, mount_object, policy_object, role_object, with_needs},
    wanted,
};
use crate::federation::{self, Change, Trust, Verb};

/// Everybody can write such a mark.
const UNKNOWN: &str = "it does not say which cluster it was made for, and does not believe this one";

pub(super) fn withdraw(
    settings: &Settings,
    want: &Trust,
    observed: &Observed,
    roles: &[String],
) -> Vec<Change> {
    let others: Vec<_> = roles.iter().filter(|role| **role != settings.role).map(String::as_str).collect();
    let changes = vec![
        role(settings, want, observed),
        policy(settings, want, observed),
        mount(settings, want, observed, &others),
    ];
    with_needs(settings, observed, changes)
}

fn role(settings: &Settings, want: &Trust, observed: &Observed) -> Change {
    let object = role_object(settings);
    let Some(role) = &observed.role else { return gone(&object) };
    if !is_our_role(settings, role) {
        let policy = wanted::policy_name(settings);
        return leave(&object, format!("somebody else's: it does not give the policy {policy}"));
    }
    if let Some(cluster) = mark::role_of_other_cluster(observed, want) {
        return of_other_cluster(&object, cluster);
    }
    let why = "no token of the workload is let in any more";
    change(Verb::Remove, &object, why, Vec::new(), Step::RemoveRole)
}

fn policy(settings: &Settings, want: &Trust, observed: &Observed) -> Change {
    let object = policy_object(settings);
    let Some(text) = &observed.policy else { return gone(&object) };
    let mark = mark::on_policy(text);
    if let Some(cluster) = mark.as_ref().and_then(|mark| mark.other_cluster(want)) {
        return of_other_cluster(&object, cluster);
    }
    let Some(mark) = mark.filter(|mark| mark::is_for_role(mark, settings)) else {
        return leave(&object, "somebody else's: its first line is not the one that keyless writes");
    };
    if mark.cluster.is_none() && !mark::is_this_clusters(observed, want) {
        return leave(&object, UNKNOWN);
    }
    change(Verb::Remove, &object, "nothing gives it any more", Vec::new(), Step::RemovePolicy)
}

fn mount(settings: &Settings, want: &Trust, observed: &Observed, other_roles: &[&str]) -> Change {
    let object = mount_object(settings);
    let Some(mount) = &observed.mount else { return gone(&object) };
    let Some(mark) = mark::on_mount(mount).filter(|_| mount.kind == "jwt") else {
        return leave(
            &object,
            "somebody else's: its description is not the one that keyless writes; its configuration stays",
        );
    };
    if let Some(cluster) = mark.other_cluster(want) {
        return of_other_cluster(&object, cluster);
    }
    if mark.cluster.is_none() && mark.of != mark::issuer(want) {
        return leave(&object, format!("it serves another issuer, {}", mark.of.escape_debug()));
    }
    if !mark::is_this_clusters(observed, want) {
        return leave(&object, UNKNOWN);
    }
    if !other_roles.is_empty() {
        let roles = other_roles.join(", ");
        return leave(
            &object,
            format!("other roles use it, and so it goes on believing {}: {roles}", want.issuer),
        );
    }
    let why = "its configuration goes with it, and every login made through it ends";
    change(Verb::Remove, &object, why, Vec::new(), Step::Unmount)
}

fn gone(object: &str) -> Change {
    Change { step: federation::Step::Gone, ..leave(object, "it is not there") }
}

fn of_other_cluster(object: &str, cluster: &str) -> Change {
    let left = leave(object, format!("it belongs to another cluster, {}", cluster.escape_debug()));
    Change { step: federation::Step::OfAnotherCluster, ..left }
}
