//! PURE. A verdict as JSON, and the JSON schema of it.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Hit,
    catalogue::code_of,
    compare::Baseline,
    leg::Leg,
    record::Evidence,
    states::RuleState,
    verdict::{Gate, Root, Verdict},
};
use crate::{
    cluster::snapshot::Mode,
    credentials::{Class, Outside},
};

/// Raised when a member changes its meaning or goes away; members may be added.
pub(super) const SCHEMA: &str = "keyless/audit/v1";

/// The result of `keyless audit -o json`, beside what every result has.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Audit")]
pub(super) struct Document<'v> {
    /// `keyless/audit/v1`.
    schema: &'static str,
    /// `cluster`: every object of the kinds in `looked` was looked through.
    scope: &'static str,
    /// `zero`, `zero-except`, `found`, `incomplete` or `nothing-to-judge`.
    verdict: &'static str,
    headline: String,
    gate: Gate,
    /// How far the audit looked into Secrets.
    mode: Mode,
    /// Everything was looked at and could be judged.
    complete: bool,
    /// Distinct credentials that must not be there. Zero only where the verdict is zero; null where it is not known.
    count: Option<usize>,
    legs: [Leg; 3],
    classes: Classes,
    /// By class, those that must be zero first.
    credentials: Vec<Credential<'v>>,
    findings: Vec<Finding<'v>>,
    not_judged: Vec<Finding<'v>>,
    notes: Vec<Finding<'v>>,
    not_seen: Vec<NotSeen<'v>>,
    /// Those for which someone answers, by the file of exceptions. They are not in `credentials`.
    excepted: Vec<ExceptedOne<'v>>,
    /// SHA-256 of the file of exceptions; null where none was given.
    exceptions_digest: Option<&'v str>,
    /// Every rule and kind of credential, and how it ended.
    rules: Vec<RuleName>,
    stores: usize,
    generators: usize,
    /// How many objects of each kind were looked through.
    looked_through: &'v BTreeMap<String, usize>,
    /// Whether there is anything of External Secrets Operator.
    installed: bool,
    /// What the metadata of all Secrets comes to, in the mode `metadata`; null in the others.
    secrets_by_metadata: Option<&'v Outside>,
    beyond: &'static str,
    /// How the audit was made.
    evidence: Evidence<'v>,
    /// What is new against the result that --baseline names; null where none was given.
    baseline: Option<Baseline<'v>>,
}

/// How many there are of each class.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Classes {
    root: usize,
    platform: usize,
    irreducible: usize,
    root_key: usize,
    /// Secrets in which nothing was recognised, and that an ExternalSecret is proved to own. Null where Secrets were not
    /// looked into.
    outputs: Option<usize>,
    /// The others in which nothing was recognised. Null where Secrets were not looked into.
    unmanaged: Option<usize>,
    not_seen: usize,
}

/// One distinct credential. Nothing in it is secret.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Credential<'v> {
    what: &'v str,
    /// A name by which an exception can mean it: its public ID, else the place where it lies.
    id: &'v str,
    class: Class,
    /// Every rule and kind that recognised it.
    codes: Vec<&'static str>,
    secrets: Vec<Key<'v>>,
    config_maps: Vec<Key<'v>>,
    /// Other objects that hold it, and where in them.
    objects: Vec<&'v str>,
    /// Places beyond those that are named.
    more_places: usize,
    places: Vec<Finding<'v>>,
}

#[derive(Serialize, JsonSchema)]
struct Key<'v> {
    namespace: &'v str,
    name: &'v str,
    key: Option<&'v str>,
}

#[derive(Serialize, JsonSchema)]
struct Finding<'v> {
    /// `keyless explain CODE` explains it.
    code: &'static str,
    rule: &'v str,
    object: &'v str,
    why: &'v str,
    remedy: &'v str,
}

#[derive(Serialize, JsonSchema)]
struct NotSeen<'v> {
    what: &'v str,
    right: &'v str,
    why: &'v str,
}

/// A credential that an exception covers.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ExceptedOne<'v> {
    credential: Credential<'v>,
    reason: &'v str,
    owner: &'v str,
    /// The last day, e.g. `2027-01-31`.
    expires: &'v str,
    control: Option<&'v str>,
}

#[derive(Serialize, JsonSchema)]
struct RuleName {
    code: &'static str,
    id: &'static str,
    summary: &'static str,
    state: RuleState,
    /// Why it ended so; empty where it passed and there is nothing to add.
    why: String,
}

impl Verdict {
    /// For scripts. `verdict`, `complete` and `count` are what [`Self::outcome`] says.
    pub(crate) fn to_json(&self) -> Value {
        json!(self.document())
    }

    /// The same before it is JSON.
    pub(super) fn document(&self) -> Document<'_> {
        let rules = self.states().into_iter().map(|it| RuleName {
            code: it.rule.name,
            id: it.rule.id,
            summary: it.rule.meaning,
            state: it.state,
            why: it.why,
        });
        let excepted = self.excepted.iter().map(|it| ExceptedOne {
            credential: Credential::of(&it.root),
            reason: &it.reason,
            owner: &it.owner,
            expires: &it.until,
            control: it.control.as_deref(),
        });
        let outcome = self.outcome();
        Document {
            schema: SCHEMA,
            scope: "cluster",
            verdict: outcome.name(),
            headline: self.headline(),
            gate: self.gate,
            mode: self.mode,
            complete: outcome.is_complete(),
            count: self.count(),
            legs: self.legs(),
            classes: Classes {
                root: self.count_of(Class::Root),
                platform: self.count_of(Class::Platform),
                irreducible: self.count_of(Class::Irreducible),
                root_key: self.count_of(Class::RootKey),
                outputs: (self.mode == Mode::Deep).then_some(self.outputs),
                unmanaged: (self.mode == Mode::Deep).then_some(self.unmanaged),
                not_seen: self.not_seen(),
            },
            credentials: self.roots.iter().chain(&self.others).map(Credential::of).collect(),
            findings: self.findings.iter().map(Finding::of).collect(),
            not_judged: self.unknown.iter().map(Finding::of).collect(),
            notes: self.notes.iter().map(Finding::of).collect(),
            not_seen: self
                .unseen
                .iter()
                .map(|unseen| NotSeen { what: &unseen.what, right: &unseen.right, why: &unseen.why })
                .collect(),
            excepted: excepted.collect(),
            exceptions_digest: self.exceptions.as_deref(),
            rules: rules.collect(),
            stores: self.stores,
            generators: self.generators,
            looked_through: &self.looked,
            installed: self.installed,
            secrets_by_metadata: self.outside.as_ref(),
            beyond: self.beyond(),
            evidence: self.record.evidence(),
            baseline: self.record.new_since.as_ref().map(super::compare::NewSince::document),
        }
    }
}

impl<'v> Credential<'v> {
    fn of(root: &'v Root) -> Self {
        let secrets = root.secrets.iter().map(|key| Key {
            namespace: &key.namespace,
            name: &key.name,
            key: key.key.as_deref(),
        });
        let config_maps = root.config_maps.iter().map(|key| Key {
            namespace: &key.namespace,
            name: &key.name,
            key: key.key.as_deref(),
        });
        let of_hits = root.hits.iter().map(|hit| hit.rule);
        let codes: BTreeSet<_> = root.rules.iter().copied().chain(of_hits).map(code_of).collect();
        Self {
            what: &root.what,
            id: &root.id,
            class: root.class,
            codes: codes.into_iter().collect(),
            secrets: secrets.collect(),
            config_maps: config_maps.collect(),
            objects: root.objects.iter().map(String::as_str).collect(),
            more_places: root.more,
            places: root.hits.iter().map(Finding::of).collect(),
        }
    }
}

impl<'v> Finding<'v> {
    fn of(hit: &'v Hit) -> Self {
        Self {
            code: code_of(hit.rule),
            rule: hit.rule,
            object: &hit.place,
            why: &hit.why,
            remedy: &hit.remedy,
        }
    }
}

/// The form of a result, as JSON schema.
pub(crate) fn schema() -> Value {
    schemars::schema_for!(Document<'_>).to_value()
}
