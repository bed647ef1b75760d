//! Errors of the Blob service as XML, and of the token service as JSON.

use serde_json::json;

use crate::keys::uuid;
use crate::wire::Reply;

pub(crate) struct AzureError {
    status: u16,
    code: &'static str,
    message: &'static str,
}

impl AzureError {
    pub(crate) fn new(status: u16, code: &'static str, message: &'static str) -> Self {
        Self { status, code, message }
    }

    pub(crate) fn no_blob() -> Self {
        Self::new(404, "BlobNotFound", "The specified blob does not exist.")
    }

    pub(crate) fn no_container() -> Self {
        Self::new(404, "ContainerNotFound", "The specified container does not exist.")
    }

    pub(crate) fn no_resource() -> Self {
        Self::new(404, "ResourceNotFound", "The specified resource does not exist.")
    }

    pub(crate) fn condition_not_met() -> Self {
        let message = "The condition specified using HTTP conditional header(s) is not met.";
        Self::new(412, "ConditionNotMet", message)
    }

    pub(crate) fn not_permitted() -> Self {
        let message = "This request is not authorized to perform this operation using this permission.";
        Self::new(403, "AuthorizationPermissionMismatch", message)
    }

    pub(crate) fn public_access_not_permitted() -> Self {
        let message = "Public access is not permitted on this storage account.";
        Self::new(409, "PublicAccessNotPermitted", message)
    }

    pub(crate) fn authentication(message: &'static str) -> Self {
        Self::new(401, "InvalidAuthenticationInfo", message)
    }

    pub(crate) fn header(message: &'static str) -> Self {
        Self::new(400, "InvalidHeaderValue", message)
    }

    pub(crate) fn reply(&self) -> Reply {
        let Self { status, code, message } = self;
        let body = format!(
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{message}\n\
             RequestId:{}\nTime:2026-11-27T05:00:00.0000000Z</Message></Error>",
            uuid()
        );
        let reply = Reply::new(*status, "application/xml", body).with("x-ms-error-code", *code);
        if *status == 401 {
            let challenge = "Bearer authorization_uri=https://login.microsoftonline.com/common/oauth2/authorize \
                             resource_id=https://storage.azure.com";
            return reply.with("www-authenticate", challenge);
        }
        reply
    }
}

/// A refusal of the token service
pub(crate) fn aadsts(status: u16, error: &str, number: u32, message: &str) -> Reply {
    let (trace, correlation) = (uuid(), uuid());
    let description = format!(
        "AADSTS{number}: {message} Trace ID: {trace} Correlation ID: {correlation} Timestamp: 2026-11-27 05:00:00Z"
    );
    Reply::json(
        status,
        &json!({"error": error, "error_description": description, "error_codes": [number],
                "timestamp": "2026-11-27 05:00:00Z", "trace_id": trace, "correlation_id": correlation,
                "error_uri": format!("https://login.microsoftonline.com/error?code={number}")}),
    )
}
