//! `fixtures/audit-cloud`: what a file is called says what must come out.

use serde_json::json;

use super::*;
use crate::federation::cloud::tests::{fixtures, sort_of};

const ISSUER: &str = "https://oidc.lab.test/prod";
const APP: &str = "0a1b2c3d-0000-4000-8000-000000000001";

#[test]
fn federated_credentials_are_judged() {
    let mut seen = [0; 3];
    for (name, entry) in fixtures("entra-federated") {
        let found = admits(&entry, Some(ISSUER));
        // Without the issuer, no ServiceAccount is known to be one of this cluster.
        assert_ne!(admits(&entry, None), Admits::Named, "{name}");
        seen[sort_of(&name, &found)] += 1;
    }
    assert!(seen[0] >= 2 && seen[1] + seen[2] > 3 * seen[0], "{seen:?}");
}

#[test]
fn issuer_is_compared_byte_by_byte() {
    let entry = |issuer: &str| json!({"issuer": issuer, "subject": "system:serviceaccount:a:b"});
    assert_eq!(admits(&entry(ISSUER), Some(ISSUER)), Admits::Named);
    for issuer in ["https://oidc.lab.test/prod/", "https://OIDC.lab.test/prod", "oidc.lab.test/prod"] {
        let Admits::More(who) = admits(&entry(issuer), Some(ISSUER)) else { panic!("{issuer}") };
        assert!(who.starts_with("ServiceAccounts of another issuer"), "{who}");
    }
}

#[test]
fn odd_principals_are_refused() {
    let mut seen = [0; 2];
    for (name, answer) in fixtures("entra-principal") {
        let found = principal(&answer, APP);
        let is_good = name.starts_with("good-");
        assert_eq!(found.is_ok(), is_good, "{name}: {found:?}");
        seen[usize::from(is_good)] += 1;
    }
    assert!(seen[1] >= 3 && seen[0] > 3 * seen[1], "{seen:?}");
}

#[test]
fn credentials_of_principal_are_read() {
    let good = |name: &str| {
        let (_, answer) = fixtures("entra-principal").into_iter().find(|(it, _)| it == name).unwrap();
        principal(&answer, &APP.to_ascii_uppercase()).unwrap()
    };
    let application = good("good-application");
    let shown: Vec<_> =
        application.credentials.iter().map(|it| (it.is_certificate, it.hint.as_deref())).collect();
    assert_eq!(shown, [(false, Some("k01")), (true, None)]);
    let identity = good("good-managed-identity");
    // Its certificate is Azure's own.
    assert!(identity.credentials.is_empty());
    let Kind::ManagedIdentity(Some(id)) = identity.kind else { panic!("{:?}", identity.kind) };
    assert!(id.ends_with("/userAssignedIdentities/eso"), "{id}");
}

/// The user who adds a certificate sets what it is called: that tells nothing of one that is shown.
#[test]
fn custom_identifier_names_unshown_certificates_alone() {
    let print = |key: Value| {
        let certificate = json!({"keyId": APP, "key": key, "customKeyIdentifier": STANDARD.encode([7; 20])});
        let answer = json!({"appId": APP, "passwordCredentials": [], "keyCredentials": [certificate]});
        application(&answer, APP).unwrap()[0].thumbprint
    };
    assert_eq!(print(Value::Null), Some([7; 20]));
    for key in [json!(""), json!("%"), json!(STANDARD.encode("no certificate")), json!(7), json!({})] {
        assert_eq!(print(key.clone()), None, "{key}");
    }
}

#[test]
fn end_decides_expiry() {
    let of = |ends: Option<&str>| Credential {
        key_id: APP.into(),
        is_certificate: false,
        of: Side::Application,
        hint: None,
        public_half: None,
        thumbprint: None,
        begins: None,
        ends: ends.map(str::to_owned),
    };
    let now = "2026-11-27T12:00:00Z";
    for (ends, expired) in [
        (None, false),
        (Some("2026-11-27T11:59:59Z"), true),
        (Some("2026-11-27T12:00:00Z"), false),
        (Some("2026-11-27T11:59:59.999Z"), true),
        (Some("2030-01-01T00:00:00Z"), false),
    ] {
        assert_eq!(of(ends).is_expired(now), expired, "{ends:?}");
    }
}

#[test]
fn times_have_one_form() {
    for text in [
        "2026-11-27T12:00:00Z",
        "2026-11-27T12:00:00.1234567Z",
        "2000-02-29T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ] {
        assert!(time(text).is_some(), "{text}");
    }
    for text in [
        "",
        "Z",
        "2026-11-27",
        "2026-11-27T12:00:00",
        "2026-11-27T12:00:00+00:00",
        "2026-11-27T12:00:0xZ",
        "2026-11-27T12:00:00.1.2Z",
        "2026-11-27T12:00:00.Z",
        "0001-01-01T00:00:00Z",
        "1999-12-31T23:59:59Z",
        "2026-00-27T12:00:00Z",
        "2026-13-27T12:00:00Z",
        "2026-02-29T12:00:00Z",
        "2026-11-27T25:00:00Z",
        "2026-11-27T12:61:00Z",
        "\u{1b}[2J2026-11-27T12:00Z",
    ] {
        assert_eq!(time(text), None, "{text}");
    }
}

#[test]
fn resource_of_identity_is_exact() {
    let id = "/subscriptions/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee/resourcegroups/platform/providers/microsoft.managedidentity/userassignedidentities/eso";
    assert!(identity_id(id).is_some());
    for (from, to) in [
        ("aaaaaaaa", "x"),
        ("platform", ".."),
        ("platform", "a%2fb"),
        ("microsoft.managedidentity", "microsoft.keyvault"),
        ("/eso", "/eso/more"),
        ("/eso", "/e?o"),
        ("/eso", ""),
        ("/subscriptions", "subscriptions"),
        ("/subscriptions", "https://evil.example/subscriptions"),
    ] {
        assert_eq!(identity_id(&id.replace(from, to)), None, "{from} {to}");
    }
}

#[test]
fn identity_is_the_one_asked_for() {
    let of = |id: &str, tenant: &str| json!({"id": id, "properties": {"tenantId": tenant}});
    assert!(identity(&of("/A/b", "t"), "/a/B", "T").is_ok());
    for answer in [json!({}), of("/a/c", "t"), of("/a/b", "u"), json!({"id": "/a/b"})] {
        assert!(identity(&answer, "/a/b", "t").is_err(), "{answer}");
    }
}

#[test]
fn thumbprint_is_read_in_each_spelling() {
    let bytes: Thumbprint = std::array::from_fn(|at| u8::try_from(at).unwrap() * 11);
    let digits = crate::hex::hex(&bytes);
    for text in [STANDARD.encode(bytes), digits.clone(), digits.to_uppercase(), STANDARD.encode(&digits)] {
        assert_eq!(thumbprint(&text), Some(bytes), "{text}");
    }
    for text in [
        "",
        "eso",
        &digits[..38],
        &format!("{digits}00"),
        &digits.replace('0', "g"),
        &STANDARD.encode([7; 32]),
    ] {
        assert_eq!(thumbprint(text), None, "{text}");
    }
}
