//! The two documents as the bucket's owner sees them, and writing them.

use super::location::DocumentLocation;
use crate::{
    bucket::{Bucket, Condition, Expected, Stored, WriteError},
    error::{Error, Result},
    oidc::{DISCOVERY_PATH, Discovery, Document, JWKS_PATH, KeySet, KidRule},
};

/// What lies in the bucket now.
#[derive(Clone, Debug)]
pub(crate) struct StoredDocuments {
    pub(crate) jwks: Option<Stored>,
    pub(crate) discovery: Option<Stored>,
    /// The published set; `None` when there is no key set yet.
    pub(crate) keys: Option<KeySet>,
}

impl StoredDocuments {
    /// As in a bucket that is empty, or not there yet.
    pub(crate) fn none() -> Self {
        Self { jwks: None, discovery: None, keys: None }
    }

    /// Reads both at the same time and refuses to go on from what cannot be understood, or is another's.
    pub(crate) async fn read(bucket: &dyn Bucket, place: &DocumentLocation, rule: KidRule) -> Result<Self> {
        let names = (place.object(JWKS_PATH), place.object(DISCOVERY_PATH));
        let (jwks, discovery) = futures::try_join!(bucket.read(&names.0), bucket.read(&names.1))?;
        let keys = match &jwks {
            Some(stored) => {
                let what = format!("the published key set {bucket}/{}", names.0);
                let (keys, _) = KeySet::parse(&stored.body, &what, rule).map_err(|error| {
                    error.hint("it is not overwritten, as somebody may rely on it: look at it, then move it away by hand")
                })?;
                Some(keys)
            }
            None => None,
        };
        if let Some(stored) = &discovery {
            let what = format!("the published discovery document {bucket}/{}", names.1);
            let found = Discovery::parse(&stored.body, &what).map_err(|error| {
                error.hint("it is not overwritten, as somebody may rely on it: look at it, then move it away by hand")
            })?;
            if found.issuer != place.issuer.as_str() {
                return Err(Error::failed("bucket-other-issuer", format!("{what} belongs to another issuer"))
                    .caused_by(format_args!("its issuer is `{}`, not `{}`", found.issuer.escape_debug(), place.issuer))
                    .hint("use a bucket or path of its own for each issuer")
                    .hint("if the old issuer is given up, and no trust names it any more, delete its two documents first"));
            }
        }
        Ok(Self { jwks, discovery, keys })
    }

    /// The documents that differ from these in bytes, content type or cache time; key set first.
    pub(crate) fn pending<'a>(&self, wanted: [&'a Document; 2]) -> Vec<&'a Document> {
        wanted
            .into_iter()
            .filter(|document| !self.of(document).is_some_and(|stored| same(stored, document)))
            .collect()
    }

    /// The stored form of this document.
    pub(crate) fn of(&self, document: &Document) -> Option<&Stored> {
        if document.path == JWKS_PATH { self.jwks.as_ref() } else { self.discovery.as_ref() }
    }
}

/// Writes one document over what was read before.
pub(crate) async fn write(
    bucket: &dyn Bucket,
    place: &DocumentLocation,
    document: &Document,
    before: Option<&Stored>,
) -> Result<Condition, WriteError> {
    let written = bucket.write(&place.object(document.path), document, &Expected::of(before)).await;
    tracing::debug!(
        path = document.path,
        conflict = matches!(written, Err(WriteError::Conflict(_))),
        "written"
    );
    written
}

fn same(stored: &Stored, document: &Document) -> bool {
    // Where the store keeps no headers the web server decides; reading back shows what strangers get.
    let header =
        |stored: &Option<String>, wanted: &str| stored.as_deref().is_none_or(|stored| stored == wanted);
    stored.body == document.body
        && header(&stored.content_type, document.content_type)
        && header(&stored.cache_control, document.cache_control)
}
