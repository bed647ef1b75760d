//! PURE. What asks the program to end.

use std::time::Duration;

/// A signal, or the end of `--timeout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGINT, Ctrl-C.
    Interrupt,
    /// SIGTERM: what the kubelet sends.
    Terminate,
    /// The time of `--timeout` is over.
    Timeout(Duration),
}

impl Signal {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
            Self::Timeout(_) => "--timeout",
        }
    }

    /// 128 and the signal's number, as shells report it; for a timeout that of what could not be established.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
            Self::Timeout(_) => 3,
        }
    }
}
