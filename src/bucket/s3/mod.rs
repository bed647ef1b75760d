//! S3, and everything that speaks its protocol.
//!
//! ```text
//! config ──► S3Location, SDK client (over transport) ──► S3: read, write ──► refusal ──► Error
//!                                                        ├─ probe    what the store makes of conditions
//!                                                        └─ open     bucket, public access block, policy
//! ```

mod config;
mod credentials;
mod location;
mod open;
mod policy;
mod probe;
mod refusal;
mod transport;

use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use aws_sdk_s3::{
    Client,
    primitives::ByteStream,
    types::{Grant, ObjectCannedAcl, Permission},
};

use self::{
    location::S3Location,
    probe::{Support, Verdict},
    refusal::{Outcome, Refusal},
};
use super::{Bucket, Condition, Expected, Settings, Stored, Version, WriteError, changed};
use crate::{
    error::{Error, Result},
    http::Http,
    oidc::Document,
};

/// Audiences of tokens that AWS STS takes: what the SDKs and the webhook of EKS ask for, in all partitions.
pub(crate) const AWS_AUDIENCES: [&str; 2] = ["sts.amazonaws.com*", "https://sts.amazonaws.com*"];

/// The group "everyone" of access control lists.
const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";

/// A bucket that is talked to by the S3 protocol.
pub(super) struct S3 {
    client: Client,
    http: Http,
    location: S3Location,
    /// Found out before the first write to a store that is not AWS.
    verdict: OnceLock<Verdict>,
    /// The store knows no policies: objects are public one by one, each time they are written.
    public_by_acl: AtomicBool,
    /// Between two tries of what needs a moment to take effect.
    pause: Duration,
}

/// One object to be written.
#[derive(Clone, Copy)]
struct Put<'a> {
    key: &'a str,
    body: &'a [u8],
    content_type: &'a str,
    cache_control: &'a str,
    public: bool,
}

/// The state in which an object must be, in the words of the protocol.
enum Precondition {
    Absent,
    Is(String),
}

impl S3 {
    /// Looks for credentials and region; sends nothing to the bucket.
    pub(super) async fn connect(settings: &Settings, bucket: &str, http: &Http) -> Result<Self> {
        let (location, client) = config::find(settings, bucket, http).await?;
        Ok(Self::new(location, client, http))
    }

    fn new(location: S3Location, client: Client, http: &Http) -> Self {
        Self {
            client,
            http: http.clone(),
            location,
            verdict: OnceLock::new(),
            public_by_acl: AtomicBool::new(false),
            pause: Duration::from_secs(1),
        }
    }

    /// `s3://bucket/key`
    fn name(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.location.bucket)
    }

    async fn put(&self, put: Put<'_>, condition: Option<&Precondition>) -> Outcome<Option<String>> {
        let mut request = self
            .client
            .put_object()
            .bucket(&self.location.bucket)
            .key(put.key)
            .content_type(put.content_type)
            .cache_control(put.cache_control)
            .body(ByteStream::from(put.body.to_vec()));
        request = match condition {
            None => request,
            Some(Precondition::Absent) => request.if_none_match("*"),
            Some(Precondition::Is(etag)) => request.if_match(etag),
        };
        if put.public {
            request = request.acl(ObjectCannedAcl::PublicRead);
        }
        Ok(request.send().await?.e_tag)
    }

    /// Deletes a throw-away object. If it stays, it harms nobody.
    async fn discard(&self, key: &str) {
        let deleted = self.client.delete_object().bucket(&self.location.bucket).key(key).send().await;
        if let Err(refusal) = deleted.map_err(Refusal::from) {
            tracing::warn!(
                said = refusal.said(),
                "{} could not be deleted; delete it by hand",
                self.name(key)
            );
        }
    }

    async fn verdict(&self, name: &str, document: &Document) -> Result<Verdict> {
        if self.location.aws {
            return Ok(Verdict::KEPT);
        }
        if let Some(verdict) = self.verdict.get() {
            return Ok(*verdict);
        }
        let prefix = name.strip_suffix(document.path).unwrap_or_default();
        let verdict = probe::run(self, prefix).await?;
        Ok(*self.verdict.get_or_init(|| verdict))
    }

    /// Whether an object must be written as public. A write takes an object's access list away, so what it
    /// replaces is asked; on AWS access lists are off.
    async fn is_public_by_acl(&self, name: &str, expected: &Expected) -> Result<bool> {
        if self.location.aws || self.public_by_acl.load(Ordering::Relaxed) || *expected == Expected::Absent {
            return Ok(!self.location.aws && self.public_by_acl.load(Ordering::Relaxed));
        }
        let asked = self.client.get_object_acl().bucket(&self.location.bucket).key(name).send().await;
        match asked.map_err(Refusal::from) {
            Ok(list) => Ok(list.grants().iter().any(lets_everyone_read)),
            // The store has no such lists, or keeps them from us: then they are not what makes it public.
            Err(refusal) if refusal.status.is_some_and(|status| status < 429 || status == 501) => Ok(false),
            Err(refusal) => {
                let what = format!("reading who may read {}", self.name(name));
                Err(refusal.error(&self.location, "s3:GetObjectAcl", &what))
            }
        }
    }

    /// For stores that do not check: looks first. Somebody can still come in between, so it is said.
    async fn compare_and_put(&self, put: Put<'_>, expected: &Expected) -> Result<Condition, WriteError> {
        let found = self.read(put.key).await?;
        if Expected::of(found.as_ref()) != *expected {
            return Err(WriteError::Conflict(format!("{} has changed", self.name(put.key))));
        }
        self.put(put, None).await.map_err(|refusal| self.not_written(put.key, refusal))?;
        Ok(Condition::Ignored)
    }

    fn not_written(&self, key: &str, refusal: Refusal) -> Error {
        refusal.error(&self.location, "s3:PutObject", &format!("writing {}", self.name(key)))
    }

    /// Why an object cannot be read. Whoever may not list a bucket gets `403` for what is absent, too.
    async fn not_read(&self, key: &str, refusal: Refusal) -> Result<Option<Stored>> {
        let what = format!("reading {}", self.name(key));
        if refusal.is_absent() {
            return Ok(None);
        }
        if !refusal.is_forbidden() {
            return Err(refusal.error(&self.location, "s3:GetObject", &what));
        }
        if refusal.message.contains("s3:ListBucket") {
            // AWS names the right that is missing: it is that of learning that there is no such object.
            return Ok(None);
        }
        let seen = self.client.list_objects_v2().bucket(&self.location.bucket).max_keys(1).send().await;
        let message = match seen.map_err(Refusal::from) {
            Err(seen) if seen.is_forbidden() => format!("{what}: it is absent, or may not be read"),
            Err(seen) => return Err(seen.error(&self.location, "s3:ListBucket", &what)),
            Ok(_) => format!("{what}: it may not be read"),
        };
        let mut error =
            refusal.error(&self.location, "s3:GetObject (and s3:ListBucket, to see what is absent)", &what);
        error.message = message;
        Err(error)
    }
}

fn lets_everyone_read(grant: &Grant) -> bool {
    let everyone = grant.grantee().and_then(|grantee| grantee.uri()) == Some(ALL_USERS);
    everyone && matches!(grant.permission(), Some(Permission::Read | Permission::FullControl))
}

impl fmt::Display for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.location.bucket)
    }
}

#[async_trait]
impl Bucket for S3 {
    fn public_url(&self) -> Option<String> {
        Some(self.location.public_url())
    }

    async fn read(&self, name: &str) -> Result<Option<Stored>> {
        let answer = match self.client.get_object().bucket(&self.location.bucket).key(name).send().await {
            Ok(answer) => answer,
            Err(error) => return self.not_read(name, error.into()).await,
        };
        let Some(etag) = answer.e_tag else {
            return Err(Error::failed("bucket-answer", format!("{} has no ETag", self.name(name)))
                .hint("no S3 store answers so: check --endpoint, and what stands before the store"));
        };
        let (content_type, cache_control) = (answer.content_type, answer.cache_control);
        let body = answer.body.collect().await.map_err(|error| {
            Error::failed("bucket-unreachable", format!("reading {}: the answer broke off", self.name(name)))
                .caused_by_chain(&error)
                .hint("ask again")
        })?;
        Ok(Some(Stored { body: body.to_vec(), content_type, cache_control, version: Version(etag) }))
    }

    async fn write(
        &self,
        name: &str,
        document: &Document,
        expected: &Expected,
    ) -> Result<Condition, WriteError> {
        let verdict = self.verdict(name, document).await?;
        let put = Put {
            key: name,
            body: &document.body,
            content_type: document.content_type,
            cache_control: document.cache_control,
            public: self.is_public_by_acl(name, expected).await?,
        };
        let (support, condition) = match expected {
            Expected::Absent => (verdict.absent, Precondition::Absent),
            Expected::Present(Version(etag)) if verdict.quoted => {
                (verdict.present, Precondition::Is(etag.clone()))
            }
            Expected::Present(Version(etag)) => (verdict.present, Precondition::Is(probe::unquoted(etag))),
        };
        if support == Support::Ignored {
            return self.compare_and_put(put, expected).await;
        }
        let mut outcome = self.put(put, Some(&condition)).await;
        if let (Support::Unknown, Err(refusal), Expected::Present(Version(etag))) =
            (support, &outcome, expected)
            && refusal.status == Some(412)
            && Expected::of(self.read(name).await?.as_ref()) == *expected
        {
            // The state is the expected one, so the store wants its ETag without quotes.
            outcome = self.put(put, Some(&Precondition::Is(probe::unquoted(etag)))).await;
        }
        match outcome {
            Ok(_) if support == Support::Kept => Ok(Condition::Kept),
            Ok(_) => Ok(Condition::Unknown),
            Err(refusal) if refusal.is_conflict() => Err(WriteError::Conflict(refusal.said())),
            Err(refusal) if refusal.is_absent() && *expected != Expected::Absent => {
                Err(WriteError::Conflict(refusal.said()))
            }
            Err(refusal) if support == Support::Unknown && refusal.is_unknown_call() => {
                self.compare_and_put(put, expected).await
            }
            Err(refusal) => Err(self.not_written(name, refusal).into()),
        }
    }

    async fn remove(&self, name: &str, version: &Version) -> Result<()> {
        // Few stores know a condition for deleting, so it is compared first.
        match self.read(name).await? {
            Some(found) if found.version == *version => {}
            Some(_) => return Err(changed(&self.name(name))),
            None => return Ok(()),
        }
        let deleted = self.client.delete_object().bucket(&self.location.bucket).key(name).send().await;
        deleted.map(|_| ()).map_err(|error| {
            Refusal::from(error).error(
                &self.location,
                "s3:DeleteObject",
                &format!("removing {}", self.name(name)),
            )
        })
    }

    async fn is_ours(&self) -> Result<bool> {
        let asked = self.client.get_bucket_policy().bucket(&self.location.bucket).send().await;
        match asked.map_err(Refusal::from) {
            Ok(found) => found.policy.as_deref().map_or(Ok(false), policy::marks_as_ours),
            // No bucket, no policy, no policies at all: then no mark of ours.
            Err(refusal)
                if refusal.is_absent() || refusal.status == Some(404) || refusal.is_unknown_call() =>
            {
                Ok(false)
            }
            Err(refusal) => Err(refusal.error(
                &self.location,
                "s3:GetBucketPolicy",
                &format!("reading the policy of {self}"),
            )),
        }
    }

    async fn remove_bucket(&self) -> Result<bool> {
        let bucket = &self.location.bucket;
        let listed = self.client.list_objects_v2().bucket(bucket).max_keys(1).send().await;
        let left = listed.map_err(|error| {
            Refusal::from(error).error(&self.location, "s3:ListBucket", &format!("listing {self}"))
        })?;
        // Some stores delete a bucket with all that is in it, so it is not left to them.
        if !left.contents().is_empty() {
            return Ok(false);
        }
        let deleted = self.client.delete_bucket().bucket(bucket).send().await;
        deleted.map(|_| true).map_err(|error| {
            Refusal::from(error).error(&self.location, "s3:DeleteBucket", &format!("removing {self}"))
        })
    }

    async fn open(&self, names: &[String]) -> Result<Vec<String>> {
        open::run(self, names).await
    }
}

#[cfg(test)]
mod tests;
