//! How `keyless audit` reads long lists: each object once, however often the server must be asked, and no zero unless all
//! of them were there.

use std::time::Instant;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use lab::Fault;
use serde_json::{Value, json};

use crate::{
    audit_server::{incomplete, zero},
    world::World,
};

const SECRETS: &str = "/api/v1/secrets?";

fn put_secret(world: &World, namespace: &str, number: usize, value: &str) {
    world.cluster.put_object(json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": format!("s-{number:04}"), "namespace": namespace}, "data": {"value": STANDARD.encode(value)}}));
}

/// A key of a Google service account: beside a store it is a credential.
fn key(number: usize) -> String {
    json!({"type": "service_account", "project_id": "acme-prod", "private_key_id": format!("{number:040x}"),
        "private_key": format!("-----BEGIN {}-----\n{}\n-----END {0}-----\n", "PRIVATE KEY", "A".repeat(64)),
        "client_email": "eso@acme-prod.iam.gserviceaccount.com"})
    .to_string()
}

/// Forty Secrets, three of which hold a key each: the first, one in the middle, the last.
fn keys() -> World {
    keys_among("plain")
}

fn keys_among(others: &str) -> World {
    let world = zero();
    for number in 0..40 {
        let holds = [0, 20, 39].contains(&number);
        put_secret(&world, "shop", number, &if holds { key(number) } else { others.into() });
    }
    world
}

fn limits(world: &World) -> Vec<usize> {
    let calls = world.cluster.server(0).faults().requests();
    let secrets = calls.iter().filter_map(|call| call.path.split_once(SECRETS)?.1.strip_prefix("limit="));
    secrets.map(|query| query.split('&').next().unwrap().parse().unwrap()).collect()
}

/// The report, apart from its time.
fn report(world: &World, code: i32) -> Value {
    let mut report = world.run(&["audit", "-o", "json"]).ends(code).json();
    report.as_object_mut().unwrap().remove("time");
    report
}

/// What was found, and where.
fn findings(report: &Value) -> String {
    format!("{} {} {}", report["headline"], report["credentials"], report["count"])
}

fn gone(token: Option<&str>) -> Fault {
    let metadata = token.map_or_else(|| json!({}), |token| json!({"continue": token}));
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": metadata, "status": "Failure",
        "message": "The provided continue parameter is too old to display a consistent list result.",
        "reason": "Expired", "code": 410});
    Fault::answer(410, "application/json", status.to_string())
}

/// The token of a list that goes on after this Secret.
fn after(number: usize) -> String {
    let token = json!({"v": "meta.k8s.io/v1", "rv": 0, "start": format!("shop/s-{number:04}")});
    URL_SAFE_NO_PAD.encode(token.to_string())
}

#[test]
fn broken_page_is_asked_again() {
    let world = keys();
    let wanted = findings(&report(&world, 1));
    assert!(wanted.contains("s-0000") && wanted.contains("s-0020") && wanted.contains("s-0039"), "{wanted}");
    let faults = world.cluster.server(0).faults();
    for (part, fault) in [
        // In the middle of the first page, of a later one, before any answer.
        ("/api/v1/secrets?limit=4", Fault::CutBody),
        ("/api/v1/secrets?limit=16&continue=", Fault::CutBody),
        ("/api/v1/secrets?limit=16&continue=", Fault::CloseAfterEffect),
        ("/api/v1/secrets?limit=4", Fault::status(500)),
        ("/api/v1/secrets?limit=64&continue=", Fault::status(503)),
        ("/api/v1/configmaps?", Fault::CutBody),
        ("/apis/external-secrets.io/v1/clustersecretstores", Fault::CutBody),
    ] {
        faults.clear();
        faults.next(2, "GET", part, fault);
        assert_eq!(findings(&report(&world, 1)), wanted, "{part}");
    }
}

#[test]
fn throttled_list_waits_as_asked() {
    let world = keys();
    let faults = world.cluster.server(0).faults();
    let wanted = findings(&report(&world, 1));
    faults.next(1, "GET", "/api/v1/secrets?limit=16&continue=", Fault::later(429, "2"));
    let begun = Instant::now();
    assert_eq!(findings(&report(&world, 1)), wanted);
    assert!(begun.elapsed().as_secs() >= 2);
    // Longer than anything is tried: it is not seen, at once.
    faults.always("GET", SECRETS, Fault::later(429, "3600"));
    faults.forget();
    let begun = Instant::now();
    let ran = world.run(&["audit"]).ends(3);
    assert!(ran.out.contains("list secrets in all namespaces"), "{}", ran.out);
    assert!(begun.elapsed().as_secs() < 20);
    assert_eq!(limits(&world).len(), 1);
}

#[test]
fn list_gone_once_is_read_whole() {
    let world = keys();
    let wanted = findings(&report(&world, 1));
    for token in [None, Some(after(3))] {
        let faults = world.cluster.server(0).faults();
        faults.next(1, "GET", "/api/v1/secrets?limit=16&continue=", gone(token.as_deref()));
        faults.forget();
        assert_eq!(findings(&report(&world, 1)), wanted);
        // It begins again with pages as large as they had become.
        assert_eq!(limits(&world), [4, 16, 16, 64]);
    }
}

#[test]
fn list_gone_for_ever_is_incomplete() {
    // So large that no page has them all.
    let large = "A".repeat(300 << 10);
    // Without a token for the rest, with one that is no use, and with one that leads to the end.
    for (token, last_is_found) in
        [(None, false), (Some("no-token".to_owned()), false), (Some(after(19)), true)]
    {
        let world = keys_among(&large);
        let faults = world.cluster.server(0).faults();
        // Whatever follows the first page, four times: it is begun again three times.
        faults.next(4, "GET", "&continue=", gone(token.as_deref()));
        let ran = world.run(&["audit"]).ends(1);
        let headline = ran.out.lines().next().unwrap();
        assert!(headline.contains("INCOMPLETE"), "{headline}");
        assert!(ran.out.contains("list secrets in all namespaces"), "{}", ran.out);
        assert!(ran.out.contains("it changes faster than it can be read") || !last_is_found, "{}", ran.out);
        assert_eq!(ran.out.contains("s-0039"), last_is_found, "{}", ran.out);
        assert!(limits(&world).len() <= 16, "{:?}", limits(&world));
    }
    // Without any credential it is no zero.
    for token in [None, Some(after(3))] {
        let world = zero();
        (0..40).for_each(|number| put_secret(&world, "shop", number, &large));
        world.cluster.server(0).faults().always("GET", "&continue=", gone(token.as_deref()));
        incomplete(&world, &["list secrets in all namespaces", "it changes faster than it can be read"]);
    }
}

/// Leaves the last item of a page away, and says nothing of it.
fn without_last(page: &[u8]) -> Vec<u8> {
    let mut list: Value = serde_json::from_slice(page).unwrap();
    for name in ["items", "rows"] {
        list.get_mut(name).and_then(Value::as_array_mut).map(Vec::pop);
    }
    list.to_string().into_bytes()
}

#[test]
fn truncated_page_is_incomplete() {
    for mode in ["deep", "metadata"] {
        for part in ["/api/v1/secrets?limit=4", "/api/v1/secrets?limit=16&", "/api/v1/secrets?limit=64&"] {
            let world = zero();
            (0..40).for_each(|number| put_secret(&world, "shop", number, "plain"));
            world.cluster.server(0).faults().always("GET", part, Fault::rewrite(without_last));
            let ran = world.run(&["audit", "--mode", mode]).ends(3);
            assert!(ran.out.starts_with("INCOMPLETE: "), "{mode} {part}: {}", ran.out);
            assert!(ran.out.contains("list secrets in all namespaces"), "{mode} {part}: {}", ran.out);
        }
    }
}

#[test]
fn denied_list_is_incomplete() {
    let world = zero();
    world.run(&["audit"]).ends(0);
    let calls = world.cluster.server(0).faults().requests();
    let mut lists: Vec<String> =
        calls.iter().filter_map(|call| Some(call.path.split_once("?limit=")?.0.to_owned())).collect();
    lists.sort();
    lists.dedup();
    assert!(lists.len() > 15, "{lists:?}");
    // Whose tokens the operator may mint is a note, and decides nothing.
    for path in lists.iter().filter(|path| !path.ends_with("/clusterrolebindings")) {
        let plural = path.rsplit('/').next().unwrap();
        let group = path.strip_prefix("/apis/").and_then(|rest| rest.split('/').next());
        let resource = group.map_or_else(|| plural.to_owned(), |group| format!("{plural}.{group}"));
        world.cluster.deny("admin", "list", &resource);
        let ran = world.run(&["audit"]);
        assert_ne!(ran.code, Some(0), "{path}: {}", ran.out);
        assert!(ran.out.contains(&format!("list {resource}")), "{path}: {}", ran.out);
        world.cluster.forgive("admin");
    }
}

/// Hundreds of small Secrets, then some of a megabyte: the page that was to have hundreds of them is given up.
#[test]
fn page_follows_size_of_secrets() {
    let world = zero();
    (0..700).for_each(|number| put_secret(&world, "a", number, "plain"));
    let large = "A".repeat(700 << 10);
    for number in 0..60 {
        put_secret(&world, "large", number, &large);
    }
    put_secret(&world, "shop", 0, &key(1));
    world.cluster.server(0).faults().forget();
    let found = findings(&report(&world, 1));
    assert!(found.starts_with("\"1 LONG-LIVED"), "{found}");
    let limits = limits(&world);
    assert_eq!(&limits[..5], [4, 16, 64, 256, 500], "{limits:?}");
    let smallest = limits.iter().min().unwrap();
    assert!(*smallest <= 7 && limits.len() > 12, "{limits:?}");
    assert_eq!(limits.iter().filter(|limit| **limit == 500).count(), 1, "{limits:?}");
}
