//! The protobuf form of a TokenRequest, which newer kubectl and client-go send.

use serde_json::{Value, json};

use crate::protobuf::{Field, fields};

/// What a TokenRequest asks for, as its JSON form has it.
///
/// Envelope: `k8s\0` and a `runtime.Unknown` with the object in field 2
/// (kubernetes/apimachinery pkg/runtime/generated.proto). The object: `spec` is field 2, in it
/// `audiences` 1 and `expirationSeconds` 4 (kubernetes/api authentication/v1/generated.proto).
pub(crate) fn token_request(body: &[u8]) -> Option<Value> {
    let object = fields(body.strip_prefix(b"k8s\0")?)?.into_iter().find_map(|field| field.bytes(2))?;
    let mut spec = json!({"audiences": []});
    for field in fields(fields(object)?.into_iter().find_map(|field| field.bytes(2)).unwrap_or_default())? {
        match field {
            Field::Bytes(1, audience) => {
                let audience = json!(str::from_utf8(audience).ok()?);
                spec["audiences"].as_array_mut()?.push(audience);
            }
            Field::Varint(4, seconds) => spec["expirationSeconds"] = json!(seconds as i64),
            _ => {}
        }
    }
    Some(json!({ "spec": spec }))
}
