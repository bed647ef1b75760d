//! What is read of a server's answers, as plain functions for [`crate::fuzzing`].

use http::{HeaderMap, Method};
use serde_json::Value;

use super::{
    Mode, Settings,
    observe::keys,
    refusal::{self, Asked},
};
use crate::{
    error::{Error, Result},
    http::Answer,
    secret::Secret,
};

/// The error that an answer becomes; it is also what the server says of itself.
pub(crate) fn error(status: u16, body: &[u8]) -> Error {
    let settings = Settings {
        address: "https://vault.example".to_owned(),
        mount_from_store: false,
        mount: "keyless".to_owned(),
        role_prefix: "external-secrets".into(),
        role: "eso".to_owned(),
        kv: "kv".to_owned(),
        mode: Mode::StaticKeys,
        ca_pem: None,
        issuer_ca_pem: None,
        namespace: Some("team/prod".to_owned()),
        token: Some(Secret::new("hvs.CANARYd41d8cd98f00b204e9800998ecf8427e".to_owned())),
    };
    let value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let asked = Asked { method: &Method::POST, path: "auth/keyless/role/eso", settings: &settings };
    let answer = Answer { status, headers: HeaderMap::new(), body: body.to_vec() };
    match refusal::refuse_namespace(&asked, &value) {
        Ok(()) => refusal::of(&asked, &answer, &value, &value),
        Err(error) => error,
    }
}

/// The keys in a configuration of the auth method.
pub(crate) fn config(body: &[u8]) -> Result<()> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(config)) => keys(&config).map(|_| ()),
        _ => Ok(()),
    }
}
