//! One file per command: observe, decide, show, act.

mod live;
mod place;
pub(crate) mod publish;
mod read_back;
pub(crate) mod render;
mod stored;
pub(crate) mod verify;

/// How a command that could be carried out ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Exit code 0.
    Clean,
    /// Exit code 1: a failed check, or a pending change.
    Found,
}
