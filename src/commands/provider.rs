//! From what is settled to a provider. The one `match` over the kinds there are.

use std::time::Duration;

use super::resolve::Settled;
use crate::{
    config::ProviderName,
    error::{Code, Error, Result},
    federation::{
        Federation,
        gcp::{Gcp, Patience},
        vault::Vault,
    },
    http::Http,
};

/// How long a refused read is tried again although this run has granted nothing.
const AFTER_AN_EARLIER_RUN: Duration = Duration::from_secs(120);

/// The provider behind what is settled. Nothing is asked yet.
pub(super) fn connect(name: ProviderName, settled: &Settled, http: &Http) -> Result<Box<dyn Federation>> {
    // An earlier run, cut off, may have granted what has not spread yet.
    patient(AFTER_AN_EARLIER_RUN, name, settled, http)
}

/// The same for those who only look: what is refused is refused.
pub(super) fn connect_to_look(
    name: ProviderName,
    settled: &Settled,
    http: &Http,
) -> Result<Box<dyn Federation>> {
    patient(Duration::ZERO, name, settled, http)
}

fn patient(
    otherwise: Duration,
    name: ProviderName,
    settled: &Settled,
    http: &Http,
) -> Result<Box<dyn Federation>> {
    let missing = |setting: &str| {
        Error::usage(Code::SettingMissing, format!("`{setting}` is not known")).hint("set it in keyless.yaml")
    };
    Ok(match name {
        ProviderName::Google => {
            let google =
                Gcp::connect(settled.google.as_ref().ok_or_else(|| missing("google.project"))?, http)?;
            Box::new(google.with_patience(Patience { otherwise, ..Patience::default() }))
        }
        ProviderName::Vault => {
            Box::new(Vault::connect(settled.vault.as_ref().ok_or_else(|| missing("vault.address"))?, http)?)
        }
    })
}
