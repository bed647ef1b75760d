//! `keyless audit --baseline`: what was known is no reason for exit code 1, and nothing else changes.

use std::fs;

use serde_json::{Value, json};

use crate::world::World;

/// A key of AWS in a ConfigMap.
fn key(namespace: &str, name: &str, number: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": namespace, "name": name},
        "data": {"id": format!("AK{}{}{number}", "IA", "IOSFODNN7EXAMPL"), "secret": "kanarienvogel7f3a9c51e2d84b06kanarienvog"}})
}

/// With the current result saved as `base.json`.
fn saved(world: &World) -> Value {
    let report = world.run(&["audit", "-o", "json", "--report", "json=base.json"]).json();
    assert!(report["evidence"]["startedAt"].is_string(), "{report}");
    report
}

#[test]
fn known_credential_ends_clean_and_shown() {
    let world = World::with_operator();
    world.cluster.put_object(key("shop", "aws", 1));
    saved(&world);
    world.run(&["audit"]).ends(1);
    let ran = world.run(&["audit", "--baseline", "base.json"]).ends(0);
    let first = ran.out.lines().next().unwrap();
    assert!(
        first.starts_with("1 LONG-LIVED credential") && first.contains("; 0 of them new since 20"),
        "{first}"
    );
    let report = world.run(&["audit", "--baseline", "base.json", "-o", "json"]).ends(0).json();
    assert_eq!((&report["verdict"], &report["count"]), (&json!("found"), &json!(1)), "{report}");
    assert_eq!(report["baseline"]["newWithinGate"], 0, "{report}");
    // Programs that do not know of baselines read what there is.
    let ran = world.run(&["audit", "--baseline", "base.json", "-o", "prometheus"]).ends(0);
    assert!(ran.out.contains("keyless_audit_verdict{verdict=\"found\"} 1\n"), "{}", ran.out);
    let sarif = world.run(&["audit", "--baseline", "base.json", "-o", "sarif"]).ends(0).json();
    assert_eq!(sarif["runs"][0]["invocations"][0]["exitCode"], 0, "{sarif}");
    assert_eq!(sarif["runs"][0]["results"][0]["kind"], "fail");
}

#[test]
fn what_is_new_ends_found() {
    let world = World::with_operator();
    world.cluster.put_object(key("shop", "aws", 1));
    saved(&world);
    // A copy of the known one, and then another one.
    world.cluster.put_object(key("ci", "copy", 1));
    let ran = world.run(&["audit", "--baseline", "base.json"]).ends(1);
    assert!(ran.out.contains("0 of them new, 1 in further places, or worse, since "), "{}", ran.out);
    assert!(ran.out.contains("ConfigMap ci/copy"), "{}", ran.out);
    world.cluster.put_object(key("ci", "other", 2));
    let report = world.run(&["audit", "--baseline", "base.json", "-o", "json"]).ends(1).json();
    assert_eq!(report["baseline"]["newWithinGate"], 2, "{report}");
    // A result that was made against a baseline is a baseline itself.
    world.run(&["audit", "--baseline", "base.json", "--report", "json=next.json"]).ends(1);
    world.run(&["audit", "--baseline", "next.json"]).ends(0);
    let ran = world.run(&["audit", "diff", "base.json", "next.json"]).ends(1);
    assert!(ran.out.starts_with("NEW: 1 new credential, 1 known credential that got worse"), "{}", ran.out);
}

#[test]
fn incomplete_audit_never_ends_clean() {
    let world = World::with_operator();
    world.cluster.put_object(key("shop", "aws", 1));
    saved(&world);
    world.cluster.deny("admin", "list", "pods");
    let ran = world.run(&["audit", "--baseline", "base.json"]).ends(3);
    assert!(ran.out.contains("0 of them new since ") && ran.out.contains("INCOMPLETE"), "{}", ran.out);
    // Nor if the baseline is as incomplete.
    saved(&world);
    world.run(&["audit", "--baseline", "base.json"]).ends(3);
    for mode in ["refs", "metadata"] {
        world.cluster.forgive("admin");
        let exit = world.run(&["audit", "--mode", mode, "--baseline", "base.json"]);
        assert_ne!(exit.code, Some(0), "{}", exit.out);
    }
}

#[test]
fn baseline_of_zero_is_not_needed() {
    let world = World::with_operator();
    saved(&world);
    let ran = world.run(&["audit", "--baseline", "base.json"]).ends(0);
    assert!(ran.out.starts_with("ZERO IN CLUSTER ONLY"), "{}", ran.out);
    world.cluster.put_object(key("shop", "aws", 1));
    world.run(&["audit", "--baseline", "base.json"]).ends(1);
}

#[test]
fn baseline_of_another_cluster_is_refused() {
    let world = World::with_operator();
    let mut report = saved(&world);
    report["target"]["cluster"]["uid"] = json!("ffffffff-8d1c-4f0e-9a53-0c2b7d1e6f90");
    fs::write(world.dir.path().join("other.json"), report.to_string()).unwrap();
    let before = world.cluster.server(0).faults().requests().len();
    let ran = world.run(&["audit", "--baseline", "other.json"]);
    ran.fails(2, "audit-report-cluster", &["another cluster"]).snapshot("error-audit-baseline-cluster");
    let requests = world.cluster.server(0).faults().requests();
    let listed = requests[before..].iter().any(|request| format!("{request:?}").contains("secrets"));
    assert!(!listed, "nothing is looked at");
    let mut report = saved(&world);
    report["evidence"]["startedAt"] = json!("2999-01-01T00:00:00Z");
    fs::write(world.dir.path().join("future.json"), report.to_string()).unwrap();
    world.run(&["audit", "--baseline", "future.json"]).fails(2, "audit-report-order", &["future"]);
}

/// Who looked, at what, and in which state.
#[test]
fn evidence_tells_how_it_was_made() {
    let world = World::with_operator();
    let evidence = saved(&world)["evidence"].take();
    assert_eq!(evidence["user"], json!({"name": "admin", "groups": ["system:authenticated"]}));
    assert!(evidence["serverVersion"].as_str().unwrap().starts_with('v'), "{evidence}");
    assert!(evidence["clusterUid"].is_string(), "{evidence}");
    let lists = evidence["lists"].as_array().unwrap();
    let of = |name: &str| lists.iter().find(|it| it["resource"] == name).unwrap();
    for name in ["secrets", "pods", "deployments.apps", "clustersecretstores.external-secrets.io"] {
        let version = of(name)["resourceVersion"].as_str().unwrap();
        assert!(
            !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit()),
            "{name}: {version}"
        );
    }
    assert_eq!(of("deployments.apps")["objects"], 1);
    // A list that is refused is none that was read.
    world.cluster.deny("admin", "list", "pods");
    let report = world.run(&["audit", "-o", "json"]).ends(3).json();
    let evidence = &report["evidence"];
    assert!(evidence["lists"].as_array().unwrap().iter().all(|it| it["resource"] != "pods"), "{evidence}");
    assert_eq!(evidence["rights"]["denied"], json!(["list pods in all namespaces"]), "{evidence}");
}

/// An API server that does not tell who asks, or tells nonsense, changes no verdict.
#[test]
fn unnamed_user_is_null() {
    for body in ["{}", "[]", "{\"kind\": \"SelfSubjectReview\", \"status\": {}}", "no JSON"] {
        let world = World::with_operator();
        let answer = lab::Fault::Answer { status: 201, headers: Vec::new(), body: body.into() };
        world.cluster.server(0).faults().always("POST", "selfsubjectreviews", answer);
        let report = world.run(&["audit", "-o", "json"]).ends(0).json();
        assert_eq!(report["evidence"]["user"], Value::Null, "{body}");
        assert_eq!(report["evidence"]["userUnknown"].as_str().map(str::is_empty), Some(false), "{body}");
        world.run(&["audit"]).ends(0).says("made by: unknown (");
    }
}
