//! What can be wrong with what lies in the bucket, or with what relying parties get of it.

use std::{fs, time::Duration};

use lab::Fault;

use crate::world::{ISSUER, World};

#[test]
fn documents_of_other_issuer_stay() {
    let world = World::new(1);
    let theirs =
        r#"{"issuer":"https://oidc.lab.test/other","jwks_uri":"https://oidc.lab.test/other/openid/v1/jwks"}"#;
    world.put(&world.discovery(), theirs);
    world.keyless("publish", &[]).fails(3, "bucket-other-issuer", &["https://oidc.lab.test/other", ISSUER]);
    assert_eq!(fs::read_to_string(world.discovery()).unwrap(), theirs);
    assert!(!world.jwks().exists());
}

#[test]
fn unreadable_published_documents_are_not_overwritten() {
    for (body, code) in
        [("<html>hello</html>", "body-html"), ("{\"keys\":[]}", "key-set-empty"), ("", "body-empty")]
    {
        let world = World::new(1);
        world.put(&world.jwks(), body);
        world.keyless("publish", &[]).fails(3, code, &["the published key set", "by hand"]);
        assert_eq!(fs::read_to_string(world.jwks()).unwrap(), body);
        assert!(!world.discovery().exists());
    }
}

/// Every way in which relying parties may get something else than what was written is an error after writing, and
/// running again once it is fixed changes nothing and is clean.
#[test]
fn publish_fails_until_publicly_readable() {
    let jwks = "/prod/openid/v1/jwks";
    for (fault, names) in [
        (Fault::status(403), "403"),
        (Fault::status(404), "404"),
        (Fault::status(500), "500"),
        (Fault::html(), "text/html"),
        (Fault::CutBody, "ended in the middle"),
        (Fault::gibibyte(), "more than 1024 KiB"),
    ] {
        let world = World::new(1);
        world.web.faults().always("GET", jwks, fault);
        world.keyless("publish", &[]).fails(3, "read-back-failed", &[names, ISSUER]);
        world.web.faults().clear();
        world.keyless("publish", &[]).ends(0).says("unchanged: 1 key");
    }
}

#[test]
fn headers_that_strangers_stumble_over() {
    let world = World::new(1);
    world.web.change(|web| web.cache_control = Some("public, max-age=86400".into()));
    world.keyless("publish", &[]).fails(3, "read-back-failed", &["86400", "max-age=300"]);
    world.web.change(|web| {
        web.cache_control = Some("public, max-age=300".into());
        web.content_types.clear();
    });
    world.keyless("publish", &[]).fails(3, "read-back-failed", &["application/octet-stream"]);
}

#[test]
fn a_redirect_is_noticed() {
    let world = World::new(1);
    world.web.change(|web| {
        web.redirects.insert("/prod/openid/v1/jwks".into(), "https://elsewhere.lab.test/jwks".into());
    });
    world.keyless("publish", &[]).fails(3, "read-back-failed", &["301", "https://elsewhere.lab.test/jwks"]);
    world.keyless("verify", &[]).ends(1).says("it redirects");
}

#[test]
fn unroutable_host_or_untrusted_certificate_fails() {
    let world = World::new(1);
    world.internet.unroute("oidc.lab.test");
    let ran = world.keyless("publish", &[]).ends(3);
    assert!(ran.err.contains("oidc.lab.test"), "{}", ran.err);
    let world = World::new(1);
    fs::write(world.dir.path().join("ca.pem"), lab::Ca::new().pem()).unwrap();
    world.keyless("verify", &["--public-only"]).ends(1).says("no certificate that is trusted");
}

#[test]
fn slow_document_hits_the_total_limit() {
    let world = World::new(1);
    world.keyless("publish", &[]).ends(0);
    world.web.faults().always("GET", "openid-configuration", Fault::Trickle(Duration::from_secs(1)));
    world.keyless("verify", &["--public-only"]).ends(1).says("did not answer within 10 s");
}

#[test]
fn stale_cached_document_is_a_warning() {
    let world = World::new(1);
    world.keyless("publish", &[]).ends(0);
    let former = fs::read(world.jwks()).unwrap();
    let new = lab::SigningKey::rsa(2048);
    world.cluster.change_servers(|server| server.key_files.push((&new).into()));
    let cached = Fault::Answer {
        status: 200,
        headers: vec![
            ("content-type".into(), "application/jwk-set+json".into()),
            ("cache-control".into(), "public, max-age=300".into()),
            ("age".into(), "17".into()),
        ],
        body: former,
    };
    world.web.faults().always("GET", "/prod/openid/v1/jwks", cached);
    let ran = world.keyless("publish", &[]).ends(0).says("warning[public-copy-stale]").says("age 17 s");
    assert!(ran.out.contains("stored: 2 keys") && !ran.out.contains("published:"), "{}", ran.out);
    assert_eq!(world.published().len(), 2);
}
