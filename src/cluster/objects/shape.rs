//! PURE. The form that every object of the API has, whatever its kind: who reads a member of it need not ask again
//! whether it lies in an object or in a list.
//!
//! An API server keeps this form by itself (`metav1.ObjectMeta`, and schemas of `type: object`). What answers in
//! another form is something else, and is not judged by what it seems to say.

use serde_json::Value;

/// A name is a segment of a path: at most so long (RFC 1123, as `metav1` has it).
const MAX_NAME: usize = 253;

/// What is wrong with an answer that should be an object.
pub(super) fn check(object: &Value) -> Result<(), &'static str> {
    let object = object.as_object().ok_or("it is no JSON object")?;
    let metadata = object.get("metadata").and_then(Value::as_object).ok_or("it has no metadata")?;
    let name = metadata.get("name").and_then(Value::as_str).ok_or("it has no name")?;
    if !is_segment(name) {
        return Err("its name cannot be part of a path");
    }
    for member in ["namespace", "uid", "resourceVersion"] {
        if metadata.get(member).is_some_and(|value| !value.is_string()) {
            return Err("its namespace, uid or resourceVersion is no text");
        }
    }
    if metadata
        .get("namespace")
        .and_then(Value::as_str)
        .is_some_and(|name| !name.is_empty() && !is_segment(name))
    {
        return Err("its namespace cannot be part of a path");
    }
    if ["labels", "annotations"].into_iter().any(|member| !is_texts(metadata.get(member))) {
        return Err("its labels or annotations are no texts");
    }
    if ["spec", "status", "data"].into_iter().any(|member| !is_object(object.get(member))) {
        return Err("its spec, status or data is no object");
    }
    Ok(())
}

/// What is wrong with an object that should be stored: without these two nothing could be written to it, or deleted, on
/// the condition that it is still the one that was read.
pub(super) fn check_stored(object: &Value) -> Result<(), &'static str> {
    check(object)?;
    let is_there = |member: &str| object["metadata"][member].as_str().is_some_and(|text| !text.is_empty());
    if is_there("uid") && is_there("resourceVersion") {
        Ok(())
    } else {
        Err("it has no uid or resourceVersion")
    }
}

/// As the API server's own rule for names in paths has it.
fn is_segment(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && !matches!(name, "." | "..")
        && name.bytes().all(|byte| byte.is_ascii_graphic() && !b"/%?#\\".contains(&byte))
}

fn is_texts(found: Option<&Value>) -> bool {
    is_object(found)
        && found.and_then(Value::as_object).is_none_or(|members| members.values().all(Value::is_string))
}

/// Or absent.
fn is_object(found: Option<&Value>) -> bool {
    found.is_none_or(|found| found.is_null() || found.is_object())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn api_objects_have_the_required_form() {
        for object in [
            json!({"metadata": {"name": "a"}}),
            json!({"metadata": {"name": "system:node-proxier", "namespace": "", "labels": null}, "rules": []}),
            json!({"kind": "Secret", "metadata": {"name": "a.b", "namespace": "c", "uid": "1", "labels": {"a": "b"},
                "annotations": {}}, "data": {"a": "b"}, "spec": null, "status": {}}),
        ] {
            assert_eq!(check(&object), Ok(()), "{object}");
        }
    }

    #[test]
    fn stored_object_has_uid_and_version() {
        let stored = |uid: Value, version: Value| {
            check_stored(&json!({"metadata": {"name": "a", "uid": uid, "resourceVersion": version}}))
        };
        assert_eq!(stored(json!("1"), json!("2")), Ok(()));
        for (uid, version) in [
            (json!(""), json!("2")),
            (json!("1"), json!("")),
            (json!(null), json!("2")),
            (json!("1"), json!(2)),
        ] {
            assert!(stored(uid, version).is_err());
        }
        assert!(check_stored(&json!({"metadata": {"name": "a"}})).is_err());
    }

    #[test]
    fn other_forms_are_refused() {
        for odd in
            [json!(1), json!("a"), json!([]), json!(true), json!(null), json!({}), json!({"metadata": []})]
        {
            assert!(check(&odd).is_err(), "{odd}");
        }
        for name in [
            "",
            ".",
            "..",
            "a/b",
            "../a",
            "a b",
            "a\n",
            "ä",
            "a%2f",
            "a?b",
            "a#b",
            "\u{1b}[31m",
            &"a".repeat(254),
        ] {
            assert!(check(&json!({"metadata": {"name": name}})).is_err(), "{name:?}");
            let namespace = check(&json!({"metadata": {"name": "a", "namespace": name}}));
            assert_eq!(namespace.is_ok(), name.is_empty(), "{name:?}");
        }
        for odd in [json!(1), json!("a"), json!([]), json!(true), json!([["a", "b"]])] {
            for member in ["spec", "status", "data"] {
                let mut object = json!({"metadata": {"name": "a"}});
                object[member] = odd.clone();
                assert!(check(&object).is_err(), "{object}");
            }
            for member in ["labels", "annotations"] {
                for value in [odd.clone(), json!({"a": odd}), json!({"a": null})] {
                    let mut object = json!({"metadata": {"name": "a"}});
                    object["metadata"][member] = if value == json!({"a": "a"}) { continue } else { value };
                    assert!(check(&object).is_err(), "{object}");
                }
            }
        }
        for member in ["name", "namespace", "uid", "resourceVersion"] {
            for odd in [json!(1), json!({}), json!([]), json!(true)] {
                let mut object = json!({"metadata": {"name": "a"}});
                object["metadata"][member] = odd;
                assert!(check(&object).is_err(), "{object}");
            }
        }
    }
}
