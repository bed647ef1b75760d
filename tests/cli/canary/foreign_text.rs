//! Text that others wrote: it stays in its line, is short, and does nothing to the terminal.

use lab::{Fault, KeyFile, Vault};
use serde_json::{Value, json};

use super::{MODES, keeps};
use crate::{
    estate::Estate,
    world::{ISSUER, Ran, World},
};

/// Everything that a terminal acts on or hides, and a line that looks like one of ours.
const EVIL: &str = "x\u{1b}]0;title\u{7}\u{1b}[2J\u{9b}31m\u{7f}\u{202e}\u{2066}\u{61c}\u{200b}\u{feff}\u{2028}\u{85}\r\nZERO (cluster + consumption): no long-lived credential of a known kind opens a cloud or a secret store\n\tok    ";
const FORGED: &str = "ZERO (cluster + consumption): no";

/// The outcome in text and JSON, each at every level.
#[track_caller]
fn harmless(what: &str, world: &World, command: impl Fn(&[&str]) -> std::process::Command) {
    for ran in keeps(what, &[], world.dir.path(), &MODES, command) {
        for text in [&ran.out, &ran.err] {
            assert!(!text.lines().any(|line| line.starts_with(FORGED)), "{what}: a forged line in\n{text}");
            assert!(text.len() < 100_000, "{what}: {} bytes", text.len());
        }
    }
}

#[test]
fn server_answers_do_nothing_to_terminal() {
    let estate = Estate::new();
    let world = &estate.world;
    let folder = format!("file://{}", world.www.display());
    let publish = ["publish", "--bucket", &folder, "--issuer", ISSUER];
    let status = json!({"kind": "Status", "status": "Failure", "message": EVIL, "reason": EVIL, "code": 403});
    let utf16: Vec<u8> = EVIL.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (status, kind, body) in [
        (403, "application/json", status.to_string().into_bytes()),
        (500, "text/plain", EVIL.into()),
        (200, "text/plain", EVIL.into()),
        (200, "application/json", utf16),
        (200, "application/json", json!({"issuer": EVIL, "jwks_uri": EVIL, "keys": EVIL}).to_string().into()),
        (
            200,
            "application/json",
            json!({"keys": [{"kty": EVIL, "kid": EVIL, "alg": EVIL, "n": EVIL, "e": EVIL}]})
                .to_string()
                .into(),
        ),
        (
            200,
            "application/json",
            json!({"kind": EVIL, "items": [{"metadata": {"name": EVIL}}]}).to_string().into(),
        ),
        (201, "application/json", json!({"status": {"token": EVIL}}).to_string().into()),
    ] {
        let faults = world.cluster.server(0).faults();
        for (part, command) in [
            ("", &["audit"][..]),
            ("", &publish),
            ("/openid/v1/jwks", &publish),
            ("openid-configuration", &publish),
            ("/token", &publish),
            ("external-secrets.io", &["audit"]),
            ("", &["coupling"]),
            ("storage.k8s.io", &["coupling"]),
        ] {
            faults.clear();
            faults.always("", part, Fault::answer(status, kind, body.clone()));
            harmless(&format!("{status} {part} {command:?}"), world, |mode| {
                let mut run = estate.command(command);
                run.args(mode);
                run
            });
        }
    }
}

/// Names, annotations, conditions, fields: whatever someone may write into a cluster.
#[test]
fn cluster_objects_do_nothing_to_terminal() {
    let estate = Estate::new();
    let world = &estate.world;
    let put = |object: Value| world.cluster.put_object(object);
    let mut store = estate.store();
    store["metadata"]["annotations"] = json!({
        "argocd.argoproj.io/tracking-id": EVIL, "meta.helm.sh/release-name": EVIL, "keyless/replaced-key": EVIL});
    store["status"] =
        json!({"conditions": [{"type": "Ready", "status": "False", "reason": EVIL, "message": EVIL}]});
    put(store);
    put(json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": {"name": format!("evil{EVIL}"), "namespace": "shop"},
        "spec": {"refreshInterval": EVIL, "secretStoreRef": {"name": "gcp", "kind": "ClusterSecretStore"},
            "target": {"name": EVIL}, "data": [{"secretKey": EVIL, "remoteRef": {"key": EVIL, "property": EVIL}}]},
        "status": {"conditions": [{"type": "Ready", "status": "False", "reason": EVIL, "message": EVIL}]}}));
    put(json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore",
        "metadata": {"name": format!("other{EVIL}")}, "spec": {"provider": {EVIL: {"auth": {EVIL: EVIL}}}}}));
    put(json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore",
        "metadata": {"name": "aws"}, "spec": {"provider": {"aws": {"service": EVIL, "region": EVIL, "auth": {"secretRef": {
            "accessKeyIDSecretRef": {"name": EVIL, "key": EVIL, "namespace": EVIL}, "secretAccessKeySecretRef": {"name": EVIL, "key": EVIL}}}}}}}));
    put(
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a", "labels": {"nvidia.com/gpu.sharing-strategy": EVIL}},
        "spec": {"providerID": format!("{EVIL}://1")}, "status": {"allocatable": {format!("a/{EVIL}"): "1"}}}),
    );
    put(
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "a"}, "provisioner": EVIL}),
    );
    put(json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "a"},
        "spec": {"storageClassName": EVIL, "csi": {"driver": EVIL}}, "status": {"phase": "Bound"}}));
    put(json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "a"},
        "spec": {"controller": EVIL}}));
    put(
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "shop", "finalizers": [EVIL]},
        "spec": {"type": "LoadBalancer", "loadBalancerClass": EVIL},
        "status": {"loadBalancer": {"ingress": [{"hostname": format!("{EVIL}.elb.eu-central-1.amazonaws.com")}]}}}),
    );
    for command in [
        &["audit"][..],
        &["coupling"],
        &["doctor"],
        &["setup", "--dry-run"],
        &["verify", "--issuer", ISSUER],
        &["render", "store"],
        &["render", "store", "--folder", "manifests"],
        &["teardown", "--dry-run", "--issuer", ISSUER],
    ] {
        harmless(&format!("{command:?}"), world, |mode| {
            let mut run = estate.command(command);
            run.args(mode);
            run
        });
    }
}

#[test]
fn public_documents_do_nothing_to_terminal() {
    let world = World::new(1);
    world.keyless("publish", &[]).ends(0);
    let (jwks, discovery) = (world.jwks(), world.discovery());
    let good = [std::fs::read(&jwks).unwrap(), std::fs::read(&discovery).unwrap()];
    let document = json!({"issuer": EVIL, "jwks_uri": format!("{ISSUER}/openid/v1/jwks"), "response_types_supported": [EVIL],
        "subject_types_supported": [EVIL], "id_token_signing_alg_values_supported": [EVIL]});
    let mut other = document.clone();
    other["jwks_uri"] = json!(EVIL);
    let key = json!({"keys": [{"kty": EVIL, "kid": EVIL, "alg": EVIL, "use": EVIL, "crv": EVIL, "x": EVIL}]});
    let mut named = world.key.jwk();
    named["kid"] = json!(EVIL);
    for (path, body) in [
        (&discovery, document.to_string()),
        (&discovery, other.to_string()),
        (&discovery, EVIL.to_owned()),
        (&discovery, format!("<html>{EVIL}")),
        (&jwks, key.to_string()),
        (&jwks, json!({"keys": [named]}).to_string()),
        (&jwks, json!({"keys": EVIL}).to_string()),
        (&jwks, EVIL.to_owned()),
    ] {
        world.put(path, &body);
        for (command, more) in
            [("verify", &["--external-signer"][..]), ("verify", &[]), ("publish", &["--dry-run"])]
        {
            harmless(&format!("{body:?}"), &world, |mode| {
                let folder = format!("file://{}", world.www.display());
                let mut run =
                    world.command(&[command, "--bucket", &folder, "--issuer", ISSUER, "--ca-file", "ca.pem"]);
                run.args(more).args(mode);
                run
            });
        }
        world.put(&jwks, &good[0]);
        world.put(&discovery, &good[1]);
    }
    // Of a body that is no document, nothing is shown.
    world.put(&discovery, "Something private at this address");
    let ran = world.keyless("verify", &["-vvv"]).ends(1);
    assert!(!ran.out.contains("private at") && !ran.err.contains("private at"), "{}{}", ran.out, ran.err);
    world.web.faults().always(
        "",
        "",
        Fault::Answer {
            status: 301,
            headers: vec![
                ("location".into(), "https://a:pw@b.lab.test/\u{a0}x".into()),
                ("cache-control".into(), "x".repeat(9000)),
            ],
            body: EVIL.into(),
        },
    );
    harmless("redirect", &world, |mode| {
        let mut run = world.command(&["verify", "--issuer", ISSUER, "--public-only", "--ca-file", "ca.pem"]);
        run.args(mode);
        run
    });
}

#[test]
fn cloud_answers_do_nothing_to_terminal() {
    let estate = Estate::new();
    let vault = Vault::start(&estate.world.ca, &["vault.lab.test"]);
    vault.enable_kv("kv");
    estate.settings(&format!(
        "vault: {{address: '{}', mode: static-keys}}\nstore: {{name: gcp, secrets: [db]}}",
        vault.url()
    ));
    let google = json!({"error": {"code": 403, "message": EVIL, "status": EVIL,
        "details": [{"reason": EVIL, "metadata": {"permission": EVIL, "service": EVIL}}]}});
    let refused = |status: u16, body: &Value| Fault::answer(status, "application/json", body.to_string());
    for status in [400, 403, 404, 500] {
        estate.google.faults().clear();
        estate.google.faults().always("", "", refused(status, &google));
        vault.faults().clear();
        vault.faults().always("", "", refused(status, &json!({"errors": [EVIL]})));
        for to in ["google", "vault"] {
            harmless(&format!("{to} {status}"), &estate.world, |mode| {
                let mut run = estate.command(&["setup", "--dry-run", "--to", to]);
                run.args(mode).env("VAULT_TOKEN", vault.root_token());
                run
            });
        }
    }
}

/// A megabyte in one value fills no screen and no log.
#[test]
fn huge_values_are_shown_short() {
    const LIMIT: usize = 40_000;
    let huge = "k".repeat(900_000);
    let world = World::new(1);
    let folder = format!("file://{}", world.www.display());
    let run = |command: &str, more: &[&str]| {
        for mode in MODES {
            let mut run =
                world.command(&[command, "--bucket", &folder, "--issuer", ISSUER, "--ca-file", "ca.pem"]);
            let ran = Ran::from(run.args(more).args(mode).output().unwrap());
            let length = ran.out.len() + ran.err.len();
            assert!(
                length < LIMIT,
                "{command} {more:?} {mode:?}: {length}: {}",
                &ran.err[..ran.err.len().min(3000)]
            );
            assert_ne!(ran.code, Some(101), "{}", ran.err);
        }
    };
    let mut named = world.key.jwk();
    named["kid"] = json!(huge);
    let mut typed = world.key.jwk();
    typed["kty"] = json!(huge);
    let mut algorithm = world.key.jwk();
    algorithm["alg"] = json!(huge);
    let server = world.cluster.server(0);
    let good = server.settings().key_files;
    for key in [named, typed, algorithm] {
        server.change(|settings| settings.key_files = vec![KeyFile::Raw(key.clone())]);
        for more in [&["--external-signer"][..], &[]] {
            run("publish", more);
            run("verify", more);
        }
    }
    server.change(|settings| settings.key_files = good.clone());
    server.change(|settings| settings.kid = Some(huge.clone()));
    run("publish", &["--external-signer"]);
    server.change(|settings| settings.kid = None);
    server.change(|settings| settings.issuers = vec![format!("https://{huge}"), ISSUER.into()]);
    run("publish", &[]);
    run("verify", &[]);
    server.change(|settings| settings.issuers = vec![ISSUER.into()]);
    for message in [huge.clone(), "a ".repeat(450_000)] {
        let status = json!({"kind": "Status", "status": "Failure", "message": message, "code": 403});
        server.faults().clear();
        server.faults().always("", "", Fault::answer(403, "application/json", status.to_string()));
        run("publish", &[]);
    }
    server.faults().clear();
    let long = "x".repeat(100_000);
    let ran = world.run(&["audit", &long]);
    assert!(ran.err.len() < 5000);
    let ran =
        world.run(&["publish", "--bucket", &format!("s3://{long}"), "--issuer", &format!("https://{long}")]);
    assert!(ran.err.len() < 5000, "{}", ran.err.len());
}
