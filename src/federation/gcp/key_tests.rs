//! A key that is recognised and proved, against a Google that serves the public half of each key.

use lab::{Ca, Google, SigningKey};

use super::*;
use crate::{federation::gcp::Endpoints, secret::Secret};

fn file(private_key: &str) -> Value {
    json!({"type": "service_account", "project_id": "acme-prod", "private_key_id": "0123456789abcdef",
        "client_email": "eso@acme-prod.iam.gserviceaccount.com", "private_key": private_key})
}

fn of(file: &Value) -> Option<Identity> {
    recognise(file.to_string().as_bytes())
}

#[test]
fn public_half_identifies_key_file() {
    let key = SigningKey::from_stock();
    let identity = of(&file(&key.private_pem())).unwrap();
    assert_eq!(identity.public_half, Some(key.kid()));
    assert_eq!(
        identity.id,
        "projects/acme-prod/serviceAccounts/eso@acme-prod.iam.gserviceaccount.com/keys/0123456789abcdef"
    );
    assert!(!format!("{identity:?}").contains("PRIVATE"));
}

/// Anybody can read the public half of a service account's key, and write it into a file of his own.
#[test]
fn key_with_foreign_modulus_is_refused() {
    let (own, other) = (SigningKey::rsa(2048), SigningKey::rsa(2048));
    let der = |key: &SigningKey| ::pem::parse(key.private_pem()).unwrap().into_contents();
    let (mut forged, theirs) = (der(&own), der(&other));
    let modulus = |der: &[u8]| {
        // INTEGER of 257 bytes, a zero first: the modulus of a key of 2048 bits.
        let at = der.windows(5).position(|bytes| bytes == [0x02, 0x82, 0x01, 0x01, 0x00]).unwrap();
        at + 5..at + 5 + 256
    };
    forged[modulus(&der(&own))].copy_from_slice(&theirs[modulus(&theirs)]);
    let pem = ::pem::encode(&::pem::Pem::new("PRIVATE KEY", forged));
    let claimed = keys_from_pem(pem.as_bytes(), "the forged key").unwrap();
    assert_eq!(claimed[0].kid(), other.kid(), "its public numbers are the other key's");
    assert!(of(&file(&pem)).is_none());
}

#[test]
fn files_without_usable_key_are_refused() {
    let key = SigningKey::from_stock();
    let pem = key.private_pem();
    let changed = |name: &str, value: Value| {
        let mut file = file(&pem);
        file[name] = value;
        file
    };
    for (name, value) in [
        ("type", json!("external_account")),
        ("type", json!(null)),
        ("project_id", json!("")),
        ("project_id", json!("../x")),
        ("client_email", json!("eso")),
        ("client_email", json!("a/b@acme-prod.iam.gserviceaccount.com")),
        ("private_key_id", json!("")),
        ("private_key_id", json!("0123")),
        ("private_key_id", json!("../../other")),
        ("private_key_id", json!("g".repeat(40))),
        ("private_key", json!(key.public_pem())),
        ("private_key", json!(key.traditional_pem())),
        ("private_key", json!(SigningKey::ec(lab::Curve::P256).private_pem())),
        ("private_key", json!(pem.replace('A', "B"))),
        ("private_key", json!("")),
    ] {
        assert!(of(&changed(name, value.clone())).is_none(), "{name}: {value}");
    }
    assert!(of(&json!([])).is_none() && recognise(&vec![b' '; LONGEST + 1]).is_none());
}

/// Google, an account in it, and the file of one of its keys.
fn far() -> (Google, String, Value) {
    let google = Google::start(&Ca::new());
    let email = google.service_account("eso-reader");
    let file = google.create_key(&email);
    (google, email, file)
}

fn connect(google: &Google, file: &Value) -> StoredKey {
    let base = google.http_url();
    let settings = GoogleSection {
        endpoints: Endpoints { iam: base.clone(), policy_analyzer: base, ..Endpoints::default() },
        access_token: Some(Secret::new(google.token())),
        ..GoogleSection::default()
    };
    let identity = recognise(file.to_string().as_bytes()).unwrap();
    StoredKey::connect(&identity, &settings, &Http::new(&[]).unwrap()).unwrap()
}

#[tokio::test]
async fn key_changes_can_be_done_twice() {
    let (google, email, file) = far();
    let key = connect(&google, &file);
    assert_eq!(key.look().await.unwrap(), Standing::Enabled);
    for _ in 0..2 {
        key.disable().await.unwrap();
        assert_eq!(key.look().await.unwrap(), Standing::Disabled);
    }
    for _ in 0..2 {
        key.enable().await.unwrap();
        assert_eq!(key.look().await.unwrap(), Standing::Enabled);
    }
    key.disable().await.unwrap();
    for _ in 0..2 {
        key.delete().await.unwrap();
        assert_eq!(key.look().await.unwrap(), Standing::Absent);
    }
    assert_eq!(google.keys(&email), Vec::new());
}

#[tokio::test]
async fn key_enabled_again_is_kept() {
    let (google, email, file) = far();
    let key = connect(&google, &file);
    key.disable().await.unwrap();
    let id = file["private_key_id"].as_str().unwrap();
    google.disable_key(id, false);
    let error = key.delete().await.unwrap_err();
    assert_eq!(error.code, Code::GoogleChanged);
    assert_eq!(google.keys(&email), [(id.to_owned(), false)]);
    key.disable().await.unwrap();
    key.delete().await.unwrap();
    assert_eq!(google.keys(&email), Vec::new());
}

#[tokio::test]
async fn key_that_claims_another_is_unproved() {
    let (google, email, own) = far();
    let other = google.service_account("billing");
    let theirs = google.create_key(&other);
    let sibling = google.create_key(&email);
    for victim in [&theirs, &sibling] {
        let mut claimed = own.clone();
        for member in ["client_email", "private_key_id"] {
            claimed[member] = victim[member].clone();
        }
        assert_eq!(connect(&google, &claimed).look().await.unwrap(), Standing::Another);
    }
    assert_eq!(connect(&google, &own).look().await.unwrap(), Standing::Enabled);
}

#[tokio::test]
async fn permission_that_is_missing_is_named() {
    let (google, _, file) = far();
    let key = connect(&google, &file);
    let id = file["private_key_id"].as_str().unwrap();
    for (verb, act) in [
        ("get", None),
        ("disable", Some(Act::Disable)),
        ("enable", Some(Act::Enable)),
        ("delete", Some(Act::Delete)),
    ] {
        let permission = format!("iam.serviceAccountKeys.{verb}");
        google.disable_key(id, act == Some(Act::Delete));
        google.deny(&permission);
        let error = match act {
            None => key.look().await.map(drop),
            Some(Act::Disable) => key.disable().await,
            Some(Act::Enable) => key.enable().await,
            Some(Act::Delete) => key.delete().await,
        }
        .unwrap_err();
        assert_eq!(error.code, Code::GoogleForbidden, "{error}");
        let needed = format!("{permission} (roles/iam.serviceAccountKeyAdmin)");
        assert!(error.hints[0].contains(&needed), "{error}");
        assert!(act.is_none_or(|act| key.needs(act).starts_with(&needed)));
        google.allow(&permission);
    }
}

#[tokio::test]
async fn last_use_is_queried_or_unknown() {
    let (google, _, file) = far();
    let key = connect(&google, &file);
    let LastUse::NotAsked(why) = key.last_use().await else { panic!("the API is not enabled") };
    assert!(why.contains("policyanalyzer.googleapis.com"), "{why}");
    google.enable("policyanalyzer.googleapis.com", true);
    assert_eq!(key.last_use().await, LastUse::NotKnown);
    let id = file["private_key_id"].as_str().unwrap();
    google.used(id, "2026-11-24T07:00:00Z");
    assert_eq!(key.last_use().await, LastUse::At("2026-11-24T07:00:00Z".into()));
    // What comes from elsewhere is shown only in the form of a time.
    google.used(id, "2026\u{1b}[31m");
    assert_eq!(key.last_use().await, LastUse::NotKnown);
    google.deny("policyanalyzer.serviceAccountKeyLastAuthenticationActivities.query");
    let LastUse::NotAsked(why) = key.last_use().await else { panic!("it is not allowed") };
    assert!(why.contains("roles/policyanalyzer.activityAnalysisViewer"), "{why}");
}
