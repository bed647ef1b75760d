//! PURE. How each rule and each kind of credential ended. What was not read or judged as a whole does not pass.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    catalogue::{Described, catalogue},
    cloud, exceptions,
    rules::stray_credential,
    verdict::{Outcome, Root, Verdict},
};
use crate::credentials::KINDS;

/// How one rule ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RuleState {
    /// Everything that it is about was looked at, and nothing of it must go.
    Pass,
    /// It found something that must go.
    Fail,
    /// What it found is covered by exceptions.
    Excepted,
    /// Something that it is about could not be read or judged.
    NotEvaluated,
    /// The cluster has nothing that it is about.
    NotApplicable,
}

impl RuleState {
    pub(crate) const ALL: [Self; 5] =
        [Self::Pass, Self::Fail, Self::Excepted, Self::NotEvaluated, Self::NotApplicable];

    /// For programs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Excepted => "excepted",
            Self::NotEvaluated => "not-evaluated",
            Self::NotApplicable => "not-applicable",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Excepted => "excepted",
            Self::NotEvaluated => "not evaluated",
            Self::NotApplicable => "not applicable",
        }
    }
}

/// How one rule or kind ended, and why.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) rule: Described,
    pub(crate) state: RuleState,
    /// Empty where it passed and there is nothing to add.
    pub(crate) why: String,
}

impl Verdict {
    /// Every rule and kind, by code. That of exceptions only where a file of them was given.
    pub(crate) fn states(&self) -> Vec<Ended> {
        let ended = |rule: Described| {
            let (state, why) = self.state_of(&rule);
            Ended { rule, state, why }
        };
        let is_asked = |rule: &Described| rule.id != exceptions::RULE.id || self.exceptions.is_some();
        // Nothing of the providers is judged where none was asked.
        let is_asked =
            |rule: &Described| is_asked(rule) && (self.cloud.is_some() || !cloud::is_of_provider(rule.id));
        catalogue().into_iter().filter(is_asked).map(ended).collect()
    }

    fn state_of(&self, rule: &Described) -> (RuleState, String) {
        let is_kind = !rule.recognised.is_empty();
        // It has no hits of its own: each is of the kind that was recognised.
        let is_stray = rule.id == stray_credential::RULE.id;
        let is_kind_id = |id: &str| KINDS.iter().any(|kind| kind.id == id);
        let has_hit = |root: &&Root| {
            root.rules.contains(rule.id)
                || root.hits.iter().any(|hit| hit.rule == rule.id)
                || is_stray && root.rules.iter().any(|id| is_kind_id(id))
        };
        let must_go = |root: &&Root| self.gate.covers(root.class);
        let all = || self.roots.iter().chain(&self.others).filter(has_hit);
        let bad =
            all().filter(must_go).count() + self.findings.iter().filter(|hit| hit.rule == rule.id).count();
        let excepted = self.excepted.iter().filter(|it| has_hit(&&it.root)).count();
        let listed = all().count() - all().filter(must_go).count();
        if bad > 0 {
            return (RuleState::Fail, format!("{bad} found"));
        }
        if let Some(unseen) = self.unseen.first() {
            let more = match self.unseen.len() {
                1 => String::new(),
                count => format!(", and {} more", count - 1),
            };
            return (RuleState::NotEvaluated, format!("{}: {}{more}", unseen.what, unseen.why));
        }
        // A login of an unknown kind may be any login; a value that was not understood may be of its own kind only.
        let unknown = self.unknown.iter().filter(|hit| !is_kind || hit.rule == rule.id).count();
        if unknown > 0 {
            return (RuleState::NotEvaluated, format!("{unknown} could not be judged"));
        }
        if excepted > 0 {
            return (RuleState::Excepted, format!("{excepted} excepted"));
        }
        let is_of_operator =
            !is_kind && !is_stray && !cloud::is_of_provider(rule.id) && rule.id != exceptions::RULE.id;
        if !self.installed && (is_of_operator || self.outcome() == Outcome::NothingToJudge) {
            return (RuleState::NotApplicable, "External Secrets Operator is not installed".into());
        }
        let notes = self.notes.iter().filter(|hit| hit.rule == rule.id).count();
        let why = [(listed, "listed, outside of the gate"), (notes, "to note")];
        let why: Vec<_> = why
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        (RuleState::Pass, why.join("; "))
    }

    /// How many ended how.
    pub(super) fn states_in_words(&self) -> String {
        let states = self.states();
        let count = |state: RuleState| states.iter().filter(|it| it.state == state).count();
        let is_shown = |state: &RuleState| *state != RuleState::Excepted || count(*state) > 0;
        let shown = RuleState::ALL.into_iter().filter(is_shown);
        let counts: Vec<_> = shown.map(|state| format!("{} {}", count(state), state.title())).collect();
        format!("rules: {}", counts.join(", "))
    }
}

#[cfg(test)]
#[path = "states_tests.rs"]
mod tests;
