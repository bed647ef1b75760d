//! `/api`, `/apis`, `/openapi/v3`: what clients ask before they ask for objects.

use std::collections::{BTreeMap, BTreeSet};

use hyper::Method;
use serde_json::{Value, json};

use super::kinds::{Kind, api_version};
use crate::cluster::access::Caller;
use crate::cluster::review::review;
use crate::cluster::status;
use crate::cluster::{ClusterSettings, api};
use crate::wire::{Reply, Request};

const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
const WHO: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
const VERBS: [&str; 7] = ["create", "delete", "get", "list", "patch", "update", "watch"];

/// The answer to a request on discovery, or `None`
pub(crate) fn handle(request: &Request, caller: &Caller, shared: &ClusterSettings) -> Option<Reply> {
    let path = request.path.trim_end_matches('/');
    if path == REVIEWS && request.method == Method::POST {
        // `system:basic-user`: every authenticated user may ask about himself.
        let anonymous = caller.name == "system:anonymous";
        return Some(if anonymous { forbidden(request, caller) } else { review(request, caller) });
    }
    if path == WHO && request.method == Method::POST {
        // `system:basic-user`.
        let anonymous = caller.name == "system:anonymous";
        return Some(if anonymous { forbidden(request, caller) } else { who(caller) });
    }
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let kinds = shared.objects.kinds.all();
    let body = match parts.as_slice() {
        ["api"] => Some(json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})),
        ["apis"] => Some(groups(kinds)),
        ["apis", group] => {
            groups(kinds)["groups"].as_array()?.iter().find(|g| g["name"] == *group).map(|group| {
                let mut group = group.clone();
                group["kind"] = json!("APIGroup");
                group["apiVersion"] = json!("v1");
                group
            })
        }
        ["api", version] => resources(kinds, "", version),
        ["apis", group, version] => resources(kinds, group, version),
        ["openapi", "v3"] => Some(openapi(kinds)),
        ["openapi", "v3", "api", version] => openapi_of(kinds, "", version),
        ["openapi", "v3", "apis", group, version] => openapi_of(kinds, group, version),
        _ => return None,
    };
    if caller.name == "system:anonymous" || caller.denied_path(path) {
        return Some(forbidden(request, caller));
    }
    Some(body.map_or_else(api::not_found, |body| Reply::json(200, &body)))
}

/// Who asks, as the authenticator sees it.
fn who(caller: &Caller) -> Reply {
    let user = json!({"username": caller.name, "groups": ["system:authenticated"]});
    let body = json!({"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"creationTimestamp": null}, "status": {"userInfo": user}});
    Reply::json(201, &body)
}

fn forbidden(request: &Request, caller: &Caller) -> Reply {
    status::forbidden_path(&caller.name, &request.method, &request.path)
}

fn groups(kinds: &[Kind]) -> Value {
    let mut groups: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for kind in kinds.iter().filter(|kind| !kind.group.is_empty()) {
        groups.entry(&kind.group).or_default().insert(&kind.version);
    }
    let groups = groups.iter().map(|(group, versions)| {
        // "v1" sorts before "v1alpha1" and "v1beta1", as the server prefers it.
        let versions: Vec<Value> = versions
            .iter()
            .map(|version| json!({"groupVersion": format!("{group}/{version}"), "version": version}))
            .collect();
        json!({"name": group, "versions": versions, "preferredVersion": versions.first()})
    });
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups.collect::<Vec<_>>()})
}

fn resources(kinds: &[Kind], group: &str, version: &str) -> Option<Value> {
    let mut resources = Vec::new();
    for kind in kinds.iter().filter(|kind| kind.group == group && kind.version == version) {
        let mut resource = json!({
            "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced,
            "kind": kind.kind, "verbs": VERBS,
        });
        if !kind.short_names.is_empty() {
            resource["shortNames"] = json!(kind.short_names);
        }
        resources.push(resource);
        if kind.status {
            resources.push(json!({
                "name": format!("{}/status", kind.plural), "singularName": "",
                "namespaced": kind.namespaced, "kind": kind.kind, "verbs": ["get", "patch", "update"],
            }));
        }
    }
    (!resources.is_empty()).then(|| {
        json!({
            "kind": "APIResourceList", "apiVersion": "v1",
            "groupVersion": api_version(group, version), "resources": resources,
        })
    })
}

fn openapi(kinds: &[Kind]) -> Value {
    let root = |kind: &Kind| match kind.group.as_str() {
        "" => format!("api/{}", kind.version),
        group => format!("apis/{group}/{}", kind.version),
    };
    let paths: BTreeMap<String, Value> = kinds
        .iter()
        .map(root)
        .map(|root| {
            let url = format!("/openapi/v3/{root}?hash=0");
            (root, json!({"serverRelativeURL": url}))
        })
        .collect();
    json!({ "paths": paths })
}

/// As much as tells a client that the server validates fields itself, and the schemas of custom kinds
fn openapi_of(kinds: &[Kind], group: &str, version: &str) -> Option<Value> {
    let (mut paths, mut schemas) = (json!({}), json!({}));
    for kind in kinds.iter().filter(|kind| kind.group == group && kind.version == version) {
        let root = if group.is_empty() { "/api".to_owned() } else { format!("/apis/{group}") };
        let namespace = if kind.namespaced { "/namespaces/{namespace}" } else { "" };
        let path = format!("{root}/{version}{namespace}/{}/{{name}}", kind.plural);
        let gvk = json!({"group": group, "version": version, "kind": kind.kind});
        let parameter = json!({"name": "fieldValidation", "in": "query", "schema": {"type": "string", "uniqueItems": true}});
        paths[path] = json!({"patch": {
            "parameters": [parameter], "x-kubernetes-action": "patch", "x-kubernetes-group-version-kind": gvk,
            "responses": {"200": {"description": "OK"}},
        }});
        if kind.custom {
            let mut schema = kind.schema.clone();
            schema["x-kubernetes-group-version-kind"] = json!([gvk]);
            let reversed: Vec<&str> = group.split('.').rev().collect();
            schemas[format!("{}.{version}.{}", reversed.join("."), kind.kind)] = schema;
        }
    }
    (paths != json!({})).then(|| {
        json!({
            "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.36.3"},
            "paths": paths, "components": {"schemas": schemas},
        })
    })
}
