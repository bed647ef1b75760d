//! SubjectPublicKeyInfo (RFC 5280 §4.1.2.7): the form in which Kubernetes hashes a key, and reads key files.

use pkcs1::{RsaPublicKey, RsaPublicKeyRef, UintRef};
use x509_cert::{
    der::{
        Decode, Encode,
        asn1::{Any, AnyRef, BitString, ObjectIdentifier},
    },
    spki::{AlgorithmIdentifier, SubjectPublicKeyInfoOwned},
};

use super::key::{Curve, Material};

pub(super) const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1"); // RFC 3279 §2.3.1
pub(super) const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1"); // RFC 5480 §2.1.1

/// What a SubjectPublicKeyInfo holds.
pub(super) enum Spki {
    /// A key that can be published.
    Key(Material),
    /// An algorithm or curve that cannot; its object identifier.
    Unsupported(String),
}

/// The DER form of a key: `SEQUENCE { AlgorithmIdentifier, BIT STRING }`.
pub(super) fn to_der(material: &Material) -> x509_cert::der::Result<Vec<u8>> {
    let (oid, parameters, key) = match material {
        Material::Rsa { n, e } => {
            let key = RsaPublicKey { modulus: UintRef::new(n)?, public_exponent: UintRef::new(e)? };
            (RSA_ENCRYPTION, Any::null(), key.to_der()?)
        }
        Material::Ec { curve, x, y } => {
            let mut point = vec![4]; // uncompressed, SEC 1 §2.3.3
            point.extend_from_slice(x);
            point.extend_from_slice(y);
            (EC_PUBLIC_KEY, Any::encode_from(&curve_oid(*curve))?, point)
        }
    };
    SubjectPublicKeyInfoOwned {
        algorithm: AlgorithmIdentifier { oid, parameters: Some(parameters) },
        subject_public_key: BitString::from_bytes(&key)?,
    }
    .to_der()
}

/// Reads the DER form of a key. Whether the key is strong and on its curve is for the caller to check.
pub(super) fn from_der(der: &[u8]) -> x509_cert::der::Result<Spki> {
    let info = SubjectPublicKeyInfoOwned::from_der(der)?;
    from_parts(&info)
}

pub(super) fn from_parts(info: &SubjectPublicKeyInfoOwned) -> x509_cert::der::Result<Spki> {
    let key = info.subject_public_key.raw_bytes();
    match info.algorithm.oid {
        RSA_ENCRYPTION => rsa_from_pkcs1(key).map(Spki::Key),
        EC_PUBLIC_KEY => {
            let parameters = info.algorithm.parameters.as_ref().map(AnyRef::from);
            let Some(curve) = parameters.and_then(|any| any.decode_as::<ObjectIdentifier>().ok()) else {
                return Ok(Spki::Unsupported("an elliptic curve given by explicit parameters".into()));
            };
            Ok(match [Curve::P256, Curve::P384, Curve::P521].into_iter().find(|c| curve_oid(*c) == curve) {
                Some(curve) => ec_from_point(curve, key).map_or_else(
                    || Spki::Unsupported("an elliptic-curve point that is not in uncompressed form".into()),
                    Spki::Key,
                ),
                None => Spki::Unsupported(format!("the elliptic curve {curve}")),
            })
        }
        other => Ok(Spki::Unsupported(format!("the key algorithm {other}"))),
    }
}

/// RSAPublicKey of RFC 8017 §A.1.1.
pub(super) fn rsa_from_pkcs1(der: &[u8]) -> x509_cert::der::Result<Material> {
    let key = RsaPublicKeyRef::from_der(der)?;
    Ok(Material::Rsa { n: key.modulus.as_bytes().to_vec(), e: key.public_exponent.as_bytes().to_vec() })
}

/// The uncompressed point of SEC 1 §2.3.3: `04 ‖ x ‖ y`.
pub(super) fn ec_from_point(curve: Curve, point: &[u8]) -> Option<Material> {
    let coordinates = point.strip_prefix(&[4])?;
    if coordinates.len() != 2 * curve.bytes() {
        return None;
    }
    let (x, y) = coordinates.split_at(curve.bytes());
    Some(Material::Ec { curve, x: x.to_vec(), y: y.to_vec() })
}

/// RFC 5480 §2.1.1.1.
fn curve_oid(curve: Curve) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(match curve {
        Curve::P256 => "1.2.840.10045.3.1.7",
        Curve::P384 => "1.3.132.0.34",
        Curve::P521 => "1.3.132.0.35",
    })
}
