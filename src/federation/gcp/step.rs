//! How a change is done, as values.

use serde_json::Value;

use super::Holder;
use crate::{
    google::{Condition, Policy},
    plan::Change,
};

/// How a change is done.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Services of the project.
    Enable(Vec<&'static str>),
    Grant(Binding),
    /// Under the new condition, in place of the old ones.
    GrantIf {
        binding: Binding,
        old: Vec<Condition>,
        new: Condition,
    },
    Pool(Deed),
    Provider(Deed),
    Revoke(Binding),
    /// Under these conditions.
    RevokeIf {
        binding: Binding,
        old: Vec<Condition>,
    },
}

/// A role that a member has, or shall have, on something.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub(super) holder: Holder,
    pub(super) role: &'static str,
    pub(super) member: String,
    /// The policy that was planned from: written back without reading it again, if no other client has changed it since.
    pub(super) seen: Option<Policy>,
}

/// What is done to a pool or provider.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    Create(Value),
    Delete,
    Patch(Patch),
    /// Patched once: another change that is under way may be another publisher's, which this body does not know.
    Upload(Patch),
    /// Undeleted, and patched where it differs.
    Restore(Patch),
}

/// A body, and the mask without which Google would write nothing of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(super) mask: String,
    pub(super) body: Value,
}

impl Step {
    /// For the tests of code that does changes.
    #[cfg(test)]
    pub(crate) fn grant_on(secret: &str) -> Self {
        let holder = Holder::Secret(secret.to_owned());
        Self::Grant(Binding { holder, role: "roles/x", member: "m".to_owned(), seen: None })
    }

    fn binding(&self) -> Option<&Binding> {
        match self {
            Self::Grant(binding) | Self::Revoke(binding) => Some(binding),
            Self::GrantIf { binding, .. } | Self::RevokeIf { binding, .. } => Some(binding),
            Self::Enable(_) | Self::Pool(_) | Self::Provider(_) => None,
        }
    }

    /// In a new pool, no token is accepted before its provider is there, so a grant need not wait for the provider.
    fn is_apart_from(&self, earlier: &Self) -> bool {
        matches!(self, Self::Grant(_)) && matches!(earlier, Self::Provider(Deed::Create(_)))
    }

    /// Whether it must not begin before an earlier step of the same plan is over.
    pub(crate) fn waits_for(&self, earlier: &Self) -> bool {
        if let Some((one, other)) = self.binding().zip(earlier.binding()) {
            // Each thing has a policy of its own.
            return one.holder == other.holder;
        }
        match (self, earlier) {
            // The services that tokens come by later do not matter to a pool.
            (Self::Pool(_), Self::Enable(services)) => services.contains(&"iam.googleapis.com"),
            _ => true,
        }
    }
}

/// Has each change name the earlier ones that it waits for.
pub(super) fn ordered(mut changes: Vec<&mut Change<Step>>) {
    let is_new = |change: &&mut Change<Step>| matches!(change.act, Some(Step::Pool(Deed::Create(_))));
    let pool_is_new = changes.iter().any(is_new);
    for index in 1..changes.len() {
        let (earlier, rest) = changes.split_at_mut(index);
        let Some(act) = &rest[0].act else { continue };
        let waits_for = |earlier: &&&mut Change<Step>| {
            let waits = |it| act.waits_for(it) && !(pool_is_new && act.is_apart_from(it));
            earlier.act.as_ref().is_some_and(waits)
        };
        rest[0].step.depends_on =
            earlier.iter().filter(waits_for).map(|earlier| earlier.step.name.clone()).collect();
    }
}

impl Patch {
    pub(super) fn is_empty(&self) -> bool {
        self.mask.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::Target;

    #[test]
    fn grant_in_new_pool_waits_less() {
        let deeds = |pool: Deed, provider: Deed| {
            let change = |name: &str, act| Change {
                act: Some(act),
                ..Change::no_op(Target::ProviderResource, name, "")
            };
            let mut all = [
                change("pool", Step::Pool(pool)),
                change("provider", Step::Provider(provider)),
                change("grant", Step::grant_on("a")),
            ];
            ordered(all.iter_mut().collect());
            all.map(|it| it.step.depends_on)
        };
        let create = || Deed::Create(json!({}));
        let waits = deeds(create(), create());
        assert_eq!(waits, [vec![], vec!["pool".to_owned()], vec!["pool".to_owned()]]);
        let both = vec!["pool".to_owned(), "provider".to_owned()];
        assert_eq!(deeds(Deed::Patch(Patch::default()), create())[2], both, "others may be in it");
        assert_eq!(deeds(create(), Deed::Patch(Patch::default()))[2], both);
        assert_eq!(deeds(Deed::Restore(Patch::default()), create())[2], both);
    }

    #[test]
    fn bindings_on_different_resources_are_independent() {
        let (a, b) = (Step::grant_on("a"), Step::grant_on("b"));
        let Step::Grant(binding) = a.clone() else { panic!() };
        let revoked = Step::Revoke(binding);
        assert!(!b.waits_for(&a) && !b.waits_for(&revoked) && !revoked.waits_for(&b));
        assert!(a.waits_for(&revoked), "one policy is changed by one after the other");
        let pool = Step::Pool(Deed::Create(json!({})));
        let provider = Step::Provider(Deed::Create(json!({})));
        assert!(a.waits_for(&provider) && provider.waits_for(&pool));
        assert!(Step::Provider(Deed::Delete).waits_for(&revoked));
        assert!(!pool.waits_for(&Step::Enable(vec!["sts.googleapis.com"])));
        assert!(pool.waits_for(&Step::Enable(vec!["iam.googleapis.com", "sts.googleapis.com"])));
    }
}
