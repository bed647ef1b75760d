//! `keyless config`: which settings hold, whether a file can be used, and one to begin with.

mod init;
mod view;

use std::path::absolute;

use serde_json::json;

use super::Exit;
use crate::{
    cli::{Common, ConfigArgs, ConfigCommand, SchemaArgs, SchemaOf},
    config::{Settings, file_path, schema as settings_schema},
    error::Result,
    report::Report,
};

/// The commands that read no settings; `None`: it is none of them.
pub(super) fn without_settings(
    args: &ConfigArgs,
    common: &Common,
    report: &mut Report<'_>,
) -> Option<Result<Exit>> {
    match &args.command {
        ConfigCommand::Init => Some(init::run(common, report)),
        ConfigCommand::Path => Some(Ok(path(common, report))),
        ConfigCommand::Schema(args) => Some(schema(args, report)),
        ConfigCommand::Validate(_) | ConfigCommand::View(_) => None,
    }
}

/// The commands that have resolved the settings.
pub(crate) fn run(
    args: &ConfigArgs,
    common: &Common,
    settings: &Settings,
    report: &mut Report<'_>,
) -> Result<Exit> {
    match &args.command {
        ConfigCommand::View(args) => view::run(args, common, settings, report),
        ConfigCommand::Validate(_) => Ok(validate(settings, report)),
        // They have run before.
        ConfigCommand::Init | ConfigCommand::Path | ConfigCommand::Schema(_) => Ok(Exit::Clean),
    }
}

/// The file was read, and nothing was found.
fn validate(settings: &Settings, report: &mut Report<'_>) -> Exit {
    let file = settings.file.display().to_string();
    report.line(format_args!("{file}: no error found"));
    report.json("config validate", json!({ "file": file, "valid": true }));
    Exit::Clean
}

fn path(common: &Common, report: &mut Report<'_>) -> Exit {
    let path = file_path(common);
    let exists = path.exists();
    let shown = absolute(&path).unwrap_or(path).display().to_string();
    report.line(&shown);
    if !exists {
        report.progress("there is no such file; `keyless config init` writes one");
    }
    report.json("config path", json!({ "path": shown, "exists": exists }));
    Exit::Clean
}

fn schema(args: &SchemaArgs, report: &mut Report<'_>) -> Result<Exit> {
    let schema = match args.of {
        SchemaOf::Settings => settings_schema(),
        SchemaOf::Plan => crate::plan::schema(),
        SchemaOf::Audit => crate::audit::schema(),
        SchemaOf::AuditFleet => crate::audit::fleet_schema(),
        SchemaOf::AuditDiff => crate::audit::difference_schema(),
        SchemaOf::Exceptions => crate::audit::exceptions_schema(),
        SchemaOf::Coupling => crate::coupling::schema(),
    };
    report.document("the schema", &schema)?;
    Ok(Exit::Clean)
}
