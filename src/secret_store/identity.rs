//! PURE. The identity that a store logs in with: its ServiceAccount, and who may mint tokens of it.

use serde_json::{Value, json};

use super::{
    login::Means,
    object::Compared,
    plan::{Have, Planned, Want, for_file},
    public,
};
use crate::{
    cluster::{
        ServiceAccount,
        objects::{MANAGED_BY, Object},
        snapshot::{Controller, ROLE_BINDINGS, ROLES, SERVICE_ACCOUNTS},
    },
    error::{Code, Error, Result},
    federation::account_annotations,
    plan::Permits,
    warning::Warning,
};

/// The name of the Role, and of its binding, that lets ESO mint tokens for one ServiceAccount.
pub(crate) fn role_name(workload: &ServiceAccount) -> String {
    format!("keyless-mint-{}", workload.name)
}

pub(super) fn account(
    want: &Want<'_>,
    have: &Have<'_>,
    means: &Means,
    warnings: &mut Vec<Warning>,
) -> Planned {
    let why = "the identity that the store logs in with";
    let Some(account) = have.account else {
        let mut manifest = json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {
                "name": want.workload.name,
                "namespace": want.workload.namespace,
                "labels": { MANAGED_BY.0: MANAGED_BY.1 },
            },
            // No pod runs as it: nothing needs its token mounted.
            "automountServiceAccountToken": false,
        });
        if let Some((name, value)) = &means.annotation {
            manifest["metadata"]["annotations"] = json!({ *name: value });
        }
        return Compared::absent().shared(&SERVICE_ACCOUNTS, manifest, why);
    };
    if !account.is_ours() {
        warnings.push(Warning::new(
            Code::AccountShared,
            format!(
                "keyless did not make the ServiceAccount {}: pods that run as it, and those who may mint its tokens, can read what the store can. For an identity of the store's own, name another store.serviceAccount",
                want.workload
            ),
        ));
    }
    let mut manifest = for_file(account);
    let (mut now, mut then) = (json!({}), json!({}));
    for name in account_annotations() {
        let have = account.annotation(name);
        let want =
            means.annotation.as_ref().filter(|(wanted, _)| *wanted == name).map(|(_, value)| value.as_str());
        // One that is not wanted is left where others made the account: it may be theirs.
        if have != want && (want.is_some() || account.is_ours()) {
            now["metadata"]["annotations"][name] = json!(have);
            // `null`, if it shall go.
            then["metadata"]["annotations"][name] = json!(want);
            manifest["metadata"]["annotations"][name] = json!(want);
        }
    }
    let mounts = &account.0["automountServiceAccountToken"];
    if account.is_ours() && *mounts != json!(false) {
        now["automountServiceAccountToken"] = mounts.clone();
        then["automountServiceAccountToken"] = json!(false);
        manifest["automountServiceAccountToken"] = json!(false);
    }
    Compared::by_parts(account, now, then, public::of_account).shared(&SERVICE_ACCOUNTS, manifest, why)
}

/// A Role that lets one token be minted, and its binding to the operator. What others made under these names is not
/// taken over.
pub(super) fn minting(want: &Want<'_>, have: &Have<'_>, controller: &Controller) -> Result<[Planned; 2]> {
    let name = role_name(want.workload);
    let metadata = json!({
        "name": name,
        "namespace": want.workload.namespace,
        "labels": { MANAGED_BY.0: MANAGED_BY.1 },
    });
    let role = json!({
        "apiVersion": ROLES.api_version(),
        "kind": ROLES.kind,
        "metadata": metadata,
        "rules": rules(&want.workload.name),
    });
    let binding = json!({
        "apiVersion": ROLE_BINDINGS.api_version(),
        "kind": ROLE_BINDINGS.kind,
        "metadata": metadata,
        "roleRef": role_ref(&name),
        "subjects": [{
            "kind": "ServiceAccount",
            "name": controller.service_account.name,
            "namespace": controller.service_account.namespace,
        }],
    });
    // Where the operator may mint every token already, this is not reached.
    let why = format!("a token of {} may be minted by whatever is bound to it", want.workload);
    let bound = format!("binds External Secrets Operator ({}) to it", controller.service_account);
    let roles = Compared::by_members(have.role, &role, &["rules"], &[], public::of_rights);
    let bindings =
        Compared::by_members(have.role_binding, &binding, &["subjects"], &["roleRef"], public::of_rights);
    let other_role = have.role_binding.filter(|bound| bound.0["roleRef"] != binding["roleRef"]);
    Ok([
        roles.planned(Permits::OURS_OR_FITTING, &ROLES, role, why, |role| {
            foreign(role, want, "its rules are not those that keyless gives")
        })?,
        bindings.planned(Permits::OURS_OR_FITTING, &ROLE_BINDINGS, binding, bound, |binding| {
            let Some(bound) = other_role else {
                return foreign(binding, want, "it binds others than the operator");
            };
            let text =
                |member: &str| bound.0["roleRef"][member].as_str().map(|it| it.escape_debug().to_string());
            let kind = text("kind").unwrap_or_else(|| "role".to_owned());
            let what = format!(
                "it binds to the {kind} {}, not to the Role {name}",
                text("name").unwrap_or_default()
            );
            foreign(binding, want, &what)
                .hint("what a RoleBinding binds to cannot be changed: to have it made again, delete it")
        })?,
    ])
}

fn rules(account: &str) -> Value {
    json!([{
        "apiGroups": [""],
        "resources": ["serviceaccounts/token"],
        "resourceNames": [account],
        "verbs": ["create"],
    }])
}

fn role_ref(role: &str) -> Value {
    json!({ "apiGroup": ROLES.group, "kind": ROLES.kind, "name": role })
}

/// An object that has a name of ours and another form. Names of objects that exist are plain words for a shell.
fn foreign(object: &Object, want: &Want<'_>, what: &str) -> Error {
    Error::failed(
        Code::EsoRoleForeign,
        format!("the {} is not the one that keyless makes", object.describe()),
    )
    .caused_by(what)
    .hint(format!(
        "if nothing needs it: `kubectl delete {} {} --namespace {}`, and run setup again",
        object.kind().to_ascii_lowercase(),
        object.name(),
        object.namespace()
    ))
    .hint(format!("or give the store another identity than {}: store.serviceAccount", want.workload))
}

/// How an object of the identity differs from what this program makes; `None`: it does not.
pub(super) fn altered(object: &Object, account: &str, role: &str) -> Option<&'static str> {
    match object.kind() {
        "Role" => {
            (object.0["rules"] != rules(account)).then_some("its rules are not those that keyless gives")
        }
        "RoleBinding" if object.0["roleRef"] != role_ref(role) => Some("it binds to another role"),
        "RoleBinding" => {
            let subjects = object.0["subjects"].as_array().map(Vec::as_slice).unwrap_or_default();
            let operator = matches!(subjects, [only] if only["kind"] == "ServiceAccount");
            (!operator).then_some("it binds others than the operator")
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
