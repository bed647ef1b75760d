//! Answers to what a plan asks, asked before.

use futures::future::join_all;

use super::{Entra, observe::Identity, place::Api, wanted};
use crate::{
    error::Result,
    federation::{Trust, ahead::Answers},
};

/// Of subscription, vault and resource group.
const PLACES: usize = 3;
/// The most connections that are opened before they are needed.
const MOST_OPENED: usize = 8;

/// What Azure has answered, and no look has used yet.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    pub(super) place: Answers<(), Result<()>>,
    pub(super) location: Answers<(), Result<String>>,
    /// By name.
    pub(super) identities: Answers<String, Result<Option<Identity>>>,
    /// Client IDs by the names of the identities, as they were seen last. An identity keeps its own as long as it is there,
    /// so writes do not make them old. The client ID of a deleted identity opens nothing.
    pub(super) client_ids: Answers<String, Option<String>>,
}

impl Ahead {
    /// Something is written: what was answered before may not be so any more.
    pub(super) fn forget(&self) {
        self.place.forget();
        self.location.forget();
        self.identities.forget();
    }
}

impl Entra {
    /// The client ID of the identity; `None`: there is none.
    pub(super) async fn client_id(&self) -> Result<Option<String>> {
        let name = &self.settings.identity;
        let ask = async {
            let seen = self.ahead.identities.known_or(name, self.identity_alone()).await?;
            Ok(seen.map(|identity| identity.client_id))
        };
        match self.ahead.client_ids.known_or(name, std::future::ready(None)).await {
            Some(known) => Ok(Some(known)),
            None => ask.await,
        }
    }

    /// Asks what a plan for this asks. Connections are opened while the administrator's token is asked for.
    pub(super) async fn look_ahead_for(&self, want: &Trust) {
        if wanted::check(want).is_err() {
            return;
        }
        let identity =
            async |it: Self| it.ahead.identities.see_or(&it.settings.identity, it.identity()).await;
        let identities = want.workloads.iter().map(|workload| identity(self.of_workload(workload)));
        let asked = async {
            futures::join!(
                self.ahead.place.see_or(&(), self.check_place()),
                self.ahead.location.see_or(&(), self.location()),
                join_all(identities)
            )
        };
        let count = (PLACES + want.workloads.len()).min(MOST_OPENED);
        let _answers = self.client.opening(Api::ResourceManager, count, asked).await;
    }
}
