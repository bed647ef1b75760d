//! One file per command: observe, decide, show, act.

mod ask;
pub(crate) mod audit;
mod changes;
mod live;
mod objects;
mod place;
mod provider;
pub(crate) mod publish;
mod read_back;
<<<<<<< HEAD
<<<<<<< HEAD
mod settle;
pub(crate) mod setup;
=======
pub(crate) mod render;
>>>>>>> fed-vault
=======
pub(crate) mod store;
>>>>>>> store-audit
mod stored;
pub(crate) mod teardown;
pub(crate) mod verify;

/// How a command that could be carried out ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Exit code 0.
    Clean,
    /// Exit code 1: a failed check, or a pending change.
    Found,
    /// Exit code 3: nothing was found, but not everything could be looked at.
    Incomplete,
}
