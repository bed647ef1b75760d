//! One file per command: observe, decide, show, act.

pub(crate) mod audit;
pub(crate) mod audit_diff;
pub(crate) mod coupling;
mod distribution;
pub(crate) mod doctor;
pub(crate) mod explain;
mod issuer;
pub(crate) mod keys;
mod naming;
mod new_path;
#[cfg(test)]
mod new_provider_tests;
mod objects;
mod operator;
mod probe;
mod prompt;
pub(crate) mod publish;
mod refresh;
pub(crate) mod render;
mod resolve;
mod rights;
pub(crate) mod saved;
pub(crate) mod setup;
pub(crate) mod store;
mod stores;
pub(crate) mod teardown;
pub(crate) mod verify;

pub(crate) use crate::exit::Exit;
