//! A cluster, a folder as bucket, a web server before it, and a network where its name leads there.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use lab::{Ca, Cluster, Internet, SigningKey, Web};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const ISSUER: &str = "https://oidc.lab.test/prod";

pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) ca: Ca,
    pub(crate) key: SigningKey,
    pub(crate) cluster: Cluster,
    pub(crate) internet: Internet,
    pub(crate) web: Web,
    pub(crate) www: PathBuf,
    pub(crate) kubeconfig: PathBuf,
}

/// How the program ended and what it printed.
#[derive(Debug)]
pub(crate) struct Ran {
    /// For snapshots: `keyless publish --dry-run`.
    pub(crate) command: String,
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Definitions of External Secrets Operator's kinds.
pub(crate) const CRDS: &str = include_str!("../lab/fixtures/crds/eso-0.20.4-min.yaml");
/// How long a test waits for what a far side does by itself, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

impl World {
    /// A cluster in which External Secrets Operator runs, and nothing else.
    pub(crate) fn with_operator() -> Self {
        let world = Self::new(1);
        world.cluster.load_crds(CRDS);
        world.cluster.put_object(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "external-secrets", "namespace": "external-secrets" },
            "spec": { "template": { "spec": { "serviceAccountName": "external-secrets", "containers": [
                { "name": "external-secrets", "image": "ghcr.io/external-secrets/external-secrets:v0.20.4" }] } } },
        }));
        world
    }

    /// A cluster of so many API servers that sign as [`ISSUER`].
    pub(crate) fn new(servers: usize) -> Self {
        Self::signing_as(servers, ISSUER)
    }

    pub(crate) fn signing_as(servers: usize, issuer: &str) -> Self {
        Self::signing_with(servers, issuer, SigningKey::from_stock())
    }

    pub(crate) fn signing_with(servers: usize, issuer: &str, key: SigningKey) -> Self {
        let dir = TempDir::new().unwrap();
        let ca = Ca::new();
        let cluster = Cluster::start(&ca, servers, issuer, &key);
        let www = dir.path().join("www");
        std::fs::create_dir(&www).unwrap();
        let web = Web::start(&ca, &["oidc.lab.test"], &www);
        web.change(|settings| {
            let types = std::mem::take(&mut settings.content_types);
            settings.content_types =
                types.into_iter().map(|(path, kind)| (format!("/prod{path}"), kind)).collect();
        });
        let internet = Internet::start();
        internet.route("oidc.lab.test", web.addr());
        ca.write(dir.path());
        let kubeconfig = cluster.kubeconfig(dir.path());
        Self { dir, ca, key, cluster, internet, web, www, kubeconfig }
    }

    /// `keyless` with these arguments, in a folder of its own and with no environment but what it needs.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyless"));
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env_clear()
            .env("HOME", self.dir.path())
            .env("KUBECONFIG", &self.kubeconfig)
            .env("HTTPS_PROXY", self.internet.url())
            .env("NO_PROXY", "127.0.0.0/8,localhost")
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command(arguments))
    }

    /// A command on the folder as bucket, under [`ISSUER`].
    pub(crate) fn keyless(&self, command: &str, more: &[&str]) -> Ran {
        self.run(&self.arguments(command, more).iter().map(String::as_str).collect::<Vec<_>>())
    }

    pub(crate) fn spawn(&self, command: &str, more: &[&str]) -> Child {
        let arguments = self.arguments(command, more);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        self.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn arguments(&self, command: &str, more: &[&str]) -> Vec<String> {
        let bucket = format!("file://{}", self.www.display());
        [command, "--bucket", &bucket, "--issuer", ISSUER, "--ca-file", "ca.pem"]
            .iter()
            .chain(more)
            .map(|argument| (*argument).to_owned())
            .collect()
    }

    /// UID of the namespace `kube-system`.
    pub(crate) fn cluster_uid(&self) -> String {
        let system = self.cluster.object("v1", "Namespace", None, "kube-system").unwrap();
        system["metadata"]["uid"].as_str().unwrap().to_owned()
    }

    /// What every command says first.
    pub(crate) fn target(&self) -> String {
        let server = self.cluster.server(0).url();
        format!("Cluster admin ({server}, UID {})", self.cluster_uid())
    }

    /// The `kid`s that lie in the bucket.
    pub(crate) fn published(&self) -> Vec<String> {
        let body = std::fs::read(self.jwks()).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        body["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn jwks(&self) -> PathBuf {
        self.www.join("prod/openid/v1/jwks")
    }

    pub(crate) fn discovery(&self) -> PathBuf {
        self.www.join("prod/.well-known/openid-configuration")
    }

    /// Puts a document there by hand.
    pub(crate) fn put(&self, path: &Path, body: impl AsRef<[u8]>) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, body).unwrap();
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            command: "keyless".to_owned(),
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// Runs it to its end.
    pub(crate) fn of(command: &mut Command) -> Self {
        let words = command.get_args().map(|word| match word.to_string_lossy() {
            word if word.is_empty() || word.contains(' ') => format!("'{word}'"),
            word => word.into_owned(),
        });
        let command_line = words.fold("keyless".to_owned(), |line, word| format!("{line} {word}"));
        Self { command: command_line, ..command.output().unwrap().into() }
    }

    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}stderr:\n{}", self.out, self.err);
        self
    }

    /// It could not be done, for this reason, and the error names these things and a remedy.
    #[track_caller]
    pub(crate) fn fails(self, exit: i32, code: &str, names: &[&str]) -> Self {
        let ran = self.ends(exit);
        assert!(ran.err.contains(&format!("error[{code}]: ")), "not {code}:\n{}", ran.err);
        for name in names {
            assert!(ran.err.contains(name), "does not name `{name}`:\n{}", ran.err);
        }
        assert!(ran.err.contains("\n  hint: "), "no remedy:\n{}", ran.err);
        assert!(!ran.err.contains("panicked"), "{}", ran.err);
        ran
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.out.contains(text) || self.err.contains(text),
            "`{text}` is not in\n{}{}",
            self.out,
            self.err
        );
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {}", self.out))
    }
}
