//! From what was observed to the steps that bring the documents up to date.

use serde_json::{Value, json};

use super::{
    History, Observation, Options, Publication, live,
    location::Proof,
    published::{documents, headers_of},
};
use crate::{
    bucket::{Change, PublicAccess, Version},
    error::{Code, Error, Result},
    oidc::{Discovery, Document, JWKS_PATH, KeySet, PublicKey},
    plan::{Action, Plan, Step, Target},
    relying_party::notes_of_unread,
    rotation::{self, Decision, Former, Inputs, Place, PublishedSet},
    warning::Warning,
};

/// No more keys than this are named in one step: others may have written thousands.
const NAMED: usize = 20;

/// What is shown, and what it takes to apply it.
pub(crate) struct PublicationPlan<'p> {
    pub(crate) plan: Plan,
    /// What keeps the run from being a success, although what is known is published.
    pub(crate) doubts: Vec<Warning>,
    /// How many of them were shown.
    pub(crate) shown_doubts: usize,
    pub(super) observation: Observation,
    pub(super) decision: Decision,
    pub(super) create: Vec<Change<'p>>,
    /// The documents that are not as they have to be, each with its step: the key set first.
    pub(super) documents: Vec<(&'static str, Step)>,
    pub(super) open: Vec<Change<'p>>,
    /// What is removed, each with its step.
    pub(super) leftovers: Vec<(Step, String, Version)>,
    pub(super) former: Former,
}

impl Publication<'_> {
    /// Decides, and says step by step what would be done. `now` is in seconds since 1970.
    pub(crate) async fn plan(
        &self,
        options: &Options,
        observation: Observation,
        now: u64,
    ) -> Result<PublicationPlan<'_>> {
        let live = observation.observed.as_ref().map(|observed| observed.live()).transpose()?;
        let decision = self.decide(&observation, live.as_ref(), options.former)?;
        let wanted = documents(self, &decision.keys);
        let pending = observation.published.pending(&wanted);
        let mut access = match options.create && !self.is_open(&observation) {
            true => self.bucket.plan_public(&self.names()).await?,
            false => PublicAccess::default(),
        };
        if !pending.is_empty() || !access.open.is_empty() {
            self.refuse_unproved_location(&observation)?;
        }

        let mut plan = Plan::default();
        observation.history.iter().filter_map(History::step).for_each(|step| plan.then(step));
        access.create.iter_mut().for_each(|change| plan.then_change(change));
        let mut planned = Vec::new();
        for document in &pending {
            plan.then(self.document_step(&observation, document, &decision));
            planned.extend(plan.steps.last().map(|step| (document.path, step.clone())));
        }
        access.open.iter_mut().for_each(|change| plan.then_change(change));
        let mut leftovers = Vec::new();
        for (name, version) in &observation.leftovers {
            let reason = "an interrupted run of an earlier version left it";
            plan.then(Step::new(Target::Document, Action::Delete, format!("{}/{name}", self.bucket), reason));
            leftovers.extend(plan.steps.last().map(|step| (step.clone(), name.clone(), version.clone())));
        }
        plan.notes = self.notes(&observation, &decision, now);
        let doubts = observation.observed.as_ref().map(|observed| live::doubts(observed, &decision.keys));
        let mut doubts: Vec<_> = doubts.into_iter().flatten().collect();
        // Without the ledger, nothing is in doubt as long as each published key is one that the cluster or a file has. Where
        // none is kept, there is none to be read.
        let is_note = |note: &Warning| note.code == Code::LedgerMissing;
        match decision.not_served().is_empty() || observation.unreadable.as_ref().is_some_and(is_note) {
            true => plan.notes.extend(observation.unreadable.clone()),
            false => doubts.extend(observation.unreadable.clone()),
        }
        Ok(PublicationPlan {
            plan,
            doubts,
            shown_doubts: 0,
            decision,
            create: access.create,
            documents: planned,
            open: access.open,
            leftovers,
            former: options.former,
            observation,
        })
    }

    pub(super) fn decide(
        &self,
        observation: &Observation,
        live: Option<&KeySet>,
        former: Former,
    ) -> Result<Decision> {
        self.decide_on(observation, &observation.published.sets, live, former)
    }

    /// The same, with what is published by now.
    pub(super) fn decide_on(
        &self,
        observation: &Observation,
        published: &[PublishedSet],
        live: Option<&KeySet>,
        former: Former,
    ) -> Result<Decision> {
        let (files, states) = (observation.files.as_ref(), &observation.states());
        let (copies, is_own) = (observation.copies, observation.is_own);
        rotation::decide(&Inputs {
            live,
            files,
            published,
            former,
            states,
            copies,
            is_own,
            place: Place::Documents,
        })
    }

    /// Whether anonymous readers get both documents as they lie in the bucket: then nothing is to be opened.
    fn is_open(&self, observation: &Observation) -> bool {
        let published = &observation.published;
        let shown = |stored: &Option<crate::bucket::Stored>, fetched: &crate::relying_party::Fetched| {
            let answer = fetched.answer.as_ref().ok().filter(|answer| answer.status == 200);
            stored.as_ref().zip(answer).is_some_and(|(stored, answer)| stored.body == answer.body)
        };
        shown(&published.discovery, &observation.seen.0) && shown(&published.jwks, &observation.seen.1)
    }

    /// Nothing is written or opened where the issuer is not known to lead.
    fn refuse_unproved_location(&self, observation: &Observation) -> Result<()> {
        let location = &self.location;
        // Writing into a folder opens it to no one else, and is read back at once.
        if location.proof != Proof::None
            || self.bucket.knows_absence()
            || observation.published.is_shown_by(&observation.copy)
        {
            return Ok(());
        }
        let (host, bucket) = (location.issuer.host(), &self.bucket);
        let own = self.bucket_url().map(|url| format!(", or take the bucket's own URL as issuer: {url}"));
        Err(Error::usage(
            Code::IssuerNotOfBucket,
            format!("nothing shows that the issuer {} leads to {bucket}", location.issuer),
        )
        .hint(format!(
            "if https://{host} shows the bucket's root, say so: --public-url https://{host}{}",
            own.unwrap_or_default()
        )))
    }

    fn document_step(&self, observation: &Observation, document: &Document, decision: &Decision) -> Step {
        let stored = observation.published.of(document);
        let name = format!("{}/{}", self.bucket, self.location.object(document.path));
        let action = if stored.is_some() { Action::Update } else { Action::Create };
        let is_key_set = document.path == JWKS_PATH;
        let reason = match (is_key_set, stored.is_some()) {
            (true, _) => "the keys that relying parties verify with",
            (false, false) => "it leads relying parties to the keys",
            (false, true) => "it leads relying parties to the keys, and is out of date",
        };
        let mut step = Step::new(Target::Document, action, name, reason);
        step = match is_key_set {
            true => key_fields(step, decision),
            false => discovery_fields(step, observation, document),
        };
        for (header, kept) in stored.map(|stored| headers_of(stored, document)).unwrap_or_default() {
            let wanted =
                if header == "Content-Type" { document.content_type } else { document.cache_control };
            step = step.field(header, Some(json!(kept)), Some(json!(wanted)));
        }
        match self.bucket.write_permission() {
            Some(permission) => step.requires(permission),
            None => step,
        }
    }

    fn notes(&self, observation: &Observation, decision: &Decision, now: u64) -> Vec<Warning> {
        let issuer = &self.location.issuer;
        let observed = observation.observed.as_ref();
        let mut notes = observed.map(|observed| live::notes(observed, issuer, now)).unwrap_or_default();
        let mut note = |code, message| notes.push(Warning { code, message });
        // With a ledger, more is known of them.
        let not_served = if observation.history.is_some() { Vec::new() } else { decision.not_served() };
        if !not_served.is_empty() {
            note(
                Code::KeyNotServed,
                format!(
                    "published, and served by no API server: {}; keyless cannot tell a former key of this cluster from a foreign one, \
                     whose holder can sign as every workload",
                    kids(&not_served)
                ),
            );
        }
        if !decision.only_public.is_empty() {
            note(
                Code::KeyOnlyPublic,
                format!(
                    "anonymous readers see keys that are not stored in {}: {}; they are kept",
                    self.bucket,
                    kids(&decision.only_public.iter().collect::<Vec<_>>())
                ),
            );
        }
        if !decision.not_stored.is_empty() {
            note(
                Code::KeyOnlyPublic,
                format!(
                    "anonymous readers see keys that are not stored in {}: {}; they are not stored there, as no ledger shows them to be \
                     keys of this cluster: a cache, or something else before the bucket, still shows them",
                    self.bucket,
                    kids(&decision.not_stored.iter().collect::<Vec<_>>())
                ),
            );
        }
        for (key, place) in &decision.replaced {
            note(
                Code::KeyReplaced,
                format!(
                    "another key ({}) under the kid `{}` in {place} gives way to the one that this cluster serves",
                    key.describe(),
                    key.kid().escape_debug()
                ),
            );
        }
        for damaged in &observation.published.damaged {
            note(Code::Damaged, format!("replaced: {damaged}"));
        }
        if let Some(url) = &observation.published.jwks_uri {
            note(
                Code::JwksUriChanges,
                format!(
                    "the published document leads to {}: relying parties that keep it read no new keys there until their caches run out",
                    url.escape_debug()
                ),
            );
        }
        notes.extend(observation.history.iter().flat_map(History::notes));
        notes.extend(notes_of_unread(decision.keys.iter().filter(|key| decision.is_new(key))));
        notes
    }
}

fn key_fields(mut step: Step, decision: &Decision) -> Step {
    let described = |key: &PublicKey| json!(format!("{} {}", key.algorithm().name(), key.describe()));
    let path = |key: &PublicKey| format!("keys[{}]", key.kid().escape_debug());
    for key in decision.keys.iter().filter(|key| decision.is_new(key)) {
        let before = decision.replaced.iter().find(|(other, _)| other.kid() == key.kid());
        step = step.field(path(key), before.map(|(other, _)| described(other)), Some(described(key)));
    }
    for key in &decision.leaving {
        step = step.field(path(key), Some(described(key)), None);
    }
    for key in decision.left_out.iter().take(NAMED) {
        step = step.field(path(key), Some(described(key)), None);
    }
    if decision.left_out.len() > NAMED {
        let more = format!("keys[… and {} more]", decision.left_out.len() - NAMED);
        step = step.field(more, Some(json!("published")), None);
    }
    step
}

fn discovery_fields(step: Step, observation: &Observation, document: &Document) -> Step {
    let members = |body: &[u8]| Discovery::parse(body, "").ok();
    let after = members(&document.body);
    let before = observation.published.discovery.as_ref().and_then(|stored| members(&stored.body));
    let differing = [
        (
            "jwks_uri",
            before.as_ref().map(|it| json!(it.jwks_uri)),
            after.as_ref().map(|it| json!(it.jwks_uri)),
        ),
        (
            "id_token_signing_alg_values_supported",
            before.as_ref().map(|it| json!(it.algorithms)),
            after.as_ref().map(|it| json!(it.algorithms)),
        ),
    ];
    differing
        .into_iter()
        .filter(|(_, before, after): &(_, Option<Value>, _)| before != after)
        .fold(step, |step, (path, before, after)| step.field(path, before, after))
}

fn kids(keys: &[&PublicKey]) -> String {
    let mut kids: Vec<_> = keys.iter().take(NAMED).map(|key| key.kid().escape_debug().to_string()).collect();
    if keys.len() > NAMED {
        kids.push(format!("{} more", keys.len() - NAMED));
    }
    kids.join(", ")
}

impl PublicationPlan<'_> {
    /// Whether something would be changed that others can see: the ledger by itself does not count.
    pub(crate) fn is_pending(&self) -> bool {
        let is_ledger = |step: &&Step| step.target == Target::ClusterObject;
        self.plan.pending() > self.plan.steps.iter().filter(is_ledger).count()
    }

    /// Leaves the ledger as it is, where nothing else is to be done: the publisher keeps it.
    pub(crate) fn without_ledger_alone(mut self) -> Self {
        if self.is_ledger_only() {
            self.plan.steps.retain(|step| step.target != Target::ClusterObject);
        }
        self
    }

    /// Only the ledger would be written.
    pub(crate) fn is_ledger_only(&self) -> bool {
        self.plan.pending() > 0 && !self.is_pending()
    }

    /// Keys that `--same-cluster` takes for former keys of this cluster, and that nothing else shows to be its own.
    pub(crate) fn vouched(&self) -> Vec<&PublicKey> {
        match (&self.observation.history, self.former) {
            (_, Former::Unknown | Former::Restore) => Vec::new(),
            (Some(history), Former::SameCluster) => history.vouched(),
            (None, Former::SameCluster) => self.decision.not_served(),
        }
    }

    /// The IDs of these keys, for people.
    pub(crate) fn kids_of(keys: &[&PublicKey]) -> String {
        kids(keys)
    }

    /// Whether this is the key that is to be revoked.
    pub(crate) fn revokes(&self, key: &PublicKey) -> bool {
        self.observation.history.as_ref().is_some_and(|history| history.revokes(key))
    }

    /// Whether a key that is to be revoked stays.
    pub(crate) fn keeps_revoked(&self) -> bool {
        self.observation.history.as_ref().is_some_and(History::keeps_revoked)
    }

    /// Whether a key is published that a person has to look at.
    pub(crate) fn alarms(&self) -> bool {
        self.observation.history.as_ref().is_some_and(History::alarms)
    }

    /// Whether there was no room for keys that are published.
    pub(crate) fn leaves_keys_out(&self) -> bool {
        !self.decision.left_out.is_empty()
    }

    /// Whether it puts something else in the place of what is published.
    pub(crate) fn replaces(&self) -> bool {
        self.former == Former::Restore
    }
}
