//! From a request to the operation it means, and who may do it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::error::AzureError;
use super::{ACCOUNT, Shared, WEB, container_permission, token};
use crate::clock;
use crate::keys::uuid;
use crate::s3::Access;
use crate::wire::{Handler, Reply, Request, percent_decode};

const STORAGE: [&str; 2] = ["https://storage.azure.com", "https://acmeoidc.blob.core.windows.net"];
/// How far the date of a request may be off
const SKEW: Duration = Duration::from_secs(15 * 60);

#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) shared: Arc<Mutex<Shared>>,
}

impl Handler for Service {
    fn handle(&self, request: &Request) -> Reply {
        let mut shared = self.shared.lock().expect("the store");
        let host = request.host.split(':').next().unwrap_or_default().to_lowercase();
        let loopback = host == "127.0.0.1";
        let reply = if request.path.ends_with("/oauth2/v2.0/token")
            && (loopback || host == "login.microsoftonline.com")
            && request.method == "POST"
        {
            token::token(request, &mut shared)
        } else if loopback && request.path == "/metadata/identity/oauth2/token" {
            token::metadata(request, &mut shared)
        } else if let Some(account) = host.strip_suffix(".z6.web.core.windows.net") {
            website(request, account, &shared)
        } else {
            let path = match host.strip_suffix(".blob.core.windows.net") {
                Some(account) => format!("/{account}{}", request.path),
                None => request.path.clone(),
            };
            storage(request, &path, &mut shared).unwrap_or_else(|error| error.reply())
        };
        reply
            .with("date", clock::http_date(clock::now(0)))
            .with("server", "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0")
            .with("x-ms-request-id", uuid())
            .with("x-ms-version", request.header("x-ms-version").unwrap_or("2009-09-19"))
    }
}

/// An operation with the container and blob that it is about
pub(crate) struct Context<'a> {
    pub(crate) request: &'a Request,
    pub(crate) container: String,
    pub(crate) blob: String,
    /// `None`: everyone
    access: Option<Access>,
}

impl Context<'_> {
    /// Refuses a caller that does not have this permission on containers or blobs
    pub(crate) fn need(&self, shared: &mut Shared, permission: &str) -> Result<(), AzureError> {
        self.need_whole(shared, &container_permission(permission))
    }

    pub(crate) fn need_whole(&self, shared: &mut Shared, permission: &str) -> Result<(), AzureError> {
        let reads =
            |permission: &str| permission.ends_with("/read") || permission.ends_with("/getAcl/action");
        shared.needed.insert(permission.to_owned());
        match &self.access {
            Some(access) if access.permits(permission, reads) => Ok(()),
            Some(_) => Err(AzureError::not_permitted()),
            None => Err(self.anonymous_refusal()),
        }
    }

    /// Newer versions of the API ask everyone for a login, older ones hide what is private
    fn anonymous_refusal(&self) -> AzureError {
        match self.request.header("x-ms-version") {
            Some(_) => AzureError::new(
                401,
                "NoAuthenticationInformation",
                "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.",
            ),
            None => AzureError::no_resource(),
        }
    }
}

fn storage(request: &Request, path: &str, shared: &mut Shared) -> Result<Reply, AzureError> {
    let mut parts = path.trim_start_matches('/').splitn(3, '/');
    let mut part = || percent_decode(parts.next().unwrap_or_default());
    let (account, container, blob) = (part(), part(), part());
    if account != ACCOUNT {
        return Err(AzureError::no_resource());
    }
    let access = access(request, shared)?;
    let context = Context { request, container, blob, access };
    let (method, query) = (request.method.as_str(), |name: &str| request.query(name).unwrap_or_default());
    let (restype, comp) = (query("restype"), query("comp"));
    if context.access.is_none() {
        if context.container == WEB || method != "GET" && method != "HEAD" {
            return Err(context.anonymous_refusal());
        }
        if !shared.allows_public_access {
            return Err(AzureError::public_access_not_permitted());
        }
        let level = shared.containers.get(&context.container).and_then(|it| it.public_access.as_deref());
        let open = match restype.as_str() {
            "" => level.is_some() && !context.blob.is_empty(),
            _ => level == Some("container") && comp == "list",
        };
        if !open {
            return Err(context.anonymous_refusal());
        }
        return if restype.is_empty() { context.read_blob(shared) } else { context.list_blobs(shared) };
    }
    let is_container = !context.container.is_empty() && context.blob.is_empty() && restype == "container";
    let is_service = context.container.is_empty() && restype == "service" && comp == "properties";
    match (method, comp.as_str()) {
        ("GET", _) if is_service => context.get_properties(shared),
        ("PUT", _) if is_service => context.set_properties(shared),
        ("PUT", "") if is_container => context.create_container(shared),
        ("GET" | "HEAD", "") if is_container => context.get_container(shared),
        ("DELETE", "") if is_container => context.delete_container(shared),
        ("GET", "acl") if is_container => context.get_acl(shared),
        ("PUT", "acl") if is_container => context.set_acl(shared),
        ("GET", "list") if is_container => {
            context.need(shared, "blobs/read")?;
            context.list_blobs(shared)
        }
        ("PUT", "") if restype.is_empty() && !context.blob.is_empty() => context.put_blob(shared),
        ("GET" | "HEAD", "") if restype.is_empty() && !context.blob.is_empty() => {
            context.need(shared, "blobs/read")?;
            context.read_blob(shared)
        }
        ("DELETE", "") if restype.is_empty() && !context.blob.is_empty() => context.delete_blob(shared),
        _ => Err(AzureError::new(
            400,
            "InvalidUri",
            "The requested URI does not represent any resource on the server.",
        )),
    }
}

/// What the caller may do; `None`: no credentials
fn access(request: &Request, shared: &Shared) -> Result<Option<Access>, AzureError> {
    let Some(authorization) = request.header("authorization") else { return Ok(None) };
    let Some(bearer) = authorization.strip_prefix("Bearer ") else {
        return Err(AzureError::authentication(
            "Authentication information is not given in the correct format.",
        ));
    };
    // Before this version the service knew no tokens.
    if request.header("x-ms-version").is_none_or(|version| version < "2017-11-09") {
        return Err(AzureError::new(
            403,
            "AuthenticationFailed",
            "Server failed to authenticate the request.",
        ));
    }
    let date = request.header("x-ms-date").or_else(|| request.header("date"));
    let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
    let now = SystemTime::now();
    let off = |date: SystemTime| now.duration_since(date).unwrap_or_else(|ahead| ahead.duration());
    if date.is_none_or(|date| off(date) > SKEW) {
        return Err(AzureError::new(403, "AuthenticationFailed", "Request date header too old, or missing."));
    }
    let Some(token) = shared.tokens.iter().find(|token| token.secret == bearer) else {
        return Err(AzureError::authentication("Signature validation failed."));
    };
    if token.expires <= clock::now(0) {
        return Err(AzureError::authentication("Lifetime validation failed. The token is expired."));
    }
    if !STORAGE.contains(&token.audience.trim_end_matches('/')) {
        return Err(AzureError::authentication("Audience validation failed. Audience did not match."));
    }
    Ok(Some(token.access.clone()))
}

/// A read without credentials at the host of the static website
fn website(request: &Request, account: &str, shared: &Shared) -> Reply {
    let page = |status, code: &str| {
        let page = format!("<!DOCTYPE html><html><body><h1>{code}</h1></body></html>");
        Reply::new(status, "text/html", page).with("x-ms-error-code", code)
    };
    if account != ACCOUNT || !shared.website {
        return page(404, "WebsiteDisabled");
    }
    if request.method != "GET" && request.method != "HEAD" {
        return page(405, "UnsupportedHttpVerb");
    }
    let name = percent_decode(request.path.trim_start_matches('/'));
    match shared.containers.get(WEB).and_then(|web| web.blobs.get(&name)) {
        Some(blob) => blob.reply(),
        None => page(404, "WebContentNotFound"),
    }
}
