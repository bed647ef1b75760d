//! PURE. What each rule and each kind of credential came to, and which exceptions took effect.

use super::item::{Bearing, Item, is_within, items};
use crate::audit::{
    Outcome,
    catalogue::{Described, catalogue},
    verdict::Verdict,
};

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
    let all = catalogue().into_iter().map(|rule| {
        let items: Vec<_> = items.iter().filter(|item| item.codes.contains(&rule.name)).cloned().collect();
        Judged { state: state(verdict, &items), rule, items }
    });
    all.collect()
}

fn state(verdict: &Verdict, items: &[Item]) -> State {
    if items.iter().any(|item| item.bearing == Bearing::Fails) {
        return State::Fail;
    }
    if let Some(item) = items.iter().find(|item| item.bearing == Bearing::Open) {
        return State::NotEvaluated(item.message());
    }
    // Which rule needs which objects is not known here: what was not read could be what this one looks for.
    match verdict.unseen.as_slice() {
        [] => {}
        [one] => return State::NotEvaluated(format!("{} could not be read: {}", one.what, one.why)),
        [one, rest @ ..] => {
            let rest = rest.len();
            return State::NotEvaluated(format!(
                "{} and {rest} more could not be read: {}",
                one.what, one.why
            ));
        }
    }
    if verdict.outcome() == Outcome::NothingToJudge {
        return State::NotApplicable("External Secrets Operator is not installed in this cluster".into());
    }
    State::Pass
}

/// How many things of the verdict must not be there.
pub(super) fn failures(verdict: &Verdict) -> usize {
    let credentials = verdict.roots.iter().chain(&verdict.others);
    credentials.filter(|root| is_within(verdict.gate, root.class)).count() + verdict.findings.len()
}
