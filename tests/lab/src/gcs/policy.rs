//! What a bucket's IAM policy gives to its members, and how it is shown and written.

use serde_json::{Value, json};

use super::Bucket;
use super::error::GcsError;
use crate::google::cel::Expression;
use crate::google::roles;

impl Bucket {
    /// Whether one of the members has the permission on a resource of this name
    pub(crate) fn grants(&self, permission: &str, members: &[String], resource: &str) -> bool {
        self.bindings.as_array().is_some_and(|bindings| {
            bindings.iter().any(|binding| {
                let listed = |member: &Value| {
                    member.as_str().is_some_and(|it| it == "allUsers" || members.iter().any(|me| me == it))
                };
                roles::has(binding["role"].as_str().unwrap_or_default(), permission)
                    && binding["members"].as_array().is_some_and(|members| members.iter().any(listed))
                    && holds(&binding["condition"], resource)
            })
        })
    }

    /// Refuses bindings that Google does not keep (IAM conditions on buckets: version 3, uniform access)
    pub(crate) fn check(&self, policy: &Value) -> Result<(), GcsError> {
        let invalid = |message: &str| Err(GcsError::new(400, "invalid", message));
        let bindings = policy["bindings"].as_array().cloned().unwrap_or_default();
        let conditions = || bindings.iter().map(|binding| &binding["condition"]).filter(|it| !it.is_null());
        if conditions().next().is_none() {
            return Ok(());
        }
        if policy["version"] != 3 {
            return invalid("The policy version must be set to 3 if there are conditions in the policy.");
        }
        if !self.uniform {
            return invalid("Uniform bucket-level access must be enabled to use conditions in IAM policies.");
        }
        for condition in conditions() {
            let text = |name: &str| condition[name].as_str().unwrap_or_default();
            let fits = (1..=100).contains(&text("title").chars().count())
                && text("description").chars().count() <= 256
                && Expression::parse(text("expression")).is_ok();
            if !fits {
                return invalid("Invalid condition expression");
            }
        }
        Ok(())
    }

    /// The bindings as a reader of this version sees them
    pub(crate) fn shown_bindings(&self, requested: u64) -> (u64, Value) {
        let mut bindings = self.bindings.clone();
        let is_conditional = |binding: &Value| !binding["condition"].is_null();
        let conditional = bindings.as_array().is_some_and(|all| all.iter().any(is_conditional));
        if !conditional || requested >= 3 {
            return (if conditional { 3 } else { 1 }, bindings);
        }
        for binding in bindings.as_array_mut().into_iter().flatten().filter(|it| is_conditional(it)) {
            let role = binding["role"].as_str().unwrap_or_default();
            binding["role"] = json!(format!("{role}_withcond_00000000000000000000"));
            if let Some(binding) = binding.as_object_mut() {
                binding.remove("condition");
            }
        }
        (1, bindings)
    }
}

/// Whether a condition is met; one that cannot be judged is not
fn holds(condition: &Value, resource: &str) -> bool {
    if condition.is_null() {
        return true;
    }
    let scope = json!({ "resource": { "name": resource, "service": "storage.googleapis.com" } });
    Expression::parse(condition["expression"].as_str().unwrap_or_default())
        .and_then(|expression| expression.value(&scope))
        .is_ok_and(|value| value == true)
}
