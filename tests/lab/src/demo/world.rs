//! The far sides of the demo: a cluster, a bucket store, Google, OpenBao, and the network between them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lab::{Ca, Cluster, Flavour, Google, Internet, KeyFile, S3, SigningKey, Vault};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::estate::{self, SECRET};
use crate::operator::Operator;
use crate::shell::{Shell, Shown, expect};

/// The default issuer of API servers
const OLD_ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
const BUCKETS: &str = "s3.example.com";
const ISSUER: &str = "https://s3.example.com/acme-oidc";
const BAO: &str = "bao.example.com";
const BAO_POLICY: &str = "keyless-external-secrets";
/// How long a new value may take until the application sees it
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct World {
    // The operator is stopped first, and the folder goes last.
    operator: Operator,
    pub(crate) cluster: Cluster,
    pub(crate) google: Google,
    pub(crate) bao: Vault,
    pub(crate) s3: S3,
    pub(crate) shell: Shell,
    email: String,
    _internet: Internet,
    _runtime: Runtime,
    folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn start(program: PathBuf) -> Shown<Self> {
        let (folder, ca) = (tempfile::tempdir()?, Ca::new());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let cluster = Cluster::start(&ca, 2, OLD_ISSUER, &SigningKey::rsa(2048));
        let s3 = S3::start_tls(&ca, &[BUCKETS], Flavour::Compatible);
        let (google, bao) = (Google::start(&ca), Vault::start(&ca, &[BAO]));
        let internet = Internet::start();
        internet.route(BUCKETS, s3.addr());
        internet.route(BAO, bao.addr());
        Google::names().iter().for_each(|name| internet.route(name, google.addr()));
        // Google and OpenBao fetch the documents themselves.
        google.resolve(BUCKETS, s3.addr());
        bao.resolve(BUCKETS, s3.addr());

        let email = google.service_account("external-secrets");
        let member = format!("serviceAccount:{email}");
        google.add_secret(SECRET, &secret("one"));
        google.grant(&format!("secrets/{SECRET}"), "roles/secretmanager.secretAccessor", &member);
        bao.enable_kv("kv");
        bao.put_secret("kv", SECRET, json!({"password": "from OpenBao"}));
        estate::put(&cluster, &google.create_key(&email));
        let operator = Operator::start(&cluster, &internet, &ca, runtime.handle().clone())?;

        ca.write(folder.path());
        let credentials = s3.credentials();
        let environment = vec![
            ("HOME", folder.path().display().to_string()),
            ("KUBECONFIG", cluster.kubeconfig(folder.path()).display().to_string()),
            ("AWS_ACCESS_KEY_ID", credentials.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key),
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("GOOGLE_OAUTH_ACCESS_TOKEN", google.token()),
            ("VAULT_ADDR", "https://bao.example.com".to_owned()),
            ("VAULT_TOKEN", bao.root_token()),
            ("HTTPS_PROXY", internet.url()),
            ("NO_PROXY", "127.0.0.0/8".to_owned()),
        ];
        tidy_when_interrupted(&runtime, folder.path().to_owned());
        let shell = Shell::new(program, folder.path().to_owned(), environment);
        Ok(Self {
            operator,
            cluster,
            google,
            bao,
            s3,
            shell,
            email,
            _internet: internet,
            _runtime: runtime,
            folder,
        })
    }

    /// Waits until the application sees this password
    pub(crate) fn application_sees(&self, password: &str) -> Shown {
        let end = Instant::now() + PATIENCE;
        while estate::password(&self.cluster).as_deref() != Some(password) {
            let refused = self.operator.refused();
            expect(Instant::now() < end, &format!("the application sees `{password}` ({refused:?})"))?;
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// What an administrator does in two rollouts: all accept the new issuer, then all sign as it
    pub(crate) fn sign_as_the_bucket(&self) {
        self.cluster.change_servers(|server| server.issuers = vec![OLD_ISSUER.into(), ISSUER.into()]);
        self.cluster.change_servers(|server| server.issuers = vec![ISSUER.into(), OLD_ISSUER.into()]);
    }

    /// Likewise with a key: all accept it, then all sign with it
    pub(crate) fn sign_with(&self, key: &SigningKey) {
        self.cluster.change_servers(|server| server.key_files.push(KeyFile::from(key)));
        self.cluster.change_servers(|server| server.signing_key = key.clone());
    }

    /// Where the commands run
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn change_at_google(&self, password: &str) {
        self.google.add_version(SECRET, &secret(password));
    }

    pub(crate) fn change_in_openbao(&self, password: &str) {
        self.bao.put_secret("kv", SECRET, json!({"password": password}));
    }

    /// The keys of the service account that Google still has
    pub(crate) fn keys_at_google(&self) -> usize {
        self.google.keys(&self.email).len()
    }

    /// What `keyless` made and is still there, on any side
    pub(crate) fn made(&self) -> Vec<String> {
        let alive = |name: &String| {
            let parts: Vec<&str> = name.split('/').collect();
            let found = match parts.get(5..) {
                Some([pool]) => self.google.pool(pool),
                Some([pool, _, provider]) => self.google.provider(pool, provider),
                _ => None,
            };
            found.is_none_or(|found| found["state"] != "DELETED")
        };
        let google = self.google.federation().into_iter().filter(alive);
        let granted = self.google.policy(&format!("secrets/{SECRET}")).to_string();
        let granted = granted.contains("principal").then_some(granted);
        let bao = self.bao.mounts().into_iter().filter(|(_, kind)| kind == "jwt").map(|(path, _)| path);
        let policy = self.bao.policy(BAO_POLICY).map(|_| BAO_POLICY.to_owned());
        let in_cluster = estate::made(&self.cluster);
        google.chain(granted).chain(bao).chain(policy).chain(in_cluster).chain(self.s3.buckets()).collect()
    }
}

/// An interrupted demo leaves nothing behind either
fn tidy_when_interrupted(runtime: &Runtime, folder: PathBuf) {
    runtime.spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            let _ = fs::remove_dir_all(folder);
            std::process::exit(130);
        }
    });
}

fn secret(password: &str) -> Vec<u8> {
    json!({"password": password}).to_string().into_bytes()
}
