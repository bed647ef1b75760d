//! Questions to a person. Without a terminal nothing is asked: the error names the flag or setting instead.

use std::io::{self, BufRead, IsTerminal};

use crate::{
    error::{Error, Result},
    report::Report,
};

/// Asks for what cannot be known, with the answer that it would take by itself.
pub(super) fn question(
    report: &mut Report<'_>,
    setting: &str,
    text: &str,
    default: Option<&str>,
) -> Result<String> {
    if !io::stdin().is_terminal() {
        return match default {
            Some(default) => Ok(default.to_owned()),
            None => Err(Error::usage("setting-missing", format!("{text} cannot be told from what is there"))
                .hint(format!("set `{setting}` in keyless.yaml; here is no terminal to ask on"))),
        };
    }
    let shown = default.map(|default| format!(" [{default}]")).unwrap_or_default();
    report.progress(format_args!("{text}?{shown}"));
    let answer = read_line()?;
    match (answer.is_empty(), default) {
        (false, _) => Ok(answer),
        (true, Some(default)) => Ok(default.to_owned()),
        (true, None) => Err(Error::usage("setting-missing", format!("{text}: no answer"))
            .hint(format!("set `{setting}` in keyless.yaml"))),
    }
}

/// Asks whether to go on. `yes` answers by flag.
pub(super) fn confirm(report: &mut Report<'_>, yes: bool, text: &str) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Error::usage("confirmation", format!("{text}: nobody is there to ask"))
            .hint("--yes does it without asking; --dry-run only shows it"));
    }
    report.progress(format_args!("{text}? [y/N]"));
    match read_line()?.to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Error::usage("confirmation", format!("{text}: not confirmed")).hint("nothing was changed")),
    }
}

/// `1 thing`, `9 things`.
pub(super) fn things(count: usize) -> String {
    if count == 1 { "1 thing".to_owned() } else { format!("{count} things") }
}

/// `this 1 thing`, `these 9 things`.
pub(super) fn these(count: usize) -> String {
    format!("{} {}", if count == 1 { "this" } else { "these" }, things(count))
}

fn read_line() -> Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| {
        Error::failed("terminal", "the answer cannot be read")
            .caused_by(error)
            .hint("run it on a terminal, or with --yes")
    })?;
    Ok(line.trim().to_owned())
}
