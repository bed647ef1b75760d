use lab::{Curve, SigningKey};
use serde_json::{Value, json};

use super::*;
use crate::{
    cluster::Reached,
    oidc::{Discovery, Issuer, KidRule},
    relying_party::Outcome,
};

const ISSUER: &str = "https://oidc.example.com";

fn set(keys: &[&SigningKey]) -> KeySet {
    let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes(), "test", KidRule::Computed).unwrap().0
}

fn claims() -> Value {
    json!({"iss": ISSUER, "sub": "system:serviceaccount:a:b", "aud": ["keyless"], "iat": 1, "nbf": 1, "exp": 601})
}

fn token(key: &SigningKey, header: Value) -> Token {
    Token::parse(&key.jws_with_header(&header, &claims())).unwrap()
}

fn server(address: &str, keys: &[&SigningKey], signer: &SigningKey) -> ApiServer {
    let keys = set(keys);
    let issuer: Issuer = ISSUER.parse().unwrap();
    ApiServer {
        address: address.to_owned(),
        discovery: Discovery::new(&issuer, &keys),
        keys,
        unreadable: Vec::new(),
        token: token(signer, json!({"alg": signer.alg(), "kid": signer.kid()})),
        clock: None,
    }
}

fn observed(servers: Vec<ApiServer>) -> Observed {
    Observed { reached: Reached::Each, servers, failed: Vec::new() }
}

#[test]
fn token_of_published_key_is_proved() {
    for key in [SigningKey::from_stock(), SigningKey::ec(Curve::P256), SigningKey::ec(Curve::P521)] {
        let proved = token(&key, json!({"alg": key.alg(), "kid": key.kid()}));
        assert_eq!(prove(&proved, &set(&[&key])).unwrap().kid(), key.kid());
    }
}

#[test]
fn other_tokens_are_not_proved() {
    let (key, other, ec) = (SigningKey::rsa(2048), SigningKey::rsa(2048), SigningKey::ec(Curve::P256));
    let keys = set(&[&key, &ec]);
    let (kid, alg) = (key.kid(), key.alg());
    let signature = |why: &Unproved| matches!(why, Unproved::Signature { .. });
    let unknown = |why: &Unproved| matches!(why, Unproved::UnknownKid(_));
    let none = |why: &Unproved| *why == Unproved::NoKid;
    for (signer, header, expected) in [
        (&key, json!({"alg": "none", "kid": kid}), &signature as &dyn Fn(&Unproved) -> bool),
        (&key, json!({"alg": "None", "kid": kid}), &signature),
        (&key, json!({"alg": "HS256", "kid": kid}), &signature),
        (&key, json!({"alg": "PS256", "kid": kid}), &signature),
        (&key, json!({"alg": "RS512", "kid": kid}), &signature),
        (&key, json!({"alg": "ES256", "kid": kid}), &signature),
        (&key, json!({"alg": "RS256", "kid": ec.kid()}), &signature),
        (&key, json!({"alg": "ES256", "kid": ec.kid()}), &signature),
        (&other, json!({"alg": alg, "kid": kid}), &signature),
        (&other, json!({"alg": alg, "kid": other.kid()}), &unknown),
        (&key, json!({"alg": alg, "kid": "../../etc/passwd"}), &unknown),
        (&key, json!({"alg": alg, "kid": ""}), &none),
        (&key, json!({"alg": alg, "kid": 7}), &none),
        (&key, json!({"alg": alg, "kid": null}), &none),
        (&key, json!({"alg": alg}), &none),
    ] {
        let why = prove(&token(signer, header.clone()), &keys).unwrap_err();
        assert!(expected(&why), "{header}: {why:?}");
    }
}

#[test]
fn signer_unknown_to_another_server_fails() {
    let (old, new) = (SigningKey::rsa(2048), SigningKey::rsa(2048));
    let agree = observed(vec![server("a:1", &[&old, &new], &old), server("b:1", &[&old, &new], &new)]);
    let found = compare_servers(&agree);
    assert!(found.len() == 1 && !found[0].is_failed(), "{found:?}");

    let differ = observed(vec![server("a:1", &[&old], &old), server("b:1", &[&old, &new], &new)]);
    let found = compare_servers(&differ);
    assert_eq!(found.len(), 1, "{found:?}");
    let text = found[0].to_text();
    assert!(found[0].is_failed() && text.contains(&new.kid()) && text.contains("a:1"), "{text}");
    assert!(compare_servers(&observed(vec![server("a:1", &[&old], &old)])).is_empty(), "nothing to compare");
    let alone = compare_servers(&observed(vec![server("a:1", &[&old], &new)]));
    assert!(alone.len() == 1 && alone[0].to_text().contains("it refuses its own tokens"), "{alone:?}");
}

#[test]
fn keys_served_by_no_server_warn() {
    let (ours, other) = (SigningKey::rsa(2048), SigningKey::rsa(2048));
    let cluster = observed(vec![server("a:1", &[&ours], &ours)]);
    let found = judge_live(&cluster, Some(&set(&[&ours, &other])), None);
    let warned: Vec<_> = found.iter().filter(|finding| finding.is_warned()).collect();
    let [warned] = warned[..] else { panic!("{found:?}") };
    let text = warned.to_text();
    assert!(text.starts_with("warn") && text.contains(&other.kid()) && !text.contains("retained"), "{text}");
    assert_eq!(warned.to_json()["result"], "warning");
    assert!(judge_live(&cluster, Some(&set(&[&ours])), None).iter().all(|finding| !finding.is_warned()));
}

const NOW: u64 = 1_800_000_000;

/// A token with these times, judged at [`NOW`] with the clocks in step.
fn judge(issued: u64, not_before: Option<u64>, expires: u64) -> Outcome {
    let mut claims = json!({"iss": "https://a.example", "sub": "b", "iat": issued, "exp": expires});
    if let Some(not_before) = not_before {
        claims["nbf"] = json!(not_before);
    }
    let token = Token::parse(&SigningKey::from_stock().jws(&claims)).unwrap();
    judge_times(&token, Some(NOW), "lifetime", NOW).outcome
}

#[test]
fn token_of_this_moment_is_valid() {
    for (issued, not_before, expires, seen) in [
        (NOW, Some(NOW), NOW + 600, "600 s, valid now"),
        (NOW - 590, None, NOW + 10, "600 s, valid now"),
        (NOW + MAX_SKEW, None, NOW + 600, "540 s, valid now"),
        (0, None, 253_402_300_799, "253402300799 s, valid now"),
    ] {
        let Outcome::Passed(text) = judge(issued, not_before, expires) else { panic!("{issued} {expires}") };
        assert_eq!(text, seen);
    }
}

#[test]
fn token_of_another_time_fails() {
    for (issued, not_before, expires) in [
        (NOW + MAX_SKEW + 1, None, NOW + 600),
        (NOW + 1000, Some(NOW), NOW + 600),
        (NOW, Some(NOW + 100), NOW + 600),
        (NOW - 600, None, NOW),
        (NOW - 600, None, NOW - 1),
        // It ends before it was issued, or in that moment.
        (NOW + 30, None, NOW + 20),
        (NOW + 30, None, NOW + 30),
        (253_402_300_799, None, NOW + 600),
    ] {
        let Outcome::Failed { seen, .. } = judge(issued, not_before, expires) else {
            panic!("{issued} {not_before:?} {expires}")
        };
        assert!(
            seen.contains(&format!("issued at {issued}")) && seen.contains(&expires.to_string()),
            "{seen}"
        );
    }
}
