//! PURE. The metrics as Prometheus reads them: text format 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>). Names and labels stay;
//! docs/monitoring.md lists them. No label has values that the cluster or others choose.

use std::{fmt::Write, time::Duration};

use super::{
    Board, Outcome,
    facts::{Facts, STATES},
};

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
}

/// The text of all metrics.
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        // A text takes whatever is written to it.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, label: Option<(&str, &str)>, value: &str) {
        let label = label.map(|(label, value)| format!("{{{label}=\"{value}\"}}")).unwrap_or_default();
        let _ = writeln!(self.0, "{name}{label} {value}");
    }

    fn one(&mut self, name: &str, kind: Kind, help: &str, value: impl ToString) {
        self.family(name, kind, help);
        self.sample(name, None, &value.to_string());
    }
}

impl Board {
    /// What `/metrics` answers, `now` on the local clock. What no look has found out yet is not there.
    pub(crate) fn metrics(&self, now: Duration) -> String {
        use Kind::{Counter, Gauge};
        let mut text = Text(String::with_capacity(4096));
        text.family("keyless_build_info", Gauge, "The version that runs; always 1.");
        text.sample("keyless_build_info", Some(("version", env!("CARGO_PKG_VERSION"))), "1");
        let leads = u8::from(self.is_leader(now));
        text.one(
            "keyless_is_leader",
            Gauge,
            "1 when this process may write: it holds the lease, or works without one.",
            leads,
        );
        text.one(
            "keyless_poll_interval_seconds",
            Gauge,
            "The normal time between two looks.",
            self.poll().as_secs_f64(),
        );
        text.family(
            "keyless_looks_total",
            Counter,
            "Looks at the cluster and what is published, by outcome.",
        );
        for outcome in Outcome::ALL {
            let count = self.looks.get(&outcome).copied().unwrap_or_default();
            text.sample("keyless_looks_total", Some(("outcome", outcome.name())), &count.to_string());
        }
        text.one(
            "keyless_changes_total",
            Counter,
            "Looks that changed what relying parties can read.",
            self.changes,
        );
        text.one(
            "keyless_last_look_timestamp_seconds",
            Gauge,
            "When the last look ended, failed ones included, in seconds since 1970; 0 before the first.",
            self.last_at.unwrap_or_default(),
        );
        text.one(
            "keyless_last_success_timestamp_seconds",
            Gauge,
            "When the last look ended that established everything, in seconds since 1970; 0 before the first.",
            self.last_success_at.unwrap_or_default(),
        );
        text.one(
            "keyless_last_look_duration_seconds",
            Gauge,
            "How long the last look took.",
            self.last_took.unwrap_or_default().as_secs_f64(),
        );
        if let Some(facts) = &self.facts {
            text.facts(facts);
        }
        text.0
    }
}

impl Text {
    fn facts(&mut self, facts: &Facts) {
        use Kind::Gauge;
        self.family("keyless_keys", Gauge, "Keys that are live, staged, published or missing, by state.");
        for state in STATES {
            self.sample("keyless_keys", Some(("state", state)), &facts.count(state).to_string());
        }
        self.one(
            "keyless_foreign_keys",
            Gauge,
            "Published keys that neither an API server nor a file ever had.",
            facts.count("foreign"),
        );
        self.one(
            "keyless_returned_keys",
            Gauge,
            "Keys that were taken out of the published set, and are published again.",
            facts.count("returned"),
        );
        self.one(
            "keyless_missing_keys",
            Gauge,
            "Keys that have to be public, and that neither the bucket nor an API server has.",
            facts.count("missing"),
        );
        self.one(
            "keyless_signing_key_wait_seconds",
            Gauge,
            "Seconds, at least, until every key that an API server signs with is public; 0 when it is.",
            facts.signer_wait,
        );
        self.one("keyless_servers", Gauge, "API servers that the cluster lists.", facts.servers);
        self.one(
            "keyless_sick_servers",
            Gauge,
            "API servers that gave no answer, a bad one, or a token that no served key has signed.",
            facts.sick,
        );
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
