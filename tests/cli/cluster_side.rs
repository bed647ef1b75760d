//! What can be wrong with the cluster: each a clear error or warning, and nothing half-written.

use std::time::{Duration, Instant};

use lab::{Fault, KeyFile, Right, SigningKey};
use serde_json::{Value, json};

use crate::world::World;

/// Publishing must end with this error and leave the bucket empty.
#[track_caller]
fn refused(world: &World, code: &str, names: &[&str]) {
    world.keyless("publish", &[]).fails(3, code, names);
    assert!(!world.jwks().exists() && !world.discovery().exists(), "something was written");
}

/// One API server that serves this JWK beside its good key.
fn serving(jwk: Value) -> World {
    let world = World::new(1);
    world.cluster.change_servers(|server| server.key_files.push(KeyFile::Raw(jwk.clone())));
    world
}

#[test]
fn no_key_at_all() {
    let world = World::new(2);
    world.cluster.change_servers(|server| server.key_files.clear());
    refused(&world, "key-set-empty", &["API server 127.0.0."]);
}

#[test]
fn success_statuses_without_a_key_set() {
    for (fault, code) in [
        (Fault::html(), "body-html"),
        (Fault::kubernetes_status(), "body-status"),
        (Fault::gibibyte(), "body-too-large"),
        (Fault::answer(200, "application/json", ""), "body-empty"),
        (Fault::answer(200, "application/json", b"\xff\xfe{\"keys\":[]}".to_vec()), "body-not-utf8"),
    ] {
        let world = World::new(1);
        world.cluster.server(0).faults().always("GET", "/openid/v1/jwks", fault.clone());
        refused(&world, code, &["127.0.0."]);
        // One of two: the other's keys are published, and the run is no success.
        let world = World::new(2);
        world.cluster.server(1).faults().always("GET", "/openid/v1/jwks", fault);
        let ran = world.keyless("publish", &[]).ends(3).says("warning[server-bad-answer]");
        assert!(ran.err.contains(code) && ran.err.contains("127.0.0.2:"), "{}", ran.err);
        assert_eq!(world.published(), [world.key.kid()]);
    }
}

#[test]
fn ten_thousand_keys() {
    let world = World::new(1);
    let key = world.key.jwk();
    world.cluster.change_servers(|server| server.key_files = vec![KeyFile::Raw(key.clone()); 1500]);
    refused(&world, "key-set-too-large", &["1500 keys"]);
    // 10,000 are more than the limit of a body.
    world.cluster.change_servers(|server| server.key_files = vec![KeyFile::Raw(key.clone()); 10_000]);
    refused(&world, "body-too-large", &["1024 KiB"]);
}

#[test]
fn keys_that_nobody_may_publish() {
    let good = SigningKey::rsa(2048).jwk();
    let with = |member: &str, value: Value| {
        let mut jwk = good.clone();
        jwk[member] = value;
        jwk
    };
    let weak = SigningKey::rsa(2048).jwk();
    for (jwk, code) in [
        (with("d", json!("AAAA")), "jwk-private-member"),
        (with("x5c", json!(["MIIB"])), "jwk-foreign-member"),
        (with("key_ops", json!(["verify"])), "jwk-foreign-member"),
        (with("kid", weak["kid"].clone()), "jwk-wrong-kid"),
        (with("e", json!("AQ")), "jwk-bad-rsa"),
        // 2^31 + 1: go-jose drops a whole set that holds it.
        (with("e", json!("gAAAAQ")), "jwk-bad-rsa"),
        (with("e", json!("AQAAAAAAAQAB")), "jwk-bad-rsa"),
        (with("kty", json!("XYZ")), "jwk-unknown-type"),
        (json!({"kty": "EC", "crv": "P-192", "kid": "a", "x": "AA", "y": "AA"}), "jwk-curve"),
    ] {
        refused(&serving(jwk), code, &["key 2", "the key set that it serves"]);
    }
}

#[test]
fn one_kid_for_two_keys() {
    let world = World::new(1);
    let mut other = SigningKey::rsa(2048).jwk();
    other["kid"] = json!(world.key.kid());
    world.cluster.change_servers(|server| server.key_files.push(KeyFile::Raw(other.clone())));
    world.keyless("publish", &["--external-signer"]).fails(3, "jwk-duplicate-kid", &[&world.key.kid()]);
}

#[test]
fn external_signer_names_keys_freely() {
    let world = World::new(1);
    let mut named = world.key.jwk();
    named["kid"] = json!("keys/2026-11");
    world.cluster.change_servers(|server| {
        server.key_files = vec![KeyFile::Raw(named.clone())];
        server.kid = Some("keys/2026-11".into());
    });
    refused(&world, "jwk-wrong-kid", &["--external-signer"]);
    world.keyless("publish", &["--external-signer"]).ends(0);
    world.keyless("verify", &["--external-signer"]).ends(0);
}

#[test]
fn unreadable_keys_are_omitted_unless_signing() {
    let okp = json!({"kty": "OKP", "use": "sig", "alg": "EdDSA", "crv": "Ed25519", "kid": "ed", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let world = serving(okp);
    world.keyless("publish", &[]).ends(0).says("warning[key-left-out]").says("published: 1 key");
    world.keyless("verify", &[]).ends(0);

    let akp = json!({"kty": "AKP", "use": "sig", "alg": "ML-DSA-44", "kid": "ml-dsa", "pub": "AAAA"});
    let world = serving(akp);
    world.cluster.change_servers(|server| server.kid = Some("ml-dsa".into()));
    refused(&world, "signer-unpublishable", &["AKP"]);
}

#[test]
fn signing_key_not_served_is_reported() {
    let world = World::new(2);
    let lost = SigningKey::rsa(2048);
    world.cluster.server(0).change(|server| server.signing_key = lost.clone());
    world.keyless("publish", &[]).ends(3).says("warning[signer-not-served]").says(&lost.kid());
    assert_eq!(world.published(), [world.key.kid()], "what is known is published");
    world.keyless("verify", &[]).ends(1).says("it refuses its own tokens");
}

#[test]
fn each_missing_right_is_named() {
    for (right, names) in [
        (Right::EndpointSlices, &["endpointslices.discovery.k8s.io", "`default`"][..]),
        (Right::Jwks, &["/openid/v1/jwks"]),
        (Right::Discovery, &["/.well-known/openid-configuration"]),
        (Right::CreateToken, &["serviceaccounts/token", "`default`"]),
    ] {
        let world = World::new(1);
        world.cluster.revoke("admin", right);
        refused(&world, "cluster-forbidden", names);
    }
}

#[test]
fn an_expired_credential() {
    let world = World::new(1);
    world.cluster.expire("admin");
    refused(&world, "cluster-unauthorized", &["expired"]);
}

#[test]
fn refusals_keep_what_the_server_said() {
    for (status, code) in [
        (404, "issuer-endpoints-missing"),
        (409, "cluster-refused"),
        (412, "cluster-refused"),
        (429, "cluster-busy"),
        (500, "cluster-refused"),
        (503, "cluster-busy"),
    ] {
        let world = World::new(1);
        let body = format!(r#"{{"kind":"Status","message":"reason {status}"}}"#);
        let fault = Fault::answer(status, "application/json", body);
        world.cluster.server(0).faults().always("GET", "/openid/v1/jwks", fault);
        refused(&world, code, &[&format!("reason {status}"), "127.0.0."]);
    }
}

#[test]
fn missing_endpoint_slice_gives_a_warning() {
    let world = World::new(1);
    world.cluster.change(|cluster| cluster.endpoint_slice = false);
    world.keyless("publish", &[]).ends(0).says("warning[servers-not-singly]").says("no EndpointSlice");
}

#[test]
fn servers_that_cannot_be_reached_singly() {
    // None of them: the kubeconfig's address answers for all.
    let world = World::new(1);
    let unused = "127.0.0.99:1".parse().unwrap();
    world.cluster.change(|cluster| cluster.advertised = Some(vec![unused]));
    world.keyless("publish", &[]).ends(0).says("warning[servers-not-singly]");
    // One of two: it is named, the other's keys are published.
    let world = World::new(2);
    world.cluster.server(1).stop();
    world.keyless("publish", &[]).ends(3).says("warning[server-unreachable]").says("published: 1 key");
    world.keyless("verify", &[]).ends(1).says("keys that only this server serves cannot be seen");
}

#[test]
fn no_server_at_all() {
    let world = World::new(1);
    world.cluster.server(0).stop();
    refused(&world, "connect", &["127.0.0."]);
}

#[test]
fn cut_or_endless_answer_is_refused() {
    let world = World::new(1);
    world.cluster.server(0).faults().always("GET", "/openid/v1/jwks", Fault::CutBody);
    refused(&world, "body-cut", &["/openid/v1/jwks"]);

    let world = World::new(1);
    world.cluster.server(0).faults().always("GET", "/openid/v1/jwks", Fault::Trickle(Duration::from_secs(1)));
    let start = Instant::now();
    refused(&world, "timeout", &["/openid/v1/jwks"]);
    assert!(start.elapsed() < Duration::from_secs(40), "the limit is on the whole answer");
}

#[test]
fn an_unknown_service_account_is_named() {
    let world = World::new(1);
    world.keyless("publish", &["--service-account", "apps/none"]).fails(
        3,
        "service-account-missing",
        &["apps/none", "--service-account"],
    );
}

#[test]
fn a_clock_that_is_wrong() {
    let world = World::new(1);
    world.cluster.change_servers(|server| server.clock_offset = 600);
    world.keyless("publish", &[]).ends(0).says("warning[clock-skew]");
    world.keyless("verify", &[]).ends(1).says("clock");
}
