//! TLS towards API servers, as client-go has it: which certificates are trusted, which certificate is shown.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        ResolvesClientCert, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    server::ParsedCertificate,
    sign::CertifiedKey,
};
use x509_cert::{
    Certificate,
    der::{Decode, oid::db::rfc5280},
    ext::pkix::ExtendedKeyUsage,
};

use crate::{
    error::{Code, Error, Result},
    http,
};

/// Whom to trust.
#[derive(Clone)]
pub(super) enum Trust {
    /// The certificates of the kubeconfig, PEM, and no others.
    These(Vec<u8>),
    /// Those of this system; in an image without any, the public ones.
    System,
    /// Everybody (`insecure-skip-tls-verify`).
    Everybody,
}

impl Trust {
    /// Without a client certificate until `identity` has one.
    pub(super) fn client_config(&self, identity: Arc<ClientIdentity>) -> Result<ClientConfig> {
        let provider = http::crypto();
        let verifier: Arc<dyn ServerCertVerifier> = match self {
            Self::Everybody => Arc::new(Unverified(provider.clone())),
            Self::These(pem) => Arc::new(Verifier::new(certificates(pem)?, provider.clone())?),
            Self::System => Arc::new(Verifier::new(system(), provider.clone())?),
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::failed(Code::TlsClient, "TLS cannot be set up").caused_by_chain(&error))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(identity);
        Ok(config)
    }
}

/// Every certificate in the text. What else is in it, or cannot be read, is passed over, as in Go.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let blocks = pem::parse_many(pem).unwrap_or_default();
    let of_certificate = |block: &&pem::Pem| block.tag() == "CERTIFICATE";
    let found: Vec<CertificateDer<'static>> =
        blocks.iter().filter(of_certificate).map(|block| block.contents().to_vec().into()).collect();
    if found.is_empty() {
        return Err(Error::usage(
            Code::Kubeconfig,
            "the certificate authority of the cluster holds no certificate",
        )
        .hint("certificate-authority names a PEM file, certificate-authority-data is base64 of one"));
    }
    Ok(found)
}

fn system() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}

/// Verifies as the web does, and takes a certificate that is itself among the trusted ones, as Go does: clusters with a
/// self-signed serving certificate name that one as their authority.
#[derive(Debug)]
struct Verifier {
    /// `None`: none of the trusted certificates can be an authority.
    authorities: Option<Arc<WebPkiServerVerifier>>,
    trusted: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn new(trusted: Vec<CertificateDer<'static>>, provider: Arc<CryptoProvider>) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().cloned());
        if trusted.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        let authorities = match roots.is_empty() {
            true => None,
            false => {
                let builder = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone());
                let failed =
                    |error| Error::failed(Code::TlsClient, "TLS cannot be set up").caused_by_chain(&error);
                Some(builder.build().map_err(failed)?)
            }
        };
        Ok(Self { authorities, trusted, provider })
    }

    /// The certificate is trusted by itself: whether it is for this name, this time and this use.
    fn verify_itself(
        certificate: &CertificateDer<'_>,
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        let malformed = |_| rustls::Error::from(CertificateError::BadEncoding);
        verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
        let parsed = Certificate::from_der(certificate).map_err(malformed)?;
        let parsed = parsed.tbs_certificate();
        let now = now.as_secs();
        if now < parsed.validity().not_before.to_unix_duration().as_secs() {
            return Err(CertificateError::NotValidYet.into());
        }
        if now > parsed.validity().not_after.to_unix_duration().as_secs() {
            return Err(CertificateError::Expired.into());
        }
        let usages = parsed.get_extension::<ExtendedKeyUsage>().map_err(malformed)?;
        let fits = |(_, usages): &(bool, ExtendedKeyUsage)| {
            let wanted = [rfc5280::ID_KP_SERVER_AUTH, rfc5280::ANY_EXTENDED_KEY_USAGE];
            usages.0.iter().any(|usage| wanted.contains(usage))
        };
        match usages.as_ref().is_none_or(fits) {
            true => Ok(()),
            false => Err(CertificateError::InvalidPurpose.into()),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.trusted.iter().any(|trusted| trusted.as_ref() == end_entity.as_ref()) {
            return Self::verify_itself(end_entity, name, now).map(|()| ServerCertVerified::assertion());
        }
        match &self.authorities {
            Some(authorities) => authorities.verify_server_cert(end_entity, intermediates, name, ocsp, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Takes everybody: what the kubeconfig asks for by `insecure-skip-tls-verify`.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The client certificate, if there is one. A credential plugin may bring another one later.
#[derive(Default)]
pub(super) struct ClientIdentity(RwLock<Option<Arc<CertifiedKey>>>);

impl ClientIdentity {
    /// Chain and private key, PEM. `place` names them in an error.
    pub(super) fn set(&self, certificate: &[u8], key: &[u8], place: &str) -> Result<()> {
        let identity = client_identity(certificate, key).map_err(|error| error.at(place))?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(identity));
        Ok(())
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientIdentity(…)")
    }
}

impl ResolvesClientCert for ClientIdentity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Go takes X.509 of every version here, e.g. version 1 of MicroK8s: what a client shows is for the server to judge.
fn client_identity(certificate: &[u8], key: &[u8]) -> Result<CertifiedKey> {
    let refuse = |why: &str| Error::usage(Code::Kubeconfig, why);
    let blocks = pem::parse_many(certificate).map_err(|_| {
        refuse("the client certificate is not PEM").hint("client-certificate-data is base64 of a PEM file")
    })?;
    let of_certificate = |block: &&pem::Pem| block.tag() == "CERTIFICATE";
    let chain: Vec<CertificateDer<'static>> =
        blocks.iter().filter(of_certificate).map(|block| block.contents().to_vec().into()).collect();
    let leaf = chain.first().ok_or_else(|| {
        refuse("the client certificate holds no certificate").hint("it takes PEM with a block CERTIFICATE")
    })?;
    let leaf = Certificate::from_der(leaf).map_err(|_| {
        refuse("the client certificate cannot be read")
            .hint("`openssl x509 -noout -text` shows what is wrong")
    })?;
    let key =
        aws_lc_rs::default_provider().key_provider.load_private_key(private_key(key)?).map_err(|_| {
            refuse("the client key is of a kind that cannot be used")
                .hint("RSA of 2048 to 8192 bit, EC P-256, P-384, P-521 and Ed25519 can be used")
        })?;
    let of_leaf = leaf.tbs_certificate().subject_public_key_info();
    let same = key.public_key().is_none_or(|public| {
        x509_cert::spki::SubjectPublicKeyInfoOwned::from_der(&public)
            .is_ok_and(|public| public.subject_public_key == of_leaf.subject_public_key)
    });
    if !same {
        return Err(refuse("the client key does not belong to the client certificate")
            .hint("client-certificate and client-key must be of one pair"));
    }
    Ok(CertifiedKey::new(chain, key))
}

/// The first private key in the text: PKCS#8, PKCS#1 or SEC 1.
fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>> {
    let refuse = |why: &str| Error::usage(Code::Kubeconfig, why);
    let blocks = pem::parse_many(pem).unwrap_or_default();
    let encrypted = |block: &pem::Pem| {
        block.tag() == "ENCRYPTED PRIVATE KEY"
            || block.headers().get("Proc-Type").is_some_and(|it| it.contains("ENCRYPTED"))
    };
    if blocks.iter().any(encrypted) {
        return Err(refuse("the client key is encrypted by a passphrase, which kubectl cannot use either")
            .hint("decrypt it: openssl pkey -in KEY -out NEW"));
    }
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
        refuse("the client key holds no private key")
            .hint("it takes PEM with a block PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY")
    })
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
