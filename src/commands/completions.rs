//! A script for a shell, out of the same definition of the arguments that reads them.

use serde_json::json;

use super::Exit;
use crate::{
    cli::{Cli, CompletionsArgs},
    error::Result,
    report::Report,
};

pub(crate) fn run(args: &CompletionsArgs, report: &mut Report<'_>) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::visible(), "keyless", &mut script);
    let script = String::from_utf8_lossy(&script);
    report.text("the script", &script)?;
    let result = json!({ "shell": args.shell.to_string() });
    report.json_with("completions", result, ("script", script.into()))?;
    Ok(Exit::Clean)
}
