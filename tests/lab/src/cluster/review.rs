//! `POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews`: may I? The answer is what the request itself would meet.

use serde_json::{Value, json};

use super::access::{Caller, Right};
use super::objects::Target;
use super::status::Cause;
use super::{api, status};
use crate::wire::{Reply, Request};

pub(crate) fn review(request: &Request, caller: &Caller) -> Reply {
    let Ok(mut body) = serde_json::from_slice::<Value>(&request.body) else {
        return status::bad_request(
            "the object provided is unrecognized (must be of type SelfSubjectAccessReview)",
        );
    };
    let (resource, path) = (&body["spec"]["resourceAttributes"], &body["spec"]["nonResourceAttributes"]);
    let allowed = match (resource.is_object(), path.is_object()) {
        (true, false) => of_resource(caller, resource),
        (false, true) => of_path(caller, path),
        (both, _) => {
            let message = match both {
                true => "cannot be specified in combination with nonResourceAttributes",
                false => "exactly one of nonResourceAttributes or resourceAttributes must be specified",
            };
            let cause = Cause {
                reason: "FieldValueInvalid",
                message: message.to_owned(),
                field: "spec.resourceAttributes".to_owned(),
            };
            return status::invalid("authorization.k8s.io", "SelfSubjectAccessReview", "", &[cause]);
        }
    };
    body["kind"] = json!("SelfSubjectAccessReview");
    body["apiVersion"] = json!("authorization.k8s.io/v1");
    body["status"] = json!({"allowed": allowed});
    Reply::json(201, &body)
}

fn of_resource(caller: &Caller, attributes: &Value) -> bool {
    let text = |name: &str| attributes[name].as_str().unwrap_or_default().to_owned();
    let target = Target {
        group: text("group"),
        version: text("version"),
        resource: text("resource"),
        namespace: text("namespace"),
        name: text("name"),
        subresource: text("subresource"),
    };
    let verb = text("verb");
    // These two requests are answered by rights of their own.
    let right = match (target.group.as_str(), target.qualified().as_str(), verb.as_str()) {
        ("", "serviceaccounts/token", "create") => Some(Right::CreateToken),
        ("discovery.k8s.io", "endpointslices", "get")
            if (target.namespace.as_str(), target.name.as_str()) == ("default", "kubernetes") =>
        {
            Some(Right::EndpointSlices)
        }
        _ => None,
    };
    match right {
        Some(right) => caller.may_or_can(right, &verb, &target),
        None => caller.can(&verb, &target),
    }
}

fn of_path(caller: &Caller, attributes: &Value) -> bool {
    let text = |name: &str| attributes[name].as_str().unwrap_or_default();
    let path = text("path");
    if text("verb") != "get" || caller.denied_path(path) {
        return false;
    }
    match api::right_of(path) {
        Some(right) => caller.may_read(right, path),
        // `system:discovery`: every authenticated user may read which kinds there are.
        None => ["/api", "/apis", "/openapi"]
            .iter()
            .any(|root| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))),
    }
}
