//! PURE. The way back: policy, role, and the OIDC provider if we made it and nothing else uses it.

use super::{
    Settings, Step,
    again::Before,
    observe::{Provider, Role},
    plan::{is_ours_alone, others, policy_object, provider_object, role_object},
    wanted::{lets_in_only, other_cluster, ownership, provider_arn, role_arn},
};
use crate::{
    federation::{
        After, Trust, Workload,
        resource::{in_turn, step},
    },
    plan::{self, Action, Desired, Fit, Observed, Obstacle, decide, ownership::Ownership},
};

/// One part of the way back.
type Withdrawn = crate::federation::Withdrawn<Step>;

/// Policy and role of a workload; `settings` name its role. `before`: the step that comes before them, then the last.
pub(super) fn workload(
    settings: &Settings,
    want: &Trust,
    of: &Workload,
    have: Option<&Role>,
    before: &mut Option<String>,
) -> Vec<Withdrawn> {
    let mark = have.and_then(|have| have.mark.as_deref());
    let owner = have.map(|_| ownership(mark, want));
    // Another store's workload may have it by now: its login is not taken away.
    let is_its = lets_in_only(settings, have.and_then(|have| have.trust.as_ref()), of);
    let is_of_another = have.is_some() && !is_its;
    let others = have.map(|have| others(settings, have)).filter(|others| !others.is_empty());
    let stays = |obstacle| match obstacle {
        Obstacle::Used if is_of_another => format!("it is not known to let in {} alone", of.account),
        Obstacle::Used => {
            format!("it has what keyless did not write: {}", others.as_deref().unwrap_or_default())
        }
        obstacle => why(obstacle, other_cluster(mark, want)),
    };
    let arn = role_arn(settings);
    let of_policy = owner.filter(|_| have.is_some_and(|have| have.policy.is_some()));
    let unused = match of.publishes {
        Some(_) => "the publisher does not write the documents any more",
        None => "nothing is read by it any more",
    };
    let policy = step(Action::Delete, policy_object(settings), unused)
        .requires(format!("iam:DeleteRolePolicy on {arn}"));
    let role =
        step(Action::Delete, role_object(settings), "no token of the workload gets its rights any more")
            .requires(format!("iam:DeleteRole on {arn}"));
    let used = is_of_another || others.is_some();
    // What a person wrote into the policy goes only with that person's consent.
    let keeps = is_of_another || have.is_some_and(|have| !is_ours_alone(settings, have));
    let mut all = vec![
        decided(of_policy, keeps, policy, have.map(|have| Step::DeletePolicy(before_of(have))), stays),
        decided(owner, used, role, have.map(|have| Step::DeleteRole(before_of(have))), stays),
    ];
    *before = in_turn(&mut all.iter_mut().map(|one| &mut one.change).collect::<Vec<_>>(), before.take());
    all
}

/// The role as the plan saw it; its policy goes first.
fn before_of(have: &Role) -> Box<Before> {
    Box::new(Before::of(have).or_policy(None))
}

/// `roles`: those that trust it and stay, and those that this plan deletes.
pub(super) fn provider(
    settings: &Settings,
    want: &Trust,
    have: Option<&Provider>,
    (roles, gone): (&[String], Vec<String>),
    before: Option<String>,
) -> Withdrawn {
    let mark = have.and_then(|have| have.mark.as_deref());
    let owner = have.map(|_| ownership(mark, want));
    let arn = provider_arn(settings, want);
    let step =
        step(Action::Delete, provider_object(want), "AWS does not take any token of the issuer any more")
            .requires(format!("iam:DeleteOpenIDConnectProvider on {arn}"));
    let stays = |obstacle| match obstacle {
        Obstacle::Used => format!("other roles trust it: {}", roles.join(", ").escape_debug()),
        obstacle => why(obstacle, other_cluster(mark, want)),
    };
    let act = have.map(|seen| Step::DeleteProvider { arn, seen: seen.clone(), roles: gone });
    let mut one = decided(owner, !roles.is_empty(), step, act, stays).shared();
    in_turn(&mut [&mut one.change], before);
    one
}

fn why(obstacle: Obstacle, cluster: Option<&str>) -> String {
    match obstacle {
        Obstacle::OtherCluster => {
            format!("it belongs to another cluster, {}", cluster.unwrap_or_default().escape_debug())
        }
        Obstacle::Unproven | Obstacle::OtherIssuer => {
            "its tag does not say which cluster it was made for".to_owned()
        }
        _ => "keyless did not make it: it has no tag that says so".to_owned(),
    }
}

/// `ownership`, `act`: `None` of what is not there.
fn decided(
    ownership: Option<Ownership>,
    used_by_others: bool,
    step: plan::Step,
    act: Option<Step>,
    stays: impl FnOnce(Obstacle) -> String,
) -> Withdrawn {
    const GONE: &str = "it is not there";
    let Some(act) = act else { return Withdrawn::left(After::Gone, step.name, GONE) };
    let observed = ownership.map_or(Observed::Absent, |ownership| Observed::active(ownership, Fit::Equal));
    let decision = decide(Desired::Absent { used_by_others }, observed);
    Withdrawn::decided(decision, step, act, GONE, stays)
}
