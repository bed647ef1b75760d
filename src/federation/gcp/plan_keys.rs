//! PURE. The uploaded keys of a provider that is there already, and nothing else of it.

use super::{
    Deed, Planned, Step,
    mark::of_provider,
    names::Ids,
    plan::{of_another_cluster, of_no_named_cluster, update_provider},
    state::Provider,
    wanted::{RULES, Wanted},
};
use crate::{
    error::{Code, Error, Result},
    federation::{
        Trust, not_set_up,
        resource::{leave, step},
    },
    google::needs,
    plan::{
        Action, Change, Desired, Fit, Foreign, Observed, Obstacle, Permits, UNCHANGED, USED, decide,
        ownership::Ownership,
    },
};

/// `found`: the provider that the settings name. Of `want`, issuer, cluster and keys count.
pub(super) fn plan(want: &Trust, ids: &Ids, found: Option<&Provider>) -> Result<Planned> {
    RULES.check(want)?;
    let object = ids.shown_provider();
    let found = found.filter(|found| !found.life.deleted);
    let Some(found) = found else { return Err(not_set_up(&object, "it is not there")) };
    let ownership = of_provider(found, want);
    let (differences, patch) = Wanted::new(want)?.key_changes(found);
    let fit = if found.is_oidc { Fit::of(differences.is_empty()) } else { Fit::Unfit };
    let observed = Observed::Present { ownership, lifecycle: found.life.lifecycle(), fit };
    let permits = Permits { create: false, foreign: Foreign::Use };
    let action = decide(Desired::Present(permits), observed).map_err(|obstacle| {
        let update = update_provider(ids);
        match obstacle {
            Obstacle::OtherCluster => of_another_cluster(&object, &found.life, want, ids, &update),
            Obstacle::Unproven => of_no_named_cluster(&object, &found.life, want, ids, &update),
            Obstacle::OtherIssuer => not_set_up(&object, "it believes another issuer"),
            Obstacle::Missing | Obstacle::Foreign | Obstacle::Unfit | Obstacle::Used => Error::failed(
                Code::GoogleProviderForeign,
                format!("the {object} was not made by keyless, and has other keys than the cluster"),
            )
            .hint("upload the keys as its owner, or name a provider of keyless's own: google.provider"),
        }
    })?;
    let why = match () {
        () if action == Action::Enable => Some("it is disabled"),
        () if found.issuer != want.issuer.as_str() => Some("it believes another issuer"),
        () if found.jwks.is_empty() => Some("it fetches the keys from its issuer"),
        () => None,
    };
    if let Some(why) = why {
        return Err(not_set_up(&object, why));
    }
    if action == Action::NoOp {
        let why = if ownership == Ownership::Foreign { USED } else { UNCHANGED };
        return Ok(leave(object, why.to_owned()));
    }
    let on = format!("the project {}", ids.project);
    let step = step(Action::Update, object, "the keys that Google verifies the cluster's tokens with")
        .fields(differences)
        .requires(needs("iam.workloadIdentityPoolProviders.update", &on));
    Ok(Change::new(step, Step::Provider(Deed::Upload(patch))))
}

#[cfg(test)]
mod tests {
    use lab::{Curve, SigningKey};
    use serde_json::json;

    use super::{
        super::tests::{ISSUER, keys, trust},
        *,
    };
    use crate::plan::ownership::older_mark;

    /// What is to be uploaded holds what the provider has: that does not show whose it is.
    #[test]
    fn old_mark_with_other_keys_refused() {
        let (own, other) = (SigningKey::ec(Curve::P256), SigningKey::ec(Curve::P256));
        let ids = Ids::parse("acme-prod", "keyless-lab", "cluster").unwrap();
        let provider = |given: &[&SigningKey]| {
            Provider::read(&json!({
                "name": "cluster",
                "description": older_mark(ISSUER),
                "oidc": {"issuerUri": ISSUER, "jwksJson": keys(given).to_json()},
            }))
        };
        let want = Trust { proof: Some(keys(&[&own])), ..trust(&[&own, &other]) };
        let refused = plan(&want, &ids, Some(&provider(&[&other]))).unwrap_err();
        assert_eq!(refused.code, Code::GoogleOwnerUnknown, "{refused}");
        let change = plan(&want, &ids, Some(&provider(&[&own]))).unwrap();
        assert_eq!(change.step.action, Action::Update);
    }
}
