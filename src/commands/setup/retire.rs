//! What becomes of the credential that the store logged in with: found, shown beside the plan, and left to
//! [`crate::retirement`] to carry out.

use std::collections::BTreeMap;

use super::{
    foreseen::Looked,
    found::{REPLACES, add_clients, leaves_behind, named_by_hand, only_annotated},
    outcome::Farewell,
    retire_steps::Led,
};
use crate::{
    cli::SetupArgs,
    cluster::{
        Cluster,
        objects::Object,
        snapshot::{Estate, Store},
    },
    commands::Exit,
    error::{Code, Error, Result},
    federation::{
        Sections,
        credential::{LastUse, StoredCredential},
    },
    http::Http,
    report::Report,
    retirement::{
        Block, Deed, Elsewhere, End, Kept, KeyStanding, KeyView, Options, Shown, Stage, State, StoreId,
        Until,
        config_map::{Lying, Shelf},
        look, others,
        remaining::{Remaining, remaining},
        switched_at, used_after,
    },
    secret_store::{Planned, StoreName, holds_no_secret},
};

/// How old a look may be that is planned from, in seconds.
pub(super) const AGE: u64 = 5;

/// Where a retirement is planned.
pub(super) struct Context<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) cluster_id: &'a str,
    pub(super) estate: &'a Estate,
    /// The stores that this run moves: they leave what they share.
    pub(super) leaving: &'a [StoreName],
    pub(super) providers: &'a Sections,
    pub(super) http: &'a Http,
    /// By the cluster's clock.
    pub(super) now: u64,
}

/// A replaced credential, or several, and what is left to do with them.
pub(super) struct Retirement {
    pub(super) shelf: Shelf,
    pub(super) state: State,
    /// It does not come from what an earlier run saved.
    pub(super) is_new: bool,
    pub(super) connected: Vec<Option<Box<dyn StoredCredential>>>,
    pub(super) keys: Vec<KeyView>,
    pub(super) elsewhere: Elsewhere,
    pub(super) last_uses: Vec<Option<LastUse>>,
    pub(super) needs_namespace: bool,
    /// The plan shows that its namespace is created, for this store or another.
    pub(super) namespace_is_shown: bool,
    pub(super) options: Options,
    /// The store names one of them again, since an earlier run.
    pub(super) names_it: bool,
    /// By number, the credentials that another store of this run used as well, which brings about their end.
    pub(super) led: BTreeMap<usize, Led>,
    /// When all that was looked at, at the earliest.
    pub(super) looked: u64,
    /// When it was planned.
    pub(super) now: u64,
}

impl Retirement {
    /// From what the store names, or from what an earlier run saved. `planned` is the store as it shall be.
    pub(super) async fn plan(
        it: &Context<'_>,
        foreseen: Option<Looked>,
        present: &Object,
        planned: &Planned,
        args: &SetupArgs,
        farewell: &Farewell,
    ) -> Result<Option<Self>> {
        let store = Store(present.clone());
        let id = StoreId::of(present);
        let (shelf, lying) = Shelf::open(it.cluster, it.cluster_id, &id).await?;
        let mut names_it = false;
        let mut saved = match lying {
            Lying::Nothing => None,
            Lying::State(state) => {
                names_it = state.is_named_in(&look::secrets_named_by(&store));
                state.begin(names_it, it.now)
            }
            Lying::Unusable(unusable) => {
                return Err(Error::failed(
                    Code::RetirementState,
                    format!("what an earlier run saved for {id} in ConfigMap {} is of no use", shelf.place()),
                )
                .caused_by(unusable.to_string())
                .hint("nothing was changed: which credential the store used before is not known for certain")
                .hint(format!(
                    "look at it: kubectl get configmap -n {} -o yaml; once you know that nothing in it is needed, delete it and run setup again",
                    shelf.place().replacen('/', " ", 1)
                ))
                .hint("after that, setup --replaced NAMESPACE/SECRET names the Secret that the store used before"));
            }
        };
        if let Some(state) = &mut saved {
            let added = add_clients(it.cluster, it.estate, &store, state).await;
            added.map_err(|error| error.hint(farewell.words_of(state, None)))?;
        }
        let after = planned.manifest.0["spec"]["provider"].clone();
        let mut is_new = saved.is_none();
        let mut state = match saved {
            Some(mut state) => {
                if planned.changes_something() {
                    // Another user has given the store another credential since.
                    let left = leaves_behind(it, &store, planned)
                        .await
                        .map_err(|error| error.hint(farewell.words_of(&state, None)))?;
                    let known = |kept: &Kept| state.credentials.iter().any(|it| it.is_same(kept));
                    let left: Vec<_> = left.into_iter().filter(|kept| !known(kept)).collect();
                    if !left.is_empty() {
                        state.before = Some(present.0["spec"]["provider"].clone()).filter(holds_no_secret);
                        state.credentials.extend(left);
                        is_new = true;
                    }
                    if state.stage == Stage::Saved {
                        state.after = after;
                    }
                }
                state
            }
            None => {
                let provider = present.0["spec"]["provider"].clone();
                let before = Some(provider).filter(holds_no_secret);
                let mut state = State::new(it.cluster_id, id.clone(), before, after);
                state.credentials = leaves_behind(it, &store, planned).await?;
                if state.credentials.is_empty() {
                    if let Some(named) = &args.replaced {
                        state.credentials = named_by_hand(it.cluster, named).await?;
                        state.before = None;
                        if !planned.changes_something() {
                            state.stage = Stage::Switched { at: it.now };
                        }
                    } else if let Some(replaced) = only_annotated(&store) {
                        return Self::not_noted(&id, &replaced, args.retire_key);
                    }
                }
                state
            }
        };
        if state.credentials.is_empty() {
            return Ok(None);
        }
        // An earlier run may have left it in the middle: a run that cannot go on reports where.
        let in_the_middle = |error: Error| match shelf.is_empty() {
            true => error,
            false => error.hint(farewell.words_of(&state, None)),
        };
        let options = options(args, planned.changes_something(), it.now);
        let foreseen = foreseen.filter(|looked| looked.serves(it, &state.credentials));
        let look = async {
            match foreseen {
                Some(looked) => Ok(looked),
                None => Looked::at(it, &state.credentials).await,
            }
        };
        let noted = others::relying(it.cluster, &state, it.leaving, &options, it.now);
        let (looked, noted) = futures::join!(look, noted);
        let Looked { connected, keys, mut elsewhere, last_uses, at: looked, .. } =
            looked.map_err(in_the_middle)?;
        elsewhere.add(noted.map_err(in_the_middle)?);
        if let Some(since) = switched_at(&state.stage).filter(|_| !args.accept_unseen_users) {
            let all = state.credentials.iter().zip(&last_uses);
            let used = all.filter_map(|(kept, last)| used_after(&kept.identity, last.as_ref()?, since));
            elsewhere.users.extend(used);
        }
        for (kept, key) in state.credentials.iter_mut().zip(&keys) {
            kept.proved |= matches!(key.standing, KeyStanding::Enabled | KeyStanding::Disabled);
        }
        let needs_namespace = shelf.is_empty() && Shelf::needs_namespace(it.cluster).await?;
        let now = it.now;
        Ok(Some(Self {
            shelf,
            state,
            is_new,
            connected,
            keys,
            elsewhere,
            last_uses,
            needs_namespace,
            namespace_is_shown: needs_namespace,
            options,
            names_it,
            led: BTreeMap::new(),
            looked,
            now,
        }))
    }

    /// The store says what it used before, and nothing else does.
    fn not_noted(id: &StoreId, replaced: &str, retire: bool) -> Result<Option<Self>> {
        if !retire {
            return Ok(None);
        }
        Err(Error::failed(
            Code::RetirementNotNoted,
            format!("nothing is known for certain of the credential that {id} used before"),
        )
        .caused_by(format!(
            "its annotation {REPLACES} names the Secret {replaced}, but every user who may write the store may write that"
        ))
        .hint(format!("if it is right, say so: keyless setup --retire-key --replaced {replaced}"))
        .hint("nothing was changed"))
    }

    /// Options for a run that is about to begin, at this time, and does nothing beyond what was shown.
    pub(super) fn options(&self, now: u64, shown: Shown) -> Options {
        let patience = self.options.deadline.saturating_sub(self.now);
        Options { deadline: now.saturating_add(patience), shown, ..self.options.clone() }
    }

    /// What keeps the credentials from being touched, as far as it is known by now.
    pub(super) fn block(&self) -> Option<Block> {
        for (index, key) in self.keys.iter().enumerate() {
            if let KeyStanding::Unproved(why) = &key.standing {
                return Some(Block::Unproved(index, why.clone()));
            }
        }
        let touched = self.keys.iter().any(|key| match key.standing {
            KeyStanding::Enabled => true,
            KeyStanding::Disabled | KeyStanding::Absent => !Deed::Delete.gate(&self.options).is_later(),
            KeyStanding::ByHand => !Deed::DeleteSecret { by_hand: true }.gate(&self.options).is_later(),
            KeyStanding::Unproved(_) => false,
        });
        if !touched {
            return None;
        }
        let all = self.state.credentials.iter().zip(&self.keys);
        let places = all.flat_map(|(kept, key)| kept.places.iter().zip(&key.places));
        let more = places.filter(|(_, view)| view.holds_more).map(|(place, _)| place.to_string());
        let more: Vec<_> = more.filter(|_| self.options.retire).collect();
        if !more.is_empty() {
            return Some(Block::HoldsMore(more));
        }
        if !self.elsewhere.users.is_empty() {
            return Some(Block::Others(self.elsewhere.users.clone()));
        }
        self.elsewhere.doubt().filter(|_| !self.options.accept_unseen)
    }

    /// Whether it is on its way to an end of the credential, and not back.
    pub(super) fn goes_forward(&self) -> bool {
        self.pending() > 0 && !matches!(self.state.stage, Stage::GivingBack { .. } | Stage::Undoing { .. })
    }

    /// How a run ends that has nothing to do, but for what keeps it from doing something.
    pub(super) fn nothing_to_do(&self, farewell: &Farewell, report: &mut Report<'_>) -> Result<Exit> {
        let end = match self.block() {
            Some(block) => End::Blocked(block),
            None if self.options.retire && self.leaves_something() => End::Left,
            None => return Ok(Exit::Clean),
        };
        farewell.conclude(&end, &self.state, &farewell.words_of(&self.state, Some(&self.keys)), report)
    }

    /// What is not known to be gone.
    pub(super) fn remaining(&self) -> Vec<Remaining> {
        remaining(&self.state, Some(&self.keys))
    }

    /// Whether something of a credential is there that this run leaves.
    fn leaves_something(&self) -> bool {
        let is_there = |key: &KeyView| {
            !matches!(key.standing, KeyStanding::Absent | KeyStanding::ByHand)
                || key.places.iter().any(|place| place.there)
        };
        self.keys.iter().any(is_there)
    }
}

pub(super) fn options(args: &SetupArgs, switch: bool, now: u64) -> Options {
    Options {
        switch,
        retire: args.retire_key,
        delete_secret: args.delete_secret,
        undo: args.undo,
        force_sync: args.force_sync,
        accept_unrefreshed: args.accept_unrefreshed,
        accept_unseen: args.accept_unseen_users,
        watch_for: args.watch_for.map(|time| time.as_secs()),
        deadline: now.saturating_add(args.wait_for.as_secs()),
        // An operator that was cut off from its API server goes on with the store as it knew it, fails once with the
        // disabled key, and comes right by itself. What it has read stays where it is meanwhile.
        grace: 60,
        until: Until::End,
        shown: Shown::default(),
    }
}
