//! The world's certificate authority and key files.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize, SanType,
};

use crate::check::Checked;

pub(crate) struct Pki {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    /// The only certificate that anything in this world trusts.
    pub(crate) ca_pem: String,
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
        let mut ca = CertificateParams::default();
        ca.distinguished_name.push(DnType::CommonName, "keyless test world");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let ca_pem = ca.self_signed(&key)?.pem();
        fs::write(folder.join("ca.pem"), &ca_pem)?;
        Ok(Self { folder: folder.to_owned(), issuer: Issuer::new(ca, key), ca_pem })
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A serving certificate for these DNS names and addresses.
    pub(crate) fn serving(&self, name: &str, subjects: &[&str]) -> Checked<Certificate> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        for subject in subjects {
            params.subject_alt_names.push(match subject.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName((*subject).try_into()?),
            });
        }
        self.sign(name, params)
    }

    /// A client certificate of the group that RBAC lets do everything.
    pub(crate) fn administrator(&self) -> Checked<Certificate> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "admin");
        params.distinguished_name.push(DnType::OrganizationName, "system:masters");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign("admin", params)
    }

    pub(crate) fn signing_key(&self, name: &str, algorithm: Algorithm) -> Checked<SigningKey> {
        let key = match algorithm {
            Algorithm::Es256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?,
            Algorithm::Rs256 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?,
        };
        let files = SigningKey {
            private: self.folder.join(format!("{name}.key")),
            public: self.folder.join(format!("{name}.pub")),
        };
        fs::write(&files.private, key.serialize_pem())?;
        fs::write(&files.public, key.public_key_pem())?;
        Ok(files)
    }

    fn sign(&self, name: &str, params: CertificateParams) -> Checked<Certificate> {
        let key = KeyPair::generate()?;
        let files = Certificate {
            certificate: self.folder.join(format!("{name}.pem")),
            key: self.folder.join(format!("{name}.key")),
        };
        fs::write(&files.certificate, params.signed_by(&key, &self.issuer)?.pem())?;
        fs::write(&files.key, key.serialize_pem())?;
        Ok(files)
    }
}
