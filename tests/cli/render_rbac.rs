//! `keyless render rbac --for COMMAND`: with the roles that it prints, and no other right, the command comes to its end.

use std::{fs, process::Command};

use lab::SigningKey;
use serde_json::{Value, json};

use crate::{
    estate::{Estate, RETIRE, SETUP},
    ledger,
    permissions_page::objects,
    world::{Ran, World},
};

const USER: &str = "alice";

/// Everything was set up by an administrator; `USER` has no right yet.
fn estate(setup: &[&str]) -> Estate {
    let estate = Estate::new();
    let put = |object: Value| estate.world.cluster.put_object(object);
    put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "keyless-system"}}));
    put(json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "keyless-probe", "namespace": "keyless-system"}}));
    estate.run(setup).ends(0);
    estate
}

/// Binds the roles of this command to `USER`.
fn give(world: &World, purpose: &str) -> Vec<Value> {
    world.cluster.add_user(USER, &[]);
    let objects = objects(&["--for", purpose, "--user", USER]);
    objects.iter().for_each(|object| world.cluster.put_object(object.clone()));
    world.cluster.kubeconfig_as(world.dir.path(), USER);
    objects
}

fn as_user(world: &World, mut command: Command) -> Ran {
    command
        .env("KUBECONFIG", world.dir.path().join(format!("{USER}.kubeconfig")))
        .env("KEYLESS_CLUSTER_SERVICE_ACCOUNT", "keyless-system/keyless-probe")
        .env("KEYLESS_TLS_CA_FILE", "ca.pem");
    Ran::of(&mut command)
}

fn runs(estate: &Estate, arguments: &[&str]) -> Ran {
    let mut command = estate.world.command(arguments);
    command.env("GOOGLE_OAUTH_ACCESS_TOKEN", estate.google.token());
    as_user(&estate.world, command)
}

#[test]
fn verify_needs_its_rights() {
    let estate = estate(&RETIRE);
    let objects = give(&estate.world, "verify");
    runs(&estate, &["verify"]).ends(0).says("read of the secret db");
    let own = objects.iter().find(|it| it["metadata"]["name"] == "keyless-verify").unwrap();
    // Namespaces are listed only where a store is open to some by their labels.
    assert_eq!(own["rules"][0]["resources"], json!(["namespaces"]));
    for number in 1..own["rules"].as_array().unwrap().len() {
        let mut fewer = own.clone();
        let rule = fewer["rules"].as_array_mut().unwrap().remove(number);
        estate.world.cluster.put_object(fewer);
        let ran = runs(&estate, &["verify"]);
        // What one right is missing for is named and not passed; without a token, nothing else is known either.
        assert!(ran.code != Some(0) || ran.out.contains("skip  refresh of"), "without {rule}: {ran:?}");
        ran.says(rule["resources"][0].as_str().unwrap());
        estate.world.cluster.put_object(own.clone());
    }
}

#[test]
fn status_runs_with_its_rights() {
    let estate = estate(&SETUP);
    give(&estate.world, "status");
    let result = runs(&estate, &["status", "-o", "json"]).ends(0).json();
    assert_eq!(
        (&result["complete"], &result["stores"]["complete"]),
        (&json!(true), &json!(true)),
        "{result}"
    );
}

#[test]
fn doctor_runs_with_its_rights() {
    let estate = estate(&RETIRE);
    give(&estate.world, "doctor");
    runs(&estate, &["doctor"]).ends(0).says("0 failed");
}

#[test]
fn teardown_runs_with_its_rights() {
    let estate = estate(&RETIRE);
    give(&estate.world, "teardown");
    runs(&estate, &["teardown", "--yes", "--config", "keyless.yaml"]).ends(0);
}

#[test]
fn rendering_store_runs_with_its_rights() {
    let estate = estate(&SETUP);
    give(&estate.world, "render-store");
    runs(&estate, &["render", "store"]).ends(0).says("kind: ClusterSecretStore");
    let reads_secrets =
        |rule: &Value| rule["resources"].as_array().is_some_and(|all| all.contains(&json!("secrets")));
    let rules = objects(&["--for", "render-store"]);
    let rules: Vec<_> = rules.iter().filter_map(|role| role["rules"].as_array()).flatten().collect();
    assert!(rules.len() > 3 && !rules.iter().any(|rule| reads_secrets(rule)), "it reads no Secret");
}

#[test]
fn changing_keys_runs_with_its_rights() {
    let world = ledger::world(1);
    world.cluster.put_object(json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "keyless-probe", "namespace": "keyless-system"}}));
    world.keyless("publish", &[]).ends(0);
    give(&world, "keys-add");
    let new = SigningKey::rsa(2048);
    fs::write(world.dir.path().join("new.pub"), new.public_pem()).unwrap();
    let bucket = format!("file://{}", world.www.display());
    let run = |words: &[&str]| {
        let common = ["--bucket", &bucket, "--issuer", crate::world::ISSUER];
        as_user(&world, world.command(&[&["keys"], words, &common].concat()))
    };
    run(&["add", "new.pub"]).ends(0).says("published: 2 keys");
    run(&["revoke", &new.kid(), "--yes"]).ends(0);
    assert_eq!(objects(&["--for", "keys-add"]), objects(&["--for", "keys-revoke"]));
}

/// One answer names every right that is missing, and the command that grants them.
#[test]
fn all_missing_rights_are_named() {
    let estate = estate(&SETUP);
    for (purpose, arguments) in [
        ("setup", &["setup", "--dry-run", "--config", "keyless.yaml"][..]),
        ("teardown", &["teardown", "--dry-run", "--config", "keyless.yaml"]),
    ] {
        let cluster = &estate.world.cluster;
        cluster.add_user(USER, &[]);
        identity().into_iter().for_each(|object| cluster.put_object(object));
        cluster.kubeconfig_as(estate.world.dir.path(), USER);
        let ran = runs(&estate, arguments).ends(3);
        let grants = format!("keyless render rbac --for {purpose} --user NAME | kubectl apply -f -");
        assert!(ran.err.contains(&grants), "{purpose}: {}", ran.err);
        let line = ran.err.lines().find(|line| line.contains("this login lacks")).unwrap_or_default();
        for role in objects(&["--for", purpose, "--user", USER]) {
            for resource in
                role["rules"].as_array().into_iter().flatten().flat_map(|rule| rule["resources"].as_array())
            {
                for resource in resource {
                    let resource = resource.as_str().unwrap();
                    assert!(
                        resource == "namespaces" || line.contains(resource),
                        "{purpose}: {resource} is not in\n{}",
                        ran.err
                    );
                }
            }
        }
        assert!(ran.err.contains("error[cluster-forbidden]"), "{}", ran.err);
    }
}

/// What could not be looked at is answered as a refused request is, for the command that was run.
#[test]
fn unseen_cluster_names_own_grant() {
    let estate = estate(&SETUP);
    give(&estate.world, "render-store");
    estate.world.cluster.deny(USER, "list", "deployments.apps");
    let ran = runs(&estate, &["render", "store"]).ends(3);
    for part in [
        "error[cluster-not-seen]",
        "this login lacks: list deployments.apps",
        "keyless render rbac --for render-store --user NAME | kubectl apply -f -",
    ] {
        assert!(ran.err.contains(part), "{part}: {}", ran.err);
    }
    assert!(!ran.err.contains("deploy/setup"), "{}", ran.err);
}

/// The rights on what the settings name are asked for there, and granted there.
#[test]
fn named_objects_are_reviewed_and_granted() {
    let estate = estate(&SETUP);
    let cluster = &estate.world.cluster;
    cluster.add_user(USER, &[]);
    identity().into_iter().for_each(|object| cluster.put_object(object));
    cluster.kubeconfig_as(estate.world.dir.path(), USER);
    let mut command = estate.world.command(&["keys", "--config", "keyless.yaml"]);
    command.env("KEYLESS_CLUSTER_LEDGER", "team/keys");
    let ran = as_user(&estate.world, command).ends(3);
    for part in [
        "configmaps `keys` in the namespace `team`",
        "keyless render rbac --for keys --user NAME | kubectl apply -f -",
        "kubectl -n team create role keyless-ledger-keys-keys --verb=get --resource=configmaps --resource-name=keys --dry-run=client -o yaml | kubectl apply -f -",
        "kubectl -n team create rolebinding keyless-ledger-keys-keys --role=keyless-ledger-keys-keys --user=NAME --dry-run=client -o yaml | kubectl apply -f -",
    ] {
        assert!(ran.err.contains(part), "{part}: {}", ran.err);
    }
    assert!(!ran.err.contains("`keyless-ledger`"), "{}", ran.err);
}

/// The right to see which cluster this is.
fn identity() -> [Value; 2] {
    let rbac = "rbac.authorization.k8s.io";
    [
        json!({"apiVersion": format!("{rbac}/v1"), "kind": "ClusterRole", "metadata": {"name": "identity"},
            "rules": [{"apiGroups": [""], "resources": ["namespaces"], "resourceNames": ["kube-system"], "verbs": ["get"]}]}),
        json!({"apiVersion": format!("{rbac}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "identity"},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "identity"},
            "subjects": [{"apiGroup": rbac, "kind": "User", "name": USER}]}),
    ]
}
