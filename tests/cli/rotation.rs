//! What others do to the published set, the ledger and the copies: the cluster's own keys stay public, nothing foreign
//! becomes its own, and nothing is claimed that was not done.

use std::{fs, time::Duration};

use lab::{Fault, SigningKey};
use serde_json::{Value, json};

use crate::{
    ledger::{self, DAY, ledger as read, world},
    world::{ISSUER, Ran, World},
};

const LEDGER: &str = "/api/v1/namespaces/keyless-system/configmaps/keyless-ledger";

fn set(keys: &[&SigningKey]) -> String {
    json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() }).to_string()
}

fn of_keys(world: &World, words: &[&str]) -> Ran {
    let bucket = format!("file://{}", world.www.display());
    world.run(&[&["keys"], words, &["--bucket", &bucket, "--issuer", ISSUER, "--ca-file", "ca.pem"]].concat())
}

fn config_map(world: &World) -> Value {
    world.cluster.object("v1", "ConfigMap", Some("keyless-system"), "keyless-ledger").unwrap()
}

/// What caches still show.
fn cached(world: &World, body: impl Into<Vec<u8>>) {
    let headers = [("content-type", "application/jwk-set+json"), ("cache-control", "public, max-age=300")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let answer = Fault::Answer { status: 200, headers, body: body.into() };
    world.web.faults().always("GET", "/prod/openid/v1/jwks", answer);
}

/// A cluster that has rotated, and revoked its former key.
fn revoked() -> (World, Vec<u8>, SigningKey) {
    let world = world(1);
    world.keyless("publish", &[]).ends(0);
    let new = SigningKey::rsa(2048);
    ledger::rotate(&world, &new);
    world.keyless("publish", &[]).ends(0);
    let former = fs::read(world.jwks()).unwrap();
    of_keys(&world, &["revoke", &world.key.kid(), "--yes"]).ends(0);
    assert_eq!(world.published(), [new.kid()]);
    (world, former, new)
}

#[test]
fn replaced_set_gets_own_keys_back() {
    let world = world(2);
    world.keyless("publish", &[]).ends(0);
    let (foreign, new) = (SigningKey::rsa(2048), SigningKey::rsa(2048));
    // A careless rotation at the same time changes nothing.
    ledger::rotate(&world, &new);
    fs::write(world.jwks(), set(&[&foreign])).unwrap();
    world.keyless("publish", &["--dry-run"]).ends(1).says(&foreign.kid());
    for _ in 0..2 {
        let ran = world.keyless("publish", &[]).ends(1).says("warning[key-foreign]");
        assert!(ran.err.contains(&foreign.kid()) && !ran.err.contains("retained"), "{}", ran.err);
        let published = world.published();
        assert!(published.contains(&new.kid()) && published.contains(&foreign.kid()), "{published:?}");
    }
    world.keyless("verify", &[]).ends(1).says(&foreign.kid());
    of_keys(&world, &["revoke", &foreign.kid(), "--yes"]).ends(1);
    assert_eq!(world.published(), [new.kid()]);
}

/// It signs as the issuer as well, and nothing shows that the issuer ever was its own.
#[test]
fn issuer_without_record_is_not_merged() {
    let world = world(1);
    world.keyless("publish", &[]).ends(0);
    let theirs = SigningKey::rsa(2048);
    let body = set(&[&theirs]);
    fs::write(world.jwks(), &body).unwrap();
    world.cluster.remove_object("v1", "ConfigMap", Some("keyless-system"), "keyless-ledger");
    world.keyless("publish", &[]).fails(3, "issuer-of-another-cluster", &[&theirs.kid()]);
    assert_eq!(fs::read_to_string(world.jwks()).unwrap(), body);
}

/// It has moved on to another issuer, and another cluster may have taken this one over.
#[test]
fn issuer_that_was_left_is_refused() {
    let world = world(1);
    world.keyless("publish", &[]).ends(0);
    let theirs = SigningKey::rsa(2048);
    let body = set(&[&theirs]);
    fs::write(world.jwks(), &body).unwrap();
    world.cluster.change_servers(|server| server.issuers = vec!["https://oidc.lab.test/other".into()]);
    world.keyless("publish", &[]).fails(3, "issuer-of-another-cluster", &[&theirs.kid()]);
    assert_eq!(fs::read_to_string(world.jwks()).unwrap(), body);
}

/// That the settings name the new cluster, and that its API servers sign as the issuer, does not show whose the issuer is.
#[test]
fn recreated_cluster_is_refused_without_record() {
    let world = world(1);
    let former = SigningKey::rsa(2048);
    world.put(&world.jwks(), set(&[&former]));
    let settings = format!("apiVersion: keyless/v1\ncluster: {{uid: {}}}\n", world.cluster_uid());
    fs::write(world.dir.path().join("keyless.yaml"), settings).unwrap();
    world.keyless("publish", &[]).fails(3, "issuer-of-another-cluster", &[&former.kid()]);
    assert_eq!(world.published(), [former.kid()]);
    world.keyless("publish", &["--restore", "--yes"]).ends(1).says(&former.kid());
    assert!(world.published().contains(&world.key.kid()));
}

/// Another publisher writes the ledger between the look and the write.
#[test]
fn overtaken_revocation_looks_again() {
    for live_again in [false, true] {
        let world = world(1);
        world.keyless("publish", &[]).ends(0);
        let (old, new) = (world.key.kid(), SigningKey::rsa(2048));
        ledger::rotate(&world, &new);
        world.keyless("publish", &[]).ends(0);
        world.cluster.server(0).faults().always(
            "GET",
            "/openid/v1/jwks",
            Fault::Delay(Duration::from_millis(1500)),
        );
        let bucket = format!("file://{}", world.www.display());
        let run = world
            .command(&[
                "keys",
                "revoke",
                &old,
                "--yes",
                "--bucket",
                &bucket,
                "--issuer",
                ISSUER,
                "--ca-file",
                "ca.pem",
            ])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(800));
        ledger::age(&world, 1);
        if live_again {
            // Once the look under way has its answer.
            std::thread::sleep(Duration::from_millis(900));
            let key = world.key.clone();
            world.cluster.change_servers(|server| server.key_files.push((&key).into()));
        }
        let ran: Ran = run.wait_with_output().unwrap().into();
        let noted = read(&world).unwrap().to_string().contains("\"revoked\"");
        let there = world.published().contains(&old);
        match ran.code {
            Some(0) => assert!(noted && !there, "claimed: {}{}", ran.out, ran.err),
            _ => assert!(!noted && there, "{noted} {there}: {}{}", ran.out, ran.err),
        }
        assert_eq!(ran.code == Some(0), !live_again, "{}{}", ran.out, ran.err);
    }
}

#[test]
fn cached_copy_brings_no_key_back() {
    for without_cluster in [false, true] {
        let (world, former, new) = revoked();
        cached(&world, former);
        let next = SigningKey::rsa(2048);
        fs::write(world.dir.path().join("next.pub"), next.public_pem()).unwrap();
        let mut arguments = vec!["--public-key", "next.pub"];
        match without_cluster {
            true => arguments.push("--no-cluster"),
            false => world.cluster.server(0).faults().always("GET", LEDGER, Fault::status(500)),
        }
        let ran = world.keyless("publish", &arguments);
        let published = world.published();
        assert!(!published.contains(&world.key.kid()), "{}{}", ran.out, ran.err);
        assert!(published.contains(&new.kid()) && published.contains(&next.kid()), "{published:?}");
        ran.says("warning[key-only-public]").says(&world.key.kid());
    }
}

/// Whatever is between the bucket and its readers must not be able to write into the bucket.
#[test]
fn key_of_copy_is_not_stored() {
    let world = world(1);
    world.keyless("publish", &[]).ends(0);
    let foreign = SigningKey::rsa(2048);
    cached(&world, set(&[&world.key, &foreign]));
    let ran = world.keyless("publish", &[]);
    assert!(ran.code != Some(0), "{}{}", ran.out, ran.err);
    ran.says(&foreign.kid());
    assert_eq!(world.published(), [world.key.kid()]);
    let noted = read(&world).unwrap();
    let entry = noted["keys"].as_object().unwrap().values().find(|entry| entry["kid"] == foreign.kid());
    assert!(entry.is_none_or(|entry| entry.get("publicSince").is_none()), "{noted:#}");
}

#[test]
fn ledger_of_a_newer_version_stays() {
    let world = world(1);
    world.keyless("publish", &[]).ends(0);
    let new = SigningKey::rsa(2048);
    ledger::rotate(&world, &new);
    world.keyless("publish", &[]).ends(0);
    ledger::age(&world, 30 * DAY);
    let mut newer = read(&world).unwrap();
    newer["version"] = json!(99);
    for data in [json!({"ledger.json": newer.to_string()}), json!({"app.yaml": "a: 1"})] {
        world.cluster.put_object(json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "keyless-ledger", "namespace": "keyless-system"}, "data": data}));
        for _ in 0..2 {
            world
                .keyless("publish", &[])
                .ends(1)
                .says("warning[ledger-lost]")
                .says("left as it is")
                .says("warning[key-not-served]");
        }
        of_keys(&world, &["revoke", &world.key.kid(), "--yes"]).fails(3, "ledger-lost", &["keyless-ledger"]);
        assert_eq!(config_map(&world)["data"], data);
        assert_eq!(world.published().len(), 2, "nothing is removed");
    }
}

#[test]
fn entry_ahead_of_clock_is_named() {
    let world = world(1);
    world.keyless("publish", &[]).ends(0);
    let (old, new) = (world.key.kid(), SigningKey::rsa(2048));
    ledger::rotate(&world, &new);
    world.keyless("publish", &[]).ends(0);
    let mut odd = read(&world).unwrap();
    for entry in odd["keys"].as_object_mut().unwrap().values_mut().filter(|entry| entry["kid"] == new.kid()) {
        entry["noticed"] = json!(4_000_000_000_u64);
    }
    world.cluster.put_object(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "keyless-ledger", "namespace": "keyless-system"},
        "data": {"ledger.json": odd.to_string()}}));
    let ran = world.keyless("publish", &["-o", "json"]).ends(0).says("warning[ledger-lost]");
    assert!(ran.err.contains("2096-10-02T07:06:40Z") && ran.err.contains(&new.kid()), "{}", ran.err);
    assert!(!ran.err.contains(&old) && ran.err.contains("the clock shows 20"), "{}", ran.err);
    assert!(ran.json()["keys"].as_array().unwrap().iter().any(|key| key["status"] == "retained"));
    world.keyless("publish", &[]).ends(0).says("unchanged: 2 keys");
}

#[test]
fn former_keys_are_confirmed_by_name() {
    for mut world in [World::new(1), world(1)] {
        world.keyless("publish", &[]).ends(0);
        let (old, new) = (world.key.kid(), SigningKey::rsa(2048));
        ledger::add_to_bucket(&world, &new);
        let before = fs::read(world.jwks()).unwrap();
        world.keyless("publish", &["--same-cluster"]).fails(2, "confirmation", &["--yes", &new.kid()]);
        world.keyless("publish", &["--same-cluster", "--dry-run"]).says(&new.kid());
        assert_eq!(fs::read(world.jwks()).unwrap(), before);
        let ran = world.keyless("publish", &["--same-cluster", "--yes"]).ends(0).says(&new.kid());
        assert!(!ran.err.contains(&format!("former key of this cluster: {old}")), "{}", ran.err);
        world.key = new;
    }
}

#[test]
fn nothing_to_vouch_for_asks_nothing() {
    let world = world(1);
    world.keyless("publish", &[]).ends(0);
    world.keyless("publish", &["--same-cluster"]).ends(0);
}

#[test]
fn former_cache_time_lengthens_the_wait() {
    let world = world(1);
    world.keyless("publish", &[]).ends(0);
    world.web.change(|web| web.cache_control = Some("public, max-age=7200".into()));
    world.keyless("publish", &[]).fails(3, "read-back-failed", &["7200"]);
    world.web.change(|web| web.cache_control = Some("public, max-age=300".into()));
    let next = SigningKey::rsa(2048);
    fs::write(world.dir.path().join("next.pub"), next.public_pem()).unwrap();
    of_keys(&world, &["add", "next.pub"]).ends(0);
    world.cluster.change_servers(|server| server.key_files.push((&next).into()));
    // Caches may hold the former set for two hours, whatever the header is by now.
    ledger::age(&world, 7000);
    world.keyless("keys", &[]).ends(0).says("next: wait until");
    ledger::age(&world, 300);
    world.keyless("keys", &[]).ends(0).says("may sign");
}

#[test]
fn missing_keys_fail_verify() {
    let world = world(1);
    world.keyless("publish", &[]).ends(0);
    let new = SigningKey::rsa(2048);
    ledger::rotate(&world, &new);
    world.keyless("publish", &[]).ends(0);
    world.keyless("verify", &[]).ends(0);
    fs::write(world.jwks(), set(&[&new])).unwrap();
    world.keyless("verify", &[]).ends(1).says(&world.key.kid()).says("missing");
}

#[test]
fn unreadable_ledger_is_named_by_verify() {
    let world = world(1);
    world.keyless("publish", &[]).ends(0);
    let new = SigningKey::rsa(2048);
    ledger::rotate(&world, &new);
    world.keyless("publish", &[]).ends(0);
    world.cluster.server(0).faults().always("GET", LEDGER, Fault::status(500));
    world
        .keyless("verify", &[])
        .says("keyless-system/keyless-ledger")
        .says("could not be read (cluster-refused");
}

#[test]
fn ledger_alone_is_no_unchanged() {
    let world = World::new(1);
    world.keyless("publish", &[]).ends(0);
    world
        .cluster
        .put_object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "keyless-system"}}));
    let ran = world.keyless("publish", &["--dry-run"]).ends(1);
    assert!(!ran.out.contains("\nunchanged"), "{}", ran.out);
    ran.says("pending: ConfigMap keyless-system/keyless-ledger");
}

#[test]
fn mistyped_place_of_ledger_is_named() {
    let world = world(1);
    world.keyless("publish", &[]).ends(0);
    let config = ["--config", "keyless.yaml"];
    for (place, exists) in [("keyles-system/keyless-ledger", false), ("keyless-system/keyless-legder", true)]
    {
        let settings = format!("apiVersion: keyless/v1\ncluster: {{ledger: {place}}}\n");
        fs::write(world.dir.path().join("keyless.yaml"), settings).unwrap();
        world
            .keyless("publish", &["--config", "keyless.yaml", "--dry-run"])
            .says("warning[ledger-missing]")
            .says(place);
        world.keyless("verify", &config).says(place);
        world.keyless("publish", &config).ends(0).says("warning[ledger-missing]").says(place);
        if exists {
            let ran = world.keyless("publish", &config).ends(0);
            assert!(!ran.err.contains("ledger-missing"), "it is there by now: {}", ran.err);
        }
    }
}

/// `setup` and runs without a cluster write no ledger.
#[test]
fn staged_key_without_record_is_explained() {
    let world = world(1);
    world.keyless("publish", &[]).ends(0);
    let next = SigningKey::rsa(2048);
    fs::write(world.dir.path().join("next.pub"), next.public_pem()).unwrap();
    world.keyless("publish", &["--no-cluster", "--public-key", "next.pub"]).ends(0);
    world.keyless("publish", &[]).ends(1).says("warning[key-foreign]").says("keyless keys add FILE");
    world.keyless("keys", &[]).ends(1).says("keyless keys add FILE");
    of_keys(&world, &["add", "next.pub"]).ends(0);
    world.keyless("publish", &[]).ends(0);
}

#[test]
fn longest_token_is_looked_up() {
    let world = world(1);
    world.keyless("publish", &[]).ends(0);
    let ran = world.keyless("keys", &[]).ends(0).says("longest token outside the cluster: 86400 s");
    assert!(!ran.out.contains("could not be looked up"), "{}", ran.out);
    let token = json!({"path": "token", "audience": "vault", "expirationSeconds": 172_800});
    world.cluster.put_object(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-0", "namespace": "app"},
        "spec": {"containers": [], "volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken": token}]}}]}}));
    let ran = world.keyless("keys", &[]).ends(0).says("172800 s (Pod app/web-0 asks for it)");
    assert!(ran.out.contains("next: nothing"), "{}", ran.out);
    let next = SigningKey::rsa(2048);
    fs::write(world.dir.path().join("next.pub"), next.public_pem()).unwrap();
    of_keys(&world, &["add", "next.pub"]).ends(0);
    // The CronJob may not list pods, and waits for what was recorded.
    ledger::rotate(&world, &next);
    world.keyless("publish", &[]).ends(0);
    ledger::age(&world, DAY + 3600);
    world.keyless("publish", &[]).ends(0).says("unchanged: 2 keys");
    ledger::age(&world, DAY);
    world.keyless("publish", &[]).ends(0);
    assert_eq!(world.published(), [next.kid()]);
}

#[test]
fn next_step_names_the_files() {
    let world = world(2);
    world.cluster.put_object(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "kubeadm-config", "namespace": "kube-system"},
        "data": {"ClusterConfiguration": "kind: ClusterConfiguration"}}));
    world.keyless("publish", &[]).ends(0);
    let ran = world.keyless("keys", &[]).ends(0).says("next: nothing");
    assert!(!ran.out.contains("sa.pub"), "{}", ran.out);
    let next = SigningKey::rsa(2048);
    fs::write(world.dir.path().join("next.pub"), next.public_pem()).unwrap();
    of_keys(&world, &["add", "next.pub"]).ends(0);
    world.keyless("keys", &[]).ends(0).says("/etc/kubernetes/pki/sa.pub");
    of_keys(&world, &["wait", "--timeout", "1s"]).ends(1).says("/etc/kubernetes/pki/sa.pub");
}
