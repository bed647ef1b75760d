//! PURE. In which form the result is printed, and which further files it is written to.

use std::path::PathBuf;

use clap::{
    ArgMatches, Command,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
    error::ErrorKind,
};

use crate::audit::{FORMATS, Format};

/// Format of the result on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// For people
    Text,
    /// One JSON object, for scripts
    Json,
    /// The same as YAML
    Yaml,
    /// A form that only `audit` has.
    Report(&'static Format),
}

/// A report that is written to a file beside the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReportFile {
    pub(crate) format: &'static Format,
    pub(crate) file: PathBuf,
}

/// The command that has more formats than text, JSON and YAML.
const REPORTS: &str = "audit";

/// What becomes of the forms that only `audit` has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forms {
    Listed,
    /// Taken, because a flag may come before the command; listed by the command.
    Taken,
    Refused,
}

impl Output {
    /// What `-o` takes.
    pub(super) fn parser(forms: Forms) -> impl TypedValueParser<Value = Self> {
        let own = [
            PossibleValue::new("text").help("For people"),
            PossibleValue::new("json").help("One JSON object, for scripts"),
            PossibleValue::new("yaml").help("The same as YAML"),
        ];
        let others = FORMATS.iter().filter(move |format| forms != Forms::Refused && format.id != "json");
        let others = others.map(move |format| {
            PossibleValue::new(format.id).help(format.summary).hide(forms == Forms::Taken)
        });
        PossibleValuesParser::new(own.into_iter().chain(others)).map(|id| match id.as_str() {
            "text" => Self::Text,
            "yaml" => Self::Yaml,
            id => Format::named(id).filter(|it| it.id != "json").map_or(Self::Json, Self::Report),
        })
    }
}

/// Each command with its own list of formats: most have text, JSON and YAML only.
pub(super) fn with_formats(command: Command, path: &str, output: &clap::Arg) -> Command {
    command.arg(output.clone().value_parser(Output::parser(if path == REPORTS {
        Forms::Listed
    } else {
        Forms::Refused
    })))
}

/// What the parser cannot see at one flag: a format before a command that has no such format, and two reports in one
/// file. The kind of the error, and its message.
pub(super) fn refused(matches: &ArgMatches, path: &str) -> Option<(ErrorKind, String)> {
    if path != REPORTS {
        let Some(Output::Report(format)) = matches.get_one::<Output>("output") else { return None };
        let message = format!(
            "`keyless {path}` has no output format {}: it takes text, json and yaml; {} is one of {REPORTS}",
            format.id, format.id
        );
        return Some((ErrorKind::InvalidValue, message));
    }
    let files = matches.subcommand_matches(REPORTS)?.get_many::<ReportFile>("report")?;
    let mut files: Vec<_> = files.map(|report| report.file.as_path()).collect();
    files.sort_unstable();
    let twice = files.windows(2).find_map(|pair| match pair {
        [first, second] if first == second => Some(first.display().to_string()),
        _ => None,
    })?;
    Some((
        ErrorKind::ArgumentConflict,
        format!("two reports would be written to {}", crate::redact::given(&twice)),
    ))
}

/// `FORMAT=FILE`.
pub(super) fn parse_report(text: &str) -> Result<ReportFile, String> {
    let known = || FORMATS.iter().map(|format| format.id).collect::<Vec<_>>().join(", ");
    let (id, file) = text.split_once('=').filter(|(_, file)| !file.is_empty()).ok_or_else(|| {
        let format = Format::named(text.trim_end_matches('=')).or(Format::named("html"));
        let example = format.map(|it| format!(", e.g. {}=audit.{}", it.id, it.extension)).unwrap_or_default();
        format!("it is FORMAT=FILE{example}; the formats are {}", known())
    })?;
    let format =
        Format::named(id).ok_or_else(|| format!("there is no such format; the formats are {}", known()))?;
    Ok(ReportFile { format, file: file.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;

    fn read(arguments: &[&str]) -> Result<Cli, clap::Error> {
        Cli::read(["keyless"].iter().chain(arguments).map(Into::into))
    }

    fn output(arguments: &[&str]) -> Output {
        read(arguments).unwrap().common.output
    }

    #[test]
    fn every_format_is_taken_by_audit() {
        for format in FORMATS.iter().filter(|format| format.id != "json") {
            for arguments in [&["audit", "-o", format.id][..], &["-o", format.id, "audit"]] {
                assert_eq!(output(arguments), Output::Report(format), "{arguments:?}");
            }
            let help = read(&["audit", "--help"]).unwrap_err().render().to_string();
            assert!(help.contains(&format!("- {}: ", format.id)), "{}", format.id);
            for arguments in [&["verify", "-o", format.id][..], &["-o", format.id, "verify"]] {
                let error = read(arguments).unwrap_err();
                let text = error.render().to_string();
                assert_eq!(error.exit_code(), 2, "{arguments:?}: {text}");
                assert!(text.contains("text") && text.contains("json"), "{arguments:?}: {text}");
            }
        }
        assert_eq!(output(&["audit"]), Output::Text);
        assert_eq!(output(&["-o", "json", "audit"]), Output::Json);
        assert_eq!(output(&["render", "store", "-o", "json"]), Output::Json);
        assert_eq!(output(&["-o", "yaml", "audit"]), Output::Yaml);
        assert_eq!(output(&["keys", "wait", "-o", "yaml"]), Output::Yaml);
    }

    #[test]
    fn report_without_format_is_refused() {
        for report in ["html", "=a", "html=", "nothing=a", "HTML=a", "text=a", ""] {
            let error = read(&["audit", "--report", report]).unwrap_err();
            let text = error.render().to_string();
            assert_eq!(error.exit_code(), 2, "{report}: {text}");
            for format in FORMATS {
                assert!(text.contains(format.id), "{report}: {text}");
            }
        }
        let error = read(&["audit", "--report", "html=a", "--report", "sarif=a"]).unwrap_err();
        assert!(error.render().to_string().contains("two reports would be written to a"));
        let error = read(&["verify", "--report", "html=a"]).unwrap_err();
        assert!(error.render().to_string().contains("--report is a flag of audit"));
    }

    #[test]
    fn reports_are_read_in_order() {
        let cli = read(&["audit", "--report", "html=a=b.html", "--report", "json=c"]).unwrap();
        let crate::cli::Command::Audit(args) = cli.command else { panic!("another command") };
        let named: Vec<_> = args.report.iter().map(|it| (it.format.id, it.file.to_str().unwrap())).collect();
        assert_eq!(named, [("html", "a=b.html"), ("json", "c")]);
    }
}
