//! Which cluster, which account: named first by every command, and compared before anything else.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use lab::{Fault, Right};
use serde_json::Value;

use crate::{
    estate::{Estate, SETUP},
    world::{ISSUER, Ran, World},
};

/// Every command that asks a cluster, in the forms that write.
const COMMANDS: [&[&str]; 9] = [
    &["setup", "--yes", "--watch-for", "0s", "--retire-key"],
    &["setup", "--dry-run"],
    &["setup", "--yes", "--manifests", "manifests"],
    &["teardown", "--yes"],
    &["publish", "--create"],
    &["verify"],
    &["audit"],
    &["render", "store", "--folder", "manifests"],
    &["render", "credentials"],
];

/// With the documents' place, for a command that has a use for it.
fn with_bucket<'a>(command: &[&'a str], bucket: &'a str) -> Vec<&'a str> {
    match command[0] {
        "audit" | "render" => command.to_vec(),
        _ => [command, &["--bucket", bucket, "--issuer", ISSUER]].concat(),
    }
}

/// Puts the settings of `from` beside the kubeconfig of `to`.
fn settings_of(from: &Estate, to: &Estate) -> PathBuf {
    from.run(&SETUP).ends(0);
    let file = to.world.dir.path().join("keyless.yaml");
    fs::copy(from.world.dir.path().join("keyless.yaml"), &file).unwrap();
    file
}

/// Everything that was asked of this estate since the last look, and the folder's files.
fn asked(estate: &Estate) -> Vec<String> {
    let far_sides = [estate.world.cluster.server(0).faults(), estate.google.faults()];
    let calls = far_sides.iter().flat_map(|faults| {
        let calls = faults.requests();
        faults.forget();
        calls
    });
    calls.map(|call| format!("{} {}", call.method, call.path)).collect()
}

#[test]
fn every_command_refuses_the_other_cluster() {
    let (ours, other) = (Estate::new(), Estate::new());
    let file = settings_of(&ours, &other);
    let written = fs::read_to_string(&file).unwrap();
    let (uid, other_uid) = (ours.world.cluster_uid(), other.world.cluster_uid());
    assert!(written.contains(&format!("  uid: {uid}\n")), "{written}");
    for estate in [&ours, &other] {
        asked(estate);
    }
    let before = other.world.cluster.objects("ClusterSecretStore");
    for command in COMMANDS {
        let bucket = format!("file://{}", other.world.www.display());
        let arguments = with_bucket(command, &bucket);
        let names = [&*uid, &*other_uid, "keyless.yaml", "context admin", "--context", "--config"];
        let ran = other.run(&arguments).fails(2, "cluster-mismatch", &names);
        assert_eq!(ran.out, "", "{command:?}");
        if command[0] == "audit" {
            ran.snapshot("error-cluster-mismatch");
        }
        // Nothing but its name was asked of the cluster, and nothing at all of any other side.
        assert_eq!(asked(&other), ["GET /api/v1/namespaces/kube-system"], "{command:?}");
        let json = other.run(&[&arguments[..], &["-o", "json"]].concat()).ends(2).json();
        assert_eq!(json["error"]["code"], "cluster-mismatch", "{command:?}");
        assert_eq!(json["target"]["cluster"]["uid"], *other_uid, "{command:?}");
        asked(&other);
    }
    assert_eq!(other.world.cluster.objects("ClusterSecretStore"), before);
    assert_eq!(fs::read_to_string(&file).unwrap(), written);
    assert_eq!(fs::read_dir(&other.world.www).unwrap().count(), 0, "nothing is published");
    assert!(!other.world.dir.path().join("manifests").exists());
    assert!(asked(&ours).is_empty());
    assert_eq!((other.key_disabled(), other.secret_is_there()), (Some(false), true));
}

#[test]
fn unreadable_uid_is_refused_where_configured() {
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    asked(&estate);
    estate.world.cluster.deny("admin", "get", "namespaces");
    for command in COMMANDS {
        let bucket = format!("file://{}", estate.world.www.display());
        let names = ["get namespaces", "kube-system", "nothing was done"];
        let ran = estate.run(&with_bucket(command, &bucket)).fails(3, "cluster-uid-unreadable", &names);
        if command[0] == "audit" {
            ran.snapshot("error-cluster-uid-unreadable");
        }
        let asked = asked(&estate);
        let written: Vec<_> = asked.iter().filter(|call| !call.starts_with("GET ")).collect();
        assert!(written.is_empty(), "{command:?}: {written:?}");
    }
    // Answers that are no answer are none either.
    estate.world.cluster.forgive("admin");
    let faults = estate.world.cluster.server(0).faults();
    for fault in [
        Fault::html(),
        Fault::kubernetes_status(),
        Fault::answer(200, "application/json", "{}"),
        Fault::answer(200, "application/json", r#"{"kind":"Namespace","metadata":{"name":"kube-system"}}"#),
        Fault::answer(
            200,
            "application/json",
            r#"{"kind":"Namespace","metadata":{"name":"kube-system","uid":"a\u001b[31m"}}"#,
        ),
        Fault::answer(404, "text/plain", "404 page not found"),
        Fault::status(500),
        Fault::CloseBeforeAnswer,
    ] {
        faults.always("GET", "/api/v1/namespaces/kube-system", fault);
        let ran = estate.run(&["teardown", "--yes"]).ends(3);
        assert!(!ran.err.contains('\u{1b}'), "{}", ran.err);
        faults.clear();
        let asked = asked(&estate);
        assert!(asked.iter().all(|call| call == "GET /api/v1/namespaces/kube-system"), "{asked:?}");
    }
}

#[test]
fn publisher_without_the_right_warns() {
    let world = World::new(1);
    world.cluster.add_user("publisher", &Right::ALL);
    let run = |arguments: &[&str]| -> Ran {
        let kubeconfig = world.cluster.kubeconfig_as(world.dir.path(), "publisher");
        let mut command = world.command(arguments);
        command.env("KUBECONFIG", kubeconfig).output().unwrap().into()
    };
    let bucket = format!("file://{}", world.www.display());
    let publish = ["publish", "--bucket", &bucket, "--issuer", ISSUER, "--ca-file", "ca.pem"];
    let ran = run(&publish).ends(0).says("warning[cluster-uid-unknown]").says("get namespaces");
    assert!(ran.err.starts_with("Cluster publisher (https://127.0.0.1:"), "{}", ran.err);
    assert_eq!(
        run(&[&publish[..], &["-o", "json"]].concat()).json()["target"]["cluster"]["uid"],
        Value::Null
    );
    world.cluster.allow("publisher", "get", "namespaces");
    let settings = format!("apiVersion: keyless/v1\ncluster:\n  uid: {}\n", world.cluster_uid());
    fs::write(world.dir.path().join("keyless.yaml"), settings).unwrap();
    let ran = run(&publish).ends(0);
    assert!(!ran.err.contains("warning"), "{}", ran.err);
}

#[test]
fn every_result_names_its_target() {
    let estate = Estate::new();
    let server = estate.world.cluster.server(0).url();
    let uid = estate.world.cluster_uid();
    let cluster = |json: &Value| {
        assert_eq!(json["target"]["cluster"]["context"], "admin", "{json:#}");
        assert_eq!(json["target"]["cluster"]["server"], *server, "{json:#}");
        assert_eq!(json["target"]["cluster"]["uid"], *uid, "{json:#}");
        json["target"]["provider"]["account"].clone()
    };
    let json = |arguments: &[&str]| {
        let ran = estate.run(&[arguments, &["-o", "json"]].concat());
        assert!(!ran.err.contains("Cluster admin ("), "JSON names it already: {}", ran.err);
        // setup prints its plan and nothing else.
        serde_json::from_str::<Value>(ran.out.lines().next().unwrap()).unwrap()
    };
    assert_eq!(cluster(&json(&["audit"])), Value::Null);
    assert_eq!(cluster(&json(&["setup", "--dry-run"])), "acme-prod");
    estate.run(&SETUP).ends(0);
    for command in
        [&["setup", "--dry-run"][..], &["verify"], &["render", "store"], &["teardown", "--dry-run"]]
    {
        assert_eq!(cluster(&json(command)), "acme-prod", "{command:?}");
    }
    // Text form: once, first, on stderr. The prompt names it as well.
    let first = format!("{} · Google project acme-prod", estate.world.target());
    for command in [&["setup", "--dry-run"][..], &["verify"], &["audit"], &["render", "store"], &["teardown"]]
    {
        let ran = estate.run(command);
        let mut lines = ran.err.lines().skip_while(|line| line.starts_with("Settings from "));
        assert_eq!(lines.next(), Some(&*first), "{command:?}");
        assert_eq!(ran.err.matches(&first).count(), 1 + usize::from(command == ["teardown"]), "{}", ran.err);
    }
    // An error on the way names what was asked.
    estate.world.cluster.server(0).stop();
    let error = json(&["audit"]);
    assert_eq!(error["error"]["code"], "connect", "{error:#}");
    assert_eq!(error["target"]["cluster"]["server"], *server, "{error:#}");
    assert_eq!(error["target"]["cluster"]["uid"], Value::Null, "{error:#}");
}

#[test]
fn silent_cluster_is_named_while_waiting() {
    let world = World::new(1);
    let faults = world.cluster.server(0).faults();
    faults.next(1, "GET", "/api/v1/namespaces/kube-system", Fault::Delay(Duration::from_secs(3)));
    let server = world.cluster.server(0).url();
    let ran = world.keyless("publish", &[]).ends(0);
    assert!(ran.err.starts_with(&format!("Connecting to {server} (context admin)…\n")), "{}", ran.err);
    faults.always("GET", "", Fault::Delay(Duration::from_secs(60)));
    let start = Instant::now();
    let ran = world.run(&["audit"]).fails(3, "timeout", &[]);
    assert!(start.elapsed() < Duration::from_secs(14), "{:?}", start.elapsed());
    assert_eq!(ran.err.matches("Connecting to").count(), 1, "{}", ran.err);
    let asked = faults.requests().into_iter().filter(|call| call.status.is_none()).count();
    assert!(asked <= 1, "asked {asked} times");
}
