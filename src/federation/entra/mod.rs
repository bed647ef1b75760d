//! Microsoft Entra: a managed identity for each ServiceAccount, a federated credential that lets in its tokens, and a role
//! on exactly the secrets of the key vault that are read.
//!
//! ```text
//!  observe ──► plan (PURE) ──► apply      identity → federated credential → roles
//!     │          └─ wanted, roles (PURE)
//!     └── api ──► bearer tokens           probe: token → Entra → access token → the secret
//! ```

mod ahead;
mod api;
mod cloud;
mod configured;
mod diagnose;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod key;
mod observe;
mod obstacle;
mod place;
mod plan;
mod probe;
mod refusal;
mod roles;
mod search;
mod section;
mod step;
mod store_login;
mod trials;
mod wanted;
mod withdraw;

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use async_trait::async_trait;
use futures::future::join_all;

pub(crate) use self::section::PROVIDER;
use self::{
    ahead::Ahead,
    api::{Caller, Client},
    observe::{Assignment, Credential, Identity, Principals},
    place::{Api, Endpoints},
    roles::Given,
    store_login::EntraLogin,
};
use super::{
    Federation, Find, Login, Logins, Plan, Right, RightKind, Rules, Trial, Trust, Withdrawn, Workload,
};
use crate::{
    error::{Code, Result},
    http::Http,
    oidc::Token,
    plan::{Act, Say},
    relying_party::Finding,
    secret_store::StoreLogin,
    target::Account,
};

/// What a token for it must be minted for: the audience that External Secrets Operator asks for.
const AUDIENCE: &str = "api://AzureADTokenExchange";

/// Which vault, and who reads it.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    tenant: String,
    subscription: String,
    /// Resource group of the identities.
    group: String,
    vault: String,
    vault_group: String,
    /// Of the first workload; the names of the others begin with it.
    identity: String,
    endpoints: Endpoints,
}

fn account(vault: &str) -> Account {
    Account { provider: "entra", name: vault.to_owned(), title: format!("Azure key vault {vault}") }
}

/// How a change is done. The names follow from the settings. What is there already is looked at again before.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    CreateIdentity {
        location: String,
        mark: String,
    },
    PutCredential {
        wanted: Credential,
        /// `None`: this plan creates the identity.
        before: Option<Box<Identity>>,
    },
    Assign {
        given: Given,
        mark: String,
        /// Whom alone the identity lets in then.
        wanted: Credential,
    },
    Unassign(Assignment),
    DeleteCredential(Credential),
    /// What is left of it then.
    DeleteIdentity(Box<Identity>),
}

/// One planned difference, and how it is done.
type Planned = crate::plan::Change<Step>;

/// How long Azure is waited for until it knows what was written.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// After the first refusal; each time half as long again.
    first: Duration,
    longest: Duration,
    /// In all, after something was written here.
    after_write: Duration,
    /// In all, when nothing was.
    otherwise: Duration,
}

impl Default for Patience {
    /// A federated credential takes minutes, a role up to ten
    /// (<https://learn.microsoft.com/azure/role-based-access-control/troubleshooting>).
    fn default() -> Self {
        Self {
            first: Duration::from_secs(5),
            longest: Duration::from_secs(20),
            after_write: Duration::from_secs(600),
            otherwise: Duration::ZERO,
        }
    }
}

/// One vault and one identity.
#[derive(Clone, Debug)]
pub(crate) struct Entra {
    settings: Settings,
    client: Client,
    patience: Patience,
    /// Something was written by this run, for any identity.
    written: Arc<AtomicBool>,
    principals: Arc<Principals>,
    /// What was asked before a plan asks it.
    ahead: Arc<Ahead>,
}

impl Entra {
    /// Checks names and addresses. Sends no request yet.
    fn connect(settings: &Settings, http: &Http) -> Result<Self> {
        let Settings { tenant, subscription, group, vault, vault_group, identity, endpoints } = settings;
        let settings = Settings {
            tenant: place::guid("entra.tenant", tenant)?,
            subscription: place::guid("entra.subscription", subscription)?,
            group: place::resource_group("entra.resourceGroup", group)?,
            vault: place::vault("entra.vault", vault)?,
            vault_group: place::resource_group("entra.vaultResourceGroup", vault_group)?,
            identity: place::identity("entra.identity", identity)?,
            endpoints: endpoints.clone(),
        };
        let client = Client::new(http, &settings.vault, &settings.endpoints)?;
        Ok(Self {
            settings,
            client,
            patience: Patience::default(),
            written: Arc::default(),
            principals: Arc::default(),
            ahead: Arc::default(),
        })
    }

    /// The same vault, with the identity of this workload.
    fn of_workload(&self, workload: &Workload) -> Self {
        Self { settings: self.settings.of_workload(workload), ..self.clone() }
    }

    /// What a workload logs in by, where it is the identity of this name; `None`: it is not ours.
    async fn marked_login(&self, name: &str, want: &Trust) -> Result<Option<Login>> {
        let settings = Settings { identity: name.to_owned(), ..self.settings.clone() };
        let identity = Self { settings, ..self.clone() }.identity().await?;
        Ok(identity.and_then(|identity| wanted::login(&self.settings, name, &identity, want)))
    }

    fn act(&self, step: Step, want: &Trust) -> Box<dyn Act> {
        Box::new(step::AtAzure { entra: self.clone(), step, mark: wanted::mark(want) })
    }
}

#[async_trait]
impl Federation for Entra {
    fn rules(&self) -> &'static Rules {
        &wanted::RULES
    }

    /// Subscription and vault are of the tenant that is meant, and the vault goes by roles.
    async fn suits(&self) -> Result<()> {
        self.check_place().await
    }

    async fn plan_each<'p>(&'p self, want: &Trust) -> Result<Plan<'p>> {
        wanted::check(want)?;
        let location = self.ahead.location.take_or(&(), self.location());
        let (each, location) = futures::join!(self.observe_each(want), location);
        let (each, location) = (each?, location?);
        let mut plan = Plan::default();
        for (workload, (entra, identity)) in want.workloads.iter().zip(each) {
            let identity = match identity {
                Ok(identity) => identity,
                // Rights to look may be given identity by identity.
                Err(error) if error.code == Code::EntraForbidden => {
                    plan.refused.push((workload.account.clone(), error));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let changes = plan::plan_workload(&entra.settings, want, workload, identity.as_ref(), &location);
            match changes {
                Ok(changes) => {
                    let names = changes.iter().map(|change| change.step.name.clone());
                    plan.own.extend(names.map(|name| (name, workload.account.clone())));
                    let changes = changes.into_iter().map(|change| change.map(|step| entra.act(step, want)));
                    plan.changes.extend(changes);
                    plan.impossible.extend(roles::impossible(&entra.settings, workload));
                }
                Err(error) => plan.refused.push((workload.account.clone(), error)),
            }
        }
        Ok(plan)
    }

    /// By the roles of the workload's own identity. What cannot be seen is not held.
    async fn held(&self, workload: &Workload, cluster_id: &str, of: &BTreeSet<Right>) -> BTreeSet<Right> {
        let entra = self.of_workload(workload);
        let (place, identity) = futures::join!(entra.check_place(), entra.identity());
        let (Ok(()), Ok(identity)) = (place, identity) else { return BTreeSet::new() };
        let held = plan::held(workload, identity.as_ref(), cluster_id);
        let is_held = |right: &&Right| {
            let takes = roles::gives([*right]).unwrap_or_default();
            !takes.is_empty() && takes.is_subset(&held)
        };
        of.iter().filter(is_held).cloned().collect()
    }

    async fn withdraw<'p>(&'p self, want: &Trust) -> Result<Vec<Withdrawn<Box<dyn Act + 'p>>>> {
        let mut all: Vec<Withdrawn<Box<dyn Act + 'p>>> = Vec::new();
        let mut before = None;
        for (workload, (entra, identity)) in want.workloads.iter().zip(self.observe_each(want).await?) {
            let gone = withdraw::workload(&entra.settings, want, workload, identity?.as_ref(), &mut before);
            all.extend(gone.into_iter().map(|one| one.map(|step| entra.act(step, want))));
        }
        Ok(all)
    }

    async fn logins(&self, want: &Trust, _named: &BTreeSet<Right>) -> Result<Logins> {
        let (place, names) = futures::join!(self.check_place(), self.marked_identities(want));
        place?;
        let names = names?;
        let looks = names.iter().map(|name| self.marked_login(name, want));
        Ok(Logins::of(join_all(looks).await))
    }

    async fn audience(&self) -> Result<String> {
        Ok(AUDIENCE.to_owned())
    }

    async fn store_login(&self) -> Result<Box<dyn StoreLogin>> {
        let client_id = self.client_id().await?;
        let Settings { vault, tenant, .. } = &self.settings;
        Ok(Box::new(EntraLogin { vault: vault.clone(), tenant: tenant.clone(), client_id }))
    }

    fn login_of(&self, workload: &Workload) -> Option<Box<dyn Federation>> {
        Some(Box::new(self.of_workload(workload)))
    }

    fn named(&self, right: &Right) -> Result<Option<Right>> {
        if right.kind == RightKind::Versions {
            return Ok(None);
        }
        match right.secret() {
            Some(secret) => Ok(Some(right.about(place::secret(secret)?))),
            None => Ok(Some(right.clone())),
        }
    }

    async fn find(&self, find: &Find) -> Result<BTreeSet<String>> {
        self.check_place().await?;
        let found = search::list(self, Caller::Administrator, find).await;
        let needs = format!("the role Key Vault Reader on {}", self.settings.vault_id());
        let found = found.map_err(|refusal| refusal.error(&format!("searching {find}"), &needs))?;
        match found.len() > search::MOST {
            true => Err(search::too_many(find)),
            false => Ok(found),
        }
    }

    async fn look_ahead(&self, want: &Trust) {
        self.look_ahead_for(want).await;
    }

    async fn approach(&self) {
        self.client.open(Api::KeyVault).await;
    }

    async fn probe(&self, token: &Token, trial: &Trial, say: Say<'_>) -> Vec<Finding> {
        probe::probe(self, token, trial, say).await
    }
}

impl fmt::Display for Entra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { vault, tenant, .. } = &self.settings;
        write!(f, "key vault {vault} of the Entra tenant {tenant}")
    }
}

#[cfg(test)]
mod ahead_tests;
#[cfg(test)]
mod secret_tests;
#[cfg(test)]
mod tests;
