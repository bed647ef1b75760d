//! What is taken over or taken away is this cluster's in every way that matters; a name or a mark alone is not enough.

use lab::{Curve, SigningKey};
use serde_json::{Value, json};

use crate::{
    estate::{DEFAULT_ISSUER, Estate, SETUP, secret, store},
    google::{ends_well, untouched},
    world::Ran,
};

const POOL: &str = "keyless-lab";
const RBAC: &str = "rbac.authorization.k8s.io/v1";
const ROLE: &str = "keyless-mint-keyless-gcp";

fn pool(estate: &Estate, description: &str) {
    estate.google.write(POOL, None, |pool| pool["description"] = json!(description));
}

/// A provider that believes this issuer by this key.
fn provider(estate: &Estate, description: &str, issuer: &str, key: &SigningKey) {
    let jwks = json!({"keys": [key.jwk()]}).to_string();
    estate.google.write(POOL, Some("cluster"), |it| {
        it["description"] = json!(description);
        it["attributeMapping"] = json!({"google.subject": "assertion.sub"});
        it["oidc"] = json!({"issuerUri": issuer, "jwksJson": jwks});
    });
}

/// Does what the refusal says is to be done if it is this cluster's.
#[track_caller]
fn follow(estate: &Estate, ran: &Ran) {
    let command = ran.err.split('`').find(|part| part.starts_with("gcloud iam workload-identity-pools"));
    let command = command.unwrap_or_else(|| panic!("no command in\n{}", ran.err));
    let (_, description) = command.split_once("--description='").unwrap();
    let (description, _) = description.split_once('\'').unwrap();
    assert!(description.contains(&estate.world.cluster_uid()), "{command}");
    assert!(description.ends_with(&format!(" for {DEFAULT_ISSUER}")), "{command}");
    let of_provider =
        command.contains(" providers update-oidc cluster --workload-identity-pool=keyless-lab ");
    assert!(of_provider || command.contains(" update keyless-lab "), "{command}");
    let of = of_provider.then_some("cluster");
    estate.google.write(POOL, of, |it| it["description"] = json!(description));
}

#[test]
fn pool_of_other_issuer_is_refused() {
    // The mark that older advice told people to write, in all its forms.
    for mark in ["managed by keyless", "managed by keyless for https://other.example"] {
        let estate = Estate::new();
        estate.settings("google: {pool: keyless-lab}");
        pool(&estate, mark);
        provider(&estate, mark, "https://other.example", &SigningKey::ec(Curve::P256));
        let ran = estate.run(&SETUP).ends(3);
        let code = ["google-owner-unknown", "google-other-issuer"].iter().any(|code| ran.err.contains(code));
        assert!(code && ran.err.contains("https://other.example"), "{mark}:\n{}", ran.err);
        assert!(ran.err.contains("\n  hint: "), "{mark}:\n{}", ran.err);
        untouched(&estate, mark);
        let ran = estate.run(&["teardown", "--yes"]);
        assert!(ran.out.contains("does not believe this one"), "{}", ran.out);
        assert!(estate.google.pool(POOL).unwrap()["state"] == "ACTIVE", "{mark}");
        assert_eq!(estate.google.provider(POOL, "cluster").unwrap()["state"], "ACTIVE", "{mark}");
    }
}

#[test]
fn foreign_pool_of_same_issuer_stays() {
    // Every self-managed cluster signs as the same issuer unless it was told otherwise.
    let estate = Estate::new();
    estate.settings("google: {pool: keyless-lab}");
    pool(&estate, "managed by keyless");
    provider(&estate, "managed by keyless", DEFAULT_ISSUER, &SigningKey::ec(Curve::P256));
    estate
        .run(&SETUP)
        .fails(3, "google-owner-unknown", &["managed by keyless", "google.pool"])
        .snapshot("error-google-owner-unknown");
    untouched(&estate, "another key");
    estate.run(&["teardown", "--yes"]);
    assert_eq!(estate.google.pool(POOL).unwrap()["state"], "ACTIVE");
}

#[test]
fn printed_command_adopts_rebuilt_clusters_pool() {
    let gone = "managed by keyless in cluster 0f0f0f0f-0000-4000-8000-000000000000 for https://old.example";
    for mark in [gone, "managed by keyless", "managed by keyless for https://old.example"] {
        let estate = Estate::new();
        estate.settings("google: {pool: keyless-lab}");
        pool(&estate, mark);
        provider(&estate, mark, DEFAULT_ISSUER, &SigningKey::ec(Curve::P256));
        let mut refusals = 0;
        loop {
            let ran = estate.run(&SETUP);
            if ran.code == Some(0) {
                break;
            }
            refusals += 1;
            assert!(refusals < 4, "{}", ran.err);
            follow(&estate, &ran.ends(3));
        }
        assert!(refusals > 0, "{mark}");
        ends_well(&estate, mark);
        estate.run(&["teardown", "--yes"]).ends(0);
        assert_eq!(estate.google.pool(POOL).unwrap()["state"], "DELETED");
    }
}

fn rbac(kind: &str, rest: Value) -> Value {
    let mut object = json!({"apiVersion": RBAC, "kind": kind,
        "metadata": {"name": ROLE, "namespace": "external-secrets"}});
    for (member, value) in rest.as_object().unwrap() {
        object[member.as_str()] = value.clone();
    }
    object
}

#[test]
fn same_named_role_binding_is_refused() {
    let operator =
        json!([{"kind": "ServiceAccount", "name": "external-secrets", "namespace": "external-secrets"}]);
    let role_ref =
        |kind: &str, name: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name});
    let eve = json!([{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "eve"}]);
    let ours = json!({"app.kubernetes.io/managed-by": "keyless"});
    for (labels, role_ref, subjects) in [
        (json!({}), role_ref("ClusterRole", "cluster-admin"), eve.clone()),
        (ours.clone(), role_ref("ClusterRole", "cluster-admin"), operator.clone()),
        (ours.clone(), role_ref("Role", "edit"), operator.clone()),
        (json!({}), role_ref("Role", ROLE), eve.clone()),
    ] {
        let estate = Estate::new();
        let mut binding = rbac("RoleBinding", json!({"roleRef": role_ref, "subjects": subjects}));
        binding["metadata"]["labels"] = labels;
        estate.world.cluster.put_object(binding);
        let delete = format!("kubectl delete rolebinding {ROLE} --namespace external-secrets");
        estate.run(&SETUP).fails(3, "eso-role-foreign", &[ROLE, &delete, "store.serviceAccount"]);
        untouched(&estate, "a binding");
        assert!(estate.google.federation().is_empty(), "refused before anything was done");
        let found = estate.world.cluster.object(RBAC, "RoleBinding", Some("external-secrets"), ROLE).unwrap();
        assert_eq!((&found["roleRef"], &found["subjects"]), (&role_ref, &subjects));
        // Both remedies work.
        estate.settings("store: {serviceAccount: external-secrets/own}");
        estate.run(&["setup", "--dry-run"]).ends(1);
        estate.settings("");
        estate.world.cluster.remove_object(RBAC, "RoleBinding", Some("external-secrets"), ROLE);
        ends_well(&estate, "a binding");
    }
}

#[test]
fn same_named_wider_role_is_refused() {
    let estate = Estate::new();
    let wide = json!({"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}]});
    estate.world.cluster.put_object(rbac("Role", wide.clone()));
    let delete = format!("kubectl delete role {ROLE} --namespace external-secrets");
    estate.run(&SETUP).fails(3, "eso-role-foreign", &[ROLE, &delete]).snapshot("error-eso-role-foreign");
    untouched(&estate, "a role");
    let role = || estate.world.cluster.object(RBAC, "Role", Some("external-secrets"), ROLE).unwrap();
    assert_eq!(role()["rules"], wide["rules"]);
    estate.world.cluster.remove_object(RBAC, "Role", Some("external-secrets"), ROLE);
    ends_well(&estate, "a role");
    // One of ours that was made wider is brought back, and shown.
    let mut wider = role();
    wider["rules"] = wide["rules"].clone();
    estate.world.cluster.put_object(wider);
    let planned = estate.run(&["setup", "--dry-run"]).ends(1);
    assert!(planned.out.contains(&format!("~ update  Role external-secrets/{ROLE}")), "{}", planned.out);
    estate.run(&SETUP).ends(0);
    assert_eq!(role()["rules"][0]["resourceNames"], json!(["keyless-gcp"]));
}

#[test]
fn malformed_account_names_never_reach_google() {
    for (namespace, name) in [
        ("external-secrets", "x' || true || '"),
        ("external-secrets", "x\" || true"),
        ("external-secrets", "../default"),
        ("external-secrets", "*"),
        ("external-secrets", "UPPER"),
        ("a/b", "keyless"),
        ("", "keyless gcp"),
        ("x'||true||'", "keyless"),
    ] {
        let estate = Estate::new();
        let mut store = estate.store();
        store["metadata"] = json!({"name": "gcp"});
        store["spec"]["provider"]["gcpsm"]["auth"]["workloadIdentityFederation"] =
            json!({"audience": "x", "serviceAccountRef": {"name": name, "namespace": namespace}});
        estate.world.cluster.put_object(store);
        for arguments in [&SETUP[..], &["setup", "--dry-run"][..]] {
            let ran = estate.run(arguments);
            assert_eq!(ran.code, Some(2), "{namespace}/{name}: {}{}", ran.out, ran.err);
            assert!(ran.err.contains("\n  hint: "), "{}", ran.err);
        }
        assert!(estate.google.federation().is_empty(), "{namespace}/{name}");
        let calls = estate.google.heard();
        assert!(calls.iter().all(|call| call.method == "GET"), "{namespace}/{name}: {calls:?}");
    }
}

#[test]
fn teardown_leaves_what_another_store_uses() {
    let estate = Estate::new();
    estate.run(&[&SETUP[..], &["--retire-key"]].concat()).ends(0);
    let other = json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore",
        "metadata": {"name": "other"}, "spec": {"provider": {"vault": {"server": "https://vault.lab.test",
            "auth": {"kubernetes": {"mountPath": "k", "role": "r",
                "serviceAccountRef": {"name": "keyless-gcp", "namespace": "external-secrets"}}}}}}});
    estate.world.cluster.put_object(other);
    estate.names_settings();
    let ran = estate.run(&["teardown", "--yes"]).ends(0);
    assert!(ran.out.contains("ClusterSecretStore other uses the ServiceAccount as well"), "{}", ran.out);
    let account =
        estate.world.cluster.object("v1", "ServiceAccount", Some("external-secrets"), "keyless-gcp");
    assert!(account.is_some());
    estate.world.cluster.remove_object("external-secrets.io/v1", "ClusterSecretStore", None, "other");
    estate.run(&["teardown", "--yes"]).ends(0);
    let account =
        estate.world.cluster.object("v1", "ServiceAccount", Some("external-secrets"), "keyless-gcp");
    assert!(account.is_none());
}

#[test]
fn foreign_account_is_reported_as_shared() {
    let estate = Estate::new();
    estate.world.cluster.add_service_account("external-secrets", "shared");
    estate.settings("store: {serviceAccount: external-secrets/shared}");
    let ran = estate.run(&["setup", "--dry-run"]).ends(1);
    assert!(ran.err.contains("warning[account-shared]"), "{}", ran.err);
}

/// What runs the operator's image in a namespace of its own is not the operator.
#[test]
fn lookalike_of_operator_gets_no_rights() {
    let lookalike = |estate: &Estate| {
        estate.world.cluster.put_object(json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "external-secrets", "namespace": "a-team"},
            "spec": {"template": {"spec": {"serviceAccountName": "eve", "containers": [
                {"name": "external-secrets", "image": "ghcr.io/external-secrets/external-secrets:v0.20.4"}]}}}}));
    };
    let estate = Estate::new();
    lookalike(&estate);
    let ran = estate.run(&SETUP).ends(0);
    assert!(!ran.out.contains("a-team"), "{}", ran.out);
    let binding = estate.world.cluster.object(RBAC, "RoleBinding", Some("external-secrets"), ROLE).unwrap();
    assert_eq!(binding["subjects"][0]["name"], "external-secrets");
    assert!(estate.world.cluster.object("v1", "ServiceAccount", Some("a-team"), "keyless-gcp").is_none());

    let estate = Estate::new();
    lookalike(&estate);
    estate.world.cluster.remove_object("apps/v1", "Deployment", Some("external-secrets"), "external-secrets");
    estate
        .run(&SETUP)
        .fails(3, "eso-not-installed", &["a-team/external-secrets", "ClusterRoleBinding"])
        .snapshot("error-eso-not-installed");
    assert!(estate.google.federation().is_empty());
    untouched(&estate, "a lookalike");
}

/// One store that names what cannot be does not keep others from being set up.
#[test]
fn impossible_names_of_tenants_block_nobody() {
    let estate = Estate::new();
    let bad = |name: &str, auth: Value| {
        estate.world.cluster.put_object(
            json!({"apiVersion": "external-secrets.io/v1", "kind": "SecretStore",
            "metadata": {"name": name, "namespace": "a-team"},
            "spec": {"provider": {"gcpsm": {"projectID": "acme-prod", "auth": auth}}}}),
        );
    };
    bad(
        "account",
        json!({"workloadIdentityFederation":
        {"audience": "x", "serviceAccountRef": {"name": "x' || true || '", "namespace": "a/b"}}}),
    );
    bad(
        "secret",
        json!({"secretRef": {"secretAccessKeySecretRef": {"name": "../../gcp-key", "key": "key.json"}}}),
    );
    estate.run(&SETUP).ends(0);
    assert!(estate.store_is_keyless());
}

/// Tenants make SecretStores: none of theirs is taken for the one that is meant.
#[test]
fn tenant_store_is_not_chosen_automatically() {
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    estate.settings("");
    let key = estate.google.create_key(&estate.email);
    let mut held = secret("own-key", &key);
    held["metadata"]["namespace"] = json!("a-team");
    estate.world.cluster.put_object(held);
    let mut own = store("own", "own-key");
    own["kind"] = json!("SecretStore");
    own["metadata"] = json!({"name": "own", "namespace": "a-team"});
    estate.world.cluster.put_object(own);
    estate.run(&SETUP).fails(2, "setting-missing", &["store.name"]);
    let found =
        estate.world.cluster.object("external-secrets.io/v1", "SecretStore", Some("a-team"), "own").unwrap();
    assert!(found["spec"]["provider"]["gcpsm"]["auth"]["secretRef"].is_object());
}
