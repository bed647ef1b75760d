//! PURE. Several clusters as JSON, and the JSON schema of it: the result of each as it would be alone, and what they hold
//! together.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Fleet, Member, shared::Shared};
use crate::{
    audit::{document, verdict::Gate},
    credentials::Class,
    error::Error,
};

/// Raised when a member changes its meaning or goes away; members may be added.
pub(in crate::audit) const SCHEMA: &str = "keyless/audit-fleet/v1";

/// The result of `keyless audit -o json` over several clusters, beside what every result has.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "AuditFleet")]
struct Document<'f> {
    /// `keyless/audit-fleet/v1`.
    schema: &'static str,
    /// `clusters`: each of `clusters` was asked for.
    scope: &'static str,
    /// `zero`, `zero-except`, `found`, `incomplete` or `nothing-to-judge`: never better than the worst cluster.
    verdict: &'static str,
    headline: String,
    gate: Gate,
    /// Every cluster was audited, and in each everything was looked at and could be judged.
    complete: bool,
    /// Distinct credentials that must not be there, each once over all clusters. Zero only where the verdict is zero; null
    /// where it is not known.
    count: Option<usize>,
    /// How many clusters were asked for, each once by its UID and server; null where it is not known: one has no UID, or one
    /// UID has two servers.
    cluster_count: Option<usize>,
    /// Distinct credentials of all clusters, also those that are excepted. Of the clusters that could be audited.
    classes: Classes,
    /// Distinct credentials of all clusters, those that must not be there first.
    credentials: Vec<Held<'f>>,
    /// In the order in which the contexts were named.
    clusters: Vec<One<'f>>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Classes {
    root: usize,
    platform: usize,
    irreducible: usize,
    root_key: usize,
}

/// One distinct credential. Its places are in the result of each cluster.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Held<'f> {
    what: &'f str,
    /// In the first cluster. An ID that names a place is of that cluster only.
    id: &'f str,
    class: Class,
    /// It is excepted in every cluster that holds it.
    excepted: bool,
    /// Every cluster that holds it.
    clusters: Vec<HeldIn<'f>>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct HeldIn<'f> {
    /// The name of one of `clusters`.
    name: &'f str,
    uid: Option<&'f str>,
    /// Of the credential in the result of this cluster.
    id: &'f str,
    excepted: bool,
}

/// One cluster, and its own result.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct One<'f> {
    /// The context.
    name: &'f str,
    /// Null where it is not known.
    server: Option<&'f str>,
    /// UID of the namespace kube-system; null where it could not be read.
    uid: Option<&'f str>,
    /// A former context that leads to a cluster with the same UID at the same server; null: there is none.
    same_as: Option<&'f str>,
    /// A context that leads to a cluster with the same UID at another server: it is not known whether they are one. Null:
    /// there is none.
    twin_of: Option<&'f str>,
    /// The verdict of this cluster; `incomplete` where it could not be audited.
    verdict: &'static str,
    /// Its result, in the form of an audit of one cluster; null where it could not be audited.
    audit: Option<document::Document<'f>>,
    /// Why it could not be audited; null where it was.
    error: Option<Failure<'f>>,
}

#[derive(Serialize, JsonSchema)]
struct Failure<'f> {
    /// `keyless explain CODE` explains it.
    #[schemars(with = "String")]
    code: crate::error::Code,
    message: &'f str,
    causes: &'f [String],
    hints: &'f [String],
}

impl Fleet {
    /// For scripts. `verdict`, `complete` and `count` are what [`Self::outcome`] says.
    pub(crate) fn to_json(&self) -> Value {
        let outcome = self.outcome();
        json!(Document {
            schema: SCHEMA,
            scope: "clusters",
            verdict: outcome.name(),
            headline: self.headline(),
            gate: self.gate,
            complete: outcome.is_complete(),
            count: self.count(),
            cluster_count: self.clusters(),
            classes: Classes {
                root: self.count_of(Class::Root),
                platform: self.count_of(Class::Platform),
                irreducible: self.count_of(Class::Irreducible),
                root_key: self.count_of(Class::RootKey),
            },
            credentials: self.shared().into_iter().map(|it| self.of_credential(&it)).collect(),
            clusters: self.members.iter().enumerate().map(|(number, it)| self.one(number, it)).collect(),
        })
    }

    fn of_credential<'f>(&'f self, it: &Shared<'f>) -> Held<'f> {
        let first = it.held[0].root;
        let clusters = it.held.iter().map(|held| HeldIn {
            name: &self.members[held.member].name,
            uid: self.members[held.member].uid(),
            id: &held.root.id,
            excepted: held.is_excepted,
        });
        Held {
            what: &first.what,
            id: &first.id,
            class: it.class,
            excepted: it.is_excepted(),
            clusters: clusters.collect(),
        }
    }

    fn one<'f>(&'f self, number: usize, member: &'f Member) -> One<'f> {
        let failure = |error: &'f Error| Failure {
            code: error.code,
            message: &error.message,
            causes: &error.causes,
            hints: &error.hints,
        };
        One {
            name: &member.name,
            server: member.target.as_ref().map(|target| target.server.as_str()),
            uid: member.uid(),
            same_as: self.same_as(number),
            twin_of: self.twin_of(number),
            verdict: member.outcome().name(),
            audit: member.result.as_ref().ok().map(|verdict| verdict.document()),
            error: member.result.as_ref().err().map(failure),
        }
    }
}

/// The form of a result, as JSON schema.
pub(crate) fn schema() -> Value {
    schemars::schema_for!(Document<'_>).to_value()
}
