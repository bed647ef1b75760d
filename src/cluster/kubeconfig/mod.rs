//! How to reach the cluster: from `--kubeconfig`, `$KUBECONFIG`, `~/.kube/config` or a pod's own credentials.
//!
//! ```text
//!  sources ─► files ─► file (PURE) ─► merge, choose (PURE) ─► Access
//!         └─► a pod's own credentials, only where nothing else is configured
//! ```

mod access;
mod choose;
mod file;

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use http::{HeaderName, HeaderValue};

pub(super) use self::{
    choose::{Interactive, interactive},
    file::Exec,
};
use self::{
    choose::{choose, hidden, merge},
    file::{Cluster, File},
};
use super::{
    Settings,
    login::{Login, bearer, token_in},
    proxy::Proxy,
    server::ServerUrl,
    tls::{ClientIdentity, Trust},
};
use crate::{
    error::{Code, Error, Result},
    warning::Warning,
};

/// The longest file that is read, in bytes. Kubeconfigs have some KiB, with hundreds of clusters one MiB.
const MAX_FILE: u64 = 16 << 20;
/// Where Kubernetes puts a pod's own credentials.
pub(super) const POD_FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The part of the environment that says where kubeconfigs are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// `KUBECONFIG`, a list of files.
    pub(crate) kubeconfig: Option<OsString>,
    /// `HOME`.
    pub(crate) home: Option<PathBuf>,
    /// `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`, which every pod has.
    pub(crate) service: Option<(String, String)>,
}

/// Everything that it takes to speak to the cluster.
pub(super) struct Access {
    /// `None`: the pod's own credentials.
    pub(super) context: Option<String>,
    pub(super) server: ServerUrl,
    pub(super) server_name: Option<String>,
    pub(super) trust: Trust,
    pub(super) proxy: Option<Proxy>,
    pub(super) login: Login,
    pub(super) identity: Arc<ClientIdentity>,
    /// `Impersonate-…`.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) warnings: Vec<Warning>,
}

/// Reads whatever is configured. `pod` is the folder of a pod's own credentials.
pub(super) fn load(settings: &Settings, pod: &Path) -> Result<Access> {
    let environment = &settings.environment;
    let Some(sources) = Sources::of(settings.kubeconfig.as_deref(), environment)? else {
        return match &settings.context {
            // A named context is never the pod's own cluster.
            Some(context) => Err(refuse(format!(
                "there is no kubeconfig for the context {}",
                context.escape_debug()
            ))
            .hint(
                "set KUBECONFIG or give --kubeconfig FILE; in a pod, leave --context and cluster.context out",
            )),
            None => in_pod(environment, pod),
        };
    };
    let (file, warnings) = sources.read()?;
    let chosen = choose(file, settings.context.as_deref()).map_err(|error| sources.place(error))?;
    let context = chosen.context.clone();
    let access = chosen
        .access()
        .map_err(|error| sources.place(error.at(format_args!("context {}", context.escape_debug()))))?;
    Ok(Access { warnings, ..access })
}

/// A context, and the server that it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) name: String,
    /// Two that have the same number are reached alike: by the same address, authority and proxy.
    pub(crate) access: usize,
}

/// All contexts, in the order of the files. Nothing is asked. `whole`: all of them are meant, so that one that is left out
/// is an error.
pub(crate) fn contexts(settings: &Settings, whole: bool) -> Result<Vec<Listed>> {
    let sources = Sources::of(settings.kubeconfig.as_deref(), &settings.environment)?.ok_or_else(|| {
        refuse("there is no kubeconfig that could list contexts")
            .hint("set KUBECONFIG or give --kubeconfig FILE")
    })?;
    let (files, warnings) = sources.files()?;
    if whole {
        sources.leaves_none_out(&files, &warnings)?;
    }
    let file = merge(files);
    let mut servers: Vec<Option<&Cluster>> = Vec::new();
    let mut all = Vec::new();
    for (name, context) in &file.contexts {
        let named = context.cluster.as_deref().unwrap_or_default();
        let own = file.clusters.iter().find(|(other, _)| other == named).map(|(_, cluster)| cluster);
        let is_same = |other: &Option<&Cluster>| match (other, own) {
            (Some(other), Some(own)) => other.is_reached_as(own),
            (other, own) => other.is_none() && own.is_none(),
        };
        let access = servers.iter().position(is_same).unwrap_or_else(|| {
            servers.push(own);
            servers.len() - 1
        });
        all.push(Listed { name: name.clone(), access });
    }
    match all.is_empty() {
        false => Ok(all),
        true => Err(sources
            .place(refuse("it has no contexts").hint("`kubectl config get-contexts` lists the contexts"))),
    }
}

/// Which files are read.
struct Sources {
    files: Vec<PathBuf>,
    /// Files of a list may be missing, as long as one is there.
    may_miss: bool,
}

impl Sources {
    /// `None`: nothing is configured, and there is no default file. Any other trouble is an error: a pod's own cluster
    /// is never taken for the configured one.
    fn of(named: Option<&Path>, environment: &Environment) -> Result<Option<Self>> {
        if let Some(path) = named {
            return Ok(Some(Self { files: vec![path.to_owned()], may_miss: false }));
        }
        if let Some(list) = environment.kubeconfig.as_ref().filter(|list| !list.is_empty()) {
            let mut files: Vec<PathBuf> = Vec::new();
            for path in std::env::split_paths(list).filter(|path| !path.as_os_str().is_empty()) {
                if !files.contains(&path) {
                    files.push(path);
                }
            }
            return Ok(Some(Self { files, may_miss: true }));
        }
        let Some(home) = environment.home.as_ref().filter(|home| !home.as_os_str().is_empty()) else {
            return Ok(None);
        };
        let path = home.join(".kube/config");
        match fs::metadata(&path) {
            Ok(_) => Ok(Some(Self { files: vec![path], may_miss: false })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(refuse(format!("{} cannot be read", path.display()))
                .caused_by(error)
                .hint("correct HOME, or name another file by --kubeconfig")),
        }
    }

    /// All of them as one, and what the user should know of them.
    fn read(&self) -> Result<(File, Vec<Warning>)> {
        let (files, warnings) = self.files()?;
        Ok((merge(files), warnings))
    }

    /// Refuses what kubectl leaves out: files that are missing, and what an earlier file hides.
    fn leaves_none_out(&self, files: &[File], missing: &[Warning]) -> Result<()> {
        let hidden = hidden(files);
        if missing.is_empty() && hidden.is_empty() {
            return Ok(());
        }
        let error = refuse("not every cluster of the kubeconfig would be asked: nothing was done");
        let error = missing.iter().fold(error, |error, warning| error.caused_by(&warning.message));
        let error = hidden.iter().fold(error, |error, name| {
            error.caused_by(format_args!(
                "{name} is in more than one file, and the files differ: only the first is used"
            ))
        });
        let error = if missing.is_empty() {
            error
        } else {
            error.hint("take files that do not exist out of KUBECONFIG")
        };
        Err(self.place(match hidden.is_empty() {
            true => error,
            false => error.hint(
                "give each context, cluster and user a name of its own, or run this for each file: --kubeconfig FILE --all-contexts",
            ),
        }))
    }

    /// Each of them, and what the user should know of them.
    fn files(&self) -> Result<(Vec<File>, Vec<Warning>)> {
        let mut warnings = Vec::new();
        let mut files = Vec::new();
        for path in &self.files {
            match read(path) {
                Ok(file) => files.push(file),
                Err(Unread::Missing) if self.may_miss => warnings.push(Warning::new(
                    Code::KubeconfigMissing,
                    format!("KUBECONFIG names {}, which does not exist: it is ignored", path.display()),
                )),
                Err(Unread::Missing) => {
                    return Err(refuse(format!("{} does not exist", path.display()))
                        .hint("--kubeconfig, and cluster.kubeconfig in keyless.yaml, name one file"));
                }
                Err(Unread::Error(error)) => return Err(error.at(path.display())),
            }
        }
        if files.is_empty() {
            let error =
                warnings.iter().fold(refuse("KUBECONFIG names no file that exists"), |error, warning| {
                    error.caused_by(&warning.message)
                });
            return Err(error.hint(
                "correct KUBECONFIG, or unset it to use ~/.kube/config; `~` in it is for the shell to replace",
            ));
        }
        Ok((files, warnings))
    }

    /// Says which files an error is about.
    fn place(&self, error: Error) -> Error {
        let names: Vec<_> = self.files.iter().map(|path| path.display().to_string()).collect();
        error.at(names.join(", "))
    }
}

enum Unread {
    Missing,
    Error(Error),
}

fn read(path: &Path) -> Result<File, Unread> {
    let bytes = read_bytes(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Unread::Missing,
        _ => Unread::Error(
            refuse("it cannot be read").caused_by(error).hint("it must be a file that this user may read"),
        ),
    })?;
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    File::parse(&bytes, whole.parent().unwrap_or(Path::new("/"))).map_err(Unread::Error)
}

/// A whole file, within the limit.
fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    use io::Read;
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MAX_FILE {
        true => Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is longer than 16 MiB")),
        false => Ok(bytes),
    }
}

/// The credentials that Kubernetes gives every pod.
fn in_pod(environment: &Environment, folder: &Path) -> Result<Access> {
    let nowhere = || {
        refuse("no cluster is known: no kubeconfig is configured, and this is not a pod")
            .hint("set KUBECONFIG or give --kubeconfig FILE")
            .hint(
                "on a server of k3s that is /etc/rancher/k3s/k3s.yaml, of kubeadm /etc/kubernetes/admin.conf",
            )
    };
    let (host, port) = environment.service.as_ref().ok_or_else(nowhere)?;
    let token = folder.join("token");
    let content = match fs::read_to_string(&token) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(nowhere().caused_by(format_args!("{} does not exist", token.display())));
        }
        Err(error) => return Err(pod_unusable(&token).caused_by(error)),
    };
    let last = token_in(&content)
        .and_then(|token| bearer(&token))
        .ok_or_else(|| pod_unusable(&token).caused_by("it holds no token"))?;
    let authority = folder.join("ca.crt");
    let pem = read_bytes(&authority).map_err(|error| pod_unusable(&authority).caused_by(error))?;
    let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    Ok(Access {
        context: None,
        server: ServerUrl::parse(&format!("https://{host}:{port}"))?,
        server_name: None,
        trust: Trust::These(pem),
        proxy: None,
        login: Login::File { path: token, last: Mutex::new(Some(last)) },
        identity: Arc::default(),
        headers: Vec::new(),
        warnings: Vec::new(),
    })
}

fn pod_unusable(path: &Path) -> Error {
    refuse(format!("this pod's own credentials cannot be used: {}", path.display()))
        .hint("Kubernetes mounts them, unless automountServiceAccountToken is false")
}

fn refuse(why: impl Into<String>) -> Error {
    Error::usage(Code::Kubeconfig, why)
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
