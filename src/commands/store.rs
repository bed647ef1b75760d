//! The objects of a secret store: what of them is there, and how a planned one is brought about.

use serde_json::{Value, json};

use crate::{
    cluster::{
        Cluster, ServiceAccount,
        objects::{ApplyOptions, Look, Object},
        snapshot::{Controller, Estate, ROLE_BINDINGS, ROLES, SERVICE_ACCOUNTS, StoreSchema},
    },
    error::{Error, Result},
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
                return Err(Error::failed("eso-absent", "External Secrets Operator is not installed in this cluster")
                    .caused_by(format_args!("there is no custom resource definition {}", store.resource().name()))
                    .hint("helm install external-secrets external-secrets/external-secrets -n external-secrets --create-namespace"));
            }
            Look::Unseen(unseen) => {
                return Err(Error::failed("cluster-forbidden", format!("missing right: {}", unseen.right))
                    .hint(
                        "without the installed schema a field that it lacks would be dropped without a word",
                    ));
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
        // Of several controllers the one in the workload's namespace, else the only one.
        let near = estate.controllers.iter().find(|controller| controller.namespace == workload.namespace);
        let only = Some(&estate.controllers).filter(|all| all.len() == 1).and_then(|all| all.first());
        Ok(Self { schema, controller: near.or(only).cloned(), store: found, account, role, role_binding })
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

/// Does one planned object, or with `dry_run` has the API server judge it. `false`: nothing was written.
pub(crate) async fn carry_out(cluster: &Cluster, planned: &Planned, dry_run: bool) -> Result<bool> {
    let manifest = &planned.manifest;
    let namespace = Some(manifest.namespace()).filter(|namespace| !namespace.is_empty());
    match &planned.doing {
        Doing::Nothing | Doing::WriteFile { .. } => return Ok(false),
        Doing::Apply => {
            let options = ApplyOptions { dry_run, ..ApplyOptions::default() };
            cluster.apply(planned.resource, &manifest.0, options).await?;
        }
        Doing::Patch(patch) => patch_as_planned(cluster, planned, namespace, patch, dry_run).await?,
        Doing::Delete(_) if dry_run => return Ok(false),
        Doing::Delete(object) => return cluster.delete_object(planned.resource, object).await,
    }
    Ok(true)
}

/// How often somebody may note something on an object between a look and a write.
const ATTEMPTS: usize = 10;

/// A controller writes an object's status all the time, and people take their time to answer: what was planned from
/// counts, not its resource version.
async fn patch_as_planned(
    cluster: &Cluster,
    planned: &Planned,
    namespace: Option<&str>,
    patch: &Value,
    dry_run: bool,
) -> Result<()> {
    let name = planned.manifest.name();
    let mut patch = patch.clone();
    let mut attempt = 1;
    loop {
        let patched = cluster.merge_patch(planned.resource, namespace, name, &patch, dry_run).await;
        let Err(error) = patched else { return Ok(()) };
        let now = match error.code {
            "apply-raced" if attempt < ATTEMPTS => {
                cluster.get_object(planned.resource, namespace, name).await?
            }
            _ => return Err(error),
        };
        let (Some(now), Some(seen)) = (now, &planned.seen) else { return Err(error) };
        if said_by_people(&now) != said_by_people(seen) {
            return Err(error);
        }
        patch["metadata"]["resourceVersion"] = json!(now.text("/metadata/resourceVersion"));
        attempt += 1;
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
