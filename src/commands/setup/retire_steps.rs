//! A planned retirement, step by step.

use std::collections::BTreeSet;

use super::retire::Retirement;
use crate::{
    federation::credential::Act,
    plan::{Action, Desired, Fit, Gate, Observed, Permits, Step, Target, decide, ownership::Ownership},
    retirement::{Deed, Kept, KeyStanding, KeyView, Shown, Stage, Write},
};

/// The store of the same run that brings about the end of a credential, as it is shown for that store.
pub(super) struct Led {
    /// `ClusterSecretStore gcp`.
    pub(super) leader: String,
    /// What is done there.
    pub(super) steps: Vec<Step>,
    /// Every step that is shown before, for any store.
    pub(super) shown: BTreeSet<String>,
}

impl Retirement {
    /// In the order in which they are done. What this run leaves, because it was not asked for more, has a gate.
    pub(super) fn steps(&self) -> Vec<Step> {
        let stays = self.block().is_some();
        let given_back = self.given_back();
        let credentials = self.of_credentials(stays);
        // What another store brings about is recorded for this one as well.
        let acts = credentials.iter().flat_map(|(_, steps)| steps).any(Step::is_of_this_run)
            || self.led.values().any(|led| !led.steps.is_empty());
        let credentials = self.own(credentials);
        // What is recorded is only needed where something is changed.
        let record = match acts || self.options.switch || given_back.is_some() {
            true => self.record(given_back.as_ref()),
            false => self.end_of_record(stays).into_iter().collect(),
        };
        let given_back = given_back.into_iter().flat_map(|why| self.steps_back(&why));
        given_back.chain(record).chain(credentials).collect()
    }

    fn of_credentials(&self, stays: bool) -> Vec<(usize, Vec<Step>)> {
        let all = self.state.credentials.iter().enumerate();
        all.map(|(index, kept)| (index, self.steps_of(index, kept, stays))).collect()
    }

    /// What this run does with the credentials, as it is shown for this store.
    pub(super) fn acts(&self) -> Vec<Step> {
        let own = self.own(self.of_credentials(self.block().is_some()));
        own.filter(Step::is_of_this_run).collect()
    }

    /// Each name once in a plan: what stores share is shown where it is brought about. A copy that lies in a Secret of this
    /// store alone is its own.
    fn own(&self, credentials: Vec<(usize, Vec<Step>)>) -> impl Iterator<Item = Step> {
        credentials.into_iter().flat_map(|(index, mut steps)| {
            if let Some(led) = self.led.get(&index) {
                steps.retain(|step| step.target == Target::ClusterObject && !led.shown.contains(&step.name));
            }
            steps
        })
    }

    /// What the run of this store may do: `shown`, and what is shown of its credentials for the store that brings about
    /// their end.
    pub(super) fn bounds(&self, shown: &[Step]) -> Shown {
        let stays = self.block().is_some();
        // It is shown once, for whichever store.
        let namespace = self.namespace_is_shown.then(|| Write::Namespace.step(Action::Create, ""));
        let mut led: Vec<_> = namespace.into_iter().collect();
        for (index, Led { steps, .. }) in &self.led {
            let Some(kept) = self.state.credentials.get(*index) else { continue };
            let is_shown = |step: &Step| {
                steps.iter().any(|shown| {
                    (shown.target, shown.action, &shown.name) == (step.target, step.action, &step.name)
                })
            };
            led.extend(self.steps_of(*index, kept, stays).into_iter().filter(is_shown));
        }
        Shown::of(shown.iter().chain(&led), &self.elsewhere.users)
    }

    /// How many steps this run does.
    pub(super) fn pending(&self) -> usize {
        self.steps().iter().filter(|step| step.is_of_this_run()).count()
    }

    /// What a rerun and `--undo` go by: written before anything is done, and deleted with the credential.
    fn record(&self, given_back: Option<&String>) -> Vec<Step> {
        // A record of another cluster has been refused, and every act changes it.
        let record = match self.shelf.is_empty() {
            true => Observed::Absent,
            false => Observed::active(Ownership::This, Fit::Different),
        };
        let namespace = match self.needs_namespace {
            true => Observed::Absent,
            false => Observed::active(Ownership::Foreign, Fit::Equal),
        };
        let mut steps = Vec::new();
        if decide(Desired::Present(Permits::OURS_OR_FITTING), namespace) == Ok(Action::Create) {
            let why = "only administrators may write what is kept there";
            steps.push(Write::Namespace.step(Action::Create, why));
        }
        let action = decide(Desired::Present(Permits::OURS), record);
        let why = match (action, given_back) {
            (Ok(Action::Create), _) => {
                "what a rerun and --undo need; it holds no secret, and is deleted with the credential"
            }
            (_, Some(why)) => why,
            (_, None) => "how far the retirement has come; it is deleted with the credential",
        };
        steps.extend(action.ok().map(|action| Write::Record(&self.state.store).step(action, why)));
        steps
    }

    /// What is left to do with the record of an earlier run, where nothing else is.
    fn end_of_record(&self, stays: bool) -> Option<Step> {
        if self.shelf.is_empty() {
            return None;
        }
        let step = |action, why: String| Write::Record(&self.state.store).step(action, why);
        if matches!(self.state.stage, Stage::Disabling { .. }) && self.is_held() {
            let why = "an earlier run was stopped when it had disabled the credential: the store is watched, and the \
                       credential is enabled again if something needs it";
            return Some(step(Action::Update, why.into()));
        }
        if stays {
            return None;
        }
        if self.keys.iter().all(is_gone) {
            return Some(step(Action::Delete, "nothing is left of the credential".into()));
        }
        let Stage::Disabled { since, until, .. } = self.state.stage else { return None };
        let until = self.options.watch_for.map_or(until, |watch_for| since.saturating_add(watch_for));
        let left = until.checked_sub(self.now).filter(|left| *left > 0)?;
        let why = format!(
            "the store is watched for {left} s more: the credential is enabled again if something needs it"
        );
        Some(step(Action::Update, why))
    }

    /// Why a credential is taken back: an earlier run has begun to, or something else uses it.
    fn given_back(&self) -> Option<String> {
        match self.state.stage {
            Stage::GivingBack { .. } => Some("an earlier run began to enable it again".to_owned()),
            Stage::Undoing { .. } => Some("an earlier run began to undo the change".to_owned()),
            _ if self.names_it && self.state.holds() => Some("the store names it again".to_owned()),
            Stage::Disabling { .. } | Stage::Disabled { .. } | Stage::Deleting { .. }
                if self.is_held() && !self.elsewhere.users.is_empty() =>
            {
                Some(format!("also used by {}", self.users()))
            }
            _ => None,
        }
    }

    /// The credentials that are disabled because this program did that.
    fn held(&self) -> impl Iterator<Item = &Kept> {
        let all = self.state.credentials.iter().zip(&self.keys);
        all.filter(|(kept, key)| kept.ours && key.standing == KeyStanding::Disabled).map(|(kept, _)| kept)
    }

    fn is_held(&self) -> bool {
        self.held().next().is_some()
    }

    fn steps_back(&self, why: &str) -> Vec<Step> {
        let mut steps: Vec<_> =
            self.held().map(|kept| Write::Enable(kept).step(Action::Enable, why)).collect();
        if matches!(self.state.stage, Stage::Undoing { .. }) {
            let store = format!("{}, as it was before", self.state.store);
            steps.push(Step::new(Target::ClusterObject, Action::Update, store, why));
        }
        steps
    }

    /// Some of those that use it too.
    fn users(&self) -> String {
        const MOST: usize = 3;
        let users: Vec<_> = self.elsewhere.users.iter().take(MOST).map(String::as_str).collect();
        users.join(", ")
    }

    fn steps_of(&self, index: usize, kept: &Kept, stays: bool) -> Vec<Step> {
        let key = &self.keys[index];
        let mut steps: Vec<_> = self.disabled(index, kept, stays).into_iter().collect();
        if matches!(key.standing, KeyStanding::Enabled | KeyStanding::Disabled) && !stays {
            let why = match self.options.retire {
                true => "nothing uses it any more",
                false => "once it is not needed any more: --retire-key",
            };
            let step = Write::Delete(kept).step(Action::Delete, why);
            steps.push(self.needing(index, Act::Delete, step).gated(self.gate(Deed::Delete)));
        }
        for (place, view) in kept.places.iter().zip(&key.places).filter(|(_, view)| view.there) {
            let name = place.to_string();
            let keep = |why: String| Step::no_op(Target::ClusterObject, name.clone(), why);
            let by_hand = key.standing == KeyStanding::ByHand;
            steps.push(match &view.kept_by {
                _ if view.holds_more => keep(
                    "it holds more than the credential: --retire-key does nothing before the other values are moved".into(),
                ),
                _ if stays || matches!(key.standing, KeyStanding::Unproved(_)) => {
                    keep("the credential in it is not touched".into())
                }
                Some(by) => keep(format!("{by} keeps it")),
                None if view.changed => keep("it has changed since it was noted".into()),
                None => {
                    let why = match (self.options.retire, by_hand && !self.options.delete_secret) {
                        (_, true) => "once the credential is revoked: --retire-key --delete-secret",
                        (false, false) => "once it is not needed any more: --retire-key",
                        (true, false) => "nothing uses it any more",
                    };
                    let gate = self.gate(Deed::DeleteSecret { by_hand });
                    Write::DeleteSecret(place).step(Action::Delete, why).gated(gate)
                }
            });
        }
        steps
    }

    /// The first part of its end, which can be taken back.
    fn disabled(&self, index: usize, kept: &Kept, stays: bool) -> Option<Step> {
        let identity = kept.identity.to_string();
        let keep = |why: String| Some(Step::no_op(Target::Key, identity.clone(), why));
        match &self.keys[index].standing {
            KeyStanding::Unproved(why) => keep(format!("it is not proved what it is: {why}")),
            KeyStanding::ByHand => keep(format!("keyless cannot revoke it. {}", kept.identity.by_hand)),
            KeyStanding::Absent => keep("it is deleted at its provider".into()),
            KeyStanding::Enabled | KeyStanding::Disabled if !self.elsewhere.users.is_empty() => {
                keep(format!("also used by {}", self.users()))
            }
            KeyStanding::Disabled => keep("it is disabled".into()),
            KeyStanding::Enabled if stays => {
                keep("it is not touched, because of what is marked with !".into())
            }
            KeyStanding::Enabled => {
                let why =
                    "once everything that uses the store has run by the new login; then the store is watched";
                let step = Write::Disable(kept).step(Action::Disable, why);
                Some(self.needing(index, Act::Disable, step).gated(self.gate(Deed::Disable)))
            }
        }
    }

    fn needing(&self, index: usize, act: Act, step: Step) -> Step {
        let needs = self.connected[index].as_ref().map(|credential| credential.needs(act));
        needs.into_iter().fold(step, Step::requires)
    }

    /// What the run waits for before it does this.
    fn gate(&self, deed: Deed) -> Gate {
        deed.gate(&self.options)
    }
}

/// Whether nothing of it is left, but for what others keep.
fn is_gone(key: &KeyView) -> bool {
    match key.standing {
        KeyStanding::Absent => key.places.iter().all(|place| !place.there || place.kept_by.is_some()),
        KeyStanding::ByHand => key.places.iter().all(|place| !place.there),
        _ => false,
    }
}
