//! PURE. Keys that are good, but that some relying parties do not read.

use crate::{oidc::PublicKey, report::Warning};

/// Stable name of the warning.
pub(crate) const UNREAD: &str = "key-not-read-by-all";

/// A warning for each of these keys that not every relying party reads.
pub(crate) fn warn_of_unread<'a>(keys: impl Iterator<Item = &'a PublicKey>) -> Vec<Warning> {
    let warning = |key: &PublicKey| {
        let who = key.unread_by()?;
        let (kid, kind) = (key.kid(), key.describe());
        Some(Warning::new(UNREAD, format!("{kid} is an {kind} key: {who}; RSA 2048 is read everywhere")))
    };
    keys.filter_map(warning).collect()
}
