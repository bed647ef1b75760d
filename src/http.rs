//! The HTTP client: one set of roots, one set of limits, for anonymous reads and for stores alike.

use std::{fmt, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use futures::{
    FutureExt,
    future::{Either, join_all, select},
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::CertificateDer,
};

use crate::{
    arrival::Arrival,
    base_url,
    error::{Code, Error, Result},
    redact,
};

/// The most that is read of a body, if no more is asked for. A key set with a hundred keys of 8192 bit needs 150 KiB.
pub(crate) const MAX_BODY: usize = 1 << 20;

/// From asking for a connection to the last byte of the answer: a server that trickles is cut off as well.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(10);
/// For the connection alone.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// The one library of cryptography for TLS, towards whomever.
pub(crate) fn crypto() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// A client that follows no redirect, reads no more than [`MAX_BODY`] and waits no longer than [`TIME_LIMIT`].
#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: reqwest::Client,
    /// The same without a proxy, for plain http that stays on this machine.
    unproxied: reqwest::Client,
    additional_roots: Vec<CertificateDer<'static>>,
}

/// What came back, whatever its status.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ::http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Http {
    /// Trusts the public roots and, in addition, these certificates. `HTTPS_PROXY` and `NO_PROXY` are honoured.
    pub(crate) fn new(additional_roots: &[CertificateDer<'static>]) -> Result<Self> {
        Self::build(additional_roots, |client| client)
    }

    /// For a server of this machine's own network, such as a metadata service: what it answers is a credential, so no proxy
    /// comes between; and where there is none, that is known after this time.
    pub(crate) fn direct(connect_limit: Duration) -> Result<Self> {
        Self::build(&[], |client| client.no_proxy().connect_timeout(connect_limit))
    }

    fn build(
        additional_roots: &[CertificateDer<'static>],
        change: impl Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Result<Self> {
        let failed = |error: &(dyn std::error::Error + 'static)| {
            Error::failed(Code::HttpClient, "the HTTP client cannot be set up").caused_by_chain(error)
        };
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in additional_roots {
            roots.add(certificate.clone()).map_err(|error| {
                Error::usage(Code::CaFile, "the CA file holds a certificate that cannot be a trust anchor")
                    .caused_by_chain(&error)
                    .hint("--ca-file takes PEM certificates of certificate authorities")
            })?;
        }
        let tls = ClientConfig::builder_with_provider(crypto())
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = || {
            let client = reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(CONNECT_LIMIT)
                .timeout(TIME_LIMIT)
                .user_agent(concat!("keyless/", env!("CARGO_PKG_VERSION")))
                .dns_resolver(Resolver);
            change(client)
        };
        let proxied = client().build().map_err(|error| failed(&error))?;
        let unproxied = client().no_proxy().build().map_err(|error| failed(&error))?;
        Ok(Self { client: proxied, unproxied, additional_roots: additional_roots.to_vec() })
    }

    /// A client that trusts these as well: for a server with an authority of its own, and for nothing else.
    pub(crate) fn trusting(&self, more: &[CertificateDer<'static>]) -> Result<Self> {
        Self::new(&[self.additional_roots.as_slice(), more].concat())
    }

    /// For SDKs that bring their own requests.
    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Asks without any credential, as a relying party does.
    pub(crate) async fn get(&self, url: &str) -> Result<Answer> {
        // `*/*`: the API server answers 406 to `application/json` for its key set.
        let arrival = Arrival::default();
        let request = self.client.get(url).header(::http::header::ACCEPT, "*/*").build();
        let request = request.map_err(|error| in_public(describe(&error, url, &arrival)))?;
        self.exchange(request, url, arrival).await.map_err(in_public)
    }

    /// Sends a request and reads the whole answer, within the limits. `place` names it in an error.
    ///
    /// It carries a login, or asks for one: whatever named the server, a setting, an environment variable that only an SDK
    /// reads, or an answer, it never goes over plain http to another machine. A signed request (SigV4) does not tell the
    /// secret key, and is refused like the others: a session token travels with it as it is, a listener may repeat
    /// the request while the signature is fresh, and an answer may be anybody's.
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder, place: &str) -> Result<Answer> {
        let arrival = Arrival::default();
        let request = request.build().map_err(|error| describe(&error, place, &arrival))?;
        if !base_url::takes_login(request.url()) {
            return Err(unencrypted(place));
        }
        self.exchange(request, place, arrival).await
    }

    /// Opens a connection before it is needed, without any credential. What is answered, and whether, counts only for those
    /// who need it.
    pub(crate) async fn open(&self, base: &str) {
        let Some(url) = url::Url::parse(base).ok().filter(base_url::takes_login) else { return };
        let outcome = self.client_for(&url).head(url).send().await;
        let status = outcome.ok().map(|answer| answer.status().as_u16());
        tracing::info!(base, status, "opened a connection");
    }

    /// Does the work, and opens connections beside it: for requests that it sends at the same time, once it has something
    /// that they take along.
    pub(crate) async fn opening<T>(&self, base: &str, count: usize, work: impl Future<Output = T>) -> T {
        let opened = join_all((0..count).map(|_| self.open(base)));
        meanwhile(opened.map(drop), work).await
    }

    fn client_for(&self, url: &url::Url) -> &reqwest::Client {
        if base_url::is_near(url) { &self.unproxied } else { &self.client }
    }

    async fn exchange(&self, request: reqwest::Request, place: &str, arrival: Arrival) -> Result<Answer> {
        let client = self.client_for(request.url());
        // A server may send back what it was sent.
        redact::remember_request(request.headers(), request.body().and_then(reqwest::Body::as_bytes));
        let answer = client.execute(request).await.map_err(|error| describe(&error, place, &arrival))?;
        arrival.begins(answer.content_length());
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Answer { status, headers, body: read(answer, place, &arrival).await? })
    }
}

/// Does the work, and beside it something that is given up when the work is done.
pub(crate) async fn meanwhile<T>(aside: impl Future<Output = ()>, work: impl Future<Output = T>) -> T {
    match select(pin!(work), pin!(aside)).await {
        Either::Left((done, _)) => done,
        Either::Right(((), work)) => work.await,
    }
}

/// A name that has no address.
#[derive(Debug)]
pub(crate) struct Unresolved {
    pub(crate) host: String,
    source: std::io::Error,
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be resolved", self.host)
    }
}

impl std::error::Error for Unresolved {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Resolves a name by the system. `localhost` is this machine, whatever a name server says (RFC 6761 §6.3): plain http may
/// go there.
pub(crate) async fn resolve(host: &str) -> Result<Vec<SocketAddr>, Unresolved> {
    let fits = |address: &SocketAddr| host != "localhost" || address.ip().is_loopback();
    match tokio::net::lookup_host((host, 0)).await {
        Ok(addresses) => Ok(addresses.filter(fits).collect()),
        Err(source) => Err(Unresolved { host: host.to_owned(), source }),
    }
}

#[derive(Clone, Copy)]
struct Resolver;

impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        Box::pin(async move {
            let addresses = resolve(name.as_str()).await?;
            Ok::<reqwest::dns::Addrs, _>(Box::new(addresses.into_iter()))
        })
    }
}

impl Answer {
    /// For people: ` to https://…` where it redirects, else nothing.
    pub(crate) fn redirect_target(&self) -> String {
        match self.header(::http::header::LOCATION) {
            Some(location) if (300..400).contains(&self.status) => {
                format!(" to {}", redact::message(location))
            }
            _ => String::new(),
        }
    }

    /// Whether nothing is shown here to anonymous readers, by the server's own word: absent, or not public.
    pub(crate) fn shows_nothing(&self) -> bool {
        matches!(self.status, 401 | 403 | 404 | 410) || self.is_of_closed_account()
    }

    /// Whether an Azure storage account lets no anonymous reader see anything, whatever its containers say.
    pub(crate) fn is_of_closed_account(&self) -> bool {
        self.status == 409
            && self.headers.get("x-ms-error-code").is_some_and(|code| code == "PublicAccessNotPermitted")
    }

    /// The text of a header, if there is one.
    pub(crate) fn header(&self, name: ::http::HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Reads a body up to [`MAX_BODY`].
async fn read(mut answer: reqwest::Response, place: &str, arrival: &Arrival) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| describe(&error, place, arrival))? {
        arrival.grows(chunk.len());
        if body.len() + chunk.len() > MAX_BODY {
            return Err(too_large(place));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The refusal of plain http past this machine.
fn unencrypted(place: &str) -> Error {
    Error::usage(Code::BaseUrl, format!("{place} is not asked: a login would travel there unencrypted"))
        .caused_by("the address is http and not on this machine")
        .hint("correct what names this address, to https: a setting, an AWS_ENDPOINT_URL variable, endpoint_url of an AWS profile")
}

/// The refusal of a body beyond [`MAX_BODY`].
pub(crate) fn too_large(place: &str) -> Error {
    Error::failed(Code::BodyTooLarge, format!("{place} answers with more than {} KiB", MAX_BODY / 1024))
        .hint("a document of a cluster has a few KiB: something else is served there")
}

/// The refusal of an answer that took longer than [`TIME_LIMIT`].
fn too_slow(place: &str, arrival: &Arrival) -> Error {
    Error::failed(Code::Timeout, format!("{place} did not answer within {} s", TIME_LIMIT.as_secs()))
        .caused_by(arrival.describe())
        .hint("check the server, and what is before it: a proxy, a firewall, a VPN")
}

/// What keeps one anonymous reader away keeps relying parties away as well.
fn in_public(error: Error) -> Error {
    match error.code {
        Code::Timeout => error.hint("relying parties wait no longer: AWS gives up after 5 s"),
        Code::Tls => {
            error.hint("relying parties accept public certificate authorities only, whatever --ca-file names")
        }
        _ => error,
    }
}

/// An answer that ended before its end.
pub(crate) fn cut(error: &(dyn std::error::Error + 'static), place: &str, arrival: &Arrival) -> Error {
    Error::failed(Code::BodyCut, format!("the answer of {place} ended in the middle"))
        .caused_by(arrival.share())
        .caused_by_chain(error)
        .hint("run it again; if it fails again, check the proxy or load balancer before the server")
}

/// Why a request did not come to an end, as a code that tells name, network, certificate and time apart.
fn describe(error: &reqwest::Error, place: &str, arrival: &Arrival) -> Error {
    if error.is_timeout() && !error.is_connect() {
        too_slow(place, arrival)
    } else if error.is_body() || error.is_decode() {
        cut(source(error), place, arrival)
    } else {
        unreachable(error, place)
    }
}

/// Why no answer came, from any client's error: the certificate, the name, the network.
pub(crate) fn unreachable(error: &(dyn std::error::Error + 'static), place: &str) -> Error {
    let chain: Vec<_> = std::iter::successors(Some(error), |error| error.source()).collect();
    let tls = chain.iter().any(|error| is_tls(*error));
    let unresolved = chain.iter().find_map(|error| error.downcast_ref::<Unresolved>());
    let connect = chain.iter().any(|error| {
        error.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_connect)
            || error
                .downcast_ref::<hyper_util::client::legacy::Error>()
                .is_some_and(hyper_util::client::legacy::Error::is_connect)
    });
    let described = if tls {
        Error::failed(Code::Tls, format!("{place} has no certificate that is trusted here"))
            .hint("for a certificate authority of your own, give --ca-file, or tls.caFile in keyless.yaml")
    } else if let Some(Unresolved { host, .. }) = unresolved {
        Error::failed(Code::Dns, format!("{place}: {host} cannot be resolved"))
            .hint("check the spelling; a new bucket or record can take a minute")
    } else if connect {
        Error::failed(Code::Connect, format!("{place} cannot be reached"))
            .hint("check the address, the firewall, and HTTPS_PROXY if there is one")
    } else {
        Error::failed(Code::Http, format!("{place}: invalid HTTP response"))
            .hint("run it again; if it fails again, check the proxy or load balancer before the server")
    };
    described.caused_by_chain(source(error))
}

/// Whether an error is one of TLS, in as many wrappings of I/O errors as the connectors put around it.
fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>() || inner.is_some_and(|inner| is_tls(inner))
}

/// The errors below the client's own, whose text repeats the URL.
fn source<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    error.source().unwrap_or(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn logins_leave_no_machine_unencrypted() {
        // Nothing listens at a documentation address (RFC 5737): what is not refused would wait.
        let http = Http::new(&[]).unwrap();
        let place = "http://192.0.2.1:9";
        for request in [
            http.client().get(place),
            http.client().get(place).bearer_auth("CANARY"),
            http.client().post(place).body("client_assertion=CANARY"),
            http.client().put(place).header("x-amz-security-token", "CANARY"),
        ] {
            let error = http.send(request, place).await.unwrap_err();
            assert_eq!((error.code, error.kind), (Code::BaseUrl, crate::error::Kind::Usage));
            assert!(error.message.contains(place) && !error.to_string().contains("CANARY"), "{error}");
        }
    }

    #[tokio::test]
    async fn localhost_is_always_this_machine() {
        let addresses = resolve("localhost").await.unwrap();
        assert!(!addresses.is_empty() && addresses.iter().all(|address| address.ip().is_loopback()));
    }
}
