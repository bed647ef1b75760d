//! What only a settings file says that no flag names, of what setup decides by.
//!
//! Where the cluster leads to the same without the file, it decides nothing: the API servers sign as the issuer already, the
//! store reads from the account already.

use super::members::Member;
use crate::{
    ask::Offer,
    cluster::{self, Observed, snapshot::Estate},
    commands::{
        resolve::{Resolved, resolve_by},
        stores::Stores,
        undecided::Undecided,
    },
    config::Settings,
    error::{Code, Error, Result},
    federation::{ProviderName, TrustedIssuer},
    oidc::KeySet,
};

/// What a run was resolved from.
pub(super) struct Found<'a> {
    pub(super) settings: &'a Settings,
    pub(super) stores: &'a Stores,
    pub(super) to: Option<ProviderName>,
    pub(super) estate: &'a Estate,
    pub(super) cluster_id: &'a str,
    pub(super) observed: &'a Observed,
    pub(super) issuer: &'a TrustedIssuer,
    /// Keys that files name.
    pub(super) staged: Option<&'a KeySet>,
}

/// `grants`: whether something is granted by this run.
pub(super) fn undecided(
    found: &Found<'_>,
    resolved: &Resolved,
    members: &[Member],
    grants: bool,
) -> Result<Undecided> {
    let settings = found.settings;
    let Some(without) = settings.undecided.without_file(settings) else { return Ok(Undecided::default()) };
    let ours = members.iter().filter(|member| grants && member.is_of_settings());
    let listed = ours.flat_map(|member| member.rights.only_listed());
    Ok(Undecided::cluster(settings)
        .and(of_documents(found))
        .and(of_keys(found)?)
        .and(of_resolved(found, &without, resolved))
        .and(listed.map(|right| format!("store may {right}"))))
}

/// Whoever can write the bucket can sign as every workload. The API servers' own flags say the same once all of them sign as
/// its issuer.
fn of_documents(found: &Found<'_>) -> Vec<String> {
    let Found { settings, observed, issuer, .. } = found;
    let signs = |server: &cluster::ApiServer| server.token.claims().issuer == *issuer.signed();
    if observed.failed.is_empty() && observed.servers.iter().all(signs) {
        return Vec::new();
    }
    let bucket = settings.bucket.iter().flat_map(|bucket| bucket.to_members());
    let issuer = ("issuer", Some(issuer.to_string()));
    let named = settings.undecided.of_documents();
    let alone = bucket.chain([issuer]).filter(|(setting, _)| named.contains(setting));
    alone.map(|(setting, value)| format!("{setting} {}", value.unwrap_or_default().escape_debug())).collect()
}

/// Whoever holds a staged key can sign as every workload.
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
    let mut offered = |setting: &str, _: &str, offer: Offer<'_>| {
        let text = offer.text().map(str::to_owned);
        text.ok_or_else(|| Error::usage(Code::SettingMissing, format!("`{setting}` is not set")))
    };
    let first = stores.first_trusted(without, *to, estate).ok().flatten();
    let alone = first.and_then(|(first, completes)| {
        resolve_by(&first, *to, completes, estate, cluster_id, &mut offered).ok()
    });
    let alone = alone.as_ref();
    let mut all = vec![
        ("provider", resolved.provider.provider().to_string()),
        ("store.name", resolved.store.name().to_owned()),
        ("store.namespace", resolved.store.namespace().unwrap_or_default().to_owned()),
        ("store.serviceAccount", resolved.workload.to_string()),
    ];
    let mut own = Vec::new();
    if let Some(alone) = alone {
        own = vec![
            ("provider", alone.provider.provider().to_string()),
            ("store.name", alone.store.name().to_owned()),
            ("store.namespace", alone.store.namespace().unwrap_or_default().to_owned()),
            ("store.serviceAccount", alone.workload.to_string()),
        ];
        own.extend(alone.provider.settings());
    }
    all.extend(resolved.provider.settings());
    all.retain(|one| settings.sources.file_says(one.0) && !own.contains(one));
    all.into_iter().map(|(setting, value)| format!("{setting} {}", value.escape_debug())).collect()
}
