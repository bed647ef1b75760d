//! The section `vault` of `keyless.yaml`, and what completes it. Only [`Provider::section`] reads: the files of
//! certificate authorities that it names.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::{AUDIENCES, Mode, OfStore, SetByName, Settings, client::Client, cloud, store_login};
use crate::{
    ask::{Answers, Ask, Offer},
    authorities::ca_text,
    base_url::base_url,
    cluster::snapshot::Store,
    error::Result,
    federation::{
        Configured, Known, Provider, ProviderName, Section, Source,
        cloud::{AuditRights, CloudLook, IssuedKind, Scope},
        credential::{AWS_KEY, ByHand},
    },
    http::Http,
    secret_store::PublicFields,
    target::Account,
};

/// The entry of the registry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VaultServer;

pub(crate) const PROVIDER: VaultServer = VaultServer;

/// The role where the settings name none.
const USUAL_ROLE: &str = "external-secrets";

/// Vault's or OpenBao's side of the trust.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "Vault")]
struct Written {
    /// Base URL of the server
    address: Option<String>,
    /// Path of the JWT auth method
    #[schemars(extend("default" = "keyless"))]
    mount: Option<String>,
    /// Role that the secret store logs in as
    #[schemars(extend("default" = "external-secrets"))]
    role: Option<String>,
    /// Path of the KV v2 secrets engine
    #[schemars(extend("default" = "kv"))]
    kv: Option<String>,
    /// How the server gets the cluster's keys; by default from the documents, if a bucket is named
    mode: Option<Mode>,
    /// Certificate authorities of the server, PEM; by default those of `tls`
    ca_file: Option<PathBuf>,
    /// Certificate authorities of the issuer's host, PEM, for the server to trust; by default those of `tls`
    issuer_ca_file: Option<PathBuf>,
    /// Namespace on the server, e.g. team/prod
    namespace: Option<String>,
}

/// As much of the document as this provider reads.
#[derive(Default, Deserialize)]
struct Document {
    vault: Option<Written>,
}

/// What the settings hold of Vault's side.
#[derive(Clone, Debug)]
pub(crate) struct VaultSection {
    /// `None`: the file names no address.
    pub(crate) named: Option<Settings>,
    /// What holds once the address is known.
    pub(crate) without_address: Settings,
    pub(crate) client: Client,
    /// What the file sets, whether or not it names an address.
    pub(crate) set: SetByName,
    gives_keys: bool,
    has_bucket: bool,
    ca_file: Option<PathBuf>,
}

impl Provider for VaultServer {
    fn name(&self) -> &'static str {
        "vault"
    }

    fn about(&self) -> &'static str {
        "Vault or OpenBao, through its JWT auth method"
    }

    fn place(&self) -> &'static str {
        "vault.address"
    }

    fn store_member(&self) -> &'static str {
        store_login::MEMBER
    }

    fn public_fields(&self) -> PublicFields {
        store_login::PUBLIC
    }

    fn audiences(&self) -> (&'static str, &'static [&'static str]) {
        ("Vault and OpenBao", &AUDIENCES)
    }

    fn secret_variables(&self) -> &'static [&'static str] {
        &["VAULT_TOKEN", "BAO_TOKEN"]
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Option<Written>>()
    }

    #[cfg(any(test, feature = "fuzzing"))]
    fn check(&self, source: &Source<'_>) -> Result<()> {
        source.read::<Document>().map(drop)
    }

    fn section(&self, source: &Source<'_>) -> Result<Arc<dyn Section>> {
        Ok(Arc::new(VaultSection::read(source)?))
    }

    fn issued_kinds(&self) -> &'static [IssuedKind] {
        &cloud::KINDS
    }

    fn audit_rights(&self) -> Option<&'static AuditRights> {
        Some(&cloud::RIGHTS)
    }

    fn generator_kinds(&self) -> &'static [&'static str] {
        &cloud::GENERATORS
    }

    fn by_hand(&self) -> &'static [ByHand] {
        &BY_HAND
    }
}

impl VaultSection {
    fn read(source: &Source<'_>) -> Result<Self> {
        let Written { address, mount, role, kv, mode, ca_file, issuer_ca_file, namespace } =
            source.read::<Document>()?.vault.unwrap_or_default();
        let address = address.map(|address| base_url("vault.address", &address)).transpose()?;
        let ca_file = ca_file.map(|path| source.beside(&path));
        let issuer_ca_file = issuer_ca_file.map(|path| source.beside(&path));
        // Who needs an authority of their own for one host mostly needs it for all.
        let pem = |own: Option<&PathBuf>| match own {
            Some(path) => ca_text(path).map(Some),
            None => Ok(source.ca_pem.map(str::to_owned)),
        };
        let set = SetByName {
            mount: mount.is_some(),
            role: role.is_some(),
            kv: kv.is_some(),
            namespace: namespace.is_some(),
        };
        // Without documents of its own the cluster's keys can only be given.
        let by_default = if source.has_bucket { Mode::Discovery } else { Mode::StaticKeys };
        let without_address = Settings {
            address: String::new(),
            mount: mount.unwrap_or_else(|| "keyless".into()),
            mount_from_store: false,
            role_prefix: role.clone().unwrap_or_else(|| USUAL_ROLE.into()),
            role: role.unwrap_or_else(|| USUAL_ROLE.into()),
            kv: kv.unwrap_or_else(|| "kv".into()),
            mode: mode.unwrap_or(by_default),
            ca_pem: pem(ca_file.as_ref())?,
            issuer_ca_pem: pem(issuer_ca_file.as_ref())?,
            namespace,
            // Goes with an address that an administrator has named: `Client::settings`.
            token: None,
        };
        Ok(Self {
            named: address.map(|address| Settings { address, ..without_address.clone() }),
            without_address,
            client: Client {
                address: source.variable(&["VAULT_ADDR", "BAO_ADDR"]),
                namespace: source.variable(&["VAULT_NAMESPACE", "BAO_NAMESPACE"]),
                token: source.secret(&["VAULT_TOKEN", "BAO_TOKEN"])?,
            },
            set,
            gives_keys: mode == Some(Mode::StaticKeys),
            has_bucket: source.has_bucket,
            ca_file,
        })
    }
}

#[async_trait]
impl Section for VaultSection {
    fn provider(&self) -> ProviderName {
        ProviderName::new(&PROVIDER)
    }

    fn account(&self) -> Option<Account> {
        self.named.as_ref().map(Settings::account)
    }

    fn gives_keys(&self) -> bool {
        self.gives_keys
    }

    fn says_mode(&self) -> bool {
        // Where no bucket is named, the mode may follow from that alone.
        self.has_bucket
    }

    fn directs(&self) -> Vec<(String, String)> {
        let address = self.named.as_ref().map(|named| ("vault.address".to_owned(), named.address.clone()));
        let ca_file =
            self.ca_file.as_ref().map(|path| ("vault.caFile".to_owned(), path.display().to_string()));
        address.into_iter().chain(ca_file).collect()
    }

    /// The one who set the same address in the environment has chosen it.
    fn directs_alone(&self) -> Vec<(String, String)> {
        let own = self.client.address.as_deref().map(|own| own.trim_end_matches('/'));
        self.directs().into_iter().filter(|(_, value)| own != Some(value.trim_end_matches('/'))).collect()
    }

    /// As the file says. Else the address is an administrator's to name, by the environment or at the prompt; what a
    /// store says beside it holds if the store is at that server already.
    fn complete(&self, known: &Known<'_>, ask: &mut Ask<'_>) -> Result<Box<dyn Configured>> {
        if let Some(named) = &self.named {
            return Ok(Box::new(self.client.settings(named.clone())?));
        }
        let base = &self.without_address;
        let store = known.at(store_login::MEMBER).and_then(OfStore::read);
        let named = match self.client.named(base)? {
            Some(named) => named,
            None => {
                let offer = store.as_ref().map_or(Offer::Nothing, |store| Offer::Suggestion(&store.address));
                self.client.answered(&ask("vault.address", "Address of Vault or OpenBao", offer)?, base)?
            }
        };
        Ok(Box::new(match store {
            Some(store) if store.is_at(&named.address) => store.complete(named, &self.set),
            _ => named,
        }))
    }

    fn answered(&self, answers: &Answers) -> Result<Arc<dyn Section>> {
        let named = match answers.to("vault.address") {
            Some(answer) => Some(self.client.answered(answer, &self.without_address)?),
            None => self.named.clone(),
        };
        Ok(Arc::new(Self { named, ..self.clone() }))
    }

    /// Where the file names the server; what a store would add is then named there as well, or has its usual name.
    fn complete_alone(&self, _may_look: bool) -> Result<Option<Box<dyn Configured>>> {
        let Some(named) = &self.named else { return Ok(None) };
        Ok(Some(Box::new(self.client.settings(named.clone())?)))
    }

    async fn issued(&self, scope: &Scope<'_>, http: &Http) -> CloudLook {
        cloud::look(self, scope, http).await
    }

    /// Where the store logs in now, without the administrator's token unless an administrator has named the same server.
    fn looking(&self, store: &Store) -> Option<Arc<dyn Section>> {
        let (_, spec) = store.provider().filter(|(member, _)| *member == store_login::MEMBER)?;
        let store = OfStore::read(spec).filter(|_| self.named.is_none())?;
        let named = self.client.named(&self.without_address);
        if named.is_ok_and(|named| named.is_some_and(|named| store.is_at(&named.address))) {
            return None;
        }
        let base = Settings { address: store.address.clone(), ..self.without_address.clone() };
        let ca_pem = store.ca_pem.clone().or_else(|| base.ca_pem.clone());
        let named = Some(Settings { ca_pem, ..store.complete(base, &self.set) });
        Some(Arc::new(Self { named, client: Client::default(), ..self.clone() }))
    }
}

/// What a store at Vault may log in with.
const BY_HAND: [ByHand; 9] = [
    ByHand {
        path: "vault.auth.tokenSecretRef",
        shown: "a Vault token",
        remedy: "revoke it: vault token revoke -accessor ACCESSOR (vault list auth/token/accessors names them)",
    },
    ByHand {
        path: "vault.auth.appRole.",
        shown: "the SecretID of a Vault AppRole",
        remedy: "destroy it: vault write auth/approle/role/ROLE/secret-id-accessor/destroy secret_id_accessor=ACCESSOR",
    },
    ByHand {
        path: "vault.auth.userPass.",
        shown: "the password of a Vault user",
        remedy: "delete the user or change its password: vault delete auth/userpass/users/NAME",
    },
    ByHand {
        path: "vault.auth.ldap.",
        shown: "a password of a directory",
        remedy: "change it in the directory",
    },
    ByHand {
        path: "vault.auth.jwt.secretRef",
        shown: "a stored JWT",
        remedy: "find out who issued it, and have it revoked or wait for its expiry",
    },
    ByHand {
        path: "vault.auth.kubernetes.secretRef",
        shown: "a stored ServiceAccount token",
        remedy: "delete the Secret of the type kubernetes.io/service-account-token that it comes from",
    },
    ByHand {
        path: "vault.auth.cert.",
        shown: "a client certificate's private key",
        remedy: "have the certificate revoked, and delete the entry: vault delete auth/cert/certs/NAME",
    },
    ByHand { path: "vault.auth.iam.", shown: "an AWS access key", remedy: AWS_KEY },
    ByHand { path: "vault.", shown: "a credential for Vault", remedy: "revoke it in Vault" },
];

#[cfg(test)]
#[path = "section_tests.rs"]
mod tests;
