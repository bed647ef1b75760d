//! Gives a provider its keys, if it still has those that were decided upon.
//!
//! Neither Google nor Vault has a conditional write of keys: what another publisher writes between this last look and the
//! write is lost. `--lease` keeps other publishers away.

use async_trait::async_trait;

use super::each::ids;
use crate::{
    error::{Code, Error, Result},
    federation::{Federation, Trust},
    oidc::PublicKey,
    plan::{Act, Say},
};

/// The keys of one provider, as they were planned.
pub(super) struct Guarded<'p> {
    pub(super) provider: &'p dyn Federation,
    pub(super) want: Trust,
    /// What was decided upon.
    pub(super) seen: Vec<PublicKey>,
}

#[async_trait]
impl Act for Guarded<'_> {
    async fn run(&self, say: Say<'_>) -> Result<()> {
        self.give(say).await?;
        match self.has_them().await? {
            true => Ok(()),
            false => Err(Error::failed(
                Code::ReadBackDiffers,
                format!("{} has other keys than it was given", self.provider),
            )
            .hint("another publisher may have written them at the same time: run it again")),
        }
    }
}

impl Guarded<'_> {
    async fn has_them(&self) -> Result<bool> {
        let has = self.provider.keys().await?;
        Ok(has.given().is_some_and(|given| ids(given.iter()) == ids(self.want.keys.iter())))
    }

    async fn give(&self, say: Say<'_>) -> Result<()> {
        // Planned again: a write may replace more than the keys.
        let change = self.provider.plan_keys(&self.want).await?;
        let has = self.provider.keys().await?;
        let has = has.given().map(|given| ids(given.iter()));
        match has {
            // Another publisher has decided the same.
            Some(has) if has == ids(self.want.keys.iter()) => Ok(()),
            Some(has) if has == ids(&self.seen) => match change.run(say).await {
                // It is not sent again, as others may have written since: it may have been carried out, though.
                Err(error) => match self.has_them().await {
                    Ok(true) => Ok(()),
                    _ => Err(error),
                },
                done => done,
            },
            Some(_) | None => Err(Error::failed(
                Code::ApplyRaced,
                format!(
                    "another publisher has changed the keys of {}: nothing was written there",
                    self.provider
                ),
            )
            .hint("run it again: it decides by the keys that are there now")
            .hint("let one publisher at a time write: `keyless publish --watch --lease`")),
        }
    }
}
