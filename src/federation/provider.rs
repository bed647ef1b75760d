//! What a provider is to the rest of the program: an entry in the registry, a section of `keyless.yaml`, complete
//! settings, and a connection ([`Federation`]).
//!
//! ```text
//!  Provider ── section ──► Section ── complete ──► Configured ── connect ──► Federation
//!  (registry)  the file    what an     the cluster  everything   I/O         plan, apply, probe
//!              says        administrator  and a person  is known
//!                          has set     complete it
//! ```

use std::{
    fmt::Debug,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use schemars::{Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Federation, ProviderName,
    cloud::{self, AuditRights, CloudLook, IssuedKind, Scope},
    credential::{ByHand, Identity, StoredCredential},
};
use crate::{
    ask::{Answers, Ask},
    cluster::snapshot::{Estate, Store},
    error::{Code, Error, Result},
    files,
    http::Http,
    secret::Secret,
    secret_store::{PublicFields, StoreLogin},
    target::Account,
    warning::Warning,
    yaml::from_yaml,
};

/// A provider, as the registry lists it. Everything here is PURE, except that [`Self::section`] reads the files that the
/// section names.
pub(crate) trait Provider: Sync {
    /// As `provider` in `keyless.yaml` and `--to` name it. Its section in that file has the same name.
    fn name(&self) -> &'static str;

    /// One line for `--help`.
    fn about(&self) -> &'static str;

    /// The member of a store's `spec.provider` that External Secrets Operator has for it, e.g. `gcpsm`.
    fn store_member(&self) -> &'static str;

    /// Fields below [`Self::store_member`] that hold no secret. Of others a plan shows no value.
    fn public_fields(&self) -> PublicFields;

    /// What the operator puts before every key that is named through a store with these settings.
    fn key_prefix<'s>(&self, _settings: &'s Value) -> &'s str {
        ""
    }

    /// The setting that names the account: `google.project`.
    fn place(&self) -> &'static str;

    /// The annotation of a ServiceAccount by which External Secrets Operator becomes another identity at this provider.
    fn account_annotation(&self) -> Option<&'static str> {
        None
    }

    /// Whether a store with these settings takes an enabled version of a secret where the newest is not enabled.
    fn takes_enabled_versions(&self, _settings: &Value) -> bool {
        false
    }

    /// Audiences of tokens that open something there, and who accepts them. A pattern that ends in `*` is a beginning.
    fn audiences(&self) -> (&'static str, &'static [&'static str]);

    /// Environment variables that hold a secret for it.
    fn secret_variables(&self) -> &'static [&'static str];

    /// Whether its own libraries read a file by which they log in with a token: [`Configured::credential_file`].
    fn has_credential_file(&self) -> bool {
        false
    }

    /// The form of its section.
    fn schema(&self, generator: &mut SchemaGenerator) -> Schema;

    /// Whether its section can be read, as far as the text alone tells.
    #[cfg(any(test, feature = "fuzzing"))]
    fn check(&self, source: &Source<'_>) -> Result<()>;

    /// What the settings file and the environment say of it. Errors are usage errors.
    fn section(&self, source: &Source<'_>) -> Result<Arc<dyn Section>>;

    /// Whether this store logs in with a stored credential of this provider.
    fn is_stored_key(&self, _estate: &Estate, _store: &Store) -> bool {
        false
    }

    /// How `keyless` names the kind of credential that it can retire there, e.g. in what an interrupted run remembers.
    fn credential_kind(&self) -> Option<&'static str> {
        None
    }

    /// The credential that these bytes are, by what is public of it; `None`: it is no such credential.
    fn recognise(&self, _bytes: &[u8]) -> Option<Identity> {
        None
    }

    /// Whether [`Self::recognise`] must know what lies at this place of a store's settings.
    fn expects_credential(&self, _path: &str) -> bool {
        false
    }

    /// What its part of `keyless audit --cloud` can find ([`Section::issued`]).
    fn issued_kinds(&self) -> &'static [IssuedKind] {
        &[]
    }

    /// What a login needs there to be asked by [`Section::issued`].
    fn audit_rights(&self) -> Option<&'static AuditRights> {
        None
    }

    /// Kinds of generators that log in there.
    fn generator_kinds(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether these bytes are the part of a credential of this provider that opens nothing by itself: what names the
    /// credential lies in another entry of the Secret. `path` is empty where no store names the place.
    fn is_part(&self, _path: &str, _bytes: &[u8]) -> bool {
        false
    }

    /// Whom a store names at this place as the one who logs in with the credential beside it; empty if that cannot be read,
    /// or could be no one.
    fn client(&self, _path: &str, _bytes: Option<&[u8]>) -> Option<String> {
        None
    }

    /// Credentials that only a person can end, by where a store names them. The first that fits is taken.
    fn by_hand(&self) -> &'static [ByHand];
}

/// Where a section comes from.
pub(crate) struct Source<'a> {
    /// The settings file, if there is one, and its path.
    pub(crate) file: Option<(&'a str, &'a Path)>,
    pub(crate) environment: &'a dyn Fn(&str) -> Option<String>,
    /// A bucket is named, so there can be public documents.
    pub(crate) has_bucket: bool,
    /// Certificate authorities of `tls.caFile`, PEM.
    pub(crate) ca_pem: Option<&'a str>,
    /// Whether the user has set this setting: in a file that a flag names, or by a variable. `./keyless.yaml` is read because
    /// it is there, and may be another person's.
    pub(crate) is_of_user: &'a dyn Fn(&str) -> bool,
}

impl Source<'_> {
    /// What a person alone decides, such as whose key is retired: not set, if only a file says it that no flag names.
    pub(super) fn decided<T>(&self, setting: &str, value: Option<T>) -> Option<T> {
        value.filter(|_| (self.is_of_user)(setting))
    }

    /// The document, as far as `T` describes it. What other sections say is not looked at.
    pub(super) fn read<T: DeserializeOwned + Default>(&self) -> Result<T> {
        self.file.map_or_else(|| Ok(T::default()), |(text, path)| from_yaml(text, path, &[]))
    }

    /// A path that the file names.
    pub(super) fn beside(&self, path: &Path) -> PathBuf {
        self.file.map_or_else(|| path.to_owned(), |(_, file)| files::beside(file, path))
    }

    /// The first of these variables that is set and not empty.
    pub(super) fn variable(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| (self.environment)(name).filter(|text| !text.is_empty()))
    }

    /// The same for one that holds a secret.
    pub(super) fn secret(&self, names: &[&str]) -> Result<Option<Secret>> {
        Secret::from_variables(names, self.environment)
    }
}

/// What the settings hold of one provider. What they leave out can be learnt from the cluster, or is asked for.
#[async_trait]
pub(crate) trait Section: Debug + Send + Sync {
    fn provider(&self) -> ProviderName;

    /// Whether it names an account: a project, a server.
    fn is_named(&self) -> bool {
        self.account().is_some()
    }

    /// The account, if it is named.
    fn account(&self) -> Option<Account>;

    /// Whether it says that the provider is given the cluster's keys, so that nothing is published for it.
    fn gives_keys(&self) -> bool;

    /// Whether anything says how the provider gets the keys.
    fn says_mode(&self) -> bool;

    /// What decides where credentials are sent: settings with their values, where these are not the usual ones.
    fn directs(&self) -> Vec<(String, String)>;

    /// Of these, what no one but the file says. A file that no one has named must not decide it.
    fn directs_alone(&self) -> Vec<(String, String)> {
        self.directs()
    }

    /// Completes it by what is in the cluster, and by questions.
    fn complete(&self, known: &Known<'_>, ask: &mut Ask<'_>) -> Result<Box<dyn Configured>>;

    /// The section with the answers to the questions of [`Self::complete`]. What it took from the cluster is not among them.
    fn answered(&self, answers: &Answers) -> Result<Arc<dyn Section>>;

    /// Completes it without looking at a cluster, where it says enough for that. `may_look`: there is a cluster.
    fn complete_alone(&self, _may_look: bool) -> Result<Option<Box<dyn Configured>>> {
        Ok(None)
    }

    /// The section for those who only look: the account that the store names, without any credential that is meant for
    /// another one. `None`: as it is.
    fn looking(&self, _store: &Store) -> Option<Arc<dyn Section>> {
        None
    }

    /// The section for several clusters, without identities that it names of one. `None`: as it is.
    fn of_several(&self) -> Option<Arc<dyn Section>> {
        None
    }

    /// Credentials that the provider has issued to identities which the cluster names. What could not be looked at is
    /// part of the answer.
    async fn issued(&self, scope: &Scope<'_>, _http: &Http) -> CloudLook {
        cloud::not_implemented(scope, self.provider())
    }

    /// A stored credential of this provider's kind, at the provider. Sends nothing.
    fn stored_credential(&self, identity: &Identity, _http: &Http) -> Result<Box<dyn StoredCredential>> {
        let provider = self.provider();
        Err(Error::failed(
            Code::CredentialByHand,
            format!("keyless retires no stored credential at {provider}"),
        )
        .caused_by(identity.to_string())
        .hint("end it by hand"))
    }
}

/// What is known beside the section.
pub(crate) struct Known<'a> {
    pub(crate) estate: &'a Estate,
    /// The store that is to be pointed at the provider, if it is there.
    pub(crate) store: Option<&'a Store>,
    /// The UID of the namespace `kube-system`.
    pub(crate) cluster_id: &'a str,
}

impl Known<'_> {
    /// The settings of the store at the provider of this name; `None` if it is at another one.
    pub(super) fn at(&self, member: &str) -> Option<&Value> {
        let (kind, spec) = self.store?.provider()?;
        (kind == member).then_some(spec)
    }
}

/// Why a connection is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Something may have been changed by an earlier run that has not spread yet.
    Apply,
    /// What is refused is refused.
    Look,
}

/// The complete settings of one provider.
#[async_trait]
pub(crate) trait Configured: Debug + Send + Sync {
    fn provider(&self) -> ProviderName;

    fn account(&self) -> Account;

    /// Whether the provider is given the keys, and needs no documents.
    fn uploads_keys(&self) -> bool;

    /// Its section, as `setup` writes it into `keyless.yaml`: paths and values.
    fn settings(&self) -> Vec<(&'static str, String)>;

    /// The provider behind it. Sends nothing.
    fn connect(&self, http: &Http, purpose: Purpose) -> Result<Box<dyn Federation>>;

    /// What a store must say, asking the provider only for what neither the settings nor the store say.
    async fn store_login(
        &self,
        _store: Option<&Store>,
        http: &Http,
    ) -> Result<(Box<dyn StoreLogin>, Vec<Warning>)> {
        Ok((self.connect(http, Purpose::Look)?.store_login().await?, Vec::new()))
    }

    /// The file by which the provider's own libraries log in with a token that lies in `token_file`; `None`: they have
    /// no such file.
    async fn credential_file(
        &self,
        _token_file: &Path,
        _store: Option<&Store>,
        _http: &Http,
    ) -> Result<Option<CredentialFile>> {
        Ok(None)
    }
}

/// A credential file without a secret.
pub(crate) struct CredentialFile {
    pub(crate) document: Value,
    /// For people: how a pod gets the token, and who reads the file.
    pub(crate) usage: String,
}
