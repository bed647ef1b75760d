//! PURE. Several clusters as text: the whole first, then what more than one of them holds, then each by itself.

use std::collections::BTreeSet;

use super::{Fleet, Member, Shared};
use crate::{
    audit::{
        Outcome,
        exceptions::RULE as EXCEPTION,
        leg::{LegName, LegState},
    },
    federation::cloud::issued_kinds,
};

impl Fleet {
    /// The one line that matters.
    pub(crate) fn headline(&self) -> String {
        let clusters = self.clusters_in_words();
        match self.outcome() {
            Outcome::Zero => format!("{} in {clusters}: {}", self.zero_in_words(), self.gate.zero()),
            Outcome::ZeroExcept => {
                let is_of_gate = |it: &&Shared<'_>| it.is_excepted() && self.gate.covers(it.class);
                let count = self.shared().iter().filter(is_of_gate).count();
                format!("NONE BUT EXCEPTIONS in {clusters}: {} excepted", credentials(count, "is", "are"))
            }
            Outcome::NothingToJudge => format!(
                "NOTHING TO JUDGE in {}: External Secrets Operator is not installed there",
                self.names(Outcome::NothingToJudge)
            ),
            Outcome::Incomplete => {
                format!(
                    "INCOMPLETE in {clusters}: nothing that must not be there was seen, but {}",
                    self.missing()
                )
            }
            Outcome::Found { complete: true } => self.found_in_words(),
            Outcome::Found { complete: false } => {
                format!("{}; INCOMPLETE: {}", self.found_in_words(), self.missing())
            }
        }
    }

    /// What is zero in all of them.
    fn zero_in_words(&self) -> &'static str {
        let is_zero = |name: LegName| {
            let mut verdicts = self.verdicts();
            verdicts.all(|it| it.legs().iter().any(|leg| leg.name == name && leg.state == LegState::Zero))
        };
        match (is_zero(LegName::Consumption), is_zero(LegName::Cloud)) {
            (true, true) => "ZERO (cluster + consumption + cloud)",
            (true, false) => "ZERO (cluster + consumption)",
            (false, _) => "ZERO IN CLUSTER ONLY",
        }
    }

    fn found_in_words(&self) -> String {
        let failing = self.failing();
        let findings = self.findings();
        let findings = match findings {
            0 => None,
            1 => Some("1 finding".to_owned()),
            count => Some(format!("{count} findings")),
        };
        let counted = (!failing.is_empty()).then(|| match failing.len() {
            1 => "1 LONG-LIVED credential".to_owned(),
            count => format!("{count} LONG-LIVED credentials"),
        });
        let what: Vec<_> = counted.into_iter().chain(findings).collect();
        let holds: BTreeSet<_> = failing.iter().flat_map(|it| it.open_in()).collect();
        let members = self.members.iter().enumerate();
        let found = members
            .filter(|(number, it)| holds.contains(number) || matches!(it.outcome(), Outcome::Found { .. }));
        let names: Vec<_> = found.map(|(_, it)| it.name.as_str()).collect();
        format!(
            "{} in {} of {}: {}",
            what.join(", "),
            names.len(),
            contexts(self.members.len()),
            names.join(", ")
        )
    }

    /// What is not known.
    fn missing(&self) -> String {
        let unreached: Vec<_> =
            self.members.iter().filter(|it| it.result.is_err()).map(|it| it.name.as_str()).collect();
        let partial = |it: &&Member| it.result.as_ref().is_ok_and(|verdict| verdict.not_seen() > 0);
        let partial: Vec<_> = self.members.iter().filter(partial).map(|it| it.name.as_str()).collect();
        let empty = |it: &&Member| it.outcome() == Outcome::NothingToJudge;
        let empty: Vec<_> = self.members.iter().filter(empty).map(|it| it.name.as_str()).collect();
        let parts = [
            ("could not be audited", unreached),
            ("could not be read or judged whole", partial),
            ("had nothing to judge", empty),
        ];
        let parts = parts.into_iter().filter(|(_, names)| !names.is_empty());
        parts.map(|(what, names)| format!("{} {what}", names.join(", "))).collect::<Vec<_>>().join("; ")
    }

    fn names(&self, outcome: Outcome) -> String {
        let names = self.members.iter().filter(|it| it.outcome() == outcome).map(|it| it.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    }

    /// For people, the headline first.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.headline()];
        let several: Vec<_> = self.shared().into_iter().filter(|it| it.members().len() > 1).collect();
        if !several.is_empty() {
            lines.extend([String::new(), "in more than one cluster, counted once:".to_owned()]);
        }
        for it in several {
            let names: Vec<_> = it.members().into_iter().map(|at| self.members[at].name.as_str()).collect();
            lines.push(format!("   {}: {} ({})", names.join(", "), it.what(), it.id()));
        }
        for number in 0..self.members.len() {
            lines.push(String::new());
            lines.extend(self.of_member(number));
        }
        lines
    }

    fn of_member(&self, number: usize) -> Vec<String> {
        let member = &self.members[number];
        let title = self.title(number);
        match &member.result {
            Ok(verdict) => {
                let mut lines = verdict.lines().into_iter();
                let first = format!("{title}: {}", lines.next().unwrap_or_default());
                std::iter::once(first).chain(lines.map(indented)).collect()
            }
            Err(error) => {
                let first = format!("{title}: NOT AUDITED: {}  [{}]", error.message, error.code);
                let causes = error.causes.iter().map(|cause| format!("   caused by: {cause}"));
                let hints = error.hints.iter().map(|hint| format!("   hint: {hint}"));
                std::iter::once(first).chain(causes).chain(hints).collect()
            }
        }
    }

    /// Which cluster it is, by every name that it has.
    pub(in crate::audit) fn title(&self, number: usize) -> String {
        let member = &self.members[number];
        let is = match &member.target {
            Some(target) => target.to_string(),
            None => format!("Cluster {}", member.name),
        };
        match (self.same_as(number), self.twin_of(number)) {
            (Some(former), _) => format!("{is}, the same cluster as {former} and counted once"),
            (None, Some(twin)) => format!(
                "{is}, with the UID of {twin} at another server: whether they are one cluster is not known, and both are counted"
            ),
            (None, None) => is,
        }
    }

    /// `3 clusters`, or contexts where it is not known how many clusters they lead to.
    pub(in crate::audit) fn clusters_in_words(&self) -> String {
        match self.clusters() {
            Some(1) => "1 cluster".to_owned(),
            Some(count) => format!("{count} clusters"),
            None => contexts(self.members.len()),
        }
    }

    /// How many there are, those of one cluster once, by whichever context. What a provider or the file of exceptions says
    /// is the same in each cluster.
    fn findings(&self) -> usize {
        let is_of_all = |rule: &str| rule == EXCEPTION.id || issued_kinds().any(|kind| kind.id == rule);
        let all = self
            .members
            .iter()
            .enumerate()
            .filter_map(|(number, it)| Some((number, it.result.as_ref().ok()?)));
        let all = all.flat_map(|(number, verdict)| {
            let of = move |rule: &str| (!is_of_all(rule)).then(|| self.cluster(number));
            verdict.findings.iter().map(move |it| (of(it.rule), it.rule, &it.place, &it.why))
        });
        all.collect::<BTreeSet<_>>().len()
    }
}

fn indented(line: String) -> String {
    if line.is_empty() { line } else { format!("   {line}") }
}

fn contexts(count: usize) -> String {
    match count {
        1 => "1 context".to_owned(),
        count => format!("{count} contexts"),
    }
}

fn credentials(count: usize, one: &str, many: &str) -> String {
    match count {
        1 => format!("1 long-lived credential {one}"),
        count => format!("{count} long-lived credentials {many}"),
    }
}
