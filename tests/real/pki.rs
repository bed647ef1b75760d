//! The world's certificate authorities and key files.

use std::fs;
use std::path::{Path, PathBuf};

use lab::Ca;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize,
};

use crate::check::Checked;

pub(crate) struct Pki {
    folder: PathBuf,
    /// The only authority for servers in this world, those of this process included.
    pub(crate) ca: Ca,
    pub(crate) ca_pem: String,
    /// Signs the certificate of the API servers' administrator, nothing else.
    clients: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as files.
#[derive(Clone)]
pub(crate) struct Certificate {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// A key pair that signs service-account tokens.
#[derive(Clone)]
pub(crate) struct SigningKey {
    pub(crate) private: PathBuf,
    pub(crate) public: PathBuf,
}

#[derive(Clone, Copy)]
pub(crate) enum Algorithm {
    Es256,
    Rs256,
}

impl Pki {
    pub(crate) fn new(folder: &Path) -> Checked<Self> {
        fs::create_dir_all(folder)?;
        let ca = Ca::new();
        ca.write(folder);
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "keyless test world, clients");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        fs::write(folder.join("client-ca.pem"), params.self_signed(&key)?.pem())?;
        let clients = Issuer::new(params, key);
        Ok(Self { folder: folder.to_owned(), ca_pem: ca.pem().to_owned(), ca, clients })
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    pub(crate) fn client_ca_file(&self) -> PathBuf {
        self.folder.join("client-ca.pem")
    }

    /// A serving certificate for these DNS names and addresses.
    pub(crate) fn serving(&self, name: &str, subjects: &[&str]) -> Certificate {
        let (certificate, key) = self.ca.certificate(subjects).write(&self.folder, name);
        Certificate { certificate, key }
    }

    /// A client certificate of the group that RBAC lets do everything.
    pub(crate) fn administrator(&self) -> Checked<Certificate> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "admin");
        params.distinguished_name.push(DnType::OrganizationName, "system:masters");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let files =
            Certificate { certificate: self.folder.join("admin.crt"), key: self.folder.join("admin.key") };
        fs::write(&files.certificate, params.signed_by(&key, &self.clients)?.pem())?;
        fs::write(&files.key, key.serialize_pem())?;
        Ok(files)
    }

    pub(crate) fn signing_key(&self, name: &str, algorithm: Algorithm) -> Checked<SigningKey> {
        let key = match algorithm {
            Algorithm::Es256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?,
            Algorithm::Rs256 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?,
        };
        let files = SigningKey {
            private: self.folder.join(format!("{name}-signing.key")),
            public: self.folder.join(format!("{name}-signing.pub")),
        };
        fs::write(&files.private, key.serialize_pem())?;
        fs::write(&files.public, key.public_key_pem())?;
        Ok(files)
    }
}
