use std::{fs, path::Path};

use super::*;
use crate::error::Code;

/// The section of this file, beside a bucket or without one.
fn read(text: &str, path: &Path, has_bucket: bool, ca_pem: Option<&str>) -> Result<VaultSection> {
    VaultSection::read(&Source {
        file: Some((text, path)),
        environment: &|_| None,
        has_bucket,
        ca_pem,
        is_of_user: &|_| true,
    })
}

#[test]
fn keys_are_given_without_a_bucket() {
    for (has_bucket, more, mode) in [
        (false, "", Mode::StaticKeys),
        (true, "", Mode::Discovery),
        (false, ", mode: jwks-url", Mode::JwksUrl),
        (true, ", mode: static-keys", Mode::StaticKeys),
    ] {
        let text = format!("vault: {{address: 'https://vault.example.com'{more}}}\n");
        let section = read(&text, Path::new("keyless.yaml"), has_bucket, None).unwrap();
        assert_eq!(section.named.unwrap().mode, mode, "{has_bucket} {more}");
    }
}

#[test]
fn authorities_of_server_and_issuer_differ() {
    let folder = tempfile::TempDir::new().unwrap();
    let (mut pems, mut names) = (Vec::new(), ["tls", "server", "issuer"].into_iter());
    for name in names.by_ref() {
        let pem = lab::Ca::new().pem().to_owned();
        fs::write(folder.path().join(format!("{name}.pem")), &pem).unwrap();
        pems.push(Some(pem));
    }
    let [tls, server, issuer] = pems.try_into().unwrap();
    let file = folder.path().join("keyless.yaml");
    for (top, more, wanted) in [
        (None, "", (None, None)),
        (tls.clone(), "", (tls.clone(), tls.clone())),
        (None, "caFile: server.pem", (server.clone(), None)),
        (None, "issuerCaFile: issuer.pem", (None, issuer.clone())),
        (tls.clone(), "caFile: server.pem", (server.clone(), tls.clone())),
        (tls, "caFile: server.pem, issuerCaFile: issuer.pem", (server, issuer)),
    ] {
        // Paths are the file's, whatever folder the program is started in.
        let text = format!("vault: {{address: 'https://vault.example.com', {more}}}\n");
        let named = read(&text, &file, false, top.as_deref()).unwrap().named.unwrap();
        assert_eq!((named.ca_pem, named.issuer_ca_pem), wanted, "{more}");
    }
    let text = "vault: {address: 'https://v', issuerCaFile: none.pem}\n";
    assert_eq!(read(text, &file, false, None).unwrap_err().code, Code::CaFile);
}
