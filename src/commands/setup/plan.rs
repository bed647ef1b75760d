//! The one plan: documents, provider, objects in the cluster, the API server's own step, the old key.

use std::collections::BTreeSet;

use serde_json::json;

use super::retire::Retirement;
use crate::{
    commands::objects,
    error::Code,
    federation::{Change, KeyRole, TrustedIssuer},
    oidc::SignedIssuer,
    plan::{self, Gate, Step, Summary, Target},
    publication::{Publication, PublicationPlan},
    report::Report,
    secret_store::{Obstacle, Plan as StorePlan, Planned},
    warning::Warning,
};

/// Everything that is shown before anything is done.
pub(super) struct Plan<'p> {
    /// What would be published; `None` when no documents are needed.
    pub(super) documents: Option<Documents>,
    pub(super) provider: String,
    /// What the provider is given; empty where it fetches the documents.
    pub(super) keys: Vec<GivenKey>,
    pub(super) changes: Vec<Change<'p>>,
    /// Those that lock the store out as long as the API servers sign as another issuer.
    pub(super) later: Vec<Change<'p>>,
    pub(super) objects: StorePlan,
    /// The API servers that do not sign as the issuer yet, and what they sign as.
    pub(super) signs_otherwise: Vec<(String, SignedIssuer)>,
    /// How many API servers there are.
    pub(super) servers: usize,
    /// What reads through the store but would not survive the change of provider.
    pub(super) obstacles: Vec<Obstacle>,
    /// What is left to do with the key that the store used before.
    pub(super) retirement: Option<Retirement>,
    /// What works now and would not any more: for it, the store stays as it is.
    pub(super) store_kept_for: BTreeSet<String>,
    /// What is to be kept in the settings file.
    pub(super) settings: Option<Step>,
}

/// A key that the provider is given, as people name it.
pub(super) struct GivenKey {
    pub(super) kid: String,
    pub(super) kind: String,
    pub(super) role: KeyRole,
}

/// The public documents, as they are shown.
pub(super) struct Documents {
    lines: Vec<String>,
    steps: Vec<Step>,
    warnings: Vec<Warning>,
    json: serde_json::Value,
}

impl Documents {
    pub(super) fn of(publication: &Publication<'_>, plan: &PublicationPlan<'_>) -> Self {
        let mut lines = plan.lines();
        lines.push(match plan.is_pending() {
            true => plan.pending_line(publication),
            false => plan.unchanged_line(publication),
        });
        // The API servers' own step is told with the steps that wait for it.
        let warnings = plan.notes().filter(|note| note.code != Code::IssuerNotSigned).cloned().collect();
        Self { lines, steps: plan.plan.steps.clone(), warnings, json: plan.to_json_part() }
    }
}

impl Plan<'_> {
    /// Leaves the store as it is, if changing it would break any of these.
    pub(super) fn keep_store(&mut self, would_break: BTreeSet<String>) {
        let (store, _) = objects::split(&self.objects.objects);
        if objects::change_something(&store) {
            self.store_kept_for = would_break;
        }
    }

    /// Whether the store stays as it is although it should change.
    pub(super) fn keeps_store(&self) -> bool {
        !self.store_kept_for.is_empty()
    }

    /// The store as it shall be.
    pub(super) fn store(&self) -> Option<&Planned> {
        objects::split(&self.objects.objects).0.into_iter().next()
    }

    /// The store cannot change before the API servers sign as the issuer.
    pub(super) fn waits(&self) -> bool {
        !self.signs_otherwise.is_empty()
    }

    /// Every step, in the order in which they are done.
    fn steps(&self) -> Vec<Step> {
        let documents = self.documents.iter().flat_map(|documents| documents.steps.iter().cloned());
        let settings = self.settings.iter().cloned();
        let (_, others) = objects::split(&self.objects.objects);
        let others = others.into_iter().map(|object| object.step.clone());
        let changes = settings.chain(documents).chain(of(&self.changes)).chain(others);
        changes.chain(of(&self.later)).chain(self.store_step()).chain(self.retirement_steps()).collect()
    }

    /// All of it, for a program.
    pub(super) fn whole(&self) -> plan::Plan {
        let notes = self.documents.iter().flat_map(|documents| &documents.warnings);
        let notes = notes.chain(&self.objects.warnings).cloned().collect();
        plan::Plan { steps: self.steps(), notes }
    }

    /// What the store's change waits for, beyond what is done before it in this run.
    fn gate(&self) -> Option<Gate> {
        match (self.waits(), self.keeps_store()) {
            (true, _) => Some(Gate::AfterIssuerSwitch),
            (false, true) => Some(Gate::OnceNothingBreaks),
            (false, false) => None,
        }
    }

    fn store_step(&self) -> Option<Step> {
        let mut step = self.store()?.step.clone();
        if step.is_pending() {
            step.gate = self.gate().or(step.gate).or(Some(Gate::AfterProbe));
        }
        Some(step)
    }

    fn retirement_steps(&self) -> Vec<Step> {
        let Some(retirement) = &self.retirement else { return Vec::new() };
        let gate = self.gate();
        let gated = |step: Step| match step.gate {
            // It would not be done by a run that is free to change the store either.
            Some(own) if own.is_later() => step,
            own => step.gated(gate.or(own)),
        };
        retirement.steps().into_iter().map(gated).collect()
    }

    pub(super) fn show(&self, issuer: &TrustedIssuer, report: &mut Report<'_>) {
        report.line(format_args!("issuer: {issuer}"));
        if let Some(documents) = &self.documents {
            report.line("\npublic documents");
            documents.lines.iter().for_each(|line| report.line(format_args!("  {line}")));
            documents.warnings.iter().for_each(|warning| report.warning(warning));
        }
        report.line(format_args!("\n{}", self.provider));
        for GivenKey { kid, kind, role } in &self.keys {
            report.line(format_args!("  key {kid}  {kind}  {role}"));
        }
        show(of(&self.changes), report);
        report.line("\ncluster");
        let (_, others) = objects::split(&self.objects.objects);
        show(others.into_iter().map(|object| object.step.clone()), report);
        if self.waits() {
            report.line(format_args!("\nlater, once every API server signs as {issuer}"));
            if let Some((_, signs_as)) = self.signs_otherwise.first() {
                report.warning(&Warning::new(
                    Code::IssuerNotSigned,
                    format!(
                        "{} of {} API servers sign as {signs_as}: the store can change once all of them sign as {issuer}",
                        self.signs_otherwise.len(),
                        self.servers
                    ),
                ));
            }
            show(of(&self.later), report);
        }
        show(self.store_step(), report);
        if self.keeps_store() {
            let users: Vec<_> = self.store_kept_for.iter().map(String::as_str).collect();
            report.line(format_args!(
                "! not yet: it works now for {}, and would not any more; see what is new and what is left out",
                users.join(", ")
            ));
        }
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
            report.line("\nreplaced credential");
            show(self.retirement_steps(), report);
            retirement.show_evidence(report);
        }
    }

    /// `whole`: [`Self::whole`].
    pub(super) fn to_json(
        &self,
        issuer: &TrustedIssuer,
        whole: &plan::Plan,
        dry_run: bool,
    ) -> serde_json::Value {
        json!({
            "issuer": issuer.as_str(),
            "dryRun": dry_run,
            "pending": pending(whole),
            "plan": whole,
            "documents": self.documents.as_ref().map(|documents| &documents.json),
            "provider": self.provider,
            "keys": self.keys.iter().map(|key| json!({
                "kid": key.kid, "kind": key.kind, "role": key.role.name(),
            })).collect::<Vec<_>>(),
            "signsOtherwise": self.signs_otherwise.iter().map(|(address, signs_as)| json!({
                "address": address, "signsAs": signs_as.as_str(),
            })).collect::<Vec<_>>(),
            "obstacles": self.obstacles.iter().map(|obstacle| json!({
                "object": obstacle.object, "field": obstacle.field, "why": obstacle.why, "change": obstacle.change,
            })).collect::<Vec<_>>(),
            "storeKeptFor": self.store_kept_for,
            "replaced": self.retirement.as_ref().map(Retirement::to_json),
        })
    }
}

/// How many things a run has to do, beside keeping the settings.
pub(super) fn pending(whole: &plan::Plan) -> usize {
    Summary::of(whole.steps.iter().filter(|step| step.target != Target::SettingsFile)).pending()
}

fn of<'s>(changes: &'s [Change<'_>]) -> impl Iterator<Item = Step> + 's {
    changes.iter().map(|change| change.step.clone())
}

fn show(steps: impl IntoIterator<Item = Step>, report: &mut Report<'_>) {
    steps.into_iter().for_each(|step| report.lines(step.lines()));
}
