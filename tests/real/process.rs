//! One server process of the world: its log is kept, and it ends with the value that holds it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

use crate::check::{Checked, Failure, While};

pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program`; what it prints is appended to `NAME.log` in `folder`, which is its home too.
    pub(crate) fn start(
        name: &str,
        program: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        folder: &Path,
    ) -> Checked<Self> {
        Self::start_with(name, program, arguments, [], folder)
    }

    /// Like [`Process::start`], with settings that it takes from its environment.
    pub(crate) fn start_with<'a>(
        name: &str,
        program: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        environment: impl IntoIterator<Item = (&'a str, &'a Path)>,
        folder: &Path,
    ) -> Checked<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log)?;
        let child = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            // Nothing of the user's own settings (proxies, credentials, Vault addresses) reaches it.
            .env_clear()
            .env("HOME", folder)
            .env("TMPDIR", folder)
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .during(format_args!("starting {}", program.display()))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// A failure with the end of its log if it has ended by itself.
    pub(crate) fn running(&mut self) -> Checked {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(Failure(format!(
                "{} ended with {status}; the end of its log:\n{}",
                self.name,
                tail(&self.log, 20)
            ))),
        }
    }

    /// Ends it the hard way: a far side has nothing to tidy up, and a rollout in a story stays short.
    pub(crate) async fn stop(&mut self) -> Checked {
        self.child.kill().await.during(format_args!("stopping {}", self.name))
    }
}

/// The last `lines` lines of a log.
pub(crate) fn tail(log: &Path, lines: usize) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].iter().map(|line| format!("    {line}\n")).collect()
}
