//! A run that has no store to set up.

use serde_json::json;

use super::{ended, members::NotMoved, plan, publisher, with_left};
use crate::{
    cli::SetupArgs,
    commands::{Exit, stores::Stores},
    error::Result,
    report::Report,
};

/// Nothing is planned where there is no store to set up.
pub(super) fn nothing_movable(
    stores: &Stores,
    not_moved: &[NotMoved],
    args: &SetupArgs,
    report: &mut Report<'_>,
) -> Result<Exit> {
    if not_moved.is_empty() {
        report.result("no store is known to log in with a stored credential");
    }
    plan::show_left(not_moved, &stores.not_looked_at, report);
    if let Some(account) = &args.publisher {
        return Err(publisher::without_store(account));
    }
    let is_partial = !not_moved.is_empty() || !stores.not_looked_at.is_empty();
    let left = is_partial.then_some(plan::NOT_MOVED);
    report.result("\nnothing to do");
    let whole = crate::plan::Plan::default();
    let mut shown = json!({ "dryRun": args.dry_run, "pending": 0, "plan": whole, "stores": [] });
    plan::left_json(not_moved, &stores.not_looked_at, &mut shown);
    Ok(ended(shown, with_left(Exit::Clean, left, report), report))
}
