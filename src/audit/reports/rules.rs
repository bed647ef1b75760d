//! PURE. What each rule and each kind of credential came to, and which exceptions took effect.

use super::item::{Item, items};
use crate::audit::{catalogue::Described, states::RuleState, verdict::Verdict};

/// What one rule came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Everything that it needs was read, and nothing was found that must not be there.
    Pass,
    Fail,
    /// With the reason.
    NotEvaluated(String),
    NotApplicable(String),
}

impl State {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::NotEvaluated(_) => "not-evaluated",
            Self::NotApplicable(_) => "not-applicable",
        }
    }
}

/// A rule, and what it came to.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) rule: Described,
    pub(super) state: State,
    /// What it found, whatever that means for the verdict.
    pub(super) items: Vec<Item>,
}

/// Every rule and every kind of credential, by code. The one place that derives their states from a verdict.
pub(super) fn judged(verdict: &Verdict) -> Vec<Judged> {
    let items = items(verdict);
    let all = verdict.states().into_iter().map(|it| {
        let items: Vec<_> = items.iter().filter(|item| item.codes.contains(&it.rule.name)).cloned().collect();
        let state = match it.state {
            RuleState::Pass => State::Pass,
            RuleState::Fail => State::Fail,
            RuleState::Excepted | RuleState::NotEvaluated => State::NotEvaluated(it.why),
            RuleState::NotApplicable => State::NotApplicable(it.why),
        };
        Judged { state, rule: it.rule, items }
    });
    all.collect()
}

/// How many things of the verdict must not be there.
pub(super) fn failures(verdict: &Verdict) -> usize {
    let credentials = verdict.roots.iter().chain(&verdict.others);
    credentials.filter(|root| verdict.gate.covers(root.class)).count() + verdict.findings.len()
}
