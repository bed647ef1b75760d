//! PURE. What ties the platform to which cloud as JSON, and the JSON schema of it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Coupling, Judged, Portable, Tie, lines::BEYOND};

/// Raised when a member changes its meaning or goes away; members may be added.
const SCHEMA: &str = "keyless/coupling/v1";

/// The result of `keyless coupling -o json`, beside what every result has.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Coupling")]
struct Document<'c> {
    /// `keyless/coupling/v1`.
    schema: &'static str,
    headline: String,
    /// Everything was read. What was read may be unknown all the same.
    complete: bool,
    concerns: Vec<Concern<'c>>,
    nodes: Nodes<'c>,
    /// The ClusterSecretStores: for all that reads through them, the only objects that name a provider of secrets.
    swap_points: &'c [String],
    /// All stores were read: there are no others.
    swap_points_complete: bool,
    beyond: &'static str,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Concern<'c> {
    /// `secrets`, `gpu`, `storage` or `load-balancing`.
    id: &'static str,
    title: &'static str,
    /// Clouds and vendors, each once, and `unknown` where something is not known; `["none"]` where there is none.
    to: Vec<&'c str>,
    /// The worst of its ties; `unknown` where something could not be read.
    portable: Portable,
    ties: Vec<OneTie<'c>>,
    /// What a move to another substrate has to solve again.
    to_resolve: &'c [String],
    not_seen: Vec<NotSeen<'c>>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct OneTie<'c> {
    /// A cloud or a vendor, `none` or `unknown`.
    to: &'c str,
    through: &'c str,
    /// The object that says so.
    evidence: &'c str,
    portable: Portable,
    details: &'c [String],
    /// `login`, `readWriteMany`, `defaultClass`, `volumes`, `inUse`, `sharing`, `isolated`, `loadBalancerClass`: where it is known.
    facts: &'c BTreeMap<&'static str, String>,
}

#[derive(Serialize, JsonSchema)]
struct NotSeen<'c> {
    what: &'c str,
    right: &'c str,
    why: &'c str,
}

/// It informs: nothing is decided from it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Nodes<'c> {
    /// Null where they could not be read.
    count: Option<usize>,
    by_provider_id: Vec<Machines<'c>>,
}

#[derive(Serialize, JsonSchema)]
struct Machines<'c> {
    name: &'c str,
    count: usize,
}

impl Coupling {
    /// For scripts.
    pub(crate) fn to_json(&self) -> Value {
        json!(Document {
            schema: SCHEMA,
            headline: self.headline(),
            complete: self.is_complete(),
            concerns: self.concerns.iter().map(Concern::of).collect(),
            nodes: Nodes {
                count: self.nodes.seen.then_some(self.nodes.count),
                by_provider_id: self
                    .nodes
                    .machines
                    .iter()
                    .map(|(name, count)| Machines { name, count: *count })
                    .collect(),
            },
            swap_points: &self.swap_points,
            swap_points_complete: self.swap_points_seen,
            beyond: BEYOND,
        })
    }
}

impl<'c> Concern<'c> {
    fn of(judged: &'c Judged) -> Self {
        let not_seen = judged.unseen.iter();
        Self {
            id: judged.id,
            title: judged.title,
            to: judged.to(),
            portable: judged.portable(),
            ties: judged.ties.iter().map(OneTie::of).collect(),
            to_resolve: &judged.to_resolve,
            not_seen: not_seen
                .map(|unseen| NotSeen { what: &unseen.what, right: &unseen.right, why: &unseen.why })
                .collect(),
        }
    }
}

impl<'c> OneTie<'c> {
    fn of(tie: &'c Tie) -> Self {
        let Tie { to, through, evidence, portable, details, facts } = tie;
        Self { to, through, evidence, portable: *portable, details, facts }
    }
}

/// The form of a result, as JSON schema.
pub(crate) fn schema() -> Value {
    schemars::schema_for!(Document<'_>).to_value()
}
