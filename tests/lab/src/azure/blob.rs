//! Blobs.

use super::error::AzureError;
use super::service::Context;
use super::{AzureBlob, Container, Shared};
use crate::clock;
use crate::wire::{Reply, percent_encode};

impl Context<'_> {
    pub(crate) fn present<'a>(&self, shared: &'a mut Shared) -> Result<&'a mut Container, AzureError> {
        shared.containers.get_mut(&self.container).ok_or_else(AzureError::no_container)
    }

    pub(crate) fn put_blob(&self, shared: &mut Shared) -> Result<Reply, AzureError> {
        self.need(shared, "blobs/write")?;
        let header = |name: &str| self.request.header(name).map(str::to_owned);
        match header("x-ms-blob-type").as_deref() {
            Some("BlockBlob") => {}
            Some(_) => {
                return Err(AzureError::header(
                    "The value for one of the HTTP headers is not in the correct format.",
                ));
            }
            None => {
                let message = "An HTTP header that's mandatory for this request is not specified.";
                return Err(AzureError::new(400, "MissingRequiredHeader", message));
            }
        }
        let etag = shared.etag();
        let container = self.present(shared)?;
        self.check_conditions(container.blobs.get(&self.blob))?;
        let content_type = header("x-ms-blob-content-type").or_else(|| header("content-type"));
        let blob = AzureBlob {
            body: self.request.body.to_vec(),
            content_type: content_type.unwrap_or_else(|| "application/octet-stream".into()),
            cache_control: header("x-ms-blob-cache-control"),
            etag: etag.clone(),
            modified: clock::now(0),
        };
        let modified = clock::http_date(blob.modified);
        container.blobs.insert(self.blob.clone(), blob);
        Ok(Reply::empty(201).with("etag", etag).with("last-modified", modified))
    }

    pub(crate) fn read_blob(&self, shared: &mut Shared) -> Result<Reply, AzureError> {
        let container = self.present(shared)?;
        container.blobs.get(&self.blob).map(AzureBlob::reply).ok_or_else(AzureError::no_blob)
    }

    pub(crate) fn delete_blob(&self, shared: &mut Shared) -> Result<Reply, AzureError> {
        self.need(shared, "blobs/delete")?;
        let container = self.present(shared)?;
        if !container.blobs.contains_key(&self.blob) {
            return Err(AzureError::no_blob());
        }
        self.check_conditions(container.blobs.get(&self.blob))?;
        container.blobs.remove(&self.blob);
        Ok(Reply::empty(202))
    }

    pub(crate) fn list_blobs(&self, shared: &mut Shared) -> Result<Reply, AzureError> {
        let prefix = self.request.query("prefix").unwrap_or_default();
        let container = self.present(shared)?;
        let found = container.blobs.iter().filter(|(name, _)| name.starts_with(&prefix));
        let blobs: String = found
            .map(|(name, blob)| {
                let name = name.replace('&', "&amp;").replace('<', "&lt;");
                format!(
                    "<Blob><Name>{name}</Name><Properties><Etag>{}</Etag><Content-Length>{}</Content-Length>\
                     <BlobType>BlockBlob</BlobType></Properties></Blob>",
                    blob.etag.trim_matches('"'),
                    blob.body.len()
                )
            })
            .collect();
        let body = format!(
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"/\" \
             ContainerName=\"{}\"><Blobs>{blobs}</Blobs><NextMarker /></EnumerationResults>",
            percent_encode(&self.container, "$")
        );
        Ok(Reply::new(200, "application/xml", body))
    }

    /// `If-Match` and `If-None-Match`, as writes are answered
    fn check_conditions(&self, present: Option<&AzureBlob>) -> Result<(), AzureError> {
        let quoted = |etag: &str| etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"');
        if let Some(wanted) = self.request.header("if-match") {
            if wanted != "*" && !quoted(wanted) {
                return Err(AzureError::header(
                    "The value for one of the HTTP headers is not in the correct format.",
                ));
            }
            if present.is_none_or(|blob| wanted != "*" && blob.etag != wanted) {
                return Err(AzureError::condition_not_met());
            }
        }
        match self.request.header("if-none-match") {
            Some("*") if present.is_some() => {
                Err(AzureError::new(409, "BlobAlreadyExists", "The specified blob already exists."))
            }
            Some(other) if other != "*" && present.is_some_and(|blob| blob.etag == other) => {
                Err(AzureError::condition_not_met())
            }
            _ => Ok(()),
        }
    }
}

impl AzureBlob {
    pub(crate) fn reply(&self) -> Reply {
        let reply = Reply::new(200, &self.content_type, self.body.clone())
            .with("etag", self.etag.clone())
            .with("last-modified", clock::http_date(self.modified))
            .with("accept-ranges", "bytes")
            .with("x-ms-blob-type", "BlockBlob");
        match &self.cache_control {
            Some(cache_control) => reply.with("cache-control", cache_control.clone()),
            None => reply,
        }
    }
}
