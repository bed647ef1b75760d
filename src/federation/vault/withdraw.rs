//! PURE. The way back: role, policy, and the auth method if we made it and nobody else uses it.

use super::{
    Settings, Step, mark,
    observe::Observed,
    plan::{in_turn, is_our_role, mount_object, policy_object, role_object, step},
    wanted,
};
use crate::{
    federation::{After, Trust},
    plan::Action,
};

/// One part of the way back.
type Withdrawn = crate::federation::Withdrawn<Step>;

/// Everybody can write such a mark.
const UNKNOWN: &str = "it does not say which cluster it was made for, and does not believe this one";

pub(super) fn withdraw(
    settings: &Settings,
    want: &Trust,
    observed: &Observed,
    roles: &[String],
) -> Vec<Withdrawn> {
    let others: Vec<_> = roles.iter().filter(|role| **role != settings.role).map(String::as_str).collect();
    let mut all = vec![
        role(settings, want, observed),
        policy(settings, want, observed),
        mount(settings, want, observed, &others),
    ];
    in_turn(settings, observed, &mut all.iter_mut().map(|one| &mut one.change).collect::<Vec<_>>());
    all
}

fn role(settings: &Settings, want: &Trust, observed: &Observed) -> Withdrawn {
    let object = role_object(settings);
    let Some(role) = &observed.role else { return gone(&object) };
    if !is_our_role(settings, role) {
        let policy = wanted::policy_name(settings);
        return stays(&object, format!("somebody else's: it does not give the policy {policy}"));
    }
    if let Some(cluster) = mark::role_of_other_cluster(observed, want) {
        return of_other_cluster(&object, cluster);
    }
    let why = "no token of the workload is let in any more";
    goes(&object, why, Step::RemoveRole)
}

fn policy(settings: &Settings, want: &Trust, observed: &Observed) -> Withdrawn {
    let object = policy_object(settings);
    let Some(text) = &observed.policy else { return gone(&object) };
    let mark = mark::on_policy(text);
    if let Some(cluster) = mark.as_ref().and_then(|mark| mark.other_cluster(want)) {
        return of_other_cluster(&object, cluster);
    }
    let Some(mark) = mark.filter(|mark| mark::is_for_role(mark, settings)) else {
        return stays(&object, "somebody else's: its first line is not the one that keyless writes");
    };
    if mark.cluster.is_none() && !mark::is_this_clusters(observed, want) {
        return stays(&object, UNKNOWN);
    }
    goes(&object, "nothing gives it any more", Step::RemovePolicy)
}

fn mount(settings: &Settings, want: &Trust, observed: &Observed, other_roles: &[&str]) -> Withdrawn {
    let object = mount_object(settings);
    let Some(mount) = &observed.mount else { return gone(&object) };
    let Some(mark) = mark::on_mount(mount).filter(|_| mount.kind == "jwt") else {
        return stays(
            &object,
            "somebody else's: its description is not the one that keyless writes; its configuration stays",
        );
    };
    if let Some(cluster) = mark.other_cluster(want) {
        return of_other_cluster(&object, cluster);
    }
    if mark.cluster.is_none() && mark.of != mark::issuer(want) {
        return stays(&object, format!("it serves another issuer, {}", mark.of.escape_debug()));
    }
    if !mark::is_this_clusters(observed, want) {
        return stays(&object, UNKNOWN);
    }
    if !other_roles.is_empty() {
        let roles = other_roles.join(", ");
        return stays(
            &object,
            format!("other roles use it, and so it goes on believing {}: {roles}", want.issuer),
        );
    }
    let why = "its configuration goes with it, and every login made through it ends";
    goes(&object, why, Step::Unmount)
}

fn goes(object: &str, why: &str, act: Step) -> Withdrawn {
    Withdrawn::goes(step(Action::Delete, object, why), act)
}

fn stays(object: &str, why: impl Into<String>) -> Withdrawn {
    Withdrawn::left(After::Stays, object, why)
}

fn gone(object: &str) -> Withdrawn {
    Withdrawn::left(After::Gone, object, "it is not there")
}

fn of_other_cluster(object: &str, cluster: &str) -> Withdrawn {
    let why = format!("it belongs to another cluster, {}", cluster.escape_debug());
    Withdrawn::left(After::OfAnotherCluster, object, why)
}
