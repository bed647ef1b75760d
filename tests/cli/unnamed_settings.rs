//! `./keyless.yaml`, which no flag named: it is used where only the user can write it, and announced; else refused.

use std::{
    fs::{self, Permissions},
    net::TcpListener,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
};

use crate::{
    estate::{Estate, SETUP},
    world::{ISSUER, World},
};

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Settings that run a program and send credentials elsewhere.
fn hostile(world: &World, endpoint: &str) -> std::path::PathBuf {
    let folder = world.dir.path();
    let plugin = folder.join("plugin");
    fs::write(&plugin, format!("#!/bin/sh\ntouch '{}'\n", folder.join("was-run").display())).unwrap();
    mode(&plugin, 0o755);
    let kubeconfig = fs::read_to_string(&world.kubeconfig).unwrap();
    let token = format!("token: {:?}", world.cluster.token_of("admin"));
    let exec =
        "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, interactiveMode: Never}";
    assert!(kubeconfig.contains(&token), "{kubeconfig}");
    fs::write(folder.join("hostile"), kubeconfig.replace(&token, exec)).unwrap();
    let file = folder.join("keyless.yaml");
    let settings = format!(
        "apiVersion: keyless/v1\ncluster: {{kubeconfig: hostile}}\nprovider: google\n\
         google: {{project: acme-prod, endpoints: {{iam: '{endpoint}', sts: '{endpoint}', secretManager: '{endpoint}'}}}}\n"
    );
    fs::write(&file, settings).unwrap();
    mode(&file, 0o644);
    file
}

#[test]
fn world_writable_settings_file_is_refused() {
    let world = World::new(1);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let file = hostile(&world, &endpoint);
    let folder = world.dir.path();
    let commands = [
        &["setup", "--yes"][..],
        &["teardown", "--yes"],
        &["publish"],
        &["verify"],
        &["audit"],
        &["render", "store"],
    ];
    let run = |arguments: &[&str]| {
        let mut command = world.command(arguments);
        command.env_remove("KUBECONFIG").env("GOOGLE_OAUTH_ACCESS_TOKEN", "CANARY-token");
        crate::world::Ran::from(command.output().unwrap())
    };
    let refused = || {
        for command in commands {
            let ran = run(command).fails(
                2,
                "config-untrusted",
                &["keyless.yaml", "--config ./keyless.yaml", "chmod go-w"],
            );
            assert!(ran.out.is_empty(), "{}", ran.out);
        }
        assert!(!folder.join("was-run").exists(), "its plugin was run");
        assert!(listener.accept().is_err(), "its endpoint was asked");
        assert!(world.cluster.server(0).faults().requests().is_empty());
    };
    for (of_file, of_folder) in [(0o666, 0o700), (0o646, 0o700), (0o644, 0o777), (0o644, 0o707)] {
        mode(&file, of_file);
        mode(folder, of_folder);
        refused();
    }
    mode(&file, 0o644);
    mode(folder, 0o700);
    if fs::metadata(folder).unwrap().uid() == 0 {
        // What root may do: give it to another user. A group of another number is another group.
        for (path, user, group) in [(file.as_path(), 12_345, 12_345), (folder, 12_345, 12_345)] {
            chown(path, Some(user), Some(group)).unwrap();
            refused();
            chown(path, Some(0), Some(0)).unwrap();
        }
        mode(&file, 0o664);
        refused();
        mode(&file, 0o644);
    }
    // A link of one's own is as good as the file that it leads to.
    fs::rename(&file, folder.join("elsewhere.yaml")).unwrap();
    std::os::unix::fs::symlink("elsewhere.yaml", &file).unwrap();
    mode(&folder.join("elsewhere.yaml"), 0o666);
    refused();
    // Named, it is the user's own word.
    let ran = run(&["audit", "--config", "./keyless.yaml"]);
    assert!(folder.join("was-run").exists(), "{}", ran.err);
}

#[test]
fn unnamed_file_is_announced_with_effects() {
    let estate = Estate::new();
    estate.unnamed_settings(
        "cluster: {context: admin}\nbucket: {url: 's3://acme', endpoint: 'http://127.0.0.1:1'}",
    );
    let ran = estate.run(&["audit"]).ends(1);
    let first = "Settings from keyless.yaml (cluster.context admin, bucket.endpoint http://127.0.0.1:1)";
    assert_eq!(ran.err.lines().next(), Some(first), "{}", ran.err);
    let ran = estate.run(&["audit", "--config", "keyless.yaml"]).ends(1);
    assert!(!ran.err.contains("Settings from"), "named by the user: {}", ran.err);
    let ran = estate.run(&["config", "schema"]).ends(0);
    assert_eq!(ran.err, "", "nothing is read for it");
}

/// A folder of one's own may hold what someone else has put there: a repository that was cloned.
#[test]
fn unnamed_file_directs_no_credentials() {
    let estate = Estate::new();
    let commands =
        [&["setup", "--dry-run"][..], &["teardown", "--yes"], &["verify"], &["publish"], &["audit"]];
    for (settings, setting) in [
        ("bucket: {url: 'az://acme/oidc', endpoint: 'https://blob.evil.example'}", "bucket.endpoint"),
        ("bucket: {url: 'gs://acme', endpoint: 'https://storage.evil.example'}", "bucket.endpoint"),
        (
            "google: {project: acme-prod, endpoints: {iam: 'https://iam.evil.example'}}",
            "google.endpoints.iam",
        ),
        (
            "google: {project: acme-prod, endpoints: {sts: 'https://127.0.0.1.evil.example'}}",
            "google.endpoints.sts",
        ),
        ("google: {project: acme-prod, endpoints: {sts: 'https://10.0.0.1'}}", "google.endpoints.sts"),
        ("aws: {account: '111122223333', endpoints: {sts: 'https://sts.evil.example'}}", "aws.endpoints.sts"),
        (
            "aws: {account: '111122223333', endpoints: {secretsManager: 'https://[2001:db8::1]'}}",
            "aws.endpoints.secretsManager",
        ),
        ("vault: {address: 'https://vault.evil.example'}", "vault.address"),
    ] {
        estate.unnamed_settings(settings);
        estate.google.faults().forget();
        for command in commands {
            let ran = estate.run(command);
            ran.fails(2, "config-endpoint", &[setting, "--config ./keyless.yaml"]);
        }
        assert!(estate.google.faults().requests().is_empty(), "{settings}");
        assert!(estate.world.cluster.server(0).faults().requests().is_empty(), "{settings}");
        // Named, it is the user's own word.
        let ran = estate.run(&["audit", "--config", "./keyless.yaml"]);
        assert!(!ran.err.contains("config-endpoint"), "{settings}: {}", ran.err);
        estate.world.cluster.server(0).faults().forget();
    }
    // So it is where a flag or the environment says the same, and on this machine.
    estate.unnamed_settings("bucket: {url: 's3://acme', endpoint: 'https://s3.evil.example'}");
    let ran = estate.run(&["audit", "--endpoint", "http://127.0.0.1:1"]);
    assert!(!ran.err.contains("config-endpoint"), "{}", ran.err);
    estate.unnamed_settings("vault: {address: 'https://vault.lab.test/'}");
    let mut command = estate.command(&["audit"]);
    let ran: crate::world::Ran = command.env("VAULT_ADDR", "https://vault.lab.test").output().unwrap().into();
    assert!(!ran.err.contains("config-endpoint"), "{}", ran.err);
    let mut command = estate.command(&["audit"]);
    let ran: crate::world::Ran =
        command.env("VAULT_ADDR", "https://vault.other.test").output().unwrap().into();
    ran.fails(2, "config-endpoint", &["vault.address"]);
}

/// A variable is the user's own word, as a flag is: for the setting that it sets, and for no other.
#[test]
fn environment_directs_what_it_sets() {
    let estate = Estate::new();
    let run = |variable: &str, value: &str, arguments: &[&str]| {
        let ran: crate::world::Ran = estate.command(arguments).env(variable, value).output().unwrap().into();
        ran
    };
    let azure = "bucket:\n  url: az://acme/oidc\n  endpoint: https://blob.evil.example";
    let vault = "vault:\n  address: https://vault.evil.example";
    let google = "google:\n  project: acme-prod\n  endpoints:\n    iam: https://iam.evil.example";
    let aws = "aws:\n  account: '111122223333'\n  endpoints:\n    secretsManager: https://sm.evil.example";
    for (settings, variable, value) in [
        (azure, "KEYLESS_BUCKET_ENDPOINT", "https://blob.lab.test"),
        (vault, "KEYLESS_VAULT_ADDRESS", "https://vault.lab.test"),
        (google, "KEYLESS_GOOGLE_ENDPOINTS_IAM", "https://iam.lab.test"),
        (aws, "KEYLESS_AWS_ENDPOINTS_SECRETS_MANAGER", "https://sm.lab.test"),
    ] {
        estate.unnamed_settings(settings);
        let ran = run(variable, value, &["config", "view"]).ends(0);
        assert!(ran.out.contains(value) && !ran.out.contains("evil"), "{}", ran.out);
        // Another setting from the environment makes the file no better.
        for (variable, value) in [("KEYLESS_WATCH_POLL", "30s"), ("KEYLESS_CLUSTER_CONTEXT", "lab")] {
            for command in [&["config", "view"][..], &["status"], &["setup", "--dry-run"]] {
                run(variable, value, command).fails(2, "config-endpoint", &["evil.example"]);
            }
        }
    }
    // The variable chooses the kind of bucket, the file the place that its login would be sent to.
    estate.unnamed_settings("bucket:\n  url: s3://acme\n  endpoint: https://blob.evil.example");
    run("KEYLESS_BUCKET_URL", "az://acme/oidc", &["config", "view"]).fails(
        2,
        "config-endpoint",
        &["bucket.endpoint"],
    );
    assert!(estate.google.faults().requests().is_empty());
    assert!(estate.world.cluster.server(0).faults().requests().is_empty());
}

/// What is checked or shown is the file as commands take it, unless it is named.
#[test]
fn file_is_valid_once_named() {
    let estate = Estate::new();
    estate.unnamed_settings("vault:\n  address: https://vault.evil.example");
    let variable = ("KEYLESS_VAULT_ADDRESS", "https://vault.lab.test");
    let mut command = estate.command(&["config", "validate"]);
    let ran: crate::world::Ran = command.env(variable.0, variable.1).output().unwrap().into();
    ran.fails(2, "config-endpoint", &["vault.address", "--config ./keyless.yaml"]);
    estate.run(&["config", "validate", "--config", "./keyless.yaml"]).ends(0);
    estate.run(&["config", "validate", "keyless.yaml"]).ends(0);
}

#[test]
fn kubeconfig_below_home_is_found() {
    let world = World::new(1);
    let name = world.kubeconfig.file_name().unwrap().to_str().unwrap();
    fs::write(
        world.dir.path().join("keyless.yaml"),
        format!("apiVersion: keyless/v1\ncluster: {{kubeconfig: ~/{name}}}\n"),
    )
    .unwrap();
    let mut command = world.command(&["audit", "--config", "keyless.yaml"]);
    crate::world::Ran::from(command.env_remove("KUBECONFIG").output().unwrap()).says("Cluster admin (");
}

/// Only the user could have written the file, and it may have come with a folder all the same.
#[test]
fn unnamed_kubeconfig_runs_nothing() {
    let world = World::new(1);
    let file = hostile(&world, "http://127.0.0.1:1");
    let folder = world.dir.path();
    mode(folder, 0o700);
    let run = |arguments: &[&str], variable: (&str, &str)| {
        let mut command = world.command(arguments);
        crate::world::Ran::from(
            command.env_remove("KUBECONFIG").env(variable.0, variable.1).output().unwrap(),
        )
    };
    let absolute = folder.join("hostile");
    for named in ["hostile", "./hostile", "../hostile", absolute.to_str().unwrap(), "~/hostile", "gone"] {
        let settings = format!("apiVersion: keyless/v1\ncluster:\n  kubeconfig: '{named}'\n");
        fs::write(&file, settings).unwrap();
        for command in
            [&["audit"][..], &["publish"], &["status"], &["setup", "--dry-run"], &["config", "validate"]]
        {
            let ran = run(command, ("KEYLESS_CLUSTER_CONTEXT", "admin"));
            let ran = ran.fails(2, "config-kubeconfig", &["cluster.kubeconfig", "--config ./keyless.yaml"]);
            assert!(ran.out.is_empty(), "{}", ran.out);
        }
    }
    assert!(!folder.join("was-run").exists(), "its plugin was run");
    assert!(world.cluster.server(0).faults().requests().is_empty());
    // What the user says holds instead of it.
    let own = world.kubeconfig.to_str().unwrap();
    run(&["audit", "--kubeconfig", own], ("A", "")).says("Cluster admin (");
    run(&["audit"], ("KEYLESS_CLUSTER_KUBECONFIG", own)).says("Cluster admin (");
    assert!(!folder.join("was-run").exists(), "its plugin was run");
}

#[test]
fn other_name_is_not_passed_over() {
    let world = World::new(1);
    fs::write(world.dir.path().join("keyless.yml"), "apiVersion: keyless/v1\n").unwrap();
    world.run(&["audit"]).fails(2, "config-name", &["keyless.yml", "keyless.yaml"]);
    world.run(&["audit", "--config", "keyless.yml"]).says("Cluster admin (");
    fs::write(world.dir.path().join("keyless.yaml"), "apiVersion: keyless/v1\n").unwrap();
    world.run(&["audit"]).says("Cluster admin (");
    // A link that leads to nothing is no file that is not there.
    fs::remove_file(world.dir.path().join("keyless.yaml")).unwrap();
    std::os::unix::fs::symlink("gone", world.dir.path().join("keyless.yaml")).unwrap();
    world.run(&["audit"]).fails(2, "config-unreadable", &["keyless.yaml"]);
}

#[test]
fn endpoints_are_https_or_loopback() {
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    for settings in [
        "bucket: {url: 's3://acme', endpoint: 'http://s3.CANARY.com'}",
        "bucket: {url: 's3://acme', endpoint: 'https://user:CANARY@s3.example.com'}",
        "bucket: {url: 's3://acme', publicUrl: 'http://CANARY.example.com'}",
        "vault: {address: 'http://vault.CANARY.com'}",
        "vault: {address: 'https://vault.example.com/?token=CANARY'}",
        "google: {project: acme-prod, endpoints: {iam: 'http://iam.CANARY.com'}}",
        "google: {project: acme-prod, endpoints: {iamCredentials: 'http://10.0.0.1/CANARY'}}",
        "google: {project: acme-prod, endpoints: {resourceManager: 'CANARY'}}",
        "google: {project: acme-prod, endpoints: {secretManager: 'https://user:CANARY@secretmanager.googleapis.com'}}",
        "google: {project: acme-prod, endpoints: {serviceUsage: 'http://0.0.0.0/CANARY'}}",
        "google: {project: acme-prod, endpoints: {sts: 'ftp://sts.CANARY.com'}}",
    ] {
        estate.unnamed_settings(settings);
        estate.google.faults().forget();
        for command in [
            &["setup", "--dry-run"][..],
            &["teardown", "--yes"],
            &["verify"],
            &["publish", "--issuer", ISSUER],
            &["audit"],
        ] {
            let ran = estate.run(command).fails(2, "base-url", &[]);
            assert!(!ran.err.contains("CANARY"), "{settings}: {}", ran.err);
        }
        assert!(estate.google.faults().requests().is_empty(), "{settings}");
    }
}
