//! What a write brings: its body, its type, its place.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::kinds::Kind;
use super::rest::Ask;
use super::schema;
use crate::cluster::ClusterSettings;
use crate::cluster::status::{self, Cause};
use crate::wire::{Reply, Request};

/// The body as JSON or YAML
pub(crate) fn body(ask: &Ask<'_>) -> Result<Value, Reply> {
    if ask.request.body.starts_with(b"k8s\0") {
        let words = "the body of the request was in an unknown format - accepted media types include: \
                     application/json, application/yaml";
        return Err(status::failure(words, "UnsupportedMediaType", 415, &json!({})));
    }
    let parse = |request: &Request| {
        let json = serde_json::from_slice(&request.body).ok();
        json.or_else(|| serde_saphyr::from_str(str::from_utf8(&request.body).ok()?).ok())
    };
    parse(ask.request).filter(|body: &Value| body["kind"].is_string()).ok_or_else(|| {
        let kind = &ask.kind.kind;
        status::bad_request(&format!(
            "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind"
        ))
    })
}

/// Prunes; with `fieldValidation=Strict` refuses, with `Warn` gives the warnings
pub(crate) fn decode(ask: &Ask<'_>, object: &mut Value, patched: bool) -> Result<Vec<String>, Reply> {
    let Kind { kind, version, group, .. } = &ask.kind;
    if object["kind"] != *kind && ask.kind.custom {
        let (given, name) = (&object["kind"], object["metadata"]["name"].as_str().unwrap_or_default());
        let message = format!("Invalid value: {given}: must be {kind}");
        let cause = Cause { reason: "FieldValueInvalid", message, field: "kind".into() };
        return Err(status::invalid(group, given.as_str().unwrap_or_default(), name, &[cause]));
    }
    if object["apiVersion"] != ask.kind.api_version() || object["kind"] != *kind {
        let words = format!(
            "{} in version {} cannot be handled as a {kind}: unknown conversion",
            object["kind"].as_str().unwrap_or_default(),
            object["apiVersion"]
        );
        return Err(status::bad_request(&words));
    }
    let whole = object.to_string();
    let unknown = schema::prune(&ask.kind.schema, object);
    let unknown: Vec<String> = unknown.iter().map(|path| format!("unknown field \"{path}\"")).collect();
    let strict = ask.request.query("fieldValidation").unwrap_or_else(|| "Warn".into());
    if strict == "Strict" && !unknown.is_empty() {
        let words = format!("strict decoding error: {}", unknown.join(", "));
        if patched {
            let message = format!("Invalid value: {}: {words}", json!(whole));
            let cause = Cause { reason: "FieldValueInvalid", message, field: "patch".into() };
            return Err(status::invalid("", "", "", &[cause]));
        }
        let words = format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {words}");
        return Err(status::bad_request(&words));
    }
    if ask.kind.plural == "secrets" && group.is_empty() {
        for value in object["data"].as_object().into_iter().flatten().filter_map(|(_, value)| value.as_str())
        {
            if STANDARD.decode(value).is_err() {
                let fine = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
                let at = value.find(|c| !fine(c)).unwrap_or(value.len());
                let words = format!(
                    "Secret in version \"v1\" cannot be handled as a Secret: illegal base64 data at input byte {at}"
                );
                return Err(status::bad_request(&words));
            }
        }
    }
    Ok(if strict == "Warn" { unknown } else { Vec::new() })
}

pub(crate) fn warn(reply: Reply, warnings: &[String]) -> Reply {
    match warnings.first() {
        Some(first) => reply.with("warning", format!("299 - \"{}\"", first.replace('"', "\\\""))),
        None => reply,
    }
}

/// The name in the object is the one in the path
pub(crate) fn named(ask: &Ask<'_>, object: &Value) -> Result<(), Reply> {
    let name = object["metadata"]["name"].as_str().unwrap_or(&ask.key.name);
    if name == ask.key.name {
        return Ok(());
    }
    let words =
        format!("the name of the object ({name}) does not match the name on the URL ({})", ask.key.name);
    Err(status::bad_request(&words))
}

pub(crate) fn in_namespace(ask: &Ask<'_>, shared: &ClusterSettings, object: &Value) -> Result<(), Reply> {
    let namespace = ask.target.namespace.as_str();
    let given = object["metadata"]["namespace"].as_str().unwrap_or(namespace);
    if given != namespace {
        return Err(status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if !namespace.is_empty() && !shared.objects.has_namespace(namespace) {
        let object = status::Object { group: "", resource: "namespaces", namespace: "", name: namespace };
        return Err(object.not_found());
    }
    Ok(())
}
