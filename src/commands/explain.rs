//! What a code means, and what to do about it. Asks no one and reads no settings.

use serde::Serialize;
use serde_json::json;

use super::Exit;
use crate::{
    audit::{Described, catalogue},
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
    let (shown, rules) = match &args.code {
        None => (all(), catalogue()),
        Some(name) => chosen(name)?,
    };
    match args.code {
        None => list(&shown, &rules, report),
        Some(_) => {
            shown.iter().for_each(|it| report.lines(details(&it.entry)));
            rules.iter().for_each(|it| report.lines(details_of_rule(it)));
        }
    }
    report.json("explain", json!({ "codes": shown, "rules": rules }));
    Ok(Exit::Clean)
}

fn all() -> Vec<Explained> {
    let of = |kind: Kind| move |entry: Entry| Explained { kind, entry };
    let mut all: Vec<_> = Code::ALL.iter().map(|it| it.entry()).map(of(Kind::Message)).collect();
    all.extend(Check::ALL.iter().map(|it| it.entry()).map(of(Kind::Check)));
    all.sort_by_key(|it| (it.kind == Kind::Check, it.entry.name));
    all
}

/// The one of this name. Rules and kinds of credentials go by their code, in any case, and by their ID.
fn chosen(name: &str) -> Result<(Vec<Explained>, Vec<Described>)> {
    let is_rule = |it: &Described| it.name.eq_ignore_ascii_case(name) || it.id == name;
    if let Some(found) = all().into_iter().find(|it| it.entry.name == name) {
        return Ok((vec![found], Vec::new()));
    }
    let rule = catalogue().into_iter().find(is_rule);
    rule.map(|rule| (Vec::new(), vec![rule])).ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> Error {
    let error = Error::usage(Code::ExplainUnknown, format!("there is no code `{}`", redact::given(name)));
    let rules = catalogue().into_iter().flat_map(|it| [it.name, it.id]);
    let names: Vec<_> = all().iter().map(|it| it.entry.name).chain(rules).collect();
    match yaml::nearest(name, &names) {
        Some(nearest) => error.hint(format!("perhaps `{nearest}`: keyless explain {nearest}")),
        None => error.hint("`keyless explain` lists all codes"),
    }
}

fn list(all: &[Explained], rules: &[Described], report: &mut Report<'_>) {
    let width = all.iter().map(|it| it.entry.name.len()).max().unwrap_or_default();
    for (kind, title) in [(Kind::Message, "Errors and warnings"), (Kind::Check, "\nChecks")] {
        report.line(title);
        for Explained { entry, .. } in all.iter().filter(|it| it.kind == kind) {
            report.line(format_args!("  {:width$}  {}", entry.name, entry.meaning));
        }
    }
    report.line("\nRules and kinds of credentials of audit");
    for rule in rules {
        report.line(format_args!("  {} {:22}  {}", rule.name, rule.id, rule.meaning));
    }
}

fn details_of_rule(rule: &Described) -> Vec<String> {
    let class = match rule.class {
        Some(class) => format!("{} ({}): {}", class.letter(), class.title(), class.meaning()),
        None => "none of its own".into(),
    };
    let mut lines = vec![format!("{} {}", rule.name, rule.id), format!("  {}", rule.meaning)];
    lines.push(format!("\nClass {class}; severity {}", rule.severity.name()));
    if !rule.recognised.is_empty() {
        lines.extend(["\nRecognised by:".to_owned(), format!("  {}", rule.recognised)]);
    }
    lines.extend(["\nWhat to do:".to_owned(), format!("  {}", rule.remedy)]);
    lines
}

fn details(entry: &Entry) -> Vec<String> {
    let mut lines = vec![entry.name.to_owned(), format!("  {}", entry.meaning), "\nCauses:".to_owned()];
    lines.extend(entry.causes.iter().map(|cause| format!("  - {cause}")));
    lines.extend(["\nWhat to do:".to_owned(), format!("  {}", entry.remedy)]);
    lines
}
