//! What is to be set up: the settings, completed by what is there. What can be neither read nor derived is asked.

use std::collections::BTreeSet;

use super::{
    operator::controller,
    prompt::{self, Offer},
};
use crate::{
    cluster::{
        Observed, ServiceAccount, is_label, is_subdomain,
        snapshot::{Estate, Public, Store},
    },
    config::{self, ProviderName, Settings},
    error::{Code, Error, Result},
    federation::{Trust, TrustedIssuer, gcp, vault},
    oidc::{KeySet, PublicKey},
    report::Report,
    secret_store::StoreName,
    target::Account,
};

/// Asks a person for a setting: its name in `keyless.yaml`, the words, the answer that is offered.
type Ask<'a> = dyn FnMut(&str, &str, Offer<'_>) -> Result<String> + 'a;

/// Everything that is settled before anything is planned.
#[derive(Clone, Debug)]
pub(super) struct Settled {
    pub(super) provider: ProviderName,
    pub(super) google: Option<gcp::Settings>,
    pub(super) vault: Option<vault::Settings>,
    pub(super) store: StoreName,
    /// The ServiceAccount that the store uses.
    pub(super) workload: ServiceAccount,
}

impl Settled {
    /// Whether the provider is given the keys, and needs no documents.
    pub(super) fn uploads_keys(&self) -> bool {
        match self.provider {
            ProviderName::Google => {
                self.google.as_ref().is_some_and(|google| google.mode == gcp::Mode::Uploaded)
            }
            ProviderName::Vault => {
                self.vault.as_ref().is_some_and(|vault| vault.mode == vault::Mode::StaticKeys)
            }
        }
    }

    /// Whose account the provider's side is in.
    pub(super) fn account(&self) -> Option<Account> {
        match self.provider {
            ProviderName::Google => self.google.as_ref().map(gcp::Settings::account),
            ProviderName::Vault => self.vault.as_ref().map(vault::Settings::account),
        }
    }

    /// What a provider is told to believe, before anything is granted: see [`Trust::granting`]. `staged`: keys that no
    /// API server serves yet. `kept`: keys that the provider has and that must not be taken away, because not every API
    /// server was seen.
    pub(super) fn trust(
        &self,
        issuer: TrustedIssuer,
        cluster_id: String,
        observed: &Observed,
        staged: Option<&KeySet>,
        kept: Option<&KeySet>,
    ) -> Result<Trust> {
        let live = observed.live()?;
        let new = |keys: Option<&KeySet>, known: &KeySet| -> Vec<PublicKey> {
            let is_new = |key: &&PublicKey| !known.iter().any(|other| other.same_key(key));
            keys.iter().flat_map(|keys| keys.iter()).filter(is_new).cloned().collect()
        };
        let kept = new(kept, &live);
        let known = KeySet::new(live.iter().cloned().chain(kept))?;
        let staged = new(staged, &known);
        let signing = observed.servers.iter().filter_map(|server| server.token.claims().kid.clone());
        let signing: BTreeSet<_> = signing.collect();
        Ok(Trust {
            issuer,
            cluster_id,
            staged: staged.iter().map(|key| key.kid().to_owned()).collect(),
            keys: KeySet::new(known.iter().cloned().chain(staged))?,
            signing: signing.into_iter().collect(),
            workload: self.workload.clone(),
            rights: BTreeSet::new(),
            revoked: BTreeSet::new(),
        })
    }
}

/// As [`settle`], asking whoever sits at the terminal.
pub(super) fn settle_asking(
    settings: &Settings,
    to: Option<ProviderName>,
    estate: &Estate,
    cluster_id: &str,
    report: &mut Report<'_>,
) -> Result<Settled> {
    let mut ask =
        |setting: &str, text: &str, offer: Offer<'_>| prompt::question(report, setting, text, offer);
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
    settle(&Settings { store, ..settings.clone() }, to, estate, cluster_id, &mut ask)
}

/// Settles everything. `cluster_id` is the UID of the namespace `kube-system`: it names the cluster's own pool.
pub(super) fn settle(
    settings: &Settings,
    to: Option<ProviderName>,
    estate: &Estate,
    cluster_id: &str,
    ask: &mut Ask<'_>,
) -> Result<Settled> {
    let store = store_name(settings, estate, ask)?;
    let present = estate.store(store.is_cluster(), store.namespace().unwrap_or_default(), store.name());
    let by_settings = match (&settings.vault, settings.google.project.is_some()) {
        (Some(_), false) => Some(ProviderName::Vault),
        (None, true) => Some(ProviderName::Google),
        _ => None,
    };
    let provider = to.or(settings.provider).or(by_settings).or_else(|| present.and_then(provider_of));
    let provider = provider.unwrap_or(ProviderName::Google);
    let of_key = present.and_then(|present| project_of_key(estate, present));
    let google = match provider {
        ProviderName::Google => Some(google(settings, present, of_key, cluster_id, ask)?),
        // What was set up there is to be taken away, wherever the store goes.
        ProviderName::Vault if settings.google.project.is_some() => {
            Some(google(settings, present, of_key, cluster_id, ask)?)
        }
        ProviderName::Vault => None,
    };
    let vault = match provider {
        ProviderName::Vault => Some(vault(settings, present, ask)?),
        ProviderName::Google => {
            settings.vault.clone().map(|named| settings.vault_client.settings(named)).transpose()?
        }
    };
    let workload = match &settings.store.service_account {
        Some(account) => account.clone(),
        None => {
            let eso = &controller(estate, Some(&store))?.namespace;
            let used = present.map(|present| account_of(present, eso)).transpose()?.flatten();
            used.unwrap_or_else(|| ServiceAccount {
                namespace: store.namespace().unwrap_or(eso).to_owned(),
                name: format!("keyless-{}", store.name()),
            })
        }
    };
    Ok(Settled { provider, google, vault, store, workload })
}

/// What cannot be seen may be another store that uses the key, or the key itself: nothing is changed past it.
fn refuse_half_sight(estate: &Estate) -> Result<()> {
    if estate.unseen.is_empty() {
        return Ok(());
    }
    let error =
        Error::failed(Code::ClusterNotSeen, "not everything could be looked at that this change may touch")
            .hint("deploy/setup has a ClusterRole with exactly the rights that setup needs")
            .hint("nothing was changed; keyless audit shows what can be seen");
    Err(estate.unseen.iter().fold(error, |error, unseen| error.caused_by(format_args!("{unseen}"))))
}

/// The provider that a store is at now, if it is one that is known here.
pub(super) fn provider_of(store: &Store) -> Option<ProviderName> {
    match store.provider()?.0 {
        "gcpsm" => Some(ProviderName::Google),
        "vault" => Some(ProviderName::Vault),
        _ => None,
    }
}

/// The named store; else the only one that logs in with a stored key; else the only one there is. Tenants make
/// SecretStores: where there are ClusterSecretStores, none of theirs is chosen by itself.
pub(super) fn store_name(settings: &Settings, estate: &Estate, ask: &mut Ask<'_>) -> Result<StoreName> {
    if let Some(name) = &settings.store.name {
        return store_named(settings, name.clone());
    }
    let named = |store: &Store| match store.is_cluster() {
        true => StoreName::Cluster(store.0.name().to_owned()),
        false => StoreName::Namespaced {
            namespace: store.0.namespace().to_owned(),
            name: store.0.name().to_owned(),
        },
    };
    let any_cluster = estate.stores.iter().any(Store::is_cluster);
    let eligible: Vec<_> = estate.stores.iter().filter(|store| store.is_cluster() || !any_cluster).collect();
    let with_key: Vec<_> = eligible.iter().filter(|store| estate.google_key(store).is_some()).collect();
    match (with_key.as_slice(), eligible.as_slice(), estate.stores.as_slice()) {
        ([only], ..) => Ok(named(only)),
        ([], [only], [_]) => Ok(named(only)),
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

pub(super) fn google(
    settings: &Settings,
    present: Option<&Store>,
    of_key: Option<&str>,
    cluster_id: &str,
    ask: &mut Ask<'_>,
) -> Result<gcp::Settings> {
    let config::Google {
        project,
        pool,
        provider,
        mode,
        grant,
        impersonate,
        location,
        endpoints,
        access_token,
    } = settings.google.clone();
    // Where the store reads now. What is granted there without a list is what was really read there.
    let of_store = |member: &str| {
        let (_, gcpsm) = present.and_then(Store::provider).filter(|(name, _)| *name == "gcpsm")?;
        gcpsm.get(member)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let location = location.or_else(|| of_store("location"));
    let project = match project.or_else(|| of_store("projectID")) {
        Some(project) => project,
        None => {
            // ESO reads nowhere without a project, so without a list nothing is granted in this one by itself.
            let offer = of_key.map_or(Offer::Nothing, Offer::Default);
            ask("google.project", "Google project that holds the secrets", offer)?
        }
    };
    let short: String = cluster_id.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    Ok(gcp::Settings {
        project,
        pool: pool.unwrap_or_else(|| format!("keyless-{}", short.to_ascii_lowercase())),
        provider: provider.unwrap_or_else(|| "cluster".into()),
        mode: mode.unwrap_or(if settings.bucket.is_some() {
            gcp::Mode::Documents
        } else {
            gcp::Mode::Uploaded
        }),
        grant: grant.unwrap_or(gcp::Grant::Secrets),
        impersonate,
        location,
        endpoints,
        access_token,
    })
}

/// As the settings say. Else the address is an administrator's to name, by the environment or at the prompt; what a store
/// says beside it holds if the store is at that server already.
fn vault(settings: &Settings, present: Option<&Store>, ask: &mut Ask<'_>) -> Result<vault::Settings> {
    let client = &settings.vault_client;
    if let Some(named) = &settings.vault {
        return client.settings(named.clone());
    }
    let base = &settings.vault_without_address;
    let store = present.and_then(Store::provider).and_then(|(kind, spec)| vault::OfStore::read(kind, spec));
    let named = match client.named(base)? {
        Some(named) => named,
        None => {
            let offer = store.as_ref().map_or(Offer::Nothing, |store| Offer::Suggestion(&store.address));
            client.answered(&ask("vault.address", "Address of Vault or OpenBao", offer)?, base)?
        }
    };
    Ok(match store {
        Some(store) if store.is_at(&named.address) => store.complete(named, &settings.vault_set),
        _ => named,
    })
}

/// For those who only look: where the store logs in now, without the administrator's token unless an administrator has
/// named the same server.
pub(super) fn looking(settings: &Settings, present: Option<&Store>) -> Settings {
    let store = present.and_then(Store::provider).and_then(|(kind, spec)| vault::OfStore::read(kind, spec));
    let Some(store) = store.filter(|_| settings.vault.is_none()) else { return settings.clone() };
    let named = settings.vault_client.named(&settings.vault_without_address);
    if named.is_ok_and(|named| named.is_some_and(|named| store.is_at(&named.address))) {
        return settings.clone();
    }
    let base = vault::Settings { address: store.address.clone(), ..settings.vault_without_address.clone() };
    let ca_pem = store.ca_pem.clone().or_else(|| base.ca_pem.clone());
    let vault = vault::Settings { ca_pem, ..store.complete(base, &settings.vault_set) };
    Settings { vault: Some(vault), vault_client: config::VaultClient::default(), ..settings.clone() }
}

/// The project of the Google key that this store logs in with.
pub(super) fn project_of_key<'a>(estate: &'a Estate, store: &Store) -> Option<&'a str> {
    match &estate.google_key(store)?.1.public {
        Public::GoogleKey { project_id, .. } => {
            Some(project_id).filter(|id| !id.is_empty()).map(String::as_str)
        }
        _ => None,
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
