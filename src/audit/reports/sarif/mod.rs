//! PURE. SARIF 2.1.0 (OASIS), in the subset that code scanning takes: each result has a rule with help, a place and a
//! fingerprint that does not change with the order of results.

mod several;

use serde_json::{Value, json};

use super::{
    Evidence, Format,
    escape::segment,
    evidence::sha256,
    item::{Bearing, Item, NOT_SEEN, described, items},
    place::Place,
    rules::judged,
};
use crate::{audit::Outcome, credentials::Severity, redact};

pub(super) const FORMAT: Format = Format {
    id: "sarif",
    extension: "sarif",
    summary: "SARIF 2.1.0, for code scanning",
    write,
    several: Some(several::write),
};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// The rules of the result that says that the audit is no pass, although it found nothing.
const INCOMPLETE: &str = "audit-incomplete";
const NOTHING: &str = "nothing-to-judge";
/// More of one result are not shown anywhere; the JSON result has them.
const MOST_PLACES: usize = 100;

fn write(evidence: &Evidence) -> String {
    let of = evidence.cluster_uid().unwrap_or_else(|| evidence.cluster_name());
    log(json!({ "$schema": SCHEMA, "version": "2.1.0", "runs": [run(evidence, &segment(of))] }))
}

fn log(log: Value) -> String {
    format!("{}\n", redact::ascii_escapes(&format!("{log:#}")))
}

/// `of` names the cluster as a part of a path.
fn run(evidence: &Evidence, of: &str) -> Value {
    let verdict = &evidence.verdict;
    let items = items(verdict);
    let mut results: Vec<_> = items.iter().map(result).collect();
    // What was not judged has no level, and code scanning shows it as nothing: the audit itself is a failure then.
    match evidence.outcome() {
        Outcome::NothingToJudge => results.push(of_the_whole(evidence, NOTHING)),
        outcome if !outcome.is_complete() => results.push(of_the_whole(evidence, INCOMPLETE)),
        _ => {}
    }
    if verdict.exceptions.is_some() {
        // A log that says of one result whether it is suppressed says it of each (3.27.23).
        for (result, item) in results.iter_mut().zip(items.iter().map(Some).chain([None])) {
            result["suppressions"] = suppressions(item);
        }
    }
    let complete = evidence.outcome().is_complete();
    let open = items.iter().filter(|item| item.bearing == Bearing::Open);
    let notifications = open.map(|item| {
        json!({
            "level": "error",
            "descriptor": { "id": NOT_SEEN },
            "message": { "text": format!("{} {}", sentence(&item.message()), item.remedy()) },
        })
    });
    json!({
        "tool": tool(evidence.version, &rules(evidence)),
        "automationDetails": automation(of),
        "invocations": [{
            "executionSuccessful": complete,
            "exitCode": evidence.verdict.exit().code(),
            "endTimeUtc": evidence.time_in_words(),
            "toolExecutionNotifications": notifications.collect::<Vec<_>>(),
        }],
        "columnKind": "utf16CodeUnits",
        "results": results,
        "properties": {
            "verdict": evidence.outcome().name(),
            "headline": verdict.headline(),
            "complete": complete,
            "count": verdict.count(),
            "gate": evidence.gate(),
            "cluster": { "context": evidence.context(), "server": evidence.server(), "uid": evidence.cluster_uid() },
            "jsonSha256": evidence.json_digest(),
            "beyond": verdict.beyond(),
        },
    })
}

fn tool(version: &str, rules: &[Value]) -> Value {
    json!({ "driver": {
        "name": "keyless",
        "fullName": "keyless audit",
        "version": version,
        "semanticVersion": version,
        "rules": rules,
        "notifications": [{
            "id": NOT_SEEN,
            "name": "NotSeen",
            "shortDescription": { "text": "What could not be read or judged." },
            "fullDescription": { "text": "What could not be read or judged. The verdict is INCOMPLETE." },
            "help": { "text": "Let the audit read them; deploy/auditor grants what it needs." },
            "defaultConfiguration": { "level": "error" },
        }],
    }})
}

fn automation(of: &str) -> Value {
    json!({
        "id": format!("keyless-audit/{of}/"),
        "description": { "text": "The long-lived credentials of one cluster." },
    })
}

fn rules(evidence: &Evidence) -> Vec<Value> {
    let own = judged(&evidence.verdict).into_iter().map(|it| {
        let recognised = [it.rule.recognised, "What to do:", it.rule.remedy].join(" ");
        rule(
            it.rule.name,
            it.rule.id,
            it.rule.meaning,
            recognised.trim(),
            it.rule.severity,
            Some(it.state.name()),
        )
    });
    let not_seen = rule(
        NOT_SEEN,
        NOT_SEEN,
        "objects that could not be read, or that are of an unknown kind",
        "Let the audit read them; deploy/auditor grants what it needs.",
        Severity::High,
        None,
    );
    let nothing = rule(
        NOTHING,
        NOTHING,
        "External Secrets Operator is not installed, so nothing was judged",
        "Audit the cluster that External Secrets Operator runs in.",
        Severity::Medium,
        None,
    );
    own.chain([not_seen, incomplete(), nothing]).collect()
}

fn incomplete() -> Value {
    rule(
        INCOMPLETE,
        INCOMPLETE,
        "not everything could be read or judged, so this audit proves nothing about the rest",
        "Grant what is missing, or judge by hand what this version does not know; then audit again.",
        Severity::High,
        None,
    )
}

fn rule(code: &str, id: &str, meaning: &str, help: &str, severity: Severity, state: Option<&str>) -> Value {
    let meaning = sentence(meaning);
    json!({
        "id": code,
        "name": pascal(id),
        "shortDescription": { "text": meaning },
        "fullDescription": { "text": meaning },
        "help": { "text": help.trim() },
        "defaultConfiguration": { "level": "error" },
        "properties": {
            "tags": ["security", "secrets"],
            "precision": "high",
            "problem.severity": "error",
            "security-severity": score(severity),
            "state": state,
        },
    })
}

fn result(item: &Item) -> Value {
    let (kind, level) = match item.bearing {
        Bearing::Fails => ("fail", "error"),
        Bearing::Listed => ("fail", if item.severity == Severity::Medium { "note" } else { "warning" }),
        Bearing::Open => ("open", "none"),
        Bearing::Note => ("informational", "none"),
    };
    let text = format!("{} What to do: {}", sentence(&item.message()), item.remedy());
    json!({
        "ruleId": item.code,
        "kind": kind,
        "level": level,
        "message": { "text": text },
        "locations": item.places.iter().take(MOST_PLACES).map(location).collect::<Vec<_>>(),
        "partialFingerprints": { "keylessId/v1": fingerprint(item.code, &item.id) },
        "properties": {
            "id": item.id,
            "class": item.class.map(|class| class.letter().to_string()),
            "morePlaces": item.more_places + item.places.len().saturating_sub(MOST_PLACES),
            "security-severity": described(item.code).map_or(score(item.severity), |it| score(it.severity)),
        },
    })
}

/// Who answers for it. Empty: no exception covers it.
fn suppressions(item: Option<&Item>) -> Value {
    let excuse = item.and_then(|item| item.excepted.as_ref());
    let suppressions = excuse.into_iter().map(|it| {
        json!({
            "kind": "external",
            "status": "accepted",
            "justification": it.reason,
            "properties": { "owner": it.owner, "lastDay": it.until, "control": it.control },
        })
    });
    suppressions.collect()
}

fn of_the_whole(evidence: &Evidence, rule: &str) -> Value {
    of_cluster(evidence.cluster_name(), rule, &evidence.verdict.headline())
}

fn of_cluster(name: &str, rule: &str, why: &str) -> Value {
    let place = Place { kind: "Cluster".into(), namespace: None, name: name.into(), path: None };
    json!({
        "ruleId": rule,
        "kind": "fail",
        "level": "error",
        "message": { "text": sentence(why) },
        "locations": [location(&place)],
        "partialFingerprints": { "keylessId/v1": fingerprint(rule, "") },
    })
}

/// The first line is as good as any: an object has none.
fn location(place: &Place) -> Value {
    json!({
        "physicalLocation": { "artifactLocation": { "uri": place.uri() }, "region": { "startLine": 1 } },
        "logicalLocations": [{ "fullyQualifiedName": place.qualified(), "name": place.name, "kind": "resource" }],
    })
}

pub(super) fn fingerprint(code: &str, id: &str) -> String {
    sha256(format!("{}:{code}:{id}", code.len()).as_bytes())
}

/// As code scanning orders them: critical is 9.0 and more, high 7.0, medium 4.0.
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
    }
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut chars = text.trim().chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let text = format!("{first}{}", chars.as_str());
    if text.ends_with(['.', '!', '?']) { text } else { format!("{text}.") }
}

fn pascal(id: &str) -> String {
    let words = id.split('-').map(|word| {
        let mut chars = word.chars();
        let first = chars.next().map(|first| first.to_ascii_uppercase().to_string()).unwrap_or_default();
        format!("{first}{}", chars.as_str())
    });
    words.collect()
}
