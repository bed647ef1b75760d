//! What is to be set up: the settings, completed by what is there. What can be neither read nor derived is asked.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, engine::general_purpose::STANDARD};

use super::prompt;
use crate::{
    cluster::{
        Observed, ServiceAccount,
        snapshot::{Controller, Estate, Public, SecretKey, Store},
    },
    config::{self, ProviderName, Settings},
    error::{Error, Result},
    federation::{Trust, TrustedIssuer, gcp, vault},
    oidc::{KeySet, PublicKey},
    report::Report,
    secret_store::{StoreName, reads},
    target::Account,
};

/// Asks a person for a setting: its name in `keyless.yaml`, the words, the answer it would take by itself.
type Ask<'a> = dyn FnMut(&str, &str, Option<&str>) -> Result<String> + 'a;

/// Everything that is settled before anything is planned.
#[derive(Clone, Debug)]
pub(super) struct Settled {
    pub(super) provider: ProviderName,
    pub(super) google: Option<gcp::Settings>,
    pub(super) vault: Option<vault::Settings>,
    pub(super) store: StoreName,
    /// The ServiceAccount that the store uses.
    pub(super) workload: ServiceAccount,
    /// By the provider's names.
    pub(super) secrets: Vec<String>,
    /// What ExternalSecrets read out of each.
    pub(super) properties: BTreeMap<String, Vec<String>>,
    /// Nothing in the cluster tells them.
    pub(super) secrets_were_asked: bool,
    /// The key that the store uses now, if it is one.
    pub(super) old_key: Option<OldKey>,
}

/// A service-account key in a Secret, by its public identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OldKey {
    pub(super) project: String,
    pub(super) email: String,
    pub(super) id: String,
    /// Every Secret that holds it and that a store names.
    pub(super) places: Vec<SecretKey>,
    /// What else uses it (stores, generators, a controller's pod), which keeps it from being retired.
    pub(super) other_stores: Vec<String>,
    /// The store does not use it any more, and says so until it is gone.
    pub(super) noted: bool,
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

    /// What a provider is told to believe. `staged`: keys that no API server serves yet. `kept`: keys that the provider has
    /// and that must not be taken away, because not every API server was seen.
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
            secrets: self.secrets.clone(),
        })
    }
}

impl OldKey {
    /// Where the key is and who uses it, beside this store.
    pub(super) fn find(estate: &Estate, store: &Store, project: String, email: String, id: String) -> Self {
        let places: Vec<SecretKey> = estate.places_of_key(&id).into_iter().cloned().collect();
        let others: BTreeSet<String> =
            places.iter().flat_map(|place| estate.others_naming(place, store)).collect();
        let other_stores = others.into_iter().collect();
        Self { project, email, id, places, other_stores, noted: false }
    }
}

/// As [`settle`], asking whoever sits at the terminal.
pub(super) fn settle_asking(
    settings: &Settings,
    to: Option<ProviderName>,
    estate: &Estate,
    replaced: Option<OldKey>,
    cluster_id: &str,
    report: &mut Report<'_>,
) -> Result<Settled> {
    let mut ask =
        |setting: &str, text: &str, default: Option<&str>| prompt::question(report, setting, text, default);
    refuse_half_sight(estate)?;
    controller(estate)?;
    settle(settings, to, estate, replaced, cluster_id, &mut ask)
}

/// Settles everything. `replaced` is the key that the store named before an earlier run changed it; `cluster_id` is the UID of the namespace `kube-system`: it names the cluster's own pool.
pub(super) fn settle(
    settings: &Settings,
    to: Option<ProviderName>,
    estate: &Estate,
    replaced: Option<OldKey>,
    cluster_id: &str,
    ask: &mut Ask<'_>,
) -> Result<Settled> {
    let provider =
        to.or(settings.provider).unwrap_or(match (&settings.vault, settings.google.project.is_some()) {
            (Some(_), false) => ProviderName::Vault,
            _ => ProviderName::Google,
        });
    let store = store_name(settings, estate, ask)?;
    let present = estate.store(store.is_cluster(), store.namespace().unwrap_or_default(), store.name());
    let old_key = present.and_then(|present| old_key(estate, present)).or(replaced);
    let google = match provider {
        ProviderName::Google => Some(google(settings, present, old_key.as_ref(), cluster_id, ask)?),
        // The old key is Google's to retire, and what was set up there to take away, wherever the store goes.
        ProviderName::Vault if old_key.is_some() || settings.google.project.is_some() => {
            Some(google(settings, present, old_key.as_ref(), cluster_id, ask)?)
        }
        ProviderName::Vault => None,
    };
    let vault = match provider {
        ProviderName::Vault => Some(vault(settings, present, ask)?),
        ProviderName::Google => settings.vault.clone(),
    };
    let workload = match &settings.store.service_account {
        Some(account) => account.clone(),
        None => {
            let eso = &controller(estate)?.namespace;
            present.and_then(|present| account_of(present, eso)).unwrap_or_else(|| ServiceAccount {
                namespace: store.namespace().unwrap_or(eso).to_owned(),
                name: format!("keyless-{}", store.name()),
            })
        }
    };
    let read = present.map(|present| reads(estate.users(present), present)).unwrap_or_default();
    let mut secrets = settings.store.secrets.clone();
    if secrets.is_empty() {
        secrets = read.keys.into_iter().collect();
    }
    let secrets_were_asked = secrets.is_empty();
    if secrets_were_asked {
        secrets = vec![ask("store.secrets", "Which secret may be read through the store", None)?];
    }
    let properties =
        read.properties.into_iter().map(|(key, names)| (key, names.into_iter().collect())).collect();
    Ok(Settled { provider, google, vault, store, workload, secrets, properties, secrets_were_asked, old_key })
}

/// What cannot be seen may be another store that uses the key, or the key itself: nothing is changed past it.
fn refuse_half_sight(estate: &Estate) -> Result<()> {
    if estate.unseen.is_empty() {
        return Ok(());
    }
    let error =
        Error::failed("cluster-not-seen", "not everything could be looked at that this change may touch")
            .hint("deploy/setup has a ClusterRole with exactly the rights that setup needs")
            .hint("nothing was changed; keyless audit shows what can be seen");
    Err(estate.unseen.iter().fold(error, |error, unseen| error.caused_by(format_args!("{unseen}"))))
}

/// The one controller of External Secrets Operator.
pub(super) fn controller(estate: &Estate) -> Result<&Controller> {
    estate.controllers.first().ok_or_else(|| {
        Error::failed("eso-missing", "External Secrets Operator is not installed in this cluster, or may not be seen")
            .caused_by(estate.unseen.iter().map(|unseen| unseen.right.clone()).collect::<Vec<_>>().join(", "))
            .hint("install it first: helm install external-secrets external-secrets/external-secrets -n external-secrets --create-namespace")
    })
}

/// The named store; else the only one that logs in with a stored key; else the only one there is.
pub(super) fn store_name(settings: &Settings, estate: &Estate, ask: &mut Ask<'_>) -> Result<StoreName> {
    if let Some(name) = &settings.store.name {
        return Ok(store_named(settings, name.clone()));
    }
    let named = |store: &Store| match store.is_cluster() {
        true => StoreName::Cluster(store.0.name().to_owned()),
        false => StoreName::Namespaced {
            namespace: store.0.namespace().to_owned(),
            name: store.0.name().to_owned(),
        },
    };
    let with_key: Vec<_> = estate.stores.iter().filter(|store| old_key(estate, store).is_some()).collect();
    match (with_key.as_slice(), estate.stores.as_slice()) {
        ([only], _) => Ok(named(only)),
        ([], [only]) => Ok(named(only)),
        ([], []) => {
            let name = ask("store.name", "Name of the ClusterSecretStore to make", Some("keyless"))?;
            Ok(StoreName::Cluster(name))
        }
        _ => {
            let names: Vec<_> = estate.stores.iter().map(|store| store.0.describe()).collect();
            let question = format!("Which store is meant ({})", names.join(", "));
            let name = ask("store.name", &question, None)?;
            Ok(store_named(settings, name))
        }
    }
}

fn store_named(settings: &Settings, name: String) -> StoreName {
    match settings.store.namespace.clone() {
        Some(namespace) => StoreName::Namespaced { namespace, name },
        None => StoreName::Cluster(name),
    }
}

pub(super) fn google(
    settings: &Settings,
    present: Option<&Store>,
    old_key: Option<&OldKey>,
    cluster_id: &str,
    ask: &mut Ask<'_>,
) -> Result<gcp::Settings> {
    let config::Google { project, pool, provider, mode, grant, impersonate, endpoints, access_token } =
        settings.google.clone();
    let named_by_store = present
        .and_then(Store::provider)
        .filter(|(name, _)| *name == "gcpsm")
        .and_then(|(_, gcpsm)| gcpsm.get("projectID")?.as_str().map(str::to_owned));
    let project = match project.or(named_by_store).or_else(|| old_key.map(|key| key.project.clone())) {
        Some(project) => project,
        None => ask("google.project", "Google project that holds the secrets", None)?,
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
        endpoints,
        access_token,
    })
}

/// As the settings say; else as a store says that is there already.
fn vault(settings: &Settings, present: Option<&Store>, ask: &mut Ask<'_>) -> Result<vault::Settings> {
    if let Some(named) = &settings.vault {
        return Ok(named.clone());
    }
    let mut vault = settings.vault_without_address.clone();
    let spec = present.and_then(Store::provider).filter(|(name, _)| *name == "vault").map(|(_, spec)| spec);
    let text = |pointer: &str| spec?.pointer(pointer)?.as_str().map(str::to_owned);
    let Some(server) = text("/server") else {
        let question = "Address of Vault or OpenBao";
        vault.address = ask("vault.address", question, None)?.trim_end_matches('/').to_owned();
        return Ok(vault);
    };
    vault.address = server;
    for (pointer, setting) in
        [("/auth/jwt/path", &mut vault.mount), ("/auth/jwt/role", &mut vault.role), ("/path", &mut vault.kv)]
    {
        if let Some(said) = text(pointer) {
            *setting = said;
        }
    }
    vault.namespace = text("/namespace").or(vault.namespace);
    let bundle = text("/caBundle").and_then(|bundle| STANDARD.decode(bundle).ok());
    vault.ca_pem = bundle.and_then(|pem| String::from_utf8(pem).ok()).or(vault.ca_pem);
    Ok(vault)
}

/// The Google key that this store logs in with.
pub(super) fn old_key(estate: &Estate, store: &Store) -> Option<OldKey> {
    let (_, credential) = estate.google_key(store)?;
    let Public::GoogleKey { project_id, client_email, private_key_id } = credential.public.clone() else {
        return None;
    };
    Some(OldKey::find(estate, store, project_id, client_email, private_key_id))
}

/// The ServiceAccount that a store uses already, whatever its provider.
fn account_of(store: &Store, eso_namespace: &str) -> Option<ServiceAccount> {
    let reference = store
        .references()
        .into_iter()
        .find(|reference| reference.target == crate::cluster::snapshot::Target::ServiceAccount)?;
    let namespace = match (store.is_cluster(), reference.namespace) {
        (false, _) => store.0.namespace().to_owned(),
        (true, Some(namespace)) => namespace,
        (true, None) => eso_namespace.to_owned(),
    };
    Some(ServiceAccount { namespace, name: reference.name })
}
