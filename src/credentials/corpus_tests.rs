//! Every kind of credential, in every place, in every spelling: each is seen once, as what it is, where it is; and nothing of
//! it comes out.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    Class, Sightings,
    fakes::{Fake, fakes, p12},
};

/// Objects that hold a credential: the place's name, the object, whether a credential that goes by its Secret is still known.
fn places(fake: &Fake) -> Vec<(&'static str, Value, bool)> {
    let text: serde_json::Map<String, Value> =
        fake.pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let encoded = |encode: &dyn Fn(&str) -> String| -> Value {
        let data = fake
            .pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(STANDARD.encode(encode(value)))));
        Value::Object(data.collect())
    };
    let mut metadata = json!({"name": fake.object, "namespace": "shop"});
    if let Some((name, value)) = fake.label {
        metadata["labels"] = json!({name: value});
    }
    let secret = |data: Value| json!({"apiVersion": "v1", "kind": "Secret", "type": fake.secret_type, "metadata": metadata, "data": data});
    let plain = secret(encoded(&|value| value.to_owned()));
    let rendered = json!({"apiVersion": "v1", "kind": "Secret", "type": fake.secret_type, "metadata": metadata, "stringData": text});
    let mut applied = secret(json!({}));
    applied["metadata"]["annotations"] =
        json!({"kubectl.kubernetes.io/last-applied-configuration": rendered.to_string()});
    let manifest = format!("---\n# Source: a\n{}", serde_saphyr::to_string(&rendered).unwrap());
    let config_map = |data: Value| json!({"kind": "ConfigMap", "metadata": {"name": fake.object, "namespace": "shop"}, "data": data});
    let workload = |container: Value| {
        json!({"kind": "Deployment", "metadata": {"name": fake.object, "namespace": "shop"},
            "spec": {"template": {"spec": {"serviceAccountName": "a", "containers": [container]}}}})
    };
    let environment: Vec<Value> =
        fake.pairs.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let arguments: Vec<Value> =
        fake.pairs.iter().map(|(name, value)| json!(format!("--{name}={value}"))).collect();
    let custom = |kind: &str, spec: Value| json!({"kind": kind, "metadata": {"name": fake.object, "namespace": "shop"}, "spec": spec});
    vec![
        ("Secret", plain, true),
        ("applied configuration", applied, true),
        ("release of Helm", release(&manifest, &json!({})), true),
        ("values of a release", release("", &json!({"a": {"b": text}})), false),
        ("Secret, base64 once more", secret(encoded(&|value| STANDARD.encode(value))), false),
        (
            "Secret, JSON in JSON",
            secret(json!({"a.json": STANDARD.encode(json!({"a": [text]}).to_string())})),
            false,
        ),
        ("ConfigMap", config_map(Value::Object(text.clone())), false),
        (
            "ConfigMap, YAML",
            config_map(json!({"a.yaml": serde_saphyr::to_string(&json!({"it": text})).unwrap()})),
            false,
        ),
        ("variables", workload(json!({"name": "app", "image": "a", "env": environment})), false),
        ("arguments", workload(json!({"name": "app", "image": "a", "args": arguments})), false),
        ("store", custom("ClusterSecretStore", json!({"provider": {"new": {"auth": text}}})), false),
        (
            "application",
            custom("Application", json!({"source": {"helm": {"parameters": environment, "valueFiles": []}}})),
            false,
        ),
        (
            "values of an application",
            custom(
                "Application",
                json!({"source": {"helm": {"values": serde_saphyr::to_string(&json!({"it": text})).unwrap()}}}),
            ),
            false,
        ),
        ("values of a HelmRelease", custom("HelmRelease", json!({"values": {"it": text}})), false),
    ]
}

/// A release as Helm stores it.
pub(super) fn release(manifest: &str, values: &Value) -> Value {
    let release = json!({"name": "shop", "version": 3, "manifest": manifest, "config": values, "chart": {"values": {}}, "info": {}});
    let value = STANDARD.encode(STANDARD.encode(gzip(release.to_string().as_bytes())));
    json!({"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
        "metadata": {"name": "sh.helm.release.v1.shop.v3", "namespace": "shop"}, "data": {"release": value}})
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn look(object: &Value) -> Sightings {
    let mut sightings = Sightings::default();
    sightings.take(object["kind"].as_str().unwrap(), object).expect("it has the form of its kind");
    sightings
}

#[test]
fn every_kind_is_seen_everywhere() {
    let (mut tried, mut wrong) = (0, Vec::new());
    for fake in fakes() {
        let by_secret = fake.secret_type != "Opaque" || fake.label.is_some();
        for (place, object, keeps) in places(&fake) {
            // What its own object tells is not told by the values of a chart.
            if by_secret && !keeps || fake.object == "hcloud" && place == "values of a release" {
                continue;
            }
            tried += 1;
            let sightings = look(&object);
            let seen = sightings.distinct();
            let shown = format!("{seen:?}");
            let at = format!("{} in {place}", fake.name);
            let (name, kind) =
                (object["metadata"]["name"].as_str().unwrap(), object["kind"].as_str().unwrap());
            let is_right = matches!(seen.as_slice(), [one] if one.kind.code == fake.code
                && one.class.letter() == fake.class
                && one.places.iter().all(|it| it.kind == kind && it.name == name && !it.at.is_empty()));
            if !is_right || !sightings.unseen.is_empty() {
                wrong.push(format!("{at}: {shown} {:?}", sightings.unseen));
            }
            // The ID of an HMAC key is public.
            let secrets = fake
                .pairs
                .iter()
                .filter(|(name, value)| value.len() >= 30 && (fake.code, *name) != ("KL104", "id"));
            for (_, value) in secrets {
                // The address of an account is public.
                let value = value.strip_suffix("eso@acme-prod.iam.gserviceaccount.com\"}").unwrap_or(value);
                let secret = &value[value.len() - 28..];
                assert!(!shown.contains(secret), "{at} leaks: {shown}");
            }
        }
    }
    println!("{tried} kinds × places; {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(tried > 500, "{tried}");
}

/// Binary files cannot be texts: of the places only those for bytes.
#[test]
fn key_stores_are_told_apart() {
    for (password, name, code, class) in [
        ("notasecret", "key", "KL102", Class::Root),
        ("hunter2", "keystore.p12", "KL102", Class::Platform),
        ("hunter2", "acme-prod-0123456789ab.p12", "KL102", Class::Root),
    ] {
        let file = p12(password);
        let secret = |value: String| json!({"kind": "Secret", "type": "Opaque", "metadata": {"name": "it", "namespace": "shop"}, "data": {name: value}});
        for object in [secret(STANDARD.encode(&file)), secret(STANDARD.encode(STANDARD.encode(&file)))] {
            let seen = look(&object).distinct();
            assert!(
                matches!(seen.as_slice(), [one] if one.kind.code == code && one.class == class),
                "{name}: {seen:?}"
            );
        }
    }
}

#[test]
fn copies_are_one_credential() {
    let mut sightings = Sightings::default();
    let fakes = fakes();
    let fake = |name: &str| fakes.iter().find(|fake| fake.name == name).unwrap();
    for (place, object, _) in
        places(fake("google key, compact")).into_iter().chain(places(fake("google key, pretty")))
    {
        sightings.take(object["kind"].as_str().unwrap(), &object).expect(place);
    }
    let seen = sightings.distinct();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(seen[0].places.len() >= 7, "{seen:?}");
    // A copy of a stored token and its Secret.
    let mut sightings = Sightings::default();
    for name in ["legacy token", "copy of a legacy token"] {
        let mut object = places(fake(name)).remove(0).1;
        object["metadata"]["name"] = json!(if name == "legacy token" { "ci-token" } else { "copy" });
        sightings.take("Secret", &object).unwrap();
    }
    assert_eq!(sightings.distinct().len(), 1, "{:?}", sightings.distinct());
}
