//! PURE. Which keys are public, and until when.
//!
//! ```text
//!  ledger ─┐
//!  look ───┼─► judge ─► ledger, states ─┬─► decide ─► the key set to publish
//!  policy ─┘                            └─► advice ─► when to sign, when to remove
//! ```
//!
//! A key enters at once. It leaves when no API server has it, each of them having answered in this look, and the
//! longest token that it can have signed has expired; or when it was revoked. The ledger is a clock: without it keys
//! stay longer. A live key is published whatever the ledger holds, unless no key of the published set is known and nothing
//! shows that the issuer is this cluster's: then nothing is written until a person has decided.

pub(crate) mod advice;
mod decide;
mod judge;
mod key_id;
mod lasting;
mod ledger;
mod place;
mod policy;
#[cfg(test)]
mod simulation;

pub(crate) use self::{
    advice::advise,
    decide::{Copies, Decision, Former, Inputs, KeyStatus, PublishedSet, decide},
    judge::{Judged, Look, Scene, State, judge},
    key_id::KeyId,
    lasting::LongestFound,
    ledger::{Entry, Ledger, Lost, Seen, Source},
    place::{Limit, Place},
    policy::{LONGEST_TOKEN, Policy},
};
