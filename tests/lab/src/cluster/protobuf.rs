//! The protobuf form of a TokenRequest, which newer kubectl and client-go send.

use serde_json::{Value, json};

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

enum Field<'a> {
    Bytes(u64, &'a [u8]),
    Varint(u64, u64),
}

impl<'a> Field<'a> {
    fn bytes(self, number: u64) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(own, bytes) if own == number => Some(bytes),
            _ => None,
        }
    }
}

/// The fields of a message with wire types 0 and 2, which is all that these messages have
fn fields(mut rest: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut out = Vec::new();
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        let value = varint(&mut rest)?;
        match tag & 7 {
            0 => out.push(Field::Varint(tag >> 3, value)),
            2 => {
                let (bytes, after) = rest.split_at_checked(usize::try_from(value).ok()?)?;
                out.push(Field::Bytes(tag >> 3, bytes));
                rest = after;
            }
            _ => return None,
        }
    }
    Some(out)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
