//! PURE. The ways back: a credential is given back where something needs it, and an undo restores the store.

use super::{Block, Decision, End, FRESH, Next, Or};
use crate::retirement::{
    observed::{KeyStanding, KeyView, StoreView},
    state::{Kept, Stage, Why},
};

impl Decision<'_> {
    pub(super) fn give_back(&self, why: &Why) -> Next {
        let keys = match self.keys(FRESH) {
            Ok(keys) => keys,
            Err(look) => return look,
        };
        let ours = || self.state.credentials.iter().zip(keys).enumerate().filter(|(_, (kept, _))| kept.ours);
        if let Some((index, _)) = ours().find(|(_, (_, key))| key.standing == KeyStanding::Disabled) {
            return Next::Enable(index);
        }
        for (index, (_, key)) in ours() {
            if let KeyStanding::Unproved(why) = &key.standing {
                return Self::blocked(Block::Unproved(index, why.clone()));
            }
        }
        let mut state = self.state.with_stage(Stage::GivenBack { at: self.now, why: why.clone() });
        state.credentials.iter_mut().for_each(|kept| kept.ours = false);
        Next::Save(Box::new(state))
    }

    pub(super) fn undo(&self) -> Next {
        self.try_undo().unwrap_or_else(|next| next)
    }

    /// The credential first, then the store: it must open what the store reads by the time that the store uses it.
    pub(super) fn try_undo(&self) -> Or<Next> {
        match &self.seen.store {
            StoreView::Gone => return Err(Self::blocked(Block::StoreGone)),
            StoreView::Replaced { names_it: true } | StoreView::Other { names_it: true }
                if self.state.holds() =>
            {
                return Ok(self.giving_back(Why::Reverted));
            }
            StoreView::Replaced { .. } => return Err(Self::blocked(Block::StoreReplaced)),
            StoreView::Other { .. } => return Err(Self::blocked(Block::StoreChanged)),
            StoreView::Before | StoreView::After { .. } => {}
        }
        if self.state.before.is_none() {
            return Err(Self::blocked(Block::UndoUnsaved));
        }
        let keys = self.keys(FRESH)?;
        let all = || self.state.credentials.iter().zip(keys).enumerate();
        let named = |which: &dyn Fn(&Kept, &KeyView) -> bool| -> Vec<String> {
            let found = all().filter(|(_, (kept, key))| which(kept, key));
            found.map(|(_, (kept, _))| kept.identity.to_string()).collect()
        };
        let deleted = named(&|_, key| key.standing == KeyStanding::Absent);
        if !deleted.is_empty() {
            return Err(Self::blocked(Block::UndoTooLate(deleted)));
        }
        Self::proved(keys)?;
        let places = all().flat_map(|(_, (kept, key))| kept.places.iter().zip(&key.places));
        let without: Vec<_> = places.filter(|(_, view)| !view.there).map(|(it, _)| it.to_string()).collect();
        if !without.is_empty() {
            return Err(Self::blocked(Block::UndoWithout(without)));
        }
        let by_others = named(&|kept, key| !kept.ours && key.standing == KeyStanding::Disabled);
        if !by_others.is_empty() {
            return Err(Self::blocked(Block::UndoDisabled(by_others)));
        }
        if !matches!(self.state.stage, Stage::Undoing { .. }) {
            return Ok(self.save(Stage::Undoing { at: self.now }));
        }
        let mut held = all().filter(|(_, (_, key))| key.standing == KeyStanding::Disabled);
        if let Some((index, _)) = held.next() {
            return Ok(Next::Enable(index));
        }
        Ok(match self.seen.store {
            StoreView::Before => Next::Clear(End::Undone),
            _ => Next::RestoreStore,
        })
    }
}
