//! `keyless audit` from outside: the verdict, its exit code, what it says when it may not look, and what it never says.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::world::World;

/// The placeholder for the private half of every credential.
const CANARY: &str = "kanarienvogel-7f3a9c51e2d84b06";

const GENERATORS: &str = include_str!("../lab/fixtures/crds/eso-generators-min.yaml");

/// A cluster with External Secrets Operator, and what a YAML text says.
fn cluster(text: &str) -> World {
    let world = World::with_operator();
    world.cluster.load_crds(GENERATORS);
    world.cluster.load_crds(text);
    world
}

fn key_secret(namespace: &str, name: &str, id: &str) -> Value {
    let key = json!({
        "type": "service_account", "project_id": "acme-prod", "private_key_id": id,
        "private_key": format!("-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n"),
        "client_email": "eso@acme-prod.iam.gserviceaccount.com",
    });
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": { "name": name, "namespace": namespace, "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": key.to_string() } },
        "data": { "key.json": STANDARD.encode(key.to_string()) },
    })
}

fn store_with_key(name: &str, secret: &str) -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": { "name": name },
        "spec": { "provider": { "gcpsm": { "projectID": "acme-prod", "auth": { "secretRef": {
            "secretAccessKeySecretRef": { "name": secret, "namespace": "external-secrets", "key": "key.json" } } } } } },
    })
}

fn one_key() -> World {
    let world = cluster("");
    world.cluster.put_object(key_secret("external-secrets", "gcp-key", "0123abcd"));
    world.cluster.put_object(store_with_key("gcp", "gcp-key"));
    world
}

#[test]
fn one_key_is_one_credential() {
    let world = one_key();
    let ran = world.run(&["audit"]).ends(1);
    assert_eq!(ran.out.lines().next(), Some("1 LONG-LIVED credential opens the secret stores"));
    for wanted in [
        "key 0123abcd of the Google service account eso@acme-prod.iam.gserviceaccount.com",
        "Secret external-secrets/gcp-key (key.json)",
        "ClusterSecretStore gcp",
        "nothing uses this store",
        "keyless setup --retire-key",
    ] {
        assert!(ran.out.contains(wanted), "`{wanted}` is not in\n{}", ran.out);
    }
    // A copy of it is the same credential in a second place; another key is a second one.
    world.cluster.put_object(key_secret("external-secrets", "copy", "0123abcd"));
    world.cluster.put_object(store_with_key("second", "copy"));
    let report = world.run(&["audit", "-o", "json"]).ends(1).json();
    assert_eq!((&report["apiVersion"], &report["command"]), (&json!("keyless/v1"), &json!("audit")));
    assert_eq!((&report["count"], &report["complete"]), (&json!(1), &json!(true)), "{report}");
    assert_eq!(report["credentials"][0]["secrets"].as_array().unwrap().len(), 2);
    assert_eq!(report["credentials"][0]["id"], "google:0123abcd");
    world.cluster.put_object(key_secret("external-secrets", "other", "ffff"));
    world.cluster.put_object(store_with_key("third", "other"));
    let ran = world.run(&["audit"]).ends(1);
    assert!(
        ran.snapshot("audit-two-keys").out.starts_with("2 LONG-LIVED credentials open the secret stores\n")
    );
}

#[test]
fn a_cluster_without_stores_is_zero() {
    let ran = cluster("").run(&["audit"]).ends(0).snapshot("audit-no-stores");
    assert!(
        ran.out.starts_with("ZERO IN CLUSTER ONLY: no long-lived credential of a known kind opens a cloud"),
        "{}",
        ran.out
    );
    // Without the operator there is nothing that could be zero.
    let world = World::new(1);
    let ran = world.run(&["audit"]).ends(3).snapshot("audit-nothing-to-judge");
    assert!(ran.out.starts_with("NOTHING TO JUDGE: "), "{}", ran.out);
    assert!(ran.out.contains("not installed"), "{}", ran.out);
    let report = world.run(&["audit", "-o", "json"]).ends(3).json();
    assert_eq!(
        (&report["verdict"], &report["count"]),
        (&json!("nothing-to-judge"), &json!(null)),
        "{report}"
    );
    assert_eq!(report["complete"], false, "{report}");
}

#[test]
fn unlisted_resource_makes_audit_incomplete() {
    let world = cluster("");
    for resource in [
        "clusterexternalsecrets.external-secrets.io",
        "clusterpushsecrets.external-secrets.io",
        "clustersecretstores.external-secrets.io",
        "configmaps",
        "daemonsets.apps",
        "deployments.apps",
        "externalsecrets.external-secrets.io",
        "leases.coordination.k8s.io",
        "pods",
        "pushsecrets.external-secrets.io",
        "secretstores.external-secrets.io",
        "statefulsets.apps",
        "vaultdynamicsecrets.generators.external-secrets.io",
    ] {
        world.cluster.deny("admin", "list", resource);
        let ran = world.run(&["audit"]).ends(3);
        assert!(
            ran.out.starts_with("INCOMPLETE: no long-lived credential was seen, but 1 thing "),
            "{}",
            ran.out
        );
        assert!(ran.out.contains(&format!("list {resource}")), "{}", ran.out);
        let report = world.run(&["audit", "-o", "json"]).ends(3).json();
        // Zero is a number that is only reported where it was seen.
        assert_eq!((&report["complete"], &report["count"]), (&json!(false), &json!(null)), "{report}");
        assert_eq!(report["verdict"], "incomplete", "{report}");
        if resource == "pods" {
            ran.snapshot("audit-incomplete");
        }
        world.cluster.forgive("admin");
        world.run(&["audit"]).ends(0);
    }
    // Without the schema it is unknown whether there could be stores of another version.
    let world = World::new(1);
    world.cluster.deny("admin", "get", "customresourcedefinitions.apiextensions.k8s.io");
    world.run(&["audit"]).ends(3).says("get customresourcedefinitions.apiextensions.k8s.io");
    // What was found stays found, and is reported as incomplete.
    let world = one_key();
    world.cluster.deny("admin", "list", "secretstores.external-secrets.io");
    let ran = world.run(&["audit"]).ends(1);
    let headline = ran.out.lines().next().unwrap();
    assert!(
        headline.starts_with("1 LONG-LIVED credential opens") && headline.contains("INCOMPLETE"),
        "{headline}"
    );
}

#[test]
fn unreadable_key_is_counted_anyway() {
    let world = one_key();
    world.cluster.deny("admin", "get", "secrets");
    let ran = world.run(&["audit"]).ends(1);
    assert!(
        ran.out.contains("1 LONG-LIVED credential opens") && ran.out.contains("INCOMPLETE"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("get secrets `gcp-key` in the namespace `external-secrets`"), "{}", ran.out);
}

/// A store that logs in through an external account in a ConfigMap.
fn with_external_account(account: Option<Value>) -> World {
    let world = cluster("");
    world.cluster.put_object(json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": { "name": "file" },
        "spec": { "provider": { "gcpsm": { "projectID": "acme-prod", "auth": { "workloadIdentityFederation": {
            "credConfig": { "name": "account", "namespace": "external-secrets", "key": "account.json" } } } } } },
    }));
    if let Some(account) = account {
        world.cluster.put_object(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "account", "namespace": "external-secrets" },
            "data": { "account.json": account.to_string() },
        }));
    }
    world
}

#[test]
fn an_external_account_is_opened() {
    let server = json!({ "url": "http://169.254.169.254/token" });
    let world =
        with_external_account(Some(json!({ "type": "external_account", "credential_source": server })));
    world.run(&["audit"]).ends(0).says("ZERO (cluster + consumption)");
    // The right to read it is named, and without it nothing is known.
    world.cluster.deny("admin", "get", "configmaps");
    let ran = world.run(&["audit"]).ends(3);
    assert!(ran.out.starts_with("INCOMPLETE: "), "{}", ran.out);
    assert!(ran.out.contains("get configmaps `account` in the namespace `external-secrets`"), "{}", ran.out);

    let ran = with_external_account(None).run(&["audit"]).ends(3);
    let place = "ConfigMap external-secrets/account (account.json): it does not exist, or is empty";
    assert!(ran.out.starts_with("INCOMPLETE: ") && ran.out.contains(place), "{}", ran.out);

    let executable = json!({ "executable": { "command": format!("/bin/login {CANARY}") } });
    let account = json!({ "type": "external_account", "credential_source": executable });
    let ran = with_external_account(Some(account)).run(&["audit", "-vv"]).ends(3);
    assert!(ran.out.contains("runs a program") && !format!("{}{}", ran.out, ran.err).contains(CANARY));

    let key = json!({ "type": "service_account", "private_key_id": "0123abcd", "private_key": CANARY,
        "client_email": "eso@acme-prod.iam.gserviceaccount.com", "project_id": "acme-prod" });
    let world = with_external_account(Some(key));
    let ran = world.run(&["audit", "-vv"]).ends(1);
    for wanted in [
        "1 LONG-LIVED credential",
        "key 0123abcd",
        "lies in:   ConfigMap external-secrets/account",
        "kubectl delete configmap",
    ] {
        assert!(ran.out.contains(wanted), "`{wanted}` is not in\n{}", ran.out);
    }
    let report = world.run(&["audit", "-o", "json"]).ends(1).json();
    assert_eq!(report["credentials"][0]["configMaps"][0]["key"], "account.json", "{report}");
    assert!(!format!("{}{}{report}", ran.out, ran.err).contains(CANARY));
}

#[test]
fn unauthorized_audit_fails_without_verdict() {
    let world = one_key();
    world.cluster.expire("admin");
    let ran =
        world.run(&["audit"]).fails(3, "cluster-unauthorized", &[]).snapshot("error-cluster-unauthorized");
    assert!(ran.out.is_empty(), "{}", ran.out);
    world.run(&["audit", "--no-cluster"]).ends(2).says("has no use for --no-cluster");
    let file = world.dir.path().join("keyless.yaml");
    std::fs::write(&file, "apiVersion: keyless/v1\ncluster: {enabled: false}\n").unwrap();
    world
        .run(&["audit"])
        .fails(2, "cluster-needed", &["`cluster.enabled: false` out of keyless.yaml"])
        .snapshot("error-cluster-needed");
}

#[test]
fn lists_beyond_a_page_are_read() {
    let world = cluster("");
    for number in 0..730 {
        let mut store = store_with_key(&format!("store-{number:03}"), "none");
        if number == 729 {
            store = store_with_key("store-729", "gcp-key");
        }
        world.cluster.put_object(store);
    }
    world.cluster.put_object(key_secret("external-secrets", "gcp-key", "0123abcd"));
    let report = world.run(&["audit", "-o", "json"]).ends(1).json();
    assert_eq!((&report["stores"], &report["count"]), (&json!(730), &json!(1)));
    // One for each Secret that is named and not there.
    assert_eq!((report["notJudged"].as_array().unwrap().len(), &report["complete"]), (729, &json!(false)));
}

/// Every kind of place in which a private half can stand; nothing of it may come out, in any form, at any level.
#[test]
fn private_halves_are_never_printed() {
    let world = one_key();
    let name = |name: &str| json!({ "name": name, "namespace": "external-secrets", "key": "value" });
    for (store, provider) in [
        (
            "vault",
            json!({ "vault": { "server": "https://v.lab.test", "auth": { "tokenSecretRef": name("opaque") }, "headers": { "X": CANARY } } }),
        ),
        (
            "aws",
            json!({ "aws": { "service": "SecretsManager", "region": "x", "auth": { "secretRef": { "accessKeyIDSecretRef": name("opaque"), "secretAccessKeySecretRef": name("opaque") } } } }),
        ),
        ("fake", json!({ "fake": { "data": [{ "key": "db", "value": CANARY }] } })),
        (
            "webhook",
            json!({ "webhook": { "url": format!("https://u:{CANARY}@hook.lab.test"), "body": CANARY } }),
        ),
        (
            "hook-header",
            json!({ "webhook": { "url": "https://hook.lab.test", "headers": { "Authorization": CANARY } } }),
        ),
        ("scaleway", json!({ "scaleway": { "secretKey": { "value": CANARY } } })),
        ("new", json!({ "brandnew": { "auth": { "key": CANARY } } })),
        (
            "broken",
            json!({ "gcpsm": { "auth": { "secretRef": { "secretAccessKeySecretRef": name("broken") } } } }),
        ),
    ] {
        world.cluster.put_object(json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": { "name": store },
            "spec": { "provider": provider },
        }));
    }
    for (secret, value) in [
        ("opaque", CANARY.to_owned()),
        (
            "broken",
            format!(
                "{{\"type\": \"service_account\", \"private_key\": \"{CANARY}\", \"client_email\": \"{CANARY}\n\""
            ),
        ),
    ] {
        world.cluster.put_object(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": secret, "namespace": "external-secrets" },
            "data": { "value": STANDARD.encode(value) },
        }));
    }
    let mut pieces: BTreeSet<String> = BTreeSet::from([CANARY.to_owned(), CANARY.replace('-', "")]);
    // In base64 the same text looks different at each of three offsets.
    for offset in 0..3 {
        let encoded = STANDARD.encode(format!("{}{CANARY}", "x".repeat(offset)));
        pieces.insert(encoded[8..32].to_owned());
    }
    for arguments in [&["audit", "-vv"][..], &["audit", "-vv", "-o", "json"]] {
        let ran = world.run(arguments).ends(1);
        for piece in &pieces {
            assert!(
                !ran.out.contains(piece) && !ran.err.contains(piece),
                "{piece} in\n{}{}",
                ran.out,
                ran.err
            );
        }
        assert!(ran.out.contains("0123abcd"), "{}", ran.out);
    }
    // Nor when a server in between breaks the answer.
    let fault = lab::Fault::answer(200, "application/json", format!("{{\"data\": {{\"value\": \"{CANARY}"));
    world.cluster.server(0).faults().always(
        "GET",
        "/api/v1/namespaces/external-secrets/secrets/opaque",
        fault,
    );
    let ran = world.run(&["audit", "-vv"]).ends(1);
    assert!(!ran.out.contains(CANARY) && !ran.err.contains(CANARY), "{}{}", ran.out, ran.err);
}

#[test]
fn help_teaches() {
    let ran = World::new(1).run(&["audit", "--help"]).ends(0);
    for wanted in ["INCOMPLETE", "distinct credentials", "Exit codes", "Examples"] {
        assert!(ran.out.contains(wanted), "{wanted}: {}", ran.out);
    }
}

#[test]
fn exceptions_are_given_by_hand() {
    let world = one_key();
    let report = world.run(&["audit", "-o", "json"]).ends(1).json();
    let id = report["credentials"][0]["id"].as_str().unwrap().to_owned();
    let write = |name: &str, id: &str, day: &str| {
        let entry = format!(
            "- id: {id}\n  at: [Secret external-secrets/gcp-key]\n  reason: the vendor's agent\n  owner: platform\n  expires: {day}\n"
        );
        let text = format!("apiVersion: keyless/exceptions/v1\nexceptions:\n{entry}");
        std::fs::write(world.dir.path().join(name), text).unwrap();
    };
    let soon = lab::day_in(30);
    write("exceptions.yaml", &id, &soon);
    // It is not read by itself.
    world.run(&["audit"]).ends(1);
    let ran = world.run(&["audit", "--exceptions", "exceptions.yaml"]).ends(0);
    let headline = format!(
        "NONE BUT EXCEPTIONS: 1 long-lived credential is excepted until {soon}; no other of a known kind was seen"
    );
    assert_eq!(ran.out.lines().next(), Some(&*headline));
    ran.says("excepted (R): key 0123abcd")
        .says("by platform: the vendor's agent")
        .says(&format!("id:        {id}"));
    let report = world.run(&["audit", "--exceptions", "exceptions.yaml", "-o", "json"]).ends(0).json();
    assert_eq!((&report["verdict"], &report["count"]), (&json!("zero-except"), &Value::Null), "{report}");
    assert_eq!(report["excepted"][0]["expires"], json!(soon));
    write("old.yaml", &id, "2026-11-01");
    world.run(&["audit", "--exceptions", "old.yaml"]).ends(1).says("KL220").says("expired on 2026-11-01");
    write("far.yaml", &id, &lab::day_in(400));
    world.run(&["audit", "--exceptions", "far.yaml"]).ends(1).says("KL220").says("365 days");
    write("other.yaml", "google:ffff", &soon);
    world
        .run(&["audit", "--exceptions", "other.yaml"])
        .ends(1)
        .says("KL220")
        .says("no credential that was seen");
    write("bad.yaml", "'google:*'", &soon);
    world.run(&["audit", "--exceptions", "bad.yaml"]).fails(2, "exceptions-malformed", &["wildcards"]);
    world.run(&["audit", "--exceptions", "none.yaml"]).fails(2, "exceptions-unreadable", &["none.yaml"]);
    world.run(&["config", "schema", "exceptions"]).ends(0).says("expires");
}
