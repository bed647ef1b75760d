//! Applies a plan in the order in which it is safe to stop after any step, and reads back what came of it.

use std::time::Duration;

use async_trait::async_trait;
use futures::lock::Mutex;

use super::{
    Publication, PublicationPlan,
    published::{Published, documents, headers_of, write},
    read_back::{Look, Seen},
};
use crate::{
    bucket::{Bucket, Condition, Stored, Version, WriteError},
    error::{Code, Error, Result},
    oidc::Document,
    plan::{Act, Change, Say, apply, apply_beside},
    relying_party::Site,
    report::{Report, SharedReport},
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

/// How far the documents are written. The acts of both share it.
struct Writing {
    /// As they lie in the bucket, but for those that are not read again yet.
    published: Published,
    unread: Vec<&'static str>,
    outcome: Outcome,
}

/// Brings a document up to date. The last of them reads what is there then, and goes on until both are as decided.
struct WriteDocument<'w, 'p, 'm, 'r> {
    publication: &'w Publication<'w>,
    plan: &'w PublicationPlan<'p>,
    /// `None`: it is the last.
    only: Option<&'static str>,
    writing: &'w Mutex<Writing>,
    messages: &'w SharedReport<'m, 'r>,
}

#[async_trait]
impl Act for WriteDocument<'_, '_, '_, '_> {
    async fn run(&self, _say: Say<'_>) -> Result<()> {
        let mut writing = self.writing.lock().await;
        self.publication.write_all(self.plan, self.only, &mut writing, self.messages).await
    }

    fn speaks(&self) -> bool {
        true
    }
}

/// Removes an object that nothing depends on. That it stays is no failure.
struct Remove<'w> {
    bucket: &'w dyn Bucket,
    name: &'w str,
    version: &'w Version,
    stays: &'w Mutex<Vec<Warning>>,
}

#[async_trait]
impl Act for Remove<'_> {
    async fn run(&self, _say: Say<'_>) -> Result<()> {
        if let Err(error) = self.bucket.remove(self.name, self.version).await {
            let (bucket, name) = (self.bucket, self.name);
            let message = format!("{bucket}/{name} stays: {}; it can be deleted by hand", error.message);
            self.stays.lock().await.push(Warning { code: Code::Leftover, message });
        }
        Ok(())
    }
}

impl Publication<'_> {
    /// Applies what was shown. When another publisher writes at the same time, its keys are added to ours.
    pub(crate) async fn apply(&self, plan: &PublicationPlan<'_>, report: &mut Report<'_>) -> Result<Outcome> {
        let writing = Writing {
            published: plan.observation.published.clone(),
            unread: Vec::new(),
            outcome: Outcome {
                decision: plan.decision.clone(),
                written: Vec::new(),
                notes: Vec::new(),
                read_back: false,
            },
        };
        let writing = Mutex::new(writing);
        {
            let messages = &SharedReport::new(report);
            let last = plan.documents.len().saturating_sub(1);
            let documents = plan.documents.iter().enumerate().map(|(index, (path, step))| {
                let only = (index < last).then_some(*path);
                let act = WriteDocument { publication: self, plan, only, writing: &writing, messages };
                Change::new(step.clone(), Box::new(act) as Box<dyn Act + '_>)
            });
            let documents: Vec<_> = documents.collect();
            apply_beside(plan.create.iter().chain(&documents), messages).await?;
        }
        let mut writing = writing.into_inner();
        let opened = self.open(plan, &writing.outcome, report).await?;
        self.sweep(plan, &mut writing.outcome, report).await?;
        self.until_read_back(plan, &mut writing, opened, report).await?;
        Ok(writing.outcome)
    }

    /// Writes until both documents lie there as decided: the key set first, so that a document never promises keys
    /// that are not there. `only`: until this one is written; what is there then is read with the next.
    async fn write_all(
        &self,
        plan: &PublicationPlan<'_>,
        only: Option<&str>,
        writing: &mut Writing,
        messages: &SharedReport<'_, '_>,
    ) -> Result<()> {
        let mut stuck = 0;
        let conflict = Backoff::conflict(Duration::from_millis(20), ATTEMPTS);
        let mut attempts = Attempts::begin(Backoff { longest: Duration::from_millis(400), ..conflict });
        for _ in 0..ATTEMPTS {
            let wanted = documents(self, &writing.outcome.decision.keys);
            let mut conflict = None;
            let pending = writing.published.pending(&wanted).into_iter();
            let is_due = |path: &str| only.is_none_or(|only| only == path) && !writing.unread.contains(&path);
            let pending: Vec<_> = pending.filter(|document| is_due(document.path)).collect();
            let is_shown = |path: &str| plan.documents.iter().any(|(shown, _)| *shown == path);
            if let Some(document) = pending.iter().find(|document| !is_shown(document.path)) {
                return Err(self.changed_since_shown(document));
            }
            for document in pending {
                messages.detail(format_args!(
                    "writing {}/{}",
                    self.bucket,
                    self.location.object(document.path)
                ));
                let waiting = Waiting::default();
                let write = async {
                    let _wait = waiting.on(self.bucket.to_string());
                    write(self, document, writing.published.of(document)).await
                };
                match waiting.tell_by(|line| messages.progress(line), write).await {
                    Ok(condition) => {
                        writing.outcome.wrote(document.path);
                        self.note_condition(condition, &mut writing.outcome);
                        writing.unread.push(document.path);
                    }
                    Err(WriteError::Conflict(message)) => {
                        conflict = Some((document, message));
                        break;
                    }
                    Err(WriteError::Other(error)) => return Err(error),
                }
            }
            if conflict.is_none() && (only.is_some() || writing.unread.is_empty()) {
                return Ok(());
            }
            // Whatever was written: what counts is what is there now, and whether it holds all that it must.
            let now = Published::read(self, plan.former, false).await?.with(&plan.observation.copy);
            for document in wanted.iter().filter(|document| writing.unread.contains(&document.path)) {
                self.refuse_changed_headers(document, now.of(document))?;
            }
            writing.unread.clear();
            if let Some((document, message)) = conflict {
                if plan.replaces() {
                    return Err(self.changed_since_shown(document));
                }
                messages.detail(format_args!("another writer came in between ({message}): reading again"));
                let version =
                    |published: &Published| published.of(document).map(|stored| stored.version.clone());
                stuck = if version(&writing.published) == version(&now) { stuck + 1 } else { 0 };
                if stuck == STUCK {
                    return Err(self.stuck(document, &message));
                }
                if !attempts.pause(None).await {
                    break;
                }
            }
            writing.published = now;
            writing.outcome.decision = self.decide_again(plan, &writing.published)?;
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
        apply(&plan.open, report).await?;
        Ok(true)
    }

    /// Nothing depends on what is removed here.
    async fn sweep(
        &self,
        plan: &PublicationPlan<'_>,
        outcome: &mut Outcome,
        report: &mut Report<'_>,
    ) -> Result<()> {
        let stays = Mutex::new(Vec::new());
        let removals = plan.leftovers.iter().map(|(step, name, version)| {
            let act = Remove { bucket: self.bucket.as_ref(), name, version, stays: &stays };
            Change::new(step.clone(), Box::new(act) as Box<dyn Act + '_>)
        });
        let removals: Vec<_> = removals.collect();
        apply(&removals, report).await?;
        drop(removals);
        stays.into_inner().into_iter().for_each(|note| outcome.note(note));
        Ok(())
    }

    /// Only what anonymous readers get is published.
    async fn until_read_back(
        &self,
        plan: &PublicationPlan<'_>,
        writing: &mut Writing,
        just_opened: bool,
        report: &mut Report<'_>,
    ) -> Result<()> {
        let look = self.look(just_opened);
        for _ in 0..ATTEMPTS {
            let outcome = &mut writing.outcome;
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
                    if now.sets == writing.published.sets || plan.replaces() {
                        return Err(error);
                    }
                    writing.published = now;
                    writing.outcome.decision = self.decide_again(plan, &writing.published)?;
                    let wanted = documents(self, &writing.outcome.decision.keys);
                    if plan.documents.is_empty() && !writing.published.pending(&wanted).is_empty() {
                        // No step shows that a document is written: the next look plans it.
                        return Err(error);
                    }
                    self.write_all(plan, None, writing, &SharedReport::new(report)).await?;
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
