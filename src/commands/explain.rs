//! What a code means, and what to do about it. Asks no one and reads no settings.

use serde::Serialize;
use serde_json::json;

use super::Exit;
use crate::{
    cli::ExplainArgs,
    error::{Check, Code, Entry, Error, Result},
    redact,
    report::Report,
    yaml,
};

/// What a code is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Check,
    /// In brackets after `error` or `warning`.
    Message,
}

/// As JSON shows it.
#[derive(Clone, Copy, Debug, Serialize)]
struct Explained {
    kind: Kind,
    #[serde(flatten)]
    entry: Entry,
}

pub(crate) fn run(args: &ExplainArgs, report: &mut Report<'_>) -> Result<Exit> {
    let shown = match &args.code {
        None => all(),
        Some(name) => vec![all().into_iter().find(|it| it.entry.name == name).ok_or_else(|| unknown(name))?],
    };
    match args.code {
        None => list(&shown, report),
        Some(_) => shown.iter().for_each(|it| report.lines(details(&it.entry))),
    }
    report.json("explain", json!({ "codes": shown }));
    Ok(Exit::Clean)
}

fn all() -> Vec<Explained> {
    let of = |kind: Kind| move |entry: Entry| Explained { kind, entry };
    let mut all: Vec<_> = Code::ALL.iter().map(|it| it.entry()).map(of(Kind::Message)).collect();
    all.extend(Check::ALL.iter().map(|it| it.entry()).map(of(Kind::Check)));
    all.sort_by_key(|it| (it.kind == Kind::Check, it.entry.name));
    all
}

fn unknown(name: &str) -> Error {
    let error = Error::usage(Code::ExplainUnknown, format!("there is no code `{}`", redact::given(name)));
    let names: Vec<_> = all().iter().map(|it| it.entry.name).collect();
    match yaml::nearest(name, &names) {
        Some(nearest) => error.hint(format!("perhaps `{nearest}`: keyless explain {nearest}")),
        None => error.hint("`keyless explain` lists all codes"),
    }
}

fn list(all: &[Explained], report: &mut Report<'_>) {
    let width = all.iter().map(|it| it.entry.name.len()).max().unwrap_or_default();
    for (kind, title) in [(Kind::Message, "Errors and warnings"), (Kind::Check, "\nChecks")] {
        report.line(title);
        for Explained { entry, .. } in all.iter().filter(|it| it.kind == kind) {
            report.line(format_args!("  {:width$}  {}", entry.name, entry.meaning));
        }
    }
}

fn details(entry: &Entry) -> Vec<String> {
    let mut lines = vec![entry.name.to_owned(), format!("  {}", entry.meaning), "\nCauses:".to_owned()];
    lines.extend(entry.causes.iter().map(|cause| format!("  - {cause}")));
    lines.extend(["\nWhat to do:".to_owned(), format!("  {}", entry.remedy)]);
    lines
}
