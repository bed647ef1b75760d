//! Google's errors (google.rpc.Status as JSON, AIP-193).

use serde_json::{Value, json};

use super::{PROJECT_ID, PROJECT_NUMBER};
use crate::wire::Reply;

/// A refusal, with the canonical code of gRPC and the HTTP status that goes with it
pub(crate) struct GoogleError {
    pub(crate) code: Code,
    pub(crate) message: String,
    details: Vec<Value>,
}

pub(crate) type Result<T> = std::result::Result<T, GoogleError>;

/// The canonical codes that the stand-in answers with (google/rpc/code.proto)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    InvalidArgument,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    FailedPrecondition,
    Aborted,
    Unimplemented,
    Unauthenticated,
}

impl Code {
    pub(crate) fn http(self) -> u16 {
        match self {
            Self::InvalidArgument | Self::FailedPrecondition => 400,
            Self::NotFound | Self::Unimplemented => 404,
            Self::AlreadyExists | Self::Aborted => 409,
            Self::PermissionDenied => 403,
            Self::Unauthenticated => 401,
        }
    }

    pub(crate) fn grpc(self) -> u8 {
        match self {
            Self::InvalidArgument => 3,
            Self::NotFound => 5,
            Self::AlreadyExists => 6,
            Self::PermissionDenied => 7,
            Self::FailedPrecondition => 9,
            Self::Aborted => 10,
            Self::Unimplemented => 12,
            Self::Unauthenticated => 16,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::NotFound | Self::Unimplemented => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Aborted => "ABORTED",
            Self::Unauthenticated => "UNAUTHENTICATED",
        }
    }
}

impl GoogleError {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Vec::new() }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message)
    }

    pub(crate) fn precondition(message: impl Into<String>) -> Self {
        Self::new(Code::FailedPrecondition, message)
    }

    /// The caller lacks a permission on a resource; the resource as `//service/name`, or empty
    pub(crate) fn denied(permission: &str, resource: &str) -> Self {
        let on = if resource.is_empty() { String::new() } else { format!(" '{resource}'") };
        let mut metadata = json!({"permission": permission});
        if !resource.is_empty() {
            metadata["resource"] = json!(resource);
        }
        Self::new(
            Code::PermissionDenied,
            format!("Permission '{permission}' denied on resource{on} (or it may not exist)."),
        )
        .with(json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "IAM_PERMISSION_DENIED",
            "domain": "iam.googleapis.com", "metadata": metadata,
        }))
    }

    /// The API is not enabled in the project
    pub(crate) fn disabled(title: &str, service: &str, number: &str) -> Self {
        let url =
            format!("https://console.developers.google.com/apis/api/{service}/overview?project={number}");
        let message = format!(
            "{title} has not been used in project {number} before or it is disabled. Enable it by visiting \
             {url} then retry. If you enabled this API recently, wait a few minutes for the action to \
             propagate to our systems and retry."
        );
        Self::new(Code::PermissionDenied, message).with(json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED",
            "domain": "googleapis.com",
            "metadata": {"service": service, "consumer": format!("projects/{number}"), "serviceTitle": title,
                         "activationUrl": url},
        }))
    }

    /// An organisation policy forbids it
    pub(crate) fn organisation(message: &str, constraint: &str, subject: &str, why: &str) -> Self {
        let violation = json!({"type": constraint, "subject": subject, "description": why});
        Self::precondition(message).with(json!({
            "@type": "type.googleapis.com/google.rpc.PreconditionFailure", "violations": [violation],
        }))
    }

    pub(crate) fn unauthenticated(credentials_given: bool) -> Self {
        let (start, reason) = if credentials_given {
            ("Request had invalid authentication credentials.", "ACCESS_TOKEN_TYPE_UNSUPPORTED")
        } else {
            ("Request is missing required authentication credential.", "CREDENTIALS_MISSING")
        };
        let message = format!(
            "{start} Expected OAuth 2 access token, login cookie or other valid authentication credential. \
             See https://developers.google.com/identity/sign-in/web/devconsole-project."
        );
        Self::new(Code::Unauthenticated, message).with(json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com",
        }))
    }

    /// Refusals repeat the project as it was written: its id, its number, or those of a project that does not exist
    pub(crate) fn naming(mut self, project: &str) -> Self {
        if self.code == Code::PermissionDenied {
            let named = |text: &str| {
                let own = [PROJECT_NUMBER, PROJECT_ID].map(|own| format!("projects/{own}"));
                own.iter()
                    .fold(text.to_owned(), |text, own| text.replace(own, &format!("projects/{project}")))
            };
            self.message = named(&self.message);
            for detail in self.details.iter_mut().filter(|it| it["reason"] == "IAM_PERMISSION_DENIED") {
                if let Value::String(resource) = &mut detail["metadata"]["resource"] {
                    *resource = named(resource);
                }
            }
        }
        self
    }

    fn with(mut self, detail: Value) -> Self {
        self.details.push(detail);
        self
    }

    /// As in `error` of an operation
    pub(crate) fn status(&self) -> Value {
        json!({"code": self.code.grpc(), "message": self.message})
    }

    pub(crate) fn reply(&self) -> Reply {
        let mut error =
            json!({"code": self.code.http(), "message": self.message, "status": self.code.name()});
        if !self.details.is_empty() {
            error["details"] = json!(self.details);
        }
        let reply = answer(self.code.http(), &json!({"error": error}));
        match self.code {
            Code::Unauthenticated => {
                reply.with("www-authenticate", "Bearer realm=\"https://accounts.google.com/\"")
            }
            _ => reply,
        }
    }
}

/// JSON as Google serves it
pub(crate) fn answer(status: u16, body: &Value) -> Reply {
    Reply::new(status, "application/json; charset=UTF-8", body.to_string())
}
