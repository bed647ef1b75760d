//! The public place that holds the two documents. One file per kind, one trait, one suite of tests.
//!
//! To add a kind: one file or folder with an `impl Bucket` and its [`Kind`], one line in `kind.rs`. The contract suite in
//! `contract.rs` runs on it.

mod azure;
#[cfg(test)]
mod contract;
mod directory;
mod gcs;
mod keyless;
mod kind;
mod s3;

#[cfg(feature = "fuzzing")]
pub(crate) use self::{
    azure::fuzzing as azure_fuzzing, gcs::fuzzing as gcs_fuzzing, s3::fuzzing as s3_fuzzing,
};

use std::{fmt::Display, path::PathBuf};

use async_trait::async_trait;
use url::Url;

pub(crate) use self::{
    keyless::KeylessWriter,
    kind::{Kind, Place},
    s3::{aws_chain, aws_log_in},
};

use crate::{
    error::{Code, Error, Result},
    http::Http,
    oidc::Document,
    plan::{self, Act},
    secret::Secret,
};

/// How the throw-away objects of earlier versions are called, after the documents' prefix; sixteen hex digits
/// follow. This version makes none.
const PROBE: &str = ".keyless-probe-";

/// A store of objects that everyone can read.
///
/// Object names are relative to the bucket's root, e.g. `prod/openid/v1/jwks`.
#[async_trait]
pub(crate) trait Bucket: Display + Send + Sync {
    /// Where the bucket's root is read without credentials, without a trailing slash; `None` when only the owner
    /// knows.
    fn public_url(&self) -> Option<String>;

    /// Where a public URL leads, as its host and path alone tell.
    fn leads(&self, url: &Url) -> Leads;

    /// Whether "there is no such object" is the last word: a disk knows, a store may lag behind.
    fn knows_absence(&self) -> bool {
        false
    }

    /// How a publisher in the cluster writes it without a stored key.
    fn keyless_writer(&self) -> KeylessWriter;

    /// The file with the token that a login here is exchanged for, where no other login is tried: it is the cluster's own, in
    /// the publisher's pod.
    fn token_file(&self) -> Option<PathBuf> {
        None
    }

    /// What it takes to write an object, in the store's own words.
    fn write_permission(&self) -> Option<&'static str> {
        None
    }

    /// The object as the owner sees it, or `None` when there is none.
    async fn read(&self, name: &str) -> Result<Option<Stored>>;

    /// Writes the object whole or not at all, with its content type and cache time, if it is still in the
    /// expected state; otherwise [`WriteError::Conflict`]. Where a store ignores conditions, the answer says so.
    async fn write(
        &self,
        name: &str,
        document: &Document,
        expected: &Expected,
    ) -> Result<Condition, WriteError>;

    /// Removes the object if it is still this very one; one that is gone already is no error.
    async fn remove(&self, name: &str, version: &Version) -> Result<()>;

    /// Whether this program made the bucket, by a mark that it left on it.
    async fn is_ours(&self) -> Result<bool>;

    /// Removes the bucket, if it is ours and nothing is left in it; `false`: something is left in it.
    async fn remove_bucket(&self) -> Result<bool>;

    /// What it takes to make the bucket where it is missing, and exactly these objects readable by everyone.
    /// Changes nothing.
    async fn plan_public<'a>(&'a self, names: &[String]) -> Result<PublicAccess<'a>>;

    /// What interrupted runs of earlier versions left beside the documents with this prefix (`""` or `a/b`).
    /// Empty as well when it cannot be looked at.
    async fn leftovers(&self, prefix: &str) -> Vec<(String, Version)> {
        let _ = prefix;
        Vec::new()
    }
}

/// One change of the bucket, or of who may read it.
pub(crate) type Change<'a> = plan::Change<Box<dyn Act + 'a>>;

/// What is missing until everyone can read the documents.
#[derive(Default)]
pub(crate) struct PublicAccess<'a> {
    /// Before the documents are written.
    pub(crate) create: Vec<Change<'a>>,
    /// After that, and after the issuer was seen to lead here.
    pub(crate) open: Vec<Change<'a>>,
}

/// Where a public URL leads, as its host and path alone tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Leads {
    /// To this name in the bucket, `""` for its root.
    Here(String),
    /// Not to this bucket.
    Elsewhere { why: String, remedy: String },
    /// The host is none of the store's. It may be a domain that shows the bucket.
    Unknown,
}

/// An object as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) body: Vec<u8>,
    /// `None` where the store keeps none (a directory): the web server before it decides.
    pub(crate) content_type: Option<String>,
    /// As above.
    pub(crate) cache_control: Option<String>,
    pub(crate) version: Version,
}

/// What a store calls this very state of an object: an ETag, a generation, a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version(pub(crate) String);

/// The state in which an object must be for a write to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// There is no such object.
    Absent,
    /// It is this very one.
    Present(Version),
}

impl Expected {
    /// The state that was read.
    pub(crate) fn of(stored: Option<&Stored>) -> Self {
        stored.map_or(Self::Absent, |stored| Self::Present(stored.version.clone()))
    }
}

/// What became of the condition of a write that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// The store checked it.
    Kept,
    /// The store writes whatever the condition says; only reading back shows who won.
    Ignored,
    /// It could not be found out whether the store checks it.
    Unknown,
}

/// Why nothing was written.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// Another client wrote in between: read again, decide again. The text is the store's message.
    Conflict(String),
    Other(Error),
}

impl From<Error> for WriteError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Which bucket, and how to reach its API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) kind: &'static Kind,
    pub(crate) place: Place,
    /// Base URL of the API; `None` is the public one.
    pub(crate) endpoint: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) addressing: Option<Addressing>,
    /// Where relying parties read the bucket's root, when that is not what the kind of bucket implies.
    pub(crate) public_url: Option<String>,
    /// Google project for a new bucket.
    pub(crate) project: Option<String>,
    /// A short-lived token from the kind's own environment variable, used instead of looking for credentials.
    pub(crate) token: Option<Secret>,
}

impl Settings {
    /// As the settings file names it: its members below `bucket`, in their order there.
    pub(crate) fn to_members(&self) -> [(&'static str, Option<String>); 6] {
        let addressing =
            self.addressing.and_then(|addressing| clap::ValueEnum::to_possible_value(&addressing));
        [
            ("bucket.url", Some(self.kind.url(&self.place))),
            ("bucket.endpoint", self.endpoint.clone()),
            ("bucket.region", self.region.clone()),
            ("bucket.addressing", addressing.map(|addressing| addressing.get_name().to_owned())),
            ("bucket.publicUrl", self.public_url.clone()),
            ("bucket.project", self.project.clone()),
        ]
    }

    /// The bucket of this URL, and nothing else set.
    #[cfg(test)]
    fn of(url: &str) -> Self {
        let (kind, place) = Kind::read(url).expect("the URL of a bucket");
        Self {
            kind,
            place,
            endpoint: None,
            region: None,
            addressing: None,
            public_url: None,
            project: None,
            token: None,
        }
    }
}

/// How a request names its bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Addressing {
    /// `https://endpoint/bucket/key`
    Path,
    /// `https://bucket.endpoint/key`
    Virtual,
}

/// The bucket behind these settings. Nothing is sent to it yet.
pub(crate) async fn connect(settings: &Settings, http: &Http) -> Result<Box<dyn Bucket>> {
    (settings.kind.connect)(settings, http).await
}

/// Whether this is the name of a throw-away object of an earlier version, beside the documents with this prefix.
fn is_leftover(name: &str, prefix: &str) -> bool {
    let rest = match prefix {
        "" => Some(name),
        prefix => name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/')),
    };
    let digits = rest.and_then(|rest| rest.strip_prefix(PROBE));
    digits.is_some_and(|digits| digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// How the names of leftovers begin.
fn leftover_prefix(prefix: &str) -> String {
    if prefix.is_empty() { PROBE.to_owned() } else { format!("{prefix}/{PROBE}") }
}

/// An object that is not the one that was to be removed.
fn changed(name: &str) -> Error {
    Error::failed(Code::BucketChanged, format!("{name} has changed since it was read: it stays"))
        .hint("another client writes it: find out which, then run the command again")
}

/// Sixteen random letters.
fn random() -> Result<String> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| Error::failed(Code::Random, "the operating system gives no random bytes"))?;
    Ok(crate::hex::hex(&bytes))
}
