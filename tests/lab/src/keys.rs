//! Keys that service-account tokens are signed with, and JWS signatures (RFC 7515).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
    UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::der;

/// A key pair of one of the kinds that a Kubernetes API server signs with.
///
/// Faithful: algorithm by key (RSA → RS256, P-256/384/521 → ES256/384/512), `kid` as Kubernetes
/// computes it (SHA-256 over the DER SubjectPublicKeyInfo, base64url without padding), member
/// order of a served JWK (kubernetes/kubernetes pkg/serviceaccount/{jwt,openidmetadata}.go).
/// Not faithful: an RSA key below 2048 bits cannot be made; put its JWK in with
/// [`KeyFile::Raw`](crate::KeyFile::Raw).
#[derive(Clone)]
pub struct SigningKey {
    pair: Arc<Pair>,
    spki: Vec<u8>,
    pkcs8: Vec<u8>,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec(Curve, EcdsaKeyPair),
}

/// A curve of RFC 7518 §6.2.1.1
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// secp256r1
    P256,
    /// secp384r1
    P384,
    /// secp521r1
    P521,
}

impl SigningKey {
    /// A fresh RSA key of 2048, 3072, 4096 or 8192 bits
    pub fn rsa(bits: usize) -> Self {
        let size = match bits {
            2048 => KeySize::Rsa2048,
            3072 => KeySize::Rsa3072,
            4096 => KeySize::Rsa4096,
            8192 => KeySize::Rsa8192,
            other => panic!("no RSA key of {other} bits can be made here"),
        };
        let pair = RsaKeyPair::generate(size).expect("generate an RSA key");
        Self::of_rsa(pair)
    }

    /// An RSA key of 2048 bits from a stock of this process, which another far side may have been given before. Making
    /// one takes a quarter of a second, and most far sides only need one, no matter which.
    pub fn from_stock() -> Self {
        const SIZE: usize = 64;
        static STOCK: [OnceLock<SigningKey>; SIZE] = [const { OnceLock::new() }; SIZE];
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let place = &STOCK[NEXT.fetch_add(1, Ordering::Relaxed) % SIZE];
        place.get_or_init(|| Self::rsa(2048)).clone()
    }

    /// The RSA key of a `PRIVATE KEY` (PKCS#8), as a file of Google's has it
    pub fn rsa_from_pem(text: &str) -> Option<Self> {
        let base64: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
        let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(base64).ok()?).ok()?;
        Some(Self::of_rsa(pair))
    }

    fn of_rsa(pair: RsaKeyPair) -> Self {
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("encode a public key");
        let spki = spki.as_ref().to_vec();
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der().expect("encode a private key");
        let pkcs8 = pkcs8.as_ref().to_vec();
        Self { pair: Arc::new(Pair::Rsa(pair)), spki, pkcs8 }
    }

    /// A fresh EC key
    pub fn ec(curve: Curve) -> Self {
        let pair = EcdsaKeyPair::generate(curve.signing()).expect("generate an EC key");
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("encode a public key");
        let spki = spki.as_ref().to_vec();
        let pkcs8 = pair.to_pkcs8v1().expect("encode a private key").as_ref().to_vec();
        Self { pair: Arc::new(Pair::Ec(curve, pair)), spki, pkcs8 }
    }

    /// `RS256`, `ES256`, `ES384` or `ES512`
    pub fn alg(&self) -> &'static str {
        match *self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::Ec(Curve::P256, _) => "ES256",
            Pair::Ec(Curve::P384, _) => "ES384",
            Pair::Ec(Curve::P521, _) => "ES512",
        }
    }

    /// The key ID that Kubernetes gives to this key
    pub fn kid(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, &self.spki))
    }

    /// The public key, `PUBLIC KEY` (SubjectPublicKeyInfo)
    pub fn public_pem(&self) -> String {
        pem("PUBLIC KEY", &self.spki)
    }

    /// The public half of an RSA key as `RSA PUBLIC KEY` (PKCS#1), which the API server refuses
    pub fn public_pkcs1_pem(&self) -> Option<String> {
        matches!(*self.pair, Pair::Rsa(_)).then(|| pem("RSA PUBLIC KEY", der::public_key(&self.spki)))
    }

    /// The private key, `PRIVATE KEY` (PKCS#8)
    pub fn private_pem(&self) -> String {
        pem("PRIVATE KEY", &self.pkcs8)
    }

    /// The private key as `RSA PRIVATE KEY` (PKCS#1) or `EC PRIVATE KEY` (SEC 1, named curve)
    pub fn traditional_pem(&self) -> String {
        let inner = der::private_key(&self.pkcs8);
        match &*self.pair {
            Pair::Rsa(_) => pem("RSA PRIVATE KEY", inner),
            Pair::Ec(curve, pair) => {
                let sec1 = der::ec_private_key(inner, curve.oid(), pair.public_key().as_ref());
                pem("EC PRIVATE KEY", &sec1)
            }
        }
    }

    /// The JWK as the API server serves it: compact, members in its order
    pub fn jwk_text(&self) -> String {
        let (kid, alg) = (self.kid(), self.alg());
        match &*self.pair {
            Pair::Rsa(_) => {
                let (n, e) = der::rsa_public(der::public_key(&self.spki));
                let (n, e) = (URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e));
                format!(r#"{{"use":"sig","kty":"RSA","kid":"{kid}","alg":"{alg}","n":"{n}","e":"{e}"}}"#)
            }
            Pair::Ec(curve, pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
                let crv = curve.name();
                format!(
                    r#"{{"use":"sig","kty":"EC","kid":"{kid}","crv":"{crv}","alg":"{alg}","x":"{x}","y":"{y}"}}"#
                )
            }
        }
    }

    /// The JWK as a value
    pub fn jwk(&self) -> Value {
        serde_json::from_str(&self.jwk_text()).expect("a JWK is JSON")
    }

    /// A compact JWS with the header of the API server: `alg` and `kid`, no `typ`
    pub fn jws(&self, claims: &Value) -> String {
        self.jws_with_header(&json!({"alg": self.alg(), "kid": self.kid()}), claims)
    }

    /// A compact JWS with any header
    pub fn jws_with_header(&self, header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!("{}.{}", encode(header), encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.sign(input.as_bytes()));
        format!("{input}.{signature}")
    }

    /// The claims of a compact JWS if this key signed it
    pub fn verify(&self, jws: &str) -> Option<Value> {
        let (input, signature) = jws.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let algorithm: &'static dyn VerificationAlgorithm = match *self.pair {
            Pair::Rsa(_) => &RSA_PKCS1_2048_8192_SHA256,
            Pair::Ec(Curve::P256, _) => &ECDSA_P256_SHA256_FIXED,
            Pair::Ec(Curve::P384, _) => &ECDSA_P384_SHA384_FIXED,
            Pair::Ec(Curve::P521, _) => &ECDSA_P521_SHA512_FIXED,
        };
        let key = UnparsedPublicKey::new(algorithm, self.public_bytes());
        key.verify(input.as_bytes(), &signature).ok()?;
        jws_part(jws, 1)
    }

    fn public_bytes(&self) -> &[u8] {
        match &*self.pair {
            Pair::Rsa(pair) => pair.public_key().as_ref(),
            Pair::Ec(_, pair) => pair.public_key().as_ref(),
        }
    }

    fn sign(&self, input: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &*self.pair {
            Pair::Rsa(pair) => {
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, input, &mut out).expect("sign with RSA");
                out
            }
            Pair::Ec(_, pair) => pair.sign(&random, input).expect("sign with EC").as_ref().to_vec(),
        }
    }
}

impl Curve {
    fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
            Self::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
            Self::P521 => &ECDSA_P521_SHA512_FIXED_SIGNING,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// Object identifiers of RFC 5480 §2.1.1.1
    fn oid(self) -> &'static [u8] {
        match self {
            Self::P256 => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7],
            Self::P384 => &[0x2b, 0x81, 4, 0, 34],
            Self::P521 => &[0x2b, 0x81, 4, 0, 35],
        }
    }
}

/// Header (0) or claims (1) of a compact JWS, unverified
pub fn jws_part(jws: &str, part: usize) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(jws.split('.').nth(part)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap_or_default()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Random bytes as lower-case hexadecimal
pub(crate) fn random_hex(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    aws_lc_rs::rand::fill(&mut buffer).expect("random bytes");
    hex(&buffer)
}

/// A random UUID (RFC 9562 §5.4), for `jti` and object UIDs
pub(crate) fn uuid() -> String {
    let mut hex = random_hex(16);
    hex.replace_range(12..13, "4");
    hex.replace_range(16..17, "8");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_signs_what_it_verifies() {
        let kinds = [SigningKey::rsa(2048), SigningKey::ec(Curve::P256), SigningKey::ec(Curve::P384)];
        for key in kinds.into_iter().chain([SigningKey::ec(Curve::P521)]) {
            let token = key.jws(&json!({"sub": "x"}));
            assert_eq!(jws_part(&token, 0).unwrap(), json!({"alg": key.alg(), "kid": key.kid()}));
            assert_eq!(key.verify(&token).unwrap(), json!({"sub": "x"}));
            assert!(SigningKey::ec(Curve::P256).verify(&token).is_none());
            assert_eq!(key.kid().len(), 43);
        }
    }

    #[test]
    fn private_key_survives_a_file_roundtrip() {
        let key = SigningKey::rsa(2048);
        let read = SigningKey::rsa_from_pem(&key.private_pem()).unwrap();
        assert_eq!(read.kid(), key.kid());
        assert!(key.verify(&read.jws(&json!({"sub": "x"}))).is_some());
        assert!(SigningKey::rsa_from_pem(&key.public_pem()).is_none());
    }
}
