//! PURE. Credentials that several stores of a run used: each comes to its end once, after all of them have moved.

use std::collections::BTreeSet;

use super::{plan::StorePart, retire_steps::Led};
use crate::{
    plan::Step,
    retirement::{Kept, Place},
};

/// Has the first store that uses a credential bring about its end, and names the stores that go on using it.
pub(super) fn share(stores: &mut [StorePart]) {
    let all: Vec<_> =
        stores.iter().map(|store| (store.name.clone(), store.keeps_store(), credentials(store))).collect();
    let mut makes_namespace = false;
    // What is shown for the stores before, of all and of those that each does.
    let mut shown = BTreeSet::new();
    let mut done: Vec<Vec<Step>> = Vec::new();
    for (index, store) in stores.iter_mut().enumerate() {
        let Some(retirement) = &mut store.retirement else {
            done.push(Vec::new());
            continue;
        };
        // It is created once, and shown once.
        retirement.needs_namespace &= !makes_namespace;
        for (number, kept) in retirement.state.credentials.iter().enumerate() {
            let is_same = |(_, _, theirs): &&Used| theirs.iter().any(|it| it.is_same(kept));
            let uses = |(_, _, theirs): &&Used| theirs.iter().any(|it| it.touches(kept));
            let leader = all[..index].iter().position(|it| is_same(&it) && !it.1);
            if let Some(leader) = leader {
                let led =
                    Led { leader: all[leader].0.clone(), steps: done[leader].clone(), shown: shown.clone() };
                retirement.led.insert(number, led);
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
        makes_namespace |= retirement.needs_namespace && retirement.pending() > 0;
        retirement.namespace_is_shown = makes_namespace;
        shown.extend(retirement.steps().into_iter().map(|step| step.name));
        done.push(retirement.acts());
    }
}

/// A store by name, whether it stays as it is, and what it used before.
type Used = (String, bool, Vec<Kept>);

/// What the store used before, in words that open nothing.
fn credentials(store: &StorePart) -> Vec<Kept> {
    store.retirement.iter().flat_map(|it| it.state.credentials.clone()).collect()
}
