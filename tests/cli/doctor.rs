//! `keyless doctor` from outside: three commands over one connection, counted, and never better than each of them.

use serde_json::{Value, json};

use crate::{estate::Estate, world::World};

fn counts(result: &Value) -> [u64; 3] {
    ["passed", "failed", "skipped"].map(|name| result[name].as_u64().unwrap())
}

fn checks<'a>(result: &'a Value, part: &str) -> Vec<&'a Value> {
    result["checks"].as_array().unwrap().iter().filter(|check| check["part"] == part).collect()
}

/// What the three commands say by themselves.
fn exits(estate: &Estate) -> [i32; 3] {
    ["verify", "audit", "coupling"].map(|command| estate.run(&[command]).code.unwrap())
}

#[test]
fn doctor_counts_before_and_after_setup() {
    let estate = Estate::new();
    let worst = exits(&estate).into_iter().max().unwrap();
    let ran = estate.run(&["doctor"]).ends(worst).snapshot("doctor-before-setup");
    assert!(ran.out.contains("FAIL  audit: long-lived credentials: 1 LONG-LIVED credential"), "{}", ran.out);
    assert!(ran.out.contains("FAIL  verify: ") && ran.out.contains("not evaluated  verify: "), "{}", ran.out);
    assert!(ran.out.lines().last().unwrap().contains(" failed, "), "{}", ran.out);
    assert_eq!(ran.err.matches("Cluster admin (").count(), 1, "one connection, one header: {}", ran.err);
    estate.run(&["setup", "--yes", "--watch-for", "0s", "--retire-key"]).ends(0);
    let worst = exits(&estate).into_iter().max().unwrap();
    let ran = estate.run(&["doctor"]).ends(worst).snapshot("doctor-after-setup");
    assert!(ran.out.contains("pass  verify: ") && ran.out.contains("pass  audit: "), "{}", ran.out);
    estate.reads_hourly("shop", "db");
    let result = estate.run(&["doctor", "-o", "json"]).ends(worst).json();
    let [passed, failed, skipped] = counts(&result);
    assert_eq!(passed + failed + skipped, result["checks"].as_array().unwrap().len() as u64);
    assert_eq!(failed, 0, "{result}");
    // Each document is what its command prints.
    for part in ["audit", "coupling"] {
        let (mut with_others, mut alone) = (result[part].clone(), estate.run(&[part, "-o", "json"]).json());
        // One run after the other.
        for document in [&mut with_others, &mut alone] {
            document.pointer_mut("/evidence/startedAt").map(Value::take);
        }
        for (member, value) in with_others.as_object().unwrap() {
            assert_eq!(value, &alone[member], "{part}: {member}");
        }
    }
    assert_eq!(result["verify"]["checks"].as_array().unwrap().len(), checks(&result, "verify").len());
}

#[test]
fn doctor_without_issuer_evaluates_no_verify() {
    let world = World::new(1);
    let result = world.run(&["doctor", "-o", "json"]).ends(3).json();
    for check in checks(&result, "verify") {
        assert_eq!(check["result"], "not-evaluated", "{check}");
        assert!(check["why"].as_str().unwrap().contains("keyless verify --issuer URL"), "{check}");
    }
    assert_eq!(result["verify"]["error"]["code"], "issuer-missing", "{result}");
    assert_eq!(checks(&result, "audit")[0]["result"], "not-evaluated");
    // The coupling of such a cluster is read all the same.
    assert_eq!(result["coupling"]["complete"], true, "{result}");
}

#[test]
fn doctor_names_what_is_missing() {
    let estate = Estate::new();
    estate.run(&["setup", "--yes", "--watch-for", "0s", "--retire-key"]).ends(0);
    estate.world.cluster.deny("admin", "list", "services");
    estate.world.cluster.deny("admin", "list", "leases.coordination.k8s.io");
    let ran = estate.run(&["doctor"]).ends(3);
    for line in ["not evaluated  coupling: load balancing: ", "not evaluated  audit: "] {
        assert!(ran.out.contains(line), "`{line}` is not in\n{}", ran.out);
    }
    assert!(ran.out.contains("list services") && ran.out.contains("keyless coupling"), "{}", ran.out);
}

#[test]
fn failed_check_shows_its_details() {
    let estate = Estate::new();
    estate.run(&["setup", "--yes", "--watch-for", "0s", "--retire-key"]).ends(0);
    estate.google.remove_secret("db");
    let ran = estate.run(&["doctor"]);
    let alone = estate.run(&["verify"]);
    assert_ne!(alone.code, Some(0), "{}", alone.out);
    for line in alone.out.lines().filter(|line| line.contains("cause: ") || line.contains("remedy: ")) {
        assert!(ran.out.contains(line.trim()), "`{line}` is not in\n{}", ran.out);
    }
    assert!(ran.out.contains("FAIL  verify: "), "{}", ran.out);
}

#[test]
fn doctor_needs_a_cluster() {
    let world = World::new(1);
    std::fs::write(
        world.dir.path().join("keyless.yaml"),
        "apiVersion: keyless/v1\ncluster: {enabled: false}\n",
    )
    .unwrap();
    let ran = world.run(&["doctor"]).ends(2).says("cluster-needed");
    assert_eq!(ran.out, "");
    let result = World::new(1).run(&["doctor", "--no-cluster"]).ends(2);
    assert!(result.err.contains("has no use for --no-cluster"), "{}", result.err);
    assert_eq!(json!(result.out), "");
}
