//! What only a settings file says that no flag names. It may have come with the folder: it decides neither what a provider
//! believes, nor what is granted, nor whose credential ends, unless a person reads the plan and confirms it.
//!
//! Where the cluster leads to the same without the file, it decides nothing: the API servers sign as the issuer already, the
//! store reads from the account already.

use super::members::Member;
use crate::{
    ask::Offer,
    cluster::{self, Observed, snapshot::Estate},
    commands::{
        resolve::{Resolved, resolve_by},
        stores::Stores,
    },
    config::Settings,
    error::{Code, Error, Result},
    federation::{ProviderName, TrustedIssuer},
    oidc::KeySet,
    report::{Line, Report, Tone},
};

/// Settings with their values, for people.
#[derive(Debug, Default)]
pub(super) struct Undecided {
    file: String,
    says: Vec<String>,
}

/// What a run was resolved from.
pub(super) struct Found<'a> {
    pub(super) settings: &'a Settings,
    pub(super) stores: &'a Stores,
    pub(super) to: Option<ProviderName>,
    pub(super) estate: &'a Estate,
    pub(super) cluster_id: &'a str,
    pub(super) observed: &'a Observed,
    pub(super) issuer: &'a TrustedIssuer,
    /// Keys that files name.
    pub(super) staged: Option<&'a KeySet>,
}

impl Undecided {
    pub(super) fn of(found: &Found<'_>, resolved: &Resolved, members: &[Member]) -> Result<Self> {
        let settings = found.settings;
        let Some(without) = settings.undecided.without_file(settings) else { return Ok(Self::default()) };
        let mut says = of_documents(found);
        says.extend(of_keys(found)?);
        says.extend(of_context(settings));
        says.extend(of_resolved(found, &without, resolved));
        for member in members.iter().filter(|member| member.is_of_settings()) {
            says.extend(member.rights.only_listed().iter().map(|right| format!("store: {right}")));
        }
        Ok(Self { file: settings.file.display().to_string(), says })
    }

    pub(super) fn show(&self, report: &mut Report<'_>) {
        if self.says.is_empty() {
            return;
        }
        report.line(Line::whole(
            Tone::Title,
            format_args!("\nonly {} says, which no flag names", self.file),
        ));
        for one in &self.says {
            report.line(Line::marked(Tone::Warning, format_args!("! {one}")));
        }
    }

    /// Where nobody is asked, nobody has read it.
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
        .hint("or run it on a terminal without --yes, and confirm the plan")
        .hint("nothing was changed"))
    }

    /// For a program.
    pub(super) fn to_json(&self) -> serde_json::Value {
        serde_json::json!(self.says)
    }
}

/// Whoever can write the bucket can sign as every workload. The API servers' own flags say the same once all of them sign as
/// its issuer.
fn of_documents(found: &Found<'_>) -> Vec<String> {
    let Found { settings, observed, issuer, .. } = found;
    let signs = |server: &cluster::ApiServer| server.token.claims().issuer == *issuer.signed();
    if observed.failed.is_empty() && observed.servers.iter().all(signs) {
        return Vec::new();
    }
    let named = settings.undecided.of_documents().iter();
    named.map(|setting| format!("{setting} (issuer {issuer})")).collect()
}

/// Whoever holds a staged key can sign as every workload.
fn of_keys(found: &Found<'_>) -> Result<Option<String>> {
    let (Some(staged), true) = (found.staged, found.settings.undecided.names_keys()) else { return Ok(None) };
    let live = found.observed.live()?;
    let more: Vec<_> = staged.iter().filter(|key| live.iter().all(|known| !known.same_key(key))).collect();
    let kids: Vec<_> = more.iter().map(|key| key.kid().escape_debug().to_string()).collect();
    Ok((!kids.is_empty()).then(|| format!("cluster.publicKeys (key {})", kids.join(", "))))
}

/// Of the user's own kubeconfig, but another one than the user's tools take.
fn of_context(settings: &Settings) -> Option<String> {
    let cluster = settings.cluster.as_ref()?;
    let named = settings.undecided.context(cluster.context.as_deref())?;
    let own = cluster::Settings { context: None, ..cluster.clone() };
    let own = cluster::Configured::load(&own).ok().and_then(|own| own.target().context);
    (own.as_deref() != Some(named)).then(|| format!("cluster.context {}", named.escape_debug()))
}

/// Resolves once more without the file, taking what the cluster offers.
fn of_resolved(found: &Found<'_>, without: &Settings, resolved: &Resolved) -> Vec<String> {
    let Found { stores, to, estate, cluster_id, settings, .. } = found;
    let mut offered = |setting: &str, _: &str, offer: Offer<'_>| {
        let text = offer.text().map(str::to_owned);
        text.ok_or_else(|| Error::usage(Code::SettingMissing, format!("`{setting}` is not set")))
    };
    let first = stores.first_trusted(without, *to, estate).ok().flatten();
    let alone = first.and_then(|(first, completes)| {
        resolve_by(&first, *to, completes, estate, cluster_id, &mut offered).ok()
    });
    let alone = alone.as_ref();
    let mut all = vec![
        ("provider", resolved.provider.provider().to_string()),
        ("store.name", resolved.store.name().to_owned()),
        ("store.namespace", resolved.store.namespace().unwrap_or_default().to_owned()),
        ("store.serviceAccount", resolved.workload.to_string()),
    ];
    let mut own = Vec::new();
    if let Some(alone) = alone {
        own = vec![
            ("provider", alone.provider.provider().to_string()),
            ("store.name", alone.store.name().to_owned()),
            ("store.namespace", alone.store.namespace().unwrap_or_default().to_owned()),
            ("store.serviceAccount", alone.workload.to_string()),
        ];
        own.extend(alone.provider.settings());
    }
    all.extend(resolved.provider.settings());
    all.retain(|one| settings.sources.file_says(one.0) && !own.contains(one));
    all.into_iter().map(|(setting, value)| format!("{setting} {}", value.escape_debug())).collect()
}
