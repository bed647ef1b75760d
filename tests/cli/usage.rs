//! Arguments and settings: exit code 2, and an error that teaches.

use crate::{snapshot::transcript, world::World};

#[test]
fn issuers_that_cannot_be() {
    let world = World::new(1);
    let mut runs = Vec::new();
    for (issuer, code) in [
        ("http://oidc.lab.test", "issuer-not-https"),
        ("https://oidc.lab.test:8443", "issuer-port"),
        ("https://oidc.lab.test/?a=b", "issuer-query"),
        ("https://oidc.lab.test/#a", "issuer-fragment"),
        ("https://u:hunter2@oidc.lab.test", "issuer-user-info"),
        ("https://oidc.lab.test/prod/", "issuer-trailing-slash"),
        ("https://oidc.lab.test/Prod", "issuer-upper-case"),
        ("a,b", "issuer-comma"),
        ("https://_acme.lab.test/prod", "issuer-host"),
        ("https://-acme.lab.test/prod", "issuer-host"),
        ("https://.../prod", "issuer-host"),
        ("https://a..lab.test/prod", "issuer-host"),
        ("https://lab.test./prod", "issuer-host"),
        ("https://10.5.0.2/prod", "issuer-host"),
        ("https://oidc.lab.test/a'$(b)", "issuer-character"),
        ("", "issuer-empty"),
    ] {
        let ran = world.run(&["verify", "--issuer", issuer]).fails(2, code, &[]);
        assert!(!ran.err.contains("hunter2"), "a password is shown");
        runs.push(ran);
    }
    transcript("error-issuers", &runs);
}

#[test]
fn trusted_audience_is_refused() {
    let world = World::new(1);
    for audience in
        ["sts.amazonaws.com", "vault", "api://AzureADTokenExchange", "https://kubernetes.default.svc"]
    {
        world.keyless("verify", &["--audience", audience]).fails(2, "audience-trusted", &[audience]);
        let file = format!("apiVersion: keyless/v1\nverify: {{audience: '{audience}'}}\n");
        std::fs::write(world.dir.path().join("trusted.yaml"), file).unwrap();
        world.keyless("publish", &["--config", "trusted.yaml"]).fails(2, "audience-trusted", &[audience]);
    }
    assert!(world.cluster.server(0).faults().requests().is_empty(), "no token was minted");
    let trusted = world.keyless("verify", &["--audience", "vault"]).ends(2);
    trusted.snapshot("error-audience-trusted");
    world.keyless("publish", &[]).ends(0);
    world.keyless("verify", &["--audience", "anyone"]).ends(0);
}

#[test]
fn missing_setting_names_its_flag() {
    let world = World::new(1);
    let runs = [
        world.run(&["publish"]).fails(2, "bucket-not-named", &["--bucket"]),
        world.run(&["publish", "--bucket", "file:///tmp/x"]).fails(2, "issuer-missing", &["--issuer"]),
        world.run(&["verify", "--public-only"]).fails(2, "issuer-missing", &["--issuer"]),
        world.keyless("publish", &["--no-cluster"]).fails(2, "no-key-source", &["--public-key"]),
        world.keyless("publish", &["--public-key", "none.pem"]).fails(
            2,
            "public-key-unreadable",
            &["none.pem"],
        ),
        world.keyless("publish", &["--context", "none"]).fails(2, "kubeconfig", &["none"]),
        world.keyless("publish", &["--kubeconfig", "none"]).fails(2, "kubeconfig", &["none"]),
        world.keyless("publish", &["--config", "none.yaml"]).fails(2, "config-missing", &["none.yaml"]),
        world.keyless("publish", &["--ca-file", "none.pem"]).ends(2),
    ];
    transcript("error-settings-missing", &runs);
}

#[test]
fn schema_names_every_setting_and_version() {
    let schema = World::new(1).run(&["config", "schema"]).ends(0).json();
    assert_eq!(schema["additionalProperties"], false);
    assert!(schema["required"].as_array().unwrap().contains(&"apiVersion".into()), "{schema:#}");
    for (path, words) in [
        ("Bucket", "publicUrl"),
        ("Cluster", "serviceAccount"),
        ("Google", "impersonate"),
        ("Vault", "mount"),
    ] {
        let setting = &schema["$defs"][path]["properties"][words];
        assert!(
            setting["description"].as_str().is_some_and(|text| !text.is_empty()),
            "{path}.{words}: {setting}"
        );
    }
    assert!(schema["$defs"]["Version"].to_string().contains("keyless/v1"));
}

#[test]
fn errors_are_json_too() {
    let world = World::new(1);
    let ran = world.run(&["publish", "-o", "json"]).ends(2);
    let error = &ran.json()["error"];
    assert_eq!(error["code"], "bucket-not-named");
    assert!(!error["hints"].as_array().unwrap().is_empty());
}

#[test]
fn help_lists_exit_codes_and_examples() {
    let world = World::new(1);
    world.run(&["--help"]).ends(0).says("Exit codes").says("143 stopped by").says("publish").says("verify");
    world.run(&["publish", "--help"]).ends(0).says("--dry-run").says("Examples");
    world.run(&["verify", "--help"]).ends(0).says("Examples");
    world.run(&["--version"]).ends(0).says(env!("CARGO_PKG_VERSION"));
    world.run(&["publsh"]).ends(2).says("publish").snapshot("error-command-unknown");
    world.run(&["audit", "--bucket", "s3://a"]).ends(2).snapshot("error-flag-unused");
    world.run(&["publish", "--buckt", "s3://a"]).ends(2).snapshot("error-flag-unknown");
}

#[test]
fn help_of_every_command_is_reviewed() {
    let world = World::new(1);
    for line in include_str!("../../fixtures/cli/flags.txt").lines() {
        let (command, _) = line.split_once(':').unwrap();
        let arguments: Vec<_> = command.split(' ').skip(1).chain(["--help"]).collect();
        world.run(&arguments).ends(0).snapshot(&format!("help-{}", command.replace(' ', "-")));
    }
}

#[test]
fn closed_pipe_is_no_error() {
    let world = World::new(1);
    let mut child = world.spawn("publish", &[]);
    drop(child.stdout.take());
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn no_token_is_ever_shown() {
    let world = World::new(1);
    for arguments in [&["-vv"][..], &["-vv", "-o", "json"]] {
        for command in ["publish", "verify"] {
            let ran = world.keyless(command, arguments).ends(0);
            let all = format!("{}{}", ran.out, ran.err);
            assert!(!all.contains(&world.cluster.token_of("admin")), "the kubeconfig's token is shown");
            // Every JWT begins like this: {"alg
            assert!(!all.contains("eyJhbGci"), "a minted token is shown: {all}");
        }
    }
}
