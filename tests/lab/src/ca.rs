//! A certification authority that exists for one test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SignatureAlgorithm, date_time_ymd,
};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use crate::client_cert::ClientCa;
use crate::keys::pem;

/// A lab CA: what a private or, together with [`crate::Internet`], a public authority is outside.
///
/// Faithful: a self-signed root with the extensions that strict verifiers ask for (basic
/// constraints, key usage, key identifiers; RFC 5280 §4.2), serving certificates signed by it.
/// Not faithful: no intermediate, no revocation, a validity of decades.
#[derive(Clone)]
pub struct Ca {
    inner: Arc<Inner>,
}

struct Inner {
    pem: String,
    /// The same that `issuer` signs with
    key: KeyPair,
    issuer: Issuer<'static, KeyPair>,
}

/// A serving certificate with its key, as PEM, for servers outside this process.
#[derive(Clone)]
pub struct Certificate {
    /// The certificate
    pub cert_pem: String,
    /// Its private key, PKCS#8
    pub key_pem: String,
    cert: CertificateDer<'static>,
    key: Vec<u8>,
    public_key_info: Vec<u8>,
    algorithm: &'static SignatureAlgorithm,
}

impl Ca {
    /// A fresh CA with a key of its own
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("generate the CA's key");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "keyless lab CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2120, 1, 1));
        let pem = params.self_signed(&key).expect("sign the CA's certificate").pem();
        let same = KeyPair::from_pem(&key.serialize_pem()).expect("the CA's key, once more");
        Self { inner: Arc::new(Inner { pem, key: same, issuer: Issuer::new(params, key) }) }
    }

    /// The CA's certificate
    pub fn pem(&self) -> &str {
        &self.inner.pem
    }

    /// Write `ca.pem` into `dir` and return its path
    pub fn write(&self, dir: &Path) -> PathBuf {
        let path = dir.join("ca.pem");
        fs::write(&path, self.pem()).expect("write ca.pem");
        path
    }

    /// A serving certificate for names (also `*.example.com`) and IP addresses
    pub fn certificate(&self, names: &[&str]) -> Certificate {
        self.issue(names, 2120)
    }

    /// Like [`Ca::certificate`], but it ran out in 2021
    pub fn expired_certificate(&self, names: &[&str]) -> Certificate {
        self.issue(names, 2021)
    }

    /// A serving certificate that no authority has signed, as small clusters have it; it may say that it is one itself
    pub fn self_signed(names: &[&str], says_it_is_an_authority: bool) -> Certificate {
        let mut params = Self::serving(names, 2120);
        if says_it_is_an_authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let key = KeyPair::generate().expect("generate a serving key");
        let cert = params.self_signed(&key).expect("sign a serving certificate");
        Certificate::new(cert.der().clone(), &key)
    }

    pub(crate) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.inner.issuer
    }

    pub(crate) fn key(&self) -> &KeyPair {
        &self.inner.key
    }

    fn issue(&self, names: &[&str], last_year: i32) -> Certificate {
        let params = Self::serving(names, last_year);
        let key = KeyPair::generate().expect("generate a serving key");
        let cert = params.signed_by(&key, &self.inner.issuer).expect("sign a serving certificate");
        Certificate::new(cert.der().clone(), &key)
    }

    fn serving(names: &[&str], last_year: i32) -> CertificateParams {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names.clone()).expect("names of a certificate");
        params.distinguished_name.push(DnType::CommonName, names.first().cloned().unwrap_or_default());
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(last_year, 1, 1));
        params
    }
}

impl Default for Ca {
    fn default() -> Self {
        Self::new()
    }
}

impl Certificate {
    pub(crate) fn new(cert: CertificateDer<'static>, key: &KeyPair) -> Self {
        Self {
            cert_pem: pem("CERTIFICATE", &cert),
            key_pem: key.serialize_pem(),
            cert,
            key: key.serialize_der(),
            public_key_info: key.subject_public_key_info(),
            algorithm: key.algorithm(),
        }
    }

    pub(crate) fn key_der(&self) -> &[u8] {
        &self.key
    }

    pub(crate) fn public_key_info(&self) -> &[u8] {
        &self.public_key_info
    }

    pub(crate) fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }

    /// Write `NAME.crt` and `NAME.key` into `dir` and return their paths
    pub fn write(&self, dir: &Path, name: &str) -> (PathBuf, PathBuf) {
        let (crt, key) = (dir.join(format!("{name}.crt")), dir.join(format!("{name}.key")));
        fs::write(&crt, &self.cert_pem).expect("write a certificate");
        fs::write(&key, &self.key_pem).expect("write a serving key");
        (crt, key)
    }

    /// What the stand-ins serve with: h2 and http/1.1 by ALPN
    pub(crate) fn server_config(&self) -> Arc<ServerConfig> {
        self.config(None, &[b"h2", b"http/1.1"])
    }

    /// The same, but clients may show a certificate
    pub(crate) fn server_config_with(&self, clients: ClientCa) -> Arc<ServerConfig> {
        self.config(Some(clients), &[b"h2", b"http/1.1"])
    }

    /// HTTP/1.1 alone
    pub(crate) fn proxy_config(&self) -> Arc<ServerConfig> {
        self.config(None, &[b"http/1.1"])
    }

    fn config(&self, clients: Option<ClientCa>, protocols: &[&[u8]]) -> Arc<ServerConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let builder = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocol versions");
        let builder = match clients {
            Some(clients) => builder.with_client_cert_verifier(Arc::new(clients)),
            None => builder.with_no_client_auth(),
        };
        let mut config =
            builder.with_single_cert(vec![self.cert.clone()], key).expect("a certificate and its key");
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    }
}
