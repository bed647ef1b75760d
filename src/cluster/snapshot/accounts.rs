//! Reads the ServiceAccounts that others name.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};

use super::{Inventory, kinds::SERVICE_ACCOUNTS, read::IN_FLIGHT, wanted::Name};
use crate::{
    cluster::{
        Cluster, is_label, is_subdomain,
        objects::{Look, Object},
    },
    error::Result,
};

impl Cluster {
    /// Those of these names.
    pub(super) async fn accounts(&self, names: BTreeSet<Name>) -> Result<BTreeMap<Name, Look<Object>>> {
        let seen = stream::iter(names).map(|name| async move {
            // Tenants write what they like, and nothing can be there under such a name.
            let account = match is_label(&name.0) && is_subdomain(&name.1) {
                true => self.look_at(&SERVICE_ACCOUNTS, Some(&name.0), &name.1).await?,
                false => Look::Absent,
            };
            Result::Ok((name, account))
        });
        seen.buffer_unordered(IN_FLIGHT).try_collect().await
    }

    /// Every ServiceAccount that a store or a generator names, to see which identity its annotations name.
    pub(crate) async fn named_accounts(&self, inventory: &Inventory) -> Result<BTreeMap<Name, Look<Object>>> {
        self.accounts(inventory.named_accounts()).await
    }
}
