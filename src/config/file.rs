//! `keyless.yaml`: versioned, and strict, because a setting that is silently ignored is worse than none.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    trust,
    written::Setting,
    yaml::{from_yaml, unread, unreadable},
};
use crate::{
    bucket::Addressing,
    error::{Code, Error, Result},
    federation::{RIGHT_KINDS, Right, RightKind, gcp, vault},
    files::{self, Accept, MAX_SMALL},
    redact,
};

/// The file that is read when none is named.
pub(super) const DEFAULT_NAME: &str = "keyless.yaml";
/// The one version there is.
pub(super) const VERSION: &str = "keyless/v1";

/// The versions that are read.
#[derive(Debug, Default, Deserialize, JsonSchema)]
enum Version {
    #[default]
    #[serde(rename = "keyless/v1")]
    V1,
}

/// The settings file. Paths in it are relative to the file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct File {
    /// The version of this file's form
    #[serde(rename = "apiVersion")]
    _api_version: Version,
    /// Issuer: `iss`, byte for byte; by default the bucket's public URL and prefix, else what the cluster signs as
    pub(super) issuer: Option<String>,
    #[serde(default)]
    pub(super) bucket: Bucket,
    #[serde(default)]
    pub(super) cluster: Cluster,
    #[serde(default)]
    pub(super) tls: Tls,
    #[serde(default)]
    pub(super) verify: Verify,
    pub(super) provider: Option<ProviderName>,
    pub(super) google: Option<Google>,
    pub(super) vault: Option<Vault>,
    #[serde(default)]
    pub(super) store: Store,
}

/// Which provider the secret store uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProviderName {
    /// Google Secret Manager, through Workload Identity Federation
    Google,
    /// Vault or OpenBao, through its JWT auth method
    Vault,
}

/// Google's side of the trust.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Google {
    /// Project ID or number
    pub(super) project: Option<String>,
    /// Workload identity pool; one per cluster
    pub(super) pool: Option<String>,
    /// OIDC provider in the pool
    pub(super) provider: Option<String>,
    /// How Google gets the cluster's keys
    pub(super) mode: Option<gcp::Mode>,
    /// On what the right to read is granted
    pub(super) access: Option<gcp::Grant>,
    /// E-mail address of a Google service account to become
    pub(super) impersonate: Option<String>,
    /// Location of regional secrets, e.g. europe-west1; by default secrets are global
    pub(super) location: Option<String>,
    /// Base URLs of Google's services
    #[serde(default)]
    pub(super) endpoints: gcp::Endpoints,
}

/// Vault's or OpenBao's side of the trust.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Vault {
    /// Base URL of the server
    pub(super) address: Option<String>,
    /// Path of the JWT auth method
    pub(super) mount: Option<String>,
    /// Role that the secret store logs in as
    pub(super) role: Option<String>,
    /// Path of the KV v2 secrets engine
    pub(super) kv: Option<String>,
    /// How the server gets the cluster's keys; by default from the documents, if a bucket is named
    pub(super) mode: Option<vault::Mode>,
    /// Certificate authorities of the server, PEM; by default those of `tls`
    pub(super) ca_file: Option<PathBuf>,
    /// Certificate authorities of the issuer's host, PEM, for the server to trust; by default those of `tls`
    pub(super) issuer_ca_file: Option<PathBuf>,
    /// Namespace on the server, e.g. team/prod
    pub(super) namespace: Option<String>,
}

/// The secret store that is pointed at the provider.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Store {
    /// Name of the secret store
    pub(super) name: Option<String>,
    /// `None` is a ClusterSecretStore.
    pub(super) namespace: Option<String>,
    /// NAMESPACE/NAME of the ServiceAccount that the store uses
    pub(super) service_account: Option<String>,
    /// Secrets that it may read. Setup writes this list, and asks before it adds to it.
    pub(super) secrets: Option<Vec<String>>,
    /// What it may do beyond reading secrets
    pub(super) rights: Option<Rights>,
}

/// Rights beyond reading the values of secrets. Each lists names of secrets; searches list what names begin with, or
/// `*` for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Rights {
    /// Secrets whose labels, annotations or custom metadata it may read
    pub(super) metadata: Vec<String>,
    /// Secrets whose versions it may list
    pub(super) versions: Vec<String>,
    /// Where it may search for secrets by name
    pub(super) find: Vec<String>,
    /// Where it may search for secrets by tags
    pub(super) find_by_tags: Vec<String>,
    /// Secrets that it may write
    pub(super) push: Vec<String>,
    /// Secrets whose labels, annotations or custom metadata it may change
    pub(super) update: Vec<String>,
    /// Secrets that it may delete
    pub(super) delete: Vec<String>,
}

impl Store {
    /// Everything that is listed; `None`: there is no list. An entry that is empty would mean everything to a search.
    pub(super) fn listed(&self, path: &Path) -> Result<Option<BTreeSet<Right>>> {
        if self.secrets.is_none() && self.rights.is_none() {
            return Ok(None);
        }
        let rights = self.rights.clone().unwrap_or_default();
        let Rights { metadata, versions, find, find_by_tags, push, update, delete } = rights;
        let lists = [
            (RightKind::Read, self.secrets.clone().unwrap_or_default()),
            (RightKind::Metadata, metadata),
            (RightKind::Versions, versions),
            (RightKind::Find, find),
            (RightKind::FindByTags, find_by_tags),
            (RightKind::Push, push),
            (RightKind::Update, update),
            (RightKind::Delete, delete),
        ];
        let mut listed = BTreeSet::new();
        for (kind, names) in lists {
            for name in names {
                if name.trim() != name || name.is_empty() || name.chars().any(char::is_control) {
                    let what = format!("`{}` in {} names nothing", name.escape_debug(), setting(kind));
                    return Err(Error::usage(
                        Code::StoreRightsMalformed,
                        format!("{}: {what}", path.display()),
                    )
                    .hint("name secrets as ExternalSecrets do; `*` in a search means every secret"));
                }
                let all = kind.is_search() && name == ALL;
                listed.insert(Right::new(kind, if all { String::new() } else { name }));
            }
        }
        Ok(Some(listed))
    }
}

/// How a search of everything is written.
const ALL: &str = "*";

/// The lists as they are written, in the order of the file. Beyond reading, only those that have entries, or had some
/// before.
pub(crate) fn listed(rights: &BTreeSet<Right>, before: &BTreeSet<Right>) -> Vec<Setting> {
    let names = |wanted: RightKind| -> Vec<&str> {
        let these = rights.iter().filter(|right| right.kind == wanted);
        these.map(|right| if right.on.is_empty() { ALL } else { right.on.as_str() }).collect()
    };
    let is_written =
        |kind| kind == RightKind::Read || rights.iter().chain(before).any(|right: &Right| right.kind == kind);
    let kinds = RIGHT_KINDS.into_iter().filter(|kind| is_written(*kind));
    kinds.map(|kind| (setting(kind), serde_json::json!(names(kind)))).collect()
}

/// Where rights of a kind are listed.
fn setting(kind: RightKind) -> &'static str {
    match kind {
        RightKind::Read => "store.secrets",
        RightKind::Metadata => "store.rights.metadata",
        RightKind::Versions => "store.rights.versions",
        RightKind::Find => "store.rights.find",
        RightKind::FindByTags => "store.rights.findByTags",
        RightKind::Push => "store.rights.push",
        RightKind::Update => "store.rights.update",
        RightKind::Delete => "store.rights.delete",
    }
}

/// Where the documents are stored.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Bucket {
    /// s3://NAME, gs://NAME or file:///FOLDER
    pub(super) url: Option<String>,
    /// Base URL of the store's API; by default AWS's or Google's
    pub(super) endpoint: Option<String>,
    /// Region of an S3 bucket
    pub(super) region: Option<String>,
    /// How S3 requests name the bucket
    pub(super) addressing: Option<Addressing>,
    /// Where strangers read the bucket's root, if that is a domain or path of your own
    pub(super) public_url: Option<String>,
    /// Google project in which --create makes a bucket
    pub(super) project: Option<String>,
}

/// How to reach the cluster, and keys from files.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Cluster {
    /// `false` is `--no-cluster`.
    pub(super) enabled: Option<bool>,
    /// Kubeconfig; by default $KUBECONFIG, ~/.kube/config, or the pod's own credentials
    pub(super) kubeconfig: Option<PathBuf>,
    /// Context in the kubeconfig
    pub(super) context: Option<String>,
    /// UID of the namespace kube-system: which cluster these settings are for; any other is refused
    pub(super) uid: Option<String>,
    /// NAMESPACE/NAME of the ServiceAccount that test tokens are minted for; nothing may trust it
    pub(super) service_account: Option<String>,
    /// Staged keys: public keys to publish, or to give to the provider, as well; PEM files
    #[serde(default)]
    pub(super) public_keys: Vec<PathBuf>,
    /// The cluster signs with an external signer (KEP-740)
    pub(super) external_signer: Option<bool>,
    /// NAMESPACE/NAME of the ConfigMap that holds when each key was seen; by default keyless-system/keyless-ledger
    pub(super) ledger: Option<String>,
    /// The longest life of a token that is used outside the cluster, in seconds; by default one day
    pub(super) longest_token_seconds: Option<u32>,
}

/// Whom to trust beside the public certificate authorities.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Tls {
    /// Certificate authorities, PEM
    pub(super) ca_file: Option<PathBuf>,
}

/// How to verify.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Verify {
    /// Audience of test tokens, one that nothing trusts
    pub(super) audience: Option<String>,
}

/// The form of the settings file, as JSON schema.
pub(crate) fn schema() -> serde_json::Value {
    schemars::schema_for!(File).to_value()
}

impl File {
    /// The file that nobody named. `None`: there is none. One that is there and cannot be read is an error, a symbolic
    /// link that leads to nothing as well. `user` is who reads it, by effective user ID.
    pub(super) fn read_unnamed(path: &Path, user: u32) -> Result<Option<Self>> {
        match files::read_text(path, Accept::File, MAX_SMALL) {
            Ok(content) => {
                trust::check(path, user)?;
                Self::parse(&content, path).map(Some)
            }
            Err(error) if error.is_missing() && !path.is_symlink() => {
                let other = path.with_extension("yml");
                match other.exists() {
                    true => Err(Error::usage(
                        Code::ConfigName,
                        format!("{} is not read: the name is {}", other.display(), path.display()),
                    )
                    .hint(format!("rename it, or name it: --config {}", other.display()))),
                    false => Ok(None),
                }
            }
            Err(error) => Err(unreadable(path).caused_by(error)),
        }
    }

    /// Names the file, and what in it decides where credentials are sent. To be shown once its URLs are checked.
    pub(super) fn announcement(&self, path: &Path) -> String {
        let mut directs: Vec<String> = Vec::new();
        let mut add = |setting: &str, value: Option<String>| {
            directs.extend(value.map(|value| format!("{setting} {value}")));
        };
        add("cluster.kubeconfig", self.cluster.kubeconfig.as_ref().map(|path| path.display().to_string()));
        add("cluster.context", self.cluster.context.clone());
        add("bucket.endpoint", self.bucket.endpoint.clone());
        add("tls.caFile", self.tls.ca_file.as_ref().map(|path| path.display().to_string()));
        if let Some(vault) = &self.vault {
            add("vault.address", vault.address.clone());
            add("vault.caFile", vault.ca_file.as_ref().map(|path| path.display().to_string()));
        }
        if let Some(google) = &self.google {
            let usual = gcp::Endpoints::default();
            for ((name, url), (_, usual)) in google.endpoints.all().into_iter().zip(usual.all()) {
                add(&format!("google.endpoints.{name}"), (url != usual).then(|| url.to_owned()));
            }
        }
        let directs = if directs.is_empty() { String::new() } else { format!(" ({})", directs.join(", ")) };
        format!("Settings from {}{directs}", path.display())
    }

    /// The file that was named: it may be a pipe.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let content =
            files::read_text(path, Accept::FileOrPipe, MAX_SMALL).map_err(|error| unread(path, error))?;
        Self::parse(&content, path)
    }

    pub(super) fn parse(content: &str, path: &Path) -> Result<Self> {
        // A password in a URL is refused later, and must not be printed until then.
        content
            .split_whitespace()
            .for_each(|word| redact::remember_url(word.trim_matches(['"', '\'', ',', '}'])));
        // The version first: another version may have other fields.
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Versioned {
            api_version: Option<String>,
        }
        let versioned: Versioned = from_yaml(content, path)?;
        if versioned.api_version.as_deref() != Some(VERSION) {
            let seen = versioned
                .api_version
                .map_or("missing".to_owned(), |seen| format!("`{}`", redact::message(&seen)));
            return Err(Error::usage(
                Code::ConfigVersion,
                format!("{}: its apiVersion is {seen}", path.display()),
            )
            .hint(format!("this program reads `apiVersion: {VERSION}`")));
        }
        let mut file: Self = from_yaml(content, path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let of_vault = file.vault.as_mut().map(|vault| [&mut vault.ca_file, &mut vault.issuer_ca_file]);
        let paths = [&mut file.cluster.kubeconfig, &mut file.tls.ca_file]
            .into_iter()
            .chain(of_vault.into_iter().flatten())
            .flatten();
        for path in paths.chain(&mut file.cluster.public_keys) {
            // `~/` is the user's, wherever the file lies.
            if !path.starts_with("~") {
                *path = folder.join(&*path);
            }
        }
        Ok(file)
    }
}
