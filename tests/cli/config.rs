//! `keyless config`, and settings from the environment.

use std::{fs, os::unix::fs::symlink};

use serde_json::{Value, json};

use crate::world::{ISSUER, Ran, World};

/// With these variables.
fn run(world: &World, variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    Ran::of(world.command(arguments).envs(variables.iter().copied()))
}

fn settings(world: &World, text: &str) {
    fs::write(world.dir.path().join("keyless.yaml"), format!("apiVersion: keyless/v1\n{text}")).unwrap();
}

fn setting<'a>(view: &'a Value, path: &str) -> &'a Value {
    let all = view["settings"].as_array().unwrap();
    all.iter().find(|one| one["setting"] == path).unwrap_or_else(|| panic!("{path} is not in {view:#}"))
}

#[test]
fn view_shows_source_of_each_setting() {
    let world = World::new(1);
    settings(
        &world,
        "issuer: https://oidc.lab.test/file\nbucket:\n  url: s3://from-file\n  region: fsn1\nwatch:\n  poll: 30s\n",
    );
    let variables = [
        ("KEYLESS_ISSUER", "https://oidc.lab.test/environment"),
        ("KEYLESS_BUCKET_URL", "s3://from-environment"),
        ("KEYLESS_CLUSTER_MAX_TOKEN_SECONDS", "90000"),
    ];
    let arguments = ["config", "view", "--issuer", ISSUER, "--no-cluster"];
    run(&world, &variables, &arguments).ends(0).snapshot("config-view");
    let view = run(&world, &variables, &[&arguments[..], &["-o", "json"]].concat()).ends(0).json();
    for (path, value, source, by) in [
        ("issuer", json!(ISSUER), "flag", json!("--issuer")),
        ("bucket.url", json!("s3://from-environment"), "environment", json!("KEYLESS_BUCKET_URL")),
        ("bucket.region", json!("fsn1"), "file", json!(null)),
        ("cluster.maxTokenSeconds", json!(90000), "environment", json!("KEYLESS_CLUSTER_MAX_TOKEN_SECONDS")),
        ("cluster.enabled", json!(false), "flag", json!("--no-cluster")),
        ("verify.audience", json!("keyless"), "default", json!(null)),
        ("google.project", json!(null), "unset", json!(null)),
    ] {
        let seen = setting(&view, path);
        assert_eq!((&seen["value"], &seen["source"], &seen["by"]), (&value, &json!(source), &by), "{path}");
    }
    assert!(world.cluster.server(0).faults().requests().is_empty());
}

#[test]
fn view_all_names_every_variable() {
    let world = World::new(1);
    let ran = world.run(&["config", "view", "--all"]).ends(0);
    ran.says("google.project").says("not set").says("store.rights.push");
    let view = world.run(&["config", "view", "-o", "json"]).ends(0).json();
    assert_eq!(setting(&view, "vault.caFile")["variable"], "KEYLESS_VAULT_CA_FILE");
    assert_eq!(setting(&view, "store.secrets")["variable"], json!(null));
}

#[test]
fn view_refuses_what_commands_refuse() {
    let world = World::new(1);
    let plain = [("KEYLESS_ISSUER", "http://oidc.lab.test"), ("KEYLESS_BUCKET_URL", "s3://a")];
    run(&world, &plain, &["config", "view"]).fails(2, "issuer-not-https", &[]);
    let password = "https://u:hunter2-hunter2@oidc.lab.test";
    for (variable, value) in [("KEYLESS_ISSUER", password), ("KEYLESS_BUCKET_ENDPOINT", password)] {
        let more = [(variable, value), ("KEYLESS_BUCKET_URL", "s3://a")];
        let ran = run(&world, &more, &["config", "view", "-o", "json"]).ends(2);
        assert!(!format!("{}{}", ran.out, ran.err).contains("hunter2"), "{}{}", ran.out, ran.err);
    }
}

/// Flags, then the environment, then the file: what commands do, not what `view` says.
#[test]
fn environment_is_over_file_under_flags() {
    let world = World::new(1);
    settings(&world, "cluster:\n  context: file\n");
    world.run(&["audit"]).fails(2, "kubeconfig", &["file"]);
    let variables = [("KEYLESS_CLUSTER_CONTEXT", "environment")];
    run(&world, &variables, &["audit"]).fails(2, "kubeconfig", &["environment"]);
    run(&world, &variables, &["audit", "--context", "flag"]).fails(2, "kubeconfig", &["flag"]);
    run(&world, &[("KEYLESS_CLUSTER_CONTEXT", "")], &["audit"]).fails(2, "kubeconfig", &["file"]);
}

#[test]
fn publish_works_by_environment_alone() {
    let world = World::new(1);
    let bucket = format!("file://{}", world.www.display());
    let variables = [
        ("KEYLESS_BUCKET_URL", bucket.as_str()),
        ("KEYLESS_ISSUER", ISSUER),
        ("KEYLESS_TLS_CA_FILE", "ca.pem"),
    ];
    let ran = run(&world, &variables, &["publish"]).ends(0);
    assert!(
        ran.err
            .contains("Settings from KEYLESS_ISSUER, KEYLESS_BUCKET_URL, KEYLESS_TLS_CA_FILE (tls.caFile "),
        "{}",
        ran.err
    );
    assert_eq!(world.published(), [world.key.kid()]);
}

#[test]
fn unusable_variable_is_an_error() {
    let world = World::new(1);
    let mut runs = Vec::new();
    for (variable, value, code) in [
        ("KEYLESS_CLUSTER_MAX_TOKEN_SECONDS", "soon", "environment-setting"),
        ("KEYLESS_PROVIDER", "azur", "environment-setting"),
        ("KEYLESS_CLUSTER_EXTERNAL_SIGNER", "1", "environment-setting"),
        ("KEYLESS_CLUSTER_UID", "of the cluster", "cluster-uid"),
        ("KEYLESS_VAULT_ADDRESS", "ftp://bao", "base-url"),
    ] {
        runs.push(run(&world, &[(variable, value)], &["audit"]).fails(2, code, &[variable]));
    }
    settings(&world, "bucket: {url: 's3://a'}\n");
    let ran = run(&world, &[("KEYLESS_BUCKET_URL", "s3://b")], &["audit"]);
    runs.push(ran.fails(2, "environment-setting", &["keyless.yaml", "KEYLESS_BUCKET_URL"]));
    crate::snapshot::transcript("error-environment", &runs);
    assert!(world.cluster.server(0).faults().requests().is_empty());
}

/// Kubernetes sets these in each pod beside a Service that is called `keyless`.
#[test]
fn variables_of_services_are_no_settings() {
    let world = World::new(1);
    let variables = [
        ("KEYLESS_SERVICE_HOST", "10.0.0.1"),
        ("KEYLESS_SERVICE_PORT", "80"),
        ("KEYLESS_PORT", "tcp://10.0.0.1:80"),
        ("KEYLESS_PORT_80_TCP_ADDR", "10.0.0.1"),
    ];
    assert_eq!(run(&world, &variables, &["config", "view"]).ends(0).out, world.run(&["config", "view"]).out);
}

#[test]
fn validate_names_setting_and_line() {
    let world = World::new(1);
    let file = world.dir.path().join("other.yaml");
    let mut runs = Vec::new();
    for (text, names) in [
        ("bucket:\n  url: [a]\n", &["bucket.url: ", "line 3"][..]),
        ("cluster:\n  maxTokenSeconds: soon\n", &["cluster.maxTokenSeconds: ", "line 3"]),
        ("cluster:\n  maxTokenSeconds: 60\n", &["cluster.maxTokenSeconds: 60"]),
        ("cluster:\n  publicKeys:\n    - a\n    - {b: c}\n", &["cluster.publicKeys[1]: ", "line 5"]),
        ("bucket:\n  regoin: fsn1\n", &["bucket.regoin: ", "line 3", "did you mean `region`?"]),
        ("store:\n  rights:\n    push: yes\n", &["store.rights.push: ", "line 4"]),
        ("google:\n  mode: magic\n", &["google.mode: ", "line 3"]),
        ("vault:\n  address: 'http://bao.example.com'\n", &["vault.address"]),
        ("bucket:\n  url: s3://a\n  endpoint: ftp://b\n", &["bucket.endpoint"]),
        ("issuer: https://a.example.com\nissuer: https://b.example.com\n", &["twice", "line 3"]),
        ("bucket: [\n", &["line"]),
    ] {
        fs::write(&file, format!("apiVersion: keyless/v1\n{text}")).unwrap();
        let ran = world.run(&["config", "validate", "other.yaml"]).ends(2);
        for name in names {
            assert!(ran.err.contains(name), "{text}: `{name}` is not in\n{}", ran.err);
        }
        runs.push(ran);
    }
    crate::snapshot::transcript("error-config-validate", &runs);
    world.run(&["config", "validate", "none.yaml"]).fails(2, "config-missing", &["none.yaml"]);
}

#[test]
fn validate_reads_the_file_alone() {
    let world = World::new(1);
    fs::write(world.dir.path().join("other.yaml"), "apiVersion: keyless/v1\nissuer: https://oidc.lab.test\n")
        .unwrap();
    settings(&world, "nonsense: true\n");
    let variables = [("KEYLESS_ISSUER", "nonsense")];
    run(&world, &variables, &["config", "validate", "other.yaml"]).ends(0).snapshot("config-validate");
    run(&world, &variables, &["config", "validate"]).fails(2, "config-malformed", &["keyless.yaml"]);
    let json = world.run(&["config", "validate", "other.yaml", "-o", "json"]).ends(0).json();
    assert_eq!((&json["valid"], &json["command"]), (&json!(true), &json!("config validate")));
    world.run(&["config", "validate", "other.yaml", "--config", "other.yaml"]).ends(2);
    assert!(world.cluster.server(0).faults().requests().is_empty());
}

#[test]
fn validate_shows_no_value() {
    let world = World::new(1);
    let secret = "CANARY-7f3a9c51d2";
    for text in [
        format!("issuer: [{secret}]\n"),
        format!("{secret}: a\n"),
        format!("bucket:\n  '{secret} {secret}': a\n"),
        format!("provider: {secret}\n"),
    ] {
        settings(&world, &text);
        let ran = world.run(&["config", "validate"]).ends(2);
        let is_name = text.starts_with("CANARY");
        assert!(is_name || !ran.err.contains(secret), "{text}: {}", ran.err);
    }
}

#[test]
fn init_writes_valid_file() {
    let world = World::new(1);
    world.run(&["config", "init"]).ends(0).snapshot("config-init");
    let file = world.dir.path().join("keyless.yaml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# yaml-language-server: $schema=keyless.schema.json\n"), "{text}");
    world.run(&["config", "validate"]).ends(0);
    // As a person begins: the section, and a setting in it.
    let begun = text.replace("#bucket:", "bucket:").replace("#  url:", "  url: s3://acme-oidc");
    assert_ne!(begun, text);
    fs::write(&file, begun).unwrap();
    world.run(&["config", "view"]).ends(0).says("s3://acme-oidc  (file keyless.yaml)");
}

#[test]
fn init_writes_over_nothing() {
    let world = World::new(1);
    let folder = world.dir.path();
    settings(&world, "# mine\n");
    let before = fs::read_to_string(folder.join("keyless.yaml")).unwrap();
    world.run(&["config", "init"]).fails(2, "config-exists", &["keyless.yaml", "--config"]);
    assert_eq!(fs::read_to_string(folder.join("keyless.yaml")).unwrap(), before);
    symlink("victim", folder.join("link.yaml")).unwrap();
    world.run(&["config", "init", "--config", "link.yaml"]).fails(2, "config-exists", &["link.yaml"]);
    assert!(!folder.join("victim").exists(), "nothing is written through a link");
    world.run(&["config", "init", "--config", "none/keyless.yaml"]).fails(
        3,
        "settings-unwritable",
        &["none"],
    );
    let json = world.run(&["config", "init", "--config", "new.yaml", "-o", "json"]).ends(0).json();
    assert_eq!(json["file"], "new.yaml");
}

#[test]
fn path_names_file_in_use() {
    let world = World::new(1);
    let folder = fs::canonicalize(world.dir.path()).unwrap();
    let ran = world.run(&["config", "path"]).ends(0).says("keyless config init");
    assert_eq!(ran.out, format!("{}/keyless.yaml\n", folder.display()));
    // It may be one that no command can read.
    fs::write(folder.join("keyless.yaml"), "nonsense: [").unwrap();
    let json = world.run(&["config", "path", "-o", "json"]).ends(0).json();
    assert_eq!((&json["exists"], &json["path"]), (&json!(true), &json!(folder.join("keyless.yaml"))));
}

#[test]
fn file_with_other_ending_is_noticed() {
    let world = World::new(1);
    fs::write(world.dir.path().join("keyless.yml"), "apiVersion: keyless/v1\n").unwrap();
    world.run(&["config", "view"]).fails(2, "config-name", &["keyless.yml", "rename"]);
    settings(&world, "");
    world
        .run(&["config", "view"])
        .ends(0)
        .says("warning[config-name]: keyless.yml is not read: keyless.yaml is there too");
    let named = world.run(&["config", "view", "--config", "keyless.yaml"]).ends(0);
    assert!(!named.err.contains("warning"), "{}", named.err);
}

#[test]
fn schema_has_own_name() {
    let schema = World::new(1).run(&["config", "schema"]).ends(0).json();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["$id"], "urn:keyless:v1:settings");
    assert_eq!(schema["$defs"]["Cluster"]["properties"]["longestTokenSeconds"]["default"], 86_400);
}
