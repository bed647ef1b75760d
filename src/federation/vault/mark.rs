//! PURE. How objects are recognised as ours, and as this cluster's.
//!
//! An auth method is marked in its description, a policy in its first line. A role has room for neither: it is
//! recognised by the policy that it gives, and belongs to the cluster that the policy and the auth method name.

use serde_json::Value;

use super::{
    Settings,
    observe::{self, Mount, Observed},
};
use crate::{
    error::{Code, Error},
    federation::{Keys, Trust},
};

const MARK: &str = "managed by keyless";
/// What the UID of the cluster's namespace `kube-system` follows.
const CLUSTER: &str = " in cluster ";

/// What a mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark<'a> {
    /// The issuer of an auth method, the role of a policy; empty in a mark that names none.
    pub(super) of: &'a str,
    /// Older marks name none.
    pub(super) cluster: Option<&'a str>,
}

impl Mark<'_> {
    /// The cluster that it names, if that is another one.
    pub(super) fn other_cluster(&self, want: &Trust) -> Option<&str> {
        self.cluster.filter(|cluster| *cluster != want.cluster_id)
    }
}

/// The description of an auth method that is ours.
pub(super) fn of_mount(want: &Trust) -> String {
    format!("{MARK}{CLUSTER}{} for {}", want.cluster_id, issuer(want))
}

/// The first line of a policy that is ours: two clusters with roles of one name do not share it unnoticed.
pub(super) fn of_policy(settings: &Settings, want: &Trust) -> String {
    format!("# {MARK}{CLUSTER}{} for {}", want.cluster_id, role(settings))
}

/// The issuer as a mark names it: without spaces, so that it can be read back.
pub(super) fn issuer(want: &Trust) -> String {
    want.issuer.signed().escaped()
}

/// The mark of an auth method; `None`: somebody else's.
pub(super) fn on_mount(mount: &Mount) -> Option<Mark<'_>> {
    parse(&mount.description)
}

/// The mark of a policy; `None`: somebody else's.
pub(super) fn on_policy(text: &str) -> Option<Mark<'_>> {
    parse(text.lines().next()?.trim().strip_prefix("# ")?)
}

/// Whether a policy's mark names the role of these settings.
pub(super) fn is_for_role(mark: &Mark<'_>, settings: &Settings) -> bool {
    mark.of == role(settings)
}

/// Whether the auth method is this cluster's: its mark names the cluster; or names none, and the configuration believes
/// this very cluster. Everybody can write a description.
pub(super) fn is_this_clusters(observed: &Observed, want: &Trust) -> bool {
    let Some(mark) = observed.mount.as_ref().filter(|mount| mount.kind == "jwt").and_then(on_mount) else {
        return false;
    };
    match mark.cluster {
        Some(cluster) => cluster == want.cluster_id,
        None => mark.of == issuer(want) && believes(observed, want),
    }
}

/// Whether the configuration names the cluster's issuer, and takes keys from there or has been given one of them.
fn believes(observed: &Observed, want: &Trust) -> bool {
    let Some(config) = &observed.config else { return false };
    let text = |name: &str| config.get(name).and_then(Value::as_str).unwrap_or_default();
    let issuer = want.issuer.as_str();
    let fetched = text("oidc_discovery_url") == issuer
        || want.issuer.published().is_some_and(|it| text("jwks_url") == it.jwks_url());
    let given = || match observe::keys(config) {
        Ok(Keys::Given(given)) => given.iter().any(|key| want.keys.iter().any(|ours| ours.same_key(key))),
        _ => false,
    };
    text("bound_issuer") == issuer && (fetched || given())
}

/// The other cluster that the role belongs to, if it does.
pub(super) fn role_of_other_cluster<'a>(observed: &'a Observed, want: &Trust) -> Option<&'a str> {
    let mount = observed.mount.as_ref().and_then(on_mount);
    let policy = observed.policy.as_deref().and_then(on_policy);
    [mount, policy]
        .into_iter()
        .flatten()
        .filter_map(|mark| mark.cluster)
        .find(|cluster| *cluster != want.cluster_id)
}

/// Two clusters under one name: the second would take over what the first lives on. `take_over` is what to do if
/// there is no first any more.
pub(super) fn other_cluster(
    object: &str,
    cluster: &str,
    want: &Trust,
    remedy: &str,
    take_over: &str,
) -> Error {
    Error::failed(Code::VaultOtherCluster, format!("{object} belongs to another cluster"))
        .caused_by(format_args!(
            "it is marked for the cluster {}, and this one is {}: the UIDs of their namespaces kube-system",
            cluster.escape_debug(),
            want.cluster_id
        ))
        .hint(remedy)
        .hint(format!(
            "if that cluster is no more and this one takes its place: {take_over}, and start again"
        ))
}

fn role(settings: &Settings) -> String {
    format!("auth/{}/role/{}", settings.mount, settings.role)
}

fn parse(text: &str) -> Option<Mark<'_>> {
    let rest = text.strip_prefix(MARK).filter(|rest| rest.is_empty() || rest.starts_with(' '))?;
    let (cluster, rest) =
        match rest.strip_prefix(CLUSTER).map(|rest| rest.split_once(' ').unwrap_or((rest, ""))) {
            Some((cluster, rest)) => (Some(cluster), rest),
            None => (None, rest),
        };
    let of = rest.trim_start().strip_prefix("for ").unwrap_or_default().trim();
    Some(Mark { of, cluster: cluster.filter(|cluster| !cluster.is_empty()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_with_and_without_its_cluster() {
        let mark = |text| parse(text).map(|mark| (mark.cluster, mark.of));
        assert_eq!(
            mark("managed by keyless in cluster 5e7f for https://a.example"),
            Some((Some("5e7f"), "https://a.example"))
        );
        assert_eq!(mark("managed by keyless for https://a.example"), Some((None, "https://a.example")));
        assert_eq!(mark("managed by keyless"), Some((None, "")));
        assert_eq!(mark("managed by keyless in cluster "), Some((None, "")));
        for other in
            ["", "by terraform", "Managed by keyless", "managed by keylessly", "not managed by keyless"]
        {
            assert_eq!(mark(other), None, "{other}");
        }
    }
}
