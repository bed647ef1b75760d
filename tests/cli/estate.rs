//! A cluster whose store still reads with a stored key, beside everything that it needs to become keyless.

use std::process::Command;

use base64::{Engine, engine::general_purpose::STANDARD};
use lab::{EsoStandIn, Google, SigningKey};
use serde_json::{Value, json};

use crate::world::{Ran, World};

const CRDS: &str = include_str!("../lab/fixtures/crds/eso-0.20.4-min.yaml");
/// Everything but the old key's end.
pub(crate) const SETUP: [&str; 4] = ["setup", "--yes", "--watch-for", "0s"];
/// Everything.
pub(crate) const RETIRE: [&str; 5] = ["setup", "--yes", "--watch-for", "0s", "--retire-key"];
pub(crate) const DEFAULT_ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// A cluster whose store reads Google Secret Manager with a stored key; the keys will be uploaded.
pub(crate) struct Estate {
    pub(crate) world: World,
    pub(crate) google: Google,
    pub(crate) key_id: String,
    pub(crate) email: String,
    _eso: EsoStandIn,
}

impl Estate {
    pub(crate) fn new() -> Self {
        Self::with_servers(1)
    }

    /// The same with so many API servers.
    pub(crate) fn with_servers(servers: usize) -> Self {
        let world = World::signing_with(servers, DEFAULT_ISSUER, SigningKey::from_stock());
        let google = Google::start(&world.ca);
        for name in Google::names() {
            world.internet.route(name, google.addr());
        }
        google.add_secret("db", br#"{"password":"hunter2"}"#);
        let email = google.service_account("eso");
        google.grant("secrets/db", "roles/secretmanager.secretAccessor", &format!("serviceAccount:{email}"));
        let key = google.create_key(&email);
        let key_id = key["private_key_id"].as_str().unwrap().to_owned();
        let cluster = &world.cluster;
        cluster.load_crds(CRDS);
        let put = |object: Value| cluster.put_object(object);
        put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}}));
        put(json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "external-secrets", "namespace": "external-secrets"},
            "spec": {"template": {"spec": {"serviceAccountName": "external-secrets", "containers": [
                {"name": "external-secrets", "image": "ghcr.io/external-secrets/external-secrets:v0.20.4", "args": ["--concurrent=1"]}]}}}}));
        put(secret("gcp-key", &key));
        put(store("gcp", "gcp-key"));
        put(json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "metadata": {"name": "db", "namespace": "shop"},
            "spec": {"refreshInterval": "1s", "secretStoreRef": {"name": "gcp", "kind": "ClusterSecretStore"},
                "target": {"name": "db"},
                "data": [{"secretKey": "password", "remoteRef": {"key": "db", "property": "password"}}]}}));
        // What the operator gets is not the point here: tests/real has the real one. A store that names a
        // Secret that is gone does not get anything.
        let eso = EsoStandIn::start(cluster, |store, key| {
            let providers = store["spec"]["provider"].as_object();
            let login = providers.and_then(|providers| providers.values().next()?["auth"].as_object());
            let ways = login.map_or(0, |ways| ways.len());
            match (ways, key) {
                (1, "") => Ok(Vec::new()),
                (1, _) => Ok(br#"{"password":"hunter2"}"#.to_vec()),
                _ => Err(format!("{ways} ways to log in")),
            }
        });
        Self { world, google, key_id, email, _eso: eso }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.world.command(arguments);
        command.env("GOOGLE_OAUTH_ACCESS_TOKEN", self.google.token()).args(["--ca-file", "ca.pem"]);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    pub(crate) fn store(&self) -> Value {
        self.world.cluster.object("external-secrets.io/v1", "ClusterSecretStore", None, "gcp").unwrap()
    }

    /// Writes `keyless.yaml` anew.
    pub(crate) fn settings(&self, settings: &str) {
        let content = format!("apiVersion: keyless/v1\n{settings}\n");
        std::fs::write(self.world.dir.path().join("keyless.yaml"), content).unwrap();
    }

    /// `None` once the key is deleted.
    pub(crate) fn key_disabled(&self) -> Option<bool> {
        self.google
            .keys(&self.email)
            .into_iter()
            .find(|(id, _)| *id == self.key_id)
            .map(|(_, disabled)| disabled)
    }

    pub(crate) fn secret_is_there(&self) -> bool {
        self.world.cluster.object("v1", "Secret", Some("external-secrets"), "gcp-key").is_some()
    }
}

/// A Secret that holds a service-account key.
pub(crate) fn secret(name: &str, key: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": name, "namespace": "external-secrets"},
        "data": {"key.json": STANDARD.encode(key.to_string())}})
}

/// A ClusterSecretStore that logs in with the key in a Secret.
pub(crate) fn store(name: &str, secret: &str) -> Value {
    json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": {"name": name},
        "spec": {"conditions": [{"namespaces": ["shop"]}], "provider": {"gcpsm": {"projectID": "acme-prod", "auth": {"secretRef": {
            "secretAccessKeySecretRef": {"name": secret, "namespace": "external-secrets", "key": "key.json"}}}}}}})
}
