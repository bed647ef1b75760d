//! PURE. What only a settings file says that no flag names: it may have come with the folder, so it does not decide what is
//! granted to whom.

use std::path::Path;

use super::{file::Document, source::Sources};
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
}

const BUCKET: &str = "bucket.url";

impl Undecided {
    /// `source`: what `providers` were read from.
    pub(super) fn of_unnamed(
        document: &Document,
        common: &Common,
        (sources, path): (&Sources, &Path),
        (providers, source): (&Sections, &Source<'_>),
    ) -> Result<Self> {
        let (file, bucket) = (&document.file, &document.file.bucket);
        let settings = [
            (BUCKET, common.bucket.is_none() && bucket.url.is_some()),
            ("bucket.publicUrl", common.public_url.is_none() && bucket.public_url.is_some()),
            ("bucket.project", common.project.is_none() && bucket.project.is_some()),
            ("issuer", common.issuer.is_none() && file.issuer.is_some()),
        ];
        let settings = settings.into_iter().filter(|(setting, alone)| *alone && !sources.is_of_user(setting));
        let text = sources.of_environment(path)?;
        let without = Source { file: text.as_deref().map(|text| (text, path)), ..*source };
        let without = Sections::read(&without)?;
        let accounts = providers.iter().filter(|section| {
            let own = without.of(section.provider()).and_then(|section| section.account());
            section.is_named() && section.account() != own
        });
        Ok(Self {
            settings: settings.map(|(setting, _)| setting).collect(),
            accounts: accounts.map(|section| section.provider()).collect(),
        })
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
