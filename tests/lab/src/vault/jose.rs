//! Signatures of tokens (RFC 7515, RFC 7518 §3.1, RFC 8037).

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::der;

/// What the server takes when nothing else is configured (cap/jwt/algs.go)
pub(crate) const ALGORITHMS: [&str; 10] =
    ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA"];

/// A public key
#[derive(Clone)]
pub(crate) enum Key {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Ec { curve: &'static str, point: Vec<u8> },
    Ed25519(Vec<u8>),
}

impl Key {
    /// Of a JWK (RFC 7517); `None` for a kind that is not known
    pub(crate) fn of_jwk(jwk: &Value) -> Option<Self> {
        let part = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str()?.trim_end_matches('=')).ok();
        match (jwk["kty"].as_str()?, jwk["crv"].as_str().unwrap_or_default()) {
            ("RSA", _) => Some(Self::Rsa { n: part("n")?, e: part("e")? }),
            ("EC", curve) => {
                let curve = ["P-256", "P-384", "P-521"].into_iter().find(|known| *known == curve)?;
                Some(Self::Ec { curve, point: [vec![4], part("x")?, part("y")?].concat() })
            }
            ("OKP", "Ed25519") => Some(Self::Ed25519(part("x")?)),
            _ => None,
        }
    }

    /// Of a `PUBLIC KEY` (RFC 5280 §4.1)
    pub(crate) fn of_pem(pem: &str) -> Option<Self> {
        let body = pem.trim().strip_prefix("-----BEGIN PUBLIC KEY-----")?;
        let body: String = body.split("-----END").next()?.split_whitespace().collect();
        let spki = STANDARD.decode(body).ok().filter(|spki| spki.len() > 30 && spki[0] == 0x30)?;
        let names = |oid: &[u8]| spki.windows(oid.len()).take(40).any(|window| window == oid);
        let key = der::public_key(&spki).to_vec();
        if names(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]) {
            let (n, e) = der::rsa_public(&key);
            return Some(Self::Rsa { n: n.to_vec(), e: e.to_vec() });
        }
        if names(&[0x2b, 0x65, 0x70]) {
            return Some(Self::Ed25519(key));
        }
        let curve = match key.len() {
            65 => "P-256",
            97 => "P-384",
            133 => "P-521",
            _ => return None,
        };
        Some(Self::Ec { curve, point: key })
    }

    /// Whether this key signed the token with the algorithm that its header names
    pub(crate) fn signed(&self, token: &str, algorithm: &str) -> bool {
        let Some((input, signature)) = token.rsplit_once('.') else { return false };
        let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return false };
        match self {
            Self::Rsa { n, e } => rsa(algorithm).is_some_and(|parameters| {
                RsaPublicKeyComponents { n, e }.verify(parameters, input.as_bytes(), &signature).is_ok()
            }),
            Self::Ec { curve, point } => elliptic(algorithm, curve).is_some_and(|algorithm| {
                UnparsedPublicKey::new(algorithm, point).verify(input.as_bytes(), &signature).is_ok()
            }),
            Self::Ed25519(key) => {
                algorithm == "EdDSA"
                    && UnparsedPublicKey::new(&ED25519, key).verify(input.as_bytes(), &signature).is_ok()
            }
        }
    }
}

fn rsa(algorithm: &str) -> Option<&'static RsaParameters> {
    match algorithm {
        "RS256" => Some(&RSA_PKCS1_2048_8192_SHA256),
        "RS384" => Some(&RSA_PKCS1_2048_8192_SHA384),
        "RS512" => Some(&RSA_PKCS1_2048_8192_SHA512),
        "PS256" => Some(&RSA_PSS_2048_8192_SHA256),
        "PS384" => Some(&RSA_PSS_2048_8192_SHA384),
        "PS512" => Some(&RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

fn elliptic(algorithm: &str, curve: &str) -> Option<&'static dyn VerificationAlgorithm> {
    match (algorithm, curve) {
        ("ES256", "P-256") => Some(&ECDSA_P256_SHA256_FIXED),
        ("ES384", "P-384") => Some(&ECDSA_P384_SHA384_FIXED),
        ("ES512", "P-521") => Some(&ECDSA_P521_SHA512_FIXED),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Curve, SigningKey};

    #[test]
    fn both_forms_of_every_kind_verify() {
        let kinds = [SigningKey::rsa(2048), SigningKey::ec(Curve::P256), SigningKey::ec(Curve::P384)];
        for key in kinds.into_iter().chain([SigningKey::ec(Curve::P521)]) {
            let token = key.jws(&serde_json::json!({"sub": "x"}));
            for form in [Key::of_jwk(&key.jwk()), Key::of_pem(&key.public_pem())] {
                let form = form.unwrap();
                assert!(form.signed(&token, key.alg()) && !form.signed(&format!("{token}A"), key.alg()));
                assert!(!form.signed(&token, "none"));
            }
        }
        assert!(Key::of_pem("nope").is_none());
    }
}
