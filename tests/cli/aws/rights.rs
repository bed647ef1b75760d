//! Without each permission in turn that setup and teardown need at AWS.

use std::collections::BTreeSet;

use super::{RETIRE, Scene};
use crate::google::at_once;

/// What is done with an action that is missing.
#[derive(Clone, Copy, PartialEq)]
enum Missing {
    /// Nothing was changed at the store and at its key.
    Nothing,
    /// The store has turned to its new login, and the key is as it was.
    Key,
    /// The key is disabled, and where it lies is known.
    Deletion,
}

/// By the administrator; what the workload does is not among them.
fn needed(arguments: &[&[&str]]) -> BTreeSet<String> {
    let scene = Scene::new();
    for arguments in arguments {
        scene.run(arguments).ends(0);
    }
    let workload = ["sts:AssumeRoleWithWebIdentity", "secretsmanager:GetSecretValue"];
    scene.aws.needed().into_iter().filter(|it| !workload.contains(&it.as_str())).collect()
}

#[test]
fn setup_without_one_permission_names_it() {
    let all = needed(&[&RETIRE]);
    let expected = [
        "iam:CreateOpenIDConnectProvider",
        "iam:CreateRole",
        "iam:DeleteAccessKey",
        "iam:GetAccessKeyLastUsed",
        "iam:GetOpenIDConnectProvider",
        "iam:GetRole",
        "iam:ListAccessKeys",
        "iam:PutRolePolicy",
        "iam:TagOpenIDConnectProvider",
        "iam:TagRole",
        "iam:UpdateAccessKey",
    ];
    assert_eq!(all.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    let all: Vec<_> = all.into_iter().collect();
    at_once(&all, |action| {
        let reached = match action.as_str() {
            "iam:UpdateAccessKey" => Missing::Key,
            "iam:DeleteAccessKey" => Missing::Deletion,
            _ => Missing::Nothing,
        };
        let scene = Scene::new();
        scene.aws.deny(action);
        let ran = scene.run(&RETIRE);
        // When a key was used last, a person can look up as well.
        if action == "iam:GetAccessKeyLastUsed" && ran.code == Some(0) {
            ran.says(action);
            return;
        }
        let ran = ran.fails(3, "aws-forbidden", &[action]);
        let hint = ran.err.lines().find(|line| line.contains("hint: it takes")).unwrap();
        assert!(hint.contains(action.as_str()), "{action}: {hint}");
        match reached {
            Missing::Nothing => scene.is_untouched(action),
            Missing::Key => assert_eq!(scene.aws.key_is_active(&scene.key_id), Some(true)),
            Missing::Deletion => {
                let key = (scene.aws.key_is_active(&scene.key_id), scene.secret_is_there());
                assert_eq!(key, (Some(false), true));
            }
        }
        assert!(!ran.out.contains("ZERO") && !ran.err.contains("ZERO"), "{}{}", ran.out, ran.err);
        scene.aws.allow(action);
        scene.run(&RETIRE).ends(0);
        let key = (scene.aws.key_is_active(&scene.key_id), scene.secret_is_there());
        assert_eq!(key, (None, false), "{action}");
        scene.run(&["audit"]).ends(0).says("ZERO");
    });
}

#[test]
fn later_run_without_one_permission_stops() {
    let looks = ["iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"];
    at_once(&looks, |action| {
        let scene = Scene::new();
        scene.ends_well();
        let store = scene.store()["spec"].clone();
        scene.aws.deny(action);
        let before = scene.writes();
        scene.run(&RETIRE).fails(3, "aws-forbidden", &[action]);
        assert_eq!((scene.writes(), scene.store()["spec"].clone()), (before, store), "{action}");
        let key = (scene.aws.key_is_active(&scene.key_id), scene.secret_is_there());
        assert_eq!(key, (Some(false), true), "{action}");
    });
}

#[test]
fn teardown_without_one_permission_names_it() {
    let setup = needed(&[&RETIRE]);
    let all: Vec<_> = needed(&[&RETIRE, &["teardown", "--yes"]]).difference(&setup).cloned().collect();
    let expected = [
        "iam:DeleteOpenIDConnectProvider",
        "iam:DeleteRole",
        "iam:DeleteRolePolicy",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListRolePolicies",
        "iam:ListRoles",
    ];
    assert_eq!(all, expected);
    at_once(&all, |action| {
        let scene = Scene::new();
        scene.run(&RETIRE).ends(0);
        scene.aws.deny(action);
        let ran = scene.run(&["teardown", "--yes"]).fails(3, "aws-forbidden", &[action]);
        assert!(!ran.out.contains("nothing to remove"), "{action}: {}", ran.out);
        assert!(scene.aws.providers().len() == 1, "{action}: what a role may still need is left for last");
        scene.aws.allow(action);
        scene.run(&["teardown", "--yes"]).ends(0);
        assert_eq!(
            (scene.aws.roles(), scene.aws.providers()),
            (Vec::<String>::new(), Vec::new()),
            "{action}"
        );
    });
}

/// Who may look and write nothing gets the plan, and no more.
#[test]
fn read_only_login_gets_plan_alone() {
    let scene = Scene::new();
    let may_look = serde_json::json!({"Statement": {
        "Effect": "Allow", "Action": ["iam:Get*", "iam:List*"], "Resource": "*"}});
    let reader = scene.aws.user("reader", may_look);
    let run = |arguments: &[&str]| crate::world::Ran::of(&mut scene.command(&reader, arguments));
    run(&["setup", "--dry-run", "--to", "aws"]).ends(1).says("Plan: ");
    run(&RETIRE).fails(3, "aws-forbidden", &["iam:CreateOpenIDConnectProvider"]);
    assert_eq!(scene.writes(), Vec::<String>::new());
    scene.is_untouched("nothing may be written");
}

/// Without what the workload does itself, nothing is changed for it: the store keeps its key.
#[test]
fn setup_without_workload_permission_stops() {
    let all = ["secretsmanager:GetSecretValue", "sts:AssumeRoleWithWebIdentity"];
    at_once(&all, |action| {
        let scene = Scene::new();
        scene.ends_well();
        // By hand, as it was: everything is there at AWS, so nothing new is waited for.
        scene.aws.activate_key(&scene.key_id, true);
        scene.world.cluster.put_object(scene.before.clone());
        scene.until_read();
        scene.aws.deny(action);
        let ran = scene.run(&RETIRE);
        assert!(ran.code.is_some_and(|code| code != 0), "{action}: {ran:?}");
        let ran = ran.says(action.split(':').nth(1).unwrap());
        assert!(!ran.out.contains("ZERO") && !ran.err.contains("ZERO"), "{}{}", ran.out, ran.err);
        scene.is_untouched(action);
    });
}
