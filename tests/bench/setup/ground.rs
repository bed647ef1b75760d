//! Everything that one `setup` needs: a cluster beside it, and Google at the end of a long wire.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lab::{Ca, Call, Cluster, EsoStandIn, Google, Internet, LongWire, PROJECT_ID, SigningKey};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::chain;

pub(crate) const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
const CRDS: &str = include_str!("../../lab/fixtures/crds/eso-0.20.4-min.yaml");

pub(crate) struct Ground {
    pub(crate) dir: TempDir,
    pub(crate) google: Google,
    pub(crate) internet: Internet,
    pub(crate) ca_file: PathBuf,
    pub(crate) key: SigningKey,
    /// The service account with the stored key, and the key's ID.
    pub(crate) email: String,
    pub(crate) key_id: String,
    cluster: Cluster,
    _wire: LongWire,
    _eso: EsoStandIn,
}

/// How one run went.
pub(crate) struct Ran {
    pub(crate) start: Instant,
    pub(crate) wall: Duration,
    pub(crate) calls: Vec<Call>,
    /// Those to the API server, which is beside it.
    pub(crate) at_cluster: Vec<Call>,
}

impl Ground {
    pub(crate) fn new(one_way: Duration) -> Result<Self, Box<dyn std::error::Error>> {
        let dir = TempDir::new()?;
        let (ca, key) = (Ca::new(), SigningKey::rsa(2048));
        let cluster = Cluster::start(&ca, 1, ISSUER, &key);
        let google = Google::start(&ca);
        google.change(|settings| settings.operation_polls = chain::POLLS);
        let wire = LongWire::start(google.addr(), one_way);
        let internet = Internet::start();
        for name in Google::names() {
            internet.route(name, wire.addr());
        }
        google.add_secret("db", br#"{"password":"hunter2"}"#);
        let email = google.service_account("eso");
        let file = google.create_key(&email);
        let key_id = file["private_key_id"].as_str().unwrap_or_default().to_owned();
        put_cluster(&cluster, &store(), &secret(&file));
        let eso = EsoStandIn::start(&cluster, |_, key| match key {
            "" => Ok(Vec::new()),
            _ => Ok(br#"{"password":"hunter2"}"#.to_vec()),
        });
        until_read(&cluster);
        let ca_file = ca.write(dir.path());
        Ok(Self { dir, google, internet, ca_file, key, email, key_id, cluster, _wire: wire, _eso: eso })
    }

    /// A command with nothing of this environment but the way to Google.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("HTTPS_PROXY", self.internet.url())
            .env("NO_PROXY", "127.0.0.0/8,localhost")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn setup(&self, keyless: &Path) -> Result<Ran, Box<dyn std::error::Error>> {
        let kubeconfig = self.cluster.kubeconfig(self.dir.path());
        let mut command = self.command(keyless);
        command
            .args([
                "setup",
                "--yes",
                "--retire-key",
                "--watch-for",
                "0s",
                "--force-sync",
                "--ca-file",
                "ca.pem",
            ])
            .env("KUBECONFIG", kubeconfig)
            .env("GOOGLE_OAUTH_ACCESS_TOKEN", self.google.token());
        let start = Instant::now();
        let output = command.output()?;
        let wall = start.elapsed();
        let calls = self.google.faults().requests();
        let gone = self.google.keys(&self.email).is_empty();
        if !output.status.success() || !gone {
            let messages = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("setup: {}, the old key is gone: {gone}\n{messages}", output.status).into());
        }
        Ok(Ran { start, wall, calls, at_cluster: at_cluster(&self.cluster, start, wall) })
    }

    /// Writes a file that the commands of a script read.
    pub(crate) fn write(&self, name: &str, text: &str) -> std::io::Result<PathBuf> {
        let path = self.dir.path().join(name);
        fs::write(&path, text)?;
        Ok(path)
    }
}

/// What the API server was asked in this time.
pub(crate) fn at_cluster(cluster: &Cluster, start: Instant, wall: Duration) -> Vec<Call> {
    let calls = cluster.server(0).faults().requests();
    calls.into_iter().filter(|call| call.arrived >= start && call.arrived < start + wall).collect()
}

/// Without a list, setup grants what was really read.
pub(crate) fn until_read(cluster: &Cluster) {
    let is_read = || {
        let user = cluster.object("external-secrets.io/v1", "ExternalSecret", Some("shop"), "db");
        user.is_some_and(|user| user["status"]["conditions"][0]["status"] == "True")
    };
    while !is_read() {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The operator, a store with these settings, and the Secret that it reads with.
pub(crate) fn put_cluster(cluster: &Cluster, provider: &Value, secret: &Value) {
    cluster.load_crds(CRDS);
    objects(provider, secret).into_iter().for_each(|object| cluster.put_object(object));
}

fn secret(file: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "gcp-key", "namespace": "external-secrets"},
        "data": {"key.json": STANDARD.encode(file.to_string())}})
}

fn store() -> Value {
    let secret_ref = json!({"name": "gcp-key", "namespace": "external-secrets", "key": "key.json"});
    json!({"gcpsm": {"projectID": PROJECT_ID, "auth": {"secretRef": {"secretAccessKeySecretRef": secret_ref}}}})
}

/// The cluster's objects. What is read by the store is read every hour, as is the operator's default, and is asked to
/// run at once.
fn objects(provider: &Value, secret: &Value) -> Vec<Value> {
    let container =
        json!({"name": "external-secrets", "image": "ghcr.io/external-secrets/external-secrets:v0.20.4"});
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "external-secrets", "namespace": "external-secrets"},
            "spec": {"template": {"spec": {"serviceAccountName": "external-secrets", "containers": [container]}}}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "eso"},
            "rules": [{"apiGroups": ["external-secrets.io"], "resources": ["*"], "verbs": ["*"]}]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "eso"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "eso"},
            "subjects": [{"kind": "ServiceAccount", "name": "external-secrets", "namespace": "external-secrets"}]}),
        secret.clone(),
        json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": {"name": "gcp"},
            "spec": {"provider": provider}}),
        json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "metadata": {"name": "db", "namespace": "shop"},
            "spec": {"refreshInterval": "1h", "secretStoreRef": {"name": "gcp", "kind": "ClusterSecretStore"},
                "target": {"name": "db"},
                "data": [{"secretKey": "password", "remoteRef": {"key": "db", "property": "password"}}]}}),
    ]
}
