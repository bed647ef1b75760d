//! PURE. Two results of the audit beside each other: what is new, what is gone, and what the later one did not look at.
//!
//! Results come as JSON texts, also that of the current run: there is one way to compare. They are input: what one says
//! of itself is checked for contradictions, never taken for proof of more than it names.

mod baseline;
mod difference;
mod document;
mod lines;
mod place;
mod saved;

pub(in crate::audit) use self::baseline::Baseline;
pub(crate) use self::{
    baseline::NewSince,
    difference::{Answer, difference},
    document::schema,
    saved::{MAX_REPORT, Saved},
};

#[cfg(test)]
mod fakes;
#[cfg(test)]
mod tests;
