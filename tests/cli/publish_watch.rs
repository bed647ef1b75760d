//! `keyless publish --watch`: looks that never end, what they serve, and who writes when there are several.

mod given;
mod lease;
mod running;
mod served;

use std::{collections::BTreeSet, time::Duration};

use lab::{Fault, Flavour, SigningKey};
use rustix::process::Signal;
use serde_json::json;

use self::running::Watch;
use crate::{
    buckets::Store,
    keys,
    ledger::{self, add_to_bucket, ledger},
    world::World,
};

fn watch(world: &World, more: &[&str]) -> Watch {
    let all = [&["--watch", "--poll", "1s", "--metrics-address", "127.0.0.1:0", "-o", "json"][..], more];
    Watch::of(world.spawn("publish", &all.concat()))
}

/// Puts a key beside those that this API server serves.
fn add_key(world: &World, server: usize) -> SigningKey {
    let key = SigningKey::ec(lab::Curve::P256);
    world.cluster.server(server).change(|server| server.key_files.push((&key).into()));
    key
}

/// How often API server 0 was asked for its keys.
fn looks(world: &World) -> usize {
    let calls = world.cluster.server(0).faults().requests();
    calls.iter().filter(|call| call.path.ends_with("/jwks")).count()
}

#[test]
fn first_look_publishes_then_idles() {
    let world = ledger::world(3);
    let watch = watch(&world, &[]);
    watch.becomes_ready();
    assert_eq!(world.published(), [world.key.kid()]);
    running::until(|| (looks(&world) >= 6).then_some(()));
    let version =
        || world.cluster.object("v1", "ConfigMap", Some("keyless-system"), "keyless-ledger").unwrap();
    let before = version();
    let seen = looks(&world);
    running::until(|| (looks(&world) >= seen + 3).then_some(()));
    assert_eq!(version(), before, "an unchanged look writes nothing");
    assert_eq!(watch.metric("keyless_keys{state=\"live\"}"), Some(1.0));
    assert_eq!(watch.metric("keyless_signing_key_wait_seconds"), Some(0.0));
    assert_eq!(
        (watch.metric("keyless_servers"), watch.metric("keyless_sick_servers")),
        (Some(3.0), Some(0.0))
    );
    assert_eq!(
        (watch.metric("keyless_is_leader"), watch.metric("keyless_changes_total")),
        (Some(1.0), Some(1.0))
    );
    assert!(watch.metric("keyless_last_success_timestamp_seconds") > Some(1.7e9));
    let (code, lines, messages) = watch.ends(Signal::TERM);
    assert_eq!(code, Some(0), "{messages}");
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!((&lines[0]["outcome"], &lines[0]["command"]), (&json!("changed"), &json!("publish")));
    assert!(messages.contains("stopped by SIGTERM"), "{messages}");
}

/// Public with the look that is under way when the first server shows it, or the one after.
#[test]
fn rotation_is_public_with_next_look() {
    let world = ledger::world(3);
    let watch = watch(&world, &[]);
    watch.becomes_ready();
    for server in [2, 0, 1] {
        let before = looks(&world);
        let key = add_key(&world, server);
        running::until(|| world.published().contains(&key.kid()).then_some(()));
        let took = looks(&world) - before;
        assert!(took <= 3, "{took} looks");
    }
    // Careless: a signer that no document has yet.
    let new = SigningKey::rsa(2048);
    ledger::rotate(&world, &new);
    running::until(|| (watch.metric("keyless_keys{state=\"retained\"}") == Some(1.0)).then_some(()));
    // Those that one server had for a moment, and that never signed.
    assert_eq!(watch.metric("keyless_keys{state=\"shown-once\"}"), Some(3.0));
    running::until(|| (watch.metric("keyless_signing_key_wait_seconds") == Some(0.0)).then_some(()));
    assert!(world.published().contains(&new.kid()) && world.published().contains(&world.key.kid()));
    let (code, lines, messages) = watch.ends(Signal::INT);
    assert_eq!(code, Some(0), "{messages}");
    assert!(lines.iter().all(|line| line["outcome"] != "failed"), "{lines:#?}");
}

#[test]
fn dead_api_server_is_waited_for() {
    let world = ledger::world(1);
    let watch = watch(&world, &[]);
    watch.becomes_ready();
    world.cluster.server(0).stop();
    running::until(|| (watch.get("/readyz").0 == 503).then_some(()));
    let (_, why) = watch.get("/readyz");
    assert!(why.contains("the last one failed: "), "{why}");
    assert_eq!(watch.get("/livez").0, 200);
    assert!(watch.metric("keyless_looks_total{outcome=\"failed\"}") > Some(0.0));
    // What was known stays.
    assert_eq!(watch.metric("keyless_keys{state=\"live\"}"), Some(1.0));
    let key = SigningKey::ec(lab::Curve::P384);
    world.cluster.server(0).change(|server| server.key_files.push((&key).into()));
    world.cluster.server(0).restart();
    watch.becomes_ready();
    running::until(|| world.published().contains(&key.kid()).then_some(()));
    let (code, lines, _) = watch.ends(Signal::TERM);
    assert_eq!(code, Some(0));
    let failed = lines.iter().find(|line| line["outcome"] == "failed").unwrap();
    assert!(failed["error"]["code"].is_string() && failed["time"].is_string(), "{failed}");
}

#[test]
fn sick_server_is_counted() {
    let world = ledger::world(3);
    let watch = watch(&world, &[]);
    watch.becomes_ready();
    world.cluster.server(1).stop();
    running::until(|| (watch.metric("keyless_sick_servers") == Some(1.0)).then_some(()));
    // What the others have is published all the same.
    assert_eq!(watch.get("/readyz").0, 200);
    let key = add_key(&world, 2);
    running::until(|| world.published().contains(&key.kid()).then_some(()));
    world.cluster.server(1).restart();
    running::until(|| (watch.metric("keyless_sick_servers") == Some(0.0)).then_some(()));
    let (code, lines, _) = watch.ends(Signal::TERM);
    assert_eq!(code, Some(0));
    let incomplete: Vec<_> = lines.iter().filter(|line| line["outcome"] == "incomplete").collect();
    assert!(!incomplete.is_empty() && incomplete.len() <= 4, "told once per change: {lines:#?}");
    assert_eq!(incomplete[0]["complete"], false);
}

#[test]
fn refusing_bucket_is_tried_again() {
    let store = Store::new(1, Flavour::Compatible);
    store.keyless("publish", &["--create"]).ends(0);
    let key = SigningKey::rsa(2048);
    store.s3.faults().always("PUT", "jwks", Fault::status(403));
    let world = &store.world;
    world.cluster.change_servers(|server| {
        server.key_files.insert(0, (&key).into());
        server.signing_key = key.clone();
    });
    let mut command =
        store.command("publish", &["--watch", "--poll", "1s", "--metrics-address", "127.0.0.1:0"]);
    let watch = Watch::of(
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap(),
    );
    // The signer is known not to be public, although nothing could be written.
    running::until(|| (watch.metric("keyless_signing_key_wait_seconds") > Some(0.0)).then_some(()));
    running::until(|| (watch.metric("keyless_looks_total{outcome=\"failed\"}") > Some(1.0)).then_some(()));
    let (status, why) = watch.get("/readyz");
    assert_eq!(status, 503, "{why}");
    assert!(why.contains("bucket-forbidden"), "{why}");
    store.s3.faults().clear();
    watch.becomes_ready();
    running::until(|| (watch.metric("keyless_signing_key_wait_seconds") == Some(0.0)).then_some(()));
    let (code, _, messages) = watch.ends(Signal::TERM);
    assert_eq!(code, Some(0));
    assert!(messages.contains("error[bucket-forbidden]") && !messages.contains("AWS_SECRET"), "{messages}");
}

/// A signal that comes while the key set is written: it is finished, and so is what belongs to it.
#[test]
fn sigterm_finishes_write_in_progress() {
    let store = Store::new(1, Flavour::Compatible);
    store.keyless("publish", &["--create"]).ends(0);
    // Slow enough for the signal to come in between, and longer than other commands have.
    store.s3.faults().always("PUT", "jwks", Fault::Delay(Duration::from_secs(2)));
    store.s3.faults().forget();
    let key = SigningKey::ec(lab::Curve::P256);
    store.world.cluster.change_servers(|server| server.key_files.push((&key).into()));
    let mut command = store.command("publish", &["--watch", "--poll", "1s", "-o", "json"]);
    let watch = Watch::of(
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap(),
    );
    let writes = |path: &str| {
        let calls = store.s3.faults().requests();
        calls.into_iter().filter(|call| call.method == "PUT" && call.path.contains(path)).count()
    };
    running::until(|| (writes("jwks") > 0).then_some(()));
    let (code, lines, messages) = watch.ends(Signal::TERM);
    assert_eq!(code, Some(0), "{messages}");
    let text = |key: &str| String::from_utf8(store.s3.object("acme-oidc", key).unwrap().body).unwrap();
    assert!(text("openid/v1/jwks").contains(&key.kid()));
    assert!(text(".well-known/openid-configuration").contains("ES256"));
    assert_eq!(lines.last().unwrap()["outcome"], "changed");
    assert_eq!(lines.last().unwrap()["readBack"], true);
}

#[test]
fn foreign_key_is_counted_and_told() {
    let world = ledger::world(2);
    let watch = watch(&world, &[]);
    watch.becomes_ready();
    let foreign = SigningKey::rsa(2048);
    add_to_bucket(&world, &foreign);
    running::until(|| (watch.metric("keyless_foreign_keys") == Some(1.0)).then_some(()));
    assert_eq!(watch.get("/readyz").0, 200);
    let (_, metrics) = watch.get("/metrics");
    assert!(!metrics.contains(&foreign.kid()) && !metrics.contains(&world.key.kid()), "{metrics}");
    // It does not keep ours from being published.
    let key = add_key(&world, 1);
    running::until(|| world.published().contains(&key.kid()).then_some(()));
    keys::of_keys(&world, &["revoke", &foreign.kid(), "--yes"]).ends(0);
    running::until(|| (watch.metric("keyless_foreign_keys") == Some(0.0)).then_some(()));
    assert!(!world.published().contains(&foreign.kid()));
    let (code, lines, _) = watch.ends(Signal::TERM);
    assert_eq!(code, Some(0));
    let found = lines.iter().find(|line| line["outcome"] == "found").unwrap();
    assert!(found["warnings"].to_string().contains(&foreign.kid()), "{found:#}");
    assert!(found["keys"].as_array().unwrap().iter().any(|key| key["status"] == "foreign"));
}

/// Without a Lease: the conditions of the bucket and of the ledger are enough.
#[test]
fn two_publishers_lose_no_key() {
    let world = ledger::world(2);
    let watches = [watch(&world, &[]), watch(&world, &[])];
    watches.iter().for_each(Watch::becomes_ready);
    let mut all = BTreeSet::from([world.key.kid()]);
    for round in 0..4 {
        let key = SigningKey::ec(lab::Curve::P256);
        all.insert(key.kid());
        // Each takes the place of the one before: a publisher that loses one has no other chance.
        world.cluster.server(round % 2).change(|server| {
            server.key_files = vec![(&key).into()];
            server.signing_key = key.clone();
        });
        running::until(|| world.published().contains(&key.kid()).then_some(()));
    }
    let published: BTreeSet<_> = world.published().into_iter().collect();
    assert_eq!(published, all);
    let known = ledger(&world).unwrap()["keys"].as_object().unwrap().len();
    assert_eq!(known, all.len());
    for watch in watches {
        let (code, lines, messages) = watch.ends(Signal::TERM);
        assert_eq!(code, Some(0), "{messages}");
        assert!(lines.iter().all(|line| line["outcome"] != "failed"), "{lines:#?}");
    }
}

#[test]
fn rebuilt_cluster_is_not_published() {
    let world = ledger::world(1);
    let watch = watch(&world, &[]);
    watch.becomes_ready();
    let mut system = world.cluster.object("v1", "Namespace", None, "kube-system").unwrap();
    world.cluster.remove_object("v1", "Namespace", None, "kube-system");
    system["metadata"] = json!({"name": "kube-system"});
    world.cluster.put_object(system);
    let key = add_key(&world, 0);
    running::until(|| (watch.get("/readyz").0 == 503).then_some(()));
    assert!(watch.get("/readyz").1.contains("cluster-mismatch"));
    assert!(!world.published().contains(&key.kid()));
    assert_eq!(watch.ends(Signal::TERM).0, Some(0));
}

#[test]
fn unusable_arguments_end_at_once() {
    let world = World::new(1);
    for more in [
        &["--watch", "--dry-run"][..],
        &["--watch", "--create"],
        &["--watch", "--restore"],
        &["--watch", "--same-cluster"],
        &["--watch", "--yes"],
        &["--watch", "--out", "plan.json"],
        &["--watch", "--no-cluster", "--public-key", "sa.pub"],
        &["--watch", "--poll", "0s"],
        &["--watch", "--poll", "10ms"],
        &["--watch", "--poll", "2h"],
        &["--watch", "--metrics-address", "localhost"],
        &["--watch", "--metrics-address", ":9102"],
        &["--watch", "--lease", "no-namespace"],
        &["--watch", "--lease", "a/../b"],
        &["--poll", "10s"],
        &["--metrics-address", "127.0.0.1:0"],
        &["--lease"],
    ] {
        let ran = world.keyless("publish", more);
        assert_eq!(ran.code, Some(2), "{more:?}: {}", ran.err);
    }
    assert!(!world.jwks().exists());
    // Settings of another cluster, and none at all.
    std::fs::write(
        world.dir.path().join("other.yaml"),
        "apiVersion: keyless/v1\ncluster: {uid: 11111111-2222-3333-4444-555555555555}\n",
    )
    .unwrap();
    world.keyless("publish", &["--watch", "--config", "other.yaml"]).fails(2, "cluster-mismatch", &[]);
    world.run(&["publish", "--watch"]).fails(2, "bucket-not-named", &[]);
}

#[test]
fn taken_metrics_address_is_told() {
    let world = World::new(1);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = world.keyless("publish", &["--watch", "--metrics-address", &address]);
    ran.fails(3, "metrics-address", &[&address]);
}
