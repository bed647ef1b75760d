//! Who may mint tokens of the store's account, and what is not taken over.

use serde_json::{Value, json};

use super::{
    super::{
        plan::Doing,
        tests::{CURRENT, Case, at, controller, google},
    },
    *,
};
use crate::{
    cluster::snapshot::{Minting, Version},
    plan::Action,
};

/// A cluster whose operator may not mint every token.
fn named() -> Case {
    let mut case = Case::new(google(), CURRENT, Version(2, 5, 0));
    case.controller = Some(controller(Some(Version(2, 5, 0)), Minting::Named));
    case
}

/// As it is after setup.
fn made() -> Case {
    let mut case = named();
    let made = |kind: &str| Some(case.planned(kind).manifest);
    let (account, role, role_binding) = (made("ServiceAccount"), made("Role"), made("RoleBinding"));
    (case.account, case.role, case.role_binding) = (account, role, role_binding);
    case
}

fn change(object: &mut Option<Object>, change: impl FnOnce(&mut Value)) {
    change(&mut object.as_mut().unwrap().0);
}

fn without_label(object: &mut Option<Object>) {
    change(object, |it| it["metadata"]["labels"] = json!({}));
}

#[test]
fn without_blanket_minting_account_gets_role() {
    let mut case = Case::new(google(), CURRENT, Version(2, 5, 0));
    assert_eq!(case.plan().unwrap().objects.len(), 2);
    case.controller = Some(controller(Some(Version(2, 5, 0)), Minting::Named));
    let plan = case.plan().unwrap();
    let kinds: Vec<_> = plan.objects.iter().map(|planned| planned.manifest.kind().to_owned()).collect();
    assert_eq!(kinds, ["ServiceAccount", "Role", "RoleBinding", "ClusterSecretStore"]);
    let rule = at(&plan.objects[1].manifest, "/rules/0");
    assert_eq!(rule["resourceNames"], json!(["eso-reader"]));
    assert_eq!((&rule["resources"], &rule["verbs"]), (&json!(["serviceaccounts/token"]), &json!(["create"])));
    assert_eq!(at(&plan.objects[2].manifest, "/subjects/0/name"), "external-secrets");
    case.controller = None;
    assert_eq!(case.plan().unwrap().warnings[0].code, Code::EsoControllerUnknown);
}

#[test]
fn what_setup_made_is_left() {
    let case = made();
    for kind in ["ServiceAccount", "Role", "RoleBinding"] {
        assert_eq!(case.planned(kind).doing, Doing::Nothing, "{kind}");
    }
    assert!(case.plan().unwrap().warnings.is_empty());
}

#[test]
fn foreign_role_of_same_shape_suffices() {
    let mut case = made();
    without_label(&mut case.role);
    without_label(&mut case.role_binding);
    assert_eq!(case.planned("Role").doing, Doing::Nothing);
    assert_eq!(case.planned("RoleBinding").doing, Doing::Nothing);
}

#[test]
fn foreign_role_or_binding_is_refused() {
    type Damage = fn(&mut Case);
    let wider = json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]);
    let cases: [(Damage, &str); 5] = [
        (
            |case| {
                without_label(&mut case.role);
                change(&mut case.role, |it| it["rules"][0]["resourceNames"] = json!(["eso-reader", "admin"]));
            },
            "kubectl delete role keyless-mint-eso-reader --namespace external-secrets",
        ),
        (
            |case| {
                without_label(&mut case.role);
                change(&mut case.role, |it| it["rules"] = json!([]));
            },
            "kubectl delete role ",
        ),
        (
            |case| {
                without_label(&mut case.role_binding);
                let more = json!({"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "eve"});
                change(&mut case.role_binding, |it| it["subjects"].as_array_mut().unwrap().push(more));
            },
            "kubectl delete rolebinding keyless-mint-eso-reader --namespace external-secrets",
        ),
        (
            // A label does not make it ours: what it binds to cannot be changed.
            |case| change(&mut case.role_binding, |it| it["roleRef"]["name"] = json!("edit")),
            "kubectl delete rolebinding ",
        ),
        (
            |case| change(&mut case.role_binding, |it| it["roleRef"]["kind"] = json!("ClusterRole")),
            "kubectl delete rolebinding ",
        ),
    ];
    for (damage, remedy) in cases {
        let mut case = made();
        damage(&mut case);
        let error = case.plan().unwrap_err();
        assert_eq!(error.code, Code::EsoRoleForeign, "{error}");
        let hints = error.hints.join("\n");
        assert!(hints.contains(remedy) && hints.contains("store.serviceAccount"), "{error}");
    }
    let mut case = made();
    change(&mut case.role, |it| it["rules"] = wider.clone());
    let planned = case.planned("Role");
    assert_eq!(planned.step.action, Action::Update, "one of ours is brought back, and shown: {planned:?}");
    assert!(planned.step.fields.iter().any(|it| it.path.starts_with("rules")), "{planned:?}");
}

#[test]
fn extra_subject_in_binding_is_removed() {
    let mut case = made();
    let more = json!({"kind": "ServiceAccount", "name": "eve", "namespace": "shop"});
    change(&mut case.role_binding, |it| it["subjects"].as_array_mut().unwrap().push(more));
    let planned = case.planned("RoleBinding");
    assert_eq!(planned.step.action, Action::Update);
    let Doing::Patch(patch) = &planned.doing else { panic!("{planned:?}") };
    assert_eq!(patch["subjects"].as_array().map(Vec::len), Some(1), "{patch}");
    assert!(patch.get("roleRef").is_none(), "{patch}");
}

#[test]
fn foreign_account_is_used_with_warning() {
    let mut case = made();
    without_label(&mut case.account);
    change(&mut case.account, |it| it["automountServiceAccountToken"] = json!(true));
    assert_eq!(case.planned("ServiceAccount").doing, Doing::Nothing);
    assert_eq!(case.plan().unwrap().warnings[0].code, Code::AccountShared);
}

#[test]
fn changed_automount_of_account_is_reset() {
    for changed in [json!(true), Value::Null] {
        let mut case = made();
        change(&mut case.account, |it| it["automountServiceAccountToken"] = changed);
        let planned = case.planned("ServiceAccount");
        let Doing::Patch(patch) = &planned.doing else { panic!("{planned:?}") };
        assert_eq!(patch["automountServiceAccountToken"], false);
        assert_eq!(planned.step.fields[0].path, "automountServiceAccountToken");
        assert_eq!(at(&planned.manifest, "/automountServiceAccountToken"), false);
    }
}
