//! PURE. JSON objects, and nothing else: a struct of serde takes a list of its members as well, and an empty list for a
//! struct whose members may all be missing.

use std::{fmt, marker::PhantomData, ops::Deref};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

/// What an object of JSON says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strict<T>(pub(crate) T);

impl<T> Deref for Strict<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Strict<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
            type Value = Strict<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Strict)
            }
        }
        deserializer.deserialize_map(Object(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Named {
        name: String,
    }

    #[test]
    fn only_objects_are_taken() {
        let parse = |text: &str| serde_json::from_str::<Strict<Named>>(text).map(|named| named.0.name);
        assert_eq!(parse(r#"{"name":"a"}"#).unwrap(), "a");
        assert_eq!(parse("{}").unwrap(), "");
        for text in ["[]", r#"["a"]"#, "null", "3", "\"a\""] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
