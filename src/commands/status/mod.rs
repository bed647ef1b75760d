//! `keyless status`: one screen about one cluster. It looks as `verify`, `keys` and `audit` do, over one connection.
//!
//! ```text
//!            ┌─► documents, as a relying party reads them ─┐
//!  connect ──┼─► keys, live and public                    ─┼─► page ─► the one next command
//!            └─► stores and what they name                ─┘
//! ```

mod next;
mod page;

use std::sync::Arc;

use self::page::{Credentials, Documents, Keys, Login, Page, Part, StoreLine, Stores};
use super::{Exit, issuer, keys, verify};
use crate::{
    audit::{self, LoginKind, login_kind},
    cli::{VerifyArgs, VerifyStores},
    cluster::snapshot::{Inventory, Mode, Store},
    config::Settings,
    error::{Code, Error, Kind, Result},
    http::Http,
    publication::Given,
    relying_party::{Finding, Outcome},
    report::Report,
    target,
};

/// Runs the command. `now` is asked for seconds since 1970. Nothing is changed.
pub(crate) async fn run(settings: &Settings, now: fn() -> u64, report: &mut Report<'_>) -> Result<Exit> {
    let http = Http::new(&settings.additional_roots)?;
    let cluster = Arc::new(target::require_look(settings, report).await?);
    let is_given = Given::is_meant(settings);
    let documents = match is_given {
        true => Part::Seen(Documents::Uploaded),
        false => part(documents(settings, &http, now, report).await)?,
    };
    let keys = match is_given || settings.bucket.is_some() {
        true => part(keys::count(settings, &http, &cluster, now, report).await.map(Keys::from))?,
        false => Part::Seen(Keys::NotPublished),
    };
    let (stores, credentials) = match part(cluster.inventory(Mode::Refs).await)? {
        Part::Seen(inventory) => (Part::Seen(stores(&inventory)), Part::Seen(credentials(&inventory))),
        Part::Unknown(why) => (Part::Unknown(why.clone()), Part::Unknown(why)),
    };
    let page = Page {
        cluster: cluster.target(),
        again: settings.again.clone(),
        account: settings.account().map(|account| account.title),
        documents,
        keys,
        stores,
        credentials,
    };
    report.lines(page.lines());
    report.json("status", page.to_json());
    Ok(if page.is_whole() { Exit::Clean } else { Exit::Incomplete })
}

/// What could not be read is a part of the page. Being asked to end is no result, and neither are settings for another
/// cluster.
fn part<T>(seen: Result<T>) -> Result<Part<T>> {
    match seen {
        Ok(seen) => Ok(Part::Seen(seen)),
        Err(error) if matches!(error.kind, Kind::Interrupted(_)) || error.code == Code::ClusterMismatch => {
            Err(error)
        }
        Err(Error { message, causes, .. }) => Ok(Part::Unknown([vec![message], causes].concat().join(": "))),
    }
}

/// Whether both documents are what a strict relying party takes. The cluster is not asked.
async fn documents(
    settings: &Settings,
    http: &Http,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Documents> {
    let Some(named) = issuer::named(settings, http).await? else { return Ok(Documents::NotNamed) };
    let issuer = named.as_str().to_owned();
    let args = VerifyArgs { audience: None, public_only: true, stores: VerifyStores::default() };
    let verdict = verify::examine(&args, settings, http, None, now, report).await?;
    verdict.ended.as_ref().map_err(Clone::clone)?;
    let all = verdict.findings();
    let count = |is: fn(&Finding) -> bool| all.iter().filter(|finding| is(finding)).count();
    let first = all.iter().find_map(|finding| match &finding.outcome {
        Outcome::Failed { seen, .. } => Some(format!("{}: {seen}", finding.subject)),
        _ => None,
    });
    Ok(Documents::Read {
        issuer,
        passed: count(|finding| matches!(finding.outcome, Outcome::Passed(_))),
        failed: count(Finding::is_failed),
        open: count(|finding| matches!(finding.outcome, Outcome::Skipped(_) | Outcome::Warned { .. })),
        first,
    })
}

fn stores(inventory: &Inventory) -> Stores {
    let line = |store: &Store| StoreLine {
        kind: store.0.kind().to_owned(),
        name: match store.0.namespace() {
            "" => store.0.name().to_owned(),
            namespace => format!("{namespace}/{}", store.0.name()),
        },
        provider: store.provider().map(|(provider, _)| provider.to_owned()),
        login: match login_kind(store) {
            LoginKind::Tokens => Login::Tokens,
            LoginKind::Stored => Login::Stored,
            LoginKind::Other(why) => Login::Other(why),
        },
        ready: store.is_ready(),
    };
    Stores {
        installed: inventory.installed,
        all: inventory.stores.iter().map(line).collect(),
        more: inventory.stores_unseen,
    }
}

/// What can be counted without a look into Secrets. It is never a zero.
fn credentials(inventory: &Inventory) -> Credentials {
    let verdict = audit::judge(inventory);
    let by_design = Mode::Refs.not_seen();
    let unread = verdict.unseen.iter().filter(|unseen| Some(*unseen) != by_design.as_ref());
    Credentials {
        seen: verdict.roots.len(),
        others: verdict.others.len(),
        unjudged: verdict.unknown.len(),
        unread: unread.map(|unseen| format!("{}: {}", unseen.what, unseen.why)).collect(),
    }
}

impl From<keys::Count> for Keys {
    fn from(count: keys::Count) -> Self {
        let keys::Count { live, public, former, alarms, whole, pending } = count;
        Self::Counted { live, public, former, alarms, whole, pending }
    }
}
