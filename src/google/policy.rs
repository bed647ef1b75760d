//! IAM policies: read at version 3, changed, written back only if no other client wrote in between.

use std::fmt;

use serde_json::{Map, Value, json};

use super::{
    api::Api,
    refusal::{Outcome, Refusal},
    rights::needs,
};
use crate::{
    error::{Code, Error, Result},
    retry::Attempts,
};

/// Something with an IAM policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    kind: Kind,
    /// Without the `:verb`; of a bucket it is that of the policy.
    url: String,
    name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bucket,
    Project,
    Secret,
    ServiceAccount,
}

impl Target {
    /// `base` is the Resource Manager's.
    pub(crate) fn project(base: &str, project: &str) -> Self {
        Self {
            kind: Kind::Project,
            url: format!("{base}/v1/projects/{project}"),
            name: format!("the project {project}"),
        }
    }

    /// `base` is Secret Manager's, `parent` is `projects/P` or `projects/P/locations/L`, and `place` says that for people.
    pub(crate) fn secret(base: &str, parent: &str, secret: &str, place: &str) -> Self {
        Self {
            kind: Kind::Secret,
            url: format!("{base}/v1/{parent}/secrets/{secret}"),
            name: format!("the secret {secret} in {place}"),
        }
    }

    /// `base` is Cloud Storage's.
    pub(crate) fn bucket(base: &str, bucket: &str) -> Self {
        let bucket: String = url::form_urlencoded::byte_serialize(bucket.as_bytes()).collect();
        Self {
            kind: Kind::Bucket,
            url: format!("{base}/storage/v1/b/{bucket}/iam"),
            name: format!("the bucket {bucket}"),
        }
    }

    /// What [`Api::held`] takes. A bucket is asked in another form.
    pub(crate) fn url(&self) -> Option<&str> {
        (self.kind != Kind::Bucket).then_some(self.url.as_str())
    }

    /// `base` is IAM's. The project is the one in the address, where it has one.
    pub(crate) fn service_account(base: &str, email: &str) -> Self {
        let project = email
            .split_once('@')
            .and_then(|(_, host)| host.strip_suffix(".iam.gserviceaccount.com"))
            .filter(|project| !project.contains('.'))
            .unwrap_or("-");
        Self {
            kind: Kind::ServiceAccount,
            url: format!("{base}/v1/projects/{project}/serviceAccounts/{email}"),
            name: format!("the service account {email}"),
        }
    }

    fn permission(&self, verb: &str) -> String {
        let resource = match self.kind {
            Kind::Bucket => "storage.buckets",
            Kind::Project => "resourcemanager.projects",
            Kind::Secret => "secretmanager.secrets",
            Kind::ServiceAccount => "iam.serviceAccounts",
        };
        format!("{resource}.{verb}IamPolicy")
    }

    /// What it takes to change the policy.
    pub(crate) fn needs(&self) -> String {
        needs(&self.permission("set"), &self.name)
    }

    /// The error when the policy could not be read.
    pub(crate) fn not_read(&self, refusal: Refusal) -> Error {
        refusal.error(&format!("reading who may use {self}"), &self.permission("get"), &self.name)
    }

    fn not_written(&self, refusal: Refusal) -> Error {
        refusal.error(&format!("changing who may use {self}"), &self.permission("set"), &self.name)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A policy as it was read: what is not understood stays in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy(Map<String, Value>);

impl Policy {
    pub(crate) fn new(json: Value) -> Self {
        match json {
            Value::Object(map) => Self(map),
            _ => Self::default(),
        }
    }

    /// Whether the member has the role, without any condition.
    pub(crate) fn has(&self, role: &str, member: &str) -> bool {
        self.bindings().any(|binding| is_plain(binding, role) && names(binding, member))
    }

    /// Who has the role without any condition.
    pub(crate) fn members(&self, role: &str) -> impl Iterator<Item = &str> {
        let plain = self.bindings().filter(move |binding| is_plain(binding, role));
        plain.flat_map(|binding| binding["members"].as_array()).flatten().filter_map(Value::as_str)
    }

    /// Whether the member has the role under a condition that only another user can have written.
    pub(crate) fn has_conditionally(&self, role: &str, member: &str) -> bool {
        self.bindings().any(|binding| {
            binding["role"] == role && !binding["condition"].is_null() && names(binding, member)
        })
    }

    /// Whether that changed anything.
    pub(crate) fn grant(&mut self, role: &str, member: &str) -> bool {
        if self.has(role, member) {
            return false;
        }
        let mut bindings = self.take_bindings();
        match bindings.iter_mut().find(|binding| is_plain(binding, role)).map(|found| &mut found["members"]) {
            Some(Value::Array(members)) => members.push(member.into()),
            Some(members) => *members = json!([member]),
            None => bindings.push(json!({"role": role, "members": [member]})),
        }
        self.put_bindings(bindings);
        true
    }

    /// Whether that changed anything. Bindings with a condition stay: they are another user's.
    pub(crate) fn revoke(&mut self, role: &str, member: &str) -> bool {
        if !self.has(role, member) {
            return false;
        }
        let mut bindings = self.take_bindings();
        for binding in bindings.iter_mut().filter(|binding| is_plain(binding, role)) {
            if let Some(members) = binding["members"].as_array_mut() {
                members.retain(|other| !is_member(other, member));
            }
        }
        bindings.retain(|binding| binding["members"].as_array().is_some_and(|members| !members.is_empty()));
        self.put_bindings(bindings);
        true
    }

    fn etag(&self) -> Option<&str> {
        self.0.get("etag").and_then(Value::as_str).filter(|etag| !etag.is_empty())
    }

    pub(super) fn bindings(&self) -> impl Iterator<Item = &Value> {
        self.0.get("bindings").and_then(Value::as_array).into_iter().flatten()
    }

    pub(super) fn take_bindings(&mut self) -> Vec<Value> {
        match self.0.remove("bindings") {
            Some(Value::Array(bindings)) => bindings,
            _ => Vec::new(),
        }
    }

    pub(super) fn put_bindings(&mut self, bindings: Vec<Value>) {
        self.0.insert("bindings".to_owned(), bindings.into());
    }
}

fn is_plain(binding: &Value, role: &str) -> bool {
    binding["role"] == role && binding["condition"].is_null()
}

pub(super) fn names(binding: &Value, member: &str) -> bool {
    binding["members"].as_array().is_some_and(|members| members.iter().any(|other| is_member(other, member)))
}

/// E-mail addresses are kept in lower case; the rest is compared byte for byte.
fn is_member(found: &Value, member: &str) -> bool {
    found.as_str().is_some_and(|found| {
        found == member || (member.starts_with("serviceAccount:") && found.eq_ignore_ascii_case(member))
    })
}

impl Api {
    /// At version 3: an earlier one shows conditional bindings without their conditions.
    pub(crate) async fn policy(&self, target: &Target) -> Outcome<Policy> {
        let url = format!("{}:getIamPolicy", target.url);
        let version = "?options.requestedPolicyVersion=3";
        let json = match target.kind {
            Kind::Bucket => {
                // Another form than everywhere else: no verb, and the policy is the whole body.
                self.get(&format!("{}?optionsRequestedPolicyVersion=3", target.url)).await?
            }
            Kind::Project => {
                self.post(&url, Some(&json!({"options": {"requestedPolicyVersion": 3}}))).await?
            }
            Kind::Secret => self.get(&format!("{url}{version}")).await?,
            Kind::ServiceAccount => self.post(&format!("{url}{version}"), None).await?,
        };
        Ok(Policy::new(json))
    }

    async fn put_policy(&self, target: &Target, policy: Policy) -> Outcome<Value> {
        match target.kind {
            Kind::Bucket => self.put(&target.url, &Value::Object(policy.0)).await,
            Kind::Project | Kind::Secret | Kind::ServiceAccount => {
                let body = json!({ "policy": policy.0 });
                self.post(&format!("{}:setIamPolicy", target.url), Some(&body)).await
            }
        }
    }

    /// Reads, changes and writes until no one else wrote in between; `false`: nothing was to be changed. `seen` is
    /// the policy as it was read before, so that it need not be read again if it has not changed.
    pub(crate) async fn change_policy(
        &self,
        target: &Target,
        mut seen: Option<Policy>,
        change: &(dyn Fn(&mut Policy) -> bool + Sync),
        say: &mut (dyn FnMut(&str) + Send),
    ) -> Result<bool> {
        let mut attempts = Attempts::begin(self.pace.conflict);
        loop {
            let known = seen.take().filter(|policy| policy.etag().is_some());
            let is_fresh = known.is_none();
            let mut policy = match known {
                Some(known) => known,
                None => self.policy(target).await.map_err(|refusal| target.not_read(refusal))?,
            };
            if !change(&mut policy) {
                return Ok(false);
            }
            if policy.etag().is_none() {
                return Err(Error::failed(Code::GoogleAnswer, format!("the policy of {target} has no etag"))
                    .hint(
                        "without one it could overwrite what another client wrote; check google.endpoints",
                    ));
            }
            // Version 3, or conditions would be lost. The etag goes back as it came.
            policy.0.insert("version".to_owned(), 3.into());
            match self.put_policy(target, policy).await {
                Ok(_) => return Ok(true),
                Err(refusal) if refusal.is_conflict() && !is_fresh => attempts.at_once(),
                Err(refusal) if refusal.is_conflict() => {
                    if attempts.attempt() == 3 {
                        say(&format!(
                            "{target}: another client changes its policy at the same time; trying again"
                        ));
                    }
                    if !attempts.pause(refusal.retry_after()).await {
                        break;
                    }
                }
                Err(refusal) => return Err(target.not_written(refusal)),
            }
        }
        let times = attempts.attempt();
        Err(Error::failed(
            Code::GoogleBusy,
            format!("another client keeps changing the IAM policy of {target}"),
        )
        .caused_by(format_args!("{times} times it had changed between reading and writing (409 ABORTED)"))
        .hint("find out who writes it (Terraform, Config Connector, another setup), and start again")
        .hint(format!("the right to do it is {}", target.needs())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "roles/secretmanager.secretAccessor";

    #[test]
    fn bindings_of_others_stay() {
        let others = json!({
            "version": 3, "etag": "e", "auditConfigs": [{"service": "allServices"}],
            "bindings": [
                {"role": ROLE, "members": ["principal://x"], "condition": {"title": "until-2031"}},
                {"role": "roles/viewer", "members": ["user:a@example.com"]},
            ],
        });
        let mut policy = Policy::new(others.clone());
        assert!(!policy.has(ROLE, "principal://x"), "only under a condition");
        assert!(policy.has_conditionally(ROLE, "principal://x"));
        assert!(policy.grant(ROLE, "principal://x"));
        assert!(!policy.grant(ROLE, "principal://x"));
        assert!(policy.grant(ROLE, "principal://y"));
        assert_eq!(policy.0["bindings"][2]["members"], json!(["principal://x", "principal://y"]));
        assert!(policy.revoke(ROLE, "principal://x"));
        assert!(policy.revoke(ROLE, "principal://y"));
        assert!(!policy.revoke(ROLE, "principal://y"));
        assert_eq!(Value::Object(policy.0), others);
    }

    #[test]
    fn invalid_etag_of_policy_is_none() {
        assert_eq!(Policy::new(json!({"etag": "ACAB"})).etag(), Some("ACAB"));
        for json in [json!({}), json!({"etag": ""}), json!({"etag": 1})] {
            assert_eq!(Policy::new(json).etag(), None);
        }
    }

    #[test]
    fn empty_or_odd_policy_takes_grant() {
        for json in [json!({"etag": "e"}), json!({"bindings": null}), json!({"bindings": "x"}), Value::Null] {
            let mut policy = Policy::new(json);
            assert!(policy.grant(ROLE, "m"));
            assert!(policy.has(ROLE, "m"));
        }
    }

    #[test]
    fn projects_of_service_accounts() {
        let url = |email: &str| Target::service_account("b", email).url;
        assert_eq!(
            url("a@acme-prod.iam.gserviceaccount.com"),
            "b/v1/projects/acme-prod/serviceAccounts/a@acme-prod.iam.gserviceaccount.com"
        );
        let standard = "123-compute@developer.gserviceaccount.com";
        assert_eq!(url(standard), format!("b/v1/projects/-/serviceAccounts/{standard}"));
    }
}
