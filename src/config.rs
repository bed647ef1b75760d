//! Settings: flags over `keyless.yaml` over defaults, merged once, before any work.
//!
//! The only place that reads the environment: where kubeconfigs are, proxies, tokens of providers. (The AWS and Google
//! credential chains and the HTTP client for public URLs read theirs, as users of those tools expect.)

mod again;
mod bucket_flags;
mod environment;
mod file;
mod init;
mod known;
mod ledger;
mod overlay;
mod pod;
mod source;
mod store;
mod trust;
mod undecided;
mod watch;
mod written;

use std::{collections::BTreeSet, ffi::OsString, path::PathBuf};

pub(crate) use self::ledger::LedgerPlace;
use rustls::pki_types::CertificateDer;

use self::{environment::below_home, file::Document, source::Sources, undecided::Undecided};
pub(crate) use self::{
    environment::{environment, environment_of, remember_environment},
    file::schema,
    init::commented,
    known::{Form, Known, known_settings},
    source::{Effective, Origin, effective, file_path},
    store::listed,
    written::{Edit, Setting, edit, held},
};
use crate::{
    authorities::{ca_text, certificates},
    base_url::base_url,
    bucket,
    cli::Common,
    cluster::{self, ServiceAccount},
    error::{Code, Error, Result},
    federation::{ProviderName, Right, Sections, Source, test_audience},
    oidc::{KidRule, SignedIssuer},
    secret::Secret,
    target::{Account, is_uid},
    warning::Warning,
};

/// Everything that the commands work by.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The settings file, whether it is there or not.
    pub(crate) file: PathBuf,
    /// The flags that led to the file and the cluster, for the commands that messages name: ` --config FILE --context NAME`.
    pub(crate) again: String,
    /// What a person should know of a settings file that no flag named, and of the environment.
    pub(crate) announcement: Option<String>,
    /// What a person may have written in vain.
    pub(crate) warnings: Vec<Warning>,
    /// The settings of the file, then those of the environment.
    pub(crate) sources: Sources,
    /// As given; `None` is derived from the bucket. What is published under it must be an [`Issuer`](crate::oidc::Issuer).
    pub(crate) issuer: Option<SignedIssuer>,
    /// A person names it: by a flag, the environment, or a file that a flag names.
    pub(crate) issuer_is_decided: bool,
    pub(crate) bucket: Option<bucket::Settings>,
    /// `None`: ask no cluster.
    pub(crate) cluster: Option<cluster::Settings>,
    pub(crate) public_keys: Vec<PathBuf>,
    pub(crate) ledger: LedgerPlace,
    /// The longest life of a token that is used outside the cluster, in seconds.
    pub(crate) longest_token: u64,
    /// The most seconds for which a token counts that something in the cluster asks for.
    pub(crate) most_token: u64,
    /// Between two looks of `publish --watch`.
    pub(crate) poll: Option<std::time::Duration>,
    pub(crate) kid_rule: KidRule,
    /// Where the additional roots come from.
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) additional_roots: Vec<CertificateDer<'static>>,
    /// For test tokens.
    pub(crate) audience: String,
    /// Which provider the secret store is to use; `None` when the file names none, or only one.
    pub(crate) provider: Option<ProviderName>,
    /// What the settings hold of each provider.
    pub(crate) providers: Sections,
    pub(crate) store: Store,
    /// What the publisher in the cluster logs in with.
    pub(crate) publisher: Option<ServiceAccount>,
    /// A person names it: by a file that a flag names, or the environment. Otherwise nothing is granted to it.
    pub(crate) publisher_is_decided: bool,
    /// What a person has not named of all that says where something is granted, and to whom.
    pub(crate) undecided: Undecided,
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
    /// Merges the flags with the environment, and with the settings file that they name, or `./keyless.yaml` if there is one.
    pub(crate) fn resolve(
        common: &Common,
        audience: Option<&str>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self> {
        Self::merge(common, audience, &variable).map_err(|error| overlay::named(error, &variable))
    }

    fn merge(
        common: &Common,
        audience: Option<&str>,
        variable: &impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self> {
        // A value that is no text is not passed over: its odd characters come as U+FFFD, for the check of the value to refuse.
        let environment = |name: &str| variable(name).map(|value| value.to_string_lossy().into_owned());
        let Common {
            config,
            output: _,
            verbose: _,
            quiet: _,
            timeout: _,
            color: _,
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
        let document = match config {
            Some(path) => Some(Document::read(path)?),
            None => Document::read_unnamed(&path, rustix::process::geteuid().as_raw())?,
        };
        let other = path.with_extension("yml");
        let ignored = config.is_none() && document.is_some() && other.exists();
        let warnings = ignored.then(|| {
            let message = format!("{} is not read: {} is there too", other.display(), path.display());
            Warning::new(Code::ConfigName, message)
        });
        let unnamed = config.is_none() && document.is_some();
        let (document, sources) = Sources::read(document, &path, environment)?;
        let ca_file = ca_file.clone().or(document.as_ref().and_then(|it| it.file.tls.ca_file.clone()));
        let ca_pem = ca_file.as_deref().map(ca_text).transpose()?;
        let names_bucket = |document: &Document| document.file.bucket.url.is_some();
        let source = Source {
            file: document.as_ref().map(|document| (document.text.as_str(), path.as_path())),
            environment: &environment,
            has_bucket: bucket_url.is_some() || document.as_ref().is_some_and(names_bucket),
            ca_pem: ca_pem.as_deref(),
            is_of_user: &|setting| !unnamed || sources.is_of_user(setting),
        };
        let providers = Sections::read(&source)?;
        let undecided = document.as_ref().filter(|_| unnamed).map(|document| {
            Undecided::of_unnamed(document, common, (&sources, &path), (&providers, &source))
        });
        let undecided = undecided.transpose()?.unwrap_or_default();
        let announcement = document.as_ref().and_then(|document| {
            document.announcement(&sources.announced(unnamed.then_some(&path)), &providers)
        });
        let file = document.unwrap_or_default().file;
        let issuer_is_decided = issuer.is_some() || !unnamed || sources.is_of_user("issuer");
        let issuer = match issuer.as_deref().or(file.issuer.as_deref()) {
            Some(text) => Some(text.parse::<SignedIssuer>().map_err(Error::into_usage)?),
            None => None,
        };
        let bucket = match bucket_url.as_deref().or(file.bucket.url.as_deref()) {
            Some(url) => {
                let (kind, place) = bucket::Kind::read(url)?;
                let settings = bucket::Settings {
                    kind,
                    place,
                    endpoint: https(("--endpoint", endpoint), ("bucket.endpoint", &file.bucket.endpoint))?,
                    region: region.clone().or(file.bucket.region),
                    addressing: addressing.or(file.bucket.addressing),
                    public_url: https(
                        ("--public-url", public_url),
                        ("bucket.publicUrl", &file.bucket.public_url),
                    )?,
                    project: project.clone().or(file.bucket.project),
                    token: Secret::from_variables(kind.token_variable.as_slice(), environment)?,
                };
                Some(settings)
            }
            None => None,
        };
        // Once all of them are known to be base URLs: till then they may hold a password, and are not shown.
        if unnamed {
            let sends = bucket.as_ref().filter(|bucket| bucket.kind.sends_login);
            let of_file = sends.and_then(|bucket| bucket.endpoint.as_deref());
            let of_file = of_file.filter(|_| endpoint.is_none());
            let is_of_user = |setting: &str| sources.is_of_user(setting);
            trust::refuse_endpoints(&path, of_file, &providers, is_of_user)?;
            let of_file = file.cluster.kubeconfig.as_deref().filter(|_| kubeconfig.is_none());
            trust::refuse_kubeconfig(&path, of_file, is_of_user)?;
        }
        bucket_flags::refuse_idle(common, bucket.as_ref().map(|bucket| bucket.kind))?;
        // What lies in a bucket is published: what cannot be is refused before any work.
        if let (Some(issuer), true, false) = (&issuer, bucket.is_some(), providers.give_keys()) {
            issuer.publishable().map_err(Error::into_usage)?;
        }
        let asks_cluster = !no_cluster && file.cluster.enabled.unwrap_or(true);
        let public_keys = if public_key.is_empty() { file.cluster.public_keys } else { public_key.clone() };
        let store = file.store.settings(&path)?;
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
        let publisher_is_decided = !unnamed || sources.is_of_user("cluster.publisher");
        Ok(Self {
            announcement,
            warnings: warnings.into_iter().collect(),
            sources,
            file: path,
            again: again::again(common),
            issuer,
            issuer_is_decided,
            bucket,
            cluster: asks_cluster.then(|| cluster::Settings {
                kubeconfig: kubeconfig
                    .clone()
                    .or(file.cluster.kubeconfig.map(|path| below_home(path, variable))),
                context: context.first().cloned().or(file.cluster.context),
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
            most_token: ledger::most_token(
                file.cluster.max_token_seconds,
                file.cluster.longest_token_seconds,
            )?,
            poll: file.watch.poll()?,
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
            providers,
            store,
            publisher: file.cluster.publisher.map(|text| text.parse()).transpose()?,
            publisher_is_decided,
            undecided,
        })
    }
}

impl Settings {
    /// The prefix that the bucket's URL names, `""` for none, `a/b`.
    pub(crate) fn prefix(&self) -> &str {
        self.bucket.as_ref().map_or("", |bucket| &bucket.place.prefix)
    }

    /// Whether they name a provider, or an account at one.
    pub(crate) fn names_a_provider(&self) -> bool {
        self.provider.is_some() || self.providers.named().next().is_some()
    }

    /// The provider's account, as far as the settings name it.
    pub(crate) fn account(&self) -> Option<Account> {
        match self.provider {
            Some(provider) => self.providers.of(provider)?.account(),
            None => self.providers.named().next()?.account(),
        }
    }
}

/// Whether this text can be a settings file, with the section of each provider.
#[cfg(any(test, feature = "fuzzing"))]
fn check_document(text: &str) -> Result<()> {
    let path = std::path::Path::new("keyless.yaml");
    Document::parse(text, path)?;
    let source = Source {
        file: Some((text, path)),
        environment: &|_| None,
        has_bucket: false,
        ca_pem: None,
        is_of_user: &|_| true,
    };
    ProviderName::all().try_for_each(|provider| provider.entry().check(&source))
}

/// Whether this text can be a settings file: what it says, and what becomes of it when settings are written into it.
#[cfg(feature = "fuzzing")]
pub(crate) fn check(text: &str) -> Result<()> {
    check_document(text)?;
    let wanted =
        [("google.project", serde_json::json!("acme-prod")), ("store.name", serde_json::json!("12"))];
    let first = edit(Some(text), &wanted);
    if let Some(new) = &first.text {
        check_document(new).expect("what was written can be read");
        // What the form has no place for is still left to people.
        let left = Edit { by_hand: first.by_hand.clone(), ..Edit::default() };
        assert_eq!(edit(Some(new), &wanted), left, "what was written is written again");
    }
    Ok(())
}

/// The value of the flag, else that of the file, each by its own name.
fn https(flag: (&str, &Option<String>), file: (&str, &Option<String>)) -> Result<Option<String>> {
    let (setting, text) = if flag.1.is_some() { flag } else { file };
    text.as_deref().map(|text| base_url(setting, text)).transpose()
}

#[cfg(test)]
mod tests;
