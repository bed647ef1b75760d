//! What a command is about to change: planned once, shown, then applied as shown.
//!
//! ```text
//!  desired × observed ─► Step + how it is done ─► Change, Change, … ─┬─► show       lines for people
//!                                                                    ├─► Serialize  JSON
//!                                                                    └─► apply      in the order of `depends_on`
//! ```
//!
//! A [`Step`] is a value. How it is done is an [`Act`] of the domain that planned it, and opaque to everything else.

mod apply;
mod decide;
mod gate;
pub(crate) mod ownership;
mod saved;
mod schema;
mod show;
mod summary;

use std::fmt;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Serialize, Serializer, ser::SerializeStruct};
use serde_json::Value;

pub(crate) use self::{
    apply::{apply, apply_beside, apply_noting},
    decide::{Desired, Fit, Foreign, Lifecycle, Observed, Obstacle, Permits, UNCHANGED, USED, decide},
    gate::Gate,
    saved::SavedPlan,
    schema::schema,
    summary::Summary,
};
use crate::{error::Result, warning::Warning};

/// What a step changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Target {
    /// The bucket itself, or who may read it.
    Bucket,
    ClusterObject,
    /// An object in the bucket.
    Document,
    /// A long-lived key.
    Key,
    ProviderResource,
    SettingsFile,
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    Create,
    Delete,
    Disable,
    Enable,
    Grant,
    /// Nothing: it is shown because a reader may expect a change.
    NoOp,
    /// From a soft-deleted state.
    Restore,
    Revoke,
    Update,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Step {
    pub(crate) target: Target,
    pub(crate) action: Action,
    /// Names it in this plan, e.g. `bucket policy of s3://acme-oidc`. Each name once.
    pub(crate) name: String,
    pub(crate) reason: String,
    pub(crate) fields: Vec<FieldChange>,
    /// The permissions that it takes, in the provider's own words.
    pub(crate) requires: Vec<String>,
    /// Names of the steps that must be done before.
    pub(crate) depends_on: Vec<String>,
    pub(crate) gate: Option<Gate>,
}

/// One field that differs between what is observed and what is desired.
#[derive(Clone, Debug, PartialEq, JsonSchema)]
pub(crate) struct FieldChange {
    /// E.g. `jwks_uri`, `spec.provider.gcpsm.projectID`.
    pub(crate) path: String,
    /// `None`: it is not there.
    pub(crate) before: Option<Value>,
    /// `None`: it goes away.
    pub(crate) after: Option<Value>,
    /// Neither value is shown, in any form. Private: a change is made by [`Self::new`] or [`Self::sensitive`].
    sensitive: bool,
}

/// Everything that a command would change, in the order in which it is applied. Its form as JSON: `keyless config schema plan`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    pub(crate) notes: Vec<Warning>,
}

impl Step {
    pub(crate) fn new(
        target: Target,
        action: Action,
        name: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            target,
            action,
            name: name.into(),
            reason: reason.into(),
            fields: Vec::new(),
            requires: Vec::new(),
            depends_on: Vec::new(),
            gate: None,
        }
    }

    pub(crate) fn field(
        mut self,
        path: impl Into<String>,
        before: Option<Value>,
        after: Option<Value>,
    ) -> Self {
        self.fields.push(FieldChange::new(path, before, after));
        self
    }

    pub(crate) fn fields(mut self, fields: impl IntoIterator<Item = FieldChange>) -> Self {
        self.fields.extend(fields);
        self
    }

    pub(crate) fn requires(mut self, permission: impl Into<String>) -> Self {
        self.requires.push(permission.into());
        self
    }

    pub(crate) fn gated(mut self, gate: impl Into<Option<Gate>>) -> Self {
        self.gate = gate.into();
        self
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.action != Action::NoOp
    }

    /// Whether the run that shows it does it, once its gate opens.
    pub(crate) fn is_of_this_run(&self) -> bool {
        self.is_pending() && !self.gate.is_some_and(Gate::is_later)
    }

    /// The permissions that it takes, in one line.
    #[cfg(test)]
    pub(crate) fn needs(&self) -> String {
        self.requires.join(", ")
    }

    /// Nothing changes; a reader may expect that something does.
    pub(crate) fn no_op(target: Target, name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(target, Action::NoOp, name, reason)
    }
}

impl FieldChange {
    /// Of a field that is known to hold no secret: both values are shown, and saved. The code that makes a change knows
    /// what it is; where others determine which fields there are, what is not known is [`Self::sensitive`].
    pub(crate) fn new(path: impl Into<String>, before: Option<Value>, after: Option<Value>) -> Self {
        Self { path: path.into(), before, after, sensitive: false }
    }

    /// One whose values must not be shown, and so are not kept.
    pub(crate) fn sensitive(path: impl Into<String>) -> Self {
        Self { path: path.into(), before: None, after: None, sensitive: true }
    }
}

/// Gets the reasons of waiting.
pub(crate) type Say<'a> = &'a mut (dyn for<'b> FnMut(&'b str) + Send);

/// How a step is done.
#[async_trait]
pub(crate) trait Act: Send + Sync {
    /// Does it, and waits until it is done. Safe to repeat.
    async fn run(&self, say: Say<'_>) -> Result<()>;

    /// Whether it says itself what it does, and its errors what that takes.
    fn speaks(&self) -> bool {
        false
    }
}

/// A step, and how it is done: nothing is done without a step that shows it.
#[derive(Clone)]
pub(crate) struct Change<A> {
    pub(crate) step: Step,
    /// `None`: there is nothing to do.
    pub(crate) act: Option<A>,
}

impl<A> Change<A> {
    pub(crate) fn new(step: Step, act: A) -> Self {
        Self { step, act: Some(act) }
    }

    pub(crate) fn no_op(target: Target, name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { step: Step::no_op(target, name, reason), act: None }
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.step.is_pending()
    }

    /// With a permission that it takes.
    pub(crate) fn requires(mut self, permission: String) -> Self {
        self.step.requires.push(permission);
        self
    }

    pub(crate) fn map<B>(self, act: impl FnOnce(A) -> B) -> Change<B> {
        Change { step: self.step, act: self.act.map(act) }
    }
}

impl Change<Box<dyn Act + '_>> {
    pub(crate) async fn run(&self, say: Say<'_>) -> Result<()> {
        match &self.act {
            Some(act) => act.run(say).await,
            None => Ok(()),
        }
    }

    fn speaks(&self) -> bool {
        self.act.as_ref().is_some_and(|act| act.speaks())
    }
}

impl<A> fmt::Debug for Change<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.step.fmt(f)
    }
}

impl Plan {
    pub(crate) fn summary(&self) -> Summary {
        Summary::of(&self.steps)
    }

    /// Steps that change something, in this run.
    pub(crate) fn pending(&self) -> usize {
        self.summary().pending()
    }

    /// Adds a step that waits for the one before it.
    pub(crate) fn then(&mut self, mut step: Step) {
        step.depends_on.extend(self.steps.last().map(|before| before.name.clone()));
        self.steps.push(step);
    }

    /// The same for a change, which waits as its step does.
    pub(crate) fn then_change<A>(&mut self, change: &mut Change<A>) {
        self.then(change.step.clone());
        change.step.depends_on = self.steps.last().map(|step| step.depends_on.clone()).unwrap_or_default();
    }
}

impl Serialize for FieldChange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shown = |value: &Option<Value>| value.clone().filter(|_| !self.sensitive);
        let mut change = serializer.serialize_struct("FieldChange", 4)?;
        change.serialize_field("path", &self.path)?;
        change.serialize_field("before", &shown(&self.before))?;
        change.serialize_field("after", &shown(&self.after))?;
        change.serialize_field("sensitive", &self.sensitive)?;
        change.end()
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
