//! What the operator reads of objects, and writes of their condition.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::clock;
use crate::keys::hex;

/// What a `find` must say for its search to be made
pub(super) fn searched(find: &Value) -> Result<(), String> {
    let count = |text: &str, sign: char| text.chars().filter(|it| *it == sign).count();
    match find["name"]["regexp"].as_str() {
        Some(pattern) if count(pattern, '(') != count(pattern, ')') => {
            Err(format!("error parsing regexp: missing closing ): `{pattern}`"))
        }
        None if !find["tags"].is_object() => Err("unexpected find operator".to_owned()),
        _ => Ok(()),
    }
}

/// Sets the condition `Ready`; the time of its last transition is that of its last change of status
pub(super) fn condition(status: &mut Value, value: &str, reason: &str, message: &str) {
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let (ready, mut rest): (Vec<_>, Vec<_>) = conditions.into_iter().partition(|c| c["type"] == "Ready");
    let since = ready.first().filter(|ready| ready["status"] == value);
    let since = since
        .map_or_else(|| json!(clock::rfc3339(clock::now(0))), |ready| ready["lastTransitionTime"].clone());
    rest.push(json!({
        "type": "Ready", "status": value, "reason": reason, "message": message, "lastTransitionTime": since,
    }));
    status["conditions"] = json!(rest);
}

pub(super) fn id(object: &Value) -> String {
    format!("{}/{}/{}", object["kind"], object["metadata"]["namespace"], object["metadata"]["uid"])
}

/// `<generation>-<hash of labels and annotations>`, as `syncedResourceVersion` has it
pub(super) fn version(object: &Value) -> String {
    let metadata = &object["metadata"];
    let parts = json!([metadata["labels"], metadata["annotations"]]).to_string();
    format!("{}-{}", metadata["generation"], &hex(digest(&SHA256, parts.as_bytes()).as_ref())[..56])
}

pub(super) fn plain(value: &Value) -> Vec<u8> {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned).into_bytes()
}

/// A duration as Go writes it: `1h`, `1h30m`, `2s`, `500ms`, `0`
pub(super) fn duration(text: &str) -> Duration {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while let Some(end) = rest.find(|c: char| !c.is_ascii_digit() && c != '.') {
        let number: f64 = rest[..end].parse().unwrap_or_default();
        let unit = rest[end..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| end + at);
        let seconds = match &rest[end..unit] {
            "h" => 3600.0,
            "m" => 60.0,
            "ms" => 0.001,
            _ => 1.0,
        };
        // Go holds no more than 292 years.
        total += Duration::from_secs_f64((number * seconds).min(9e9));
        rest = &rest[unit..];
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_parsed_like_go() {
        let seconds = ["0", "2s", "1h0m0s", "1m30s", "500ms", ""].map(|text| duration(text).as_secs_f64());
        assert_eq!(seconds, [0.0, 2.0, 3600.0, 90.0, 0.5, 0.0]);
    }
}
