//! Who asks: the credential of every request, and whom it acts as.

use std::{
    fs,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use kube::client::Body;
use tower::{BoxError, Service};

use super::{exec::Plugin, proxy::Proxies, server::ServerUrl};
use crate::{
    redact,
    secret::{Secret, is_header_safe},
};

/// What is put into `Authorization`.
pub(super) enum Login {
    /// Nothing: the connection itself proves who asks, or there is no TLS.
    Nothing,
    /// The same for every request.
    Fixed(HeaderValue),
    /// A file that another program renews. The last token that it had is used where it cannot be read.
    File { path: PathBuf, last: Mutex<Option<HeaderValue>> },
    /// A plugin's token, renewed when the API server does not accept it any more.
    Plugin(Box<Plugin>),
}

/// `Basic`, RFC 7617. `None`: a header cannot hold it.
pub(super) fn basic(user: &str, password: &Secret) -> Option<HeaderValue> {
    sensitive(&format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose()))))
}

/// `Bearer`, RFC 6750. `None`: a header cannot hold it, e.g. because of a line break, or would hold something that is no
/// token. Blanks at its end are not part of a header's value (RFC 9110 §5.5).
pub(super) fn bearer(token: &Secret) -> Option<HeaderValue> {
    let token = token.expose();
    is_header_safe(token.trim_matches(' ')).then(|| sensitive(&format!("Bearer {token}"))).flatten()
}

fn sensitive(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The token in a file, without blanks around it, as kubelet and editors leave them. `None`: it is empty, or a header
/// cannot hold it.
pub(super) fn token_in(content: &str) -> Option<Secret> {
    let token = content.trim();
    (!token.is_empty()).then(|| Secret::new(token.to_owned()))
}

impl Login {
    fn header(&self) -> Option<HeaderValue> {
        match self {
            Self::Nothing => None,
            Self::Fixed(header) => Some(header.clone()),
            Self::File { path, last } => {
                let read = fs::read_to_string(path).ok();
                let token = read.as_deref().map(str::trim).filter(|token| !token.is_empty());
                let fresh = token.and_then(|token| bearer(&Secret::passing(token.to_owned())));
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if fresh.is_some() {
                    last.clone_from(&fresh);
                }
                last.clone()
            }
            Self::Plugin(plugin) => plugin.header(),
        }
    }
}

/// What every request carries, and where it may go.
pub(super) struct Identity {
    pub(super) login: Login,
    /// `Impersonate-…`.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) server: ServerUrl,
    /// Whether certificates are verified. If not, only the kubeconfig's own address is given the credential.
    pub(super) verifies: bool,
    pub(super) proxies: Arc<Proxies>,
}

/// Puts the credential into requests.
#[derive(Clone)]
pub(super) struct Authorize<S> {
    inner: S,
    identity: Arc<Identity>,
}

/// A request to an address that must not learn the credential.
#[derive(Debug)]
pub(super) struct Unverified;

impl std::fmt::Display for Unverified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("its certificate would not be verified, so it is not given the credential")
    }
}

impl std::error::Error for Unverified {}

impl<S> Authorize<S> {
    pub(super) fn new(inner: S, identity: Identity) -> Self {
        Self { inner, identity: Arc::new(identity) }
    }
}

impl Identity {
    fn prepare(&self, request: &mut Request<Body>) -> Result<(), BoxError> {
        let uri = request.uri();
        let is_own = self.server.is(uri);
        let secure = uri.scheme() == Some(&http::uri::Scheme::HTTPS);
        if !is_own && (!secure || !self.verifies) {
            return Err(Unverified.into());
        }
        let proxy = match (secure, uri.host()) {
            // A tunnel has its own; a plain request tells the proxy itself.
            (false, Some(host)) => self.proxies.to(false, unbracketed(host), uri.port_u16().unwrap_or(80))?,
            _ => None,
        };
        let proxy = proxy.and_then(|proxy| proxy.authorization());
        let headers = request.headers_mut();
        if let Some(authorization) = self.login.header() {
            redact::remember_header(&authorization);
            headers.insert(header::AUTHORIZATION, authorization);
        }
        if let Some(authorization) = proxy {
            redact::remember_header(&authorization);
            headers.insert(header::PROXY_AUTHORIZATION, authorization);
        }
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        Ok(())
    }
}

/// `[::1]` → `::1`.
pub(super) fn unbracketed(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

impl<S, B> Service<Request<Body>> for Authorize<S>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Send,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (mut inner, identity) = (self.inner.clone(), self.identity.clone());
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let again = match &identity.login {
                Login::Plugin(plugin) => body.try_clone().map(|body| (plugin, plugin.generation(), body)),
                _ => None,
            };
            let mut request = Request::from_parts(parts.clone(), body);
            identity.prepare(&mut request)?;
            let answer = inner.call(request).await.map_err(Into::into)?;
            let Some((plugin, generation, body)) = again else { return Ok(answer) };
            if answer.status() != StatusCode::UNAUTHORIZED || plugin.renew(generation).await.is_err() {
                return Ok(answer);
            }
            let mut request = Request::from_parts(parts, body);
            identity.prepare(&mut request)?;
            inner.call(request).await.map_err(Into::into)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_file_is_reread_and_trimmed() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("token");
        let login = Login::File { path: path.clone(), last: Mutex::new(None) };
        assert_eq!(login.header(), None);
        for (content, wanted) in [
            ("one\n", Some("Bearer one")),
            ("  two \r\n\n", Some("Bearer two")),
            // Neither an empty file nor one that no header can hold takes the token away.
            ("", Some("Bearer two")),
            ("thr\nee", Some("Bearer two")),
        ] {
            fs::write(&path, content).unwrap();
            let header = login.header();
            assert_eq!(header.as_ref().map(|it| it.to_str().unwrap()), wanted, "{content:?}");
            assert!(header.is_none_or(|header| header.is_sensitive()));
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(login.header().unwrap(), "Bearer two");
    }

    #[test]
    fn header_refuses_what_it_cannot_hold() {
        for wrong in ["a\nb", "a\r", "\u{0}", "aä", "a b", "a\tb", "\u{7f}", " ", ""] {
            assert!(bearer(&Secret::new(wrong.into())).is_none(), "{wrong:?}");
        }
        assert_eq!(basic("u", &Secret::new("p:ä\n".into())).unwrap(), "Basic dTpwOsOkCg==");
    }
}
