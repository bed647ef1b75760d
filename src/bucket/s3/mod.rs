//! S3, and everything that speaks its protocol.
//!
//! ```text
//! config ──► S3Location, SDK client (over transport) ──► S3: read, write ──► refusal ──► Error
//!              └─ hosts     Amazon's host names             ├─ conditional  writes under a condition
//!                                                           └─ public       bucket, public access block, policy
//! ```

mod conditional;
mod config;
mod credentials;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod hosts;
mod location;
mod policy;
mod public;
mod refusal;
mod transport;

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use aws_sdk_s3::{
    Client,
    primitives::ByteStream,
    types::{Grant, ObjectCannedAcl, Permission, ServerSideEncryption},
};
use url::Url;

use self::{
    conditional::Conditions,
    location::S3Location,
    refusal::{Outcome, Refusal},
};
use super::{
    Bucket, Condition, Expected, KeylessWriter, Kind, Leads, PublicAccess, Settings, Stored, Version,
    WriteError, changed, is_leftover, kind::name_and_prefix, leftover_prefix,
};
use crate::{
    error::{Code, Error, Result},
    http::Http,
    oidc::Document,
    retry::Backoff,
};

pub(crate) use self::{config::aws_chain, refusal::log_in as aws_log_in};

/// The group "everyone" of access control lists.
const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";

pub(super) const KIND: Kind = Kind {
    scheme: "s3",
    form: "s3://NAME[/PREFIX]",
    takes: &["--endpoint", "--region", "--addressing"],
    token_variable: None,
    sends_login: false,
    parse: name_and_prefix,
    connect: |settings, http| {
        Box::pin(async {
            let s3 = S3::connect(settings, &settings.place.name, http).await?;
            Ok(Box::new(s3) as Box<dyn Bucket>)
        })
    },
};

/// What was just changed can take some seconds until it counts.
const LAG: Backoff = Backoff {
    attempts: 4,
    ..Backoff::poll(Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(30))
};

/// A bucket that is talked to by the S3 protocol.
pub(super) struct S3 {
    client: Client,
    http: Http,
    location: S3Location,
    /// The environment names a token service, so that tokens may be exchanged for a store that is not AWS.
    has_sts: bool,
    /// Of the only login that the chain has.
    token_file: Option<PathBuf>,
    /// Learnt from the first writes to a store that is not AWS.
    conditions: Mutex<Conditions>,
    /// What was written is encrypted with a key of AWS's key service, which no anonymous reader can use.
    kms: AtomicBool,
    /// Of what needs a moment to take effect.
    lag: Backoff,
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
        let found = config::find(settings, bucket, http).await?;
        let config::Found { location, client, has_sts, token_file } = found;
        Ok(Self { has_sts, token_file, ..Self::new(location, client, http) })
    }

    fn new(location: S3Location, client: Client, http: &Http) -> Self {
        Self {
            client,
            http: http.clone(),
            location,
            has_sts: false,
            token_file: None,
            conditions: Mutex::new(Conditions::default()),
            kms: AtomicBool::new(false),
            lag: LAG,
        }
    }

    /// `s3://bucket/key`
    fn name(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.location.bucket)
    }

    async fn put(&self, put: Put<'_>, condition: Option<&Precondition>) -> Outcome<()> {
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
        let written = request.send().await?;
        // Elsewhere the store decrypts for anonymous readers as well.
        let kms = matches!(
            written.server_side_encryption,
            Some(ServerSideEncryption::AwsKms | ServerSideEncryption::AwsKmsDsse)
        );
        self.kms.fetch_or(kms && self.location.aws, Ordering::Relaxed);
        Ok(())
    }

    fn conditions(&self) -> Conditions {
        match self.location.aws {
            true => Conditions::KEPT,
            false => *self.conditions.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    fn learn(&self, change: impl FnOnce(&mut Conditions)) {
        let mut known = self.conditions.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut known);
        tracing::info!(conditions = ?*known, "learnt from a write");
    }

    /// Whether an object must be written as public. A write takes an object's access list away, so what it
    /// replaces is asked; on AWS access lists are off.
    async fn is_public_by_acl(&self, name: &str, expected: &Expected) -> Result<bool> {
        if self.location.aws || *expected == Expected::Absent {
            return Ok(false);
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

    fn not_written(&self, key: &str, refusal: Refusal) -> Error {
        refusal.error(&self.location, "s3:PutObject", &format!("writing {}", self.name(key)))
    }

    fn encrypted_with_kms(&self, name: &str) -> Error {
        let bucket = &self.location.bucket;
        Error::failed(
            Code::BucketEncrypted,
            format!("{} is encrypted with SSE-KMS: it cannot be read without credentials", self.name(name)),
        )
        .hint(format!(
            "let the bucket encrypt with SSE-S3 (AES256) by default, remove the object, then publish again: \
             aws s3api put-bucket-encryption --bucket {bucket} --server-side-encryption-configuration \
             '{{\"Rules\":[{{\"ApplyServerSideEncryptionByDefault\":{{\"SSEAlgorithm\":\"AES256\"}}}}]}}'",
        ))
        .hint("or keep the bucket private behind CloudFront with origin access control, which can decrypt, and give --public-url")
    }

    /// Why an object cannot be read. Without the right to list the bucket, what is absent is a `403` as well.
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

    fn leads(&self, url: &Url) -> Leads {
        self.location.leads(url)
    }

    fn token_file(&self) -> Option<PathBuf> {
        self.token_file.clone()
    }

    fn keyless_writer(&self) -> KeylessWriter {
        match (self.location.aws, self.has_sts) {
            (true, _) => KeylessWriter::Through("aws"),
            (false, true) => KeylessWriter::ByHand(
                "the token service at AWS_ENDPOINT_URL_STS: give the role at the store the publisher's subject and the two documents",
            ),
            (false, false) => KeylessWriter::StoredKey,
        }
    }

    fn write_permission(&self) -> Option<&'static str> {
        Some("s3:PutObject")
    }

    async fn read(&self, name: &str) -> Result<Option<Stored>> {
        let answer = match self.client.get_object().bucket(&self.location.bucket).key(name).send().await {
            Ok(answer) => answer,
            Err(error) => return self.not_read(name, error.into()).await,
        };
        let Some(etag) = answer.e_tag else {
            return Err(Error::failed(Code::BucketAnswer, format!("{} has no ETag", self.name(name)))
                .hint("no S3 store answers so: check --endpoint, and any proxy before the store"));
        };
        let (content_type, cache_control) = (answer.content_type, answer.cache_control);
        let body = answer.body.collect().await.map_err(|error| {
            Error::failed(
                Code::BucketUnreachable,
                format!("reading {}: the answer broke off", self.name(name)),
            )
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
        let put = Put {
            key: name,
            body: &document.body,
            content_type: document.content_type,
            cache_control: document.cache_control,
            public: self.is_public_by_acl(name, expected).await?,
        };
        let condition = self.write_if(put, expected).await?;
        match self.kms.load(Ordering::Relaxed) {
            true => Err(self.encrypted_with_kms(name).into()),
            false => Ok(condition),
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

    async fn plan_public<'a>(&'a self, names: &[String]) -> Result<PublicAccess<'a>> {
        public::plan(self, names).await
    }

    async fn leftovers(&self, prefix: &str) -> Vec<(String, Version)> {
        let request = self.client.list_objects_v2().bucket(&self.location.bucket);
        let listed = request.prefix(leftover_prefix(prefix)).max_keys(100).send().await;
        let listed = match listed.map_err(Refusal::from) {
            Ok(listed) => listed,
            Err(refusal) => {
                tracing::info!(answer = refusal.text(), "leftovers cannot be looked for");
                return Vec::new();
            }
        };
        let found = listed.contents.unwrap_or_default().into_iter();
        found
            .filter_map(|object| Some((object.key?, Version(object.e_tag?))))
            .filter(|(name, _)| is_leftover(name, prefix))
            .collect()
    }
}

#[cfg(test)]
mod tests;
