//! The worlds in which the pages' commands are played: what a reader of the page has at that point, and what it does between
//! the commands.

mod clouds;
mod clusters;

use std::{ffi::OsString, path::PathBuf, process::Command, rc::Rc};

use super::line::install;
use crate::{estate::Estate, world::World};

/// A folder, an environment, and what must stay alive meanwhile.
pub(super) struct Stage {
    folder: PathBuf,
    variables: Vec<(OsString, OsString)>,
    /// A part of a question, and what a person answers.
    pub(super) answers: Vec<(&'static str, String)>,
    /// What a name in the table is replaced by: `{kid}`.
    named: Vec<(&'static str, String)>,
    after: Option<After>,
    /// The far sides stop when they are dropped.
    alive: Vec<Box<dyn std::any::Any>>,
}

/// What a person, or time, does after the line with this number.
type After = Box<dyn Fn(usize)>;

impl Stage {
    /// With the folder and the environment of this run of the program.
    fn of(program: &Command, alive: impl std::any::Any) -> Self {
        let folder = program.get_current_dir().unwrap().to_owned();
        install(&folder.join("bin"));
        let owned = |(name, value): (&std::ffi::OsStr, Option<&std::ffi::OsStr>)| {
            Some((name.to_owned(), value?.to_owned()))
        };
        let mut variables: Vec<_> = program.get_envs().filter_map(owned).collect();
        let path = format!("{}:/usr/bin:/bin", folder.join("bin").display());
        variables.push(("PATH".into(), path.into()));
        // The lab's authority is no public one.
        variables.push(("KEYLESS_TLS_CA_FILE".into(), "ca.pem".into()));
        let alive: Vec<Box<dyn std::any::Any>> = vec![Box::new(alive)];
        Self { folder, variables, answers: Vec::new(), named: Vec::new(), after: None, alive }
    }

    fn estate(estate: &Rc<Estate>) -> Self {
        Self::of(&estate.command(&["audit"]), estate.clone())
    }

    fn world(world: &Rc<World>) -> Self {
        Self::of(&world.command(&[]), world.clone())
    }

    fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    fn answers(mut self, answers: &[(&'static str, &str)]) -> Self {
        self.answers = answers.iter().map(|(question, answer)| (*question, (*answer).to_owned())).collect();
        self
    }

    fn named(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.named.push((name, value.into()));
        self
    }

    fn then(mut self, after: impl Fn(usize) + 'static) -> Self {
        self.after = Some(Box::new(after));
        self
    }

    fn keeps(mut self, alive: impl std::any::Any) -> Self {
        self.alive.push(Box::new(alive));
        self
    }

    fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    /// With the folder and the environment of this world, and no other.
    pub(super) fn place(&self, command: &mut Command) {
        command
            .current_dir(&self.folder)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
    }

    pub(super) fn filled(&self, text: &str) -> String {
        let folder = self.folder.display().to_string();
        let all = self.named.iter().map(|(name, value)| (*name, value)).chain([("{folder}", &folder)]);
        all.fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    pub(super) fn after(&self, line: usize) {
        if let Some(after) = &self.after {
            after(line);
        }
    }
}

/// The world of this name.
pub(super) fn stage(name: &str) -> Stage {
    match name {
        "no cluster" => clusters::none(),
        "documents, nothing published" => clusters::documents(false),
        "documents" => clusters::documents(true),
        "two clusters" => clusters::two(),
        "results of audits" => clusters::results(),
        "staged key" => clusters::staged(),
        "staged key is served" => clusters::served(),
        "former key signs no more" => clusters::rotated(),
        "former key is not served" => clusters::leaked(),
        "former key is not published" => clusters::lost(),
        "keys that the ledger does not know" => clusters::unknown(),
        "damaged documents" => clusters::damaged(),
        "audit" => clouds::audit(),
        "google" => clouds::google(),
        "google with an exception" => clouds::google_with_exception(),
        "google, set up" => clouds::google_set_up(),
        "google, retired" => clouds::google_retired(),
        "google, new secret" => clouds::google_new_secret(),
        "google, two stores" => clouds::google_two(false),
        "google, two stores set up" => clouds::google_two(true),
        "google, settings of two clusters" => clouds::google_fleet(),
        "google, s3 bucket" => clouds::google_s3(),
        "google, gs bucket" => clouds::google_gs(0),
        "google, gs bucket, issuer changed" => clouds::google_gs(1),
        "google and vault" => clouds::google_and_vault(),
        "vault" => clouds::vault(false),
        "vault, set up" => clouds::vault(true),
        "aws" => clouds::aws(),
        "entra" => clouds::entra(),
        "s3 bucket" => clouds::s3(),
        "azure container" => clouds::azure("https://acmeoidc.blob.core.windows.net/keys"),
        "azure web site" => clouds::azure("https://acmeoidc.z6.web.core.windows.net"),
        _ => panic!("there is no world `{name}`"),
    }
}
