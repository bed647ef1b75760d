use std::fs;

use super::*;
use crate::{
    audit::{
        Gate, Outcome,
        verdict::tests::{hit, verdict},
    },
    cluster::snapshot::SecretKey,
    credentials::Class,
};

/// 2026-11-27, noon.
const NOW: u64 = 1_795_780_800;

fn read(name: &str) -> Result<Exceptions> {
    let path = Path::new("fixtures/exceptions").join(name);
    Exceptions::parse(&fs::read_to_string(&path).unwrap(), &path)
}

fn entry(id: &str, code: Option<&str>, expires: &str) -> Exceptions {
    let entry = Entry {
        id: id.into(),
        code: code.map(str::to_owned),
        at: Vec::new(),
        reason: "why".into(),
        owner: "me".into(),
        expires: expires.parse().unwrap(),
        control: None,
    };
    Exceptions { entries: vec![entry], digest: "d".into() }
}

#[test]
fn whole_files_are_read_others_refused() {
    let mut bad = 0;
    for file in fs::read_dir("fixtures/exceptions").unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        match (name.starts_with("good-"), read(&name)) {
            (true, read) => drop(read.unwrap()),
            (false, Ok(_)) => panic!("{name} is read"),
            (false, Err(error)) => {
                bad += 1;
                assert_eq!(error.code, Code::ExceptionsMalformed, "{name}: {error:?}");
                let shown = format!("{error:?}");
                assert!(
                    !shown.contains("hunter2") && !shown.contains("tomorrow"),
                    "{name} is quoted: {shown}"
                );
            }
        }
    }
    assert!(bad > 10, "{bad}");
}

#[test]
fn excepted_credential_moves_and_shows() {
    let it = verdict(1, 0, 0, 0, true).excepting(&entry("google:0", None, "2027-01-31"), NOW);
    assert_eq!(
        (it.outcome(), it.count(), it.roots.len(), it.excepted.len()),
        (Outcome::ZeroExcept, None, 0, 1)
    );
    assert!(it.outcome().is_complete() && !it.headline().contains("ZERO"), "{}", it.headline());
    let (json, text) = (it.to_json(), it.lines().join("\n"));
    assert_eq!(json["excepted"][0]["credential"]["id"], "google:0");
    assert_eq!((&json["verdict"], &json["legs"][0]["state"]), (&"zero-except".into(), &"excepted".into()));
    for wanted in ["google:0", "until 2027-01-31 by me: why", "cluster only exceptions", "sha256:d"] {
        assert!(text.contains(wanted), "`{wanted}` is not in\n{text}");
    }
    // It is there: no number says zero, and no rule that found it passes.
    assert_eq!(json["classes"]["root"], 1);
    let mut before = verdict(1, 0, 0, 0, true);
    before.roots[0].rules.insert("google-key");
    let it = before.excepting(&entry("google:0", None, "2027-01-31"), NOW);
    let ended = it.states().into_iter().find(|ended| ended.rule.id == "google-key").unwrap();
    assert_eq!(ended.state, crate::audit::states::RuleState::Excepted);
    // By the code of its kind, also where a store uses it.
    let mut before = verdict(1, 0, 0, 0, true);
    before.roots[0].rules.extend(["stored-credential", "vault-token"]);
    "secret:shop/vault#token".clone_into(&mut before.roots[0].id);
    for (code, count) in [("KL131", 1), ("KL211", 0)] {
        let it = before.clone().excepting(&entry("secret:shop/vault#token", Some(code), "2027-01-31"), NOW);
        assert_eq!(it.excepted.len(), count, "{code}");
    }
    // One of two.
    let it = verdict(2, 0, 0, 0, true).excepting(&entry("google:0", None, "2027-01-31"), NOW);
    assert_eq!((it.outcome(), it.count()), (Outcome::Found { complete: true }, Some(1)));
    assert!(it.headline().ends_with("; 1 excepted"), "{}", it.headline());
}

#[test]
fn entry_that_counts_not_is_finding() {
    for (exceptions, why) in [
        (entry("google:0", None, "2026-11-26"), "expired on 2026-11-26"),
        (entry("google:0", None, "2027-11-28"), "365 days"),
        (entry("google:7", None, "2027-01-31"), "no credential that was seen"),
        (entry("google:0", Some("KL131"), "2027-01-31"), "another code"),
    ] {
        let mut before = verdict(1, 0, 0, 0, true);
        before.roots[0].hits.push(hit("google-key", Weight::Note));
        let it = before.excepting(&exceptions, NOW);
        assert_eq!((it.roots.len(), it.excepted.len(), it.findings.len()), (1, 0, 1), "{why}");
        assert!(it.findings[0].why.contains(why), "{why}: {}", it.findings[0].why);
        // Also where nothing else is there.
        let it = verdict(0, 0, 0, 0, true).excepting(&exceptions, NOW);
        assert_eq!(it.outcome(), Outcome::Found { complete: true }, "{why}");
    }
    for last in ["2026-11-27", "2027-11-27"] {
        let it = verdict(1, 0, 0, 0, true).excepting(&entry("google:0", None, last), NOW);
        assert_eq!(it.outcome(), Outcome::ZeroExcept, "{last}");
    }
    // Two with the same ID.
    let mut before = verdict(2, 0, 0, 0, true);
    before.roots.iter_mut().for_each(|root| "secret:a/b#c".clone_into(&mut root.id));
    let it = before.excepting(&entry("secret:a/b#c", Some("KL131"), "2027-01-31"), NOW);
    assert_eq!((it.roots.len(), it.findings.len()), (2, 1), "{it:?}");
}

/// An exception is for the copies that were known.
#[test]
fn further_copy_is_not_excepted() {
    let secret =
        |name: &str| SecretKey { namespace: "shop".into(), name: name.into(), key: Some("k".into()) };
    let judged = |at: &[&str], secrets: &[&str], objects: &[&str]| {
        let mut before = verdict(1, 0, 0, 0, true);
        before.roots[0].secrets = secrets.iter().copied().map(secret).collect();
        before.roots[0].objects = objects.iter().map(|&it| it.to_owned()).collect();
        let mut exceptions = entry("google:0", None, "2027-01-31");
        exceptions.entries[0].at = at.iter().map(|&it| it.to_owned()).collect();
        before.excepting(&exceptions, NOW)
    };
    for (at, secrets, objects) in [
        (&[][..], &[][..], &[][..]),
        (&["Secret shop/one"], &["one"], &[]),
        (&["Secret shop/one"], &["one"], &["Secret shop/one (metadata.annotations)"]),
        (&["Secret shop/one", "Secret shop/two"], &["one", "two"], &[]),
        (&["Secret shop/one", "Deployment shop/api"], &["one"], &["Deployment shop/api (spec.template)"]),
        // A copy of it is gone.
        (&["Secret shop/one", "Secret shop/two"], &["two"], &[]),
    ] {
        let it = judged(at, secrets, objects);
        assert_eq!((it.roots.len(), it.excepted.len(), it.findings.len()), (0, 1, 0), "{at:?} {secrets:?}");
    }
    for (at, secrets, objects, further) in [
        (&[][..], &["one", "two"][..], &[][..], "Secret shop/one, Secret shop/two"),
        // Who wrote it need not have known of this one.
        (&[], &["one"], &[], "Secret shop/one"),
        (&[], &[], &["Deployment shop/api (spec.template)"], "Deployment shop/api"),
        (&[], &["one"], &["Deployment shop/api (spec.template)"], "Deployment shop/api"),
        (&["Secret shop/one"], &["one", "two"], &[], "Secret shop/two"),
        (&["Secret shop/one"], &["two"], &[], "Secret shop/two"),
        (&["Secret shop/ONE"], &["one"], &[], "Secret shop/one"),
    ] {
        let it = judged(at, secrets, objects);
        assert_eq!((it.roots.len(), it.excepted.len(), it.findings.len()), (1, 0, 1), "{at:?} {secrets:?}");
        let hit = &it.findings[0];
        assert!(hit.place.contains("google:0") && hit.why.contains(further), "{hit:?}");
        assert_eq!(it.outcome(), Outcome::Found { complete: true });
    }
    // Copies that the report does not name.
    let mut before = verdict(1, 0, 0, 0, true);
    before.roots[0].more = 1;
    let it = before.excepting(&entry("google:0", None, "2027-01-31"), NOW);
    assert_eq!((it.roots.len(), it.excepted.len()), (1, 0));
    let why = &it.findings[0].why;
    assert!(why.contains("Delete copies") && !why.contains("`at`"), "{why}");
    // An ID that names the place names one object.
    let mut before = verdict(1, 0, 0, 0, true);
    "secret:shop/one#k".clone_into(&mut before.roots[0].id);
    before.roots[0].rules.insert("vault-token");
    for (names, excepted) in [(&["one"][..], 1), (&["one", "two"], 0)] {
        before.roots[0].secrets = names.iter().copied().map(secret).collect();
        let it = before.clone().excepting(&entry("secret:shop/one#k", Some("KL131"), "2027-01-31"), NOW);
        assert_eq!(it.excepted.len(), excepted, "{names:?}");
    }
}

/// No sentence says more than what was seen.
#[test]
fn words_claim_only_what_was_seen() {
    let mut before = verdict(1, 0, 0, 0, true);
    let mut other = before.roots[0].clone();
    (other.class, other.id) = (Class::Platform, "secret:ci/token".into());
    before.others.push(other);
    let excepted = before.clone().excepting(&entry("google:0", None, "2027-01-31"), NOW);
    let headline = excepted.headline();
    assert!(
        headline.contains("no other of a known kind that opens a cloud or a secret store was seen"),
        "{headline}"
    );
    assert!(headline.ends_with("; 1 opens a part of the platform"), "{headline}");
    // A finding about an exception, beside a credential that the gate lets through.
    before.roots.clear();
    let gone = before.clone().excepting(&entry("google:0", None, "2027-01-31"), NOW);
    let headline = gone.headline();
    assert!(
        headline.contains("no long-lived credential that opens a cloud or a secret store was seen"),
        "{headline}"
    );
    assert!(gone.findings[0].why.contains("where the audit does not look"), "{}", gone.findings[0].why);
    // What could not be read may hold it.
    for (unknown, unseen) in [(1, 0), (0, 1)] {
        let it = verdict(0, 0, unknown, unseen, true).excepting(&entry("google:0", None, "2027-01-31"), NOW);
        assert!(it.findings[0].why.contains("whether it is gone is not known"), "{}", it.findings[0].why);
    }
}

/// Whatever is excepted: what is unknown or unseen stays, and nothing is better than it was but for the excepted.
#[test]
fn exceptions_cover_nothing_unseen() {
    for number in 0..(3 * 2 * 2 * 2) {
        let (roots, findings, unknown, unseen) =
            (number % 3, number / 3 % 2, number / 6 % 2, number / 12 % 2);
        for gate in [Gate::Mission, Gate::Platform] {
            for class in [Class::Root, Class::Platform, Class::Irreducible] {
                let mut before = verdict(roots, findings, unknown, unseen, true).through(gate);
                if class != Class::Root {
                    before.others = std::mem::take(&mut before.roots);
                    before.others.iter_mut().for_each(|root| root.class = class);
                }
                let after = before.clone().excepting(&entry("google:0", None, "2027-01-31"), NOW);
                let at = format!("{roots} {findings} {unknown} {unseen} {gate:?} {class:?}");
                let all = |it: &Verdict| it.roots.len() + it.others.len() + it.excepted.len();
                assert_eq!(all(&before), all(&after), "{at}");
                assert_eq!(
                    (before.unknown.len(), &before.unseen),
                    (after.unknown.len(), &after.unseen),
                    "{at}"
                );
                let plain = after.outcome() == Outcome::Zero;
                assert!(!plain || before.outcome() == Outcome::Zero, "{at}");
                assert!(unknown + unseen == 0 || after.headline().contains("INCOMPLETE"), "{at}");
                assert_eq!(after.excepted.len() + after.findings.len() - findings, 1, "{at}");
            }
        }
    }
}
