//! `keyless keys`: which key is where, since when, and what may be done next.

mod keyring;
mod place;
mod table;
mod tokens;
mod wait;

use serde_json::json;

use self::{
    keyring::{Keyring, Looked},
    table::{Row, next_step, rows},
};
use super::{Exit, publish};
use crate::{
    cli::{KeysArgs, KeysCommand},
    cluster::Cluster,
    config::Settings,
    error::{Code, Error, Result},
    http::Http,
    report::Report,
    rotation::advice::Next,
    target,
};

/// Runs the command. `now` is asked for seconds since 1970.
pub(crate) async fn run(
    args: &KeysArgs,
    settings: &Settings,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Exit> {
    match &args.command {
        None => list(settings, now, report).await,
        Some(KeysCommand::Add(add)) => {
            let mut settings = settings.clone();
            settings.public_keys.push(add.file.clone());
            publish::run(&publish::Intent::adds(add.dry_run), &settings, now, report).await
        }
        Some(KeysCommand::Revoke(revoke)) => {
            publish::run(&publish::Intent::revokes(revoke), settings, now, report).await
        }
        Some(KeysCommand::Wait(args)) => wait::run(args, settings, now, report).await,
    }
}

async fn list(settings: &Settings, now: fn() -> u64, report: &mut Report<'_>) -> Result<Exit> {
    let http = Http::new(&settings.additional_roots)?;
    let keyring = Keyring::connect(settings, &http).await?;
    let cluster = target::require(settings, report).await?;
    let (looked, place) = futures::join!(keyring.look(&cluster, now, report), place::of_keys(&cluster));
    let looked = looked?;
    let Some(history) = &looked.history else { return Err(no_ledger(settings, &looked)) };
    let rows = rows(history);
    report.lines(table::lines(&rows));
    for note in history.notes() {
        report.warning(&note);
    }
    looked.failures.iter().for_each(|note| report.warning(note));
    let (longest, tokens) = (history.policy().longest_token, looked.tokens.as_ref());
    let recorded = history.judged.ledger.longest_token(&history.look);
    report.line(format_args!("\n{}", tokens::line(longest, tokens, recorded)));
    let next = match looked.failures.is_empty() {
        true => next_step(&rows, place, &settings.again),
        false => ASK_EVERY_PROVIDER.to_owned(),
    };
    let complete = history.look.whole && looked.failures.is_empty();
    report.line(&next);
    report.json(
        "keys",
        json!({
            "keys": rows.iter().map(Row::to_json).collect::<Vec<_>>(),
            "servers": history.look.servers,
            "complete": complete,
            "longestToken": tokens::to_json(longest, tokens, recorded),
            "next": next,
        }),
    );
    Ok(match () {
        () if !looked.failures.is_empty() => Exit::Incomplete,
        () if history.alarms() => Exit::Found,
        () if !complete => Exit::Incomplete,
        () => Exit::Clean,
    })
}

/// The keys in numbers.
pub(super) struct Count {
    /// An API server has them.
    pub(super) live: usize,
    /// Of those, the ones that relying parties can have.
    pub(super) public: usize,
    /// Public, and no longer live.
    pub(super) former: usize,
    /// Those that a person has to look at.
    pub(super) alarms: usize,
    /// Every API server and every provider answered.
    pub(super) whole: bool,
    /// There is a next step for one of them.
    pub(super) pending: bool,
}

/// As the list says, in numbers. Nothing is written.
pub(super) async fn count(
    settings: &Settings,
    http: &Http,
    cluster: &Cluster,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Count> {
    let keyring = Keyring::connect(settings, http).await?;
    let looked = keyring.look(cluster, now, report).await?;
    let Some(history) = &looked.history else { return Err(no_ledger(settings, &looked)) };
    let rows = rows(history);
    let count = |is: fn(&Row) -> bool| rows.iter().filter(|row| is(row)).count();
    Ok(Count {
        live: count(Row::is_live),
        public: count(|row| row.is_live() && row.is_public()),
        former: count(|row| !row.is_live() && row.is_public()),
        alarms: count(Row::is_alarm),
        whole: history.look.whole && looked.failures.is_empty(),
        pending: count(|row| !matches!(row.next, Next::Nothing | Next::Leaves)) > 0,
    })
}

/// What one provider refuses may be there or not.
const ASK_EVERY_PROVIDER: &str =
    "next: find out why a provider refuses or does not answer; what is safe takes an answer of all of them";

fn no_ledger(settings: &Settings, looked: &Looked) -> Error {
    let place = &settings.ledger;
    let error = Error::failed(
        Code::LedgerUnreadable,
        format!(
            "there is no ledger of the keys: ConfigMap {place} cannot be read, or its namespace does not exist"
        ),
    );
    let error = match &looked.unreadable {
        Some(note) => error.caused_by(&note.message),
        None => error,
    };
    error.hint("apply deploy/base, or create the namespace; then `keyless publish` begins the ledger")
}
