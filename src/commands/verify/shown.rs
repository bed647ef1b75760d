//! What was found, for people, for scripts and as the exit code.

use serde_json::{Value, json};

use super::{
    Verdict,
    each::{Counts, OfStore},
};
use crate::{commands::Exit, relying_party::Finding, report::Report};

impl Verdict<'_> {
    /// The worst of all that was established.
    pub(in crate::commands) fn exit(&self) -> Exit {
        match self.stores.iter().any(|store| store.error.is_some()) {
            true => Exit::Incomplete,
            false if self.all().any(Finding::is_failed) => Exit::Found,
            false => Exit::Clean,
        }
    }

    fn all(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().chain(self.stores.iter().flat_map(|store| &store.findings))
    }

    /// Everything that was looked at.
    pub(in crate::commands) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// For scripts.
    pub(in crate::commands) fn to_json(&self) -> Value {
        let mut shown = Counts::of(self.all()).to_json();
        let checks = self.findings.iter().map(Finding::to_json);
        shown["issuer"] = json!(self.issuer);
        shown["checks"] = checks.chain(self.stores.iter().flat_map(OfStore::checks)).collect();
        if self.args.stores.are_named() || !self.stores.is_empty() {
            shown["stores"] = self.stores.iter().map(OfStore::to_json).collect();
            let left = self.not_looked_at.iter();
            shown["notLookedAt"] =
                left.map(|(store, why)| json!({ "store": store, "why": why })).collect::<Vec<Value>>().into();
        }
        shown
    }

    pub(super) fn show(&self, report: &mut Report<'_>) {
        self.findings.iter().for_each(|finding| report.lines(finding.lines()));
        self.stores.iter().for_each(|store| store.show(report));
        if self.ended.is_err() {
            return;
        }
        report.json("verify", self.to_json());
        if !self.stores.is_empty() || !self.not_looked_at.is_empty() {
            report.line("");
        }
        self.stores.iter().for_each(|store| report.line(store.line()));
        self.not_looked_at
            .iter()
            .for_each(|(store, why)| report.line(format_args!("{store}: not looked at: {why}")));
        report.result(Counts::of(self.all()).line());
    }
}
