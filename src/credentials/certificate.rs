//! PURE. X.509 certificates: of which key each is, and the thumbprint by which Windows and Azure name it. Both are public.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use x509_cert::{
    Certificate,
    der::{Decode, Encode},
};

use crate::hex::hex;

/// SHA-1 of the certificate in DER. It names a certificate, and protects nothing.
pub(crate) type Thumbprint = [u8; 20];

/// What is public of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyCertificate {
    /// Of its key, as a private one is named: `key:sha256:…`.
    pub(crate) public_half: String,
    pub(crate) thumbprint: Thumbprint,
}

impl KeyCertificate {
    pub(crate) fn of_der(der: &[u8]) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        let key = certificate.tbs_certificate().subject_public_key_info().to_der().ok()?;
        let digest_of_key = digest(&SHA256, &key);
        let thumbprint = digest(&SHA1_FOR_LEGACY_USE_ONLY, der).as_ref().try_into().ok()?;
        Some(Self { public_half: format!("key:sha256:{}", hex(digest_of_key.as_ref())), thumbprint })
    }

    /// Every one in a text (PEM, RFC 7468). What cannot be read is none.
    pub(crate) fn all_in(text: &[u8]) -> Vec<Self> {
        const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
        if !text.windows(BEGIN.len()).any(|window| window == BEGIN) {
            return Vec::new();
        }
        let blocks = pem::parse_many(text).unwrap_or_default();
        let certificates = blocks.iter().filter(|block| block.tag() == "CERTIFICATE");
        certificates.filter_map(|block| Self::of_der(block.contents())).collect()
    }
}
