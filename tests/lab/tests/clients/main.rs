//! Each far side driven by clients that are not ours. A client that is not installed is a named skip.

mod aws;
mod cluster;
mod faults;
mod gcs;
mod google;
mod network;
mod objects;
mod s3;
mod vault;

use std::fmt;
use std::path::Path;
use std::process::Command;

/// What a client printed, and whether it succeeded
pub(crate) struct Output {
    pub(crate) ok: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ok: {}\n-- stdout\n{}\n-- stderr\n{}", self.ok, self.out, self.err)
    }
}

/// A client with a clean environment, or `None` and a named skip
pub(crate) fn client(program: &str) -> Option<Command> {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()));
    if !found {
        println!("skipped: {program} is not installed");
        return None;
    }
    let mut command = Command::new(program);
    for (name, _) in std::env::vars() {
        let upper = name.to_uppercase();
        if upper.ends_with("_PROXY") || upper.starts_with("AWS_") || upper == "KUBECONFIG" {
            command.env_remove(name);
        }
    }
    Some(command)
}

pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().expect("run a client");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Output { ok: output.status.success(), out: text(&output.stdout), err: text(&output.stderr) }
}

/// curl that trusts the lab CA; prints headers and body
pub(crate) fn curl(ca: &Path) -> Option<Command> {
    let mut curl = client("curl")?;
    curl.args(["--silent", "--show-error", "--include", "--max-time", "10", "--cacert"]).arg(ca);
    Some(curl)
}
