//! The section `entra` of `keyless.yaml`, and what completes it. Pure, but for [`Section::issued`], which asks Entra.

use std::sync::Arc;

use async_trait::async_trait;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::{
    AUDIENCE, Settings, account, cloud,
    key::{self, StoredSecret},
    place::{self, Endpoints},
    store_login,
};
use crate::{
    ask::{Answers, Ask, Offer},
    error::Result,
    federation::{
        Configured, Known, Provider, ProviderName, Section, Source,
        cloud::{AuditRights, CloudLook, IssuedKind, Scope},
        credential::{ByHand, Identity, StoredCredential},
    },
    http::Http,
    secret_store::PublicFields,
    target::Account,
};

/// The entry of the registry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Microsoft;

pub(crate) const PROVIDER: Microsoft = Microsoft;

/// Azure's side of the trust.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "Entra")]
struct Written {
    /// ID of the Entra tenant, a GUID
    tenant: Option<String>,
    /// ID of the subscription of vault and identities, a GUID
    subscription: Option<String>,
    /// Resource group of the managed identities
    resource_group: Option<String>,
    /// Name of the key vault that holds the secrets
    vault: Option<String>,
    /// Resource group of the key vault, if it is another one
    vault_resource_group: Option<String>,
    /// Name of the managed identity that the secret store logs in as, and the beginning of the names of others
    identity: Option<String>,
    /// Client ID of the application whose stored client secret may be retired
    key_application: Option<String>,
    /// Base URLs of the services, in place of those of Azure
    #[serde(default)]
    endpoints: Endpoints,
}

/// As much of the document as this provider reads.
#[derive(Default, Deserialize)]
struct Document {
    entra: Option<Written>,
}

/// What the settings hold of Azure's side.
#[derive(Clone, Debug)]
pub(crate) struct EntraSection {
    pub(super) tenant: Option<String>,
    subscription: Option<String>,
    group: Option<String>,
    vault: Option<String>,
    vault_group: Option<String>,
    identity: Option<String>,
    pub(super) key_application: Option<String>,
    pub(super) endpoints: Endpoints,
    /// `AZURE_TENANT_ID`, where it is the ID of one.
    pub(super) usual_tenant: Option<String>,
}

impl Provider for Microsoft {
    fn name(&self) -> &'static str {
        "entra"
    }

    fn about(&self) -> &'static str {
        "Azure Key Vault, through managed identities of Microsoft Entra"
    }

    fn place(&self) -> &'static str {
        "entra.vault"
    }

    fn store_member(&self) -> &'static str {
        store_login::MEMBER
    }

    fn public_fields(&self) -> PublicFields {
        store_login::PUBLIC
    }

    fn account_annotation(&self) -> Option<&'static str> {
        Some(store_login::CLIENT_ANNOTATION)
    }

    fn audiences(&self) -> (&'static str, &'static [&'static str]) {
        ("Microsoft Entra", &[AUDIENCE])
    }

    fn secret_variables(&self) -> &'static [&'static str] {
        &["AZURE_CLIENT_SECRET"]
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Option<Written>>()
    }

    #[cfg(any(test, feature = "fuzzing"))]
    fn check(&self, source: &Source<'_>) -> Result<()> {
        EntraSection::read(source).map(drop)
    }

    fn section(&self, source: &Source<'_>) -> Result<Arc<dyn Section>> {
        Ok(Arc::new(EntraSection::read(source)?))
    }

    fn credential_kind(&self) -> Option<&'static str> {
        Some("entra-secret")
    }

    fn recognise(&self, bytes: &[u8]) -> Option<Identity> {
        key::recognise(bytes)
    }

    fn is_part(&self, path: &str, bytes: &[u8]) -> bool {
        path == CLIENT_ID && client_id(bytes).is_some()
    }

    fn client(&self, path: &str, bytes: Option<&[u8]>) -> Option<String> {
        (path == CLIENT_ID).then(|| bytes.and_then(client_id).unwrap_or_default())
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

impl EntraSection {
    pub(super) fn read(source: &Source<'_>) -> Result<Self> {
        let Written {
            tenant,
            subscription,
            resource_group,
            vault,
            vault_resource_group,
            identity,
            key_application,
            endpoints,
        } = source.read::<Document>()?.entra.unwrap_or_default();
        endpoints.check()?;
        let read = |setting: &str, text: Option<String>, parse: fn(&str, &str) -> Result<String>| {
            text.map(|text| parse(setting, &text)).transpose()
        };
        Ok(Self {
            tenant: read("entra.tenant", tenant, place::guid)?,
            subscription: read("entra.subscription", subscription, place::guid)?,
            group: read("entra.resourceGroup", resource_group, place::resource_group)?,
            vault: read("entra.vault", vault, place::vault)?,
            vault_group: read("entra.vaultResourceGroup", vault_resource_group, place::resource_group)?,
            identity: read("entra.identity", identity, place::identity)?,
            key_application: source
                .decided("entra.keyApplication", read("entra.keyApplication", key_application, place::guid)?),
            endpoints,
            usual_tenant: source
                .variable(&["AZURE_TENANT_ID"])
                .filter(|tenant| place::is_guid(tenant))
                .map(|tenant| tenant.to_ascii_lowercase()),
        })
    }
}

#[async_trait]
impl Section for EntraSection {
    fn provider(&self) -> ProviderName {
        ProviderName::new(&PROVIDER)
    }

    fn account(&self) -> Option<Account> {
        self.vault.as_deref().map(account)
    }

    fn gives_keys(&self) -> bool {
        false
    }

    fn says_mode(&self) -> bool {
        // There is one: Entra fetches the documents.
        true
    }

    fn directs(&self) -> Vec<(String, String)> {
        self.endpoints.set()
    }

    /// As the file says. Tenant, subscription and resource group are an administrator's to name. The vault is what the store
    /// reads already, if a person confirms it.
    fn complete(&self, known: &Known<'_>, ask: &mut Ask<'_>) -> Result<Box<dyn Configured>> {
        let of_store = |member: &str| known.at(store_login::MEMBER)?.get(member)?.as_str();
        let mut named = |setting: &str,
                         have: &Option<String>,
                         text: &str,
                         offer: Option<&str>,
                         parse: fn(&str, &str) -> Result<String>| match have {
            Some(have) => Ok(have.clone()),
            None => parse(setting, &ask(setting, text, offer.map_or(Offer::Nothing, Offer::Suggestion))?),
        };
        let tenant = of_store("tenantId").filter(|text| place::is_guid(text));
        let tenant = named("entra.tenant", &self.tenant, "ID of the Entra tenant", tenant, place::guid)?;
        let subscription = named(
            "entra.subscription",
            &self.subscription,
            "ID of the Azure subscription",
            None,
            place::guid,
        )?;
        let group = named(
            "entra.resourceGroup",
            &self.group,
            "resource group for managed identities",
            None,
            place::resource_group,
        )?;
        let vault = of_store("vaultUrl").and_then(place::vault_of);
        let vault = named("entra.vault", &self.vault, "key vault of the secrets", vault, place::vault)?;
        let short: String = known.cluster_id.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
        let identity =
            self.identity.clone().unwrap_or_else(|| format!("keyless-{}", short.to_ascii_lowercase()));
        Ok(Box::new(self.at(tenant, subscription, group, vault, identity)))
    }

    fn answered(&self, answers: &Answers) -> Result<Arc<dyn Section>> {
        let answered = |setting: &str, have: &Option<String>, parse: fn(&str, &str) -> Result<String>| {
            answers.to(setting).map_or_else(|| Ok(have.clone()), |answer| parse(setting, answer).map(Some))
        };
        Ok(Arc::new(Self {
            tenant: answered("entra.tenant", &self.tenant, place::guid)?,
            subscription: answered("entra.subscription", &self.subscription, place::guid)?,
            group: answered("entra.resourceGroup", &self.group, place::resource_group)?,
            vault: answered("entra.vault", &self.vault, place::vault)?,
            ..self.clone()
        }))
    }

    fn complete_alone(&self, _may_look: bool) -> Result<Option<Box<dyn Configured>>> {
        let (Some(tenant), Some(subscription), Some(group), Some(vault), Some(identity)) =
            (&self.tenant, &self.subscription, &self.group, &self.vault, &self.identity)
        else {
            return Ok(None);
        };
        let settings =
            self.at(tenant.clone(), subscription.clone(), group.clone(), vault.clone(), identity.clone());
        Ok(Some(Box::new(settings)))
    }

    fn of_several(&self) -> Option<Arc<dyn Section>> {
        Some(Arc::new(Self { key_application: None, ..self.clone() }))
    }

    async fn issued(&self, scope: &Scope<'_>, http: &Http) -> CloudLook {
        cloud::look(self, scope, http).await
    }

    fn stored_credential(&self, identity: &Identity, http: &Http) -> Result<Box<dyn StoredCredential>> {
        Ok(Box::new(StoredSecret::connect(identity, self, http)?))
    }
}

impl EntraSection {
    fn at(
        &self,
        tenant: String,
        subscription: String,
        group: String,
        vault: String,
        identity: String,
    ) -> Settings {
        let vault_group = self.vault_group.clone().unwrap_or_else(|| group.clone());
        let endpoints = self.endpoints.clone();
        Settings { tenant, subscription, group, vault, vault_group, identity, endpoints }
    }
}

/// Where a store names who logs in with the secret.
const CLIENT_ID: &str = "azurekv.authSecretRef.clientId";

fn client_id(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    place::is_guid(text).then(|| text.to_ascii_lowercase())
}

const BY_HAND: [ByHand; 3] = [
    ByHand {
        path: CLIENT_ID,
        shown: "the client ID of an Entra application",
        remedy: "end the secret or certificate that the store names beside it; an ID opens nothing by itself",
    },
    ByHand {
        path: "azurekv.authSecretRef.clientCertificate",
        shown: "a certificate of an Entra application, with its private key",
        remedy: "az ad app credential delete --id APPLICATION --key-id KEY --cert (az ad app credential list --id APPLICATION --cert names them: customKeyIdentifier is what openssl x509 -noout -fingerprint -sha1 says of the certificate)",
    },
    ByHand {
        path: "azurekv.",
        shown: "a credential of an Entra application",
        remedy: "az ad app credential delete --id APPLICATION --key-id KEY (az ad app credential list --id APPLICATION names them)",
    },
];

#[cfg(test)]
#[path = "section_tests.rs"]
mod tests;
