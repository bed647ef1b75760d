//! `keyless audit` against servers that lie, hide, stop in the middle, or never come to an end: none of it is a zero.

use std::time::Duration;

use lab::Fault;
use serde_json::{Value, json};

use crate::world::{Ran, World};

const CRDS: &str = include_str!("../lab/fixtures/crds/eso-0.20.4-min.yaml");
const STORES: &str = "/apis/external-secrets.io/v1/clustersecretstores";

/// A cluster with the operator and one store that logs in by tokens: a zero.
pub(crate) fn zero() -> World {
    let world = World::new(1);
    world.cluster.load_crds(CRDS);
    let put = |object: Value| world.cluster.put_object(object);
    put(json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "external-secrets", "namespace": "external-secrets"},
        "spec": {"template": {"spec": {"containers": [
            {"name": "external-secrets", "image": "ghcr.io/external-secrets/external-secrets:v0.20.4"}]}}}}));
    put(
        json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": {"name": "gcp"},
        "spec": {"provider": {"gcpsm": {"projectID": "p", "auth": {"workloadIdentity": {
            "clusterLocation": "a", "clusterName": "b", "serviceAccountRef": {"name": "a", "namespace": "b"}}}}}}}),
    );
    world.run(&["audit"]).ends(0).says("ZERO");
    world
}

fn json_answer(body: &Value) -> Fault {
    Fault::answer(200, "application/json", body.to_string())
}

/// Words, JSON and exit code say the same, and it is no zero.
#[track_caller]
pub(crate) fn incomplete(world: &World, names: &[&str]) -> Ran {
    let ran = world.run(&["audit"]).ends(3);
    assert!(ran.out.starts_with("INCOMPLETE: "), "{}{}", ran.out, ran.err);
    for name in names {
        assert!(ran.out.contains(name), "`{name}` is not in\n{}", ran.out);
    }
    let report = world.run(&["audit", "-o", "json"]).ends(3).json();
    assert_eq!(
        (&report["verdict"], &report["count"], &report["complete"]),
        (&json!("incomplete"), &json!(null), &json!(false)),
        "{report}"
    );
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    ran
}

#[test]
fn server_answering_only_404_is_incomplete() {
    for fault in [
        Fault::answer(404, "text/plain", "404 page not found\n"),
        Fault::answer(404, "text/html", "<html>not here</html>"),
        Fault::status(404),
        Fault::answer(
            404,
            "application/json",
            r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","details":{},"code":404}"#,
        ),
        Fault::html(),
        json_answer(&json!({})),
        json_answer(&json!({"kind": "Status", "reason": "NotFound", "code": 404})),
    ] {
        let world = zero();
        world.cluster.server(0).faults().always("", "/", fault);
        let ran = incomplete(&world, &["no API server"]);
        // One reason, not one for each thing that was asked.
        assert!(ran.out.lines().count() < 12, "{}", ran.out);
    }
}

#[test]
fn hidden_group_is_incomplete() {
    let not_here = || Fault::answer(404, "text/plain", "404 page not found\n");
    let hide = |world: &World, paths: &[&str]| {
        let faults = world.cluster.server(0).faults();
        let groups = json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": [
            {"name": "apps", "versions": [{"groupVersion": "apps/v1", "version": "v1"}]},
            {"name": "apiextensions.k8s.io", "versions": [{"groupVersion": "apiextensions.k8s.io/v1", "version": "v1"}]}]});
        faults.always("GET", "/apis/external-secrets.io", not_here());
        for path in paths {
            faults.always("GET", path, not_here());
        }
        faults.always("GET", "/apis$", json_answer(&groups));
    };
    // The definitions are there, and the lists are not.
    let world = zero();
    hide(&world, &[]);
    incomplete(&world, &["clustersecretstores.external-secrets.io"]);
    // Neither is there, by answers that no API server gives of an object.
    let world = zero();
    hide(&world, &["/customresourcedefinitions/"]);
    incomplete(&world, &["clustersecretstores.external-secrets.io"]);
}

#[test]
fn kind_from_either_list_is_read() {
    // The definitions may not be read; the server's own list of kinds has them.
    let world = zero();
    world.cluster.deny("admin", "get", "customresourcedefinitions.apiextensions.k8s.io");
    world.cluster.put_object(json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore",
        "metadata": {"name": "fake"}, "spec": {"provider": {"fake": {"data": []}}}}));
    let ran = world.run(&["audit"]).ends(3);
    assert!(ran.out.contains("ClusterSecretStore fake"), "{}", ran.out);
    // The server's own list may not be read; the definitions are there.
    let world = zero();
    world.cluster.deny("admin", "get", "/apis");
    incomplete(&world, &["get the non-resource URL `/apis`"]);
}

#[test]
fn each_kind_uses_its_own_version() {
    let definition = |plural: &str, kind: &str, version: &str| {
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.external-secrets.io")},
            "spec": {"group": "external-secrets.io", "scope": if kind.starts_with("Cluster") { "Cluster" } else { "Namespaced" },
                "names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind, "listKind": format!("{kind}List")},
                "versions": [{"name": version, "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}})
    };
    // Only some of the definitions were upgraded.
    for (old, kind) in [("clustersecretstores", "ClusterSecretStore"), ("secretstores", "SecretStore")] {
        let world = zero();
        if kind == "ClusterSecretStore" {
            world.cluster.remove_object("external-secrets.io/v1", kind, None, "gcp");
        }
        world.cluster.put_object(definition(old, kind, "v1beta1"));
        let namespace = (kind == "SecretStore").then_some("shop");
        let mut store = json!({"apiVersion": "external-secrets.io/v1beta1", "kind": kind, "metadata": {"name": "old"},
            "spec": {"provider": {"fake": {"data": [{"key": "a", "value": "b"}]}}}});
        if let Some(namespace) = namespace {
            store["metadata"]["namespace"] = json!(namespace);
        }
        world.cluster.put_object(store);
        let ran = world.run(&["audit"]).ends(1);
        assert!(ran.out.starts_with("1 LONG-LIVED credential"), "{old}: {}", ran.out);
    }
}

#[test]
fn store_of_unknown_kind_is_incomplete() {
    let world = zero();
    world.cluster.load_crds(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
         metadata: {name: providerstores.external-secrets.io}\nspec:\n  group: external-secrets.io\n  \
         names: {kind: ProviderStore, listKind: ProviderStoreList, plural: providerstores, singular: providerstore}\n  \
         scope: Namespaced\n  versions:\n  - {name: v2alpha1, served: true, storage: true, \
         schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}\n",
    );
    // The kind alone says nothing.
    world.run(&["audit"]).ends(0).says("ZERO");
    world.cluster.put_object(json!({"apiVersion": "external-secrets.io/v2alpha1", "kind": "ProviderStore",
        "metadata": {"name": "new", "namespace": "shop"}, "spec": {}}));
    incomplete(&world, &["ProviderStore shop/new"]);
}

#[test]
fn cut_or_broken_page_is_incomplete() {
    let item = json!({"metadata": {"name": "gcp"}, "spec": {"provider": {}}});
    for (name, fault) in [
        (
            "half of it",
            Fault::answer(
                200,
                "application/json",
                r#"{"kind":"ClusterSecretStoreList","metadata":{},"items":[{"metadata":{"name":"#,
            ),
        ),
        ("no list", json_answer(&json!({"kind": "ClusterSecretStoreList", "metadata": {}}))),
        (
            "items of another form",
            json_answer(&json!({"kind": "ClusterSecretStoreList", "metadata": {}, "items": {}})),
        ),
        ("another kind", json_answer(&json!({"kind": "Status", "metadata": {}, "items": []}))),
        ("a number", json_answer(&json!({"kind": "ClusterSecretStoreList", "metadata": {}, "items": [3]}))),
        ("a null", json_answer(&json!({"kind": "ClusterSecretStoreList", "metadata": {}, "items": [null]}))),
        (
            "more is left",
            json_answer(
                &json!({"kind": "ClusterSecretStoreList", "metadata": {"remainingItemCount": 7}, "items": []}),
            ),
        ),
        ("a server error", Fault::answer(500, "text/plain", "oh")),
        (
            "gone for ever",
            Fault::answer(410, "application/json", r#"{"kind":"Status","reason":"Expired","code":410}"#),
        ),
        (
            "an empty page without end",
            json_answer(
                &json!({"kind": "ClusterSecretStoreList", "metadata": {"continue": "abc"}, "items": []}),
            ),
        ),
        (
            "the same page without end",
            json_answer(
                &json!({"kind": "ClusterSecretStoreList", "metadata": {"continue": "abc"}, "items": [item]}),
            ),
        ),
        ("the body is cut", Fault::CutBody),
    ] {
        let world = zero();
        world.cluster.server(0).faults().always("GET", STORES, fault);
        let ran = incomplete(&world, &["clustersecretstores.external-secrets.io"]);
        let calls = world.cluster.server(0).faults().requests();
        let asked = calls.iter().filter(|call| call.path.starts_with(STORES)).count();
        assert!(asked <= 12, "{name}: {asked} requests in two runs\n{}", ran.out);
    }
}

#[test]
fn objects_of_another_form_are_named() {
    let list = |kind: &str, items: Value| json_answer(&json!({"kind": kind, "metadata": {}, "items": items}));
    for (path, fault, named) in [
        (
            STORES,
            list("ClusterSecretStoreList", json!([{"metadata": {"name": "odd"}, "spec": 3}])),
            "ClusterSecretStore odd",
        ),
        (
            STORES,
            list("ClusterSecretStoreList", json!([{"metadata": {"name": "odd"}, "spec": {"provider": [1]}}])),
            "ClusterSecretStore odd",
        ),
        (
            STORES,
            list(
                "ClusterSecretStoreList",
                json!([{"metadata": {"name": "odd"}, "spec": {"provider": {"vault": "x"}}}]),
            ),
            "ClusterSecretStore odd",
        ),
        (
            "/apis/external-secrets.io/v1/externalsecrets",
            list(
                "ExternalSecretList",
                json!([{"metadata": {"name": "odd", "namespace": "shop"}, "spec": {"secretStoreRef": [1]}}]),
            ),
            "ExternalSecret shop/odd",
        ),
        (
            "/apis/apps/v1/deployments",
            list("DeploymentList", json!([{"metadata": {"name": "odd", "namespace": "shop"}, "spec": []}])),
            "Deployment shop/odd",
        ),
        ("/api/v1/pods", list("PodList", json!([7])), "an item of pods"),
        (
            "/api/v1/secrets",
            list("SecretList", json!([{"metadata": {"name": "odd", "namespace": "shop"}, "data": 7}])),
            "Secret shop/odd",
        ),
        ("/api/v1/secrets", list("SecretList", json!([[]])), "an item of secrets"),
    ] {
        let world = zero();
        world.cluster.server(0).faults().always("GET", path, fault);
        incomplete(&world, &[named]);
    }
}

#[test]
fn expired_list_is_started_again() {
    let world = zero();
    for number in 0..600 {
        world.cluster.put_object(json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "metadata": {"name": format!("es-{number}"), "namespace": "shop"},
            "spec": {"secretStoreRef": {"name": "gcp", "kind": "ClusterSecretStore"}}}));
    }
    let gone = Fault::answer(410, "application/json", r#"{"kind":"Status","reason":"Expired","code":410}"#);
    world.cluster.server(0).faults().next(2, "GET", "externalsecrets?limit=500&continue=", gone);
    world.run(&["audit"]).ends(0).says("ZERO");
}

/// The server is asked by no more than sixteen requests at the same time, however much there is to read.
#[test]
fn requests_in_flight_are_bounded() {
    let world = zero();
    for number in 0..60 {
        let name = format!("team-{number}");
        world.cluster.put_object(json!({"apiVersion": "external-secrets.io/v1", "kind": "SecretStore",
            "metadata": {"name": "vault", "namespace": name},
            "spec": {"provider": {"vault": {"server": "https://vault.lab.test", "auth": {"kubernetes": {
                "mountPath": "k", "role": "r", "serviceAccountRef": {"name": "a"}}}}}}}));
        world.cluster.put_object(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a", "namespace": name}}));
    }
    let faults = world.cluster.server(0).faults();
    faults.forget();
    faults.always("GET", "/", Fault::Delay(Duration::from_millis(20)));
    world.run(&["audit"]).ends(0).says("ZERO");
    let calls = faults.requests();
    let most = calls.iter().map(|call| {
        let under_way = |other: &&lab::Call| {
            other.arrived <= call.arrived && other.answered.is_none_or(|answered| answered > call.arrived)
        };
        calls.iter().filter(under_way).count()
    });
    let most = most.max().unwrap();
    assert!((2..=16).contains(&most), "{most} of {} at the same time", calls.len());
}

/// Of Secrets as large as they can be one at a time is held.
#[test]
fn large_secrets_are_not_kept() {
    let world = zero();
    let large = "A".repeat(1 << 20);
    for number in 0..60 {
        world.cluster.put_object(json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": format!("large-{number}"), "namespace": "external-secrets"}, "data": {"value": large}}));
    }
    let mut command = world.command(&["audit"]);
    let child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let peak = peak_of(child);
    assert!(peak < 64 << 10, "{peak} KiB");
}

/// The largest resident set of a process that runs to its end, in KiB, as the kernel counts it.
fn peak_of(mut child: std::process::Child) -> u64 {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse().ok());
        peak = now.map_or(peak, |now: u64| now.max(peak));
        if let Some(ended) = child.try_wait().unwrap() {
            assert_eq!(ended.code(), Some(0));
            assert!(peak > 0);
            return peak;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
