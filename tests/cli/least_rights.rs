//! The ClusterRoles of `deploy/` beside the program: with exactly these rights everything goes, and each is needed.

use std::{fs, path::Path};

use lab::Right;
use serde_json::{Value, json};

use crate::{
    estate::{Estate, store},
    world::{Ran, World},
};

const USER: &str = "auditor";

/// Verb and resource of each single right in the ClusterRole of this folder; paths as they are.
fn rights(folder: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(folder).join("rbac.yaml");
    let objects: Vec<Value> = serde_saphyr::from_multiple(&fs::read_to_string(path).unwrap()).unwrap();
    let role = objects.iter().find(|object| object["kind"] == "ClusterRole").unwrap();
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut rights = Vec::new();
    for rule in role["rules"].as_array().unwrap() {
        let group = rule["apiGroups"][0].as_str().unwrap_or_default();
        assert!(!texts(&rule["verbs"]).contains(&"*".to_owned()), "{rule}");
        for resource in texts(&rule["resources"]) {
            let resource = if group.is_empty() { resource } else { format!("{resource}.{group}") };
            rights.extend(texts(&rule["verbs"]).into_iter().map(|verb| (verb, resource.clone())));
        }
        rights.extend(texts(&rule["nonResourceURLs"]).into_iter().map(|path| ("get".to_owned(), path)));
    }
    rights
}

/// A user with these rights and no other.
fn user(world: &World, rights: &[(String, String)]) {
    world.cluster.add_user(USER, &[]);
    for (verb, resource) in rights {
        match resource.as_str() {
            "/openid/v1/jwks" => world.cluster.grant(USER, Right::Jwks),
            "/.well-known/openid-configuration" => world.cluster.grant(USER, Right::Discovery),
            "endpointslices.discovery.k8s.io" => world.cluster.grant(USER, Right::EndpointSlices),
            "serviceaccounts/token" => world.cluster.grant(USER, Right::CreateToken),
            _ => world.cluster.allow(USER, verb, resource),
        }
    }
    world.cluster.kubeconfig_as(world.dir.path(), USER);
}

/// Every kind of thing that an audit looks at: keys in a Secret, a file in a ConfigMap, a ServiceAccount, the
/// operator's pod and its rights.
fn estate() -> Estate {
    let estate = Estate::new();
    let put = |object: Value| estate.world.cluster.put_object(object);
    let named = |name: &str| json!({"name": name, "namespace": "external-secrets", "key": "account.json"});
    for (name, provider) in [
        (
            "file",
            json!({"gcpsm": {"projectID": "acme-prod", "auth": {"workloadIdentityFederation": {"credConfig": named("account")}}}}),
        ),
        (
            "vault",
            json!({"vault": {"server": "https://vault.lab.test", "auth": {"kubernetes": {"mountPath": "k", "role": "r",
            "serviceAccountRef": {"name": "eso", "namespace": "external-secrets"}}}}}),
        ),
    ] {
        let mut object = store(name, "unused");
        object["spec"]["provider"] = provider;
        put(object);
    }
    put(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "account", "namespace": "external-secrets"},
        "data": {"account.json": r#"{"type": "external_account", "credential_source": {"url": "http://169.254.169.254/token"}}"#}}),
    );
    put(
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "eso", "namespace": "external-secrets"}}),
    );
    let rbac = "rbac.authorization.k8s.io";
    put(json!({"apiVersion": format!("{rbac}/v1"), "kind": "ClusterRole", "metadata": {"name": "eso"},
        "rules": [{"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]}]}));
    put(
        json!({"apiVersion": format!("{rbac}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "eso"},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "eso"},
        "subjects": [{"kind": "ServiceAccount", "name": "external-secrets", "namespace": "external-secrets"}]}),
    );
    estate
}

fn audit(world: &World) -> Ran {
    let mut command = world.command(&["audit"]);
    command.env("KUBECONFIG", world.dir.path().join(format!("{USER}.kubeconfig")));
    command.output().unwrap().into()
}

#[test]
fn an_audit_is_complete_with_exactly_its_rights_and_names_each_that_is_missing() {
    let rights = rights("auditor");
    assert!(rights.iter().all(|(verb, _)| verb == "get" || verb == "list"), "it only looks: {rights:?}");
    let estate = estate();
    user(&estate.world, &rights);
    let whole = audit(&estate.world).ends(1);
    assert_eq!(
        whole.out.lines().next(),
        Some("1 long-lived credential opens the secret stores"),
        "{}",
        whole.out
    );
    assert!(whole.out.contains("may mint a token for every ServiceAccount"), "{}", whole.out);
    for without in ["not judged", "not looked at", "is not known"] {
        assert!(!whole.out.contains(without), "{}", whole.out);
    }
    let absent = World::new(1);
    user(&absent, &rights);
    audit(&absent).ends(0).says("not installed");
    for (verb, resource) in &rights {
        if resource == "namespaces" {
            // The verdict is whole without it, but does not say of which cluster.
            estate.world.cluster.deny(USER, verb, resource);
            let ran = audit(&estate.world).ends(1);
            assert!(
                ran.err.contains("warning[cluster-uid-unknown]") && ran.err.contains("get namespaces"),
                "{}",
                ran.err
            );
            estate.world.cluster.forgive(USER);
            continue;
        }
        // Where there are stores, they are there in some version: only where there are none the schema matters.
        let world = if resource.starts_with("customresourcedefinitions") { &absent } else { &estate.world };
        world.cluster.deny(USER, verb, resource);
        let ran = audit(world);
        assert!(
            ran.out.contains(&format!("{verb} {resource}")),
            "{verb} {resource} is not named\n{}",
            ran.out
        );
        let headline = ran.out.lines().next().unwrap();
        // Whose tokens the operator may mint is a note.
        let is_note = resource.starts_with("clusterrole");
        assert_eq!(headline.contains("INCOMPLETE"), !is_note, "{verb} {resource}: {headline}");
        assert!(!is_note || ran.out.contains("is not known"), "{}", ran.out);
        world.cluster.forgive(USER);
    }
}

#[test]
fn setup_and_teardown_go_the_whole_way_with_exactly_their_rights() {
    let estate = Estate::new();
    user(&estate.world, &[rights("auditor"), rights("setup")].concat());
    let run = |arguments: &[&str]| -> Ran {
        let mut command = estate.command(arguments);
        command.env("KUBECONFIG", estate.world.dir.path().join(format!("{USER}.kubeconfig")));
        command.output().unwrap().into()
    };
    run(&["setup", "--yes", "--watch-for", "0s", "--retire-key"]).ends(0);
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (None, false));
    run(&["audit"]).ends(0).says("ZERO");
    run(&["teardown", "--yes"]).ends(0);
    run(&["teardown", "--yes"]).ends(0).says("nothing to remove");
}
