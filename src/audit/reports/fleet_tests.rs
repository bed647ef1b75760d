//! Forms of several clusters: each says which cluster, and none says more than the whole.

use std::{env, fs, path::Path};

use super::{
    fakes::{HOSTILE, TIME, excepted, found, hostile, incomplete, nothing, zero},
    *,
};
use crate::{
    audit::{
        Fleet, Member, Outcome,
        verdict::{Gate, Verdict},
    },
    error::{Code, Error},
    target::ClusterTarget,
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/reports");

fn member(name: &str, uid: Option<&str>, result: Result<Verdict, Error>) -> Member {
    let uid = uid.map(str::to_owned);
    let target = ClusterTarget { context: Some(name.into()), server: format!("https://{name}.example"), uid };
    Member { name: name.into(), access: 0, target: Some(target), result }
}

fn unreached(name: &str) -> Member {
    let error = Error::failed(Code::ServerUnreachable, format!("https://{name}.example does not answer"));
    member(name, None, Err(error.caused_by("connection refused").hint("look at the network")))
}

fn evidence(members: Vec<Member>) -> FleetEvidence {
    let fleet = Fleet::new(members, Gate::Mission);
    let mut document = fleet.to_json();
    crate::redact::json(&mut document);
    let json = format!("{}\n", crate::redact::ascii_escapes(&document.to_string()));
    FleetEvidence::new(&fleet, json, "0.1.0", TIME, &crate::redact::line)
}

fn one_of_each() -> FleetEvidence {
    evidence(vec![
        member("prod", Some("1f0e4a52-8d1c-4f0e-9a53-0c2b7d1e6f90"), Ok(zero())),
        member("test", Some("2a1b5c63-9e2d-4a1f-8b64-1d3c8e2f7a01"), Ok(found())),
        member("admin@test", Some("2a1b5c63-9e2d-4a1f-8b64-1d3c8e2f7a01"), Ok(found())),
        unreached("stage"),
    ])
}

fn several() -> impl Iterator<Item = (&'static Format, fn(&FleetEvidence) -> String)> {
    FORMATS.iter().filter_map(|format| Some((format, format.several?)))
}

#[expect(clippy::disallowed_methods, reason = "what the person or script that runs the tests asks for")]
fn asked(name: &str) -> Option<String> {
    env::var(name).ok()
}

#[test]
fn reports_of_several_are_those_reviewed() {
    let evidence = one_of_each();
    let mut wrong = Vec::new();
    for (format, write) in
        several().filter(|(format, _)| ["junit", "prometheus", "sarif"].contains(&format.id))
    {
        let path = Path::new(FOLDER).join(format!("several.{}", format.extension));
        let seen = write(&evidence);
        if fs::read_to_string(&path).unwrap_or_default() == seen {
            continue;
        }
        if asked("KEYLESS_UPDATE_SNAPSHOTS").is_some() {
            fs::write(&path, seen).unwrap();
        } else {
            wrong.push(path.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "these differ: {wrong:?}");
}

#[test]
fn reports_are_written_for_judges() {
    let Some(folder) = asked("KEYLESS_REPORTS_DIR") else { return };
    for (format, write) in several() {
        let folder = Path::new(&folder).join(format.id);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("several.{}", format.extension)), write(&one_of_each())).unwrap();
    }
}

#[test]
fn every_form_names_every_cluster() {
    let evidence = one_of_each();
    for (format, write) in several() {
        let text = write(&evidence);
        for name in ["prod", "test", "admin@test", "stage"] {
            assert!(text.contains(name), "{} does not name {name}", format.id);
        }
        if format.id != "prometheus" {
            assert!(text.contains("does not answer"), "{} does not say why", format.id);
            assert!(
                text.contains("1 LONG-LIVED credential, 1 finding in 2 of 4 contexts"),
                "{}: {text}",
                format.id
            );
        }
        assert_eq!(text, write(&one_of_each()), "{}", format.id);
    }
}

/// What another program reads: the number of passes is that of clusters that are zero.
#[test]
fn no_form_is_better_than_worst() {
    let uid = |number: usize| format!("uid-{number}");
    let all: [fn() -> Verdict; 5] = [zero, found, incomplete, nothing, excepted];
    for one in all {
        for other in all {
            let evidence = evidence(vec![
                member("a", Some(&uid(0)), Ok(one())),
                member("b", Some(&uid(1)), Ok(other())),
            ]);
            agree(&evidence);
        }
        let evidence = evidence(vec![member("a", Some(&uid(0)), Ok(one())), unreached("b")]);
        assert_ne!(evidence.outcome(), Outcome::Zero);
        agree(&evidence);
    }
}

#[track_caller]
fn agree(evidence: &FleetEvidence) {
    let outcome = evidence.outcome();
    let of = |id: &str| Format::named(id).unwrap().several.unwrap()(evidence);
    let json: serde_json::Value = serde_json::from_str(&of("json")).unwrap();
    assert_eq!(json["verdict"], outcome.name());
    let sarif: serde_json::Value = serde_json::from_str(&of("sarif")).unwrap();
    assert_eq!(sarif["properties"]["verdict"], outcome.name());
    let runs = sarif["runs"].as_array().unwrap();
    let failed = runs.iter().any(|run| {
        let results = run["results"].as_array().unwrap();
        let counts = |it: &&serde_json::Value| {
            it["level"] == "error" && it["suppressions"].as_array().is_none_or(Vec::is_empty)
        };
        results.iter().any(|it| counts(&it))
    });
    assert_eq!(failed, !matches!(outcome, Outcome::Zero | Outcome::ZeroExcept));
    let ids: std::collections::BTreeSet<_> =
        runs.iter().map(|run| run["automationDetails"]["id"].to_string()).collect();
    assert_eq!(ids.len(), runs.len(), "{ids:?}");
    let junit = of("junit");
    let whole = junit.split("<testcase ").nth(1).unwrap();
    assert!(whole.starts_with("classname=\"keyless.audit.clusters\""), "{whole}");
    assert_eq!(whole.contains("<failure "), matches!(outcome, Outcome::Found { .. }));
    assert_eq!(whole.contains("<error "), matches!(outcome, Outcome::Incomplete | Outcome::NothingToJudge));
    let metrics = of("prometheus");
    let line = format!("keyless_audit_clusters_verdict{{verdict=\"{}\"}} 1\n", outcome.name());
    assert!(metrics.contains(&line), "{metrics}");
    for number in 0..2 {
        let (name, own) = (evidence.name(number), evidence.outcome_of(number).name());
        let line = format!("keyless_audit_verdict{{cluster=\"{name}\",verdict=\"{own}\"}} 1\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
    let page = of("html");
    assert_eq!(page.matches("class=\"verdict good\"").count() > 2, outcome == Outcome::Zero);
}

#[test]
fn hostile_names_stay_text() {
    let evidence = evidence(vec![
        member(HOSTILE, Some("uid"), Ok(hostile())),
        unreached(HOSTILE),
        member("prod", Some("uid"), Ok(zero())),
    ]);
    for (format, write) in several() {
        let text = write(&evidence);
        let is_markup = ["html", "junit"].contains(&format.id);
        assert!(!is_markup || !text.contains("<img src"), "{}", format.id);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{}", format.id);
        if format.id == "prometheus" {
            assert!(
                text.lines().all(|line| line.starts_with("keyless_") || line.starts_with("# ")),
                "{text}"
            );
            assert_eq!(text.lines().filter(|line| line.starts_with("keyless_audit_complete 1")).count(), 0);
        }
        if ["json", "sarif"].contains(&format.id) {
            serde_json::from_str::<serde_json::Value>(&text).unwrap();
        }
    }
}
