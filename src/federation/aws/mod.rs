//! AWS: an OIDC provider in IAM, a role for each ServiceAccount, and a policy in it for exactly what is read.
//!
//! ```text
//!  observe ──► plan (PURE) ──► apply      OIDC provider → role → policy
//!     │          └─ wanted, policy (PURE)
//!     └── api ──► signed calls            probe: token → STS → temporary credentials → the secret
//! ```

mod again;
mod ahead;
mod api;
mod cloud;
mod configured;
mod diagnose;
mod former;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod key;
mod names;
mod observe;
mod obstacle;
mod patience;
mod place;
mod plan;
mod policy;
mod probe;
mod refusal;
mod search;
mod section;
mod statements;
mod step;
mod store_login;
mod trials;
mod wanted;
mod withdraw;
mod write;

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, atomic::AtomicBool},
};

use async_trait::async_trait;
use futures::future::join_all;
use serde_json::Value;

pub(crate) use self::section::PROVIDER;
use self::{
    again::Before,
    ahead::Ahead,
    api::{Client, Signer},
    observe::Provider,
    patience::Patience,
    place::{Api, Endpoints, Region},
    store_login::AwsLogin,
};
use super::{
    After, Federation, Find, Login, Logins, Plan, PublisherLogin, Right, RightKind, Rules, Trial, Trust,
    Withdrawn, Workload,
};
use crate::{
    cluster::snapshot::Store,
    error::{Code, Result},
    http::Http,
    oidc::Token,
    plan::{Act, Say},
    relying_party::Finding,
    secret_store::StoreLogin,
    target::Account,
};

/// What a token for it must be minted for: the audience that External Secrets Operator asks for.
const AUDIENCE: &str = "sts.amazonaws.com";
/// Audiences of tokens that open something there, in all partitions.
const AUDIENCES: [&str; 2] = ["sts.amazonaws.com*", "https://sts.amazonaws.com*"];

/// Where the secrets are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[schemars(rename = "AwsService")]
pub(crate) enum Service {
    #[default]
    SecretsManager,
    ParameterStore,
}

impl Service {
    /// As a store names it.
    fn name(self) -> &'static str {
        match self {
            Self::SecretsManager => "SecretsManager",
            Self::ParameterStore => "ParameterStore",
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        [Self::SecretsManager, Self::ParameterStore].into_iter().find(|it| it.name() == name)
    }

    fn title(self) -> &'static str {
        match self {
            Self::SecretsManager => "Secrets Manager",
            Self::ParameterStore => "Parameter Store",
        }
    }

    fn api(self) -> Api {
        match self {
            Self::SecretsManager => Api::SecretsManager,
            Self::ParameterStore => Api::Ssm,
        }
    }
}

/// Which account, and what of it.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    account: String,
    region: Region,
    service: Service,
    /// Of the first workload; the names of the others begin with it.
    role: String,
    /// A customer's key that the secrets are encrypted with.
    kms_key: Option<String>,
    endpoints: Endpoints,
}

impl Settings {
    fn account(&self) -> Account {
        account(&self.account)
    }
}

fn account(id: &str) -> Account {
    Account { provider: "aws", name: id.to_owned(), title: format!("AWS account {id}") }
}

/// How a change is done. The names follow from the settings. What is there already is looked at again before.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    CreateProvider {
        url: String,
        mark: String,
        arn: String,
    },
    /// Of the provider with this ARN.
    AddClient {
        arn: String,
        seen: Provider,
    },
    CreateRole {
        trust: Value,
        mark: String,
        description: &'static str,
    },
    UpdateTrust {
        trust: Value,
        before: Box<Before>,
    },
    PutPolicy {
        document: Value,
        /// `None`: this plan creates the role.
        before: Option<Box<Before>>,
    },
    DeletePolicy(Box<Before>),
    DeleteRole(Box<Before>),
    DeleteProvider {
        arn: String,
        seen: Provider,
        /// The roles that trust it, and that this plan deletes.
        roles: Vec<String>,
    },
}

/// One planned difference, and how it is done.
type Planned = crate::plan::Change<Step>;

/// One account and one role.
#[derive(Clone, Debug)]
pub(crate) struct Aws {
    settings: Settings,
    client: Client,
    patience: Patience,
    /// Something was written by this run, in any role.
    written: Arc<AtomicBool>,
    /// What was asked before a plan asks it.
    ahead: Arc<Ahead>,
}

impl Aws {
    /// Checks names and addresses. Sends no request yet.
    fn connect(settings: &Settings, http: &Http) -> Result<Self> {
        let mut settings = settings.clone();
        settings.account = place::account_id("aws.account", &settings.account)?;
        settings.role = names::role_name("aws.role", &settings.role)?;
        settings.kms_key =
            settings.kms_key.as_deref().map(|key| names::kms_key(&settings, key)).transpose()?;
        let client = Client::new(http, &settings.region, &settings.endpoints)?;
        Ok(Self {
            settings,
            client,
            patience: Patience::default(),
            written: Arc::default(),
            ahead: Arc::default(),
        })
    }

    /// The same account, with the role of this workload.
    fn of_workload(&self, workload: &Workload) -> Self {
        Self { settings: self.settings.of_workload(workload), ..self.clone() }
    }

    /// What a workload logs in by, where it is this role; `None`: it is not ours.
    async fn marked_login(&self, name: &str, want: &Trust) -> Result<Option<Login>> {
        let settings = Settings { role: name.to_owned(), ..self.settings.clone() };
        let role = Self { settings, ..self.clone() }.role().await?;
        Ok(role.and_then(|role| wanted::login(&self.settings, name, &role, want)))
    }

    fn role_arn(&self) -> String {
        wanted::role_arn(&self.settings)
    }

    fn act(&self, step: Step) -> Box<dyn Act> {
        Box::new(step::AtAws { aws: self.clone(), step })
    }

    fn login(&self) -> AwsLogin {
        AwsLogin {
            service: self.settings.service,
            region: self.settings.region.clone(),
            role_arn: self.role_arn(),
        }
    }
}

#[async_trait]
impl Federation for Aws {
    fn rules(&self) -> &'static Rules {
        &wanted::RULES
    }

    /// The credentials are of the account that is meant.
    async fn suits(&self) -> Result<()> {
        self.check_account().await
    }

    async fn plan_each<'p>(&'p self, want: &Trust) -> Result<Plan<'p>> {
        wanted::check(want)?;
        let (provider, each) = self.observe_each(want).await?;
        let mut plan = Plan::default();
        let shared = plan::plan_provider(&self.settings, want, provider.as_ref())?;
        // None of the workloads waits for another one.
        let before = shared.is_pending().then(|| shared.step.name.clone());
        plan.changes.push(shared.map(|step| self.act(step)));
        for (workload, (aws, role)) in want.workloads.iter().zip(each) {
            let role = match role {
                Ok(role) => role,
                // Rights to look may be given role by role.
                Err(error) if error.code == Code::AwsForbidden => {
                    plan.refused.push((workload.account.clone(), error));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let (settings, have) = (&aws.settings, role.as_ref());
            match plan::plan_workload(settings, want, workload, have, before.clone()) {
                Ok(changes) => {
                    let names = changes.iter().map(|change| change.step.name.clone());
                    plan.own.extend(names.map(|name| (name, workload.account.clone())));
                    plan.changes.extend(changes.into_iter().map(|change| change.map(|step| aws.act(step))));
                    plan.notes.extend(plan::former_documents_stay(settings, want, workload, have));
                }
                Err(error) => plan.refused.push((workload.account.clone(), error)),
            }
        }
        self.plan_former(want, &mut plan).await;
        Ok(plan)
    }

    /// By the policy of the workload's own role. What cannot be seen is not held.
    async fn held(&self, workload: &Workload, cluster_id: &str, of: &BTreeSet<Right>) -> BTreeSet<Right> {
        let aws = self.of_workload(workload);
        let (account, role) = futures::join!(aws.check_account(), aws.role());
        let (Ok(()), Ok(Some(role))) = (account, role) else { return BTreeSet::new() };
        let is_ours = wanted::is_of_cluster(role.mark.as_deref(), cluster_id);
        let is_own = wanted::lets_in_only(&aws.settings, role.trust.as_ref(), workload);
        let held = role.policy.flatten().filter(|_| is_ours && is_own);
        let held = held.and_then(|policy| statements::read(&policy, &aws.settings)).unwrap_or_default().given;
        let is_held = |right: &&Right| {
            let takes = policy::gives([*right], &aws.settings).unwrap_or_default();
            !takes.is_empty() && takes.is_subset(&held)
        };
        of.iter().filter(is_held).cloned().collect()
    }

    async fn withdraw<'p>(&'p self, want: &Trust) -> Result<Vec<Withdrawn<Box<dyn Act + 'p>>>> {
        let (provider, each) = self.observe_each(want).await?;
        let mut roles = match provider {
            Some(_) => self.roles_by(&wanted::provider_arn(&self.settings, want)).await?,
            None => Vec::new(),
        };
        let mut gone_roles = Vec::new();
        let mut all: Vec<Withdrawn<Box<dyn Act + 'p>>> = Vec::new();
        let mut before = None;
        for (workload, (aws, role)) in want.workloads.iter().zip(each) {
            let gone = withdraw::workload(&aws.settings, want, workload, role?.as_ref(), &mut before);
            let stays = gone.iter().any(|one| one.after != After::Gone);
            if !stays {
                roles.retain(|role| *role != aws.settings.role);
                gone_roles.push(aws.settings.role.clone());
            }
            all.extend(gone.into_iter().map(|one| one.map(|step| aws.act(step))));
        }
        let shared =
            withdraw::provider(&self.settings, want, provider.as_ref(), (&roles, gone_roles), before);
        all.push(shared.map(|step| self.act(step)));
        Ok(all)
    }

    async fn logins(&self, want: &Trust, _named: &BTreeSet<Right>) -> Result<Logins> {
        let arn = wanted::provider_arn(&self.settings, want);
        let (account, listed) = futures::join!(self.check_account(), self.listed_by(&arn));
        account?;
        // keyless makes none in a path.
        let roles: Vec<_> = listed?.into_iter().filter(|it| !it.is_in_path).map(|it| it.name).collect();
        let looks = roles.iter().map(|role| self.marked_login(role, want));
        Ok(Logins::of(join_all(looks).await))
    }

    async fn audience(&self) -> Result<String> {
        Ok(AUDIENCE.to_owned())
    }

    async fn store_login(&self) -> Result<Box<dyn StoreLogin>> {
        Ok(Box::new(self.login()))
    }

    fn login_of(&self, workload: &Workload) -> Option<Box<dyn Federation>> {
        Some(Box::new(self.of_workload(workload)))
    }

    async fn publisher_login(&self, workload: &Workload) -> Result<PublisherLogin> {
        let arn = wanted::role_arn(&self.settings.of_workload(workload));
        Ok((vec![("login.aws.roleArn", arn)], Vec::new()))
    }

    fn named(&self, right: &Right) -> Result<Option<Right>> {
        if right.kind == RightKind::Versions {
            return Ok(None);
        }
        if let Some(secret) = right.secret() {
            names::arn(&self.settings, secret)?;
        }
        Ok(Some(right.clone()))
    }

    fn key_prefix<'s>(&self, store: &'s Store) -> &'s str {
        let settings = store.provider().filter(|(member, _)| *member == store_login::MEMBER);
        settings.map_or("", |(_, settings)| super::Provider::key_prefix(&PROVIDER, settings))
    }

    async fn find(&self, find: &Find) -> Result<BTreeSet<String>> {
        self.check_account().await?;
        let found = search::list(self, Signer::Administrator, find).await;
        let action = "secretsmanager:ListSecrets (ssm:DescribeParameters)";
        let found = found.map_err(|refusal| refusal.error(&format!("searching {find}"), action))?;
        match found.len() > search::MOST {
            true => Err(search::too_many(find)),
            false => Ok(found),
        }
    }

    async fn look_ahead(&self, want: &Trust) {
        self.look_ahead_for(want).await;
    }

    async fn approach(&self) {
        self.client.open(self.settings.service.api()).await;
    }

    async fn probe(&self, token: &Token, trial: &Trial, say: Say<'_>) -> Vec<Finding> {
        probe::probe(self, token, trial, say).await
    }
}

impl fmt::Display for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { account, region, service, .. } = &self.settings;
        write!(f, "{} of the AWS account {account} in {}", service.title(), region.as_str())
    }
}

#[cfg(test)]
mod ahead_tests;
#[cfg(test)]
mod tests;
