//! Compares a store's login of now with that of before.

use serde_json::Value;

/// Whether a store logs in as before. The API server may have added defaults since, but not to a login.
pub(crate) fn is_again(before: &Value, now: &Value) -> bool {
    fn covered(before: &Value, now: &Value, in_login: bool) -> bool {
        match (before, now) {
            (Value::Object(before), Value::Object(now)) => {
                let known = before.iter().all(|(name, value)| {
                    now.get(name).is_some_and(|now| covered(value, now, in_login || name == "auth"))
                });
                known && (!in_login || now.len() == before.len())
            }
            (before, now) => before == now,
        }
    }
    let one = |provider: &Value| provider.as_object().map(serde_json::Map::len);
    one(before) == one(now) && covered(before, now, false)
}
