//! Values for the chart in `deploy/chart/keyless`.

use clap::Args;
use serde_json::{Value, json};

use super::{
    Exit,
    image::{ImageArgs, Version},
};
use crate::{
    cluster::{objects::Object, snapshot::Mode},
    config::Settings,
    error::Result,
    report::Report,
    secret_store::to_yaml,
};

/// Write the values of the Helm chart: image, mode, and the settings of the settings file
///
/// The chart then renders the same objects as `keyless render cronjob`. The settings are those of the settings file,
/// without what is true of this machine only. Nothing is changed, and no cluster is asked.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keyless render chart-values --image registry.example.com/keyless@sha256:9e7b… >values.yaml\n  \
    helm install keyless deploy/chart/keyless --namespace keyless-system --create-namespace --values values.yaml\n\n\
    Needs: nothing")]
pub(crate) struct ChartValuesArgs {
    #[command(flatten)]
    image: ImageArgs,

    /// A Deployment that runs `publish --watch`, in place of the CronJob
    #[arg(long)]
    watch: bool,

    /// Also a CronJob that audits each night in this mode, with exactly its rights; its log holds OpenReports objects
    #[arg(long, value_enum, value_name = "MODE")]
    audit: Option<Mode>,
}

/// Runs the command.
pub(super) fn run(args: &ChartValuesArgs, settings: &Settings, report: &mut Report<'_>) -> Result<Exit> {
    let Some(image) = args.image.chosen() else { return Ok(Exit::Clean) };
    let repository = &image.repository;
    let pods = settings.for_pods()?;
    if pods.get("google").is_some() {
        report.progress(
            "Set login.google.audience to the provider's: the publisher gives it the keys by a token of its own (docs/cronjob.md).",
        );
    }
    let mut values = json!({
        "mode": if args.watch { "deployment" } else { "cronjob" },
        "image": match &image.version {
            Version::Digest(digest) => json!({ "repository": repository, "digest": digest }),
            Version::Tag(tag) => json!({ "repository": repository, "tag": tag, "allowTag": true }),
        },
        "settings": Value::Object(pods),
    });
    if let (true, Some(poll)) = (args.watch, settings.poll) {
        values["poll"] = json!(format!("{}s", poll.as_secs()));
    }
    if let Some(mode) = args.audit {
        values["audit"] = json!({ "enabled": true, "mode": mode.name() });
    }
    report.text("the values", &to_yaml([&Object(values.clone())])?)?;
    report.json_with("render", json!({}), ("values", values))?;
    Ok(Exit::Clean)
}
