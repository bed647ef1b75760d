//! Which stores a run is about: the one that the settings lead to, those of --store, or with --all every one that logs in
//! with a stored credential.

use futures::future::try_join_all;

use super::{objects::find_store, resolve::unknown_store, setup::shown};
use crate::{
    audit::{LoginKind, login_kind},
    cli::StoreFlags,
    cluster::{
        Cluster,
        snapshot::{Estate, Store},
    },
    config::{self, Settings},
    error::{Code, Error, Result},
    federation::ProviderName,
    retirement::{
        StoreId,
        config_map::{Lying, Shelf},
    },
    secret_store::StoreName,
};

/// The stores of a run, in the order in which they are set up.
#[derive(Clone, Debug)]
pub(super) struct Stores {
    /// `None`: the one that the settings lead to.
    pub(super) named: Option<Vec<StoreName>>,
    /// With --all, those that are left out because it is not known that they log in with a stored credential: why.
    pub(super) not_looked_at: Vec<(String, String)>,
    is_all: bool,
}

impl Stores {
    /// `cluster_id` is the UID of the namespace `kube-system`. Stores that are not there are a usage error.
    pub(super) async fn choose(
        flags: &StoreFlags,
        settings: &Settings,
        estate: &Estate,
        cluster: &Cluster,
        cluster_id: &str,
    ) -> Result<Self> {
        let mut chosen = Self { is_all: flags.all, ..Self::naming(&flags.store) };
        if flags.all {
            chosen.named = Some(chosen.every(estate, cluster, cluster_id).await?);
        }
        let unknown = chosen.named.iter().flatten().find_map(|store| unknown_store(estate, store));
        if let Some(error) = unknown {
            return Err(error);
        }
        chosen.refuse_list_of_no_store(settings)?;
        Ok(chosen)
    }

    /// Those of --store, whether or not they are there.
    pub(super) fn naming(stores: &[StoreName]) -> Self {
        let mut named: Vec<StoreName> = Vec::new();
        for store in stores {
            if !named.contains(store) {
                named.push(store.clone());
            }
        }
        let named = (!named.is_empty()).then_some(named);
        Self { named, not_looked_at: Vec::new(), is_all: false }
    }

    /// Where no flag names a store: the one that the settings lead to. After a run about several stores they name a provider
    /// and no store: then every store there that logs in with short-lived tokens, if there are several.
    pub(super) fn of_settings(settings: &Settings, estate: &Estate) -> Self {
        let one = Self { named: None, not_looked_at: Vec::new(), is_all: false };
        let Some(provider) = settings.provider else { return one };
        if settings.store.name.is_some() || !settings.names_a_provider() {
            return one;
        }
        let tokens = Self::with_tokens(estate).named.unwrap_or_default();
        let is_there =
            |store: &StoreName| find_store(estate, store).and_then(ProviderName::of_store) == Some(provider);
        let named: Vec<_> = tokens.into_iter().filter(is_there).collect();
        match named.len() {
            0 | 1 => one,
            _ => Self { named: Some(named), ..one },
        }
    }

    /// Every store that logs in with short-lived tokens at a provider that is known.
    pub(super) fn with_tokens(estate: &Estate) -> Self {
        let (first, then): (Vec<&Store>, Vec<&Store>) = estate.stores.iter().partition(|it| it.is_cluster());
        let (mut named, mut not_looked_at) = (Vec::new(), Vec::new());
        for store in first.into_iter().chain(then) {
            let why = match (login_kind(store), ProviderName::of_store(store)) {
                (LoginKind::Tokens, Some(_)) => {
                    named.push(StoreName::of(store));
                    continue;
                }
                (LoginKind::Tokens, None) => "its provider is none that keyless knows".to_owned(),
                (LoginKind::Stored, _) => "it logs in with a stored credential: keyless setup".to_owned(),
                (LoginKind::Other(why), _) => why,
            };
            not_looked_at.push((store.0.describe(), why));
        }
        Self { named: Some(named), not_looked_at, is_all: true }
    }

    /// ClusterSecretStores first: they are an administrator's. A store that has left its credential is among them until
    /// nothing of that is left.
    async fn every(
        &mut self,
        estate: &Estate,
        cluster: &Cluster,
        cluster_id: &str,
    ) -> Result<Vec<StoreName>> {
        let (first, then): (Vec<&Store>, Vec<&Store>) = estate.stores.iter().partition(|it| it.is_cluster());
        let stores: Vec<_> = first.into_iter().chain(then).collect();
        let noted = async |store: &Store| match login_kind(store) {
            LoginKind::Tokens => {
                let (_, lying) = Shelf::open(cluster, cluster_id, &StoreId::of(&store.0)).await?;
                Ok::<_, Error>(lying != Lying::Nothing)
            }
            LoginKind::Stored | LoginKind::Other(_) => Ok(false),
        };
        let noted = try_join_all(stores.iter().map(|store| noted(store))).await?;
        let mut every = Vec::new();
        for (store, noted) in stores.into_iter().zip(noted) {
            match login_kind(store) {
                LoginKind::Stored => every.push(StoreName::of(store)),
                LoginKind::Tokens if noted => every.push(StoreName::of(store)),
                LoginKind::Tokens => {}
                LoginKind::Other(why) => self.not_looked_at.push((store.0.describe(), why)),
            }
        }
        Ok(every)
    }

    /// The settings for the store that completes those of the provider: the one that they are about, else the first at a
    /// provider that is known. `None`: there is no store to set up.
    pub(super) fn first(&self, settings: &Settings, estate: &Estate) -> Option<Settings> {
        let Some(named) = &self.named else { return Some(settings.clone()) };
        let is_known =
            |store: &&StoreName| find_store(estate, store).and_then(ProviderName::of_store).is_some();
        let first = self.about(settings).or_else(|| named.iter().find(is_known)).or(named.first())?;
        Some(self.settings_of(first, settings))
    }

    /// As [`Self::first`], where tenants may have made some of the stores: with --all, a SecretStore that no flag has named
    /// completes no settings. `to`: the provider that was asked for.
    pub(super) fn first_trusted(
        &self,
        settings: &Settings,
        to: Option<ProviderName>,
        estate: &Estate,
    ) -> Result<Option<(Settings, Completes)>> {
        let by_any = || Ok(self.first(settings, estate).map(|first| (first, Completes::Yes)));
        let (Some(named), true) = (&self.named, self.is_all) else { return by_any() };
        if named.is_empty() || self.about(settings).is_some() {
            return by_any();
        }
        let mut sections = settings.providers.named();
        let by_settings = to.or(settings.provider).or_else(|| match (sections.next(), sections.next()) {
            (Some(only), None) => Some(only.provider()),
            _ => None,
        });
        let provider_of = |store: &StoreName| find_store(estate, store).and_then(ProviderName::of_store);
        let fits = |store: &&StoreName| {
            let provider = provider_of(store);
            store.is_cluster() && provider.is_some() && (by_settings.is_none() || provider == by_settings)
        };
        if let Some(first) = named.iter().find(fits) {
            return Ok(Some((self.settings_of(first, settings), Completes::Yes)));
        }
        let is_named = |provider| settings.providers.of(provider).is_some_and(|section| section.is_named());
        match (by_settings, named.first()) {
            (Some(provider), Some(first)) if is_named(provider) => {
                Ok(Some((self.settings_of(first, settings), Completes::No)))
            }
            _ => Err(no_place(named, by_settings, provider_of)),
        }
    }

    /// The store that the settings are about.
    fn about(&self, settings: &Settings) -> Option<&StoreName> {
        self.named.iter().flatten().find(|store| self.is_about(store, settings))
    }

    /// Whether the run tells its stores apart.
    pub(super) fn are_several(&self) -> bool {
        self.is_all || self.named.as_ref().is_some_and(|named| named.len() > 1)
    }

    /// As flags of a command that continues: ` --store gcp`; empty where the settings lead to the store.
    pub(super) fn flags(&self) -> String {
        match &self.named {
            _ if self.is_all => " --all".to_owned(),
            Some(named) => named.iter().map(flag).collect(),
            None => String::new(),
        }
    }

    /// The settings as they are for one of these stores. What the section `store` has for a store that it names is that
    /// store's alone.
    pub(super) fn settings_of(&self, store: &StoreName, settings: &Settings) -> Settings {
        let named = settings.store.name.is_some();
        let is_about = self.is_about(store, settings);
        let store = config::Store {
            name: Some(store.name().to_owned()),
            namespace: store.namespace().map(str::to_owned),
            service_account: settings.store.service_account.clone().filter(|_| is_about || !named),
            listed: settings.store.listed.clone().filter(|_| is_about),
        };
        Settings { store, ..settings.clone() }
    }

    /// Whether the settings are about this store: they name it, or the run is about it alone and they name none.
    pub(super) fn is_about(&self, store: &StoreName, settings: &Settings) -> bool {
        let section = &settings.store;
        match section.name.as_deref() {
            Some(name) => name == store.name() && section.namespace.as_deref() == store.namespace(),
            None => !self.are_several(),
        }
    }

    fn refuse_list_of_no_store(&self, settings: &Settings) -> Result<()> {
        if !self.are_several() || settings.store.name.is_some() || settings.store.listed.is_none() {
            return Ok(());
        }
        Err(Error::usage(
            Code::SettingMissing,
            format!("{} lists rights, and does not say for which store", settings.file.display()),
        )
        .hint(
            "set store.name (and store.namespace) to the store that store.secrets and store.rights are for",
        ))
    }
}

/// Whether a store completes the settings of its provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Completes {
    Yes,
    /// No flag has named it, and a tenant may have made it.
    No,
}

/// Every user who may write a SecretStore could choose the place for all.
fn no_place(
    named: &[StoreName],
    provider: Option<ProviderName>,
    provider_of: impl Fn(&StoreName) -> Option<ProviderName>,
) -> Error {
    const MOST: usize = 10;
    let mut providers: Vec<_> = provider.into_iter().collect();
    for known in named.iter().filter_map(provider_of).filter(|_| provider.is_none()) {
        if !providers.contains(&known) {
            providers.push(known);
        }
    }
    let all: Vec<_> = named.iter().take(MOST).map(shown).collect();
    let settings: Vec<_> = providers.iter().map(|provider| provider.entry().place()).collect();
    let error = Error::usage(
        Code::SettingMissing,
        "with --all, the settings or a ClusterSecretStore say where the secrets are; neither does",
    )
    .caused_by(format_args!("only these stores do, and tenants may have made them: {}", all.join(", ")));
    let error = match settings.as_slice() {
        [] => error,
        settings => {
            error.hint(format!("set {} in keyless.yaml to the one that is meant", settings.join(" or ")))
        }
    };
    error.hint("or name the stores that are meant: keyless setup --store NAMESPACE/NAME")
}

/// The settings with another store than they lead to.
pub(super) fn named(settings: &Settings, store: &StoreName) -> Settings {
    let store = config::Store {
        name: Some(store.name().to_owned()),
        namespace: store.namespace().map(str::to_owned),
        ..settings.store.clone()
    };
    Settings { store, ..settings.clone() }
}

/// ` --store shop/gcp`.
pub(super) fn flag(store: &StoreName) -> String {
    match store.namespace() {
        Some(namespace) => format!(" --store {namespace}/{}", store.name()),
        None => format!(" --store {}", store.name()),
    }
}
