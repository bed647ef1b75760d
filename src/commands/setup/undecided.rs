//! What only a settings file says that no flag names, of what setup decides by.
//!
//! Where the cluster leads to the same without the file, it decides nothing: the API servers sign as the issuer already, the
//! store reads from the account already.

use super::members::{Beside, Member};
use crate::{
    cluster::{Observed, snapshot::Estate},
    commands::{
        resolve::{Resolved, resolve_by, workload_of},
        stores::Stores,
        undecided::{Undecided, of_documents, offered},
    },
    config::Settings,
    error::Result,
    federation::{ProviderName, TrustedIssuer},
    oidc::KeySet,
};

/// What a run was resolved from.
pub(super) struct Found<'a> {
    pub(super) settings: &'a Settings,
    pub(super) stores: &'a Stores,
    pub(super) to: Option<ProviderName>,
    /// A person takes over what objects ask for.
    pub(super) accepts_new: bool,
    pub(super) estate: &'a Estate,
    pub(super) cluster_id: &'a str,
    pub(super) observed: &'a Observed,
    pub(super) issuer: &'a TrustedIssuer,
    /// Keys that files name.
    pub(super) staged: Option<&'a KeySet>,
}

pub(super) fn undecided(
    found: &Found<'_>,
    resolved: &Resolved,
    members: &[Member],
    beside: &[Beside],
) -> Result<Undecided> {
    let settings = found.settings;
    let Some(without) = settings.undecided.without_file(settings) else { return Ok(Undecided::default()) };
    let rights = members.iter().map(|member| (&member.shown, member.rights.by_file(found.accepts_new)));
    let rights = rights.chain(beside.iter().map(|it| (&it.shown, it.by_file.iter().collect())));
    let rights = rights
        .flat_map(|(store, rights)| rights.into_iter().map(move |right| format!("{store} may {right}")));
    Ok(Undecided::cluster(settings)
        .and(of_documents(settings, found.observed, found.issuer.signed()))
        .and(of_keys(found)?)
        .and(of_resolved(found, &without, resolved))
        .and(of_accounts(found, &without, members))
        .and(rights))
}

/// The ServiceAccounts of the stores.
fn of_accounts(found: &Found<'_>, without: &Settings, members: &[Member]) -> Vec<String> {
    const SETTING: &str = "store.serviceAccount";
    let Found { settings, stores, estate, .. } = found;
    let alone = |member: &Member| {
        workload_of(&stores.settings_of(&member.store, without), estate, &member.store).ok()
    };
    let members = members.iter().filter(|_| settings.sources.file_says(SETTING));
    let others = members.filter(|member| alone(member).as_ref() != Some(&member.account));
    others.map(|member| format!("{SETTING} {} of {}", member.account, member.shown)).collect()
}

/// Who holds a staged key can sign as every workload.
fn of_keys(found: &Found<'_>) -> Result<Option<String>> {
    let (Some(staged), true) = (found.staged, found.settings.undecided.names_keys()) else { return Ok(None) };
    let live = found.observed.live()?;
    let more: Vec<_> = staged.iter().filter(|key| live.iter().all(|known| !known.same_key(key))).collect();
    let kids: Vec<_> = more.iter().map(|key| key.kid().escape_debug().to_string()).collect();
    Ok((!kids.is_empty()).then(|| format!("cluster.publicKeys (key {})", kids.join(", "))))
}

/// Resolves once more without the file, taking what the cluster offers.
fn of_resolved(found: &Found<'_>, without: &Settings, resolved: &Resolved) -> Vec<String> {
    let Found { stores, to, estate, cluster_id, settings, .. } = found;
    let first = stores.first_trusted(without, *to, estate).ok().flatten();
    let alone = first.and_then(|(first, completes)| {
        resolve_by(&first, *to, completes, estate, cluster_id, &mut offered).ok()
    });
    let alone = alone.as_ref();
    let mut all = vec![
        ("provider", resolved.provider.provider().to_string()),
        ("store.name", resolved.store.name().to_owned()),
        ("store.namespace", resolved.store.namespace().unwrap_or_default().to_owned()),
    ];
    let mut own = Vec::new();
    if let Some(alone) = alone {
        own = vec![
            ("provider", alone.provider.provider().to_string()),
            ("store.name", alone.store.name().to_owned()),
            ("store.namespace", alone.store.namespace().unwrap_or_default().to_owned()),
        ];
        own.extend(alone.provider.settings());
    }
    // Flags say which stores the run is about.
    all.retain(|(setting, _)| stores.named.is_none() || !setting.starts_with("store."));
    all.extend(resolved.provider.settings());
    all.retain(|one| settings.sources.file_says(one.0) && !own.contains(one));
    all.into_iter().map(|(setting, value)| format!("{setting} {}", value.escape_debug())).collect()
}
