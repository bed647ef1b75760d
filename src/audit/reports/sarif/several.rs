//! PURE. Several clusters: a run for each, and every result names its cluster.

use serde_json::{Value, json};

use super::{
    INCOMPLETE, NOT_SEEN, SCHEMA, automation, incomplete, log, of_cluster, run, segment, sentence, tool,
};
use crate::audit::reports::FleetEvidence;

pub(super) fn write(fleet: &FleetEvidence) -> String {
    let runs = fleet.members().map(|(number, member)| {
        // Two contexts of one cluster are two runs, and code scanning takes each category once.
        let of = match (fleet.uid(number), fleet.is_former(number)) {
            (Some(uid), false) => segment(uid),
            (Some(uid), true) => format!("{}/{}", segment(uid), segment(member.name)),
            (None, _) => segment(member.name),
        };
        match member.evidence {
            Ok(evidence) => {
                let mut run = run(evidence, &of);
                let results = run["results"].as_array_mut().into_iter().flatten();
                results.for_each(|result| name(result, member.name));
                run
            }
            Err(_) => not_audited(fleet, number, &of),
        }
    });
    let runs: Vec<_> = runs.collect();
    log(json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": runs,
        "properties": {
            "verdict": fleet.outcome().name(),
            "headline": fleet.fleet.headline(),
            "complete": fleet.outcome().is_complete(),
            "count": fleet.fleet.count(),
            "clusters": fleet.fleet.clusters(),
            "jsonSha256": fleet.json_digest(),
        },
    }))
}

/// Says which cluster a result is about, in each of the places that programs show.
fn name(result: &mut Value, cluster: &str) {
    if let Some(text) = result["message"]["text"].as_str() {
        result["message"]["text"] = format!("Cluster {cluster}: {text}").into();
    }
    for location in result["locations"].as_array_mut().into_iter().flatten() {
        let uri = &mut location["physicalLocation"]["artifactLocation"]["uri"];
        if let Some(text) = uri.as_str() {
            *uri = format!("{}/{text}", segment(cluster)).into();
        }
        let logical = &mut location["logicalLocations"][0]["fullyQualifiedName"];
        if let Some(text) = logical.as_str() {
            *logical = format!("{cluster}: {text}").into();
        }
    }
}

/// The run of a cluster that could not be audited: it failed.
fn not_audited(fleet: &FleetEvidence, number: usize, of: &str) -> Value {
    let member = fleet.fleet.title(number);
    let why = fleet.member(number).headline();
    let message = sentence(&format!("{member}: {why}"));
    let mut result = of_cluster(fleet.name(number), INCOMPLETE, &message);
    name(&mut result, fleet.name(number));
    json!({
        "tool": tool(fleet.version, &[incomplete()]),
        "automationDetails": automation(of),
        "invocations": [{
            "executionSuccessful": false,
            "exitCode": 3,
            "endTimeUtc": fleet.time_in_words(),
            "toolExecutionNotifications": [{
                "level": "error",
                "descriptor": { "id": NOT_SEEN },
                "message": { "text": message },
            }],
        }],
        "columnKind": "utf16CodeUnits",
        "results": [result],
        "properties": { "verdict": "incomplete", "headline": why, "complete": false, "count": null },
    })
}
