//! PURE. Several clusters in one report. Each keeps its own verdict, and the whole is never better than the worst of them:
//! a cluster that could not be audited makes it INCOMPLETE.

mod document;
mod lines;
mod shared;

pub(crate) use self::document::schema;
pub(super) use self::{document::SCHEMA, shared::Shared};
use super::verdict::{Gate, Outcome, Verdict};
use crate::{credentials::Class, error::Error, exit::Exit, target::ClusterTarget};

/// One cluster of several, by the context that leads to it.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// The context.
    pub(crate) name: String,
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

    /// What it all comes to: never better than the worst of them.
    pub(crate) fn outcome(&self) -> Outcome {
        Outcome::of_all(self.members.iter().map(Member::outcome))
    }

    /// How the command ends.
    pub(crate) fn exit(&self) -> Exit {
        match self.outcome() {
            Outcome::Zero | Outcome::ZeroExcept => Exit::Clean,
            Outcome::Found { .. } => Exit::Found,
            Outcome::Incomplete | Outcome::NothingToJudge => Exit::Incomplete,
        }
    }

    /// The former context that leads to the same cluster, by the UID that both have answered with. Who runs a cluster chooses
    /// what it answers: so each context is audited whole, and bears on the verdict.
    pub(super) fn same_as(&self, number: usize) -> Option<&str> {
        let uid = self.members[number].uid()?;
        let former = self.members[..number].iter().find(|it| it.uid() == Some(uid))?;
        Some(&former.name)
    }

    /// How many clusters there are, each once.
    pub(super) fn clusters(&self) -> usize {
        (0..self.members.len()).filter(|number| self.same_as(*number).is_none()).count()
    }

    /// Distinct credentials of all clusters that must not be there, each once. Zero is only given where it is the verdict;
    /// `None`: the number is not known, or is not what matters.
    pub(crate) fn count(&self) -> Option<usize> {
        let failing = self.shared().iter().filter(|it| it.fails(self.gate)).count();
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
#[path = "../fleet_tests.rs"]
mod tests;
