//! What was resolved, written down: the next run, and every other command, then means the same without asking.
//!
//! How this machine reaches the cluster is not written: the file goes with the cluster, not with the machine.
//! What the store's identity may do is: that list is an administrator's decision, and what is new is asked for.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, absolute},
};

use serde_json::{Value, json};

use super::{members::Member, publisher::Publisher};
use crate::{
    commands::resolve::Resolved,
    config::{Edit, Setting, Settings, edit, held, listed},
    error::{Code, Error, Result},
    files::{self, Accept, MAX_SMALL},
    oidc::Issuer,
    plan::{Action, FieldChange, Step, Target},
    redact,
    report::Report,
    warning::Warning,
};

const CA_FILE: &str = "tls.caFile";

/// The settings file, and what becomes of it.
pub(super) struct SettingsFile<'a> {
    path: &'a Path,
    edit: Edit,
}

impl<'a> SettingsFile<'a> {
    /// `issuer` if it is that of public documents; `cluster_uid` is that of the namespace `kube-system`.
    /// `store` is the one that the section `store` is about, if the run is about that one.
    pub(super) fn plan(
        settings: &'a Settings,
        resolved: &Resolved,
        issuer: Option<&Issuer>,
        cluster_uid: &str,
        store: Option<&Member>,
        publisher: Option<&Publisher>,
    ) -> Result<Self> {
        let path = settings.file.as_path();
        // A pipe can be read as settings, but not be brought up to date.
        let text = match files::read_text(path, Accept::File, MAX_SMALL) {
            Ok(text) => Some(text),
            Err(error) if error.is_missing() => None,
            Err(error) => {
                return Err(Error::usage(
                    Code::ConfigUnreadable,
                    format!("{} cannot be read", path.display()),
                )
                .caused_by(error)
                .hint("--config names the settings file, in which setup keeps what it decided"));
            }
        };
        let mut decisions = decisions(settings, resolved, issuer, cluster_uid, store)?;
        if let Some(publisher) = publisher {
            decisions.push(("cluster.publisher", json!(publisher.workload.account.to_string())));
        }
        if let Some(list) = store.and_then(|store| store.rights.to_list()) {
            decisions.extend(listed(&list, settings.store.listed.as_ref().unwrap_or(&BTreeSet::new())));
        }
        // The same file may be named in several ways.
        let named = text.as_deref().and_then(|text| held(text, CA_FILE));
        let named = named.map(|named| path.parent().unwrap_or(Path::new("")).join(named));
        if named.is_some() && named == settings.ca_file {
            decisions.retain(|(setting, _)| *setting != CA_FILE);
        }
        Ok(Self { path, edit: edit(text.as_deref(), &decisions) })
    }

    /// `None`: it says all of it already.
    pub(super) fn step(&self) -> Option<Step> {
        let changed = &self.edit.changed;
        let action = match changed.iter().any(|(_, have, _)| have.is_some()) {
            true => Action::Update,
            false => Action::Create,
        };
        let fields = changed.iter().map(|(path, have, want)| {
            FieldChange::new(*path, have.clone().map(Value::from), Some(want.clone().into()))
        });
        let reason = "the next run, and every other command, then means the same without asking";
        let step = Step::new(Target::SettingsFile, action, self.path.display().to_string(), reason);
        (!changed.is_empty()).then(|| step.fields(fields))
    }

    /// Writes it. A place that cannot be written, or a file whose form leaves no place, is worth a warning; a disk that
    /// is full or broken is an error.
    pub(super) fn write(&self, report: &mut Report<'_>) -> Result<()> {
        let mut left = self.edit.by_hand.clone();
        let mut why = "its form leaves no place to write them".to_owned();
        if self.edit.changed.iter().any(|(_, _, want)| redact::secret_line(want).is_some()) {
            // The warning shows it redacted.
            why = "a secret would be in it".to_owned();
            left.extend(self.edit.changed.iter().map(|(path, _, want)| format!("{path}: {want}")));
        } else if let Some(text) = &self.edit.text {
            match files::replace(self.path, text.as_bytes()) {
                Ok(()) => report.progress(format_args!("writing {}", self.path.display())),
                Err(error) if !error.is_read_only() => {
                    return Err(Error::failed(
                        Code::SettingsUnwritable,
                        format!("{} cannot be written", self.path.display()),
                    )
                    .caused_by(error)
                    .hint("make room on the disk, or name another file with --config; nothing was changed"));
                }
                Err(error) => {
                    why = error.to_string();
                    left.extend(self.edit.changed.iter().map(|(path, _, want)| format!("{path}: {want}")));
                }
            }
        }
        if !left.is_empty() {
            report.warning(&Warning::new(
                Code::SettingsNotWritten,
                format!(
                    "{} does not say {} ({why}): add it there, so that the next run resolves the same",
                    self.path.display(),
                    left.join(", ")
                ),
            ));
        }
        Ok(())
    }
}

fn decisions(
    settings: &Settings,
    resolved: &Resolved,
    issuer: Option<&Issuer>,
    cluster_uid: &str,
    store: Option<&Member>,
) -> Result<Vec<Setting>> {
    let mut all: Vec<Setting> = Vec::new();
    let mut say = |path: &'static str, value: Option<String>| {
        all.extend(value.map(|value| (path, json!(value))));
    };
    say("provider", Some(resolved.provider.provider().to_string()));
    say("issuer", issuer.map(Issuer::to_string));
    if let Some(bucket) = &settings.bucket {
        bucket.to_members().into_iter().for_each(|(path, value)| say(path, value));
    }
    // Every later run compares it before it does anything.
    say("cluster.uid", Some(cluster_uid.to_owned()));
    if let Some(ca_file) = &settings.ca_file {
        say(CA_FILE, Some(beside(&settings.file, ca_file)?));
    }
    resolved.provider.settings().into_iter().for_each(|(path, value)| say(path, Some(value)));
    if let Some(Member { store, account, .. }) = store {
        say("store.name", Some(store.name().to_owned()));
        say("store.namespace", store.namespace().map(str::to_owned));
        say("store.serviceAccount", Some(account.to_string()));
    }
    // The next run would take a staged key away that this one has given.
    if resolved.uploads_keys() && !settings.public_keys.is_empty() {
        let files = settings.public_keys.iter().map(|path| beside(&settings.file, path));
        all.push(("cluster.publicKeys", json!(files.collect::<Result<Vec<_>>>()?)));
    }
    Ok(all)
}

/// A path as the settings file takes it: relative to its own folder.
fn beside(file: &Path, path: &Path) -> Result<String> {
    let unusable = |error: io::Error| {
        Error::usage(Code::SettingsPath, format!("{} cannot be named in {}", path.display(), file.display()))
            .caused_by(error)
    };
    let folder = absolute(file).map_err(unusable)?;
    let folder = folder.parent().unwrap_or(Path::new("/"));
    let whole = absolute(path).map_err(unusable)?;
    Ok(whole.strip_prefix(folder).unwrap_or(&whole).display().to_string())
}
