//! What is to be set up: the settings, completed by what is there. What can be neither read nor derived is asked.

use crate::commands::stores::Completes;
use std::collections::BTreeSet;

use super::{
    operator::controller,
    prompt::{self, Offer},
};
use crate::{
    ask::{Answers, Ask},
    cluster::{
        Observed, ServiceAccount, is_label, is_subdomain,
        snapshot::{Estate, Store},
    },
    config::{self, Settings},
    error::{Code, Error, Result},
    federation::{
        Configured, Known, Naming, ProviderName, Sections, Trust, TrustedIssuer, Workload, is_stored_key,
    },
    oidc::{KeySet, PublicKey},
    publication::Kept,
    report::Report,
    secret_store::StoreName,
};

/// Everything that is resolved before anything is planned.
#[derive(Debug)]
pub(super) struct Resolved {
    /// The provider that the store is to use.
    pub(super) provider: Box<dyn Configured>,
    /// Others that the settings name: what was set up there is to be taken away, wherever the store goes.
    pub(super) others: Vec<Box<dyn Configured>>,
    /// What the settings hold of each provider, with what a person has answered in this run.
    pub(super) sections: Sections,
    pub(super) store: StoreName,
    /// The ServiceAccount that the store uses.
    pub(super) workload: ServiceAccount,
}

impl Resolved {
    /// Whether the provider is given the keys, and needs no documents.
    pub(super) fn uploads_keys(&self) -> bool {
        self.provider.uploads_keys()
    }

    /// Whether no other provider of the settings is given the keys.
    pub(super) fn is_only_given(&self) -> bool {
        !self.others.iter().any(|other| other.uploads_keys())
    }

    /// Every provider that may trust the issuer, in the order of the registry.
    pub(super) fn providers(&self) -> impl Iterator<Item = &dyn Configured> {
        let all = move || [&self.provider].into_iter().chain(&self.others);
        ProviderName::all().filter_map(move |name| all().find(|it| it.provider() == name)).map(Box::as_ref)
    }

    /// What a provider is told to believe, before anything is granted: see `Workload::granting`. `files`: keys that are
    /// given before an API server serves them. `kept`: what the provider has and must go on having.
    pub(super) fn trust(
        &self,
        issuer: TrustedIssuer,
        cluster_id: String,
        observed: &Observed,
        files: Option<&KeySet>,
        kept: &Kept,
    ) -> Result<Trust> {
        let live = observed.live()?;
        let mut keys: Vec<PublicKey> = live.iter().cloned().collect();
        let mut take = |more: &mut dyn Iterator<Item = &PublicKey>| -> Vec<String> {
            let mut kids = Vec::new();
            for key in more {
                if !keys.iter().any(|known| known.same_key(key)) {
                    kids.push(key.kid().to_owned());
                    keys.push(key.clone());
                }
            }
            kids
        };
        let mut staged = take(&mut files.iter().flat_map(|keys| keys.iter()));
        staged.extend(take(&mut kept.staged.iter()));
        let former = take(&mut kept.former.iter());
        let signing = observed.servers.iter().filter_map(|server| server.token.claims().kid.clone());
        let signing: BTreeSet<_> = signing.collect();
        Ok(Trust {
            issuer,
            cluster_id,
            staged,
            former,
            keys: KeySet::new(keys)?,
            proof: None,
            signing: signing.into_iter().collect(),
            workloads: vec![Workload::new(self.workload.clone(), Naming::AsSet)],
        })
    }
}

/// As [`resolve`], asking the person at the terminal.
pub(super) fn resolve_asking(
    settings: &Settings,
    to: Option<ProviderName>,
    completes: Completes,
    estate: &Estate,
    cluster_id: &str,
    report: &mut Report<'_>,
) -> Result<Resolved> {
    let mut answers = Answers::default();
    let mut ask = |setting: &str, text: &str, offer: Offer<'_>| {
        let answer = prompt::question(report, setting, text, offer)?;
        // Enter takes what is offered: a suggestion is confirmed by it, a default decides nothing.
        if prompt::asks_person() && offer != Offer::Default(&answer) {
            answers.note(setting, &answer);
        }
        Ok::<_, Error>(answer)
    };
    refuse_half_sight(estate)?;
    controller(estate, None)?;
    let name = store_name(settings, estate, &mut ask)?;
    if let Some(error) = unknown_store(estate, &name) {
        return Err(error);
    }
    let store = config::Store {
        name: Some(name.name().to_owned()),
        namespace: name.namespace().map(str::to_owned),
        ..settings.store.clone()
    };
    let settings = Settings { store, ..settings.clone() };
    let resolved = resolve_by(&settings, to, completes, estate, cluster_id, &mut ask)?;
    Ok(Resolved { sections: settings.providers.answered(&answers)?, ..resolved })
}

/// Resolves everything. `cluster_id` is the UID of the namespace `kube-system`: it names the cluster's own pool.
pub(super) fn resolve(
    settings: &Settings,
    to: Option<ProviderName>,
    estate: &Estate,
    cluster_id: &str,
    ask: &mut Ask<'_>,
) -> Result<Resolved> {
    resolve_by(settings, to, Completes::Yes, estate, cluster_id, ask)
}

/// As [`resolve`]. `completes`: whether the store says what the settings leave out.
pub(super) fn resolve_by(
    settings: &Settings,
    to: Option<ProviderName>,
    completes: Completes,
    estate: &Estate,
    cluster_id: &str,
    ask: &mut Ask<'_>,
) -> Result<Resolved> {
    let store = store_name(settings, estate, ask)?;
    let present = estate.store(store.is_cluster(), store.namespace().unwrap_or_default(), store.name());
    let present = present.filter(|_| completes == Completes::Yes);
    let mut named = settings.providers.named().map(|section| section.provider());
    let by_settings = match (named.next(), named.next()) {
        (only, None) => only,
        _ => None,
    };
    let chosen = to.or(settings.provider).or(by_settings);
    let chosen = match chosen.or_else(|| present.and_then(ProviderName::of_store)) {
        Some(provider) => provider,
        None => asked_provider(&store, ask)?,
    };
    let known = Known { estate, store: present, cluster_id };
    let (mut provider, mut others) = (None, Vec::new());
    for section in settings.providers.iter() {
        if section.provider() == chosen {
            provider = Some(section.complete(&known, ask)?);
        } else if section.is_named() {
            others.push(section.complete(&known, ask)?);
        }
    }
    let provider = provider.ok_or_else(|| {
        Error::usage(Code::SettingMissing, format!("nothing is known of the provider {chosen}"))
    })?;
    let workload = workload_of(settings, estate, &store)?;
    Ok(Resolved { provider, others, sections: settings.providers.clone(), store, workload })
}

/// Where neither a flag, nor the settings, nor a store says it, a person does: none is taken by default.
fn asked_provider(store: &StoreName, ask: &mut Ask<'_>) -> Result<ProviderName> {
    let names = ProviderName::names().join(", ");
    let question = format!("Provider that the store {} is to read from ({names})", store.name());
    let answer = ask("provider", &question, Offer::Nothing)
        .map_err(|error| error.hint("or name it in the command: keyless setup --to PROVIDER"))?;
    ProviderName::all().find(|provider| provider.as_str() == answer).ok_or_else(|| {
        Error::usage(Code::SettingMissing, format!("no provider has the name `{}`", answer.escape_debug()))
            .hint(format!("name one of these: {names}"))
    })
}

/// The ServiceAccount of a store: as set, else the one that it uses already, else one of its own.
pub(super) fn workload_of(settings: &Settings, estate: &Estate, store: &StoreName) -> Result<ServiceAccount> {
    if let Some(account) = &settings.store.service_account {
        return Ok(account.clone());
    }
    let present = estate.store(store.is_cluster(), store.namespace().unwrap_or_default(), store.name());
    let eso = &controller(estate, Some(store))?.namespace;
    let used = present.map(|present| account_of(present, eso)).transpose()?.flatten();
    Ok(used.unwrap_or_else(|| ServiceAccount {
        namespace: store.namespace().unwrap_or(eso).to_owned(),
        name: format!("keyless-{}", store.name()),
    }))
}

/// What cannot be seen may be another store that uses the key, or the key itself: nothing is changed past it.
fn refuse_half_sight(estate: &Estate) -> Result<()> {
    if estate.unseen.is_empty() {
        return Ok(());
    }
    let error =
        Error::failed(Code::ClusterNotSeen, "not everything could be looked at that this change may touch")
            .hint("nothing was changed; keyless audit shows what can be seen");
    Err(estate.unseen.iter().fold(error, |error, unseen| error.caused_by(format_args!("{unseen}"))))
}

/// The named store; else the only one that logs in with a stored key; else the only one there is. Tenants make
/// SecretStores: where there are ClusterSecretStores, none of theirs is chosen by itself.
pub(super) fn store_name(settings: &Settings, estate: &Estate, ask: &mut Ask<'_>) -> Result<StoreName> {
    if let Some(name) = &settings.store.name {
        return store_named(settings, name.clone());
    }
    let any_cluster = estate.stores.iter().any(Store::is_cluster);
    let eligible: Vec<_> = estate.stores.iter().filter(|store| store.is_cluster() || !any_cluster).collect();
    let with_key: Vec<_> = eligible.iter().filter(|store| is_stored_key(estate, store)).collect();
    match (with_key.as_slice(), eligible.as_slice(), estate.stores.as_slice()) {
        ([only], ..) => Ok(StoreName::of(only)),
        ([], [only], [_]) => Ok(StoreName::of(only)),
        ([], [], []) => {
            let name =
                ask("store.name", "Name of the ClusterSecretStore to make", Offer::Default("keyless"))?;
            store_named(settings, name)
        }
        _ => {
            let names: Vec<_> = estate.stores.iter().map(|store| store.0.describe()).collect();
            let question = format!("Which store is meant ({})", names.join(", "));
            let name = ask("store.name", &question, Offer::Nothing)?;
            store_named(settings, name)
        }
    }
}

/// As [`unknown_store`], for the store that the settings name.
pub(super) fn named_store_unknown(settings: &Settings, estate: &Estate) -> Result<Option<Error>> {
    let Some(name) = &settings.store.name else { return Ok(None) };
    Ok(unknown_store(estate, &store_named(settings, name.clone())?))
}

/// The refusal of a store that is not there while others are: a name that is mistyped makes no new store, and is not looked
/// at in vain.
pub(super) fn unknown_store(estate: &Estate, name: &StoreName) -> Option<Error> {
    const MOST: usize = 10;
    let is_there =
        estate.store(name.is_cluster(), name.namespace().unwrap_or_default(), name.name()).is_some();
    if is_there || estate.stores.is_empty() {
        return None;
    }
    let kind = if name.is_cluster() { "ClusterSecretStore" } else { "SecretStore" };
    let named = name.namespace().map_or_else(|| name.name().to_owned(), |it| format!("{it}/{}", name.name()));
    let mut there: Vec<_> = estate.stores.iter().take(MOST).map(|store| store.0.describe()).collect();
    if let Some(more @ 1..) = estate.stores.len().checked_sub(MOST) {
        there.push(format!("{more} more"));
    }
    let error = Error::usage(Code::StoreUnknown, format!("there is no {kind} {named} in this cluster"));
    Some(error.caused_by(format_args!("there are: {}", there.join(", "))).hint(
        "set store.name in keyless.yaml to the name of one of them; for a SecretStore, set store.namespace as well",
    ).hint("to have a new one beside them, apply it first: its name and its provider are enough"))
}

/// The name becomes part of paths of the API: what cannot be one is refused.
fn store_named(settings: &Settings, name: String) -> Result<StoreName> {
    let namespace = settings.store.namespace.clone();
    if !is_subdomain(&name) || namespace.as_deref().is_some_and(|namespace| !is_label(namespace)) {
        let shown = namespace.map_or_else(|| name.clone(), |namespace| format!("{namespace}/{name}"));
        return Err(Error::usage(
            Code::StoreName,
            format!("`{}` cannot be the name of a store", shown.escape_debug()),
        )
        .hint("store.name and store.namespace are names of Kubernetes objects, e.g. gcp"));
    }
    Ok(match namespace {
        Some(namespace) => StoreName::Namespaced { namespace, name },
        None => StoreName::Cluster(name),
    })
}

/// For those who only look: where the store logs in now, without an administrator's credential unless an administrator
/// has named the same place.
pub(super) fn looking(settings: &Settings, present: Option<&Store>) -> Settings {
    match present {
        Some(store) => Settings { providers: settings.providers.looking(store), ..settings.clone() },
        None => settings.clone(),
    }
}

/// The ServiceAccount that a store uses already, whatever its provider. Its name goes into what a provider believes.
fn account_of(store: &Store, eso_namespace: &str) -> Result<Option<ServiceAccount>> {
    let references = store.references().into_iter();
    let reference =
        references.into_iter().find(|it| it.target == crate::cluster::snapshot::Target::ServiceAccount);
    let Some(reference) = reference else { return Ok(None) };
    let namespace = match (store.is_cluster(), reference.namespace) {
        (false, _) => store.0.namespace().to_owned(),
        (true, Some(namespace)) => namespace,
        (true, None) => eso_namespace.to_owned(),
    };
    if is_label(&namespace) && is_subdomain(&reference.name) {
        return Ok(Some(ServiceAccount { namespace, name: reference.name }));
    }
    let shown = format!("{namespace}/{}", reference.name);
    Err(Error::usage(
        Code::ServiceAccount,
        format!("{} names `{}`, which cannot be a ServiceAccount", store.0.describe(), shown.escape_debug()),
    )
    .hint(
        "set store.serviceAccount in keyless.yaml to NAMESPACE/NAME of the one to use, or correct the store",
    ))
}
