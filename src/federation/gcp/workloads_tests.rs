//! By values: several workloads in one pool and provider, each with its own secrets.

use serde_json::json;

use super::{
    plan::plan,
    plan_tests::{Case, EMAIL, no_member, policy, right},
    roles::ACCESSOR,
    state::Seen,
    tests::{PRINCIPAL, SUBJECT, trust},
    *,
};
use crate::{
    error::Code,
    federation::{further, reads, workload},
    google::Policy,
    plan::Action,
};

const B: &str = "system:serviceaccount:shop:b";
const C: &str = "system:serviceaccount:team:c.reader";

/// Nothing is there but the secrets, and these workloads are wanted.
fn wanted(workloads: &[(&str, &[&str])]) -> Case {
    let mut case = right();
    case.state.pool = None;
    case.state.providers.clear();
    case.state.policies = vec![(Holder::Project, no_member())];
    for secret in ["db", "api", "mail"] {
        case.seen(Holder::Secret(secret.to_owned()), no_member());
    }
    let all = workloads.iter().map(|(account, secrets)| further(account, secrets));
    case.want = trust(&[&case.key]).of(all);
    case
}

fn steps(case: &Case) -> Vec<(Action, String)> {
    let changes = plan(&case.want, &case.settings, &case.state).unwrap().changes;
    changes.into_iter().map(|change| (change.step.action, change.step.name)).collect()
}

fn granted(secret: &str, subject: &str) -> (Action, String) {
    (Action::Grant, format!("{ACCESSOR} on the secret {secret} in acme-prod to {subject}"))
}

fn condition(case: &Case) -> String {
    let changes = plan(&case.want, &case.settings, &case.state).unwrap().changes;
    let provider = changes.iter().find_map(|change| match &change.act {
        Some(Step::Provider(Deed::Create(body))) => Some(body["attributeCondition"].as_str().unwrap()),
        Some(Step::Provider(Deed::Patch(patch))) => patch.body["attributeCondition"].as_str(),
        _ => None,
    });
    provider.unwrap_or_default().to_owned()
}

const ALL: [(&str, &[&str]); 3] =
    [("external-secrets/eso-reader", &["db"]), ("shop/b", &["api", "db"]), ("team/c.reader", &["mail"])];

#[test]
fn each_workload_gets_its_own_secrets() {
    let grants =
        [vec![granted("db", SUBJECT)], vec![granted("api", B), granted("db", B)], vec![granted("mail", C)]];
    for count in 0..=3 {
        let case = wanted(&ALL[..count]);
        let steps = steps(&case);
        assert_eq!(steps[0].0, Action::Create, "{steps:?}");
        assert_eq!(steps[1].0, Action::Create, "{steps:?}");
        assert_eq!(steps[2..], grants[..count].concat(), "{count}");
        let subjects: Vec<_> = [SUBJECT, B, C][..count].iter().map(|it| format!("'{it}'")).collect();
        assert_eq!(condition(&case), format!("assertion.sub in [{}]", subjects.join(", ")));
    }
}

/// What is there stays as it is, and what is new is added to it.
#[test]
fn second_workload_is_added_to_condition() {
    let mut case = right();
    case.want = trust(&[&case.key])
        .of([workload("external-secrets/eso-reader", &["db"]), further("shop/b", &["db"])]);
    assert_eq!(condition(&case), format!("assertion.sub in ['{SUBJECT}', '{B}']"));
    let steps = steps(&case);
    let changed: Vec<_> = steps.iter().filter(|(action, _)| *action != Action::NoOp).collect();
    assert_eq!(changed[0].0, Action::Update, "{changed:?}");
    assert_eq!(changed[1..], [&granted("db", B)]);
    // The other way round, the first one is kept.
    let mut case = right();
    case.want = trust(&[&case.key]).of([further("shop/b", &["db"])]);
    assert_eq!(condition(&case), format!("assertion.sub in ['{SUBJECT}', '{B}']"));
}

#[test]
fn revoked_right_of_one_stays_anothers() {
    let mut case = right();
    let principal = PRINCIPAL.replace("external-secrets:eso-reader", "shop:b");
    let both = Policy::new(
        json!({"etag": "e", "bindings": [{"role": ACCESSOR, "members": [PRINCIPAL, principal]}]}),
    );
    case.seen(Holder::Secret("db".to_owned()), Seen::Known(both));
    let mut second = further("shop/b", &[]);
    second.revoked = reads(&["db"]);
    case.want = trust(&[&case.key]).of([workload("external-secrets/eso-reader", &["db"]), second]);
    let revoked: Vec<_> = steps(&case).into_iter().filter(|(action, _)| *action == Action::Revoke).collect();
    assert_eq!(revoked, [(Action::Revoke, format!("{ACCESSOR} on the secret db in acme-prod from {B}"))]);
}

#[test]
fn several_become_no_single_account() {
    let mut case = wanted(&ALL[..2]);
    case.settings.impersonate = Some(EMAIL.to_owned());
    case.seen(Holder::Account(EMAIL.to_owned()), no_member());
    let error = plan(&case.want, &case.settings, &case.state).unwrap_err();
    assert_eq!(error.code, Code::GoogleAccountShared);
    for name in ["external-secrets/eso-reader", "shop/b", EMAIL] {
        assert!(error.message.contains(name), "{error}");
    }
    // Stores that share a ServiceAccount are one workload.
    case.want = trust(&[&case.key]).of([workload("eso/a", &["db"]), further("eso/a", &["api"])]);
    assert!(plan(&case.want, &case.settings, &case.state).is_ok());
}

#[test]
fn withdrawal_revokes_grants_of_each() {
    let mut case = right();
    let principal = PRINCIPAL.replace("external-secrets:eso-reader", "shop:b");
    case.seen(Holder::Secret("api".to_owned()), policy(ACCESSOR, &principal));
    let revoked = |case: &Case| -> Vec<String> {
        let all = withdraw::withdraw(&case.want, &case.state).unwrap();
        let revokes = all.into_iter().filter(|one| one.change.step.action == Action::Revoke);
        revokes.map(|one| one.change.step.name).collect()
    };
    assert_eq!(revoked(&case).len(), 1, "another workload's grants are not taken back with it");
    case.want = trust(&[&case.key])
        .of([workload("external-secrets/eso-reader", &["db"]), further("shop/b", &["api"])]);
    let revoked = revoked(&case);
    assert!(
        revoked.len() == 2 && revoked[0].contains(PRINCIPAL) && revoked[1].contains(&principal),
        "{revoked:?}"
    );
}
