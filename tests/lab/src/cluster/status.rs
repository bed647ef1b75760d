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
        let message = format!(
            "{} is forbidden: User \"{user}\" cannot {verb} resource \"{resource}\" in API group \"{}\" \
             in the namespace \"{}\"",
            self.qualified(),
            self.group,
            self.namespace
        );
        self.failure(&message, "Forbidden", 403).with("x-content-type-options", "nosniff")
    }

    pub(crate) fn not_found(&self) -> Reply {
        self.failure(&format!("{} not found", self.qualified()), "NotFound", 404)
    }

    fn qualified(&self) -> String {
        let dot = if self.group.is_empty() { "" } else { "." };
        format!("{}{dot}{} \"{}\"", self.resource, self.group, self.name)
    }

    fn failure(&self, message: &str, reason: &str, code: u16) -> Reply {
        let group =
            if self.group.is_empty() { String::new() } else { format!(r#""group":"{}","#, self.group) };
        let details = format!(r#"{{"name":{},{group}"kind":"{}"}}"#, json!(self.name), self.resource);
        let message = json!(message);
        reply(
            &format!(
                r#""status":"Failure","message":{message},"reason":"{reason}","details":{details},"code":{code}"#
            ),
            code,
        )
    }
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
