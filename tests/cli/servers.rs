//! API servers are judged singly: what is known is published, and what is not is named.

use std::{
    fs,
    time::{Duration, Instant},
};

use lab::{Curve, Fault, KeyFile, SigningKey};
use serde_json::{Value, json};

use crate::world::{ISSUER, Ran, World};

const JWKS: &str = "/openid/v1/jwks";
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// Two servers, of which the second signs with a new key that both serve.
fn rotating() -> (World, SigningKey) {
    let world = World::new(3);
    let new = SigningKey::rsa(2048);
    world.cluster.change_servers(|server| server.key_files.push((&new).into()));
    world.cluster.server(1).change(|server| server.signing_key = new.clone());
    (world, new)
}

fn address(world: &World, number: usize) -> String {
    world.cluster.server(number).addr().to_string()
}

/// What is known is published, and the run is no success: the server is named.
#[track_caller]
fn incomplete(world: &World, number: usize, keys: &[&SigningKey]) -> Ran {
    let ran = world.keyless("publish", &[]).ends(3);
    assert!(ran.err.contains(&address(world, number)), "{} is not named:\n{}", number, ran.err);
    let mut wanted: Vec<_> = keys.iter().map(|key| key.kid()).collect();
    let mut published = world.published();
    wanted.sort();
    published.sort();
    assert_eq!(published, wanted);
    ran
}

#[test]
fn refusing_server_does_not_hide_others() {
    for status in [401, 403, 404, 429, 500, 502, 503] {
        for path in [JWKS, DISCOVERY, "/token"] {
            let (world, new) = rotating();
            world.cluster.server(2).faults().always("", path, Fault::status(status));
            let ran = incomplete(&world, 2, &[&world.key, &new]);
            assert!(ran.err.contains("warning[server-refuses]"), "{status} {path}: {}", ran.err);
            assert!(!ran.err.contains("have expired"), "{status} {path}: {}", ran.err);
            if status == 401 {
                assert!(ran.err.contains("accepted the same credential"), "{}", ran.err);
                assert!(ran.err.contains(&address(&world, 0)), "{}", ran.err);
            }
        }
    }
}

#[test]
fn server_with_odd_answers_is_named() {
    let odd = |fault: Fault, path: &'static str| {
        move |world: &World| world.cluster.server(2).faults().always("", path, fault.clone())
    };
    let odd_key = |world: &World| {
        let jwk = json!({"kty": "EC", "crv": "P-192", "kid": "odd", "x": "AA", "y": "AA"});
        world.cluster.server(2).change(|server| server.key_files.push(KeyFile::Raw(jwk)));
    };
    let no_keys = |world: &World| world.cluster.server(2).change(|server| server.key_files.clear());
    let token = |text: &str| json!({"kind": "TokenRequest", "status": {"token": text}}).to_string();
    let answer = |body: String| Fault::answer(201, "application/json", body);
    for (name, spoil) in [
        ("odd key", &odd_key as &dyn Fn(&World)),
        ("no keys", &no_keys),
        ("page", &odd(Fault::html(), JWKS)),
        ("status", &odd(Fault::kubernetes_status(), JWKS)),
        ("discovery", &odd(Fault::answer(200, "application/json", "{}"), DISCOVERY)),
        ("discovery page", &odd(Fault::html(), DISCOVERY)),
        ("no token", &odd(answer("{}".into()), "/token")),
        ("no JWT", &odd(answer(token("not.a-jwt")), "/token")),
        ("two parts", &odd(answer(token("e30.e30")), "/token")),
        ("cut", &odd(Fault::CutBody, JWKS)),
        ("closed", &odd(Fault::CloseBeforeAnswer, JWKS)),
    ] {
        let (world, new) = rotating();
        spoil(&world);
        let ran = incomplete(&world, 2, &[&world.key, &new]);
        assert!(ran.err.contains("warning[server-"), "{name}: {}", ran.err);
    }
}

#[test]
fn all_servers_failed_is_an_error() {
    let world = World::new(2);
    world.cluster.server(0).faults().always("GET", JWKS, Fault::status(503));
    world.cluster.server(1).faults().always("GET", JWKS, Fault::html());
    world
        .keyless("publish", &[])
        .fails(3, "cluster-busy", &[&address(&world, 0), &address(&world, 1)])
        .snapshot("error-cluster-busy");
    assert!(!world.jwks().exists());
}

#[test]
fn failed_server_is_in_the_json() {
    let world = World::new(2);
    world.cluster.server(1).faults().always("GET", DISCOVERY, Fault::status(500));
    let result = world.keyless("publish", &["-o", "json"]).ends(3).json();
    assert_eq!(result["complete"], false);
    assert_eq!(result["failedServers"][0]["address"], address(&world, 1).as_str());
    assert_eq!(result["failedServers"][0]["code"], "cluster-refused");
    assert_eq!(result["failedServers"][0]["keys"], json!([world.key.kid()]), "its key set is known");
    // Unchanged is no success either: an alert must see it.
    world.keyless("publish", &[]).ends(3).says("unchanged");
    world.keyless("publish", &["--dry-run"]).ends(3);
    world.cluster.server(1).faults().clear();
    let result = world.keyless("publish", &["-o", "json"]).ends(0).json();
    assert_eq!((&result["complete"], &result["failedServers"]), (&json!(true), &json!([])));
}

/// The header of a token, as a proxy between the API server and us may make it.
#[test]
fn unverifiable_token_leaves_signer_unproved() {
    let (key, other) = (SigningKey::rsa(2048), SigningKey::ec(Curve::P256));
    let kid = key.kid();
    for header in [
        json!({"alg": "none", "kid": kid}),
        json!({"alg": "HS256", "kid": kid}),
        json!({"alg": "ES256", "kid": kid}),
        json!({"alg": "PS256", "kid": kid}),
        json!({"alg": "RS384", "kid": kid}),
        json!({"alg": "RS256"}),
        json!({"alg": "RS256", "kid": ""}),
        json!({"alg": "RS256", "kid": 7}),
        json!({"alg": "RS256", "kid": ["a"]}),
        json!({"alg": "RS256", "kid": "no-server-serves-this"}),
        json!({"alg": "RS256", "kid": other.kid()}),
    ] {
        let world = World::signing_with(1, ISSUER, key.clone());
        world.cluster.change_servers(|server| server.token_header = Some(header.clone()));
        let ran = world.keyless("publish", &[]).ends(3);
        assert!(ran.err.contains("warning[signer-"), "{header}: {}", ran.err);
        assert!(ran.err.contains(&address(&world, 0)), "{header}: {}", ran.err);
        assert_eq!(world.published(), [key.kid()], "{header}: what is known is published");
        world.keyless("publish", &["--dry-run"]).ends(3);
    }
    // By a key that is published, and that no server serves.
    let world = World::signing_with(1, ISSUER, key.clone());
    fs::write(world.dir.path().join("other.pub"), other.public_pem()).unwrap();
    world.keyless("publish", &["--public-key", "other.pub"]).ends(0);
    world.cluster.change_servers(|server| server.signing_key = other.clone());
    world.keyless("publish", &[]).ends(3).says("warning[signer-not-served]").says(&other.kid());
    world.keyless("verify", &[]).ends(1).says("it refuses its own tokens");
    // Signed by another key than the one that it names.
    let world = World::signing_with(1, ISSUER, key.clone());
    world.cluster.change_servers(|server| {
        server.signing_key = SigningKey::rsa(2048);
        server.kid = Some(key.kid());
    });
    world.keyless("publish", &[]).ends(3).says("warning[signer-unproved]");
}

#[test]
fn setup_needs_every_server() {
    let estate = crate::estate::Estate::with_servers(2);
    let before = estate.store()["spec"].clone();
    estate.world.cluster.server(1).faults().always("GET", JWKS, Fault::status(500));
    let named = estate.world.cluster.server(1).addr().to_string();
    estate
        .run(&crate::estate::SETUP)
        .fails(3, "servers-unsound", &[&named])
        .snapshot("error-servers-unsound");
    assert_eq!((estate.store()["spec"].clone(), estate.key_disabled()), (before, Some(false)));
    estate.world.cluster.server(1).faults().clear();
    estate.run(&crate::estate::SETUP).ends(0);
}

/// Tokens of the former issuer are refused once the provider is changed: none of them may sign as it any more.
#[test]
fn silent_server_keeps_former_issuer() {
    const NEW: &str = "https://new.lab.test";
    let estate = crate::estate::Estate::with_servers(2);
    estate.run(&crate::estate::SETUP).ends(0);
    estate.world.cluster.change_servers(|server| server.issuers.insert(0, NEW.into()));
    let silent = estate.world.cluster.server(1);
    silent.stop();
    crate::steps::forget(&estate);
    let says = ["as which issuer API server", &silent.addr().to_string(), "nothing was changed"];
    estate.run(&crate::estate::SETUP).fails(3, "server-unreachable", &says);
    assert_eq!(crate::steps::recorded_writes(&estate), Vec::<String>::new());
    silent.restart();
    estate.run(&crate::estate::SETUP).ends(0);
}

/// The plan of `setup` shows what publishing would do, from the one look that it took.
#[test]
fn setup_asks_each_server_once() {
    let estate = crate::estate::Estate::with_servers(2);
    let world = &estate.world;
    world.cluster.change_servers(|server| server.issuers.insert(0, ISSUER.into()));
    estate.google.resolve("oidc.lab.test", world.web.addr());
    estate.settings(&format!("issuer: {ISSUER}\nbucket:\n  url: file://{}", world.www.display()));
    let shown = estate.run(&["setup", "--dry-run", "-o", "json"]).ends(1).json();
    let steps = shown["plan"]["steps"].as_array().unwrap().iter();
    let steps: Vec<_> = steps.filter(|step| step["target"] == "document").collect();
    assert!(steps.len() >= 2 && steps.iter().all(|step| step["action"] == "create"), "{shown:#}");
    assert_eq!(shown["documents"]["keys"][0]["kid"], world.key.kid());
    assert!(!world.jwks().exists());
    let asked = |path: &str| -> Vec<usize> {
        let servers = world.cluster.servers().iter();
        let count = |server: &lab::ApiServer| {
            server.faults().requests().iter().filter(|call| call.path.contains(path)).count()
        };
        servers.map(count).collect()
    };
    for path in [JWKS, DISCOVERY, "/serviceaccounts/default/token"] {
        assert_eq!(asked(path), [1, 1], "{path}");
    }
    assert_eq!(asked("/endpointslices/kubernetes"), [1, 0]);
}

#[test]
fn verify_compares_the_servers() {
    let world = World::new(2);
    let new = SigningKey::rsa(2048);
    world.cluster.server(1).change(|server| {
        server.key_files.push((&new).into());
        server.signing_key = new.clone();
    });
    world.keyless("publish", &[]).ends(0);
    let ran = world.keyless("verify", &["-o", "json"]).ends(1).json();
    let found: Vec<_> =
        ran["checks"].as_array().unwrap().iter().filter(|check| check["check"] == "servers-agree").collect();
    let [found] = found[..] else { panic!("{ran:#}") };
    assert_eq!(found["result"], "failed");
    assert!(found["seen"].as_str().unwrap().contains(&new.kid()), "{found:#}");
    assert!(found.to_string().contains(&address(&world, 0)), "{found:#}");
    world.cluster.server(0).change(|server| server.key_files.push((&new).into()));
    world.keyless("verify", &[]).ends(0).says("each of 2 serves the key");
}

/// Each way of being slow is bounded, told while it lasts, and named.
#[test]
fn slow_answers_are_bounded_and_named() {
    for (fault, cause) in [
        (Fault::Delay(Duration::from_secs(60)), "no answer came"),
        (Fault::HeadOnly, "stopped after its head"),
        (Fault::OverDeclared, "declared bytes"),
        (Fault::Trickle(Duration::from_millis(900)), "trickles"),
    ] {
        let world = World::new(2);
        world.cluster.server(1).faults().always("GET", JWKS, fault);
        let begun = Instant::now();
        let ran = world.keyless("publish", &[]).ends(3).says("warning[server-unreachable]");
        assert!(begun.elapsed() < Duration::from_secs(14), "{cause}: {:?}", begun.elapsed());
        assert!(ran.err.contains(cause), "{cause}: {}", ran.err);
        let waiting = format!("waiting for API server {}", address(&world, 1));
        assert!(ran.err.contains(&waiting), "{cause}: {}", ran.err);
        assert_eq!(world.published(), [world.key.kid()]);
    }
}

/// The kubeconfig's address is the server's own: asked once, whatever it is called.
#[test]
fn one_address_is_not_asked_twice() {
    for name in ["127.0.0.1", "localhost"] {
        let world = World::new(1);
        let kubeconfig = fs::read_to_string(&world.kubeconfig).unwrap();
        fs::write(&world.kubeconfig, kubeconfig.replace("https://127.0.0.1:", &format!("https://{name}:")))
            .unwrap();
        if name == "localhost" {
            // The certificate does not name it.
            let kubeconfig = fs::read_to_string(&world.kubeconfig).unwrap();
            let named = kubeconfig.replace("server:", "tls-server-name: kubernetes.default.svc\n    server:");
            fs::write(&world.kubeconfig, named).unwrap();
        }
        world.cluster.server(0).faults().always("GET", JWKS, Fault::HeadOnly);
        let begun = Instant::now();
        world.keyless("publish", &[]).fails(3, "timeout", &[JWKS]);
        assert!(begun.elapsed() < Duration::from_secs(14), "{name}: {:?}", begun.elapsed());
        let asked = world.cluster.server(0).faults().requests();
        let asked = asked.iter().filter(|call| call.path == JWKS).count();
        assert_eq!(asked, 1, "{name}");
    }
}

#[test]
fn endless_lists_of_servers_are_bounded() {
    let world = World::new(1);
    let own = world.cluster.server(0).addr();
    let mut advertised = vec![own];
    advertised.extend((0..9_999).map(|number: u32| {
        std::net::SocketAddr::new(std::net::Ipv4Addr::from(0x7f10_0000 + number).into(), own.port())
    }));
    world.cluster.change(|cluster| cluster.advertised = Some(advertised));
    let begun = Instant::now();
    let ran = world.keyless("publish", &[]).ends(3).says("9936 more addresses").says("10000 addresses");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(world.published(), [world.key.kid()]);
    assert!(ran.err.lines().count() < 200, "{} lines", ran.err.lines().count());
}

/// One server cannot fill up what relying parties keep.
#[test]
fn key_crowd_of_server_is_ignored() {
    let world = World::new(2);
    let next = SigningKey::rsa(2048);
    world.cluster.server(0).change(|server| server.key_files.push((&next).into()));
    let crowd: Vec<_> = (0..98).map(|_| SigningKey::ec(Curve::P256)).collect();
    world.cluster.server(1).change(|server| server.key_files.extend(crowd.iter().map(KeyFile::from)));
    // 99 and 2 keys, of which one is in both: all find room.
    world.keyless("publish", &["--dry-run"]).ends(1).says("100 keys in all");
    world.cluster.server(1).change(|server| server.key_files.push((&SigningKey::ec(Curve::P256)).into()));
    let ran = incomplete(&world, 1, &[&world.key, &next]);
    assert!(ran.err.contains("key-set-too-large"), "{}", ran.err);
}

#[test]
fn host_names_among_servers_are_refused() {
    let world = World::new(1);
    let slice: Value = json!({"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", "addressType": "FQDN",
        "endpoints": [{"addresses": ["evil.lab.test"]}], "ports": [{"port": 443}]});
    let fault = Fault::answer(200, "application/json", slice.to_string());
    world.cluster.server(0).faults().always("GET", "/endpointslices/kubernetes", fault);
    world.keyless("publish", &[]).fails(3, "cluster-answer", &["evil.lab.test"]);
    assert_eq!(world.internet.connections("evil.lab.test"), 0);
}

/// With an external signer a `kid` is any text. One server that serves another key under it is outvoted.
#[test]
fn squatted_kid_on_server_is_outvoted() {
    let world = World::new(3);
    let named = |key: &SigningKey, kid: &str| {
        let mut jwk = key.jwk();
        jwk["kid"] = json!(kid);
        KeyFile::Raw(jwk)
    };
    let (next, squatter) = (SigningKey::rsa(2048), SigningKey::rsa(2048));
    world.cluster.change_servers(|server| {
        server.key_files = vec![named(&world.key, "signer/1"), named(&next, "signer/2")];
        server.kid = Some("signer/1".into());
    });
    world.cluster.server(1).change(|server| {
        server.key_files = vec![named(&squatter, "signer/1"), named(&next, "signer/2")];
    });
    let external = ["--external-signer"];
    let ran = world.keyless("publish", &external).ends(3).says("jwk-duplicate-kid").says("signer/1");
    assert!(ran.err.contains(&address(&world, 1)), "{}", ran.err);
    let body: Value = serde_json::from_slice(&fs::read(world.jwks()).unwrap()).unwrap();
    let published = body["keys"].as_array().unwrap();
    assert_eq!(published.len(), 2);
    assert!(published.iter().any(|key| key["n"] == world.key.jwk()["n"]), "{body:#}");
    world.keyless("verify", &external).ends(1).says(&address(&world, 1));
    // Its key set is known and its token is not.
    world.cluster.server(1).faults().always("POST", "/token", Fault::status(500));
    world.keyless("publish", &external).ends(3).says("unchanged: 2 keys");
    // One against one: nothing decides between them.
    let world = World::new(2);
    for (number, key) in [(0, &world.key), (1, &squatter)] {
        world.cluster.server(number).change(|server| server.key_files = vec![named(key, "signer/1")]);
    }
    world.keyless("publish", &external).fails(
        3,
        "jwk-duplicate-kid",
        &[&address(&world, 0), &address(&world, 1)],
    );
    assert!(!world.jwks().exists());
}

/// The keys of a server that refuses to sign must not take the room of the others.
#[test]
fn failed_servers_key_crowd_is_ignored() {
    let world = World::new(2);
    let crowd: Vec<_> = (0..99).map(|_| SigningKey::ec(Curve::P256)).collect();
    let next = SigningKey::rsa(2048);
    world.cluster.server(0).change(|server| server.key_files.push((&next).into()));
    world.cluster.server(1).change(|server| {
        server.key_files = crowd.iter().map(KeyFile::from).collect();
        server.key_files.push((&SigningKey::ec(Curve::P256)).into());
    });
    world.cluster.server(1).faults().always("POST", "/token", Fault::status(500));
    incomplete(&world, 1, &[&world.key, &next]);
}

#[test]
fn two_failed_servers_leave_publish_incomplete() {
    for (one, other) in [
        (Fault::status(503), Fault::html()),
        (Fault::HeadOnly, Fault::status(401)),
        (Fault::CloseBeforeAnswer, Fault::answer(200, "application/json", "{\"keys\":[]}")),
    ] {
        let world = World::new(3);
        world.cluster.server(1).faults().always("GET", JWKS, one);
        world.cluster.server(2).faults().always("GET", JWKS, other);
        let begun = Instant::now();
        let ran = incomplete(&world, 1, &[&world.key]);
        assert!(ran.err.contains(&address(&world, 2)), "{}", ran.err);
        assert!(begun.elapsed() < Duration::from_secs(14), "{:?}", begun.elapsed());
        world.keyless("verify", &[]).ends(1).says(&address(&world, 1)).says(&address(&world, 2));
    }
}
