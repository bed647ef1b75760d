//! `keyless doctor`: verify, audit and coupling, over one connection.
//!
//! ```text
//!            ┌─► verify ───┐
//!  connect ──┼─► audit ────┼─► checks ─► count
//!            └─► coupling ─┘
//! ```

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Exit, audit, coupling, verify};
use crate::{
    audit::{Gate, Outcome, Verdict},
    cli::{VerifyArgs, VerifyStores},
    cluster::snapshot::Mode,
    config::Settings,
    coupling::{Coupling, Judged},
    error::{Code, Error, Kind, Result},
    http::Http,
    relying_party::{self, Finding},
    report::{Line, Report, Tone},
    target,
};

/// One thing that was looked at.
struct Check {
    /// The command that looks at it alone.
    part: &'static str,
    subject: String,
    state: State,
}

enum State {
    /// What was seen.
    Passed(String),
    /// What was seen, and what else there is to know.
    Failed(String, Vec<String>),
    /// Why. It is never taken for passed.
    NotEvaluated(String),
}

/// What a part came to.
struct Part {
    checks: Vec<Check>,
    exit: Exit,
    document: Value,
}

/// Runs the command. `now` is asked for seconds since 1970.
pub(crate) async fn run(settings: &Settings, now: fn() -> u64, report: &mut Report<'_>) -> Result<Exit> {
    let cluster = Arc::new(target::require_look(settings, report).await?);
    let stores = VerifyStores::default();
    let args = VerifyArgs { audience: None, public_only: false, stores };
    let http = Http::new(&settings.additional_roots)?;
    let verified = verify::examine(&args, settings, &http, Some(Arc::clone(&cluster)), now, report).await;
    let audited =
        audit::look(&cluster, Mode::Deep, Gate::default(), None, now()).await.map(|(verdict, _)| verdict);
    let coupled = coupling::look(&cluster).await;
    let parts = [
        match verified {
            Ok(verdict) => of_verify(&verdict)?,
            Err(error) => ended("verify", error)?,
        },
        match audited {
            Ok(verdict) => of_audit(&verdict),
            Err(error) => ended("audit", error)?,
        },
        match coupled {
            Ok(coupling) => of_coupling(&coupling),
            Err(error) => ended("coupling", error)?,
        },
    ];
    let checks = || parts.iter().flat_map(|part| &part.checks);
    checks().for_each(|check| report.lines(check.lines()));
    let count = |is: fn(&State) -> bool| checks().filter(|check| is(&check.state)).count();
    let passed = count(|state| matches!(state, State::Passed(_)));
    let failed = count(|state| matches!(state, State::Failed(..)));
    let skipped = count(|state| matches!(state, State::NotEvaluated(_)));
    let [verify, audit, coupling] = parts.each_ref().map(|part| &part.document);
    report.json(
        "doctor",
        json!({
            "passed": passed, "failed": failed, "skipped": skipped,
            "checks": checks().map(Check::to_json).collect::<Vec<_>>(),
            "verify": verify, "audit": audit, "coupling": coupling,
        }),
    );
    let is_partial = skipped > 0;
    let skipped = if skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
    report.result(format_args!("\n{passed} passed, {failed} failed{skipped}"));
    Ok(match worst(parts.map(|part| part.exit)) {
        Exit::Clean if is_partial => Exit::Incomplete,
        exit => exit,
    })
}

/// What could not be established is worse than what was found.
fn worst(exits: [Exit; 3]) -> Exit {
    let has = |wanted: Exit| exits.contains(&wanted);
    match () {
        () if has(Exit::Incomplete) => Exit::Incomplete,
        () if has(Exit::Found) => Exit::Found,
        () => Exit::Clean,
    }
}

/// A part that ended before it found anything. The others say what they found all the same.
fn ended(part: &'static str, error: Error) -> Result<Part> {
    let check = not_evaluated(part, &error)?;
    let document = json!({ "error": { "code": error.code, "message": error.message, "causes": error.causes, "hints": error.hints } });
    Ok(Part { checks: vec![check], exit: Exit::Incomplete, document })
}

/// The check that says so. Being asked to end is no result.
fn not_evaluated(part: &'static str, error: &Error) -> Result<Check> {
    if matches!(error.kind, Kind::Interrupted(_)) {
        return Err(error.clone());
    }
    let remedy = match error.code {
        Code::IssuerMissing => "once an issuer or a bucket is set up: keyless verify --issuer URL".to_owned(),
        _ if error.hints.is_empty() => format!("for more: keyless {part}"),
        _ => format!("{}; then: keyless {part}", error.hints.join("; ")),
    };
    let why = [std::slice::from_ref(&error.message), &error.causes].concat().join(": ");
    let state = State::NotEvaluated(format!("{why} ({remedy})"));
    Ok(Check { part, subject: "what is left of it".to_owned(), state })
}

fn of_verify(verdict: &verify::Verdict<'_>) -> Result<Part> {
    let mut checks: Vec<_> = verdict.findings().iter().map(Check::of).collect();
    let mut document = verdict.to_json();
    let mut exit = verdict.exit();
    if let Err(error) = &verdict.ended {
        checks.push(not_evaluated("verify", error)?);
        document["error"] = json!({ "code": error.code, "message": error.message, "causes": error.causes, "hints": error.hints });
        exit = Exit::Incomplete;
    }
    if checks.is_empty() {
        let state = State::NotEvaluated("nothing was there to look at (for more: keyless verify)".to_owned());
        checks.push(Check { part: "verify", subject: "everything".to_owned(), state });
        exit = Exit::Incomplete;
    }
    Ok(Part { checks, exit, document })
}

/// An audit is one check: its headline is the verdict.
fn of_audit(verdict: &Verdict) -> Part {
    let mut lines = verdict.lines().into_iter();
    let headline = lines.next().unwrap_or_default();
    let state = match verdict.outcome() {
        Outcome::Zero | Outcome::ZeroExcept => State::Passed(headline),
        Outcome::Found { .. } => State::Failed(headline, lines.filter(|line| !line.is_empty()).collect()),
        Outcome::Incomplete | Outcome::NothingToJudge => {
            State::NotEvaluated(format!("{headline} (for more: keyless audit)"))
        }
    };
    let check = Check { part: "audit", subject: "long-lived credentials".to_owned(), state };
    Part { checks: vec![check], exit: verdict.exit(), document: verdict.to_json() }
}

/// To be tied to a cloud is no failure: what passes is that it is known to which.
fn of_coupling(coupling: &Coupling) -> Part {
    let check = |concern: &Judged| {
        let to = concern.to().join(", ");
        let state = match (concern.is_known(), concern.unseen.first()) {
            (true, _) if to == "none" => State::Passed("tied to nothing".to_owned()),
            (true, _) => State::Passed(format!("tied to {to}")),
            (false, Some(unseen)) => State::NotEvaluated(format!("{unseen} (for more: keyless coupling)")),
            (false, None) => {
                State::NotEvaluated(format!("not all of it is known: {to} (for more: keyless coupling)"))
            }
        };
        Check { part: "coupling", subject: concern.title.to_owned(), state }
    };
    let checks = coupling.concerns.iter().map(check).collect();
    Part { checks, exit: coupling::exit(coupling), document: coupling.to_json() }
}

impl Check {
    fn of(finding: &Finding) -> Self {
        let state = match &finding.outcome {
            relying_party::Outcome::Passed(seen) => State::Passed(seen.clone()),
            relying_party::Outcome::Failed { seen, cause, remedy } => State::Failed(
                format!("{seen}  [{}]", finding.check),
                vec![format!("cause:  {cause}"), format!("remedy: {remedy}")],
            ),
            relying_party::Outcome::Skipped(why) => State::NotEvaluated(why.clone()),
            relying_party::Outcome::Warned { seen, cause, remedy } => {
                State::NotEvaluated(format!("{seen}: {cause}; {remedy}"))
            }
        };
        Self { part: "verify", subject: finding.subject.clone(), state }
    }

    /// One line, and those of a failure.
    fn lines(&self) -> Vec<Line> {
        let Self { part, subject, state } = self;
        match state {
            State::Passed(seen) => {
                vec![Line::marked(Tone::Good, format_args!("pass  {part}: {subject}: {seen}"))]
            }
            State::NotEvaluated(why) => vec![Line::from(format!("not evaluated  {part}: {subject}: {why}"))],
            State::Failed(seen, details) => {
                let details = details.iter().map(|detail| Line::from(format!("        {detail}")));
                let first = Line::marked(Tone::Error, format_args!("FAIL  {part}: {subject}: {seen}"));
                [first].into_iter().chain(details).collect()
            }
        }
    }

    fn to_json(&self) -> Value {
        let (result, member, text) = match &self.state {
            State::Passed(seen) => ("passed", "seen", seen),
            State::Failed(seen, _) => ("failed", "seen", seen),
            State::NotEvaluated(why) => ("not-evaluated", "why", why),
        };
        json!({ "part": self.part, "subject": self.subject, "result": result, member: text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worst_exit_is_the_unestablished() {
        use Exit::{Clean, Found, Incomplete};
        for (exits, wanted) in [
            ([Clean, Clean, Clean], Clean),
            ([Clean, Found, Clean], Found),
            ([Found, Incomplete, Clean], Incomplete),
            ([Incomplete, Clean, Found], Incomplete),
        ] {
            assert_eq!(worst(exits), wanted);
        }
    }

    #[test]
    fn ended_part_is_never_passed() {
        for error in [
            Error::usage(Code::IssuerMissing, "no issuer is named"),
            Error::failed(Code::ClusterForbidden, "refused"),
        ] {
            let part = ended("verify", error).unwrap();
            assert_eq!(part.exit, Exit::Incomplete);
            let line = part.checks[0].lines().iter().map(Line::text).collect::<Vec<_>>().join("\n");
            assert!(line.starts_with("not evaluated  verify") && line.contains("keyless verify"), "{line}");
        }
    }
}
