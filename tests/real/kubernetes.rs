//! Real Kubernetes API servers on one real etcd, without any other part of a cluster.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use reqwest::header::ACCEPT;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::check::{Checked, Failure, While, check, until};
use crate::pki::{Certificate, Pki, SigningKey};
use crate::process::Process;
use crate::world::client;

/// What an API server has until an administrator sets another issuer.
pub(crate) const DEFAULT_ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
const ETCD: &str = "http://127.0.0.1:2379";
/// The form in which `kubectl` asks for the schema.
const OPENAPI: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
/// Generous: a machine with two cores may be compiling beside it.
const READY: Duration = Duration::from_secs(120);

pub(crate) async fn start_etcd(programs: &Path, folder: &Path) -> Checked<Process> {
    let peer = "http://127.0.0.1:2380";
    let etcd = Process::start(
        "etcd",
        &programs.join("etcd"),
        [
            "--unsafe-no-fsync".to_owned(),
            format!("--data-dir={}", folder.join("etcd").display()),
            format!("--listen-client-urls={ETCD}"),
            format!("--advertise-client-urls={ETCD}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
        ],
        folder,
    )?;
    Ok(etcd)
}

/// How one API server is set up.
pub(crate) struct Settings {
    pub(crate) name: &'static str,
    /// Bound and advertised. Not a loopback address: the API refuses those in its endpoints.
    pub(crate) address: &'static str,
    /// Where its store answers, if not at the world's etcd.
    pub(crate) store: Option<String>,
    /// Servers with the same prefix are one cluster.
    pub(crate) etcd_prefix: &'static str,
    /// The first signs, the others stay accepted, as a migration needs it.
    pub(crate) issuers: Vec<&'static str>,
    /// Every key file that this server verifies tokens with and serves at `/openid/v1/jwks`.
    pub(crate) keys: Vec<SigningKey>,
    pub(crate) signing_key: SigningKey,
    /// The structured authentication configuration, if it trusts an issuer besides its own.
    pub(crate) authentication: Option<PathBuf>,
    /// Further flags, and those that replace `issuers`, as `name=value`.
    pub(crate) flags: Vec<String>,
}

pub(crate) struct ApiServer {
    pub(crate) settings: Settings,
    programs: PathBuf,
    folder: PathBuf,
    serving: Certificate,
    client_ca: PathBuf,
    admin: Client,
    process: Process,
}

impl ApiServer {
    /// Starts it; [`ApiServer::ready`] waits for it.
    pub(crate) fn start(
        settings: Settings,
        programs: &Path,
        folder: &Path,
        pki: &Pki,
        admin: &Client,
    ) -> Checked<Self> {
        let names = ["kubernetes", "kubernetes.default.svc", "10.0.0.1", settings.address];
        let serving = pki.serving(settings.name, &names);
        let client_ca = pki.client_ca_file();
        let process = spawn(&settings, programs, folder, &serving, &client_ca)?;
        Ok(Self {
            settings,
            programs: programs.to_owned(),
            folder: folder.to_owned(),
            serving,
            client_ca,
            admin: admin.clone(),
            process,
        })
    }

    /// Starts it again with what `change` makes of its settings, and waits for it.
    pub(crate) async fn restart(&mut self, change: impl FnOnce(&mut Settings)) -> Checked {
        change(&mut self.settings);
        self.process.stop().await?;
        let Self { settings, programs, folder, serving, client_ca, .. } = &*self;
        self.process = spawn(settings, programs, folder, serving, client_ca)?;
        self.ready().await?;
        self.openapi().await
    }

    /// Waits for the schema that `kubectl` validates by. A server that starts with many custom resources is ready long
    /// before it has built it, and `kubectl` gives up after 32 s.
    async fn openapi(&self) -> Checked {
        let url = self.url("/openapi/v2");
        until(format_args!("{url}"), READY, async || {
            let request = self.admin.get(&url).header(ACCEPT, OPENAPI);
            let answer = request.send().await?;
            check!(answer.status().is_success(), "{}", answer.status());
            Ok(())
        })
        .await
    }

    pub(crate) async fn ready(&mut self) -> Checked {
        let url = self.url("/readyz");
        let (admin, process) = (&self.admin, &mut self.process);
        until(format_args!("{url}"), READY, async || {
            process.running()?;
            let answer = admin.get(&url).send().await?;
            check!(answer.status().is_success(), "{}", answer.text().await?);
            Ok(())
        })
        .await
    }

    /// The client of an administrator.
    pub(crate) fn admin(&self) -> Client {
        self.admin.clone()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}:6443{path}", self.settings.address)
    }

    /// What an administrator gets at `path`.
    pub(crate) async fn get(&self, path: &str) -> Checked<Value> {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Checked<Value> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// The `kid`s that this server serves, in its order.
    pub(crate) async fn kids(&self) -> Checked<Vec<String>> {
        let keys = self.get("/openid/v1/jwks").await?;
        Ok(keys["keys"].as_array().into_iter().flatten().map(|key| text(&key["kid"])).collect())
    }

    /// A token of the ServiceAccount `NAMESPACE/NAME`, minted by TokenRequest at this very server.
    pub(crate) async fn token(&self, account: &str, audiences: &[&str]) -> Checked<String> {
        self.token_for(account, audiences, Duration::from_secs(600)).await
    }

    /// The same, with a lifetime of one's own.
    pub(crate) async fn token_for(
        &self,
        account: &str,
        audiences: &[&str],
        lifetime: Duration,
    ) -> Checked<String> {
        let Some((namespace, name)) = account.split_once('/') else {
            return Err(Failure(format!("`{account}` is not NAMESPACE/NAME")));
        };
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token");
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": audiences, "expirationSeconds": lifetime.as_secs()},
        });
        Ok(text(&self.post(&path, &request).await?["status"]["token"]))
    }

    /// Whom this server takes the bearer of `token` for; `Err` holds the status of its refusal.
    pub(crate) async fn who_is(&self, client: &Client, token: &str) -> Checked<Result<String, StatusCode>> {
        let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
        let url = self.url("/apis/authentication.k8s.io/v1/selfsubjectreviews");
        let answer = client.post(url).bearer_auth(token).json(&review).send().await?;
        if !answer.status().is_success() {
            return Ok(Err(answer.status()));
        }
        let answer: Value = answer.json().await?;
        Ok(Ok(text(&answer["status"]["userInfo"]["username"])))
    }

    /// What the bearer of `token` is answered, whatever that is.
    pub(crate) async fn post_as(
        &self,
        client: &Client,
        token: &str,
        path: &str,
        body: &Value,
    ) -> Checked<(StatusCode, Value)> {
        let answer = client.post(self.url(path)).bearer_auth(token).json(body).send().await.during(path)?;
        Ok((answer.status(), answer.json().await.during(path)?))
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Checked<Value> {
        let mut request = self.admin.request(method.clone(), self.url(path));
        if let Some(body) = body {
            request = request.json(body);
        }
        let doing = format!("{method} {path} at {}", self.settings.name);
        let answer = request.send().await.during(&doing)?;
        let status = answer.status();
        let body = answer.text().await.during(&doing)?;
        check!(status.is_success(), "{doing}: {status}: {body}");
        serde_json::from_str(&body).during(doing)
    }
}

fn spawn(
    settings: &Settings,
    programs: &Path,
    folder: &Path,
    serving: &Certificate,
    client_ca: &Path,
) -> Checked<Process> {
    let mut flags = vec![
        format!("--etcd-servers={}", settings.store.as_deref().unwrap_or(ETCD)),
        format!("--etcd-prefix=/{}", settings.etcd_prefix),
        format!("--bind-address={}", settings.address),
        format!("--advertise-address={}", settings.address),
        "--secure-port=6443".to_owned(),
        format!("--tls-cert-file={}", serving.certificate.display()),
        format!("--tls-private-key-file={}", serving.key.display()),
        format!("--client-ca-file={}", client_ca.display()),
        "--authorization-mode=RBAC".to_owned(),
        // As in several distributions: anonymous clients may not read the issuer URLs.
        "--anonymous-auth=false".to_owned(),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        format!("--service-account-signing-key-file={}", settings.signing_key.private.display()),
    ];
    flags.extend(settings.flags.iter().map(|flag| format!("--{flag}")));
    flags.extend(settings.issuers.iter().map(|issuer| format!("--service-account-issuer={issuer}")));
    flags.extend(
        settings.keys.iter().map(|key| format!("--service-account-key-file={}", key.public.display())),
    );
    if let Some(file) = &settings.authentication {
        flags.push(format!("--authentication-config={}", file.display()));
    }
    Process::start(settings.name, &programs.join("kube-apiserver"), flags, folder)
}

/// A client that every API server of this world takes for an administrator.
pub(crate) fn admin_client(pki: &Pki, admin: &Certificate) -> Checked<Client> {
    let mut identity = fs::read(&admin.certificate)?;
    identity.extend(fs::read(&admin.key)?);
    client(&pki.ca_pem, |builder| Ok(builder.identity(reqwest::Identity::from_pem(&identity)?)))
}

/// How a kubeconfig proves who its user is.
pub(crate) enum Login<'a> {
    Certificate(&'a Certificate),
    Token(&'a str),
}

/// Writes a kubeconfig for the API server at `server`.
pub(crate) fn write_kubeconfig(file: &Path, server: &str, pki: &Pki, login: Login<'_>) -> Checked {
    let user = match login {
        Login::Certificate(files) => json!({
            "client-certificate-data": BASE64_STANDARD.encode(fs::read(&files.certificate)?),
            "client-key-data": BASE64_STANDARD.encode(fs::read(&files.key)?),
        }),
        Login::Token(token) => json!({"token": token}),
    };
    // JSON is YAML.
    let kubeconfig = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "user"}}],
        "clusters": [{"name": "lab", "cluster": {
            "server": server,
            "certificate-authority-data": BASE64_STANDARD.encode(&pki.ca_pem),
        }}],
        "users": [{"name": "user", "user": user}],
    });
    fs::write(file, serde_json::to_string_pretty(&kubeconfig)?).during(file.display())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
