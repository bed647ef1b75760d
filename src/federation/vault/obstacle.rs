//! PURE. Why an object of ours cannot be created or changed, and what to do about it.

use serde_json::Value;

use super::{
    Settings, mark,
    observe::{Mount, Observed},
    plan::{first_line, policy_object, role_object, shown},
    wanted,
};
use crate::{
    error::{Code, Error},
    federation::{Trust, Workload},
    plan::{Obstacle, ownership::described},
    shell,
};

pub(super) fn of_mount(settings: &Settings, want: &Trust, observed: &Observed, obstacle: Obstacle) -> Error {
    let path = format!("auth/{}", settings.mount);
    let nothing = Mount { kind: String::new(), description: String::new() };
    let mount = observed.mount.as_ref().unwrap_or(&nothing);
    let take_over = describe(settings, want);
    let other_path = "choose another path: vault.mount";
    match obstacle {
        Obstacle::OtherCluster => {
            let cluster = mark::mount_of_other(observed, want).unwrap_or_default();
            let remedy = "give each cluster an auth method and a role of its own: vault.mount and vault.role";
            mark::of_another_cluster(&path, cluster, want, remedy, &take_over)
        }
        Obstacle::OtherIssuer => {
            let serves = mark::on_mount(mount).map_or("", |mark| mark.of).escape_debug();
            Error::failed(Code::VaultOtherIssuer, format!("{path} serves another issuer, {serves}"))
                .hint("an auth method believes one issuer: give each cluster its own, vault.mount and vault.role")
                .hint(format!("if it is this cluster's: {take_over}, and run setup again"))
        }
        Obstacle::Unproven => Error::failed(
            Code::VaultOwnerUnknown,
            format!("{path} does not say which cluster it was made for"),
        )
        .caused_by(described(&mount.description))
        .caused_by("its configuration does not believe the keys of this cluster, so it may be another's")
        .hint(other_path)
        .hint(format!("if it is this cluster's: {take_over}, and run setup again")),
        _ if mount.kind != "jwt" => Error::failed(
            Code::VaultMountInUse,
            format!("{path} is in use by an auth method of type {}", mount.kind.escape_debug()),
        )
        .hint(other_path),
        Obstacle::Foreign | Obstacle::Unfit | Obstacle::Missing | Obstacle::Used => Error::failed(
            Code::VaultMountForeign,
            format!("{path} was not made by keyless, and only the store names it"),
        )
        .hint("set vault.mount in keyless.yaml: to this path, to have a role added there, or to a new one"),
    }
}

/// The command that writes the mark of this cluster on the auth method.
fn describe(settings: &Settings, want: &Trust) -> String {
    format!(
        "`vault write sys/mounts/auth/{}/tune description={}`",
        settings.mount,
        shell::quote(&mark::of_mount(want))
    )
}

pub(super) fn of_policy(
    settings: &Settings,
    want: &Trust,
    observed: &Observed,
    wanted: &str,
    obstacle: Obstacle,
) -> Error {
    let object = policy_object(settings);
    let remedy = "choose another name for the role, which the policy's name follows from: vault.role";
    let take_over = format!("`vault policy delete {}`", wanted::policy_name(settings));
    match obstacle {
        Obstacle::OtherCluster => {
            let cluster = mark::policy_of_other(observed, want).unwrap_or_default();
            mark::of_another_cluster(&object, cluster, want, remedy, &take_over)
        }
        Obstacle::Unproven | Obstacle::OtherIssuer => Error::failed(
            Code::VaultOwnerUnknown,
            format!("{object} does not say which cluster it was made for"),
        )
        .hint(remedy)
        .hint(format!("if it is this cluster's: {take_over}, and run setup again")),
        Obstacle::Foreign | Obstacle::Unfit | Obstacle::Missing | Obstacle::Used => {
            Error::failed(Code::VaultPolicyForeign, format!("{object} was not made by keyless"))
                .caused_by(format_args!(
                    "it begins with `{}`, not with `{}`",
                    first_line(observed.policy.as_deref().unwrap_or_default()),
                    first_line(wanted)
                ))
                .hint(remedy)
        }
    }
}

/// What it gives would be lost unseen.
pub(super) fn unread_policy(settings: &Settings) -> Error {
    let name = wanted::policy_name(settings);
    Error::failed(Code::VaultPolicyForeign, format!("policy {name} was changed by hand, and cannot be read"))
        .caused_by("it is no plain list of paths with their capabilities, so what it gives is not known")
        .hint(format!("look at it: `vault policy read {name}`; take out what keyless did not write"))
        .hint("or have it written again with what is asked for now, and nothing else: keyless setup --revoke-unused")
}

/// Another ServiceAccount logs in by it.
pub(super) fn role_of_another(settings: &Settings, workload: &Workload, bound: Option<&Value>) -> Error {
    let object = role_object(settings);
    let bound = bound.and_then(|it| shown("bound_subject", it)).unwrap_or_default();
    Error::failed(Code::VaultRoleForeign, format!("{object} is another workload's"))
        .caused_by(format_args!("it lets in {bound}, and not {}", workload.account))
        .hint("other settings make a role of the same name: choose another vault.role in one of them")
        .hint(format!(
            "if nothing logs in by it any more: `vault delete auth/{}/role/{}`",
            settings.mount, settings.role
        ))
}

pub(super) fn of_role(settings: &Settings, want: &Trust, observed: &Observed, obstacle: Obstacle) -> Error {
    let object = role_object(settings);
    let remedy = "choose another name: vault.role";
    // The policy or the auth method has been refused before.
    if obstacle == Obstacle::OtherCluster {
        let cluster = mark::other_cluster(observed, want).unwrap_or_default();
        let take_over = format!("`vault delete auth/{}/role/{}`", settings.mount, settings.role);
        return mark::of_another_cluster(&object, cluster, want, remedy, &take_over);
    }
    let policies = observed.role.as_ref().and_then(|role| role.get("token_policies"));
    let gives = policies.and_then(|it| shown("token_policies", it)).unwrap_or_else(|| Value::from("none"));
    Error::failed(Code::VaultRoleForeign, format!("{object} was not made by keyless"))
        .caused_by(format_args!("it gives {gives}, and not {}", wanted::policy_name(settings)))
        .hint(remedy)
}
