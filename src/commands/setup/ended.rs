//! How a run ends: for several stores, for a program, and where something was left.

use serde_json::{Value, json};

use crate::{
    commands::{Exit, rights::Rights},
    report::Report,
};

/// What was done was done; that something was left is no success.
pub(super) fn with_left(exit: Exit, left: Option<&str>, report: &mut Report<'_>) -> Exit {
    let Some(left) = left else { return exit };
    report.result(format_args!("\n{left}"));
    Exit::Incomplete
}

/// Of several stores: what could not be established counts most.
pub(super) fn worst(exits: impl IntoIterator<Item = Exit>) -> Exit {
    exits.into_iter().fold(Exit::Clean, |worst, exit| match (worst, exit) {
        (Exit::Incomplete, _) | (_, Exit::Incomplete) => Exit::Incomplete,
        (Exit::Found, _) | (_, Exit::Found) => Exit::Found,
        (Exit::Clean, Exit::Clean) => Exit::Clean,
    })
}

/// Everything was done; whether everything was asked for that is needed is another matter.
pub(super) fn with_rights(exit: Exit, rights: &Rights, flags: &str, report: &mut Report<'_>) -> Exit {
    if exit != Exit::Clean || !rights.are_incomplete() {
        return exit;
    }
    rights.say_what_is_missing(flags, report);
    Exit::Found
}

/// One object for a program, with how it ended.
pub(super) fn ended(mut shown: Value, exit: Exit, report: &mut Report<'_>) -> Exit {
    shown["outcome"] = json!(exit.outcome());
    report.json("setup", shown);
    exit
}

impl Exit {
    /// For a program.
    pub(super) fn outcome(self) -> &'static str {
        match self {
            Self::Clean => "done",
            Self::Found => "pending",
            Self::Incomplete => "incomplete",
        }
    }
}
