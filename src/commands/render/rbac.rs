//! The rights of a command in the cluster, and who has them.

use clap::Args;
use serde_json::json;

use super::{
    Exit,
    cron_job::{parse_namespace, show},
    manifests::{NAMESPACE, Purpose, Subject, rbac},
};
use crate::{
    cluster::snapshot::Mode,
    error::{Code, Error, Result},
    federation::ProviderName,
    report::Report,
};

/// Write exactly the rights that a command needs in the cluster
///
/// The same roles as deploy/. Those of publish, watch, audit and coupling are bound to a ServiceAccount of their own, unless --user
/// or --group names someone else. Those of all other commands are for a person: without --user or --group they are
/// bound to none. docs/permissions.md lists each right. Nothing is changed, and no cluster is asked.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keyless render rbac --for audit | kubectl apply -f -\n  \
    keyless render rbac --for audit --mode refs\n  \
    keyless render rbac --for audit --cloud aws\n  \
    keyless render rbac --for setup --user alice@example.com\n  \
    keyless render rbac --for verify --user alice@example.com\n  \
    keyless render rbac --for keys --group platform-team\n\n\
    Needs: nothing")]
pub(crate) struct RbacArgs {
    /// The command
    #[arg(long = "for", value_enum, value_name = "COMMAND")]
    purpose: Purpose,

    /// How far the audit looks into Secrets: each mode has its own rights
    #[arg(long, value_enum, value_name = "MODE")]
    mode: Option<Mode>,

    /// Commands that grant at a provider what `audit --cloud` asks it for, instead of the roles in the cluster
    #[arg(long, value_enum, value_name = "PROVIDER", conflicts_with_all = ["mode", "user", "group"])]
    cloud: Option<ProviderName>,

    /// Bind the roles to this user
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    user: Option<String>,

    /// Bind the roles to this group
    #[arg(long, value_name = "NAME", value_parser = parse_name, conflicts_with = "user")]
    group: Option<String>,

    /// Namespace of the publisher
    #[arg(long, value_name = "NAMESPACE", default_value = NAMESPACE, value_parser = parse_namespace)]
    namespace: String,
}

/// Runs the command.
pub(super) fn run(args: &RbacArgs, report: &mut Report<'_>) -> Result<Exit> {
    let subject = match (&args.user, &args.group) {
        (Some(name), _) => Some(Subject { kind: "User", name: name.clone() }),
        (None, Some(name)) => Some(Subject { kind: "Group", name: name.clone() }),
        (None, None) => None,
    };
    if subject.is_none() && args.cloud.is_none() && args.purpose.is_for_a_person() {
        report.progress("The roles are bound to none: --user or --group binds them.");
    }
    if let Some(provider) = args.cloud {
        return at_provider(provider, args.purpose, report);
    }
    if args.mode.is_some() && args.purpose != Purpose::Audit {
        return Err(Error::usage(Code::FlagForAnother, "--mode is a part of --for audit")
            .hint("leave --mode out: no other command has modes"));
    }
    show(rbac(args.purpose, args.mode.unwrap_or_default(), &args.namespace, subject.as_ref()), report)
}

fn at_provider(provider: ProviderName, purpose: Purpose, report: &mut Report<'_>) -> Result<Exit> {
    if purpose != Purpose::Audit {
        return Err(Error::usage(Code::FlagForAnother, "--cloud is a part of --for audit")
            .hint("`keyless setup --dry-run` shows what setup needs at a provider"));
    }
    let Some(rights) = provider.entry().audit_rights() else {
        return Err(Error::usage(Code::FlagForAnother, format!("audit --cloud does not ask {provider}")));
    };
    let (permissions, commands) = ((rights.permissions)(), (rights.grant)());
    report.text("the commands", &commands)?;
    report.json(
        "render",
        json!({"provider": provider.entry().name(), "permissions": permissions, "commands": commands}),
    );
    Ok(Exit::Clean)
}

/// A group that holds every user, or everyone without a login, would make the rights public.
fn parse_name(text: &str) -> Result<String, String> {
    const EVERYONE: [&str; 3] = ["system:authenticated", "system:unauthenticated", "system:anonymous"];
    match text {
        _ if text.is_empty() || text.len() > 200 || text.chars().any(char::is_control) => {
            Err("it is not the name of a user or group".to_owned())
        }
        _ if EVERYONE.contains(&text) => Err("that is everyone".to_owned()),
        _ => Ok(text.to_owned()),
    }
}
