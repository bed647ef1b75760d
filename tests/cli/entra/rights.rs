//! Without each permission in turn that setup and teardown need at Azure.

use std::collections::BTreeSet;

use super::{DRY, RETIRE, SETUP, Scene};
use crate::{google::at_once, world::Ran};

/// By the administrator; what the workload does is not among them.
fn needed(arguments: &[&[&str]]) -> BTreeSet<String> {
    let scene = Scene::new();
    for arguments in arguments {
        scene.run(arguments).ends(0);
    }
    scene
        .azure
        .needed()
        .into_iter()
        .filter(|it| !it.starts_with("Microsoft.KeyVault/vaults/secrets"))
        .collect()
}

#[test]
fn setup_without_one_permission_names_it() {
    let all = needed(&[&RETIRE]);
    let expected = [
        "Application.Read.All",
        "Application.ReadWrite.All",
        "Microsoft.Authorization/roleAssignments/read",
        "Microsoft.Authorization/roleAssignments/write",
        "Microsoft.KeyVault/vaults/read",
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read",
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",
        "Microsoft.ManagedIdentity/userAssignedIdentities/read",
        "Microsoft.ManagedIdentity/userAssignedIdentities/write",
        "Microsoft.Resources/subscriptions/read",
        "Microsoft.Resources/subscriptions/resourceGroups/read",
    ];
    assert_eq!(all.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    let all: Vec<_> = all.into_iter().collect();
    at_once(&all, |action| {
        let scene = Scene::new();
        scene.azure.deny(action);
        let ran = scene.run(&RETIRE).fails(3, "entra-forbidden", &[action]);
        let hint = ran.err.lines().find(|line| line.contains("hint: it takes")).unwrap();
        assert!(hint.contains(action.as_str()), "{action}: {hint}");
        match action.as_str() {
            "Application.ReadWrite.All" => assert_eq!(scene.key(), (1, true)),
            _ => scene.is_untouched(action),
        }
        assert!(!ran.out.contains("ZERO") && !ran.err.contains("ZERO"), "{}{}", ran.out, ran.err);
        scene.azure.allow(action);
        scene.run(&RETIRE).ends(0);
        assert_eq!((scene.key(), scene.secret_is_there()), ((0, false), false), "{action}");
        scene.run(&["audit"]).ends(0).says("ZERO");
    });
}

/// The secret is useless, and cannot be deleted: where it lies stays known.
#[test]
fn deletion_without_permission_goes_on_later() {
    let scene = Scene::new();
    scene.run(&SETUP).ends(0);
    scene.azure.deny("Application.ReadWrite.All");
    scene.run(&RETIRE).fails(3, "entra-forbidden", &["Application.ReadWrite.All"]);
    assert_eq!((scene.key(), scene.secret_is_there()), ((1, false), true));
    scene.azure.allow("Application.ReadWrite.All");
    scene.run(&RETIRE).ends(0);
    assert_eq!((scene.key(), scene.secret_is_there()), ((0, false), false));
}

#[test]
fn teardown_without_one_permission_names_it() {
    let setup = needed(&[&RETIRE]);
    let all: Vec<_> = needed(&[&RETIRE, &["teardown", "--yes"]]).difference(&setup).cloned().collect();
    let expected = [
        "Microsoft.Authorization/roleAssignments/delete",
        "Microsoft.ManagedIdentity/userAssignedIdentities/delete",
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/delete",
    ];
    assert_eq!(all, expected);
    at_once(&all, |action| {
        let scene = Scene::new();
        scene.run(&RETIRE).ends(0);
        scene.azure.deny(action);
        let ran = scene.run(&["teardown", "--yes"]).fails(3, "entra-forbidden", &[action]);
        assert!(!ran.out.contains("nothing to remove"), "{action}: {}", ran.out);
        assert!(scene.identity().is_some(), "{action}");
        scene.azure.allow(action);
        scene.run(&["teardown", "--yes"]).ends(0);
        assert_eq!(
            (scene.azure.identities(), scene.azure.assignments()),
            (Vec::<String>::new(), 0),
            "{action}"
        );
    });
}

/// Who may look and write nothing gets the plan, and no more.
#[test]
fn read_only_login_gets_plan_alone() {
    let scene = Scene::new();
    let reader = scene.azure.reader();
    let run = |arguments: &[&str]| Ran::of(&mut scene.command(&reader, arguments));
    run(&DRY).ends(1).says("Plan: ");
    run(&RETIRE).fails(3, "entra-forbidden", &["userAssignedIdentities/write"]);
    assert_eq!(scene.writes(), Vec::<String>::new());
    scene.is_untouched("nothing may be written");
}

/// Without what the workload does itself, nothing is changed for it: the store keeps its secret.
#[test]
fn setup_without_workload_permission_stops() {
    let read = "Microsoft.KeyVault/vaults/secrets/getSecret/action";
    let scene = Scene::new();
    scene.ends_well();
    // By hand, as it was: everything is there at Azure, so nothing new is waited for.
    scene.azure.enable(&scene.application.0, true);
    scene.world.cluster.put_object(scene.before.clone());
    scene.until_read();
    scene.azure.deny(read);
    let ran = scene.run(&RETIRE);
    assert!(ran.code.is_some_and(|code| code != 0), "{ran:?}");
    let ran = ran.says("403");
    assert!(!ran.out.contains("ZERO") && !ran.err.contains("ZERO"), "{}{}", ran.out, ran.err);
    scene.is_untouched(read);
}
