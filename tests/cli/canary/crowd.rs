//! Many secrets in every kind of credential and every place of a cluster: `keyless audit` looks at each, and no report, log,
//! error or file holds one, encoded or hashed. A hash without a key is as good as the secret where that can be guessed.

use std::{collections::HashSet, fs};

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

use super::{Canary, files};
use crate::{long::longest_or, world::World};

const CRDS: &str = include_str!("../../lab/fixtures/crds/eso-0.20.4-min.yaml");
const FORMATS: [&str; 8] =
    ["json", "html", "in-toto", "junit", "openreports", "oscal", "prometheus", "sarif"];
/// Of each form so many characters are looked for, wherever they begin: a part is one as well.
const PART: usize = 12;

/// Parts of everything that must not be seen.
#[derive(Default)]
struct Parts(HashSet<[u8; PART]>);

impl Parts {
    /// `text`: one form of a secret. Each part of it.
    fn add(&mut self, text: &str) {
        self.0.extend(text.as_bytes().windows(PART).map(|part| <[u8; PART]>::try_from(part).unwrap()));
    }

    /// How a text begins: hashes are cut short as a rule, and always there.
    fn add_begin(&mut self, text: &str) {
        self.add(&text[..PART]);
    }

    /// A secret in itself, and the value that it is a part of.
    fn add_secret(&mut self, Canary(raw): &Canary, value: &str) {
        self.add(raw);
        for shift in 0..3 {
            let coded = [&b"xx"[..shift], raw.as_bytes()].concat();
            for text in [STANDARD.encode(&coded), URL_SAFE_NO_PAD.encode(&coded)] {
                // What lies beside it changes the first and the last groups.
                self.add(&text[4..text.len() - 4]);
            }
        }
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        self.add(&hex(raw.as_bytes()));
        self.add(&hex(raw.as_bytes()).to_uppercase());
        let hashed =
            |algorithm: &'static Algorithm, text: &str| digest(algorithm, text.as_bytes()).as_ref().to_vec();
        for text in [raw.as_str(), value, &STANDARD.encode(value), &STANDARD.encode(raw)] {
            let all = [
                hashed(&SHA256, text),
                hashed(&SHA1_FOR_LEGACY_USE_ONLY, text),
                lab::md5(text.as_bytes()).to_vec(),
            ];
            for hash in all {
                let digits = hex(&hash);
                self.add_begin(&digits);
                self.add_begin(&digits.to_uppercase());
                self.add_begin(&STANDARD.encode(&hash));
                self.add_begin(&URL_SAFE_NO_PAD.encode(&hash));
            }
        }
    }

    #[track_caller]
    fn are_none_in(&self, what: &str, content: &[u8]) {
        let found = content.windows(PART).position(|part| self.0.contains(part));
        if let Some(at) = found {
            let (begin, end) = (at.saturating_sub(120), (at + 120).min(content.len()));
            panic!("{what}: a part of a canary in …{}…", String::from_utf8_lossy(&content[begin..end]));
        }
    }
}

/// A credential of one kind as names and values. The names and IDs in it are public.
fn kind(number: usize, Canary(it): &Canary) -> Vec<(&'static str, String)> {
    let (id, long) = (format!("{number:08}"), format!("{it}{it}"));
    match number % 12 {
        0 => vec![(
            "key.json",
            json!({"type": "service_account", "project_id": "acme", "private_key_id": format!("{id}abcd"),
                "client_email": format!("eso-{id}@acme.iam.gserviceaccount.com"),
                "private_key": format!("-----BEGIN PRIVATE KEY-----\n{long}\n-----END PRIVATE KEY-----\n")})
            .to_string(),
        )],
        1 => vec![
            (
                "aws_access_key_id",
                format!(
                    "AK{}{}",
                    "IA",
                    &format!("{id}QRSTUVWXYZABCD")[..16].replace(['0', '1', '8', '9'], "Q")
                ),
            ),
            ("aws_secret_access_key", long[..40].to_owned()),
        ],
        2 => vec![("AZURE_CLIENT_SECRET", format!("aB38Q~{}", &it[..34]))],
        3 => vec![("token", format!("hvs.{it}"))],
        4 => vec![("token", format!("gh{}_{}", "p", &it[..36]))],
        5 => vec![(
            "token",
            format!(
                "{}.{}.{it}",
                URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#),
                URL_SAFE_NO_PAD.encode(format!(
                    r#"{{"iss":"kubernetes/serviceaccount","sub":"system:serviceaccount:a:{id}"}}"#
                ))
            ),
        )],
        6 => vec![(
            "config",
            format!("apiVersion: v1\nkind: Config\nusers:\n- name: u{id}\n  user: {{token: {it}}}\n"),
        )],
        7 => vec![(
            ".dockerconfigjson",
            json!({"auths": {"registry.example": {"auth": STANDARD.encode(format!("u{id}:{it}"))}}})
                .to_string(),
        )],
        8 => vec![(
            "tls.key",
            format!("-----BEGIN RSA PRIVATE KEY-----\n{long}\n-----END RSA PRIVATE KEY-----\n"),
        )],
        9 => vec![
            ("access_key", format!("minio{id}")),
            ("secret_key", it.clone()),
            ("endpoint", "https://s3.example".into()),
        ],
        10 => vec![("url", format!("https://user{id}:{it}@db.example/x"))],
        _ => vec![("password", it.clone())],
    }
}

/// An object that holds it.
fn place(number: usize, pairs: &[(&'static str, String)]) -> Value {
    let name = format!("it-{number:06}");
    let namespace = format!("team-{}", number % 7);
    let metadata = json!({"name": name, "namespace": namespace});
    let text: serde_json::Map<_, _> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let data: serde_json::Map<_, _> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(STANDARD.encode(value)))).collect();
    let secret = |metadata: Value, data: Value| json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": data});
    let variables: Vec<_> = pairs.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let arguments: Vec<_> = pairs.iter().map(|(name, value)| format!("--{name}={value}")).collect();
    let workload = |container: Value| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
        "spec": {"template": {"spec": {"serviceAccountName": "a", "containers": [container]}}}})
    };
    // Twelve kinds and seven places: each kind comes to each place.
    match number % 7 {
        0 => secret(metadata, Value::Object(data)),
        1 => {
            let applied = json!({"kind": "Secret", "stringData": text}).to_string();
            secret(
                json!({"name": name, "namespace": namespace,
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied}}),
                json!({}),
            )
        }
        2 => json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": text}),
        3 => workload(json!({"name": "app", "image": "a", "env": variables})),
        4 => workload(json!({"name": "app", "image": "a", "args": arguments})),
        5 => {
            json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": {"name": name},
            "spec": {"provider": {"fake": {"data": [{"key": "k", "value": json!(text).to_string()}]}}}})
        }
        // Where base64 is due and something else lies.
        _ => secret(metadata, Value::Object(text)),
    }
}

#[test]
fn no_report_holds_canaries() {
    let world = World::new(1);
    world.cluster.load_crds(CRDS);
    let (mut parts, mut seen) = (Parts::default(), HashSet::new());
    for number in 0..longest_or(10_000, 12 * 7 * 10, 12 * 7 * 2) {
        let canary = Canary::new();
        let pairs = kind(number, &canary);
        for (_, value) in pairs.iter().filter(|(_, value)| value.contains(&canary.0[..30])) {
            parts.add_secret(&canary, value);
        }
        parts.add_secret(&canary, &canary.0);
        seen.insert((number % 12, number % 7));
        world.cluster.put_object(place(number, &pairs));
    }
    assert_eq!(seen.len(), 12 * 7, "each kind in each place");
    let temporary = world.dir.path().join("temporary");
    fs::create_dir(&temporary).unwrap();
    let reports: Vec<_> = FORMATS.iter().map(|format| format!("{format}=report.{format}")).collect();
    let mut all = vec!["audit", "-vvv"];
    all.extend(reports.iter().flat_map(|report| ["--report", report.as_str()]));
    let before = files(world.dir.path());
    let run = |arguments: &[&str]| {
        let ran = world.command(arguments).env("TMPDIR", &temporary).output().unwrap();
        let what = format!("{arguments:?}");
        parts.are_none_in(&what, &ran.stdout);
        parts.are_none_in(&what, &ran.stderr);
        assert!(!String::from_utf8_lossy(&ran.stderr).contains("panicked"), "{what}");
        ran
    };
    let ran = run(&all);
    assert_eq!(ran.status.code(), Some(1), "{}", String::from_utf8_lossy(&ran.stderr));
    // It did look: the kinds are there, and so are the public names.
    let report: Value =
        serde_json::from_slice(&fs::read(world.dir.path().join("report.json")).unwrap()).unwrap();
    let codes: HashSet<_> = report["credentials"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|it| it["codes"].as_array().unwrap())
        .map(|code| code.as_str().unwrap().to_owned())
        .collect();
    for code in ["KL101", "KL111", "KL121", "KL131", "KL153"] {
        assert!(codes.contains(code), "{code}: {codes:?}");
    }
    for mode in ["refs", "metadata"] {
        run(&["audit", "-vvv", "--mode", mode, "-o", "json"]);
    }
    // What is read in part, and what cannot be read.
    world.cluster.deny("admin", "list", "configmaps");
    run(&["audit", "-vvv"]);
    world.cluster.server(0).faults().next(
        1,
        "GET",
        "/secrets",
        lab::Fault::rewrite(|body| body[..body.len() / 2].to_vec()),
    );
    run(&["audit", "-vvv", "-o", "json"]);
    for (path, content) in files(world.dir.path()) {
        if before.get(&path) != Some(&content) {
            parts.are_none_in(&path.display().to_string(), &content);
        }
    }
    assert_eq!(files(&temporary).len(), 0, "a temporary file is left");
}

/// The search finds what it looks for.
#[test]
fn parts_of_canaries_are_found() {
    let canary = Canary::new();
    let mut parts = Parts::default();
    parts.add_secret(&canary, &canary.0);
    let raw = canary.0.as_bytes();
    let sha256 = digest(&SHA256, raw);
    for text in [
        canary.0[10..].to_owned(),
        STANDARD.encode(format!("a{}b", canary.0)),
        STANDARD.encode(format!("ab{}", canary.0)),
        URL_SAFE_NO_PAD.encode(format!("{}abc", canary.0)),
        raw.iter().map(|byte| format!("{byte:02X}")).collect(),
        STANDARD.encode(sha256.as_ref()),
        sha256.as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
        STANDARD.encode(lab::md5(raw)),
    ] {
        let found = text.as_bytes().windows(PART).any(|part| parts.0.contains(part));
        assert!(found, "{text}");
    }
    parts.are_none_in("nothing", b"cN0000000000000000Ry0000000000000000 and more");
}
