use std::time::Duration;

use lab::{Ca, ClientKey};

use super::*;
use crate::error::Kind;

fn der(pem_text: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem_text.as_bytes()).unwrap()
}

/// Whether a server that shows this certificate is taken for `name` in the year 2030.
fn trusts(trust: &str, shown: &str, name: &str) -> Result<(), rustls::Error> {
    at(trust, shown, name, 1_900_000_000)
}

fn at(trust: &str, shown: &str, name: &str, now: u64) -> Result<(), rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Verifier::new(certificates(trust.as_bytes()).unwrap(), provider).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
    verifier.verify_server_cert(&der(shown), &[], &name, &[], now).map(drop)
}

#[test]
fn certificate_as_own_authority_is_trusted() {
    let ca = Ca::new();
    let names = ["10.0.0.1", "k8s.example.com"];
    // As `openssl req -x509` makes it, as a plain one, and the leaf of an authority that is not named.
    for shown in [Ca::self_signed(&names, true), Ca::self_signed(&names, false), ca.certificate(&names)] {
        let pem = &shown.cert_pem;
        for name in names {
            trusts(pem, pem, name).unwrap();
        }
        let wrong = trusts(pem, pem, "10.0.0.2").unwrap_err();
        assert!(
            matches!(
                wrong,
                rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. })
            ),
            "{wrong:?}"
        );
        // Before 2020 and after 2120.
        at(pem, pem, "10.0.0.1", 1_000_000_000).unwrap_err();
        at(pem, pem, "10.0.0.1", 5_000_000_000).unwrap_err();
        // It vouches for itself alone.
        let other = Ca::self_signed(&names, false);
        trusts(pem, &other.cert_pem, "10.0.0.1").unwrap_err();
    }
    // What is for clients proves no server.
    let client = ca.client("10.0.0.1", ClientKey::P256).cert_pem;
    trusts(&client, &client, "10.0.0.1").unwrap_err();
}

#[test]
fn bundle_search_ignores_junk() {
    let (ca, other) = (Ca::new(), Ca::new());
    let shown = ca.certificate(&["10.0.0.1"]);
    let key = &shown.key_pem;
    let junk = "-----BEGIN CERTIFICATE-----\nQ0FOQVJZ\n-----END CERTIFICATE-----\n";
    let bundle = format!("# ours\n{}{junk}{key}{}", other.pem(), ca.pem());
    trusts(&bundle, &shown.cert_pem, "10.0.0.1").unwrap();
    trusts(ca.pem().trim_end(), &shown.cert_pem, "10.0.0.1").unwrap();
    trusts(other.pem(), &shown.cert_pem, "10.0.0.1").unwrap_err();
    trusts(junk, &shown.cert_pem, "10.0.0.1").unwrap_err();
    let expired = ca.expired_certificate(&["10.0.0.1"]);
    trusts(ca.pem(), &expired.cert_pem, "10.0.0.1").unwrap_err();
    for nothing in ["", "CANARY", key] {
        let error = certificates(nothing.as_bytes()).unwrap_err();
        assert!(error.code == Code::Kubeconfig && !error.to_string().contains("CANARY"), "{error}");
    }
}

#[test]
fn client_certificates_of_every_kind_load() {
    let ca = Ca::new();
    let mut shown: Vec<_> = [ClientKey::P256, ClientKey::P384, ClientKey::Ed25519, ClientKey::Rsa]
        .map(|kind| ca.client("jane", kind))
        .into_iter()
        .collect();
    shown.push(ca.client_v1("jane"));
    for certificate in &shown {
        let both = format!("{}{}", certificate.cert_pem, certificate.key_pem);
        for (certificate, key) in [(&certificate.cert_pem, &certificate.key_pem), (&both, &both)] {
            client_identity(certificate.as_bytes(), key.as_bytes()).unwrap();
        }
    }
    for kind in [ClientKey::P256, ClientKey::P384, ClientKey::Rsa] {
        let certificate = ca.client("jane", kind);
        let key = certificate.traditional_key_pem();
        client_identity(certificate.cert_pem.as_bytes(), key.as_bytes()).unwrap();
        // A chain comes after the leaf.
        let chain = format!("{}{}", certificate.cert_pem, ca.pem());
        assert_eq!(client_identity(chain.as_bytes(), key.as_bytes()).unwrap().cert.len(), 2);
        let other = ca.client("jane", kind).key_pem;
        let error = client_identity(certificate.cert_pem.as_bytes(), other.as_bytes()).unwrap_err();
        assert_eq!((error.kind, error.code), (Kind::Usage, Code::Kubeconfig), "{error}");
        assert!(error.hints[0].contains("of one pair"), "{error}");
    }
}

#[test]
fn encrypted_key_is_named_as_such() {
    let certificate = Ca::new().client("jane", ClientKey::Rsa);
    let old = certificate.traditional_key_pem().replacen(
        "KEY-----\n",
        "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n",
        1,
    );
    let new = certificate.key_pem.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    for key in [old, new] {
        let error = client_identity(certificate.cert_pem.as_bytes(), key.as_bytes()).unwrap_err();
        assert_eq!((error.kind, error.code), (Kind::Usage, Code::Kubeconfig), "{error}");
        assert!(error.message.contains("encrypted"), "{error}");
    }
}
