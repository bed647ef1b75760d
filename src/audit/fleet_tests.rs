use std::collections::BTreeSet;

use super::*;
use crate::{
    audit::{
        Identity,
        verdict::tests::{hit, verdict},
    },
    credentials::{Halves, Same, Who},
    error::Code,
};

fn member(name: &str, uid: Option<&str>, result: Result<Verdict, Error>) -> Member {
    let uid = uid.map(str::to_owned);
    let target = ClusterTarget { context: Some(name.into()), server: format!("https://{name}"), uid };
    Member { name: name.into(), target: Some(target), result }
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
    assert_eq!((it.clusters(), it.count(), it.same_as(0), it.same_as(1)), (1, Some(1), None, Some("a")));
    assert_eq!(it.to_json()["clusters"][1]["sameAs"], "a");
    assert!(it.lines().iter().any(|line| line.contains("the same cluster as a and counted once")));
    let mut it = of(verdict(0, 0, 0, 1, true));
    assert!(!it.outcome().is_complete());
    it.members.swap(0, 1);
    assert!(!it.outcome().is_complete());
}

#[test]
fn exception_in_one_cluster_hides_nothing() {
    let mut excepted = verdict(1, 0, 0, 0, true);
    let root = excepted.roots.remove(0);
    let by = crate::audit::exceptions::Excepted {
        root,
        reason: "r".into(),
        owner: "o".into(),
        until: "2027-01-31".into(),
        ends: 0,
        control: None,
    };
    excepted.excepted.push(by);
    let it = fleet(vec![excepted.clone(), excepted.clone()]);
    assert_eq!((it.outcome(), it.count(), it.exit()), (Outcome::ZeroExcept, None, Exit::Clean));
    assert_eq!(it.headline(), "NONE BUT EXCEPTIONS in 2 clusters: 1 long-lived credential is excepted");
    let it = fleet(vec![excepted, verdict(1, 0, 0, 0, true)]);
    assert_eq!((it.outcome(), it.count()), (Outcome::Found { complete: true }, Some(1)));
    assert_eq!(it.to_json()["credentials"][0]["excepted"], false);
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
