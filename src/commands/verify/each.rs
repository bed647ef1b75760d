//! The stores that a verification is about, and what was found of each.

use serde_json::{Value, json};

use super::Verdict;
use crate::{
    cli::VerifyStores,
    cluster::{Cluster, snapshot::Estate},
    commands::{
        issuer,
        new_path::{Mode, Way},
        resolve::unknown_store,
        setup::shown,
        stores::Stores,
    },
    config::Settings,
    error::{Code, Error, Result},
    federation::Keys,
    relying_party::{Finding, Outcome},
    report::{Line, Report, Tone},
};

/// What was found of one store of several.
pub(super) struct OfStore {
    /// `ClusterSecretStore gcp`.
    pub(super) name: String,
    pub(super) findings: Vec<Finding>,
    /// What could not be established, and why.
    pub(super) error: Option<Error>,
}

/// How one provider comes to the cluster's keys.
pub(super) struct KeysAt {
    pub(super) provider: String,
    pub(super) mode: Mode,
    pub(super) keys: Result<Keys>,
}

/// How many of the findings came out how.
pub(super) struct Counts {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) skipped: usize,
    pub(super) warned: usize,
}

/// Those that the flags name. Stores that are not there are a usage error.
fn chosen(flags: &VerifyStores, settings: &Settings, estate: &Estate) -> Result<Stores> {
    if flags.all {
        return Ok(Stores::with_tokens(estate));
    }
    if flags.store.is_empty() {
        return Ok(Stores::of_settings(settings, estate));
    }
    let stores = Stores::naming(&flags.store);
    match stores.named.iter().flatten().find_map(|store| unknown_store(estate, store)) {
        Some(error) => Err(error),
        None => Ok(stores),
    }
}

impl Counts {
    pub(super) fn of<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Self {
        let mut counts = Self { passed: 0, failed: 0, skipped: 0, warned: 0 };
        for finding in findings {
            *match &finding.outcome {
                Outcome::Passed(_) => &mut counts.passed,
                Outcome::Failed { .. } => &mut counts.failed,
                Outcome::Skipped(_) => &mut counts.skipped,
                Outcome::Warned { .. } => &mut counts.warned,
            } += 1;
        }
        counts
    }

    /// `3 passed, 0 failed, 1 skipped`.
    pub(super) fn line(&self) -> String {
        let Self { passed, failed, skipped, warned } = self;
        let skipped = if *skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
        let warned = match warned {
            0 => String::new(),
            1 => ", 1 warning".to_owned(),
            more => format!(", {more} warnings"),
        };
        format!("{passed} passed, {failed} failed{skipped}{warned}")
    }

    pub(super) fn to_json(&self) -> Value {
        let Self { passed, failed, skipped, warned } = self;
        json!({ "passed": passed, "failed": failed, "skipped": skipped, "warnings": warned })
    }
}

impl OfStore {
    pub(super) fn show(&self, report: &mut Report<'_>) {
        report.line(format_args!("\n{}", self.name));
        self.findings.iter().for_each(|finding| report.lines(finding.lines()));
        if let Some(error) = &self.error {
            report.line(Line::marked(Tone::Error, format_args!("! {}", error.message)));
            error.causes.iter().for_each(|cause| report.line(format_args!("    {cause}")));
            error.hints.iter().for_each(|hint| report.line(format_args!("    {hint}")));
        }
    }

    /// One line for each store.
    pub(super) fn line(&self) -> String {
        let unknown = if self.error.is_some() { ", not everything could be established" } else { "" };
        format!("{}: {}{unknown}", self.name, Counts::of(&self.findings).line())
    }

    pub(super) fn checks(&self) -> impl Iterator<Item = Value> + '_ {
        self.findings.iter().map(|finding| {
            let mut shown = finding.to_json();
            shown["store"] = json!(self.name);
            shown
        })
    }

    pub(super) fn to_json(&self) -> Value {
        let mut shown = Counts::of(&self.findings).to_json();
        shown["store"] = json!(self.name);
        shown["error"] = match &self.error {
            Some(Error { code, message, causes, hints, .. }) => {
                json!({ "code": code, "message": message, "causes": causes, "hints": hints })
            }
            None => Value::Null,
        };
        shown
    }
}

impl Verdict<'_> {
    /// On to the end for each store, and how their providers come to the keys. What is found of the only store of a run
    /// comes first. An error ends it all.
    pub(super) async fn ways(
        &mut self,
        cluster: &Cluster,
        inside: &(Estate, String),
        now: fn() -> u64,
        report: &mut Report<'_>,
    ) -> Result<((Vec<Finding>, Result<()>), Vec<KeysAt>)> {
        let stores = chosen(&self.args.stores, self.settings, &inside.0)?;
        self.not_looked_at.clone_from(&stores.not_looked_at);
        let runs: Vec<_> = match &stores.named {
            None => vec![(None, self.settings.clone())],
            Some(named) => {
                let one = |store| {
                    let name = stores.are_several().then(|| shown(store));
                    (name, stores.settings_of(store, self.settings))
                };
                named.iter().map(one).collect()
            }
        };
        let mut all: Vec<KeysAt> = Vec::new();
        let mut end = (Vec::new(), Ok(()));
        for (name, settings) in runs {
            let run = (&stores, self.settings);
            let ended = match Way::resolve(&settings, run, cluster, inside, self.http, report).await {
                // Then there is nothing at all to look at.
                Err(error)
                    if matches!(error.code, Code::EsoMissing | Code::EsoControllerUnknown)
                        && self.named.is_none() =>
                {
                    return Err(issuer::missing().caused_by(error.message));
                }
                Err(error) => (Vec::new(), Err(error)),
                Ok(way) => {
                    let (mode, provider) = (way.mode(), way.provider.to_string());
                    let ask_keys = async {
                        let asks = mode != Mode::Documents && !all.iter().any(|it| it.provider == provider);
                        if asks { way.provider.keys().await } else { Ok(Keys::Fetched) }
                    };
                    let (ended, keys) = futures::join!(way.judge(now, report), ask_keys);
                    let fetches = mode == Mode::LikelyUploaded && matches!(keys, Ok(Keys::Fetched));
                    let mode = if fetches { Mode::Documents } else { mode };
                    if !all.iter().any(|it| it.provider == provider) {
                        all.push(KeysAt { provider, mode, keys });
                    }
                    ended
                }
            };
            match name {
                None => end = ended,
                Some(name) => {
                    self.stores.push(OfStore { name, findings: ended.0, error: ended.1.err() });
                }
            }
        }
        Ok((end, all))
    }
}
