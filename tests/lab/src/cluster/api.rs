//! The requests that one API server answers.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use hyper::Method;
use serde_json::json;

use super::access::{Caller, Right};
use super::objects::{self, Target};
use super::status::{self, Object};
use super::{ClusterSettings, KeyFile, ServerSettings, token};
use crate::clock;
use crate::keys::uuid;
use crate::wire::{Handler, Reply, Request};

const JWKS: &str = "/openid/v1/jwks";
const DISCOVERY: &str = "/.well-known/openid-configuration";
const SLICE: &str = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes";

pub(crate) struct Api {
    pub(crate) number: usize,
    pub(crate) settings: Arc<Mutex<ServerSettings>>,
    pub(crate) shared: Arc<Mutex<ClusterSettings>>,
}

impl Handler for Api {
    fn handle(&self, request: &Request) -> Reply {
        let server = self.settings.lock().expect("settings").clone();
        let mut shared = self.shared.lock().expect("settings");
        let now = clock::now(server.clock_offset);
        let reply = match Caller::of(request, &server, &shared, now) {
            None => status::unauthorized(),
            Some(caller) => self.route(request, &caller, &server, &mut shared, now),
        };
        let cached = reply.headers.iter().any(|(name, _)| name == "cache-control");
        let reply = if cached { reply } else { reply.with("cache-control", "no-cache, private") };
        reply.with("date", clock::http_date(now)).with("audit-id", uuid())
    }

    fn who(&self, request: &Request) -> Option<String> {
        Some(Caller::described(request, &self.shared.lock().expect("settings")))
    }
}

impl Api {
    fn route(
        &self,
        request: &Request,
        caller: &Caller,
        server: &ServerSettings,
        shared: &mut ClusterSettings,
        now: i64,
    ) -> Reply {
        let path = request.path.as_str();
        if let Some(right) = right_of(path) {
            if !caller.may_read(right, path) || caller.denied_path(path) {
                return status::forbidden_path(&caller.name, &request.method, path);
            }
            return match path {
                JWKS => document(request, server, "application/jwk-set+json", key_set(server)),
                DISCOVERY => document(request, server, "application/json", self.discovery(server, shared)),
                "/readyz" => Reply::new(200, "text/plain; charset=utf-8", "ok"),
                _ => version(),
            };
        }
        if path == SLICE {
            return self.endpoint_slice(request, caller, shared);
        }
        if let Some((namespace, name)) = token::target(path) {
            return token::handle(request, caller, (namespace, name), server, shared, now);
        }
        if let Some(reply) = objects::handle(request, caller, shared, now) {
            return reply;
        }
        // The authorizer comes before the router: only who may do everything learns that it is not there.
        if Right::ALL.iter().all(|right| caller.may(*right)) {
            not_found()
        } else {
            status::forbidden_path(&caller.name, &request.method, path)
        }
    }

    fn discovery(&self, server: &ServerSettings, shared: &ClusterSettings) -> String {
        let address = shared.addresses.get(self.number).map(ToString::to_string).unwrap_or_default();
        let jwks_uri = server.jwks_uri.clone().unwrap_or_else(|| format!("https://{address}{JWKS}"));
        let algs: BTreeSet<String> = server
            .key_files
            .iter()
            .filter_map(|file| match file {
                KeyFile::Key(key) => Some(key.alg().to_owned()),
                KeyFile::Raw(jwk) => jwk["alg"].as_str().map(str::to_owned),
            })
            .collect();
        format!(
            r#"{{"issuer":{},"jwks_uri":{},"response_types_supported":["id_token"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":{}}}"#,
            json!(server.issuers.first()),
            json!(jwks_uri),
            json!(algs)
        )
    }

    fn endpoint_slice(&self, request: &Request, caller: &Caller, shared: &ClusterSettings) -> Reply {
        let slice = Object {
            group: "discovery.k8s.io",
            resource: "endpointslices",
            namespace: "default",
            name: "kubernetes",
        };
        let verb = verb(&request.method);
        let target = Target::of(SLICE).unwrap_or_default();
        if verb != "get" || !caller.may_or_can(Right::EndpointSlices, &verb, &target) {
            return slice.forbidden(&caller.name, &verb, "endpointslices");
        }
        if !shared.endpoint_slice {
            return slice.not_found();
        }
        let addresses = shared.advertised.as_ref().unwrap_or(&shared.addresses);
        let endpoints: Vec<_> = addresses
            .iter()
            .map(|addr| json!({"addresses": [addr.ip().to_string()], "conditions": {"ready": true}}))
            .collect();
        let port = addresses.first().map_or(443, |addr| addr.port());
        let body = json!({
            "kind": "EndpointSlice",
            "apiVersion": "discovery.k8s.io/v1",
            "metadata": {
                "name": "kubernetes", "namespace": "default",
                "labels": {"kubernetes.io/service-name": "kubernetes"},
            },
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
        });
        Reply::json(200, &body)
    }
}

/// What reads a path that is no resource
pub(crate) fn right_of(path: &str) -> Option<Right> {
    match path {
        JWKS => Some(Right::Jwks),
        DISCOVERY => Some(Right::Discovery),
        "/version" | "/version/" | "/readyz" => Some(Right::Version),
        _ => None,
    }
}

/// RBAC's verb for a request on a named object
pub(crate) fn verb(method: &Method) -> String {
    match *method {
        Method::POST => "create".into(),
        Method::PUT => "update".into(),
        Method::HEAD => "get".into(),
        ref other => other.as_str().to_lowercase(),
    }
}

fn key_set(server: &ServerSettings) -> String {
    let keys: Vec<String> = server
        .key_files
        .iter()
        .map(|file| match file {
            KeyFile::Key(key) => key.jwk_text(),
            KeyFile::Raw(jwk) => jwk.to_string(),
        })
        .collect();
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

fn document(request: &Request, server: &ServerSettings, content_type: &str, body: String) -> Reply {
    let issuer = server.issuers.first().map(String::as_str).unwrap_or_default();
    if !issuer.starts_with("https://") || issuer.contains(['?', '#']) {
        // The routes were never installed: "Could not construct pre-rendered responses".
        return not_found();
    }
    if request.method != Method::GET {
        return status::method_not_allowed();
    }
    // go-restful compares whole media types, so `application/*` matches nothing.
    let mut accepted = request.header("accept").unwrap_or("*/*").split(',');
    if !accepted.any(
        |part| matches!(part.split(';').next().map(str::trim), Some(t) if t == "*/*" || t == content_type),
    ) {
        return status::not_acceptable(content_type);
    }
    Reply::new(200, content_type, body).with("cache-control", format!("public, max-age={}", server.max_age))
}

pub(crate) fn not_found() -> Reply {
    Reply::new(404, "text/plain; charset=utf-8", "404 page not found\n")
        .with("x-content-type-options", "nosniff")
}

fn version() -> Reply {
    Reply::json(
        200,
        &json!({
            "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36",
            "minCompatibilityMajor": "1", "minCompatibilityMinor": "35", "gitVersion": "v1.36.3",
            "gitCommit": "", "gitTreeState": "", "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": "go1.26.8", "compiler": "gc", "platform": "linux/amd64",
        }),
    )
}
