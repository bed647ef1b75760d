//! PURE. JUnit XML as Jenkins' and pytest's schema has it: a case for the verdict, and one for each rule.

use super::{
    Evidence, FleetEvidence, Format,
    escape::markup,
    rules::{Judged, judged},
};
use crate::audit::{Outcome, states::RuleState};

pub(super) const FORMAT: Format = Format {
    id: "junit",
    extension: "xml",
    summary: "JUnit XML, for GitLab and Jenkins",
    write,
    several: Some(several),
};

/// One case.
struct Case {
    class: String,
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
    let mut to = String::from(HEAD);
    suites(evidence, "", &mut to);
    to.push_str("</testsuites>\n");
    to
}

/// The suites of each cluster, whose names end with it. The first suite is the whole.
fn several(fleet: &FleetEvidence) -> String {
    let mut to = String::from(HEAD);
    let headline = fleet.fleet.headline();
    let details = fleet.fleet.lines().join("\n");
    let whole = case("keyless.audit.clusters", fleet.outcome(), headline.clone(), details);
    let about = |name: &'static str, value: String| (name, value);
    let properties = [
        about("verdict", fleet.outcome().name().into()),
        about("headline", headline),
        about("complete", fleet.outcome().is_complete().to_string()),
        about("keyless.version", fleet.version.into()),
        about("json.sha256", fleet.json_digest()),
    ];
    let time = fleet.time_in_words();
    suite("keyless.audit.clusters", &[whole], "", &time, &properties, &mut to);
    for (number, member) in fleet.members() {
        let suffix = format!(" [{}]", member.name);
        match &member.evidence {
            Ok(evidence) => suites(evidence, &suffix, &mut to),
            Err(_) => {
                let class = format!("keyless.audit.verdict{suffix}");
                let case = case(&class, Outcome::Incomplete, member.headline(), fleet.fleet.title(number));
                let properties = [about("verdict", Outcome::Incomplete.name().into())];
                suite(&class, &[case], member.name, &time, &properties, &mut to);
            }
        }
    }
    to.push_str("</testsuites>\n");
    to
}

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";

fn suites(evidence: &Evidence, suffix: &str, to: &mut String) {
    let (logins, kinds): (Vec<_>, Vec<_>) =
        judged(&evidence.verdict).into_iter().partition(|it| it.rule.recognised.is_empty());
    let [verdict, of_logins, of_kinds] =
        ["verdict", "logins", "credentials"].map(|name| format!("keyless.audit.{name}{suffix}"));
    let whole =
        case(&verdict, evidence.outcome(), evidence.verdict.headline(), evidence.verdict.lines().join("\n"));
    let logins = logins.iter().map(|it| of_rule(&of_logins, it)).collect();
    let kinds = kinds.iter().map(|it| of_rule(&of_kinds, it)).collect();
    for (name, cases) in [(&verdict, vec![whole]), (&of_logins, logins), (&of_kinds, kinds)] {
        let (time, properties) = (evidence.time_in_words(), properties(evidence));
        suite(name, &cases, evidence.cluster_name(), &time, &properties, to);
    }
}

/// The case for a verdict.
fn case(class: &str, outcome: Outcome, headline: String, details: String) -> Case {
    let ending = match outcome {
        Outcome::Zero => Ending::Passed,
        Outcome::Found { .. } => Ending::Failed { message: headline, details: details.clone() },
        Outcome::Incomplete | Outcome::NothingToJudge => Ending::Error(headline),
        Outcome::ZeroExcept => Ending::Skipped(headline),
    };
    Case { class: class.to_owned(), name: "verdict".into(), ending, output: details }
}

fn of_rule(class: &str, it: &Judged) -> Case {
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
    Case { class: class.to_owned(), name, ending, output: found.join("\n\n") }
}

fn suite(
    name: &str,
    cases: &[Case],
    host: &str,
    time: &str,
    properties: &[(&'static str, String)],
    to: &mut String,
) {
    let failed = cases.iter().filter(|case| matches!(case.ending, Ending::Failed { .. })).count();
    let errors = cases.iter().filter(|case| matches!(case.ending, Ending::Error(_))).count();
    let skipped = cases.iter().filter(|case| matches!(case.ending, Ending::Skipped(_))).count();
    // The schema has no time zone.
    let time = time.trim_end_matches('Z');
    line(
        to,
        1,
        format_args!(
            "<testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"0\" timestamp=\"{time}\" hostname=\"{}\">",
            markup(name),
            cases.len(),
            markup(host),
        ),
    );
    line(to, 2, format_args!("<properties>"));
    for (name, value) in properties {
        line(to, 3, format_args!("<property name=\"{name}\" value=\"{}\"/>", markup(value)));
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
    line(to, 2, format_args!("<testcase classname=\"{}\" name=\"{name}\" time=\"0\">", markup(&case.class)));
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
