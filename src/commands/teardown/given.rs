//! What a teardown looks at, what it finds there, and what a store was given in the cluster.

use super::plan::{self, Withdrawal};
use crate::{
    cluster::{
        Cluster, ServiceAccount,
        snapshot::{Estate, ROLE_BINDINGS, ROLES, SERVICE_ACCOUNTS, Store},
    },
    commands::{resolve::Resolved, stores::Stores},
    config::Settings,
    error::Result,
    federation::{Federation, Trust, Workload},
    secret_store::{self, Given, Planned, StoreName, role_name},
    warning::Warning,
};

/// What is looked at.
#[derive(Clone, Copy)]
pub(super) struct Scene<'s, 'p> {
    pub(super) cluster: &'s Cluster,
    pub(super) estate: &'s Estate,
    pub(super) stores: &'s Stores,
    pub(super) settings: &'s Settings,
    pub(super) resolved: &'s Resolved,
    /// Without workloads.
    pub(super) trust: &'s Trust,
    pub(super) providers: &'p [Box<dyn Federation>],
    /// The publisher, and the name of the provider that it logs in through. `None`: the settings name none.
    pub(super) publisher: Option<&'s (Workload, String)>,
}

/// What is found there.
pub(super) struct Found<'p> {
    pub(super) withdrawals: Vec<Withdrawal<'p>>,
    pub(super) objects: Objects,
    pub(super) warnings: Vec<Warning>,
    /// Everything was looked at, and it is known of each thing whether it goes.
    pub(super) is_whole: bool,
}

impl Default for Found<'_> {
    fn default() -> Self {
        Self { withdrawals: Vec::new(), objects: Objects::default(), warnings: Vec::new(), is_whole: true }
    }
}

/// What goes from the cluster, or stays with a reason. What stores share is in it once.
#[derive(Default)]
pub(super) struct Objects(pub(super) Vec<Planned>);

impl Objects {
    pub(super) fn add(&mut self, more: Vec<Planned>) {
        for object in more {
            if !self.0.iter().any(|known| known.object() == object.object()) {
                self.0.push(object);
            }
        }
    }
}

impl Scene<'_, '_> {
    /// What was made for this account, and the store if there is one. `ends`: stores that get nothing afterwards.
    pub(super) async fn objects_of(
        &self,
        store: Option<&StoreName>,
        workload: &ServiceAccount,
        withdrawals: &[Withdrawal<'_>],
        ends: impl Fn(&Store) -> bool,
    ) -> Result<Vec<Planned>> {
        let Self { cluster, estate, .. } = *self;
        let namespace = Some(workload.namespace.as_str());
        let role = role_name(workload);
        let store = async {
            match store {
                Some(store) => cluster.get_object(store.resource(), store.namespace(), store.name()).await,
                None => Ok(None),
            }
        };
        let (store, account, role, role_binding) = futures::try_join!(
            store,
            cluster.get_object(&SERVICE_ACCOUNTS, namespace, &workload.name),
            cluster.get_object(&ROLES, namespace, &role),
            cluster.get_object(&ROLE_BINDINGS, namespace, &role),
        )?;
        let withdrawn: Vec<_> = withdrawals.iter().map(|withdrawal| withdrawal.login.as_ref()).collect();
        let other_users = secret_store::other_users(estate, workload, ends);
        let given = Given {
            store: store.as_ref(),
            account: account.as_ref(),
            role: role.as_ref(),
            role_binding: role_binding.as_ref(),
            workload,
            withdrawn: &withdrawn,
            other_users: other_users.as_deref(),
        };
        let mut planned = secret_store::withdraw(given);
        for object in planned.iter_mut().filter(|object| object.changes_something()) {
            if object.manifest.kind().ends_with("SecretStore") {
                let users = plan::users(estate, &Store(object.manifest.clone()));
                object.step.reason = format!("{}; {}", object.step.reason, plan::stop(&users));
            }
        }
        Ok(planned)
    }
}
