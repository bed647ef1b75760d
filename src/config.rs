//! Settings: flags over `keyless.yaml` over defaults, merged once, before any work.
//!
//! The only place that reads the environment: where kubeconfigs are, proxies, tokens of providers. (The AWS and Google
//! credential chains and the HTTP client for public URLs read theirs, as users of those tools expect.)

mod authorities;
mod base_url;
mod bucket_flags;
mod environment;
mod file;
mod ledger;
mod trust;
mod vault_client;
mod written;
mod yaml;

use std::{collections::BTreeSet, ffi::OsString, path::PathBuf};

pub(crate) use self::ledger::LedgerPlace;
use rustls::pki_types::CertificateDer;

use self::{
    authorities::{ca_text, certificates},
    environment::below_home,
    file::File,
};
pub(crate) use self::{
    base_url::base_url,
    environment::{environment, remember_environment},
    file::{ProviderName, listed, schema},
    trust::doubt,
    vault_client::VaultClient,
    written::{Edit, Setting, edit, said},
    yaml::nearest,
};
use crate::{
    bucket,
    cli::Common,
    cluster::{self, ServiceAccount},
    error::{Code, Error, Result},
    federation::{Right, gcp, test_audience, vault},
    oidc::{KidRule, SignedIssuer},
    secret::Secret,
    target::{Account, is_uid},
};

/// Everything that the commands work by.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The settings file, whether it is there or not.
    pub(crate) file: PathBuf,
    /// What a person should know of a settings file that nobody named.
    pub(crate) announcement: Option<String>,
    /// As given; `None` is derived from the bucket. What is published under it must be an [`Issuer`](crate::oidc::Issuer).
    pub(crate) issuer: Option<SignedIssuer>,
    pub(crate) bucket: Option<bucket::Settings>,
    /// A provider is given the keys, as a setting says: nothing is published for it.
    pub(crate) gives_keys: bool,
    /// The prefix that the bucket's URL named, `""` for none, `a/b`.
    pub(crate) prefix: String,
    /// `None`: ask no cluster.
    pub(crate) cluster: Option<cluster::Settings>,
    pub(crate) public_keys: Vec<PathBuf>,
    pub(crate) ledger: LedgerPlace,
    /// The longest life of a token that is used outside the cluster, in seconds.
    pub(crate) longest_token: u64,
    pub(crate) kid_rule: KidRule,
    /// Where the additional roots come from.
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) additional_roots: Vec<CertificateDer<'static>>,
    /// For test tokens.
    pub(crate) audience: String,
    /// Which provider the secret store is to use; `None` when the file names none, or only one.
    pub(crate) provider: Option<ProviderName>,
    pub(crate) google: Google,
    /// `None`: no address is named.
    pub(crate) vault: Option<vault::Settings>,
    /// What holds at Vault once its address is known.
    pub(crate) vault_without_address: vault::Settings,
    pub(crate) vault_client: VaultClient,
    /// Which of Vault's settings the file sets, whether or not it names an address.
    pub(crate) vault_set: vault::SetByName,
    pub(crate) store: Store,
}

/// What is known of Google's side. What is not can be learnt from the cluster, or is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Google {
    pub(crate) project: Option<String>,
    pub(crate) pool: Option<String>,
    pub(crate) provider: Option<String>,
    pub(crate) mode: Option<gcp::Mode>,
    pub(crate) grant: Option<gcp::Grant>,
    pub(crate) impersonate: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) endpoints: gcp::Endpoints,
    pub(crate) access_token: Option<Secret>,
}

/// What is known of the secret store. What is not can be learnt from the cluster, or is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    pub(crate) name: Option<String>,
    /// `None` is a ClusterSecretStore.
    pub(crate) namespace: Option<String>,
    pub(crate) service_account: Option<ServiceAccount>,
    /// What its identity may do, as an administrator has listed or confirmed it; `None`: there is no list yet.
    pub(crate) listed: Option<BTreeSet<Right>>,
}

/// The audience of test tokens when none is named. No API server takes it, so such a token opens nothing.
const TEST_AUDIENCE: &str = "keyless";

impl Settings {
    /// Merges the flags with the settings file that they name, or `./keyless.yaml` if there is one.
    pub(crate) fn resolve(
        common: &Common,
        audience: Option<&str>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self> {
        // A value that is no text is not passed over: its odd characters come as U+FFFD, for the check of the value to refuse.
        let environment = |name: &str| variable(name).map(|value| value.to_string_lossy().into_owned());
        let Common {
            config,
            output: _,
            verbose: _,
            issuer,
            bucket: bucket_url,
            endpoint,
            region,
            addressing,
            public_url,
            project,
            ca_file,
            kubeconfig,
            context,
            service_account,
            public_key,
            no_cluster,
            external_signer,
        } = common;
        let path = config.clone().unwrap_or_else(|| file::DEFAULT_NAME.into());
        let file = match config {
            Some(path) => Some(File::read(path)?),
            None => File::read_unnamed(&path, rustix::process::geteuid().as_raw())?,
        };
        let announcement = file.as_ref().filter(|_| config.is_none()).map(|file| file.announcement(&path));
        let file = file.unwrap_or_default();
        let issuer = match issuer.as_deref().or(file.issuer.as_deref()) {
            Some(text) => Some(text.parse::<SignedIssuer>().map_err(Error::into_usage)?),
            None => None,
        };
        let given_keys = file.google.as_ref().is_some_and(|google| google.mode == Some(gcp::Mode::Uploaded))
            || file.vault.as_ref().is_some_and(|vault| vault.mode == Some(vault::Mode::StaticKeys));
        let token = |name: &str| {
            let text = environment(name).filter(|text| !text.is_empty());
            text.map(|text| Secret::for_header(text, name)).transpose()
        };
        let google_access_token = token("GOOGLE_OAUTH_ACCESS_TOKEN")?;
        let (bucket, prefix) = match bucket_url.as_deref().or(file.bucket.url.as_deref()) {
            Some(url) => {
                let (kind, place) = bucket::Kind::read(url)?;
                let prefix = place.prefix.clone();
                let settings = bucket::Settings {
                    kind,
                    place,
                    endpoint: https("--endpoint", endpoint.as_ref().or(file.bucket.endpoint.as_ref()))?,
                    region: region.clone().or(file.bucket.region),
                    addressing: addressing.or(file.bucket.addressing),
                    public_url: https(
                        "--public-url",
                        public_url.as_ref().or(file.bucket.public_url.as_ref()),
                    )?,
                    project: project.clone().or(file.bucket.project),
                    google_access_token: google_access_token.clone(),
                };
                (Some(settings), prefix)
            }
            None => (None, String::new()),
        };
        bucket_flags::refuse_idle(common, bucket.as_ref().map(|bucket| bucket.kind))?;
        // What lies in a bucket is published: what cannot be is refused before any work.
        if let (Some(issuer), true, false) = (&issuer, bucket.is_some(), given_keys) {
            issuer.publishable().map_err(Error::into_usage)?;
        }
        let asks_cluster = !no_cluster && file.cluster.enabled.unwrap_or(true);
        let public_keys = if public_key.is_empty() { file.cluster.public_keys } else { public_key.clone() };
        let ca_file = ca_file.clone().or(file.tls.ca_file);
        for (name, url) in file.google.iter().flat_map(|google| google.endpoints.all()) {
            base_url(&format!("google.endpoints.{name}"), url)?;
        }
        let google = match file.google {
            Some(google) => Google {
                project: google.project,
                pool: google.pool,
                provider: google.provider,
                mode: google.mode,
                grant: google.access,
                impersonate: google.impersonate,
                location: google.location,
                endpoints: google.endpoints,
                access_token: None,
            },
            None => Google::default(),
        };
        let named = |names: [&str; 2]| {
            names.into_iter().find_map(|name| environment(name).filter(|text| !text.is_empty()))
        };
        let google = Google { access_token: google_access_token, ..google };
        let vault = file.vault.unwrap_or_default();
        let vault_address = https("vault.address", vault.address.as_ref())?;
        let ca_pem = ca_file.as_deref().map(ca_text).transpose()?;
        let of_vault = |own: Option<&PathBuf>| match own {
            Some(path) => ca_text(path).map(Some),
            None => Ok(ca_pem.clone()),
        };
        let vault_set = vault::SetByName {
            mount: vault.mount.is_some(),
            role: vault.role.is_some(),
            kv: vault.kv.is_some(),
            namespace: vault.namespace.is_some(),
        };
        let vault_without_address = {
            vault::Settings {
                address: String::new(),
                mount: vault.mount.unwrap_or_else(|| "keyless".into()),
                mount_from_store: false,
                role: vault.role.unwrap_or_else(|| "external-secrets".into()),
                kv: vault.kv.unwrap_or_else(|| "kv".into()),
                // Without documents of its own the cluster's keys can only be given.
                mode: vault.mode.unwrap_or(match bucket {
                    Some(_) => vault::Mode::Discovery,
                    None => vault::Mode::StaticKeys,
                }),
                // Who needs an authority of his own for one host mostly needs it for all.
                ca_pem: of_vault(vault.ca_file.as_ref())?,
                issuer_ca_pem: of_vault(vault.issuer_ca_file.as_ref())?,
                namespace: vault.namespace,
                // Goes with an address that an administrator has named: `VaultClient::settings`.
                token: None,
            }
        };
        let vault_client = VaultClient {
            address: named(["VAULT_ADDR", "BAO_ADDR"]),
            namespace: named(["VAULT_NAMESPACE", "BAO_NAMESPACE"]),
            token: match token("VAULT_TOKEN")? {
                Some(token) => Some(token),
                None => token("BAO_TOKEN")?,
            },
        };
        let vault = vault_address.map(|address| vault::Settings { address, ..vault_without_address.clone() });
        let listed = file.store.listed(&path)?;
        let store = Store {
            name: file.store.name,
            namespace: file.store.namespace,
            service_account: file.store.service_account.map(|text| text.parse()).transpose()?,
            listed,
        };
        let service_account = match (service_account, file.cluster.service_account) {
            (Some(account), _) => Some(account.clone()),
            (None, Some(text)) => Some(text.parse()?),
            (None, None) => None,
        };
        let uid = match file.cluster.uid {
            Some(uid) if !is_uid(&uid) => {
                return Err(Error::usage(
                    Code::ClusterUid,
                    format!("{}: cluster.uid is not a UID", path.display()),
                )
                .hint("kubectl get namespace kube-system -o jsonpath='{.metadata.uid}' prints it"));
            }
            uid => uid,
        };
        Ok(Self {
            announcement,
            file: path,
            issuer,
            bucket,
            gives_keys: given_keys,
            prefix,
            cluster: asks_cluster.then(|| cluster::Settings {
                kubeconfig: kubeconfig
                    .clone()
                    .or(file.cluster.kubeconfig.map(|path| below_home(path, &variable))),
                context: context.clone().or(file.cluster.context),
                uid,
                service_account,
                environment: cluster::kubeconfig::Environment {
                    kubeconfig: variable("KUBECONFIG"),
                    home: variable("HOME").map(PathBuf::from),
                    service: environment("KUBERNETES_SERVICE_HOST")
                        .zip(environment("KUBERNETES_SERVICE_PORT"))
                        .filter(|(host, port)| !host.is_empty() && !port.is_empty()),
                },
                proxies: cluster::proxy::Environment::read(environment),
            }),
            public_keys,
            ledger: LedgerPlace::resolve(file.cluster.ledger.as_deref())?,
            longest_token: ledger::longest_token(file.cluster.longest_token_seconds)?,
            kid_rule: if *external_signer || file.cluster.external_signer.unwrap_or(false) {
                KidRule::External
            } else {
                KidRule::Computed
            },
            additional_roots: match (&ca_file, &ca_pem) {
                (Some(path), Some(text)) => certificates(text, path)?,
                _ => Vec::new(),
            },
            ca_file,
            audience: test_audience(audience.or(file.verify.audience.as_deref()).unwrap_or(TEST_AUDIENCE))?,
            provider: file.provider,
            google,
            vault,
            vault_without_address,
            vault_client,
            vault_set,
            store,
        })
    }
}

impl Settings {
    /// Every provider that the settings name.
    pub(crate) fn providers(&self) -> Vec<ProviderName> {
        let google = self.google.project.is_some() || self.provider == Some(ProviderName::Google);
        let google = google.then_some(ProviderName::Google);
        google.into_iter().chain(self.vault.as_ref().map(|_| ProviderName::Vault)).collect()
    }

    /// The provider's account, as far as the settings name it.
    pub(crate) fn account(&self) -> Option<Account> {
        let google = || self.google.project.as_deref().map(gcp::account);
        let vault = || self.vault.as_ref().map(vault::Settings::account);
        match self.provider {
            Some(ProviderName::Google) => google(),
            Some(ProviderName::Vault) => vault(),
            None => google().or_else(vault),
        }
    }
}

/// Whether this text can be a settings file: what it says, and what becomes of it when settings are written into it.
#[cfg(feature = "fuzzing")]
pub(crate) fn check(text: &str) -> Result<()> {
    File::parse(text, std::path::Path::new("keyless.yaml"))?;
    let wanted =
        [("google.project", serde_json::json!("acme-prod")), ("store.name", serde_json::json!("12"))];
    let first = edit(Some(text), &wanted);
    if let Some(new) = &first.text {
        File::parse(new, std::path::Path::new("keyless.yaml")).expect("what was written can be read");
        // What the form has no place for is still left to people.
        let left = Edit { by_hand: first.by_hand.clone(), ..Edit::default() };
        assert_eq!(edit(Some(new), &wanted), left, "what was written is written again");
    }
    Ok(())
}

fn https(setting: &str, text: Option<&String>) -> Result<Option<String>> {
    text.map(|text| base_url(setting, text)).transpose()
}

#[cfg(test)]
mod tests;
