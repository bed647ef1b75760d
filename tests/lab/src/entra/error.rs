//! Refusals: of Azure Resource Manager and Graph, of Key Vault, and of the token endpoint.

use serde_json::{Value, json};

use super::TENANT;
use crate::wire::Reply;

pub(crate) type Result<T> = std::result::Result<T, Refusal>;

#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    message: String,
    inner: Option<&'static str>,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &str, message: &str) -> Self {
        Self { status, code: code.to_owned(), message: message.to_owned(), inner: None }
    }

    /// With the inner code of Key Vault
    pub(crate) fn with(self, inner: &'static str) -> Self {
        Self { inner: Some(inner), ..self }
    }

    pub(crate) fn absent(what: &str) -> Self {
        Self::new(404, "ResourceNotFound", &format!("The Resource '{what}' was not found."))
    }

    pub(crate) fn reply(&self) -> Reply {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(inner) = self.inner {
            error["innererror"] = json!({"code": inner});
        }
        let reply = Reply::json(self.status, &json!({ "error": error }));
        match self.status {
            401 => reply.with(
                "www-authenticate",
                format!(
                    "Bearer authorization=\"https://login.microsoftonline.com/{TENANT}\", resource=\"https://vault.azure.net\""
                ),
            ),
            _ => reply,
        }
    }
}

pub(crate) fn refused<T>(status: u16, code: &str, message: &str) -> Result<T> {
    Err(Refusal::new(status, code, message))
}

/// A body that is JSON
pub(crate) fn body(bytes: &[u8]) -> Result<Value> {
    serde_json::from_slice(bytes).or_else(|_| {
        refused(400, "InvalidRequestContent", "The request content was invalid and could not be deserialized")
    })
}
