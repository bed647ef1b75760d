//! Refusals, and how each of the two protocols words them (AWS Query and AWS JSON 1.1).

use serde_json::json;

use super::xml::{escape, request_id};
use crate::wire::Reply;

/// An error as the query protocol knows it
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

pub(crate) type Result<T> = std::result::Result<T, Refusal>;

pub(crate) fn refused<T>(status: u16, code: &str, message: impl Into<String>) -> Result<T> {
    Err(Refusal::new(status, code, message))
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationError", message)
    }

    pub(crate) fn no_such_entity(message: impl Into<String>) -> Self {
        Self::new(404, "NoSuchEntity", message)
    }

    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(400, "MalformedPolicyDocument", message)
    }

    /// `ErrorResponse` of STS and IAM
    pub(crate) fn xml(&self, namespace: &str) -> Reply {
        let fault = if self.status < 500 { "Sender" } else { "Receiver" };
        let (code, message, id) = (escape(&self.code), escape(&self.message), request_id());
        let body = format!(
            "<ErrorResponse xmlns=\"{namespace}\">\n  <Error>\n    <Type>{fault}</Type>\n    \
             <Code>{code}</Code>\n    <Message>{message}</Message>\n  </Error>\n  \
             <RequestId>{id}</RequestId>\n</ErrorResponse>\n"
        );
        Reply::new(self.status, "text/xml", body).with("x-amzn-requestid", id)
    }

    /// `__type` and message of Secrets Manager and Systems Manager, which have their own names for the errors that all
    /// services have in common
    pub(crate) fn json(&self, member: &str) -> Reply {
        let code = match self.code.as_str() {
            "AccessDenied" => "AccessDeniedException",
            "ExpiredToken" => "ExpiredTokenException",
            "IncompleteSignature" => "IncompleteSignatureException",
            "InvalidAction" => "UnknownOperationException",
            "InvalidClientTokenId" => "UnrecognizedClientException",
            "MissingAuthenticationToken" => "MissingAuthenticationTokenException",
            "SignatureDoesNotMatch" => "InvalidSignatureException",
            "ValidationError" => "ValidationException",
            own => own,
        };
        let mut body = json!({"__type": code});
        if !self.message.is_empty() {
            body[member] = json!(self.message);
        }
        let status = if self.status < 500 { 400 } else { self.status };
        Reply::new(status, "application/x-amz-json-1.1", body.to_string())
            .with("x-amzn-requestid", request_id())
    }
}
