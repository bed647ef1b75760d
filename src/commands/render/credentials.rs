//! The file by which Google's own libraries and gcloud log in with a token of the cluster.

use std::path::PathBuf;

use clap::Args;

use super::Exit;
use crate::{
    cluster::snapshot::Store,
    commands::{
        objects::find_store,
        prompt::{self, Offer},
        resolve::{store_name, unknown_store},
    },
    config::Settings,
    error::{Code, Error, Result},
    federation::{Configured, CredentialFile, Known, ProviderName, Section},
    http::Http,
    report::Report,
    target,
};

/// Write the credential file for Google's own libraries and gcloud
///
/// stdout is the file, of type external_account: it holds no secret, only where the token lies and who takes it.
/// stderr shows how a pod gets such a token. Every ServiceAccount can use the same file; what it may do at Google is
/// what its own subject is granted, and the provider must admit it. Nothing is changed anywhere.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keyless render credentials >credentials.json\n  \
    kubectl create configmap google --from-file=credentials.json --dry-run=client -o yaml\n  \
    keyless render credentials --token-file token >credentials.json && gcloud auth login --cred-file=credentials.json\n\n\
    Needs: nothing where google.project (as number) and google.pool are set; else what `keyless render store` needs")]
pub(crate) struct CredentialsArgs {
    /// Where the token lies for the program that uses the file
    #[arg(long, value_name = "FILE", default_value = "/var/run/service-account/token")]
    token_file: PathBuf,
}

/// Runs the command.
pub(super) async fn run(
    args: &CredentialsArgs,
    settings: &Settings,
    report: &mut Report<'_>,
) -> Result<Exit> {
    let http = Http::new(&settings.additional_roots)?;
    let file = match alone(settings)? {
        Some(provider) => file_of(provider.as_ref(), args, None, &http).await?,
        None => {
            let Looked { provider, store } = look(settings, report).await?;
            file_of(provider.as_ref(), args, store.as_ref(), &http).await?
        }
    };
    report.document("the file", &file.document)?;
    report.talk_lines(&file.usage);
    Ok(Exit::Clean)
}

async fn file_of(
    provider: &dyn Configured,
    args: &CredentialsArgs,
    store: Option<&Store>,
    http: &Http,
) -> Result<CredentialFile> {
    provider.credential_file(&args.token_file, store, http).await?.ok_or_else(|| {
        let account = provider.account().title;
        Error::usage(Code::SettingMissing, format!("no library reads a credential file for {account}"))
            .hint("name a provider that has one: provider in keyless.yaml")
    })
}

/// The provider whose libraries read such a file: the one that the settings name, else the first that has one.
fn section(settings: &Settings) -> Result<&dyn Section> {
    let name = settings.provider.filter(|name| name.entry().has_credential_file());
    let name = name.or_else(|| ProviderName::all().find(|name| name.entry().has_credential_file()));
    name.and_then(|name| settings.providers.of(name)).ok_or_else(|| {
        Error::usage(Code::SettingMissing, "no provider has a credential file")
            .hint("keyless render store writes what External Secrets Operator needs")
    })
}

/// The settings alone, if they say it all.
fn alone(settings: &Settings) -> Result<Option<Box<dyn Configured>>> {
    section(settings)?.complete_alone(settings.cluster.is_some())
}

struct Looked {
    provider: Box<dyn Configured>,
    store: Option<Store>,
}

/// The settings completed by what is in the cluster, as setup does.
async fn look(settings: &Settings, report: &mut Report<'_>) -> Result<Looked> {
    let cluster = target::resolve(settings, report).await?.ok_or_else(|| {
        Error::usage(Code::SettingMissing, "without a cluster, the pool is not known")
            .hint("set `google.project` and `google.pool` in keyless.yaml, or leave out --no-cluster")
    })?;
    let mut ask =
        |setting: &str, text: &str, offer: Offer<'_>| prompt::question(report, setting, text, offer);
    let (estate, cluster_id) = (cluster.estate().await?, cluster.uid()?);
    let name = store_name(settings, &estate, &mut ask)?;
    if let Some(error) = unknown_store(&estate, &name) {
        return Err(error);
    }
    let store = find_store(&estate, &name);
    let provider = section(settings)?.complete(&Known { estate: &estate, store, cluster_id }, &mut ask)?;
    Ok(Looked { provider, store: store.cloned() })
}
