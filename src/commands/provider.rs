//! From settings to a provider. The one `match` over the kinds there are.

use crate::{
    config::{ProviderName, Settings},
    error::{Error, Result},
    federation::{
        Federation,
        gcp::{self, Gcp},
        vault::Vault,
    },
    http::Http,
};

/// The provider behind these settings. Nothing is asked yet.
pub(super) fn connect(
    name: ProviderName,
    google: Option<&gcp::Settings>,
    settings: &Settings,
    http: &Http,
) -> Result<Box<dyn Federation>> {
    let missing = |setting: &str| {
        Error::usage("setting-missing", format!("`{setting}` is not known")).hint("set it in keyless.yaml")
    };
    Ok(match name {
        ProviderName::Google => {
            Box::new(Gcp::connect(google.ok_or_else(|| missing("google.project"))?, http)?)
        }
        ProviderName::Vault => {
            Box::new(Vault::connect(settings.vault.as_ref().ok_or_else(|| missing("vault.address"))?, http)?)
        }
    })
}
