//! The replaced credential of a store: proved, disabled, watched, deleted; given back where something still needs it.
//!
//! ```text
//!  ConfigMap ─► state ──┐
//!  store, users ────────┼─► next ─► one act ─► state ─► ConfigMap
//!  keys, other users ───┘
//! ```
//!
//! [`next()`] decides, from values alone, what is done next; [`run`] does it, writes down where it is, and looks again.
//! What is intended is written down before it is done, so a run that was stopped anywhere is gone on with.

pub(crate) mod config_map;
mod deed;
mod evidence;
pub(crate) mod look;
#[cfg(test)]
mod model_tests;
mod next;
mod observed;
pub(crate) mod others;
pub(crate) mod remaining;
pub(crate) mod run;
mod same;
mod shown;
mod state;
mod store_view;
mod users;
mod words;

pub(crate) use self::{
    deed::Deed,
    evidence::{Asked, Tracker, switched_at},
    next::{Block, End, Next, Options, Pending, Until, decide, next},
    observed::{Elsewhere, KeyStanding, KeyView, Observed, PlaceView, StoreView},
    same::is_again,
    shown::{Shown, Write, to_ask},
    state::{Kept, Place, Stage, State, StoreId, Why},
    users::{Sighting, used_after, uses},
    words::{Situation, last_words},
};
