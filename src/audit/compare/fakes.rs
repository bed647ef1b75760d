//! Results for the tests, as texts of the form that is saved.

use std::path::Path;

use serde_json::{Value, json};

use super::Saved;
use crate::audit::Verdict;

pub(super) const UID: &str = "1f0e4a52-8d1c-4f0e-9a53-0c2b7d1e6f90";

/// A result whose members agree: as many of the class `root` as there are, and what was not seen.
pub(super) fn result(credentials: &[Value], not_seen: usize) -> Value {
    let within = credentials.iter().filter(|it| it["class"] == "root").count();
    let (verdict, count) = match (within, not_seen) {
        (0, 0) => ("zero", json!(0)),
        (0, _) => ("incomplete", Value::Null),
        _ => ("found", json!(within)),
    };
    json!({
        "apiVersion": "keyless/v1", "command": "audit", "schema": "keyless/audit/v1",
        "target": { "cluster": { "uid": UID } },
        "verdict": verdict, "headline": "h", "gate": "mission", "mode": "deep", "complete": not_seen == 0, "count": count,
        "credentials": credentials, "excepted": [], "findings": [], "notJudged": [],
        "notSeen": vec![json!({"what": "pods", "right": "list pods", "why": "forbidden"}); not_seen],
    })
}

/// One that lies in these keys of Secrets, e.g. `shop/aws/key`; `shop/aws`: in a whole one.
pub(super) fn credential(id: &str, class: &str, codes: &[&str], secrets: &[&str]) -> Value {
    let secrets = secrets.iter().map(|place| {
        let mut parts = place.splitn(3, '/');
        json!({"namespace": parts.next(), "name": parts.next(), "key": parts.next()})
    });
    json!({
        "id": id, "what": format!("what {id} is"), "class": class, "codes": codes,
        "secrets": secrets.collect::<Vec<_>>(), "configMaps": [], "objects": [], "morePlaces": 0, "places": [],
    })
}

/// A key that lies in `shop/aws`.
pub(super) fn aws(number: usize) -> Value {
    credential(&format!("aws:{number}"), "root", &["KL111"], &[&format!("shop/aws-{number}/key")])
}

#[track_caller]
pub(super) fn read(result: &Value) -> Saved {
    Saved::parse(&result.to_string(), Path::new("result.json")).unwrap()
}

/// As a run saves it.
#[track_caller]
pub(super) fn saved(verdict: &Verdict) -> Saved {
    let mut result = verdict.to_json();
    (result["apiVersion"], result["command"]) = (json!("keyless/v1"), json!("audit"));
    result["target"] = json!({ "cluster": { "uid": UID } });
    read(&result)
}
