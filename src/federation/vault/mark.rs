//! PURE. How objects are recognised as ours, and as this cluster's.
//!
//! An auth method is marked in its description, a policy in its first line. A role has room for neither: it is
//! recognised by the policy that it gives, and belongs to the cluster that the policy and the auth method name.

use serde_json::{Map, Value};

use super::{
    Settings,
    observe::{self, Mount, Observed},
    wanted,
};
use crate::{
    error::{Code, Error},
    federation::{Keys, Trust},
    plan::ownership::{self, Evidence, Mark, Owner, Ownership},
};

/// The description of an auth method that is ours.
pub(super) fn of_mount(want: &Trust) -> String {
    ownership::mark(&want.cluster_id, &issuer(want))
}

/// The first line of a policy that is ours: two clusters with roles of one name do not share it unnoticed.
pub(super) fn of_policy(settings: &Settings, want: &Trust) -> String {
    format!("# {}", ownership::mark(&want.cluster_id, &role(settings)))
}

/// The issuer as a mark names it: without spaces, so that it can be read back.
pub(super) fn issuer(want: &Trust) -> String {
    want.issuer.signed().escaped()
}

/// The mark of an auth method; `None`: keyless did not create it. It creates those of type jwt only.
pub(super) fn on_mount(mount: &Mount) -> Option<Mark<'_>> {
    Mark::parse(&mount.description).filter(|_| mount.kind == "jwt")
}

fn on_policy(text: &str) -> Option<Mark<'_>> {
    Mark::parse(text.lines().next()?.trim().strip_prefix("# ")?)
}

/// Whose the auth method is.
pub(super) fn mount_ownership(mount: &Mount, observed: &Observed, want: &Trust) -> Ownership {
    let mark = on_mount(mount);
    Owner::of(mark, &want.cluster_id).proved(|| match mark {
        Some(mark) if mark.of != issuer(want) => Evidence::OtherIssuer,
        _ if believes(observed, want) => Evidence::ThisCluster,
        _ => Evidence::None,
    })
}

/// Whether the auth method is this cluster's: its mark names the cluster; or names none, and the configuration believes
/// this very cluster.
fn is_this_clusters(observed: &Observed, want: &Trust) -> bool {
    let mount = observed.mount.as_ref();
    mount.is_some_and(|mount| mount_ownership(mount, observed, want) == Ownership::This)
}

/// Whose the policy is. A mark without a cluster names the role alone: the auth method that the role is in tells whose that
/// is.
pub(super) fn policy_ownership(
    text: &str,
    settings: &Settings,
    observed: &Observed,
    want: &Trust,
) -> Ownership {
    let mark = on_policy(text);
    let evidence = || match is_this_clusters(observed, want) {
        true => Evidence::ThisCluster,
        false => Evidence::None,
    };
    match Owner::of(mark, &want.cluster_id).proved(evidence) {
        Ownership::OtherCluster => Ownership::OtherCluster,
        _ if mark.is_none_or(|mark| mark.of != role(settings)) => Ownership::Foreign,
        ownership => ownership,
    }
}

/// Whether the policy itself says that it is this cluster's, for this role.
pub(super) fn names_cluster(text: &str, settings: &Settings, cluster_id: &str) -> bool {
    let mark = on_policy(text);
    mark.is_some_and(|mark| mark.of == role(settings)) && Owner::of(mark, cluster_id) == Owner::This
}

/// Whose the role is: ours when it gives our policy, alone or with others; another cluster's when the policy or the auth
/// method is.
pub(super) fn role_ownership(
    have: &Map<String, Value>,
    settings: &Settings,
    observed: &Observed,
    want: &Trust,
) -> Ownership {
    let policies = have.get("token_policies").and_then(Value::as_array);
    let ours = wanted::policy_name(settings);
    match (policies.is_some_and(|all| all.iter().any(|it| *it == *ours)), other_cluster(observed, want)) {
        (false, _) => Ownership::Foreign,
        (true, Some(_)) => Ownership::OtherCluster,
        (true, None) => Ownership::This,
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
        Ok(Keys::Given(given)) => given.iter().any(|key| want.proof().iter().any(|ours| ours.same_key(key))),
        _ => false,
    };
    text("bound_issuer") == issuer && (fetched || given())
}

/// The other cluster that a mark on the auth method or on the policy names.
pub(super) fn other_cluster<'a>(observed: &'a Observed, want: &Trust) -> Option<&'a str> {
    mount_of_other(observed, want).or_else(|| policy_of_other(observed, want))
}

/// The other cluster that the mark on the auth method names.
pub(super) fn mount_of_other<'a>(observed: &'a Observed, want: &Trust) -> Option<&'a str> {
    Owner::of(on_mount(observed.mount.as_ref()?), &want.cluster_id).other_cluster()
}

/// The other cluster that the mark on the policy names.
pub(super) fn policy_of_other<'a>(observed: &'a Observed, want: &Trust) -> Option<&'a str> {
    Owner::of(on_policy(observed.policy.as_deref()?), &want.cluster_id).other_cluster()
}

/// Two clusters under one name: the second would take over what the first lives on. `take_over` is what to do if
/// there is no first any more.
pub(super) fn of_another_cluster(
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
