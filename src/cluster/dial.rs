//! A connection to an address, through the proxy that leads there.
//!
//! ```text
//!  address ─► proxies (PURE) ─┬─► TCP
//!                             ├─► TCP ─► [TLS] ─► CONNECT       https through http:// and https:// proxies
//!                             ├─► TCP ─► [TLS]                  http through them: the request names the address
//!                             └─► TCP ─► SOCKS 5
//! ```

use std::{
    error, fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
    vec,
};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, ResolveServerName};
use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector, dns::Name, proxy::SocksV5},
    rt::TokioIo,
};
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::{BoxError, Service, ServiceExt, service_fn};

use super::{
    login::unbracketed,
    proxy::{Kind, Proxies, Proxy},
    server::ServerUrl,
};
use crate::http::{Unresolved, resolve};

/// For the kubeconfig's own address, proxy included: the question itself has a few seconds more.
const OWN_LIMIT: Duration = Duration::from_secs(8);
/// For the servers' own addresses: long enough for a far site, short enough for a laptop without a route to them.
const SINGLE_LIMIT: Duration = Duration::from_secs(3);
/// The longest head of a proxy's answer to CONNECT, in bytes.
const MAX_HEAD: usize = 16 << 10;

/// Connects to addresses.
#[derive(Clone)]
pub(super) struct Dialer {
    tcp: HttpConnector<Resolver>,
    proxies: Arc<Proxies>,
    /// For `https://` proxies: as towards the API server, but HTTP/1.1 alone.
    tls: Arc<ClientConfig>,
    names: Arc<dyn ResolveServerName + Send + Sync>,
    server: ServerUrl,
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum DialError {
    /// No server accepted the connection in time.
    Silent(Duration),
    /// It ended at the proxy.
    Proxy { proxy: Box<Proxy>, trouble: ProxyTrouble },
}

/// What the proxy did.
#[derive(Debug)]
pub(super) enum ProxyTrouble {
    /// It cannot be reached itself, or shows no certificate that is trusted.
    Unreachable(BoxError),
    /// It answers with this status instead of a tunnel.
    Status(u16),
    /// It does not speak as a proxy of its kind does.
    Protocol(BoxError),
}

impl Dialer {
    /// `names` tells which name the certificate of an `https://` proxy must carry.
    pub(super) fn new(
        proxies: Arc<Proxies>,
        tls: &ClientConfig,
        names: Arc<dyn ResolveServerName + Send + Sync>,
        server: ServerUrl,
    ) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Resolver);
        tcp.enforce_http(false);
        // A question is written in several small pieces: none may wait until the one before is acknowledged.
        tcp.set_nodelay(true);
        let mut tls = tls.clone();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self { tcp, proxies, tls: Arc::new(tls), names, server }
    }

    async fn dial(self, uri: Uri) -> Result<Stream, BoxError> {
        let secure = uri.scheme() == Some(&http::uri::Scheme::HTTPS);
        let host = unbracketed(uri.host().unwrap_or_default()).to_owned();
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let Some(proxy) = self.proxies.to(secure, &host, port)?.cloned() else {
            return Ok(Stream::new(self.tcp.oneshot(uri).await?));
        };
        let trouble = |trouble| DialError::Proxy { proxy: Box::new(proxy.clone()), trouble };
        let unreachable = |error: BoxError| BoxError::from(trouble(ProxyTrouble::Unreachable(error)));
        let address = proxy.uri().ok_or_else(|| unreachable("it has no address".into()))?;
        let tcp = self.tcp.oneshot(address.clone()).await.map_err(|error| unreachable(error.into()))?;
        if proxy.kind == Kind::Socks5 {
            return socks(&proxy, tcp, &uri, secure)
                .await
                .map(Stream::new)
                .map_err(|error| trouble(ProxyTrouble::Protocol(error)).into());
        }
        let mut stream = Stream::new(tcp);
        if proxy.kind == Kind::Https {
            let ready = single(stream);
            let mut tls = HttpsConnector::new(ready, self.tls, true, self.names);
            stream = Stream::new(tls.call(address).await.map_err(unreachable)?);
        }
        if !secure {
            stream.proxied = true;
            return Ok(stream);
        }
        tunnel(&proxy, stream, &uri, port).await.map_err(|error| trouble(error).into())
    }
}

impl Service<Uri> for Dialer {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let limit = if self.server.is(&uri) { OWN_LIMIT } else { SINGLE_LIMIT };
        let dialing = self.clone().dial(uri);
        Box::pin(async move {
            tokio::time::timeout(limit, dialing)
                .await
                .unwrap_or_else(|_| Err(DialError::Silent(limit).into()))
        })
    }
}

/// A connector that gives away this one connection.
fn single<T: Send + 'static>(
    stream: T,
) -> impl Service<Uri, Response = T, Error = BoxError, Future: Send + 'static> + Send {
    let mut stream = Some(stream);
    service_fn(move |_| {
        let stream = stream.take().ok_or_else(|| BoxError::from("the connection was used already"));
        async move { stream }
    })
}

/// RFC 1928, with user and password by RFC 1929. The proxy resolves names.
async fn socks<T>(proxy: &Proxy, tcp: T, uri: &Uri, secure: bool) -> Result<T, BoxError>
where
    T: Read + Write + Unpin + Send + 'static,
{
    let mut handshake = SocksV5::new(uri.clone(), single(tcp));
    if let Some((user, password)) = &proxy.login {
        handshake = handshake.with_auth(user.clone(), password.expose().to_owned());
    }
    // Without a port it would take that of https.
    let port = if secure { 443 } else { 80 };
    let target = match (uri.port(), uri.host()) {
        (None, Some(host)) => format!("https://{host}:{port}").parse()?,
        _ => uri.clone(),
    };
    handshake.call(target).await.map_err(Into::into)
}

/// CONNECT, RFC 9110 §9.3.6.
async fn tunnel(proxy: &Proxy, stream: Stream, uri: &Uri, port: u16) -> Result<Stream, ProxyTrouble> {
    let protocol = |error: io::Error| ProxyTrouble::Protocol(error.into());
    let target = format!("{}:{port}", uri.host().unwrap_or_default());
    let mut head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
    if let Some(authorization) = proxy.authorization() {
        head.extend([b"Proxy-Authorization: ", authorization.as_bytes(), b"\r\n"].concat());
    }
    head.extend(b"\r\n");
    let mut stream = TokioIo::new(stream);
    stream.write_all(&head).await.map_err(protocol)?;
    stream.flush().await.map_err(protocol)?;
    let mut answer = Vec::new();
    // Byte by byte: what follows the head belongs to the tunnel.
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() > MAX_HEAD {
            return Err(ProxyTrouble::Protocol("its answer is too long".into()));
        }
        answer.push(stream.read_u8().await.map_err(protocol)?);
    }
    match status(&answer) {
        Some(200) => Ok(stream.into_inner()),
        Some(status) => Err(ProxyTrouble::Status(status)),
        None => Err(ProxyTrouble::Protocol("it does not answer in HTTP".into())),
    }
}

/// The status in `HTTP/1.1 200 Connection established…`.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let digits = std::str::from_utf8(rest.get(2..5)?).ok()?;
    let ends = rest.get(5).is_none_or(|byte| *byte == b' ');
    (rest.get(1) == Some(&b' ') && ends).then(|| digits.parse().ok()).flatten()
}

/// Resolves names by the system.
#[derive(Clone)]
pub(super) struct Resolver;

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = Unresolved;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Unresolved>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unresolved>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(async move { resolve(name.as_str()).await.map(Vec::into_iter) })
    }
}

trait Transport: Read + Write + Send {}
impl<T: Read + Write + Send> Transport for T {}

/// A connection, however it came about.
pub(super) struct Stream {
    inner: Pin<Box<dyn Transport>>,
    /// A proxy reads the requests on it.
    proxied: bool,
}

impl Stream {
    fn new(inner: impl Read + Write + Send + 'static) -> Self {
        Self { inner: Box::pin(inner), proxied: false }
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.proxied)
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.inner.as_mut().poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.inner.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.as_mut().poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.inner.as_mut().poll_write_vectored(context, pieces)
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent(limit) => write!(f, "no connection within {} s", limit.as_secs()),
            Self::Proxy { proxy, trouble } => match trouble {
                ProxyTrouble::Unreachable(_) => write!(f, "the proxy {proxy} cannot be reached"),
                ProxyTrouble::Status(status) => write!(f, "the proxy {proxy} answers with status {status}"),
                ProxyTrouble::Protocol(_) => write!(f, "the proxy {proxy} opens no connection"),
            },
        }
    }
}

impl error::Error for DialError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Proxy {
                trouble: ProxyTrouble::Unreachable(error) | ProxyTrouble::Protocol(error), ..
            } => Some(error.as_ref()),
            Self::Silent(_) | Self::Proxy { trouble: ProxyTrouble::Status(_), .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_read_exactly() {
        for (line, wanted) in [
            ("HTTP/1.1 200 Connection established", Some(200)),
            ("HTTP/1.0 407 Proxy Authentication Required", Some(407)),
            ("HTTP/1.1 502", Some(502)),
            ("HTTP/1.1 2000 OK", None),
            ("HTTP/1.1 20", None),
            ("HTTP/2 200 OK", None),
            ("SSH-2.0-OpenSSH_9.6", None),
            ("", None),
        ] {
            assert_eq!(status(format!("{line}\r\n\r\n").as_bytes()), wanted, "{line}");
        }
    }
}
