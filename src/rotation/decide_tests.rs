use serde_json::{Value, json};

use super::*;
use crate::oidc::{Entry, KidRule};

/// Keys a, b, c of one fixture.
fn keys(wanted: &[usize]) -> KeySet {
    let body = include_bytes!("../../fixtures/jwks/valid/ec-256-384-521.json");
    let all = KeySet::parse(body, "fixture", KidRule::Computed).unwrap().0;
    KeySet::new(wanted.iter().map(|index| all.iter().nth(*index).unwrap().clone())).unwrap()
}

/// The numbers of a key of the fixture, under this `kid`.
fn named(index: usize, kid: &str) -> PublicKey {
    let mut jwk: Value = serde_json::from_str(&keys(&[index]).to_json()).unwrap();
    jwk["keys"][0]["kid"] = json!(kid);
    match Entry::all(jwk.to_string().as_bytes(), "test", KidRule::External).unwrap().remove(0) {
        Entry::Key(key) => key,
        other => panic!("{other:?}"),
    }
}

fn set(keys: &KeySet) -> PublishedSet {
    PublishedSet {
        name: "s3://acme/openid/v1/jwks".into(),
        keys: keys.iter().cloned().collect(),
        copy: false,
    }
}

fn copy(keys: &KeySet) -> PublishedSet {
    PublishedSet { name: "https://acme.example/openid/v1/jwks".into(), copy: true, ..set(keys) }
}

fn decided(live: Option<&KeySet>, files: Option<&KeySet>, published: &[PublishedSet]) -> Result<Decision> {
    decided_with(live, files, published, Former::Unknown)
}

/// Without a ledger.
fn decided_with(
    live: Option<&KeySet>,
    files: Option<&KeySet>,
    published: &[PublishedSet],
    former: Former,
) -> Result<Decision> {
    let states = &BTreeMap::new();
    decide(&Inputs {
        live,
        files,
        published,
        former,
        states,
        copies: Copies::Kept,
        is_own: false,
        place: Place::Documents,
    })
}

#[test]
fn keys_are_only_added() {
    let (a, b, ab) = (keys(&[0]), keys(&[1]), keys(&[0, 1]));
    for (live, files, published, wanted) in [
        (Some(&a), None, None, &a),
        (Some(&ab), None, Some(&a), &ab),
        (Some(&a), None, Some(&ab), &ab),
        (Some(&a), Some(&b), None, &ab),
        (None, Some(&b), Some(&a), &ab),
        (None, Some(&a), None, &a),
        (None, None, Some(&a), &a),
    ] {
        let published: Vec<_> = published.into_iter().map(set).collect();
        assert_eq!(&decided(live, files, &published).unwrap().keys, wanted);
    }
}

#[test]
fn each_key_has_its_status() {
    let (live, published) = (keys(&[0, 1]), keys(&[1, 2]));
    let decision = decided(Some(&live), None, &[set(&published)]).unwrap();
    let statuses: Vec<_> = decision.keys.iter().map(|key| decision.status(key)).collect();
    assert_eq!(statuses, [KeyStatus::Added, KeyStatus::Kept, KeyStatus::NotServed]);
    let not_served: Vec<_> = decision.not_served().into_iter().map(PublicKey::kid).collect();
    assert_eq!(not_served, [keys(&[2]).iter().next().unwrap().kid()]);

    let staged = decided(None, Some(&live), &[set(&published)]).unwrap();
    let statuses: Vec<_> = staged.keys.iter().map(|key| staged.status(key)).collect();
    assert_eq!(statuses, [KeyStatus::Staged, KeyStatus::Staged, KeyStatus::Published]);
    assert_eq!(staged.not_served(), Vec::<&PublicKey>::new(), "no server was asked");
}

#[test]
fn two_clusters_under_one_issuer_conflict() {
    let (live, published) = (keys(&[0]), keys(&[1]));
    let sets = [set(&published)];
    let error = decided(Some(&live), None, &sets).unwrap_err();
    assert_eq!(error.code, Code::IssuerOfAnotherCluster);
    assert!(error.causes.iter().any(|cause| cause.contains(live.iter().next().unwrap().kid())));
    for former in [Former::SameCluster, Former::Restore] {
        assert_eq!(decided_with(Some(&live), None, &sets, former).unwrap().keys.len(), 2, "{former:?}");
    }
}

#[test]
fn every_published_set_is_guarded() {
    let (live, other) = (keys(&[0]), keys(&[1]));
    for sets in [
        [set(&live), set(&other)],
        [set(&other), set(&live)],
        [set(&live), copy(&other)],
        [copy(&live), set(&other)],
    ] {
        assert_eq!(decided(Some(&live), None, &sets).unwrap_err().code, Code::IssuerOfAnotherCluster);
    }
}

#[test]
fn outdated_copy_of_keys_is_ours() {
    let (live, stored, former) = (keys(&[0]), keys(&[0, 1]), keys(&[1]));
    let decision = decided(Some(&live), None, &[set(&stored), copy(&former)]).unwrap();
    assert_eq!((decision.keys.len(), decision.only_public.len()), (2, 0));
}

#[test]
fn keys_seen_only_in_public_count() {
    let (live, both) = (keys(&[0]), keys(&[0, 1]));
    for sets in [vec![copy(&both)], vec![set(&live), copy(&both)]] {
        let decision = decided(Some(&live), None, &sets).unwrap();
        assert_eq!(decision.keys, both);
        assert!(decision.only_public.iter().any(|key| key.kid() == keys(&[1]).iter().next().unwrap().kid()));
    }
}

#[test]
fn kid_of_other_key_needs_restore() {
    let (ours, theirs) = (named(0, "signer"), named(1, "signer"));
    let live = KeySet::new([ours.clone()]).unwrap();
    let sets = [set(&KeySet::new([theirs.clone()]).unwrap())];
    let error = decided(Some(&live), None, &sets).unwrap_err();
    assert_eq!(error.code, Code::KidTaken);
    assert!(error.hints.iter().any(|hint| hint.contains("--restore")), "{error}");
    assert_eq!(decided(None, Some(&live), &sets).unwrap_err().code, Code::KidTaken, "from a file as well");
    let decision = decided_with(Some(&live), None, &sets, Former::Restore).unwrap();
    assert_eq!(decision.keys, live);
    assert_eq!(decision.replaced, [(theirs, sets[0].name.clone())]);
}

/// What only a copy shows is stored as well only if it is known to be ours.
#[test]
fn unknown_key_of_copy_is_left() {
    let (live, both) = (keys(&[0]), keys(&[0, 1]));
    let other = keys(&[1]).iter().next().unwrap().clone();
    let decided = |sets: &[PublishedSet], state: Option<State>| {
        let states = state.map(|state| (KeyId::of(&other), state)).into_iter().collect();
        let (former, copies) = (Former::Unknown, Copies::IfOurs);
        let inputs = Inputs {
            live: Some(&live),
            files: None,
            published: sets,
            former,
            states: &states,
            copies,
            is_own: false,
            place: Place::Documents,
        };
        let decision = decide(&inputs).unwrap();
        assert_eq!(decision.keys.len() + decision.not_stored.len(), 2, "{state:?}");
        decision.keys.len()
    };
    let retained = State::Retained { until: None };
    for (state, stored) in
        [(None, 1), (Some(State::Foreign), 1), (Some(State::Unknown), 1), (Some(retained), 2)]
    {
        assert_eq!(decided(&[set(&live), copy(&both)], state), stored, "{state:?}");
    }
    // Where nothing is stored yet, the copy is all there is.
    assert_eq!(decided(&[copy(&both)], None), 2);
    // What is stored counts, even if a copy shows it as well.
    assert_eq!(decided(&[set(&both), copy(&both)], Some(State::Foreign)), 2);
}

#[test]
fn own_issuer_gets_our_keys_back() {
    let (live, other) = (keys(&[0]), keys(&[1]));
    let states = [(KeyId::of(other.iter().next().unwrap()), State::Foreign)].into();
    let inputs = Inputs {
        live: Some(&live),
        files: None,
        published: &[set(&other), copy(&other)],
        former: Former::Unknown,
        states: &states,
        copies: Copies::IfOurs,
        is_own: true,
        place: Place::Documents,
    };
    let decision = decide(&inputs).unwrap();
    let statuses: Vec<_> = decision.keys.iter().map(|key| decision.status(key)).collect();
    assert_eq!(statuses, [KeyStatus::Added, KeyStatus::Foreign]);
    assert_eq!(decide(&Inputs { is_own: false, ..inputs }).unwrap_err().code, Code::IssuerOfAnotherCluster);
}

#[test]
fn stale_copy_of_replaced_key_passes() {
    let live = KeySet::new([named(0, "signer")]).unwrap();
    let stale = KeySet::new([named(1, "signer")]).unwrap();
    let decision = decided(Some(&live), None, &[set(&live), copy(&stale)]).unwrap();
    assert_eq!((&decision.keys, decision.replaced.len()), (&live, 1));
    // Not stored yet, it is what relying parties go by.
    assert_eq!(decided(Some(&live), None, &[copy(&stale)]).unwrap_err().code, Code::KidTaken);
}

#[test]
fn two_published_keys_under_one_kid() {
    let sets = [named(0, "x"), named(1, "x")].map(|key| set(&KeySet::new([key, named(2, "live")]).unwrap()));
    let live = KeySet::new([named(2, "live")]).unwrap();
    assert_eq!(decided(Some(&live), None, &sets).unwrap_err().code, Code::JwkDuplicateKid);
}

/// A single write into the set must not be able to keep the cluster's next key out of it.
#[test]
fn our_keys_fit_among_many_others() {
    let live = KeySet::new([named(0, "live-1"), named(1, "live-2")]).unwrap();
    for count in [97, 98, 99, 100, 2000] {
        let mut crowd: Vec<_> = (0..count).map(|number| named(2, &format!("foreign-{number:04}"))).collect();
        crowd.push(named(0, "live-1"));
        let published = [PublishedSet { name: "set".into(), keys: crowd, copy: false }];
        let decision = decided(Some(&live), None, &published).unwrap();
        assert!(decision.keys.contains_all(&live), "{count}");
        assert_eq!(decision.keys.len(), (count + 2).min(MAX_KEYS), "{count}");
        assert_eq!(decision.left_out.len(), (count + 2).saturating_sub(MAX_KEYS), "{count}");
        assert_eq!(decision.not_served().len(), count, "none goes unnoticed");
    }
}

#[test]
fn missing_key_source_is_usage_error() {
    assert_eq!(decided(None, None, &[]).unwrap_err().code, Code::NoKeySource);
}
