use super::*;
use crate::audit::Weight;

pub(in crate::audit) fn hit(rule: &'static str, weight: Weight) -> Hit {
    Hit { rule, weight, place: "ClusterSecretStore gcp".into(), why: "why".into(), remedy: "remedy".into() }
}

/// A verdict with so many credentials, findings, unknown and unseen things.
pub(in crate::audit) fn verdict(
    roots: usize,
    findings: usize,
    unknown: usize,
    unseen: usize,
    installed: bool,
) -> Verdict {
    let opens = [Opens::Store, Opens::Generator, Opens::Controller, Opens::Unused];
    let unseen: Vec<_> = (0..unseen)
        .map(|number| Unseen { what: format!("w{number}"), right: "list w".into(), why: "y".into() })
        .collect();
    Verdict {
        roots: (0..roots)
            .map(|number| Root {
                known: BTreeSet::from([(Identity::Named(format!("google:{number}")), Halves::new())]),
                what: "a stored credential".into(),
                id: format!("google:{number}"),
                claims: None,
                secrets: BTreeSet::new(),
                config_maps: BTreeSet::new(),
                objects: BTreeSet::new(),
                more: 0,
                class: Class::Root,
                opens: BTreeSet::from([opens[number % 4]]),
                rules: BTreeSet::new(),
                hits: Vec::new(),
            })
            .collect(),
        others: Vec::new(),
        cloud: None,
        asked: 0,
        excepted: Vec::new(),
        exceptions: None,
        findings: vec![hit("token-audience", Weight::Finding); findings],
        unknown: vec![hit("unknown-login", Weight::Unknown); unknown],
        notes: Vec::new(),
        unseen_here: unseen.iter().cloned().collect(),
        unseen,
        looked: BTreeMap::new(),
        outputs: 0,
        unmanaged: 0,
        mode: Mode::Deep,
        outside: None,
        gate: Gate::Mission,
        stores: 1,
        generators: 0,
        installed,
        record: Record::default(),
    }
}

/// Words, count, completeness and name of one verdict never contradict each other, whatever it is made of.
#[test]
fn every_combination_agrees_with_itself() {
    let mut combinations = 0;
    for number in 0..(4 * 3 * 3 * 3 * 2) {
        let (roots, findings, unknown) = (number % 4, number / 4 % 3, number / 12 % 3);
        let (unseen, installed) = (number / 36 % 3, number / 108 % 2 == 1);
        let it = verdict(roots, findings, unknown, unseen, installed);
        let report = it.to_json();
        let clean = roots + findings + unknown + unseen == 0;
        let is_zero = clean && installed;
        let (outcome, headline) = (it.outcome(), it.headline());
        let at = format!("{roots} {findings} {unknown} {unseen} {installed}: {headline}\n{report}");
        assert_eq!(headline.contains("ZERO"), is_zero, "{at}");
        assert_eq!(report["count"] == 0, is_zero, "{at}");
        assert_eq!(report["verdict"] == "zero", is_zero, "{at}");
        assert_eq!(outcome == Outcome::Zero, is_zero, "{at}");
        assert_eq!(headline.contains("NOTHING TO JUDGE"), clean && !installed, "{at}");
        assert_eq!(headline.contains("INCOMPLETE"), unknown + unseen > 0, "{at}");
        assert_eq!(report["complete"] == true, unknown + unseen == 0 && (installed || !clean), "{at}");
        assert_eq!(report["count"].as_u64().unwrap_or(0) as usize, roots, "{at}");
        assert_eq!(report["headline"], headline.as_str(), "{at}");
        assert_eq!(headline.contains("finding"), findings > 0, "{at}");
        assert_eq!(it.lines()[0], headline, "{at}");
        assert_eq!(matches!(outcome, Outcome::Found { .. }), roots + findings > 0, "{at}");
        combinations += 1;
    }
    assert_eq!(combinations, 216);
}

/// What the platform holds is named always, and decides by its own gate only.
#[test]
fn gate_decides_what_must_be_zero() {
    let with = |classes: &[Class]| {
        let mut it = verdict(classes.len(), 0, 0, 0, true);
        for (root, class) in it.roots.iter_mut().zip(classes) {
            root.class = *class;
        }
        (it.roots, it.others) = it.roots.into_iter().partition(|root| root.class == Class::Root);
        it
    };
    use Class::{Irreducible, Platform, Root as Mission, RootKey};
    for (classes, mission, platform) in [
        (&[][..], 0, 0),
        (&[Irreducible, RootKey], 0, 0),
        (&[Platform], 0, 1),
        (&[Platform, Irreducible, Platform], 0, 2),
        (&[Mission, Platform, RootKey], 1, 2),
    ] {
        for (gate, wanted) in [(Gate::Mission, mission), (Gate::Platform, platform)] {
            let it = with(classes).through(gate);
            let report = it.to_json();
            let at = format!("{classes:?} {gate:?}\n{report}");
            assert_eq!(it.count(), Some(wanted), "{at}");
            assert_eq!(it.outcome() == Outcome::Zero, wanted == 0, "{at}");
            assert_eq!(it.headline().contains("ZERO"), wanted == 0, "{at}");
            assert_eq!(report["credentials"].as_array().unwrap().len(), classes.len(), "{at}");
            let of_platform = classes.iter().filter(|class| **class == Platform).count();
            assert_eq!(report["classes"]["platform"], of_platform, "{at}");
            let is_named = of_platform > 0 && (wanted == 0 || gate == Gate::Platform);
            assert_eq!(it.headline().contains("of the platform"), is_named, "{at}");
        }
    }
}

#[test]
fn headline_names_its_legs() {
    let mut it = verdict(0, 0, 0, 0, true);
    assert!(it.headline().starts_with("ZERO (cluster + consumption): "), "{}", it.headline());
    it.stores = 0;
    assert!(it.headline().starts_with("ZERO IN CLUSTER ONLY: "), "{}", it.headline());
    let states = |it: &Verdict| it.legs().map(|leg| leg.state);
    assert_eq!(states(&it), [LegState::Zero, LegState::NothingToJudge, LegState::NotLookedAt]);
    let refused = verdict(0, 0, 0, 1, true);
    assert_eq!(states(&refused)[..2], [LegState::Incomplete, LegState::Incomplete]);
    // Refused as a whole, nothing was looked through: that is not zero.
    let nothing = verdict(0, 0, 0, 1, false);
    assert_eq!(states(&nothing)[0], LegState::Incomplete);
    let absent = verdict(0, 0, 0, 0, false);
    assert_eq!(states(&absent)[0], LegState::NotLookedAt, "nothing was looked through");
}

/// Half of a key opens nothing that is known; the other half may lie in another object.
#[test]
fn half_of_key_is_unknown() {
    let id = format!(
        "AK{}{}",
        "IA",
        crate::credentials::fakes::body("half", crate::credentials::fakes::UPPER, 16)
    );
    let secret = crate::credentials::fakes::body("half secret", crate::credentials::fakes::ALNUM, 40);
    let object = |kind: &str, data: serde_json::Value| serde_json::json!({"kind": kind, "metadata": {"name": "it", "namespace": "shop"}, "stringData": data.clone(), "data": data});
    let mut inventory = Inventory::default();
    inventory.installed = true;
    inventory.sightings.take("ConfigMap", &object("ConfigMap", serde_json::json!({"id": id}))).unwrap();
    let it = judge(&inventory);
    assert_eq!((it.outcome(), it.unknown.len(), it.roots.len()), (Outcome::Incomplete, 1, 0), "{it:?}");
    assert!(it.lines().iter().any(|line| line.contains("KL111") && line.contains(&id)), "{it:?}");
    let pair = serde_json::json!({"text": format!("id={id}\nkey={secret}")});
    inventory.sightings.take("ConfigMap", &object("ConfigMap", pair)).unwrap();
    let it = judge(&inventory);
    assert_eq!((it.outcome(), it.roots.len()), (Outcome::Found { complete: true }, 1), "{it:?}");
}
