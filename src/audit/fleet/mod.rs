//! PURE. Several clusters in one report. Each keeps its own verdict, and the whole is never better than the worst of them:
//! a cluster that could not be audited makes it INCOMPLETE.

mod document;
mod lines;
mod shared;

pub(crate) use self::document::schema;
pub(super) use self::{document::SCHEMA, shared::Shared};
use super::{
    Exceptions,
    verdict::{Gate, Outcome, Verdict},
};
use crate::{credentials::Class, error::Error, exit::Exit, target::ClusterTarget};

/// One cluster of several, by the context that leads to it.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// The context.
    pub(crate) name: String,
    /// What the kubeconfig says of its server, by number: two that have the same are reached alike.
    pub(crate) access: usize,
    /// As far as it is known.
    pub(crate) target: Option<ClusterTarget>,
    /// `Err`: why it could not be audited.
    pub(crate) result: Result<Verdict, Error>,
}

impl Member {
    /// What it came to. What could not be audited is incomplete.
    pub(super) fn outcome(&self) -> Outcome {
        self.result.as_ref().map_or(Outcome::Incomplete, Verdict::outcome)
    }

    pub(super) fn uid(&self) -> Option<&str> {
        self.target.as_ref()?.uid.as_deref()
    }
}

/// What all of them came to.
#[derive(Clone, Debug)]
pub(crate) struct Fleet {
    pub(super) members: Vec<Member>,
    pub(super) gate: Gate,
}

impl Fleet {
    pub(crate) fn new(members: Vec<Member>, gate: Gate) -> Self {
        Self { members, gate }
    }

    /// What it all comes to: never better than the worst of them. A credential that each of them alone lets pass must
    /// not be there where its copy in another one must not.
    pub(crate) fn outcome(&self) -> Outcome {
        let worst = Outcome::of_all(self.members.iter().map(Member::outcome));
        match worst {
            Outcome::Found { .. } => worst,
            _ if self.failing().is_empty() => worst,
            _ => Outcome::Found { complete: worst.is_complete() },
        }
    }

    /// Distinct credentials of all clusters that must not be there.
    pub(super) fn failing(&self) -> Vec<Shared<'_>> {
        self.shared().into_iter().filter(|it| it.fails(self.gate)).collect()
    }

    /// How the command ends.
    pub(crate) fn exit(&self) -> Exit {
        match self.outcome() {
            Outcome::Zero | Outcome::ZeroExcept => Exit::Clean,
            Outcome::Found { .. } => Exit::Found,
            Outcome::Incomplete | Outcome::NothingToJudge => Exit::Incomplete,
        }
    }

    /// The former context that leads to the same cluster: both have answered with the same UID, at the same server. Who runs
    /// a cluster chooses what it answers: so each context is audited whole, and bears on the verdict.
    pub(super) fn same_as(&self, number: usize) -> Option<&str> {
        let first = self.cluster(number);
        (first != number).then(|| self.members[first].name.as_str())
    }

    /// The number of the first context that leads to the same cluster, which may be this one.
    pub(super) fn cluster(&self, number: usize) -> usize {
        let own = &self.members[number];
        let is_same = |it: &Member| own.uid().is_some() && it.uid() == own.uid() && it.access == own.access;
        self.members[..number].iter().position(is_same).unwrap_or(number)
    }

    /// Another context that answers with the same UID at another server: a cluster that was restored from another one's
    /// snapshot has its UID, and one cluster may have several servers.
    pub(super) fn twin_of(&self, number: usize) -> Option<&str> {
        let own = &self.members[number];
        let is_twin = |it: &&Member| own.uid().is_some() && it.uid() == own.uid() && it.access != own.access;
        self.members.iter().find(is_twin).map(|it| it.name.as_str())
    }

    /// How many clusters there are, each once. `None`: it is not known, because one has no UID, or one UID has two servers.
    pub(super) fn clusters(&self) -> Option<usize> {
        let all = 0..self.members.len();
        let is_known = |number: usize| self.members[number].uid().is_some() && self.twin_of(number).is_none();
        all.clone().all(is_known).then(|| all.filter(|number| self.same_as(*number).is_none()).count())
    }

    /// The same with these exceptions, at this time (seconds since 1970). One that names a cluster by a UID which two
    /// servers answer with covers neither.
    pub(crate) fn excepting(mut self, exceptions: &Exceptions, now: u64) -> Self {
        let twins: Vec<bool> = (0..self.members.len()).map(|it| self.twin_of(it).is_some()).collect();
        for (member, has_twin) in self.members.iter_mut().zip(twins) {
            if let Ok(verdict) = &mut member.result {
                *verdict = match has_twin {
                    true => verdict.clone().excepting_twin(exceptions, now),
                    false => verdict.clone().excepting(exceptions, now),
                };
            }
        }
        self
    }

    /// Distinct credentials of all clusters that must not be there, each once. Zero is only given where it is the verdict;
    /// `None`: the number is not known, or is not what matters.
    pub(crate) fn count(&self) -> Option<usize> {
        let failing = self.failing().len();
        match self.outcome() {
            Outcome::Zero => Some(0),
            Outcome::Found { .. } if failing > 0 => Some(failing),
            _ => None,
        }
    }

    /// How many distinct credentials there are of a class, also those that are excepted.
    pub(super) fn count_of(&self, class: Class) -> usize {
        self.shared().iter().filter(|it| it.class == class).count()
    }

    pub(super) fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.members.iter().filter_map(|it| it.result.as_ref().ok())
    }
}

#[cfg(test)]
#[path = "fleet_tests.rs"]
mod tests;
