//! Everything that reads bytes of others, as plain functions: for `fuzz/` and `tests/fuzz`, and no part of the program.
//!
//! A reader takes any bytes, and gives back what a person would be shown of them. It panics when an invariant of what it
//! accepted does not hold.

use std::net::SocketAddr;

use serde_json::Value;

use crate::{
    azure, bucket,
    cli::Output,
    cluster::{
        self,
        objects::Object,
        snapshot::{self, Store},
    },
    config,
    coupling::{
        ClusterPolicy, DeviceConfig, IngressClass, List, LoadBalancer, Node, Portable, Seen, StorageClass,
        Volume, Workload, judge,
    },
    error::{Error, Result},
    federation::{aws, entra, vault},
    go_duration::GoDuration,
    google,
    http::Answer,
    lifetime::Lifetime,
    oidc::{Discovery, Document, Issuer, KeySet, KidRule, Token, keys_from_pem},
    redact,
    relying_party::max_age,
    report::Report,
    rotation::Ledger,
};

/// One reader of foreign bytes.
#[derive(Clone, Copy)]
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]) -> String,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "pem", run: pem },
    Target { name: "jwks", run: jwks },
    Target { name: "discovery", run: discovery },
    Target { name: "issuer", run: issuer },
    Target { name: "token", run: token },
    Target { name: "endpoints", run: endpoints },
    Target { name: "object", run: object },
    Target { name: "coupling", run: coupling },
    Target { name: "settings", run: settings },
    Target { name: "go-duration", run: go_duration },
    Target { name: "lifetime", run: lifetime },
    Target { name: "ledger", run: ledger },
    Target { name: "cache-control", run: cache_control },
    Target { name: "google-error", run: google_error },
    Target { name: "gcs-error", run: gcs_error },
    Target { name: "azure-error", run: azure_error },
    Target { name: "azure-blobs", run: azure_blobs },
    Target { name: "azure-token", run: azure_token },
    Target { name: "entra-answer", run: entra_answer },
    Target { name: "entra-error", run: entra_error },
    Target { name: "s3-error", run: s3_error },
    Target { name: "s3-policy", run: s3_policy },
    Target { name: "aws-error", run: aws_error },
    Target { name: "aws-policy", run: aws_policy },
    Target { name: "vault-error", run: vault_error },
    Target { name: "vault-config", run: vault_config },
];

/// A credential that the program has, as it has it from its environment.
pub fn remember(secret: &str) {
    redact::remember(secret);
}

/// Runs the reader of this name.
pub fn run(name: &str, input: &[u8]) -> String {
    TARGETS.iter().find(|target| target.name == name).map(|target| (target.run)(input)).unwrap_or_default()
}

/// As the program prints it, and nothing for a success.
fn shown<T>(result: Result<T>) -> String {
    result.err().map(|error| text(&error)).unwrap_or_default()
}

fn text(error: &Error) -> String {
    let (mut data, mut messages) = (Vec::new(), Vec::new());
    Report::new(Output::Json, true, &mut data, &mut messages).error("fuzz", error);
    String::from_utf8_lossy(&[data, messages].concat()).into_owned()
}

/// What is published can be read again, says the same, and is accepted by the library that verifies with it.
fn publishable(keys: &KeySet) {
    let written = Document::jwks(keys);
    let (read, unreadable) =
        KeySet::parse(&written.body, "it", KidRule::External).expect("what was written is read");
    assert!(read == *keys && unreadable.is_empty(), "another set is read than was written");
    assert_eq!(Document::jwks(&read), written, "the same keys are other bytes");
    let set: Value = serde_json::from_slice(&written.body).expect("JSON");
    for key in set["keys"].as_array().expect("keys") {
        // jsonwebtoken knows no P-521.
        if key["alg"] != "ES512" {
            let jwk = serde_json::from_value(key.clone()).expect("a JWK");
            jsonwebtoken::DecodingKey::from_jwk(&jwk).expect("a key");
        }
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert!(key.get(private).is_none(), "a private member is published");
        }
    }
}

/// What can be used of a ledger can be written, and is read again as it is. `1_800_000_000`: the clock.
fn ledger(input: &[u8]) -> String {
    let Ok(input) = std::str::from_utf8(input) else { return String::new() };
    let parse = |text: &str| Ledger::parse(text, "uid", "https://acme.example", 1_800_000_000);
    match parse(input) {
        Ok(read) => {
            let again = parse(&read.ledger.to_text()).expect("what was written is read");
            assert!(again.ledger == read.ledger && again.ahead.is_empty(), "another ledger is read");
            String::new()
        }
        Err(lost) => lost.reason().to_owned(),
    }
}

fn pem(input: &[u8]) -> String {
    let keys = keys_from_pem(input, "the file");
    if let Ok(keys) = &keys {
        assert!(!keys.is_empty(), "no key and no error");
        if let Ok(set) = KeySet::new(keys.iter().cloned()) {
            publishable(&set);
        }
    }
    shown(keys)
}

fn jwks(input: &[u8]) -> String {
    let mut all = String::new();
    for rule in [KidRule::Computed, KidRule::External] {
        let parsed = KeySet::parse(input, "the key set", rule);
        if let Ok((keys, _)) = &parsed {
            publishable(keys);
        }
        all += &shown(parsed);
    }
    all
}

fn discovery(input: &[u8]) -> String {
    shown(Discovery::parse(input, "the document"))
}

fn issuer(input: &[u8]) -> String {
    let Ok(input) = std::str::from_utf8(input) else { return String::new() };
    let parsed = input.parse::<Issuer>();
    if let Ok(issuer) = &parsed {
        assert_eq!(issuer.as_str(), input);
        let url: http::Uri = issuer.jwks_url().parse().expect("a URL");
        assert_eq!((url.scheme_str(), url.host()), (Some("https"), Some(issuer.host())));
        assert!(url.query().is_none() && url.port().is_none());
        assert_eq!(issuer.below(input), Some(""));
    }
    shown(parsed)
}

fn token(input: &[u8]) -> String {
    let Ok(input) = std::str::from_utf8(input) else { return String::new() };
    let parsed = Token::parse(input);
    if let Ok(token) = &parsed {
        let claims = token.claims();
        assert!(claims.expires < 1 << 40 && claims.issued < 1 << 40);
        assert!(!format!("{token:?}").contains(input), "a token prints itself");
    }
    shown(parsed)
}

fn endpoints(input: &[u8]) -> String {
    let addresses = cluster::addresses(input);
    for address in addresses.iter().flatten() {
        let address: SocketAddr = address.parse().expect("an address");
        assert!(address.port() > 0);
    }
    shown(addresses)
}

fn object(input: &[u8]) -> String {
    let Ok(value) = serde_json::from_slice::<Value>(input) else { return String::new() };
    match Object::answered(value) {
        Ok(object) => {
            assert!(!object.name().is_empty() && !object.name().contains('/'));
            String::new()
        }
        Err(why) => why.to_owned(),
    }
}

/// One object as each kind of which something is kept.
fn coupling(input: &[u8]) -> String {
    let Some(object) = Object::listed(&snapshot::SECRET_STORES, input) else { return String::new() };
    fn list<T>(item: Option<T>) -> List<T> {
        List { items: item.into_iter().collect(), unseen: Vec::new() }
    }
    let coupling = judge(&Seen {
        nodes: list(Node::of(&object)),
        stores: list(Some(Store(object.clone()))),
        storage_classes: list(StorageClass::of(&object)),
        volumes: list(Volume::of(&object)),
        load_balancers: list(LoadBalancer::of(&object)),
        ingress_classes: list(IngressClass::of(&object)),
        daemon_sets: list(Workload::of(&object)),
        deployments: list(Workload::of(&object)),
        cluster_policies: list(ClusterPolicy::of(&object)),
        device_configs: List { items: DeviceConfig::all_of(&object), unseen: Vec::new() },
    });
    for tie in coupling.concerns.iter().flat_map(|concern| &concern.ties) {
        assert!(tie.to != "unknown" || tie.portable == Portable::Unknown, "{tie:?}");
    }
    let (mut data, mut messages) = (Vec::new(), Vec::new());
    let mut report = Report::new(Output::Text, true, &mut data, &mut messages);
    report.lines(coupling.lines());
    drop(report);
    String::from_utf8_lossy(&data).into_owned()
}

fn settings(input: &[u8]) -> String {
    let Ok(input) = std::str::from_utf8(input) else { return String::new() };
    shown(config::check(input))
}

fn go_duration(input: &[u8]) -> String {
    let Ok(input) = std::str::from_utf8(input) else { return String::new() };
    match input.parse::<GoDuration>() {
        Ok(duration) => {
            assert!(duration.not_negative().is_none_or(|time| time.as_secs() < 300 * 366 * 86_400));
            String::new()
        }
        Err(why) => why.to_string(),
    }
}

fn lifetime(input: &[u8]) -> String {
    let Ok(value) = serde_json::from_slice::<Value>(input) else { return String::new() };
    match Lifetime::read(&value, "expires_in", 86_400) {
        Ok(lifetime) => {
            assert!((1..=86_400).contains(&lifetime.duration().as_secs()));
            String::new()
        }
        Err(instead) => instead,
    }
}

fn cache_control(input: &[u8]) -> String {
    let Ok(input) = std::str::from_utf8(input) else { return String::new() };
    max_age(input).map(|seconds| seconds.to_string()).unwrap_or_default()
}

fn google_error(input: &[u8]) -> String {
    let (status, body) = with_status(input);
    let answer = Answer { status, headers: http::HeaderMap::new(), body: body.to_vec() };
    let refusal = google::Refusal::of(&answer, &http::HeaderMap::new());
    format!("{}{}", refusal.summary(), text(&refusal.error("reading", "a.b.c", "it")))
}

fn gcs_error(input: &[u8]) -> String {
    let (status, body) = with_status(input);
    text(&bucket::gcs_fuzzing::error(status, body))
}

fn azure_error(input: &[u8]) -> String {
    let (status, body) = with_status(input);
    match bucket::azure_fuzzing::error(status, body) {
        Ok(error) | Err(error) => text(&error),
    }
}

fn azure_blobs(input: &[u8]) -> String {
    bucket::azure_fuzzing::list(input);
    String::new()
}

fn azure_token(input: &[u8]) -> String {
    azure::fuzzing::token(input).iter().map(text).collect()
}

/// Of Azure Resource Manager, Microsoft Graph and Key Vault: the error that it becomes, and what is read of it.
fn entra_answer(input: &[u8]) -> String {
    let (status, body) = with_status(input);
    let refused = text(&entra::fuzzing::error(status, body));
    let Ok(answer) = serde_json::from_slice::<Value>(body) else { return refused };
    entra::fuzzing::answer(&answer).iter().map(text).fold(refused, |all, one| all + &one)
}

fn entra_error(input: &[u8]) -> String {
    let (status, body) = with_status(input);
    let answer = Answer { status, headers: http::HeaderMap::new(), body: body.to_vec() };
    let refusal = azure::Refusal::of(&answer);
    format!("{}{}", refusal.summary(), text(&refusal.error("the login")))
}

fn s3_error(input: &[u8]) -> String {
    let (status, body) = with_status(input);
    shown(bucket::s3_fuzzing::error(status, body))
}

fn s3_policy(input: &[u8]) -> String {
    let Ok(input) = std::str::from_utf8(input) else { return String::new() };
    shown(bucket::s3_fuzzing::bucket_policy(input))
}

fn aws_error(input: &[u8]) -> String {
    let (status, body) = with_status(input);
    text(&aws::fuzzing::error(status, body))
}

fn aws_policy(input: &[u8]) -> String {
    if let Ok(input) = std::str::from_utf8(input) {
        aws::fuzzing::policy(input);
    }
    String::new()
}

fn vault_error(input: &[u8]) -> String {
    let (status, body) = with_status(input);
    text(&vault::fuzzing::error(status, body))
}

fn vault_config(input: &[u8]) -> String {
    shown(vault::fuzzing::config(input))
}

/// The first byte chooses the status.
fn with_status(input: &[u8]) -> (u16, &[u8]) {
    const STATUSES: [u16; 12] = [200, 301, 400, 401, 403, 404, 409, 412, 429, 500, 503, 599];
    match input {
        [first, body @ ..] => (STATUSES.get(usize::from(*first) % 12).copied().unwrap_or(500), body),
        [] => (500, input),
    }
}
