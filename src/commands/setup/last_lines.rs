//! What the last lines of a run name: keys that a person has to look at, and credentials that remain.

use serde_json::Value;

use crate::{
    commands::{Exit, publish},
    publication::{Kept, PublicationPlan},
    report::Report,
    retirement::remaining::{self, Remaining},
};

/// What `keyless publish` would end with: the same keys, the same ledger.
pub(super) fn of_keys(documents: Option<&PublicationPlan<'_>>, kept: &Kept, report: &mut Report<'_>) -> Exit {
    let exit = match documents {
        Some(plan) => publish::exit(plan, false),
        None if kept.is_doubtful() => Exit::Incomplete,
        None => Exit::Clean,
    };
    match exit {
        Exit::Clean => {}
        Exit::Found => report.result("\nA person has to look at the published keys: see the warnings, and keyless keys."),
        Exit::Incomplete => report.result(
            "\nNot everything could be established of the keys: see the warnings. What is known was used, and no key was removed for it.",
        ),
    }
    exit
}

/// How many long-lived credentials remain of those that the stores used before: whether or not this run was asked to end them.
pub(super) fn tell_remaining(
    all: impl Iterator<Item = Remaining>,
    shown: &mut Value,
    report: &mut Report<'_>,
) {
    let all = remaining::distinct(all);
    remaining::line(&all).into_iter().for_each(|line| report.result(line));
    shown["remaining"] = remaining::to_json(&all);
}
