//! What a code means, and what to do about it. Asks no one and reads no settings.

use serde::Serialize;
use serde_json::{Value, json};

use super::Exit;
use crate::{
    audit::{Described, catalogue},
    cli::ExplainArgs,
    config::{Form, Known, known_settings},
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
    let Chosen { codes: shown, rules, settings } = match &args.code {
        None => Chosen { codes: all(), rules: catalogue(), settings: known_settings().iter().collect() },
        Some(name) => chosen(name)?,
    };
    match args.code {
        None => list(&shown, &rules, &settings, report),
        Some(_) => {
            shown.iter().for_each(|it| report.lines(details(&it.entry)));
            rules.iter().for_each(|it| report.lines(details_of_rule(it)));
            for (index, setting) in settings.iter().enumerate() {
                let space = if index > 0 { "\n" } else { "" };
                report.line(format_args!("{space}{}", setting.path));
                report.lines(details_of_setting(setting));
            }
        }
    }
    let settings: Vec<_> = settings.iter().map(|it| setting_to_json(it)).collect();
    report.json("explain", json!({ "codes": shown, "rules": rules, "settings": settings }));
    Ok(Exit::Clean)
}

fn all() -> Vec<Explained> {
    let of = |kind: Kind| move |entry: Entry| Explained { kind, entry };
    let mut all: Vec<_> = Code::ALL.iter().map(|it| it.entry()).map(of(Kind::Message)).collect();
    all.extend(Check::ALL.iter().map(|it| it.entry()).map(of(Kind::Check)));
    all.sort_by_key(|it| (it.kind == Kind::Check, it.entry.name));
    all
}

/// What is shown.
#[derive(Default)]
struct Chosen {
    codes: Vec<Explained>,
    rules: Vec<Described>,
    settings: Vec<&'static Known>,
}

/// The one of this name. Rules and kinds of credentials go by their code, in any case, and by their ID; settings by their
/// path in the file, and by their variable.
fn chosen(name: &str) -> Result<Chosen> {
    let is_rule = |it: &Described| it.name.eq_ignore_ascii_case(name) || it.id == name;
    if let Some(found) = all().into_iter().find(|it| it.entry.name == name) {
        return Ok(Chosen { codes: vec![found], ..Chosen::default() });
    }
    if let Some(rule) = catalogue().into_iter().find(is_rule) {
        return Ok(Chosen { rules: vec![rule], ..Chosen::default() });
    }
    // A section means all that is in it.
    let below = format!("{name}.");
    let is_meant =
        |it: &&Known| it.path == name || it.variable.as_deref() == Some(name) || it.path.starts_with(&below);
    let settings: Vec<_> = known_settings().iter().filter(is_meant).collect();
    if settings.is_empty() { Err(unknown(name)) } else { Ok(Chosen { settings, ..Chosen::default() }) }
}

fn unknown(name: &str) -> Error {
    let error =
        Error::usage(Code::ExplainUnknown, format!("there is no code or setting `{}`", redact::given(name)));
    let rules = catalogue().into_iter().flat_map(|it| [it.name, it.id]);
    let codes = all();
    let names = codes.iter().map(|it| it.entry.name).chain(rules);
    let names: Vec<_> = names.chain(known_settings().iter().map(|it| it.path.as_str())).collect();
    match yaml::nearest(name, &names) {
        Some(nearest) => error.hint(format!("perhaps `{nearest}`: keyless explain {nearest}")),
        None => error.hint("`keyless explain` lists all codes and settings"),
    }
}

fn list(all: &[Explained], rules: &[Described], settings: &[&Known], report: &mut Report<'_>) {
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
    report.line("\nSettings");
    let width = settings.iter().map(|it| it.path.len()).max().unwrap_or_default();
    for setting in settings {
        report.line(format_args!("  {:width$}  {}", setting.path, setting.about));
    }
}

fn details_of_setting(setting: &Known) -> Vec<String> {
    let mut lines =
        vec![format!("  {}", setting.about), format!("\nValue: {}", form_in_words(&setting.form))];
    lines.push(match &setting.default {
        Some(Value::String(text)) => format!("Default: {text}"),
        Some(default) => format!("Default: {default}"),
        None => "Default: none of its own; what a command needs it derives, or asks for".to_owned(),
    });
    lines.push(match &setting.variable {
        Some(variable) => format!("Environment: {variable}"),
        None => "Environment: none; lists come from keyless.yaml or flags".to_owned(),
    });
    lines
}

fn form_in_words(form: &Form) -> String {
    match form {
        Form::Text => "a text".to_owned(),
        Form::Number => "a whole number".to_owned(),
        Form::Switch => "true or false".to_owned(),
        Form::OneOf(words) => format!("one of {}", words.join(", ")),
        Form::List => "a list of texts".to_owned(),
    }
}

fn setting_to_json(setting: &Known) -> Value {
    let Known { path, about, form, default, variable } = setting;
    json!({ "path": path, "meaning": about, "value": form_in_words(form), "default": default, "variable": variable })
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
