//! PURE. What each rule and each kind of credential came to, and which exceptions took effect.

use super::item::{Item, items};
use crate::audit::{catalogue::Described, states::RuleState, verdict::Verdict};

/// A rule, and what it came to.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) rule: Described,
    pub(super) state: RuleState,
    /// Why it ended so; empty where it passed and there is nothing to add.
    pub(super) why: String,
    /// What it found, whatever that means for the verdict.
    pub(super) items: Vec<Item>,
}

/// Every rule and every kind of credential, by code. The one place that derives their states from a verdict.
pub(super) fn judged(verdict: &Verdict) -> Vec<Judged> {
    let items = items(verdict);
    let all = verdict.states().into_iter().map(|it| {
        let items: Vec<_> = items.iter().filter(|item| item.codes.contains(&it.rule.name)).cloned().collect();
        Judged { rule: it.rule, state: it.state, why: it.why, items }
    });
    all.collect()
}

/// How many things of the verdict must not be there.
pub(super) fn failures(verdict: &Verdict) -> usize {
    let credentials = verdict.roots.iter().chain(&verdict.others);
    credentials.filter(|root| verdict.gate.covers(root.class)).count() + verdict.findings.len()
}
