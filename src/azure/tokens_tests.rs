//! Against the stand-in.

use std::{fs, time::SystemTime};

use lab::{Access, Azure, Fault, SigningKey};
use serde_json::json;

use super::*;

const ISSUER: &str = "https://acmeoidc.blob.core.windows.net/keys/prod";
const SUBJECT: &str = "system:serviceaccount:keyless:publisher";

struct World {
    azure: Azure,
    key: SigningKey,
    folder: tempfile::TempDir,
    client_id: String,
}

impl World {
    fn new() -> Self {
        let (azure, key) = (Azure::start(), SigningKey::from_stock());
        let keys = json!({"keys": [key.jwk()]});
        let client_id = azure.federate(ISSUER, SUBJECT, keys, Access::Full);
        Self { azure, key, folder: tempfile::tempdir().unwrap(), client_id }
    }

    /// A projected token, with one claim changed.
    fn project(&self, claim: &str, value: &serde_json::Value) {
        let now = epoch();
        let mut claims = json!({
            "iss": ISSUER, "sub": SUBJECT, "aud": ["api://AzureADTokenExchange"],
            "iat": now, "nbf": now, "exp": now + 3600,
        });
        claims[claim] = value.clone();
        fs::write(self.folder.path().join("token"), self.key.jws(&claims)).unwrap();
    }

    fn tokens(&self, more: &[(&str, &str)]) -> Tokens {
        let authority = self.azure.authority();
        let file = self.folder.path().join("token").display().to_string();
        let set = [
            ("AZURE_AUTHORITY_HOST", authority.as_str()),
            ("AZURE_TENANT_ID", Azure::tenant()),
            ("AZURE_CLIENT_ID", self.client_id.as_str()),
            ("AZURE_FEDERATED_TOKEN_FILE", file.as_str()),
            ("AZURE_POD_IDENTITY_AUTHORITY_HOST", authority.as_str()),
        ];
        tokens(&[more, &set].concat())
    }
}

#[expect(clippy::disallowed_methods, reason = "the stand-in's clock is this machine's")]
fn epoch() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// The first value of a name counts.
fn tokens(set: &[(&str, &str)]) -> Tokens {
    let environment =
        |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(*value));
    let mut tokens = Tokens::find(&Http::new(&[]).unwrap(), environment).unwrap();
    tokens.pace = Backoff::request(Duration::from_millis(1), 3);
    tokens
}

#[tokio::test]
async fn workload_identity_exchanges_projected_token() {
    let world = World::new();
    world.project("extra", &json!(1));
    let header = world.tokens(&[]).bearer(Scope::Storage).await.unwrap();
    assert!(header.is_sensitive());
    let asked = world.azure.faults().requests();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].path, format!("/{}/oauth2/v2.0/token", Azure::tenant()));
}

#[tokio::test]
async fn refused_exchange_names_what_differs() {
    let world = World::new();
    for (claim, value, number, part) in [
        ("iss", json!(format!("{ISSUER}/")), "700211", "slash"),
        ("aud", json!(["sts.amazonaws.com"]), "700212", "api://AzureADTokenExchange"),
        ("sub", json!("system:serviceaccount:keyless:Publisher"), "700213", "capitals"),
        ("exp", json!(1), "700024", "expired"),
    ] {
        world.project(claim, &value);
        let error = world.tokens(&[]).bearer(Scope::Storage).await.unwrap_err();
        assert_eq!(error.code, Code::AzureLoginRefused, "{claim}: {error}");
        assert!(error.causes[0].contains(&format!("AADSTS{number}")), "{error}");
        assert!(error.hints[0].contains(part), "{error}");
    }
    // Signed with a key that the issuer does not publish.
    let other = World { key: SigningKey::rsa(2048), ..World::new() };
    other.project("extra", &json!(1));
    let error = other.tokens(&[]).bearer(Scope::Storage).await.unwrap_err();
    assert!(error.causes[0].contains("AADSTS700027"), "{error}");
}

#[tokio::test]
async fn refused_login_ends_the_search() {
    let world = World::new();
    world.azure.add_managed_identity(Access::Full);
    world.project("sub", &json!("other"));
    let error = world.tokens(&[]).bearer(Scope::Storage).await.unwrap_err();
    assert_eq!(error.code, Code::AzureLoginRefused);
    let asked = world.azure.faults().requests();
    assert!(asked.iter().all(|call| !call.path.starts_with("/metadata")), "{asked:?}");
}

#[tokio::test]
async fn client_secret_comes_before_the_rest() {
    let world = World::new();
    world.project("extra", &json!(1));
    let (id, secret) = world.azure.add_client(Access::Full);
    let more = [("AZURE_CLIENT_ID", id.as_str()), ("AZURE_CLIENT_SECRET", secret.as_str())];
    world.tokens(&more).bearer(Scope::Storage).await.unwrap();
    let error =
        world.tokens(&[("AZURE_CLIENT_SECRET", "CANARY-wrong")]).bearer(Scope::Storage).await.unwrap_err();
    assert_eq!(error.code, Code::AzureLoginRefused);
    assert!(!format!("{error} {error:?}").contains("CANARY"), "{error}");
}

#[tokio::test]
async fn managed_identity_of_machine_is_used() {
    let azure = Azure::start();
    let authority = azure.authority();
    let id = azure.add_managed_identity(Access::Full);
    let address = ("AZURE_POD_IDENTITY_AUTHORITY_HOST", authority.as_str());
    let only = ("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential");
    for set in [&[address, only][..], &[address, only, ("AZURE_CLIENT_ID", &id)]] {
        tokens(set).bearer(Scope::Storage).await.unwrap();
    }
    let asked = azure.faults().requests();
    assert!(asked.iter().all(|call| call.header("metadata") == Some("true")), "{asked:?}");
    let other = ("AZURE_CLIENT_ID", "00000000-0000-0000-0000-000000000000");
    let error = tokens(&[address, only, other]).bearer(Scope::Storage).await.unwrap_err();
    assert_eq!(error.code, Code::AzureCredentials);
    assert!(error.causes[0].contains("Identity not found"), "{error}");
}

#[tokio::test]
async fn metadata_service_of_others_gives_nothing() {
    let azure = Azure::start();
    let authority = azure.authority();
    let set = [
        ("AZURE_POD_IDENTITY_AUTHORITY_HOST", authority.as_str()),
        ("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential"),
    ];
    for fault in [
        Fault::status(404),
        Fault::status(401),
        Fault::status(500),
        Fault::html(),
        Fault::gibibyte(),
        Fault::CloseBeforeAnswer,
        Fault::answer(200, "application/json", "{\"access_token\": \"CANARY\\n\"}"),
    ] {
        azure.faults().clear();
        azure.faults().always("GET", "/metadata/", fault);
        let error = tokens(&set).bearer(Scope::Storage).await.unwrap_err();
        assert_eq!(error.code, Code::AzureCredentials, "{error}");
        assert!(error.hints.iter().any(|hint| hint.contains("az login")), "{error}");
        assert!(!format!("{error} {error:?}").contains("CANARY"), "{error}");
    }
}

#[tokio::test]
async fn odd_answers_of_entra_stay_unquoted() {
    let world = World::new();
    world.project("extra", &json!(1));
    for (fault, code) in [
        (Fault::html(), Code::AzureAnswer),
        (Fault::answer(200, "application/json", "{\"access_token\": \"\"}"), Code::AzureAnswer),
        (Fault::answer(302, "text/html", "CANARY"), Code::AzureAnswer),
        (Fault::answer(400, "text/html", "CANARY"), Code::AzureAnswer),
        (Fault::status(429), Code::AzureUnavailable),
        (Fault::status(503), Code::AzureUnavailable),
        (Fault::gibibyte(), Code::BodyTooLarge),
        (Fault::CutBody, Code::BodyCut),
    ] {
        world.azure.faults().clear();
        world.azure.faults().always("POST", "/oauth2/", fault);
        let error = world.tokens(&[]).bearer(Scope::Storage).await.unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(!format!("{error} {error:?}").contains("CANARY"), "{error}");
    }
}

#[tokio::test]
async fn trouble_of_entra_is_waited_for() {
    let world = World::new();
    world.project("extra", &json!(1));
    world.azure.faults().next(2, "POST", "/oauth2/", Fault::status(503));
    world.tokens(&[]).bearer(Scope::Storage).await.unwrap();
}
