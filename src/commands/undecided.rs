//! What only a settings file says that no flag names. It may have come with the folder: it decides neither what a provider
//! believes, nor what is granted, nor whose credential ends, unless a person reads the plan and confirms it.

use super::{objects::find_store, resolve::store_name};
use crate::{
    ask::Offer,
    cli::PlanFile,
    cluster::{self, ApiServer, Observed, snapshot::Estate},
    config::Settings,
    error::{Code, Error, Result},
    oidc::SignedIssuer,
    report::{Line, Report, Tone},
    secret_store::StoreName,
};

/// Settings with their values, for people.
#[derive(Debug, Default)]
pub(super) struct Undecided {
    file: String,
    says: Vec<String>,
}

impl Undecided {
    /// Another cluster than the one that the user's tools take, and whom to take for a server.
    pub(super) fn cluster(settings: &Settings) -> Self {
        let file = settings.file.display().to_string();
        let authorities = settings.undecided.authorities().iter().cloned();
        Self { file, says: context(settings).into_iter().chain(authorities).collect() }
    }

    /// What says whose keys are published, and how soon one may go. To be refused before anything is asked.
    pub(super) fn key_set(settings: &Settings) -> Self {
        Self { file: settings.file.display().to_string(), says: settings.undecided.of_key_set() }
    }

    pub(super) fn and(mut self, more: impl IntoIterator<Item = String>) -> Self {
        self.says.extend(more);
        self
    }

    pub(super) fn show(&self, report: &mut Report<'_>) {
        if self.says.is_empty() {
            return;
        }
        report.line(Line::whole(
            Tone::Title,
            format_args!("\nset only by {}, which --config does not name", self.file),
        ));
        for one in &self.says {
            report.line(Line::marked(Tone::Warning, format_args!("! {one}")));
        }
    }

    /// Refuses it where the plan is applied without a question, now or once it is saved: no one has read it.
    pub(super) fn refuse_unasked(&self, yes: bool, dry_run: bool, plan: &PlanFile) -> Result<()> {
        match yes && !dry_run || plan.is_saved() {
            true => self.refuse(),
            false => Ok(()),
        }
    }

    pub(super) fn refuse(&self) -> Result<()> {
        if self.says.is_empty() {
            return Ok(());
        }
        let file = &self.file;
        Err(Error::usage(
            Code::SettingsUndecided,
            format!("nothing is changed without a question: {file} alone says {}", self.says.join(", ")),
        )
        .caused_by(
            "--config does not name the file: it was found in the current folder, where anyone may have put it, and the \
             cluster does not lead to the same without it",
        )
        .hint(format!("read it; if it is right, name it: --config {file}"))
        .hint("or name the same by flags or variables")
        .hint("nothing was changed"))
    }

    /// For a program.
    pub(super) fn to_json(&self) -> serde_json::Value {
        serde_json::json!(self.says)
    }
}

/// Where the documents are. Who can write the bucket can sign as every workload. The API servers' own flags say the same once
/// all of them sign as its issuer.
pub(super) fn of_documents(settings: &Settings, observed: &Observed, issuer: &SignedIssuer) -> Vec<String> {
    let signs = |server: &ApiServer| server.token.claims().issuer == *issuer;
    if observed.failed.is_empty() && observed.servers.iter().all(signs) {
        return Vec::new();
    }
    let bucket = settings.bucket.iter().flat_map(|bucket| bucket.to_members());
    let issuer = ("issuer", Some(issuer.as_str().to_owned()));
    let named = settings.undecided.of_documents();
    let alone = bucket.chain([issuer]).filter(|(setting, _)| named.contains(setting));
    alone.map(|(setting, value)| format!("{setting} {}", value.unwrap_or_default().escape_debug())).collect()
}

/// The store that no flag names, where the cluster leads to another one without the file. One that is not there loses nothing.
pub(super) fn of_store(settings: &Settings, estate: &Estate, store: &StoreName) -> Option<String> {
    let without = settings.undecided.without_file(settings)?;
    let alone = store_name(&without, estate, &mut offered).ok();
    let shown = store.namespace().map(|namespace| format!("{namespace}/")).unwrap_or_default();
    let is_of_file = settings.sources.file_says("store.name") && alone.as_ref() != Some(store);
    let is_there = find_store(estate, store).is_some();
    (is_of_file && is_there).then(|| format!("store.name {shown}{}", store.name()))
}

/// Takes what the cluster offers, and nothing else.
pub(super) fn offered(setting: &str, _: &str, offer: Offer<'_>) -> Result<String> {
    let text = offer.text().map(str::to_owned);
    text.ok_or_else(|| Error::usage(Code::SettingMissing, format!("`{setting}` is not set")))
}

fn context(settings: &Settings) -> Option<String> {
    let cluster = settings.cluster.as_ref()?;
    let named = settings.undecided.context(cluster.context.as_deref())?;
    let own = cluster::Settings { context: None, ..cluster.clone() };
    let own = cluster::Configured::load(&own).ok().and_then(|own| own.target().context);
    (own.as_deref() != Some(named)).then(|| format!("cluster.context {}", named.escape_debug()))
}
