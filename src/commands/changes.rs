//! Planned differences: shown the same way in a dry run and before they are done, then done one by one.

use serde_json::{Value, json};

use crate::{
    error::Result,
    federation::{Change, Federation, Verb},
    report::Report,
};

/// One line a change, its differing fields below it.
pub(super) fn show(report: &mut Report<'_>, changes: &[Change]) {
    for change in changes {
        report.line(format_args!(
            "{} {:<8}{}: {}",
            mark(change.verb),
            name(change.verb),
            change.object,
            change.why
        ));
        for difference in &change.differences {
            report.line(format_args!("    {}: {} → {}", difference.field, difference.have, difference.want));
        }
    }
}

/// Whether there is anything to do.
pub(super) fn pending(changes: &[Change]) -> usize {
    changes.iter().filter(|change| change.verb != Verb::Leave).count()
}

/// Does every change in turn.
pub(super) async fn apply(
    provider: &dyn Federation,
    changes: &[Change],
    report: &mut Report<'_>,
) -> Result<()> {
    for change in changes.iter().filter(|change| change.verb != Verb::Leave) {
        report.progress(format_args!("{} {}", name(change.verb), change.object));
        let done = provider.apply(change, &mut |line| report.progress(format_args!("  {line}"))).await;
        done.map_err(|error| {
            if change.needs.is_empty() {
                error
            } else {
                error.hint(format!("this step needs {}", change.needs))
            }
        })?;
    }
    Ok(())
}

pub(super) fn to_json(change: &Change) -> Value {
    json!({
        "verb": name(change.verb),
        "object": change.object,
        "why": change.why,
        "needs": change.needs,
        "differences": change.differences.iter().map(|difference| json!({
            "field": difference.field, "have": difference.have, "want": difference.want,
        })).collect::<Vec<_>>(),
    })
}

fn mark(verb: Verb) -> char {
    match verb {
        Verb::Create | Verb::Enable | Verb::Grant | Verb::Restore => '+',
        Verb::Leave => '=',
        Verb::Remove | Verb::Revoke => '-',
        Verb::Update => '~',
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
