//! What a stranger would stumble over: each failed check names what was seen, the cause and the remedy.

use std::fs;

use crate::world::{ISSUER, World};

fn world() -> World {
    let world = World::new(1);
    world.keyless("publish", &[]).ends(0);
    world
}

/// Changes a published document and expects exactly this check to fail.
#[track_caller]
fn found(world: &World, check: &str, says: &str) {
    let ran = world.keyless("verify", &["-o", "json"]).ends(1).json();
    let failed: Vec<_> =
        ran["checks"].as_array().unwrap().iter().filter(|c| c["result"] == "failed").collect();
    let hit =
        failed.iter().find(|finding| finding["check"] == check).unwrap_or_else(|| panic!("{failed:#?}"));
    assert!(hit.to_string().contains(says), "{hit:#}");
    for part in ["seen", "cause", "remedy"] {
        assert!(!hit[part].as_str().unwrap().is_empty(), "{part} of {hit:#}");
    }
}

#[test]
fn changed_discovery_documents() {
    let rewrite = |from: &str, to: &str| {
        let world = world();
        let body = fs::read_to_string(world.discovery()).unwrap();
        assert!(body.contains(from));
        fs::write(world.discovery(), body.replace(from, to)).unwrap();
        world
    };
    let slash = format!(r#""issuer":"{ISSUER}""#);
    found(&rewrite(&slash, &slash.replace("prod", "prod/")), "discovery-issuer", "trailing slash");
    found(&rewrite(&slash, &slash.replace("prod", "Prod")), "discovery-issuer", "case");
    found(
        &rewrite(&slash, r#""issuer":"https://kubernetes.default.svc.cluster.local""#),
        "discovery-issuer",
        "default issuer",
    );
    found(
        &rewrite(&format!("{ISSUER}/openid"), "https://10.0.0.1:6443/openid"),
        "discovery-jwks-uri",
        "private",
    );
    found(
        &rewrite(&format!("{ISSUER}/openid"), "https://evil.lab.test/openid"),
        "discovery-jwks-uri",
        "host",
    );
    found(&rewrite("authorization_endpoint", "other"), "discovery-members", "authorization_endpoint");
    found(&rewrite(r#"["RS256"]"#, r#"["ES256"]"#), "discovery-algorithms", "RS256");
    found(&rewrite("{", "<html>"), "discovery-content", "web page");
}

#[test]
fn changed_key_sets() {
    let rewrite = |change: &dyn Fn(String) -> String| {
        let world = world();
        let body = fs::read_to_string(world.jwks()).unwrap();
        fs::write(world.jwks(), change(body)).unwrap();
        world
    };
    found(&rewrite(&|body| body.replace(r#""alg":"RS256","#, "")), "jwks-content", "alg");
    found(&rewrite(&|body| body.replace(r#""use":"sig","#, "")), "jwks-content", "use");
    found(
        &rewrite(&|body| body.replace(r#"{"kty""#, r#"{"d":"AAAA","kty""#)),
        "jwks-content",
        "private member",
    );
    found(&rewrite(&|_| r#"{"keys":[]}"#.into()), "jwks-content", "no key");
    found(
        &rewrite(&|body| {
            let key = body.trim_start_matches(r#"{"keys":["#).trim_end_matches("]}").to_owned();
            format!(r#"{{"keys":[{key},{key}]}}"#)
        }),
        "jwks-content",
        "twice",
    );
    found(
        &rewrite(&|body| {
            body.replace(r#"{"keys":["#, r#"{"keys":[{"kty":"OKP","kid":"ed","crv":"Ed25519","x":"AA"},"#)
        }),
        "jwks-content",
        "OKP",
    );
}

#[test]
fn a_key_that_is_not_the_clusters_own() {
    let world = world();
    let other = lab::SigningKey::rsa(2048);
    fs::write(world.jwks(), format!(r#"{{"keys":[{}]}}"#, other.jwk_text())).unwrap();
    found(&world, "token-key", "live but not published");
    found(&world, "live-keys", "publish");
}

#[test]
fn another_key_under_the_clusters_kid_is_caught_by_the_signature() {
    let world = world();
    let mut other = lab::SigningKey::rsa(2048).jwk();
    other["kid"] = world.key.kid().into();
    fs::write(world.jwks(), format!(r#"{{"keys":[{other}]}}"#)).unwrap();
    let ran = world.keyless("verify", &["--external-signer"]).ends(1);
    assert!(ran.out.contains("token-signature"), "{}", ran.out);
}

#[test]
fn nothing_published_says_what_to_run() {
    let world = World::new(1);
    let ran = world.keyless("verify", &[]).ends(1);
    assert!(ran.out.contains("keyless publish") && ran.out.contains(" failed, "), "{}", ran.out);
    assert!(ran.out.lines().last().unwrap().contains("skipped"), "{}", ran.out);
}

#[test]
fn a_comma_in_the_issuer_flag_is_explained() {
    let world = world();
    world.cluster.change_servers(|server| {
        server.issuers = vec![format!("{ISSUER},https://kubernetes.default.svc.cluster.local")];
    });
    found(&world, "token-issuer", "two issuers in one flag");
}
