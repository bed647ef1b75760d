//! PURE. What is done to a store and to the credential that it leaves, and what each of it waits for. The plan shows this
//! gate, and [`next()`](super::next()) opens it.

#[cfg(test)]
use super::Next;
use super::Options;
use crate::plan::Gate;

/// One act that is not done before its gate is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// The store turns to its new provider.
    Switch,
    Disable,
    /// At the provider.
    Delete,
    /// What holds the credential in the cluster; `by_hand`: only a person can revoke the credential itself.
    DeleteSecret {
        by_hand: bool,
    },
}

impl Deed {
    /// What it waits for.
    pub(crate) fn gate(self, options: &Options) -> Gate {
        let is_asked = match self {
            Self::Switch => return Gate::AfterProbe,
            Self::Disable => true,
            Self::Delete | Self::DeleteSecret { by_hand: false } => options.retire,
            Self::DeleteSecret { by_hand: true } => options.retire && options.delete_secret,
        };
        if is_asked { Gate::AfterRefresh } else { Gate::OnRetireKey }
    }

    /// What a decision does; `None`: it looks, waits, writes down where it is, or gives something back.
    #[cfg(test)]
    pub(super) fn of(next: &Next, by_hand: impl Fn(usize) -> bool) -> Option<Self> {
        match next {
            Next::SwitchStore => Some(Self::Switch),
            Next::Disable(_) => Some(Self::Disable),
            Next::DeleteKey(_) => Some(Self::Delete),
            Next::DeleteSecret(index, _) => Some(Self::DeleteSecret { by_hand: by_hand(*index) }),
            _ => None,
        }
    }
}
