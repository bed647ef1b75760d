//! Does what is planned: each change once those that it depends on are done, the others at the same time.

use std::collections::BTreeSet;

use futures::{StreamExt, stream::FuturesUnordered};

use super::{Act, Change};
use crate::{
    error::{Code, Error, Result},
    report::{Report, SharedReport},
};

/// How many changes are under way at the same time: enough to hide the time that a request takes on its way, and few
/// enough for quotas that count the writes of a minute.
const AT_ONCE: usize = 8;

/// Once one has failed, no other is begun; what has begun is finished. The error is that of the first in the plan.
///
/// A name in `depends_on` that is not among these changes counts as done. A change behind a gate that this run does
/// not open is shown as `later`, and is not begun.
pub(crate) async fn apply<'c, 'a: 'c>(
    changes: impl IntoIterator<Item = &'c Change<Box<dyn Act + 'a>>>,
    report: &mut Report<'_>,
) -> Result<()> {
    apply_beside(changes, &SharedReport::new(report)).await
}

/// The same; `done` gets the names of those that were done, whatever became of the others.
pub(crate) async fn apply_noting<'c, 'a: 'c>(
    changes: impl IntoIterator<Item = &'c Change<Box<dyn Act + 'a>>>,
    done: &mut BTreeSet<String>,
    report: &mut Report<'_>,
) -> Result<()> {
    apply_each(changes, done, &SharedReport::new(report)).await
}

/// The same, beside others that write to the same report.
pub(crate) async fn apply_beside<'c, 'a: 'c>(
    changes: impl IntoIterator<Item = &'c Change<Box<dyn Act + 'a>>>,
    messages: &SharedReport<'_, '_>,
) -> Result<()> {
    apply_each(changes, &mut BTreeSet::new(), messages).await
}

async fn apply_each<'c, 'a: 'c>(
    changes: impl IntoIterator<Item = &'c Change<Box<dyn Act + 'a>>>,
    names: &mut BTreeSet<String>,
    messages: &SharedReport<'_, '_>,
) -> Result<()> {
    let now = changes.into_iter().filter(|change| change.step.is_of_this_run());
    let mut waiting: Vec<_> = now.enumerate().collect();
    let mut open: BTreeSet<&str> = waiting.iter().map(|(_, change)| change.step.name.as_str()).collect();
    let mut failed: Vec<(usize, Error)> = Vec::new();
    let mut under_way = FuturesUnordered::new();
    loop {
        while failed.is_empty() && under_way.len() < AT_ONCE {
            let Some(next) = waiting.iter().position(|(_, change)| is_free(change, &open)) else { break };
            let (index, change) = waiting.remove(next);
            if !change.speaks() {
                messages.progress(change.step.progress());
            }
            under_way.push(async move {
                let mut say = |line: &str| messages.progress(format_args!("  {line}"));
                let done = change.run(&mut say).await;
                (index, change, done)
            });
        }
        let Some((index, change, done)) = under_way.next().await else { break };
        match done {
            Ok(()) => {
                open.remove(change.step.name.as_str());
                names.insert(change.step.name.clone());
            }
            Err(error) => failed.push((index, with_needs(error, change))),
        }
    }
    match (failed.into_iter().min_by_key(|(index, _)| *index), waiting.first()) {
        (Some((_, error)), _) => Err(error),
        (None, Some((_, change))) => Err(Error::failed(
            Code::PlanOrder,
            format!("`{}` waits for steps that wait for it", change.step.name),
        )
        .hint("this is a bug of keyless; what was done before it stays")),
        (None, None) => Ok(()),
    }
}

/// Whether nothing that it depends on is still to be done. It does not wait for itself.
fn is_free<A>(change: &Change<A>, open: &BTreeSet<&str>) -> bool {
    let step = &change.step;
    step.depends_on.iter().all(|name| *name == step.name || !open.contains(name.as_str()))
}

fn with_needs(error: Error, change: &Change<Box<dyn Act + '_>>) -> Error {
    let requires = &change.step.requires;
    if requires.is_empty() || change.speaks() {
        error
    } else {
        error.hint(format!("this step needs {}", requires.join(", ")))
    }
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
