//! Where `jwks_uri` leads, and key sets that cannot be read.

use super::*;

#[test]
fn foreign_jwks_uri_keys_are_refused() {
    let world = World::new(1);
    let theirs = SigningKey::rsa(2048);
    made_by_another_publisher(&world, &[&theirs]);
    let before = fs::read_to_string(world.discovery()).unwrap();
    world.keyless("publish", &[]).fails(3, "issuer-of-another-cluster", &[&theirs.kid(), &world.key.kid()]);
    assert_eq!(fs::read_to_string(world.discovery()).unwrap(), before);
    assert!(!world.jwks().exists());
    // A set of ours beside it does not make it ours.
    world.put(&world.jwks(), set(&[&world.key]));
    world.keyless("publish", &[]).fails(3, "issuer-of-another-cluster", &[&theirs.kid()]);
    world.keyless("publish", &["--same-cluster", "--yes"]).ends(0).says("published: 2 keys");
}

/// The key set lies behind a web server only, and not in the folder.
#[test]
fn key_set_outside_bucket_is_fetched() {
    let world = World::new(1);
    let former = SigningKey::rsa(2048);
    world.put(&world.discovery(), discovery("https://oidc.lab.test/elsewhere/keys?v=2"));
    let body = set(&[&world.key, &former]);
    world.web.faults().always("GET", "/elsewhere/keys", Fault::answer(200, "application/json", body));
    world.keyless("publish", &[]).ends(0).says("published: 2 keys");
    assert_eq!(kids(&world), sorted(&[&world.key, &former]));
}

/// A document that is public and does not lie in the bucket: where it leads counts as well.
#[test]
fn key_set_of_public_document_survives() {
    let former = SigningKey::rsa(2048);
    for (jwks_uri, served, code) in [
        (format!("{ISSUER}/keys.json"), true, None),
        (format!("{ISSUER}/keys.json"), false, Some("published-keys-unreadable")),
        ("https://evil.lab.test/keys.json".to_owned(), true, Some("published-keys-unreadable")),
        ("https://10.0.0.1:6443/openid/v1/jwks".to_owned(), true, Some("published-keys-unreadable")),
    ] {
        let world = World::new(1);
        world.put(&world.jwks(), set(&[&world.key]));
        let document = Fault::answer(200, "application/json", discovery(&jwks_uri));
        world.web.faults().next(1, "GET", "openid-configuration", document);
        if served {
            let body = set(&[&world.key, &former]);
            world.web.faults().always("GET", "/keys.json", Fault::answer(200, "application/json", body));
        }
        match code {
            None => {
                world.keyless("publish", &[]).ends(0);
                assert_eq!(kids(&world), sorted(&[&world.key, &former]));
            }
            Some(code) => {
                world.keyless("publish", &[]).fails(3, code, &[&jwks_uri, "--restore"]);
                assert!(!world.discovery().exists());
            }
        }
    }
}

/// The URL shows this very issuer, and not out of this folder.
#[test]
fn folder_not_behind_issuer_stays_empty() {
    let world = World::new(1);
    world.keyless("publish", &[]).ends(0);
    let other = world.dir.path().join("other");
    fs::create_dir(&other).unwrap();
    let bucket = format!("file://{}", other.display());
    let arguments = ["publish", "--bucket", &bucket, "--issuer", ISSUER, "--ca-file", "ca.pem"];
    world.run(&arguments).fails(3, "issuer-leads-elsewhere", &[&bucket, ISSUER]);
    assert_eq!(fs::read_dir(&other).unwrap().count(), 0);
}

#[test]
fn public_foreign_discovery_document_is_refused() {
    let world = World::new(1);
    let theirs = json!({"issuer": "https://oidc.lab.test/theirs", "jwks_uri": "https://oidc.lab.test/theirs/openid/v1/jwks"});
    let fault = Fault::answer(200, "application/json", theirs.to_string());
    world.web.faults().always("GET", "openid-configuration", fault);
    world.keyless("publish", &[]).fails(
        3,
        "issuer-leads-elsewhere",
        &["https://oidc.lab.test/theirs", ISSUER],
    );
    assert!(!world.jwks().exists() && !world.discovery().exists());
}

/// On a host that serves many buckets, the first part of the path says whose.
#[test]
fn foreign_buckets_key_set_is_refused() {
    let store = Store::new(1, Flavour::Compatible);
    store.keyless("publish", &["--create"]).ends(0);
    let issuer = "https://s3.lab.test/acme-oidc";
    let document = |jwks_uri: &str| discovery(jwks_uri).replace(ISSUER, issuer);
    let put = |body: &str| {
        let name = ".well-known/openid-configuration";
        let cache = Some("public, max-age=300");
        store.s3.put("acme-oidc", name, "application/json", cache, body.as_bytes());
    };
    let theirs = SigningKey::rsa(2048);
    let body = set(&[&store.world.key, &theirs]);
    store.s3.faults().always("GET", "/evil/", Fault::answer(200, "application/json", body));
    for jwks_uri in [
        "https://s3.lab.test/evil/keys.json",
        "https://s3.lab.test/acme-oidc/../evil/keys.json",
        "https://s3.lab.test/acme-oidc/%2e%2e/evil/keys.json",
        "https://s3.lab.test/evil/acme-oidc/openid/v1/jwks",
    ] {
        put(&document(jwks_uri));
        store.s3.faults().forget();
        store.keyless("publish", &[]).fails(3, "published-keys-elsewhere", &[jwks_uri, "--restore"]);
        let asked = store.s3.faults().requests();
        assert!(!asked.iter().any(|call| call.path.contains("keys.json")), "{asked:?}");
        store.keyless("verify", &["--public-only"]).ends(1).says("outside the issuer's path");
        store.keyless("publish", &["--restore", "--yes"]).ends(0);
        store.keyless("verify", &["--public-only"]).ends(0);
        let body = store.s3.object("acme-oidc", "openid/v1/jwks").unwrap().body;
        assert!(!String::from_utf8(body).unwrap().contains(&theirs.kid()), "{jwks_uri}");
    }
}

#[test]
fn ambiguous_jwks_uri_is_refused() {
    let kept = SigningKey::rsa(2048);
    for (jwks_uri, read) in [
        (format!("{ISSUER}/keys.json#part"), true),
        (format!("{ISSUER}/keys.json?v=1"), true),
        ("https://oidc.lab.test:443/prod/keys.json".to_owned(), true),
        ("https://oidc.lab.test:8443/prod/keys.json".to_owned(), false),
        ("https://admin@oidc.lab.test/prod/keys.json".to_owned(), false),
        ("https://admin:hunter2@oidc.lab.test/prod/keys.json".to_owned(), false),
        ("https://oidc.lab.test@evil.lab.test/prod/keys.json".to_owned(), false),
        ("https://oidc.lab.test\\@evil.lab.test/prod/keys.json".to_owned(), false),
        ("https://oidc.lab.test\t/prod/keys.json".to_owned(), false),
        ("https://oidc.lab.test./prod/keys.json".to_owned(), false),
        ("https://OIDC.lab.test/prod/keys.json".to_owned(), false),
        ("https://oidc%2elab.test/prod/keys.json".to_owned(), false),
        ("//oidc.lab.test/prod/keys.json".to_owned(), false),
        ("keys.json".to_owned(), false),
    ] {
        let world = World::new(1);
        world.put(&world.discovery(), discovery(&jwks_uri));
        world.put(&world.www.join("prod/keys.json"), set(&[&world.key, &kept]));
        let ran = world.keyless("publish", &[]);
        assert!(!ran.err.contains("hunter2") || !read, "{}", ran.err);
        match read {
            true => {
                ran.ends(0);
                assert_eq!(kids(&world), sorted(&[&world.key, &kept]), "{jwks_uri}");
            }
            false => {
                ran.fails(3, "published-keys-elsewhere", &["--restore"]);
                assert!(!world.jwks().exists(), "{jwks_uri}");
                let ran = world.keyless("verify", &["--public-only"]).ends(1);
                assert!(ran.out.contains("✗") || ran.out.contains("fail"), "{}", ran.out);
            }
        }
        assert_eq!(world.internet.connections("evil.lab.test"), 0);
    }
}
