use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::{
    cluster::{
        objects::Object,
        snapshot::{Store, tests::estate},
    },
    error::Code,
};

fn section(yaml: &str) -> Result<EntraSection> {
    EntraSection::read(&Source {
        file: Some((yaml, Path::new("keyless.yaml"))),
        environment: &|_| None,
        has_bucket: true,
        ca_pem: None,
        is_of_user: &|_| true,
    })
}

const TENANT: &str = "00000000-0000-0000-0000-0000000000bb";

#[test]
fn settings_that_lead_elsewhere_are_refused() {
    for line in [
        "tenant: acme.onmicrosoft.com",
        "subscription: x",
        "resourceGroup: a/b",
        "vault: acme.vault.azure.net",
        "vaultResourceGroup: ''",
        "identity: a.b",
        "keyApplication: eso",
    ] {
        let error = section(&format!("entra:\n  {line}\n")).unwrap_err();
        assert_eq!(error.code, Code::EntraSetting, "{line}: {error}");
    }
    assert!(section("entra:\n  endpoints:\n    graph: http://evil.example\n").is_err());
    assert!(section("entra:\n  unknown: 1\n").is_err());
}

#[test]
fn store_suggests_and_never_decides() {
    let spec = json!({ "vaultUrl": "https://acme.vault.azure.net/", "tenantId": TENANT });
    let store =
        Store(Object(json!({ "kind": "ClusterSecretStore", "spec": { "provider": { "azurekv": spec } } })));
    let estate = estate("");
    let known = Known { estate: &estate, store: Some(&store), cluster_id: "0B0a3f46-7f0f" };
    let mut asked: Vec<Value> = Vec::new();
    let mut ask = |setting: &str, _: &str, offer: Offer<'_>| {
        let is_suggestion = matches!(offer, Offer::Suggestion(_));
        asked.push(json!([setting, offer.text(), is_suggestion]));
        Ok(match setting {
            "entra.resourceGroup" => "keyless".to_owned(),
            _ => offer.text().unwrap_or(TENANT).to_owned(),
        })
    };
    let configured = section("").unwrap().complete(&known, &mut ask).unwrap();
    assert_eq!(
        configured.settings(),
        [
            ("entra.tenant", TENANT.to_owned()),
            ("entra.subscription", TENANT.to_owned()),
            ("entra.resourceGroup", "keyless".to_owned()),
            ("entra.vault", "acme".to_owned()),
            ("entra.identity", "keyless-0b0a3f46".to_owned()),
        ]
    );
    assert_eq!(
        asked,
        [
            json!(["entra.tenant", TENANT, true]),
            json!(["entra.subscription", null, false]),
            json!(["entra.resourceGroup", null, false]),
            json!(["entra.vault", "acme", true]),
        ]
    );
}

#[test]
fn client_of_secret_is_named() {
    let upper = TENANT.to_uppercase();
    for (path, bytes, client) in [
        (CLIENT_ID, Some(upper.as_str()), Some(TENANT)),
        (CLIENT_ID, Some("a password"), Some("")),
        (CLIENT_ID, None, Some("")),
        ("azurekv.authSecretRef.clientSecret", Some(TENANT), None),
        ("", Some(TENANT), None),
    ] {
        let seen = PROVIDER.client(path, bytes.map(str::as_bytes));
        assert_eq!(seen.as_deref(), client, "{path} {bytes:?}");
    }
}

#[test]
fn client_id_is_part_of_secret() {
    assert!(PROVIDER.is_part(CLIENT_ID, TENANT.as_bytes()));
    for (path, bytes) in [("", TENANT), ("vault.auth.appRole.secretRef", TENANT), (CLIENT_ID, "eso")] {
        assert!(!PROVIDER.is_part(path, bytes.as_bytes()), "{path} {bytes}");
    }
}
