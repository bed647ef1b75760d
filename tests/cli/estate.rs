//! A cluster whose store still reads with a stored key, beside everything that it needs to become keyless.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use lab::{Cluster, EsoStandIn, Google, SigningKey};
use serde_json::{Value, json};

use crate::world::{CRDS, PATIENCE, Ran, World};

const ESO: &str = "external-secrets.io/v1";
/// Everything but the old key's end.
pub(crate) const SETUP: [&str; 4] = ["setup", "--yes", "--watch-for", "0s"];
/// Everything.
pub(crate) const RETIRE: [&str; 5] = ["setup", "--yes", "--watch-for", "0s", "--retire-key"];
pub(crate) const DEFAULT_ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// A cluster whose store reads Google Secret Manager with a stored key; the keys will be uploaded.
pub(crate) struct Estate {
    pub(crate) world: World,
    pub(crate) google: Arc<Google>,
    pub(crate) key_id: String,
    pub(crate) email: String,
    /// The test wrote the settings file, and is the user: `setup` is told its name.
    names_settings: AtomicBool,
    _eso: EsoStandIn,
}

impl Estate {
    pub(crate) fn new() -> Self {
        Self::with_servers(1)
    }

    /// The same with so many API servers.
    pub(crate) fn with_servers(servers: usize) -> Self {
        let world = World::signing_with(servers, DEFAULT_ISSUER, SigningKey::from_stock());
        let google = Arc::new(Google::start(&world.ca));
        for name in Google::names() {
            world.internet.route(name, google.addr());
        }
        google.add_secret("db", br#"{"password":"hunter2"}"#);
        let email = google.service_account("eso");
        google.grant("secrets/db", "roles/secretmanager.secretAccessor", &format!("serviceAccount:{email}"));
        let key = google.create_key(&email);
        let key_id = key["private_key_id"].as_str().unwrap().to_owned();
        let cluster = &world.cluster;
        put_operator(cluster);
        let put = |object: Value| cluster.put_object(object);
        put(secret("gcp-key", &key));
        put(store("gcp", "gcp-key"));
        put(json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "metadata": {"name": "db", "namespace": "shop"},
            "spec": {"refreshInterval": "1s", "secretStoreRef": {"name": "gcp", "kind": "ClusterSecretStore"},
                "target": {"name": "db"},
                "data": [{"secretKey": "password", "remoteRef": {"key": "db", "property": "password"}}]}}));
        // What the operator gets is not the point here: tests/real has the real one. A store that names a
        // Secret that is gone does not get anything, and Google has no secrets of certain names.
        let secrets = google.clone();
        let eso = EsoStandIn::start(cluster, move |store, key| {
            let providers = store["spec"]["provider"].as_object();
            let login = providers.and_then(|providers| providers.values().next()?["auth"].as_object());
            // This one names its login beside the place.
            let azure = &store["spec"]["provider"]["azurekv"]["serviceAccountRef"];
            let ways = login.map_or(usize::from(azure.is_object()), |ways| ways.len());
            match (ways, key) {
                (1, "") => Ok(Vec::new()),
                (1, key) if key.starts_with("unreadable") => Err(format!("{key} cannot be read")),
                (1, key) => {
                    let gcpsm = &store["spec"]["provider"]["gcpsm"];
                    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
                    if gcpsm.is_object() && (key.len() > 255 || !key.bytes().all(plain)) {
                        return Err(format!("{key} cannot be the name of a secret"));
                    }
                    let place = gcpsm["location"].as_str().map(|it| format!("{it}/")).unwrap_or_default();
                    match secrets.secret(&format!("{place}{key}")).filter(|_| gcpsm.is_object()) {
                        Some(payload) => Ok(payload),
                        None if key.starts_with("gone") => Err(format!("there is no {key}")),
                        None => Ok(br#"{"password":"hunter2"}"#.to_vec()),
                    }
                }
                _ => Err(format!("{ways} ways to log in")),
            }
        });
        let names_settings = AtomicBool::new(false);
        let estate = Self { world, google, key_id, email, names_settings, _eso: eso };
        estate.until_read("shop", "db");
        estate
    }

    /// From here on the operator writes nothing for this ExternalSecret that two runs could see differently.
    pub(crate) fn reads_hourly(&self, namespace: &str, name: &str) {
        let cluster = &self.world.cluster;
        let user = || cluster.object(ESO, "ExternalSecret", Some(namespace), name).unwrap();
        let mut hourly = user();
        let before = hourly["status"]["syncedResourceVersion"].clone();
        hourly["spec"]["refreshInterval"] = json!("1h");
        cluster.put_object(hourly);
        let end = Instant::now() + PATIENCE;
        while user()["status"]["syncedResourceVersion"] == before {
            assert!(Instant::now() < end, "{:#}", user());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the operator has read for this ExternalSecret.
    pub(crate) fn until_read(&self, namespace: &str, name: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            let user = self.world.cluster.object(ESO, "ExternalSecret", Some(namespace), name).unwrap();
            if user["status"]["conditions"][0]["status"] == "True" {
                return;
            }
            assert!(Instant::now() < end, "{user:#}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// An ExternalSecret with this specification beside its store.
    pub(crate) fn user(&self, namespace: &str, name: &str, spec: &Value) {
        let mut object = json!({"apiVersion": ESO, "kind": "ExternalSecret",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"refreshInterval": "1s", "target": {"name": name},
                "secretStoreRef": {"name": "gcp", "kind": "ClusterSecretStore"}}});
        for (member, value) in spec.as_object().unwrap() {
            object["spec"][member] = value.clone();
        }
        self.world.cluster.put_object(object);
    }

    /// An ExternalSecret that reads one secret whole.
    pub(crate) fn reads(&self, namespace: &str, name: &str, key: &str) {
        self.user(namespace, name, &json!({"data": [{"secretKey": "value", "remoteRef": {"key": key}}]}));
    }

    /// The roles of the cluster's workloads on something of Google's: `secrets/db`, or `` for the project.
    pub(crate) fn roles(&self, resource: &str) -> Vec<String> {
        let policy = self.google.policy(resource);
        let bindings = policy.as_array().into_iter().flatten();
        let ours = |binding: &&Value| {
            let members = binding["members"].as_array().into_iter().flatten();
            members.filter_map(Value::as_str).any(|member| member.starts_with("principal://"))
        };
        let roles = bindings.filter(ours).map(|binding| binding["role"].as_str().unwrap().to_owned());
        roles.map(|role| role.trim_start_matches("roles/secretmanager.").to_owned()).collect()
    }

    /// Whether the store logs in with a token.
    pub(crate) fn store_is_keyless(&self) -> bool {
        let auth = &self.store()["spec"]["provider"]["gcpsm"]["auth"];
        auth["workloadIdentityFederation"].is_object() && auth["secretRef"].is_null()
    }

    pub(crate) fn settings_text(&self) -> String {
        std::fs::read_to_string(self.world.dir.path().join("keyless.yaml")).unwrap()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.world.command(arguments);
        command.env("GOOGLE_OAUTH_ACCESS_TOKEN", self.google.token());
        // These ask the cluster alone, whose authority the kubeconfig names.
        if !matches!(arguments.first(), Some(&"audit" | &"config" | &"coupling")) {
            command.args(["--ca-file", "ca.pem"]);
        }
        let names = self.names_settings.load(Ordering::Relaxed)
            && matches!(arguments.first(), Some(&"setup" | &"teardown"));
        let is_there = self.world.dir.path().join("keyless.yaml").exists();
        if names && is_there && !arguments.contains(&"--config") {
            command.args(["--config", "keyless.yaml"]);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command(arguments))
    }

    pub(crate) fn store(&self) -> Value {
        self.world.cluster.object("external-secrets.io/v1", "ClusterSecretStore", None, "gcp").unwrap()
    }

    /// Replaces `keyless.yaml`, as a user who names it to `setup` and `teardown` from then on.
    pub(crate) fn settings(&self, settings: &str) {
        self.names_settings();
        self.unnamed_settings(settings);
    }

    /// From now on the user names `keyless.yaml`.
    pub(crate) fn names_settings(&self) {
        self.names_settings.store(true, Ordering::Relaxed);
    }

    /// Replaces `keyless.yaml`, as it may come with a folder.
    pub(crate) fn unnamed_settings(&self, settings: &str) {
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

/// The operator, with its kinds and rights.
pub(crate) fn put_operator(cluster: &Cluster) {
    cluster.load_crds(CRDS);
    let put = |object: Value| cluster.put_object(object);
    put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}}));
    put(json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "external-secrets", "namespace": "external-secrets"},
        "spec": {"template": {"spec": {"serviceAccountName": "external-secrets", "containers": [
            {"name": "external-secrets", "image": "ghcr.io/external-secrets/external-secrets:v0.20.4", "args": ["--concurrent=1"]}]}}}}));
    for object in operator_rights() {
        put(object);
    }
}

/// What the operator's chart gives it in the whole cluster, without the right to mint every token.
pub(crate) fn operator_rights() -> [Value; 2] {
    let rbac = "rbac.authorization.k8s.io";
    let name = "external-secrets-controller";
    let users =
        ["externalsecrets", "externalsecrets/status", "secretstores/status", "clustersecretstores/status"];
    [
        json!({"apiVersion": format!("{rbac}/v1"), "kind": "ClusterRole", "metadata": {"name": name},
            "rules": [{"apiGroups": ["external-secrets.io"], "resources": users, "verbs": ["get", "update", "patch"]}]}),
        json!({"apiVersion": format!("{rbac}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": "external-secrets", "namespace": "external-secrets"}]}),
    ]
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
