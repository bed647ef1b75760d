use serde_json::json;

use super::*;

const EMAIL: &str = "reader@acme-prod.iam.gserviceaccount.com";

fn key(id: &str) -> Value {
    json!({"name": format!("projects/acme-prod/serviceAccounts/{EMAIL}/keys/{id}"), "keyType": "USER_MANAGED",
        "validAfterTime": "2026-01-02T03:04:05Z", "validBeforeTime": NEVER, "keyOrigin": "GOOGLE_PROVIDED"})
}

#[test]
fn user_managed_keys_are_listed() {
    let mut disabled = key("0123456789ab");
    (disabled["disabled"], disabled["validBeforeTime"]) = (json!(true), json!("2027-01-02T03:04:05Z"));
    let mut system = key("cdefcdefcdef");
    system["keyType"] = json!("SYSTEM_MANAGED");
    let listed = keys(&json!({"keys": [key("abcdef012345"), disabled, system]}), EMAIL).unwrap();
    let shown: Vec<_> =
        listed.iter().map(|key| (&*key.name.id, key.is_disabled, key.expires.as_deref())).collect();
    assert_eq!(shown, [("abcdef012345", false, None), ("0123456789ab", true, Some("2027-01-02T03:04:05Z"))]);
    assert_eq!(keys(&json!({}), EMAIL), Ok(Vec::new()));
}

#[test]
fn odd_list_of_keys_is_refused() {
    let with = |member: &str, value: Value| {
        let mut key = key("abcdef012345");
        key[member] = value;
        json!({"keys": [key]})
    };
    for answer in [
        json!([]),
        json!(null),
        json!({"keys": {}}),
        json!({"keys": "none"}),
        json!({"error": "x"}),
        json!({"keys": [], "nextPageToken": "x"}),
        json!({"keys": [{}]}),
        json!({"keys": [key("abcdef012345"), key("abcdef012345")]}),
        with("keyType", json!("KEY_TYPE_UNSPECIFIED")),
        with("keyType", json!(null)),
        with("disabled", json!("yes")),
        with("name", json!("projects/p/serviceAccounts/other@p.iam.gserviceaccount.com/keys/abcdef012345")),
        with("name", json!("projects/p/serviceAccounts/x/keys/../y")),
    ] {
        assert!(keys(&answer, EMAIL).is_err(), "{answer}");
    }
}

#[test]
fn odd_list_of_hmacs_is_refused() {
    let kind = "storage#hmacKeysMetadata";
    let item = |state: &str| json!({"accessId": "GOOG1EABC", "state": state, "serviceAccountEmail": EMAIL});
    let (listed, next) = hmac_keys(
        &json!({"kind": kind, "items": [item("ACTIVE"), item("INACTIVE"), item("DELETED")]}),
        EMAIL,
    )
    .unwrap();
    assert_eq!(listed.iter().map(|key| key.is_active).collect::<Vec<_>>(), [true, false]);
    assert_eq!(next, None);
    assert_eq!(
        hmac_keys(&json!({"kind": kind, "nextPageToken": "x"}), EMAIL).unwrap().1.as_deref(),
        Some("x")
    );
    for answer in [
        json!({}),
        json!({"kind": "storage#buckets"}),
        json!({"kind": kind, "items": "none"}),
        json!({"kind": kind, "items": [{}]}),
        json!({"kind": kind, "items": [item("")]}),
        json!({"kind": kind, "items": [{"state": "ACTIVE", "serviceAccountEmail": EMAIL}]}),
        json!({"kind": kind, "items": [{"accessId": "A", "state": "ACTIVE", "serviceAccountEmail": "x"}]}),
        json!({"kind": kind, "nextPageToken": 5}),
    ] {
        assert!(hmac_keys(&answer, EMAIL).is_err(), "{answer}");
    }
}

#[test]
fn condition_decides_who_is_let_in() {
    let name = "projects/1/locations/global/workloadIdentityPools/pool/providers/cluster";
    let of =
        |condition: Value| admits(&json!({"name": name, "attributeCondition": condition}), name).unwrap();
    for (condition, wanted) in [
        (json!(null), Admits::Anyone),
        (json!(""), Admits::Anyone),
        (json!("  "), Admits::Anyone),
        (json!("true"), Admits::Anyone),
        (json!("1 == 1"), Admits::Anyone),
        (json!("assertion.sub in ['system:serviceaccount:a:b']"), Admits::Named),
        (json!("assertion.sub == 'system:serviceaccount:a:b'"), Admits::Named),
        // Which member of the token that is, the mapping does not tell.
        (json!("google.subject==\"system:serviceaccount:a:b\""), Admits::NotKnown),
        (json!("assertion.sub == 'a' || true"), Admits::NotKnown),
        (json!("assertion.sub == ''"), Admits::NotKnown),
        (json!("assertion.sub in []"), Admits::NotKnown),
        (json!("assertion.sub != ''"), Admits::NotKnown),
        (json!("assertion.sub.startsWith('system:')"), Admits::NotKnown),
    ] {
        assert_eq!(of(condition.clone()), wanted, "{condition}");
    }
    for (mapped, wanted) in [("assertion.sub", Admits::Named), ("assertion.aud", Admits::NotKnown)] {
        let answer = json!({"name": name, "attributeMapping": {"google.subject": mapped},
            "attributeCondition": "google.subject == 'system:serviceaccount:a:b'"});
        assert_eq!(admits(&answer, name), Ok(wanted), "{mapped}");
    }
    assert_eq!(admits(&json!({"name": name, "disabled": true}), name), Ok(Admits::None));
    assert_eq!(admits(&json!({"name": name, "state": "DELETED"}), name), Ok(Admits::None));
    for answer in [json!({}), json!({"name": "x"}), json!({"name": name, "attributeCondition": 5})] {
        assert!(admits(&answer, name).is_err(), "{answer}");
    }
}

#[test]
fn foreign_public_half_is_none() {
    let name = Name::parse(key("abcdef012345")["name"].as_str().unwrap()).unwrap();
    for answer in [
        json!({}),
        json!({"name": name.resource()}),
        json!({"name": name.resource(), "publicKeyData": "%"}),
        json!({"name": name.resource(), "publicKeyData": STANDARD.encode("no key")}),
        json!({"name": "projects/p/serviceAccounts/x/keys/y", "publicKeyData": STANDARD.encode("no key")}),
    ] {
        assert_eq!(public_half(&answer, &name), None, "{answer}");
    }
}
