//! What would be published, what was, and what is known of each key: as text and as JSON.

use serde_json::{Value, json};

use super::{Outcome, Publication, PublicationPlan};
use crate::{
    cluster::{ApiServer, FailedServer},
    oidc::PublicKey,
    report::{Line, Tone},
    rfc3339::rfc3339,
    rotation::{Decision, KeyStatus, State},
    warning::Warning,
};

impl PublicationPlan<'_> {
    /// The keys, then the steps; nothing when there is nothing to do.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let keys = self.decision.keys.iter().filter(|_| self.is_pending());
        let mut lines: Vec<_> = keys.map(|key| self.key_line(key)).collect();
        lines.extend(self.plan.lines());
        lines
    }

    fn key_line(&self, key: &PublicKey) -> Line {
        let status = self.decision.status(key);
        let is_new = self.decision.is_new(key);
        let mark = if is_new { '+' } else { ' ' };
        let (algorithm, kind) = (key.algorithm().name(), key.describe());
        let observed = self.observation.observed.as_ref();
        let served = match (observed, status) {
            (Some(_), KeyStatus::Retained) => {
                self.until(key).map(|until| format!(", kept until {until}")).unwrap_or_default()
            }
            (Some(_), KeyStatus::Foreign) => ": neither an API server nor a file ever had it".to_owned(),
            (Some(_), KeyStatus::Returned) => ": it was taken out before, and published again".to_owned(),
            (Some(_), KeyStatus::NotServed) => ": a former key of this cluster, or a foreign one".to_owned(),
            (Some(all), _) => format!(", served by {} of {}", all.serving(key), all.listed()),
            (None, _) => String::new(),
        };
        let text =
            format!("{mark} {}  {algorithm} {kind}  {}{served}", key.kid().escape_debug(), status.name());
        if is_new { Line::marked(Tone::Good, text) } else { Line::from(text) }
    }

    /// Until when a former key is kept.
    fn until(&self, key: &PublicKey) -> Option<String> {
        match self.observation.history.as_ref()?.state(key)? {
            State::Retained { until } | State::ShownOnce { until } => until.map(rfc3339),
            _ => None,
        }
    }

    /// Everything worth knowing, the gravest last.
    pub(crate) fn notes(&self) -> impl Iterator<Item = &Warning> {
        self.plan.notes.iter().chain(&self.doubts)
    }

    /// `2 API servers`, `1 of 3 API servers`, `files only`.
    fn sources(&self) -> String {
        match self.observation.observed.as_ref().map(|all| (all.key_sets().count(), all.listed())) {
            Some((1, 1)) => "1 API server".to_owned(),
            Some((known, all)) if known == all => format!("{all} API servers"),
            Some((known, all)) => format!("{known} of {all} API servers"),
            None => "files only".to_owned(),
        }
    }

    fn how_many(decision: &Decision) -> String {
        let count = decision.keys.len();
        format!("{count} {}", if count == 1 { "key" } else { "keys" })
    }

    /// The last line of a dry run.
    pub(crate) fn pending_line(&self, publication: &Publication<'_>) -> String {
        let new = self.decision.keys.iter().filter(|key| self.decision.is_new(key)).count();
        let (keys, issuer) = (Self::how_many(&self.decision), &publication.location.issuer);
        if let Some(history) = self.observation.history.as_ref().filter(|_| self.is_ledger_only()) {
            let ledger = history.book.name();
            return format!("pending: {ledger} only; unchanged: {keys} at {issuer} ({})", self.sources());
        }
        format!("pending: {new} to add, {keys} in all at {issuer} ({})", self.sources())
    }

    /// The last line when nothing was to be done.
    pub(crate) fn unchanged_line(&self, publication: &Publication<'_>) -> String {
        let (keys, issuer) = (Self::how_many(&self.decision), &publication.location.issuer);
        format!("unchanged: {keys} at {issuer} ({})", self.sources())
    }

    /// The last line of a run that has changed something.
    pub(crate) fn published_line(&self, publication: &Publication<'_>, outcome: &Outcome) -> String {
        let (keys, issuer) = (Self::how_many(&outcome.decision), &publication.location.issuer);
        match outcome.read_back {
            true => {
                format!("published: {keys} at {issuer} ({}); read back without credentials", self.sources())
            }
            false => format!(
                "stored: {keys} for {issuer} ({}); anonymous readers still get a former document",
                self.sources()
            ),
        }
    }

    /// `outcome`: `None` for a dry run.
    pub(crate) fn to_json(&self, publication: &Publication<'_>, outcome: Option<&Outcome>) -> Value {
        let observed = self.observation.observed.as_ref();
        let decision = outcome.map_or(&self.decision, |outcome| &outcome.decision);
        let history = self.observation.history.as_ref();
        let key = |key: &PublicKey| {
            let entry = history.and_then(|history| history.entry(key));
            json!({
                "kid": key.kid(),
                "algorithm": key.algorithm().name(),
                "kind": key.describe(),
                "status": decision.status(key).name(),
                "servedBy": observed.map(|observed| observed.serving(key)),
                "firstNoticed": entry.map(|entry| rfc3339(entry.noticed)),
                "publicSince": entry.and_then(|entry| entry.public_since).map(rfc3339),
                "keptUntil": self.until(key),
            })
        };
        let notes = self.notes().chain(outcome.into_iter().flat_map(|outcome| &outcome.notes));
        let written: Vec<&str> = match outcome {
            Some(outcome) => outcome.written.clone(),
            None => self.written_paths(),
        };
        json!({
            "issuer": publication.location.issuer.as_str(),
            "bucket": publication.bucket.to_string(),
            "changed": self.is_pending(),
            "dryRun": outcome.is_none(),
            "documents": written,
            "plan": self.plan,
            "servers": observed.map(|all| all.servers.iter().map(server).collect::<Vec<_>>()),
            "failedServers": observed.map(|all| all.failed.iter().map(failed).collect::<Vec<_>>()),
            "keys": decision.keys.iter().map(key).collect::<Vec<_>>(),
            "readBack": outcome.map(|outcome| outcome.read_back),
            "ledger": history.is_some_and(|history| !history.is_left_alone()),
            "removed": self.decision.leaving.iter().map(PublicKey::kid).collect::<Vec<_>>(),
            "leftOut": decision.left_out.iter().map(PublicKey::kid).collect::<Vec<_>>(),
            "complete": self.doubts.is_empty(),
            "warnings": notes.collect::<Vec<_>>(),
        })
    }

    /// For `setup`, of whose plan this is a part.
    pub(crate) fn to_json_part(&self) -> Value {
        json!({
            "pending": self.is_pending(),
            "keys": self.decision.keys.iter().map(|key| json!({
                "kid": key.kid(), "status": self.decision.status(key).name(),
            })).collect::<Vec<_>>(),
        })
    }

    fn written_paths(&self) -> Vec<&'static str> {
        let paths = super::published::paths();
        let is_written = |path: &&str| {
            self.plan.steps.iter().any(|step| {
                step.target == crate::plan::Target::Document
                    && matches!(step.action, crate::plan::Action::Create | crate::plan::Action::Update)
                    && step.name.ends_with(*path)
            })
        };
        paths.into_iter().filter(is_written).collect()
    }
}

pub(super) fn server(server: &ApiServer) -> Value {
    json!({
        "address": server.address,
        "keys": server.keys.iter().map(PublicKey::kid).collect::<Vec<_>>(),
        "signsWith": server.token.claims().kid,
        "signsAs": server.token.claims().issuer.as_str(),
    })
}

pub(super) fn failed(server: &FailedServer) -> Value {
    json!({
        "address": server.address,
        "code": server.error.code,
        "message": server.error.message,
        "keys": server.keys.as_ref().map(|keys| keys.iter().map(PublicKey::kid).collect::<Vec<_>>()),
    })
}
