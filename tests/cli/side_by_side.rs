//! Nine credentials in six places of a cluster: `keyless audit` finds each, names its kind, and names the object. With
//! `KEYLESS_COMPARISON_DIR` the same objects are written there, one file each, as scanners of files read them:
//! `tests/judges/compare` lets some read them and prints what each has found.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::Write,
    path::Path,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, Crc, write::GzEncoder};
use lab::SigningKey;
use serde_json::{Map, Value, json};

use crate::{
    noise::{Chance, Ground, HARMLESS, KINDS, noise},
    world::World,
};

const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const PLACES: [&str; 6] = ["Secret", "ConfigMap", "env", "args", "annotation", "Helm release"];
/// Objects without anything secret, for false alarms.
const HARMLESS_OBJECTS: usize = 140;

/// One credential: its kind, the codes that are right for it, and its names and values.
struct Sample {
    name: &'static str,
    codes: &'static [&'static str],
    pairs: Vec<(&'static str, String)>,
}

fn google(key: &SigningKey, number: usize, whole: bool) -> Value {
    let mut account = json!({"type": "service_account", "project_id": "acme", "private_key_id": format!("{number:040x}"),
        "private_key": key.private_pem(), "client_email": format!("eso-{number}@acme.iam.gserviceaccount.com"),
        "client_id": format!("1000000000000000000{number:02}")});
    if whole {
        account["auth_uri"] = json!("https://accounts.google.com/o/oauth2/auth");
        account["token_uri"] = json!("https://oauth2.googleapis.com/token");
        account["auth_provider_x509_cert_url"] = json!("https://www.googleapis.com/oauth2/v1/certs");
    }
    account
}

/// With the checksum that tokens of GitHub have.
fn github(chance: &mut Chance) -> String {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let body = chance.text(LETTERS, 30);
    let mut crc = Crc::new();
    crc.update(body.as_bytes());
    let (mut rest, mut sum) = (crc.sum() as usize, Vec::new());
    while sum.len() < 6 {
        sum.insert(0, DIGITS[rest % 62]);
        rest /= 62;
    }
    format!("gh{}_{body}{}", "p", String::from_utf8(sum).unwrap())
}

fn samples(chance: &mut Chance) -> Vec<Sample> {
    let keys: Vec<_> = (0..4).map(|_| SigningKey::rsa(2048)).collect();
    let mut access_key = || {
        let id = format!("AK{}{}", "IA", chance.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16));
        (id, chance.text(&format!("{LETTERS}+/"), 40))
    };
    let ((id, half), (other_id, other_half)) = (access_key(), access_key());
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: prod\nclusters:\n- name: prod\n  cluster: {{server: 'https://10.0.0.1:6443'}}\n\
         contexts:\n- name: prod\n  context: {{cluster: prod, user: admin}}\nusers:\n- name: admin\n  user:\n    client-key-data: {}\n",
        STANDARD.encode(keys[3].private_pem())
    );
    let login = STANDARD.encode(format!("robot:{}", chance.text(LETTERS, 24)));
    let claims = json!({"iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:sample:deployer",
        "kubernetes.io/serviceaccount/namespace": "sample", "kubernetes.io/serviceaccount/service-account.name": "deployer"});
    let of = |name, codes, pairs| Sample { name, codes, pairs };
    vec![
        of("google-pretty", &["KL101"], vec![("key.json", format!("{:#}", google(&keys[0], 1, true)))]),
        of("google-compact", &["KL101"], vec![("key.json", google(&keys[1], 2, true).to_string())]),
        of("google-short", &["KL101"], vec![("key.json", google(&keys[2], 3, false).to_string())]),
        of("aws-pair", &["KL111"], vec![("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", half)]),
        of(
            "aws-file",
            &["KL111"],
            vec![(
                "credentials",
                format!("[default]\naws_access_key_id = {other_id}\naws_secret_access_key = {other_half}\n"),
            )],
        ),
        of("github-token", &["KL153"], vec![("token", github(chance))]),
        of("kubeconfig", &["KL145"], vec![("config", kubeconfig)]),
        of(
            "registry-login",
            &["KL161"],
            vec![(
                ".dockerconfigjson",
                json!({"auths": {"registry.acme.example": {"auth": login}}}).to_string(),
            )],
        ),
        of("service-account-token", &["KL141", "KL142"], vec![("token", keys[3].jws(&claims))]),
    ]
}

/// The object that holds a credential in one of [`PLACES`].
fn object(sample: &Sample, place: &str) -> Value {
    let name = format!("{}-{}", sample.name, place.to_lowercase().replace(' ', "-"));
    let metadata = json!({"name": name, "namespace": "sample"});
    let text: Map<_, _> =
        sample.pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let secret = |metadata: Value, kind: &str, data: &Map<String, Value>| {
        let coded =
            data.iter().map(|(name, value)| (name.clone(), json!(STANDARD.encode(value.as_str().unwrap()))));
        json!({"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": metadata, "data": coded.collect::<Map<_, _>>()})
    };
    let workload = |container: Value| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
            "spec": {"template": {"spec": {"serviceAccountName": "app", "containers": [container]}}}})
    };
    match place {
        "Secret" => match sample.name {
            "registry-login" => secret(metadata, "kubernetes.io/dockerconfigjson", &text),
            _ => secret(metadata, "Opaque", &text),
        },
        "ConfigMap" => json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": text}),
        "env" => {
            let env: Vec<_> =
                text.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
            workload(json!({"name": "app", "image": "app", "env": env}))
        }
        "args" => {
            let args: Vec<_> =
                text.iter().map(|(name, value)| format!("--{name}={}", value.as_str().unwrap())).collect();
            workload(json!({"name": "app", "image": "app", "args": args}))
        }
        "annotation" => {
            let applied = json!({"apiVersion": "v1", "kind": "Secret", "stringData": text}).to_string();
            let annotations = json!({"kubectl.kubernetes.io/last-applied-configuration": applied});
            let metadata = json!({"name": name, "namespace": "sample", "annotations": annotations});
            json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": {}})
        }
        _ => {
            let rendered = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "rendered"}, "stringData": text});
            let release = json!({"name": sample.name, "version": 1, "manifest": format!("---\n{rendered}\n"), "config": {}});
            let mut zipped = GzEncoder::new(Vec::new(), Compression::default());
            zipped.write_all(release.to_string().as_bytes()).unwrap();
            let release = json!(STANDARD.encode(zipped.finish().unwrap()));
            secret(metadata, "helm.sh/release.v1", &Map::from_iter([("release".to_owned(), release)]))
        }
    }
}

/// `Secret sample/it`, as the audit names an object.
fn name_of(object: &Value) -> String {
    let [kind, namespace, name] =
        [&object["kind"], &object["metadata"]["namespace"], &object["metadata"]["name"]]
            .map(|it| it.as_str().unwrap());
    format!("{kind} {namespace}/{name}")
}

/// Each object that a report names with a credential, and the codes of those in it.
fn found(report: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for credential in report["credentials"].as_array().unwrap() {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let of = |member: &str, kind: &str| {
            let keys = credential[member].as_array().unwrap().iter();
            keys.map(|key| format!("{kind} {}/{}", text(&key["namespace"]), text(&key["name"])))
                .collect::<Vec<_>>()
        };
        let objects = credential["objects"].as_array().unwrap().iter().map(text);
        let objects = objects.map(|it| it.split(" (").next().unwrap_or_default().to_owned());
        let codes: Vec<_> = credential["codes"].as_array().unwrap().iter().map(text).collect();
        for object in of("secrets", "Secret").into_iter().chain(of("configMaps", "ConfigMap")).chain(objects)
        {
            all.entry(object).or_default().extend(codes.iter().cloned());
        }
    }
    all
}

#[test]
fn each_kind_in_each_place() {
    let world = World::with_operator();
    let mut chance = Chance(1);
    let samples = samples(&mut chance);
    let mut objects = Vec::new();
    for sample in &samples {
        objects.extend(PLACES.map(|place| (Some((sample, place)), object(sample, place))));
    }
    let ground = Ground::of(&world);
    let harmless = (0..).filter(|number| HARMLESS.contains(&(number % KINDS))).take(HARMLESS_OBJECTS);
    objects.extend(harmless.map(|number| (None, noise(number, &ground, &mut chance))));
    objects.iter().for_each(|(_, object)| world.cluster.put_object(object.clone()));
    let report = world.run(&["audit", "-o", "json"]).ends(1).json();
    let found = found(&report);
    if let Some(folder) = asked() {
        write(Path::new(&folder), &objects, &found);
    }
    let mut missed = Vec::new();
    for (sample, object) in &objects {
        let codes = found.get(&name_of(object));
        let is_right = match sample {
            Some((sample, _)) => {
                codes.is_some_and(|codes| sample.codes.iter().any(|code| codes.contains(*code)))
            }
            None => codes.is_none(),
        };
        if !is_right {
            missed.push(format!("{}: {codes:?}", name_of(object)));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[expect(clippy::disallowed_methods, reason = "where `tests/judges/compare` wants the objects")]
fn asked() -> Option<String> {
    env::var("KEYLESS_COMPARISON_DIR").ok()
}

/// One file for each object, what is in it, and what the audit has found.
fn write(
    folder: &Path,
    objects: &[(Option<(&Sample, &str)>, Value)],
    found: &BTreeMap<String, BTreeSet<String>>,
) {
    fs::create_dir_all(folder.join("objects")).unwrap();
    let mut all = Vec::new();
    for (number, (sample, object)) in objects.iter().enumerate() {
        let file = format!("object-{number:03}.json");
        fs::write(folder.join("objects").join(&file), format!("{object:#}\n")).unwrap();
        let codes = found.get(&name_of(object)).cloned().unwrap_or_default();
        let (name, place) = sample.map(|(sample, place)| (sample.name, place)).unzip();
        let codes_of_kind = sample.map(|(sample, _)| sample.codes);
        all.push(json!({"file": file, "credential": name, "place": place, "codes": codes_of_kind, "keyless": codes}));
    }
    let text = json!({"places": PLACES, "objects": all}).to_string();
    fs::write(folder.join("sample.json"), text).unwrap();
}
