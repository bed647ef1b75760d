//! Signatures of tokens against JSON Web Keys (RFC 7515, RFC 7517).

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// The set has no key with the token's `kid` that fits its algorithm
pub(crate) struct NoKey;

/// Whether the key of a set that the header names has signed the token
pub(crate) fn verify(token: &str, header: &Value, set: &Value) -> Result<bool, NoKey> {
    let kid = header["kid"].as_str().ok_or(NoKey)?;
    let keys = set["keys"].as_array().ok_or(NoKey)?;
    let key = keys.iter().find(|key| key["kid"] == kid).ok_or(NoKey)?;
    let part = |name: &str| {
        key[name]
            .as_str()
            .and_then(|text| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok())
            .ok_or(NoKey)
    };
    let (input, signature) = token.rsplit_once('.').ok_or(NoKey)?;
    let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return Ok(false) };
    let fits = |alg: &str| header["alg"] == alg && (key["alg"].is_null() || key["alg"] == alg);
    match key["kty"].as_str() {
        Some("RSA") if fits("RS256") => {
            let key = RsaPublicKeyComponents { n: part("n")?, e: part("e")? };
            Ok(key.verify(&RSA_PKCS1_2048_8192_SHA256, input.as_bytes(), &signature).is_ok())
        }
        Some("EC") if fits("ES256") && key["crv"] == "P-256" => {
            let point = [vec![4], part("x")?, part("y")?].concat();
            let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
            Ok(key.verify(input.as_bytes(), &signature).is_ok())
        }
        _ => Err(NoKey),
    }
}
