//! What each form says by its own means is what [`Outcome`] says, whatever the verdict is made of.

use serde_json::Value;

use super::{fakes, fakes::of_parts, *};
use crate::audit::{
    Outcome,
    states::RuleState,
    verdict::{Gate, Verdict},
};

/// As another program reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Pass,
    Fail,
    /// Nothing but what someone answers for.
    Excepted,
    /// Neither: a program that reads nothing else must not take it for a pass.
    NotJudged,
}

fn wanted(outcome: Outcome) -> Reading {
    match outcome {
        Outcome::Zero => Reading::Pass,
        Outcome::Found { .. } => Reading::Fail,
        Outcome::ZeroExcept => Reading::Excepted,
        Outcome::Incomplete | Outcome::NothingToJudge => Reading::NotJudged,
    }
}

fn written(id: &str, evidence: &Evidence) -> String {
    (Format::named(id).unwrap().write)(evidence)
}

fn json(id: &str, evidence: &Evidence) -> Value {
    serde_json::from_str(&written(id, evidence)).unwrap()
}

fn sarif(evidence: &Evidence) -> Reading {
    let log = json("sarif", evidence);
    let run = &log["runs"][0];
    let results = run["results"].as_array().unwrap();
    let is_whole = |it: &Value| it["ruleId"] == "audit-incomplete" || it["ruleId"] == "nothing-to-judge";
    let errors = results.iter().filter(|it| it["kind"] == "fail" && it["level"] == "error");
    let (whole, own): (Vec<_>, Vec<_>) = errors.partition(|it| is_whole(it));
    let suppressed = |it: &&Value| it["suppressions"].as_array().is_some_and(|all| !all.is_empty());
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], evidence.outcome().is_complete());
    // Code scanning reads the results alone.
    assert_eq!(whole.len(), usize::from(!evidence.outcome().is_complete()));
    let of_open = results.iter().filter(|it| it["kind"] == "open").count();
    assert_eq!(invocation["toolExecutionNotifications"].as_array().unwrap().len(), of_open);
    match () {
        () if own.iter().any(|it| !suppressed(it)) => Reading::Fail,
        () if !whole.is_empty() => Reading::NotJudged,
        () if results.iter().any(|it| suppressed(&it)) => Reading::Excepted,
        () => Reading::Pass,
    }
}

fn junit(evidence: &Evidence) -> Reading {
    let text = written("junit", evidence);
    let case = text.split("<testcase ").nth(1).unwrap();
    let suite = text.split("<testsuite ").nth(1).unwrap();
    assert!(case.starts_with("classname=\"keyless.audit.verdict\" name=\"verdict\""), "{case}");
    let reading = match (case.contains("<failure "), case.contains("<error "), case.contains("<skipped ")) {
        (true, false, false) => Reading::Fail,
        (false, true, false) => Reading::NotJudged,
        (false, false, true) => Reading::Excepted,
        (false, false, false) => Reading::Pass,
        all => panic!("{all:?}"),
    };
    assert_eq!(suite.contains("failures=\"1\""), reading == Reading::Fail);
    assert_eq!(suite.contains("errors=\"1\""), reading == Reading::NotJudged);
    assert_eq!(suite.contains("skipped=\"1\""), reading == Reading::Excepted);
    // A rule that was not evaluated is red as well.
    let open =
        rules::judged(&evidence.verdict).iter().filter(|it| it.state == RuleState::NotEvaluated).count();
    let of_verdict = usize::from(reading == Reading::NotJudged);
    assert_eq!(text.matches("<error type=\"not-evaluated\"").count(), open + of_verdict);
    reading
}

/// OSCAL has no third state: the remarks have it.
fn oscal(evidence: &Evidence) -> Reading {
    let document = json("oscal", evidence);
    let result = &document["assessment-results"]["results"][0];
    let status = &result["findings"][0]["target"]["status"];
    let remarks = status["remarks"].as_str().unwrap();
    let states: Vec<_> =
        result["findings"].as_array().unwrap().iter().map(|it| &it["target"]["status"]["state"]).collect();
    if evidence.outcome() == Outcome::Zero {
        assert!(states.iter().all(|state| *state == "satisfied"));
    }
    match (status["state"].as_str().unwrap(), remarks) {
        ("satisfied", _) => Reading::Pass,
        ("not-satisfied", text) if text.contains("nothing within the gate was found, but not") => {
            Reading::NotJudged
        }
        ("not-satisfied", text) if text.starts_with("NOTHING TO JUDGE") => Reading::NotJudged,
        ("not-satisfied", text) if text.starts_with("EXCEPTIONS") => Reading::Excepted,
        ("not-satisfied", text) => {
            assert_eq!(text.contains("INCOMPLETE"), !evidence.outcome().is_complete());
            Reading::Fail
        }
        (state, _) => panic!("{state}"),
    }
}

fn openreports(evidence: &Evidence) -> Reading {
    let text = written("openreports", evidence);
    let report: Value = serde_saphyr::from_str(text.split("---\n").nth(1).unwrap()).unwrap();
    assert_eq!(report["kind"], "ClusterReport");
    let summary = &report["summary"];
    let reading = match report["results"][0]["result"].as_str().unwrap() {
        "pass" => Reading::Pass,
        "fail" => Reading::Fail,
        "warn" => Reading::Excepted,
        "error" => Reading::NotJudged,
        other => panic!("{other}"),
    };
    if reading != Reading::Fail {
        assert_eq!(summary["fail"], 0);
    }
    if reading == Reading::NotJudged {
        assert!(summary["error"].as_u64().unwrap() > 0);
    }
    reading
}

fn prometheus(evidence: &Evidence) -> Reading {
    let text = written("prometheus", evidence);
    let has = |line: &str| text.lines().any(|it| it == line);
    let complete = has("keyless_audit_complete 1");
    assert_ne!(complete, has("keyless_audit_complete 0"));
    assert_eq!(complete, evidence.outcome().is_complete());
    let is_zero = |line: &str| {
        (line.starts_with("keyless_long_lived_credentials") || line.starts_with("keyless_audit_failures"))
            && line.ends_with(" 0")
    };
    assert!(complete || !text.lines().any(is_zero), "a zero that was not seen: {text}");
    match () {
        () if has("keyless_audit_verdict{verdict=\"zero\"} 1") => {
            assert!(has("keyless_audit_failures 0"), "{text}");
            Reading::Pass
        }
        () if has("keyless_audit_verdict{verdict=\"found\"} 1") => Reading::Fail,
        () if has("keyless_audit_verdict{verdict=\"zero-except\"} 1") => Reading::Excepted,
        () => Reading::NotJudged,
    }
}

fn html(evidence: &Evidence) -> Reading {
    let text = written("html", evidence);
    let body = text.split("</style>").nth(1).unwrap();
    let of = |class: &str| body.contains(&format!("<div class=\"verdict {class}\">"));
    let title = text.split("<title>").nth(1).unwrap().split(',').next().unwrap();
    assert_eq!(title.contains("ZERO"), of("good"));
    let excepted = title.contains("NONE BUT EXCEPTIONS");
    assert_eq!(body.matches("This is not a pass.").count(), usize::from(of("open") && !excepted));
    match (of("good"), of("bad"), of("open")) {
        (true, false, false) => Reading::Pass,
        (false, true, false) => Reading::Fail,
        (false, false, true) if excepted => Reading::Excepted,
        (false, false, true) => Reading::NotJudged,
        all => panic!("{all:?}"),
    }
}

/// The predicate has no third result: what is not complete fails.
fn in_toto(evidence: &Evidence) -> Reading {
    let statement = json("in-toto", evidence);
    let predicate = &statement["predicate"];
    let digest = evidence::sha256(written("json", evidence).as_bytes());
    assert_eq!(statement["subject"][0]["digest"]["sha256"], digest.as_str());
    let failed = predicate["failedTests"].as_array().unwrap();
    let incomplete = failed.iter().any(|name| name == "complete");
    assert_eq!(incomplete, !evidence.outcome().is_complete());
    match predicate["result"].as_str().unwrap() {
        "PASSED" => {
            assert!(failed.is_empty());
            Reading::Pass
        }
        "WARNED" => Reading::Excepted,
        "FAILED" if incomplete && failed.len() == 1 => Reading::NotJudged,
        "FAILED" => Reading::Fail,
        other => panic!("{other}"),
    }
}

fn of_json(evidence: &Evidence) -> Reading {
    match json("json", evidence)["verdict"].as_str().unwrap() {
        "zero" => Reading::Pass,
        "found" => Reading::Fail,
        "zero-except" => Reading::Excepted,
        "incomplete" | "nothing-to-judge" => Reading::NotJudged,
        other => panic!("{other}"),
    }
}

type Reader = fn(&Evidence) -> Reading;

const READERS: [(&str, Reader); 8] = [
    ("json", of_json),
    ("html", html),
    ("in-toto", in_toto),
    ("junit", junit),
    ("openreports", openreports),
    ("oscal", oscal),
    ("prometheus", prometheus),
    ("sarif", sarif),
];

#[track_caller]
fn agrees(verdict: &Verdict) {
    let evidence = fakes::evidence(verdict);
    let wanted = wanted(verdict.outcome());
    for (id, read) in READERS {
        assert_eq!(read(&evidence), wanted, "{id}: {}", verdict.headline());
    }
    assert_eq!(rules::failures(verdict) > 0, wanted == Reading::Fail, "{}", verdict.headline());
}

#[test]
fn every_format_has_a_reader() {
    let read: Vec<_> = READERS.iter().map(|(id, _)| *id).collect();
    assert_eq!(read, FORMATS.iter().map(|format| format.id).collect::<Vec<_>>());
}

#[test]
fn every_format_says_the_outcome() {
    let mut combinations = 0;
    for number in 0..(3 * 2 * 2 * 2 * 2 * 2 * 2) {
        let (roots, platform, findings) = (number % 3, number / 3 % 2, number / 6 % 2);
        let (unknown, unseen) = (number / 12 % 2, number / 24 % 2);
        let installed = number / 48 % 2 == 1;
        let gate = if number / 96 == 1 { Gate::Platform } else { Gate::Mission };
        agrees(&of_parts(roots, platform, findings, unknown, unseen, installed).through(gate));
        combinations += 1;
    }
    assert_eq!(combinations, 192);
    fakes::all().iter().for_each(|(_, verdict)| agrees(verdict));
}

/// A rule that found something has failed, and none passes where something was not read.
#[test]
fn rule_states_follow_the_verdict() {
    let state = |verdict: &Verdict, code: &str| {
        rules::judged(verdict).into_iter().find(|it| it.rule.name == code).unwrap().state
    };
    let found = fakes::found();
    for code in ["stored-credential", "google-key", "token-audience"] {
        assert_eq!(state(&found, crate::audit::catalogue::code_of(code)), RuleState::Fail, "{code}");
    }
    let legacy = crate::audit::catalogue::code_of("legacy-token");
    assert_eq!(state(&found, legacy), RuleState::Pass, "the gate lets it through");
    assert_eq!(state(&found.through(Gate::Platform), legacy), RuleState::Fail);
    for verdict in [fakes::incomplete(), fakes::nothing()] {
        assert!(
            rules::judged(&verdict).iter().all(|it| it.state != RuleState::Pass),
            "{}",
            verdict.headline()
        );
    }
    assert!(rules::judged(&fakes::zero()).iter().all(|it| it.state == RuleState::Pass));
}
