//! Two credentials that call themselves the same stay two.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    Class, Sightings, Who,
    corpus_tests::look,
    fakes::{ALNUM, RSA, UPPER, body, fakes, google, jwt, legacy_claims, open_ssh_of, other_rsa, uuid},
};

fn secret(secret_type: &str, pairs: &[(&str, String)]) -> Value {
    let data: serde_json::Map<String, Value> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(STANDARD.encode(value)))).collect();
    let metadata = json!({"name": "ci-token", "namespace": "shop"});
    json!({"kind": "Secret", "type": secret_type, "metadata": metadata, "data": data})
}

/// A name that lies beside a secret half is a claim: two that differ in that half are two, in one object or in several.
#[test]
fn claimed_names_merge_no_secret_halves() {
    let aws = format!("AK{}{}", "IA", body("claimed", UPPER, 16));
    let alibaba = format!("LT{}{}", "AI", body("claimed", ALNUM, 20));
    let scaleway = format!("SC{}{}", "W", body("claimed", UPPER, 17));
    let hmac = format!("GOOG{}{}", "1E", body("claimed", UPPER, 55));
    let google_of = |pem: &str| {
        let mut key = google(&[]);
        key["private_key"] = json!(pem);
        key.to_string()
    };
    let legacy = |seed: &str| {
        let token = jwt(&legacy_claims());
        format!("{}.{}", token.rsplit_once('.').unwrap().0, body(seed, ALNUM, 342))
    };
    let token = "kubernetes.io/service-account-token";
    let bootstrap = "bootstrap.kubernetes.io/token";
    let pair = |id: &str, names: [&str; 2], secret_of: &dyn Fn(&str) -> String| {
        ["one", "two"].map(|seed| secret("Opaque", &[(names[0], id.to_owned()), (names[1], secret_of(seed))]))
    };
    let alnum = |length| move |seed: &str| body(seed, ALNUM, length);
    for (name, objects) in [
        (
            "google",
            [
                secret("Opaque", &[("k", google_of(&RSA))]),
                secret("Opaque", &[("k", google_of(&other_rsa()))]),
            ],
        ),
        (
            "google, altered",
            [secret("Opaque", &[("k", google_of(&RSA))]), secret("Opaque", &[("k", google_of(&RSA[..800]))])],
        ),
        ("aws", pair(&aws, ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"], &alnum(40))),
        ("aws, other names", pair(&aws, ["id", "key"], &alnum(40))),
        ("alibaba", pair(&alibaba, ["id", "key"], &alnum(30))),
        ("scaleway", pair(&scaleway, ["SCW_ACCESS_KEY", "SCW_SECRET_KEY"], &uuid)),
        ("google hmac", pair(&hmac, ["id", "secret"], &alnum(40))),
        ("legacy token", ["one", "two"].map(|seed| secret(token, &[("token", legacy(seed))]))),
        ("copy of a legacy token", ["one", "two"].map(|seed| secret("Opaque", &[("token", legacy(seed))]))),
        (
            "bootstrap token",
            ["one", "two"].map(|seed| {
                secret(bootstrap, &[("token-id", "abcdef".into()), ("token-secret", body(seed, ALNUM, 16))])
            }),
        ),
        ("ssh", ["one", "two"].map(|seed| secret("Opaque", &[("id", open_ssh_of(seed))]))),
    ] {
        let mut sightings = Sightings::default();
        for object in objects.iter().chain(&objects) {
            sightings.take("Secret", object).unwrap();
        }
        let seen = sightings.distinct();
        assert_eq!(seen.len(), 2, "{name}: {seen:?}");
        assert!(seen.iter().all(|one| one.who == seen[0].who && !one.halves.is_empty()), "{name}: {seen:?}");
        // In one object, by what its author wrote into an annotation of it.
        let mut outer = objects[0].clone();
        outer["metadata"]["annotations"] =
            json!({"kubectl.kubernetes.io/last-applied-configuration": objects[1].to_string()});
        let seen = look(&outer).distinct();
        assert_eq!(seen.len(), 2, "{name} in an annotation: {seen:?}");
    }
}

/// The second secret half beside one ID is no part of the first pair.
#[test]
fn pair_hides_no_other_half() {
    let id = format!("AK{}{}", "IA", body("pair", UPPER, 16));
    let halves = [
        ("AWS_SECRET_ACCESS_KEY", body("one", ALNUM, 40)),
        ("OLD_AWS_SECRET_ACCESS_KEY", body("two", ALNUM, 40)),
    ];
    let pairs = [vec![("AWS_ACCESS_KEY_ID", id)], halves.to_vec()].concat();
    let seen = look(&secret("Opaque", &pairs)).distinct();
    assert_eq!(seen.len(), 2, "{seen:?}");
    // A name without its secret half belongs to the credential that has it, if that is one.
    let mut sightings = look(&secret("Opaque", &pairs[..2]));
    sightings.merge(look(&secret("Opaque", &pairs[..1])));
    let seen = sightings.distinct();
    assert!(matches!(seen.as_slice(), [one] if one.class == Class::Root), "{seen:?}");
    // Of two it is not known of which.
    sightings.merge(look(&secret("Opaque", &[pairs[0].clone(), pairs[2].clone()])));
    let seen = sightings.distinct();
    let of = |class| seen.iter().filter(|one| one.class == class).count();
    assert_eq!((of(Class::Root), of(Class::NotSeen)), (2, 1), "{seen:?}");
}

/// Whatever kind names a credential by what lies beside it keeps what tells its secret half from others.
#[test]
fn every_claimed_name_has_halves() {
    let mut claimed = 0;
    for fake in fakes() {
        let pairs: Vec<_> = fake.pairs.iter().map(|(name, value)| (*name, value.clone())).collect();
        for seen in look(&secret(fake.secret_type, &pairs)).distinct() {
            let is_claim = matches!(seen.who, Who::Named(_));
            assert_eq!(is_claim, !seen.halves.is_empty(), "{}: {seen:?}", fake.name);
            claimed += usize::from(is_claim);
        }
    }
    assert!(claimed > 10, "{claimed}");
}

/// What `ssh-keygen` changes each time, and the comment, do not make it another key.
#[test]
fn rewritten_ssh_key_is_one() {
    let of = |text: String| look(&secret("Opaque", &[("id", text)])).distinct();
    let mut seen = of(super::fakes::open_ssh_written("one", "ci@a"));
    seen.extend(of(super::fakes::open_ssh_written("one", "ci@another")));
    assert_eq!((&seen[0].who, &seen[0].halves), (&seen[1].who, &seen[1].halves));
    assert_ne!(seen[0].halves, of(super::fakes::open_ssh_written("two", "ci@a"))[0].halves);
}
