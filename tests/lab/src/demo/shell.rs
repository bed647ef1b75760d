//! What is seen of the demo: its words, the commands with their output, and the result of its checks.

use std::cell::RefCell;
use std::error::Error;
use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) type Shown<T = ()> = Result<T, Box<dyn Error>>;

/// The binary under demonstration, in a folder of its own and with no environment but this
pub(crate) struct Shell {
    program: PathBuf,
    folder: PathBuf,
    environment: Vec<(&'static str, String)>,
    /// Everything that was shown so far
    shown: RefCell<String>,
}

impl Shell {
    pub(crate) fn new(program: PathBuf, folder: PathBuf, environment: Vec<(&'static str, String)>) -> Self {
        Self { program, folder, environment, shown: RefCell::default() }
    }

    /// Says what comes next
    pub(crate) fn say(&self, text: &str) {
        if !self.shown.borrow().is_empty() {
            self.show("\n");
        }
        text.lines().for_each(|line| self.show(&format!("# {line}\n")));
    }

    /// Runs `keyless` with these arguments, shows what it says, and returns that
    pub(crate) fn keyless(&self, arguments: &str, expected: i32) -> Shown<String> {
        self.show(&format!("$ keyless {arguments}\n"));
        // One pipe for both streams: they are seen in the order in which they were written.
        let (mut output, end) = io::pipe()?;
        let mut child = Command::new(&self.program)
            .args(arguments.split_whitespace())
            .current_dir(&self.folder)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (*name, value.as_str())))
            .stdin(Stdio::null())
            .stdout(end.try_clone()?)
            .stderr(end)
            .spawn()?;
        let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
        loop {
            let length = output.read(&mut part)?;
            if length == 0 {
                break;
            }
            io::stdout().write_all(&part[..length])?;
            bytes.extend_from_slice(&part[..length]);
        }
        let (text, status) = (String::from_utf8(bytes)?, child.wait()?);
        self.shown.borrow_mut().push_str(&text);
        if let Some(code) = status.code().filter(|code| *code != 0) {
            self.show(&format!("(exit code {code})\n"));
        }
        expect(status.code() == Some(expected), &format!("`keyless {arguments}` ends with {expected}"))?;
        Ok(text)
    }

    /// Adds text to a file of the folder
    pub(crate) fn append(&self, name: &str, text: &str) -> Shown {
        self.show(&format!("$ printf '{}' >>{name}\n", text.replace('\n', "\\n")));
        let mut file = OpenOptions::new().append(true).open(self.folder.join(name))?;
        Ok(file.write_all(text.as_bytes())?)
    }

    /// Says what was looked at, beside what the program says, and found to be so
    pub(crate) fn seen(&self, what: &str) {
        self.show(&format!("✓ {what}\n"));
    }

    /// Everything that was shown so far
    pub(crate) fn shown(&self) -> String {
        self.shown.borrow().clone()
    }

    fn show(&self, text: &str) {
        // Where the output of commands is shown, a reader that went away ends the demo.
        let _ = io::stdout().write_all(text.as_bytes());
        self.shown.borrow_mut().push_str(text);
    }
}

/// Ends the demo if this does not hold
pub(crate) fn expect(holds: bool, claim: &str) -> Shown {
    if holds { Ok(()) } else { Err(format!("this does not hold: {claim}").into()) }
}

/// Builds the binary under demonstration and returns its path
pub(crate) fn build() -> Shown<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(cargo)
        .args(["build", "--package", "keyless", "--message-format", "json-render-diagnostics"])
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err("`cargo build --package keyless` failed".into());
    }
    let messages = String::from_utf8(output.stdout)?;
    let found = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    found.ok_or_else(|| "cargo named no executable".into())
}
