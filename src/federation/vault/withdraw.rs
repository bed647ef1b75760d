//! PURE. The way back: role, policy, and the auth method if we made it and nothing else uses it.

use super::{
    Settings, Step, mark, observe,
    plan::{in_turn, mount_object, policy_object, role_object},
    wanted,
};
use crate::{
    federation::{Trust, resource::step},
    plan::{self, Action, Desired, Fit, Observed, Obstacle, decide, ownership::Ownership},
};

/// One part of the way back.
type Withdrawn = crate::federation::Withdrawn<Step>;

/// Everybody can write such a mark.
const UNKNOWN: &str = "it does not say which cluster it was made for, and does not believe this one";

/// `roles`: all of the auth method, but those of other workloads that go. `before`: the step that comes before.
pub(super) fn withdraw(
    settings: &Settings,
    want: &Trust,
    observed: &observe::Observed,
    roles: &[String],
    before: Option<String>,
) -> Vec<Withdrawn> {
    let others: Vec<_> = roles.iter().filter(|role| **role != settings.role).map(String::as_str).collect();
    let mut all = vec![
        role(settings, want, observed),
        policy(settings, want, observed),
        mount(settings, want, observed, &others).shared(),
    ];
    in_turn(settings, observed, &mut all.iter_mut().map(|one| &mut one.change).collect::<Vec<_>>(), before);
    all
}

/// Role and policy of a workload beside the first; `settings` name its role. `before`: the step that comes before them,
/// then the last of them.
pub(super) fn further(
    settings: &Settings,
    want: &Trust,
    observed: &observe::Observed,
    before: &mut Option<String>,
) -> Vec<Withdrawn> {
    let mut all = vec![role(settings, want, observed), policy(settings, want, observed)];
    let mut changes: Vec<_> = all.iter_mut().map(|one| &mut one.change).collect();
    *before = in_turn(settings, observed, &mut changes, before.take());
    all
}

fn role(settings: &Settings, want: &Trust, observed: &observe::Observed) -> Withdrawn {
    let step = remove(role_object(settings), "no token of the workload is let in any more");
    let ownership = observed.role.as_ref().map(|role| mark::role_ownership(role, settings, observed, want));
    decided(ownership, false, step, Step::RemoveRole, |obstacle| match obstacle {
        Obstacle::OtherCluster => of_other_cluster(mark::other_cluster(observed, want)),
        _ => {
            format!("keyless did not make it: it does not give the policy {}", wanted::policy_name(settings))
        }
    })
}

fn policy(settings: &Settings, want: &Trust, observed: &observe::Observed) -> Withdrawn {
    let step = remove(policy_object(settings), "nothing gives it any more");
    let ownership =
        observed.policy.as_deref().map(|text| mark::policy_ownership(text, settings, observed, want));
    decided(ownership, false, step, Step::RemovePolicy, |obstacle| match obstacle {
        Obstacle::OtherCluster => of_other_cluster(mark::policy_of_other(observed, want)),
        Obstacle::Unproven => UNKNOWN.to_owned(),
        _ => "keyless did not make it: its first line is not the one that keyless writes".to_owned(),
    })
}

fn mount(settings: &Settings, want: &Trust, observed: &observe::Observed, other_roles: &[&str]) -> Withdrawn {
    let step = remove(
        mount_object(settings),
        "its configuration goes with it, and every login made through it ends",
    );
    let ownership = observed.mount.as_ref().map(|mount| mark::mount_ownership(mount, observed, want));
    let used_by_others = !other_roles.is_empty();
    decided(ownership, used_by_others, step, Step::Unmount, |obstacle| {
        match obstacle {
        Obstacle::OtherCluster => of_other_cluster(mark::mount_of_other(observed, want)),
        Obstacle::OtherIssuer => {
            let mark = observed.mount.as_ref().and_then(mark::on_mount);
            let serves = mark.map_or("", |mark| mark.of).escape_debug();
            format!("it serves another issuer, {serves}")
        }
        Obstacle::Unproven => UNKNOWN.to_owned(),
        Obstacle::Used => {
            format!("other roles use it, and so it goes on believing {}: {}", want.issuer, other_roles.join(", "))
        }
        _ => "keyless did not make it: its description is not the one that keyless writes; its configuration stays"
            .to_owned(),
    }
    })
}

fn remove(object: String, why: &str) -> plan::Step {
    step(Action::Delete, &object, why)
}

/// `ownership`: `None` of what is not there.
fn decided(
    ownership: Option<Ownership>,
    used_by_others: bool,
    step: plan::Step,
    act: Step,
    stays: impl FnOnce(Obstacle) -> String,
) -> Withdrawn {
    let observed = ownership.map_or(Observed::Absent, |ownership| Observed::active(ownership, Fit::Equal));
    let decision = decide(Desired::Absent { used_by_others }, observed);
    Withdrawn::decided(decision, step, act, "it is not there", stays)
}

fn of_other_cluster(cluster: Option<&str>) -> String {
    format!("it belongs to another cluster, {}", cluster.unwrap_or_default().escape_debug())
}
