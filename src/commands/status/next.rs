//! PURE. The one command that comes next: what is broken before what is left, what is not known before what is proved.

use std::fmt;

use super::page::{Documents, Keys, Login, Page, Part};

/// A command, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) command: String,
    pub(super) why: &'static str,
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}   # {}", self.command, self.why)
    }
}

pub(super) fn next(page: &Page) -> Next {
    let as_next = |command: &str, why| Next { command: format!("{command}{}", page.again), why };
    let Part::Seen(stores) = &page.stores else {
        return as_next("keyless audit --mode refs", "names what could not be read, and the missing right");
    };
    match &page.documents {
        Part::Seen(Documents::Read { failed, .. }) if *failed > 0 => {
            return as_next("keyless verify", "names the cause of each failed check, and the remedy");
        }
        Part::Unknown(_) => {
            return as_next("keyless verify --public-only", "says why the documents could not be read");
        }
        Part::Seen(_) => {}
    }
    match &page.keys {
        Part::Seen(Keys::Counted { alarms, .. }) if *alarms > 0 => {
            return as_next("keyless keys", "names the keys that a person has to look at");
        }
        Part::Seen(Keys::Counted { lockouts, .. }) if !lockouts.is_empty() => {
            return as_next(
                "keyless publish",
                "with your own login: one by a token of the cluster may be refused",
            );
        }
        Part::Seen(Keys::Counted { live, public, whole: true, .. }) if public < live => {
            return as_next("keyless publish --dry-run", "a live key is not public");
        }
        Part::Unknown(_) | Part::Seen(Keys::Counted { whole: false, .. }) => {
            return as_next("keyless keys", "says which keys could not be established, and why");
        }
        Part::Seen(_) => {}
    }
    if stores.with(|login| *login == Login::Stored) > 0 {
        return as_next(
            "keyless setup --dry-run",
            "shows how the store would log in with short-lived tokens",
        );
    }
    if stores.more {
        return as_next("keyless audit --mode refs", "names what could not be read, and the missing right");
    }
    match &page.keys {
        Part::Seen(Keys::Counted { pending: true, .. }) => {
            as_next("keyless keys", "names the next step for the keys")
        }
        _ if stores.all.is_empty() => {
            as_next("keyless setup --dry-run", "shows what is missing for a store that logs in with tokens")
        }
        _ => as_next("keyless audit", "gives the verdict: it looks into Secrets, which this page does not"),
    }
}
