//! Azure Blob Storage, by its REST API.
//!
//! ```text
//! azure::Tokens ──► Api ──► Azure: read, write ──► refusal ──► Error
//!  names (addresses)          └─ public  container, its public access, the static website
//! ```

mod api;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod names;
mod public;
mod refusal;
mod rights;

use std::{
    fmt,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use futures::{FutureExt, future::ready};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use url::Url;

use self::{
    api::{Api, Extra, of_the_bucket},
    names::Location,
    refusal::Refusal,
};
use super::{
    Bucket, Condition, Expected, KeylessWriter, Kind, Leads, PublicAccess, Settings, Stored, Version,
    WriteError, changed,
};
use crate::{
    azure::Tokens,
    config,
    error::{Code, Error, Result},
    http::Http,
    oidc::Document,
};

pub(super) const KIND: Kind = Kind {
    scheme: "az",
    form: "az://ACCOUNT/CONTAINER[/PREFIX]",
    takes: &["--endpoint"],
    token_variable: None,
    sends_login: true,
    parse: names::parse,
    connect: |settings, http| {
        let tokens = Tokens::find(http, config::environment).map_err(of_the_bucket);
        let azure = tokens.and_then(|tokens| Azure::new(settings, tokens, http));
        ready(azure.map(|azure| Box::new(azure) as Box<dyn Bucket>)).boxed()
    },
};

/// A container of Azure Blob Storage.
pub(super) struct Azure {
    api: Api,
    location: Location,
    public_url: Option<String>,
}

impl Azure {
    /// Sends nothing.
    fn new(settings: &Settings, tokens: Tokens, http: &Http) -> Result<Self> {
        let location = Location::new(&settings.place.name, settings.endpoint.as_deref())?;
        let stated = settings.public_url.as_deref().map(|url| url.trim_end_matches('/').to_owned());
        let public_url = stated.or_else(|| location.public_url());
        Ok(Self { api: Api::new(http, tokens), location, public_url })
    }

    /// `az://account/container/blob`
    fn name(&self, blob: &str) -> String {
        format!("{self}/{blob}")
    }

    fn error(&self, refusal: Refusal, permission: &str, what: &str) -> Error {
        refusal.error(&self.location, permission, what)
    }
}

impl fmt::Display for Azure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "az://{}/{}", self.location.account, self.location.container)
    }
}

#[async_trait]
impl Bucket for Azure {
    fn public_url(&self) -> Option<String> {
        self.public_url.clone()
    }

    fn leads(&self, url: &Url) -> Leads {
        self.location.leads(url)
    }

    fn keyless_writer(&self) -> KeylessWriter {
        KeylessWriter::ByHand(
            "a managed identity with a federated credential for the publisher's subject, and the role Storage Blob Data \
             Contributor on the container",
        )
    }

    fn token_file(&self) -> Option<PathBuf> {
        self.api.tokens.token_file().map(Path::to_owned)
    }

    fn write_permission(&self) -> Option<&'static str> {
        Some("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write")
    }

    async fn read(&self, name: &str) -> Result<Option<Stored>> {
        let answer = match self.api.get(self.location.url(name, "")).await {
            Ok(answer) => answer,
            Err(refusal) if refusal.is_absent() => return Ok(None),
            Err(refusal) => {
                return Err(self.error(refusal, rights::READ, &format!("reading {}", self.name(name))));
            }
        };
        let text = |header| answer.header(header).map(str::to_owned);
        let Some(version) = text(ETAG).filter(|etag| is_quoted(etag)) else {
            return Err(Error::failed(Code::BucketAnswer, format!("{} has no ETag", self.name(name)))
                .hint("Azure never answers so: check --endpoint, and any proxy before it"));
        };
        Ok(Some(Stored {
            content_type: text(CONTENT_TYPE),
            cache_control: text(CACHE_CONTROL),
            version: Version(version),
            body: answer.body,
        }))
    }

    async fn write(
        &self,
        name: &str,
        document: &Document,
        expected: &Expected,
    ) -> Result<Condition, WriteError> {
        let condition = match expected {
            Expected::Absent => ("if-none-match", "*"),
            // No ETag is like this, so it cannot be the present one.
            Expected::Present(Version(version)) if !is_quoted(version) => {
                return Err(WriteError::Conflict(format!("{} has no state {version}", self.name(name))));
            }
            Expected::Present(Version(version)) => ("if-match", version.as_str()),
        };
        let extra = Extra { body: document.body.clone(), ..Extra::default() }
            .with(condition.0, condition.1)
            .with("x-ms-blob-type", "BlockBlob")
            .with("x-ms-blob-content-type", document.content_type)
            .with("x-ms-blob-cache-control", document.cache_control);
        match self.api.put(self.location.url(name, ""), extra).await {
            Ok(_) => Ok(Condition::Kept),
            Err(refusal) if refusal.is_conflict() => Err(WriteError::Conflict(refusal.summary())),
            Err(refusal) => {
                let what = format!("writing {}", self.name(name));
                Err(self.error(refusal, rights::WRITE, &what).into())
            }
        }
    }

    async fn remove(&self, name: &str, version: &Version) -> Result<()> {
        let extra = Extra::default().with("if-match", &version.0);
        match self.api.delete(self.location.url(name, ""), extra).await {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.is_absent() => Ok(()),
            Err(refusal) if refusal.is_conflict() => Err(changed(&self.name(name))),
            Err(refusal) => {
                Err(self.error(refusal, rights::DELETE, &format!("removing {}", self.name(name))))
            }
        }
    }

    async fn is_ours(&self) -> Result<bool> {
        Ok(public::look(self).await?.is_some_and(|container| container.is_ours))
    }

    async fn remove_bucket(&self) -> Result<bool> {
        public::remove(self).await
    }

    async fn plan_public<'a>(&'a self, names: &[String]) -> Result<PublicAccess<'a>> {
        public::plan(self, names).await
    }
}

/// An ETag as the service writes them (RFC 9110 §8.8.3), and as a header can carry it.
fn is_quoted(etag: &str) -> bool {
    let inside = etag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inside.is_some_and(|inside| {
        !inside.is_empty() && inside.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"')
    })
}

#[cfg(test)]
mod tests;
