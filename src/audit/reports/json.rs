//! PURE. The JSON document of the audit itself.

use super::Format;

pub(super) const FORMAT: Format = Format {
    id: "json",
    extension: "json",
    summary: "The whole result as JSON, byte for byte that of -o json",
    write: |evidence| evidence.json.to_string(),
    several: Some(|fleet| fleet.json.to_string()),
};
