//! What was asked for, and what became of it, for people and programs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Rights;
use crate::{
    federation::Right,
    report::{Line, Report, Tone},
    secret_store::{LeftOut, Need},
};

impl Rights {
    pub(in super::super) fn show(&self, report: &mut Report<'_>) {
        if !self.decision.new.is_empty() {
            show_new(&self.decision.new, self.listed.is_some(), report);
            report.line(
                "  not granted without a confirmation of its own: at the prompt, or --accept-new-secrets",
            );
        }
        let mut left_out = self.left_out().peekable();
        if left_out.peek().is_some() {
            report.line(Line::whole(Tone::Title, "\nleft out"));
        }
        for LeftOut { object, why, .. } in left_out {
            report.line(Line::marked(Tone::Warning, format_args!("! {object}: {why}")));
        }
        if !self.decision.unused.is_empty() {
            report.line("\nlisted in store.secrets or store.rights, and used by no object");
            for right in &self.decision.unused {
                report.line(format_args!("= may {right}"));
            }
            report.line("  to take these rights back: --revoke-unused");
        }
    }

    pub(in super::super) fn shows_something(&self) -> bool {
        !self.decision.new.is_empty() || self.left_out().next().is_some() || !self.decision.unused.is_empty()
    }

    pub(in super::super) fn to_json(&self) -> Value {
        let texts = |rights: &BTreeSet<Right>| rights.iter().map(ToString::to_string).collect::<Vec<_>>();
        json!({
            "granted": texts(&self.possible()),
            "new": self.decision.new.iter().map(|(right, need)| json!({
                "right": right.to_string(), "because": need.because,
            })).collect::<Vec<_>>(),
            "leftOut": self.left_out().map(|it| json!({
                "object": it.object, "why": it.why, "refusedByOperator": it.is_refused,
            })).collect::<Vec<_>>(),
            "unused": texts(&self.decision.unused),
            "revoked": texts(&self.revoked),
        })
    }

    /// How a run ends that left something out: what, and how to go on.
    /// `flags`: those that name the stores of the run.
    pub(in super::super) fn say_what_is_missing(&self, flags: &str, report: &mut Report<'_>) {
        if !self.decision.new.is_empty() {
            let rights: Vec<_> = self.decision.new.keys().map(ToString::to_string).collect();
            report.result(format_args!("\nleft out, as it was not confirmed: {}", rights.join(", ")));
            report.result(format_args!("To grant it: keyless setup{flags} --accept-new-secrets"));
        }
        let objects: BTreeSet<_> =
            self.left_out().filter(|it| !it.is_refused).map(|it| it.object.as_str()).collect();
        if !objects.is_empty() {
            let objects: Vec<_> = objects.into_iter().collect();
            report.result(format_args!("\nleft out, for the reasons above: {}", objects.join(", ")));
        }
    }
}

pub(super) fn show_new(new: &BTreeMap<Right, Need>, is_listed: bool, report: &mut Report<'_>) {
    report.line(match is_listed {
        true => "\nnew since the last confirmed list",
        false => "\nnew: the store has not read this yet with what it logs in with now",
    });
    for (right, need) in new {
        let because: Vec<_> = need.because.iter().map(String::as_str).collect();
        report
            .line(Line::marked(Tone::Good, format_args!("+ may {right}: because of {}", because.join(", "))));
    }
}
