//! Credential plugins (`exec` of a kubeconfig), run as kubectl runs them:
//! <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins>.
//!
//! Neither arguments, environment nor stdout of a plugin ever reach an error: all three hold credentials.

use std::{
    io::IsTerminal,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use futures::lock::Mutex as AsyncMutex;
use http::HeaderValue;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::Command,
};

use super::{
    kubeconfig::{Exec, Interactive, interactive},
    login::bearer,
    tls::ClientIdentity,
};
use crate::{
    error::{Code, Error, Result},
    redact,
    secret::Secret,
};

/// How long a plugin without a terminal may take. One on a terminal may wait for a person.
const TIME_LIMIT: Duration = Duration::from_secs(120);
/// How long it may be silent before it is mentioned.
const SILENCE: Duration = Duration::from_secs(2);
/// The longest answer that is read, in bytes: certificate chain, key and token have a few KiB.
const MAX_ANSWER: u64 = 1 << 20;
/// How many lines of stderr are passed on, and how long each may be.
const MAX_LINES: usize = 20;
const MAX_LINE: u64 = 1 << 10;

/// Takes a line that a person should see.
pub(super) type Say<'a> = dyn FnMut(&str) + Send + 'a;

/// A plugin, and what it answered last.
pub(super) struct Plugin {
    exec: Exec,
    /// `cluster` of `KUBERNETES_EXEC_INFO`.
    cluster: Option<Value>,
    answer: Mutex<Answer>,
    /// Held by the one who runs it.
    running: AsyncMutex<()>,
    identity: Arc<ClientIdentity>,
}

#[derive(Default)]
struct Answer {
    token: Option<HeaderValue>,
    /// How often it was run.
    generation: u64,
}

impl Plugin {
    /// `cluster` is what it is told about the cluster, if it wants to know. A client certificate that it answers with
    /// goes into `identity`.
    pub(super) fn new(exec: Exec, cluster: Option<Value>, identity: Arc<ClientIdentity>) -> Self {
        remember(&exec);
        Self { exec, cluster, answer: Mutex::default(), running: AsyncMutex::new(()), identity }
    }

    /// Its token, once it has answered with one.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).token.clone()
    }

    pub(super) fn generation(&self) -> u64 {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).generation
    }

    /// Runs it again, unless that was done since `generation`: its credential is not accepted any more.
    pub(super) async fn renew(&self, generation: u64) -> Result<()> {
        let _running = self.running.lock().await;
        if self.generation() != generation {
            return Ok(());
        }
        self.run(&mut |_| {}).await
    }

    /// Runs it and keeps what it answers. `say` gets its stderr, unless it has the terminal for itself.
    pub(super) async fn run(&self, say: &mut Say<'_>) -> Result<()> {
        let name = self.name();
        let on_terminal = self.gets_terminal()?;
        let mut command = self.command(on_terminal);
        let mut child = command.spawn().map_err(|error| self.cannot_start(&error))?;
        let stdout = child.stdout.take();
        let stderr = child.stderr.take();
        let mut lines = Lines { left: MAX_LINES, last: None };
        let done = async {
            let read = async {
                let mut answer = Vec::new();
                if let Some(stdout) = stdout {
                    stdout.take(MAX_ANSWER + 1).read_to_end(&mut answer).await?;
                }
                Ok::<_, std::io::Error>(answer)
            };
            let (answer, ()) = futures::join!(read, lines.pass_on(stderr, say));
            Ok::<_, std::io::Error>((answer?, child.wait().await?))
        };
        let limit = if on_terminal { Duration::MAX } else { TIME_LIMIT };
        let done = tokio::time::timeout(limit, done).await.map_err(|_| {
            failed(format!("the credential plugin {name} did not answer within {} s", TIME_LIMIT.as_secs()))
                .hint("run it on a terminal, where it can ask, or log in beforehand")
        })?;
        let (answer, status) =
            done.map_err(|error| failed(format!("the credential plugin {name} broke off")).caused_by(error))?;
        if answer.len() as u64 > MAX_ANSWER {
            return Err(failed(format!("the answer of the credential plugin {name} is longer than 1 MiB"))
                .hint("an ExecCredential has a few KiB: `kubectl get --raw /version` with the same context runs it too"));
        }
        if !status.success() {
            let error = failed(format!("the credential plugin {name} failed {}", how(status)));
            let error = lines.last.iter().fold(error, |error, line| error.caused_by(line));
            return Err(error.hint("`kubectl get --raw /version` with the same context runs it too"));
        }
        self.keep(&answer)
    }

    /// The program, without its folder.
    pub(super) fn name(&self) -> String {
        let command = self.exec.command.as_deref().unwrap_or_default();
        command.rsplit('/').next().unwrap_or_default().escape_debug().to_string()
    }

    fn gets_terminal(&self) -> Result<bool> {
        let is_terminal = std::io::stdin().is_terminal();
        match interactive(&self.exec)? {
            Interactive::Never => Ok(false),
            Interactive::IfAvailable => Ok(is_terminal),
            Interactive::Always if is_terminal => Ok(true),
            Interactive::Always => Err(Error::usage(
                Code::Kubeconfig,
                format!("the credential plugin {} wants to ask (interactiveMode: Always)", self.name()),
            )
            .caused_by("stdin is not a terminal")
            .hint("run it on a terminal, or use another login")),
        }
    }

    fn command(&self, on_terminal: bool) -> Command {
        let exec = &self.exec;
        let mut spec = json!({ "interactive": on_terminal });
        if let Some(cluster) = &self.cluster {
            spec["cluster"] = cluster.clone();
        }
        let info = json!({ "kind": "ExecCredential", "apiVersion": exec.api_version, "spec": spec });
        let mut command = Command::new(exec.command.as_deref().unwrap_or_default());
        command
            .args(&exec.args)
            .envs(exec.env.iter().map(|(name, value)| (name, value)))
            .env("KUBERNETES_EXEC_INFO", info.to_string())
            .stdin(if on_terminal { Stdio::inherit() } else { Stdio::null() })
            // A dialogue needs the terminal itself: prompts have no line end.
            .stderr(if on_terminal { Stdio::inherit() } else { Stdio::piped() })
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    fn cannot_start(&self, error: &std::io::Error) -> Error {
        let why = format!("the credential plugin {} cannot be started", self.name());
        let refused = Error::usage(Code::Kubeconfig, why).caused_by(error);
        match &self.exec.install_hint {
            Some(hint) => refused.hint(hint.clone()),
            None => refused.hint("install it, or name it by its absolute path in `exec.command`"),
        }
    }

    /// Takes the answer apart, an ExecCredential as JSON or YAML.
    fn keep(&self, answer: &[u8]) -> Result<()> {
        let name = self.name();
        let refuse = |why: &str| {
            failed(format!("the answer of the credential plugin {name} {why}"))
                .hint("`kubectl get --raw /version` with the same context shows whether kubectl takes it")
        };
        let value: Value =
            serde_saphyr::from_slice(answer).map_err(|_| refuse("is neither JSON nor YAML"))?;
        let text = |pointer: &str| {
            let text = value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
            text.map(str::to_owned)
        };
        if text("/kind").as_deref() != Some("ExecCredential") {
            return Err(refuse("is not an ExecCredential"));
        }
        if text("/apiVersion") != self.exec.api_version {
            return Err(refuse("has another apiVersion than the kubeconfig names"));
        }
        let token = text("/status/token").map(Secret::new);
        let header = match &token {
            Some(token) => {
                Some(bearer(token).ok_or_else(|| refuse("has a token that no HTTP header can hold"))?)
            }
            None => None,
        };
        match (text("/status/clientCertificateData"), text("/status/clientKeyData").map(Secret::new)) {
            (Some(certificate), Some(key)) => {
                let place = format!("the certificate of the credential plugin {name}");
                self.identity.set(certificate.as_bytes(), key.expose().as_bytes(), &place)?;
            }
            (None, None) if header.is_none() => return Err(refuse("has neither a token nor a certificate")),
            (None, None) => {}
            _ => return Err(refuse("has a certificate without its key, or a key without its certificate")),
        }
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        *answer = Answer { token: header, generation: answer.generation + 1 };
        Ok(())
    }

    /// Runs it for the first time, and mentions it when that takes long.
    pub(super) async fn start(&self, context: &str, say: &mut Say<'_>) -> Result<()> {
        let mut lines = futures::channel::mpsc::unbounded::<String>();
        let mut pass = |line: &str| drop(lines.0.unbounded_send(line.to_owned()));
        let running = std::pin::pin!(self.run(&mut pass));
        let mut running = futures::FutureExt::fuse(running);
        let mut silence = std::pin::pin!(futures::FutureExt::fuse(tokio::time::sleep(SILENCE)));
        let done = loop {
            futures::select_biased! {
                line = futures::StreamExt::next(&mut lines.1) => line.iter().for_each(|line| say(line)),
                done = running => break done,
                () = silence => say(&format!("Waiting for the credential plugin {}{context}…", self.name())),
            }
        };
        while let Ok(line) = lines.1.try_recv() {
            say(&line);
        }
        done
    }
}

/// What the API tells a plugin about the cluster (`provideClusterInfo`).
pub(super) fn cluster_info(
    server: &str,
    server_name: Option<&str>,
    insecure: bool,
    authority: Option<&[u8]>,
    proxy_url: Option<&str>,
    disable_compression: bool,
    extension: Option<&Value>,
) -> Value {
    let mut info = json!({ "server": server, "config": extension });
    let mut put = |name: &str, value: Option<Value>| {
        if let (Some(value), Some(object)) = (value, info.as_object_mut()) {
            object.insert(name.to_owned(), value);
        }
    };
    put("tls-server-name", server_name.map(Value::from));
    put("insecure-skip-tls-verify", insecure.then_some(Value::Bool(true)));
    put("certificate-authority-data", authority.map(|pem| Value::from(STANDARD.encode(pem))));
    put("proxy-url", proxy_url.map(Value::from));
    put("disable-compression", disable_compression.then_some(Value::Bool(true)));
    info
}

/// What a plugin writes to stderr, as far as it is passed on.
struct Lines {
    left: usize,
    last: Option<String>,
}

impl Lines {
    async fn pass_on(&mut self, stderr: Option<impl AsyncRead + Unpin>, say: &mut Say<'_>) {
        let Some(stderr) = stderr else { return };
        let mut stderr = BufReader::new(stderr);
        loop {
            let mut line = Vec::new();
            match (&mut stderr).take(MAX_LINE).read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if line.is_empty() {
                continue;
            }
            if self.left > 0 {
                self.left -= 1;
                say(&line);
            }
            self.last = Some(line);
        }
    }
}

/// What a plugin is told that is secret by its name: should the plugin complain about it, it is left out.
fn remember(exec: &Exec) {
    for (name, value) in &exec.env {
        redact::remember_url(value);
        redact::remember_named(name, value);
    }
    for (at, argument) in exec.args.iter().enumerate() {
        redact::remember_url(argument);
        match argument.split_once('=') {
            Some((name, value)) => redact::remember_named(name, value),
            None => redact::remember_named(argument, exec.args.get(at + 1).map_or("", String::as_str)),
        }
    }
}

fn how(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("with exit code {code}"),
        None => "by a signal".to_owned(),
    }
}

fn failed(why: impl Into<String>) -> Error {
    Error::failed(Code::CredentialPlugin, why)
}

#[cfg(test)]
#[path = "exec_tests.rs"]
mod tests;
