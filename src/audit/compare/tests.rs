use std::{fs, path::Path};

use serde_json::{Value, json};

use super::{
    difference::Difference,
    fakes::{aws, credential, read, result, saved},
    *,
};
use crate::{
    audit::{
        Gate,
        verdict::{Outcome, tests::verdict},
    },
    error::{Code, Kind},
    exit::Exit,
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/audit-results");
/// It is in every file that is refused.
const CANARY: &str = "kanarienvogel";

fn fixtures(beginning: &str) -> Vec<(String, String)> {
    let files = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut all: Vec<_> = files
        .filter(|path| named(path).starts_with(beginning))
        .map(|path| (named(&path), fs::read_to_string(&path).unwrap()))
        .collect();
    all.sort();
    all
}

fn compared(before: &Value, after: &Value) -> Difference {
    difference(&read(before), &read(after))
}

fn ids(ones: &[difference::One]) -> Vec<&str> {
    ones.iter().map(|it| it.id.as_str()).collect()
}

#[test]
fn good_results_are_read() {
    let all = fixtures("good-");
    assert!(all.len() > 5);
    for (name, content) in all {
        let saved =
            Saved::parse(&content, Path::new(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let same = difference(&saved, &saved);
        assert!(same.new.is_empty() && same.moved.is_empty() && same.new_findings.is_empty(), "{name}");
        let answer = if saved.is_complete() { Answer::NothingNew } else { Answer::NotEstablished };
        assert_eq!(same.answer(), answer, "{name}");
    }
}

#[test]
fn bad_results_are_refused_without_quotation() {
    let all = fixtures("bad-");
    assert!(all.len() > 2 * fixtures("good-").len());
    for (name, content) in all {
        let error = Saved::parse(&content, Path::new(&name)).unwrap_err();
        let code = match name.as_str() {
            "bad-schema-later.json"
            | "bad-schema-quoted.json"
            | "bad-schema-missing.json"
            | "bad-api-version.json" => Code::AuditReportVersion,
            "bad-uid-missing.json" | "bad-cluster-missing.json" => Code::AuditReportCluster,
            _ => Code::AuditReportMalformed,
        };
        assert_eq!((error.kind, error.code), (Kind::Usage, code), "{name}: {error}");
        let text = format!("{error:?}{error}");
        assert!(!text.contains(CANARY) && !text.contains("credentials\""), "{name}: {text}");
    }
}

#[test]
fn another_cluster_is_refused() {
    let saved = read(&result(&[], 0));
    saved.is_of(fakes::UID, Path::new("a.json"), "b.json").unwrap();
    for other in ["", "1f0e", "1F0E4A52-8D1C-4F0E-9A53-0C2B7D1E6F90"] {
        let error = saved.is_of(other, Path::new("a.json"), "b.json").unwrap_err();
        assert_eq!((error.kind, error.code), (Kind::Usage, Code::AuditReportCluster));
    }
}

#[test]
fn new_gone_and_kept_are_told() {
    let (before, after) = (result(&[aws(1), aws(2)], 0), result(&[aws(2), aws(3)], 0));
    let it = compared(&before, &after);
    assert_eq!((ids(&it.new), ids(&it.gone)), (vec!["aws:3"], vec!["aws:1"]));
    assert!(it.moved.is_empty() && it.not_seen.is_empty());
    assert_eq!(it.answer(), Answer::New);
    let it = compared(&before, &result(&[aws(2)], 0));
    assert_eq!((ids(&it.gone), it.answer()), (vec!["aws:1"], Answer::NothingNew));
}

#[test]
fn incomplete_audit_proves_nothing_gone() {
    let before = result(&[aws(1)], 0);
    let mut metadata = result(&[], 1);
    metadata["mode"] = json!("metadata");
    let mut unjudged = result(&[], 1);
    unjudged["notJudged"] = unjudged["notSeen"].take();
    unjudged["notSeen"] = json!([]);
    for after in [result(&[], 1), metadata, unjudged] {
        let it = compared(&before, &after);
        assert!(it.gone.is_empty(), "{after}");
        assert_eq!(it.not_seen[0].0.id, "aws:1");
        // What was complete is not any more.
        assert_eq!(it.answer(), Answer::New);
        let it = compared(&result(&[aws(1)], 1), &after);
        assert_eq!((it.not_seen.len(), it.answer()), (1, Answer::NotEstablished));
    }
}

#[test]
fn missing_place_needs_complete_audit() {
    let at = |places: &[&str]| credential("aws:1", "root", &["KL111"], places);
    let (two, one) = (at(&["a/b/k", "c/d/k"]), at(&["a/b/k"]));
    let it = compared(&result(std::slice::from_ref(&two), 0), &result(std::slice::from_ref(&one), 0));
    assert_eq!((it.moved[0].gone_places.len(), it.answer()), (1, Answer::NothingNew));
    let it = compared(&result(std::slice::from_ref(&two), 1), &result(std::slice::from_ref(&one), 1));
    assert!(it.moved[0].gone_places.is_empty());
    assert_eq!(it.moved[0].places_not_seen, ["Secret c/d (k)"]);
    // Not all places are named.
    let mut more = one.clone();
    more["morePlaces"] = json!(3);
    let it = compared(&result(std::slice::from_ref(&two), 0), &result(std::slice::from_ref(&more), 0));
    assert!(it.moved[0].gone_places.is_empty());
    assert_eq!(it.answer(), Answer::New, "it lies in more places");
    let it = compared(&result(&[one], 0), &result(&[two], 0));
    assert_eq!(it.moved[0].new_places, ["Secret c/d (k)"]);
    assert_eq!(it.answer(), Answer::New);
}

#[test]
fn same_place_proves_no_identity() {
    let place = |codes: &[&str]| credential("secret:a/b#k", "root", codes, &["a/b/k"]);
    // Another kind lies there: it is new, and what became of the first is not known.
    let it = compared(&result(&[place(&["KL131"])], 0), &result(&[place(&["KL171"])], 0));
    assert_eq!((ids(&it.new), it.not_seen.len(), it.gone.len()), (vec!["secret:a/b#k"], 1, 0));
    // It got a public ID: it may be the same one.
    let named = credential("aws:1", "root", &["KL111"], &["a/b/k"]);
    let it = compared(&result(&[place(&[])], 0), &result(std::slice::from_ref(&named), 0));
    assert_eq!((ids(&it.new), it.not_seen.len(), it.gone.len()), (vec!["aws:1"], 1, 0));
    assert!(it.not_seen[0].1.contains("aws:1"));
    // A public ID that is missing from a complete audit is gone, whatever lies there now.
    let other = credential("aws:2", "root", &["KL111"], &["a/b/k"]);
    let it = compared(&result(&[named], 0), &result(&[other], 0));
    assert_eq!((ids(&it.new), ids(&it.gone)), (vec!["aws:2"], vec!["aws:1"]));
    let it = compared(&result(&[place(&["KL131"])], 0), &result(&[], 0));
    assert_eq!(ids(&it.gone), ["secret:a/b#k"]);
}

#[test]
fn second_of_one_id_is_new() {
    let one = credential("secret:a/b", "root", &["KL131"], &["a/b"]);
    let it = compared(&result(std::slice::from_ref(&one), 0), &result(&[one.clone(), one.clone()], 0));
    assert_eq!((ids(&it.new), it.answer()), (vec!["secret:a/b"], Answer::New));
}

#[test]
fn worse_class_and_ended_exception_count() {
    let of = |class: &str| credential("aws:1", class, &["KL111"], &["a/b/k"]);
    let it = compared(&result(&[of("platform")], 0), &result(&[of("root")], 0));
    assert!(it.moved[0].is_worse() && it.answer() == Answer::New);
    let it = compared(&result(&[of("root")], 0), &result(&[of("irreducible")], 0));
    assert!(!it.moved[0].is_worse() && it.answer() == Answer::NothingNew);
    let mut excepted = result(&[], 0);
    excepted["excepted"] = json!([{ "credential": of("root") }]);
    (excepted["verdict"], excepted["count"]) = (json!("zero-except"), Value::Null);
    let plain = result(&[of("root")], 0);
    let it = compared(&excepted, &plain);
    assert_eq!((it.moved[0].is_excepted, it.answer()), ((true, false), Answer::New));
    let it = compared(&plain, &excepted);
    assert_eq!((it.moved[0].is_excepted, it.answer()), ((false, true), Answer::NothingNew));
    let it = compared(&result(&[], 0), &excepted);
    assert_eq!((ids(&it.new), it.answer()), (vec!["aws:1"], Answer::New), "an exception hides nothing");
}

#[test]
fn findings_are_compared() {
    let with = |objects: &[&str], not_seen| {
        let mut it = result(&[], not_seen);
        let of = |object: &&str| json!({"code": "KL401", "object": object, "why": "w", "rule": "r"});
        it["findings"] = objects.iter().map(of).collect();
        if !objects.is_empty() {
            (it["verdict"], it["count"]) = (json!("found"), Value::Null);
        }
        it
    };
    let it = compared(&with(&["a", "b"], 0), &with(&["b", "c"], 0));
    assert_eq!((it.new_findings[0].object.as_str(), it.gone_findings[0].object.as_str()), ("c", "a"));
    assert_eq!(it.answer(), Answer::New);
    let it = compared(&with(&["a", "b"], 0), &with(&["b"], 1));
    assert!(it.gone_findings.is_empty());
    assert_eq!(it.findings_not_seen[0].object, "a");
    let it = compared(&with(&["a"], 0), &with(&["a", "a"], 0));
    assert_eq!(it.new_findings.len(), 1);
}

/// A hundred thousand credentials under one ID are no reason to take long.
#[test]
fn equal_ids_take_linear_time() {
    let one = credential("secret:a/b", "root", &[], &["a/b"]);
    let other = credential("secret:a/b", "root", &["KL131"], &["a/b"]);
    let (before, after) = (result(&vec![one; 20_000], 0), result(&vec![other; 20_000], 0));
    let it = compared(&before, &after);
    assert_eq!((it.new.len(), it.not_seen.len()), (20_000, 20_000));
}

#[test]
fn texts_of_files_cannot_act() {
    let hostile = credential("aws:\u{1b}[2J\u{202e}\n1 NEW", "root", &["KL111"], &["a/b\r\nc/k\u{0}"]);
    let (before, after) = (read(&result(&[], 0)), read(&result(&[hostile], 0)));
    let it = difference(&before, &after);
    let shown: Vec<_> = it.lines(&before, &after).iter().map(|line| crate::redact::line(line)).collect();
    assert!(
        shown.iter().all(|line| !line.contains(|c: char| c.is_control() || c == '\u{202e}')),
        "{shown:?}"
    );
}

/// Whatever a verdict is made of, and whatever it is compared with.
#[test]
fn baseline_never_makes_incomplete_clean() {
    let parts = |number: usize| {
        let (roots, findings, unknown) = (number % 3, number / 3 % 2, number / 6 % 2);
        verdict(roots, findings, unknown, number / 12 % 2, number / 24 % 2 == 1)
    };
    let (mut clean, mut found) = (0, 0);
    for number in 0..48 {
        let plain = parts(number);
        for other in 0..48 {
            let baseline = parts(other);
            let new = NewSince::of(&saved(&baseline), &saved(&plain));
            let it = plain.clone().since(new);
            assert_eq!((it.outcome(), it.count()), (plain.outcome(), plain.count()));
            assert_eq!(it.legs(), plain.legs());
            let document = it.to_json();
            assert_eq!(document["verdict"], plain.to_json()["verdict"]);
            match it.exit() {
                Exit::Clean => {
                    assert!(it.outcome().is_complete(), "{}", it.headline());
                    let is_known = matches!(it.outcome(), Outcome::Found { .. });
                    assert!(!is_known || it.headline().contains("0 of them new"), "{}", it.headline());
                    clean += usize::from(is_known);
                }
                Exit::Found => found += 1,
                Exit::Incomplete => assert!(!it.outcome().is_complete()),
            }
            // A baseline without all of it covers less.
            if plain.outcome() == (Outcome::Found { complete: true })
                && (plain.roots.len() > baseline.roots.len()
                    || plain.findings.len() > baseline.findings.len())
            {
                assert_eq!(it.exit(), Exit::Found, "{}", it.headline());
            }
        }
    }
    assert!(clean > 10 && found > 10, "{clean} {found}");
}

#[test]
fn baseline_covers_within_gate_only() {
    let platform = credential("aws:1", "platform", &["KL111"], &["a/b/k"]);
    let mission = result(std::slice::from_ref(&platform), 0);
    let mut strict = mission.clone();
    (strict["gate"], strict["verdict"], strict["count"]) = (json!("platform"), json!("found"), json!(1));
    let empty = read(&result(&[], 0));
    assert_eq!(read(&strict).gate, Gate::Platform);
    for (now, within) in [(&mission, 0), (&strict, 1)] {
        let new = NewSince::of(&empty, &read(now));
        assert_eq!(json!(new.document())["newWithinGate"], within);
        assert_eq!(json!(new.document())["new"][0]["id"], "aws:1");
    }
    // It was known by then, though the gate let it pass.
    let new = NewSince::of(&read(&mission), &read(&strict));
    assert_eq!(json!(new.document())["newWithinGate"], 0);
}
