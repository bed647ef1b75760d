//! `POST /api/v1/namespaces/NAMESPACE/serviceaccounts/NAME/token`.

use serde_json::{Value, json};

use super::access::{Caller, Right};
use super::api::verb;
use super::objects::Target;
use super::status::{self, Object};
use super::{ClusterSettings, ServerSettings, protobuf};
use crate::clock;
use crate::keys::uuid;
use crate::wire::{Reply, Request};

/// Namespace and name of the ServiceAccount whose token a path is about
pub(crate) fn target(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("/api/v1/namespaces/")?;
    let mut parts = rest.split('/');
    let (namespace, kind, name, sub) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    (kind == "serviceaccounts" && sub == "token" && parts.next().is_none()).then_some((namespace, name))
}

pub(crate) fn handle(
    request: &Request,
    caller: &Caller,
    (namespace, name): (&str, &str),
    server: &ServerSettings,
    shared: &ClusterSettings,
    now: i64,
) -> Reply {
    let object = Object { group: "", resource: "serviceaccounts", namespace, name };
    let verb = verb(&request.method);
    let target = Target::of(&request.path).unwrap_or_default();
    if !caller.may_or_can(Right::CreateToken, &verb, &target) {
        return object.forbidden(&caller.name, &verb, "serviceaccounts/token");
    }
    if verb != "create" {
        return status::method_not_allowed();
    }
    let json = || serde_json::from_slice::<Value>(&request.body).ok();
    let Some(body) = protobuf::token_request(&request.body).or_else(json) else {
        return status::bad_request(
            "the object provided is unrecognized (must be of type TokenRequest): couldn't get version/kind",
        );
    };
    let kind = shared.objects.kind("v1", "ServiceAccount");
    let Some(account) = shared.objects.get(&kind.key(namespace, name)) else {
        return object.not_found();
    };
    let uid = &account["metadata"]["uid"];
    let spec = &body["spec"];
    let asked = spec["expirationSeconds"].as_i64().unwrap_or(3600);
    if asked < 600 {
        let problem = format!("Invalid value: {asked}: may not specify a duration less than 10 minutes");
        return status::invalid_token_request("spec.expirationSeconds", &problem);
    }
    if asked > 1 << 32 {
        let problem = format!("Invalid value: {asked}: may not specify a duration larger than 2^32 seconds");
        return status::invalid_token_request("spec.expirationSeconds", &problem);
    }
    let seconds = shared.max_token_seconds.map_or(asked, |most| asked.min(most));
    let audiences: Vec<String> = match spec["audiences"].as_array() {
        Some(audiences) if !audiences.is_empty() => {
            audiences.iter().filter_map(|aud| aud.as_str().map(str::to_owned)).collect()
        }
        _ => server.api_audiences.clone().unwrap_or_else(|| server.issuers.clone()),
    };
    let claims = json!({
        "aud": audiences,
        "exp": now + seconds,
        "iat": now,
        "iss": server.issuers.first(),
        "jti": uuid(),
        "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}},
        "nbf": now,
        "sub": format!("system:serviceaccount:{namespace}:{name}"),
    });
    let key = &server.signing_key;
    let mut header = json!({"alg": key.alg(), "kid": server.kid.clone().unwrap_or_else(|| key.kid())});
    if server.typ {
        header["typ"] = json!("JWT");
    }
    if let Some(other) = &server.token_header {
        header = other.clone();
    }
    let reply = Reply::json(
        201,
        &json!({
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                "name": name, "namespace": namespace, "uid": uid, "creationTimestamp": clock::rfc3339(now),
            },
            "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": null},
            "status": {
                "token": key.jws_with_header(&header, &claims),
                "expirationTimestamp": clock::rfc3339(now + seconds),
            },
        }),
    );
    if seconds == asked {
        return reply;
    }
    reply.with(
        "warning",
        format!("299 - \"requested expiration of {asked} seconds shortened to {seconds} seconds\""),
    )
}
