//! PURE. One file per concern: which cloud the cluster's secrets, GPUs, volumes and load balancers tie the platform to.
//!
//! Objects inform. Any user with the right can write labels, images and names: what they say is shown together with the
//! object that says it, and nothing is changed because of it. What is on no table, or could not be read, is
//! `unknown`, never portable.

mod document;
mod gpu;
mod images;
mod lines;
mod load_balancing;
mod places;
mod secrets;
mod seen;
mod storage;

use std::collections::BTreeMap;

use serde::Serialize;

pub(crate) use self::{
    document::schema,
    seen::{
        ClusterPolicy, DeviceConfig, IngressClass, List, LoadBalancer, Node, Seen, StorageClass, Volume,
        Workload,
    },
};
use crate::cluster::objects::Unseen;

/// `to` where something belongs to no cloud and no vendor.
const NONE: &str = "none";
/// `to` where it is not known.
const UNKNOWN: &str = "unknown";

/// One thing that a platform depends on: a value, so that the list of them is all there is to register.
pub(crate) struct Concern {
    /// Stable name, in kebab case; also the name of its file.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    judge: fn(&Seen) -> Found,
}

/// Every concern, in the order in which they are shown.
pub(crate) const CONCERNS: &[Concern] =
    &[secrets::CONCERN, gpu::CONCERN, storage::CONCERN, load_balancing::CONCERN];

/// Whether the same works on another cloud, or on hardware of one's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Portable {
    /// It belongs to no cloud.
    Yes,
    /// It belongs to one cloud or product.
    No,
    Unknown,
}

/// One object that ties the platform to something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tie {
    /// A cloud or a vendor, `none`, or `unknown`.
    pub(crate) to: String,
    /// What makes the tie: a provider, a provisioner, a controller.
    pub(crate) through: String,
    /// The object that says so.
    pub(crate) evidence: String,
    pub(crate) portable: Portable,
    /// What else there is to know of it.
    pub(crate) details: Vec<String>,
    /// The same for scripts, where it is one of few values: docs/coupling.md lists them.
    pub(crate) facts: BTreeMap<&'static str, String>,
}

/// What a concern finds in what was seen.
#[derive(Clone, Debug, Default)]
struct Found {
    ties: Vec<Tie>,
    /// What a move to another substrate has to solve again.
    to_resolve: Vec<String>,
    /// What could not be read, of all that matters here.
    unseen: Vec<Unseen>,
}

/// A concern, judged.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) ties: Vec<Tie>,
    pub(crate) to_resolve: Vec<String>,
    pub(crate) unseen: Vec<Unseen>,
}

/// What ties the platform to which cloud.
#[derive(Clone, Debug)]
pub(crate) struct Coupling {
    pub(crate) concerns: Vec<Judged>,
    /// What the nodes say of the machines that they are: it informs, nothing is decided from it.
    pub(crate) nodes: Substrate,
    /// The objects that name the provider of the secrets.
    pub(crate) swap_points: Vec<String>,
    swap_points_seen: bool,
}

/// The machines, by `spec.providerID`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Substrate {
    pub(crate) count: usize,
    /// `Hetzner Cloud (hcloud)` and how many nodes say so.
    pub(crate) machines: Vec<(String, usize)>,
    pub(crate) seen: bool,
}

/// Judges what was seen.
pub(crate) fn judge(seen: &Seen) -> Coupling {
    let concerns = CONCERNS.iter().map(|concern| {
        let Found { mut ties, to_resolve, unseen } = (concern.judge)(seen);
        ties.sort_by(|a, b| (&a.evidence, &a.through).cmp(&(&b.evidence, &b.through)));
        Judged { id: concern.id, title: concern.title, ties, to_resolve, unseen }
    });
    Coupling {
        concerns: concerns.collect(),
        nodes: places::substrate(&seen.nodes),
        swap_points: secrets::swap_points(seen),
        swap_points_seen: seen.stores.is_whole(),
    }
}

impl Coupling {
    /// Whether everything was read.
    pub(crate) fn is_complete(&self) -> bool {
        self.concerns.iter().all(|concern| concern.unseen.is_empty()) && self.nodes.seen
    }
}

impl Judged {
    /// Whether everything was read, and all of it is on a table.
    pub(crate) fn is_known(&self) -> bool {
        self.unseen.is_empty() && self.ties.iter().all(|tie| tie.portable != Portable::Unknown)
    }

    /// The clouds and vendors, each once; `unknown` where something is not known. The empty list is `none`.
    pub(crate) fn to(&self) -> Vec<&str> {
        let mut to: Vec<_> = self.ties.iter().map(|tie| tie.to.as_str()).filter(|to| *to != NONE).collect();
        let is_unknown = !self.unseen.is_empty() || to.contains(&UNKNOWN);
        to.retain(|to| *to != UNKNOWN);
        to.sort_unstable();
        to.dedup();
        if is_unknown {
            to.push(UNKNOWN);
        }
        if to.is_empty() {
            to.push(NONE);
        }
        to
    }

    /// `unknown` before `no` before `yes`.
    pub(crate) fn portable(&self) -> Portable {
        match self.ties.iter().map(|tie| tie.portable).max() {
            _ if !self.unseen.is_empty() => Portable::Unknown,
            Some(worst) => worst,
            None => Portable::Yes,
        }
    }
}

impl Portable {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

impl Tie {
    fn new(to: &str, through: impl Into<String>, evidence: impl Into<String>, portable: Portable) -> Self {
        Self {
            to: to.to_owned(),
            through: through.into(),
            evidence: evidence.into(),
            portable,
            details: Vec::new(),
            facts: BTreeMap::new(),
        }
    }

    fn fact(mut self, name: &'static str, value: impl ToString) -> Self {
        self.facts.insert(name, value.to_string());
        self
    }

    /// Of something that is on no table.
    fn unknown(through: impl Into<String>, evidence: impl Into<String>) -> Self {
        Self::new(UNKNOWN, through, evidence, Portable::Unknown)
    }

    fn detail(mut self, detail: impl Into<String>) -> Self {
        self.details.push(detail.into());
        self
    }
}

impl Found {
    /// Adds what could not be read of a list.
    fn misses<T>(&mut self, list: &List<T>) {
        self.unseen.extend(list.unseen.iter().cloned());
    }

    fn resolves(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.to_resolve.contains(&what) {
            self.to_resolve.push(what);
        }
    }
}

#[cfg(test)]
mod tests;
