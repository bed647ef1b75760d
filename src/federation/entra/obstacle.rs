//! PURE. Why an identity cannot be created or changed, and what to do about it.

use super::{
    Settings,
    observe::{Credential, Identity},
    plan::identity_object,
    wanted::{CREDENTIAL, MOST_CREDENTIALS, TAG, mark, other_cluster},
};
use crate::{
    error::{Code, Error},
    federation::{Trust, Workload},
    plan::Obstacle,
    shell,
};

const CHOOSE: &str = "choose another name: entra.identity";

pub(super) fn of_identity(
    settings: &Settings,
    want: &Trust,
    have: Option<&Identity>,
    obstacle: Obstacle,
) -> Error {
    let object = identity_object(settings);
    let tag = have.and_then(|have| have.mark.as_deref());
    let take_over = format!(
        "`az tag update --operation Merge --resource-id {} --tags {}`",
        shell::quote(&settings.identity_id()),
        shell::quote(&format!("{TAG}={}", mark(want)))
    );
    match obstacle {
        Obstacle::OtherCluster => Error::failed(
            Code::EntraOtherCluster,
            format!("the {object} belongs to another cluster"),
        )
        .caused_by(format_args!(
            "it is marked for the cluster {}, and this one is {}: the UIDs of their namespaces kube-system",
            other_cluster(tag, want).unwrap_or_default().escape_debug(),
            want.cluster_id
        ))
        .hint(CHOOSE)
        .hint(format!(
            "if that cluster is no more and this one takes its place: {take_over}, and start again"
        )),
        Obstacle::Unproven | Obstacle::OtherIssuer => Error::failed(
            Code::EntraOwnerUnknown,
            format!("the {object} does not say which cluster it was made for"),
        )
        .hint(CHOOSE)
        .hint(format!("if it is this cluster's: {take_over}, and run setup again")),
        Obstacle::Foreign | Obstacle::Unfit | Obstacle::Missing | Obstacle::Used => {
            Error::failed(Code::EntraIdentityForeign, format!("{object} was not made by keyless"))
                .caused_by(format_args!("it has no tag `{TAG}` that names this cluster"))
                .hint(CHOOSE)
        }
    }
}

/// Another ServiceAccount logs in as it.
pub(super) fn of_another(settings: &Settings, workload: &Workload) -> Error {
    Error::failed(Code::EntraIdentityForeign, format!("{} is another workload's", identity_object(settings)))
        .caused_by(format_args!("its federated credential {CREDENTIAL} does not name {}", workload.account))
        .hint(
            "other settings make an identity of the same name: choose another entra.identity in one of them",
        )
        .hint(look(settings))
}

/// What it may read, others could read as well.
pub(super) fn lets_in_others(settings: &Settings, others: &[&Credential]) -> Error {
    let object = identity_object(settings);
    let shown: Vec<_> = others.iter().map(|one| shown(one)).collect();
    let shown = shown.join(", ");
    match others.len() >= MOST_CREDENTIALS {
        true => Error::failed(
            Code::EntraLimit,
            format!("{object} has {} federated credentials, and Azure takes {MOST_CREDENTIALS}", others.len()),
        ),
        false => Error::failed(Code::EntraIdentityForeign, format!("{object} also lets in others")),
    }
    .caused_by(format_args!("keyless did not write: {shown}"))
    .hint("choose another entra.identity, or take them out of it first: what the store may read, they could read")
    .hint(look(settings))
}

/// Letting a workload in would give more than keyless has written.
pub(super) fn has_other_roles(settings: &Settings, principal: &str, others: &str) -> Error {
    Error::failed(
        Code::EntraIdentityForeign,
        format!(
            "{} also has roles that keyless did not assign, and would let in another token",
            identity_object(settings)
        ),
    )
    .caused_by(format_args!("they are: {others}"))
    .hint("choose another entra.identity, or take them from it first")
    .hint(format!("look at it: `az role assignment list --all --assignee {principal}`"))
}

/// It is not known what another token would be let in to.
pub(super) fn roles_unseen(settings: &Settings, why: &str) -> Error {
    Error::failed(
        Code::EntraForbidden,
        format!(
            "the roles of the {} away from the vault are not known, and it would let in another token",
            identity_object(settings)
        ),
    )
    .caused_by(why)
    .hint(format!(
        "it takes Microsoft.Authorization/roleAssignments/read on /subscriptions/{}: give it to the identity that `az account show` names",
        settings.subscription
    ))
}

/// Its tokens would be of another directory than the vault trusts.
pub(super) fn of_another_tenant(settings: &Settings, tenant: &str) -> Error {
    Error::failed(
        Code::EntraOtherTenant,
        format!(
            "{} is of the tenant {tenant}, and entra.tenant is {}",
            identity_object(settings),
            settings.tenant
        ),
    )
    .hint("correct entra.tenant, entra.subscription or entra.resourceGroup")
}

/// It is not any more what the plan was made from.
pub(super) fn changed(object: &str, what: &str) -> Error {
    Error::failed(Code::EntraChanged, format!("the {object} was changed since the plan was made: {what}"))
        .caused_by("nothing was done about it")
        .hint("run the command again, and look at the new plan")
}

fn look(settings: &Settings) -> String {
    format!(
        "look at it: `az identity federated-credential list --subscription {} --resource-group {} --identity-name {}`",
        settings.subscription,
        shell::quote(&settings.group),
        settings.identity
    )
}

/// For people: `ci (repo:acme of https://…)`.
fn shown(one: &Credential) -> String {
    format!("{} ({} of {})", one.name.escape_debug(), one.subject.escape_debug(), one.issuer.escape_debug())
}
