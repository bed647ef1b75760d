//! `Status` objects, worded as the API server words them
//! (kubernetes/apimachinery pkg/api/errors/errors.go, kubernetes/apiserver
//! pkg/endpoints/handlers/responsewriters/errors.go).

use hyper::Method;
use serde_json::{Value, json};

use crate::wire::Reply;

pub(crate) fn unauthorized() -> Reply {
    reply(r#""status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401"#, 401)
}

/// For a path that is no resource, the verb is the method
pub(crate) fn forbidden_path(user: &str, method: &Method, path: &str) -> Reply {
    let verb = method.as_str().to_lowercase();
    let message = json!(format!("forbidden: User \"{user}\" cannot {verb} path \"{path}\""));
    plain(&message, "Forbidden", 403).with("x-content-type-options", "nosniff")
}

pub(crate) fn method_not_allowed() -> Reply {
    let message = json!("the server does not allow this method on the requested resource");
    plain(&message, "MethodNotAllowed", 405)
}

pub(crate) fn not_acceptable(available: &str) -> Reply {
    let message = json!(format!("406: Not Acceptable\n\nAvailable representations: {available}"));
    plain(&message, "NotAcceptable", 406)
}

fn plain(message: &Value, reason: &str, code: u16) -> Reply {
    reply(
        &format!(
            r#""status":"Failure","message":{message},"reason":"{reason}","details":{{}},"code":{code}"#
        ),
        code,
    )
}

/// A named object of a resource, `group` empty for the core group
pub(crate) struct Object<'a> {
    pub(crate) group: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
}

impl Object<'_> {
    pub(crate) fn forbidden(&self, user: &str, verb: &str, resource: &str) -> Reply {
        let scope = match self.namespace {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace \"{namespace}\""),
        };
        let message = format!(
            "{} is forbidden: User \"{user}\" cannot {verb} resource \"{resource}\" in API group \"{}\" {scope}",
            self.qualified(),
            self.group,
        );
        self.failure(&message, "Forbidden", 403).with("x-content-type-options", "nosniff")
    }

    pub(crate) fn not_found(&self) -> Reply {
        self.failure(&format!("{} not found", self.qualified()), "NotFound", 404)
    }

    pub(crate) fn already_exists(&self) -> Reply {
        self.failure(&format!("{} already exists", self.qualified()), "AlreadyExists", 409)
    }

    pub(crate) fn conflict(&self, why: &str) -> Reply {
        let message = format!("Operation cannot be fulfilled on {}: {why}", self.qualified());
        self.failure(&message, "Conflict", 409)
    }

    /// `secrets`, `secrets "name"`, `roles.rbac.authorization.k8s.io "name"`
    pub(crate) fn qualified(&self) -> String {
        let dot = if self.group.is_empty() { "" } else { "." };
        let name = if self.name.is_empty() { String::new() } else { format!(" \"{}\"", self.name) };
        format!("{}{dot}{}{name}", self.resource, self.group)
    }

    fn failure(&self, message: &str, reason: &str, code: u16) -> Reply {
        failure(message, reason, code, &self.details())
    }

    fn details(&self) -> Value {
        details(self.name, self.group, self.resource)
    }
}

/// `details` of a Status: absent members are left out
pub(crate) fn details(name: &str, group: &str, kind: &str) -> Value {
    let mut details = json!({});
    for (member, value) in [("name", name), ("group", group), ("kind", kind)] {
        if !value.is_empty() {
            details[member] = json!(value);
        }
    }
    details
}

/// A Status with these words
pub(crate) fn failure(message: &str, reason: &str, code: u16, details: &Value) -> Reply {
    let message = json!(message);
    reply(
        &format!(
            r#""status":"Failure","message":{message},"reason":"{reason}","details":{details},"code":{code}"#
        ),
        code,
    )
}

/// A field that a validation refuses
pub(crate) struct Cause {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) field: String,
}

/// 422 for an object of a kind; for some resources the server writes the resource instead
pub(crate) fn invalid(group: &str, kind: &str, name: &str, causes: &[Cause]) -> Reply {
    let each: Vec<String> =
        causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
    let problems = if let [one] = each.as_slice() { one.clone() } else { format!("[{}]", each.join(", ")) };
    let dot = if group.is_empty() { "" } else { "." };
    let message = format!("{kind}{dot}{group} {name:?} is invalid: {problems}");
    let mut details = details(name, group, kind);
    let causes = causes
        .iter()
        .map(|cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field}));
    details["causes"] = causes.collect();
    failure(&message, "Invalid", 422, &details)
}

/// An error without a reason, as a failed conversion to a typed object gives it
pub(crate) fn internal(message: &str) -> Reply {
    let message = json!(message);
    reply(&format!(r#""status":"Failure","message":{message},"code":500"#), 500)
}

pub(crate) fn no_such_resource() -> Reply {
    let message = json!("the server could not find the requested resource");
    plain(&message, "NotFound", 404)
}

pub(crate) fn unsupported_media_type() -> Reply {
    plain(&json!("415: Unsupported Media Type"), "UnsupportedMediaType", 415)
}

pub(crate) fn invalid_token_request(field: &str, problem: &str) -> Reply {
    let message = json!(format!("TokenRequest.authentication.k8s.io \"\" is invalid: {field}: {problem}"));
    let problem = json!(problem);
    reply(
        &format!(
            r#""status":"Failure","message":{message},"reason":"Invalid","details":{{"group":"authentication.k8s.io","kind":"TokenRequest","causes":[{{"reason":"FieldValueInvalid","message":{problem},"field":"{field}"}}]}},"code":422"#
        ),
        422,
    )
}

pub(crate) fn bad_request(message: &str) -> Reply {
    let message = json!(message);
    reply(&format!(r#""status":"Failure","message":{message},"reason":"BadRequest","code":400"#), 400)
}

fn reply(rest: &str, code: u16) -> Reply {
    let body = format!(r#"{{"kind":"Status","apiVersion":"v1","metadata":{{}},{rest}}}"#);
    Reply::new(code, "application/json", body)
}
