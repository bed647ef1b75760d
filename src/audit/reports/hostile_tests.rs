//! Text from the cluster stays text, whether it was cleaned before or not.

use serde_json::Value;

use super::{
    fakes::{self, HOSTILE, evidence, evidence_by, hostile},
    *,
};
use crate::audit::states::RuleState;

/// Cleaned as in a run, and as it comes.
fn both() -> [Evidence; 2] {
    [evidence(&hostile()), evidence_by(&hostile(), &str::to_owned)]
}

fn written(id: &str, evidence: &Evidence) -> String {
    (Format::named(id).unwrap().write)(evidence)
}

/// Tags are balanced, and nothing but tags begins with `<`. The names of the elements.
#[track_caller]
fn elements(markup: &str) -> Vec<&str> {
    let (mut open, mut all) = (Vec::new(), Vec::new());
    for piece in markup.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').unwrap_or_else(|| panic!("no end: {piece}"));
        let name = tag.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap();
        if tag.starts_with(['!', '?']) || ["meta", "path", "property"].contains(&name) {
            continue;
        }
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{piece}"),
            None => {
                open.push(name);
                all.push(name);
            }
        }
    }
    assert!(open.is_empty(), "{open:?}");
    all
}

#[test]
fn hostile_text_is_no_markup() {
    let known = [
        "body",
        "code",
        "dd",
        "div",
        "dl",
        "dt",
        "failure",
        "footer",
        "error",
        "h1",
        "h2",
        "h3",
        "h4",
        "head",
        "header",
        "html",
        "li",
        "main",
        "p",
        "properties",
        "section",
        "skipped",
        "span",
        "style",
        "svg",
        "system-out",
        "table",
        "tbody",
        "td",
        "testcase",
        "testsuite",
        "testsuites",
        "th",
        "thead",
        "title",
        "tr",
        "ul",
    ];
    for evidence in both() {
        for id in ["html", "junit"] {
            let text = written(id, &evidence);
            let bad =
                text.chars().find(|c| c.is_control() && *c != '\n' || matches!(c, '\u{fffe}' | '\u{ffff}'));
            assert_eq!(bad, None, "{id}");
            for name in elements(&text) {
                assert!(known.contains(&name), "{id}: {name}");
            }
        }
    }
}

#[test]
fn page_asks_for_nothing() {
    for evidence in both() {
        let text = written("html", &evidence);
        for word in
            ["<script", "<img", "<link", "<iframe", " src=", " href=", "url(", "@import", "javascript:"]
        {
            let own = text.replace("src=x", "").replace(" src=&quot;", "");
            assert!(!own.contains(word), "{word}");
        }
    }
}

#[test]
fn hostile_text_stays_in_its_value() {
    for evidence in both() {
        for id in ["json", "sarif", "oscal", "in-toto"] {
            let document: Value = serde_json::from_str(&written(id, &evidence)).unwrap();
            assert!(document.is_object(), "{id}");
        }
        let text = written("openreports", &evidence);
        let mut kinds = Vec::new();
        for document in
            text.split("---\n").skip(1).filter(|it| it.starts_with("apiVersion") || it.starts_with('{'))
        {
            let report: Value = serde_saphyr::from_str(document).unwrap();
            kinds.push(format!("{} {}", report["kind"], report["metadata"]["namespace"]));
        }
        let wanted = [
            "\"ClusterReport\" null",
            "\"Report\" \"backup\"",
            "\"Report\" \"ci\"",
            "\"Report\" \"external-secrets\"",
        ];
        assert_eq!(&kinds[..4], wanted, "{kinds:?}");
        let text = written("prometheus", &evidence);
        let complete: Vec<_> =
            text.lines().filter(|line| line.starts_with("keyless_audit_complete")).collect();
        assert_eq!(complete, ["keyless_audit_complete 0"], "{text}");
        assert!(!text.contains("alert"), "no name is in it");
    }
}

#[test]
fn uris_hold_no_odd_character() {
    for evidence in both() {
        let log: Value = serde_json::from_str(&written("sarif", &evidence)).unwrap();
        let results = log["runs"][0]["results"].as_array().unwrap();
        let places = results.iter().flat_map(|it| it["locations"].as_array().unwrap());
        let mut count = 0;
        for place in places {
            let uri = place["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%/".contains(&byte);
            assert!(uri.bytes().all(fits) && uri.starts_with("k8s/") && uri.split('/').count() == 4, "{uri}");
            count += 1;
        }
        assert!(count > 10, "{count}");
    }
}

/// Of a cleaned report, every line can be printed on a terminal.
#[test]
fn cleaned_reports_are_printable() {
    let evidence = evidence(&hostile());
    for format in FORMATS {
        let text = (format.write)(&evidence);
        assert_eq!(crate::redact::document(&text), text, "{}", format.id);
        assert!(!text.contains(HOSTILE), "{}", format.id);
    }
}

/// A name that was left out is a name like others: it hides no credential, and no rule that found one.
#[test]
fn equal_ids_stay_apart() {
    let mut verdict = fakes::found();
    let mut other = verdict.roots[0].clone();
    other.hits.truncate(1);
    other.hits[0].rule = "aws-key";
    verdict.roots.push(other);
    for root in &mut verdict.roots {
        root.id = "…".into();
    }
    let failed: Vec<_> = rules::judged(&verdict)
        .into_iter()
        .filter(|it| it.state == RuleState::Fail)
        .map(|it| it.rule.id)
        .collect();
    assert_eq!(failed, ["google-key", "aws-key", "stored-credential", "token-audience"]);
    let document: Value = serde_json::from_str(&written("oscal", &evidence(&verdict))).unwrap();
    let observations = document["assessment-results"]["results"][0]["observations"].as_array().unwrap();
    let ids: std::collections::BTreeSet<_> =
        observations.iter().map(|it| it["uuid"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), observations.len());
}
