//! What is read of the answers of Azure Resource Manager, Microsoft Graph and Key Vault, as plain functions for
//! [`crate::fuzzing`].

use http::HeaderMap;
use serde_json::Value;

use super::{Settings, api, cloud, observe, place::Endpoints, refusal::Refusal};
use crate::{error::Error, http::Answer};

const ID: &str = "00000000-0000-0000-0000-000000000001";

/// The error that an answer becomes.
pub(crate) fn error(status: u16, body: &[u8]) -> Error {
    let answer = Answer { status, headers: HeaderMap::new(), body: body.to_vec() };
    Refusal::of(&answer).error("creating the identity eso", "the role Managed Identity Contributor")
}

/// Any one of the answers. What may be deleted by its ID lies in the vault, and a further page at the service itself.
pub(crate) fn answer(answer: &Value) -> Vec<Error> {
    let settings = settings();
    let refused = [
        observe::is_about(answer, &settings.identity_id()).err(),
        observe::credential(answer).err(),
        match observe::assignment(&settings, answer, ID) {
            Ok(seen) => {
                let below = settings.vault_id();
                assert!(!seen.here || observe::is_assignment(&seen.id), "{} may be deleted", seen.id);
                assert!(seen.given.is_none() || seen.here, "a role in {below} lies elsewhere");
                None
            }
            Err(refusal) => Some(refusal),
        },
    ];
    for base in ["https://management.azure.com", "https://acme.vault.azure.net"] {
        if let Ok(Some(path)) = api::next_page(answer, base) {
            assert!(path.starts_with('/'), "{path} leads elsewhere");
            let whole = url::Url::parse(&format!("{base}{path}")).expect("a URL");
            let expected = url::Url::parse(base).expect("a URL");
            assert_eq!(whole.origin(), expected.origin(), "the credential goes elsewhere");
        }
    }
    cloud::fuzzing::answer(answer, ID);
    refused.into_iter().flatten().map(|refusal| refusal.error("looking", "it")).collect()
}

fn settings() -> Settings {
    Settings {
        tenant: ID.to_owned(),
        subscription: ID.to_owned(),
        group: "platform".to_owned(),
        vault: "acme".to_owned(),
        vault_group: "platform".to_owned(),
        identity: "eso".to_owned(),
        endpoints: Endpoints::default(),
    }
}
