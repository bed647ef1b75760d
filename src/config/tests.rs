use std::fs;

use clap::Parser;

use std::path::Path;

use super::*;
use crate::cli::Cli;

fn resolve(arguments: &[&str]) -> Result<Settings> {
    let cli = Cli::try_parse_from(["keyless", "publish"].iter().chain(arguments)).expect("arguments");
    Settings::resolve(&cli.common, None, |_| None)
}

/// `fixtures/config/invalid/CODE--why.yaml`.
#[test]
fn invalid_files_get_stable_usage_codes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/config");
    let mut seen = 0;
    for entry in fs::read_dir(folder.join("invalid")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let error = resolve(&["--config", path.to_str().unwrap()]).expect_err(name);
        assert_eq!(error.code.name(), name.split_once("--").unwrap().0, "{name}: {error}");
        assert_eq!(error.kind, crate::error::Kind::Usage, "{name}");
        assert!(!error.hints.is_empty(), "{name}");
        seen += 1;
    }
    assert!(seen > fs::read_dir(folder.join("valid")).unwrap().count());
}

#[test]
fn deploy_settings_name_the_probe() {
    let settings =
        resolve(&["--config", concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/base/keyless.yaml")]).unwrap();
    let account = settings.cluster.unwrap().service_account.unwrap();
    assert_eq!(account.to_string(), "keyless-system/keyless-probe");
    assert_eq!(settings.audience, TEST_AUDIENCE);
}

#[test]
fn published_issuer_is_strict() {
    let issuer = ["--issuer", "https://10.5.0.2:6443"];
    assert_eq!(resolve(&issuer).unwrap().issuer.unwrap().as_str(), issuer[1]);
    let published = [&issuer[..], &["--bucket", "s3://acme-oidc"]].concat();
    assert_eq!(resolve(&published).unwrap_err().code, Code::IssuerPort);
    for text in ["vault: {address: 'https://v.example', mode: static-keys}", "google: {mode: uploaded}"] {
        let dir = tempfile::TempDir::new().unwrap();
        let file = dir.path().join("keyless.yaml");
        fs::write(&file, format!("apiVersion: keyless/v1\n{text}\n")).unwrap();
        let given = [&published[..], &["--config", file.to_str().unwrap()]].concat();
        assert!(resolve(&given).is_ok(), "{text}: the provider is given the keys");
    }
}

#[test]
fn mistyped_setting_suggests_nearest_known_name() {
    let content = "apiVersion: keyless/v1\nbucket:\n  regoin: x\n";
    let error = Document::parse(content, Path::new("keyless.yaml")).unwrap_err();
    assert!(error.hints[0].contains("`region`"), "{error}");
}

#[test]
fn flags_win_and_paths_follow_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/config/valid");
    let full = folder.join("full.yaml");
    let full = full.to_str().unwrap();
    let settings = resolve(&["--config", full]).unwrap();
    assert_eq!(settings.issuer.as_ref().unwrap().as_str(), "https://oidc.example.com/prod");
    assert_eq!(settings.public_keys, [folder.join("sa.pub")]);
    let bucket = settings.bucket.unwrap();
    assert_eq!((bucket.kind.scheme, bucket.place.name.as_str()), ("s3", "acme-oidc"));
    assert_eq!((bucket.region.as_deref(), bucket.addressing), (Some("fsn1"), Some(bucket::Addressing::Path)));
    let settings = resolve(&[
        "--config",
        full,
        "--issuer",
        "https://other.example.com",
        "--region",
        "nbg1",
        "--no-cluster",
    ])
    .unwrap();
    assert_eq!(settings.issuer.unwrap().as_str(), "https://other.example.com");
    assert_eq!(settings.bucket.unwrap().region.as_deref(), Some("nbg1"));
    assert!(settings.cluster.is_none());
}

#[test]
fn every_valid_file_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/config/valid");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            resolve(&["--config", path.to_str().unwrap()])
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    }
}

#[test]
fn base_urls_need_https_without_password() {
    for wrong in ["http://s3.example.com", "s3.example.com", "https://user:pass@s3.example.com", "ftp://x.y"]
    {
        let error = resolve(&["--bucket", "s3://b", "--endpoint", wrong]).unwrap_err();
        assert_eq!(error.code, Code::BaseUrl, "{wrong}");
    }
    for right in ["https://s3.example.com/", "http://127.0.0.1:8333", "http://localhost:9000"] {
        assert!(resolve(&["--bucket", "s3://b", "--endpoint", right]).is_ok(), "{right}");
    }
}
