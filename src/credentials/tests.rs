//! What looks like a credential and is none; what was made to keep this program busy.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    Class, Sightings,
    corpus_tests::{gzip, release},
    fakes::{ALNUM, RSA, UPPER, body, google, jwt},
    layers::MOST_INFLATED,
};

fn secret(secret_type: &str, pairs: &[(&str, String)]) -> Value {
    let data: serde_json::Map<String, Value> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(STANDARD.encode(value)))).collect();
    json!({"kind": "Secret", "type": secret_type, "metadata": {"name": "it", "namespace": "shop"}, "data": data})
}

fn look(object: &Value) -> Sightings {
    let mut sightings = Sightings::default();
    sightings.take(object["kind"].as_str().unwrap(), object).expect("it has the form of its kind");
    sightings
}

#[test]
fn near_misses_are_no_roots() {
    let opaque = |pairs: &[(&str, String)]| secret("Opaque", pairs);
    let mut template = google(&[]);
    template["private_key"] =
        json!("-----BEGIN PRIVATE KEY-----\n<YOUR PRIVATE KEY>\n-----END PRIVATE KEY-----\n");
    let mut reference = google(&[]);
    reference["private_key"] = json!("${GOOGLE_PRIVATE_KEY_OF_THE_ACCOUNT}");
    let account =
        json!({"type": "external_account", "audience": "a", "credential_source": {"file": "/var/run/token"}});
    let jwks = json!({"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": body("kid", ALNUM, 43), "n": body("n", ALNUM, 342), "e": "AQAB"}]});
    let certificate = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        body("certificate", ALNUM, 1200)
    );
    let public =
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", body("public", ALNUM, 392));
    let id = format!("AK{}{}", "IA", body("aws", UPPER, 16));
    let temporary = [
        ("AWS_ACCESS_KEY_ID", format!("AS{}{}", "IA", body("aws", UPPER, 16))),
        ("AWS_SECRET_ACCESS_KEY", body("secret", ALNUM, 40)),
        ("AWS_SESSION_TOKEN", body("session", ALNUM, 300)),
    ];
    let short = jwt(
        &json!({"iss": "https://kubernetes.default.svc", "sub": "system:serviceaccount:a:b", "iat": 1_700_000_000, "exp": 1_700_003_600}),
    );
    let other =
        jwt(&json!({"iss": "https://login.lab.test", "sub": "person", "iat": 1, "exp": 2_000_000_000}));
    for (name, object) in [
        ("template of a key", opaque(&[("key.json", template.to_string())])),
        ("reference to a key", opaque(&[("key.json", reference.to_string())])),
        ("external account", opaque(&[("key.json", account.to_string())])),
        ("key set", opaque(&[("jwks", jwks.to_string())])),
        ("certificate", opaque(&[("tls.crt", certificate.clone()), ("ca.crt", certificate.clone())])),
        ("public key", opaque(&[("key.pub", public)])),
        ("placeholders", opaque(&[
            ("AWS_SECRET_ACCESS_KEY", "changeme".into()), ("AZURE_CLIENT_SECRET", "<client-secret>".into()),
            ("VAULT_TOKEN", format!("hvs.{}", "x".repeat(40))), ("HCLOUD_TOKEN", "REPLACE_ME".into()),
            ("token", "${TOKEN}".into()), ("password", "{{ .Values.password }}".into()),
        ])),
        ("temporary keys", opaque(&temporary)),
        ("hash of a node's password", opaque(&[("hash", format!("$1:{}:15:8:1:{}", body("salt", "0123456789abcdef", 16), body("hash", ALNUM, 86)))])),
        ("checksums", opaque(&[
            ("sha1", body("sha1", "0123456789abcdef", 40)), ("sha256", body("sha256", "0123456789abcdef", 64)),
            ("md5", body("md5", "0123456789abcdef", 32)), ("uuid", "6f1c0e5a-9a3e-4a55-8d0a-3c1d7f0b2a11".into()),
        ])),
        ("login that expires", opaque(&[(".dockerconfigjson", json!({"auths": {"1.dkr.ecr.eu-central-1.amazonaws.com": {
            "auth": STANDARD.encode(format!("AWS:{}", body("ecr", ALNUM, 900)))}}}).to_string())])),
        ("token of an hour", opaque(&[("token", short)])),
        ("token of a person", opaque(&[("token", other)])),
        ("kubeconfig with a plugin", opaque(&[("kubeconfig", json!({"clusters": [], "users": [{"name": "u", "user": {"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": "aws", "args": ["eks", "get-token"]}}}]}).to_string())])),
        ("words", opaque(&[("text", "hvs.short ghp_short AKIA s.Title glpat-short K10:: AccountKey=short sig=&se=&sv= Q~".into())])),
        ("nothing", opaque(&[])),
    ] {
        let seen = look(&object).distinct();
        assert!(seen.is_empty(), "{name}: {seen:?}");
    }
    // Without its secret half a key is neither counted nor taken for nothing.
    let seen = look(&opaque(&[("id", id)])).distinct();
    assert!(matches!(seen.as_slice(), [one] if one.class == Class::NotSeen), "{seen:?}");
    let alone = |name: &str, value: String| look(&opaque(&[(name, value)])).distinct();
    let seen = alone("ALIBABA_CLOUD_ACCESS_KEY_ID", format!("LT{}{}", "AI", body("half", ALNUM, 20)));
    assert!(matches!(seen.as_slice(), [one] if one.class == Class::NotSeen), "{seen:?}");
    for (name, value) in [
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", body("half", ALNUM, 30)),
        ("SCW_SECRET_KEY", "6f1c0e5a-9a3e-4a55-8d0a-3c1d7f0b2a11".to_owned()),
    ] {
        let seen = alone(name, value);
        assert!(matches!(seen.as_slice(), [one] if one.class == Class::Root), "{name}: {seen:?}");
    }
    // Nor does the ID of one key hide the secret half of another, in another container.
    let container = |name: &str, value: &str| json!({"name": "c", "env": [{"name": name, "value": value}]});
    let id = format!("AK{}{}", "IA", body("one", UPPER, 16));
    let pod = json!({"kind": "Pod", "metadata": {"name": "it", "namespace": "shop"}, "spec": {"containers": [
        container("AWS_ACCESS_KEY_ID", &id), container("AWS_SECRET_ACCESS_KEY", &body("other", ALNUM, 40))]}});
    let seen = look(&pod).distinct();
    assert!(seen.iter().any(|one| one.class == Class::Root), "{seen:?}");
    let documented = format!("AK{}{}", "IA", "IOSFODNN7EXAMPLE");
    assert!(look(&opaque(&[("id", documented)])).distinct().is_empty());
    // The key of a certificate is counted as what it is.
    let tls = secret("kubernetes.io/tls", &[("tls.key", RSA.clone()), ("tls.crt", certificate)]);
    let seen = look(&tls).distinct();
    assert!(matches!(seen.as_slice(), [one] if one.class == Class::RootKey), "{seen:?}");
    // An account in a text is not what makes another private key one of Google.
    let beside = opaque(&[(
        "values.yaml",
        format!(
            "serviceAccount: a@b.iam.gserviceaccount.com\ntls:\n  crt: x\n  pem: |\n    {}",
            RSA.replace('\n', "\n    ")
        ),
    )]);
    let seen = look(&beside).distinct();
    assert!(seen.iter().all(|one| one.class != Class::Root), "{seen:?}");
}

#[test]
fn two_credentials_in_value_are_two() {
    let (mut first, mut second) = (google(&[]), google(&[]));
    first["private_key_id"] = json!("1".repeat(40));
    second["private_key_id"] = json!("2".repeat(40));
    for value in [json!([first, second]).to_string(), format!("a: '{first}'\nb: '{second}'\n")] {
        let seen = look(&secret("Opaque", &[("keys", value.clone())])).distinct();
        assert_eq!(seen.len(), 2, "{seen:?}");
    }
}

/// The first two bytes of gzip begin one of some ten thousand passwords in base64: the third tells them apart.
#[test]
fn password_is_no_broken_gzip() {
    for (third, count) in [(0xe9, 0), (8, 1)] {
        let rest = [0x46, 0x0d, 0x5a, 0x6d, 0x8f, 0xa3, 0x11, 0x92, 0x2c, 0x68, 0x6a, 0xc2, 0xf9, 0xe5, 0x5d];
        let value = STANDARD.encode([&[0x1f, 0x8b, third][..], &rest].concat());
        let seen = look(&secret("Opaque", &[("password", value)]));
        assert_eq!(seen.unseen.len(), count, "{:?}", seen.unseen);
    }
}

/// What cannot be unpacked is named, and never taken for empty.
#[test]
fn bombs_and_broken_releases_are_unseen() {
    let bomb = gzip(&vec![b' '; usize::try_from(MOST_INFLATED).unwrap() + 2]);
    assert!(bomb.len() < 1 << 20, "it fits into a Secret");
    let mut object = release("", &json!({}));
    for value in [
        STANDARD.encode(&bomb),
        STANDARD.encode(b"\x1f\x8bbroken"),
        "no base64".into(),
        STANDARD.encode("[]]"),
    ] {
        object["data"]["release"] = json!(STANDARD.encode(value));
        let unseen = look(&object).unseen;
        assert!(unseen.iter().any(|it| it.what == "Secret shop/sh.helm.release.v1.shop.v3"), "{unseen:?}");
    }
    let mut object = secret("Opaque", &[]);
    object["data"] = json!({"a.gz": STANDARD.encode(&bomb)});
    assert_eq!(look(&object).unseen.len(), 1);
}

#[test]
fn objects_of_another_form_are_refused() {
    for object in [
        json!({}),
        json!([]),
        json!({"metadata": {}}),
        json!({"metadata": {"name": 3}}),
        json!({"metadata": {"name": "a"}, "data": 7}),
        json!({"metadata": {"name": "a"}, "data": {"b": 7}}),
        json!({"metadata": {"name": "a"}, "type": 7}),
    ] {
        assert_eq!(Sightings::default().take("Secret", &object), None, "{object}");
    }
    let nulls = json!({"metadata": {"name": "a"}, "data": null, "type": null});
    assert_eq!(Sightings::default().take("Secret", &nulls), Some(()));
}

/// Deep nesting and long texts end soon.
#[test]
fn hostile_values_end_soon() {
    let deep = (0..60).fold(json!("x".repeat(32)), |inner, _| json!({"a": [inner]})).to_string();
    let many = (0..20_000)
        .map(|number| format!("key{number}=value{number}aaaaaaaaaaaaaaaaaaaa\n"))
        .collect::<String>();
    let often =
        (0..8).fold(
            "A".repeat(64 << 10),
            |text, _| if text.len() > 700_000 { text } else { STANDARD.encode(text) },
        );
    let literals = format!("se=sv={}", "sig=".repeat(200_000));
    let keys = format!("{}PRIVATE KEY-----service_account", "private_key:-----BEGIN ".repeat(30_000));
    for value in [deep, many, "-----BEGIN ".repeat(20_000), "{\"a\":".repeat(5_000), literals, keys] {
        assert!(look(&secret("Opaque", &[("v", value)])).unseen.is_empty());
    }
    // Encoded so often that the last of it is not looked at.
    assert_eq!(look(&secret("Opaque", &[("v", often)])).unseen.len(), 1);
}

fn only(object: &Value) -> super::Sighting {
    let seen = look(object).distinct();
    assert_eq!(seen.len(), 1, "{seen:?}");
    seen.into_iter().next().unwrap()
}

/// Letters that come about by chance make no placeholder of a key.
#[test]
fn random_key_is_no_placeholder() {
    for middle in ["xXxX", "insert", "REPLACE", "changeMe"] {
        let mut key = google(&[]);
        let pem = key["private_key"].as_str().unwrap().to_owned();
        let at = pem.find('\n').unwrap() + 20;
        key["private_key"] = json!(format!("{}{middle}{}", &pem[..at], &pem[at + middle.len()..]));
        assert_eq!(only(&secret("Opaque", &[("key.json", key.to_string())])).class, Class::Root, "{middle}");
        let secret_half = format!("{}{middle}{}", body("a", ALNUM, 12), body("b", ALNUM, 28 - middle.len()));
        if middle == "xXxX" {
            let pair = [
                ("AWS_ACCESS_KEY_ID", format!("AK{}{}", "IA", body("aws", UPPER, 16))),
                ("AWS_SECRET_ACCESS_KEY", secret_half),
            ];
            assert_eq!(only(&secret("Opaque", &pair)).class, Class::Root);
        }
    }
}

/// Characters of several bytes around a key end nothing.
#[test]
fn other_characters_around_keys_are_read() {
    let body = body("key", ALNUM, 60);
    for text in [
        format!(
            "private_key: -----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\naccount: “eso@acme.iam.gserviceaccount.com”\n"
        ),
        format!(
            "eso@acme.iam.gserviceaccount.com private_key: -----BEGIN PRIVATE KEY-----\n{body}\n-----END {}\n",
            "é".repeat(60)
        ),
        format!(
            "service_account private_key: ééé-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----é"
        ),
    ] {
        let seen = look(&secret("Opaque", &[("notes", text)])).distinct();
        assert!(seen.iter().any(|one| one.class == Class::Root), "{seen:?}");
    }
}

/// One byte that is no text, several members of gzip, an encoded Secret within a text: what is there is found.
#[test]
fn wrapped_keys_are_found() {
    let pair = |encode: fn(&str) -> String| {
        let id = format!("AK{}{}", "IA", body("aws", UPPER, 16));
        format!(
            "AWS_ACCESS_KEY_ID: {}\n  AWS_SECRET_ACCESS_KEY: {}\n",
            encode(&id),
            encode(&body("secret", ALNUM, 40))
        )
    };
    let mut latin = b"# cl\xe9\n".to_vec();
    latin.extend(pair(str::to_owned).into_bytes());
    let mut members = gzip(b"");
    members.extend(gzip(google(&[]).to_string().as_bytes()));
    let manifest = format!("apiVersion: v1\nkind: Secret\ndata:\n  {}", pair(|text| STANDARD.encode(text)));
    for bytes in [latin, members, manifest.into_bytes()] {
        let mut object = secret("Opaque", &[]);
        object["data"] = json!({"it": STANDARD.encode(&bytes)});
        assert_eq!(only(&object).class, Class::Root);
    }
}

/// What is not unpacked is named, also if something before the fault was read.
#[test]
fn packed_values_are_unseen() {
    let mut cut = gzip(google(&[]).to_string().as_bytes());
    cut.truncate(cut.len() - 6);
    let mut object = secret("Opaque", &[]);
    for (bytes, seen) in [
        (cut, 1),
        (b"PK\x03\x04rest of it".to_vec(), 0),
        (b"\xfd7zXZ\0rest of it".to_vec(), 0),
        (b"\x28\xb5\x2f\xfdrest of it".to_vec(), 0),
    ] {
        object["data"] = json!({"it": STANDARD.encode(&bytes)});
        let sightings = look(&object);
        assert_eq!((sightings.unseen.len(), sightings.distinct().len()), (1, seen), "{bytes:?}");
    }
}

#[test]
fn upper_case_names_are_known() {
    let id = "6f1c0e5a-9a3e-4a55-8d0a-3c1d7f0b2a11";
    for pairs in [
        vec![("VAULT_SECRET_ID", id.to_owned())],
        vec![("AZURE_CLIENT_SECRET", body("entra", ALNUM, 34))],
        vec![("VAULT_TOKEN", format!("s.{}.gVBf5", body("vault", ALNUM, 24)))],
        vec![("AZURE_STORAGE_ACCOUNT_ACCESS_KEY", format!("{}==", body("azure", ALNUM, 86)))],
    ] {
        assert_eq!(only(&secret("Opaque", &pairs)).class, Class::Root, "{:?}", pairs[0].0);
    }
    let mut of_vault = secret("Opaque", &[("secret-id", id.to_owned())]);
    of_vault["metadata"]["name"] = json!("vault-approle");
    assert_eq!(only(&of_vault).class, Class::Root);
}

#[test]
fn login_in_address_is_not_shown() {
    let auths = json!({"auths": {"https://ci:hunter2hunter2@registry.lab.test/v2/": {"auth": STANDARD.encode(format!("ci:{}", body("p", ALNUM, 20)))}}});
    let one = only(&secret("Opaque", &[(".dockerconfigjson", auths.to_string())]));
    assert!(one.what.contains("registry.lab.test") && !one.what.contains("hunter2"), "{}", one.what);
}

#[test]
fn places_of_one_credential_are_bounded() {
    let mut sightings = Sightings::default();
    for number in 0..150 {
        let mut object = secret("Opaque", &[("key.json", google(&[]).to_string())]);
        object["metadata"]["name"] = json!(format!("copy-{number:03}"));
        sightings.take("Secret", &object).unwrap();
    }
    let seen = sightings.distinct();
    assert_eq!((seen.len(), seen[0].places.len(), seen[0].more), (1, 100, 50));
}
