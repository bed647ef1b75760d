//! The section `google` of `keyless.yaml`, and what completes it. Pure, but for [`Section::issued`], which asks Google.

use std::sync::Arc;

use async_trait::async_trait;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::{AUDIENCES, Endpoints, Grant, Mode, Settings, StoredKey, account, cloud, key, store_login};
use crate::{
    ask::{Answers, Ask, Offer},
    base_url::base_url,
    cluster::snapshot::{Estate, Public, Store},
    error::Result,
    federation::{
        Configured, Known, Provider, ProviderName, Section, Source,
        cloud::{AuditRights, CloudLook, IssuedKind, Scope},
        credential::{ByHand, Identity, StoredCredential},
    },
    google::TOKEN_VARIABLE,
    http::Http,
    secret::Secret,
    secret_store::PublicFields,
    target::Account,
};

/// The entry of the registry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Google;

pub(crate) const PROVIDER: Google = Google;

const NAME: &str = "google";

/// Google's side of the trust.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "Google")]
struct Written {
    /// Project ID or number
    project: Option<String>,
    /// Workload identity pool; one per cluster
    pool: Option<String>,
    /// OIDC provider in the pool
    provider: Option<String>,
    /// How Google gets the cluster's keys
    mode: Option<Mode>,
    /// On what the right to read is granted
    access: Option<Grant>,
    /// E-mail address of a Google service account to become
    impersonate: Option<String>,
    /// Location of regional secrets, e.g. europe-west1; by default secrets are global
    location: Option<String>,
    /// Base URLs of Google's services
    #[serde(default)]
    endpoints: Endpoints,
}

/// As much of the document as this provider reads.
#[derive(Default, Deserialize)]
struct Document {
    google: Option<Written>,
}

/// What the settings hold of Google's side.
#[derive(Clone, Debug, Default)]
pub(crate) struct GoogleSection {
    pub(crate) project: Option<String>,
    pub(crate) pool: Option<String>,
    pub(crate) provider: Option<String>,
    pub(crate) mode: Option<Mode>,
    pub(crate) grant: Option<Grant>,
    pub(crate) impersonate: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) endpoints: Endpoints,
    /// A short-lived token from the environment.
    pub(crate) access_token: Option<Secret>,
    /// A bucket is named, so Google can fetch documents.
    pub(crate) has_bucket: bool,
}

impl Provider for Google {
    fn name(&self) -> &'static str {
        NAME
    }

    fn about(&self) -> &'static str {
        "Google Secret Manager, through Workload Identity Federation"
    }

    fn place(&self) -> &'static str {
        "google.project"
    }

    fn store_member(&self) -> &'static str {
        store_login::MEMBER
    }

    fn public_fields(&self) -> PublicFields {
        store_login::PUBLIC
    }

    fn takes_enabled_versions(&self, settings: &serde_json::Value) -> bool {
        settings["secretVersionSelectionPolicy"] == "LatestOrFetch"
    }

    fn account_annotation(&self) -> Option<&'static str> {
        Some(store_login::IMPERSONATION_ANNOTATION)
    }

    fn audiences(&self) -> (&'static str, &'static [&'static str]) {
        ("Google", &AUDIENCES)
    }

    fn secret_variables(&self) -> &'static [&'static str] {
        &[TOKEN_VARIABLE]
    }

    fn has_credential_file(&self) -> bool {
        true
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Option<Written>>()
    }

    #[cfg(any(test, feature = "fuzzing"))]
    fn check(&self, source: &Source<'_>) -> Result<()> {
        source.read::<Document>().map(drop)
    }

    fn section(&self, source: &Source<'_>) -> Result<Arc<dyn Section>> {
        let Written { project, pool, provider, mode, access, impersonate, location, endpoints } =
            source.read::<Document>()?.google.unwrap_or_default();
        for (name, url) in endpoints.all() {
            base_url(&format!("google.endpoints.{name}"), url)?;
        }
        Ok(Arc::new(GoogleSection {
            project,
            pool,
            provider,
            mode,
            grant: access,
            impersonate,
            location,
            endpoints,
            access_token: source.secret(&[TOKEN_VARIABLE])?,
            has_bucket: source.has_bucket,
        }))
    }

    fn is_stored_key(&self, estate: &Estate, store: &Store) -> bool {
        estate.google_key(store).is_some()
    }

    fn credential_kind(&self) -> Option<&'static str> {
        Some("google-key")
    }

    fn recognise(&self, bytes: &[u8]) -> Option<Identity> {
        key::recognise(bytes)
    }

    fn expects_credential(&self, path: &str) -> bool {
        key::expects_a_key(path)
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
        &[ByHand {
            path: "gcpsm.",
            shown: "what should be a Google service-account key",
            remedy: "list the keys of its service account, and delete the one that it is: gcloud iam service-accounts keys list --iam-account=ADDRESS",
        }]
    }
}

#[async_trait]
impl Section for GoogleSection {
    fn provider(&self) -> ProviderName {
        ProviderName::new(&PROVIDER)
    }

    fn account(&self) -> Option<Account> {
        self.project.as_deref().map(account)
    }

    fn gives_keys(&self) -> bool {
        self.mode == Some(Mode::Uploaded)
    }

    fn says_mode(&self) -> bool {
        self.mode.is_some()
    }

    fn directs(&self) -> Vec<(String, String)> {
        let usual = Endpoints::default();
        let endpoints = self.endpoints.all().into_iter().zip(usual.all());
        let others = endpoints.filter(|((_, url), (_, usual))| url != usual);
        others.map(|((name, url), _)| (format!("google.endpoints.{name}"), url.to_owned())).collect()
    }

    fn complete(&self, known: &Known<'_>, ask: &mut Ask<'_>) -> Result<Box<dyn Configured>> {
        // What is granted without a list is what the store really read there.
        let of_store = |member: &str| {
            let text = known.at(store_login::MEMBER)?.get(member)?.as_str()?;
            (!text.is_empty()).then(|| text.to_owned())
        };
        let location = self.location.clone().or_else(|| of_store("location"));
        let project = match self.project.clone().or_else(|| of_store("projectID")) {
            Some(project) => project,
            None => {
                // ESO reads nowhere without a project, so without a list nothing is granted in this one by itself.
                let of_key = known.store.and_then(|store| project_of_key(known.estate, store));
                let offer = of_key.map_or(Offer::Nothing, Offer::Default);
                ask("google.project", "Google project that holds the secrets", offer)?
            }
        };
        let short: String = known.cluster_id.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
        let pool = self.pool.clone().unwrap_or_else(|| format!("keyless-{}", short.to_ascii_lowercase()));
        Ok(Box::new(self.at(project, pool, location)))
    }

    fn answered(&self, answers: &Answers) -> Result<Arc<dyn Section>> {
        let project = answers.to("google.project").map(str::to_owned).or_else(|| self.project.clone());
        Ok(Arc::new(Self { project, ..self.clone() }))
    }

    fn complete_alone(&self, may_look: bool) -> Result<Option<Box<dyn Configured>>> {
        let (Some(project), Some(pool)) = (&self.project, &self.pool) else { return Ok(None) };
        let settings = self.at(project.clone(), pool.clone(), self.location.clone());
        // The number is part of every audience; a store may know it.
        let is_enough = settings.project_number().is_some() || !may_look;
        Ok(is_enough.then(|| Box::new(settings) as Box<dyn Configured>))
    }

    fn of_several(&self) -> Option<Arc<dyn Section>> {
        Some(Arc::new(Self { impersonate: None, ..self.clone() }))
    }

    async fn issued(&self, scope: &Scope<'_>, http: &Http) -> CloudLook {
        cloud::look(self, scope, http).await
    }

    fn stored_credential(&self, identity: &Identity, http: &Http) -> Result<Box<dyn StoredCredential>> {
        Ok(Box::new(StoredKey::connect(identity, self, http)?))
    }
}

impl GoogleSection {
    fn at(&self, project: String, pool: String, location: Option<String>) -> Settings {
        let by_default = if self.has_bucket { Mode::Documents } else { Mode::Uploaded };
        Settings {
            project,
            pool,
            provider: self.provider.clone().unwrap_or_else(|| "cluster".into()),
            mode: self.mode.unwrap_or(by_default),
            grant: self.grant.unwrap_or(Grant::Secrets),
            impersonate: self.impersonate.clone(),
            location,
            endpoints: self.endpoints.clone(),
            access_token: self.access_token.clone(),
        }
    }
}

/// The project of the Google key that this store logs in with.
fn project_of_key<'a>(estate: &'a Estate, store: &Store) -> Option<&'a str> {
    match &estate.google_key(store)?.1.public {
        Public::GoogleKey { project_id, .. } => {
            Some(project_id).filter(|id| !id.is_empty()).map(String::as_str)
        }
        _ => None,
    }
}
