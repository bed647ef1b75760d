//! PURE. The way back: roles, federated credential, identity. Only what is marked as ours.

use super::{
    Settings, Step,
    observe::Identity,
    plan::{credential_object, identity_object, others, ours_elsewhere, ours_here, own},
    wanted::{CREDENTIAL, lets_in_only, other_cluster, ownership},
};
use crate::{
    federation::{
        After, Trust, Workload,
        resource::{in_turn, step},
    },
    plan::{Action, Desired, Fit, Observed, Obstacle, decide},
};

/// One part of the way back.
type Withdrawn = crate::federation::Withdrawn<Step>;

/// What a workload has; `settings` name its identity. `before`: the step that comes before it, then the last.
pub(super) fn workload(
    settings: &Settings,
    want: &Trust,
    of: &Workload,
    have: Option<&Identity>,
    before: &mut Option<String>,
) -> Vec<Withdrawn> {
    const GONE: &str = "it is not there";
    let object = identity_object(settings);
    let Some(have) = have else {
        return vec![Withdrawn::left(After::Gone, object, GONE)];
    };
    let owner = ownership(have.mark.as_deref(), want);
    // Another store's workload may have it by now: its login is not taken away.
    let is_of_another = !have.credentials.is_empty() && !lets_in_only(&have.credentials, of);
    let (others, elsewhere) = (others(want, have), ours_elsewhere(want, have));
    let stays = |obstacle| match obstacle {
        Obstacle::Used if is_of_another => format!("it is not known to let in {} alone", of.account),
        Obstacle::Used if !elsewhere.is_empty() => {
            format!("a store of another vault needs it: it has {elsewhere}")
        }
        Obstacle::Used if others.is_empty() => format!(
            "its roles away from the vault are not known: {}",
            have.unseen.as_deref().unwrap_or_default()
        ),
        Obstacle::Used => format!("it has roles that keyless did not assign: {others}"),
        Obstacle::OtherCluster => format!(
            "it belongs to another cluster, {}",
            other_cluster(have.mark.as_deref(), want).unwrap_or_default().escape_debug()
        ),
        Obstacle::Unproven | Obstacle::OtherIssuer => {
            "its tag does not say which cluster it was made for".to_owned()
        }
        _ => "keyless did not make it: it has no tag that says so".to_owned(),
    };
    let decided = |used_by_others, step, act| {
        let decision = decide(Desired::Absent { used_by_others }, Observed::active(owner, Fit::Equal));
        Withdrawn::decided(decision, step, act, GONE, stays)
    };
    let id = settings.identity_id();
    let mut all = Vec::new();
    for seen in ours_here(have, &want.cluster_id) {
        let object = format!("role {} for {}", seen.shown, settings.identity);
        let step = step(Action::Delete, &object, "nothing is read by it any more")
            .requires(format!("Microsoft.Authorization/roleAssignments/delete on {}", seen.id));
        all.push(decided(is_of_another, step, Step::Unassign(seen.clone())));
    }
    // A role that stays tells that another store may log in as it.
    let used = is_of_another || !others.is_empty() || !elsewhere.is_empty() || have.unseen.is_some();
    if let Some(seen) = own(have) {
        let step = step(
            Action::Delete,
            credential_object(settings),
            "no token of the workload becomes the identity any more",
        )
        .requires(format!(
            "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/delete on {id}"
        ));
        all.push(decided(used, step, Step::DeleteCredential(seen.clone())));
    }
    let step = step(Action::Delete, &object, "nothing logs in as it any more")
        .requires(format!("Microsoft.ManagedIdentity/userAssignedIdentities/delete on {id}"));
    all.push(decided(used, step, Step::DeleteIdentity(Box::new(emptied(have, want)))));
    *before = in_turn(&mut all.iter_mut().map(|one| &mut one.change).collect::<Vec<_>>(), before.take());
    all
}

/// What is left of it once the steps before have been done.
fn emptied(have: &Identity, want: &Trust) -> Identity {
    let mut left = have.clone();
    left.credentials.retain(|it| it.name != CREDENTIAL);
    let gone: Vec<_> = ours_here(have, &want.cluster_id).map(|it| it.id.clone()).collect();
    left.assignments.retain(|it| !gone.contains(&it.id));
    left
}
