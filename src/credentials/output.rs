//! PURE. Who wrote a Secret. Its labels say nothing: anyone who may change it can set them. What is compared is the reference
//! to its owner, with the ExternalSecrets that there are.

use serde_json::Value;

use super::Same;

/// That this ExternalSecret, by its UID, owns this Secret. One of the two claims it; that both give the same value proves it.
pub(crate) fn ownership(namespace: &str, secret: &str, owner: &str, uid: &str) -> Option<Same> {
    let parts = [namespace, secret, owner, uid];
    let all = parts.iter().all(|part| !part.is_empty());
    all.then(|| Same::of_named(parts.into_iter().map(|part| ("", part.as_bytes()))))
}

/// What a Secret says of its owner, if that is an ExternalSecret.
pub(super) fn owner_of(secret: &Value) -> Option<Same> {
    let metadata = secret.get("metadata")?;
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let owners = metadata.get("ownerReferences")?.as_array()?;
    let mut controllers = owners.iter().filter(|owner| owner.get("controller") == Some(&Value::Bool(true)));
    let owner = controllers.next().filter(|_| controllers.next().is_none())?;
    let group = text(owner, "apiVersion");
    if group.split_once('/')?.0 != "external-secrets.io" || text(owner, "kind") != "ExternalSecret" {
        return None;
    }
    ownership(
        &text(metadata, "namespace"),
        &text(metadata, "name"),
        &text(owner, "name"),
        &text(owner, "uid"),
    )
}
