//! Manifests as a file, for those who apply them by other means.

use serde_json::Value;

use crate::{
    cluster::objects::Object,
    error::{Code, Error, Result},
    yaml,
};

/// YAML documents, in this order.
pub(crate) fn to_yaml<'a>(objects: impl IntoIterator<Item = &'a Object>) -> Result<String> {
    let mut text = String::new();
    for object in objects {
        let document = yaml::document(&sorted(&object.0)).map_err(|error| {
            Error::failed(Code::Manifest, format!("{} cannot be written as YAML", object.describe()))
                .caused_by_chain(&error)
                .hint("this is a bug: -o json has the same")
        })?;
        text.push_str("---\n");
        text.push_str(&document);
        text.push('\n');
    }
    Ok(text)
}

/// Members by their names: a repository shows what has changed, and not who wrote it first. (Maps keep the order in which
/// they were filled if anything in the same build asks `serde_json` for that.)
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| name.as_str());
            members.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::redact;

    #[test]
    fn written_yaml_reads_back_the_same() {
        let object = Object(json!({
            "apiVersion": "v1", "kind": "Odd", "metadata": { "name": "odd", "labels": { "iam.gke.io/x": "yes", "a/b": "1" } },
            "spec": {
                "words": ["yes", "no", "on", "null", "~", "true", "1", "0x1f", "1e3", "1_000", "2026-11-23", "", " x", "a: b", "#c", "- d", "*e", "&f", "!g", "%h", "@i", "'", "\"", "\\", "{", "[", "a\nb\n", "tab\t", "ü", ".inf", "0o7", "010", "12:30:45"],
                "number": 60, "float": 1.5, "no": false, "nothing": null, "empty": {}, "none": [],
                "pem": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
                "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/c",
                "long": "x ".repeat(200),
            },
        }));
        let text = to_yaml([&object, &object]).unwrap();
        let read: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        assert_eq!(read, [object.0.clone(), object.0]);
    }

    #[test]
    fn unprintable_text_is_written_as_escapes() {
        let odd =
            "a\u{9b}2J\u{202e}b\u{200b}\u{1b}[31m\u{e0041}é\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\n";
        let object = Object(json!({ "kind": "Odd", "spec": { odd: [odd] } }));
        let text = to_yaml([&object]).unwrap();
        assert_eq!(redact::document(&text), text, "it is printed as it is");
        let read: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        assert_eq!(read, [object.0]);
    }

    #[test]
    fn members_are_ordered_however_they_came() {
        let (mut one, mut other) = (json!({}), json!({}));
        for (object, names) in [(&mut one, ["b", "a"]), (&mut other, ["a", "b"])] {
            for name in names {
                object[name] = json!([{ "x": 1 }]);
            }
        }
        let text = to_yaml([&Object(one)]).unwrap();
        assert_eq!(text, to_yaml([&Object(other)]).unwrap());
        assert!(text.find("a:") < text.find("b:"), "{text}");
    }
}
