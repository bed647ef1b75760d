//! The objects in the cluster: what is there, and bringing about what is planned.

use std::path::Path;

use super::settle::{self, Settled};
use crate::{
    cluster::{
        Cluster,
        objects::{ApplyOptions, Look, Object, Resource},
        snapshot::{Estate, ROLE_BINDINGS, ROLES, SERVICE_ACCOUNTS, StoreSchema},
    },
    error::{Error, Result},
    report::Report,
    secret_store::{Doing, Have, Planned, role_name},
};

static NAMESPACES: Resource = Resource::new("", "v1", "namespaces", "Namespace", false);

/// What tells this cluster from every other: the UID of `kube-system`.
pub(super) async fn cluster_id(cluster: &Cluster) -> Result<String> {
    let namespace = cluster.get_object(&NAMESPACES, None, "kube-system").await?;
    namespace.map(|namespace| namespace.uid().to_owned()).ok_or_else(|| {
        Error::failed("cluster-answer", "there is no namespace kube-system").hint("is this a whole cluster?")
    })
}

/// The objects that are there already.
pub(super) struct Found {
    store: Option<Object>,
    account: Option<Object>,
    role: Option<Object>,
    role_binding: Option<Object>,
}

/// Reads what the plan compares with.
pub(super) async fn have(cluster: &Cluster, estate: &Estate, settled: &Settled) -> Result<Found> {
    let (workload, name) = (&settled.workload, &settled.store);
    let namespace = Some(workload.namespace.as_str());
    let role = role_name(workload);
    let (account, role, role_binding) = futures::try_join!(
        cluster.get_object(&SERVICE_ACCOUNTS, namespace, &workload.name),
        cluster.get_object(&ROLES, namespace, &role),
        cluster.get_object(&ROLE_BINDINGS, namespace, &role)
    )?;
    let store = estate.store(name.is_cluster(), name.namespace().unwrap_or_default(), name.name());
    Ok(Found { store: store.map(|store| store.0.clone()), account, role, role_binding })
}

impl Found {
    pub(super) fn as_have<'a>(&'a self, estate: &'a Estate, settled: &Settled) -> Result<Have<'a>> {
        Ok(Have {
            schema: schema(estate, settled)?,
            controller: Some(settle::controller(estate)?),
            store: self.store.as_ref(),
            account: self.account.as_ref(),
            role: self.role.as_ref(),
            role_binding: self.role_binding.as_ref(),
        })
    }
}

fn schema<'a>(estate: &'a Estate, settled: &Settled) -> Result<&'a StoreSchema> {
    match estate.schema(settled.store.is_cluster()) {
        Look::Seen(schema) => Ok(schema),
        Look::Absent => Err(Error::failed(
            "eso-missing",
            "the custom resource definitions of External Secrets Operator are not installed",
        )
        .hint("install External Secrets Operator with its CRDs first")),
        Look::Unseen(unseen) => {
            Err(Error::failed("cluster-forbidden", format!("missing right: {}", unseen.right))
                .caused_by(&unseen.why))
        }
    }
}

/// The store by itself, and what must be there before it.
pub(super) fn split(objects: &[Planned]) -> (Vec<&Planned>, Vec<&Planned>) {
    objects.iter().partition(|object| object.manifest.kind().ends_with("SecretStore"))
}

/// Whether any of these is left to files.
pub(super) fn written_as_files(objects: &[&Planned], folder: Option<&Path>) -> bool {
    let changed = |object: &&&Planned| object.changes_something();
    objects
        .iter()
        .filter(changed)
        .any(|object| folder.is_some() || matches!(object.doing, Doing::WriteFile { .. }))
}

/// Brings about what is planned, or writes it into the folder for whoever applies it.
pub(super) async fn apply(
    cluster: &Cluster,
    objects: &[&Planned],
    folder: Option<&Path>,
    report: &mut Report<'_>,
) -> Result<()> {
    for object in objects.iter().filter(|object| object.changes_something()) {
        let (namespace, name) = (object.manifest.namespace(), object.manifest.name());
        let namespace = Some(namespace).filter(|namespace| !namespace.is_empty());
        match (&object.doing, folder) {
            (Doing::Nothing, _) => {}
            (Doing::WriteFile { .. }, None) => {
                write_file(Path::new("manifests"), object, report)?;
            }
            (_, Some(folder)) => write_file(folder, object, report)?,
            (Doing::Apply, None) => {
                report.progress(format_args!("applying {}", object.object()));
                cluster.apply(object.resource, &object.manifest.0, ApplyOptions::default()).await?;
            }
            (Doing::Patch(patch), None) => {
                report.progress(format_args!("changing {}", object.object()));
                cluster.merge_patch(object.resource, namespace, name, patch, false).await?;
            }
            (Doing::Delete(found), None) => {
                report.progress(format_args!("removing {}", object.object()));
                cluster.delete_object(object.resource, found).await?;
            }
        }
    }
    Ok(())
}

fn write_file(folder: &Path, object: &Planned, report: &mut Report<'_>) -> Result<()> {
    let file = folder.join(format!(
        "{}-{}.yaml",
        object.manifest.kind().to_ascii_lowercase(),
        object.manifest.name()
    ));
    let unwritable = |error: std::io::Error| {
        Error::failed("manifest-unwritable", format!("{} cannot be written", file.display()))
            .caused_by(error)
            .hint("--manifests names a folder that may be written")
    };
    std::fs::create_dir_all(folder).map_err(unwritable)?;
    // JSON is YAML (YAML 1.2 §1.2), and every tool that reads the one reads the other.
    std::fs::write(&file, format!("{:#}\n", object.manifest.0)).map_err(unwritable)?;
    report.line(format_args!("wrote {}: {}", file.display(), object.why));
    Ok(())
}
