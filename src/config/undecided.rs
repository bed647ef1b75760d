//! PURE. What only a settings file says that no flag names: it may have come with the folder, so it does not decide what is
//! granted to whom.

use std::path::Path;

use super::{LedgerPlace, Settings, Store, file::Document, known::PATHS, ledger, source::Sources};
use crate::{
    cli::Common,
    error::Result,
    federation::{ProviderName, Sections, Source},
};

/// The settings that a person has not decided, of those that say where the documents are and who is let in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Undecided {
    settings: Vec<&'static str>,
    /// Of these, the file alone names the account.
    accounts: Vec<ProviderName>,
    /// What is left of the settings without the file.
    decided: Option<Decided>,
}

/// What flags and the environment say, of what decides whose credential ends and what is granted.
#[derive(Clone, Debug)]
struct Decided {
    provider: Option<ProviderName>,
    providers: Sections,
    store: Store,
    context: Option<String>,
    /// No flag names a key that is published before an API server serves it.
    keys_are_of_file: bool,
    /// How long tokens live, where that is less than what holds otherwise.
    shorter_tokens: Vec<String>,
    /// Where it is written which keys are the cluster's, when that is not the usual place.
    ledger: Option<String>,
    lists_rights: bool,
    /// Which cluster this is.
    uid_is_of_file: bool,
    authorities: Vec<String>,
}

const BUCKET: &str = "bucket.url";
/// What says where the documents are.
const DOCUMENTS: [&str; 5] = [BUCKET, "bucket.publicUrl", "bucket.endpoint", "bucket.project", "issuer"];
const CA_FILE: &str = "tls.caFile";

impl Undecided {
    /// `source`: what `providers` were read from.
    pub(super) fn of_unnamed(
        document: &Document,
        common: &Common,
        (sources, path): (&Sources, &Path),
        (providers, source): (&Sections, &Source<'_>),
    ) -> Result<Self> {
        let store = &document.file.store;
        let of_file = |setting: &str| sources.file_alone_says(setting, common);
        let settings = DOCUMENTS.into_iter().filter(|setting| of_file(setting)).collect();
        let text = sources.of_environment(path)?;
        let without = Source { file: text.as_deref().map(|text| (text, path)), ..*source };
        let without = Sections::read(&without)?;
        let accounts = providers.iter().filter(|section| {
            let own = without.of(section.provider()).and_then(|section| section.account());
            section.is_named() && section.account() != own
        });
        let accounts = accounts.map(|section| section.provider()).collect();
        let own =
            text.as_deref().map(|text| Document::parse(text, path)).transpose()?.unwrap_or_default().file;
        let decided = Decided {
            provider: own.provider,
            store: own.store.settings(path)?,
            context: common.context.first().cloned().or(own.cluster.context),
            keys_are_of_file: of_file("cluster.publicKeys") && !document.file.cluster.public_keys.is_empty(),
            providers: without,
            shorter_tokens: shorter_tokens(document, sources)?,
            ledger: other_ledger(document, sources)?,
            lists_rights: store.secrets.is_some() || store.rights.is_some(),
            uid_is_of_file: of_file("cluster.uid"),
            authorities: authorities(sources),
        };
        Ok(Self { settings, accounts, decided: Some(decided) })
    }

    /// The settings without what only the file says of providers and stores. `None`: there is no such file.
    pub(crate) fn without_file(&self, settings: &Settings) -> Option<Settings> {
        let decided = self.decided.as_ref()?;
        Some(Settings {
            provider: decided.provider,
            providers: decided.providers.clone(),
            store: decided.store.clone(),
            ..settings.clone()
        })
    }

    /// What says where the documents are.
    pub(crate) fn of_documents(&self) -> &[&'static str] {
        &self.settings
    }

    /// Whether there is a file that no flag names.
    pub(crate) fn has_file(&self) -> bool {
        self.decided.is_some()
    }

    pub(crate) fn names_keys(&self) -> bool {
        self.decided.as_ref().is_some_and(|decided| decided.keys_are_of_file)
    }

    pub(crate) fn lists_rights(&self) -> bool {
        self.decided.as_ref().is_some_and(|decided| decided.lists_rights)
    }

    pub(crate) fn names_cluster(&self) -> bool {
        self.decided.as_ref().is_some_and(|decided| decided.uid_is_of_file)
    }

    /// What says whose keys are published, and how soon one may go.
    pub(crate) fn of_key_set(&self) -> Vec<String> {
        let Some(decided) = &self.decided else { return Vec::new() };
        let keys = decided.keys_are_of_file.then(|| "cluster.publicKeys".to_owned());
        keys.into_iter().chain(self.of_retention()).collect()
    }

    /// What says which published keys are the cluster's, and how soon one may go.
    pub(crate) fn of_retention(&self) -> Vec<String> {
        let Some(decided) = &self.decided else { return Vec::new() };
        decided.ledger.iter().chain(&decided.shorter_tokens).cloned().collect()
    }

    /// Certificate authorities: whom this program, a provider or the operator takes for a server.
    pub(crate) fn authorities(&self) -> &[String] {
        self.decided.as_ref().map_or(&[], |decided| &decided.authorities)
    }

    /// The context that only the file names, of the one that the settings name.
    pub(crate) fn context<'a>(&self, named: Option<&'a str>) -> Option<&'a str> {
        let decided = self.decided.as_ref()?;
        named.filter(|_| decided.context.is_none())
    }

    /// What says where the documents are, and who is let in by this provider.
    pub(crate) fn of_publisher(&self, provider: ProviderName) -> Vec<String> {
        self.settings.iter().map(|&setting| setting.to_owned()).chain(self.of_account(provider)).collect()
    }

    /// What says in which account of this provider something is granted.
    pub(crate) fn of_account(&self, provider: ProviderName) -> Option<String> {
        self.accounts.contains(&provider).then(|| format!("the account of {}", provider.as_str()))
    }

    pub(crate) fn names_bucket(&self) -> bool {
        self.settings.contains(&BUCKET)
    }
}

fn shorter_tokens(document: &Document, sources: &Sources) -> Result<Vec<String>> {
    let cluster = &document.file.cluster;
    let (longest, most) = (cluster.longest_token_seconds, cluster.max_token_seconds);
    let shorter = [
        ("cluster.longestTokenSeconds", longest, ledger::longest_token(None)?),
        ("cluster.maxTokenSeconds", most, ledger::most_token(None, None)?),
    ];
    let shorter = shorter.into_iter().filter_map(|(setting, seconds, usual)| {
        let seconds = seconds.filter(|seconds| u64::from(*seconds) < usual && sources.file_says(setting))?;
        Some(format!("{setting} {seconds}"))
    });
    Ok(shorter.collect())
}

/// A ledger says which keys were the cluster's: the one who writes it can vouch for a key of their own.
fn other_ledger(document: &Document, sources: &Sources) -> Result<Option<String>> {
    const SETTING: &str = "cluster.ledger";
    let named = document.file.cluster.ledger.as_deref().filter(|_| sources.file_says(SETTING));
    let place = LedgerPlace::resolve(named)?;
    Ok((place.to_string() != LedgerPlace::resolve(None)?.to_string()).then(|| format!("{SETTING} {place}")))
}

/// What a provider or the operator is told to trust. `tls.caFile` is this program's own: it is announced.
fn authorities(sources: &Sources) -> Vec<String> {
    let all = PATHS.into_iter().filter(|setting| setting.to_ascii_lowercase().ends_with("cafile"));
    all.filter(|setting| *setting != CA_FILE && sources.file_says(setting)).map(str::to_owned).collect()
}
