//! PURE. Several clusters in one run: only `audit` takes them, and not every form of its report holds them.

use std::ffi::OsString;

use clap::ArgMatches;

use super::output::{Output, ReportFile};
use crate::{
    audit::{FORMATS, Format},
    redact,
};

/// The command that takes several contexts.
const TAKER: &str = "audit";

/// How many `--context` there are in these arguments, wherever they are.
pub(super) fn given(arguments: &[OsString]) -> usize {
    let texts = arguments.iter().skip(1).filter_map(|argument| argument.to_str());
    texts
        .take_while(|text| *text != "--")
        .filter(|text| *text == "--context" || text.starts_with("--context="))
        .count()
}

/// What the parser cannot see at one flag. `given`: how many contexts were named.
pub(super) fn refused(matches: &ArgMatches, path: &str, given: usize) -> Option<String> {
    let contexts: Vec<&String> = matches.get_many("context").into_iter().flatten().collect();
    if path != TAKER {
        return (given > 1).then(|| {
            format!(
                "`keyless {path}` works on one cluster: give --context once; `keyless audit` takes several"
            )
        });
    }
    // The parser takes those before the command, or those after it.
    if given > contexts.len() {
        return Some("--context is given before and after `audit`: give all of them after it".to_owned());
    }
    let twice = contexts.iter().enumerate().find(|(at, name)| contexts[..*at].contains(name));
    if let Some((_, name)) = twice {
        return Some(format!("--context {} is given twice", redact::given(name)));
    }
    let audit = matches.subcommand_matches(TAKER)?;
    if audit.get_flag("all_contexts") && given > 0 {
        return Some("--all-contexts cannot be used with --context".to_owned());
    }
    if contexts.len() < 2 && !audit.get_flag("all_contexts") {
        return None;
    }
    if audit.contains_id("baseline") {
        return Some("--baseline is of one cluster, and several are to be audited".to_owned());
    }
    let printed = match audit.get_one::<Output>("output").or(matches.get_one("output")) {
        Some(Output::Report(format)) => Some(*format),
        _ => None,
    };
    let files = audit.get_many::<ReportFile>("report").into_iter().flatten().map(|report| report.format);
    let format = printed.into_iter().chain(files).find(|format| format.several.is_none())?;
    Some(format!(
        "the format {} holds one cluster, and several are to be audited: it is made by a run for each cluster; {} hold several",
        format.id,
        holding_several()
    ))
}

/// `json, html and sarif`.
fn holding_several() -> String {
    let all: Vec<&str> = FORMATS.iter().filter(|it| it.several.is_some()).map(|it: &Format| it.id).collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use crate::cli::Cli;

    fn read(arguments: &[&str]) -> Result<Cli, clap::Error> {
        Cli::read(["keyless"].iter().chain(arguments).map(Into::into))
    }

    #[track_caller]
    fn refuses(arguments: &[&str], says: &str) {
        let error = read(arguments).unwrap_err();
        let text = error.render().to_string();
        assert_eq!(error.exit_code(), 2, "{text}");
        assert!(text.contains(says), "{arguments:?}: {text}");
    }

    #[test]
    fn only_audit_takes_several_contexts() {
        let cli = read(&["audit", "--context", "a", "--context=b"]).unwrap();
        assert_eq!(cli.common.context, ["a", "b"]);
        assert_eq!(read(&["--context", "a", "--context", "b", "audit"]).unwrap().common.context, ["a", "b"]);
        refuses(&["verify", "--context", "a", "--context", "b"], "works on one cluster");
        refuses(&["--context", "a", "status", "--context", "b"], "`keyless status` works on one cluster");
        refuses(&["config", "view", "--context", "a", "--context", "a"], "works on one cluster");
    }

    /// The parser would drop those before the command.
    #[test]
    fn no_context_is_dropped_silently() {
        refuses(&["--context", "a", "audit", "--context", "b"], "before and after `audit`");
        refuses(&["audit", "--context", "a", "--context", "a"], "--context a is given twice");
        refuses(&["audit", "--all-contexts", "--context", "a"], "cannot be used with");
        refuses(&["--context", "a", "audit", "--all-contexts"], "--context");
    }

    #[test]
    fn forms_of_one_cluster_are_refused() {
        for format in crate::audit::FORMATS {
            let report = format!("{}=a", format.id);
            for several in [&["--all-contexts"][..], &["--context", "a", "--context", "b"]] {
                for form in [["-o", format.id], ["--report", &report]] {
                    let arguments = [&["audit"], several, &form].concat();
                    match format.several {
                        Some(_) => drop(read(&arguments).unwrap()),
                        None => refuses(&arguments, &format!("the format {} holds one cluster", format.id)),
                    }
                }
            }
            read(&["audit", "--context", "a", "-o", format.id]).unwrap();
        }
        assert!(crate::audit::FORMATS.iter().any(|format| format.several.is_none()));
        refuses(
            &["audit", "--baseline", "f", "--context", "a", "--context", "b"],
            "--baseline is of one cluster",
        );
        refuses(&["audit", "--baseline", "f", "--all-contexts"], "cannot be used with");
    }
}
