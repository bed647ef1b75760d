//! `keyless audit` over several clusters: one report, and none of them is lost in it.

use std::fs;

use serde_json::{Value, json};

use crate::world::World;

const CANARY: &str = "kanarienvogel7f3a9c51e2d84b06kanarienvogel";

/// A key of AWS in a ConfigMap.
fn key(name: &str, number: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "shop", "name": name},
        "data": {"id": format!("AK{}{}{number}", "IA", "IOSFODNN7EXAMPL"), "secret": &CANARY[..40]}})
}

/// The kubeconfig of the first knows all of them by these names.
pub(crate) fn know(worlds: &[(&str, &World)]) {
    let (mut clusters, mut users, mut contexts) = (String::new(), String::new(), String::new());
    for (name, world) in worlds {
        let own = fs::read_to_string(&world.kubeconfig).unwrap();
        let authority = own.lines().find(|line| line.contains("certificate-authority-data")).unwrap();
        let token = own.lines().find(|line| line.contains("token:")).unwrap();
        let url = world.cluster.server(0).url();
        clusters += &format!("- name: {name}\n  cluster:\n    server: {url}\n{authority}\n");
        users += &format!("- name: {name}\n  user:\n{token}\n");
        contexts += &format!("- name: {name}\n  context: {{cluster: {name}, user: {name}}}\n");
    }
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {}\nclusters:\n{clusters}users:\n{users}contexts:\n{contexts}",
        worlds[0].0
    );
    fs::write(&worlds[0].1.kubeconfig, text).unwrap();
}

fn requests(worlds: &[&World]) -> usize {
    worlds.iter().map(|world| world.cluster.server(0).faults().requests().len()).sum()
}

#[test]
fn all_zero_ends_clean() {
    let (prod, test) = (World::with_operator(), World::with_operator());
    know(&[("prod", &prod), ("test", &test)]);
    let ran = prod.run(&["audit", "--context", "prod", "--context", "test"]).ends(0);
    assert!(
        ran.out.starts_with("ZERO IN CLUSTER ONLY in 2 clusters: no long-lived credential"),
        "{}",
        ran.out
    );
    for (name, world) in [("prod", &prod), ("test", &test)] {
        let uid = world.cluster_uid();
        let line =
            format!("Cluster {name} ({}, UID {uid}): ZERO IN CLUSTER ONLY", world.cluster.server(0).url());
        assert!(ran.out.contains(&line), "{line}\n{}", ran.out);
        assert!(ran.err.contains(&format!("Cluster {name} (")), "{}", ran.err);
    }
    let report = prod.run(&["audit", "--all-contexts", "-o", "json"]).ends(0).json();
    assert_eq!((&report["schema"], &report["count"]), (&json!("keyless/audit-fleet/v1"), &json!(0)));
    assert_eq!(
        (&report["clusterCount"], &report["target"]["cluster"]),
        (&json!(2), &Value::Null),
        "{report}"
    );
    assert_eq!(report["clusters"][1]["uid"], test.cluster_uid());
    assert_eq!(report["clusters"][1]["audit"]["legs"], report["clusters"][0]["audit"]["legs"]);
}

#[test]
fn shared_credential_counts_once() {
    let (prod, test, stage) = (World::with_operator(), World::with_operator(), World::with_operator());
    know(&[("prod", &prod), ("test", &test), ("stage", &stage)]);
    prod.cluster.put_object(key("aws", 1));
    test.cluster.put_object(key("copy", 1));
    let ran = prod.run(&["audit", "--all-contexts"]).ends(1);
    assert!(ran.out.starts_with("1 LONG-LIVED credential in 2 of 3 contexts: prod, test\n"), "{}", ran.out);
    assert!(ran.out.contains("in more than one cluster, counted once:\n   prod, test: "), "{}", ran.out);
    assert!(!ran.out.contains(&CANARY[..20]), "{}", ran.out);
    let report = prod.run(&["audit", "--all-contexts", "-o", "json"]).ends(1).json();
    assert_eq!((&report["count"], &report["verdict"]), (&json!(1), &json!("found")), "{report}");
    let held: Vec<_> =
        report["credentials"][0]["clusters"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(held, ["prod", "test"]);
    // Another key is another credential.
    stage.cluster.put_object(key("aws", 2));
    let report = prod.run(&["audit", "--all-contexts", "-o", "json"]).ends(1).json();
    assert_eq!(report["count"], 2, "{report}");
    // A result of several is no baseline, and says why.
    fs::write(prod.dir.path().join("fleet.json"), report.to_string()).unwrap();
    let ran = prod.run(&["audit", "--context", "prod", "--baseline", "fleet.json"]);
    ran.fails(2, "audit-report-cluster", &["fleet.json is about several clusters"]);
}

#[test]
fn unreached_cluster_is_named_and_incomplete() {
    let (prod, test, gone) = (World::with_operator(), World::with_operator(), World::with_operator());
    know(&[("prod", &prod), ("gone", &gone), ("test", &test)]);
    gone.cluster.server(0).stop();
    let ran = prod.run(&["audit", "--all-contexts"]).ends(3);
    assert!(ran.out.starts_with("INCOMPLETE in 3 contexts: nothing that must not be there was seen, but gone could not be audited\n"), "{}", ran.out);
    assert!(ran.out.contains("Cluster test (") && ran.out.contains(": NOT AUDITED: "), "{}", ran.out);
    assert!(ran.err.contains("the cluster of the context gone was not audited"), "{}", ran.err);
    let files = ["json=a.json", "html=a.html", "junit=a.xml", "prometheus=a.prom", "sarif=a.sarif"];
    let mut arguments = vec!["audit", "--all-contexts", "-o", "json"];
    arguments.extend(files.iter().flat_map(|file| ["--report", file]));
    let ran = prod.run(&arguments).ends(3);
    assert_eq!(fs::read_to_string(prod.dir.path().join("a.json")).unwrap(), ran.out);
    let report = ran.json();
    assert_eq!((&report["verdict"], &report["complete"]), (&json!("incomplete"), &json!(false)), "{report}");
    assert_eq!(report["clusters"][2]["verdict"], "zero", "{report}");
    assert!(report["clusters"][1]["error"]["code"].is_string(), "{report}");
    for file in ["a.html", "a.xml", "a.prom", "a.sarif"] {
        let text = fs::read_to_string(prod.dir.path().join(file)).unwrap();
        assert!(["prod", "test", "gone"].iter().all(|name| text.contains(name)), "{file}: {text}");
    }
    let metrics = fs::read_to_string(prod.dir.path().join("a.prom")).unwrap();
    assert!(metrics.contains("keyless_audit_complete{cluster=\"gone\"} 0\n"), "{metrics}");
    // What is found elsewhere is found.
    test.cluster.put_object(key("aws", 1));
    let ran = prod.run(&["audit", "--all-contexts"]).ends(1);
    assert!(
        ran.out.starts_with("1 LONG-LIVED credential in 1 of 3 contexts: test; INCOMPLETE: gone could"),
        "{}",
        ran.out
    );
}

/// Both contexts are looked through: the UID is what a cluster says of itself.
#[test]
fn same_cluster_is_counted_once() {
    let prod = World::with_operator();
    prod.cluster.put_object(key("aws", 1));
    know(&[("prod", &prod), ("admin@prod", &prod)]);
    let ran = prod.run(&["audit", "--all-contexts"]).ends(1);
    assert!(ran.out.contains(", the same cluster as prod and counted once: 1 LONG-LIVED"), "{}", ran.out);
    let report = prod.run(&["audit", "--all-contexts", "-o", "json"]).ends(1).json();
    assert_eq!((&report["count"], &report["clusterCount"]), (&json!(1), &json!(1)), "{report}");
    assert_eq!(report["clusters"][1]["sameAs"], "prod");
}

#[test]
fn misleading_run_is_refused_before_requests() {
    let (prod, test) = (World::with_operator(), World::with_operator());
    know(&[("prod", &prod), ("test", &test)]);
    let before = requests(&[&prod, &test]);
    let both = ["audit", "--context", "prod", "--context", "test"];
    let with = |more: &[&'static str]| prod.run(&[&both[..], more].concat());
    for format in ["oscal", "openreports", "in-toto"] {
        let ran = with(&["-o", format]).ends(2);
        assert!(ran.err.contains(&format!("the format {format} holds one cluster")), "{}", ran.err);
    }
    with(&["--baseline", "a.json"]).ends(2).says("--baseline is of one cluster");
    let ran = prod.run(&["audit", "--context", "prod", "--context", "none"]);
    ran.fails(2, "kubeconfig", &["there is no context none", "prod, test"]);
    fs::write(prod.dir.path().join("one.yaml"), "apiVersion: keyless/v1\ncluster: {uid: 1f0e}\n").unwrap();
    with(&["--config", "one.yaml"]).fails(2, "cluster-mismatch", &["one.yaml is about one cluster"]);
    let entry = "apiVersion: keyless/exceptions/v1\nexceptions:\n- {id: 'aws:1', at: [ConfigMap shop/aws], reason: r, owner: o, expires: 2027-01-31}\n";
    fs::write(prod.dir.path().join("e.yaml"), entry).unwrap();
    with(&["--exceptions", "e.yaml"]).fails(
        2,
        "exceptions-malformed",
        &["exceptions[0].at", "does not name the cluster"],
    );
    prod.run(&["verify", "--context", "prod", "--context", "test"]).ends(2).says("works on one cluster");
    assert_eq!(requests(&[&prod, &test]), before);
}

#[test]
fn exception_counts_in_its_cluster_only() {
    let (prod, test) = (World::with_operator(), World::with_operator());
    know(&[("prod", &prod), ("test", &test)]);
    prod.cluster.put_object(key("aws", 1));
    let report = prod.run(&["audit", "--context", "prod", "-o", "json"]).ends(1).json();
    let id = report["credentials"][0]["id"].as_str().unwrap().to_owned();
    let expires = &report["evidence"]["startedAt"].as_str().unwrap()[..10];
    let write = |at: &str| {
        let text = format!(
            "apiVersion: keyless/exceptions/v1\nexceptions:\n- {{id: '{id}', at: [{at}], reason: r, owner: o, expires: {expires}}}\n"
        );
        fs::write(prod.dir.path().join("e.yaml"), text).unwrap();
    };
    let (one, other) = (prod.cluster_uid(), test.cluster_uid());
    let run = || prod.run(&["audit", "--all-contexts", "--exceptions", "e.yaml"]);
    write(&format!("{one}/ConfigMap shop/aws"));
    let ran = run().ends(0);
    assert!(
        ran.out.starts_with("NONE BUT EXCEPTIONS in 2 clusters: 1 long-lived credential is excepted\n"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("1 entry is about another cluster"), "{}", ran.out);
    prod.run(&["audit", "--context", "prod", "--exceptions", "e.yaml"]).ends(0);
    // The same key in the other cluster is not meant.
    test.cluster.put_object(key("aws", 1));
    let ran = run().ends(1);
    assert!(ran.out.starts_with("1 LONG-LIVED credential in 1 of 2 contexts: test\n"), "{}", ran.out);
    write(&format!("{one}/ConfigMap shop/aws, {other}/ConfigMap shop/aws"));
    run().ends(0);
    // Gone from one of them: what the entry says of it is wrong.
    test.cluster.remove_object("v1", "ConfigMap", Some("shop"), "aws");
    run().ends(1).says("no credential that was seen has this ID");
}

/// Each of two files of K3s calls everything `default`.
#[test]
fn all_contexts_leave_no_cluster_out() {
    let (a, b) = (World::with_operator(), World::with_operator());
    know(&[("default", &a)]);
    know(&[("default", &b)]);
    let list = |files: &[&std::path::Path]| {
        let mut command = a.command(&["audit", "--all-contexts"]);
        command.env("KUBECONFIG", std::env::join_paths(files).unwrap());
        crate::world::Ran::of(&mut command)
    };
    let before = requests(&[&a, &b]);
    let (one, other) = (a.kubeconfig.as_path(), b.kubeconfig.as_path());
    let hidden = ["the cluster default is in more than one file", "--kubeconfig FILE --all-contexts"];
    list(&[one, other]).fails(2, "kubeconfig", &hidden);
    let gone = a.dir.path().join("gone.yaml");
    list(&[one, &gone]).fails(2, "kubeconfig", &["gone.yaml, which does not exist"]);
    assert_eq!(requests(&[&a, &b]), before);
    list(&[one]).ends(0);
}
