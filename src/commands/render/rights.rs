//! All rights of a command that a login lacks, once one of them was found missing, and the command that grants them.

use super::{
    RenderArgs, What,
    manifests::{NAMESPACE, Purpose, rbac},
};
use crate::{
    cli::{Command, KeysCommand},
    cluster::{self, Configured, snapshot::Mode},
    config::Settings,
    error::{Code, Error},
    report::Report,
    shell,
};

/// The error, with what else would be missing. What the API server does not answer adds nothing.
pub(crate) async fn all_missing(
    error: Error,
    command: &Command,
    settings: &Settings,
    report: &mut Report<'_>,
) -> Error {
    let (Some((purpose, name)), Some(access)) = (purpose(command), &settings.cluster) else { return error };
    let cluster = in_cluster(access);
    let granting = format!(
        "these rights, for a user NAME: keyless render rbac --for {name} --user NAME | kubectl{cluster} apply -f -"
    );
    // Of a cluster that may be another one, nothing more is asked.
    if error.code == Code::ClusterUidUnreadable {
        return error.hint(granting);
    }
    let connected = match Configured::load(access) {
        Ok(configured) => configured.connect(&mut |line: &str| report.progress(line)).await,
        Err(error) => Err(error),
    };
    let missing = match connected {
        Ok(cluster) => cluster.missing_rights(&rbac(purpose, Mode::Deep, NAMESPACE, None)).await,
        Err(_) => Vec::new(),
    };
    if missing.is_empty() {
        return error;
    }
    let missing = missing.join(", ");
    error
        .hint(format!("of the rights that this command may need, this login lacks: {missing}"))
        .hint(granting)
}

/// Flags of kubectl for the cluster that was asked: its own kubeconfig may lead to another one.
fn in_cluster(access: &cluster::Settings) -> String {
    let file = access.kubeconfig.as_ref().map(|path| ("kubeconfig", path.display().to_string()));
    let context = access.context.as_ref().map(|name| ("context", name.clone()));
    let flags = file.into_iter().chain(context);
    flags.map(|(flag, value)| format!(" --{flag} {}", shell::quote(&value))).collect()
}

/// What `render rbac --for` calls the rights of a command; an audit names its missing rights itself.
fn purpose(command: &Command) -> Option<(Purpose, &'static str)> {
    Some(match command {
        Command::Coupling(_) => (Purpose::Coupling, "coupling"),
        Command::Doctor(_) => (Purpose::Doctor, "doctor"),
        Command::Keys(args) => match &args.command {
            Some(KeysCommand::Add(_)) => (Purpose::KeysAdd, "keys-add"),
            Some(KeysCommand::Revoke(_)) => (Purpose::KeysRevoke, "keys-revoke"),
            _ => (Purpose::Keys, "keys"),
        },
        Command::Publish(args) if args.watch.watch => (Purpose::Watch, "watch"),
        Command::Publish(_) => (Purpose::Publish, "publish"),
        Command::Render(RenderArgs { what: What::Store(_) }) => (Purpose::RenderStore, "render-store"),
        Command::Setup(_) => (Purpose::Setup, "setup"),
        Command::Status(_) => (Purpose::Status, "status"),
        Command::Teardown(_) => (Purpose::Teardown, "teardown"),
        Command::Verify(_) => (Purpose::Verify, "verify"),
        _ => return None,
    })
}
