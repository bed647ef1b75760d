//! The manifests of the secret store, for a repository that Argo CD or Flux applies.

use crate::commands::stores::Completes;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::Exit;
use crate::{
    cluster::snapshot::{Estate, Store},
    commands::{
        naming::own_login,
        objects::{find_store, write_manifest},
        prompt::{self, Offer},
        resolve::{looking, resolve_asking, store_name},
        store::Present,
    },
    config::Settings,
    error::{Code, Result},
    federation::ProviderName,
    http::Http,
    report::Report,
    secret_store::{self, StoreLogin, Want, obstacles_of_a_move, to_yaml},
    target,
    warning::Warning,
};

/// Write the secret store's manifests as setup would apply them, for GitOps
///
/// Looks at the cluster, and writes the ServiceAccount that the store logs in as, the Role and RoleBinding where
/// External Secrets Operator needs them, and the store itself. What a store has beside its provider stays as it is.
/// Nothing is changed, neither in the cluster nor at the provider: `keyless setup` does the rest, and finds these
/// objects right. Between two providers exactly one file differs: the store's.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keyless render store\n  \
    keyless render store --folder clusters/prod/secret-store\n  \
    keyless render store --to vault | kubectl diff -f -\n\n\
    Needs: get and list as `keyless audit --mode refs` does; of Google only the project's two names, and not even these\n\
    where google.project is its number or the store names both")]
pub(crate) struct StoreArgs {
    /// Point the store at this provider
    #[arg(long, value_enum, value_name = "PROVIDER")]
    to: Option<ProviderName>,

    /// Write one file for each object into this folder; by default all of them go to stdout as one YAML stream
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Runs the command.
pub(super) async fn run(args: &StoreArgs, settings: &Settings, report: &mut Report<'_>) -> Result<Exit> {
    let http = Http::new(&settings.additional_roots)?;
    let cluster = target::require(settings, report).await?;
    // No test token is minted: that would be a request to write, as RBAC sees it.
    let estate = cluster.estate().await?;
    let named = {
        let mut ask =
            |setting: &str, text: &str, offer: Offer<'_>| prompt::question(report, setting, text, offer);
        store_name(settings, &estate, &mut ask)?
    };
    let settings = &looking(settings, find_store(&estate, &named));
    let resolved = resolve_asking(settings, args.to, Completes::Yes, &estate, cluster.uid()?, report)?;
    report.about_account(Some(resolved.provider.account()));
    let present = find_store(&estate, &resolved.store);
    let (login, warnings) = match own_login(&resolved, &estate, &http).await? {
        Some(own) => (own, Vec::new()),
        None => resolved.provider.store_login(present, &http).await?,
    };
    secret_store::identity_name(login.as_ref())?;
    for warning in &warnings {
        report.warning(warning);
    }
    let have = Present::observe(&cluster, &estate, &resolved.store, &resolved.workload).await?;
    let want =
        Want { login: login.as_ref(), workload: &resolved.workload, store: &resolved.store, namespaces: &[] };
    let plan = secret_store::plan(&want, &have.have())?;

    for warning in &plan.warnings {
        report.warning(warning);
    }
    for warning in present.map(|present| not_portable(&estate, present, login.as_ref())).unwrap_or_default() {
        report.warning(&warning);
    }
    let manifests = plan.objects.iter().map(|object| &object.manifest);
    let mut files = Vec::new();
    match &args.folder {
        Some(folder) => {
            for manifest in manifests.clone() {
                let file = write_manifest(folder, manifest)?;
                report.line(format_args!("wrote {}", file.display()));
                files.push(file.display().to_string());
            }
        }
        None => report.text("the manifests", &to_yaml(manifests.clone())?)?,
    }
    let objects = manifests.map(|manifest| manifest.0.clone()).collect();
    report.json_with("render", json!({ "files": files }), ("objects", objects))?;
    Ok(Exit::Clean)
}

/// What reads through the store now and would not survive another provider.
fn not_portable(estate: &Estate, present: &Store, to: &dyn StoreLogin) -> Vec<Warning> {
    obstacles_of_a_move(estate.users(present), present, to)
        .into_iter()
        .map(|it| {
            let text = format!("{} {}: {}; {}", it.object, it.field, it.why, it.change);
            Warning::new(Code::NotPortable, text)
        })
        .collect()
}
