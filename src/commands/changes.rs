//! Planned differences: shown the same way in a dry run and before they are done, then done.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::{StreamExt, future, stream};
use serde_json::{Value, json};

use crate::{
    error::{Error, Result},
    federation::{Change, Difference, Federation, Verb},
    report::{Report, SharedTalk},
};

/// How many changes are under way at the same time: enough to hide the way there and back, and few enough for quotas
/// that count the writes of a minute.
const AT_ONCE: usize = 8;

/// One line a change, its differing fields below it.
pub(super) fn show(report: &mut Report<'_>, changes: &[Change]) {
    for change in changes {
        report.line(headline(mark(change.verb), change.verb, &change.object, &change.why));
        show_differences(report, &change.differences);
        if !change.needs.is_empty() {
            report.line(format_args!("    needs {}", change.needs));
        }
    }
}

/// `+ create  pool keyless-prod in acme-prod: the cluster needs a pool of its own`.
pub(super) fn headline(mark: char, verb: Verb, object: &str, why: &str) -> String {
    format!("{mark} {:<8}{object}: {why}", name(verb))
}

pub(super) fn show_differences(report: &mut Report<'_>, differences: &[Difference]) {
    let value = |text: &str| match text {
        "" | "none" | "nothing" => "(none)".to_owned(),
        text => text.to_owned(),
    };
    for Difference { field, have, want } in differences {
        report.line(format_args!("    {field}: {} → {}", value(have), value(want)));
    }
}

/// Whether there is anything to do.
pub(super) fn pending(changes: &[Change]) -> usize {
    changes.iter().filter(|change| change.verb != Verb::Leave).count()
}

/// Does every change: those that do not depend on each other at the same time, the others in turn.
pub(super) async fn apply(
    provider: &dyn Federation,
    changes: &[Change],
    report: &mut Report<'_>,
) -> Result<()> {
    let todo: Vec<_> = changes.iter().filter(|change| change.verb != Verb::Leave).collect();
    let mut left = todo.as_slice();
    while !left.is_empty() {
        let (now, later) = left.split_at(independent(left));
        together(provider, now, report).await?;
        left = later;
    }
    Ok(())
}

/// How many of the first changes wait for none of each other.
fn independent(changes: &[&Change]) -> usize {
    let waits = |index: &usize| changes[..*index].iter().any(|earlier| changes[*index].waits_for(earlier));
    (1..changes.len()).find(waits).unwrap_or(changes.len())
}

/// Once one has failed, no other is begun; what has begun is finished. The error is that of the first in the plan.
async fn together<'a>(
    provider: &dyn Federation,
    changes: &[&'a Change],
    report: &mut Report<'_>,
) -> Result<()> {
    let (talk, failed) = (&SharedTalk::new(report), &AtomicBool::new(false));
    let one = |(index, change): (usize, &'a Change)| {
        talk.progress(format_args!("{} {}", doing(change.verb), change.object));
        async move {
            let done = provider.apply(change, &mut |line| talk.progress(format_args!("  {line}"))).await;
            failed.fetch_or(done.is_err(), Ordering::Relaxed);
            (index, done.map_err(|error| with_needs(error, change)))
        }
    };
    let mut done: Vec<_> = stream::iter(changes.iter().copied().enumerate())
        .take_while(|_| future::ready(!failed.load(Ordering::Relaxed)))
        .map(one)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().try_for_each(|(_, done)| done)
}

fn with_needs(error: Error, change: &Change) -> Error {
    if change.needs.is_empty() { error } else { error.hint(format!("this step needs {}", change.needs)) }
}

pub(super) fn to_json(change: &Change) -> Value {
    json!({
        "verb": name(change.verb),
        "object": change.object,
        "why": change.why,
        "needs": change.needs,
        "differences": differences_to_json(&change.differences),
    })
}

pub(super) fn differences_to_json(differences: &[Difference]) -> Value {
    let one =
        |Difference { field, have, want }: &Difference| json!({ "field": field, "have": have, "want": want });
    differences.iter().map(one).collect()
}

pub(super) fn mark(verb: Verb) -> char {
    match verb {
        Verb::Create | Verb::Enable | Verb::Grant | Verb::Restore => '+',
        Verb::Leave => '=',
        Verb::Remove | Verb::Revoke => '-',
        Verb::Update => '~',
    }
}

/// For whoever watches it being done.
pub(super) fn doing(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "creating",
        Verb::Enable => "enabling",
        Verb::Grant => "granting",
        Verb::Leave => "leaving",
        Verb::Remove => "removing",
        Verb::Restore => "restoring",
        Verb::Revoke => "revoking",
        Verb::Update => "updating",
    }
}

fn name(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "create",
        Verb::Enable => "enable",
        Verb::Grant => "grant",
        Verb::Leave => "leave",
        Verb::Remove => "remove",
        Verb::Restore => "restore",
        Verb::Revoke => "revoke",
        Verb::Update => "update",
    }
}

#[cfg(test)]
#[path = "changes_tests.rs"]
mod tests;
