//! PURE. From a store that has left its former login to a credential that is gone.

use super::{
    Block, Decision, End, FRESH, FRESH_ELSEWHERE, Next, Or, Until, WATCH_FOR, WATCHED_ELSEWHERE, WATCHED_KEYS,
};
use crate::retirement::{
    deed::Deed,
    observed::{KeyStanding, KeyView, PlaceView, Trouble},
    shown::Write,
    state::{Kept, Place, Stage, Why},
};

impl Decision<'_> {
    pub(super) fn switched(&self, at: u64) -> Next {
        self.try_switched(at).unwrap_or_else(|next| next)
    }

    pub(super) fn try_switched(&self, at: u64) -> Or<Next> {
        if self.options.until == Until::Switched {
            return Ok(Next::Stop(End::Held));
        }
        self.open(Deed::Disable.gate(self.options))?;
        if self.options.until == Until::Refreshed {
            return Ok(Next::Stop(End::Held));
        }
        if self.state.credentials.is_empty() {
            return Ok(Next::Clear(End::Moved));
        }
        let keys = self.keys(FRESH)?;
        if keys.iter().all(KeyView::is_gone) {
            return Ok(Next::Clear(End::Retired));
        }
        if !self.has_work(keys) {
            return Ok(Next::Stop(End::Left));
        }
        let keys = self.may_disable()?;
        let mut state = self.state.clone();
        for (kept, key) in state.credentials.iter_mut().zip(keys) {
            kept.ours |= key.standing == KeyStanding::Enabled;
            kept.proved |= matches!(key.standing, KeyStanding::Enabled | KeyStanding::Disabled);
        }
        state.remember_broken(self.unready());
        state.stage = Stage::Disabling { at };
        Ok(Next::Save(Box::new(state)))
    }

    /// Whether this run has anything to do with a credential.
    pub(super) fn has_work(&self, keys: &[KeyView]) -> bool {
        keys.iter().any(|key| match key.standing {
            KeyStanding::Enabled | KeyStanding::Disabled | KeyStanding::Unproved(_) => true,
            KeyStanding::Absent | KeyStanding::ByHand => {
                let by_hand = key.standing == KeyStanding::ByHand;
                !self.is_later(Deed::DeleteSecret { by_hand }) && key.places.iter().any(PlaceView::may_go)
            }
        })
    }

    /// That everything had run by the new login was seen before this was intended, and stays true.
    pub(super) fn disabling(&self, at: u64) -> Next {
        let keys = match self.may_disable() {
            Ok(keys) => keys,
            Err(look @ (Next::LookAtKeys | Next::LookElsewhere)) => return look,
            // What held when this was intended holds no more.
            Err(Next::Stop(End::Blocked(Block::Others(users)))) => {
                return self.turn_back(at, Why::Others { users });
            }
            Err(_) => return self.turn_back(at, Why::Unfit),
        };
        let ours = || self.state.credentials.iter().zip(keys).enumerate().filter(|(_, (kept, _))| kept.ours);
        if let Some(trouble) = &self.seen.trouble {
            let held = ours().any(|(_, (_, key))| key.standing == KeyStanding::Disabled);
            return match (held, self.broke()) {
                (false, _) => self.turn_back(at, Why::Unfit),
                (true, Some(why)) => self.giving_back(why),
                // As in the watch, it may come right by itself.
                (true, None) => Next::Watch(trouble.since.saturating_add(self.options.grace)),
            };
        }
        let mut enabled = ours().filter(|(_, (_, key))| key.standing == KeyStanding::Enabled);
        match enabled.next() {
            Some((index, _)) => Next::Disable(index),
            None => {
                let until = self.now.saturating_add(self.options.watch_for.unwrap_or(WATCH_FOR));
                self.save(Stage::Disabled { at, since: self.now, until })
            }
        }
    }

    /// Back to where nothing is disabled. If nothing is yet, the reason is found again there.
    pub(super) fn turn_back(&self, at: u64, why: Why) -> Next {
        let keys = match self.keys(FRESH) {
            Ok(keys) => keys,
            Err(look) => return look,
        };
        let held = |(kept, key): (&Kept, &KeyView)| kept.ours && key.standing == KeyStanding::Disabled;
        if self.state.credentials.iter().zip(keys).any(held) {
            return self.giving_back(why);
        }
        let mut state = self.state.with_stage(Stage::Switched { at });
        state.credentials.iter_mut().for_each(|kept| kept.ours = false);
        Next::Save(Box::new(state))
    }

    pub(super) fn disabled(&self, at: u64, since: u64, until: u64) -> Next {
        self.try_disabled(at, since, until).unwrap_or_else(|next| next)
    }

    pub(super) fn try_disabled(&self, at: u64, since: u64, until: u64) -> Or<Next> {
        if let Some(why) = self.broke() {
            return Ok(self.giving_back(why));
        }
        let until = self.options.watch_for.map_or(until, |watch_for| since.saturating_add(watch_for));
        let over = self.now >= until && self.seen.trouble.is_none();
        let keys = self.keys(if over { FRESH } else { WATCHED_KEYS })?;
        let ours = || self.state.credentials.iter().zip(keys).filter(|(kept, _)| kept.ours);
        if ours().any(|(_, key)| key.standing == KeyStanding::Enabled) {
            return Ok(self.giving_back(Why::Enabled));
        }
        let deletes = !self.is_later(Deed::Delete);
        let looks_again = over && deletes;
        let elsewhere = self.elsewhere(if looks_again { FRESH_ELSEWHERE } else { WATCHED_ELSEWHERE })?;
        if !elsewhere.users.is_empty() {
            return Ok(self.giving_back(Why::Others { users: elsewhere.users.clone() }));
        }
        if !over {
            let grace = |trouble: &Trouble| trouble.since.saturating_add(self.options.grace);
            return Ok(Next::Watch(self.seen.trouble.as_ref().map_or(until, grace)));
        }
        if !deletes {
            return Ok(Next::Stop(End::Kept));
        }
        Self::proved(keys)?;
        self.nothing_else_in_the_secrets(keys)?;
        self.nothing_unseen(elsewhere)?;
        self.within_the_plan(keys, false)?;
        Ok(self.save(Stage::Deleting { at, since }))
    }

    /// Something that was ready when the credential was disabled, and has not been for too long.
    pub(super) fn broke(&self) -> Option<Why> {
        let trouble = self.seen.trouble.as_ref()?;
        let over = self.now >= trouble.since.saturating_add(self.options.grace);
        (over && self.state.holds())
            .then(|| Why::Broke { object: trouble.object.clone(), says: trouble.says.clone() })
    }

    pub(super) fn deleting(&self, at: u64, since: u64) -> Next {
        self.try_deleting(at, since).unwrap_or_else(|next| next)
    }

    pub(super) fn try_deleting(&self, at: u64, since: u64) -> Or<Next> {
        let keys = self.keys(FRESH)?;
        if self.is_later(Deed::Delete) {
            // Deleting was begun by a run that was asked to, and is not this one's to end.
            let until = self.now;
            let gone = keys.iter().any(|key| key.standing == KeyStanding::Absent);
            return Ok(if gone {
                Next::Stop(End::Left)
            } else {
                self.save(Stage::Disabled { at, since, until })
            });
        }
        Self::proved(keys)?;
        self.nothing_else_in_the_secrets(keys)?;
        let all = || self.state.credentials.iter().zip(keys).enumerate();
        let live = |standing: &KeyStanding| matches!(standing, KeyStanding::Enabled | KeyStanding::Disabled);
        if all().any(|(_, (_, key))| live(&key.standing)) {
            if let Some(why) = self.broke() {
                return Ok(self.giving_back(why));
            }
            if self.seen.trouble.is_some() {
                return Ok(Next::Watch(self.now));
            }
            let elsewhere = self.elsewhere(FRESH_ELSEWHERE)?;
            if !elsewhere.users.is_empty() {
                return Ok(self.giving_back(Why::Others { users: elsewhere.users.clone() }));
            }
        }
        if !keys.iter().any(|key| key.standing == KeyStanding::Enabled) {
            self.within_the_plan(keys, false)?;
        }
        for (index, (_, key)) in all() {
            match key.standing {
                KeyStanding::Enabled => return Ok(self.giving_back(Why::Enabled)),
                KeyStanding::Disabled => return Ok(Next::DeleteKey(index)),
                KeyStanding::Absent | KeyStanding::ByHand | KeyStanding::Unproved(_) => {}
            }
        }
        // At the provider first: what is refused there leaves the Secret, which a person may still want to look at.
        let going = self.places_to_delete(keys);
        let is_shown = |place: &Place| self.options.shown.has(Write::DeleteSecret(place));
        if let Some((index, number, _)) = going.iter().find(|(.., place)| is_shown(place)) {
            return Ok(Next::DeleteSecret(*index, *number));
        }
        if !going.is_empty() {
            let going: Vec<_> = going.into_iter().map(|(.., place)| Write::DeleteSecret(place)).collect();
            return Ok(self.unplanned(&going));
        }
        let left = |(_, (_, key)): &(usize, (&Kept, &KeyView))| {
            key.standing == KeyStanding::ByHand && key.places.iter().any(|place| place.there)
        };
        let left: Vec<_> = all().filter(left).map(|(_, (kept, _))| kept.clone()).collect();
        if left.is_empty() {
            return Ok(Next::Clear(End::Retired));
        }
        let mut state = self.state.with_stage(Stage::Switched { at });
        state.credentials = left;
        Ok(Next::Save(Box::new(state)))
    }
}
