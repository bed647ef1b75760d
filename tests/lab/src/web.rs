//! A plain https server in front of a directory.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hyper::Method;

use crate::ca::Ca;
use crate::clock;
use crate::wire::{Faults, Handler, Reply, Request, Server, percent_decode};

/// A web server for a directory, the front of a `file://` bucket.
///
/// Faithful (to nginx, by its documentation of `default_type`, `add_header` and
/// `return`): GET and HEAD of files, dot folders served, a file without a known extension is
/// `application/octet-stream`, 404 for what is absent, 403 for what cannot be read or is a
/// directory, 405 for other methods.
/// Not faithful: no ranges, no conditional requests, no index pages.
pub struct Web {
    server: Server,
    settings: Arc<Mutex<WebSettings>>,
    faults: Faults,
}

/// How a [`Web`] serves its directory
#[derive(Clone, Default)]
pub struct WebSettings {
    /// `Cache-Control` of every file
    pub cache_control: Option<String>,
    /// `Content-Type` by the end of the path
    pub content_types: BTreeMap<String, String>,
    /// Path → `Location` of a 301
    pub redirects: BTreeMap<String, String>,
}

impl WebSettings {
    /// What the two documents of an issuer need
    pub fn issuer() -> Self {
        let types = [
            ("/.well-known/openid-configuration", "application/json"),
            ("/openid/v1/jwks", "application/jwk-set+json"),
        ];
        Self {
            cache_control: Some("public, max-age=300".into()),
            content_types: types.iter().map(|(path, kind)| ((*path).into(), (*kind).into())).collect(),
            redirects: BTreeMap::new(),
        }
    }
}

impl Web {
    /// Serve `dir` under these names, set up for the two documents of an issuer
    pub fn start(ca: &Ca, names: &[&str], dir: &Path) -> Self {
        let (faults, settings) = (Faults::default(), Arc::new(Mutex::new(WebSettings::issuer())));
        let site = Arc::new(Site { dir: dir.to_owned(), settings: settings.clone() });
        let server = Server::start(Some(ca.certificate(names).server_config()), site, faults.clone());
        Self { server, settings, faults }
    }

    /// Its loopback address
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Change its settings
    pub fn change(&self, change: impl FnOnce(&mut WebSettings)) {
        change(&mut self.settings.lock().expect("settings"));
    }

    /// Its faults and what it was asked
    pub fn faults(&self) -> &Faults {
        &self.faults
    }
}

struct Site {
    dir: PathBuf,
    settings: Arc<Mutex<WebSettings>>,
}

impl Handler for Site {
    fn handle(&self, request: &Request) -> Reply {
        let settings = self.settings.lock().expect("settings").clone();
        let path = percent_decode(&request.path);
        let short =
            |status: u16, text: &str| Reply::new(status, "text/html", format!("<h1>{status} {text}</h1>\n"));
        if let Some(location) = settings.redirects.get(&path) {
            return short(301, "Moved Permanently").with("location", location);
        }
        if request.method != Method::GET && request.method != Method::HEAD {
            return short(405, "Not Allowed");
        }
        if path.split('/').any(|part| part == "..") {
            return short(400, "Bad Request");
        }
        let file = self.dir.join(path.trim_start_matches('/'));
        let body = match fs::read(&file) {
            Ok(body) => body,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return short(404, "Not Found"),
            Err(_) => return short(403, "Forbidden"),
        };
        let mut reply = Reply::new(200, settings.content_type(&path), body);
        if let Ok(modified) = file.metadata().and_then(|metadata| metadata.modified()) {
            reply = reply.with("last-modified", httpdate::fmt_http_date(modified));
        }
        if let Some(cache_control) = &settings.cache_control {
            reply = reply.with("cache-control", cache_control);
        }
        reply.with("date", clock::http_date(clock::now(0)))
    }
}

impl WebSettings {
    fn content_type(&self, path: &str) -> &str {
        let found = self.content_types.iter().find(|(end, _)| path.ends_with(*end));
        found.map_or("application/octet-stream", |(_, kind)| kind)
    }
}
