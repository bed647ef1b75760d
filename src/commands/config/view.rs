//! The settings as they hold, each with where it comes from.

use serde_json::{Value, json};

use crate::{
    cli::{Common, ViewArgs},
    commands::Exit,
    config::{Effective, Origin, Settings, effective},
    error::Result,
    federation::ProviderName,
    report::Report,
};

pub(super) fn run(
    args: &ViewArgs,
    common: &Common,
    settings: &Settings,
    report: &mut Report<'_>,
) -> Result<Exit> {
    let all = effective(common, &settings.sources);
    let mut shown: Vec<_> =
        all.iter().filter(|one| args.all || one.origin != Origin::Unset && is_used(one, settings)).collect();
    shown.sort_by_key(|one| one.setting.path.contains('.'));
    let width = shown.iter().map(|one| one.setting.path.len()).max().unwrap_or_default();
    for one in &shown {
        report.line(format_args!(
            "{:width$}  {}  ({})",
            one.setting.path,
            text(&one.value),
            origin(one, settings)
        ));
    }
    let members = all.iter().map(|one| {
        let Effective { setting, value, origin, by } = one;
        json!({
            "setting": setting.path, "value": value, "source": origin, "by": by, "variable": setting.variable,
        })
    });
    let file = settings.file.display().to_string();
    report.json("config view", json!({ "file": file, "settings": members.collect::<Vec<_>>() }));
    Ok(Exit::Clean)
}

/// Defaults of a provider that nothing names are of no interest.
fn is_used(one: &Effective, settings: &Settings) -> bool {
    let section = one.setting.path.split('.').next().unwrap_or_default();
    let is_provider = ProviderName::names().contains(&section);
    one.origin != Origin::Default
        || !is_provider
        || settings.provider.is_some_and(|it| it.as_str() == section)
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn origin(one: &Effective, settings: &Settings) -> String {
    match (one.origin, &one.by) {
        (Origin::Flag, Some(flag)) => format!("flag {flag}"),
        (Origin::Environment, Some(variable)) => format!("environment {variable}"),
        (Origin::File, _) => format!("file {}", settings.file.display()),
        (Origin::Flag | Origin::Environment, None) => "set".to_owned(),
        (Origin::Default, _) => "default".to_owned(),
        (Origin::Unset, _) => "not set".to_owned(),
    }
}
