//! The one plan: documents, provider, objects in the cluster, the API server's own step, the old key.

use std::collections::BTreeSet;

use serde_json::json;

use super::{members::NotMoved, retire::Retirement};
use crate::{
    cluster::ServiceAccount,
    commands::{objects, rights::Rights},
    error::{Code, Error},
    federation::{Change, KeyRole, Lack, Trust, TrustedIssuer, lacks},
    oidc::SignedIssuer,
    plan::{self, Gate, Step, Summary, Target},
    publication::{Kept, Publication, PublicationPlan},
    report::{Line, Report, Tone},
    retirement::Shown,
    secret_store::{Obstacle, Plan as StorePlan, Planned},
    warning::Warning,
};

/// Stores are left.
pub(super) const NOT_MOVED: &str =
    "Not every store is moved: see what is named as not moved, or as not looked at.";

/// Everything that is shown before anything is done.
pub(super) struct Plan<'p> {
    /// What would be published; `None` when no documents are needed.
    pub(super) documents: Option<Documents>,
    pub(super) provider: String,
    /// What the provider is given; empty where it fetches the documents.
    pub(super) keys: Vec<GivenKey>,
    /// What is noted of them.
    pub(super) ledger: Option<Step>,
    pub(super) changes: Vec<Change<'p>>,
    /// Those that concern one ServiceAccount alone. They come after the others.
    pub(super) of_workloads: Vec<(ServiceAccount, Change<'p>)>,
    /// What the provider has that stays, or that is not known.
    pub(super) notes: Vec<Warning>,
    /// What the login at the provider is known to lack.
    pub(super) lacking: Vec<Lack>,
    /// Those that lock the store out as long as the API servers sign as another issuer.
    pub(super) later: Vec<Change<'p>>,
    pub(super) stores: Vec<StorePart>,
    /// Those that cannot be moved.
    pub(super) not_moved: Vec<NotMoved>,
    /// Those that are left out, with the reason.
    pub(super) not_looked_at: Vec<(String, String)>,
    /// The run is about several stores, also where there is only one of them.
    pub(super) are_several: bool,
    /// The API servers that do not sign as the issuer yet, and what they sign as.
    pub(super) signs_otherwise: Vec<(String, SignedIssuer)>,
    /// How many API servers there are.
    pub(super) servers: usize,
    /// What is to be kept in the settings file.
    pub(super) settings: Option<Step>,
}

/// What a run does with one store.
pub(super) struct StorePart {
    /// `ClusterSecretStore gcp`.
    pub(super) name: String,
    pub(super) objects: StorePlan,
    /// What reads through the store but would not survive the change of provider.
    pub(super) obstacles: Vec<Obstacle>,
    /// What is left to do with the key that the store used before.
    pub(super) retirement: Option<Retirement>,
    /// What works now and would not any more: for it, the store stays as it is.
    pub(super) kept_for: BTreeSet<String>,
    /// What is asked to run by the new login.
    pub(super) asked: Vec<Step>,
}

/// A key that the provider is given, as people name it.
pub(super) struct GivenKey {
    pub(super) kid: String,
    pub(super) kind: String,
    pub(super) role: KeyRole,
}

/// The public documents, as they are shown.
pub(super) struct Documents {
    lines: Vec<Line>,
    steps: Vec<Step>,
    warnings: Vec<Warning>,
    json: serde_json::Value,
}

impl Documents {
    pub(super) fn of(publication: &Publication<'_>, plan: &PublicationPlan<'_>) -> Self {
        let mut lines = plan.lines();
        lines.push(Line::from(match plan.is_pending() {
            true => plan.pending_line(publication),
            false => plan.unchanged_line(publication),
        }));
        // The API servers' own step is told with the steps that wait for it.
        let warnings = plan.notes().filter(|note| note.code != Code::IssuerNotSigned).cloned().collect();
        Self { lines, steps: plan.plan.steps.clone(), warnings, json: plan.to_json_part() }
    }
}

impl StorePart {
    /// Leaves the store as it is, if changing it would break any of these.
    pub(super) fn keep_store(&mut self, would_break: BTreeSet<String>) {
        let (store, _) = objects::split(&self.objects.objects);
        if objects::change_something(&store) {
            self.kept_for = would_break;
        }
    }

    /// Whether the store stays as it is although it should change.
    pub(super) fn keeps_store(&self) -> bool {
        !self.kept_for.is_empty()
    }

    /// The store as it shall be.
    pub(super) fn store(&self) -> Option<&Planned> {
        objects::split(&self.objects.objects).0.into_iter().next()
    }

    /// What the store's change waits for, beyond what is done before it in this run.
    fn gate(&self, waits: bool) -> Option<Gate> {
        match (waits, self.keeps_store()) {
            (true, _) => Some(Gate::AfterIssuerSwitch),
            (false, true) => Some(Gate::OnceNothingBreaks),
            (false, false) => None,
        }
    }

    fn store_step(&self, waits: bool) -> Option<Step> {
        let mut step = self.store()?.step.clone();
        if step.is_pending() {
            step.gate = self.gate(waits).or(step.gate).or(Some(Gate::AfterProbe));
        }
        Some(step)
    }

    fn retirement_steps(&self, waits: bool) -> Vec<Step> {
        let Some(retirement) = &self.retirement else { return Vec::new() };
        let gate = self.gate(waits);
        let gated = |step: Step| match step.gate {
            // It would not be done by a run that is free to change the store either.
            Some(own) if own.is_later() => step,
            own => step.gated(gate.or(own)),
        };
        retirement.steps().into_iter().map(gated).collect()
    }

    /// What the run of this store may do once its new login is proved: nothing but what was shown.
    pub(super) fn bounds(&self) -> Shown {
        let steps: Vec<_> = self.store_step(false).into_iter().chain(self.asked.iter().cloned()).collect();
        let Some(retirement) = &self.retirement else { return Shown::of(&steps, &[]) };
        let steps: Vec<_> = steps.into_iter().chain(self.retirement_steps(false)).collect();
        retirement.bounds(&steps)
    }

    /// The store's own part of what is shown: the store, and what comes after it.
    fn show(&self, waits: bool, are_several: bool, report: &mut Report<'_>) {
        show(self.store_step(waits).into_iter().chain(self.asked.iter().cloned()), report);
        if self.keeps_store() {
            let users: Vec<_> = self.kept_for.iter().map(String::as_str).collect();
            report.line(format_args!(
                "! not yet: it works now for {}, and would not any more; see what is new and what is left out",
                users.join(", ")
            ));
        }
        for warning in &self.objects.warnings {
            report.warning(warning);
        }
        let of = if are_several { format!(" of {}", self.name) } else { String::new() };
        if !self.obstacles.is_empty() {
            report.line(Line::whole(
                Tone::Title,
                format_args!("\nwould not survive the change of provider{of}"),
            ));
            for obstacle in &self.obstacles {
                report.line(Line::marked(
                    Tone::Warning,
                    format_args!("! {} {}: {}", obstacle.object, obstacle.field, obstacle.why),
                ));
                report.line(format_args!("    {}", obstacle.change));
            }
        }
        if let Some(retirement) = &self.retirement {
            report.line(Line::whole(Tone::Title, format_args!("\nreplaced credential{of}")));
            show(self.retirement_steps(waits), report);
            retirement.show_evidence(report);
        }
    }

    fn obstacles_json(&self) -> serde_json::Value {
        let one = |obstacle: &Obstacle| {
            json!({
                "object": obstacle.object, "field": obstacle.field, "why": obstacle.why, "change": obstacle.change,
            })
        };
        self.obstacles.iter().map(one).collect()
    }
}

impl Plan<'_> {
    /// All that the login at the provider is known to lack for this run, told before anything is done. What one of several
    /// stores takes alone does not hold up the others.
    pub(super) fn lacks(&self) -> Option<Error> {
        let own = self.of_workloads.iter().filter(|_| !self.are_several).map(|(_, change)| change);
        let steps = self.changes.iter().chain(own).map(|change| change.step.name.as_str());
        lacks::refusal(&self.lacking, &self.provider, steps)
    }

    /// Where nothing is to be done: who applies the plan may have another login.
    pub(super) fn tell_lacking(&self, report: &mut Report<'_>) {
        if let Some(error) = self.lacks() {
            let message = format!("{}: {}", error.message, error.causes.join("; "));
            report.warning(&Warning::new(error.code, message));
        }
    }

    /// The ledger is written with the keys, not by itself: the publisher keeps it.
    pub(super) fn keep(&mut self, kept: &mut Kept, trust: &Trust) {
        self.ledger = kept.step().filter(|_| self.changes.iter().any(|change| change.step.is_pending()));
        if let Some(store) = self.stores.first_mut() {
            store.objects.warnings.extend(kept.warning.clone());
            store.objects.warnings.extend(kept.taken_away(trust));
        }
    }

    /// The store cannot change before the API servers sign as the issuer.
    pub(super) fn waits(&self) -> bool {
        !self.signs_otherwise.is_empty()
    }

    /// What is left of what the run was about, in a sentence.
    pub(super) fn left(&self) -> Option<&'static str> {
        match (self.not_moved.is_empty() && self.not_looked_at.is_empty(), self.notes.is_empty()) {
            (false, _) => Some(NOT_MOVED),
            (true, false) => Some("Not everything at the provider is known or removed: see the warnings."),
            (true, true) => None,
        }
    }

    /// Every step, in the order in which they are done.
    fn steps(&self) -> Vec<Step> {
        let documents = self.documents.iter().flat_map(|documents| documents.steps.iter().cloned());
        let settings = self.settings.iter().cloned();
        let changes = settings.chain(documents).chain(self.provider_steps()).chain(self.identity_steps());
        let stores = self
            .stores
            .iter()
            .flat_map(|store| store.store_step(self.waits()).into_iter().chain(store.asked.iter().cloned()));
        let retirements = self.stores.iter().flat_map(|store| store.retirement_steps(self.waits()));
        changes.chain(of(&self.later)).chain(stores).chain(retirements).collect()
    }

    /// What is done at the provider.
    fn provider_steps(&self) -> impl Iterator<Item = Step> + '_ {
        let own = self.of_workloads.iter().map(|(_, change)| change.step.clone());
        self.ledger.iter().cloned().chain(of(&self.changes)).chain(own)
    }

    /// What must be there before the stores.
    fn identity_steps(&self) -> Vec<Step> {
        let all = self.stores.iter().flat_map(|store| objects::split(&store.objects.objects).1);
        all.map(|object| object.step.clone()).collect()
    }

    /// All of it, for a program.
    pub(super) fn whole(&self) -> plan::Plan {
        let notes = self.documents.iter().flat_map(|documents| &documents.warnings);
        let of_stores = self.stores.iter().flat_map(|store| &store.objects.warnings);
        let notes = notes.chain(&self.notes).chain(of_stores).cloned().collect();
        plan::Plan { steps: self.steps(), notes }
    }

    /// `change`: the command that prints how the API servers are made to sign as the issuer, where that is decided.
    pub(super) fn show(&self, issuer: &TrustedIssuer, change: Option<&str>, report: &mut Report<'_>) {
        report.line(format_args!("issuer: {issuer}"));
        if let Some(documents) = &self.documents {
            report.line(Line::whole(Tone::Title, "\npublic documents"));
            report.lines(documents.lines.iter().cloned().map(Line::indented));
            documents.warnings.iter().for_each(|warning| report.warning(warning));
        }
        report.line(Line::whole(Tone::Title, format_args!("\n{}", self.provider)));
        for GivenKey { kid, kind, role } in &self.keys {
            report.line(format_args!("  key {kid}  {kind}  {role}"));
        }
        show(self.provider_steps(), report);
        self.notes.iter().for_each(|note| report.warning(note));
        report.line(Line::whole(Tone::Title, "\ncluster"));
        show(self.identity_steps(), report);
        if self.waits() {
            report.line(Line::whole(
                Tone::Title,
                format_args!("\nlater, once every API server signs as {issuer}"),
            ));
            if let Some((_, signs_as)) = self.signs_otherwise.first() {
                report.warning(&Warning::new(
                    Code::IssuerNotSigned,
                    format!(
                        "{} of {} API servers sign as {signs_as}: the store can change once all of them sign as {issuer}{}",
                        self.signs_otherwise.len(),
                        self.servers,
                        change.map(|it| format!("; that change of theirs is yours, and `{it}` prints it")).unwrap_or_default()
                    ),
                ));
            }
            show(of(&self.later), report);
        }
        for store in &self.stores {
            store.show(self.waits(), self.are_several, report);
        }
        show_left(&self.not_moved, &self.not_looked_at, report);
    }

    /// `whole`: [`Self::whole`]. `rights`: of each store.
    pub(super) fn to_json<'r>(
        &self,
        rights: impl IntoIterator<Item = &'r Rights>,
        issuer: &TrustedIssuer,
        whole: &plan::Plan,
        dry_run: bool,
    ) -> serde_json::Value {
        let mut shown = json!({
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
        });
        let of_store = |store: &StorePart, rights: &Rights| {
            json!({
                "obstacles": store.obstacles_json(),
                "storeKeptFor": store.kept_for,
                "replaced": store.retirement.as_ref().map(Retirement::to_json),
                "rights": rights.to_json(),
            })
        };
        let mut stores: Vec<_> =
            self.stores.iter().zip(rights).map(|(store, rights)| of_store(store, rights)).collect();
        if self.are_several {
            stores.iter_mut().zip(&self.stores).for_each(|(shown, store)| shown["store"] = json!(store.name));
            shown["stores"] = stores.into();
            left_json(&self.not_moved, &self.not_looked_at, &mut shown);
        } else if let (Some(members), [serde_json::Value::Object(store)]) =
            (shown.as_object_mut(), stores.as_mut_slice())
        {
            members.append(store);
        }
        shown
    }
}

/// What is left of what the run was about.
pub(super) fn show_left(not_moved: &[NotMoved], not_looked_at: &[(String, String)], report: &mut Report<'_>) {
    if !not_moved.is_empty() {
        report.line(Line::whole(Tone::Title, "\nnot moved"));
        not_moved.iter().for_each(|store| report.lines(store.lines()));
    }
    if !not_looked_at.is_empty() {
        report.line("\nnot looked at, as it is not known that they log in with a stored credential");
        not_looked_at.iter().for_each(|(store, why)| {
            report.line(Line::marked(Tone::Warning, format_args!("! {store}: {why}")))
        });
    }
}

pub(super) fn left_json(
    not_moved: &[NotMoved],
    not_looked_at: &[(String, String)],
    shown: &mut serde_json::Value,
) {
    shown["notMoved"] = not_moved.iter().map(NotMoved::to_json).collect();
    let left = not_looked_at.iter();
    shown["notLookedAt"] = left.map(|(store, why)| json!({ "store": store, "why": why })).collect();
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
