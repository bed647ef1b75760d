//! PURE. JUnit XML as Jenkins' and pytest's schema has it: a case for the verdict, and one for each rule.

use super::{
    Evidence, Format,
    escape::markup,
    rules::{Judged, judged},
};
use crate::audit::{Outcome, states::RuleState};

pub(super) const FORMAT: Format =
    Format { id: "junit", extension: "xml", summary: "JUnit XML, for GitLab and Jenkins", write };

/// One case.
struct Case {
    class: &'static str,
    name: String,
    ending: Ending,
    /// What is shown beside it.
    output: String,
}

enum Ending {
    Passed,
    Failed {
        message: String,
        details: String,
    },
    /// It was not evaluated: a skipped case would be read as good.
    Error(String),
    Skipped(String),
}

fn write(evidence: &Evidence) -> String {
    let (logins, kinds): (Vec<_>, Vec<_>) =
        judged(&evidence.verdict).into_iter().partition(|it| it.rule.recognised.is_empty());
    let suites = [
        ("keyless.audit.verdict", vec![of_verdict(evidence)]),
        ("keyless.audit.logins", logins.iter().map(|it| of_rule("keyless.audit.logins", it)).collect()),
        (
            "keyless.audit.credentials",
            kinds.iter().map(|it| of_rule("keyless.audit.credentials", it)).collect(),
        ),
    ];
    let mut to = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (name, cases) in &suites {
        suite(evidence, name, cases, &mut to);
    }
    to.push_str("</testsuites>\n");
    to
}

fn of_verdict(evidence: &Evidence) -> Case {
    let headline = evidence.verdict.headline();
    let details = evidence.verdict.lines().join("\n");
    let ending = match evidence.outcome() {
        Outcome::Zero => Ending::Passed,
        Outcome::Found { .. } => Ending::Failed { message: headline.clone(), details: details.clone() },
        Outcome::Incomplete | Outcome::NothingToJudge => Ending::Error(headline.clone()),
        Outcome::ZeroExcept => Ending::Skipped(headline.clone()),
    };
    Case { class: "keyless.audit.verdict", name: "verdict".into(), ending, output: details }
}

fn of_rule(class: &'static str, it: &Judged) -> Case {
    let found: Vec<_> =
        it.items.iter().map(|item| format!("{}\nremedy: {}", item.message(), item.remedy())).collect();
    let ending = match it.state {
        RuleState::Pass => Ending::Passed,
        RuleState::Fail => {
            let message = it.items.iter().map(|item| item.title.as_str()).collect::<Vec<_>>().join("; ");
            Ending::Failed { message, details: found.join("\n\n") }
        }
        RuleState::NotEvaluated => Ending::Error(it.why.clone()),
        RuleState::Excepted | RuleState::NotApplicable => Ending::Skipped(it.why.clone()),
    };
    let name = format!("{} {}: {}", it.rule.name, it.rule.id, it.rule.meaning);
    Case { class, name, ending, output: found.join("\n\n") }
}

fn suite(evidence: &Evidence, name: &str, cases: &[Case], to: &mut String) {
    let failed = cases.iter().filter(|case| matches!(case.ending, Ending::Failed { .. })).count();
    let errors = cases.iter().filter(|case| matches!(case.ending, Ending::Error(_))).count();
    let skipped = cases.iter().filter(|case| matches!(case.ending, Ending::Skipped(_))).count();
    // The schema has no time zone.
    let time = evidence.time_in_words();
    let time = time.trim_end_matches('Z');
    line(
        to,
        1,
        format_args!(
            "<testsuite name=\"{name}\" tests=\"{}\" failures=\"{failed}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"0\" timestamp=\"{time}\" hostname=\"{}\">",
            cases.len(),
            markup(evidence.cluster_name()),
        ),
    );
    line(to, 2, format_args!("<properties>"));
    for (name, value) in properties(evidence) {
        line(to, 3, format_args!("<property name=\"{name}\" value=\"{}\"/>", markup(&value)));
    }
    line(to, 2, format_args!("</properties>"));
    cases.iter().for_each(|case| of_case(case, to));
    line(to, 1, format_args!("</testsuite>"));
}

fn properties(evidence: &Evidence) -> Vec<(&'static str, String)> {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    vec![
        ("verdict", evidence.outcome().name().into()),
        ("headline", evidence.verdict.headline()),
        ("gate", evidence.gate().into()),
        ("complete", evidence.outcome().is_complete().to_string()),
        ("keyless.version", evidence.version.into()),
        ("cluster.context", text(evidence.context())),
        ("cluster.server", text(evidence.server())),
        ("cluster.uid", text(evidence.cluster_uid())),
        ("json.sha256", evidence.json_digest()),
    ]
}

fn of_case(case: &Case, to: &mut String) {
    let name = markup(&case.name);
    line(to, 2, format_args!("<testcase classname=\"{}\" name=\"{name}\" time=\"0\">", case.class));
    match &case.ending {
        Ending::Passed => {}
        Ending::Failed { message, details } => {
            let details = lines(details);
            line(
                to,
                3,
                format_args!("<failure type=\"found\" message=\"{}\">{details}</failure>", markup(message)),
            );
        }
        Ending::Error(why) => {
            let why = markup(why);
            line(to, 3, format_args!("<error type=\"not-evaluated\" message=\"{why}\">{why}</error>"));
        }
        Ending::Skipped(why) => {
            let why = markup(why);
            line(to, 3, format_args!("<skipped type=\"skipped\" message=\"{why}\">{why}</skipped>"));
        }
    }
    if !case.output.is_empty() && !matches!(case.ending, Ending::Failed { .. }) {
        line(to, 3, format_args!("<system-out>{}</system-out>", lines(&case.output)));
    }
    line(to, 2, format_args!("</testcase>"));
}

/// Each line is a text of its own; the breaks between them are ours.
fn lines(text: &str) -> String {
    text.split('\n').map(markup).collect::<Vec<_>>().join("\n")
}

fn line(to: &mut String, depth: usize, line: std::fmt::Arguments<'_>) {
    to.push_str(&format!("{}{line}\n", "  ".repeat(depth)));
}
