//! PURE. Prometheus' text format, for the textfile collector or a Pushgateway. Labels have few values: no names of the
//! cluster. A number of zero is only given where it was seen.

use super::{
    Evidence, Format,
    escape::label,
    item::items,
    rules::{failures, judged},
    sarif::fingerprint,
};
use crate::{audit::states::RuleState, credentials::Class};

pub(super) const FORMAT: Format = Format {
    id: "prometheus",
    extension: "prom",
    summary: "Prometheus' text format, for the textfile collector",
    write,
};

const VERDICTS: [&str; 5] = ["zero", "zero-except", "found", "incomplete", "nothing-to-judge"];

fn write(evidence: &Evidence) -> String {
    let verdict = &evidence.verdict;
    let complete = evidence.outcome().is_complete();
    let mut to = String::new();
    let mut gauge = |name: &str, help: &str, values: Vec<(String, String)>| {
        if !values.is_empty() {
            to.push_str(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n"));
            for (labels, value) in values {
                to.push_str(&format!("{name}{labels} {value}\n"));
            }
        }
    };
    let one = |value: usize| vec![(String::new(), value.to_string())];
    gauge(
        "keyless_audit_info",
        "Which program judged, and by which gate; always 1.",
        vec![(
            format!("{{version=\"{}\",gate=\"{}\"}}", label(evidence.version), label(evidence.gate())),
            "1".into(),
        )],
    );
    gauge(
        "keyless_audit_timestamp_seconds",
        "When the audit ended.",
        vec![(String::new(), evidence.time.to_string())],
    );
    gauge(
        "keyless_audit_complete",
        "Whether everything was looked at and could be judged, 1 or 0. With 0, what is not listed is unknown.",
        one(usize::from(complete)),
    );
    let outcome = evidence.outcome().name();
    let verdicts = VERDICTS.iter().map(|name| of("verdict", name, usize::from(*name == outcome)));
    gauge(
        "keyless_audit_verdict",
        "What the audit came to: 1 for that verdict, 0 for the others.",
        verdicts.collect(),
    );
    let classes = [
        ("root", Class::Root),
        ("platform", Class::Platform),
        ("irreducible", Class::Irreducible),
        ("root_key", Class::RootKey),
    ];
    let counts = classes.map(|(name, class)| (name, verdict.count_of(class)));
    let counts = counts.into_iter().filter(|(_, count)| complete || *count > 0);
    gauge(
        "keyless_long_lived_credentials",
        "Distinct long-lived credentials by class, at least. A zero is only given if the audit is complete.",
        counts.map(|(name, count)| of("class", name, count)).collect(),
    );
    let within = failures(verdict);
    gauge(
        "keyless_audit_failures",
        "Credentials within the gate and findings, at least. A zero is only given if the audit is complete.",
        if complete || within > 0 { one(within) } else { Vec::new() },
    );
    gauge(
        "keyless_audit_excepted",
        "Credentials for which the file of exceptions names who answers.",
        if verdict.exceptions.is_some() { one(verdict.excepted.len()) } else { Vec::new() },
    );
    let expiry = items(verdict).into_iter().filter(|item| item.excepted.is_some()).zip(&verdict.excepted);
    let expiry = expiry.map(|(item, it)| {
        let class = it.root.class.letter().to_string();
        let labels = [
            ("exception", &fingerprint(item.code, &item.id)[..16]),
            ("code", item.code),
            ("class", &class),
            ("owner", &it.owner),
        ];
        let labels = labels.map(|(name, value)| format!("{name}=\"{}\"", label(value))).join(",");
        (format!("{{{labels}}}"), it.ends.to_string())
    });
    gauge(
        "keyless_exception_expiry_timestamp_seconds",
        "When an exception ends that covers a credential. Its label is the begin of the result's fingerprint in SARIF.",
        expiry.collect(),
    );
    gauge("keyless_audit_not_seen", "Things that could not be read or judged.", one(verdict.not_seen()));
    let legs = verdict.legs().map(|leg| {
        let labels =
            format!("{{leg=\"{}\",state=\"{}\"}}", leg.name.title(), leg.state.title().replace(' ', "-"));
        (labels, "1".to_owned())
    });
    gauge("keyless_audit_leg", "What each side came to; always 1.", legs.to_vec());
    let judged = judged(verdict);
    let states = RuleState::ALL.map(|state| {
        let count = judged.iter().filter(|it| it.state == state).count();
        of("state", state.name(), count)
    });
    gauge("keyless_audit_rules", "Rules and kinds of credentials by what they came to.", states.to_vec());
    to
}

fn of(name: &str, value: &str, count: usize) -> (String, String) {
    (format!("{{{name}=\"{}\"}}", label(value)), count.to_string())
}
