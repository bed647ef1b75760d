//! PURE. The values that relying parties read, as types that cannot be wrong.
//!
//! Whatever exists as one of these types may be published: an [`Issuer`] that every relying party accepts,
//! a [`KeySet`] without a private or weak key, the two [`Document`]s made from them. What a cluster signs as, published
//! or not, is a [`SignedIssuer`]. Everything else is an [`Error`](crate::error::Error) with a stable code.

mod body;
mod discovery;
mod document;
mod issuer;
mod key;
mod key_set;
mod pem;
mod signed_issuer;
mod spki;
mod token;

pub(crate) use discovery::Discovery;
#[cfg(test)]
pub(crate) use document::CACHE_CONTROL;
pub(crate) use document::{DISCOVERY_PATH, Document, JWKS_PATH, MAX_AGE, content_type_is_json};
pub(crate) use issuer::Issuer;
pub(crate) use key::{Algorithm, KidRule, PublicKey};
pub(crate) use key_set::{Entry, KeySet, MAX_KEYS, Unreadable};
pub(crate) use pem::keys_from_pem;
pub(crate) use signed_issuer::SignedIssuer;
pub(crate) use token::{Claims, Token};
