//! The objects of a secret store: what of them is there, and how a planned one is brought about.

use std::time::Duration;

use serde_json::{Value, json};

use super::operator::installed;
use crate::{
    cluster::{
        Cluster, ServiceAccount,
        objects::{ApplyOptions, Look, Object},
        snapshot::{Controller, Estate, ROLE_BINDINGS, ROLES, SERVICE_ACCOUNTS, StoreSchema},
    },
    error::{Code, Error, Result},
    retry::{Attempts, Backoff},
    secret_store::{Doing, Have, Planned, StoreName, role_name},
};

/// What is there of everything that a store needs.
#[derive(Clone, Debug)]
pub(crate) struct Present {
    schema: StoreSchema,
    controller: Option<Controller>,
    store: Option<Object>,
    account: Option<Object>,
    role: Option<Object>,
    role_binding: Option<Object>,
}

impl Present {
    /// Looks at the objects that an estate does not hold.
    pub(crate) async fn observe(
        cluster: &Cluster,
        estate: &Estate,
        store: &StoreName,
        workload: &ServiceAccount,
    ) -> Result<Self> {
        let schema = match estate.schema(store.is_cluster()) {
            Look::Seen(schema) => schema.clone(),
            Look::Absent => {
                return Err(Error::failed(Code::EsoMissing, "a part of External Secrets Operator is not installed in this cluster")
                    .caused_by(format_args!("there is no custom resource definition {}", store.resource().name()))
                    .hint("install the definitions of the release that runs: helm upgrade RELEASE external-secrets/external-secrets --namespace NAMESPACE --reuse-values --set installCRDs=true"));
            }
            Look::Unseen(unseen) => {
                return Err(Error::failed(
                    Code::ClusterForbidden,
                    format!("missing right: {}", unseen.right),
                )
                .hint("without the installed schema a field that it lacks would be dropped without a word"));
            }
        };
        let namespace = Some(workload.namespace.as_str());
        let role = role_name(workload);
        let (found, account, role, role_binding) = futures::try_join!(
            cluster.get_object(store.resource(), store.namespace(), store.name()),
            cluster.get_object(&SERVICE_ACCOUNTS, namespace, &workload.name),
            cluster.get_object(&ROLES, namespace, &role),
            cluster.get_object(&ROLE_BINDINGS, namespace, &role),
        )?;
        let controller = serving(estate, store, workload).cloned();
        Ok(Self { schema, controller, store: found, account, role, role_binding })
    }

    /// The store as it is now, if it is there.
    pub(crate) fn store(&self) -> Option<&Object> {
        self.store.as_ref()
    }

    /// For the planner.
    pub(crate) fn have(&self) -> Have<'_> {
        Have {
            schema: &self.schema,
            controller: self.controller.as_ref(),
            store: self.store.as_ref(),
            account: self.account.as_ref(),
            role: self.role.as_ref(),
            role_binding: self.role_binding.as_ref(),
        }
    }
}

/// Of several controllers that an administrator has installed the one in the workload's namespace, else the only one. A
/// SecretStore may also have one in its own namespace.
fn serving<'a>(estate: &'a Estate, store: &StoreName, workload: &ServiceAccount) -> Option<&'a Controller> {
    let is_near = |it: &&Controller| it.namespace == workload.namespace;
    let installed = installed(&estate.controllers);
    let only = installed.first().copied().filter(|_| installed.len() == 1);
    let own = || estate.controllers.iter().find(is_near);
    let near = installed.into_iter().find(is_near).or(only);
    near.or_else(|| own().filter(|_| store.namespace() == Some(workload.namespace.as_str())))
}

/// Does one planned object, or with `dry_run` has the API server judge it. `false`: nothing was written.
pub(crate) async fn carry_out(cluster: &Cluster, planned: &Planned, dry_run: bool) -> Result<bool> {
    match &planned.doing {
        Doing::Delete(_) if dry_run => Ok(false),
        Doing::Delete(object) => cluster.delete_object(planned.resource, object).await,
        _ => Ok(write(cluster, planned, dry_run).await?.is_some()),
    }
}

/// The same for an object that stays; gives it back as it is then.
pub(crate) async fn write(cluster: &Cluster, planned: &Planned, dry_run: bool) -> Result<Option<Object>> {
    let manifest = &planned.manifest;
    let namespace = Some(manifest.namespace()).filter(|namespace| !namespace.is_empty());
    match &planned.doing {
        Doing::Nothing | Doing::WriteFile { .. } | Doing::Delete(_) => Ok(None),
        Doing::Apply => {
            let options = ApplyOptions { dry_run, ..ApplyOptions::default() };
            cluster.apply(planned.resource, &manifest.0, options).await.map(Some)
        }
        Doing::Patch(patch) => patch_as_planned(cluster, planned, namespace, patch, dry_run).await.map(Some),
    }
}

/// How often a controller may note something on an object between a look and a write.
const CONFLICTS: Backoff = Backoff::conflict(Duration::from_millis(10), 10);

/// A controller writes an object's status all the time, and people take their time to answer: what was planned from
/// counts, not its resource version.
async fn patch_as_planned(
    cluster: &Cluster,
    planned: &Planned,
    namespace: Option<&str>,
    patch: &Value,
    dry_run: bool,
) -> Result<Object> {
    let name = planned.manifest.name();
    let mut patch = patch.clone();
    let mut attempts = Attempts::begin(CONFLICTS);
    loop {
        let patched = cluster.merge_patch(planned.resource, namespace, name, &patch, dry_run).await;
        let error = match patched {
            Ok(object) => return Ok(object),
            Err(error) => error,
        };
        let now = match error.code {
            Code::ApplyRaced if attempts.pause(None).await => {
                cluster.get_object(planned.resource, namespace, name).await?
            }
            _ => return Err(error),
        };
        let (Some(now), Some(seen)) = (now, &planned.seen) else { return Err(error) };
        if said_by_people(&now) != said_by_people(seen) {
            return Err(error);
        }
        patch["metadata"]["resourceVersion"] = json!(now.text("/metadata/resourceVersion"));
    }
}

/// An object without what servers and controllers note on it.
fn said_by_people(object: &Object) -> Value {
    let mut object = object.0.clone();
    if let Some(members) = object.as_object_mut() {
        members.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata
            .retain(|name, _| !["generation", "managedFields", "resourceVersion"].contains(&name.as_str()));
    }
    object
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
