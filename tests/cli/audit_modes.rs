//! `keyless audit --mode`: what each mode asks for of Secrets, and what it concludes.

use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    estate::Estate,
    world::{Ran, World},
};

const CANARY: &str = "kanarienvogelkanarienvogelkanarienvogel1";
const CRDS: &str = include_str!("../lab/fixtures/crds/eso-0.20.4-min.yaml");

fn put_secret(world: &World, name: &str, kind: &str, data: Value) {
    let data: serde_json::Map<_, _> = data
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), json!(STANDARD.encode(value.as_str().unwrap()))))
        .collect();
    world.cluster.put_object(json!({"apiVersion": "v1", "kind": "Secret", "type": kind,
        "metadata": {"name": name, "namespace": "shop"}, "data": data}));
}

/// An operator without stores, and Secrets that nothing names.
fn with_secrets() -> World {
    let world = World::new(1);
    world.cluster.load_crds(CRDS);
    for number in 0..9 {
        put_secret(&world, &format!("app-{number}"), "Opaque", json!({"password": CANARY, "user": "app"}));
    }
    put_secret(
        &world,
        "ci-token",
        "kubernetes.io/service-account-token",
        json!({"token": CANARY, "ca.crt": "x"}),
    );
    put_secret(
        &world,
        "bootstrap-token-abcdef",
        "bootstrap.kubernetes.io/token",
        json!({"token-id": "abcdef", "token-secret": CANARY}),
    );
    put_secret(&world, "pull", "kubernetes.io/dockerconfigjson", json!({".dockerconfigjson": "{}"}));
    world
}

/// Path with query and `Accept` of each request for Secrets.
fn asked_for_secrets(world: &World) -> Vec<(String, String)> {
    let calls = world.cluster.server(0).faults().requests();
    let of_secrets =
        calls.into_iter().filter(|call| call.path.contains("/secrets?") || call.path.contains("/secrets/"));
    let accept = |headers: Vec<(String, String)>| {
        headers.into_iter().find(|(name, _)| name == "accept").map(|(_, value)| value).unwrap_or_default()
    };
    of_secrets.map(|call| (call.path, accept(call.headers))).collect()
}

#[test]
fn refs_never_reads_a_secret() {
    let estate = Estate::new();
    estate.world.cluster.server(0).faults().forget();
    let ran = estate.world.run(&["audit", "--mode", "refs"]).ends(1);
    assert_eq!(asked_for_secrets(&estate.world), []);
    assert!(
        ran.out.starts_with("1 LONG-LIVED credential opens the secret stores; INCOMPLETE: "),
        "{}",
        ran.out
    );
    ran.says("the mode `refs` does not look into Secrets").says("U unmanaged Secrets not counted");
}

#[test]
fn refs_is_incomplete_without_findings() {
    let world = with_secrets();
    for mode in ["refs", "metadata"] {
        let report = world.run(&["audit", "--mode", mode, "-o", "json"]);
        let report = report.ends(3).json();
        assert_eq!((&report["verdict"], &report["mode"]), (&json!("incomplete"), &json!(mode)), "{report}");
        assert_eq!((&report["count"], &report["complete"]), (&json!(null), &json!(false)), "{report}");
        assert_eq!(report["notSeen"].as_array().unwrap().len(), 1, "{report}");
        assert_eq!(report["classes"]["unmanaged"], json!(null), "{report}");
    }
    let report = world.run(&["audit", "-o", "json"]).json();
    assert_eq!((&report["mode"], &report["classes"]["unmanaged"]), (&json!("deep"), &json!(9)), "{report}");
}

#[test]
fn metadata_never_asks_for_secret_bytes() {
    let world = with_secrets();
    world.cluster.server(0).faults().forget();
    let ran = world.run(&["audit", "--mode", "metadata", "-vvv"]).ends(3);
    let asked = asked_for_secrets(&world);
    // Twelve Secrets, on more than one page.
    assert!(asked.len() > 1, "{asked:?}");
    for (path, accept) in &asked {
        assert!(path.starts_with("/api/v1/secrets?") && path.contains("includeObject=Metadata"), "{path}");
        assert_eq!(accept, "application/json;as=Table;v=v1;g=meta.k8s.io");
    }
    assert!(!ran.out.contains(CANARY) && !ran.err.contains(CANARY));
    ran.says("the stored token shop/ci-token of a ServiceAccount")
        .says("the bootstrap token abcdef, which never expires")
        .says("Opaque 9")
        .says("Secret (metadata) 12")
        .says("the mode `metadata` does not look at the values of Secrets");
}

/// What answers with whole Secrets, or with another table, was not what was asked for.
#[test]
fn metadata_refuses_another_form() {
    for body in [
        json!({"kind": "SecretList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []}),
        json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": "1"},
            "columnDefinitions": [{"name": "Name"}, {"name": "Age"}], "rows": []}),
    ] {
        let world = with_secrets();
        let answer = lab::Fault::Answer {
            status: 200,
            headers: vec![("content-type".into(), "application/json".into())],
            body: body.to_string().into(),
        };
        world.cluster.server(0).faults().always("GET", "/api/v1/secrets", answer);
        let ran = world.run(&["audit", "--mode", "metadata"]).ends(3);
        assert!(ran.out.contains("list secrets in all namespaces"), "{}", ran.out);
    }
}

/// A stored login that only the value proves stays "not seen"; one in an annotation is found.
#[test]
fn metadata_looks_through_annotations() {
    let world = with_secrets();
    let key = format!("AK{}{}", "IA", "IOSFODNN7EXAMPLE");
    let applied =
        json!({"kind": "Secret", "metadata": {"name": "aws"}, "stringData": {"a": key, "b": CANARY}});
    world.cluster.put_object(json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "aws", "namespace": "shop", "annotations":
            {"kubectl.kubernetes.io/last-applied-configuration": applied.to_string()}}, "data": {}}));
    let ran = world.run(&["audit", "--mode", "metadata"]).ends(1);
    assert!(ran.out.starts_with("1 LONG-LIVED credential lies in the cluster"), "{}", ran.out);
    assert!(!ran.out.contains(CANARY), "{}", ran.out);
    world.run(&["audit", "--mode", "refs"]).ends(3);
}

/// No list waits for the reviews.
#[test]
fn lists_begin_before_reviews_end() {
    let world = with_secrets();
    let faults = world.cluster.server(0).faults();
    let (waits, gate) = lab::Fault::gate();
    faults.next(1, "POST", "selfsubjectaccessreviews", waits);
    let audit = world.command(&["audit"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    gate.arrived();
    let lists = || faults.requests().iter().any(|call| call.path.starts_with("/api/v1/secrets"));
    let end = Instant::now() + Duration::from_secs(60);
    while !lists() {
        assert!(Instant::now() < end, "no list begins: {:?}", faults.requests());
        thread::sleep(Duration::from_millis(20));
    }
    gate.open();
    let usual = Ran::from(audit.wait_with_output().unwrap());
    assert!(!usual.err.contains("is not known"), "{}", usual.err);
}

/// A review that cannot be asked changes nothing in the verdict, and is named.
#[test]
fn refused_reviews_are_no_finding() {
    let world = with_secrets();
    let usual = world.run(&["audit"]);
    world.cluster.server(0).faults().always(
        "POST",
        "selfsubjectaccessreviews",
        lab::Fault::Answer { status: 403, headers: Vec::new(), body: "{}".into() },
    );
    let ran = world.run(&["audit"]);
    // Only the line that counts the rights differs.
    let rest =
        |out: &str| out.lines().filter(|line| !line.starts_with("made by: ")).collect::<Vec<_>>().join("\n");
    assert_eq!((ran.code, rest(&ran.out)), (usual.code, rest(&usual.out)));
    assert!(ran.out.contains("rights: 0 granted, 0 denied, 21 not answered"), "{}", ran.out);
    assert!(!ran.err.contains("of the audit are missing, so"), "{}", ran.err);
    for part in
        ["cluster-refused", "is not known: the API server did not answer", "list secrets in all namespaces"]
    {
        assert!(ran.err.contains(part), "`{part}`: {}", ran.err);
    }
    assert!(!usual.err.contains("is not known"), "{}", usual.err);
}

/// What a review allows proves nothing: the lists decide.
#[test]
fn allowing_reviews_do_not_complete_verdict() {
    let world = with_secrets();
    let body = json!({"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "status": {"allowed": true}});
    world.cluster.deny("admin", "list", "configmaps");
    let answer = lab::Fault::Answer { status: 201, headers: Vec::new(), body: body.to_string().into() };
    world.cluster.server(0).faults().always("POST", "selfsubjectaccessreviews", answer);
    world.run(&["audit"]).ends(3).says("INCOMPLETE").says("list configmaps in all namespaces");
}

/// What a ServiceAccount lists may be a login of a registry: without a look at it, it is not counted as a token.
#[test]
fn listed_secret_not_read_is_unknown() {
    let world = with_secrets();
    world.cluster.put_object(json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "eso", "namespace": "shop"}, "secrets": [{"name": "pull"}]}));
    world.cluster.put_object(json!({"apiVersion": "external-secrets.io/v1", "kind": "SecretStore",
        "metadata": {"name": "vault", "namespace": "shop"}, "spec": {"provider": {"vault": {
            "server": "https://vault.lab.test", "path": "kv", "auth": {"kubernetes": {
                "mountPath": "k", "role": "r", "serviceAccountRef": {"name": "eso"}}}}}}}));
    for mode in ["refs", "metadata"] {
        let report = world.run(&["audit", "--mode", mode, "-o", "json"]).ends(3).json();
        assert_eq!(
            (&report["verdict"], &report["classes"]["root"]),
            (&json!("incomplete"), &json!(0)),
            "{report}"
        );
        let unknown = report["notJudged"].as_array().unwrap();
        let listed = unknown.iter().filter(|it| it["rule"] == "legacy-token").count();
        assert_eq!(listed, 1, "{report}");
    }
    let report = world.run(&["audit", "-o", "json"]).json();
    assert!(!report.to_string().contains("\"rule\":\"legacy-token\",\"object\""), "{report}");
    // A token among them is counted only where it is read.
    world.cluster.put_object(json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "eso", "namespace": "shop"}, "secrets": [{"name": "ci-token"}]}));
    let report = world.run(&["audit", "-o", "json"]).ends(1).json();
    assert_eq!(report["count"], json!(1), "{report}");
}
