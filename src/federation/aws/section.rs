//! The section `aws` of `keyless.yaml`, and what completes it. Pure, but for [`Section::issued`], which asks AWS.

use std::sync::Arc;

use async_trait::async_trait;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::Value;

use super::{
    AUDIENCES, Service, Settings, account, cloud,
    key::{self, StoredKey},
    place::{Endpoints, Region, account_id},
    store_login,
};
use crate::{
    ask::{Answers, Ask, Offer},
    error::Result,
    federation::{
        Configured, Known, Provider, ProviderName, Section, Source,
        cloud::{AuditRights, CloudLook, IssuedKind, Scope},
        credential::{AWS_KEY, ByHand, Identity, StoredCredential},
    },
    http::Http,
    secret_store::PublicFields,
    target::Account,
};

/// The entry of the registry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amazon;

pub(crate) const PROVIDER: Amazon = Amazon;

/// AWS's side of the trust.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "Aws")]
struct Written {
    /// Account ID, 12 digits, in quotes
    account: Option<String>,
    /// Region of the secrets; by default that of the store, then that of the environment
    region: Option<String>,
    /// Where the secrets are; by default as the store says
    service: Option<Service>,
    /// Name of the role that the secret store gets its rights by, and the beginning of the names of others
    role: Option<String>,
    /// ARN of the KMS key that the secrets are encrypted with, if it is not the service's own
    kms_key: Option<String>,
    /// IAM user whose stored access key may be retired
    key_user: Option<String>,
    /// Base URLs of the services, in place of those of AWS
    #[serde(default)]
    endpoints: Endpoints,
}

/// As much of the document as this provider reads.
#[derive(Default, Deserialize)]
struct Document {
    aws: Option<Written>,
}

/// What the settings hold of AWS's side.
#[derive(Clone, Debug)]
pub(crate) struct AwsSection {
    pub(super) account: Option<String>,
    pub(super) region: Option<Region>,
    service: Option<Service>,
    role: Option<String>,
    kms_key: Option<String>,
    pub(super) key_user: Option<String>,
    pub(super) endpoints: Endpoints,
    /// `AWS_REGION` or `AWS_DEFAULT_REGION`.
    pub(super) usual_region: Option<String>,
}

impl Provider for Amazon {
    fn name(&self) -> &'static str {
        "aws"
    }

    fn about(&self) -> &'static str {
        "AWS Secrets Manager or Parameter Store, through IAM roles"
    }

    fn place(&self) -> &'static str {
        "aws.account"
    }

    fn store_member(&self) -> &'static str {
        store_login::MEMBER
    }

    fn public_fields(&self) -> PublicFields {
        store_login::PUBLIC
    }

    fn key_prefix<'s>(&self, settings: &'s Value) -> &'s str {
        store_login::key_prefix(settings)
    }

    fn account_annotation(&self) -> Option<&'static str> {
        Some(store_login::ROLE_ANNOTATION)
    }

    fn audiences(&self) -> (&'static str, &'static [&'static str]) {
        ("AWS", &AUDIENCES)
    }

    fn secret_variables(&self) -> &'static [&'static str] {
        &["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Option<Written>>()
    }

    #[cfg(any(test, feature = "fuzzing"))]
    fn check(&self, source: &Source<'_>) -> Result<()> {
        AwsSection::read(source).map(drop)
    }

    fn section(&self, source: &Source<'_>) -> Result<Arc<dyn Section>> {
        Ok(Arc::new(AwsSection::read(source)?))
    }

    fn credential_kind(&self) -> Option<&'static str> {
        Some("aws-key")
    }

    fn recognise(&self, bytes: &[u8]) -> Option<Identity> {
        key::recognise(bytes)
    }

    fn is_part(&self, path: &str, bytes: &[u8]) -> bool {
        (path.is_empty() || path == SECRET_HALF) && key::is_secret_half(bytes)
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

impl AwsSection {
    pub(super) fn read(source: &Source<'_>) -> Result<Self> {
        let Written { account, region, service, role, kms_key, key_user, endpoints } =
            source.read::<Document>()?.aws.unwrap_or_default();
        endpoints.check()?;
        Ok(Self {
            account: account.map(|account| account_id("aws.account", &account)).transpose()?,
            region: region.map(|region| Region::parse("aws.region", &region)).transpose()?,
            service,
            role,
            kms_key,
            key_user: source.decided("aws.keyUser", key_user),
            endpoints,
            usual_region: source.variable(&["AWS_REGION", "AWS_DEFAULT_REGION"]),
        })
    }

    /// The region whose endpoints are called where no account and no store decides it.
    pub(super) fn region_or_usual(&self) -> Result<Region> {
        let usual = || Region::parse("AWS_REGION", self.usual_region.as_deref().unwrap_or("us-east-1"));
        self.region.clone().map_or_else(usual, Ok)
    }

    fn at(&self, account: String, region: Region, service: Service, role: String) -> Settings {
        let (kms_key, endpoints) = (self.kms_key.clone(), self.endpoints.clone());
        Settings { account, region, service, role, kms_key, endpoints }
    }
}

#[async_trait]
impl Section for AwsSection {
    fn provider(&self) -> ProviderName {
        ProviderName::new(&PROVIDER)
    }

    fn account(&self) -> Option<Account> {
        self.account.as_deref().map(account)
    }

    fn gives_keys(&self) -> bool {
        false
    }

    fn says_mode(&self) -> bool {
        // There is one: AWS fetches the documents.
        true
    }

    fn directs(&self) -> Vec<(String, String)> {
        self.endpoints.set()
    }

    /// As the file says. The account is an administrator's to name. Region and service are the store's, if it is at AWS
    /// already: they say where it reads, and only hosts of AWS follow from them.
    fn complete(&self, known: &Known<'_>, ask: &mut Ask<'_>) -> Result<Box<dyn Configured>> {
        let of_store = |member: &str| {
            let text = known.at(store_login::MEMBER)?.get(member)?.as_str()?;
            (!text.is_empty()).then_some(text)
        };
        let account = match &self.account {
            Some(account) => account.clone(),
            None => account_id("aws.account", &ask("aws.account", "AWS account ID", Offer::Nothing)?)?,
        };
        let region = match (&self.region, of_store("region").or(self.usual_region.as_deref())) {
            (Some(region), _) => region.clone(),
            (None, Some(text)) => Region::parse("aws.region", text)?,
            (None, None) => {
                let answer = ask("aws.region", "AWS region of the secrets", Offer::Nothing)?;
                Region::parse("aws.region", &answer)?
            }
        };
        let service =
            self.service.or_else(|| of_store("service").and_then(Service::of_name)).unwrap_or_default();
        let short: String = known.cluster_id.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
        let role = self.role.clone().unwrap_or_else(|| format!("keyless-{}", short.to_ascii_lowercase()));
        Ok(Box::new(self.at(account, region, service, role)))
    }

    fn answered(&self, answers: &Answers) -> Result<Arc<dyn Section>> {
        let mut section = self.clone();
        if let Some(answer) = answers.to("aws.account") {
            section.account = Some(account_id("aws.account", answer)?);
        }
        if let Some(answer) = answers.to("aws.region") {
            section.region = Some(Region::parse("aws.region", answer)?);
        }
        Ok(Arc::new(section))
    }

    fn complete_alone(&self, _may_look: bool) -> Result<Option<Box<dyn Configured>>> {
        let (Some(account), Some(region), Some(service), Some(role)) =
            (&self.account, &self.region, self.service, &self.role)
        else {
            return Ok(None);
        };
        Ok(Some(Box::new(self.at(account.clone(), region.clone(), service, role.clone()))))
    }

    fn of_several(&self) -> Option<Arc<dyn Section>> {
        Some(Arc::new(Self { key_user: None, ..self.clone() }))
    }

    async fn issued(&self, scope: &Scope<'_>, http: &Http) -> CloudLook {
        cloud::look(self, scope, http).await
    }

    fn stored_credential(&self, identity: &Identity, http: &Http) -> Result<Box<dyn StoredCredential>> {
        Ok(Box::new(StoredKey::connect(identity, self, http)?))
    }
}

/// Where a store names the half of an access key that is secret.
const SECRET_HALF: &str = "aws.auth.secretRef.secretAccessKeySecretRef";

const BY_HAND: [ByHand; 2] = [
    ByHand {
        path: SECRET_HALF,
        shown: "the secret half of an AWS access key",
        remedy: "end the access key whose ID the store names beside it; it ends with that",
    },
    ByHand { path: "aws.", shown: "an AWS access key", remedy: AWS_KEY },
];

#[cfg(test)]
#[path = "section_tests.rs"]
pub(super) mod tests;
