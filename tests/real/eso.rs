//! The real External Secrets Operator in the cluster, and what a story says to it and sees of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use reqwest::Client;
use serde_json::{Value, json};

use crate::check::{Checked, Failure, check, until};
use crate::far_sides::FarSide;
use crate::kubernetes::{Login, write_kubeconfig};
use crate::process::Process;
use crate::world::World;

pub(crate) const NAMESPACE: &str = "external-secrets";
/// The API server that the operator talks to.
pub(crate) const SERVER: usize = 0;
const ACCOUNT: &str = "external-secrets/external-secrets";
const INSTALLATION: &str = include_str!("manifests/external-secrets.yaml");
const LIVE_ADDRESS: &str = "127.0.0.1:8082";
/// How long a change of a store may take to show in a Secret: refreshes come every two seconds, but
/// each failure in between doubles the operator's own pause, from one second on.
const SYNC: Duration = Duration::from_secs(120);

pub(crate) struct Eso {
    process: Process,
    start: Start,
}

/// What its process is started with.
struct Start {
    program: PathBuf,
    folder: PathBuf,
    kubeconfig: PathBuf,
    ca_file: PathBuf,
}

impl Start {
    fn process(&self) -> Checked<Process> {
        let arguments = [
            "--metrics-addr=127.0.0.1:8083".to_owned(),
            format!("--live-addr={LIVE_ADDRESS}"),
            "--zap-time-encoding=rfc3339".to_owned(),
        ];
        // It knows its cluster by the one, and every far side of a store by the other.
        let environment =
            [("KUBECONFIG", self.kubeconfig.as_path()), ("SSL_CERT_FILE", self.ca_file.as_path())];
        Process::start_with("external-secrets", &self.program, arguments, environment, &self.folder)
    }
}

impl Eso {
    fn start(start: Start) -> Checked<Self> {
        Ok(Self { process: start.process()?, start })
    }

    /// Starts the operator again. After its API server restarted, each of its reflectors waits for up to a minute
    /// before it watches again (client-go's backoff); until then it acts on the objects as they were.
    pub(crate) async fn restart(&mut self, client: &Client) -> Checked {
        self.process.stop().await?;
        self.process = self.start.process()?;
        self.ready(client).await
    }

    async fn ready(&mut self, client: &Client) -> Checked {
        let process = &mut self.process;
        until("External Secrets Operator", Duration::from_secs(60), async || {
            process.running()?;
            let answer = client.get(format!("http://{LIVE_ADDRESS}/healthz")).send().await?;
            check!(answer.status().is_success(), "status {}", answer.status());
            Ok(())
        })
        .await
    }
}

/// Installs its custom resources and its rights as the chart does, and runs it with no other rights.
pub(crate) async fn install(world: &World) -> Checked<Eso> {
    install_objects(world, &world.kubeconfig(), "crds.yaml").await?;

    let server = &world.servers()?[SERVER];
    let token = server.token_for(ACCOUNT, &[], Duration::from_secs(86_400)).await?;
    let kubeconfig = world.folder.join("kubeconfig-of-external-secrets");
    write_kubeconfig(&kubeconfig, &server.url(""), &world.pki, Login::Token(&token))?;
    let program = world.far_sides.program(FarSide::ExternalSecrets).map_err(Failure)?;
    let start = Start { program, folder: world.folder.clone(), kubeconfig, ca_file: world.ca_file() };
    let mut eso = Eso::start(start)?;
    eso.ready(&world.anyone).await?;
    Ok(eso)
}

/// What the chart leaves in a cluster without running it: its custom resources of one version, its Deployment and rights.
pub(crate) async fn install_objects(world: &World, kubeconfig: &Path, crds: &str) -> Checked {
    let files = world.far_sides.locate(FarSide::ExternalSecrets).map_err(Failure)?;
    let crds = files.join(crds).display().to_string();
    let manifests = world.folder.join("external-secrets.yaml");
    fs::write(&manifests, INSTALLATION)?;
    let manifests = manifests.display().to_string();
    let steps: [&[&str]; 3] = [
        &["apply", "--server-side", "--filename", &crds],
        &["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"],
        &["apply", "--filename", &manifests],
    ];
    for step in steps {
        world.kubectl(step)?.with("KUBECONFIG", kubeconfig).run().await?.exits(0)?;
    }
    Ok(())
}

/// A cluster with the custom resources of a later version takes these objects, field by field.
pub(crate) async fn later_version_takes(world: &World, objects: &[Value]) -> Checked {
    let mut server = world.other_cluster("later-version", "10.99.0.6", &[])?;
    server.ready().await?;
    let files = world.far_sides.locate(FarSide::ExternalSecrets).map_err(Failure)?;
    let kubeconfig = world.folder.join("kubeconfig-of-later-version");
    world.write_kubeconfig_for(&server, &kubeconfig)?;
    let kubectl = async |arguments: &[&str]| -> Checked {
        world.kubectl(arguments)?.with("KUBECONFIG", &kubeconfig).run().await?.exits(0)?;
        Ok(())
    };
    let crds = files.join("crds-next.yaml").display().to_string();
    kubectl(&["apply", "--server-side", "--filename", &crds]).await?;
    kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]).await?;
    for object in objects {
        let file = world.folder.join("object.json");
        let (name, labels) = (&object["metadata"]["name"], &object["metadata"]["labels"]);
        let mut plain = object.clone();
        plain["metadata"] = json!({"name": name, "labels": labels});
        fs::write(&file, plain.to_string())?;
        let file = file.display().to_string();
        kubectl(&["create", "--dry-run=server", "--validate=strict", "--filename", &file]).await?;
    }
    Ok(())
}

/// A ClusterSecretStore with this provider.
pub(crate) fn store(name: &str, provider: &Value) -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1",
        "kind": "ClusterSecretStore",
        "metadata": {"name": name},
        "spec": {"provider": provider},
    })
}

/// An ExternalSecret that survives a change of provider: one property of the newest version of `key`.
pub(crate) fn external_secret(namespace: &str, name: &str, store: &str, key: &str) -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "refreshInterval": "2s",
            "secretStoreRef": {"kind": "ClusterSecretStore", "name": store},
            "data": [{"secretKey": "password", "remoteRef": {"key": key, "property": "password"}}],
        },
    })
}

pub(crate) fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

pub(crate) fn account(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": namespace},
    })
}

impl World {
    /// Applies objects as the platform's own people do; their field manager is not that of `keyless`.
    pub(crate) async fn apply(&self, objects: &[Value]) -> Checked {
        let arguments = ["apply", "--server-side", "--field-manager=platform", "--force-conflicts"];
        self.kubectl_with(&arguments, objects).await
    }

    /// Deletes objects, and waits until the operator has let go of them: it holds its own by finalizers.
    pub(crate) async fn delete(&self, objects: &[Value]) -> Checked {
        self.kubectl_with(&["delete", "--ignore-not-found", "--timeout=30s"], objects).await
    }

    async fn kubectl_with(&self, arguments: &[&str], objects: &[Value]) -> Checked {
        self.kubectl_at(&self.kubeconfig(), arguments, objects).await
    }

    /// The same at any cluster.
    pub(crate) async fn kubectl_at(
        &self,
        kubeconfig: &Path,
        arguments: &[&str],
        objects: &[Value],
    ) -> Checked {
        let file = self.folder.join("objects.json");
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        fs::write(&file, list.to_string())?;
        let file = file.display().to_string();
        let arguments = [arguments, &["--filename", &file]].concat();
        self.kubectl(&arguments)?.with("KUBECONFIG", kubeconfig).run().await?.exits(0)?;
        Ok(())
    }

    /// The ExternalSecret as the API server holds it.
    pub(crate) async fn external_secret(&self, namespace: &str, name: &str) -> Checked<Value> {
        let path = format!("/apis/external-secrets.io/v1/namespaces/{namespace}/externalsecrets/{name}");
        self.servers()?[0].get(&path).await
    }

    pub(crate) async fn store(&self, name: &str) -> Checked<Value> {
        let path = format!("/apis/external-secrets.io/v1/clustersecretstores/{name}");
        self.servers()?[0].get(&path).await
    }

    /// Waits until the Secret of this ExternalSecret holds `password`.
    pub(crate) async fn synced(&self, namespace: &str, name: &str, password: &str) -> Checked {
        let server = &self.servers()?[0];
        let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
        until(format_args!("`{password}` in Secret {namespace}/{name}"), SYNC, async || {
            let secret = server.get(&path).await;
            let held = match &secret {
                Ok(secret) => {
                    BASE64_STANDARD.decode(secret["data"]["password"].as_str().unwrap_or_default())?
                }
                Err(_) => Vec::new(),
            };
            if held == password.as_bytes() {
                return Ok(());
            }
            let external = self.external_secret(namespace, name).await?;
            let store =
                self.store(external["spec"]["secretStoreRef"]["name"].as_str().unwrap_or_default()).await?;
            let held = String::from_utf8_lossy(&held).into_owned();
            Err(Failure(format!(
                "it holds `{held}`; ExternalSecret: {}; store: {}",
                external["status"]["conditions"], store["status"]["conditions"]
            )))
        })
        .await
    }
}
