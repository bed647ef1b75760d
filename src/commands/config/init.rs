//! A settings file to begin with.

use serde_json::json;

use crate::{
    cli::Common,
    commands::Exit,
    config::{commented, file_path},
    error::{Code, Error, Result},
    files,
    report::Report,
};

pub(super) fn run(common: &Common, report: &mut Report<'_>) -> Result<Exit> {
    let path = file_path(common);
    let shown = path.display();
    files::create(&path, commented().as_bytes()).map_err(|error| match error.exists() {
        true => Error::usage(Code::ConfigExists, format!("{shown} is there already: nothing was written"))
            .hint("`keyless config view` shows the settings; --config names another file"),
        false => Error::failed(Code::SettingsUnwritable, format!("{shown} cannot be written"))
            .caused_by(error)
            .hint("make the folder, or name another file with --config; nothing was written"),
    })?;
    report.line(format_args!("{shown} was written: every setting is in it, as a comment"));
    report.progress("For completion in an editor: keyless config schema > keyless.schema.json");
    report.json("config init", json!({ "file": shown.to_string() }));
    Ok(Exit::Clean)
}
