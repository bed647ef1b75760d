use super::*;
use crate::{
    audit::{Gate, Outcome, judge, judge_with, leg::LegState, tests::cluster},
    cluster::{
        objects::{Look, Unseen},
        snapshot::{
            Credential, Public, SecretKey,
            tests::{inventory, objects},
        },
    },
    credentials::{Halves, Same, fakes},
};
use base64::{Engine, engine::general_purpose::STANDARD};

const KEYLESS: &str = "apiVersion: external-secrets.io/v1\nkind: ClusterSecretStore\nmetadata: {name: gcp}\n\
    spec: {provider: {gcpsm: {projectID: p, auth: {workloadIdentity: {clusterLocation: a, clusterName: b, \
    serviceAccountRef: {name: a, namespace: b}}}}}}\n";

fn issued(name: &str, public_half: Option<&str>) -> CloudLook {
    let kind = issued_kinds().next().unwrap();
    CloudLook {
        issued: vec![Issued {
            kind,
            name: name.into(),
            public_half: public_half.map(str::to_owned),
            copy: None,
            what: "a key".into(),
            place: "Google project acme-prod".into(),
            why: "it is enabled".into(),
            remedy: "delete it".into(),
        }],
        ..CloudLook::default()
    }
}

/// A cluster with a keyless store, and a Secret with these members of a key file.
fn with_key(members: &[&str]) -> Inventory {
    let file = STANDARD.encode(fakes::google(members).to_string());
    cluster(&format!(
        "{KEYLESS}---\napiVersion: v1\nkind: Secret\nmetadata: {{name: k, namespace: shop}}\ndata: {{key.json: {file}}}\n"
    ))
}

fn found(inventory: &Inventory) -> (String, String) {
    let all = inventory.sightings.distinct();
    match (&all[0].who, all[0].halves.first()) {
        (Who::Named(name), Some(Who::Key(half))) => (name.clone(), half.clone()),
        (Who::Key(half), None) => (String::new(), half.clone()),
        other => panic!("{other:?}"),
    }
}

/// One identity was asked about, and has nothing.
fn nothing_issued() -> CloudLook {
    CloudLook { looked: BTreeMap::from([("Google service accounts".into(), 1)]), ..CloudLook::default() }
}

fn state(verdict: &Verdict) -> LegState {
    verdict.legs()[2].state
}

#[test]
fn cloud_that_nobody_asked_is_open() {
    let verdict = judge_with(&cluster(KEYLESS), Some(&CloudLook::default()));
    assert!(verdict.headline().starts_with("ZERO (cluster + consumption): "), "{}", verdict.headline());
    assert_eq!(state(&verdict), LegState::NothingToJudge);
}

#[test]
fn empty_look_makes_three_sides_zero() {
    let verdict = judge_with(&cluster(KEYLESS), Some(&nothing_issued()));
    assert!(
        verdict.headline().starts_with("ZERO (cluster + consumption + cloud): "),
        "{}",
        verdict.headline()
    );
    assert_eq!(state(&verdict), LegState::Zero);
    let without = judge(&cluster(KEYLESS));
    assert!(without.headline().starts_with("ZERO (cluster + consumption): "));
    assert_eq!(state(&without), LegState::NotLookedAt);
}

#[test]
fn key_elsewhere_is_one_credential() {
    let verdict = judge_with(&cluster(KEYLESS), Some(&issued("google:abc", None)));
    assert_eq!(
        verdict.headline(),
        "1 LONG-LIVED credential was issued to an identity that the cluster names"
    );
    assert_eq!(verdict.legs().map(|leg| leg.state), [LegState::Zero, LegState::Zero, LegState::Found]);
    assert_eq!(verdict.outcome(), Outcome::Found { complete: true });
    assert_eq!(verdict.through(Gate::Platform).count(), Some(1));
}

#[test]
fn copy_in_cluster_is_the_same() {
    let inventory = with_key(&[]);
    let (name, half) = found(&inventory);
    for look in [issued(&name, Some(&half)), issued(&name, None)] {
        let verdict = judge_with(&inventory, Some(&look));
        assert_eq!(verdict.count(), Some(1), "{:?}", verdict.roots);
        assert_eq!(verdict.roots[0].secrets.len(), 1);
        assert_eq!(verdict.legs().map(|leg| leg.state)[0], LegState::Found);
    }
}

#[test]
fn copy_without_id_is_the_same() {
    let inventory = with_key(&["type", "private_key", "client_email"]);
    let (_, half) = found(&inventory);
    let verdict = judge_with(&inventory, Some(&issued("google:abc", Some(&half))));
    assert_eq!(verdict.count(), Some(1), "{:?}", verdict.roots);
    let other = judge_with(&inventory, Some(&issued("google:abc", Some("key:sha256:00"))));
    assert_eq!(other.count(), Some(2), "{:?}", other.roots);
}

#[test]
fn copies_of_one_key_are_one() {
    let file = fakes::google(&[]);
    let mut unnamed = file.clone();
    unnamed.as_object_mut().unwrap().remove("private_key_id");
    let secret = |name: &str, file: &serde_json::Value| {
        let data = STANDARD.encode(file.to_string());
        format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: shop}}\ndata: {{k: {data}}}\n"
        )
    };
    let inventory = cluster(&format!("{KEYLESS}{}{}", secret("a", &file), secret("b", &unnamed)));
    assert_eq!(judge(&inventory).count(), Some(2));
    let (_, half) = found(&with_key(&[]));
    let name = format!("google:{}", file["private_key_id"].as_str().unwrap());
    let verdict = judge_with(&inventory, Some(&issued(&name, Some(&half))));
    assert_eq!(verdict.count(), Some(1), "{:?}", verdict.roots);
    assert_eq!(verdict.roots[0].secrets.len(), 2);
}

#[test]
fn claimed_id_alone_makes_two() {
    let inventory = with_key(&[]);
    let (name, _) = found(&inventory);
    let verdict = judge_with(&inventory, Some(&issued(&name, Some("key:sha256:00"))));
    assert_eq!(verdict.count(), Some(2), "{:?}", verdict.roots);
    let ids: BTreeSet<_> = verdict.roots.iter().map(|root| root.id.clone()).collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
    assert!(ids.contains("key:sha256:00"), "{ids:?}");
}

#[test]
fn copy_that_nobody_confirms_stays_open() {
    let verdict = judge_with(&with_key(&[]), Some(&CloudLook::default()));
    assert_eq!(state(&verdict), LegState::Incomplete);
    assert_eq!(verdict.count(), Some(1));
}

#[test]
fn unseen_side_leaves_cluster_zero() {
    let mut look = CloudLook::default();
    look.not_seen("keys".into(), "a right".into(), "refused".into());
    let verdict = judge_with(&cluster(KEYLESS), Some(&look));
    assert_eq!(verdict.outcome(), Outcome::Incomplete);
    assert_eq!(verdict.legs().map(|leg| leg.state), [LegState::Zero, LegState::Zero, LegState::Incomplete]);
    let mut inventory = cluster(KEYLESS);
    inventory.unseen.insert(Unseen { what: "w".into(), right: "r".into(), why: "y".into() });
    let verdict = judge_with(&inventory, Some(&CloudLook::default()));
    assert_eq!(verdict.legs().map(|leg| leg.state), [LegState::Incomplete; 3]);
}

/// A provider's side repeats what could not be read in the cluster: it is still not seen there.
#[test]
fn unseen_on_both_sides_stays_open() {
    let unseen = Unseen { what: "Secret b/s".into(), right: "get secrets".into(), why: "refused".into() };
    let look = CloudLook { unseen: BTreeSet::from([unseen.clone()]), ..nothing_issued() };
    for in_sightings in [false, true] {
        let mut inventory = cluster(KEYLESS);
        match in_sightings {
            true => inventory.sightings.unseen.insert(unseen.clone()),
            false => inventory.unseen.insert(unseen.clone()),
        };
        let verdict = judge_with(&inventory, Some(&look));
        assert_eq!(verdict.legs().map(|leg| leg.state), [LegState::Incomplete; 3], "{in_sightings}");
        assert_eq!(verdict.unseen.len(), 1, "it is one thing");
    }
}

/// What a provider shows of a secret tells which copy it is. Without such a copy it is one of its own.
#[test]
fn issued_secret_is_its_copy() {
    let store = "apiVersion: external-secrets.io/v1\nkind: ClusterSecretStore\nmetadata: {name: azure}\n\
        spec: {provider: {azurekv: {vaultUrl: \"https://v.vault.azure.net\", tenantId: t, authSecretRef: {\
        clientId: {name: s, namespace: b, key: id}, clientSecret: {name: s, namespace: b, key: secret}}}}}\n";
    let mut inventory = inventory(&objects(store));
    let value = format!("aB38Q~{}", "x".repeat(34));
    let credential = |value: &str| {
        let same = Same::of(value.as_bytes());
        Look::Seen(Credential {
            public: Public::Opaque,
            kind: "Opaque".into(),
            created: String::new(),
            uid: String::new(),
            same,
            halves: Halves::new(),
            certificates: Vec::new(),
        })
    };
    for (key, value) in [("id", "0a1b2c3d-0000-4000-8000-000000000001"), ("secret", &value)] {
        let key = SecretKey { namespace: "b".into(), name: "s".into(), key: Some(key.into()) };
        inventory.credentials.insert(key, credential(value));
    }
    let count = |copy: &str| {
        let mut look = issued("entra:k", None);
        look.issued[0].copy = Some(Same::of(copy.as_bytes()));
        let verdict = judge_with(&inventory, Some(&look));
        assert!(verdict.roots.iter().all(|root| !root.id.is_empty()));
        verdict.roots.len()
    };
    assert_eq!((count(&value), count("another")), (1, 2));
}
