//! Two clusters at one server, and one cluster whose marks or issuer are older.

use super::{
    tests::{CLUSTER, ISSUER, OURS, act, done, fields, issuer, plan, settings, trust, verbs},
    *,
};
use crate::federation::{
    changes as changes_of,
    vault::{Mode, withdraw::withdraw},
};

/// As earlier versions wrote it.
const OLDER: &str = "managed by keyless for https://oidc.lab.test/prod";

#[test]
fn objects_of_other_cluster_stay_untouched() {
    let (settings, want) = (settings(), trust());
    let other = Trust { cluster_id: "9c1d".into(), ..trust() };
    // The same names, and the issuer that every cluster has unless it is told another.
    let theirs = done(&settings, &other);
    let error = plan(&settings, &want, &theirs).unwrap_err();
    assert_eq!(error.code, Code::VaultOtherCluster);
    let reply = error.to_string();
    assert!(reply.contains("9c1d") && reply.contains(CLUSTER) && reply.contains("vault.mount"), "{reply}");
    let changes = changes_of(withdraw(&settings, &want, &theirs, &["eso".into()], None));
    assert_eq!(verbs(&changes), [Action::NoOp; 3], "{changes:?}");
    assert!(changes.iter().all(|change| change.step.reason.contains("another cluster")), "{changes:?}");

    // An auth method of another owner that both use: policy and role are the other cluster's all the same.
    let mut shared = theirs;
    shared.mount.as_mut().unwrap().description = "by terraform".into();
    assert_eq!(plan(&settings, &want, &shared).unwrap_err().code, Code::VaultOtherCluster);
    assert_eq!(
        verbs(&changes_of(withdraw(&settings, &want, &shared, &["eso".into()], None))),
        [Action::NoOp; 3]
    );
}

#[test]
fn marks_without_cluster_are_completed() {
    let (settings, want) = (settings(), trust());
    let mut older = done(&settings, &want);
    older.mount.as_mut().unwrap().description = OLDER.into();
    older.policy = older.policy.map(|text| text.replace(&format!(" in cluster {CLUSTER}"), ""));
    let back = changes_of(withdraw(&settings, &want, &older, &["eso".into()], None));
    assert_eq!(verbs(&back), [Action::Delete; 3]);
    let changes = plan(&settings, &want, &older).unwrap();
    assert_eq!(verbs(&changes), [Action::Update, Action::NoOp, Action::Update, Action::NoOp]);
    assert_eq!(*act(&changes[0]), Step::Describe { description: OURS.into() });
    assert_eq!(fields(&changes[0]), [("description", OLDER, OURS)]);
    assert_eq!(changes[0].step.needs(), "update on sys/mounts/auth/keyless/tune");
    let first_lines = ("# managed by keyless for auth/keyless/role/eso", mark::of_policy(&settings, &want));
    assert_eq!(fields(&changes[2]), [("first line", first_lines.0, first_lines.1.as_str())]);
}

#[test]
fn new_issuer_is_a_shown_change() {
    let (settings, old) = (settings(), trust());
    let new = Trust { issuer: issuer(Mode::Discovery, "https://oidc.lab.test/new"), ..trust() };
    let changes = plan(&settings, &new, &done(&settings, &old)).unwrap();
    assert_eq!(verbs(&changes), [Action::Update, Action::Update, Action::NoOp, Action::NoOp]);
    let config = fields(&changes[1]);
    assert_eq!(config[0], ("bound_issuer", ISSUER, "https://oidc.lab.test/new"));
    // Before the move, and after it, it is this cluster's to take away.
    let back = changes_of(withdraw(&settings, &new, &done(&settings, &old), &["eso".into()], None));
    assert_eq!(verbs(&back), [Action::Delete; 3]);
}
