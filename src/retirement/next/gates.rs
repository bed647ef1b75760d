//! PURE. What must hold before something is done that cannot be taken back, or only by giving the credential back.

use super::{Block, Decision, End, FRESH, FRESH_ELSEWHERE, Next, Or, Pending};
use crate::{
    plan::Gate,
    retirement::{
        deed::Deed,
        observed::{Due, Elsewhere, KeyStanding, KeyView, PlaceView, StoreView, User},
        shown::Write,
        state::Place,
    },
};

impl Decision<'_> {
    /// Whether what a step of the plan waits for has come about: else what has to be done, or waited for, first.
    pub(super) fn open(&self, gate: Gate) -> Or<()> {
        match gate {
            Gate::AfterProbe if self.seen.probed => Ok(()),
            Gate::AfterProbe => Err(Next::Probe),
            Gate::AfterRefresh => self.users_have_run(),
            // The run that shows these does not open them.
            Gate::OnRetireKey | Gate::AfterIssuerSwitch | Gate::OnceNothingBreaks | Gate::AtItsSource => {
                Err(Next::Stop(End::Left))
            }
        }
    }

    /// Whether the run that shows it does it.
    pub(super) fn is_later(&self, deed: Deed) -> bool {
        deed.gate(self.options).is_later()
    }

    /// The store and everything that relied on its former login has run by the new one.
    fn users_have_run(&self) -> Or<()> {
        let over = self.now >= self.options.deadline;
        if let StoreView::After { ready: false, says } = &self.seen.store {
            let store = Pending { name: self.state.store.to_string(), why: says.clone(), at: None };
            return Err(if over { Next::Stop(End::NotYet(vec![store])) } else { Next::WaitForStore });
        }
        let waits = |user: &&User| user.relied && !user.ran;
        let waiting: Vec<_> = self.seen.users.iter().filter(waits).collect();
        let never = |user: &&User| match &user.due {
            Due::Never(_) => true,
            Due::Asked(_) => !self.options.force_sync,
            Due::At(_) => false,
        };
        let (never, waiting): (Vec<&User>, Vec<&User>) = waiting.into_iter().partition(never);
        if self.options.force_sync {
            let is_shown = |user: &&&User| self.options.shown.has(Write::ForceSync(&user.name));
            let unasked = waiting.iter().filter(is_shown);
            let unasked = unasked.filter(|user| !self.seen.asked.contains(&user.uid));
            let unasked: Vec<_> = unasked.map(|user| user.uid.clone()).collect();
            if !unasked.is_empty() {
                return Err(Next::Ask(unasked));
            }
        }
        if !waiting.is_empty() {
            let soon = |user: &&User| match user.due {
                Due::At(at) => self.seen.asked.contains(&user.uid) || at <= self.options.deadline,
                Due::Asked(_) | Due::Never(_) => true,
            };
            let hopeless = !waiting.iter().any(soon);
            let pending = waiting.into_iter().map(Pending::of).collect();
            return Err(if over || hopeless {
                Next::Stop(End::NotYet(pending))
            } else {
                Next::WaitForUsers(pending)
            });
        }
        if !never.is_empty() && !self.options.accept_unrefreshed {
            let never = never.into_iter().map(Pending::of).collect();
            return Err(Self::blocked(Block::NeverRefreshed(never)));
        }
        Ok(())
    }

    pub(super) fn keys(&self, fresh: u64) -> Or<&[KeyView]> {
        match &self.seen.keys {
            Some((at, keys)) if self.now <= at + fresh && keys.len() == self.state.credentials.len() => {
                Ok(keys)
            }
            _ => Err(Next::LookAtKeys),
        }
    }

    pub(super) fn elsewhere(&self, fresh: u64) -> Or<&Elsewhere> {
        match &self.seen.elsewhere {
            Some((at, found)) if self.now <= at + fresh => Ok(found),
            _ => Err(Next::LookElsewhere),
        }
    }

    pub(super) fn proved(keys: &[KeyView]) -> Or<()> {
        for (index, key) in keys.iter().enumerate() {
            if let KeyStanding::Unproved(why) = &key.standing {
                return Err(Self::blocked(Block::Unproved(index, why.clone())));
            }
        }
        Ok(())
    }

    pub(super) fn nothing_else_in_the_secrets(&self, keys: &[KeyView]) -> Or<()> {
        let all = self.state.credentials.iter().zip(keys);
        let places = all.flat_map(|(kept, key)| kept.places.iter().zip(&key.places));
        let more: Vec<_> =
            places.filter(|(_, view)| view.holds_more).map(|(place, _)| place.to_string()).collect();
        if more.is_empty() { Ok(()) } else { Err(Self::blocked(Block::HoldsMore(more))) }
    }

    /// What is seen of the credentials by now asks for nothing that the plan did not show. `disables`: they are about to be.
    /// A Secret that the plan showed as kept holds up no credential: it is left.
    pub(super) fn within_the_plan(&self, keys: &[KeyView], disables: bool) -> Or<()> {
        let is_live = |key: &KeyView| matches!(key.standing, KeyStanding::Enabled | KeyStanding::Disabled);
        let mut needed = Vec::new();
        for (kept, key) in self.state.credentials.iter().zip(keys).filter(|(_, key)| is_live(key)) {
            if disables && key.standing == KeyStanding::Enabled {
                needed.push(Write::Disable(kept));
            }
            if !self.is_later(Deed::Delete) {
                needed.push(Write::Delete(kept));
            }
        }
        if disables && !keys.iter().any(is_live) {
            let places = self.places_to_delete(keys);
            needed.extend(places.into_iter().map(|(_, _, place)| Write::DeleteSecret(place)));
        }
        needed.retain(|write| !self.options.shown.has(*write));
        if needed.is_empty() { Ok(()) } else { Err(self.unplanned(&needed)) }
    }

    /// By number of the credential and of the place.
    pub(super) fn places_to_delete(&self, keys: &[KeyView]) -> Vec<(usize, usize, &Place)> {
        let mut all = Vec::new();
        for (index, (kept, key)) in self.state.credentials.iter().zip(keys).enumerate() {
            let by_hand = key.standing != KeyStanding::Absent;
            if self.is_later(Deed::DeleteSecret { by_hand }) {
                continue;
            }
            let places = kept.places.iter().zip(&key.places).enumerate();
            let going = places.filter(|(_, (_, view))| view.may_go());
            all.extend(going.map(|(number, (place, _))| (index, number, place)));
        }
        all
    }

    pub(super) fn nothing_unseen(&self, elsewhere: &Elsewhere) -> Or<()> {
        match elsewhere.doubt().filter(|_| !self.options.accept_unseen) {
            Some(doubt) => Err(Self::blocked(doubt)),
            None => Ok(()),
        }
    }

    /// Everything that must hold before a credential is made useless, but for what reads through the store.
    pub(super) fn may_disable(&self) -> Or<&[KeyView]> {
        let keys = self.keys(FRESH)?;
        Self::proved(keys)?;
        if !self.is_later(Deed::Delete) {
            self.nothing_else_in_the_secrets(keys)?;
        }
        let elsewhere = self.elsewhere(FRESH_ELSEWHERE)?;
        if !elsewhere.users.is_empty() {
            return Err(Self::blocked(Block::Others(elsewhere.users.clone())));
        }
        self.nothing_unseen(elsewhere)?;
        self.within_the_plan(keys, true)?;
        Ok(keys)
    }
}

impl Pending {
    fn of(user: &User) -> Self {
        let (why, at) = match &user.due {
            _ if !user.ready => (user.says.clone(), None),
            Due::At(at) => ("it has not run by the new login yet".to_owned(), Some(*at)),
            Due::Asked(why) | Due::Never(why) => (why.clone(), None),
        };
        Self { name: user.name.clone(), why, at }
    }
}

impl KeyView {
    /// At its provider and in the cluster, but for what a repository keeps of it.
    pub(super) fn is_gone(&self) -> bool {
        match self.standing {
            KeyStanding::Absent => !self.places.iter().any(PlaceView::may_go),
            KeyStanding::ByHand => !self.places.iter().any(|place| place.there),
            KeyStanding::Enabled | KeyStanding::Disabled | KeyStanding::Unproved(_) => false,
        }
    }
}

impl PlaceView {
    /// What a repository keeps is left to it: it holds nothing by then.
    pub(in crate::retirement) fn may_go(&self) -> bool {
        self.there && !self.changed && self.kept_by.is_none()
    }
}
