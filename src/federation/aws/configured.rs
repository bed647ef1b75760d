//! Complete settings of one account.

use std::time::Duration;

use super::{Aws, PROVIDER, Patience, Settings};
use crate::{
    error::Result,
    federation::{Configured, Federation, ProviderName, Purpose},
    http::Http,
    target::Account,
};

/// How long a refusal is waited for although this run has written nothing: an earlier run, cut off, may have written what
/// AWS does not know everywhere yet.
const AFTER_AN_EARLIER_RUN: Duration = Duration::from_secs(30);

impl Configured for Settings {
    fn provider(&self) -> ProviderName {
        ProviderName::new(&PROVIDER)
    }

    fn account(&self) -> Account {
        Self::account(self)
    }

    fn uploads_keys(&self) -> bool {
        false
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let always = [
            ("aws.account", self.account.clone()),
            ("aws.region", self.region.as_str().to_owned()),
            ("aws.service", self.service.name().to_owned()),
            ("aws.role", self.role.clone()),
        ];
        always.into_iter().chain(self.kms_key.clone().map(|key| ("aws.kmsKey", key))).collect()
    }

    fn connect(&self, http: &Http, purpose: Purpose) -> Result<Box<dyn Federation>> {
        let otherwise = match purpose {
            Purpose::Apply => AFTER_AN_EARLIER_RUN,
            Purpose::Look => Duration::ZERO,
        };
        let aws = Aws::connect(self, http)?;
        Ok(Box::new(Aws { patience: Patience { otherwise, ..Patience::default() }, ..aws }))
    }
}
