//! Numbers and types that cannot be, from every side: each is an error that names where it came from, never a panic.

use std::fs;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use lab::{Fault, Vault};
use serde_json::{Value, json};

use crate::{
    estate::{Estate, SETUP},
    world::{Ran, World},
};

const CANARY: &str = "CANARY-d41d8cd98f";

/// An answer as JSON, changed by what is done with it.
fn changed(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Fault {
    Fault::rewrite(move |body| {
        let Ok(mut answer) = serde_json::from_slice(body) else { return body.to_vec() };
        change(&mut answer);
        answer.to_string().into_bytes()
    })
}

#[track_caller]
fn without_panic(ran: Ran) -> Ran {
    let all = format!("{}{}", ran.out, ran.err);
    assert!(matches!(ran.code, Some(0..=3)) && !all.contains("panicked"), "{:?}: {all}", ran.code);
    ran
}

/// A tenant may write any string; the real API server takes it.
#[test]
fn endless_refresh_interval_is_no_panic() {
    for interval in
        ["999999999999999999999h", "9223372036854775807ns", "2562047h47m16s", "-1h", "1e3s", "9µs", ""]
    {
        let estate = Estate::new();
        let cluster = &estate.world.cluster;
        let mut user =
            cluster.object("external-secrets.io/v1", "ExternalSecret", Some("shop"), "db").unwrap();
        user["spec"]["refreshInterval"] = json!(interval);
        cluster.put_object(user);
        without_panic(estate.run(&["setup", "--dry-run"]));
        without_panic(estate.run(&["verify"]));
        without_panic(estate.run(&["audit"]));
    }
}

#[test]
fn unbounded_watch_times_are_usage_errors() {
    let world = World::new(1);
    for time in ["-1s", "1d", "999999999999999999999h", "18446744073709551615", "169h", ""] {
        let ran = world.run(&["setup", &format!("--watch-for={time}")]).ends(2);
        assert!(ran.err.contains("10m") || ran.err.contains("168h"), "{time}: {}", ran.err);
    }
}

/// `verify` with a token whose claims are changed, and signed again by the cluster's own key.
fn verified(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Ran {
    let world = World::new(1);
    world.keyless("publish", &[]).ends(0);
    let key = world.key.clone();
    let resigned = changed(move |answer| {
        let token = answer["status"]["token"].as_str().unwrap();
        let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        let mut claims = serde_json::from_slice(&payload).unwrap();
        change(&mut claims);
        answer["status"]["token"] = json!(key.jws(&claims));
    });
    world.cluster.server(0).faults().always("POST", "/token", resigned);
    without_panic(world.run(&["verify", "--issuer", crate::world::ISSUER, "--ca-file", "ca.pem"]))
}

#[test]
fn impossible_token_times_fail_the_check() {
    for name in ["iat", "exp", "nbf"] {
        for value in [json!(u64::MAX), json!(-1), json!("soon"), json!(1e300), json!([])] {
            let shown = format!("{name}: {value}");
            let ran = verified(move |claims| claims[name] = value.clone());
            assert!(matches!(ran.code, Some(1 | 3)), "{shown}: {}{}", ran.out, ran.err);
            assert!(ran.err.contains(&format!("`{name}`")), "{shown}: {}", ran.err);
        }
    }
    let later = |claims: &mut Value, name: &str, seconds: u64| {
        claims[name] = json!(claims["iat"].as_u64().unwrap() + seconds);
    };
    for ran in [
        verified(move |claims| later(claims, "iat", 100_000)),
        verified(move |claims| later(claims, "nbf", 100_000)),
        verified(move |claims| claims["exp"] = json!(1)),
        verified(move |claims| claims["exp"] = claims["iat"].clone()),
    ] {
        let ran = ran.ends(1).says("seconds since 1970");
        assert!(!ran.out.contains(" s, valid now"), "{}", ran.out);
    }
}

#[test]
fn lifetime_of_exchanged_token_is_bounded() {
    for (value, seen) in [
        (json!(u64::MAX), "18446744073709551615 s"),
        (json!(-1), "-1 s"),
        (json!(0), "0 s"),
        (json!(3599.5), "3599.5 s"),
        (json!("3599"), "no number"),
        (json!(null), "no `expires_in`"),
        (json!([1]), "no number"),
    ] {
        let estate = Estate::new();
        estate.run(&SETUP).ends(0);
        let odd = changed(move |answer| answer["expires_in"] = value.clone());
        estate.google.faults().always("POST", "/v1/token", odd);
        let ran = without_panic(estate.run(&["verify"])).ends(1);
        assert!(ran.out.contains(seen), "{seen}: {}", ran.out);
    }
}

/// Google's own library adds the lifetime to the clock, and panics where that cannot be.
#[test]
fn lifetime_breaking_googles_library_is_error() {
    for lifetime in [u64::MAX, i64::MAX.cast_unsigned()] {
        let estate = Estate::new();
        let dir = estate.world.dir.path();
        let credentials = json!({"type": "external_account", "audience": "//iam.googleapis.com/a", "token_url":
            format!("{}/v1/token", estate.google.http_url()), "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "credential_source": {"file": dir.join("token").to_str().unwrap()}});
        fs::write(dir.join("adc.json"), credentials.to_string()).unwrap();
        fs::write(dir.join("token"), "a.b.c").unwrap();
        let answer = json!({"access_token": CANARY, "expires_in": lifetime, "token_type": "Bearer",
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"});
        estate.google.faults().always(
            "POST",
            "/v1/token",
            Fault::answer(200, "application/json", answer.to_string()),
        );
        let mut command = estate.command(&["setup", "--dry-run"]);
        command
            .env_remove("GOOGLE_OAUTH_ACCESS_TOKEN")
            .env("GOOGLE_APPLICATION_CREDENTIALS", dir.join("adc.json"));
        let ran =
            without_panic(command.output().unwrap().into()).fails(3, "google-credentials", &["lifetime"]);
        assert!(!ran.err.contains(CANARY), "{}", ran.err);
    }
}

#[test]
fn lifetime_of_vault_login_is_bounded() {
    for value in [json!(u64::MAX), json!(-1), json!(0), json!(900.5), json!("900"), json!(null), json!({})] {
        let estate = Estate::new();
        let vault = Vault::start(&estate.world.ca, &["bao.lab.test"]);
        vault.enable_kv("kv");
        vault.put_secret("kv", "db", json!({"password": "hunter2"}));
        estate.world.internet.route("bao.lab.test", vault.addr());
        estate.settings("vault: {address: \"https://bao.lab.test\", kv: kv, mode: static-keys}");
        let run = |arguments: &[&str]| -> Ran {
            estate
                .command(arguments)
                .env("VAULT_ADDR", "https://bao.lab.test")
                .env("VAULT_TOKEN", vault.root_token())
                .output()
                .unwrap()
                .into()
        };
        run(&["setup", "--yes", "--accept-new-secrets", "--watch-for", "0s", "--to", "vault"]).ends(0);
        let odd = changed(move |answer| answer["auth"]["lease_duration"] = value.clone());
        vault.faults().always("POST", "/login", odd);
        without_panic(run(&["verify"])).ends(1).says("lease_duration");
    }
}

/// Each credential, and the words by which the error must name where it came from.
#[test]
fn malformed_credential_error_names_its_source() {
    for odd in ["\n", "\r\n", "\t", " ", "\u{7f}", "ä", "\u{2028}"] {
        let value = format!("{CANARY}{odd}more");
        let world = World::new(1);
        let s3 = [
            "publish",
            "--no-cluster",
            "--public-key",
            "sa.pub",
            "--bucket",
            "s3://keys",
            "--endpoint",
            "http://127.0.0.1:9",
            "--issuer",
            crate::world::ISSUER,
        ];
        fs::write(world.dir.path().join("sa.pub"), world.key.public_pem()).unwrap();
        for (name, arguments) in [
            ("GOOGLE_OAUTH_ACCESS_TOKEN", &["audit"][..]),
            ("VAULT_TOKEN", &["audit"]),
            ("BAO_TOKEN", &["verify"]),
            ("AWS_ACCESS_KEY_ID", &s3),
            ("AWS_SESSION_TOKEN", &s3),
        ] {
            let mut command = world.command(arguments);
            command.env("AWS_ACCESS_KEY_ID", "AKIA").env("AWS_SECRET_ACCESS_KEY", "secret").env(name, &value);
            let ran = Ran::from(command.output().unwrap()).fails(2, "credential-malformed", &[name]);
            assert!(!ran.err.contains(CANARY), "{odd:?}: {}", ran.err);
        }
    }
}

#[test]
fn non_text_environment_is_not_ignored() {
    use std::os::unix::ffi::OsStrExt;
    let world = World::new(1);
    for name in ["GOOGLE_OAUTH_ACCESS_TOKEN", "VAULT_TOKEN"] {
        let mut command = world.command(&["audit"]);
        command.env(name, std::ffi::OsStr::from_bytes(b"CANARY-d41d8cd98f\xff"));
        let ran = Ran::from(command.output().unwrap()).fails(2, "credential-malformed", &[name]);
        assert!(!ran.err.contains(CANARY), "{}", ran.err);
    }
}

/// As `kubectl create token` or an editor leaves it, in the forms that YAML has for it.
#[test]
fn kubeconfig_token_with_newline_is_refused() {
    let plugin = |token: &str| {
        let answer = json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token}});
        let answer = json!(format!("printf %s '{answer}'"));
        format!(
            "exec: {{apiVersion: client.authentication.k8s.io/v1, command: /bin/sh, args: [-c, {answer}], interactiveMode: Never}}"
        )
    };
    for user in [
        format!("token: |\n      {CANARY}\n"),
        format!("token: >\n      {CANARY}\n      more\n"),
        format!("token: \"{CANARY}\\n\""),
        format!("token: \"{CANARY}\\0\""),
        format!("token: \"{CANARY}ä\""),
        format!("token: \"{CANARY}\\x1b[31m\""),
        plugin(&format!("{CANARY}\n")),
    ] {
        let world = World::new(1);
        let text = fs::read_to_string(&world.kubeconfig).unwrap();
        let (head, rest) = text.split_once("token: ").unwrap();
        let (_, rest) = rest.split_once('\n').unwrap();
        fs::write(&world.kubeconfig, format!("{head}{user}\n{rest}")).unwrap();
        let ran = without_panic(world.run(&["audit"]));
        let ran = match user.starts_with("exec") {
            true => ran.fails(3, "credential-plugin", &["plugin sh", "header"]),
            false => ran.fails(2, "kubeconfig", &["user admin", "token"]),
        };
        assert!(!ran.err.contains(CANARY), "{user}: {}", ran.err);
    }
}

#[test]
fn malformed_region_is_a_usage_error() {
    let world = World::new(1);
    for region in ["a\nb", "a/b", "ä", "a,b", "a b"] {
        let arguments =
            ["publish", "--bucket", "s3://keys", "--region", region, "--issuer", crate::world::ISSUER];
        world.run(&arguments).fails(2, "bucket-region-malformed", &["region"]);
    }
}

/// What is no object, or has members of other types, where the API server answers with objects.
#[test]
fn answers_of_other_form_never_panic() {
    let estate = Estate::new();
    let faults = estate.world.cluster.server(0).faults();
    let odd = || {
        [json!(1), json!("a"), json!([]), json!(true), json!(null), json!({}), json!(u64::MAX), json!([[]])]
    };
    let depth = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    let paths = [
        "externalsecrets",
        "secretstores",
        "secrets",
        "deployments",
        "customresourcedefinitions",
        "serviceaccounts/",
    ];
    let commands = [&["audit"][..], &["setup", "--dry-run"], &["verify"], &["teardown", "--dry-run"]];
    for (number, path) in paths.into_iter().enumerate() {
        for (position, odd) in odd().into_iter().enumerate() {
            let member = ["", "spec", "metadata", "status", "data"][(number + position) % 5];
            let change = changed(move |answer| {
                let put = |object: &mut Value| match member {
                    "" => *object = odd.clone(),
                    _ if object.is_object() => object[member] = odd.clone(),
                    _ => {}
                };
                match answer.get_mut("items").and_then(Value::as_array_mut) {
                    Some(items) => items.iter_mut().for_each(put),
                    None => put(answer),
                }
            });
            faults.clear();
            faults.always("GET", path, change);
            without_panic(estate.run(commands[(number + position) % 4]));
        }
        faults.clear();
        faults.always("GET", path, Fault::answer(200, "application/json", depth.clone()));
        without_panic(estate.run(commands[number % 4]));
    }
}

#[test]
fn absurd_server_clock_is_no_panic() {
    for date in [
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Mon, 01 Jan 0001 00:00:00 GMT",
        "-1",
        "",
    ] {
        let world = World::new(1);
        world.keyless("publish", &[]).ends(0);
        let keys = world.key.jwk();
        let answer = Fault::Answer {
            status: 200,
            headers: vec![("content-type".into(), "application/json".into()), ("date".into(), date.into())],
            body: json!({"keys": [keys]}).to_string().into_bytes(),
        };
        world.cluster.server(0).faults().always("GET", "/openid/v1/jwks", answer);
        without_panic(world.run(&["verify", "--issuer", crate::world::ISSUER, "--ca-file", "ca.pem"]));
        without_panic(world.keyless("publish", &[]));
    }
}

#[test]
fn excessive_cache_time_fails_the_check() {
    let world = World::new(1);
    world.keyless("publish", &[]).ends(0);
    for age in ["3600", "18446744073709551615", "99999999999999999999999999"] {
        let headers = vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("cache-control".to_owned(), format!("public, max-age={age}")),
        ];
        let body = fs::read(world.jwks()).unwrap();
        world.web.faults().clear();
        world.web.faults().always("GET", "jwks", Fault::Answer { status: 200, headers, body });
        let ran =
            world.run(&["verify", "--issuer", crate::world::ISSUER, "--ca-file", "ca.pem", "--public-only"]);
        without_panic(ran).ends(1).says("cache time");
    }
}
