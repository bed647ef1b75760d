//! PURE. Whether an object is still the one that a plan was made from. It is looked at again right before it is changed or
//! deleted: IAM takes no condition along with a write.

use serde_json::Value;

use super::{
    observe::{Policy, Provider, Role},
    policy,
};

/// A role as the plan saw it, and what earlier steps of the same plan make of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Before {
    seen: Role,
    /// The trust policy that is written before.
    trust: Option<Value>,
    /// What becomes of the policy before.
    policy: Option<Option<Policy>>,
}

impl Before {
    pub(super) fn of(seen: &Role) -> Self {
        Self { seen: seen.clone(), trust: None, policy: None }
    }

    /// An earlier step, or an earlier attempt, writes this trust policy.
    pub(super) fn or_trust(self, trust: &Value) -> Self {
        Self { trust: Some(trust.clone()), ..self }
    }

    /// An earlier step, or an earlier attempt, makes this of the policy.
    pub(super) fn or_policy(self, policy: Option<&Value>) -> Self {
        Self { policy: Some(policy.map(|it| Some(it.clone()))), ..self }
    }

    /// What is different by now.
    pub(super) fn differs(&self, now: &Role) -> Vec<&'static str> {
        let Self { seen, trust, policy } = self;
        let is_same = |one: &Value, other: &Value| policy::same(one, other);
        let trusts = match (&now.trust, &seen.trust, trust) {
            (Some(now), seen, written) => {
                [seen.as_ref(), written.as_ref()].into_iter().flatten().any(|it| is_same(it, now))
            }
            (None, seen, _) => seen.is_none(),
        };
        let has_policy = now.policy == seen.policy || Some(&now.policy) == policy.as_ref();
        [
            (now.mark == seen.mark, "its tag"),
            (trusts, "its trust policy"),
            (has_policy, "its policy"),
            (sorted(&now.others) == sorted(&seen.others), "its other policies"),
        ]
        .into_iter()
        .filter_map(|(is_same, what)| (!is_same).then_some(what))
        .collect()
    }
}

fn sorted(names: &[String]) -> Vec<&String> {
    let mut names: Vec<_> = names.iter().collect();
    names.sort();
    names
}

/// What is different of an OIDC provider by now.
pub(super) fn provider_differs(seen: &Provider, now: &Provider) -> Vec<&'static str> {
    [
        (now.mark == seen.mark, "its tag"),
        (sorted(&now.client_ids) == sorted(&seen.client_ids), "its client IDs"),
    ]
    .into_iter()
    .filter_map(|(is_same, what)| (!is_same).then_some(what))
    .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn role() -> Role {
        Role {
            trust: Some(json!({ "Statement": [{ "Effect": "Allow" }] })),
            mark: Some("ours".into()),
            policy: Some(Some(json!({ "Statement": [] }))),
            others: vec!["a".into(), "b".into()],
        }
    }

    #[test]
    fn every_change_is_named() {
        let before = Before::of(&role());
        assert!(before.differs(&role()).is_empty());
        assert!(before.differs(&Role { others: vec!["b".into(), "a".into()], ..role() }).is_empty());
        for (now, what) in [
            (Role { mark: None, ..role() }, "its tag"),
            (Role { mark: Some("other".into()), ..role() }, "its tag"),
            (Role { trust: None, ..role() }, "its trust policy"),
            (
                Role { trust: Some(json!({ "Statement": [{ "Effect": "Deny" }] })), ..role() },
                "its trust policy",
            ),
            (Role { policy: None, ..role() }, "its policy"),
            (Role { policy: Some(None), ..role() }, "its policy"),
            (Role { policy: Some(Some(json!({ "Statement": [{}] }))), ..role() }, "its policy"),
            (Role { others: vec!["a".into()], ..role() }, "its other policies"),
        ] {
            assert_eq!(before.differs(&now), [what], "{now:?}");
        }
    }

    #[test]
    fn own_earlier_steps_are_expected() {
        let (trust, policy) = (json!({ "Statement": ["new"] }), json!({ "Statement": ["more"] }));
        let now = Role { trust: Some(trust.clone()), policy: Some(Some(policy.clone())), ..role() };
        assert_eq!(Before::of(&role()).differs(&now).len(), 2);
        let before = Before::of(&role()).or_trust(&trust).or_policy(Some(&policy));
        assert!(before.differs(&now).is_empty() && before.differs(&role()).is_empty());
        let gone = Role { policy: None, ..role() };
        assert!(Before::of(&role()).or_policy(None).differs(&gone).is_empty());
    }

    #[test]
    fn provider_changed_is_named() {
        let seen = Provider { client_ids: vec!["a".into()], mark: Some("ours".into()) };
        assert!(provider_differs(&seen, &seen).is_empty());
        let other = Provider { client_ids: vec!["a".into(), "b".into()], mark: None };
        assert_eq!(provider_differs(&seen, &other), ["its tag", "its client IDs"]);
    }
}
