//! PURE. By what workloads log in at a provider.

use super::Workload;
use crate::error::Result;

/// The logins of workloads at a provider.
#[derive(Debug, Default)]
pub(crate) struct Logins {
    pub(crate) found: Vec<Login>,
    /// What could not be looked at, so that it is not known whether it is one: what, and why.
    pub(crate) unseen: Vec<String>,
}

/// What a workload logs in by.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) workload: Workload,
    /// Its own mark names this cluster. Otherwise it is ours as far as what holds it is, e.g. a pool: what a person granted
    /// there looks the same.
    pub(crate) is_marked: bool,
    /// Why it is not withdrawn as a store's, and how a person removes it.
    pub(crate) stays: Option<String>,
}

impl Logins {
    /// Of each that was looked at: what is there, nothing, or why it is not known.
    pub(super) fn of(looks: impl IntoIterator<Item = Result<Option<Login>>>) -> Self {
        let mut logins = Self::default();
        for look in looks {
            match look {
                Ok(login) => logins.found.extend(login),
                Err(error) => logins.unseen.push(error.message),
            }
        }
        logins
    }
}
