//! `keyless audit` over everything that lies in the cluster: places, gates, its schema and its codes.

use std::{collections::BTreeSet, fs, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::world::World;

const CRDS: &str = include_str!("../lab/fixtures/crds/eso-0.20.4-min.yaml");
const CANARY: &str = "kanarienvogelkanarienvogelkanarienvogel1";
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/credentials.md");
const UPDATE: &str = "KEYLESS_UPDATE_PAGES";

/// A zero: the operator, and one store that logs in by tokens.
fn zero() -> World {
    let world = World::new(1);
    world.cluster.load_crds(CRDS);
    world.cluster.put_object(json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "external-secrets", "namespace": "external-secrets"},
        "spec": {"template": {"spec": {"containers": [
            {"name": "external-secrets", "image": "ghcr.io/external-secrets/external-secrets:v0.20.4"}]}}}}));
    world.cluster.put_object(
        json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": {"name": "gcp"},
        "spec": {"provider": {"gcpsm": {"projectID": "p", "auth": {"workloadIdentity": {
            "clusterLocation": "a", "clusterName": "b", "serviceAccountRef": {"name": "a", "namespace": "b"}}}}}}}),
    );
    world.run(&["audit"]).ends(0).says("ZERO (cluster + consumption)");
    world
}

fn aws() -> Value {
    json!([{"name": "AWS_ACCESS_KEY_ID", "value": format!("AK{}{}", "IA", "IOSFODNN7EXAMPLE")},
        {"name": "AWS_SECRET_ACCESS_KEY", "value": CANARY}])
}

#[test]
fn credentials_anywhere_are_counted() {
    let pod = |env: Value| json!({"containers": [{"name": "app", "image": "a", "env": env}]});
    let template = json!({"spec": pod(aws())});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "aws"},
        "data": {"a": STANDARD.encode(format!("AK{}{}", "IA", "IOSFODNN7EXAMPLE")), "b": STANDARD.encode(CANARY)}});
    for mut object in [
        secret.clone(),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "it"}, "data": {"env": format!(
            "AWS_ACCESS_KEY_ID=AK{}{}\nAWS_SECRET_ACCESS_KEY={CANARY}\n", "IA", "IOSFODNN7EXAMPLE")}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "it", "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": secret.to_string()}}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "it"}, "spec": {"template": template}}),
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "it"}, "spec": {"template": template}}),
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "it"}, "spec": {"template": template}}),
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "it"},
            "spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": template}}}}),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "it"}, "spec": pod(aws())}),
    ] {
        let world = zero();
        object["metadata"]["namespace"] = json!("shop");
        let place = format!("{} shop/", object["kind"].as_str().unwrap());
        world.cluster.put_object(object);
        let ran = world.run(&["audit", "-vvv"]).ends(1);
        assert!(ran.out.starts_with("1 LONG-LIVED credential lies in the cluster"), "{}", ran.out);
        assert!(ran.out.contains(&place) && ran.out.contains("[KL111 aws-key]"), "{place}: {}", ran.out);
        assert!(!ran.out.contains(CANARY) && !ran.err.contains(CANARY), "{}{}", ran.out, ran.err);
        let report = world.run(&["audit", "-o", "json"]).ends(1).json();
        assert_eq!((&report["count"], &report["classes"]["root"]), (&json!(1), &json!(1)), "{report}");
        assert_eq!(
            report["credentials"][0]["id"],
            format!("aws:AK{}{}", "IA", "IOSFODNN7EXAMPLE"),
            "{report}"
        );
        assert_eq!(report["legs"][0], json!({"name": "cluster", "state": "found"}), "{report}");
    }
}

#[test]
fn gate_decides_the_exit_code() {
    let world = zero();
    world.cluster.put_object(
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ci-token", "namespace": "shop"},
        "type": "kubernetes.io/service-account-token", "data": {"token": STANDARD.encode("a.b.c")}}),
    );
    let ran = world.run(&["audit"]).ends(0);
    assert!(ran.out.starts_with("ZERO (cluster + consumption): "), "{}", ran.out);
    ran.says("platform root (T): the stored token shop/ci-token of a ServiceAccount")
        .says("T platform root 1");
    let ran = world.run(&["audit", "--gate", "platform"]).ends(1);
    assert!(ran.out.starts_with("1 LONG-LIVED credential opens a part of the platform\n"), "{}", ran.out);
    let report = world.run(&["audit", "--gate", "platform", "-o", "json"]).ends(1).json();
    assert_eq!((&report["gate"], &report["count"]), (&json!("platform"), &json!(1)), "{report}");
    world.run(&["audit", "--gate", "everything"]).ends(2);
}

#[test]
fn refused_list_is_no_zero() {
    let world = zero();
    for resource in ["secrets", "configmaps", "replicasets.apps", "jobs.batch", "cronjobs.batch"] {
        world.cluster.deny("admin", "list", resource);
        for gate in ["mission", "platform"] {
            let ran = world.run(&["audit", "--gate", gate]).ends(3);
            assert!(ran.out.starts_with("INCOMPLETE: "), "{}", ran.out);
            ran.says(&format!("list {resource} in all namespaces")).says("cluster incomplete");
        }
        world.cluster.forgive("admin");
    }
    world.run(&["audit"]).ends(0);
}

/// Every member that a report has is in the schema, and the schema has a version of its own.
#[test]
fn schema_names_every_member() {
    let world = zero();
    world.cluster.put_object(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "aws", "namespace": "shop"},
        "data": {"a": STANDARD.encode(format!("AK{}{}", "IA", "IOSFODNN7EXAMPLE")), "b": STANDARD.encode(CANARY)}}));
    let report = world.run(&["audit", "-o", "json"]).ends(1).json();
    assert_eq!(report["schema"], "keyless/audit/v1");
    let schema = world.run(&["config", "schema", "audit"]).ends(0).json();
    let members =
        |value: &Value| -> BTreeSet<String> { value.as_object().unwrap().keys().cloned().collect() };
    let of_result: BTreeSet<_> = ["apiVersion", "command", "target"].map(str::to_owned).into();
    assert_eq!(members(&schema["properties"]), &members(&report) - &of_result);
    for (definition, value) in [
        ("Credential", &report["credentials"][0]),
        ("Finding", &report["credentials"][0]["places"][0]),
        ("Key", &report["credentials"][0]["secrets"][0]),
        ("Classes", &report["classes"]),
        ("Leg", &report["legs"][0]),
        ("RuleName", &report["rules"][0]),
    ] {
        assert_eq!(members(&schema["$defs"][definition]["properties"]), members(value), "{definition}");
    }
}

/// docs/credentials.md as it has to be.
fn page(rules: &[Value]) -> String {
    let text = |rule: &Value, member: &str| rule[member].as_str().unwrap_or_default().to_owned();
    let mut page = "# Codes of the audit\n\n\
        `keyless explain KL101` prints an entry. [audit.md](audit.md) says what the classes mean.\n\n\
        This page is generated: do not edit it.\n"
        .to_owned();
    for (title, is_kind) in [("Kinds of credentials", true), ("How something logs in", false)] {
        page += &format!("\n## {title}\n");
        for rule in rules.iter().filter(|rule| text(rule, "recognised").is_empty() != is_kind) {
            page += &format!("\n### {} {}\n\n", text(rule, "name"), text(rule, "id"));
            let class = rule["class"].as_str().map(|class| format!("Class `{class}`, ")).unwrap_or_default();
            page += &format!("{class}severity `{}`: {}.\n", text(rule, "severity"), text(rule, "meaning"));
            if is_kind {
                page += &format!("\nRecognised by: {}\n", text(rule, "recognised"));
            }
            page += &format!("\nWhat to do: {}\n", text(rule, "remedy"));
        }
    }
    page
}

#[test]
#[expect(clippy::disallowed_methods, reason = "whether the page is to be written")]
fn page_of_credentials_is_current() {
    let listed = World::new(1).run(&["explain", "-o", "json"]).ends(0).json();
    let page = page(listed["rules"].as_array().unwrap());
    if std::env::var_os(UPDATE).is_some() {
        fs::write(Path::new(PAGE), &page).unwrap();
    }
    assert!(
        fs::read_to_string(PAGE).unwrap_or_default() == page,
        "docs/credentials.md is out of date: {UPDATE}=1 cargo test --locked --test cli -- page_of_credentials_is_current"
    );
}

#[test]
fn codes_of_reports_are_explained() {
    let world = World::new(1);
    for name in ["KL101", "kl101", "google-key"] {
        let ran = world.run(&["explain", name]).ends(0).says("KL101 google-key");
        ran.says("R (mission root)").says("What to do:");
    }
    world.run(&["explain", "KL211"]).ends(0).says("stored-credential");
    world.run(&["explain"]).ends(0).says("KL131 vault-token");
    world.run(&["explain", "KL999"]).fails(2, "explain-unknown", &[]);
}
