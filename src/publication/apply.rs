//! Applies a plan in the order in which it is safe to stop after any step, and reads back what came of it.

use std::time::Duration;

use super::{
    Publication, PublicationPlan,
    published::{Published, documents, headers_of, write},
    read_back::{Look, Seen},
};
use crate::{
    bucket::{Condition, Stored, WriteError},
    error::{Code, Error, Result},
    oidc::Document,
    relying_party::Site,
    report::Report,
    retry::{Attempts, Backoff},
    rotation::Decision,
    waiting::Waiting,
    warning::Warning,
};

/// How often another writer may come in between before this one gives up.
const ATTEMPTS: u32 = 20;
/// How often a store may report a conflict over an object that has not changed.
const STUCK: u32 = 5;

/// What was done.
pub(crate) struct Outcome {
    pub(crate) decision: Decision,
    /// Paths of the documents that were written.
    pub(crate) written: Vec<&'static str>,
    /// What was found out on the way.
    pub(crate) notes: Vec<Warning>,
    /// Anonymous readers get what was written, and not a former form of it.
    pub(crate) read_back: bool,
}

impl Publication<'_> {
    /// Applies what was shown. When another publisher writes at the same time, its keys are added to ours.
    pub(crate) async fn apply(&self, plan: &PublicationPlan<'_>, report: &mut Report<'_>) -> Result<Outcome> {
        for change in &plan.create {
            report.progress(change.step().progress());
            change.apply().await?;
        }
        let mut published = plan.observation.published.clone();
        let mut outcome = Outcome {
            decision: plan.decision.clone(),
            written: Vec::new(),
            notes: Vec::new(),
            read_back: false,
        };
        self.write_all(plan, &mut published, &mut outcome, report).await?;
        let opened = self.open(plan, &outcome, report).await?;
        self.sweep(plan, &mut outcome, report).await;
        self.until_read_back(plan, published, &mut outcome, opened, report).await?;
        Ok(outcome)
    }

    /// Writes until both documents lie there as decided: the key set first, so that a document never promises keys
    /// that are not there.
    async fn write_all(
        &self,
        plan: &PublicationPlan<'_>,
        published: &mut Published,
        outcome: &mut Outcome,
        report: &mut Report<'_>,
    ) -> Result<()> {
        let mut stuck = 0;
        let conflict = Backoff::conflict(Duration::from_millis(20), ATTEMPTS);
        let mut attempts = Attempts::begin(Backoff { longest: Duration::from_millis(400), ..conflict });
        for _ in 0..ATTEMPTS {
            let wanted = documents(self, &outcome.decision.keys);
            let mut written = Vec::new();
            let mut conflict = None;
            for document in published.pending(&wanted) {
                report.detail(format_args!(
                    "writing {}/{}",
                    self.bucket,
                    self.location.object(document.path)
                ));
                let waiting = Waiting::default();
                let write = async {
                    let _wait = waiting.on(self.bucket.to_string());
                    write(self, document, published.of(document)).await
                };
                match waiting.tell(report, write).await {
                    Ok(condition) => {
                        outcome.wrote(document.path);
                        self.note_condition(condition, outcome);
                        written.push(document);
                    }
                    Err(WriteError::Conflict(message)) => {
                        conflict = Some((document, message));
                        break;
                    }
                    Err(WriteError::Other(error)) => return Err(error),
                }
            }
            if written.is_empty() && conflict.is_none() {
                return Ok(());
            }
            // Whatever was written: what counts is what is there now, and whether it holds all that it must.
            let now = Published::read(self, plan.former, false).await?.with(&plan.observation.copy);
            for document in written {
                self.refuse_changed_headers(document, now.of(document))?;
            }
            if let Some((document, message)) = conflict {
                if plan.replaces() {
                    return Err(self.changed_since_shown(document));
                }
                report.detail(format_args!("another writer came in between ({message}): reading again"));
                let version =
                    |published: &Published| published.of(document).map(|stored| stored.version.clone());
                stuck = if version(published) == version(&now) { stuck + 1 } else { 0 };
                if stuck == STUCK {
                    return Err(self.stuck(document, &message));
                }
                if !attempts.pause(None).await {
                    break;
                }
            }
            *published = now;
            outcome.decision = self.decide_again(plan, published)?;
        }
        Err(Error::failed(
            Code::BucketContended,
            format!("{} changed {ATTEMPTS} times while it was being written", self.bucket),
        )
        .hint("more than one publisher is at work all the time; keep one"))
    }

    fn decide_again(&self, plan: &PublicationPlan<'_>, published: &Published) -> Result<Decision> {
        let live = plan.observation.observed.as_ref().map(|observed| observed.live()).transpose()?;
        self.decide_on(&plan.observation, &published.sets, live.as_ref(), plan.former)
    }

    /// A store that keeps another header than it was given will do so the next time as well.
    fn refuse_changed_headers(&self, document: &Document, stored: Option<&Stored>) -> Result<()> {
        let Some(stored) = stored.filter(|stored| stored.body == document.body) else { return Ok(()) };
        let changed = headers_of(stored, document);
        let Some((header, kept)) = changed.first() else { return Ok(()) };
        let name = self.location.object(document.path);
        let wanted = if *header == "Content-Type" { document.content_type } else { document.cache_control };
        let code = if *header == "Content-Type" { Code::ContentTypeFixed } else { Code::CacheControlFixed };
        Err(Error::failed(
            code,
            format!(
                "{} keeps {name} with `{header}: {}`, although it was written with `{wanted}`",
                self.bucket,
                kept.escape_debug()
            ),
        )
        .caused_by("the store, or a gateway before it, sets this header by itself; writing again would not change it")
        .hint(format!(
            "let it keep the header that a writer sends, or set `{header}: {wanted}` for {name} there; relying parties depend on it"
        )))
    }

    /// What would be replaced now was not shown.
    fn changed_since_shown(&self, document: &Document) -> Error {
        let name = self.location.object(document.path);
        Error::failed(
            Code::BucketChanged,
            format!("another writer changed {}/{name} since the plan was shown", self.bucket),
        )
        .hint("run the command again: it shows what it would replace now")
    }

    /// The store refuses a write that it should take.
    fn stuck(&self, document: &Document, message: &str) -> Error {
        let name = self.location.object(document.path);
        Error::failed(
            Code::ConditionsRefused,
            format!("{} reports another writer of {name} each time, and {name} has not changed", self.bucket),
        )
        .caused_by(message)
        .hint("the store refuses conditional writes that it should take: look at what is before it, or use another store")
    }

    fn note_condition(&self, condition: Condition, outcome: &mut Outcome) {
        if condition == Condition::Ignored {
            outcome.note(Warning {
                code: Code::ConditionsIgnored,
                message: format!(
                    "{} ignores conditional writes: let only one publisher write to it",
                    self.bucket
                ),
            });
        }
    }

    /// Lets everyone read, once it is seen that the issuer does not lead elsewhere. `true` when something was opened.
    async fn open(
        &self,
        plan: &PublicationPlan<'_>,
        outcome: &Outcome,
        report: &mut Report<'_>,
    ) -> Result<bool> {
        if plan.open.is_empty() {
            return Ok(false);
        }
        let wanted = documents(self, &outcome.decision.keys);
        let keys = &outcome.decision.keys;
        let gone = outcome.decision.gone();
        if self.look(false).is_open_already([&wanted[0], &wanted[1]], keys, &gone, report).await? {
            report.progress("anonymous readers get both documents already: nothing has to be opened");
            return Ok(false);
        }
        for change in &plan.open {
            report.progress(change.step().progress());
            change.apply().await?;
        }
        Ok(true)
    }

    /// Nothing depends on what is removed here.
    async fn sweep(&self, plan: &PublicationPlan<'_>, outcome: &mut Outcome, report: &mut Report<'_>) {
        for (name, version) in &plan.leftovers {
            report.progress(format_args!("deleting {}/{name}", self.bucket));
            if let Err(error) = self.bucket.remove(name, version).await {
                outcome.note(Warning {
                    code: Code::Leftover,
                    message: format!(
                        "{}/{name} stays: {}; it can be deleted by hand",
                        self.bucket, error.message
                    ),
                });
            }
        }
    }

    /// Only what anonymous readers get is published.
    async fn until_read_back(
        &self,
        plan: &PublicationPlan<'_>,
        mut published: Published,
        outcome: &mut Outcome,
        just_opened: bool,
        report: &mut Report<'_>,
    ) -> Result<()> {
        let look = self.look(just_opened);
        for _ in 0..ATTEMPTS {
            let wanted = documents(self, &outcome.decision.keys);
            let seen = (outcome.written.is_empty() && !just_opened).then(|| plan.observation.seen.clone());
            report.detail("reading the public documents without credentials");
            let (keys, gone) = (&outcome.decision.keys, outcome.decision.gone());
            match look.until_as_written([&wanted[0], &wanted[1]], keys, &gone, seen, report).await? {
                Seen::AsWritten => {
                    outcome.read_back = true;
                    return Ok(());
                }
                Seen::Former(note) => {
                    outcome.note(note);
                    return Ok(());
                }
                Seen::Later(error) => {
                    let now = Published::read(self, plan.former, false).await?.with(&plan.observation.copy);
                    if now.sets == published.sets || plan.replaces() {
                        return Err(error);
                    }
                    published = now;
                    outcome.decision = self.decide_again(plan, &published)?;
                    self.write_all(plan, &mut published, outcome, report).await?;
                }
            }
        }
        Err(Error::failed(
            Code::BucketContended,
            format!("{} changed {ATTEMPTS} times while it was being read back", self.bucket),
        )
        .hint("more than one publisher is at work all the time; keep one"))
    }

    fn look(&self, just_opened: bool) -> Look<'_> {
        let (issuer, kid_rule) = (&self.location.issuer, self.settings.kid_rule);
        Look { http: self.http, site: Site { issuer, kid_rule, bucket_url: None }, just_opened }
    }
}

impl Outcome {
    fn wrote(&mut self, path: &'static str) {
        if !self.written.contains(&path) {
            self.written.push(path);
        }
    }

    fn note(&mut self, note: Warning) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}
