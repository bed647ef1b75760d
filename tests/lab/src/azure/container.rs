//! Containers, who may read them, and the properties of the service.

use super::error::AzureError;
use super::service::Context;
use super::{Container, Shared, WEB};
use crate::clock;
use crate::wire::Reply;

const PUBLIC_ACCESS: &str = "x-ms-blob-public-access";
const SERVICE: &str = "Microsoft.Storage/storageAccounts/blobServices";

impl Context<'_> {
    pub(crate) fn create_container(&self, shared: &mut Shared) -> Result<Reply, AzureError> {
        self.need(shared, "write")?;
        let public_access = self.public_access(shared)?;
        if shared.containers.contains_key(&self.container) {
            let message = "The specified container already exists.";
            return Err(AzureError::new(409, "ContainerAlreadyExists", message));
        }
        let metadata =
            self.request.headers.iter().filter(|(name, _)| name.as_str().starts_with("x-ms-meta-"));
        let metadata = metadata
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
            .collect();
        shared.add_container(&self.container, public_access, metadata);
        Ok(self.present(shared)?.reply(201))
    }

    pub(crate) fn get_container(&self, shared: &mut Shared) -> Result<Reply, AzureError> {
        self.need(shared, "read")?;
        let container = self.present(shared)?;
        let reply = container
            .metadata
            .iter()
            .fold(container.reply(200), |reply, (name, value)| reply.with(name, value.clone()));
        Ok(container.with_public_access(reply))
    }

    pub(crate) fn delete_container(&self, shared: &mut Shared) -> Result<Reply, AzureError> {
        self.need(shared, "delete")?;
        self.present(shared)?;
        shared.containers.remove(&self.container);
        Ok(Reply::empty(202))
    }

    pub(crate) fn get_acl(&self, shared: &mut Shared) -> Result<Reply, AzureError> {
        self.need(shared, "getAcl/action")?;
        let container = self.present(shared)?;
        let mut reply = container.reply(200).with("content-type", "application/xml");
        reply.body = format!("\u{feff}{}", container.policies).into();
        Ok(container.with_public_access(reply))
    }

    pub(crate) fn set_acl(&self, shared: &mut Shared) -> Result<Reply, AzureError> {
        self.need(shared, "setAcl/action")?;
        let public_access = self.public_access(shared)?;
        let etag = shared.etag();
        let container = self.present(shared)?;
        let unmodified = self.request.header("if-unmodified-since");
        let unmodified = unmodified.and_then(|date| httpdate::parse_http_date(date).ok());
        let since = |date: std::time::SystemTime| {
            date.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
        };
        if unmodified.is_some_and(|date| since(date) < container.modified) {
            return Err(AzureError::condition_not_met());
        }
        let body = String::from_utf8_lossy(&self.request.body).into_owned();
        if !body.is_empty() && !body.contains("<SignedIdentifiers") {
            return Err(AzureError::new(
                400,
                "InvalidXmlDocument",
                "XML specified is not syntactically valid.",
            ));
        }
        container.policies = if body.is_empty() { super::NO_POLICIES.into() } else { body };
        container.public_access = public_access;
        container.modified = clock::now(0);
        container.etag = etag;
        Ok(container.reply(200))
    }

    pub(crate) fn get_properties(&self, shared: &mut Shared) -> Result<Reply, AzureError> {
        self.need_whole(shared, &format!("{SERVICE}/read"))?;
        let body = format!(
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><StorageServiceProperties><Cors />\
             <StaticWebsite><Enabled>{}</Enabled></StaticWebsite></StorageServiceProperties>",
            shared.website
        );
        Ok(Reply::new(200, "application/xml", body))
    }

    pub(crate) fn set_properties(&self, shared: &mut Shared) -> Result<Reply, AzureError> {
        self.need_whole(shared, &format!("{SERVICE}/write"))?;
        let body = String::from_utf8_lossy(&self.request.body);
        if !body.contains("<StorageServiceProperties>") {
            return Err(AzureError::new(
                400,
                "InvalidXmlDocument",
                "XML specified is not syntactically valid.",
            ));
        }
        if body.contains("<StaticWebsite><Enabled>true</Enabled>") {
            shared.website = true;
            if !shared.containers.contains_key(WEB) {
                shared.add_container(WEB, None, Vec::new());
            }
        }
        Ok(Reply::empty(202))
    }

    /// What the request asks for; the account may not allow it
    fn public_access(&self, shared: &Shared) -> Result<Option<String>, AzureError> {
        match self.request.header(PUBLIC_ACCESS) {
            None => Ok(None),
            Some(_) if !shared.allows_public_access => Err(AzureError::public_access_not_permitted()),
            Some(level @ ("blob" | "container")) => Ok(Some(level.to_owned())),
            Some(_) => {
                Err(AzureError::header("The value for one of the HTTP headers is not in the correct format."))
            }
        }
    }
}

impl Container {
    fn reply(&self, status: u16) -> Reply {
        Reply::empty(status)
            .with("etag", self.etag.clone())
            .with("last-modified", clock::http_date(self.modified))
    }

    fn with_public_access(&self, reply: Reply) -> Reply {
        match &self.public_access {
            Some(level) => reply.with(PUBLIC_ACCESS, level.clone()),
            None => reply,
        }
    }
}
