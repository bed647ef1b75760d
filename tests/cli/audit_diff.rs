//! `keyless audit diff` from outside: what it prints, how it ends, and that it asks no one.

use std::fs;

use serde_json::{Value, json};

use crate::{snapshot::transcript, world::World};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/audit-results");

/// With a file of this name and content.
fn put(world: &World, name: &str, content: &str) {
    fs::write(world.dir.path().join(name), content).unwrap();
}

fn fixture(name: &str) -> String {
    fs::read_to_string(format!("{FOLDER}/{name}")).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A good result after a change.
fn changed(name: &str, change: impl Fn(&mut Value)) -> String {
    let mut result = serde_json::from_str(&fixture(name)).unwrap();
    change(&mut result);
    format!("{result:#}\n")
}

#[test]
fn results_are_compared_without_cluster() {
    let world = World::new(1);
    for name in
        ["good-zero.json", "good-found.json", "good-refs.json", "good-incomplete.json", "good-excepted.json"]
    {
        put(&world, name.trim_start_matches("good-"), &fixture(name));
    }
    let moved = changed("good-found.json", |it| {
        it["evidence"]["startedAt"] = json!("2026-11-27T10:00:00Z");
        it["credentials"][0]["secrets"] = json!([
            {"namespace": "shop", "name": "aws", "key": "key"}, {"namespace": "ci", "name": "copy", "key": "key"}]);
        it["credentials"].as_array_mut().unwrap().remove(1);
    });
    put(&world, "moved.json", &moved);
    let run = |before: &str, after: &str, code| world.run(&["audit", "diff", before, after]).ends(code);
    let runs = [
        run("zero.json", "zero.json", 0),
        run("zero.json", "found.json", 1),
        run("found.json", "zero.json", 0),
        run("found.json", "moved.json", 1),
        run("found.json", "refs.json", 1),
        run("incomplete.json", "incomplete.json", 3),
        run("refs.json", "incomplete.json", 3),
        run("excepted.json", "found.json", 1),
    ];
    transcript("audit-diff", &runs);
    assert!(runs.iter().all(|ran| ran.err.is_empty()));
    let report = world.run(&["audit", "diff", "zero.json", "found.json", "-o", "json"]).ends(1).json();
    assert_eq!(
        (&report["schema"], &report["answer"], &report["new"][0]["id"]),
        (&json!("keyless/audit-diff/v1"), &json!("new"), &json!("aws:EXAMPLEID1"))
    );
    assert!(world.cluster.server(0).faults().requests().is_empty());
}

#[test]
fn results_that_cannot_be_are_refused() {
    let world = World::new(1);
    put(&world, "good.json", &fixture("good-found.json"));
    let names = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut bad: Vec<_> = names.filter(|name| name.starts_with("bad-")).collect();
    bad.sort();
    let mut runs = Vec::new();
    for name in bad {
        put(&world, &name, &fixture(&name));
        for arguments in [["good.json", &name], [&name, "good.json"]] {
            let ran = world.run(&[&["audit", "diff"][..], &arguments].concat()).ends(2);
            assert!(ran.out.is_empty(), "{name}: {}", ran.out);
            assert!(!ran.err.contains("kanarienvogel"), "{name}: {}", ran.err);
            if arguments[1] == name {
                runs.push(ran);
            }
        }
        // As a baseline: before a request.
        let ran = world.run(&["audit", "--baseline", &name]).ends(2);
        assert!(ran.out.is_empty() && !ran.err.contains("kanarienvogel"), "{name}: {}", ran.err);
    }
    let other = changed("good-found.json", |it| {
        it["target"]["cluster"]["uid"] = json!("ffffffff-8d1c-4f0e-9a53-0c2b7d1e6f90");
    });
    put(&world, "other.json", &other);
    put(
        &world,
        "earlier.json",
        &changed("good-found.json", |it| it["evidence"]["startedAt"] = json!("2026-11-19T10:00:00Z")),
    );
    for (after, code) in [
        ("other.json", "audit-report-cluster"),
        ("earlier.json", "audit-report-order"),
        ("missing.json", "audit-report-unreadable"),
        (".", "audit-report-unreadable"),
        ("/dev/null", "audit-report-unreadable"),
    ] {
        runs.push(world.run(&["audit", "diff", "good.json", after]).fails(2, code, &[]));
    }
    transcript("error-audit-results", &runs);
    assert!(world.cluster.server(0).faults().requests().is_empty());
}

#[test]
fn too_large_result_is_refused() {
    let world = World::new(1);
    put(&world, "good.json", &fixture("good-found.json"));
    let large = fs::File::create(world.dir.path().join("large.json")).unwrap();
    large.set_len((64 << 20) + 1).unwrap();
    world.run(&["audit", "diff", "good.json", "large.json"]).fails(
        2,
        "audit-report-unreadable",
        &["more than"],
    );
}

#[test]
fn diff_takes_no_flags_of_audit() {
    let world = World::new(1);
    put(&world, "good.json", &fixture("good-found.json"));
    for flags in [
        &["--context", "lab"][..],
        &["--kubeconfig", "k"],
        &["--mode", "refs"],
        &["--gate", "platform"],
        &["--baseline", "good.json"],
        &["--report", "html=a.html"],
        &["-o", "html"],
    ] {
        let arguments = [&["audit", "diff", "good.json", "good.json"][..], flags].concat();
        let ran = world.run(&arguments).ends(2);
        assert!(
            ran.out.is_empty() && ran.err.contains(flags[0]) || ran.err.contains(flags[1]),
            "{}",
            ran.err
        );
    }
    world.run(&["audit", "diff", "good.json"]).ends(2);
}
