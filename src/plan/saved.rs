//! A plan in a file: what a command would change, and the command line that planned it.
//!
//! The file holds no way to do anything. [`check`](SavedPlan::check) compares it with the plan that the same command
//! line makes at the time of `keyless apply`: only equal plans are applied.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Plan;
#[cfg(doc)]
use super::Step;
use crate::error::{Code, Error, Result};

/// The one version of this form.
const API_VERSION: &str = "keyless/saved-plan/v1";
/// More differences than this are not named.
const MOST: usize = 20;

/// The file: JSON, in UTF-8.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SavedPlan {
    api_version: String,
    /// The command line without the program's name.
    pub(crate) arguments: Vec<String>,
    /// Where it was given, as an absolute path: relative paths in it start there.
    pub(crate) directory: String,
    /// Cluster and account, as in every JSON result.
    target: Value,
    /// Each in the form of a [`Step`], in the order of the plan.
    steps: Vec<Value>,
}

impl SavedPlan {
    pub(crate) fn new(arguments: Vec<String>, directory: String, target: Value, plan: &Plan) -> Self {
        let steps = plan.steps.iter().map(|step| json!(step)).collect();
        Self { api_version: API_VERSION.into(), arguments, directory, target, steps }
    }

    pub(crate) fn to_text(&self) -> String {
        format!("{:#}\n", json!(self))
    }

    /// `name` is the file's, for the error. The parser's words would quote the file, so only the place is named.
    pub(crate) fn parse(text: &str, name: &str) -> Result<Self> {
        let saved: Self = serde_json::from_str(text).map_err(|error| {
            Error::usage(Code::PlanFile, format!("{name} is not a saved plan"))
                .caused_by(format_args!("line {}, column {}", error.line(), error.column()))
                .hint("save one: keyless setup --out FILE")
        })?;
        if saved.api_version != API_VERSION {
            return Err(Error::usage(Code::PlanFile, format!("{name} is a saved plan of another version"))
                .hint(format!("this program reads {API_VERSION}; save the plan again")));
        }
        Ok(saved)
    }

    /// Refuses a plan that differs from the saved one, and names the differences. Reasons may differ: they hold times.
    pub(crate) fn check(&self, target: &Value, plan: &Plan) -> Result<()> {
        let now: Vec<Value> = plan.steps.iter().map(|step| compared(json!(step))).collect();
        let saved: Vec<Value> = self.steps.iter().cloned().map(compared).collect();
        let mut differences = Vec::new();
        if self.target != *target {
            differences.push("the cluster or the account is another one".to_owned());
        }
        let only_in = |one: &[Value], other: &[Value], what: &str| -> Vec<String> {
            let new = one.iter().filter(|step| !other.contains(step));
            new.map(|step| format!("{what}: {}", titled(step))).collect()
        };
        differences.extend(only_in(&saved, &now, "in the saved plan only"));
        differences.extend(only_in(&now, &saved, "in the plan of now only"));
        if differences.is_empty() && now != saved {
            differences.push("the order of the steps".to_owned());
        }
        if differences.is_empty() {
            return Ok(());
        }
        let error = Error::failed(Code::PlanChanged, "what is there has changed since the plan was saved");
        let error =
            differences.iter().take(MOST).fold(error, |error, difference| error.caused_by(difference));
        Err(error.hint("nothing was changed; save a new plan, look at it, then apply it"))
    }
}

/// What must be equal: everything but the reason.
fn compared(mut step: Value) -> Value {
    if let Some(step) = step.as_object_mut() {
        step.remove("reason");
    }
    step
}

/// `create ServiceAccount external-secrets/eso`. What comes from the file is redacted where it is shown.
fn titled(step: &Value) -> String {
    let text = |member: &str| step[member].as_str().unwrap_or_default();
    format!("{} {}", text("action"), text("name"))
}

#[cfg(test)]
#[path = "saved_tests.rs"]
mod tests;
