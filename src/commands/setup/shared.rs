//! PURE. Credentials that several stores of a run used: each comes to its end once, after all of them have moved.

use super::plan::StorePart;
use crate::retirement::{Kept, Place};

/// Has the first store that uses a credential bring about its end, and names the stores that go on using it.
pub(super) fn share(stores: &mut [StorePart]) {
    let all: Vec<_> =
        stores.iter().map(|store| (store.name.clone(), store.keeps_store(), credentials(store))).collect();
    let mut makes_namespace = false;
    for (index, store) in stores.iter_mut().enumerate() {
        let Some(retirement) = &mut store.retirement else { continue };
        // It is created once, and shown once.
        retirement.needs_namespace &= !makes_namespace;
        makes_namespace |= retirement.needs_namespace && retirement.pending() > 0;
        for (number, kept) in retirement.state.credentials.iter().enumerate() {
            let is_same = |(_, _, theirs): &&Used| theirs.iter().any(|it| it.is_same(kept));
            let uses = |(_, _, theirs): &&Used| theirs.iter().any(|it| it.touches(kept));
            let leader = all[..index].iter().filter(is_same).find(|(_, stays, _)| !stays);
            if let Some((name, ..)) = leader {
                retirement.led.insert(number, name.clone());
            }
            let others = || all.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, it)| it);
            // What another one leaves is no use of it.
            let leaving = others().filter(|(_, stays, _)| !stays).flat_map(|(_, _, theirs)| theirs);
            let copies: Vec<Place> =
                leaving.filter(|it| it.is_same(kept)).flat_map(|it| it.places.clone()).collect();
            retirement.elsewhere.leave_out(&copies);
            let staying = others().filter(uses).filter(|(_, stays, _)| *stays);
            retirement.elsewhere.users.extend(staying.map(|(name, ..)| name.clone()));
        }
    }
}

/// A store by name, whether it stays as it is, and what it used before.
type Used = (String, bool, Vec<Kept>);

/// What the store used before, in words that open nothing.
fn credentials(store: &StorePart) -> Vec<Kept> {
    store.retirement.iter().flat_map(|it| it.state.credentials.clone()).collect()
}
