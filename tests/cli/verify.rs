//! What would stop a relying party: each failed check names what was seen, the cause and the remedy.

use std::fs;

use lab::{KeyFile, SigningKey};
use serde_json::{Value, json};

use crate::{
    estate::{DEFAULT_ISSUER, Estate},
    world::{ISSUER, World},
};

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
    let changed = rewrite(&slash, &slash.replace("prod", "prod/"));
    found(&changed, "discovery-issuer", "trailing slash");
    changed.keyless("verify", &[]).ends(1).snapshot("verify-trailing-slash");
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
fn key_foreign_to_cluster_is_found() {
    let world = world();
    let other = SigningKey::rsa(2048);
    fs::write(world.jwks(), format!(r#"{{"keys":[{}]}}"#, other.jwk_text())).unwrap();
    found(&world, "token-key", "live but not published");
    found(&world, "live-keys", "publish");
}

#[test]
fn foreign_key_under_kid_fails_signature() {
    let world = world();
    let mut other = SigningKey::rsa(2048).jwk();
    other["kid"] = world.key.kid().into();
    fs::write(world.jwks(), format!(r#"{{"keys":[{other}]}}"#)).unwrap();
    let ran = world.keyless("verify", &["--external-signer"]).ends(1).snapshot("verify-other-signature");
    assert!(ran.out.contains("token-signature"), "{}", ran.out);
}

/// A document does not choose what is requested from inside the network.
#[test]
fn jwks_uri_elsewhere_is_not_fetched() {
    let secret = "ROLE-CREDENTIAL-0123456789";
    for jwks_uri in [
        "http://127.0.0.1:PORT/latest/meta-data",
        "https://127.0.0.1:PORT/latest/meta-data",
        "http://oidc.lab.test:PORT/keys",
        "https://evil.lab.test/keys.json",
        "https://169.254.169.254/latest/meta-data",
        "http://[::1]:PORT/",
        "file:///etc/passwd",
        "https://user:pass@evil.lab.test/",
        "https://metadata.google.internal/",
    ] {
        let world = world();
        // A service listens on loopback, as a metadata service or an admin port does.
        let inside = lab::S3::start(lab::Flavour::Compatible);
        inside.faults().always("", "", lab::Fault::answer(200, "text/plain", secret));
        world.internet.route("evil.lab.test", inside.addr());
        let jwks_uri = jwks_uri.replace("PORT", &inside.addr().port().to_string());
        let body = fs::read_to_string(world.discovery()).unwrap();
        fs::write(world.discovery(), body.replace(&format!("{ISSUER}/openid/v1/jwks"), &jwks_uri)).unwrap();
        for more in [&[][..], &["--public-only"], &["-vv"]] {
            let ran = world.keyless("verify", more).ends(1).says("[discovery-jwks-uri]").says("not fetched");
            assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{jwks_uri}");
        }
        assert!(inside.faults().requests().is_empty(), "{jwks_uri} was asked");
    }
}

/// What is served instead of a key set does not belong into the output.
#[test]
fn non_json_body_is_never_shown() {
    for body in [
        "root:x:0:0:secret-of-the-machine",
        "<html>secret-of-the-machine</html>",
        "\"secret-of-the-machine\"",
    ] {
        let world = world();
        fs::write(world.jwks(), body).unwrap();
        let ran = world.keyless("verify", &["--public-only", "-vv"]).ends(1);
        assert!(!ran.out.contains("secret-of-the-machine"), "{}", ran.out);
        assert!(!ran.err.contains("secret-of-the-machine"), "{}", ran.err);
    }
}

#[test]
fn nothing_published_says_what_to_run() {
    let world = World::new(1);
    let ran = world.keyless("verify", &[]).ends(1);
    assert!(ran.out.contains("keyless publish") && ran.out.contains(" failed, "), "{}", ran.out);
    assert!(ran.out.lines().last().unwrap().contains("skipped"), "{}", ran.out);
}

#[test]
fn comma_in_issuer_flag_is_explained() {
    let world = world();
    world.cluster.change_servers(|server| {
        server.issuers = vec![format!("{ISSUER},https://kubernetes.default.svc.cluster.local")];
    });
    found(&world, "token-issuer", "two issuers in one flag");
}

/// A cluster that `keyless setup` has made keyless with uploaded keys, and whose shop reads two secrets.
fn uploaded() -> Estate {
    let estate = Estate::new();
    estate.google.add_secret("api", br#"{"token":"correct horse"}"#);
    let email = format!("serviceAccount:{}", estate.email);
    estate.google.grant("secrets/api", "roles/secretmanager.secretAccessor", &email);
    put_and_reconcile(&estate, external_secret("api", json!({"refreshInterval": "1h"})));
    estate.run(&["setup", "--yes", "--watch-for", "0s", "--force-sync"]).ends(0);
    estate
}

fn external_secret(key: &str, spec: Value) -> Value {
    let mut object = json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": {"name": key, "namespace": "shop"},
        "spec": {"secretStoreRef": {"name": "gcp", "kind": "ClusterSecretStore"}, "target": {"name": key},
            "data": [{"secretKey": "value", "remoteRef": {"key": key}}]}});
    let more = spec.as_object().unwrap().clone();
    object["spec"].as_object_mut().unwrap().extend(more);
    object
}

/// Puts it there, and gives the operator the time to have looked at it.
fn put_and_reconcile(estate: &Estate, object: Value) {
    let cluster = &estate.world.cluster;
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    cluster.put_object(object);
    let since = std::time::Instant::now();
    loop {
        let now = cluster.object("external-secrets.io/v1", "ExternalSecret", Some("shop"), &name).unwrap();
        if now["status"]["conditions"].is_array() {
            return;
        }
        assert!(since.elapsed().as_secs() < 30, "the operator does not look at {now:#}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// Every check of this name, in order.
fn checks<'a>(result: &'a Value, name: &str) -> Vec<&'a Value> {
    result["checks"].as_array().unwrap().iter().filter(|check| check["check"] == name).collect()
}

#[track_caller]
fn check<'a>(result: &'a Value, name: &str, outcome: &str) -> &'a Value {
    let found = checks(result, name);
    let [only] = found[..] else { panic!("{name}: {found:#?} in {result:#}") };
    assert_eq!(only["result"], outcome, "{only:#}");
    only
}

#[test]
fn uploaded_keys_need_no_documents() {
    let estate = uploaded();
    for settings in ["as setup wrote it", "none"] {
        if settings == "none" {
            fs::remove_file(estate.world.dir.path().join("keyless.yaml")).unwrap();
        }
        estate.world.cluster.server(0).faults().forget();
        let ran = estate.run(&["verify", "-o", "json"]).ends(0);
        assert!(ran.err.contains("waiting until ExternalSecret shop/db is read again"), "{}", ran.err);
        let result = ran.json();
        assert_eq!((&result["failed"], &result["skipped"]), (&json!(0), &json!(0)), "{settings} {result:#}");
        assert_eq!(result["issuer"], DEFAULT_ISSUER);
        let keys = check(&result, "uploaded-keys", "passed");
        assert!(keys["seen"].as_str().unwrap().contains("no public documents are needed"), "{keys}");
        let text = result.to_string();
        assert!(!text.contains("discovery-") && !text.contains("jwks-"), "{result:#}");
        check(&result, "token-signature", "passed");
        check(&result, "google-exchange", "passed");
        let read: Vec<_> = checks(&result, "google-secret").iter().map(|it| it["subject"].clone()).collect();
        assert_eq!(read, ["read of the secret api", "read of the secret db"]);
        check(&result, "store-ready", "passed");
        let again = check(&result, "external-secret-refreshed", "passed");
        assert!(again["seen"].as_str().unwrap().starts_with("read again at "), "{again}");
        // One connection's worth of questions: nothing is asked twice.
        let requests = estate.world.cluster.server(0).faults().requests();
        for once in ["/endpointslices/kubernetes", "/namespaces/kube-system", "/deployments"] {
            let asked = requests.iter().filter(|call| call.path.contains(once)).count();
            assert_eq!(asked, 1, "{once}");
        }
        let written: Vec<_> = requests
            .iter()
            .filter(|call| call.method != "GET" && !call.path.ends_with("/token"))
            .map(|call| &call.path)
            .collect();
        assert!(written.is_empty(), "{written:?}");
    }
}

#[test]
fn missing_uploaded_key_has_a_remedy() {
    let estate = uploaded();
    let added = SigningKey::rsa(2048);
    estate.world.cluster.change_servers(|server| server.key_files.push(KeyFile::Key(added.clone())));
    let result = estate.run(&["verify", "-o", "json"]).ends(1).json();
    let keys = check(&result, "uploaded-keys", "failed");
    assert!(keys["seen"].as_str().unwrap().contains(&added.kid()), "{keys}");
    assert!(keys["remedy"].as_str().unwrap().contains("keyless setup"), "{keys}");
    check(&result, "token-signature", "passed");
    // It signs by now.
    estate.world.cluster.change_servers(|server| server.signing_key = added.clone());
    let result = estate.run(&["verify", "-o", "json"]).ends(1).json();
    let signature = check(&result, "token-signature", "failed");
    assert!(signature["remedy"].as_str().unwrap().contains("keyless setup"), "{signature}");
    estate.run(&["setup", "--yes", "--watch-for", "0s", "--force-sync"]).ends(0);
    estate.run(&["verify"]).ends(0);
}

#[test]
fn unseen_uploaded_keys_rely_on_exchange() {
    let estate = uploaded();
    estate.google.deny("iam.workloadIdentityPoolProviders.get");
    let result = estate.run(&["verify", "-o", "json"]).ends(0).json();
    let keys = check(&result, "uploaded-keys", "skipped");
    assert!(keys["why"].as_str().unwrap().contains("iam.workloadIdentityPoolProviders.get"), "{keys}");
    check(&result, "google-exchange", "passed");
}

#[test]
fn every_secret_has_its_own_finding() {
    let estate = uploaded();
    put_and_reconcile(&estate, external_secret("mail", json!({"refreshInterval": "1h"})));
    let ran = estate.run(&["verify"]).ends(1);
    let at = |text: &str| ran.out.find(text).unwrap_or_else(|| panic!("{text} is not in\n{}", ran.out));
    assert!(at("ok    read of the secret api") < at("ok    read of the secret db"));
    assert!(at("ok    read of the secret db") < at("FAIL  read of the secret mail"));
    // A look does not wait for a grant that it did not make.
    assert!(
        ran.out.ends_with("1 failed\n") && !ran.err.contains("has not spread"),
        "{} {}",
        ran.out,
        ran.err
    );
}

#[test]
fn unscheduled_reads_are_not_awaited() {
    let estate = uploaded();
    let cluster = &estate.world.cluster;
    assert!(cluster.remove_object("external-secrets.io/v1", "ExternalSecret", Some("shop"), "db"));
    // The most frequent one counts, by its own interval.
    let result = estate.run(&["verify", "-o", "json"]).ends(0).json();
    let hourly = check(&result, "external-secret-refreshed", "passed");
    assert!(hourly["seen"].as_str().unwrap().contains("refreshInterval is 1h"), "{hourly}");
    for (spec, why) in [
        (json!({"refreshInterval": "0"}), "refreshInterval is 0"),
        (json!({"refreshInterval": "1s", "refreshPolicy": "CreatedOnce"}), "refreshPolicy is CreatedOnce"),
    ] {
        cluster.remove_object("external-secrets.io/v1", "ExternalSecret", Some("shop"), "api");
        put_and_reconcile(&estate, external_secret("api", spec));
        let result = estate.run(&["verify", "-o", "json"]).ends(0).json();
        let once = check(&result, "external-secret-refreshed", "skipped");
        assert!(once["why"].as_str().unwrap().contains(why), "{once}");
    }
}

#[test]
fn documents_beside_uploaded_keys_are_judged() {
    let estate = uploaded();
    let settings = estate.world.dir.path().join("keyless.yaml");
    let mut text = fs::read_to_string(&settings).unwrap();
    text.push_str(&format!("issuer: {ISSUER}\n"));
    fs::write(&settings, &text).unwrap();
    estate.world.cluster.change_servers(|server| server.issuers = vec![ISSUER.into(), DEFAULT_ISSUER.into()]);
    estate.run(&["setup", "--yes", "--watch-for", "0s", "--force-sync"]).ends(0);
    let result = estate.run(&["verify", "-o", "json"]).ends(0).json();
    assert!(checks(&result, "discovery-reachable").is_empty(), "{result:#}");
    check(&result, "uploaded-keys", "passed");

    estate.world.keyless("publish", &[]).ends(0);
    let result = estate.run(&["verify", "-o", "json"]).ends(0).json();
    for name in ["discovery-reachable", "jwks-content", "live-keys", "uploaded-keys"] {
        check(&result, name, "passed");
    }
    fs::write(estate.world.jwks(), r#"{"keys":[]}"#).unwrap();
    let result = estate.run(&["verify", "-o", "json"]).ends(1).json();
    check(&result, "jwks-content", "failed");
}

#[test]
fn documents_only_verify_ignores_the_operator() {
    let world = world();
    world.cluster.server(0).faults().forget();
    world.keyless("verify", &[]).ends(0);
    let requests = world.cluster.server(0).faults().requests();
    let paths: Vec<_> = requests.iter().map(|call| call.path.as_str()).collect();
    assert_eq!(
        paths.len(),
        7,
        "which cluster it is, where the servers are, two documents, one token, the ledger and its namespace: {paths:?}"
    );
    world.cluster.server(0).faults().forget();
    world.keyless("verify", &["--public-only"]).ends(0);
    assert!(world.cluster.server(0).faults().requests().is_empty(), "no cluster is asked");
    world.run(&["verify", "--public-only"]).fails(2, "issuer-missing", &["--issuer"]);
    world.run(&["verify", "--no-cluster"]).fails(2, "issuer-missing", &["--issuer"]);
    // Nothing is named, and there is nothing in the cluster either that could be meant.
    let kube_system = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}});
    world.cluster.put_object(kube_system);
    world.run(&["verify"]).fails(2, "issuer-missing", &["--issuer", "External Secrets Operator"]);
}
