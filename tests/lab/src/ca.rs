//! A certification authority that exists for one test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

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
        Self { inner: Arc::new(Inner { pem, issuer: Issuer::new(params, key) }) }
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

    fn issue(&self, names: &[&str], last_year: i32) -> Certificate {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names.clone()).expect("names of a certificate");
        params.distinguished_name.push(DnType::CommonName, names.first().cloned().unwrap_or_default());
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(last_year, 1, 1));
        let key = KeyPair::generate().expect("generate a serving key");
        let cert = params.signed_by(&key, &self.inner.issuer).expect("sign a serving certificate");
        Certificate {
            cert_pem: cert.pem(),
            key_pem: key.serialize_pem(),
            cert: cert.der().clone(),
            key: key.serialize_der(),
        }
    }
}

impl Default for Ca {
    fn default() -> Self {
        Self::new()
    }
}

impl Certificate {
    /// Write `NAME.crt` and `NAME.key` into `dir` and return their paths
    pub fn write(&self, dir: &Path, name: &str) -> (PathBuf, PathBuf) {
        let (crt, key) = (dir.join(format!("{name}.crt")), dir.join(format!("{name}.key")));
        fs::write(&crt, &self.cert_pem).expect("write a certificate");
        fs::write(&key, &self.key_pem).expect("write a serving key");
        (crt, key)
    }

    /// What the stand-ins serve with: h2 and http/1.1 by ALPN
    pub(crate) fn server_config(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(vec![self.cert.clone()], key)
            .expect("a certificate and its key");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }
}
