//! PURE. The store now, compared with what was saved.

use serde_json::Value;

use super::{State, StoreId, StoreView, is_again, look::secrets_named_by};
use crate::cluster::{objects::Object, snapshot::Store};

/// `desired`: what this run is to write. It counts more than what an earlier one has written.
pub(super) fn view_of(state: &State, desired: Option<&Value>, present: Option<&Object>) -> StoreView {
    let Some(present) = present else { return StoreView::Gone };
    let store = Store(present.clone());
    let names_it = state.is_named_in(&secrets_named_by(&store));
    if StoreId::of(present) != state.store {
        return StoreView::Replaced { names_it };
    }
    let provider = &present.0["spec"]["provider"];
    if provider == desired.unwrap_or(&state.after) {
        let says = present.condition_text();
        return StoreView::After { ready: present.is_ready() == Some(true), says };
    }
    if state.before.as_ref().is_some_and(|before| is_again(before, provider)) {
        return StoreView::Before;
    }
    StoreView::Other { names_it }
}
