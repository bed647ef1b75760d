//! Create, replace, patch, delete.

use serde_json::{Value, json};

use super::apply::{self, apply};
use super::decode::{body, decode, in_namespace, named, warn};
use super::fields::{Fields, Manager};
use super::list::{served, short};
use super::rest::Ask;
use super::{defaults, patch as patches, schema, store};
use crate::cluster::ClusterSettings;
use crate::cluster::status::{self, Cause};
use crate::keys::random_hex;
use crate::wire::Reply;

type Answer = Result<Reply, Reply>;

pub(crate) fn create(ask: &Ask<'_>, shared: &mut ClusterSettings) -> Answer {
    let mut object = body(ask)?;
    let warnings = decode(ask, &mut object, false)?;
    let metadata = &mut object["metadata"];
    if let (None, Some(start)) = (metadata["name"].as_str(), metadata["generateName"].as_str()) {
        metadata["name"] = json!(format!("{start}{}", &random_hex(3)[..5]));
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    in_namespace(ask, shared, &object)?;
    if ask.kind.status {
        remove(&mut object, "status");
    }
    let key = ask.kind.key(&ask.target.namespace, &name);
    if name.is_empty() {
        let message = "Required value: name or generateName is required".to_owned();
        let cause = Cause { reason: "FieldValueRequired", message, field: "metadata.name".into() };
        return Err(status::invalid(&ask.kind.group, &ask.kind.kind, "", &[cause]));
    }
    if shared.objects.get(&key).is_some() {
        let object = status::Object { name: &name, ..ask.target.object() };
        return Err(object.already_exists());
    }
    let manager = update_manager(ask);
    store(ask, shared, &key, object, Some(manager), 201).map(|reply| warn(reply, &warnings))
}

pub(crate) fn replace(ask: &Ask<'_>, shared: &mut ClusterSettings) -> Answer {
    let mut object = body(ask)?;
    let warnings = decode(ask, &mut object, false)?;
    named(ask, &object)?;
    in_namespace(ask, shared, &object)?;
    let old = shared.objects.get(&ask.key).cloned().ok_or_else(|| ask.not_found())?;
    let version = object["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    if version.is_empty() && ask.kind.custom {
        let message = "Invalid value: 0: must be specified for an update".to_owned();
        let cause = Cause { reason: "FieldValueInvalid", message, field: "metadata.resourceVersion".into() };
        return Err(status::invalid(&ask.kind.group, &ask.kind.plural, &ask.key.name, &[cause]));
    }
    let same = |name: &str| {
        let given = &object["metadata"][name];
        given.as_str().is_none_or(|given| given.is_empty() || old["metadata"][name] == *given)
    };
    if !same("resourceVersion") || !same("uid") {
        return Err(stale(ask));
    }
    keep_other_half(ask, &old, &mut object);
    let manager = update_manager(ask);
    store(ask, shared, &ask.key, object, Some(manager), 200).map(|reply| warn(reply, &warnings))
}

pub(crate) fn patch(ask: &Ask<'_>, shared: &mut ClusterSettings) -> Answer {
    let content_type = ask.request.header("content-type").unwrap_or_default();
    let content_type = content_type.split(';').next().unwrap_or_default().trim();
    if content_type == "application/apply-patch+yaml" {
        return apply_patch(ask, shared);
    }
    let custom = ask.kind.custom;
    let known = ["application/merge-patch+json", "application/json-patch+json"].contains(&content_type)
        || content_type == "application/strategic-merge-patch+json" && !custom;
    if !known && content_type == "application/strategic-merge-patch+json" {
        let words = "the body of the request was in an unknown format - accepted media types include: \
                     application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
        return Err(status::failure(words, "UnsupportedMediaType", 415, &json!({})));
    }
    if !known {
        return Err(status::unsupported_media_type());
    }
    let patch: Value = serde_json::from_slice(&ask.request.body)
        .map_err(|error| status::bad_request(&format!("error decoding patch: {error}")))?;
    let old = shared.objects.get(&ask.key).cloned().ok_or_else(|| ask.not_found())?;
    let mut object = old.clone();
    match content_type {
        "application/merge-patch+json" => patches::merge(&mut object, &patch),
        "application/json-patch+json" => patches::json_patch(&mut object, &patch).map_err(|words| {
            status::failure(
                &format!("the server rejected our request due to an error in our request: {words}"),
                "Invalid",
                422,
                &json!({}),
            )
        })?,
        _ => patches::strategic(&mut object, &patch),
    }
    if object["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"]
        || object["metadata"]["uid"] != old["metadata"]["uid"]
    {
        return Err(stale(ask));
    }
    let warnings = decode(ask, &mut object, true)?;
    named(ask, &object)?;
    keep_other_half(ask, &old, &mut object);
    let manager = update_manager(ask);
    store(ask, shared, &ask.key, object, Some(manager), 200).map(|reply| warn(reply, &warnings))
}

fn apply_patch(ask: &Ask<'_>, shared: &mut ClusterSettings) -> Answer {
    let required = |field: &str, words: &str| {
        let message = format!("Required value: {words}");
        let cause = Cause { reason: "FieldValueRequired", message, field: field.into() };
        status::invalid("meta.k8s.io", "PatchOptions", "", &[cause])
    };
    if ask.request.query("fieldManager").is_none_or(|manager| manager.is_empty()) {
        return Err(required("fieldManager", "is required for apply patch"));
    }
    let mut config = body(ask)?;
    let (version, kind) = (ask.kind.api_version(), &ask.kind.kind);
    if config["apiVersion"] != version || config["kind"] != *kind {
        let words = format!("apiVersion and kind of the patch must be {version}, {kind}");
        return Err(status::bad_request(&words));
    }
    if config["metadata"].get("managedFields").is_some() {
        return Err(status::bad_request("metadata.managedFields must be nil"));
    }
    named(ask, &config)?;
    in_namespace(ask, shared, &config)?;
    let old = shared.objects.get(&ask.key).cloned();
    if old.is_none() && !ask.caller.can("create", &ask.target) {
        return Err(ask.target.forbidden(ask.caller, "create"));
    }
    let given = config["metadata"]["resourceVersion"].as_str();
    if given.is_some_and(|given| old.as_ref().is_none_or(|old| old["metadata"]["resourceVersion"] != given)) {
        return Err(stale(ask));
    }
    // Unknown fields are no matter of `fieldValidation` here: the patch has no type with them.
    if let Some(path) = schema::prune(&ask.kind.schema, &mut config).first() {
        let words = format!(
            "failed to create typed patch object ({}/{}; {}/{}, Kind={kind}): .{path}: field not declared in schema",
            config["metadata"]["namespace"].as_str().unwrap_or_default(),
            ask.key.name,
            ask.kind.group,
            ask.kind.version,
        );
        return Err(status::internal(&words));
    }
    let empty = json!({});
    keep_other_half_of_patch(ask, &mut config);
    let manager = Manager { operation: "Apply".into(), ..update_manager(ask) };
    let force = ask.request.query("force").is_some_and(|force| force == "true");
    let mut object = apply(&ask.kind.schema, old.as_ref(), &config, manager, force)?;
    let old_or_empty = old.as_ref().unwrap_or(&empty);
    keep_other_half(ask, old_or_empty, &mut object);
    let code = if old.is_some() { 200 } else { 201 };
    store(ask, shared, &ask.key, object, None, code)
}

pub(crate) fn delete(ask: &Ask<'_>, shared: &mut ClusterSettings) -> Answer {
    let options: Value = serde_json::from_slice(&ask.request.body).unwrap_or_default();
    let mut object = shared.objects.get(&ask.key).cloned().ok_or_else(|| ask.not_found())?;
    for (member, name) in [("uid", "UID"), ("resourceVersion", "ResourceVersion")] {
        let Some(wanted) = options["preconditions"][member].as_str() else { continue };
        let record = object["metadata"][member].as_str().unwrap_or_default();
        if wanted != record {
            let what = if member == "uid" { "deleted and then recreated" } else { "modified" };
            let why = format!(
                "the {name} in the precondition ({wanted}) does not match the {name} in record ({record}). \
                 The object might have been {what}"
            );
            let object = status::Object { resource: &ask.kind.kind, ..ask.target.object() };
            return Err(object.conflict(&why));
        }
    }
    let dry = ask.dry_run() || options["dryRun"] == json!(["All"]);
    let waits = object["metadata"]["finalizers"].as_array().is_some_and(|all| !all.is_empty());
    if waits && object["metadata"].get("deletionTimestamp").is_none() {
        object["metadata"]["deletionTimestamp"] = json!(ask.now);
    }
    if !dry && waits {
        object = shared.objects.commit(&ask.kind, &ask.key, object, &ask.now);
    } else if !dry {
        shared.objects.remove(&ask.kind, &ask.key);
    }
    if ask.kind.plural == "namespaces" {
        object["metadata"]["deletionTimestamp"] = json!(ask.now);
        object["status"]["phase"] = json!("Terminating");
    }
    let whole = ["serviceaccounts", "namespaces", "pods", "customresourcedefinitions"];
    if waits || whole.contains(&ask.kind.plural.as_str()) {
        return Ok(Reply::json(200, &served(&ask.kind, &object)));
    }
    let mut details = status::details(&ask.key.name, &ask.kind.group, &ask.kind.plural);
    details["uid"] = object["metadata"]["uid"].clone();
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
    });
    Ok(Reply::json(200, &body))
}

/// The last steps of every write: validation, `managedFields`, storage
fn store(
    ask: &Ask<'_>,
    shared: &mut ClusterSettings,
    key: &store::Key,
    mut object: Value,
    manager: Option<Manager>,
    code: u16,
) -> Answer {
    let old = shared.objects.get(key).cloned();
    let typed = &ask.kind.schema;
    if ask.kind.custom {
        schema::default(typed, &mut object);
    }
    let mut causes = schema::validate(typed, &object);
    if old.is_none() {
        causes.extend(defaults::name(&ask.kind, &key.name));
    }
    if ask.kind.plural.ends_with("rolebindings")
        && old.as_ref().is_some_and(|old| old["roleRef"] != object["roleRef"])
    {
        let text = |name: &str| object["roleRef"][name].as_str().unwrap_or_default().to_owned();
        let role = json!({"APIGroup": text("apiGroup"), "Kind": text("kind"), "Name": text("name")});
        let message = format!("Invalid value: {role}: cannot change roleRef");
        causes.push(Cause { reason: "FieldValueInvalid", message, field: "roleRef".into() });
    }
    if !causes.is_empty() {
        return Err(status::invalid(&ask.kind.group, &ask.kind.kind, &key.name, &causes));
    }
    defaults::before(&ask.kind, &mut object);
    if let Some(manager) = manager {
        apply::update(typed, old.as_ref(), &mut object, manager);
    }
    defaults::after(&ask.kind, &mut object);
    if ask.dry_run() {
        store::complete(&ask.kind, key, old.as_ref(), &mut object, &ask.now);
        return Ok(Reply::json(code, &served(&ask.kind, &object)));
    }
    let stored = shared.objects.commit(&ask.kind, key, object, &ask.now);
    let finalizers = stored["metadata"].get("finalizers").is_some();
    if stored["metadata"].get("deletionTimestamp").is_some() && !finalizers {
        shared.objects.remove(&ask.kind, key);
    }
    Ok(Reply::json(code, &short(ask.request, &ask.kind, served(&ask.kind, &stored), 0)))
}

fn stale(ask: &Ask<'_>) -> Reply {
    ask.target.object().conflict(
        "the object has been modified; please apply your changes to the latest version and try again",
    )
}

fn update_manager(ask: &Ask<'_>) -> Manager {
    Manager {
        name: ask.manager(),
        operation: "Update".into(),
        api_version: ask.kind.api_version(),
        subresource: ask.target.subresource.clone(),
        time: ask.now.clone(),
        fields: Fields::new(),
    }
}

/// A write of the object leaves its status, a write of its status leaves the object
fn keep_other_half(ask: &Ask<'_>, old: &Value, object: &mut Value) {
    if !ask.kind.status {
        return;
    }
    if ask.target.subresource == "status" {
        let (status, managed) = (object["status"].take(), object["metadata"]["managedFields"].take());
        *object = old.clone();
        object["status"] = status;
        if !managed.is_null() {
            object["metadata"]["managedFields"] = managed;
        }
    } else {
        match old.get("status") {
            Some(status) => object["status"] = status.clone(),
            None => drop(remove(object, "status")),
        }
    }
}

/// The same for what an apply patch claims
fn keep_other_half_of_patch(ask: &Ask<'_>, config: &mut Value) {
    if !ask.kind.status {
        return;
    }
    let status = ask.target.subresource == "status";
    if let Some(members) = config.as_object_mut() {
        members.retain(|name, _| match name.as_str() {
            "apiVersion" | "kind" | "metadata" => true,
            "status" => status,
            _ => !status,
        });
    }
}

fn remove(object: &mut Value, member: &str) -> Option<Value> {
    object.as_object_mut()?.remove(member)
}
