//! PURE. A comparison as JSON, and the JSON schema of it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    difference::{Answer, Difference, Move, One},
    saved::{Named, Saved},
};
use crate::{audit::verdict::Gate, cluster::snapshot::Mode, credentials::Class, rfc3339::rfc3339};

/// Raised when a member changes its meaning or goes away; members may be added.
const SCHEMA: &str = "keyless/audit-diff/v1";

/// The result of `keyless audit diff -o json`, beside what every result has.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Difference of two audits")]
struct Document<'d> {
    /// `keyless/audit-diff/v1`.
    schema: &'static str,
    /// `nothing-new`, `new` or `not-established`.
    answer: &'static str,
    headline: String,
    /// The verdict says less than before, or something worse.
    worse: bool,
    before: Side<'d>,
    after: Side<'d>,
    #[serde(flatten)]
    changes: Changes<'d>,
}

/// One of the two results.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Side<'d> {
    /// SHA-256 of the file.
    digest: &'d str,
    cluster_uid: &'d str,
    /// When the audit began; null where the result does not tell.
    started_at: Option<String>,
    /// `zero`, `zero-except`, `found`, `incomplete` or `nothing-to-judge`.
    verdict: &'static str,
    headline: &'d str,
    complete: bool,
    gate: Gate,
    mode: Mode,
    /// How many things could not be read or judged.
    not_seen: usize,
}

/// What differs.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Changes<'d> {
    /// Credentials that are in the later result only.
    new: Vec<Credential<'d>>,
    /// Credentials that are not there any more: the later audit looked completely.
    gone: Vec<Credential<'d>>,
    /// Credentials that are not in the later result, which does not prove that they are gone.
    not_seen: Vec<NotSeen<'d>>,
    /// Credentials of both results, of another class, in other places, or excepted in one only.
    moved: Vec<Moved<'d>>,
    new_findings: Vec<Finding<'d>>,
    gone_findings: Vec<Finding<'d>>,
    findings_not_seen: Vec<Finding<'d>>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Credential<'d> {
    id: &'d str,
    what: &'d str,
    class: Class,
    places: &'d [String],
    /// Places beyond those that are named.
    more_places: usize,
}

#[derive(Serialize, JsonSchema)]
struct NotSeen<'d> {
    #[serde(flatten)]
    credential: Credential<'d>,
    why: &'d str,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Moved<'d> {
    id: &'d str,
    what: &'d str,
    class_before: Class,
    class_after: Class,
    excepted_before: bool,
    excepted_after: bool,
    new_places: &'d [String],
    /// The later audit looked completely, and it does not lie there.
    gone_places: &'d [String],
    places_not_seen: &'d [String],
    /// It lies in a further place, opens more than before, or no exception covers it any more.
    worse: bool,
}

#[derive(Serialize, JsonSchema)]
struct Finding<'d> {
    /// `keyless explain CODE` explains it.
    code: &'d str,
    object: &'d str,
    why: &'d str,
}

impl Answer {
    /// For scripts.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NothingNew => "nothing-new",
            Self::New => "new",
            Self::NotEstablished => "not-established",
        }
    }
}

impl Difference {
    /// For scripts.
    pub(crate) fn to_json(&self, before: &Saved, after: &Saved) -> Value {
        json!(Document {
            schema: SCHEMA,
            answer: self.answer().name(),
            headline: self.headline(before, after),
            worse: self.is_worse,
            before: Side::of(before),
            after: Side::of(after),
            changes: self.changes(),
        })
    }

    pub(super) fn changes(&self) -> Changes<'_> {
        let all = |ones| -> Vec<_> { <[One]>::iter(ones).map(Credential::of).collect() };
        let findings = |named| -> Vec<_> { <[Named]>::iter(named).map(Finding::of).collect() };
        let not_seen = self.not_seen.iter();
        Changes {
            new: all(&self.new),
            gone: all(&self.gone),
            not_seen: not_seen.map(|(one, why)| NotSeen { credential: Credential::of(one), why }).collect(),
            moved: self.moved.iter().map(Moved::of).collect(),
            new_findings: findings(&self.new_findings),
            gone_findings: findings(&self.gone_findings),
            findings_not_seen: findings(&self.findings_not_seen),
        }
    }
}

impl<'d> Side<'d> {
    fn of(saved: &'d Saved) -> Self {
        Self {
            digest: &saved.digest,
            cluster_uid: &saved.uid,
            started_at: saved.started.map(rfc3339),
            verdict: saved.outcome.name(),
            headline: &saved.headline,
            complete: saved.is_complete(),
            gate: saved.gate,
            mode: saved.mode,
            not_seen: saved.not_seen,
        }
    }
}

impl<'d> Credential<'d> {
    fn of(one: &'d One) -> Self {
        Self { id: &one.id, what: &one.what, class: one.class, places: &one.places, more_places: one.more }
    }
}

impl<'d> Moved<'d> {
    fn of(it: &'d Move) -> Self {
        Self {
            id: &it.id,
            what: &it.what,
            class_before: it.class.0,
            class_after: it.class.1,
            excepted_before: it.is_excepted.0,
            excepted_after: it.is_excepted.1,
            new_places: &it.new_places,
            gone_places: &it.gone_places,
            places_not_seen: &it.places_not_seen,
            worse: it.is_worse(),
        }
    }
}

impl<'d> Finding<'d> {
    fn of(named: &'d Named) -> Self {
        Self { code: &named.code, object: &named.object, why: &named.why }
    }
}

/// The form of a comparison, as JSON schema.
pub(crate) fn schema() -> Value {
    schemars::schema_for!(Document<'_>).to_value()
}
