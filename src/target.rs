//! What a run is about: which cluster, which account. Resolved before anything else, and shown before anything else.
//!
//! ```text
//!  settings ─► connect ─► UID of kube-system ─► compare with cluster.uid ─► show ─► the command's own work
//! ```

use std::{fmt, path::Path, time::Duration};

use futures::future::{Either, select};
use serde_json::{Value, json};

use crate::{
    cluster::{Cluster, Configured},
    config::Settings,
    error::{Code, Error, Result},
    report::Report,
    warning::Warning,
};

/// How long a connection may take before it is mentioned.
const SILENCE: Duration = Duration::from_secs(2);

/// What a run is about, as far as it is resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    /// `None`: no cluster is asked.
    pub(crate) cluster: Option<ClusterTarget>,
    /// `None`: no provider is named, or not known yet.
    pub(crate) account: Option<Account>,
}

/// One cluster, by every name that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClusterTarget {
    /// The kubeconfig's context; `None` with a pod's own credentials.
    pub(crate) context: Option<String>,
    /// The kubeconfig's address, without user, password, query and fragment.
    pub(crate) server: String,
    /// UID of the namespace `kube-system`; `None` until it is read, or where it cannot be read.
    pub(crate) uid: Option<String>,
}

/// Whose account at a provider, e.g. a Google project or a Vault server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// The provider as `keyless.yaml` names it, e.g. `google`.
    pub(crate) provider: &'static str,
    /// What tells the account from others at this provider, e.g. `acme-prod`.
    pub(crate) name: String,
    /// Both for people, e.g. `Google project acme-prod`.
    pub(crate) title: String,
}

impl Target {
    /// The member `target` of every result: `{"cluster": {"context", "server", "uid"}, "provider": {"name", "account"}}`.
    /// Each is `null` where it is not known.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "cluster": self.cluster.as_ref().map(|cluster| json!({
                "context": cluster.context,
                "server": cluster.server,
                "uid": cluster.uid,
            })),
            "provider": self.account.as_ref().map(|account| json!({
                "name": account.provider,
                "account": account.name,
            })),
        })
    }
}

/// `Cluster prod (https://10.0.0.1:6443, UID 3f2c…) · Google project acme-prod`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cluster = self.cluster.as_ref().map(ToString::to_string);
        let account = self.account.as_ref().map(|account| account.title.clone());
        f.write_str(&cluster.into_iter().chain(account).collect::<Vec<_>>().join(" · "))
    }
}

impl fmt::Display for ClusterTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.context.as_deref().unwrap_or("of this pod");
        let uid = self.uid.as_deref().unwrap_or("not readable");
        write!(f, "Cluster {name} ({}, UID {uid})", self.server)
    }
}

/// Whether a text can be a UID: Kubernetes makes UUIDs, and says only that it is some text.
pub(crate) fn is_uid(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Connects to the cluster that the settings name, refuses another one than `cluster.uid`, and shows what the run is
/// about. `None`: no cluster is to be asked.
///
/// Errors: what keeps the cluster from being reached; `cluster-mismatch` (exit 2); `cluster-uid-unreadable` (exit 3)
/// where the settings demand one that cannot be read. Nothing else was asked by then.
pub(crate) async fn resolve(settings: &Settings, report: &mut Report<'_>) -> Result<Option<Cluster>> {
    let cluster = look(settings, report).await?;
    cluster.as_ref().map_or(Ok(()), answers)?;
    Ok(cluster)
}

/// Refuses what answers as no API server does.
pub(crate) fn answers(cluster: &Cluster) -> Result<()> {
    match cluster.uid() {
        Err(error) if error.code == Code::ClusterAnswer => Err(error),
        _ => Ok(()),
    }
}

/// The same for those who only report: what answers may be no API server, which is a result as well.
pub(crate) async fn look(settings: &Settings, report: &mut Report<'_>) -> Result<Option<Cluster>> {
    let account = settings.account();
    let Some(access) = &settings.cluster else {
        report.about(Target { cluster: None, account });
        return Ok(None);
    };
    let configured = Configured::load(access)?;
    let mut target = Target { cluster: Some(configured.target()), account };
    // An error from here on names what was asked.
    report.about_silently(target.clone());
    for warning in configured.warnings() {
        report.warning(&warning);
    }
    let mut cluster = configured.connect(&mut |line: &str| report.progress(line)).await?;
    let ClusterTarget { context, server, .. } = cluster.target();
    match select(Box::pin(cluster.identify()), Box::pin(tokio::time::sleep(SILENCE))).await {
        Either::Left((identified, _)) => identified,
        Either::Right(((), identifying)) => {
            let context = context.map(|context| format!(" (context {context})")).unwrap_or_default();
            report.progress(format_args!("Connecting to {server}{context}…"));
            identifying.await
        }
    }?;
    target.cluster = Some(cluster.target());
    report.about_silently(target.clone());
    compare(
        access.uid.as_deref(),
        cluster.uid(),
        &cluster.target(),
        &settings.file,
        access.context.as_deref(),
    )?;
    report.about(target);
    if let Err(error) = cluster.uid() {
        let message = format!(
            "the UID of the namespace kube-system could not be read ({}): whether this is always the same cluster is not checked",
            error.message
        );
        report.warning(&Warning::new(Code::ClusterUidUnknown, message));
    }
    Ok(Some(cluster))
}

/// As [`resolve`], for commands that make no sense without a cluster.
pub(crate) async fn require(settings: &Settings, report: &mut Report<'_>) -> Result<Cluster> {
    resolve(settings, report).await?.ok_or_else(no_cluster)
}

/// As [`look`], for commands that make no sense without a cluster.
pub(crate) async fn require_look(settings: &Settings, report: &mut Report<'_>) -> Result<Cluster> {
    look(settings, report).await?.ok_or_else(no_cluster)
}

pub(crate) fn no_cluster() -> Error {
    Error::usage(Code::ClusterNeeded, "this command works on a cluster, and the settings say to ask none")
        .hint("take `cluster.enabled: false` out of keyless.yaml")
}

/// Whether this is the cluster that the settings are for. Settings without a UID are for any.
fn compare(
    configured: Option<&str>,
    read: Result<&str>,
    cluster: &ClusterTarget,
    file: &Path,
    named: Option<&str>,
) -> Result<()> {
    let Some(configured) = configured else { return Ok(()) };
    let file = file.display();
    match read {
        Ok(uid) if uid == configured => Ok(()),
        Ok(uid) => {
            let context = cluster.context.as_deref().unwrap_or("none, the pod's own credentials");
            let named = named.map(|named| format!(", context {named}")).unwrap_or_default();
            Err(Error::usage(Code::ClusterMismatch, format!("{file} is about another cluster: nothing was done"))
                .caused_by(format_args!("cluster.uid in {file}: {configured}{named}"))
                .caused_by(format_args!("connected to {}: {uid}, context {context}", cluster.server))
                .hint("choose the context of that cluster with --context, or the settings of this cluster with --config")
                .hint(format!(
                    "if the cluster was rebuilt and these settings are for the new one, set cluster.uid in {file} to {uid}"
                )))
        }
        Err(error) => Err(Error::failed(
            Code::ClusterUidUnreadable,
            format!(
                "whether {} is the cluster that {file} is about could not be established: nothing was done",
                cluster.server
            ),
        )
        .caused_by(&error.message)
        .hint("grant `get` on the namespace kube-system; the manifests in deploy/ do")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn cluster() -> ClusterTarget {
        let uid = Some("1f0e".to_owned());
        ClusterTarget { context: Some("prod".into()), server: "https://10.0.0.1:6443".into(), uid }
    }

    fn compared(configured: Option<&str>, read: Result<&str>) -> Result<()> {
        compare(configured, read, &cluster(), Path::new("keyless.yaml"), Some("dev"))
    }

    #[test]
    fn another_uid_is_refused_with_names() {
        let error = compared(Some("aaaa"), Ok("1f0e")).unwrap_err();
        assert_eq!((error.kind, error.code), (Kind::Usage, Code::ClusterMismatch));
        for name in ["aaaa", "1f0e", "prod", "dev", "keyless.yaml", "https://10.0.0.1:6443"] {
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn unreadable_uid_is_refused_when_configured() {
        let unreadable = || Err(Error::failed(Code::ClusterForbidden, "missing right: get namespaces"));
        let error = compared(Some("aaaa"), unreadable()).unwrap_err();
        assert_eq!((error.kind, error.code), (Kind::Failed, Code::ClusterUidUnreadable));
        assert!(error.to_string().contains("missing right"), "{error}");
        compared(None, unreadable()).unwrap();
    }

    #[test]
    fn equal_or_unconfigured_uid_is_accepted() {
        compared(Some("1f0e"), Ok("1f0e")).unwrap();
        compared(None, Ok("1f0e")).unwrap();
        // A prefix, or another case, is another UID.
        for near in ["1f0", "1F0E", ""] {
            compared(Some(near), Ok("1f0e")).unwrap_err();
        }
    }

    #[test]
    fn target_is_named_whole() {
        let account =
            Account { provider: "google", name: "acme".into(), title: "Google project acme".into() };
        let whole = Target { cluster: Some(cluster()), account: Some(account.clone()) };
        let shown = "Cluster prod (https://10.0.0.1:6443, UID 1f0e) · Google project acme";
        assert_eq!(whole.to_string(), shown);
        assert_eq!(Target { cluster: None, account: Some(account) }.to_string(), "Google project acme");
        let in_pod = ClusterTarget { context: None, uid: None, ..cluster() };
        assert_eq!(in_pod.to_string(), "Cluster of this pod (https://10.0.0.1:6443, UID not readable)");
        assert_eq!(
            whole.to_json(),
            json!({
                "cluster": {"context": "prod", "server": "https://10.0.0.1:6443", "uid": "1f0e"},
                "provider": {"name": "google", "account": "acme"},
            })
        );
        assert_eq!(Target::default().to_json(), json!({"cluster": null, "provider": null}));
    }
}
