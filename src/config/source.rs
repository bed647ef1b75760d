//! PURE. Where each setting comes from: a flag, the environment, the file, or nothing set it.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    file::{DEFAULT_NAME, Document},
    known::{Known, known_settings},
    overlay::{self, FromEnvironment},
};
use crate::{
    cli::Common,
    error::Result,
    federation::{Sections, Source},
};

/// What the file and the environment say, one by one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    file: Value,
    environment: Vec<FromEnvironment>,
}

/// Where a setting comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Origin {
    Flag,
    Environment,
    File,
    /// What the program takes where nothing is set.
    Default,
    /// Nothing sets it: it is derived when a command needs it, or not used.
    Unset,
}

/// A setting as it holds.
#[derive(Clone, Debug)]
pub(crate) struct Effective {
    pub(crate) setting: &'static Known,
    /// `null` where nothing sets it.
    pub(crate) value: Value,
    pub(crate) origin: Origin,
    /// The flag or variable.
    pub(crate) by: Option<String>,
}

impl Sources {
    /// The document with what the environment sets, each variable checked by itself: its error names it.
    pub(super) fn read(
        document: Option<Document>,
        path: &Path,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<(Option<Document>, Self)> {
        let environment = overlay::read(environment)?;
        let text = document.as_ref().map(|document| document.text.as_str());
        let file = text.and_then(|text| serde_saphyr::from_str(text).ok()).unwrap_or_default();
        let sources = Self { file, environment };
        if sources.environment.is_empty() {
            return Ok((document, sources));
        }
        for one in &sources.environment {
            let (text, name) = (one.alone()?, Path::new(one.variable));
            Document::parse(&text, name)?;
            Sections::read(&Source {
                file: Some((text.as_str(), name)),
                environment: &|_| None,
                has_bucket: false,
                ca_pem: None,
                is_of_user: &|_| true,
            })?;
        }
        let text = overlay::over(text, path, &sources.environment)?;
        Ok((Some(Document::parse(&text, path)?), sources))
    }

    /// A file that says what the environment sets, and nothing else.
    pub(super) fn of_environment(&self, path: &Path) -> Result<Option<String>> {
        let is_set = !self.environment.is_empty();
        is_set.then(|| overlay::over(None, path, &self.environment)).transpose()
    }

    /// Whether a variable sets it. What the file says of it then has no effect.
    pub(super) fn is_of_user(&self, setting: &str) -> bool {
        self.environment.iter().any(|one| one.setting.path == setting)
    }

    /// Whether the file says it, and no variable.
    pub(crate) fn file_says(&self, setting: &str) -> bool {
        self.of_file(setting).is_some() && !self.is_of_user(setting)
    }

    /// Whether the file says it, and neither a variable nor a flag.
    pub(super) fn file_alone_says(&self, setting: &str, common: &Common) -> bool {
        self.file_says(setting) && !flags(common).iter().any(|(path, ..)| *path == setting)
    }

    fn of_file(&self, setting: &str) -> Option<&Value> {
        let value = setting.split('.').try_fold(&self.file, |value, key| value.get(key));
        value.filter(|value| !value.is_null())
    }

    /// The file, if it is to be announced, and the variables.
    pub(super) fn announced(&self, file: Option<&PathBuf>) -> String {
        let file = file.map(|path| path.display().to_string());
        let variables = self.environment.iter().map(|one| one.variable.to_owned());
        file.into_iter().chain(variables).collect::<Vec<_>>().join(", ")
    }
}

/// The file that is read: the one that a flag names, or the one of the current folder.
pub(crate) fn file_path(common: &Common) -> PathBuf {
    common.config.clone().unwrap_or_else(|| DEFAULT_NAME.into())
}

/// Every setting, in the order of the schema.
pub(crate) fn effective(common: &Common, sources: &Sources) -> Vec<Effective> {
    let flags = flags(common);
    let one = |setting: &'static Known| {
        if let Some((_, flag, value)) = flags.iter().find(|(path, ..)| *path == setting.path) {
            return (value.clone(), Origin::Flag, Some((*flag).to_owned()));
        }
        let set = sources.environment.iter().find(|one| one.setting.path == setting.path);
        if let Some(set) = set {
            return (set.value.clone(), Origin::Environment, Some(set.variable.to_owned()));
        }
        let in_file = sources.of_file(setting.path.as_str());
        match (in_file, &setting.default) {
            (Some(value), _) => (value.clone(), Origin::File, None),
            (None, Some(default)) => (default.clone(), Origin::Default, None),
            (None, None) => (Value::Null, Origin::Unset, None),
        }
    };
    let all = known_settings().iter().map(|setting| (setting, one(setting)));
    all.map(|(setting, (value, origin, by))| Effective { setting, value, origin, by }).collect()
}

/// What flags set: the setting, the flag, the value.
fn flags(common: &Common) -> Vec<(&'static str, &'static str, Value)> {
    let Common {
        config: _,
        output: _,
        verbose: _,
        quiet: _,
        timeout: _,
        color: _,
        issuer,
        bucket,
        endpoint,
        region,
        addressing,
        public_url,
        project,
        ca_file,
        kubeconfig,
        context,
        service_account,
        public_key,
        no_cluster,
        external_signer,
    } = common;
    let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| json!(path.display().to_string()));
    let keys: Vec<_> = public_key.iter().map(|path| path.display().to_string()).collect();
    let all = [
        ("issuer", "--issuer", text(issuer)),
        ("bucket.url", "--bucket", text(bucket)),
        ("bucket.endpoint", "--endpoint", text(endpoint)),
        ("bucket.region", "--region", text(region)),
        (
            "bucket.addressing",
            "--addressing",
            addressing.and_then(|style| Some(json!(style.to_possible_value()?.get_name()))),
        ),
        ("bucket.publicUrl", "--public-url", text(public_url)),
        ("bucket.project", "--project", text(project)),
        ("tls.caFile", "--ca-file", path(ca_file)),
        ("cluster.kubeconfig", "--kubeconfig", path(kubeconfig)),
        ("cluster.context", "--context", context.first().map(|name| json!(name))),
        (
            "cluster.serviceAccount",
            "--service-account",
            service_account.as_ref().map(|it| json!(it.to_string())),
        ),
        ("cluster.publicKeys", "--public-key", (!keys.is_empty()).then(|| json!(keys))),
        ("cluster.enabled", "--no-cluster", no_cluster.then(|| json!(false))),
        ("cluster.externalSigner", "--external-signer", external_signer.then(|| json!(true))),
    ];
    all.into_iter().filter_map(|(path, flag, value)| Some((path, flag, value?))).collect()
}
