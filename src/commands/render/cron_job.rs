//! The publisher's objects, as `deploy/base` and the chart have them.

use aws_lc_rs::digest::{SHA256, digest};
use clap::Args;
use serde_json::{Value, json};

use super::{
    Exit,
    image::ImageArgs,
    manifests::{NAMESPACE, Publisher},
};
use crate::{
    cluster::{is_label, objects::Object, snapshot::Mode},
    config::Settings,
    error::Result,
    report::Report,
    secret_store::to_yaml,
};

/// Write the publisher's manifests: CronJob or Deployment, its rights, its settings
///
/// The same objects as deploy/base, with --watch as deploy/base and deploy/deployment, and as the chart in
/// deploy/chart/keyless. The settings are those of the settings file, without what is true of this machine only. How the
/// publisher logs in to the bucket, or to the
/// provider that is given the keys, is not part of it: deploy/aws, deploy/azure and deploy/gcp show what to add. Nothing is changed, and
/// no cluster is asked.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keyless render cronjob --image registry.example.com/keyless@sha256:9e7b…\n  \
    keyless render cronjob --watch --image-by-tag registry.example.com/keyless:0.1.0 | kubectl diff -f -\n\n\
    Needs: nothing")]
pub(crate) struct CronJobArgs {
    #[command(flatten)]
    image: ImageArgs,

    /// A Deployment that runs `publish --watch`, in place of the CronJob
    #[arg(long)]
    watch: bool,

    /// Also a CronJob that audits each night in this mode, with exactly its rights; its log holds OpenReports objects
    #[arg(long, value_enum, value_name = "MODE")]
    audit: Option<Mode>,

    /// Namespace of the publisher
    #[arg(long, value_name = "NAMESPACE", default_value = NAMESPACE, value_parser = parse_namespace)]
    namespace: String,
}

/// Runs the command.
pub(super) fn run(args: &CronJobArgs, settings: &Settings, report: &mut Report<'_>) -> Result<Exit> {
    let Some(image) = args.image.chosen() else { return Ok(Exit::Clean) };
    let mut pods = Value::Object(settings.for_pods()?);
    pods["cluster"]["serviceAccount"] = json!(format!("{}/keyless-probe", args.namespace));
    pods["cluster"]["ledger"] = json!(format!("{}/keyless-ledger", args.namespace));
    let text = to_yaml([&Object(pods)])?;
    let text = text.trim_start_matches("---\n");
    let hash = digest(&SHA256, text.as_bytes());
    let checksum: String = crate::hex::hex(hash.as_ref());
    let publisher = Publisher {
        namespace: &args.namespace,
        image,
        settings: text,
        checksum: &checksum,
        watch: args.watch,
        poll: settings.poll.map(|poll| format!("{}s", poll.as_secs())),
        audit: args.audit,
    };
    show(publisher.objects(), report)
}

/// Prints objects as one YAML stream, or as JSON.
pub(super) fn show(objects: Vec<Value>, report: &mut Report<'_>) -> Result<Exit> {
    let objects: Vec<_> = objects.into_iter().map(Object).collect();
    report.text("the manifests", &to_yaml(&objects)?)?;
    let objects = objects.into_iter().map(|object| object.0).collect();
    report.json_with("render", json!({}), ("objects", objects))?;
    Ok(Exit::Clean)
}

/// The name of a namespace.
pub(super) fn parse_namespace(text: &str) -> Result<String, String> {
    match is_label(text) {
        true => Ok(text.to_owned()),
        false => Err("it is not the name of a namespace".to_owned()),
    }
}
