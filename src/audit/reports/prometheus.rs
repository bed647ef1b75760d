//! PURE. Prometheus' text format, for the textfile collector or a Pushgateway. Labels have few values: no names of the
//! cluster. A number of zero is only given where it was seen.

use super::{
    Evidence, FleetEvidence, Format,
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
    several: Some(several),
};

const VERDICTS: [&str; 5] = ["zero", "zero-except", "found", "incomplete", "nothing-to-judge"];

/// One gauge: its name, its help, and its values by their labels.
struct Gauge {
    name: &'static str,
    help: &'static str,
    values: Vec<(String, String)>,
}

fn write(evidence: &Evidence) -> String {
    text(&gauges(evidence))
}

fn text(gauges: &[Gauge]) -> String {
    let mut to = String::new();
    for Gauge { name, help, values } in gauges.iter().filter(|gauge| !gauge.values.is_empty()) {
        to.push_str(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n"));
        for (labels, value) in values {
            let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
            to.push_str(&format!("{name}{labels} {value}\n"));
        }
    }
    to
}

/// Those of each cluster with a label that names its context, and what all of them came to.
fn several(fleet: &FleetEvidence) -> String {
    let whole = fleet.outcome().name();
    let mut all = vec![
        Gauge {
            name: "keyless_audit_clusters",
            help: "How many clusters were asked for, each once by its UID and server. No sample: it is not known.",
            values: fleet
                .fleet
                .clusters()
                .map(|count| (String::new(), count.to_string()))
                .into_iter()
                .collect(),
        },
        Gauge {
            name: "keyless_audit_clusters_verdict",
            help: "What all clusters came to: 1 for that verdict, 0 for the others. Never better than the worst cluster.",
            values: verdicts(whole),
        },
        Gauge {
            name: "keyless_audit_clusters_long_lived_credentials",
            help: "Distinct long-lived credentials by class, each once over all clusters, at least. A zero is only given if the audit is complete.",
            values: counted(fleet.outcome().is_complete(), |class| fleet.fleet.count_of(class)),
        },
    ];
    for (_, member) in fleet.members() {
        let own = match &member.evidence {
            Ok(evidence) => gauges(evidence),
            Err(_) => not_audited(),
        };
        for mut gauge in own {
            let cluster = format!("cluster=\"{}\"", label(member.name));
            for (labels, _) in &mut gauge.values {
                *labels = if labels.is_empty() { cluster.clone() } else { format!("{cluster},{labels}") };
            }
            match all.iter_mut().find(|it| it.name == gauge.name) {
                Some(known) => known.values.append(&mut gauge.values),
                None => all.push(gauge),
            }
        }
    }
    text(&all)
}

/// Of a cluster that could not be audited. No number of it is known.
fn not_audited() -> Vec<Gauge> {
    let complete = vec![(String::new(), "0".to_owned())];
    vec![
        Gauge { name: "keyless_audit_complete", help: COMPLETE, values: complete },
        Gauge { name: "keyless_audit_verdict", help: VERDICT, values: verdicts("incomplete") },
    ]
}

fn verdicts(outcome: &str) -> Vec<(String, String)> {
    VERDICTS.iter().map(|name| of("verdict", name, usize::from(*name == outcome))).collect()
}

/// Counts by class, without the zeros of what is not complete.
fn counted(complete: bool, count: impl Fn(Class) -> usize) -> Vec<(String, String)> {
    let classes = [
        ("root", Class::Root),
        ("platform", Class::Platform),
        ("irreducible", Class::Irreducible),
        ("root_key", Class::RootKey),
    ];
    let counts = classes.map(|(name, class)| (name, count(class)));
    let counts = counts.into_iter().filter(|(_, count)| complete || *count > 0);
    counts.map(|(name, count)| of("class", name, count)).collect()
}

const COMPLETE: &str =
    "Whether everything was looked at and could be judged, 1 or 0. With 0, what is not listed is unknown.";
const VERDICT: &str = "What the audit came to: 1 for that verdict, 0 for the others.";

fn gauges(evidence: &Evidence) -> Vec<Gauge> {
    let verdict = &evidence.verdict;
    let complete = evidence.outcome().is_complete();
    let mut all = Vec::new();
    let mut gauge = |name: &'static str, help: &'static str, values: Vec<(String, String)>| {
        all.push(Gauge { name, help, values });
    };
    let one = |value: usize| vec![(String::new(), value.to_string())];
    gauge(
        "keyless_audit_info",
        "Which program judged, and by which gate; always 1.",
        vec![(
            format!("version=\"{}\",gate=\"{}\"", label(evidence.version), label(evidence.gate())),
            "1".into(),
        )],
    );
    gauge(
        "keyless_audit_timestamp_seconds",
        "When the audit ended.",
        vec![(String::new(), evidence.time.to_string())],
    );
    gauge("keyless_audit_complete", COMPLETE, one(usize::from(complete)));
    gauge("keyless_audit_verdict", VERDICT, verdicts(evidence.outcome().name()));
    gauge(
        "keyless_long_lived_credentials",
        "Distinct long-lived credentials by class, at least. A zero is only given if the audit is complete.",
        counted(complete, |class| verdict.count_of(class)),
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
        (labels, it.ends.to_string())
    });
    gauge(
        "keyless_exception_expiry_timestamp_seconds",
        "When an exception ends that covers a credential. Its label is the begin of the result's fingerprint in SARIF.",
        expiry.collect(),
    );
    gauge("keyless_audit_not_seen", "Things that could not be read or judged.", one(verdict.not_seen()));
    let legs = verdict.legs().map(|leg| {
        let labels =
            format!("leg=\"{}\",state=\"{}\"", leg.name.title(), leg.state.title().replace(' ', "-"));
        (labels, "1".to_owned())
    });
    gauge("keyless_audit_leg", "What each side came to; always 1.", legs.to_vec());
    let judged = judged(verdict);
    let states = RuleState::ALL.map(|state| {
        let count = judged.iter().filter(|it| it.state == state).count();
        of("state", state.name(), count)
    });
    gauge("keyless_audit_rules", "Rules and kinds of credentials by what they came to.", states.to_vec());
    all
}

fn of(name: &str, value: &str, count: usize) -> (String, String) {
    (format!("{name}=\"{}\"", label(value)), count.to_string())
}
