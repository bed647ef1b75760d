//! `keyless keys wait`: stays until a key may sign, or may be taken from the API servers.

use std::time::Duration;

use serde_json::json;

use super::{
    Keyring, no_ledger, place,
    table::{Row, next_step, rows},
};
use crate::{
    cli::WaitArgs,
    cluster::Cluster,
    commands::Exit,
    config::Settings,
    error::{Code, Error, Kind, Result},
    http::Http,
    report::Report,
    retry::{Attempts, Backoff},
    rotation::advice::Next,
    target,
};

/// How soon it looks again after a failure, and how long it waits at most between two looks.
const SHORTEST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(30);

/// What these keys allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The next step is safe: a key may sign, or may be taken from the API servers.
    Safe,
    /// Something has to happen first: at this time, or when a person or the CronJob does it.
    Wait(Option<u64>),
    /// A person has to look at a key first.
    Alarm,
    /// No key is on its way anywhere.
    Nothing,
}

/// Runs it. API servers that do not answer while they restart are waited for as well.
pub(super) async fn run(
    args: &WaitArgs,
    settings: &Settings,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Exit> {
    let begun = now();
    let http = Http::new(&settings.additional_roots)?;
    let mut connected = None;
    let mut failures = None;
    loop {
        let looked = look(args, settings, &http, &mut connected, now, report).await;
        let at = now();
        let left = args.timeout.map(|limit| begun.saturating_add(limit.as_secs()).saturating_sub(at));
        let deadline = left.map_or(Duration::MAX, Duration::from_secs);
        match looked {
            Ok((next, complete, verdict)) => {
                let until = match verdict {
                    Verdict::Wait(until) if left != Some(0) => until,
                    verdict => {
                        report.json("keys wait", json!({ "next": next, "complete": complete }));
                        report.result(&next);
                        return Ok(if verdict == Verdict::Safe { Exit::Clean } else { Exit::Found });
                    }
                };
                report.progress(&next);
                failures = None;
                let wait =
                    until.map_or(LONGEST, |until| Duration::from_secs(until.saturating_sub(at).max(1)));
                Attempts::begin(Backoff::poll(wait.min(LONGEST), LONGEST, deadline)).pause(None).await;
            }
            Err(error) if error.kind == Kind::Failed && left != Some(0) => {
                report.progress(format_args!("{}: looking again", error.message));
                connected = None;
                let backoff = Backoff::poll(SHORTEST, LONGEST, deadline);
                failures.get_or_insert_with(|| Attempts::begin(backoff)).pause(None).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// What one look leaves to the next, with its connections.
struct Connected<'a> {
    keyring: Keyring<'a>,
    cluster: Cluster,
    place: Option<&'static str>,
}

async fn look<'a>(
    args: &WaitArgs,
    settings: &'a Settings,
    http: &'a Http,
    connected: &mut Option<Connected<'a>>,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<(String, bool, Verdict)> {
    let Connected { keyring, cluster, place } = match connected {
        Some(connected) => connected,
        None => {
            let keyring = Keyring::connect(settings, http).await?;
            let cluster = target::require(settings, report).await?;
            let place = place::of_keys(&cluster).await;
            connected.insert(Connected { keyring, cluster, place })
        }
    };
    let looked = keyring.look(cluster, now, report).await?;
    // What one provider refuses may be there or not: nothing is known to be safe.
    if let Some(error) = looked.failed {
        return Err(error);
    }
    let Some(history) = &looked.history else { return Err(no_ledger(settings, &looked)) };
    let named = |row: &Row| args.kid.as_deref().is_none_or(|kid| kid == row.kid);
    let rows: Vec<Row> = rows(history).into_iter().filter(named).collect();
    if let (Some(kid), true) = (&args.kid, rows.is_empty()) {
        return Err(Error::usage(Code::KeyUnknown, format!("no key `{}` is known", kid.escape_debug()))
            .hint("`keyless keys` lists them"));
    }
    let next = rows.iter().map(|row| (row.next, row.is_alarm(), row.waits_until()));
    Ok((next_step(&rows, *place, &settings.again), history.look.whole, verdict(next)))
}

/// Of each key: what comes next, whether a person has to look at it, and when what it waits for is safe.
fn verdict(keys: impl Iterator<Item = (Next, bool, Option<u64>)> + Clone) -> Verdict {
    let of = |wanted: fn(Next) -> bool| keys.clone().filter(move |(next, ..)| wanted(*next));
    if keys.clone().any(|(_, is_alarm, _)| is_alarm) {
        return Verdict::Alarm;
    }
    // Done by people or by the CronJob, and only then a matter of time.
    let undone = |next| matches!(next, Next::AskEveryServer | Next::Publish | Next::ServeEverywhere);
    if of(undone).next().is_some() {
        return Verdict::Wait(None);
    }
    // A key without a time is not known to be safe at any.
    let latest = |wanted: fn(Next) -> bool| {
        of(wanted).map(|(_, _, until)| until).max_by_key(|until| until.unwrap_or(u64::MAX)).map(Verdict::Wait)
    };
    let permitted = |wanted: fn(Next) -> bool| of(wanted).next().map(|_| Verdict::Safe);
    // The order of `next_step`: that a former key has to stay for a day does not hold up the one that may sign.
    latest(|next| next == Next::WaitToSign)
        .or_else(|| permitted(|next| next == Next::MaySign))
        .or_else(|| latest(|next| next == Next::WaitToRemove))
        .or_else(|| permitted(|next| next == Next::MayRemove))
        .unwrap_or(Verdict::Nothing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_permitted_steps_are_safe() {
        let at = |next: Next, until: Option<u64>| (next, false, until);
        for (keys, expected) in [
            (vec![at(Next::MaySign, None), at(Next::Nothing, None)], Verdict::Safe),
            (vec![at(Next::MayRemove, None), at(Next::Nothing, None)], Verdict::Safe),
            (vec![], Verdict::Nothing),
            (vec![at(Next::Nothing, None), at(Next::Leaves, None)], Verdict::Nothing),
            (vec![at(Next::Publish, None)], Verdict::Wait(None)),
            (vec![at(Next::ServeEverywhere, None), at(Next::MayRemove, None)], Verdict::Wait(None)),
            (vec![at(Next::AskEveryServer, None), at(Next::WaitToSign, Some(9))], Verdict::Wait(None)),
            (vec![at(Next::WaitToSign, Some(9)), at(Next::MayRemove, None)], Verdict::Wait(Some(9))),
            (vec![at(Next::WaitToSign, Some(9)), at(Next::WaitToRemove, Some(12))], Verdict::Wait(Some(9))),
            (vec![at(Next::WaitToSign, Some(9)), at(Next::WaitToSign, None)], Verdict::Wait(None)),
            (vec![at(Next::WaitToRemove, Some(12)), at(Next::MaySign, None)], Verdict::Safe),
            (vec![at(Next::WaitToRemove, Some(12)), at(Next::MayRemove, None)], Verdict::Wait(Some(12))),
            (vec![(Next::MaySign, false, None), (Next::Nothing, true, None)], Verdict::Alarm),
        ] {
            assert_eq!(verdict(keys.iter().copied()), expected, "{keys:?}");
        }
    }
}
