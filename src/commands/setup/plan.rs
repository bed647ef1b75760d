//! The one plan: documents, provider, objects in the cluster, the API server's own step, the old key.

use serde_json::json;

use super::retire::Retirement;
use crate::{
    commands::{changes, objects},
    federation::{Change, KeyRole, TrustedIssuer},
    oidc::SignedIssuer,
    report::{Report, Warning},
    secret_store::{Doing, Obstacle, Plan as StorePlan, Planned},
};

/// Everything that is shown before anything is done.
pub(super) struct Plan {
    /// What publishing would say; `None` when no documents are needed.
    pub(super) documents: Option<Documents>,
    pub(super) provider: String,
    /// What the provider is given; empty where it fetches the documents.
    pub(super) keys: Vec<GivenKey>,
    pub(super) changes: Vec<Change>,
    /// Those that lock the store out as long as the API servers sign as another issuer.
    pub(super) later: Vec<Change>,
    pub(super) objects: StorePlan,
    /// The API servers that do not sign as the issuer yet, and what they sign as.
    pub(super) signs_otherwise: Vec<(String, SignedIssuer)>,
    /// How many API servers there are.
    pub(super) servers: usize,
    /// What reads through the store but would not survive the change of provider.
    pub(super) obstacles: Vec<Obstacle>,
    /// What is left to do with the key that the store used before.
    pub(super) retirement: Option<Retirement>,
}

/// A key that the provider is given, as people name it.
pub(super) struct GivenKey {
    pub(super) kid: String,
    pub(super) kind: String,
    pub(super) role: KeyRole,
}

/// The public documents, as a dry run of publishing sees them.
pub(super) struct Documents {
    pub(super) pending: bool,
    pub(super) lines: String,
}

impl Plan {
    /// How many things this run has to do.
    pub(super) fn pending(&self) -> usize {
        let documents = usize::from(self.documents.as_ref().is_some_and(|documents| documents.pending));
        let (store, others) = objects::split(&self.objects.objects);
        let count = |objects: &[&Planned]| objects.iter().filter(|object| object.changes_something()).count();
        let now = documents + changes::pending(&self.changes) + count(&others);
        let retirement = self.retirement.as_ref().map_or(0, Retirement::pending);
        let later = changes::pending(&self.later) + count(&store) + retirement;
        if self.waits() { now } else { now + later }
    }

    /// The store cannot change before the API servers sign as the issuer.
    pub(super) fn waits(&self) -> bool {
        !self.signs_otherwise.is_empty()
    }

    pub(super) fn show(&self, issuer: &TrustedIssuer, report: &mut Report<'_>) {
        report.line(format_args!("issuer: {issuer}"));
        if let Some(documents) = &self.documents {
            report.line("\npublic documents");
            documents.lines.lines().for_each(|line| report.line(format_args!("  {line}")));
        }
        report.line(format_args!("\n{}", self.provider));
        for GivenKey { kid, kind, role } in &self.keys {
            report.line(format_args!("  key {kid}  {kind}  {role}"));
        }
        changes::show(report, &self.changes);
        report.line("\ncluster");
        let (store, others) = objects::split(&self.objects.objects);
        others.into_iter().for_each(|object| show_object(object, report));
        if self.waits() {
            report.line(format_args!("\nlater, once every API server signs as {issuer}"));
            if let Some((_, signs_as)) = self.signs_otherwise.first() {
                report.warning(&Warning::new(
                    "issuer-not-signed",
                    format!(
                        "{} of {} API servers sign as {signs_as}: the store can change once all of them sign as {issuer}",
                        self.signs_otherwise.len(),
                        self.servers
                    ),
                ));
            }
            changes::show(report, &self.later);
        }
        store.into_iter().for_each(|object| show_object(object, report));
        for warning in &self.objects.warnings {
            report.warning(warning);
        }
        if !self.obstacles.is_empty() {
            report.line("\nwould not survive the change of provider");
            for obstacle in &self.obstacles {
                report.line(format_args!("! {} {}: {}", obstacle.object, obstacle.field, obstacle.why));
                report.line(format_args!("    {}", obstacle.change));
            }
        }
        if let Some(retirement) = &self.retirement {
            retirement.show(report);
        }
    }

    pub(super) fn to_json(&self, issuer: &TrustedIssuer, dry_run: bool) -> serde_json::Value {
        json!({
            "issuer": issuer.as_str(),
            "dryRun": dry_run,
            "pending": self.pending(),
            "documents": self.documents.as_ref().map(|documents| json!({ "pending": documents.pending })),
            "provider": self.provider,
            "keys": self.keys.iter().map(|key| json!({
                "kid": key.kid, "kind": key.kind, "role": key.role.name(),
            })).collect::<Vec<_>>(),
            "changes": self.changes.iter().map(changes::to_json).collect::<Vec<_>>(),
            "later": self.later.iter().map(changes::to_json).collect::<Vec<_>>(),
            "objects": self.objects.objects.iter().map(|object| json!({
                "object": object.object(),
                "changes": object.changes_something(),
                "why": object.why,
                "needs": object.needs(),
                "differences": changes::differences_to_json(&object.differences),
            })).collect::<Vec<_>>(),
            "signsOtherwise": self.signs_otherwise.iter().map(|(address, signs_as)| json!({
                "address": address, "signsAs": signs_as.as_str(),
            })).collect::<Vec<_>>(),
            "obstacles": self.obstacles.iter().map(|obstacle| json!({
                "object": obstacle.object, "field": obstacle.field, "why": obstacle.why, "change": obstacle.change,
            })).collect::<Vec<_>>(),
            "oldKey": self.retirement.as_ref().map(|retirement| json!({
                "serviceAccount": retirement.key.email,
                "keyId": retirement.key.id,
                "alsoUsedBy": retirement.key.other_stores,
                "disable": retirement.disable,
                "delete": retirement.delete,
            })),
        })
    }
}

fn show_object(object: &Planned, report: &mut Report<'_>) {
    let mark = match &object.doing {
        Doing::WriteFile { .. } => '!',
        _ => changes::mark(object.verb),
    };
    report.line(changes::headline(mark, object.verb, &object.object(), &object.why));
    changes::show_differences(report, &object.differences);
}
