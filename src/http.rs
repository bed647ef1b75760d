//! The HTTP client: one set of roots, one set of limits, for strangers' eyes and for stores alike.

use std::{sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::CertificateDer};

use crate::{
    error::{Error, Result},
    oidc::MAX_BODY,
};

/// From asking for a connection to the last byte of the answer: a server that trickles is cut off as well.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(10);
/// For the connection alone.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// A client that follows no redirect, reads no more than [`MAX_BODY`] and waits no longer than [`TIME_LIMIT`].
#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: reqwest::Client,
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
        let failed = |error: &(dyn std::error::Error + 'static)| {
            Error::failed("http-client", "the HTTP client cannot be set up").caused_by_chain(error)
        };
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in additional_roots {
            roots.add(certificate.clone()).map_err(|error| {
                Error::usage("ca-file", "the CA file holds a certificate that cannot be a trust anchor")
                    .caused_by(error)
                    .hint("--ca-file takes PEM certificates of certificate authorities")
            })?;
        }
        let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_LIMIT)
            .timeout(TIME_LIMIT)
            .user_agent(concat!("keyless/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| failed(&error))?;
        Ok(Self { client })
    }

    /// For SDKs that bring their own requests.
    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Asks without any credential, as a stranger does.
    pub(crate) async fn get(&self, url: &str) -> Result<Answer> {
        // `*/*`: the API server answers 406 to `application/json` for its key set.
        self.send(self.client.get(url).header(::http::header::ACCEPT, "*/*"), url).await
    }

    /// Sends a request and reads the whole answer, within the limits. `place` names it in an error.
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder, place: &str) -> Result<Answer> {
        let answer = request.send().await.map_err(|error| describe(&error, place))?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Answer { status, headers, body: read(answer, place).await? })
    }
}

impl Answer {
    /// The text of a header, if there is one.
    pub(crate) fn header(&self, name: ::http::HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Reads a body up to [`MAX_BODY`].
pub(crate) async fn read(mut answer: reqwest::Response, place: &str) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| describe(&error, place))? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(too_large(place));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The refusal of a body beyond [`MAX_BODY`].
pub(crate) fn too_large(place: &str) -> Error {
    Error::failed("body-too-large", format!("{place} answers with more than {} KiB", MAX_BODY / 1024))
        .hint("a document of a cluster has a few KiB: something else is served there")
}

/// Why a request did not come to an end, as a code that tells name, network, certificate and time apart.
pub(crate) fn describe(error: &reqwest::Error, place: &str) -> Error {
    let mut chain: Vec<&(dyn std::error::Error + 'static)> = Vec::new();
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        chain.push(error);
        next = error.source();
    }
    let tls = chain.iter().any(|error| {
        error.is::<rustls::Error>()
            || error
                .downcast_ref::<std::io::Error>()
                .and_then(std::io::Error::get_ref)
                .is_some_and(|inner| inner.is::<rustls::Error>())
    });
    let dns = chain.iter().any(|error| error.to_string().contains("dns error"));
    let said = chain.iter().skip(1).map(ToString::to_string).fold(Vec::<String>::new(), |mut said, text| {
        if !said.iter().any(|above| above.contains(&text)) {
            said.push(text);
        }
        said
    });
    let mut described = if error.is_timeout() {
        Error::failed("timeout", format!("{place} did not answer within {} s", TIME_LIMIT.as_secs()))
            .hint("it is too slow for relying parties as well (AWS waits 5 s); look at the server and at what stands before it")
    } else if tls {
        Error::failed("tls", format!("{place} has no certificate that is trusted here"))
            .hint("strangers accept public certificate authorities only; for one of your own, give --ca-file")
    } else if dns {
        Error::failed("dns", format!("the name in {place} cannot be resolved"))
            .hint("check the spelling; a new bucket or record can take a minute")
    } else if error.is_connect() {
        Error::failed("connect", format!("{place} cannot be reached"))
            .hint("check the address, the firewall, and HTTPS_PROXY if there is one")
    } else if error.is_body() || error.is_decode() {
        Error::failed("body-cut", format!("the answer of {place} ended in the middle"))
            .hint("ask again; if it stays so, look at what stands before the server")
    } else {
        Error::failed("http", format!("{place} did not answer as HTTP asks"))
            .hint("ask again; if it stays so, look at what stands before the server")
    };
    for text in said {
        described = described.caused_by(text);
    }
    described
}
