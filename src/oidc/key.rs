//! One public key, as it may be published.

use std::fmt;

use aws_lc_rs::{
    digest,
    signature::{self, ParsedPublicKey},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use super::spki;
use crate::error::{Code, Error, Result};

/// RSA below this is refused: NIST SP 800-131A, and every cloud's own rule.
const MIN_RSA_BITS: usize = 2048;
/// RSA above this is refused: aws-lc and several verifiers do not verify with it.
const MAX_RSA_BITS: usize = 8192;
/// The largest public exponent of Go's crypto/rsa (`checkPub`): go-jose drops a whole set that holds a larger one.
/// aws-lc takes 33 bits, OpenSSL 64.
const MAX_EXPONENT: u64 = (1 << 31) - 1;

/// A public key with its `kid`: RSA of 2048 to 8192 bit with an odd exponent from 3 to 2^31-1, or EC on P-256, P-384
/// or P-521. That is what all verifiers take; see [`PublicKey::unread_by`] for those that take less.
///
/// There is no place in this type for a private member, and its constructors refuse what no relying party
/// takes, so whatever exists may be published.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    kid: String,
    material: Material,
}

/// The numbers of a key, big-endian. RSA without leading zeros, EC coordinates padded to the field size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Ec { curve: Curve, x: Vec<u8>, y: Vec<u8> },
}

/// RFC 7518 §6.2.1.1, FIPS 186-5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }
}

/// The signature algorithm that the API server uses with a key: fixed by the key's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Algorithm {
    Es256,
    Es384,
    Es512,
    Rs256,
}

impl Algorithm {
    /// RFC 7518 §3.1.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::Rs256 => "RS256",
        }
    }
}

/// Who chooses the `kid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KidRule {
    /// Kubernetes: base64url(SHA-256(DER SubjectPublicKeyInfo)), 43 characters.
    Computed,
    /// An external signer (KEP-740): any text of 1 to 1024 bytes.
    External,
}

impl PublicKey {
    /// The key under the `kid` that Kubernetes computes for it.
    pub(super) fn new(material: Material) -> Result<Self> {
        check(&material)?;
        let kid = kubernetes_kid(&material)?;
        Ok(Self { kid, material })
    }

    /// A key out of a JWK (RFC 7517 §4); `at` is where that JWK was found.
    pub(super) fn from_jwk(jwk: &Map<String, Value>, rule: KidRule) -> Result<Self> {
        let material = match string(jwk, "kty")? {
            "RSA" => Material::Rsa { n: number(jwk, "n")?, e: number(jwk, "e")? },
            "EC" => {
                let curve = match string(jwk, "crv")? {
                    "P-256" => Curve::P256,
                    "P-384" => Curve::P384,
                    "P-521" => Curve::P521,
                    other => {
                        return Err(Error::failed(Code::JwkCurve, format!("curve `{}`", shown(other)))
                            .hint("use P-256, P-384 or P-521: no relying party takes another curve"));
                    }
                };
                Material::Ec { curve, x: coordinate(jwk, "x", curve)?, y: coordinate(jwk, "y", curve)? }
            }
            other => {
                return Err(Error::failed(Code::JwkUnknownType, format!("key type `{}`", shown(other)))
                    .hint("only RSA and EC keys can be published"));
            }
        };
        check(&material)?;
        let key = Self { kid: kid(jwk, &material, rule)?, material };
        if jwk.contains_key("use") && string(jwk, "use")? != "sig" {
            return Err(
                Error::failed(Code::JwkUse, "its `use` is not `sig`").hint("publish signing keys only")
            );
        }
        if jwk.contains_key("alg") && string(jwk, "alg")? != key.algorithm().name() {
            let alg = shown(string(jwk, "alg")?);
            return Err(Error::failed(
                Code::JwkAlgorithm,
                format!("its `alg` is `{alg}`, but Kubernetes signs {} with it", key.algorithm().name()),
            )
            .hint("a key for another purpose must not stand in this set"));
        }
        Ok(key)
    }

    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        match &self.material {
            Material::Rsa { .. } => Algorithm::Rs256,
            Material::Ec { curve: Curve::P256, .. } => Algorithm::Es256,
            Material::Ec { curve: Curve::P384, .. } => Algorithm::Es384,
            Material::Ec { curve: Curve::P521, .. } => Algorithm::Es512,
        }
    }

    /// Who does not read a key of this kind, although it is a good one, and what becomes of them. `None`: every verifier
    /// tried reads it.
    pub(crate) fn unread_by(&self) -> Option<&'static str> {
        match &self.material {
            Material::Ec { curve: Curve::P521, .. } => Some(
                "relying party libraries without ES512 (jwt-authorizer 0.15 for Rust is one) drop the whole key set; Google refuses \
                 tokens signed with it",
            ),
            Material::Ec { curve: Curve::P384, .. } => Some("Google refuses tokens signed with it"),
            // google/jwt_verify_lib, which Envoy and Istio are built on.
            Material::Rsa { e, .. } if !matches!(exponent(e), Some(3 | 65537)) => {
                Some("Envoy and Istio take no RSA exponent but 3 and 65537, and drop the whole key set")
            }
            Material::Ec { curve: Curve::P256, .. } | Material::Rsa { .. } => None,
        }
    }

    /// For people: `RSA 2048`, `EC P-256`.
    pub(crate) fn describe(&self) -> String {
        match &self.material {
            Material::Rsa { n, .. } => format!("RSA {}", bits(n)),
            Material::Ec { curve, .. } => format!("EC {}", curve.name()),
        }
    }

    /// Whether both are the same key, whatever their `kid`.
    pub(crate) fn same_key(&self, other: &Self) -> bool {
        self.material == other.material
    }

    /// The JWK thumbprint (RFC 7638), SHA-256: the same for the same key, whatever its `kid`.
    pub(crate) fn thumbprint(&self) -> [u8; 32] {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let text = match &self.material {
            Material::Rsa { n, e } => {
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, encode(e), encode(n))
            }
            Material::Ec { curve, x, y } => {
                let (curve, x, y) = (curve.name(), encode(x), encode(y));
                format!(r#"{{"crv":"{curve}","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
        };
        let mut print = [0; 32];
        print.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
        print
    }

    /// The published form: these members and no other, in this order.
    pub(super) fn write_jwk(&self, out: &mut String) {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (alg, kid) = (self.algorithm().name(), Value::from(self.kid.as_str()));
        let text = match &self.material {
            Material::Rsa { n, e } => format!(
                r#"{{"kty":"RSA","alg":"{alg}","use":"sig","kid":{kid},"n":"{}","e":"{}"}}"#,
                encode(n),
                encode(e)
            ),
            Material::Ec { curve, x, y } => format!(
                r#"{{"kty":"EC","alg":"{alg}","use":"sig","kid":{kid},"crv":"{}","x":"{}","y":"{}"}}"#,
                curve.name(),
                encode(x),
                encode(y)
            ),
        };
        out.push_str(&text);
    }

    /// PKIX in PEM (RFC 7468 §13): what is written into a relying party that fetches nothing.
    pub(crate) fn to_pem(&self) -> Result<String> {
        let der = spki::to_der(&self.material)
            .map_err(|error| malformed("the key cannot be encoded").caused_by_chain(&error))?;
        let lines = ::pem::EncodeConfig::new().set_line_ending(::pem::LineEnding::LF);
        Ok(::pem::encode_config(&::pem::Pem::new("PUBLIC KEY", der), lines))
    }

    /// The key as jsonwebtoken verifies with it.
    pub(super) fn decoding_key(&self) -> jsonwebtoken::errors::Result<DecodingKey> {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.material {
            Material::Rsa { n, e } => Ok(DecodingKey::from_rsa_raw_components(n, e)),
            Material::Ec { x, y, .. } => DecodingKey::from_ec_components(&encode(x), &encode(y)),
        }
    }

    /// ES512, which jsonwebtoken does not know (RFC 7518 §3.4: `r ‖ s` of 132 bytes).
    pub(super) fn verify_es512(&self, message: &[u8], signature: &[u8]) -> Result<(), String> {
        let Material::Ec { curve: Curve::P521, x, y } = &self.material else {
            return Err("the key is not on P-521".into());
        };
        ParsedPublicKey::new(&signature::ECDSA_P521_SHA512_FIXED, [&[4][..], x, y].concat())
            .map_err(|error| error.to_string())?
            .verify_sig(message, signature)
            .map_err(|_| "InvalidSignature".into())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kid, self.describe())
    }
}

/// As `pkg/serviceaccount/jwt.go` of Kubernetes computes it (`keyIDFromPublicKey`).
fn kubernetes_kid(material: &Material) -> Result<String> {
    let der = spki::to_der(material)
        .map_err(|error| malformed("the key cannot be encoded").caused_by_chain(&error))?;
    Ok(URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, &der)))
}

fn kid(jwk: &Map<String, Value>, material: &Material, rule: KidRule) -> Result<String> {
    if !jwk.contains_key("kid") {
        return Err(Error::failed(Code::JwkNoKid, "it has no `kid`")
            .hint("relying parties find the key by its `kid`; the API server always serves one"));
    }
    let kid = string(jwk, "kid")?;
    let computed = kubernetes_kid(material)?;
    match rule {
        KidRule::Computed if kid != computed => Err(Error::failed(
            Code::JwkWrongKid,
            format!("its `kid` is `{}`, but this key's is `{computed}`", shown(kid)),
        )
        .hint("the key or its `kid` was changed on the way; if an external signer names the keys (KEP-740), say --external-signer")),
        KidRule::External if kid.is_empty() || kid.len() > 1024 => Err(Error::failed(
            Code::JwkWrongKid,
            format!("its `kid` has {} bytes", kid.len()),
        )
        .hint("an external signer's `kid` has 1 to 1024 bytes (KEP-740)")),
        _ => Ok(kid.to_owned()),
    }
}

/// Refuses what a relying party would refuse, or what would let an attacker sign.
fn check(material: &Material) -> Result<()> {
    match material {
        Material::Rsa { n, e } => {
            let size = bits(n);
            if size < MIN_RSA_BITS {
                return Err(Error::failed(Code::JwkWeakRsa, format!("an RSA key of {size} bit"))
                    .hint(format!("sign with at least {MIN_RSA_BITS} bit: shorter keys can be broken")));
            }
            if size > MAX_RSA_BITS {
                return Err(Error::failed(Code::JwkHugeRsa, format!("an RSA key of {size} bit")).hint(
                    format!("relying parties verify with at most {MAX_RSA_BITS} bit; 2048 to 4096 is usual"),
                ));
            }
            // e = 1 makes every message its own signature; an even e or n has no private key at all.
            let even = |number: &[u8]| number.last().is_none_or(|byte| byte % 2 == 0);
            let exponent = exponent(e);
            if even(e) || even(n) || !exponent.is_some_and(|e| (3..=MAX_EXPONENT).contains(&e)) {
                let size = exponent.map_or_else(|| format!("of {} bit", bits(e)), |e| e.to_string());
                return Err(Error::failed(
                    Code::JwkBadRsa,
                    format!("an RSA key that no verifier takes: its exponent is {size}, its modulus {}", match even(n) {
                        true => "even",
                        false => "odd",
                    }),
                )
                .hint(format!(
                    "the exponent must be odd and from 3 to {MAX_EXPONENT} (usually 65537), the modulus odd; one such key makes \
                     relying parties drop the whole set: make a new key"
                )));
            }
            Ok(())
        }
        Material::Ec { curve, x, y } => {
            let algorithm: &'static dyn signature::VerificationAlgorithm = match curve {
                Curve::P256 => &signature::ECDSA_P256_SHA256_FIXED,
                Curve::P384 => &signature::ECDSA_P384_SHA384_FIXED,
                Curve::P521 => &signature::ECDSA_P521_SHA512_FIXED,
            };
            let point = [&[4][..], x, y].concat();
            ParsedPublicKey::new(algorithm, point).map(|_| ()).map_err(|_| {
                Error::failed(Code::JwkNotOnCurve, format!("a point that is not on {}", curve.name())).hint(
                    "the key was damaged on the way: one such key makes relying parties drop the whole set",
                )
            })
        }
    }
}

fn string<'a>(jwk: &'a Map<String, Value>, member: &str) -> Result<&'a str> {
    jwk.get(member)
        .and_then(Value::as_str)
        .ok_or_else(|| malformed(format!("its `{member}` is missing or not a string")))
}

/// Base64urlUInt of RFC 7518 §2: no padding, no leading zero.
fn number(jwk: &Map<String, Value>, member: &str) -> Result<Vec<u8>> {
    let bytes = decode(jwk, member)?;
    match bytes.first() {
        None => Err(malformed(format!("its `{member}` is empty"))),
        Some(0) => Err(malformed(format!("its `{member}` begins with a zero byte (RFC 7518 §2)"))),
        Some(_) => Ok(bytes),
    }
}

/// RFC 7518 §6.2.1.2: as long as the field, leading zeros kept.
fn coordinate(jwk: &Map<String, Value>, member: &str, curve: Curve) -> Result<Vec<u8>> {
    let bytes = decode(jwk, member)?;
    if bytes.len() != curve.bytes() {
        return Err(malformed(format!(
            "its `{member}` has {} bytes, {} has {}",
            bytes.len(),
            curve.name(),
            curve.bytes()
        )));
    }
    Ok(bytes)
}

fn decode(jwk: &Map<String, Value>, member: &str) -> Result<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(string(jwk, member)?).map_err(|error| {
        malformed(format!("its `{member}` is not base64url without padding")).caused_by(error)
    })
}

fn malformed(what: impl Into<String>) -> Error {
    Error::failed(Code::JwkMalformed, what)
        .hint("the key was damaged on the way; compare it with `kubectl get --raw /openid/v1/jwks`")
}

/// The number, if it has at most 8 bytes.
fn exponent(e: &[u8]) -> Option<u64> {
    (e.len() <= 8).then(|| e.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// The beginning of a text from outside, on one line.
pub(super) fn shown(text: &str) -> String {
    const LENGTH: usize = 100;
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", text[..end].escape_debug()),
        None => text.escape_debug().to_string(),
    }
}

fn bits(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}
