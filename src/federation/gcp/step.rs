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
    for index in 1..changes.len() {
        let (earlier, rest) = changes.split_at_mut(index);
        let Some(act) = &rest[0].act else { continue };
        let waits_for =
            |earlier: &&&mut Change<Step>| earlier.act.as_ref().is_some_and(|it| act.waits_for(it));
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
