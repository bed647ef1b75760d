//! PURE. Several clusters as text: the whole first, then what more than one of them holds, then each by itself.

use super::{Fleet, Member};
use crate::audit::{
    Outcome,
    leg::{LegName, LegState},
};

impl Fleet {
    /// The one line that matters.
    pub(crate) fn headline(&self) -> String {
        let clusters = in_words(self.clusters());
        match self.outcome() {
            Outcome::Zero => format!("{} in {clusters}: {}", self.zero_in_words(), self.gate.zero()),
            Outcome::ZeroExcept => {
                let count = self.shared().iter().filter(|it| it.is_excepted()).count();
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
        let failing: Vec<_> = self.shared().into_iter().filter(|it| it.fails(self.gate)).collect();
        let findings: usize = self.verdicts().map(|it| it.findings.len()).sum();
        let findings = match findings {
            0 => None,
            1 => Some("1 finding".to_owned()),
            count => Some(format!("{count} findings")),
        };
        let counted = (!failing.is_empty()).then(|| match failing.len() {
            1 => "1 LONG-LIVED credential".to_owned(),
            count => format!("{count} LONG-LIVED credentials"),
        });
        let found: Vec<_> = counted.into_iter().chain(findings).collect();
        let names: Vec<_> =
            self.members.iter().filter(|it| matches!(it.outcome(), Outcome::Found { .. })).collect();
        let names: Vec<_> = names.into_iter().map(|it| it.name.as_str()).collect();
        format!(
            "{} in {} of {}: {}",
            found.join(", "),
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
        match self.same_as(number) {
            Some(former) => format!("{is}, the same cluster as {former} and counted once"),
            None => is,
        }
    }
}

fn indented(line: String) -> String {
    if line.is_empty() { line } else { format!("   {line}") }
}

fn in_words(clusters: usize) -> String {
    match clusters {
        1 => "1 cluster".to_owned(),
        count => format!("{count} clusters"),
    }
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
