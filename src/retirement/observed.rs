//! PURE. What a retirement is decided from.

use super::Block;

/// Everything that was seen, at about the same time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Observed {
    pub(crate) store: StoreView,
    pub(crate) users: Vec<User>,
    pub(crate) trouble: Option<Trouble>,
    /// When it was seen, and in the order of the state's credentials.
    pub(crate) keys: Option<(u64, Vec<KeyView>)>,
    /// When it was seen.
    pub(crate) elsewhere: Option<(u64, Elsewhere)>,
    /// In this run a token of the new login has read every secret.
    pub(crate) probed: bool,
    /// UIDs of what was asked to run in this run.
    pub(crate) asked: std::collections::BTreeSet<String>,
}

/// The store now, compared with what was saved.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum StoreView {
    /// It logs in by its former provider.
    Before,
    /// It logs in by the new one.
    After { ready: bool, says: String },
    /// It says something else.
    Other {
        /// It names a Secret that holds one of the credentials.
        names_it: bool,
    },
    #[default]
    Gone,
    /// Another store has its name.
    Replaced { names_it: bool },
}

/// Something that reads or pushes through the store.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct User {
    pub(crate) uid: String,
    pub(crate) name: String,
    pub(crate) ready: bool,
    pub(crate) says: String,
    /// When its last successful run began.
    pub(crate) refreshed: Option<u64>,
    /// It has run by the store's former login: before the change, or at a time that is not known.
    pub(crate) relied: bool,
    /// It has run since the store was changed, and came to its end.
    pub(crate) ran: bool,
    pub(crate) due: Due,
}

/// When it runs next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// By the clock, at about this time.
    At(u64),
    Asked(String),
    Never(String),
}

/// Something was ready, and is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) since: u64,
    pub(crate) object: String,
    pub(crate) says: String,
}

/// One credential, at its provider and where it lies.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KeyView {
    pub(crate) standing: KeyStanding,
    pub(crate) places: Vec<PlaceView>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyStanding {
    Enabled,
    Disabled,
    Absent,
    /// Its provider did not prove it to be the stored one, for this reason.
    Unproved(String),
    /// Its provider is not spoken to.
    ByHand,
}

/// One Secret that held a credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PlaceView {
    /// It is the very Secret, and still holds the credential.
    pub(crate) there: bool,
    /// It has changed since, and nothing tells whether it still is the same credential.
    pub(crate) changed: bool,
    /// It holds something else as well.
    pub(crate) holds_more: bool,
    /// Who would put it back.
    pub(crate) kept_by: Option<String>,
}

/// What else in the cluster has or uses a credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Elsewhere {
    pub(crate) users: Vec<String>,
    /// What could not be looked at.
    pub(crate) unseen: Vec<String>,
    /// What earlier runs noted for other stores and cannot be read, with the reason.
    pub(crate) unread: Vec<String>,
}

impl Elsewhere {
    pub(crate) fn add(&mut self, more: Self) {
        let Self { users, unseen, unread } = more;
        self.users.extend(users);
        self.unseen
            .extend(unseen.into_iter().filter(|right| !self.unseen.contains(right)).collect::<Vec<_>>());
        self.unread.extend(unread);
    }

    /// Why it is not known whether anything else uses it.
    pub(crate) fn doubt(&self) -> Option<Block> {
        if !self.unread.is_empty() {
            return Some(Block::Unread(self.unread.clone()));
        }
        (!self.unseen.is_empty()).then(|| Block::Unseen(self.unseen.clone()))
    }
}
