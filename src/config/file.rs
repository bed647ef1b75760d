//! `keyless.yaml`: versioned, and strict, because a setting that is silently ignored is worse than none.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use schemars::{JsonSchema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, IgnoredAny, IntoDeserializer, MapAccess, value::MapAccessDeserializer},
};

use super::{store::Store, trust};
use crate::{
    bucket::Addressing,
    error::{Code, Error, Result},
    federation::{ProviderName, Section, Sections},
    files::{self, Accept, MAX_SMALL},
    redact,
    yaml::{from_yaml, unread, unreadable},
};

/// The file that is read when none is named.
pub(super) const DEFAULT_NAME: &str = "keyless.yaml";
/// The one version there is.
pub(super) const VERSION: &str = "keyless/v1";

/// The name of the schema of that version.
const SCHEMA_ID: &str = "urn:keyless:v1:settings";

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
    #[serde(default)]
    pub(super) watch: super::watch::Watch,
    pub(super) provider: Option<ProviderName>,
    #[serde(default)]
    pub(super) store: Store,
}

/// Where the documents are stored.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Bucket {
    /// s3://NAME, gs://NAME, az://ACCOUNT/CONTAINER or file:///FOLDER
    pub(super) url: Option<String>,
    /// Base URL of the store's API; by default AWS's, Google's or that of the Azure storage account
    pub(super) endpoint: Option<String>,
    /// Region of an S3 bucket
    pub(super) region: Option<String>,
    /// How S3 requests name the bucket
    pub(super) addressing: Option<Addressing>,
    /// Where relying parties read the bucket's root, if that is a domain or path of your own
    pub(super) public_url: Option<String>,
    /// Google project in which --create makes a bucket
    pub(super) project: Option<String>,
}

/// How to reach the cluster, and keys from files.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Cluster {
    /// `false` is `--no-cluster`.
    #[schemars(extend("default" = true))]
    pub(super) enabled: Option<bool>,
    /// Kubeconfig; by default $KUBECONFIG, ~/.kube/config, or the pod's own credentials
    pub(super) kubeconfig: Option<PathBuf>,
    /// Context in the kubeconfig
    pub(super) context: Option<String>,
    /// UID of the namespace kube-system: which cluster these settings are for; any other is refused
    pub(super) uid: Option<String>,
    /// NAMESPACE/NAME of the ServiceAccount that test tokens are minted for; nothing may trust it
    pub(super) service_account: Option<String>,
    /// NAMESPACE/NAME of the ServiceAccount that the publisher in the cluster logs in with; `setup` gives it its rights
    pub(super) publisher: Option<String>,
    /// Staged keys: public keys to publish, or to give to the provider, as well; PEM files
    #[serde(default)]
    pub(super) public_keys: Vec<PathBuf>,
    /// The cluster signs with an external signer (KEP-740)
    #[schemars(extend("default" = false))]
    pub(super) external_signer: Option<bool>,
    /// NAMESPACE/NAME of the ConfigMap that holds when each key was seen; by default keyless-system/keyless-ledger
    #[schemars(extend("default" = "keyless-system/keyless-ledger"))]
    pub(super) ledger: Option<String>,
    /// The longest life of a token that is used outside the cluster, in seconds; by default one day
    #[schemars(extend("default" = 86400))]
    pub(super) longest_token_seconds: Option<u32>,
    /// The most seconds for which a token counts that something in the cluster asks for: as much as
    /// --service-account-max-token-expiration of the API servers grants; by default 30 days
    #[schemars(extend("default" = 2592000))]
    pub(super) max_token_seconds: Option<u32>,
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
    #[schemars(extend("default" = "keyless"))]
    pub(super) audience: Option<String>,
}

/// The form of the settings file, as JSON schema.
pub(crate) fn schema() -> serde_json::Value {
    let mut generator = SchemaGenerator::default();
    let sections: Vec<_> = ProviderName::all()
        .map(|provider| (provider.as_str(), provider.entry().schema(&mut generator).to_value()))
        .collect();
    let mut schema = generator.into_root_schema_for::<File>().to_value();
    for (name, section) in sections {
        schema["properties"][name] = section;
    }
    schema["$id"] = SCHEMA_ID.into();
    schema
}

/// A settings file, read as far as it is the same for every provider. Each provider reads its own section out of the text.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) file: File,
    pub(super) text: String,
}

impl Document {
    /// The file that no flag named. `None`: there is none. One that is there and cannot be read is an error, a symbolic
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

    /// Names where settings come from, and what in them decides where credentials are sent. To be shown once its URLs are
    /// checked. `None`: there is nothing to announce.
    pub(super) fn announcement(&self, from: &str, providers: &Sections) -> Option<String> {
        let mut directs: Vec<String> = Vec::new();
        let mut add = |setting: &str, value: Option<String>| {
            directs.extend(value.map(|value| format!("{setting} {value}")));
        };
        add(
            "cluster.kubeconfig",
            self.file.cluster.kubeconfig.as_ref().map(|path| path.display().to_string()),
        );
        add("cluster.context", self.file.cluster.context.clone());
        add("bucket.endpoint", self.file.bucket.endpoint.clone());
        add("tls.caFile", self.file.tls.ca_file.as_ref().map(|path| path.display().to_string()));
        for (setting, value) in providers.iter().flat_map(Section::directs) {
            add(&setting, Some(value));
        }
        let directs = if directs.is_empty() { String::new() } else { format!(" ({})", directs.join(", ")) };
        (!from.is_empty()).then(|| format!("Settings from {from}{directs}"))
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
        let versioned: Versioned = from_yaml(content, path, &[])?;
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
        let Sectioned(mut file) = from_yaml(content, path, ProviderName::names())?;
        let paths = [&mut file.cluster.kubeconfig, &mut file.tls.ca_file].into_iter().flatten();
        for named in paths.chain(&mut file.cluster.public_keys) {
            *named = files::beside(path, named);
        }
        Ok(Self { file, text: content.to_owned() })
    }
}

/// A [`File`], with the sections of providers passed over.
struct Sectioned(File);

impl<'de> Deserialize<'de> for Sectioned {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Sectioned;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("settings")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Sectioned, A::Error> {
                File::deserialize(MapAccessDeserializer::new(WithoutSections(map))).map(Sectioned)
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

struct WithoutSections<A>(A);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for WithoutSections<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let mut seed = Some(seed);
        loop {
            match self.0.next_key_seed(Key(&mut seed))? {
                None => return Ok(None),
                Some(Some(key)) => return Ok(Some(key)),
                Some(None) => drop(self.0.next_value::<IgnoredAny>()?),
            }
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.0.next_value_seed(seed)
    }
}

/// A key; `None` if it is the name of a section. The seed is used within the parser's own call, which adds the line to
/// what the seed refuses.
struct Key<'s, K>(&'s mut Option<K>);

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for Key<'_, K> {
    type Value = Option<K::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de, K: DeserializeSeed<'de>> de::Visitor<'de> for Key<'_, K> {
    type Value = Option<K::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a setting")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        if ProviderName::names().contains(&name) {
            return Ok(None);
        }
        let seed = self.0.take().ok_or_else(|| E::custom("a key was read twice"))?;
        seed.deserialize(name.into_deserializer()).map(Some)
    }
}
