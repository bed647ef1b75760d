use std::collections::BTreeSet;

use super::*;
use crate::{
    audit::{
        Identity,
        verdict::Root,
        verdict::tests::{hit, verdict},
    },
    credentials::{Halves, Same, Who},
    error::Code,
};

fn member(name: &str, uid: Option<&str>, result: Result<Verdict, Error>) -> Member {
    let uid = uid.map(str::to_owned);
    let target = ClusterTarget { context: Some(name.into()), server: format!("https://{name}"), uid };
    Member { name: name.into(), access: 0, target: Some(target), result }
}

fn unreached(name: &str) -> Member {
    member(name, None, Err(Error::failed(Code::ServerUnreachable, "it does not answer").hint("look")))
}

/// Clusters `c0`, `c1`… with a UID each.
fn fleet(verdicts: Vec<Verdict>) -> Fleet {
    let members = verdicts.into_iter().enumerate();
    let members = members.map(|(at, it)| member(&format!("c{at}"), Some(&format!("uid-{at}")), Ok(it)));
    Fleet::new(members.collect(), Gate::Mission)
}

fn zero() -> Verdict {
    verdict(0, 0, 0, 0, true)
}

fn known(identity: Identity, halves: &[&str]) -> Verdict {
    let mut verdict = verdict(1, 0, 0, 0, true);
    let halves: Halves = halves.iter().map(|half| Who::Same(Same::of(half.as_bytes()))).collect();
    verdict.roots[0].known = BTreeSet::from([(identity, halves)]);
    verdict
}

fn named(name: &str, halves: &[&str]) -> Verdict {
    known(Identity::Named(name.to_owned()), halves)
}

/// How good a verdict is: the higher, the better.
fn rank(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Found { complete: false } => 0,
        Outcome::Found { complete: true } => 1,
        Outcome::Incomplete => 2,
        Outcome::NothingToJudge => 3,
        Outcome::ZeroExcept => 4,
        Outcome::Zero => 5,
    }
}

#[test]
fn whole_is_never_better_than_worst() {
    let kinds = [
        zero(),
        verdict(1, 0, 0, 0, true),
        verdict(0, 1, 0, 0, true),
        verdict(1, 0, 0, 1, true),
        verdict(0, 0, 1, 0, true),
        verdict(0, 0, 0, 1, true),
        verdict(0, 0, 0, 0, false),
    ];
    for one in &kinds {
        for other in &kinds {
            let it = fleet(vec![one.clone(), other.clone()]);
            let worst = rank(one.outcome()).min(rank(other.outcome()));
            assert!(rank(it.outcome()) <= worst, "{:?} {:?}", one.outcome(), other.outcome());
            let clean = one.outcome() == Outcome::Zero && other.outcome() == Outcome::Zero;
            assert_eq!(it.exit() == Exit::Clean, clean, "{}", it.headline());
            assert_eq!(it.count() == Some(0), clean);
            assert_eq!(it.headline().starts_with("ZERO"), clean);
            let (json, outcome) = (it.to_json(), it.outcome());
            assert_eq!(json["verdict"], outcome.name());
            assert_eq!(json["complete"], outcome.is_complete());
            assert_eq!(
                it.headline().contains("INCOMPLETE"),
                !outcome.is_complete() && !it.headline().starts_with("NOTHING")
            );
        }
    }
}

#[test]
fn unreached_cluster_makes_it_incomplete() {
    let mut it = fleet(vec![zero()]);
    it.members.push(unreached("far"));
    assert_eq!((it.outcome(), it.exit(), it.count()), (Outcome::Incomplete, Exit::Incomplete, None));
    let text = it.lines().join("\n");
    for wanted in
        ["far could not be audited", "NOT AUDITED: it does not answer  [server-unreachable]", "hint: look"]
    {
        assert!(text.contains(wanted), "`{wanted}` is not in\n{text}");
    }
    let json = it.to_json();
    assert_eq!(json["clusters"][1]["verdict"], "incomplete");
    assert_eq!(json["clusters"][1]["error"]["code"], "server-unreachable");
    assert!(json["clusters"][1]["audit"].is_null() && json["clusters"][0]["error"].is_null());
    assert_eq!(json["clusters"][0]["audit"]["verdict"], "zero");
    let mut it = fleet(vec![verdict(1, 0, 0, 0, true)]);
    it.members.push(unreached("far"));
    assert_eq!(
        (it.outcome(), it.exit(), it.count()),
        (Outcome::Found { complete: false }, Exit::Found, Some(1))
    );
    // None at all proves nothing.
    assert_eq!(Fleet::new(Vec::new(), Gate::Mission).exit(), Exit::Incomplete);
}

#[test]
fn same_credential_is_counted_once() {
    let it = fleet(vec![named("google:1", &[]), named("google:1", &["a"]), zero()]);
    assert_eq!(it.count(), Some(1));
    let json = it.to_json();
    assert_eq!(json["credentials"].as_array().unwrap().len(), 1);
    let names = json["credentials"][0]["clusters"].as_array().unwrap();
    assert_eq!(names.iter().map(|it| it["name"].as_str().unwrap()).collect::<Vec<_>>(), ["c0", "c1"]);
    assert!(
        it.headline().starts_with("1 LONG-LIVED credential in 2 of 3 contexts: c0, c1"),
        "{}",
        it.headline()
    );
    assert!(it.lines().contains(&"in more than one cluster, counted once:".to_owned()));
    let equal = || known(Identity::Equal(vec![Same::of(b"value")]), &[]);
    assert_eq!(fleet(vec![equal(), equal()]).count(), Some(1));
}

/// A name is a claim, and a place is of one cluster.
#[test]
fn different_credentials_are_never_one() {
    assert_eq!(fleet(vec![named("google:1", &["a"]), named("google:1", &["b"])]).count(), Some(2));
    assert_eq!(fleet(vec![named("google:1", &[]), named("google:2", &[])]).count(), Some(2));
    let place = || known(Identity::At("Secret shop/vault".to_owned()), &[]);
    assert_eq!(fleet(vec![place(), place()]).count(), Some(2));
    let value = |value: &[u8]| known(Identity::Equal(vec![Same::of(value)]), &[]);
    assert_eq!(fleet(vec![value(b"a"), value(b"b")]).count(), Some(2));
    // Where the UID is not known it may be any cluster.
    let unnamed = |name| member(name, None, Ok(place()));
    assert_eq!(Fleet::new(vec![unnamed("a"), unnamed("b")], Gate::Mission).count(), Some(2));
}

/// A UID is what a cluster answers: what the second one holds counts as well.
#[test]
fn second_context_of_cluster_bears_too() {
    let place = || known(Identity::At("Secret shop/vault".to_owned()), &[]);
    let of = |second| {
        Fleet::new(
            vec![member("a", Some("u"), Ok(place())), member("b", Some("u"), Ok(second))],
            Gate::Mission,
        )
    };
    let it = of(place());
    assert_eq!(
        (it.clusters(), it.count(), it.same_as(0), it.same_as(1)),
        (Some(1), Some(1), None, Some("a"))
    );
    assert_eq!(it.to_json()["clusters"][1]["sameAs"], "a");
    assert!(it.lines().iter().any(|line| line.contains("the same cluster as a and counted once")));
    let it = of(verdict(0, 1, 0, 0, true));
    assert!(
        it.headline().starts_with("1 LONG-LIVED credential, 1 finding in 2 of 2 contexts"),
        "{}",
        it.headline()
    );
    let mut it = of(verdict(0, 0, 0, 1, true));
    assert!(!it.outcome().is_complete());
    it.members.swap(0, 1);
    assert!(!it.outcome().is_complete());
}

/// A cluster that was restored from a snapshot of another one has its UID.
#[test]
fn same_uid_at_another_server_doubles() {
    let place = || known(Identity::At("Secret shop/vault".to_owned()), &[]);
    let of = |one: Verdict, other: Verdict| {
        let mut members = vec![member("a", Some("u"), Ok(one)), member("b", Some("u"), Ok(other))];
        members[1].access = 1;
        Fleet::new(members, Gate::Mission)
    };
    let it = of(place(), place());
    assert_eq!((it.clusters(), it.count(), it.same_as(1)), (None, Some(2), None));
    assert_eq!((it.twin_of(0), it.twin_of(1)), (Some("b"), Some("a")));
    let text = it.lines().join("\n");
    assert!(text.contains("with the UID of a at another server"), "{text}");
    let json = it.to_json();
    assert_eq!(
        (&json["clusterCount"], &json["clusters"][1]["twinOf"]),
        (&serde_json::Value::Null, &"a".into())
    );
    // How many clusters they are is not known.
    assert!(of(zero(), zero()).headline().contains(" in 2 contexts: "));
    // What is named is one wherever it lies.
    assert_eq!(of(named("google:1", &[]), named("google:1", &[])).count(), Some(1));
    // An entry that names the UID covers neither; with another UID it is about another cluster.
    let entry = |at: &str| {
        let text = format!(
            "apiVersion: keyless/exceptions/v1\nexceptions:\n- {{id: 'google:0', at: [{at}], reason: r, owner: o, expires: 2027-01-31}}\n"
        );
        Exceptions::parse(&text, std::path::Path::new("e.yaml")).unwrap()
    };
    let now = 1_798_761_600;
    let of_u = |mut it: Verdict| {
        it.record.cluster = Some("u".to_owned());
        it
    };
    let one = || of_u(verdict(1, 0, 0, 0, true));
    let it = of(one(), of_u(zero())).excepting(&entry("u/"), now);
    assert_eq!((it.outcome(), it.count()), (Outcome::Found { complete: true }, Some(1)));
    assert!(it.lines().join("\n").contains("a UID that two servers answer with"));
    let it = of(one(), of_u(zero())).excepting(&entry("v/"), now);
    assert!(it.verdicts().all(|it| it.findings.is_empty()) && it.count() == Some(1));
    // At one server it is meant.
    let alike = vec![member("a", Some("u"), Ok(one())), member("b", Some("u"), Ok(one()))];
    assert_eq!(Fleet::new(alike, Gate::Mission).excepting(&entry("u/"), now).outcome(), Outcome::ZeroExcept);
}

/// Two contexts of a cluster whose UID cannot be read may be one.
#[test]
fn contexts_without_uid_are_no_clusters() {
    let it = Fleet::new(vec![member("a", None, Ok(zero())), member("b", None, Ok(zero()))], Gate::Mission);
    assert_eq!(it.clusters(), None);
    assert!(it.headline().contains(" in 2 contexts: "), "{}", it.headline());
}

#[test]
fn findings_are_counted_once() {
    let found = || verdict(0, 2, 0, 0, true);
    let distinct = || {
        let mut it = found();
        it.findings[0].place = "ClusterSecretStore other".into();
        it
    };
    let of = |access: usize, uid: &str| {
        let mut members =
            vec![member("a", Some("u"), Ok(distinct())), member("b", Some(uid), Ok(distinct()))];
        members[1].access = access;
        Fleet::new(members, Gate::Mission).headline()
    };
    assert!(of(0, "u").starts_with("2 findings in 2 of 2 contexts"), "{}", of(0, "u"));
    assert!(of(0, "v").starts_with("4 findings in"), "{}", of(0, "v"));
    assert!(of(1, "u").starts_with("4 findings in"), "{}", of(1, "u"));
    // What the file of exceptions or a provider is found to have is the same in each.
    for rule in ["exception", crate::federation::cloud::issued_kinds().next().unwrap().id] {
        let it = || {
            let mut it = verdict(0, 1, 0, 0, true);
            it.findings[0].rule = rule;
            it
        };
        let it = fleet(vec![it(), it()]);
        assert!(it.headline().starts_with("1 finding in 2 of 2 contexts"), "{}", it.headline());
    }
}

/// The same verdict with its one root excepted.
fn excepted(mut verdict: Verdict) -> Verdict {
    let root = verdict.roots.pop().or_else(|| verdict.others.pop()).unwrap();
    verdict.excepted.push(crate::audit::exceptions::Excepted {
        root,
        reason: "r".into(),
        owner: "o".into(),
        until: "2027-01-31".into(),
        ends: 0,
        control: None,
    });
    verdict
}

/// The same verdict with its one root of another class.
fn of_class(class: Class, mut verdict: Verdict) -> Verdict {
    let root = verdict.roots.remove(0);
    let root = Root { class, ..root };
    if class == Class::Root {
        verdict.roots.push(root)
    } else {
        verdict.others.push(root)
    }
    verdict
}

#[test]
fn exception_in_one_cluster_hides_nothing() {
    let by = excepted(verdict(1, 0, 0, 0, true));
    let it = fleet(vec![by.clone(), by.clone()]);
    assert_eq!((it.outcome(), it.count(), it.exit()), (Outcome::ZeroExcept, None, Exit::Clean));
    assert_eq!(it.headline(), "NONE BUT EXCEPTIONS in 2 clusters: 1 long-lived credential is excepted");
    let it = fleet(vec![by, verdict(1, 0, 0, 0, true)]);
    assert_eq!((it.outcome(), it.count()), (Outcome::Found { complete: true }, Some(1)));
    assert_eq!(it.to_json()["credentials"][0]["excepted"], false);
}

/// The same token beside stores in one cluster, and beside none in the other.
#[test]
fn class_of_all_copies_decides() {
    let open = || of_class(Class::Platform, named("github:1", &[]));
    for members in [[excepted(named("github:1", &[])), open()], [open(), excepted(named("github:1", &[]))]] {
        let it = fleet(members.to_vec());
        let name = it.members.iter().find(|it| it.outcome() == Outcome::Zero).unwrap().name.clone();
        assert_eq!((it.outcome(), it.exit()), (Outcome::Found { complete: true }, Exit::Found));
        assert_eq!(it.count(), Some(1));
        assert_eq!(it.headline(), format!("1 LONG-LIVED credential in 1 of 2 contexts: {name}"),);
        assert_eq!(it.to_json()["credentials"][0]["class"], "root");
    }
    // Beside what is not known it is found all the same.
    let mut it = fleet(vec![excepted(named("github:1", &[])), open()]);
    it.members.push(unreached("far"));
    assert_eq!(it.outcome(), Outcome::Found { complete: false });
    // Another token is none of the gate, and one that is excepted in each is.
    let other = of_class(Class::Platform, named("github:2", &[]));
    assert_eq!(fleet(vec![excepted(named("github:1", &[])), other]).outcome(), Outcome::ZeroExcept);
    let each = fleet(vec![excepted(named("github:1", &[])), excepted(open())]);
    assert_eq!(each.outcome(), Outcome::ZeroExcept);
    assert_eq!(each.headline(), "NONE BUT EXCEPTIONS in 2 clusters: 1 long-lived credential is excepted");
    // What is excepted outside of the gate is no exception of it.
    let it = fleet(vec![
        excepted(named("github:1", &[])),
        excepted(of_class(Class::Platform, named("github:2", &[]))),
    ]);
    assert_eq!(it.headline(), "NONE BUT EXCEPTIONS in 2 clusters: 1 long-lived credential is excepted");
}

/// Two that a cluster tells apart are two, whatever another cluster says of them.
#[test]
fn credentials_of_cluster_stay_apart() {
    let (name, value) = (Identity::Named("google:1".to_owned()), Identity::Equal(vec![Same::of(b"value")]));
    let mut both = known(name.clone(), &[]);
    both.roots[0].known.insert((value.clone(), Halves::new()));
    let mut two = known(name.clone(), &[]);
    two.roots.extend(known(value, &[]).roots);
    let third = known(name, &[]);
    for members in [
        vec![both.clone(), two.clone()],
        vec![two.clone(), both.clone()],
        vec![two.clone(), both.clone(), two.clone()],
        vec![both, third, two],
    ] {
        let it = fleet(members);
        assert_eq!(it.count(), Some(2));
        for one in it.shared() {
            assert_eq!(one.members().len(), one.held.len(), "each cluster holds it once");
        }
    }
}

/// The provider knows the name alone: beside a secret half, that says nothing of others.
#[test]
fn name_without_half_unites_no_halves() {
    let of = |half: &str| {
        let mut one = named("google:1", &[half]);
        one.roots[0].known.insert((Identity::Named("google:1".to_owned()), Halves::default()));
        one
    };
    assert_eq!(fleet(vec![of("a"), of("b")]).count(), Some(2));
    assert_eq!(fleet(vec![of("a"), of("a")]).count(), Some(1));
    // It is not known which of them this is, as in one cluster.
    assert_eq!(fleet(vec![of("a"), of("b"), named("google:1", &[])]).count(), Some(3));
    assert_eq!(fleet(vec![of("a"), named("google:1", &[])]).count(), Some(1));
}

#[test]
fn document_is_of_its_schema() {
    let mut it = fleet(vec![verdict(2, 1, 1, 1, true), zero()]);
    it.members.push(unreached("far"));
    it.members[0].result.as_mut().unwrap().notes.push(hit("minting-power", crate::audit::Weight::Note));
    let (schema, json) = (schema(), it.to_json());
    let described = schema["properties"].as_object().unwrap();
    let (mut named, mut known): (Vec<_>, Vec<_>) =
        (json.as_object().unwrap().keys().collect(), described.keys().collect());
    named.sort();
    known.sort();
    assert_eq!(named, known);
    assert_eq!(json["schema"], SCHEMA);
    // Each result has the form that it has alone.
    let alone = it.verdicts().next().unwrap().to_json();
    assert_eq!(json["clusters"][0]["audit"], alone);
}
