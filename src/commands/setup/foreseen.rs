//! The look at the credentials that a store leaves. Which these are is known only once the provider has told what the store
//! must say: meanwhile those are looked at that it logs in with now.

use super::{
    found::named_now,
    members::Shared,
    retire::{AGE, Context},
};
use crate::{
    cluster::snapshot::Store,
    error::Result,
    federation::credential::{self, LastUse, StoredCredential},
    retirement::{Elsewhere, Kept, KeyView, look},
    secret_store::StoreName,
};

/// What was seen of these credentials.
pub(super) struct Looked {
    credentials: Vec<Kept>,
    leaving: Vec<StoreName>,
    pub(super) connected: Vec<Option<Box<dyn StoredCredential>>>,
    pub(super) keys: Vec<KeyView>,
    pub(super) elsewhere: Elsewhere,
    pub(super) last_uses: Vec<Option<LastUse>>,
    /// When it began, by the cluster's clock.
    pub(super) at: u64,
}

impl Looked {
    pub(super) async fn at(it: &Context<'_>, credentials: &[Kept]) -> Result<Self> {
        let connect = |kept: &Kept| credential::connect(&kept.identity, it.providers, it.http);
        let connected: Vec<_> = credentials.iter().map(connect).collect::<Result<_>>()?;
        let (keys, elsewhere, last_uses) = futures::join!(
            look::look_at(it.cluster, credentials, &connected),
            look::elsewhere(it.cluster, it.leaving, credentials),
            look::last_uses(&connected)
        );
        let (keys, elsewhere) = (keys?, elsewhere?);
        let (credentials, leaving) = (credentials.to_vec(), it.leaving.to_vec());
        Ok(Self { credentials, leaving, connected, keys, elsewhere, last_uses, at: it.now })
    }

    /// Whether a look now would ask just the same. A user may have taken long to answer a question since then.
    pub(super) fn serves(&self, it: &Context<'_>, credentials: &[Kept]) -> bool {
        self.credentials == credentials && self.leaving == it.leaving && it.now <= self.at.saturating_add(AGE)
    }
}

impl Shared<'_> {
    /// `None`: nothing was seen, for whatever reason. The plan's own look tells it.
    pub(super) async fn foresee(&self, store: &Store, now: u64) -> Option<Looked> {
        let credentials = named_now(self.cluster, self.estate, store).await.ok()?;
        if credentials.is_empty() {
            return None;
        }
        let leaving = [StoreName::of(store)];
        Looked::at(&self.context(&leaving, now), &credentials).await.ok()
    }
}
