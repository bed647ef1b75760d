//! PURE. An in-toto Statement v1 with a Test Result predicate (v0.1), about the JSON result by its digest. It is not
//! signed: `cosign attest-blob` and its like do that.

use serde_json::json;

use super::{Evidence, Format, evidence::sha256, rules::judged};
use crate::{
    audit::{Outcome, catalogue::catalogue, states::RuleState},
    redact,
};

pub(super) const FORMAT: Format = Format {
    id: "in-toto",
    extension: "intoto.json",
    summary: "in-toto Statement v1 with a Test Result about the JSON result, to be signed",
    write,
    several: None,
};

fn write(evidence: &Evidence) -> String {
    let judged = judged(&evidence.verdict);
    let named = |wanted: &[RuleState]| -> Vec<&str> {
        judged.iter().filter(|it| wanted.contains(&it.state)).map(|it| it.rule.name).collect()
    };
    let outcome = evidence.outcome();
    // What was not judged has not passed. The predicate has no word for it but this.
    let result = match outcome {
        Outcome::Zero => "PASSED",
        Outcome::ZeroExcept => "WARNED",
        Outcome::Found { .. } | Outcome::Incomplete | Outcome::NothingToJudge => "FAILED",
    };
    let mut failed = named(&[RuleState::Fail]);
    if !outcome.is_complete() {
        failed.push("complete");
    }
    let rules: Vec<_> = catalogue().iter().map(|it| format!("{} {}\n", it.name, it.id)).collect();
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "audit.json", "digest": { "sha256": evidence.json_digest() } }],
        "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
        "predicate": {
            "result": result,
            "configuration": [{
                "name": format!("keyless audit --gate {}", evidence.gate()),
                "digest": { "sha256": sha256(rules.concat().as_bytes()) },
                "annotations": {
                    "version": evidence.version,
                    "gate": evidence.gate(),
                    "verdict": outcome.name(),
                    "headline": evidence.verdict.headline(),
                    "complete": outcome.is_complete(),
                    "finishedOn": evidence.time_in_words(),
                    "clusterContext": evidence.context(),
                    "clusterServer": evidence.server(),
                    "clusterUid": evidence.cluster_uid(),
                },
            }],
            "passedTests": named(&[RuleState::Pass]),
            "warnedTests": named(&[RuleState::Excepted, RuleState::NotEvaluated, RuleState::NotApplicable]),
            "failedTests": failed,
        },
    });
    format!("{}\n", redact::ascii_escapes(&format!("{statement:#}")))
}
