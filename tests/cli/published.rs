//! What is public already: found where the documents lead, never lost, never taken for what it is not.

mod places;

use std::{
    fs,
    process::Stdio,
    time::{Duration, Instant},
};

use lab::{Curve, Fault, Flavour, KeyFile, SigningKey};
use serde_json::{Value, json};

use crate::{
    buckets::Store,
    world::{ISSUER, Ran, World},
};

/// A key set as another publisher writes it.
fn set(keys: &[&SigningKey]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
    json!({ "keys": keys }).to_string()
}

fn discovery(jwks_uri: &str) -> String {
    json!({"issuer": ISSUER, "jwks_uri": jwks_uri, "authorization_endpoint": "urn:kubernetes:programmatic_authorization",
        "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"], "claims_supported": ["sub", "iss"]})
    .to_string()
}

fn kids(world: &World) -> Vec<String> {
    let mut kids = world.published();
    kids.sort();
    kids
}

fn sorted(keys: &[&SigningKey]) -> Vec<String> {
    let mut kids: Vec<_> = keys.iter().map(|key| key.kid()).collect();
    kids.sort();
    kids
}

/// An issuer that eks-pod-identity-webhook or ccoctl made, with the key set at another name.
fn made_by_another_publisher(world: &World, keys: &[&SigningKey]) {
    world.put(&world.discovery(), discovery(&format!("{ISSUER}/keys.json")));
    world.put(&world.www.join("prod/keys.json"), set(keys));
}

#[test]
fn keys_of_foreign_publisher_are_kept() {
    let world = World::new(1);
    let former = SigningKey::rsa(2048);
    made_by_another_publisher(&world, &[&world.key, &former]);
    let ran = world.keyless("publish", &["--dry-run"]).ends(1);
    let change = format!("jwks_uri: {ISSUER}/keys.json → {ISSUER}/openid/v1/jwks");
    assert!(ran.out.contains(&change), "{}", ran.out);
    assert!(!world.jwks().exists());
    world.keyless("publish", &[]).ends(0).says("published: 2 keys");
    assert_eq!(kids(&world), sorted(&[&world.key, &former]));
    world.keyless("publish", &[]).ends(0).says("unchanged: 2 keys");
    world.keyless("verify", &[]).ends(0);
}

#[test]
fn unreadable_key_sets_suggest_restore() {
    for (jwks_uri, fault, code) in [
        ("https://evil.lab.test/keys.json", None, "published-keys-elsewhere"),
        ("http://oidc.lab.test/prod/keys.json", None, "published-keys-elsewhere"),
        ("http://127.0.0.1/latest/meta-data", None, "published-keys-elsewhere"),
        ("https://169.254.169.254/latest/meta-data", None, "published-keys-elsewhere"),
        ("https://10.0.0.1:6443/openid/v1/jwks", None, "published-keys-elsewhere"),
        ("https://oidc.lab.test/prod/keys.json", None, "published-keys-unreadable"),
        ("https://oidc.lab.test/prod/keys.json", Some(Fault::status(500)), "published-keys-unreadable"),
        ("https://oidc.lab.test/prod/keys.json", Some(Fault::html()), "body-html"),
        (
            "https://oidc.lab.test/prod/keys.json",
            Some(Fault::answer(200, "application/json", "{\"keys\":[]}")),
            "key-set-empty",
        ),
    ] {
        let world = World::new(1);
        let before = discovery(jwks_uri);
        world.put(&world.discovery(), &before);
        if let Some(fault) = fault {
            world.web.faults().always("GET", "/prod/keys.json", fault);
        }
        world.keyless("publish", &[]).fails(3, code, &["--restore"]);
        assert_eq!(fs::read_to_string(world.discovery()).unwrap(), before, "{jwks_uri}");
        assert!(!world.jwks().exists(), "{jwks_uri}");
        // The remedy works.
        world.keyless("publish", &["--restore", "--yes"]).ends(0).says(jwks_uri);
        assert_eq!(kids(&world), [world.key.kid()]);
    }
}

/// A set that was emptied, damaged or replaced does not stop publishing for good.
#[test]
fn spoilt_key_sets_can_be_restored() {
    let good = SigningKey::rsa(2048);
    let damaged = |world: &World| {
        let mut spoilt = world.key.jwk();
        spoilt["n"] = json!("AA");
        json!({"keys": [good.jwk(), spoilt]}).to_string()
    };
    let private = |_: &World| {
        let mut leaked = SigningKey::rsa(2048).jwk();
        leaked["d"] = json!("AAAA");
        json!({"keys": [good.jwk(), leaked]}).to_string()
    };
    for (body, code, kept) in [
        (&(|_: &World| "{\"keys\":[]}".to_owned()) as &dyn Fn(&World) -> String, "key-set-empty", false),
        (&|_: &World| String::new(), "body-empty", false),
        (&|_: &World| "<html>hacked</html>".to_owned(), "body-html", false),
        (&|_: &World| "{\"keys\":".to_owned(), "body-not-json", false),
        (&|_: &World| "{\"keys\":{}}".to_owned(), "key-set-malformed", false),
        (&|_: &World| set(&[&good]), "issuer-of-another-cluster", true),
        (&damaged, "jwk-", true),
        (&private, "jwk-private-member", true),
    ] {
        let world = World::new(1);
        world.keyless("publish", &[]).ends(0);
        let spoilt = body(&world);
        fs::write(world.jwks(), &spoilt).unwrap();
        let ran = world.keyless("publish", &[]).ends(3);
        assert!(
            ran.err.contains(&format!("error[{code}")) && ran.err.contains("--restore"),
            "{code}: {}",
            ran.err
        );
        assert_eq!(fs::read_to_string(world.jwks()).unwrap(), spoilt);
        // It shows what it replaces, and asks.
        let shown = world.keyless("publish", &["--restore", "--dry-run"]).ends(1);
        assert!(shown.out.contains("/openid/v1/jwks: "), "{}", shown.out);
        world.keyless("publish", &["--restore"]).fails(2, "confirmation", &["--yes"]);
        assert_eq!(fs::read_to_string(world.jwks()).unwrap(), spoilt, "{code}");
        world.keyless("publish", &["--restore", "--yes"]).ends(0);
        let wanted = if kept { sorted(&[&world.key, &good]) } else { vec![world.key.kid()] };
        assert_eq!(kids(&world), wanted, "{code}");
        assert!(!fs::read_to_string(world.jwks()).unwrap().contains("\"d\":"));
        world.keyless("publish", &[]).ends(0).says("unchanged");
    }
}

#[test]
fn spoilt_discovery_document_can_be_restored() {
    for body in ["", "<html>", "{}", "{\"issuer\":", "[]"] {
        let world = World::new(1);
        world.keyless("publish", &[]).ends(0);
        fs::write(world.discovery(), body).unwrap();
        let ran = world.keyless("publish", &[]).ends(3);
        assert!(ran.err.contains("--restore"), "{body}: {}", ran.err);
        world.keyless("publish", &["--restore", "--yes"]).ends(0);
        world.keyless("verify", &[]).ends(0);
    }
    // What belongs to another issuer is not damaged.
    let world = World::new(1);
    let theirs = json!({"issuer": "https://oidc.lab.test/other", "jwks_uri": "https://oidc.lab.test/other/openid/v1/jwks"});
    world.put(&world.discovery(), theirs.to_string());
    world
        .keyless("publish", &["--restore", "--yes"])
        .fails(3, "bucket-other-issuer", &[])
        .snapshot("error-bucket-other-issuer");
}

/// With an external signer everyone who can write the bucket can publish a key under the next `kid`.
#[test]
fn squatted_kid_is_refused_and_restored() {
    let world = World::new(1);
    let named = |key: &SigningKey| {
        let mut jwk = key.jwk();
        jwk["kid"] = json!("signer/2026-11");
        jwk
    };
    let ours = named(&world.key);
    world.cluster.change_servers(|server| {
        server.key_files = vec![KeyFile::Raw(ours.clone())];
        server.kid = Some("signer/2026-11".into());
    });
    let squatter = SigningKey::rsa(2048);
    world.put(&world.jwks(), json!({"keys": [named(&squatter)]}).to_string());
    let external = ["--external-signer"];
    world
        .keyless("publish", &external)
        .fails(3, "kid-taken", &["signer/2026-11", "--restore"])
        .snapshot("error-kid-taken");
    let restore = ["--external-signer", "--restore", "--yes"];
    world.keyless("publish", &restore).ends(0).says("gives way");
    let body: Value = serde_json::from_slice(&fs::read(world.jwks()).unwrap()).unwrap();
    assert_eq!((body["keys"].as_array().unwrap().len(), &body["keys"][0]["n"]), (1, &ours["n"]));
    world.keyless("verify", &external).ends(0);
}

/// One write into the bucket must not keep the cluster's next key out of it.
#[test]
fn many_foreign_keys_allow_a_rotation() {
    for crowd in [98, 99, 150] {
        let world = World::new(1);
        world.keyless("publish", &[]).ends(0);
        let foreign: Vec<_> = (0..crowd).map(|_| SigningKey::ec(Curve::P256)).collect();
        let all: Vec<_> = foreign.iter().chain([&world.key]).collect();
        fs::write(world.jwks(), set(&all)).unwrap();
        let next = SigningKey::rsa(2048);
        world.cluster.change_servers(|server| server.key_files.push((&next).into()));
        // All find room, or the run says that they do not.
        let fits = crowd + 2 <= 100;
        let ran = world.keyless("publish", &[]).ends(i32::from(!fits)).says("warning[key-not-served]");
        let published = world.published();
        for key in [&world.key, &next] {
            assert!(published.contains(&key.kid()), "{crowd}: {}", ran.out);
        }
        assert_eq!(published.len(), (crowd + 2).min(100), "{crowd}");
        world.cluster.change_servers(|server| server.signing_key = next.clone());
        world.keyless("verify", &[]).ends(0).says("1 warning");
    }
}

#[test]
fn unknown_published_key_is_a_warning() {
    let world = World::new(1);
    let foreign = SigningKey::rsa(2048);
    world.keyless("publish", &[]).ends(0);
    fs::write(world.jwks(), set(&[&world.key, &foreign])).unwrap();
    let ran = world.keyless("publish", &["-o", "json"]).ends(0);
    let result = ran.json();
    let status = |kid: &str| {
        let keys = result["keys"].as_array().unwrap();
        keys.iter().find(|key| key["kid"] == kid).unwrap()["status"].clone()
    };
    assert_eq!((status(&foreign.kid()), status(&world.key.kid())), (json!("not-served"), json!("kept")));
    assert!(result["warnings"].to_string().contains(&foreign.kid()), "{result:#}");
    let verified = world.keyless("verify", &["-o", "json"]).ends(0).json();
    let check =
        verified["checks"].as_array().unwrap().iter().find(|it| it["check"] == "published-keys").unwrap();
    assert_eq!(check["result"], "warning");
    assert!(check["seen"].as_str().unwrap().contains(&foreign.kid()), "{check:#}");
    assert_eq!(verified["warnings"], 1);
    for text in [ran.out, ran.err, verified.to_string()] {
        assert!(!text.contains("retained"), "{text}");
    }
}

/// The bucket's API forgets for a while, and ignores conditions: what anonymous readers see still counts.
#[test]
fn forgetful_store_loses_no_key() {
    let store = Store::new(1, Flavour::Compatible);
    store.s3.change(|s3| s3.conditions = lab::Conditions::Ignored);
    store.keyless("publish", &["--create"]).ends(0);
    let former = SigningKey::rsa(2048);
    let both = set(&[&store.world.key, &former]);
    store.s3.put(
        "acme-oidc",
        "openid/v1/jwks",
        "application/jwk-set+json",
        Some("public, max-age=300"),
        both.as_bytes(),
    );
    let missing = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>";
    for times in [1, 2, 3, 4] {
        store.s3.faults().next(times, "GET", "jwks?x-id", Fault::answer(404, "application/xml", missing));
        store.keyless("publish", &[]);
        store.s3.faults().clear();
        let body = store.s3.object("acme-oidc", "openid/v1/jwks").unwrap().body;
        let body = String::from_utf8(body).unwrap();
        assert!(body.contains(&former.kid()) && body.contains(&store.world.key.kid()), "{times}: {body}");
        store.keyless("publish", &[]).ends(0);
    }
}

/// What anonymous readers get, where the bucket has nothing, says whether something may be put there.
#[test]
fn unproved_absence_of_keys_is_refused() {
    for (fault, named) in [
        (Fault::status(500), "500"),
        (Fault::html(), "no key set"),
        (Fault::CloseBeforeAnswer, "s3.lab.test"),
    ] {
        let store = Store::new(1, Flavour::Compatible);
        store.s3.own_bucket("acme-oidc");
        // The anonymous request has no query, the owner's has.
        let missing = "<Error><Code>NoSuchKey</Code><Message/></Error>";
        store.s3.faults().always("GET", "jwks?x-id", Fault::answer(404, "application/xml", missing));
        store.s3.faults().always("GET", "openid/v1/jwks", fault);
        store.keyless("publish", &["--create"]).fails(3, "public-unknown", &[named]);
        assert!(store.s3.keys("acme-oidc").is_empty(), "{named}");
        assert!(store.s3.policy("acme-oidc").is_none(), "{named}");
    }
}

/// Somewhere between the look and the write another one writes.
#[test]
fn bucket_changed_before_write_is_rejudged() {
    let store = Store::new(1, Flavour::Compatible);
    store.keyless("publish", &["--create"]).ends(0);
    let put = |body: &str| {
        let cache = Some("public, max-age=300");
        store.s3.put("acme-oidc", "openid/v1/jwks", "application/jwk-set+json", cache, body.as_bytes());
    };
    let race = |arguments: &[&str], body: &str| -> Ran {
        store.s3.faults().forget();
        store.s3.faults().next(1, "PUT", "openid/v1/jwks", Fault::Delay(Duration::from_secs(3)));
        let mut command = store.command("publish", arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let begun = Instant::now();
        while !store.s3.faults().requests().iter().any(|call| call.method == "PUT") {
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not write");
            std::thread::sleep(Duration::from_millis(10));
        }
        put(body);
        let ran: Ran = child.wait_with_output().unwrap().into();
        store.s3.faults().clear();
        ran
    };
    let lies = |body: &str| {
        assert_eq!(store.s3.object("acme-oidc", "openid/v1/jwks").unwrap().body, body.as_bytes());
    };
    let foreign = SigningKey::rsa(2048);
    for (body, code) in [
        ("{\"keys\":[]}".to_owned(), "key-set-empty"),
        ("<html>".to_owned(), "body-html"),
        (set(&[&foreign]), "issuer-of-another-cluster"),
    ] {
        store.world.cluster.change_servers(|server| server.key_files.push((&SigningKey::rsa(2048)).into()));
        race(&[], &body).fails(3, code, &["--restore"]);
        lies(&body);
        // What would be replaced by now was not shown.
        let shown_not = set(&[&SigningKey::rsa(2048)]);
        race(&["--restore", "--yes"], &shown_not).fails(3, "bucket-changed", &["openid/v1/jwks"]);
        lies(&shown_not);
        store.keyless("publish", &["--restore", "--yes"]).ends(0);
    }
}

/// More than is read of any document: it cannot be judged, and not be replaced.
#[test]
fn oversized_key_sets_name_a_remedy() {
    let many = "x".repeat(2 << 20);
    let world = World::new(1);
    world.keyless("publish", &[]).ends(0);
    fs::write(world.jwks(), &many).unwrap();
    for arguments in [&[][..], &["--restore", "--yes"]] {
        world.keyless("publish", arguments).fails(3, "body-too-large", &["openid/v1/jwks", "by hand"]);
    }
    fs::remove_file(world.jwks()).unwrap();
    world.keyless("publish", &[]).ends(0);
    let store = Store::new(1, Flavour::Compatible);
    store.keyless("publish", &["--create"]).ends(0);
    store.s3.put("acme-oidc", "openid/v1/jwks", "application/json", None, many.as_bytes());
    store.keyless("publish", &[]).fails(3, "body-too-large", &["openid/v1/jwks", "by hand"]);
    store.s3.remove("acme-oidc", "openid/v1/jwks");
    store.keyless("publish", &[]).ends(0);
}

/// The store's API or its public side: asked once, waited for once, and that is shown.
#[test]
fn silent_stores_are_asked_once() {
    let world = World::new(1);
    world.keyless("publish", &[]).ends(0);
    world.web.faults().always("", "", Fault::HeadOnly);
    let begun = Instant::now();
    world.keyless("publish", &[]).fails(3, "read-back-failed", &["after its head", "waiting for https://"]);
    assert!(begun.elapsed() < Duration::from_secs(14), "{:?}", begun.elapsed());
    let store = Store::new(1, Flavour::Compatible);
    store.keyless("publish", &["--create"]).ends(0);
    store.s3.faults().always("GET", "openid/v1/jwks", Fault::OverDeclared);
    let begun = Instant::now();
    store.keyless("publish", &[]).fails(3, "bucket-timeout", &["declared bytes", "waiting for "]);
    assert!(begun.elapsed() < Duration::from_secs(14), "{:?}", begun.elapsed());
}

#[test]
fn byte_order_mark_is_refused() {
    let world = World::new(1);
    world.keyless("publish", &[]).ends(0);
    for path in [world.jwks(), world.discovery()] {
        let good = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("\u{feff}{good}")).unwrap();
        world.keyless("verify", &["--public-only"]).ends(1);
        world.keyless("publish", &[]).fails(3, "body-not-json", &["--restore"]);
        world.keyless("publish", &["--restore", "--yes"]).ends(0);
        assert_eq!(fs::read_to_string(&path).unwrap(), good);
    }
}

#[test]
fn p521_key_is_published_with_warning() {
    let world = World::new(1);
    world.keyless("publish", &[]).ends(0);
    let large = SigningKey::ec(Curve::P521);
    world.cluster.change_servers(|server| server.key_files.push((&large).into()));
    let warning = "warning[key-not-read-by-all]";
    let ran = world.keyless("publish", &["--dry-run"]).ends(1).says(warning).says(&large.kid());
    assert!(ran.err.contains("ES512"), "{}", ran.err);
    world.keyless("publish", &[]).ends(0).says(warning);
    // It was shown before it was published.
    let ran = world.keyless("publish", &[]).ends(0);
    assert!(!ran.err.contains(warning), "{}", ran.err);
}
