//! PURE. What is done next, from what is saved and what is seen. Nothing here has a memory of its own: the same values
//! give the same answer, in whichever run.

mod back;
mod forward;
mod gates;

use super::{
    deed::Deed,
    evidence::switched_at,
    observed::{Observed, StoreView},
    shown::{Shown, Write},
    state::{Stage, State, Why},
};

/// What the user of this program asked for. Times are seconds by the cluster's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// The store has to be changed, and may be.
    pub(crate) switch: bool,
    /// Delete the credential at its provider, then its Secret.
    pub(crate) retire: bool,
    /// Delete the Secret of a credential that only a person can revoke.
    pub(crate) delete_secret: bool,
    /// Bring the former provider back.
    pub(crate) undo: bool,
    /// Annotate what reads through the store, so that it runs now.
    pub(crate) force_sync: bool,
    /// Go on although these never run by themselves.
    pub(crate) accept_unrefreshed: bool,
    /// Go on although not everything could be looked at that may use the credential.
    pub(crate) accept_unseen: bool,
    /// How long the store is watched with the credential disabled; `None`: as long as before, or as is usual.
    pub(crate) watch_for: Option<u64>,
    /// Until when users of the store are waited for.
    pub(crate) deadline: u64,
    /// How long something may be not ready in the watch.
    pub(crate) grace: u64,
    /// How far this run goes: stores that share a credential go step by step together.
    pub(crate) until: Until,
    /// What the plan has shown that the run does: it does nothing beyond.
    pub(crate) shown: Shown,
}

/// How far a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// The store logs in by its new provider.
    Switched,
    /// Everything that uses the store has run by the new login as well.
    Refreshed,
    /// To the end of the credential, as far as the other options let it.
    End,
}

/// One thing to do. Each of them can be stopped in the middle and done again.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Next {
    /// Write the state down, and go on with it.
    Save(Box<State>),
    /// Let a token of the new login read every secret.
    Probe,
    SwitchStore,
    /// Annotate these users, by UID.
    Ask(Vec<String>),
    LookAtKeys,
    LookElsewhere,
    WaitForStore,
    WaitForUsers(Vec<Pending>),
    /// Look again until then.
    Watch(u64),
    /// The credential with this number.
    Disable(usize),
    Enable(usize),
    DeleteKey(usize),
    /// The credential, and which of its places.
    DeleteSecret(usize, usize),
    RestoreStore,
    /// Nothing needs to be remembered any more.
    Clear(End),
    Stop(End),
}

/// A user of the store that has not run by its new login yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) name: String,
    pub(crate) why: String,
    /// When it runs by itself, if it does.
    pub(crate) at: Option<u64>,
}

/// How a run ends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum End {
    /// As far as the run was to go: [`Options::until`].
    Held,
    /// There was no credential: the store is moved, and that is all.
    Moved,
    /// Disabled and watched; to be deleted when that is asked for.
    Kept,
    /// Moved, and there is nothing that this run was asked to do with the credential.
    Left,
    /// Gone, at its provider and in the cluster.
    Retired,
    Undone,
    NotYet(Vec<Pending>),
    Blocked(Block),
}

/// What prevents going on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Block {
    /// These never run again by themselves.
    NeverRefreshed(Vec<Pending>),
    Others(Vec<String>),
    /// The plan did not show what would be done by what is seen now, or showed it as kept.
    /// `others`: what else used it then, and is not seen to by now.
    Unplanned {
        beyond: Vec<String>,
        others: Vec<String>,
    },
    Unseen(Vec<String>),
    /// What earlier runs noted for other stores.
    Unread(Vec<String>),
    /// By number of the credential.
    Unproved(usize, String),
    /// Places that hold more than the credential.
    HoldsMore(Vec<String>),
    GaveBack(Why),
    StoreGone,
    StoreReplaced,
    /// The store says something that this program did not write.
    StoreChanged,
    /// It names the credential again.
    StoreReverted,
    /// The former provider was not saved.
    UndoUnsaved,
    /// The credential is deleted.
    UndoTooLate(Vec<String>),
    /// These Secrets are gone, or hold something else by now.
    UndoWithout(Vec<String>),
    /// Another user disabled it.
    UndoDisabled(Vec<String>),
}

/// How old what is seen may be when something is done because of it, in seconds.
const FRESH: u64 = 10;
const FRESH_ELSEWHERE: u64 = 30;
/// The same while nothing but watching is done.
const WATCHED_KEYS: u64 = 60;
const WATCHED_ELSEWHERE: u64 = 300;
/// How long the store is watched by default.
pub(crate) const WATCH_FOR: u64 = 600;

/// The one decision, within what the plan has shown.
pub(crate) fn next(state: &State, seen: &Observed, options: &Options, now: u64) -> Next {
    let decided = decide(state, seen, options, now);
    let it = Decision { state, seen, options, now };
    match it.beyond(&decided) {
        Some(write) => it.unplanned(&[write]),
        None => decided,
    }
}

/// What has to be done, before there is a plan that bounds it.
pub(crate) fn decide(state: &State, seen: &Observed, options: &Options, now: u64) -> Next {
    let it = Decision { state, seen, options, now };
    match &state.stage {
        Stage::GivingBack { why, .. } => return it.give_back(why),
        _ if options.undo => return it.undo(),
        Stage::GivenBack { why, .. } => return Next::Stop(End::Blocked(Block::GaveBack(why.clone()))),
        _ => {}
    }
    if let Some(next) = it.not_our_store() {
        return next;
    }
    match &state.stage {
        Stage::Saved => it.saved(),
        Stage::Switched { at } => it.switched(*at),
        Stage::Disabling { .. } | Stage::Disabled { .. } | Stage::Deleting { .. }
            if options.until != Until::End =>
        {
            Next::Stop(End::Held)
        }
        Stage::Disabling { at } => it.disabling(*at),
        Stage::Disabled { at, since, until } => it.disabled(*at, *since, *until),
        Stage::Deleting { at, since } => it.deleting(*at, *since),
        // An undo that was cut off before it changed the store: this run goes the other way.
        Stage::Undoing { .. } => it.save(Stage::Switched { at: now }),
        Stage::GivingBack { .. } | Stage::GivenBack { .. } => Next::Stop(End::Left),
    }
}

struct Decision<'a> {
    state: &'a State,
    seen: &'a Observed,
    options: &'a Options,
    now: u64,
}

/// Either what has to be done first, or what was asked for.
type Or<T> = Result<T, Next>;

impl Decision<'_> {
    fn save(&self, stage: Stage) -> Next {
        Next::Save(Box::new(self.state.with_stage(stage)))
    }

    fn blocked(block: Block) -> Next {
        Next::Stop(End::Blocked(block))
    }

    fn at(&self) -> u64 {
        switched_at(&self.state.stage).unwrap_or(self.now)
    }

    fn unplanned(&self, beyond: &[Write<'_>]) -> Next {
        let beyond = beyond.iter().map(|write| write.name()).collect();
        let now = self.seen.elsewhere.as_ref().map(|(_, found)| &found.users);
        let mut others = self.options.shown.others.clone();
        others.retain(|user| now.is_some_and(|now| !now.contains(user)));
        Self::blocked(Block::Unplanned { beyond, others })
    }

    /// The write of this decision, if the plan did not show it.
    fn beyond(&self, decided: &Next) -> Option<Write<'_>> {
        let kept = |index: &usize| self.state.credentials.get(*index);
        let write = match decided {
            Next::SwitchStore | Next::RestoreStore => Write::Store(&self.state.store),
            Next::Disable(index) => Write::Disable(kept(index)?),
            Next::Enable(index) => {
                let kept = kept(index)?;
                let may = self.options.shown.may_give_back(kept);
                return (!may).then_some(Write::Enable(kept));
            }
            Next::DeleteKey(index) => Write::Delete(kept(index)?),
            Next::DeleteSecret(index, place) => Write::DeleteSecret(kept(index)?.places.get(*place)?),
            // What is recorded is written where the plan shows that, and else only held; users are asked by name.
            _ => return None,
        };
        (!self.options.shown.has(write)).then_some(write)
    }

    fn giving_back(&self, why: Why) -> Next {
        self.save(Stage::GivingBack { at: self.at(), why })
    }

    /// Only the very store that was saved decides anything, and only as long as it has left its former login. While
    /// it names a credential that this program disabled, the credential is given back first.
    fn not_our_store(&self) -> Option<Next> {
        let (names_it, block) = match &self.seen.store {
            StoreView::After { .. } => return None,
            StoreView::Gone => (false, Block::StoreGone),
            StoreView::Replaced { names_it } => (*names_it, Block::StoreReplaced),
            StoreView::Before | StoreView::Other { names_it: true } => (true, Block::StoreReverted),
            StoreView::Other { names_it: false } => (false, Block::StoreChanged),
        };
        if names_it && self.state.holds() {
            return Some(self.giving_back(Why::Reverted));
        }
        match &self.seen.store {
            StoreView::Before | StoreView::Other { .. } if matches!(self.state.stage, Stage::Saved) => None,
            // Another user moved it on: this run brings its own provider back, if that was planned.
            StoreView::Other { names_it: false } if self.options.switch => Some(self.save(Stage::Saved)),
            _ => Some(Self::blocked(block)),
        }
    }

    fn saved(&self) -> Next {
        if matches!(self.seen.store, StoreView::After { .. }) {
            return self.save(Stage::Switched { at: self.now });
        }
        if !self.options.switch {
            return Self::blocked(Block::StoreChanged);
        }
        if let Err(first) = self.open(Deed::Switch.gate(self.options)) {
            return first;
        }
        // What is not ready by now is not waited for later, and what is ready by now is.
        let mut state = self.state.clone();
        state.remember_broken(self.unready());
        if state.broken == self.state.broken { Next::SwitchStore } else { Next::Save(Box::new(state)) }
    }

    fn unready(&self) -> impl Iterator<Item = (String, u64)> {
        let unready = self.seen.users.iter().filter(|user| !user.ready);
        unready.map(|user| (user.uid.clone(), user.refreshed.unwrap_or_default()))
    }
}
