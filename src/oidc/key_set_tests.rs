use std::{fs, path::Path};

use josekit::jwk::{Jwk, JwkSet};

use super::*;
use crate::oidc::{Document, Issuer, content_type_is_json};

fn cases(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(folder);
    let mut cases: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())
        })
        .collect();
    cases.sort();
    cases
}

/// josekit, on OpenSSL, must read every key as it is published, and find each by its `kid`.
fn accepted_by_josekit(set: &KeySet) {
    let published = JwkSet::from_bytes(set.to_json()).expect("josekit reads the set");
    assert_eq!(published.keys().len(), set.len());
    for key in set.iter() {
        let [jwk] = published.get(key.kid())[..] else { panic!("{} is there once", key.kid()) };
        assert_eq!(jwk.algorithm(), Some(key.algorithm().name()));
        assert_eq!(jwk.key_use(), Some("sig"));
        verifier(jwk);
    }
}

fn verifier(jwk: &Jwk) -> Box<dyn josekit::jws::JwsVerifier> {
    use josekit::jws::{ES256, ES384, ES512, RS256};
    match jwk.algorithm() {
        Some("RS256") => Box::new(RS256.verifier_from_jwk(jwk).expect("RS256 key")),
        Some("ES256") => Box::new(ES256.verifier_from_jwk(jwk).expect("ES256 key")),
        Some("ES384") => Box::new(ES384.verifier_from_jwk(jwk).expect("ES384 key")),
        Some("ES512") => Box::new(ES512.verifier_from_jwk(jwk).expect("ES512 key")),
        other => panic!("algorithm {other:?}"),
    }
}

#[test]
fn published_valid_sets_suit_second_implementation() {
    for (rule, folder) in [(KidRule::Computed, "jwks/valid"), (KidRule::External, "jwks/external/valid")] {
        for (name, body) in cases(folder) {
            let (set, _) =
                KeySet::parse(&body, &name, rule).unwrap_or_else(|error| panic!("{name}: {error}"));
            accepted_by_josekit(&set);
            let published = set.to_json();
            let (again, unreadable) = KeySet::parse(published.as_bytes(), &name, rule).unwrap();
            assert_eq!(
                (again.to_json(), unreadable.len()),
                (published, 0),
                "{name}: published bytes are stable"
            );
        }
    }
}

#[test]
fn invalid_sets_get_code_and_remedy() {
    let mut seen = 0;
    for (rule, folder) in [(KidRule::Computed, "jwks/invalid"), (KidRule::External, "jwks/external/invalid")]
    {
        for (name, body) in cases(folder) {
            let (code, _) = name.split_once("--").expect("the file's name begins with its code");
            let error = KeySet::parse(&body, "the key set", rule).expect_err(&name);
            assert_eq!(error.code.name(), code, "{name}: {error}");
            assert!(error.message.contains("the key set"), "{name}: where? {error}");
            assert!(!error.hints.is_empty(), "{name}: no remedy");
            seen += 1;
        }
    }
    assert!(seen > 2 * cases("jwks/valid").len(), "more invalid than valid cases");
}

#[test]
fn only_public_key_members_are_published() {
    for (name, body) in cases("jwks/valid") {
        let (set, _) = KeySet::parse(&body, &name, KidRule::Computed).unwrap();
        let json: Value = serde_json::from_str(&set.to_json()).unwrap();
        for key in json["keys"].as_array().unwrap() {
            let mut members: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
            members.sort_unstable();
            let wanted: &[&str] = match key["kty"].as_str() {
                Some("RSA") => &["alg", "e", "kid", "kty", "n", "use"],
                Some("EC") => &["alg", "crv", "kid", "kty", "use", "x", "y"],
                other => panic!("{name}: {other:?}"),
            };
            assert_eq!(members, wanted, "{name}");
        }
    }
}

#[test]
fn unsupported_keys_are_omitted_and_named() {
    let (_, body) = cases("jwks/valid").into_iter().find(|(name, _)| name == "with-okp-and-akp").unwrap();
    let (set, unreadable) = KeySet::parse(&body, "x", KidRule::Computed).unwrap();
    assert_eq!(set.len(), 1);
    let kinds: Vec<_> = unreadable.iter().map(|key| key.kty.as_str()).collect();
    assert_eq!(kinds, ["OKP", "AKP"]);
}

#[test]
fn overlong_names_are_cut_in_refusals() {
    let (_, body) = cases("jwks/valid").into_iter().find(|(name, _)| name == "rsa-2048").unwrap();
    let good: Value = serde_json::from_slice(&body).unwrap();
    for (member, code) in [
        ("kid", Code::JwkWrongKid),
        ("kty", Code::JwkUnknownType),
        ("alg", Code::JwkAlgorithm),
        ("d", Code::JwkPrivateMember),
    ] {
        for text in ["k".repeat(500_000), "\u{1b}[31m\n".repeat(50_000)] {
            let mut set = good.clone();
            set["keys"][0][member] = text.into();
            let error =
                KeySet::parse(set.to_string().as_bytes(), "the key set", KidRule::Computed).unwrap_err();
            assert_eq!(error.code, code);
            let text = error.to_string();
            assert!(
                text.len() < 2000 && !text.contains('\u{1b}'),
                "{member}: {} bytes: {text:.200}",
                text.len()
            );
        }
        let mut set = good.clone();
        set["keys"][0]["kty"] = "OKP".into();
        set["keys"].as_array_mut().unwrap().push(good["keys"][0].clone());
        set["keys"][0]["kid"] = "k".repeat(500_000).into();
        let (_, unreadable) = KeySet::parse(set.to_string().as_bytes(), "it", KidRule::Computed).unwrap();
        assert!(unreadable[0].kid.chars().count() <= 101);
    }
}

/// What is published must be within what three implementations take: these limits are theirs.
#[test]
fn exponent_limits_suit_three_implementations() {
    let (_, body) = cases("jwks/valid").into_iter().find(|(name, _)| name == "rsa-2048").unwrap();
    let good: Value = serde_json::from_slice(&body).unwrap();
    for (e, published) in
        [("Aw", true), ("AQAB", true), ("f____w", true), ("gAAAAQ", false), ("Ag", false), ("AQ", false)]
    {
        let mut set = good.clone();
        set["keys"][0]["e"] = e.into();
        let parsed = KeySet::parse(set.to_string().as_bytes(), "it", KidRule::External);
        assert_eq!(parsed.is_ok(), published, "{e}");
        let Ok((parsed, _)) = parsed else { continue };
        accepted_by_josekit(&parsed);
        let key = parsed.iter().next().unwrap();
        key.decoding_key().unwrap_or_else(|error| panic!("jsonwebtoken: {error}"));
        let pem = ::pem::parse(key.to_pem().unwrap()).unwrap();
        aws_lc_rs::signature::ParsedPublicKey::new(
            &aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256,
            pem.contents(),
        )
        .unwrap_or_else(|error| panic!("aws-lc: {e} {error}"));
    }
}

#[test]
fn unread_kinds_of_keys_are_named() {
    let (_, body) = cases("jwks/valid").into_iter().find(|(name, _)| name == "ec-256-384-521").unwrap();
    let (set, _) = KeySet::parse(&body, "x", KidRule::Computed).unwrap();
    for key in set.iter() {
        let unread = key.unread_by().unwrap_or_default();
        assert_eq!(unread.contains("without ES512"), key.algorithm() == Algorithm::Es512, "{unread}");
        assert_eq!(unread.contains("Google"), key.algorithm() != Algorithm::Es256, "{unread}");
    }
    for (name, unread) in [("rsa-2048", false), ("rsa-exponent-3", false), ("rsa-exponent-largest", true)] {
        let (_, body) = cases("jwks/valid").into_iter().find(|(case, _)| case == name).unwrap();
        let (set, _) = KeySet::parse(&body, "x", KidRule::Computed).unwrap();
        assert_eq!(set.iter().any(|key| key.unread_by().is_some()), unread, "{name}");
    }
}

#[test]
fn ten_thousand_keys_are_refused() {
    let key = String::from_utf8(cases("jwks/valid").remove(0).1).unwrap();
    let key = key.trim_start_matches(r#"{"keys":["#).trim_end_matches("]}");
    let body = format!(r#"{{"keys":[{}]}}"#, vec![key; 10_000].join(","));
    assert_eq!(
        KeySet::parse(body.as_bytes(), "x", KidRule::Computed).unwrap_err().code,
        Code::KeySetTooLarge
    );
}

#[test]
fn union_is_lossless_whatever_the_order() {
    let parse = |name: &str| {
        let (_, body) = cases("jwks/valid").into_iter().find(|(case, _)| case == name).unwrap();
        KeySet::parse(&body, name, KidRule::Computed).unwrap().0
    };
    let (rsa, ec) = (parse("same-key-twice"), parse("ec-256-384-521"));
    let both = rsa.union(&ec).unwrap();
    assert_eq!(both.len(), rsa.len() + ec.len());
    assert_eq!(both.to_json(), ec.union(&rsa).unwrap().to_json());
    assert!(
        both.contains_all(&rsa)
            && both.contains_all(&ec)
            && !rsa.contains_all(&ec)
            && rsa.iter().all(|key| ec.get(key.kid()).is_none())
    );
    assert_eq!(both.union(&rsa).unwrap(), both);
}

#[test]
fn documents_suit_every_verifier() {
    let issuer: Issuer = "https://oidc.example.com/prod".parse().unwrap();
    let (_, body) = cases("jwks/valid").into_iter().find(|(name, _)| name == "ec-256-384-521").unwrap();
    let (keys, _) = KeySet::parse(&body, "x", KidRule::Computed).unwrap();
    let (jwks, discovery) = (Document::jwks(&keys), Document::discovery(&issuer, &keys));
    assert_eq!(
        String::from_utf8(discovery.body).unwrap(),
        r#"{"issuer":"https://oidc.example.com/prod","jwks_uri":"https://oidc.example.com/prod/openid/v1/jwks","authorization_endpoint":"urn:kubernetes:programmatic_authorization","response_types_supported":["id_token"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["ES256","ES384","ES512","RS256"]}"#
    );
    for document in [&jwks, &Document::discovery(&issuer, &keys)] {
        assert!(content_type_is_json(document.content_type));
        assert_eq!(document.cache_control, format!("public, max-age={}", crate::oidc::MAX_AGE));
    }
}
