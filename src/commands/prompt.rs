//! Questions to a person. Without a terminal nothing is asked: the error names the flag or setting instead.

use std::{
    io::{self, BufRead, IsTerminal, Read},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

pub(super) use crate::ask::Offer;
use crate::{
    error::{Code, Error, Result},
    interrupt::Interrupt,
    report::Report,
};

/// What is printed when a person does not want what was planned, before anything was done.
const CANCELLED: &str = "Cancelled. Nothing was changed.";
/// How soon a signal ends a question.
const PAUSE: Duration = Duration::from_millis(50);
/// The longest answer, in bytes.
const MAX_ANSWER: u64 = 64 << 10;

/// Whether a person is there to be asked.
pub(super) fn asks_person() -> bool {
    io::stdin().is_terminal()
}

/// Asks for what cannot be known, with the answer that is offered.
pub(super) fn question(
    report: &mut Report<'_>,
    setting: &str,
    text: &str,
    offer: Offer<'_>,
) -> Result<String> {
    if !asks_person() {
        let missing = |why: String| Error::usage(Code::SettingMissing, why);
        let set = format!("set `{setting}` in keyless.yaml; stdin is not a terminal to ask on");
        return match offer {
            Offer::Default(default) => Ok(default.to_owned()),
            Offer::Nothing => Err(missing(format!("could not determine `{setting}`: {text}")).hint(set)),
            Offer::Suggestion(suggested) => {
                let suggested = suggested.escape_debug();
                Err(missing(format!(
                    "`{setting}` is not set, and only an object in the cluster says `{suggested}`: {text}"
                ))
                .hint(format!("if `{suggested}` is right: {set}")))
            }
        };
    }
    let default = offer.text();
    let shown = default.map(|default| format!(" [{default}]")).unwrap_or_default();
    report.question(format_args!("{text}?{shown}"));
    let answer = read_line(report.interrupt())?.ok_or_else(|| Error::declined(CANCELLED))?;
    match (answer.is_empty(), default) {
        (false, _) => Ok(answer),
        (true, Some(default)) => Ok(default.to_owned()),
        (true, None) => Err(Error::usage(Code::SettingMissing, format!("{text}: no answer"))
            .hint(format!("set `{setting}` in keyless.yaml"))),
    }
}

/// Asks whether to go on, before anything was done. `yes` answers by flag; any other answer than `y` or `yes`, and
/// the end of input, is [`Error::declined`].
pub(super) fn confirm(report: &mut Report<'_>, yes: bool, text: &str) -> Result<()> {
    confirm_or(report, yes, text, CANCELLED)
}

/// As [`confirm`], where something was done already: `declined` says what.
/// What could not be shown is not done.
pub(super) fn confirm_or(report: &mut Report<'_>, yes: bool, text: &str, declined: &str) -> Result<()> {
    report.finish()?;
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Error::usage(Code::Confirmation, "confirmation required: stdin is not a terminal")
            .caused_by(format_args!("{text}?"))
            .hint("--yes does it without asking; --dry-run only shows it"));
    }
    report.question(format_args!("{text}? [y/N]"));
    // With --quiet it is shown only now.
    report.finish()?;
    match read_line(report.interrupt())?.as_deref().map(str::to_ascii_lowercase).as_deref() {
        Some("y" | "yes") => Ok(()),
        _ => Err(Error::declined(declined)),
    }
}

/// Asks whether to do something more; `false` where stdin is not a terminal.
pub(super) fn agrees(report: &mut Report<'_>, text: &str) -> Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    report.question(format_args!("{text}? [y/N]"));
    report.finish()?;
    let answer = read_line(report.interrupt())?.unwrap_or_default();
    Ok(matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// `1 thing`, `9 things`.
pub(super) fn things(count: usize) -> String {
    if count == 1 { "1 thing".to_owned() } else { format!("{count} things") }
}

/// `this 1 thing`, `these 9 things`.
pub(super) fn these(count: usize) -> String {
    format!("{} {}", if count == 1 { "this" } else { "these" }, things(count))
}

/// `None` at the end of input. Read on a thread of its own: a signal must not wait for a person.
fn read_line(interrupt: &Interrupt) -> Result<Option<String>> {
    let failed = |error: io::Error| {
        Error::failed(Code::Terminal, "the answer cannot be read")
            .caused_by(error)
            .hint("run it on a terminal, or with --yes")
    };
    let (sender, receiver) = mpsc::channel();
    let read = move || {
        let mut line = String::new();
        let read = io::stdin().lock().take(MAX_ANSWER).read_line(&mut line);
        // Without a receiver the program is about to end.
        drop(sender.send(read.map(|length| (length > 0).then(|| line.trim().to_owned()))));
    };
    thread::Builder::new().name("prompt".into()).spawn(read).map_err(failed)?;
    loop {
        match receiver.recv_timeout(PAUSE) {
            Ok(line) => return line.map_err(failed),
            Err(RecvTimeoutError::Timeout) => interrupt.check()?,
            Err(RecvTimeoutError::Disconnected) => return Err(failed(io::ErrorKind::UnexpectedEof.into())),
        }
    }
}
