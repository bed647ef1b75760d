//! Providers' rules, by the fixtures of both kinds of issuer.

use super::*;
use crate::{
    error::{Code, Kind},
    federation::{TrustedIssuer, gcp, vault, workload},
    oidc::{KeySet, keys_from_pem},
};

fn keys(keys: &[lab::SigningKey]) -> KeySet {
    let pems = keys.iter().map(|key| keys_from_pem(key.public_pem().as_bytes(), "test").unwrap());
    KeySet::new(pems.flatten()).unwrap()
}

fn trust(issuer: TrustedIssuer, signing: &[lab::SigningKey], more: &[lab::SigningKey]) -> Trust {
    let all: Vec<_> = signing.iter().chain(more).cloned().collect();
    Trust {
        issuer,
        cluster_id: "5e7f".into(),
        keys: keys(&all),
        proof: None,
        signing: signing.iter().map(lab::SigningKey::kid).collect(),
        staged: Vec::new(),
        former: Vec::new(),
        workloads: vec![workload("es/eso", &[])],
    }
}

fn signed(text: &str) -> TrustedIssuer {
    TrustedIssuer::Signed(text.parse().unwrap())
}

fn published() -> TrustedIssuer {
    TrustedIssuer::Published("https://oidc.lab.test/prod".parse().unwrap())
}

fn p256() -> lab::SigningKey {
    lab::SigningKey::ec(lab::Curve::P256)
}

fn code(rules: &Rules, want: &Trust) -> Result<(), Code> {
    rules.check(want).map_err(|error| {
        assert_eq!(error.kind, Kind::Failed, "{error}");
        assert!(error.message.contains(rules.provider) && !error.hints.is_empty(), "{error}");
        error.code
    })
}

fn fixture() -> Vec<String> {
    let lines = include_str!("../../fixtures/issuers/signed.txt").lines();
    lines
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn vault_takes_any_issuer() {
    let key = [p256()];
    for text in fixture() {
        assert_eq!(code(&vault::RULES, &trust(signed(&text), &key, &[])), Ok(()), "{text}");
    }
}

#[test]
fn google_takes_https_urls_alone() {
    let key = [p256()];
    let taken = [
        "https://kubernetes.default.svc.cluster.local",
        "https://kubernetes.default.svc",
        "https://10.5.0.2:6443",
        "https://10.5.0.2:6443/",
        "https://[fd00::1]:6443",
        "https://OIDC.example.com/Prod",
        "https://oidc.example.com/",
    ];
    for text in taken {
        assert_eq!(code(&gcp::RULES, &trust(signed(text), &key, &[])), Ok(()), "{text}");
    }
    let refused = [
        "http://oidc.example.com",
        "HTTPS://oidc.example.com",
        "https:oidc.example.com",
        "https://",
        "https://user:hunter2@oidc.example.com",
        "https://oidc.example.com/x?y",
        "https://oidc.example.com/#",
        "https://oidc.example.com/a b",
        "https://oidc.example.com/\n",
        " https://oidc.example.com",
        "https://oidc.example.com/ä",
        "https://oidc.example.com/\\",
        "api",
        "kubernetes/serviceaccount",
        "urn:x",
    ];
    for text in refused {
        let want = trust(signed(text), &key, &[]);
        assert_eq!(code(&gcp::RULES, &want), Err(Code::GoogleIssuer), "{text}");
        assert!(!gcp::RULES.check(&want).unwrap_err().to_string().contains("hunter2"));
    }
    let long = format!("https://oidc.example.com/{}", "a".repeat(1999 - 25));
    assert_eq!(code(&gcp::RULES, &trust(signed(&long), &key, &[])), Ok(()));
    assert_eq!(code(&gcp::RULES, &trust(signed(&format!("{long}a")), &key, &[])), Err(Code::GoogleIssuer));
}

#[test]
fn google_refuses_keys_it_cannot_verify() {
    let odd = [lab::SigningKey::ec(lab::Curve::P384), lab::SigningKey::ec(lab::Curve::P521)];
    for odd in odd {
        let odd = [odd];
        let uploaded = trust(signed("https://a.example"), &[p256()], &odd);
        assert_eq!(code(&gcp::RULES, &uploaded), Err(Code::GoogleKeyType));
        let error = gcp::RULES.check(&uploaded).unwrap_err();
        assert!(error.causes.len() == 1 && error.causes[0].contains(&odd[0].kid()), "{error}");
        // Fetched, it is left aside as long as no token is signed with it.
        assert_eq!(code(&gcp::RULES, &trust(published(), &[p256()], &odd)), Ok(()));
        assert_eq!(code(&gcp::RULES, &trust(published(), &odd, &[p256()])), Err(Code::GoogleKeyType));
        assert_eq!(code(&vault::RULES, &trust(signed("a"), &odd, &[p256()])), Ok(()));
    }
}

#[test]
fn nine_uploaded_keys_are_refused() {
    let more: Vec<_> = (0..8).map(|_| p256()).collect();
    let signing = [p256()];
    let mut want = trust(signed("https://a.example"), &signing, &more);
    want.staged = vec![more[7].kid()];
    let error = gcp::RULES.check(&want).unwrap_err();
    assert_eq!(error.code, Code::GoogleTooManyKeys);
    assert_eq!(error.causes.len(), 9, "each is named: {error}");
    let hint =
        |part: &str| error.hints.iter().find(|hint| hint.contains(part)).unwrap_or_else(|| panic!("{error}"));
    let (drop, staged) = (hint("--service-account-key-file"), hint("cluster.publicKeys"));
    assert!(drop.contains(&more[0].kid()) && !drop.contains(&signing[0].kid()), "{drop}");
    assert!(staged.contains(&more[7].kid()) && !drop.contains(&more[7].kid()), "{staged}");
    want.keys = keys(&more);
    assert_eq!(code(&gcp::RULES, &want), Ok(()), "eight are taken");
    assert_eq!(
        code(&gcp::RULES, &trust(published(), &signing, &more)),
        Ok(()),
        "no limit when they are fetched"
    );
    assert_eq!(code(&vault::RULES, &trust(signed("a"), &signing, &more)), Ok(()));
}
