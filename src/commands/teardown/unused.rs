//! Logins that keyless made for a ServiceAccount, and that no store uses any more: a store that is gone or logs in with
//! another account by now, or the second role of an account.

use std::collections::BTreeSet;

use super::others;
use crate::{
    cluster::{
        ServiceAccount,
        snapshot::{Estate, Store},
    },
    commands::{rights::ever_named, stores::Stores},
    config::Settings,
    error::Result,
    federation::{Federation, Naming, Right, Trust, Workload},
    secret_store::{self, StoreLogin, StoreName, relies_on, uses_account},
};

/// Where they are looked for.
pub(super) struct Look<'a> {
    pub(super) estate: &'a Estate,
    pub(super) stores: &'a Stores,
    pub(super) settings: &'a Settings,
    pub(super) provider: &'a dyn Federation,
    /// What a store says that logs in by this trust.
    pub(super) login: &'a dyn StoreLogin,
    /// Every store stays.
    pub(super) only_unused: bool,
    /// No store is named.
    pub(super) is_whole: bool,
}

impl Look<'_> {
    /// Those that go beside the workloads of `want`. What is not known to be unused stays.
    pub(super) async fn unused(&self, want: &Trust) -> Result<Vec<Workload>> {
        let rights = self.rights();
        let mut broad = want.clone();
        // Where a provider looks follows from what anything may have asked for.
        match broad.workloads.first_mut() {
            Some(first) => first.rights.extend(rights.iter().cloned()),
            None => {
                // It gives the look its form, and nothing is done about it.
                let account = ServiceAccount { namespace: "keyless-system".into(), name: "keyless".into() };
                let any = Workload::new(account, Naming::FromAccount);
                broad.workloads.push(any.granting(rights.clone(), BTreeSet::new()));
            }
        }
        let logins = self.provider.logins(&broad).await?;
        let mut unused = Vec::new();
        for login in logins {
            if self.goes_already(&login, want) || !self.is_unused(&login, want).await? {
                continue;
            }
            unused.push(login.granting(rights.clone(), BTreeSet::new()));
        }
        Ok(unused)
    }

    /// Whether it is withdrawn with the workloads that go.
    fn goes_already(&self, login: &Workload, want: &Trust) -> bool {
        // Without names of its own, one account is one login.
        let has_names = self.provider.login_of(login).is_some();
        want.workloads
            .iter()
            .any(|known| known.account == login.account && (!has_names || known.naming == login.naming))
    }

    async fn is_unused(&self, login: &Workload, want: &Trust) -> Result<bool> {
        if want.workloads.iter().any(|known| known.account == login.account) {
            return Ok(true);
        }
        if !self.is_whole && !self.only_unused {
            return Ok(false);
        }
        let ends = |store: &Store| {
            !self.only_unused
                && (others::is_named(self.stores, store) || self.is_whole && relies_on(store, self.login))
        };
        let users = secret_store::other_users(self.estate, &login.account, ends);
        match users.as_deref() {
            Some([]) => Ok(true),
            Some(_) => self.is_second(login).await,
            None => Ok(false),
        }
    }

    /// Whether every store that uses the account is known to log in by another name of it.
    async fn is_second(&self, login: &Workload) -> Result<bool> {
        let Some(own) = self.provider.login_of(login) else { return Ok(false) };
        let own = own.store_login().await?;
        let mut used =
            self.estate.stores.iter().filter(|store| uses_account(self.estate, store, &login.account));
        let is_apart = |store: &Store| {
            relies_on(store, self.login) && store.provider().is_some_and(|(_, spec)| !own.is_login_of(spec))
        };
        Ok(used.all(is_apart)
            && secret_store::other_users(self.estate, &login.account, |_| true)
                .is_some_and(|it| it.is_empty()))
    }

    fn rights(&self) -> BTreeSet<Right> {
        let stores = self.estate.stores.iter().filter(|store| relies_on(store, self.login));
        let of = |store: &Store| {
            let name = StoreName::of(store);
            let settings = self.stores.settings_of(&name, self.settings);
            ever_named(self.estate, &settings, &name, self.provider)
        };
        stores.flat_map(of).collect()
    }
}
