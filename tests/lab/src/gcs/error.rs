//! Google's errors, as JSON for its API and as XML for public reads.

use serde_json::{Value, json};

use crate::wire::Reply;

pub(crate) struct GcsError {
    status: u16,
    reason: &'static str,
    message: String,
    location: Option<(&'static str, &'static str)>,
}

impl GcsError {
    pub(crate) fn new(status: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { status, reason, message: message.into(), location: None }
    }

    pub(crate) fn no_such_bucket() -> Self {
        Self::new(404, "notFound", "The specified bucket does not exist.")
    }

    pub(crate) fn no_such_object(bucket: &str, name: &str) -> Self {
        Self::new(404, "notFound", format!("No such object: {bucket}/{name}"))
    }

    pub(crate) fn forbidden(who: &str, permission: &str, what: &str) -> Self {
        Self::new(403, "forbidden", denied(who, permission, what))
    }

    /// A request without credentials
    pub(crate) fn login_required(permission: &str, what: &str) -> Self {
        let location = Some(("header", "Authorization"));
        Self { location, ..Self::new(401, "required", denied("Anonymous caller", permission, what)) }
    }

    pub(crate) fn invalid_credentials() -> Self {
        let location = Some(("header", "Authorization"));
        Self { location, ..Self::new(401, "authError", "Invalid Credentials") }
    }

    pub(crate) fn condition_not_met(message: &str) -> Self {
        let location = Some(("header", "If-Match"));
        Self { location, ..Self::new(412, "conditionNotMet", message) }
    }

    pub(crate) fn reply(&self) -> Reply {
        let mut error = json!({"message": self.message, "domain": "global", "reason": self.reason});
        if let Some((kind, location)) = self.location {
            (error["locationType"], error["location"]) = (json!(kind), json!(location));
        }
        let body: Value = json!({"error": {"code": self.status, "message": self.message, "errors": [error]}});
        Reply::new(self.status, "application/json; charset=UTF-8", body.to_string())
    }
}

pub(crate) fn denied(who: &str, permission: &str, what: &str) -> String {
    format!(
        "{who} does not have {permission} access to the Google Cloud Storage {what}. \
         Permission '{permission}' denied on resource (or it may not exist)."
    )
}

/// An error of a public read
pub(crate) fn xml(status: u16, code: &str, message: &str, details: Option<&str>) -> Reply {
    let details = details.map(|text| format!("<Details>{text}</Details>")).unwrap_or_default();
    let body = format!(
        "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message>{details}</Error>"
    );
    Reply::new(status, "application/xml; charset=UTF-8", body)
}
