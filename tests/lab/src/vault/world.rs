//! How the server reads from issuers.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Certificate, Client, Url};
use serde_json::Value;

use crate::ca::Ca;
use crate::wire::runtime;

/// Its names, and the public trust anchors
#[derive(Clone)]
pub(crate) struct World {
    names: Arc<Mutex<BTreeMap<String, SocketAddr>>>,
    public: String,
}

/// No issuer may keep the server longer
const PATIENCE: Duration = Duration::from_secs(5);

impl World {
    pub(crate) fn new(ca: &Ca) -> Self {
        Self { names: Arc::default(), public: ca.pem().to_owned() }
    }

    pub(crate) fn tell(&self, name: &str, to: SocketAddr) {
        self.names.lock().expect("names").insert(name.to_lowercase(), to);
    }

    /// Whether this is a list of certificates
    pub(crate) fn is_ca(pem: &str) -> bool {
        Certificate::from_pem_bundle(pem.as_bytes()).is_ok_and(|all| !all.is_empty())
    }

    /// A JSON document, or what went wrong, worded after Go's `net/http`
    pub(crate) fn get(&self, url: &str, ca: &str, public: bool) -> Result<Value, String> {
        let host = Url::parse(url).ok().and_then(|url| url.domain().map(str::to_lowercase));
        let told =
            |host: &String| host == "localhost" || self.names.lock().expect("names").contains_key(host);
        if let Some(host) = host.filter(|host| !told(host)) {
            return Err(format!("Get {url:?}: dial tcp: lookup {host}: no such host"));
        }
        let client = self.client(ca, public).ok_or("could not parse CA PEM value successfully")?;
        let read = async move {
            let answer = client.get(url).send().await.map_err(|error| failure(url, &error))?;
            let status = answer.status();
            let body = answer.bytes().await.map_err(|error| failure(url, &error))?;
            if status != 200 {
                return Err(format!("{status}: {}", String::from_utf8_lossy(&body)));
            }
            serde_json::from_slice(&body).map_err(|error| format!("failed to decode: {error}"))
        };
        // The handler is called from a task of the lab's runtime, which must go on meanwhile: the
        // issuer may be another far side of the same process.
        tokio::task::block_in_place(|| runtime().block_on(read))
    }

    fn client(&self, ca: &str, public: bool) -> Option<Client> {
        // A CA that is given counts alone.
        let pem = match (ca, public) {
            ("", true) => self.public.as_str(),
            ("", false) => "",
            (ca, _) => ca,
        };
        let anchors = Certificate::from_pem_bundle(pem.as_bytes()).ok()?;
        let mut builder = Client::builder().tls_certs_only(anchors).no_proxy().timeout(PATIENCE);
        for (name, addr) in self.names.lock().expect("names").iter() {
            builder = builder.resolve(name, *addr);
        }
        builder.build().ok()
    }
}

fn failure(url: &str, error: &reqwest::Error) -> String {
    let mut innermost: &dyn Error = error;
    let mut words = String::new();
    while let Some(source) = innermost.source() {
        innermost = source;
        words = innermost.to_string();
    }
    // Of two authorities with one name, the key tells that it is the wrong one.
    if words.contains("UnknownIssuer") || words.contains("BadSignature") {
        words = "tls: failed to verify certificate: x509: certificate signed by unknown authority".into();
    }
    if words.contains("onnection refused") {
        let at = Url::parse(url).ok();
        let at = at.and_then(|at| Some(format!("{}:{}", at.host_str()?, at.port_or_known_default()?)));
        words = format!("dial tcp {}: connect: connection refused", at.unwrap_or_default());
    }
    format!("Get {url:?}: {words}")
}
