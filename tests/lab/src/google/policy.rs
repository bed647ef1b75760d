//! IAM policies: read-modify-write with etags, roles, and what they grant.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::error::{Code, GoogleError, Result};
use super::roles;
use super::state::{State, effective, project};

/// The policy of one resource with what it was before
pub(crate) struct Policy {
    etag: u64,
    /// Bindings and since when they stand; `None` is since long
    history: Vec<(Option<Instant>, Value)>,
}

impl Policy {
    pub(crate) fn new(etag: u64, bindings: Value) -> Self {
        Self { etag, history: vec![(None, bindings)] }
    }

    /// The bindings as written last
    pub(crate) fn bindings(&self) -> Value {
        self.history.last().map(|(_, bindings)| bindings.clone()).unwrap_or_default()
    }

    /// Whether one of the members has the permission by bindings that have spread
    pub(crate) fn grants(&self, permission: &str, members: &[String], propagation: Duration) -> bool {
        let spread = self.history.iter().rev().find(|(since, _)| effective(*since, propagation));
        let Some((_, Value::Array(bindings))) = spread else { return false };
        bindings.iter().any(|binding| {
            let listed = |member: &Value| member.as_str().is_some_and(|it| members.iter().any(|me| me == it));
            binding["condition"].is_null()
                && roles::has(binding["role"].as_str().unwrap_or_default(), permission)
                && binding["members"].as_array().is_some_and(|members| members.iter().any(listed))
        })
    }

    fn shown(&self, requested: u64) -> Value {
        let bindings = self.bindings();
        let conditional = has_conditions(&bindings);
        let mut shown = json!({"etag": etag(self.etag)});
        // Whatever version a writer sent, the version is that of the bindings that are there; an empty policy has none.
        if bindings.as_array().is_some_and(|bindings| !bindings.is_empty()) {
            shown["bindings"] = bindings;
            shown["version"] = json!(if conditional && requested >= 3 { 3 } else { 1 });
        }
        if conditional && requested < 3 {
            without_conditions(&mut shown["bindings"]);
        }
        shown
    }
}

impl State {
    /// `getIamPolicy`
    pub(crate) fn get_policy(&mut self, resource: &str, requested: u64) -> Value {
        self.policy(resource).shown(requested)
    }

    /// `setIamPolicy`
    pub(crate) fn set_policy(&mut self, resource: &str, body: &Value) -> Result<Value> {
        let policy = &body["policy"];
        if !policy.is_object() {
            return Err(GoogleError::invalid("The policy is missing."));
        }
        let bindings = if policy["bindings"].is_null() { json!([]) } else { policy["bindings"].clone() };
        self.check(&bindings)?;
        if has_conditions(&bindings) && policy["version"] != 3 {
            return Err(GoogleError::invalid(
                "Policies with conditions must have version 3. Please see \
                 https://cloud.google.com/iam/help/conditions/policies.",
            ));
        }
        if self.conflicts > 0 {
            self.conflicts -= 1;
            self.policy(resource).etag = self.next();
        }
        let have = etag(self.policy(resource).etag);
        // Bytes in JSON: both alphabets of base64 are read (https://protobuf.dev/programming-guides/json/).
        let same = |given: &str| given.replace('-', "+").replace('_', "/") == have;
        if let Some(given) = policy["etag"].as_str().filter(|given| !given.is_empty() && !same(given)) {
            return Err(GoogleError::new(
                Code::Aborted,
                format!(
                    "There were concurrent policy changes. Please retry the whole read-modify-write with \
                     exponential backoff. The request's ETag '{given}' did not match the current policy's \
                     ETag '{have}'."
                ),
            ));
        }
        let number = self.next();
        let policy = self.policy(resource);
        policy.etag = number;
        policy.history.push((Some(Instant::now()), tidy(&bindings)));
        Ok(policy.shown(3))
    }

    fn policy(&mut self, resource: &str) -> &mut Policy {
        if !self.policies.contains_key(resource) {
            self.preset(resource, json!([]));
        }
        self.policies.get_mut(resource).expect("the policy just made")
    }

    fn check(&self, bindings: &Value) -> Result<()> {
        let Value::Array(bindings) = bindings else {
            return Err(GoogleError::invalid("Invalid value at 'policy.bindings'"));
        };
        for binding in bindings {
            let role = binding["role"].as_str().unwrap_or_default();
            if !roles::known(role) {
                return Err(GoogleError::invalid(format!("Role {role} is not supported for this resource.")));
            }
            let members = binding["members"].as_array().cloned().unwrap_or_default();
            for member in members.iter().map(|member| member.as_str().unwrap_or_default()) {
                self.check_member(member)?;
            }
        }
        Ok(())
    }

    /// The form of a member; whether a workload identity can exist is not looked at
    fn check_member(&self, member: &str) -> Result<()> {
        let (kind, rest) = member.split_once(':').unwrap_or((member, ""));
        let principal = |prefix: &str| {
            rest.strip_prefix("//iam.googleapis.com/projects/").is_some_and(|rest| {
                let parts: Vec<&str> = rest.splitn(6, '/').collect();
                parts.len() == 6
                    && parts[1..4] == ["locations", "global", "workloadIdentityPools"]
                    && (parts[5].starts_with(prefix) || prefix.is_empty())
            })
        };
        let right = match kind {
            "user" | "group" | "domain" => !rest.is_empty(),
            "allUsers" | "allAuthenticatedUsers" => rest.is_empty(),
            "projectOwner" | "projectEditor" | "projectViewer" => !rest.is_empty(),
            "principal" => principal("subject/"),
            "principalSet" => principal(""),
            "serviceAccount" if self.accounts.contains_key(rest) => true,
            "serviceAccount" => {
                return Err(GoogleError::invalid(format!("Service account {rest} does not exist.")));
            }
            _ => false,
        };
        if !right {
            return Err(GoogleError::invalid(format!(
                "Invalid member: {member}. The member is of an unknown type. Please set a valid type prefix for the member."
            )));
        }
        let foreign = !matches!(kind, "user" | "group" | "domain" | "serviceAccount");
        if self.settings.members_restricted && foreign {
            return Err(GoogleError::organisation(
                "One or more users named in the policy do not belong to a permitted customer.",
                "constraints/iam.allowedPolicyMemberDomains",
                &format!("orgpolicy:{}", project()),
                &format!("User {member} is not in permitted organization."),
            ));
        }
        Ok(())
    }
}

/// Bindings of one role and condition made one, empty ones dropped, as the service keeps them
fn tidy(bindings: &Value) -> Value {
    let mut kept: Vec<Value> = Vec::new();
    for binding in bindings.as_array().into_iter().flatten() {
        let members = binding["members"].as_array().cloned().unwrap_or_default();
        if members.is_empty() {
            continue;
        }
        let same = |other: &&mut Value| {
            other["role"] == binding["role"] && other["condition"] == binding["condition"]
        };
        let mut all = members;
        match kept.iter_mut().find(same) {
            Some(other) => {
                all.extend(other["members"].as_array().cloned().unwrap_or_default());
                other["members"] = sorted(all);
            }
            None => {
                let mut binding = binding.clone();
                binding["members"] = sorted(all);
                kept.push(binding);
            }
        }
    }
    json!(kept)
}

fn sorted(mut members: Vec<Value>) -> Value {
    members.sort_by_key(ToString::to_string);
    members.dedup();
    json!(members)
}

fn has_conditions(bindings: &Value) -> bool {
    bindings.as_array().is_some_and(|bindings| bindings.iter().any(|it| !it["condition"].is_null()))
}

/// What a reader sees who did not ask for version 3
fn without_conditions(bindings: &mut Value) {
    for binding in bindings.as_array_mut().into_iter().flatten().filter(|it| !it["condition"].is_null()) {
        let role = binding["role"].as_str().unwrap_or_default().to_owned();
        binding["role"] = json!(format!("{role}_withcond_00000000000000000000"));
        if let Some(binding) = binding.as_object_mut() {
            binding.remove("condition");
        }
    }
}

fn etag(number: u64) -> String {
    STANDARD.encode([b"BwX".as_slice(), &number.to_be_bytes()].concat())
}
