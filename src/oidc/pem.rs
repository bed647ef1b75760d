//! Public keys from files, as the API server's `--service-account-key-file` takes them.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaKeyPair, KeyPair,
};
use pkcs1::RsaPrivateKeyRef;
use x509_cert::{
    Certificate,
    der::{
        Decode, Reader, SliceReader,
        asn1::{ObjectIdentifier, OctetString},
    },
    spki::AlgorithmIdentifierOwned,
};

use super::{
    key::{Curve, Material, PublicKey},
    spki::{self, Spki},
};
use crate::error::{Code, Error, Result};

/// The public keys in a PEM file of any number of blocks: `PUBLIC KEY` (PKIX), `CERTIFICATE` (its key),
/// and the public half of `RSA PRIVATE KEY` (PKCS#1), `PRIVATE KEY` (PKCS#8) and `EC PRIVATE KEY` (SEC 1).
/// Private halves are not kept. As with the API server, a PKCS#1 `RSA PUBLIC KEY` is refused.
pub(crate) fn keys_from_pem(content: &[u8], what: &str) -> Result<Vec<PublicKey>> {
    let blocks = ::pem::parse_many(content).map_err(|error| {
        Error::failed(Code::PemMalformed, format!("{what} is not PEM")).caused_by_chain(&error).hint(KINDS)
    })?;
    let mut keys = Vec::new();
    for block in &blocks {
        let place =
            |error: Error| error.at(format_args!("the block `{}` of {what}", block.tag().escape_debug()));
        // OpenSSL writes the curve in front of the key; the key names it again.
        if block.tag() == "EC PARAMETERS" {
            continue;
        }
        let found = from_block(block.tag(), block.contents()).map_err(|Unreadable(error)| {
            place(Error::failed(Code::PemMalformed, "it cannot be read").caused_by(error).hint(KINDS))
        })?;
        let material = match found {
            Some(Spki::Key(material)) => material,
            Some(Spki::Unsupported(kind)) => {
                return Err(place(
                    Error::failed(Code::KeyUnsupported, kind)
                        .hint("API servers sign with RSA or EC on P-256, P-384 or P-521"),
                ));
            }
            None => {
                return Err(place(
                    Error::failed(Code::PemKind, "the API server takes no such block").hint(KINDS),
                ));
            }
        };
        keys.push(PublicKey::new(material).map_err(place)?);
    }
    if keys.is_empty() {
        return Err(Error::failed(Code::PemNoKey, format!("{what} holds no key")).hint(KINDS));
    }
    Ok(keys)
}

const KINDS: &str = "give what --service-account-key-file takes: PUBLIC KEY, CERTIFICATE, or a private key whose \
                     public half is used; `openssl pkey -in sa.key -pubout` makes the first";

/// Why a block could not be read. Never its content.
struct Unreadable(String);

impl<E: std::fmt::Display> From<E> for Unreadable {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

fn from_block(tag: &str, der: &[u8]) -> Result<Option<Spki>, Unreadable> {
    Ok(Some(match tag {
        "PUBLIC KEY" => spki::from_der(der)?,
        "CERTIFICATE" => {
            spki::from_parts(Certificate::from_der(der)?.tbs_certificate().subject_public_key_info())?
        }
        "RSA PRIVATE KEY" => Spki::Key(rsa_public_half(der)?),
        "EC PRIVATE KEY" => ec_public_half(der),
        "PRIVATE KEY" => {
            let (algorithm, key) = pkcs8(der)?;
            match algorithm {
                spki::RSA_ENCRYPTION => Spki::Key(rsa_public_half(&key)?),
                spki::EC_PUBLIC_KEY => ec_public_half(der),
                other => Spki::Unsupported(format!("the key algorithm {other}")),
            }
        }
        _ => return Ok(None),
    }))
}

/// RFC 5958 §2: the algorithm and the key inside. Attributes and the optional public key are not needed.
fn pkcs8(der: &[u8]) -> x509_cert::der::Result<(ObjectIdentifier, Vec<u8>)> {
    let mut reader = SliceReader::new(der)?;
    reader.sequence(|reader| {
        let _version = u8::decode(reader)?;
        let algorithm = AlgorithmIdentifierOwned::decode(reader)?;
        let key = OctetString::decode(reader)?;
        reader.read_slice(reader.remaining_len())?;
        Ok((algorithm.oid, key.as_bytes().to_vec()))
    })
}

/// RFC 8017 §A.1.2.
fn rsa_public_half(der: &[u8]) -> x509_cert::der::Result<Material> {
    let key = RsaPrivateKeyRef::from_der(der)?;
    Ok(Material::Rsa { n: key.modulus.as_bytes().to_vec(), e: key.public_exponent.as_bytes().to_vec() })
}

/// SEC 1 or PKCS#8; the point is computed, as the file need not hold it.
fn ec_public_half(der: &[u8]) -> Spki {
    [
        (Curve::P256, &ECDSA_P256_SHA256_FIXED_SIGNING),
        (Curve::P384, &ECDSA_P384_SHA384_FIXED_SIGNING),
        (Curve::P521, &ECDSA_P521_SHA512_FIXED_SIGNING),
    ]
    .into_iter()
    .find_map(|(curve, algorithm)| {
        let pair = EcdsaKeyPair::from_private_key_der(algorithm, der).ok()?;
        spki::ec_from_point(curve, pair.public_key().as_ref()).map(Spki::Key)
    })
    .unwrap_or_else(|| Spki::Unsupported("an elliptic-curve key on none of P-256, P-384, P-521".into()))
}

#[cfg(test)]
#[path = "pem_tests.rs"]
mod tests;
