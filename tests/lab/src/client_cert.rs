//! Client certificates: what users show, and how an API server judges them.

use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData, RsaKeySize, SigningKey,
    date_time_ymd,
};
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{
    aws_lc_rs as provider, verify_tls12_signature, verify_tls13_signature_with_raw_key,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
};

use crate::ca::{Ca, Certificate};
use crate::der::{Names, ec_private_key, names, private_key, public_key, write};
use crate::keys::pem;

/// ecdsa-with-SHA256 (RFC 5758 §3.2)
const ECDSA_SHA256: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
/// commonName (X.520)
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
const P256: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: [u8; 5] = [0x2b, 0x81, 0x04, 0x00, 0x22];

/// Kinds of client keys
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKey {
    /// EC P-256
    P256,
    /// EC P-384
    P384,
    /// Ed25519
    Ed25519,
    /// RSA of 2048 bit
    Rsa,
}

impl ClientKey {
    fn generate(self) -> KeyPair {
        let generated = match self {
            Self::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            Self::P384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
            Self::Ed25519 => KeyPair::generate_for(&PKCS_ED25519),
            Self::Rsa => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
        };
        generated.expect("generate a client key")
    }
}

impl Ca {
    /// A certificate by which the user `name` is known to API servers
    pub fn client(&self, name: &str, kind: ClientKey) -> Certificate {
        let key = kind.generate();
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2120, 1, 1));
        let cert = params.signed_by(&key, self.issuer()).expect("sign a client certificate");
        Certificate::new(cert.der().clone(), &key)
    }

    /// The same as X.509 version 1 (RFC 5280 §4.1), which has no extensions
    pub fn client_v1(&self, name: &str) -> Certificate {
        let key = ClientKey::P256.generate();
        let algorithm = write(0x30, &write(0x06, &ECDSA_SHA256));
        let named = |name: &str| {
            let pair = [write(0x06, &COMMON_NAME), write(0x0c, name.as_bytes())].concat();
            write(0x30, &write(0x31, &write(0x30, &pair)))
        };
        let validity = [write(0x17, b"200101000000Z"), write(0x18, b"21200101000000Z")].concat();
        let certificate = [
            write(0x02, &[7]),
            algorithm.clone(),
            named("keyless lab CA"),
            write(0x30, &validity),
            named(name),
            key.subject_public_key_info(),
        ];
        let certificate = write(0x30, &certificate.concat());
        let signature = self.key().sign(&certificate).expect("sign a client certificate");
        let signed = [certificate, algorithm, write(0x03, &[&[0], &*signature].concat())].concat();
        Certificate::new(write(0x30, &signed).into(), &key)
    }
}

impl Certificate {
    /// The private key in its older form: PKCS#1 for RSA, SEC 1 with its parameters for EC
    pub fn traditional_key_pem(&self) -> String {
        let inner = private_key(self.key_der());
        let curve: Option<&[u8]> = match self.algorithm() {
            it if it == &PKCS_ECDSA_P256_SHA256 => Some(&P256),
            it if it == &PKCS_ECDSA_P384_SHA384 => Some(&P384),
            _ => None,
        };
        match curve {
            Some(curve) => {
                let parameters = pem("EC PARAMETERS", &write(0x06, curve));
                let key = ec_private_key(inner, curve, public_key(self.public_key_info()));
                format!("{parameters}{}", pem("EC PRIVATE KEY", &key))
            }
            None => pem("RSA PRIVATE KEY", inner),
        }
    }
}

/// `--client-ca-file` with this CA alone; a client may show nothing.
///
/// Faithful: the CA's signature over the certificate and the client's over the handshake are verified, versions 1 and 3
/// are taken, the user is the common name. Not faithful: no validity, no key usage, no groups, no chain.
pub(crate) struct ClientCa {
    /// Uncompressed point
    key: Vec<u8>,
}

impl ClientCa {
    pub(crate) fn new(ca: &Ca) -> Self {
        Self { key: ca.key().public_key_raw().to_vec() }
    }
}

/// The user of a certificate
pub(crate) fn common_name(certificate: &[u8]) -> Option<String> {
    names(certificate).subject_attribute(&COMMON_NAME)
}

impl fmt::Debug for ClientCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCa")
    }
}

impl ClientCertVerifier for ClientCa {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let Names { signed, signature, .. } = names(certificate);
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.key);
        match key.verify(signed, signature) {
            Ok(()) => Ok(ClientCertVerified::assertion()),
            Err(_) => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = provider::default_provider().signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = provider::default_provider().signature_verification_algorithms;
        let key = SubjectPublicKeyInfoDer::from(names(certificate).public_key_info);
        verify_tls13_signature_with_raw_key(message, &key, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
