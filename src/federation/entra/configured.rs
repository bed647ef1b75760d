//! Complete settings of one vault.

use std::time::Duration;

use async_trait::async_trait;

use super::{Entra, PROVIDER, Patience, Settings};
use crate::{
    error::Result,
    federation::{Configured, Federation, ProviderName, Purpose},
    http::Http,
    target::Account,
};

/// How long a refusal is waited for although this run has written nothing: an earlier run, cut off, may have written what
/// Azure does not know everywhere yet.
const AFTER_AN_EARLIER_RUN: Duration = Duration::from_secs(60);

#[async_trait]
impl Configured for Settings {
    fn provider(&self) -> ProviderName {
        ProviderName::new(&PROVIDER)
    }

    fn account(&self) -> Account {
        super::account(&self.vault)
    }

    fn uploads_keys(&self) -> bool {
        false
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let same = self.vault_group == self.group;
        let always = [
            ("entra.tenant", self.tenant.clone()),
            ("entra.subscription", self.subscription.clone()),
            ("entra.resourceGroup", self.group.clone()),
            ("entra.vault", self.vault.clone()),
        ];
        let group = (!same).then(|| ("entra.vaultResourceGroup", self.vault_group.clone()));
        always.into_iter().chain(group).chain([("entra.identity", self.identity.clone())]).collect()
    }

    fn connect(&self, http: &Http, purpose: Purpose) -> Result<Box<dyn Federation>> {
        let otherwise = match purpose {
            Purpose::Apply => AFTER_AN_EARLIER_RUN,
            Purpose::Look => Duration::ZERO,
        };
        let entra = Entra::connect(self, http)?;
        Ok(Box::new(Entra { patience: Patience { otherwise, ..Patience::default() }, ..entra }))
    }
}
