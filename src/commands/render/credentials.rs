//! The file by which Google's own libraries and gcloud log in with a token of the cluster.

use std::path::PathBuf;

use clap::Args;

use super::{Exit, known::Project};
use crate::{
    commands::{
        objects::find_store,
        prompt::{self, Offer},
        resolve::{google, project_of_key, store_name, unknown_store},
    },
    config::Settings,
    error::{Code, Error, Result},
    federation::gcp,
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
    /// Where the token lies for whoever uses the file
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
    let (google, project) = settle(settings, report).await?;
    let number = project.number(&google, &http).await?;
    report.document("the file", &google.credential_configuration(&number, &args.token_file)?)?;
    let talk = talk(&google.token_audience(&number)?, &args.token_file.display().to_string());
    report.talk_lines(&talk);
    Ok(Exit::Clean)
}

/// The settings alone, if they say it all; else completed by what is in the cluster, as setup does.
async fn settle(settings: &Settings, report: &mut Report<'_>) -> Result<(gcp::Settings, Project)> {
    let mut ask =
        |setting: &str, text: &str, offer: Offer<'_>| prompt::question(report, setting, text, offer);
    let said = &settings.google;
    if said.project.is_some() && said.pool.is_some() {
        let google = google(settings, None, None, "", &mut ask)?;
        if google.project_number().is_some() || settings.cluster.is_none() {
            let project = Project::known(&google, None);
            return Ok((google, project));
        }
    }
    let cluster = target::resolve(settings, report).await?.ok_or_else(|| {
        Error::usage(Code::SettingMissing, "without a cluster, the pool cannot be told")
            .hint("set `google.project` and `google.pool` in keyless.yaml, or leave out --no-cluster")
    })?;
    let mut ask =
        |setting: &str, text: &str, offer: Offer<'_>| prompt::question(report, setting, text, offer);
    let (estate, cluster_id) = (cluster.estate().await?, cluster.uid()?);
    let name = store_name(settings, &estate, &mut ask)?;
    if let Some(error) = unknown_store(&estate, &name) {
        return Err(error);
    }
    let present = find_store(&estate, &name);
    let of_key = present.and_then(|present| project_of_key(&estate, present));
    let google = google(settings, present, of_key, cluster_id, &mut ask)?;
    let project = Project::known(&google, present);
    Ok((google, project))
}

/// How a pod gets the token, and who reads the file.
fn talk(audience: &str, token_file: &str) -> String {
    let (folder, file) = token_file.rsplit_once('/').unwrap_or((".", token_file));
    format!(
        "\
A pod gets the token by a projected volume, and finds the file by GOOGLE_APPLICATION_CREDENTIALS:

    env:
    - {{name: GOOGLE_APPLICATION_CREDENTIALS, value: /etc/google/credentials.json}}
    volumeMounts:
    - {{name: token, mountPath: {folder}, readOnly: true}}
    - {{name: google, mountPath: /etc/google, readOnly: true}}
  volumes:
  - name: token
    projected:
      sources:
      - serviceAccountToken:
          path: {file}
          expirationSeconds: 3600
          audience: {audience}
  - name: google
    configMap: {{name: google}}   # with this file as credentials.json

gcloud takes it by `gcloud auth login --cred-file=FILE`. Its ServiceAccount must be admitted by the provider's
condition, and be granted what it reads, as `keyless setup` does for the store's own."
    )
}
