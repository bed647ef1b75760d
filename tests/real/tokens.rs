//! Service-account tokens, as far as a story looks into them or falsifies them.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use serde_json::Value;

use crate::check::{Checked, Failure};

/// The token with one bit of its signature turned over.
pub(crate) fn with_forged_signature(token: &str) -> Checked<String> {
    let [header, claims, signature] = parts(token)?;
    let mut signature = BASE64_URL_SAFE_NO_PAD.decode(signature)?;
    let middle = signature.len() / 2;
    signature[middle] ^= 1;
    Ok(format!("{header}.{claims}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
}

/// The token with another subject under the signature that was made for the true one.
pub(crate) fn with_forged_subject(token: &str, subject: &str) -> Checked<String> {
    let [header, claims, signature] = parts(token)?;
    let mut claims = decode(claims)?;
    claims["sub"] = subject.into();
    let claims = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
    Ok(format!("{header}.{claims}.{signature}"))
}

/// The `kid` of the key that signed it.
pub(crate) fn kid(token: &str) -> Checked<String> {
    Ok(decode(parts(token)?[0])?["kid"].as_str().unwrap_or_default().to_owned())
}

/// What it says, unverified.
pub(crate) fn claims(token: &str) -> Checked<Value> {
    decode(parts(token)?[1])
}

fn parts(token: &str) -> Checked<[&str; 3]> {
    let parts: Vec<&str> = token.split('.').collect();
    parts.try_into().map_err(|_| Failure("the API server's token has not three parts".to_owned()))
}

fn decode(part: &str) -> Checked<Value> {
    Ok(serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part)?)?)
}
