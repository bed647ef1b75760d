//! Does what [`next()`] decides: looks, acts, writes down where it is, looks again.

mod companion;
mod deletion;
mod force_sync;
mod pause;
mod progress;
mod unconnected;

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;
use serde_json::Value;
use tokio::time::Instant;

use self::unconnected::NoProvider;
pub(crate) use self::{companion::Companion, pause::Pause};
use super::{
    End, Next, Observed, Options, Pending, Place, Sighting, Stage, State, StoreView, Tracker, Write,
    config_map::Shelf,
    look::{elsewhere, last_uses, look_at, users},
    next, others,
    store_view::view_of,
    switched_at, used_after, uses,
};
use crate::{
    cluster::{Cluster, objects::Object, snapshot::Store},
    error::Result,
    federation::credential::StoredCredential,
    secret_store::StoreName,
};

/// What a run needs from the command that it is part of.
#[async_trait(?Send)]
pub(crate) trait Hands {
    fn say(&mut self, line: &str);

    /// A token of the new login reads every secret.
    async fn probe(&mut self) -> Result<()>;

    /// Writes the store's new provider; gives back the store as it is then, or `None` when that is left to a file.
    async fn switch(&mut self) -> Result<Option<Object>>;

    /// Writes this `spec.provider` into the store, if no other client has written it since it was seen; `false` when that is left
    /// to a file.
    async fn restore(&mut self, store: &Object, provider: &Value) -> Result<bool>;

    /// Whether these may be annotated, so that they run now.
    fn may_ask(&mut self, pending: &[Pending]) -> bool;
}

/// One run.
pub(crate) struct Run<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) store: &'a StoreName,
    /// `None`: nothing is retired, so nothing is written down.
    pub(crate) shelf: Option<Shelf>,
    pub(crate) state: State,
    /// It does not come from the shelf.
    pub(crate) is_new: bool,
    /// In the order of the state's credentials.
    pub(crate) credentials: Vec<Option<Box<dyn StoredCredential>>>,
    /// What the store's `spec.provider` shall be.
    pub(crate) desired: Option<Value>,
    pub(crate) options: Options,
    /// Seconds since 1970 by the cluster's clock.
    pub(crate) clock: &'a dyn Fn() -> u64,
    pub(crate) seen: Observed,
    /// Other stores that used a credential of this one.
    pub(crate) companions: Vec<Companion>,
    /// Where their copies of it lie: each brings its own to its end.
    pub(crate) copies: Vec<Place>,
    /// Those of them that still need it, in words.
    pub(crate) held_by: Vec<String>,
    /// Stores that this run has judged itself, whatever is noted of them.
    pub(crate) judged: Vec<StoreName>,
    tracker: Tracker,
    present: Option<Object>,
    look_took: Duration,
    told: Option<u64>,
    reported: BTreeSet<&'static str>,
}

/// How it came out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    End(End),
    /// The store is left to a file that a person has to apply.
    LeftToFile,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        cluster: &'a Cluster,
        store: &'a StoreName,
        shelf: Option<Shelf>,
        state: State,
        credentials: Vec<Option<Box<dyn StoredCredential>>>,
        options: Options,
        clock: &'a dyn Fn() -> u64,
    ) -> Self {
        Self {
            cluster,
            store,
            shelf,
            state,
            is_new: false,
            credentials,
            desired: None,
            options,
            clock,
            seen: Observed::default(),
            companions: Vec::new(),
            copies: Vec::new(),
            held_by: Vec::new(),
            judged: Vec::new(),
            tracker: Tracker::default(),
            present: None,
            look_took: Duration::ZERO,
            told: None,
            reported: BTreeSet::new(),
        }
    }

    /// Whether nothing was written down yet, and so nothing was done.
    pub(crate) fn is_untouched(&self) -> bool {
        self.shelf.as_ref().is_some_and(Shelf::is_empty)
    }

    /// What reads or pushes through the store, is not ready, and was not waited for: it was not ready before either, or never
    /// ran. By its name, with what its controller says.
    pub(crate) fn not_waited_for(&self) -> impl Iterator<Item = (&str, &str)> {
        let unready = self.seen.users.iter().filter(|user| !user.ready && !user.relied);
        unready.map(|user| (user.name.as_str(), user.says.as_str()))
    }

    /// Goes on until nothing is left to do, or something prevents it.
    pub(crate) async fn go_on(&mut self, hands: &mut dyn Hands) -> Result<Outcome> {
        let mut pause = Pause::default();
        loop {
            let (outcome, has_acted) = self.until_it_waits(hands).await?;
            if let Some(outcome) = outcome {
                return Ok(outcome);
            }
            if has_acted {
                pause = Pause::default();
            }
            pause.until_the_next_look(self.look_took).await;
        }
    }

    /// The same until it has to wait: then there is no outcome, and whether something was done before.
    pub(crate) async fn until_it_waits(&mut self, hands: &mut dyn Hands) -> Result<(Option<Outcome>, bool)> {
        let mut has_acted = false;
        let has_namespace = !self.options.shown.has(Write::Namespace);
        if self.is_untouched() && !has_namespace && Shelf::make_namespace(self.cluster).await? {
            hands.say(&format!("creating {}", Write::Namespace.name()));
        }
        if self.is_new && self.records() {
            let doing = if self.is_untouched() { "creating" } else { "updating" };
            if self.shelf.is_some() {
                hands.say(&format!("{doing} {}", Write::Record(&self.state.store).name()));
            }
            let state = self.state.clone();
            self.record(&state).await?;
            self.is_new = false;
        }
        loop {
            self.look().await?;
            let now = (self.clock)();
            let decided = next(&self.state, &self.seen, &self.options, now);
            let waits = matches!(decided, Next::WaitForStore | Next::WaitForUsers(_) | Next::Watch(_));
            match decided {
                Next::Stop(end) => return Ok((Some(Outcome::End(end)), has_acted)),
                Next::Clear(end) => {
                    self.say_what_is_kept(hands);
                    let records = self.records();
                    if let Some(shelf) = self.shelf.as_mut().filter(|_| records) {
                        shelf.clear(self.cluster).await?;
                    }
                    return Ok((Some(Outcome::End(end)), has_acted));
                }
                Next::SwitchStore => {
                    self.take_turn().await?;
                    if !self.switch(hands).await? {
                        return Ok((Some(Outcome::LeftToFile), has_acted));
                    }
                }
                Next::RestoreStore => {
                    self.take_turn().await?;
                    if !self.restore(hands).await? {
                        return Ok((Some(Outcome::LeftToFile), has_acted));
                    }
                }
                Next::WaitForUsers(pending) => self.wait_for_users(&pending, hands),
                other => self.act(other, now, hands).await?,
            }
            if waits {
                return Ok((None, has_acted));
            }
            has_acted = true;
        }
    }

    async fn act(&mut self, decided: Next, now: u64, hands: &mut dyn Hands) -> Result<()> {
        match decided {
            Next::Save(state) => self.save(*state, hands).await?,
            Next::Probe => {
                hands.probe().await?;
                self.seen.probed = true;
            }
            Next::Ask(uids) => self.ask(&uids, hands).await?,
            Next::LookAtKeys => {
                let keys = look_at(self.cluster, &self.state.credentials, &self.credentials).await?;
                self.seen.keys = Some(((self.clock)(), keys));
            }
            Next::LookElsewhere => {
                if self.reported.insert("elsewhere") {
                    hands.say(
                        "looking for what else uses the credential, in every Secret, ConfigMap and workload",
                    );
                }
                let own = std::slice::from_ref(self.store);
                let (found, noted, used) = futures::join!(
                    elsewhere(self.cluster, own, &self.state.credentials),
                    others::relying(self.cluster, &self.state, &self.judged, &self.options, now),
                    self.used_since()
                );
                let mut found = found?;
                found.leave_out(&self.copies);
                found.users.extend(self.held_by.iter().cloned());
                found.add(noted?);
                found.users.extend(used);
                self.seen.elsewhere = Some(((self.clock)(), found));
            }
            Next::WaitForStore => {
                if self.reported.insert("store") {
                    let name = self.store.name();
                    hands.say(&format!("waiting until External Secrets Operator says that {name} is ready"));
                }
            }
            Next::Watch(until) => self.watch(until, now, hands),
            Next::Disable(index) => {
                self.take_turn().await?;
                hands.say(&format!("disabling {}", self.state.credentials[index].identity));
                self.at_provider(index).disable().await?;
            }
            Next::Enable(index) => {
                self.take_turn().await?;
                hands.say(&format!("enabling {} again", self.state.credentials[index].identity));
                self.at_provider(index).enable().await?;
            }
            Next::DeleteKey(index) => {
                self.take_turn().await?;
                hands.say(&format!("deleting {} at its provider", self.state.credentials[index].identity));
                self.at_provider(index).delete().await?;
            }
            Next::DeleteSecret(index, place) => {
                self.take_turn().await?;
                self.delete_secret(index, place, hands).await?;
            }
            // Those that end a run, or are done elsewhere.
            Next::SwitchStore
            | Next::RestoreStore
            | Next::Clear(_)
            | Next::Stop(_)
            | Next::WaitForUsers(_) => {}
        }
        Ok(())
    }

    /// What its provider knows of uses that nothing in this cluster accounts for.
    async fn used_since(&self) -> Vec<String> {
        let since = switched_at(&self.state.stage).filter(|_| !self.options.accept_unseen);
        let Some(since) = since else { return Vec::new() };
        let last = last_uses(&self.credentials).await;
        let all = self.state.credentials.iter().zip(&last);
        all.filter_map(|(kept, last)| used_after(&kept.identity, last.as_ref()?, since)).collect()
    }

    /// Whether the plan shows that what the run has come to is recorded. Where it does not, no step has anything to record.
    fn records(&self) -> bool {
        self.options.shown.may_record(&self.state)
    }

    /// Records this state, or else the run alone knows it.
    async fn record(&mut self, state: &State) -> Result<()> {
        let records = self.records();
        match self.shelf.as_mut().filter(|_| records) {
            Some(shelf) => shelf.save(self.cluster, state).await,
            None => Ok(()),
        }
    }

    async fn take_turn(&mut self) -> Result<()> {
        match &mut self.shelf {
            Some(shelf) => shelf.take_turn(self.cluster).await,
            None => Ok(()),
        }
    }

    /// From here on what was seen of the credentials may be out of date, whatever comes of the request.
    fn at_provider(&mut self, index: usize) -> &dyn StoredCredential {
        self.seen.keys = None;
        match &self.credentials[index] {
            Some(credential) => credential.as_ref(),
            None => &NoProvider,
        }
    }

    async fn save(&mut self, state: State, hands: &mut dyn Hands) -> Result<()> {
        let mut state = state;
        if let (Stage::Switched { .. }, Some(present)) = (&state.stage, &self.present)
            && matches!(self.seen.store, StoreView::After { .. })
        {
            // With what the API server has added to it.
            state.after = present.0["spec"]["provider"].clone();
        }
        self.record(&state).await?;
        if let Stage::Disabled { since, until, .. } = state.stage {
            self.say_watch(until.saturating_sub(since), hands);
        }
        // A state may keep fewer credentials than the one before.
        let kept = |index: usize| {
            let own = &self.state.credentials[index];
            state.credentials.iter().any(|kept| kept.is_same(own))
        };
        let mut index = 0;
        self.credentials.retain(|_| {
            index += 1;
            kept(index - 1)
        });
        if state.credentials.len() != self.state.credentials.len() {
            self.seen.keys = None;
        }
        self.state = state;
        Ok(())
    }

    async fn switch(&mut self, hands: &mut dyn Hands) -> Result<bool> {
        let Some(written) = hands.switch().await? else { return Ok(false) };
        self.desired = Some(written.0["spec"]["provider"].clone());
        self.options.switch = false;
        self.tracker.forget();
        // Something may have begun to use the credential since then.
        self.seen.elsewhere = None;
        Ok(true)
    }

    async fn restore(&mut self, hands: &mut dyn Hands) -> Result<bool> {
        let (Some(store), Some(before)) = (&self.present, &self.state.before) else { return Ok(false) };
        hands.restore(store, before).await
    }

    /// The store, and what reads or pushes through it.
    async fn look(&mut self) -> Result<()> {
        let (store, began) = (self.store, Instant::now());
        let (present, users) = futures::try_join!(
            self.cluster.get_object(store.resource(), store.namespace(), store.name()),
            users(self.cluster, store)
        )?;
        self.seen.store = view_of(&self.state, self.desired.as_ref(), present.as_ref());
        let users = match &present {
            Some(present) => {
                let present = Store(present.clone());
                users.iter().filter(|user| uses(user, &present)).map(Sighting::of).collect()
            }
            None => Vec::new(),
        };
        let says = present.as_ref().map(Object::condition_text).unwrap_or_default();
        let name = self.state.store.to_string();
        let unready = match &self.seen.store {
            StoreView::After { ready: false, .. } => Some((name.as_str(), says.as_str())),
            _ => None,
        };
        let others = self.look_at_companions().await?;
        let unready = others.iter().map(|(name, says)| (name.as_str(), says.as_str())).chain(unready);
        let (users, trouble) = self.tracker.see(&self.state, users, unready, (self.clock)());
        self.seen.users = users;
        self.seen.trouble = trouble;
        self.seen.asked = self.tracker.asked_uids();
        self.present = present;
        self.look_took = began.elapsed();
        Ok(())
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
