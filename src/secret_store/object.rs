//! PURE. One object of the cluster: as it is × as it shall be, by the table of `plan::decide`.

use serde_json::{Map, Value, json};

use super::{
    difference::{differences, merge_patch},
    plan::{Doing, Planned},
    public::IsPublic,
};
use crate::{
    cluster::{
        objects::{Object, Resource},
        snapshot::{Manager, manager},
    },
    error::{Error, Result},
    plan::{Action, Desired, Fit, Observed, Permits, UNCHANGED, decide, ownership::Ownership},
};

/// An object, and the part of it that is for keyless to determine.
#[derive(Clone, Debug)]
pub(super) struct Compared<'a> {
    have: Option<&'a Object>,
    now: Value,
    then: Value,
    /// A member differs that the API server lets no one change.
    is_unfit: bool,
    is_public: IsPublic,
}

impl<'a> Compared<'a> {
    /// By these members of the object, e.g. `spec`. Those in `fixed` cannot be changed. `is_public`: whose values may be shown.
    pub(super) fn by_members(
        have: Option<&'a Object>,
        manifest: &Value,
        members: &[&str],
        fixed: &[&str],
        is_public: IsPublic,
    ) -> Self {
        let part = |object: &Value| -> Map<String, Value> {
            let all = members.iter().chain(fixed);
            all.filter_map(|name| Some(((*name).to_owned(), object.get(*name)?.clone()))).collect()
        };
        let is_unfit =
            have.is_some_and(|have| fixed.iter().any(|name| have.0.get(*name) != manifest.get(*name)));
        let now = have.map(|have| part(&have.0)).unwrap_or_default();
        Self { have, now: Value::Object(now), then: Value::Object(part(manifest)), is_unfit, is_public }
    }

    /// By these parts of an object that is there; `null` where something is absent.
    pub(super) fn by_parts(have: &'a Object, now: Value, then: Value, is_public: IsPublic) -> Self {
        Self { have: Some(have), now, then, is_unfit: false, is_public }
    }

    pub(super) fn absent() -> Self {
        Self { have: None, now: Value::Null, then: Value::Null, is_unfit: false, is_public: |_| false }
    }

    fn observed(&self) -> Observed {
        let fit = if self.is_unfit { Fit::Unfit } else { Fit::of(self.now == self.then) };
        self.have.map_or(Observed::Absent, |have| Observed::active(ownership(have), fit))
    }

    /// What becomes of the object; `why` is the reason of a change. `refuse` gets an object of that kind and name.
    pub(super) fn planned(
        self,
        permits: Permits,
        resource: &'static Resource,
        manifest: Value,
        why: String,
        refuse: impl FnOnce(&Object) -> Error,
    ) -> Result<Planned> {
        match decide(Desired::Present(permits), self.observed()) {
            Ok(action) => Ok(self.with(action, resource, manifest, why)),
            Err(_) => Err(refuse(&Object(manifest))),
        }
    }

    /// The same for an object in which keyless changes its part, also in another owner's: nothing refuses that.
    pub(super) fn shared(
        self,
        resource: &'static Resource,
        manifest: Value,
        why: impl Into<String>,
    ) -> Planned {
        match decide(Desired::Present(Permits::SHARED), self.observed()) {
            Ok(action) => self.with(action, resource, manifest, why.into()),
            Err(_) => {
                let seen = self.have.cloned();
                let why = "keyless may not change it: it is left as it is";
                Planned::new(resource, manifest, why, Vec::new(), seen, Doing::Nothing)
            }
        }
    }

    fn with(self, action: Action, resource: &'static Resource, manifest: Value, why: String) -> Planned {
        let Some(have) = self.have else {
            return Planned::new(resource, manifest, why, Vec::new(), None, Doing::Apply);
        };
        let keeper = match manager(have) {
            Some(Manager::PutsBack { by }) => Some(by),
            _ => None,
        };
        let (doing, why) = match (action, keeper) {
            (Action::NoOp, _) => (Doing::Nothing, UNCHANGED.to_owned()),
            (_, Some(by)) => {
                let why = format!("{by} keeps it: change it where {by} reads it");
                (Doing::WriteFile { by }, why)
            }
            (_, None) => {
                let mut patch = merge_patch(&self.now, &self.then);
                patch["metadata"]["resourceVersion"] = json!(have.text("/metadata/resourceVersion"));
                (Doing::Patch(patch), why)
            }
        };
        let fields = differences(&self.now, &self.then, self.is_public);
        Planned::new(resource, manifest, why, fields, Some(have.clone()), doing)
    }
}

/// The label says it: objects live in the cluster that they are for, so it names none.
pub(super) fn ownership(object: &Object) -> Ownership {
    if object.is_ours() { Ownership::This } else { Ownership::Foreign }
}
