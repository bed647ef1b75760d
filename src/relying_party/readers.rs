//! PURE. Keys that are good, but that some relying parties do not read.

use crate::{error::Code, oidc::PublicKey, warning::Warning};

/// A note for each of these keys that not every relying party reads.
pub(crate) fn notes_of_unread<'a>(keys: impl Iterator<Item = &'a PublicKey>) -> Vec<Warning> {
    let note = |key: &PublicKey| {
        let who = key.unread_by()?;
        let (kid, kind) = (key.kid().escape_debug(), key.describe());
        Some(Warning {
            code: Code::KeyNotReadByAll,
            message: format!("{kid} is an {kind} key: {who}; RSA 2048 is read everywhere"),
        })
    };
    keys.filter_map(note).collect()
}
