//! Buckets and their IAM policies.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::error::GcsError;
use super::service::Context;
use super::{Bucket, Shared};
use crate::clock;
use crate::wire::Reply;

impl Context<'_> {
    pub(crate) fn create_bucket(&self, shared: &mut Shared) -> Result<Reply, GcsError> {
        if self.request.query("project").is_none_or(|project| project.is_empty()) {
            return Err(GcsError::new(400, "required", "Required parameter: project"));
        }
        self.need("storage.buckets.create")?;
        let wanted = self.json()?;
        let name = wanted["name"].as_str().unwrap_or_default().to_owned();
        if name.len() < 3
            || name.chars().any(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c)))
        {
            return Err(GcsError::new(400, "invalid", format!("Invalid bucket name: '{name}'")));
        }
        if let Some(bucket) = shared.buckets.get(&name) {
            let message = if bucket.own {
                "Your previous request to create the named bucket succeeded and you already own it."
            } else {
                "The requested bucket name is not available. The bucket namespace is shared by all users of the \
                 system. Please select a different name and try again."
            };
            return Err(GcsError::new(409, "conflict", message));
        }
        let bucket = shared.add_bucket(&name, true);
        bucket.uniform = false;
        if let Some(location) = wanted["location"].as_str() {
            bucket.location = location.to_uppercase();
        }
        bucket.configure(&wanted);
        Ok(json_reply(bucket.resource(&name)))
    }

    /// In the order of their names, a page at a time; the token holds the last name of the page
    pub(crate) fn list_buckets(&self, shared: &mut Shared) -> Result<Reply, GcsError> {
        if self.request.query("project").is_none_or(|project| project.is_empty()) {
            return Err(GcsError::new(400, "required", "Required parameter: project"));
        }
        self.need("storage.buckets.list")?;
        let most = self.request.query("maxResults").and_then(|text| text.parse().ok()).unwrap_or(1000);
        let after = self.request.query("pageToken").unwrap_or_default();
        let own = shared.buckets.iter().filter(|(name, bucket)| bucket.own && name.as_str() > after.as_str());
        let all: Vec<_> = own.map(|(name, bucket)| (name.clone(), bucket.resource(name))).collect();
        let page: Vec<_> = all.iter().take(usize::min(most, 1000)).collect();
        let mut body = json!({"kind": "storage#buckets"});
        if !page.is_empty() {
            body["items"] = page.iter().map(|(_, resource)| resource.clone()).collect();
        }
        if page.len() < all.len() {
            body["nextPageToken"] = page.last().map(|(name, _)| name.clone()).into();
        }
        Ok(json_reply(body))
    }

    pub(crate) fn get_bucket(&self, shared: &mut Shared) -> Result<Reply, GcsError> {
        self.need("storage.buckets.get")?;
        Ok(json_reply(self.own_bucket(shared, "storage.buckets.get")?.resource(&self.bucket)))
    }

    pub(crate) fn patch_bucket(&self, shared: &mut Shared) -> Result<Reply, GcsError> {
        self.need("storage.buckets.update")?;
        let wanted = self.json()?;
        let bucket = self.own_bucket(shared, "storage.buckets.update")?;
        bucket.configure(&wanted);
        bucket.metageneration += 1;
        Ok(json_reply(bucket.resource(&self.bucket)))
    }

    pub(crate) fn delete_bucket(&self, shared: &mut Shared) -> Result<Reply, GcsError> {
        self.need("storage.buckets.delete")?;
        if !self.own_bucket(shared, "storage.buckets.delete")?.objects.is_empty() {
            let message = "The bucket you tried to delete is not empty.";
            return Err(GcsError::new(409, "conflict", message));
        }
        shared.buckets.remove(&self.bucket);
        Ok(Reply::empty(204))
    }

    pub(crate) fn get_policy(&self, shared: &mut Shared) -> Result<Reply, GcsError> {
        self.need("storage.buckets.getIamPolicy")?;
        let requested = self.request.query("optionsRequestedPolicyVersion");
        let requested = requested.and_then(|text| text.parse().ok()).unwrap_or(1);
        let bucket = self.own_bucket(shared, "storage.buckets.getIamPolicy")?;
        Ok(json_reply(bucket.policy(&self.bucket, requested)))
    }

    pub(crate) fn set_policy(&self, shared: &mut Shared) -> Result<Reply, GcsError> {
        self.need("storage.buckets.setIamPolicy")?;
        let wanted = self.json()?;
        let prevented = {
            let bucket = self.own_bucket(shared, "storage.buckets.setIamPolicy")?;
            // Bytes in JSON: both alphabets of base64 are read (https://protobuf.dev/programming-guides/json/). gcloud
            // sends the one for URLs.
            let etag = wanted["etag"].as_str().map(|etag| etag.replace('-', "+").replace('_', "/"));
            if etag.is_some_and(|etag| etag != bucket.policy_etag()) {
                return Err(GcsError::condition_not_met(
                    "At least one of the pre-conditions you specified did not hold.",
                ));
            }
            bucket.check(&wanted)?;
            shared.buckets.get(&self.bucket).is_some_and(|bucket| shared.prevents_public_access(bucket))
        };
        let bindings = wanted["bindings"].as_array().cloned().unwrap_or_default();
        let members = bindings.iter().filter_map(|binding| binding["members"].as_array()).flatten();
        let public = members.clone().any(|member| member == "allUsers" || member == "allAuthenticatedUsers");
        if public && prevented {
            return Err(GcsError::condition_not_met(
                "The member bindings allUsers and allAuthenticatedUsers are not allowed since public access \
                 prevention is enforced.",
            ));
        }
        let etag = shared.next();
        let bucket = self.own_bucket(shared, "storage.buckets.setIamPolicy")?;
        (bucket.bindings, bucket.iam_etag) = (Value::Array(bindings), etag);
        Ok(json_reply(bucket.policy(&self.bucket, 3)))
    }

    /// The bucket, if it is of the caller's project
    pub(crate) fn own_bucket<'a>(
        &self,
        shared: &'a mut Shared,
        permission: &str,
    ) -> Result<&'a mut Bucket, GcsError> {
        let bucket = shared.buckets.get_mut(&self.bucket).ok_or_else(GcsError::no_such_bucket)?;
        if bucket.own {
            return Ok(bucket);
        }
        let what = if self.object.is_empty() { "bucket" } else { "object" };
        Err(GcsError::forbidden(super::EMAIL, permission, what))
    }

    pub(crate) fn json(&self) -> Result<Value, GcsError> {
        serde_json::from_slice(&self.request.body)
            .map_err(|_| GcsError::new(400, "parseError", "Parse Error"))
    }
}

impl Bucket {
    fn configure(&mut self, wanted: &Value) {
        let iam = &wanted["iamConfiguration"];
        if let Some(uniform) = iam["uniformBucketLevelAccess"]["enabled"].as_bool() {
            self.uniform = uniform;
        }
        if let Some(prevention) = iam["publicAccessPrevention"].as_str() {
            self.public_access_prevention = prevention.to_owned();
        }
    }

    fn resource(&self, name: &str) -> Value {
        let created = clock::rfc3339(self.created);
        json!({
            "kind": "storage#bucket", "id": name, "name": name, "projectNumber": "123456789012",
            "metageneration": self.metageneration.to_string(), "location": self.location,
            "storageClass": "STANDARD", "etag": STANDARD.encode(self.metageneration.to_be_bytes()),
            "timeCreated": created, "updated": created,
            "iamConfiguration": {
                "uniformBucketLevelAccess": {"enabled": self.uniform},
                "publicAccessPrevention": self.public_access_prevention,
            },
        })
    }

    fn policy(&self, name: &str, requested: u64) -> Value {
        let (version, bindings) = self.shown_bindings(requested);
        json!({
            "kind": "storage#policy", "resourceId": format!("projects/_/buckets/{name}"), "version": version,
            "etag": self.policy_etag(), "bindings": bindings,
        })
    }

    fn policy_etag(&self) -> String {
        STANDARD.encode(self.iam_etag.to_be_bytes())
    }
}

pub(crate) fn json_reply(body: Value) -> Reply {
    Reply::new(200, "application/json; charset=UTF-8", body.to_string())
}
