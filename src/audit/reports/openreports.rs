//! PURE. OpenReports (openreports.io/v1alpha1): one ClusterReport with the verdict, the rules and what lies in no
//! namespace, and one Report for each namespace in which something is named.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Evidence, Format,
    item::{Bearing, Item, items},
    place::{Place, is_label},
    rules::judged,
};
use crate::{
    audit::{Outcome, states::RuleState},
    cluster::objects::Object,
    credentials::Severity,
    secret_store::to_yaml,
};

pub(super) const FORMAT: Format = Format {
    id: "openreports",
    extension: "yaml",
    summary: "OpenReports objects (openreports.io/v1alpha1) to apply to the cluster",
    write,
    several: None,
};

const NAME: &str = "keyless-audit";
const RESULTS: [&str; 5] = ["pass", "fail", "warn", "error", "skip"];
/// An object of the API server has a limit: the JSON result has everything.
const MOST_RESULTS: usize = 500;

fn write(evidence: &Evidence) -> String {
    let mut of_cluster = vec![of_verdict(evidence)];
    let mut by_namespace: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for item in items(&evidence.verdict) {
        let mut elsewhere: Vec<&Place> = Vec::new();
        let mut own: BTreeMap<&str, Vec<&Place>> = BTreeMap::new();
        for place in &item.places {
            match place.namespace.as_deref().filter(|namespace| is_label(namespace)) {
                Some(namespace) => own.entry(namespace).or_default().push(place),
                None => elsewhere.push(place),
            }
        }
        if !elsewhere.is_empty() || own.is_empty() {
            of_cluster.push(of_item(evidence, &item, &elsewhere));
        }
        for (namespace, places) in own {
            by_namespace.entry(namespace.to_owned()).or_default().push(of_item(evidence, &item, &places));
        }
    }
    // What failed is named above, object by object.
    let rules = judged(&evidence.verdict);
    of_cluster.extend(rules.iter().filter_map(|it| {
        let (result, message) = match it.state {
            RuleState::Fail => return None,
            RuleState::Pass => ("pass", it.rule.meaning.to_owned()),
            RuleState::Excepted => ("warn", it.why.clone()),
            RuleState::NotEvaluated => ("error", it.why.clone()),
            RuleState::NotApplicable => ("skip", it.why.clone()),
        };
        Some(entry(
            evidence,
            it.rule.name,
            it.rule.severity,
            result,
            &message,
            json!({ "rule-id": it.rule.id }),
        ))
    }));
    let cluster = report(evidence, None, of_cluster);
    let others =
        by_namespace.into_iter().map(|(namespace, results)| report(evidence, Some(&namespace), results));
    let objects: Vec<_> = std::iter::once(cluster).chain(others).map(Object).collect();
    // Every JSON is YAML as well (YAML 1.2 §1.3).
    to_yaml(&objects)
        .unwrap_or_else(|_| objects.iter().map(|object| format!("---\n{:#}\n", object.0)).collect())
}

fn report(evidence: &Evidence, namespace: Option<&str>, mut results: Vec<Value>) -> Value {
    let summary = RESULTS.map(|name| (name, results.iter().filter(|it| it["result"] == name).count()));
    let summary: BTreeMap<_, _> = summary.into_iter().collect();
    let more = results.len().saturating_sub(MOST_RESULTS);
    if more > 0 {
        results.truncate(MOST_RESULTS);
        let message =
            format!("{more} more results are left out here and counted above: the JSON result has them");
        results.push(entry(evidence, "more", Severity::High, "warn", &message, json!({})));
    }
    let mut metadata = json!({
        "name": NAME,
        "labels": { "app.kubernetes.io/managed-by": "keyless" },
    });
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    json!({
        "apiVersion": "openreports.io/v1alpha1",
        "kind": if namespace.is_some() { "Report" } else { "ClusterReport" },
        "metadata": metadata,
        "source": "keyless",
        "summary": summary,
        "results": results,
    })
}

fn of_verdict(evidence: &Evidence) -> Value {
    let result = match evidence.outcome() {
        Outcome::Zero => "pass",
        Outcome::ZeroExcept => "warn",
        Outcome::Found { .. } => "fail",
        Outcome::Incomplete | Outcome::NothingToJudge => "error",
    };
    let properties = json!({
        "verdict": evidence.outcome().name(),
        "gate": evidence.gate(),
        "complete": evidence.outcome().is_complete().to_string(),
        "json-sha256": evidence.json_digest(),
    });
    entry(evidence, "verdict", Severity::Critical, result, &evidence.verdict.headline(), properties)
}

fn of_item(evidence: &Evidence, item: &Item, places: &[&Place]) -> Value {
    let result = match item.bearing {
        Bearing::Fails => "fail",
        Bearing::Open => "error",
        Bearing::Listed | Bearing::Note => "warn",
    };
    let mut properties = json!({ "id": item.id, "remedy": item.remedy() });
    if let Some(class) = item.class {
        properties["class"] = json!(class.letter().to_string());
    }
    let resources: Vec<_> =
        places.iter().filter(|place| place.kind != "Cluster").map(|it| resource(it)).collect();
    let mut entry = entry(evidence, item.code, item.severity, result, &item.message(), properties);
    if !resources.is_empty() {
        entry["resources"] = json!(resources);
    }
    entry
}

fn resource(place: &Place) -> Value {
    let whole = place.whole();
    let mut resource = json!({ "kind": whole.kind, "name": whole.name });
    if let Some(version) = whole.api_version() {
        resource["apiVersion"] = json!(version);
    }
    if let Some(namespace) = whole.namespace {
        resource["namespace"] = json!(namespace);
    }
    if let Some(path) = &place.path {
        resource["fieldPath"] = json!(path);
    }
    resource
}

fn entry(
    evidence: &Evidence,
    code: &str,
    severity: Severity,
    result: &str,
    message: &str,
    properties: Value,
) -> Value {
    json!({
        "policy": "keyless-audit",
        "rule": code,
        "category": "Long-lived credentials",
        "source": "keyless",
        "severity": severity.name(),
        "result": result,
        "scored": true,
        "message": message,
        "properties": properties,
        "timestamp": { "seconds": evidence.time, "nanos": 0 },
    })
}
