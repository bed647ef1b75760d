//! A plan as JSON, and the JSON schema of it.

use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{Plan, Step, Summary};
use crate::warning::Warning;

/// Raised when a member changes its meaning or goes away; members may be added.
const API_VERSION: &str = "keyless/plan/v1";

/// The member `plan` of the JSON results of `setup`, `publish` and `teardown`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Plan")]
struct Document<'p> {
    /// `keyless/plan/v1`.
    api_version: &'static str,
    /// In the order in which they are applied.
    steps: &'p [Step],
    notes: &'p [Warning],
    summary: Summary,
}

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { steps, notes } = self;
        Document { api_version: API_VERSION, steps, notes, summary: self.summary() }.serialize(serializer)
    }
}

/// The form of a plan, as JSON schema.
pub(crate) fn schema() -> Value {
    schemars::schema_for!(Document<'_>).to_value()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::plan::{Action, Target};

    fn members(value: &Value) -> BTreeSet<&String> {
        value.as_object().unwrap().keys().collect()
    }

    #[test]
    fn schema_names_every_member() {
        let step = Step::new(Target::Bucket, Action::Create, "a", "b").field("c", None, Some(json!(1)));
        let note = Warning { code: crate::error::Code::Leftover, message: "b".into() };
        let plan = json!(Plan { steps: vec![step], notes: vec![note] });
        assert_eq!(plan["apiVersion"], API_VERSION);
        let schema = schema();
        assert_eq!(members(&schema["properties"]), members(&plan));
        for (definition, value) in [
            ("Step", &plan["steps"][0]),
            ("FieldChange", &plan["steps"][0]["fields"][0]),
            ("Warning", &plan["notes"][0]),
            ("Summary", &plan["summary"]),
        ] {
            assert_eq!(members(&schema["$defs"][definition]["properties"]), members(value), "{definition}");
        }
    }
}
