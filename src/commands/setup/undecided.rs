//! What only a settings file says that no flag names, of what setup decides by.
//!
//! Where the cluster leads to the same without the file, it decides nothing: the API servers sign as the issuer already, the
//! store reads from the account already.

use super::members::{Beside, Member, Shared};
use crate::{
    cluster::Observed,
    commands::{
        resolve::{Resolved, resolve_by, workload_of},
        stores::Stores,
        undecided::{Undecided, of_documents, offered},
    },
    config::Settings,
    error::Result,
    federation::TrustedIssuer,
    oidc::KeySet,
};

/// What the cluster was seen to sign and serve, what a provider is to believe, and the keys that files name.
pub(super) type Seen<'a> = (&'a Observed, &'a TrustedIssuer, Option<&'a KeySet>);

pub(super) fn undecided(
    shared: &Shared<'_>,
    (observed, issuer, staged): Seen<'_>,
    members: &[Member],
    beside: &[Beside],
) -> Result<Undecided> {
    let settings = shared.settings;
    let Some(without) = settings.undecided.without_file(settings) else { return Ok(Undecided::default()) };
    let accepts_new = shared.args.accept_new_secrets;
    let rights = members.iter().map(|member| (&member.shown, member.rights.by_file(accepts_new)));
    let rights = rights.chain(beside.iter().map(|it| (&it.shown, it.by_file.iter().collect())));
    let rights = rights
        .flat_map(|(store, rights)| rights.into_iter().map(move |right| format!("{store} may {right}")));
    Ok(Undecided::cluster(settings)
        .and(of_documents(settings, observed, issuer.signed()))
        .and(of_keys(settings, observed, staged)?)
        .and(settings.undecided.of_retention())
        .and(of_resolved(shared, &without))
        .and(of_accounts(shared, &without, members))
        .and(rights))
}

/// The ServiceAccounts of the stores.
fn of_accounts(shared: &Shared<'_>, without: &Settings, members: &[Member]) -> Vec<String> {
    const SETTING: &str = "store.serviceAccount";
    let Shared { settings, stores, estate, .. } = shared;
    let alone = |member: &Member| {
        workload_of(&stores.settings_of(&member.store, without), estate, &member.store).ok()
    };
    let members = members.iter().filter(|_| settings.sources.file_says(SETTING));
    let others = members.filter(|member| alone(member).as_ref() != Some(&member.account));
    others.map(|member| format!("{SETTING} {} of {}", member.account, member.shown)).collect()
}

/// Who holds a staged key can sign as every workload.
fn of_keys(settings: &Settings, observed: &Observed, staged: Option<&KeySet>) -> Result<Option<String>> {
    let (Some(staged), true) = (staged, settings.undecided.names_keys()) else { return Ok(None) };
    let live = observed.live()?;
    let more: Vec<_> = staged.iter().filter(|key| live.iter().all(|known| !known.same_key(key))).collect();
    let kids: Vec<_> = more.iter().map(|key| key.kid().escape_debug().to_string()).collect();
    Ok((!kids.is_empty()).then(|| format!("cluster.publicKeys (key {})", kids.join(", "))))
}

/// Resolves once more without the file, taking what the cluster offers.
fn of_resolved(shared: &Shared<'_>, without: &Settings) -> Vec<String> {
    let Shared { args, stores, resolved, estate, cluster_id, settings, .. } = shared;
    let first = stores.first_trusted(without, args.to, estate).ok().flatten();
    let alone = first.and_then(|(first, completes)| {
        resolve_by(&first, args.to, completes, estate, cluster_id, &mut offered).ok()
    });
    let alone = alone.map(|alone| as_settings(&alone, stores)).unwrap_or_default();
    let mut all = as_settings(resolved, stores);
    all.retain(|one| settings.sources.file_says(one.0) && !alone.contains(one));
    all.into_iter().map(|(setting, value)| format!("{setting} {}", value.escape_debug())).collect()
}

/// As settings with their values.
fn as_settings(resolved: &Resolved, stores: &Stores) -> Vec<(&'static str, String)> {
    let mut all = vec![("provider", resolved.provider.provider().to_string())];
    // Else flags say which stores the run is about.
    if stores.named.is_none() {
        all.push(("store.name", resolved.store.name().to_owned()));
        all.push(("store.namespace", resolved.store.namespace().unwrap_or_default().to_owned()));
    }
    all.extend(resolved.provider.settings());
    all
}
