//! Complete settings of one server.

use super::{Mode, PROVIDER, Settings, Vault};
use crate::{
    error::Result,
    federation::{Configured, Federation, ProviderName, Purpose},
    http::Http,
    target::Account,
};

impl Configured for Settings {
    fn provider(&self) -> ProviderName {
        ProviderName::new(&PROVIDER)
    }

    fn account(&self) -> Account {
        Self::account(self)
    }

    fn uploads_keys(&self) -> bool {
        self.mode == Mode::StaticKeys
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let mode = match self.mode {
            Mode::Discovery => "discovery",
            Mode::JwksUrl => "jwks-url",
            Mode::StaticKeys => "static-keys",
        };
        let always = [
            ("vault.address", self.address.clone()),
            ("vault.mount", self.mount.clone()),
            ("vault.role", self.role.clone()),
            ("vault.kv", self.kv.clone()),
            ("vault.mode", mode.to_owned()),
        ];
        let namespace = self.namespace.clone().map(|namespace| ("vault.namespace", namespace));
        always.into_iter().chain(namespace).collect()
    }

    fn connect(&self, http: &Http, _purpose: Purpose) -> Result<Box<dyn Federation>> {
        Ok(Box::new(Vault::connect(self, http)?))
    }
}
