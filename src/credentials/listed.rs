//! PURE. An object as the list of its kind has it, without `managedFields`. They are often the larger part of an object, and
//! nothing of `metadata` but its annotations is looked through; what says whose a field is reads rows of a table.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value};

/// The object. What is none, or has no metadata of that form, is refused.
pub(super) struct Listed(pub(super) Value);

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Members::OfObject.deserialize(deserializer).map(Self)
    }
}

#[derive(Clone, Copy)]
enum Members {
    OfObject,
    OfMetadata,
}

impl<'de> DeserializeSeed<'de> for Members {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = match (self, name.as_str()) {
                (Self::OfObject, "metadata") => map.next_value_seed(Self::OfMetadata)?,
                (Self::OfMetadata, "managedFields") => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                _ => map.next_value()?,
            };
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_but_managed_fields_is_kept() {
        let fields = json!([{"manager": "a", "fieldsV1": {"f:data": {}}}]);
        let mut object = json!({
            "metadata": {"name": "a", "annotations": {"managedFields": "kept"}, "managedFields": fields},
            "data": {"managedFields": "kept", "metadata": {"managedFields": 1}, "number": -1.5e3},
            "managedFields": [null, true],
        });
        let read: Listed = serde_json::from_value(object.clone()).unwrap();
        object["metadata"].as_object_mut().unwrap().remove("managedFields");
        assert_eq!(read.0, object);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["[]", "null", "{\"metadata\":[]}", "{\"metadata\":{\"managedFields\":[}}", "{} {}"] {
            assert!(serde_json::from_str::<Listed>(text).is_err(), "{text}");
        }
    }
}
