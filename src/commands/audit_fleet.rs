//! `keyless audit` over several clusters: each is audited by itself, one after the other, and one that cannot be is a part of
//! the result.

use super::{
    Exit,
    audit::{self, Asked},
};
use crate::{
    audit::{Fleet, FleetEvidence, Member, Verdict},
    cli::AuditArgs,
    cluster::{
        Settings as ClusterSettings,
        kubeconfig::{self, Listed},
    },
    config::Settings,
    error::{Code, Error, Kind, Result},
    redact,
    report::Report,
    target::{self, ClusterTarget, Target},
    warning::Warning,
};

/// Runs the command. `contexts`: those that were named; none of them where all are meant. `now`: seconds since 1970.
pub(super) async fn run(
    args: &AuditArgs,
    contexts: &[String],
    settings: &Settings,
    now: u64,
    report: &mut Report<'_>,
) -> Result<Exit> {
    let exceptions = match &args.exceptions {
        Some(path) => {
            let exceptions = audit::exceptions(path)?;
            exceptions.name_clusters(path)?;
            Some(exceptions)
        }
        None => None,
    };
    let access = settings.cluster.as_ref().ok_or_else(target::no_cluster)?;
    of_no_cluster(settings, access)?;
    let all = kubeconfig::contexts(access, args.all_contexts)?;
    if let Some(name) = contexts.iter().find(|name| !all.iter().any(|it| it.name == **name)) {
        return Err(Error::usage(Code::Kubeconfig, format!("there is no context {}", redact::given(name)))
            .caused_by(format_args!("the kubeconfig has {}", names(&all)))
            .hint("`kubectl config get-contexts` lists the contexts"));
    }
    let listed = |name: &String| all.iter().find(|it| it.name == *name).cloned();
    let contexts: Vec<_> = match args.all_contexts {
        true => all,
        false => contexts.iter().filter_map(listed).collect(),
    };
    let mut members = Vec::new();
    for context in contexts {
        let settings = for_context(settings, access, &context.name);
        members.push(member(context, args, &settings, now, report).await?);
    }
    // The result is about all of them.
    report.about_silently(Target::default());
    let fleet = Fleet::new(members, args.gate);
    // Which cluster an exception is about is known once all of them have answered.
    let fleet = match &exceptions {
        Some(exceptions) => fleet.excepting(exceptions, now),
        None => fleet,
    };
    let json = format!("{}\n", report.json_text("audit", fleet.to_json()));
    let evidence = FleetEvidence::new(&fleet, json, env!("CARGO_PKG_VERSION"), now, &redact::line);
    // Before the result is printed, as with one cluster. A format that holds one cluster was refused before any request.
    let several = |format: &crate::audit::Format| format.several.map(|write| write(&evidence));
    for file in &args.report {
        if let Some(text) = several(file.format) {
            audit::write(file, &text, report)?;
        }
    }
    audit::show(&fleet.outcome(), fleet.lines(), report);
    report.json("audit", fleet.to_json());
    report.form(|format| several(format).unwrap_or_default());
    Ok(fleet.exit())
}

fn names(all: &[Listed]) -> String {
    all.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Settings of one cluster would be taken for those of every other.
fn of_no_cluster(settings: &Settings, access: &ClusterSettings) -> Result<()> {
    let file = settings.file.display();
    match &access.uid {
        None => Ok(()),
        Some(uid) => Err(Error::usage(
            Code::ClusterMismatch,
            format!("{file} is about one cluster, and several are to be audited: nothing was done"),
        )
        .caused_by(format_args!("cluster.uid in {file}: {uid}"))
        .hint("name settings without cluster.uid by --config, or run this in a folder without keyless.yaml")),
    }
}

/// What all clusters have in common, for one of them. The issuer is not: each names its own. Nor is an identity at a
/// provider: it is one cluster's.
fn for_context(settings: &Settings, access: &ClusterSettings, context: &str) -> Settings {
    let access = ClusterSettings { context: Some(context.to_owned()), ..access.clone() };
    let providers = settings.providers.of_several();
    Settings { cluster: Some(access), issuer: None, issuer_is_decided: false, providers, ..settings.clone() }
}

/// Audits one cluster. What keeps it from being audited is its result; only a signal ends the whole.
async fn member(
    Listed { name, access }: Listed,
    args: &AuditArgs,
    settings: &Settings,
    now: u64,
    report: &mut Report<'_>,
) -> Result<Member> {
    // Errors of this one name it, and no other.
    report.about_silently(Target::default());
    report.warn_of(Some(&name));
    let audited = audited(args, settings, now, report).await;
    report.warn_of(None);
    match audited {
        Ok((target, verdict)) => Ok(Member { name, access, target: Some(target), result: Ok(verdict) }),
        Err(error) if matches!(error.kind, Kind::Interrupted(_)) => Err(error),
        Err(error) => {
            let message = format!("the cluster of the context {name} was not audited: {}", error.message);
            report.warning(&Warning::new(error.code, message));
            Ok(Member { name, access, target: report.target().cluster.clone(), result: Err(error) })
        }
    }
}

async fn audited(
    args: &AuditArgs,
    settings: &Settings,
    now: u64,
    report: &mut Report<'_>,
) -> Result<(ClusterTarget, Verdict)> {
    let cluster = target::require_look(settings, report).await?;
    let verdict = audit::judged(&cluster, args, Asked { settings, is_of_several: true }, now, report).await?;
    Ok((cluster.target(), verdict))
}
