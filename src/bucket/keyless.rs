//! PURE. Whether a publisher in the cluster can write a bucket without a stored key.

/// How it logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeylessWriter {
    /// Through the provider of this name, which trusts the publisher's tokens.
    Through(&'static str),
    /// By tokens, too, and keyless does not set that up: what does.
    ByHand(&'static str),
    /// The store takes stored keys alone.
    StoredKey,
    /// There is no login: it is a folder.
    NoLogin,
}
