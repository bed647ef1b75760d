//! The two documents, with everything that a relying party sees of them.

use super::{Discovery, Issuer, KeySet};

/// OpenID Connect Discovery 1.0 §4.
pub(crate) const DISCOVERY_PATH: &str = ".well-known/openid-configuration";
/// Where the API server serves its key set, and so do we.
pub(crate) const JWKS_PATH: &str = "openid/v1/jwks";

/// How long a relying party may keep a document, in seconds. It is the time between publishing a new key and
/// being allowed to sign with it, so it is short; stores that get no header choose up to an hour by themselves.
pub(crate) const MAX_AGE: u64 = 300;
/// The header that says so (RFC 9111 §5.2.2).
pub(crate) const CACHE_CONTROL: &str = "public, max-age=300";

/// One published object. Its content type and cache time belong to it as much as its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    /// Below the issuer, e.g. `openid/v1/jwks`.
    pub(crate) path: &'static str,
    pub(crate) body: Vec<u8>,
    pub(crate) content_type: &'static str,
    pub(crate) cache_control: &'static str,
}

impl Document {
    /// RFC 7517 §8.5.
    pub(crate) fn jwks(keys: &KeySet) -> Self {
        Self {
            path: JWKS_PATH,
            body: keys.to_json().into_bytes(),
            content_type: "application/jwk-set+json",
            cache_control: CACHE_CONTROL,
        }
    }

    /// OpenID Connect Discovery 1.0 §4.2.
    pub(crate) fn discovery(issuer: &Issuer, keys: &KeySet) -> Self {
        Self {
            path: DISCOVERY_PATH,
            body: Discovery::new(issuer, keys).to_json().into_bytes(),
            content_type: "application/json",
            cache_control: CACHE_CONTROL,
        }
    }
}

/// Whether every verifier takes this content type for a document or key set: `application/json` or, for
/// key sets, `application/jwk-set+json`, with or without parameters.
pub(crate) fn content_type_is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
        || essence.eq_ignore_ascii_case("application/jwk-set+json")
}
