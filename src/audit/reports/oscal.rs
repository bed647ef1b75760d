//! PURE. OSCAL assessment results (NIST), as JSON. A finding is satisfied or not-satisfied there: what was not judged is
//! not-satisfied, and its remarks say so. UUIDs come out of the content.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    Evidence, Format,
    escape::one_line,
    item::{Bearing, Item, items},
    rules::{Judged, judged},
    uuid::uuid,
};
use crate::{
    audit::{Outcome, states::RuleState},
    redact,
};

pub(super) const FORMAT: Format = Format {
    id: "oscal",
    extension: "oscal.json",
    summary: "OSCAL assessment results, for compliance tools",
    write,
    several: None,
};

const OSCAL: &str = "1.1.2";
/// Whose names the properties are.
const NAMESPACE: &str = "urn:keyless:audit:v1";
/// NIST SP 800-53: no embedded unencrypted static authenticators. Evidence for a part of it.
const CONTROL: &str = "ia-5.7";

fn write(evidence: &Evidence) -> String {
    let digest = evidence.json_digest();
    let seed = [evidence.cluster_uid().unwrap_or_default(), &*evidence.time_in_words(), &digest].join(" ");
    let id = |parts: &[&str]| uuid(&[&[seed.as_str()], parts].concat());
    let time = evidence.time_in_words();
    let verdict = &evidence.verdict;
    let items = items(verdict);
    let observations = items.iter().map(|item| observation(item, &time, &id));
    let states = judged(verdict).into_iter();
    let findings = states.map(|it| of_rule(&it, &items, &id));
    let findings: Vec<_> = std::iter::once(of_verdict(evidence, &items, &id)).chain(findings).collect();
    let mut result = json!({
        "uuid": id(&["result"]),
        "title": one_line(&verdict.headline()),
        "description": format!("What keyless audit came to with the gate {}. Beyond it: {}.", evidence.gate(), verdict.beyond()),
        "start": time,
        "end": time,
        "props": properties(evidence),
        "reviewed-controls": { "control-selections": [{
            "description": "The audit is evidence for a part of this control: the cluster's own stored credentials.",
            "include-controls": [{ "control-id": CONTROL }],
        }]},
        "findings": findings,
    });
    let observations: Vec<_> = observations.collect();
    if !observations.is_empty() {
        result["observations"] = json!(observations);
    }
    let document = json!({ "assessment-results": {
        "uuid": id(&["assessment-results"]),
        "metadata": {
            "title": format!("keyless audit of the cluster {}", one_line(evidence.cluster_name())),
            "last-modified": time,
            "version": evidence.version,
            "oscal-version": OSCAL,
        },
        // A plan is required, and there is none: the resource says so.
        "import-ap": { "href": format!("#{}", id(&["plan"])) },
        "results": [result],
        "back-matter": { "resources": [
            {
                "uuid": id(&["plan"]),
                "title": "No assessment plan",
                "description": "The audit follows no assessment plan: it applies every rule that this version has.",
            },
            {
                "uuid": id(&["json"]),
                "title": "The JSON result of the same run",
                "rlinks": [{
                    "href": "audit.json",
                    "media-type": "application/json",
                    "hashes": [{ "algorithm": "SHA-256", "value": digest }],
                }],
            },
        ]},
    }});
    format!("{}\n", redact::ascii_escapes(&format!("{document:#}")))
}

fn properties(evidence: &Evidence) -> Vec<Value> {
    let count = evidence.verdict.count().map_or_else(|| "unknown".to_owned(), |count| count.to_string());
    let all = [
        ("verdict", Some(evidence.outcome().name().to_owned())),
        ("complete", Some(evidence.outcome().is_complete().to_string())),
        ("count", Some(count)),
        ("gate", Some(evidence.gate().to_owned())),
        ("tool-version", Some(evidence.version.to_owned())),
        ("cluster-context", evidence.context().map(str::to_owned)),
        ("cluster-server", evidence.server().map(str::to_owned)),
        ("cluster-uid", evidence.cluster_uid().map(str::to_owned)),
    ];
    all.into_iter().filter_map(|(name, value)| Some(property(name, &value?))).collect()
}

fn property(name: &str, value: &str) -> Value {
    json!({ "ns": NAMESPACE, "name": name, "value": one_line(value) })
}

fn observation(item: &Item, time: &str, id: &dyn Fn(&[&str]) -> String) -> Value {
    let bearing = match item.bearing {
        Bearing::Fails => "must-not-be-there",
        Bearing::Open => "not-judged",
        Bearing::Listed => "listed",
        Bearing::Note => "note",
    };
    let mut props = vec![
        property("code", item.code),
        property("bearing", bearing),
        property("severity", item.severity.name()),
        property("id", &item.id),
    ];
    props.extend(item.class.map(|class| property("class", &class.letter().to_string())));
    props.extend(item.places.iter().map(|place| property("place", &place.to_string())));
    json!({
        "uuid": id(&["observation", &item.number.to_string(), &item.id]),
        "title": one_line(&item.title),
        "description": one_line(&item.message()),
        "props": props,
        "methods": ["EXAMINE"],
        "types": ["finding"],
        "collected": time,
        "remarks": one_line(&item.remedy()),
    })
}

/// The finding about everything. Of a verdict that is not zero, none is satisfied.
fn of_verdict(evidence: &Evidence, items: &[Item], id: &dyn Fn(&[&str]) -> String) -> Value {
    let outcome = evidence.outcome();
    let remarks = match outcome {
        Outcome::Zero => "Everything was looked at, and nothing within the gate was found.",
        Outcome::ZeroExcept => {
            "EXCEPTIONS: everything was looked at, and nothing within the gate was found but what is excepted. The owner of an exception \
             accepts its risk."
        }
        Outcome::Found { complete: true } => "Everything was looked at.",
        Outcome::Found { complete: false } => {
            "INCOMPLETE: not everything could be read or judged. There may be more than was found."
        }
        Outcome::Incomplete => {
            "INCOMPLETE: nothing within the gate was found, but not everything could be read or judged. This is not a failure of the \
             cluster, and no proof of anything."
        }
        Outcome::NothingToJudge => {
            "NOTHING TO JUDGE: External Secrets Operator is not installed. Nothing was proved."
        }
    };
    let of = |item: &Item| matches!(item.bearing, Bearing::Fails | Bearing::Open);
    finding(
        &id(&["finding", "verdict"]),
        &evidence.verdict.headline(),
        "keyless-verdict",
        outcome == Outcome::Zero,
        remarks,
        related(items, &of, id),
    )
}

fn of_rule(it: &Judged, items: &[Item], id: &dyn Fn(&[&str]) -> String) -> Value {
    let remarks = match it.state {
        RuleState::Pass => {
            "Everything that the rule needs was read, and nothing within the gate was found.".to_owned()
        }
        RuleState::Fail => it.rule.remedy.to_owned(),
        RuleState::Excepted => format!("EXCEPTED: {}", it.why),
        RuleState::NotEvaluated => format!("NOT EVALUATED: {}", it.why),
        RuleState::NotApplicable => format!("NOT APPLICABLE: {}", it.why),
    };
    let own: BTreeSet<usize> = it.items.iter().map(|own| own.number).collect();
    let of = |item: &Item| own.contains(&item.number);
    finding(
        &id(&["finding", it.rule.name]),
        &format!("{} {}: {}", it.rule.name, it.rule.id, it.rule.meaning),
        it.rule.name,
        it.state == RuleState::Pass,
        &remarks,
        related(items, &of, id),
    )
}

fn related(items: &[Item], of: &dyn Fn(&Item) -> bool, id: &dyn Fn(&[&str]) -> String) -> Vec<Value> {
    let related = items.iter().filter(|item| of(item));
    related
        .map(|item| json!({ "observation-uuid": id(&["observation", &item.number.to_string(), &item.id]) }))
        .collect()
}

fn finding(
    id: &str,
    title: &str,
    target: &str,
    satisfied: bool,
    remarks: &str,
    related: Vec<Value>,
) -> Value {
    let state = if satisfied { "satisfied" } else { "not-satisfied" };
    let mut finding = json!({
        "uuid": id,
        "title": one_line(title),
        "description": one_line(title),
        "target": {
            "type": "objective-id",
            "target-id": target,
            "status": { "state": state, "remarks": one_line(remarks) },
        },
    });
    if !related.is_empty() {
        finding["related-observations"] = json!(related);
    }
    finding
}
