//! The API server's settings that let it sign as the public issuer.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::Exit;
use crate::{
    commands::issuer,
    config::Settings,
    distro::{self, Distribution, IssuerChange, Stage},
    error::{Code, Error, Result},
    files::{self, Accept, MAX_SMALL},
    http::Http,
    report::Report,
};

/// Write the API server's settings that let it sign as the public issuer
///
/// stdout is the file to be changed; stderr says in which order, how, and what to look at. With several API
/// servers there are two rollouts: first every server accepts the new issuer, then every server signs with it.
/// The old issuer stays accepted, or every running pod would be refused at once. No cluster is asked: without
/// --old-issuer, the output says what the old issuer was taken from, and how to check it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keyless render issuer --distro k3s --issuer https://oidc.example.com/prod --old-issuer https://kubernetes.default.svc.cluster.local\n  \
    keyless render issuer --distro kubeadm --servers 3 --stage sign | kubeadm config validate --config /dev/stdin\n  \
    kubectl -n kube-system get configmap kubeadm-config -o jsonpath='{.data.ClusterConfiguration}' > now.yaml\n  \
    keyless render issuer --distro kubeadm --cluster-configuration now.yaml > cluster.yaml")]
pub(crate) struct IssuerArgs {
    /// What the cluster was built with
    #[arg(long, value_parser = distro::parser(), value_name = "NAME")]
    pub(crate) distro: &'static Distribution,

    /// An issuer that stays accepted, the one that signs today first; may be repeated; by default what
    /// --cluster-configuration names, else the distribution's own, which is ASSUMED
    #[arg(long, value_name = "URL")]
    pub(crate) old_issuer: Vec<String>,

    /// How many API servers there are
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) servers: usize,

    /// Which rollout's file to write; by default the first
    #[arg(long, value_enum, value_name = "STAGE")]
    pub(crate) stage: Option<Stage>,

    /// kubeadm: the cluster's own ClusterConfiguration, to put the change into
    #[arg(long, value_name = "FILE")]
    pub(crate) cluster_configuration: Option<PathBuf>,

    /// Version of Kubernetes, e.g. 1.30; kubeadm writes its settings otherwise before 1.31
    #[arg(long, value_name = "VERSION", value_parser = minor)]
    pub(crate) kubernetes_version: Option<u32>,
}

/// Runs the command. No cluster and no bucket is asked.
pub(super) async fn run(args: &IssuerArgs, settings: &Settings, report: &mut Report<'_>) -> Result<Exit> {
    let http = Http::new(&settings.additional_roots)?;
    let cluster_configuration = match &args.cluster_configuration {
        Some(path) => Some(files::read_text(path, Accept::FileOrPipe, MAX_SMALL).map_err(|error| {
            Error::usage(Code::ClusterConfiguration, format!("{} cannot be read", path.display()))
                .caused_by(error)
                .hint("--cluster-configuration takes a file, or /dev/stdin")
        })?),
        None => None,
    };
    let issuer = issuer::published(settings, &http).await?;
    let accepted = args.old_issuer.iter().map(|text| distro::old_issuer(text));
    let change = IssuerChange {
        jwks_uri: Some(issuer.jwks_url()),
        issuer: issuer.into(),
        accepted: accepted.collect::<Result<_>>()?,
        servers: args.servers,
        cluster_configuration,
        minor: args.kubernetes_version,
    };
    let instructions = distro::instructions(Some(args.distro), &change)?;
    let Some(rollout) = instructions.rollout(args.stage) else {
        return Err(Error::usage(Code::Stage, "there is only one rollout, which ends with signing")
            .hint("leave --stage out; with several API servers, say how many: --servers"));
    };
    instructions.warnings.iter().for_each(|warning| report.warning(warning));
    report.text("the file", rollout.file())?;
    report.talk_lines(&instructions.messages(rollout.stage));
    report.json_with(
        "render",
        json!({ "warnings": instructions.warnings }),
        ("guide", json!(instructions)),
    )?;
    Ok(Exit::Clean)
}

/// `1.30`, `v1.30.4`, `v1.30.4+k3s1` → 30.
fn minor(text: &str) -> Result<u32, String> {
    let mut parts = text.trim_start_matches('v').split('.');
    match (parts.next(), parts.next().map(str::parse)) {
        (Some("1"), Some(Ok(minor))) => Ok(minor),
        _ => Err("write it as 1.30 or v1.30.4".to_owned()),
    }
}
