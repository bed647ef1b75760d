//! Issuers that keyless does not publish: what the cluster signs as is what the server is told, byte for byte.

use lab::SigningKey;
use serde_json::json;

use super::{POLICY, Scene};

/// What Talos, bare metal and older clusters sign as.
const SIGNED: [&str; 7] = [
    "https://10.5.0.2:6443",
    "https://10.5.0.2:6443/",
    "https://[fd00::1]:6443",
    "https://Kubernetes.Example.COM/Prod",
    "https://kubernetes",
    "https://kubernetes.default.svc.corp.local",
    "https://oidc.example.com//a/../b%20c/~\\'\"$(x);",
];

fn scene(issuer: &str) -> Scene {
    let scene = Scene::new();
    scene.estate.world.cluster.change_servers(|server| server.issuers = vec![issuer.into()]);
    scene
}

#[test]
fn any_issuer_goes_there_and_back() {
    for issuer in SIGNED {
        let scene = scene(issuer);
        scene.ends_well();
        assert_eq!(scene.vault.jwt_config("keyless").unwrap()["bound_issuer"], issuer);
        scene.run(&["verify"]).ends(0);
        let verified = scene.run(&["verify", "-o", "json"]).ends(0).json();
        assert_eq!(verified["issuer"], issuer);
        scene.run(&["setup", "--dry-run", "--to", "vault"]).ends(0).says("nothing to do");
        scene.run(&["teardown", "--yes"]).ends(0);
        assert_eq!(
            (scene.vault.description("keyless"), scene.vault.policy(POLICY)),
            (None, None),
            "{issuer}"
        );
        scene.run(&["teardown", "--yes"]).ends(0).says("nothing to remove");
    }
}

#[test]
fn any_issuer_suits_static_key_settings() {
    let scene = scene(SIGNED[1]);
    scene.settings("mode: static-keys", &format!("issuer: {}\n", SIGNED[1]));
    scene.ends_well();
    scene.run(&["verify"]).ends(0);
    // Documents can lie at no such issuer.
    for arguments in [&["verify", "--public-only"][..], &["publish", "--bucket", "file:///tmp/x"]] {
        scene.run(arguments).fails(2, "issuer-port", &[]);
    }
    scene.settings("mode: static-keys", &format!("issuer: {}\n", SIGNED[0]));
    let ran = scene.run(&["verify"]).ends(1);
    assert!(ran.out.contains("it differs by a trailing slash"), "{}", ran.out);
}

#[test]
fn one_byte_of_difference_is_refused() {
    let scene = scene("https://10.5.0.2:6443");
    scene.ends_well();
    for other in ["https://10.5.0.2:6443/", "https://10.5.0.2", "HTTPS://10.5.0.2:6443"] {
        scene.estate.world.cluster.change_servers(|server| server.issuers = vec![other.into()]);
        // An API server has no documents for the last, and so nothing can be verified.
        let code = if other.starts_with("HTTPS") { 3 } else { 1 };
        scene.run(&["verify"]).ends(code);
        if code == 1 {
            scene
                .run(&["setup", "--dry-run", "--to", "vault"])
                .ends(1)
                .says("bound_issuer: https://10.5.0.2:6443 → ");
        }
    }
}

#[test]
fn provider_rules_bind_one_provider_only() {
    let long = format!("https://kubernetes.example.com/{}", "a".repeat(1990));
    let scene = scene(&long);
    scene.estate.google.faults().forget();
    let ran = scene.setup("google").fails(3, "google-issuer", &["Google does not take", "1999"]);
    assert!(ran.err.contains("--service-account-issuer"), "{}", ran.err);
    assert!(scene.estate.google.federation().is_empty(), "nothing was made");
    scene.old_path_is_untouched();
    scene.ends_well();
    // An issuer that is an address is Google's to believe as well, if the keys are uploaded.
    let scene = self::scene("https://10.5.0.2:6443/");
    scene.setup("google").ends(0);
    scene.run(&["verify"]).ends(0);
}

#[test]
fn staged_key_survives_a_rotation() {
    let scene = Scene::new();
    scene.ends_well();
    let next = SigningKey::rsa(2048);
    std::fs::write(scene.estate.world.dir.path().join("next.pub"), next.public_pem()).unwrap();
    let given = || {
        let config = scene.vault.jwt_config("keyless").unwrap();
        config["jwt_validation_pubkeys"].as_array().unwrap().len()
    };
    let dry = scene.run(&["setup", "--dry-run", "--to", "vault", "--public-key", "next.pub"]).ends(1);
    assert!(dry.out.contains(&format!("key {}  RSA 2048  staged", next.kid())), "{}", dry.out);
    assert!(dry.out.contains("jwt_validation_pubkeys: ") && given() == 1, "{}", dry.out);
    scene.run(&["setup", "--yes", "--to", "vault", "--public-key", "next.pub"]).ends(0);
    assert_eq!(given(), 2);
    // It is kept by a run that is not told of it again, because the settings say it now.
    scene.run(&["setup", "--dry-run", "--to", "vault"]).ends(0).says("nothing to do");
    scene.run(&["verify"]).ends(0).says(&format!("staged: {}", next.kid()));

    let cluster = &scene.estate.world.cluster;
    cluster.change_servers(|server| server.key_files.push((&next).into()));
    cluster.change_servers(|server| server.signing_key = next.clone());
    scene.run(&["verify"]).ends(0);
    scene.run(&["setup", "--dry-run", "--to", "vault"]).ends(0).says("nothing to do");
    // The old key stays until its tokens have expired.
    cluster.change_servers(|server| server.key_files = vec![(&next).into()]);
    scene.run(&["verify"]).ends(0).says("not live, and known from the ledger");
    scene.run(&["setup", "--yes", "--to", "vault"]).ends(0).says("nothing to do");
    assert_eq!(given(), 2);
    // Without the ledger it is not known whose it is.
    cluster.remove_object("v1", "ConfigMap", Some("keyless-system"), "keyless-ledger");
    scene.run(&["verify"]).ends(1).says("trusted, but neither live nor staged");
    scene.run(&["setup", "--yes", "--to", "vault"]).ends(0).says("warning[key-not-served]");
    assert_eq!(given(), 1);
    scene.run(&["verify"]).ends(0);
}

#[test]
fn silent_server_removes_no_uploaded_key() {
    let scene = Scene::with_servers(2);
    let other = SigningKey::rsa(2048);
    let key = scene.estate.world.key.clone();
    scene.estate.world.cluster.change_servers(|server| {
        server.key_files = vec![(&key).into(), (&other).into()];
    });
    scene.estate.world.cluster.server(1).change(|server| {
        server.signing_key = other.clone();
    });
    scene.ends_well();
    scene.estate.world.cluster.server(0).change(|server| server.key_files = vec![(&key).into()]);
    scene.estate.world.cluster.server(1).stop();
    let ran = scene.run(&["setup", "--yes", "--to", "vault"]);
    assert!(ran.err.contains("warning[server-unreachable]"), "{ran:?}");
    let config = scene.vault.jwt_config("keyless").unwrap();
    assert_eq!(config["jwt_validation_pubkeys"].as_array().unwrap().len(), 2, "{config:#}");
    assert_eq!(json!(config["bound_issuer"]).as_str().unwrap(), crate::estate::DEFAULT_ISSUER);
}
