//! By values: who is given what, and what is not there.

use serde_json::json;

use super::{
    plan::plan,
    plan_tests::{EMAIL, no_member, planned, policy, right},
    roles::{ACCESSOR, WORKLOAD_USER},
    state::Seen,
    tests::{PRINCIPAL, SUBJECT},
    *,
};
use crate::{
    error::Code,
    federation::{Right, reads},
    google::Policy,
};

#[test]
fn grants_of_each_kind() {
    let member = format!("serviceAccount:{EMAIL}");
    let changes = planned(|case| {
        case.settings.impersonate = Some(EMAIL.into());
        case.seen(Holder::Account(EMAIL.into()), no_member());
    });
    let objects: Vec<_> = changes.iter().map(|change| change.step.name.as_str()).collect();
    assert_eq!(
        objects,
        [
            format!("{WORKLOAD_USER} on the service account {EMAIL} to {SUBJECT}"),
            format!("{ACCESSOR} on the secret db in acme-prod to {member}"),
        ]
    );
    let has_all = planned(|case| {
        case.settings.impersonate = Some(EMAIL.into());
        case.seen(Holder::Account(EMAIL.into()), policy(WORKLOAD_USER, PRINCIPAL));
        case.seen(Holder::Project, policy(ACCESSOR, &member));
    });
    assert!(has_all.is_empty(), "{has_all:#?}");

    let changes = planned(|case| {
        case.settings.grant = Grant::Project;
        case.seen(Holder::Project, no_member());
    });
    assert_eq!(changes[0].step.name, format!("{ACCESSOR} on the project acme-prod to {SUBJECT}"));
    assert!(
        changes[0]
            .step
            .needs()
            .starts_with("resourcemanager.projects.setIamPolicy (roles/resourcemanager.projectIamAdmin)")
    );

    let conditional =
        json!({"bindings": [{"role": ACCESSOR, "members": [PRINCIPAL], "condition": {"title": "t"}}]});
    let changes =
        planned(|case| case.seen(Holder::Secret("db".into()), Seen::Known(Policy::new(conditional))));
    assert!(changes[0].step.reason.contains("condition"), "{}", changes[0].step.reason);
}

#[test]
fn missing_secrets_and_excess_are_named() {
    let mut case = right();
    case.want.workloads[0].rights.extend(reads(&["gone"]));
    case.seen(Holder::Secret("gone".into()), Seen::Absent);
    // One of two: it is left out, and named with the remedy.
    let planned = plan(&case.want, &case.settings, &case.state).unwrap();
    let [impossible] = &planned.impossible[..] else { panic!("{planned:#?}") };
    assert_eq!(impossible.right, Right::read("gone"));
    assert!(impossible.why.contains("there is no secret gone"), "{impossible:?}");
    assert!(impossible.remedy.contains("gcloud secrets create gone"), "{impossible:?}");
    // All of them: the project is the wrong one.
    case.want.workloads[0].rights = reads(&["gone"]);
    let error = case.plan().unwrap_err();
    assert_eq!(error.code, Code::GoogleSecretMissing, "{error}");
    assert!(
        error.message.ends_with("there is no gone") && error.hints[2].contains("store.secrets"),
        "{error}"
    );
    case.want.workloads[0].rights = reads(&["db"]);
    case.seen(Holder::Project, policy(ACCESSOR, PRINCIPAL));
    let changes = case.plan().unwrap();
    assert!(changes[3].step.reason.contains("gcloud projects remove-iam-policy-binding"), "{changes:#?}");
    case.want.workloads[0].rights.clear();
    let changes = case.plan().unwrap();
    assert!(changes.last().unwrap().step.reason.contains("no secret is named"), "{changes:#?}");
}
