use lab::{Curve, SigningKey};
use serde_json::json;

use super::{super::found::look, *};
use crate::{
    cluster::{ApiServer, Observed, Reached},
    oidc::{Discovery, Issuer, KidRule, Token},
};

const ISSUER: &str = "https://oidc.example.com";

/// An API server whose external signer serves its key under each of these names.
pub(in super::super) fn server(key: &SigningKey, kids: &[&str]) -> ApiServer {
    let named = |kid: &&str| {
        let mut jwk = key.jwk();
        jwk["kid"] = json!(kid);
        jwk
    };
    let body = json!({ "keys": kids.iter().map(named).collect::<Vec<_>>() }).to_string();
    let keys = KeySet::parse(body.as_bytes(), "test", KidRule::External).unwrap().0;
    let issuer: Issuer = ISSUER.parse().unwrap();
    let claims = json!({"iss": ISSUER, "sub": "system:serviceaccount:a:b", "aud": ["keyless"], "iat": 1, "nbf": 1, "exp": 601});
    let token = key.jws_with_header(&json!({"alg": key.alg(), "kid": kids[0]}), &claims);
    ApiServer {
        address: "127.0.0.1".to_owned(),
        discovery: Discovery::new(&issuer, &keys),
        keys,
        unreadable: Vec::new(),
        token: Token::parse(&token).unwrap(),
        clock: None,
    }
}

#[test]
fn key_of_two_names_counts_once() {
    let key = SigningKey::ec(Curve::P256);
    let servers = vec![server(&key, &["a", "b"]), server(&key, &["b"])];
    let id = KeyId::of(servers[0].keys.iter().next().unwrap());
    let observed = Observed { reached: Reached::Each, servers, failed: Vec::new() };
    let look = look(&observed, &[], 1000);
    assert_eq!((look.servers, look.whole), (2, true));
    assert_eq!(look.serving, [(id, 2)].into());
}

/// `--same-cluster` changes nothing else of a key: the step must show it.
#[test]
fn facts_name_where_keys_came_from() {
    let key = SigningKey::ec(Curve::P256);
    let all = server(&key, &["a"]).keys;
    let mut keys = Keys { vouched: false, ..Keys::default() };
    keys.stored = keys.of(all.iter());
    let look = Look {
        servers: 1,
        whole: true,
        serving: BTreeMap::new(),
        signing: BTreeSet::new(),
        earliest: 1000,
        latest: 1000,
    };
    let policy = Policy::new(&[], 300, 3600);
    let shown = |vouched: bool, ledger: Option<&Ledger>| {
        let scene = Scene {
            ledger,
            look: &look,
            staged: &keys.staged,
            stored: &keys.stored,
            public: Some(&keys.stored),
            copies: &keys.stored,
            served: Some(policy.cache),
            is_given: false,
            unread: false,
            tokens: None,
            most_token: u64::MAX,
            lost: &BTreeSet::new(),
            vouched,
            policy: &policy,
            revoke: None,
            kid: &|_| String::new(),
        };
        let judged = judge(&scene, &Ledger::new("", ""));
        (facts(judged.ledger.keys.values().next().unwrap()), judged.ledger)
    };
    let (before, ledger) = shown(false, None);
    let (after, _) = shown(true, Some(&ledger));
    assert_eq!(before, json!("published before the ledger, never seen, public, absent"));
    assert_eq!(after, json!("recorded as a former key, never seen, public, absent"));
}
