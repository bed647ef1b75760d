//! PURE. What every form of several clusters is derived from: the whole, and one [`Evidence`] for each cluster.

use std::sync::Arc;

use super::{
    Evidence,
    clean::{self, Clean},
    evidence::sha256,
};
use crate::{
    audit::{Fleet, Outcome},
    rfc3339::rfc3339,
};

/// One audit of several clusters.
#[derive(Clone, Debug)]
pub(crate) struct FleetEvidence {
    /// Every text in it is clean.
    pub(super) fleet: Fleet,
    /// In the order of its members; `Err`: why it could not be audited.
    each: Vec<Result<Evidence, String>>,
    /// The JSON result as it is printed, with the line break at its end.
    pub(super) json: Arc<str>,
    /// Of this program.
    pub(super) version: &'static str,
    /// When the audit ended, in seconds since 1970.
    time: u64,
}

/// One cluster of them.
#[derive(Clone, Copy)]
pub(super) struct MemberEvidence<'f> {
    /// The context.
    pub(super) name: &'f str,
    /// `Err`: why it could not be audited.
    pub(super) evidence: Result<&'f Evidence, &'f str>,
}

impl MemberEvidence<'_> {
    /// What it came to, in one line.
    pub(super) fn headline(&self) -> String {
        match self.evidence {
            Ok(evidence) => evidence.verdict.headline(),
            Err(why) => format!("NOT AUDITED: {why}"),
        }
    }
}

impl FleetEvidence {
    /// As [`Evidence::new`], of several clusters.
    pub(crate) fn new(
        fleet: &Fleet,
        json: String,
        version: &'static str,
        time: u64,
        clean: Clean<'_>,
    ) -> Self {
        let json: Arc<str> = json.into();
        let members: Vec<_> = fleet.members.iter().map(|it| clean::member(it, clean)).collect();
        let each = members.iter().map(|member| {
            let verdict = member.result.clone().map_err(|error| error.message)?;
            Ok(Evidence { verdict, json: json.clone(), cluster: member.target.clone(), version, time })
        });
        let each = each.collect();
        Self { fleet: Fleet::new(members, fleet.gate), each, json, version, time }
    }

    pub(super) fn outcome(&self) -> Outcome {
        self.fleet.outcome()
    }

    pub(super) fn outcome_of(&self, number: usize) -> Outcome {
        self.fleet.members[number].outcome()
    }

    pub(super) fn name(&self, number: usize) -> &str {
        &self.fleet.members[number].name
    }

    pub(super) fn uid(&self, number: usize) -> Option<&str> {
        self.fleet.members[number].uid()
    }

    /// Whether a former context leads to a cluster with the same UID.
    pub(super) fn is_former(&self, number: usize) -> bool {
        let uid = self.uid(number);
        uid.is_some() && (0..number).any(|former| self.uid(former) == uid)
    }

    pub(super) fn member(&self, number: usize) -> MemberEvidence<'_> {
        let evidence = self.each[number].as_ref().map_err(String::as_str);
        MemberEvidence { name: self.name(number), evidence }
    }

    /// Every cluster with its number.
    pub(super) fn members(&self) -> impl Iterator<Item = (usize, MemberEvidence<'_>)> {
        (0..self.each.len()).map(|number| (number, self.member(number)))
    }

    /// SHA-256 of the JSON result, in hexadecimal digits.
    pub(super) fn json_digest(&self) -> String {
        sha256(self.json.as_bytes())
    }

    pub(super) fn time_in_words(&self) -> String {
        rfc3339(self.time)
    }
}
