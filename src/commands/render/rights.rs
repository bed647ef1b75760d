//! All rights of a command that a login lacks, once one of them was found missing, and the command that grants them.

use std::slice;

use futures::future::join_all;

use super::{
    RenderArgs, What,
    manifests::{NAMESPACE, Purpose, rbac},
    named::{Named, Roles, grant},
};
use crate::{
    cli::{Command, KeysCommand, LeaseFlag},
    cluster::{self, Cluster, Configured, snapshot::Mode},
    config::Settings,
    error::{Code, Error},
    report::Report,
    shell,
};

/// The error, with what else would be missing, if a missing right is its cause. What the API server does not answer adds
/// nothing.
pub(crate) async fn all_missing(
    error: Error,
    command: &Command,
    settings: &Settings,
    report: &mut Report<'_>,
) -> Error {
    let causes =
        [Code::ClusterForbidden, Code::ClusterNotSeen, Code::ClusterUidUnreadable, Code::UsersNotSeen];
    if !causes.contains(&error.code) {
        return error;
    }
    let (Some((purpose, name)), Some(access)) = (purpose(command), &settings.cluster) else { return error };
    let flags = in_cluster(access, settings);
    let granting = format!(
        "these rights, for a user NAME: keyless render rbac --for {name} --user NAME | kubectl{flags} apply -f -"
    );
    // Of a cluster that may be another one, nothing more is asked.
    if error.code == Code::ClusterUidUnreadable {
        return error.hint(granting);
    }
    let connected = match Configured::load(access) {
        Ok(configured) => configured.connect(&mut |line: &str| report.progress(line)).await,
        Err(error) => Err(error),
    };
    let Ok(cluster) = connected else { return error };
    let roles = Roles::of(rbac(purpose, Mode::Deep, NAMESPACE, None), &named(command, settings, &cluster));
    let elsewhere = roles.elsewhere.iter().map(|role| cluster.missing_rights(slice::from_ref(role)));
    let (usual, elsewhere) = futures::join!(cluster.missing_rights(&roles.usual), join_all(elsewhere));
    let missing: Vec<_> = usual.iter().chain(elsewhere.iter().flatten()).cloned().collect();
    if missing.is_empty() {
        return error;
    }
    let mut error = error
        .hint(format!("of the rights that this command may need, this login lacks: {}", missing.join(", ")));
    if !usual.is_empty() {
        error = error.hint(granting);
    }
    let lacking = roles.elsewhere.iter().zip(&elsewhere).filter(|(_, missing)| !missing.is_empty());
    let commands: Vec<_> = lacking.map(|(role, _)| grant(role, name, &flags)).collect();
    match (commands.is_empty(), settings.undecided.has_file()) {
        (true, _) => error,
        // It may be another party's: it chooses nothing that a person is told to grant.
        (false, true) => {
            error.hint("for the commands that grant what keyless.yaml names, name that file by --config")
        }
        (false, false) => {
            error.hint(format!("for what the settings name, and a user NAME:\n{}", commands.join("\n")))
        }
    }
}

/// What the settings and flags name in place of the objects of `deploy/`.
fn named<'a>(command: &'a Command, settings: &'a Settings, cluster: &'a Cluster) -> Vec<Named<'a>> {
    let (ledger, probe) = (&settings.ledger, cluster.test_account());
    let mut named = vec![
        Named {
            resource: "configmaps",
            usual: "keyless-ledger",
            namespace: &ledger.namespace,
            name: &ledger.name,
        },
        Named {
            resource: "serviceaccounts/token",
            usual: "keyless-probe",
            namespace: &probe.namespace,
            name: &probe.name,
        },
    ];
    let usual = "keyless-publisher";
    let lease = match command {
        Command::Publish(args) => args.watch.lease.as_ref(),
        _ => None,
    };
    named.extend(lease.map(|lease| match lease {
        LeaseFlag::BesideTheLedger => {
            Named { resource: "leases", usual, namespace: &ledger.namespace, name: usual }
        }
        LeaseFlag::Named { namespace, name } => Named { resource: "leases", usual, namespace, name },
    }));
    named
}

/// Flags of kubectl for the cluster that was asked: its own kubeconfig may lead to another one. A context that only a file
/// names that no flag names is not repeated: that file does not choose where a person grants rights.
pub(crate) fn in_cluster(access: &cluster::Settings, settings: &Settings) -> String {
    let file = access.kubeconfig.as_ref().map(|path| ("kubeconfig", path.display().to_string()));
    let context = access.context.as_ref().map(|name| match settings.undecided.context(Some(name)) {
        Some(_) => ("context", "CONTEXT".to_owned()),
        None => ("context", name.clone()),
    });
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
