//! Google Cloud Storage, by its JSON API.
//!
//! ```text
//! Tokens (given, or found as Google's tools do) ──► Api ──► Gcs: read, write ──► refusal ──► Error
//!                                                              └─ public  bucket, IAM policy
//! ```

mod api;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod public;
mod refusal;

use std::{
    fmt,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use futures::{FutureExt, future::ready};
use http::HeaderName;
use serde_json::{Value, json};
use url::{Host, Url};

use self::{
    api::{Api, SCOPE, of_the_bucket},
    refusal::{Outcome, Refusal},
};
use super::{
    Bucket, Condition, Expected, KeylessWriter, Kind, Leads, PublicAccess, Settings, Stored, Version,
    WriteError, changed, is_leftover, kind::name_and_prefix, leftover_prefix, random,
};
use crate::{
    error::{Code, Error, Result},
    google::{TOKEN_VARIABLE, Tokens},
    http::{Answer, Http},
    oidc::Document,
};

/// Which state of an object an answer shows.
const GENERATION: HeaderName = HeaderName::from_static("x-goog-generation");
/// An object that changes this often while it is read is written by a program in a loop.
const READS: usize = 4;

pub(super) const KIND: Kind = Kind {
    scheme: "gs",
    form: "gs://NAME[/PREFIX]",
    takes: &["--project", "--endpoint"],
    token_variable: Some(TOKEN_VARIABLE),
    sends_login: true,
    parse: name_and_prefix,
    connect: |settings, http| {
        let gcs = Gcs::connect(settings, &settings.place.name, http);
        ready(gcs.map(|gcs| Box::new(gcs) as Box<dyn Bucket>)).boxed()
    },
};

/// A bucket of Google Cloud Storage.
pub(super) struct Gcs {
    api: Api,
    bucket: String,
    public_url: String,
    /// Where a new bucket belongs.
    project: Option<String>,
    /// Where a new bucket lies.
    location: Option<String>,
}

impl Gcs {
    /// Looks for credentials; sends nothing.
    pub(super) fn connect(settings: &Settings, bucket: &str, http: &Http) -> Result<Self> {
        check_name(bucket)?;
        let tokens = Tokens::find(settings.token.as_ref(), SCOPE).map_err(of_the_bucket)?;
        let api = Api::new(http, settings.endpoint.as_deref(), tokens)?;
        Ok(Self::new(api, settings, bucket))
    }

    fn new(api: Api, settings: &Settings, bucket: &str) -> Self {
        let public_url = settings.public_url.as_deref().map(|url| url.trim_end_matches('/').to_owned());
        Self {
            api,
            bucket: bucket.to_owned(),
            public_url: public_url.unwrap_or_else(|| format!("https://storage.googleapis.com/{bucket}")),
            project: settings.project.clone(),
            location: settings.region.clone(),
        }
    }

    /// `gs://bucket/object`
    fn name(&self, object: &str) -> String {
        format!("gs://{}/{object}", self.bucket)
    }

    /// What the API keeps about an object.
    async fn metadata(&self, object: &str) -> Outcome<Value> {
        let answer = self.api.get(self.object_url(object, &[])).await?;
        Ok(serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    async fn content(&self, object: &str, generation: Option<&str>) -> Outcome<Answer> {
        let mut query = vec![("alt", "media")];
        query.extend(generation.map(|generation| ("generation", generation)));
        self.api.get(self.object_url(object, &query)).await
    }

    fn object_url(&self, object: &str, query: &[(&str, &str)]) -> Url {
        self.api.url("storage/v1/b", &[&self.bucket, "o", object], query)
    }

    fn elsewhere(&self, why: String) -> Leads {
        let remedy = format!(
            "name one and the same bucket by --bucket and --issuer; this one is read at https://storage.googleapis.com/{}",
            self.bucket
        );
        Leads::Elsewhere { why, remedy }
    }

    fn not_read(&self, object: &str, refusal: Refusal) -> Error {
        let forbidden = refusal.is_forbidden();
        let what = format!("reading {}", self.name(object));
        let permission = "storage.objects.get (and storage.objects.list, to see what is absent)";
        let mut error = refusal.error(&self.bucket, permission, &what);
        if forbidden && error.code == Code::BucketForbidden {
            error.message = format!("{what}: it is absent, or may not be read");
        }
        error
    }
}

impl fmt::Display for Gcs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gs://{}", self.bucket)
    }
}

#[async_trait]
impl Bucket for Gcs {
    fn public_url(&self) -> Option<String> {
        Some(self.public_url.clone())
    }

    fn token_file(&self) -> Option<PathBuf> {
        self.api.tokens.token_file().map(Path::to_owned)
    }

    fn keyless_writer(&self) -> KeylessWriter {
        match self.api.is_googles() {
            true => KeylessWriter::Through("google"),
            false => KeylessWriter::ByHand("whatever the server at bucket.endpoint trusts"),
        }
    }

    /// <https://cloud.google.com/storage/docs/request-endpoints>
    fn leads(&self, url: &Url) -> Leads {
        let Some(Host::Domain(host)) = url.host() else { return Leads::Unknown };
        let path = url.path().trim_start_matches('/');
        let hosts = ["storage.googleapis.com", "commondatastorage.googleapis.com"];
        let before = hosts.iter().find_map(|own| host.strip_suffix(own));
        let (bucket, name) = match before.map(|before| (before, before.strip_suffix('.'))) {
            Some(("", _)) => path.split_once('/').unwrap_or((path, "")),
            Some((_, Some(bucket))) => (bucket, path),
            Some((_, None)) => return Leads::Unknown,
            None if host == "storage.cloud.google.com" => {
                return self.elsewhere(format!("{host} asks for a Google login"));
            }
            None => return Leads::Unknown,
        };
        match bucket {
            bucket if bucket == self.bucket => Leads::Here(name.to_owned()),
            "" => self.elsewhere(format!("{host} serves many buckets, and the URL names none")),
            bucket => self.elsewhere(format!("on {host} it names the bucket {bucket:?}")),
        }
    }

    fn write_permission(&self) -> Option<&'static str> {
        Some("storage.objects.create and storage.objects.delete")
    }

    /// Asks for metadata and content at the same time, and again if they are not of one state: what the
    /// content's headers say of cache time is not always what is stored.
    async fn read(&self, name: &str) -> Result<Option<Stored>> {
        for _ in 0..READS {
            let (metadata, content) = futures::join!(self.metadata(name), self.content(name, None));
            let metadata = match metadata {
                Ok(metadata) => metadata,
                Err(refusal) if refusal.is_absent() => return Ok(None),
                Err(refusal) => return Err(self.not_read(name, refusal)),
            };
            let Some(generation) = metadata["generation"].as_str() else {
                return Err(Error::failed(
                    Code::BucketAnswer,
                    format!("{} has no generation", self.name(name)),
                )
                .hint("Cloud Storage never answers so: check --endpoint, and any proxy before it"));
            };
            let content = match content {
                Ok(content) if content.header(GENERATION).is_none() => {
                    self.content(name, Some(generation)).await
                }
                content => content,
            };
            let content = match content {
                Ok(content) if content.header(GENERATION).is_none_or(|seen| seen == generation) => content,
                Ok(_) => continue,
                Err(refusal) if refusal.is_absent() => continue,
                Err(refusal) => return Err(self.not_read(name, refusal)),
            };
            let text = |key: &str| metadata[key].as_str().map(str::to_owned);
            return Ok(Some(Stored {
                body: content.body,
                content_type: text("contentType"),
                cache_control: text("cacheControl"),
                version: Version(generation.to_owned()),
            }));
        }
        Err(Error::failed(
            Code::BucketContended,
            format!("{} changes faster than it can be read", self.name(name)),
        )
        .hint("find out who else writes it: one publisher is enough"))
    }

    async fn write(
        &self,
        name: &str,
        document: &Document,
        expected: &Expected,
    ) -> Result<Condition, WriteError> {
        let generation = match expected {
            Expected::Absent => "0",
            // No generation is like this, so it cannot be the present one.
            Expected::Present(Version(version)) if version.parse::<u64>().is_err() => {
                return Err(WriteError::Conflict(format!("{} has no state {version}", self.name(name))));
            }
            Expected::Present(Version(version)) => version,
        };
        let query = [("uploadType", "multipart"), ("ifGenerationMatch", generation)];
        let url = self.api.url("upload/storage/v1/b", &[&self.bucket, "o"], &query);
        let (content_type, body) = multipart(name, document)?;
        match self.api.post(url, &content_type, body).await {
            Ok(_) => Ok(Condition::Kept),
            Err(refusal) if refusal.is_conflict() => Err(WriteError::Conflict(refusal.summary())),
            Err(refusal) => {
                let permission = match expected {
                    Expected::Absent => "storage.objects.create",
                    Expected::Present(_) => "storage.objects.create and storage.objects.delete",
                };
                Err(refusal.error(&self.bucket, permission, &format!("writing {}", self.name(name))).into())
            }
        }
    }

    async fn remove(&self, name: &str, version: &Version) -> Result<()> {
        let url = self.object_url(name, &[("ifGenerationMatch", &version.0)]);
        match self.api.delete(url).await {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.is_absent() => Ok(()),
            Err(refusal) if refusal.is_conflict() => Err(changed(&self.name(name))),
            Err(refusal) => Err(refusal.error(
                &self.bucket,
                "storage.objects.delete",
                &format!("removing {}", self.name(name)),
            )),
        }
    }

    async fn is_ours(&self) -> Result<bool> {
        let url = self.api.url("storage/v1/b", &[&self.bucket], &[]);
        match self.api.get(url).await {
            Ok(answer) => {
                let bucket: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                Ok(bucket["labels"][public::MARK.0] == public::MARK.1)
            }
            Err(refusal) if refusal.status == Some(404) => Ok(false),
            Err(refusal) => {
                Err(refusal.error(&self.bucket, "storage.buckets.get", &format!("looking at {self}")))
            }
        }
    }

    async fn remove_bucket(&self) -> Result<bool> {
        let list = self.api.url("storage/v1/b", &[&self.bucket, "o"], &[("maxResults", "1")]);
        let left = self.api.get(list).await.map_err(|refusal| {
            refusal.error(&self.bucket, "storage.objects.list", &format!("listing {self}"))
        })?;
        let left: Value = serde_json::from_slice(&left.body).unwrap_or_default();
        if left["items"].as_array().is_some_and(|items| !items.is_empty()) {
            return Ok(false);
        }
        match self.api.delete(self.api.url("storage/v1/b", &[&self.bucket], &[])).await {
            Ok(_) => Ok(true),
            Err(refusal) if refusal.status == Some(404) => Ok(true),
            Err(refusal) => {
                Err(refusal.error(&self.bucket, "storage.buckets.delete", &format!("removing {self}")))
            }
        }
    }

    async fn plan_public<'a>(&'a self, names: &[String]) -> Result<PublicAccess<'a>> {
        public::plan(self, names).await
    }

    async fn leftovers(&self, prefix: &str) -> Vec<(String, Version)> {
        let begin = leftover_prefix(prefix);
        let query = [("prefix", begin.as_str()), ("maxResults", "100"), ("fields", "items(name,generation)")];
        let listed = match self.api.get(self.api.url("storage/v1/b", &[&self.bucket, "o"], &query)).await {
            Ok(listed) => listed,
            Err(refusal) => {
                tracing::info!(answer = refusal.summary(), "leftovers cannot be looked for");
                return Vec::new();
            }
        };
        let listed: Value = serde_json::from_slice(&listed.body).unwrap_or_default();
        let items = listed["items"].as_array().into_iter().flatten();
        items
            .filter_map(|item| {
                Some((item["name"].as_str()?.to_owned(), Version(item["generation"].as_str()?.to_owned())))
            })
            .filter(|(name, _)| is_leftover(name, prefix))
            .collect()
    }
}

/// An upload of metadata and content in one request (RFC 2387).
fn multipart(name: &str, document: &Document) -> Result<(String, Vec<u8>)> {
    let boundary = format!("keyless-{}", random()?);
    let metadata = json!({
        "name": name,
        "contentType": document.content_type,
        "cacheControl": document.cache_control,
    });
    let mut body = format!(
        "--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{metadata}\r\n\
         --{boundary}\r\nContent-Type: {}\r\n\r\n",
        document.content_type
    )
    .into_bytes();
    body.extend_from_slice(&document.body);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    Ok((format!("multipart/related; boundary={boundary}"), body))
}

/// <https://cloud.google.com/storage/docs/buckets#naming>
fn check_name(name: &str) -> Result<()> {
    let refused = |why: &str| {
        Err(Error::usage(Code::BucketName, format!("{name:?} cannot be the name of a Google bucket: {why}"))
            .hint(
                "3 to 63 lower-case letters, digits, hyphens and underscores, a letter or digit at both ends",
            ))
    };
    let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let longest = if name.contains('.') { 222 } else { 63 };
    if !(3..=longest).contains(&name.len()) || name.split('.').any(|part| part.is_empty() || part.len() > 63)
    {
        return refused("it, or a part between dots, is too short or too long");
    }
    if !name.chars().all(|c| ends(c) || "-_.".contains(c)) {
        return refused(
            "it has a character that is not a lower-case letter, digit, hyphen, underscore or dot",
        );
    }
    if !name.starts_with(ends) || !name.ends_with(ends) {
        return refused("it does not begin and end with a letter or digit");
    }
    if name.parse::<Ipv4Addr>().is_ok() || name.starts_with("goog") || name.contains("google") {
        return refused("it is an IP address, begins with `goog` or contains `google`");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
