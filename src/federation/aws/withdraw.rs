//! PURE. The way back: policy, role, and the OIDC provider if we made it and nothing else uses it.

use super::{
    Settings, Step,
    observe::{Provider, Role},
    plan::{in_turn, others, policy_object, provider_object, role_object, step},
    wanted::{other_cluster, ownership, provider_arn, role_arn, subjects},
};
use crate::{
    federation::{Trust, Workload},
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
    let lets_in = have.and_then(|have| have.trust.as_ref()).and_then(subjects);
    let is_its = of.subject().is_ok_and(|subject| lets_in.is_some_and(|all| all == [subject.as_str()]));
    let is_of_another = have.is_some() && !is_its;
    let stays = |obstacle| match obstacle {
        Obstacle::Used if is_of_another => format!("it does not let in {} alone", of.account),
        Obstacle::Used => format!("it has policies that keyless did not write: {}", others(have)),
        obstacle => why(obstacle, other_cluster(mark, want)),
    };
    let arn = role_arn(settings);
    let of_policy = owner.filter(|_| have.is_some_and(|have| have.policy.is_some()));
    let policy = step(Action::Delete, &policy_object(settings), "nothing is read by it any more")
        .requires(format!("iam:DeleteRolePolicy on {arn}"));
    let role =
        step(Action::Delete, &role_object(settings), "no token of the workload gets its rights any more")
            .requires(format!("iam:DeleteRole on {arn}"));
    let used = is_of_another || have.is_some_and(|have| !have.others.is_empty());
    let mut all = vec![
        decided(of_policy, is_of_another, policy, Step::DeletePolicy, stays),
        decided(owner, used, role, Step::DeleteRole, stays),
    ];
    *before = in_turn(&mut all.iter_mut().map(|one| &mut one.change).collect::<Vec<_>>(), before.take());
    all
}

/// `roles`: those that trust it and stay.
pub(super) fn provider(
    settings: &Settings,
    want: &Trust,
    have: Option<&Provider>,
    roles: &[String],
    before: Option<String>,
) -> Withdrawn {
    let mark = have.and_then(|have| have.mark.as_deref());
    let owner = have.map(|_| ownership(mark, want));
    let arn = provider_arn(settings, want);
    let step =
        step(Action::Delete, &provider_object(want), "AWS does not take any token of the issuer any more")
            .requires(format!("iam:DeleteOpenIDConnectProvider on {arn}"));
    let stays = |obstacle| match obstacle {
        Obstacle::Used => format!("other roles trust it: {}", roles.join(", ").escape_debug()),
        obstacle => why(obstacle, other_cluster(mark, want)),
    };
    let mut one = decided(owner, !roles.is_empty(), step, Step::DeleteProvider(arn), stays).shared();
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
