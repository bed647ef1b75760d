//! Google: a workload identity pool, an OIDC provider in it, and roles for its principals.
//!
//! ```text
//! observe ──► state ──┐
//!                     ├─► plan (wanted) ──► changes ──► apply      operations and policies: crate::google
//!  trust, settings ───┘
//!  token ──► probe: exchange ──► impersonation ──► what the rights are for
//! ```

mod ahead;
#[cfg(test)]
mod ahead_tests;
mod apply;
#[cfg(test)]
mod apply_tests;
mod bindings;
mod cloud;
#[cfg(test)]
mod cluster_tests;
mod configured;
mod diagnose;
mod documents;
mod each;
mod endpoints;
mod former;
#[cfg(test)]
mod gcloud_tests;
#[cfg(test)]
mod grant_tests;
mod key;
mod lacking;
mod mark;
mod names;
mod observe;
mod patience;
mod plan;
mod plan_keys;
#[cfg(test)]
mod plan_tests;
mod probe;
#[cfg(test)]
mod probe_tests;
mod project;
#[cfg(test)]
mod refused_tests;
#[cfg(test)]
mod retry_tests;
#[cfg(test)]
mod rights_tests;
mod roles;
mod search;
mod section;
mod state;
mod step;
mod store_login;
#[cfg(test)]
mod tests;
mod trials;
mod wanted;
mod withdraw;
#[cfg(test)]
mod workloads_tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::atomic::AtomicBool,
};

use async_trait::async_trait;
use futures::lock::Mutex;

pub(crate) use self::{
    endpoints::Endpoints,
    key::StoredKey,
    names::AUDIENCES,
    patience::Patience,
    section::{GoogleSection, PROVIDER},
    state::Holder,
    step::Step,
    store_login::GoogleLogin,
    wanted::RULES,
};
use self::{
    names::{Ids, Number, Project, check_email},
    probe::Login,
    step::{Binding, Deed, Patch},
};
use super::{
    Change, Federation, Find, Impossible, Keys, Logins, Plan, PublisherLogin, Right, Rules, Trial, Trust,
    Withdrawn, Workload,
};
use crate::{
    cluster::ServiceAccount,
    error::Result,
    google::{Api, CLOUD_PLATFORM, Target, Tokens, check_endpoint},
    http::Http,
    oidc::Token,
    plan::{Act, Say},
    relying_party::Finding,
    secret::Secret,
    secret_store::StoreLogin,
    target::Account,
};

/// Which pool and provider, and how secrets are reached.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Project ID or number.
    pub(crate) project: String,
    pub(crate) pool: String,
    pub(crate) provider: String,
    pub(crate) mode: Mode,
    pub(crate) grant: Grant,
    /// E-mail address of the Google service account to become, if direct access is not wanted.
    pub(crate) impersonate: Option<String>,
    /// Of regional secrets, e.g. `europe-west1`.
    pub(crate) location: Option<String>,
    pub(crate) endpoints: Endpoints,
    /// A short-lived token from the environment, used instead of looking for credentials.
    pub(crate) access_token: Option<Secret>,
}

/// A Google project, as a run names whom it is about.
fn account(project: &str) -> Account {
    Account { provider: "google", name: project.to_owned(), title: format!("Google project {project}") }
}

/// How Google gets the cluster's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// It fetches the public documents.
    Documents,
    /// They are uploaded into the provider: no bucket, no change of the API server.
    Uploaded,
}

/// On what the role is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Grant {
    /// On the whole project.
    Project,
    /// On each secret.
    Secrets,
}

/// One planned difference, and how it is done.
type Planned = crate::plan::Change<Step>;

/// What was planned, as values.
#[derive(Debug, Default)]
struct Plans {
    changes: Vec<Planned>,
    impossible: Vec<Impossible>,
    /// As in [`Plan`].
    own: BTreeMap<String, ServiceAccount>,
}

/// A pool and a provider in a project.
pub(crate) struct Gcp {
    settings: Settings,
    ids: Ids,
    api: Api,
    patience: Patience,
    /// Asked for once: others that need it meanwhile wait for the answer.
    project: Mutex<Option<Project>>,
    /// What was asked before a plan asks it.
    ahead: ahead::Ahead,
    /// The login that was made last.
    login: Mutex<Option<Login>>,
    /// Something was granted or revoked, and may not have spread yet.
    granted: AtomicBool,
    /// The pool or the provider was written, and the token service may not know it yet.
    written: AtomicBool,
    /// A service was enabled, and may not be seen everywhere yet.
    enabled: AtomicBool,
}

impl Gcp {
    /// Looks for credentials; sends nothing.
    pub(crate) fn connect(settings: &Settings, http: &Http) -> Result<Self> {
        let ids = settings.ids()?;
        settings.impersonate.as_deref().map_or(Ok(()), check_email)?;
        settings.endpoints.all().into_iter().try_for_each(|(name, base)| check_endpoint(name, base))?;
        let tokens = Tokens::find(settings.access_token.as_ref(), CLOUD_PLATFORM)?;
        Ok(Self {
            settings: settings.clone(),
            ids,
            api: Api::new(http, tokens),
            patience: Patience::default(),
            project: Mutex::new(None),
            ahead: ahead::Ahead::default(),
            login: Mutex::new(None),
            granted: AtomicBool::new(false),
            written: AtomicBool::new(false),
            enabled: AtomicBool::new(false),
        })
    }

    /// How long [`Federation::probe`] waits for grants that have not spread.
    pub(crate) fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// How long operations and repeated requests are waited for.
    #[cfg(test)]
    fn with_pace(mut self, pace: crate::google::Pace) -> Self {
        self.api.pace = pace;
        self
    }

    /// The project's ID and number; asked for once.
    async fn project(&self) -> Result<Project> {
        let mut known = self.project.lock().await;
        if let Some(known) = &*known {
            return Ok(known.clone());
        }
        Ok(known.insert(observe::project(self).await?).clone())
    }

    /// What a store must say.
    async fn google_login(&self) -> Result<GoogleLogin> {
        let project = self.project().await?;
        self.settings.login(&project.id, &project.number.to_string())
    }

    /// Its number alone: where that was given, no request is needed.
    async fn number(&self) -> Result<Number> {
        match Number::parse(&self.ids.project) {
            Some(given) => Ok(given),
            None => Ok(self.project().await?.number),
        }
    }

    async fn observe(&self, want: &Trust, everything: bool) -> Result<(state::State, observe::Denied)> {
        let mut known = self.project.lock().await;
        let (state, denied) = observe::run(
            self,
            &want.named(),
            want.rights().iter().any(|right| right.kind.is_search()),
            everything,
            want.documents(),
        )
        .await?;
        *known = Some(state.project.clone());
        Ok((state, denied))
    }

    /// The provider that the settings name, if it is there.
    async fn provider_now(&self) -> Result<Option<state::Provider>> {
        observe::one_provider(self).await.map_err(|refusal| {
            let on = format!("the project {}", self.ids.project);
            let doing = format!("looking at {}", self.ids.shown_provider());
            refusal.error(&doing, "iam.workloadIdentityPoolProviders.get", &on)
        })
    }

    /// The URL of something in IAM.
    fn iam(&self, name: &str) -> String {
        format!("{}/v1/{name}", self.settings.endpoints.iam)
    }

    fn target(&self, holder: &Holder) -> Target {
        let endpoints = &self.settings.endpoints;
        match holder {
            Holder::Account(email) => Target::service_account(&endpoints.iam, email),
            Holder::Bucket(name) => Target::bucket(&endpoints.storage, name),
            Holder::Project => Target::project(&endpoints.resource_manager, &self.ids.project),
            Holder::Secret(name) => {
                let place = self.ids.shown_place();
                Target::secret(&self.secret_manager(), &self.ids.secrets(), name, &place)
            }
        }
    }

    /// Base URL of Secret Manager, where the secrets are.
    fn secret_manager(&self) -> String {
        names::endpoint(&self.settings.endpoints.secret_manager, self.ids.location.as_deref())
    }

    fn act(&self, step: Step) -> Box<dyn Act + '_> {
        Box::new(apply::AtGoogle { gcp: self, step })
    }

    /// What has to be enabled in the project.
    fn services(&self) -> Vec<&'static str> {
        let mut services = vec!["iam.googleapis.com", "sts.googleapis.com"];
        if self.settings.impersonate.is_some() {
            services.push("iamcredentials.googleapis.com");
        }
        services.push("secretmanager.googleapis.com");
        services
    }
}

impl fmt::Display for Gcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Google project {}, pool {}, provider {}",
            self.ids.project, self.ids.pool, self.ids.provider
        )
    }
}

#[async_trait]
impl Federation for Gcp {
    fn rules(&self) -> &'static Rules {
        &RULES
    }

    async fn plan_each<'p>(&'p self, want: &Trust) -> Result<Plan<'p>> {
        each::plan(self, want).await
    }

    async fn held(&self, workload: &Workload, _cluster_id: &str, of: &BTreeSet<Right>) -> BTreeSet<Right> {
        each::held(self, workload, of).await
    }

    async fn withdraw<'p>(&'p self, want: &Trust) -> Result<Vec<Withdrawn<Box<dyn Act + 'p>>>> {
        want.rights().into_iter().try_for_each(|right| named(right).map(drop))?;
        let (state, mut denied) = self.observe(want, true).await?;
        if !denied.is_empty() {
            return Err(denied.remove(0).1);
        }
        let withdrawn = withdraw::withdraw(want, &state)?;
        Ok(withdrawn.into_iter().map(|one| one.map(|step| self.act(step))).collect())
    }

    async fn logins(&self, want: &Trust, rights: &BTreeSet<Right>) -> Result<Logins> {
        rights.iter().try_for_each(|right| named(right).map(drop))?;
        let (state, denied) = observe::run(self, &rights.iter().collect(), false, true, None).await?;
        let found = withdraw::logins(want, &state);
        Ok(Logins { found, unseen: denied.into_iter().map(|(_, error)| error.message).collect() })
    }

    async fn audience(&self) -> Result<String> {
        Ok(self.ids.token_audience(&self.number().await?))
    }

    async fn store_login(&self) -> Result<Box<dyn StoreLogin>> {
        Ok(Box::new(self.google_login().await?))
    }

    async fn keys(&self) -> Result<Keys> {
        let found = self.provider_now().await?;
        Ok(found
            .filter(|provider| !provider.life.deleted)
            .map_or(Keys::Absent, |provider| wanted::keys(&provider)))
    }

    async fn plan_keys<'p>(&'p self, want: &Trust) -> Result<Change<'p>> {
        let found = self.provider_now().await?;
        Ok(plan_keys::plan(want, &self.ids, found.as_ref())?.map(|step| self.act(step)))
    }

    async fn publisher_login(&self, workload: &Workload) -> Result<PublisherLogin> {
        documents::login(workload, &self.ids, &self.number().await?)
    }

    fn named(&self, right: &Right) -> Result<Option<Right>> {
        named(right).map(Some)
    }

    async fn find(&self, find: &Find) -> Result<BTreeSet<String>> {
        search::check(find, self.ids.location.as_deref())?;
        search::find(self, find).await
    }

    async fn look_ahead(&self, want: &Trust) {
        let rights = want.rights().into_iter().filter(|right| named(right).is_ok()).collect();
        observe::ahead(self, &rights).await;
    }

    async fn approach(&self) {
        self.api.open(&self.settings.endpoints.sts).await;
    }

    async fn probe(&self, token: &Token, trial: &Trial, say: Say<'_>) -> Vec<Finding> {
        probe::probe(self, token, trial, say).await
    }
}

/// What is about a secret names it as Secret Manager takes names; what is about all of them names none.
fn named(right: &Right) -> Result<Right> {
    match right.secret() {
        Some(secret) => names::check_secret(secret).map(|()| right.clone()),
        // Every search is one of the whole project.
        None => Ok(right.about("")),
    }
}
