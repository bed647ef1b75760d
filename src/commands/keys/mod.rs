//! `keyless keys`: which key is where, since when, and what may be done next.

mod place;
mod table;
mod tokens;
mod wait;

use serde_json::json;

use self::table::{Row, next_step, rows};
use super::{Exit, publish};
use crate::{
    cli::{KeysArgs, KeysCommand},
    cluster::Cluster,
    config::Settings,
    error::{Code, Error, Result},
    http::Http,
    publication::{Observation, Options, Publication},
    report::Report,
    rotation::Former,
    target,
    waiting::Waiting,
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

/// One look, and nothing written.
async fn observe(
    publication: &Publication<'_>,
    cluster: &Cluster,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Observation> {
    let waiting = Waiting::default();
    let options = Options { create: false, former: Former::Unknown };
    let look = publication.observe_with_ledger(&options, Some(cluster), now, &waiting);
    waiting.tell(report, look).await
}

async fn list(settings: &Settings, now: fn() -> u64, report: &mut Report<'_>) -> Result<Exit> {
    let http = Http::new(&settings.additional_roots)?;
    let publication = Publication::connect(settings, &http).await?.looking_up_tokens(true);
    let cluster = target::require(settings, report).await?;
    let (observation, place) =
        futures::join!(observe(&publication, &cluster, now, report), place::of_keys(&cluster));
    let observation = observation?;
    let Some(history) = &observation.history else { return Err(no_ledger(settings, &observation)) };
    let rows = rows(history);
    report.lines(table::lines(&rows));
    for note in history.notes() {
        report.warning(&note);
    }
    let (longest, tokens) = (history.policy().longest_token, observation.tokens.as_ref());
    report.line(format_args!("\n{}", tokens::line(longest, tokens)));
    let next = next_step(&rows, place);
    report.line(&next);
    report.json(
        "keys",
        json!({
            "keys": rows.iter().map(Row::to_json).collect::<Vec<_>>(),
            "servers": history.look.servers,
            "complete": history.look.whole,
            "longestToken": tokens::to_json(longest, tokens),
            "next": next,
        }),
    );
    Ok(match () {
        () if history.alarms() => Exit::Found,
        () if !history.look.whole => Exit::Incomplete,
        () => Exit::Clean,
    })
}

fn no_ledger(settings: &Settings, observation: &Observation) -> Error {
    let place = &settings.ledger;
    let error = Error::failed(
        Code::LedgerUnreadable,
        format!(
            "there is no ledger of the keys: ConfigMap {place} cannot be read, or its namespace does not exist"
        ),
    );
    let error = match observation.unreadable() {
        Some(note) => error.caused_by(&note.message),
        None => error,
    };
    error.hint("apply deploy/base, or create the namespace; then `keyless publish` begins the ledger")
}
