//! Running a command as a user does: `keyless`, the binary under test, and `kubectl`.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::check::{Checked, Failure, While, check};

/// A hung command must not hang the run.
const LIMIT: Duration = Duration::from_secs(120);

/// Where the command of this name is, if it is installed.
pub(crate) fn installed(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// One call, until it runs.
pub(crate) struct Call {
    command: Command,
    shown: String,
}

/// What a call did.
pub(crate) struct Ran {
    shown: String,
    code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Call {
    /// With nothing of the harness's own environment.
    pub(crate) fn new(program: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        Self { command, shown: format!("{name} {}", arguments.join(" ")) }
    }

    pub(crate) fn with(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) async fn run(self) -> Checked<Ran> {
        self.run_within(LIMIT).await
    }

    pub(crate) async fn run_within(mut self, limit: Duration) -> Checked<Ran> {
        let Ok(output) = timeout(limit, self.command.output()).await else {
            return Err(Failure(format!("`{}` did not end within {limit:?}", self.shown)));
        };
        let output = output.during(format_args!("running `{}`", self.shown))?;
        Ok(Ran {
            shown: self.shown,
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

impl Ran {
    /// Fails unless it ended with this exit code.
    pub(crate) fn exits(self, code: i32) -> Checked<Self> {
        check!(self.code == Some(code), "exit code {code} was expected\n{self}");
        Ok(self)
    }

    /// Fails unless its standard output is exactly one line that begins with `start`.
    pub(crate) fn prints_one_line(self, start: &str) -> Checked<Self> {
        let one = self.stdout.lines().count() == 1 && self.stdout.starts_with(start);
        check!(one, "one line beginning with `{start}` was expected on stdout\n{self}");
        Ok(self)
    }

    /// Fails unless standard error names this.
    pub(crate) fn says(self, word: &str) -> Checked<Self> {
        check!(self.stderr.contains(word), "`{word}` was expected on stderr\n{self}");
        Ok(self)
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "    $ {}", self.shown)?;
        match self.code {
            Some(code) => writeln!(f, "    exit code {code}")?,
            None => writeln!(f, "    ended by a signal")?,
        }
        for (stream, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            for line in text.lines() {
                writeln!(f, "    {stream}: {line}")?;
            }
        }
        Ok(())
    }
}
