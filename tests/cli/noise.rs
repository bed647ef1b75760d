//! What lies in a cluster and is no credential of the mission, in great number: certificates, passwords of databases, hashes,
//! settings, releases of Helm, tokens of an hour. `keyless audit` finds none among them, and of the platform exactly those
//! credentials that were put there. The objects are made when the test runs, the same in each run.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use crate::{long::longest_or, world::World};

/// Objects in one cluster: more of them are further clusters.
const IN_CLUSTER: usize = 10_000;
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const HEX: &str = "0123456789abcdef";
/// Of the kinds of noise, those without anything that is secret at all.
pub(crate) const HARMLESS: [usize; 14] = [4, 5, 6, 7, 11, 12, 15, 16, 17, 18, 19, 21, 22, 23];
/// How many kinds there are.
pub(crate) const KINDS: usize = 24;
/// Once in so many objects a credential of the platform lies.
const PLANTED: usize = 211;

/// Chance that is the same in each run (SplitMix64).
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    pub(crate) fn text(&mut self, letters: &str, length: usize) -> String {
        let letters = letters.as_bytes();
        (0..length).map(|_| char::from(letters[self.below(letters.len())])).collect()
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    fn uuid(&mut self) -> String {
        [8, 4, 4, 4, 12].map(|length| self.text(HEX, length)).join("-")
    }

    fn word(&mut self) -> &'static str {
        const WORDS: [&str; 16] = [
            "orders", "billing", "search", "catalog", "gateway", "worker", "mailer", "reports", "session",
            "cart", "stock", "invoice", "audit", "login", "media", "events",
        ];
        WORDS[self.below(WORDS.len())]
    }
}

/// What all objects of a cluster may share.
pub(crate) struct Ground {
    certificate: String,
    key: String,
    signing: lab::SigningKey,
}

impl Ground {
    pub(crate) fn of(world: &World) -> Self {
        let names = ["shop.example", "127.0.0.1"];
        let (certificate, key) = world.ca.certificate(&names).write(world.dir.path(), "served");
        let read = |path| std::fs::read_to_string(path).unwrap();
        Self { certificate: read(certificate), key: read(key), signing: world.key.clone() }
    }
}

fn secret(number: usize, kind: &str, data: &[(&str, Vec<u8>)]) -> Value {
    let data: serde_json::Map<_, _> =
        data.iter().map(|(name, value)| ((*name).to_owned(), json!(STANDARD.encode(value)))).collect();
    json!({"apiVersion": "v1", "kind": "Secret", "type": kind, "data": data, "metadata": named(number)})
}

fn opaque(number: usize, data: &[(&str, String)]) -> Value {
    let data: Vec<_> = data.iter().map(|(name, value)| (*name, value.clone().into_bytes())).collect();
    secret(number, "Opaque", &data)
}

fn settings(number: usize, data: &[(&str, String)]) -> Value {
    let data: serde_json::Map<_, _> =
        data.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    json!({"apiVersion": "v1", "kind": "ConfigMap", "data": data, "metadata": named(number)})
}

fn named(number: usize) -> Value {
    json!({"name": format!("it-{number:06}"), "namespace": format!("team-{}", number % 97),
        "labels": {"app.kubernetes.io/managed-by": "Helm"}})
}

fn release(number: usize, chance: &mut Chance) -> Value {
    let manifest = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}}}\ndata:\n  checksum: {}\n  url: https://{}.shop.svc:8443\n",
        chance.word(),
        chance.text(HEX, 64),
        chance.word()
    );
    let config = json!({"image": {"tag": "1.2.3", "digest": format!("sha256:{}", chance.text(HEX, 64))}, "existingSecret": "db"});
    let text =
        json!({"name": chance.word(), "version": 3, "manifest": manifest, "config": config}).to_string();
    let mut zipped = GzEncoder::new(Vec::new(), Compression::fast());
    zipped.write_all(text.as_bytes()).unwrap();
    secret(
        number,
        "helm.sh/release.v1",
        &[("release", STANDARD.encode(zipped.finish().unwrap()).into_bytes())],
    )
}

fn workload(number: usize, chance: &mut Chance) -> Value {
    let values = [
        ("AWS_REGION", "eu-central-1".to_owned()),
        ("AWS_ROLE_ARN", format!("arn:aws:iam::{}:role/{}", chance.text("123456789", 12), chance.word())),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/secrets/eks.amazonaws.com/serviceaccount/token".into()),
        ("AZURE_CLIENT_ID", chance.uuid()),
        ("AZURE_TENANT_ID", chance.uuid()),
        ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/secrets/azure/tokens/azure-identity-token".into()),
        ("GOOGLE_CLOUD_PROJECT", format!("acme-{}", chance.word())),
        ("VAULT_ADDR", "https://vault.acme.example:8200".into()),
        ("GIT_COMMIT", chance.text(HEX, 40)),
        ("BUILD_ID", chance.uuid()),
        ("PUBLIC_KEY", chance.text(LETTERS, 43)),
        ("JAVA_OPTS", "-Xmx512m -Djavax.net.ssl.trustStore=/etc/pki/java/cacerts".into()),
    ];
    let from = chance.below(values.len());
    let mut env: Vec<_> =
        values[from..].iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let stored =
        json!({"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}});
    env.push(stored);
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": named(number), "spec": {"template": {"spec": {
        "serviceAccountName": "app", "containers": [{"name": "app",
            "image": format!("registry.acme.example/{}@sha256:{}", chance.word(), chance.text(HEX, 64)),
            "args": ["--listen=:8443", format!("--config-hash={}", chance.text(HEX, 40)), "--token-file=/var/run/token"],
            "env": env}]}}}})
}

/// An object without a credential of a class that is counted.
pub(crate) fn noise(number: usize, ground: &Ground, chance: &mut Chance) -> Value {
    let host = format!("{}.shop.svc.cluster.local", chance.word());
    match number % KINDS {
        0 => opaque(
            number,
            &[("username", chance.word().into()), ("password", chance.text(LETTERS, 24)), ("host", host)],
        ),
        1 => {
            let url = format!("postgres://{}:{}@{host}:5432/shop", chance.word(), chance.text(LETTERS, 20));
            opaque(number, &[("DATABASE_URL", url)])
        }
        2 => secret(
            number,
            "kubernetes.io/tls",
            &[("tls.crt", ground.certificate.clone().into_bytes()), ("tls.key", ground.key.clone().into_bytes())],
        ),
        3 => secret(number, "Opaque", &[("cookie", chance.bytes(32)), ("session", chance.bytes(64))]),
        4 => opaque(number, &[("sha256", chance.text(HEX, 64)), ("sha1", chance.text(HEX, 40)), ("md5", chance.text(HEX, 32))]),
        5 => release(number, chance),
        6 => opaque(number, &[("jwks.json", json!({"keys": [ground.signing.jwk()]}).to_string())]),
        7 => opaque(number, &[("ca.crt", ground.certificate.repeat(3))]),
        8 => opaque(number, &[("token", ground.signing.jws(&json!({"iss": "https://kubernetes.default.svc.cluster.local",
            "sub": "system:serviceaccount:shop:app", "iat": 1_795_690_000, "exp": 1_795_693_600})))]),
        9 => {
            let login = STANDARD.encode(format!("AWS:{}", chance.text(LETTERS, 900)));
            let text = json!({"auths": {"1.dkr.ecr.eu-central-1.amazonaws.com": {"auth": login}}}).to_string();
            secret(number, "kubernetes.io/dockerconfigjson", &[(".dockerconfigjson", text.into_bytes())])
        }
        10 => opaque(
            number,
            &[
                ("AWS_ACCESS_KEY_ID", format!("AS{}{}", "IA", chance.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16))),
                ("AWS_SECRET_ACCESS_KEY", chance.text(LETTERS, 40)),
                ("AWS_SESSION_TOKEN", chance.text(LETTERS, 300)),
            ],
        ),
        11 => settings(number, &[("config.json", json!({"type": "external_account", "audience": "//iam.googleapis.com/p",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": "https://sts.googleapis.com/v1/token",
            "credential_source": {"file": "/var/run/secrets/token"}}).to_string())]),
        12 => opaque(
            number,
            &[
                ("AWS_SECRET_ACCESS_KEY", "changeme".into()),
                ("AZURE_CLIENT_SECRET", "<client-secret>".into()),
                ("VAULT_TOKEN", "{{ .Values.vault.token }}".into()),
                ("key.json", "${GOOGLE_SERVICE_ACCOUNT_KEY}".into()),
            ],
        ),
        13 => secret(number, "Opaque", &[("blob", chance.bytes(2_700)), ("license", chance.text(LETTERS, 512).into_bytes())]),
        14 => opaque(number, &[("auth", format!("{}:$2y$10${}", chance.word(), chance.text(LETTERS, 53)))]),
        15 => opaque(
            number,
            &[("known_hosts", format!("[git.acme.example]:22 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{}", chance.text(LETTERS, 43)))],
        ),
        16 => settings(number, &[("application.properties", properties(chance))]),
        17 => settings(number, &[("dashboard.json", dashboard(chance))]),
        18 => settings(number, &[("nginx.conf", format!(
            "server {{\n  listen 8443 ssl;\n  server_name {host};\n  ssl_certificate_key /etc/tls/tls.key;\n  location / {{ proxy_pass http://{host}; }}\n}}\n"
        ))]),
        19 => settings(number, &[("README.md", format!(
            "Set `AWS_ACCESS_KEY_ID` (for example AK{}IOSFODNN7EXAMPLE) and `AZURE_CLIENT_SECRET`.\nTokens begin with hvs. or ghp_, keys with AIza.\nCommit {}.\n",
            "IA", chance.text(HEX, 40)
        ))]),
        20 => opaque(number, &[("id", chance.uuid()), ("tenant", chance.uuid()), ("otp", chance.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 32))]),
        21 => {
            let text = json!({"lineage": chance.uuid(), "serial": chance.below(900), "outputs": {}, "resources": [{"type": "null_resource",
                "instances": [{"attributes": {"id": chance.text("0123456789", 19)}, "private": STANDARD.encode(chance.bytes(60))}]}]});
            settings(number, &[("state.json", text.to_string())])
        }
        22 => secret(number, "Opaque", &[("truststore.jks", [&[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2][..], &chance.bytes(900)].concat()),
            ("logo.png", [&b"\x89PNG\r\n\x1a\n"[..], &chance.bytes(600)].concat())]),
        _ => workload(number, chance),
    }
}

fn properties(chance: &mut Chance) -> String {
    let line = |number: usize, chance: &mut Chance| {
        format!(
            "service.{number}.url=https://{}:8443/api/v1\nservice.{number}.etag={}\n",
            chance.word(),
            chance.text(HEX, 32)
        )
    };
    (0..12).map(|number| line(number, chance)).collect()
}

fn dashboard(chance: &mut Chance) -> String {
    let panels: Vec<_> = (0..8)
        .map(|id| json!({"id": id, "title": chance.word(), "datasource": {"type": "prometheus", "uid": chance.text(LETTERS, 9)},
            "targets": [{"expr": "sum(rate(http_requests_total{job=\"shop\"}[5m])) by (code)", "refId": "A"}]}))
        .collect();
    json!({"uid": chance.text(LETTERS, 9), "panels": panels, "schemaVersion": 39}).to_string()
}

/// A credential of the platform: the object that holds it, and the code of its kind.
fn planted(number: usize, ground: &Ground, chance: &mut Chance) -> (Value, &'static str) {
    match number / PLANTED % 3 {
        0 => {
            let login = STANDARD.encode(format!("{}:{}", chance.word(), chance.text(LETTERS, 20)));
            let text = json!({"auths": {"registry.acme.example": {"auth": login}}}).to_string();
            (
                secret(number, "kubernetes.io/dockerconfigjson", &[(".dockerconfigjson", text.into_bytes())]),
                "KL161",
            )
        }
        1 => {
            let claims = json!({"iss": "kubernetes/serviceaccount", "sub": format!("system:serviceaccount:shop:a{number}"),
                "kubernetes.io/serviceaccount/secret.name": format!("it-{number:06}")});
            let mut object = secret(
                number,
                "kubernetes.io/service-account-token",
                &[
                    ("token", ground.signing.jws(&claims).into_bytes()),
                    ("ca.crt", ground.certificate.clone().into_bytes()),
                ],
            );
            object["metadata"]["annotations"] =
                json!({"kubernetes.io/service-account.name": format!("a{number}")});
            object["metadata"]["uid"] = json!(chance.uuid());
            (object, "KL141")
        }
        _ => {
            let mut object = opaque(
                number,
                &[
                    ("url", "https://git.acme.example/it.git".into()),
                    ("username", "x".into()),
                    ("password", chance.text(LETTERS, 26)),
                ],
            );
            object["metadata"]["labels"] = json!({"argocd.argoproj.io/secret-type": "repository"});
            object["metadata"]["namespace"] = json!("argocd");
            (object, "KL151")
        }
    }
}

#[test]
fn noise_holds_no_mission_credential() {
    let total = longest_or(100_000, IN_CLUSTER, 2_000);
    for cluster in 0..total.div_ceil(IN_CLUSTER) {
        let numbers = cluster * IN_CLUSTER..total.min((cluster + 1) * IN_CLUSTER);
        judged(numbers, &format!("cluster {cluster}"));
    }
}

#[track_caller]
fn judged(numbers: std::ops::Range<usize>, what: &str) {
    let world = World::with_operator();
    let ground = Ground::of(&world);
    let mut wanted = BTreeMap::new();
    let count = numbers.len();
    for number in numbers {
        // Each object has a chance of its own: a smaller run has the first objects of a larger one.
        let mut chance = Chance(number as u64);
        let object = match number % PLANTED {
            0 => {
                let (object, code) = planted(number, &ground, &mut chance);
                let place = [&object["metadata"]["namespace"], &object["metadata"]["name"]];
                wanted.insert(place.map(|it| it.as_str().unwrap().to_owned()).join("/"), code);
                object
            }
            _ => noise(number, &ground, &mut chance),
        };
        world.cluster.put_object(object);
    }
    let ran = world.run(&["audit", "-o", "json"]);
    let report = ran.json();
    // Everything was looked at, nothing was taken for one of the mission, and nothing is unclear.
    let short = |name: &str| report[name].as_array().unwrap().iter().take(3).cloned().collect::<Vec<_>>();
    for none in ["findings", "notJudged", "notSeen"] {
        assert!(short(none).is_empty(), "{what}: {none}: {:#?}", short(none));
    }
    let looked: u64 = ["Secret", "ConfigMap", "Deployment"]
        .iter()
        .filter_map(|kind| report["lookedThrough"][kind].as_u64())
        .sum();
    assert!(looked >= count as u64, "{what}: {}", report["lookedThrough"]);
    let of_class = |class: &str| {
        let all = report["credentials"].as_array().unwrap().iter();
        all.filter(|it| it["class"] == class).collect::<Vec<_>>()
    };
    assert!(of_class("root").is_empty(), "{what}: {:#?}", of_class("root"));
    assert_eq!((ran.code, &report["verdict"]), (Some(0), &json!("zero")), "{what}");
    // Of the platform those that were put there, by their kind and in their place, and no other.
    let mut found = BTreeMap::new();
    for it in of_class("platform") {
        let secrets = it["secrets"].as_array().unwrap();
        let places: BTreeSet<_> = secrets
            .iter()
            .map(|key| format!("{}/{}", key["namespace"].as_str().unwrap(), key["name"].as_str().unwrap()))
            .collect();
        assert_eq!(places.len(), 1, "{what}: {it:#?}");
        let codes: Vec<_> =
            it["codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
        found.insert(places.into_iter().next().unwrap(), codes);
    }
    for (place, codes) in &found {
        let code = wanted.get(place);
        assert!(
            code.is_some_and(|code| codes.contains(code)),
            "{what}: {place} is {codes:?}, and was made as {code:?}"
        );
    }
    let missed: Vec<_> = wanted.iter().filter(|(place, _)| !found.contains_key(*place)).take(5).collect();
    assert!(missed.is_empty(), "{what}: not found: {missed:?}");
}
