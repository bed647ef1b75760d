//! What one `setup` needs at a provider that fetches the cluster's documents: the cluster, its bucket and the bucket's readers
//! near, the provider at the end of a long wire.

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lab::{Aws, Ca, Call, Cluster, Credentials, Entra, EsoStandIn, Internet, LongWire, SigningKey, Web};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ground::{self, Ran};

const HOST: &str = "oidc.lab.test";
const ISSUER: &str = "https://oidc.lab.test/prod";
const SECRET: &str = "stored-key";

/// A provider, and the long-lived credential that a store reads it with.
pub(crate) enum Far {
    Aws(Box<Aws>, Credentials),
    /// Client ID and secret.
    Entra(Box<Entra>, (String, String)),
}

impl Far {
    fn aws(ca: &Ca) -> Self {
        let aws = Aws::start(ca);
        aws.put_secret("db", r#"{"password":"hunter2"}"#);
        let policy = json!({"Statement": {
            "Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}});
        let key = aws.user("eso", policy);
        Self::Aws(Box::new(aws), key)
    }

    fn entra(ca: &Ca) -> Self {
        let entra = Entra::start(ca);
        entra.put_secret("db", r#"{"password":"hunter2"}"#);
        let application = entra.add_application();
        Self::Entra(Box::new(entra), application)
    }

    fn names(&self) -> &'static [&'static str] {
        match self {
            Self::Aws(..) => Aws::names(),
            Self::Entra(..) => Entra::names(),
        }
    }

    fn addr(&self) -> SocketAddr {
        match self {
            Self::Aws(aws, _) => aws.addr(),
            Self::Entra(entra, _) => entra.addr(),
        }
    }

    fn resolve(&self, host: &str, addr: SocketAddr) {
        match self {
            Self::Aws(aws, _) => aws.resolve(host, addr),
            Self::Entra(entra, _) => entra.resolve(host, addr),
        }
    }

    /// The two halves of the credential, as they lie in a Secret.
    fn halves(&self) -> (&str, &str) {
        match self {
            Self::Aws(_, key) => (&key.access_key_id, &key.secret_access_key),
            Self::Entra(_, (id, secret)) => (id, secret),
        }
    }

    fn store(&self) -> Value {
        let half = |entry: &str| json!({"name": SECRET, "namespace": "external-secrets", "key": entry});
        match self {
            Self::Aws(..) => json!({"aws": {"service": "SecretsManager", "region": Aws::region(),
                "auth": {"secretRef": {
                    "accessKeyIDSecretRef": half("id"), "secretAccessKeySecretRef": half("secret")}}}}),
            Self::Entra(..) => {
                json!({"azurekv": {"authType": "ServicePrincipal", "tenantId": Entra::tenant(),
                "vaultUrl": format!("https://{}.vault.azure.net", Entra::vault()),
                "authSecretRef": {"clientId": half("id"), "clientSecret": half("secret")}}})
            }
        }
    }

    /// The section of a settings file.
    fn section(&self) -> String {
        match self {
            Self::Aws(..) => {
                format!(
                    "aws:\n  account: \"{}\"\n  region: {}\n  keyUser: eso\n",
                    Aws::account(),
                    Aws::region()
                )
            }
            Self::Entra(_, (id, _)) => format!(
                "entra:\n  tenant: {}\n  subscription: {}\n  resourceGroup: {}\n  vault: {}\n  identity: keyless-bench\n  keyApplication: {id}\n",
                Entra::tenant(),
                Entra::subscription(),
                Entra::group(),
                Entra::vault()
            ),
        }
    }

    /// What names the administrator.
    fn login(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Aws(aws, _) => {
                let owner = aws.administrator();
                vec![
                    ("AWS_ACCESS_KEY_ID", owner.access_key_id),
                    ("AWS_SECRET_ACCESS_KEY", owner.secret_access_key),
                ]
            }
            Self::Entra(entra, _) => {
                let (id, secret) = entra.administrator();
                vec![
                    ("AZURE_TENANT_ID", Entra::tenant().to_owned()),
                    ("AZURE_CLIENT_ID", id),
                    ("AZURE_CLIENT_SECRET", secret),
                ]
            }
        }
    }

    fn requests(&self) -> Vec<Call> {
        match self {
            Self::Aws(aws, _) => aws.faults().requests(),
            Self::Entra(entra, _) => entra.faults().requests(),
        }
    }

    /// The stored credential opens nothing any more.
    fn is_retired(&self) -> bool {
        match self {
            Self::Aws(aws, key) => aws.key_is_active(&key.access_key_id).is_none(),
            Self::Entra(entra, (id, _)) => entra.application(id).is_some_and(|(secrets, _)| secrets == 0),
        }
    }
}

/// One run at AWS.
pub(crate) fn aws(keyless: &Path, one_way: Duration) -> Result<Ran, Box<dyn Error>> {
    run(keyless, one_way, Far::aws)
}

/// One run at Entra.
pub(crate) fn entra(keyless: &Path, one_way: Duration) -> Result<Ran, Box<dyn Error>> {
    run(keyless, one_way, Far::entra)
}

fn run(keyless: &Path, one_way: Duration, start: fn(&Ca) -> Far) -> Result<Ran, Box<dyn Error>> {
    let dir = TempDir::new()?;
    let (ca, key) = (Ca::new(), SigningKey::rsa(2048));
    let cluster = Cluster::start(&ca, 1, ISSUER, &key);
    let far = start(&ca);
    let wire = LongWire::start(far.addr(), one_way);
    let internet = Internet::start();
    for name in far.names() {
        internet.route(name, wire.addr());
    }
    let www = dir.path().join("www");
    fs::create_dir(&www)?;
    let web = Web::start(&ca, &[HOST], &www);
    web.change(|settings| {
        let types = std::mem::take(&mut settings.content_types);
        settings.content_types =
            types.into_iter().map(|(path, kind)| (format!("/prod{path}"), kind)).collect();
    });
    internet.route(HOST, web.addr());
    far.resolve(HOST, web.addr());
    ground::put_cluster(&cluster, &far.store(), &secret(&far));
    let _eso = EsoStandIn::start(&cluster, |_, key| match key {
        "" => Ok(Vec::new()),
        _ => Ok(br#"{"password":"hunter2"}"#.to_vec()),
    });
    ground::until_read(&cluster);
    ca.write(dir.path());
    let settings = format!(
        "apiVersion: keyless/v1\nissuer: {ISSUER}\nbucket:\n  url: 'file://{}'\n{}",
        www.display(),
        far.section()
    );
    fs::write(dir.path().join("keyless.yaml"), settings)?;

    let mut command = Command::new(keyless);
    command
        .current_dir(dir.path())
        .env_clear()
        .env("HOME", dir.path())
        .env("KUBECONFIG", cluster.kubeconfig(dir.path()))
        .env("HTTPS_PROXY", internet.url())
        .env("NO_PROXY", "127.0.0.0/8,localhost")
        .envs(far.login())
        .args(["setup", "--yes", "--retire-key", "--watch-for", "0s", "--force-sync"])
        .args(["--config", "keyless.yaml", "--ca-file", "ca.pem"])
        .stdin(Stdio::null());
    let start = Instant::now();
    let output = command.output()?;
    let wall = start.elapsed();
    if !output.status.success() || !far.is_retired() {
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("setup: {}, retired: {}\n{messages}", output.status, far.is_retired()).into());
    }
    let calls = far.requests().into_iter().filter(|call| call.arrived >= start).collect();
    Ok(Ran { start, wall, calls, at_cluster: ground::at_cluster(&cluster, start, wall) })
}

fn secret(far: &Far) -> Value {
    let (id, secret) = far.halves();
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET, "namespace": "external-secrets"},
        "data": {"id": STANDARD.encode(id), "secret": STANDARD.encode(secret)}})
}
