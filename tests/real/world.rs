//! The world that the stories play in: every server of it, and how a story reaches them.
//!
//! ```text
//! 10.99.0.1:6443  API server `server-1` ┐ one cluster, one etcd, each with key files of its own
//! 10.99.0.2:6443  API server `server-2` ┘
//! 10.99.0.3:6443  API server `relying`: another cluster, trusts the public issuer
//! 10.99.0.4:443   s3.lab.test             SeaweedFS
//! 10.99.0.8:443   sts.lab.test            its token service, where a story starts it
//! 127.0.0.2:443   *.googleapis.com        the rest of Google, from `lab`
//! 127.0.0.4:443   storage.googleapis.com  fake-gcs-server
//! 127.0.0.5:8200  OpenBao
//! 127.0.0.6:443   *.amazonaws.com         AWS but for its buckets, from `lab`
//! 127.0.0.7:443   *.blob.core.windows.net Azurite
//! 127.0.0.8:443   the rest of Azure, from `lab`
//! 10.99.0.5:8200  bao.lab.test            the same OpenBao, by TLS
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder};
use serde_json::{Value, json};

use crate::aws::Aws;
use crate::azurite::Azurite;
use crate::buckets::{ACCESS_KEY, Gcs, S3, SECRET_KEY};
use crate::call::{Call, Ran};
use crate::check::{Checked, Failure, While, check, until};
use crate::entra::Entra;
use crate::eso::{self, Eso};
use crate::far_sides::{FarSide, FarSides};
use crate::google::Google;
use crate::kubernetes::{
    ApiServer, DEFAULT_ISSUER, Login, Settings, admin_client, start_etcd, write_kubeconfig,
};
use crate::openbao::OpenBao;
use crate::pki::{self, Algorithm, Pki};
use crate::process::{Process, tail};

pub(crate) const BUCKET: &str = "lab-issuer";
/// The cluster's place in the bucket.
pub(crate) const PREFIX: &str = "cluster-a";
/// What the cluster's tokens say in `iss`: the bucket's public URL.
pub(crate) const ISSUER: &str = "https://s3.lab.test/lab-issuer/cluster-a";
/// The ServiceAccount whose tokens the relying parties see.
pub(crate) const ACCOUNT: &str = "default/default";
pub(crate) const SUBJECT: &str = "system:serviceaccount:default:default";
/// What a token for the API server `relying` must be minted for.
pub(crate) const RELYING_AUDIENCE: &str = "relying";
/// What the API server `relying` puts before a subject that it read in a published token.
pub(crate) const RELYING_PREFIX: &str = "published:";

pub(crate) struct World {
    /// Everything that is written lies in here, and is gone with the world.
    pub(crate) folder: PathBuf,
    pub(crate) pki: Pki,
    /// Asks without any credential, trusts the world's CA only, follows no redirect.
    pub(crate) anyone: Client,
    pub(crate) far_sides: FarSides,
    administrator: pki::Certificate,
    admin: Client,
    cluster: Option<Cluster>,
    relying_party: Option<ApiServer>,
    s3: Option<S3>,
    gcs: Option<Gcs>,
    openbao: Option<OpenBao>,
    google: Option<Google>,
    aws: Option<Aws>,
    azurite: Option<Azurite>,
    entra: Option<Entra>,
    eso: Option<Eso>,
}

struct Cluster {
    servers: [ApiServer; 2],
    _etcd: Process,
}

impl World {
    /// Starts what `needed` names, all at the same time, and waits until all of it answers.
    pub(crate) async fn start(folder: PathBuf, far_sides: FarSides, needed: &[FarSide]) -> Checked<Self> {
        let pki = Pki::new(&folder.join("pki"))?;
        let administrator = pki.administrator()?;
        let admin = admin_client(&pki, &administrator)?;
        let mut world = Self {
            administrator,
            anyone: client(&pki.ca_pem, Ok)?,
            folder,
            pki,
            far_sides,
            admin,
            cluster: None,
            relying_party: None,
            s3: None,
            gcs: None,
            openbao: None,
            google: None,
            aws: None,
            azurite: None,
            entra: None,
            eso: None,
        };
        if needed.contains(&FarSide::Kubernetes) {
            world.cluster = Some(world.start_cluster().await?);
        }
        let program = |far_side| world.far_sides.program(far_side).map_err(Failure);
        if needed.contains(&FarSide::SeaweedFs) {
            world.s3 = Some(S3::start(&program(FarSide::SeaweedFs)?, &world.folder, &world.pki)?);
        }
        if needed.contains(&FarSide::FakeGcs) {
            world.gcs = Some(Gcs::start(&program(FarSide::FakeGcs)?, &world.folder, &world.pki)?);
        }
        if needed.contains(&FarSide::OpenBao) {
            world.openbao = Some(OpenBao::start(&program(FarSide::OpenBao)?, &world.folder, &world.pki)?);
        }
        if needed.contains(&FarSide::Google) {
            world.google = Some(Google::start(&world.pki, &world.anyone)?);
        }
        if needed.contains(&FarSide::Aws) {
            world.aws = Some(Aws::start(&world.pki)?);
        }
        if needed.contains(&FarSide::Entra) {
            world.entra = Some(Entra::start(&world.pki)?);
        }
        if needed.contains(&FarSide::Azurite) {
            world.azurite = Some(Azurite::start(&program(FarSide::Azurite)?, &world.folder, &world.pki)?);
        }

        if let Some(s3) = &mut world.s3 {
            s3.ready(&world.anyone).await?;
        }
        if let Some(gcs) = &mut world.gcs {
            gcs.ready(&world.anyone).await?;
        }
        if let Some(azurite) = &mut world.azurite {
            azurite.ready(&world.anyone).await?;
        }
        if let Some(openbao) = &mut world.openbao {
            openbao.ready(&world.anyone).await?;
        }
        if let Some(cluster) = &mut world.cluster {
            for server in &mut cluster.servers {
                server.ready().await?;
            }
            world.complete_cluster().await?;
            world.write_kubeconfig_for(&world.servers()?[0], &world.kubeconfig())?;
        }
        if needed.contains(&FarSide::ExternalSecrets) {
            world.eso = Some(eso::install(&world).await?);
        }
        Ok(world)
    }

    async fn start_cluster(&self) -> Checked<Cluster> {
        let programs = self.far_sides.locate(FarSide::Kubernetes).map_err(Failure)?;
        let etcd = start_etcd(&programs, &self.folder).await?;
        let key = self.pki.signing_key("first", Algorithm::Rs256)?;
        let server = |name, address| {
            let settings = Settings {
                name,
                address,
                store: None,
                etcd_prefix: "cluster",
                issuers: vec![ISSUER, DEFAULT_ISSUER],
                keys: vec![key.clone()],
                signing_key: key.clone(),
                authentication: None,
                flags: Vec::new(),
            };
            ApiServer::start(settings, &programs, &self.folder, &self.pki, &self.admin)
        };
        let servers = [server("server-1", "10.99.0.1")?, server("server-2", "10.99.0.2")?];
        Ok(Cluster { servers, _etcd: etcd })
    }

    /// Waits for what a whole cluster has, and does what its controller-manager would do.
    async fn complete_cluster(&self) -> Checked {
        self.both_listed().await?;
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"},
        });
        self.servers()?[0].post("/api/v1/namespaces/default/serviceaccounts", &account).await?;
        Ok(())
    }

    /// Waits until both API servers are in EndpointSlice `default/kubernetes`.
    async fn both_listed(&self) -> Checked {
        let [first, second] = self.servers()?;
        let slice = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes";
        until("both API servers in EndpointSlice default/kubernetes", Duration::from_secs(60), async || {
            let listed = first.get(slice).await?["endpoints"].to_string();
            let both = [first, second].iter().all(|server| listed.contains(server.settings.address));
            check!(both, "{listed}");
            Ok(())
        })
        .await
    }

    /// Starts one API server of the cluster again, with what `change` makes of its settings.
    pub(crate) async fn restart(&mut self, index: usize, change: impl FnOnce(&mut Settings)) -> Checked {
        let cluster = self.cluster.as_mut().ok_or_else(|| not_started("the cluster"))?;
        cluster.servers[index].restart(change).await?;
        // It takes itself off the list while it starts, and is ready a little before it is back on it.
        self.both_listed().await?;
        match &mut self.eso {
            Some(eso) if index == eso::SERVER => eso.restart(&self.anyone).await,
            _ => Ok(()),
        }
    }

    pub(crate) fn servers(&self) -> Checked<&[ApiServer; 2]> {
        let cluster = self.cluster.as_ref().ok_or_else(|| not_started("the cluster"))?;
        Ok(&cluster.servers)
    }

    pub(crate) fn s3(&self) -> Checked<&S3> {
        self.s3.as_ref().ok_or_else(|| not_started("SeaweedFS"))
    }

    pub(crate) fn gcs(&self) -> Checked<&Gcs> {
        self.gcs.as_ref().ok_or_else(|| not_started("fake-gcs-server"))
    }

    pub(crate) fn openbao(&self) -> Checked<&OpenBao> {
        self.openbao.as_ref().ok_or_else(|| not_started("OpenBao"))
    }

    pub(crate) fn google(&self) -> Checked<&Google> {
        self.google.as_ref().ok_or_else(|| not_started("Google"))
    }

    pub(crate) fn aws(&self) -> Checked<&Aws> {
        self.aws.as_ref().ok_or_else(|| not_started("AWS"))
    }

    pub(crate) fn entra(&self) -> Checked<&Entra> {
        self.entra.as_ref().ok_or_else(|| not_started("Entra"))
    }

    pub(crate) fn azurite(&self) -> Checked<&Azurite> {
        self.azurite.as_ref().ok_or_else(|| not_started("Azurite"))
    }

    /// Starts the API server of another cluster that trusts the public issuer, or starts it afresh:
    /// a new process has read nothing yet, as if the cache time of what it had read were over.
    pub(crate) async fn start_relying_party(&mut self) -> Checked {
        let relying_party = match self.relying_party.take() {
            Some(mut running) => {
                running.restart(|_| ()).await?;
                running
            }
            None => {
                let programs = self.far_sides.locate(FarSide::Kubernetes).map_err(Failure)?;
                let key = self.pki.signing_key("relying", Algorithm::Rs256)?;
                let settings = Settings {
                    name: "relying",
                    address: "10.99.0.3",
                    store: None,
                    etcd_prefix: "relying",
                    issuers: vec!["https://relying.lab.test"],
                    keys: vec![key.clone()],
                    signing_key: key,
                    authentication: Some(self.write_authentication()?),
                    flags: Vec::new(),
                };
                let mut started =
                    ApiServer::start(settings, &programs, &self.folder, &self.pki, &self.admin)?;
                started.ready().await?;
                started
            }
        };
        self.relying_party = Some(relying_party);
        Ok(())
    }

    pub(crate) fn relying_party(&self) -> Checked<&ApiServer> {
        self.relying_party.as_ref().ok_or_else(|| not_started("the other cluster"))
    }

    /// Starts an API server of a cluster of its own, with the flags of another tool for its issuer.
    pub(crate) fn other_cluster(
        &self,
        name: &'static str,
        address: &'static str,
        flags: &[String],
    ) -> Checked<ApiServer> {
        let key = self.pki.signing_key(name, Algorithm::Rs256)?;
        self.further_server(Settings {
            name,
            address,
            store: None,
            etcd_prefix: name,
            issuers: if flags.is_empty() { vec![DEFAULT_ISSUER] } else { Vec::new() },
            keys: vec![key.clone()],
            signing_key: key,
            authentication: None,
            flags: flags.to_vec(),
        })
    }

    /// Starts one more API server, which is none of the world's cluster.
    pub(crate) fn further_server(&self, settings: Settings) -> Checked<ApiServer> {
        let programs = self.far_sides.locate(FarSide::Kubernetes).map_err(Failure)?;
        ApiServer::start(settings, &programs, &self.folder, &self.pki, &self.admin)
    }

    fn write_authentication(&self) -> Checked<PathBuf> {
        let file = self.folder.join("authentication.json");
        let configuration = json!({
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "AuthenticationConfiguration",
            "jwt": [{
                "issuer": {
                    "url": ISSUER,
                    "audiences": [RELYING_AUDIENCE],
                    "certificateAuthority": self.pki.ca_pem,
                },
                "claimMappings": {"username": {"claim": "sub", "prefix": RELYING_PREFIX}},
            }],
        });
        fs::write(&file, configuration.to_string())?;
        Ok(file)
    }

    /// Writes an administrator's kubeconfig for any API server of this world.
    pub(crate) fn write_kubeconfig_for(&self, server: &ApiServer, file: &Path) -> Checked {
        write_kubeconfig(file, &server.url(""), &self.pki, Login::Certificate(&self.administrator))
    }

    /// The administrator's kubeconfig, for the first API server.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.pki.ca_file()
    }

    pub(crate) fn keyless_program(&self) -> Checked<PathBuf> {
        self.far_sides.locate(FarSide::Keyless).map_err(Failure)
    }

    /// `keyless COMMAND …`, as the administrator and as the owner of the S3 bucket.
    pub(crate) fn keyless(&self, arguments: &[&str]) -> Checked<Call> {
        let mut call = Call::new(&self.keyless_program()?, arguments).with("HOME", &self.folder);
        for (name, value) in self.credentials() {
            call = call.with(name, value);
        }
        Ok(call.with("KUBECONFIG", self.kubeconfig()))
    }

    /// `keyless publish` of the cluster into its S3 bucket.
    pub(crate) fn publish(&self, more: &[&str]) -> Checked<Call> {
        let ca_file = self.ca_file().display().to_string();
        let mut arguments = vec!["publish"];
        arguments.extend(S3_FLAGS);
        arguments.extend(["--ca-file", &ca_file]);
        arguments.extend(more);
        self.keyless(&arguments)
    }

    /// Brings the documents up to date for a story that is about something else.
    pub(crate) async fn published(&self) -> Checked<Ran> {
        self.publish(&["--create"])?.run().await?.exits(0)
    }

    /// What a user of SeaweedFS has in the environment.
    pub(crate) fn credentials(&self) -> [(&'static str, String); 3] {
        [
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
        ]
    }

    /// The real `kubectl`, as administrator.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Checked<Call> {
        let programs = self.far_sides.locate(FarSide::Kubernetes).map_err(Failure)?;
        Ok(Call::new(&programs.join("kubectl"), arguments)
            .with("HOME", &self.folder)
            .with("KUBECONFIG", self.kubeconfig()))
    }

    /// A JSON document as anyone on the internet gets it.
    pub(crate) async fn public(&self, url: &str) -> Checked<Value> {
        let answer = self.anyone.get(url).send().await.during(url)?;
        check!(answer.status().is_success(), "GET {url} without credentials: {}", answer.status());
        answer.json().await.during(url)
    }
}

/// The end of every server's log, for a person who has to find out why.
pub(crate) fn logs(world: &Path) -> String {
    let mut logs: Vec<PathBuf> = fs::read_dir(world)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    logs.sort();
    logs.iter().map(|log| format!("  {}\n{}", name(log), tail(log, 8))).collect()
}

/// The flags that name the cluster's bucket.
pub(crate) const S3_FLAGS: [&str; 4] =
    ["--bucket", "s3://lab-issuer/cluster-a", "--endpoint", "https://s3.lab.test"];

/// An HTTP client that trusts `ca` only.
pub(crate) fn client(
    ca: &str,
    change: impl FnOnce(ClientBuilder) -> Checked<ClientBuilder>,
) -> Checked<Client> {
    let builder = Client::builder()
        .tls_certs_only([Certificate::from_pem(ca.as_bytes())?])
        .no_proxy()
        .redirect(Policy::none())
        .timeout(Duration::from_secs(20));
    Ok(change(builder)?.build()?)
}

fn not_started(what: &str) -> Failure {
    Failure(format!("{what} was not started: the story does not say that it needs it"))
}

fn name(log: &Path) -> String {
    log.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
