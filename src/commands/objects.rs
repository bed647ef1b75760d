//! The objects in the cluster: what is there, and bringing about what is planned.

use std::path::{Path, PathBuf};

use super::store;
use crate::{
    cluster::{
        Cluster, Observed,
        objects::Object,
        snapshot::{Estate, Store},
    },
    config::Settings,
    error::{Code, Error, Result},
    files::{self, FileError},
    publication::ledger::Opened,
    report::{Report, printable},
    secret_store::{Doing, Planned, StoreName, to_yaml},
    target,
    waiting::Waiting,
};

/// What every command about the secret store looks at first.
pub(super) struct Sight {
    pub(super) cluster: Cluster,
    pub(super) estate: Estate,
    pub(super) observed: Observed,
    pub(super) cluster_id: String,
    /// `NotAsked` unless it was asked for.
    pub(super) ledger: Opened,
}

impl Sight {
    /// Establishes which cluster it is, then looks at everything in it at the same time.
    pub(super) async fn take(settings: &Settings, report: &mut Report<'_>) -> Result<Self> {
        Self::of(settings, false, report).await
    }

    /// The same with the ledger, which is read before the look at the API servers begins.
    pub(super) async fn with_ledger(settings: &Settings, report: &mut Report<'_>) -> Result<Self> {
        Self::of(settings, true, report).await
    }

    async fn of(settings: &Settings, has_ledger: bool, report: &mut Report<'_>) -> Result<Self> {
        let cluster = target::require(settings, report).await?;
        let cluster_id = cluster.uid()?.to_owned();
        let waiting = Waiting::default();
        let observe = async {
            let ledger = Opened::read(has_ledger.then_some(&cluster), &settings.ledger).await;
            let observed = cluster.observe(&settings.audience, settings.kid_rule, &waiting).await?;
            Ok((ledger, observed))
        };
        let both = async { futures::try_join!(cluster.estate(), observe) };
        let (estate, (ledger, observed)) = waiting.tell(report, both).await?;
        Ok(Self { cluster, estate, observed, cluster_id, ledger })
    }
}

/// The store of this name, if it is there.
pub(super) fn find_store<'a>(estate: &'a Estate, name: &StoreName) -> Option<&'a Store> {
    estate.store(name.is_cluster(), name.namespace().unwrap_or_default(), name.name())
}

/// The store by itself, and what must be there before it.
pub(super) fn split(objects: &[Planned]) -> (Vec<&Planned>, Vec<&Planned>) {
    objects.iter().partition(|object| object.manifest.kind().ends_with("SecretStore"))
}

/// Whether any of these is to be changed.
pub(super) fn change_something(objects: &[&Planned]) -> bool {
    objects.iter().any(|object| object.changes_something())
}

/// Whether any of these is left to files.
pub(super) fn written_as_files(objects: &[&Planned], folder: Option<&Path>) -> bool {
    let changed = |object: &&&Planned| object.changes_something();
    objects
        .iter()
        .filter(changed)
        .any(|object| folder.is_some() || matches!(object.doing, Doing::WriteFile { .. }))
}

/// Brings about what is planned, or writes it into the folder for those who apply it.
pub(super) async fn apply(
    cluster: &Cluster,
    objects: &[&Planned],
    folder: Option<&Path>,
    report: &mut Report<'_>,
) -> Result<()> {
    for object in objects.iter().filter(|object| object.changes_something()) {
        match (&object.doing, folder) {
            (Doing::Nothing, _) => {}
            (Doing::WriteFile { .. }, None) => {
                write_file(Path::new("manifests"), object, report)?;
            }
            (_, Some(folder)) => write_file(folder, object, report)?,
            (_, None) => {
                report.progress(object.step.progress());
                store::carry_out(cluster, object, false).await?;
            }
        }
    }
    Ok(())
}

fn write_file(folder: &Path, object: &Planned, report: &mut Report<'_>) -> Result<()> {
    let file = write_manifest(folder, &object.manifest)?;
    report.line(format_args!("wrote {}: {}", file.display(), object.step.reason));
    Ok(())
}

/// One file for one object, and where it is.
pub(super) fn write_manifest(folder: &Path, manifest: &Object) -> Result<PathBuf> {
    let name = format!("{}-{}.yaml", manifest.kind().to_ascii_lowercase(), manifest.name());
    let file = folder.join(name);
    let unwritable = |error: FileError| {
        Error::failed(Code::ManifestUnwritable, format!("{} cannot be written", file.display()))
            .caused_by(error)
            .hint("name a folder that may be written")
    };
    let content = printable(&file.display().to_string(), to_yaml([manifest])?)?;
    std::fs::create_dir_all(folder).map_err(|error| unwritable(error.into()))?;
    files::replace(&file, content.as_bytes()).map_err(unwritable)?;
    Ok(file)
}

/// What the operator says of an object, in its own words.
pub(super) fn condition(object: &Object) -> String {
    object.condition_text()
}
