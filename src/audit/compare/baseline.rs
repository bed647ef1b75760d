//! PURE. What is new against an earlier result. A baseline changes no verdict and hides nothing: it only decides whether
//! what was found, and everything was looked at, is a reason for exit code 1.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    difference::{Difference, difference},
    document::Changes,
    saved::Saved,
};
use crate::{
    audit::verdict::{Gate, Outcome, Verdict},
    exit::Exit,
    rfc3339::rfc3339,
};

/// How the current result differs from an earlier one.
#[derive(Clone, Debug)]
pub(crate) struct NewSince {
    /// Of the earlier one.
    digest: String,
    started: Option<u64>,
    outcome: Outcome,
    gate: Gate,
    difference: Difference,
}

/// The earlier result that the run was compared with, and what is new against it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::audit) struct Baseline<'d> {
    /// SHA-256 of its file.
    digest: &'d str,
    /// When that audit began; null where it does not tell.
    started_at: Option<String>,
    /// Its verdict.
    verdict: &'static str,
    complete: bool,
    /// How many credentials that the gate covers are new, lie in further places, or got worse, and how many findings are
    /// new.
    new_within_gate: usize,
    #[serde(flatten)]
    changes: Changes<'d>,
}

impl NewSince {
    /// Both are results of one cluster.
    pub(crate) fn of(baseline: &Saved, now: &Saved) -> Self {
        Self {
            digest: baseline.digest.clone(),
            started: baseline.started,
            outcome: baseline.outcome,
            gate: now.gate,
            difference: difference(baseline, now),
        }
    }

    /// With every text passed through a function.
    pub(in crate::audit) fn clean(&self, clean: &dyn Fn(&str) -> String) -> Self {
        Self { difference: self.difference.clean(clean), ..self.clone() }
    }

    fn new_count(&self) -> usize {
        self.difference.new.iter().filter(|it| self.gate.covers(it.class)).count()
    }

    fn worse_count(&self) -> usize {
        let moved = self.difference.moved.iter();
        moved.filter(|it| it.is_worse() && self.gate.covers(it.class.1)).count()
    }

    fn within_gate(&self) -> usize {
        self.new_count() + self.worse_count() + self.difference.new_findings.len()
    }

    fn since(&self) -> String {
        self.started.map_or("the baseline, which has no date".to_owned(), rfc3339)
    }

    pub(in crate::audit) fn document(&self) -> Baseline<'_> {
        Baseline {
            digest: &self.digest,
            started_at: self.started.map(rfc3339),
            verdict: self.outcome.name(),
            complete: self.outcome.is_complete(),
            new_within_gate: self.within_gate(),
            changes: self.difference.changes(),
        }
    }

    /// `1 of them new since 2026-11-26T12:00:00Z`.
    pub(in crate::audit) fn in_words(&self) -> String {
        let mut parts = vec![format!("{} of them new", self.new_count())];
        parts.extend(
            (self.worse_count() > 0).then(|| format!("{} in further places, or worse,", self.worse_count())),
        );
        let findings = self.difference.new_findings.len();
        parts.extend((findings > 0).then(|| format!("{findings} new among the findings")));
        format!("{} since {}", parts.join(", "), self.since())
    }

    /// Which ones are new, for people.
    pub(in crate::audit) fn lines(&self) -> Vec<String> {
        let since = self.since();
        let new = self.difference.new.iter().filter(|it| self.gate.covers(it.class));
        let new = new.map(|it| format!("new since {since}: {} ({})", it.what, it.id));
        let worse = self.difference.moved.iter().filter(|it| it.is_worse() && self.gate.covers(it.class.1));
        let worse = worse.map(|it| {
            let places = it.new_places.join(", ");
            let places = if places.is_empty() { String::new() } else { format!(", now in {places} as well") };
            format!("worse since {since}: {} ({}){places}", it.what, it.id)
        });
        let findings = self.difference.new_findings.iter();
        let findings =
            findings.map(|it| format!("new since {since}: {}: {}  [{}]", it.object, it.why, it.code));
        let complete = if self.outcome.is_complete() { "" } else { ", incomplete" };
        let baseline =
            format!("baseline: {} of {since}{complete}, file sha256:{}", self.outcome.name(), self.digest);
        new.chain(worse).chain(findings).chain([baseline]).collect()
    }
}

impl Verdict {
    /// The same, compared with an earlier result.
    pub(crate) fn since(mut self, new: NewSince) -> Self {
        self.record.new_since = Some(new);
        self
    }

    /// How the command ends; every report says the same. What is incomplete never ends clean, whatever it is compared with.
    pub(crate) fn exit(&self) -> Exit {
        let nothing_new = self.record.new_since.as_ref().map(|it| it.within_gate() == 0);
        match (self.outcome(), nothing_new) {
            (Outcome::Zero | Outcome::ZeroExcept, _) => Exit::Clean,
            (Outcome::Found { complete: true }, Some(true)) => Exit::Clean,
            (Outcome::Found { complete: false }, Some(true)) => Exit::Incomplete,
            (Outcome::Found { .. }, _) => Exit::Found,
            (Outcome::Incomplete | Outcome::NothingToJudge, _) => Exit::Incomplete,
        }
    }
}
