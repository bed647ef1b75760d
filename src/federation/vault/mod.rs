//! Vault and OpenBao: a JWT auth method, a role in it, and a policy.
//!
//! ```text
//!  observe ──► plan (PURE) ──► apply      mount → config → policy → role
//!     │          └─ wanted (PURE)         one call each, in this order
//!     └── api ──► login, read, revoke     probe: as the secret store does it
//! ```

mod api;
mod client;
mod configured;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod held;
mod mark;
mod namespaces;
mod observe;
mod obstacle;
mod of_store;
mod paths;
mod plan;
mod plan_keys;
mod probe;
mod refusal;
mod section;
mod store_login;
mod trials;
mod wanted;
mod withdraw;
mod workloads;

use std::{collections::BTreeSet, fmt};

use async_trait::async_trait;
use http::Method;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde_json::{Value, json};

use self::of_store::{OfStore, SetByName};
use self::{
    api::Api,
    namespaces::Support,
    paths::{Folder, SecretPath},
};
pub(crate) use self::{section::PROVIDER, store_login::VaultLogin, wanted::RULES};
use super::{
    After, Change, Federation, Find, Keys, Logins, Plan, Right, RightKind, Rules, Trial, Trust, Withdrawn,
    Workload,
};
use crate::{
    error::{Code, Error, Result},
    http::Http,
    oidc::Token,
    plan::{Act, Say},
    relying_party::Finding,
    retry::Repeat,
    secret::Secret,
    secret_store::StoreLogin,
    target::Account,
};

/// What a token for it must be minted for: the audience that External Secrets Operator always asks for.
const AUDIENCE: &str = "vault";
/// Audiences of tokens that open something there.
pub(crate) const AUDIENCES: [&str; 1] = [AUDIENCE];

/// Which server, auth method and role.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Base URL, without a trailing slash.
    pub(crate) address: String,
    /// Path of the JWT auth method, without `auth/`.
    pub(crate) mount: String,
    /// Only a store names that path: what is there and not keyless's is not added to.
    pub(crate) mount_from_store: bool,
    pub(crate) role: String,
    /// What names of roles begin with that follow from the workload. An administrator's to set: no store says it.
    pub(crate) role_prefix: String,
    /// Path of the KV v2 secrets engine.
    pub(crate) kv: String,
    pub(crate) mode: Mode,
    /// Certificate authorities of the server itself, PEM, when they are not public ones.
    pub(crate) ca_pem: Option<String>,
    /// Those of the issuer's host: what the server is told to trust, alone, when it fetches the documents.
    pub(crate) issuer_ca_pem: Option<String>,
    /// Enterprise or OpenBao namespace, e.g. `team/prod`.
    pub(crate) namespace: Option<String>,
    /// `VAULT_TOKEN` or `BAO_TOKEN` of the environment.
    pub(crate) token: Option<Secret>,
}

impl Settings {
    /// The server, as a run names whom it is about.
    pub(crate) fn account(&self) -> Account {
        let namespace = self.namespace.as_ref().map(|namespace| format!(", namespace {namespace}"));
        let name = format!("{}{}", self.address, namespace.unwrap_or_default());
        Account { provider: "vault", title: format!("Vault {name}"), name }
    }
}

/// How the server gets the cluster's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// It fetches the discovery document and the key set.
    Discovery,
    /// It fetches the key set only.
    JwksUrl,
    /// They are written into its configuration: for a server that cannot reach the bucket.
    StaticKeys,
}

/// How a change is done. The paths follow from the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Mount {
        description: String,
    },
    /// Of an auth method that is there.
    Describe {
        description: String,
    },
    Configure(Value),
    /// The same, of which only the keys differ.
    Upload(Value),
    WritePolicy(String),
    WriteRole(Value),
    RemoveRole,
    RemovePolicy,
    Unmount,
}

/// One planned difference, and how it is done.
type Planned = crate::plan::Change<Step>;

/// One JWT auth method and one role of one server.
#[derive(Clone, Debug)]
pub(crate) struct Vault {
    settings: Settings,
    api: Api,
}

impl Vault {
    /// Resolves names and roots. Sends no request yet.
    pub(crate) fn connect(settings: &Settings, http: &Http) -> Result<Self> {
        let mut settings = settings.clone();
        wanted::check_address(&settings.address)?;
        settings.address = settings.address.trim_end_matches('/').to_owned();
        let mount = settings.mount.trim_matches('/');
        settings.mount = wanted::path("vault.mount", mount.strip_prefix("auth/").unwrap_or(mount))?;
        settings.kv = wanted::path("vault.kv", &settings.kv)?;
        // The server itself lowers the names of roles and policies.
        for role in [&mut settings.role, &mut settings.role_prefix] {
            *role = wanted::name("vault.role", role)?.to_ascii_lowercase();
        }
        settings.namespace = wanted::namespace(settings.namespace.as_deref())?;
        let http = match &settings.ca_pem {
            Some(pem) => http.trusting(&roots(pem)?)?,
            None => http.clone(),
        };
        let api = Api::new(&settings, http);
        Ok(Self { settings, api })
    }

    fn act(&self, step: Step) -> Box<dyn Act> {
        Box::new(AtServer { vault: self.clone(), step })
    }

    async fn step(&self, step: &Step, say: Say<'_>) -> Result<()> {
        let path = wanted::path_of(&self.settings, step);
        let (method, body) = match step {
            Step::Mount { description } => {
                (Method::POST, json!({ "type": "jwt", "description": description }))
            }
            Step::Describe { description } => (Method::POST, json!({ "description": description })),
            Step::Configure(wanted) | Step::Upload(wanted) | Step::WriteRole(wanted) => {
                (Method::POST, wanted.clone())
            }
            Step::WritePolicy(text) => (Method::PUT, json!({ "policy": text })),
            Step::RemoveRole | Step::RemovePolicy | Step::Unmount => (Method::DELETE, Value::Null),
        };
        let repeat = if matches!(step, Step::Upload(_)) { Repeat::Unsafe } else { Repeat::Safe };
        match self.api.write(method, &path, &body, repeat, say).await {
            // An earlier try that was cut off may have made it.
            Err(error) if error.code == Code::VaultMountInUse => match (step, self.mount().await?) {
                (Step::Mount { description }, Some(found))
                    if found.kind == "jwt" && found.description == *description =>
                {
                    Ok(())
                }
                _ => Err(error),
            },
            Err(error) if matches!(step, Step::Configure(_) | Step::Upload(_)) => {
                Err(wanted::explain_fetch(error, &self.settings))
            }
            done => done,
        }
    }
}

impl Vault {
    /// What a store must say.
    fn login(&self) -> VaultLogin {
        let Settings { address, kv, mount, role, ca_pem, namespace, .. } = self.settings.clone();
        VaultLogin { server: address, kv, mount, role, audience: AUDIENCE.to_owned(), ca_pem, namespace }
    }
}

/// A step, done at the server.
struct AtServer {
    vault: Vault,
    step: Step,
}

#[async_trait]
impl Act for AtServer {
    async fn run(&self, say: Say<'_>) -> Result<()> {
        self.vault.step(&self.step, say).await
    }
}

#[async_trait]
impl Federation for Vault {
    fn rules(&self) -> &'static Rules {
        &RULES
    }

    async fn plan_each<'p>(&'p self, want: &Trust) -> Result<Plan<'p>> {
        RULES.check(want)?;
        self.plan_workloads(want).await
    }

    async fn held(&self, workload: &Workload, cluster_id: &str, of: &BTreeSet<Right>) -> BTreeSet<Right> {
        self.held_rights(workload, cluster_id, of).await
    }

    async fn withdraw<'p>(&'p self, want: &Trust) -> Result<Vec<Withdrawn<Box<dyn Act + 'p>>>> {
        let (each, roles, suits) = futures::join!(self.observe_each(want), self.roles(), self.suits());
        let (shared, each) = each?;
        suits?;
        let mut all: Vec<Withdrawn<Box<dyn Act + 'p>>> = Vec::new();
        let each: Vec<_> = each.into_iter().map(|(vault, seen)| Ok((vault, seen?))).collect::<Result<_>>()?;
        // Without a workload, what they share alone.
        let (main, shared, further) = match each.split_first() {
            Some(((main, seen), further)) => (main, seen, further),
            None => (self, &shared, &[][..]),
        };
        let mut roles = if shared.is_jwt() { roles? } else { Vec::new() };
        let mut before = None;
        for (vault, observed) in further {
            let gone = withdraw::further(&vault.settings, want, observed, &mut before);
            // Nothing uses the auth method by a role that goes.
            let stays = gone.iter().any(|one| one.after != After::Gone);
            roles.retain(|role| stays || *role != vault.settings.role);
            all.extend(gone.into_iter().map(|one| one.map(|step| vault.act(step))));
        }
        let withdrawn = withdraw::withdraw(&main.settings, want, shared, &roles, before);
        all.extend(withdrawn.into_iter().map(|one| one.map(|step| main.act(step))));
        Ok(all)
    }

    async fn logins(&self, want: &Trust, _named: &BTreeSet<Right>) -> Result<Logins> {
        self.marked_logins(&want.cluster_id).await
    }

    async fn suits(&self) -> Result<()> {
        let Settings { address, namespace: Some(namespace), .. } = &self.settings else { return Ok(()) };
        let nowhere = format!("{namespace}/{}", namespaces::NO_SUCH);
        let (health, answers) = futures::join!(self.api.health(), self.api.answers_in(&nowhere));
        match namespaces::of_health(&health) {
            Support::Yes if answers => {
                let why = format!("it answers in the namespace {nowhere}, which does not exist");
                Err(namespaces::ignored(address, namespace, &why))
            }
            Support::Yes => Ok(()),
            Support::No(why) => Err(namespaces::ignored(address, namespace, &why)),
            Support::Unknown(why) => Err(namespaces::unknown(address, namespace, &why)),
        }
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

    async fn keys(&self) -> Result<Keys> {
        let reply = self.api.read(&format!("auth/{}/config", self.settings.mount)).await?;
        reply.as_ref().and_then(|reply| reply.data()).map_or(Ok(Keys::Absent), observe::keys)
    }

    async fn plan_keys<'p>(&'p self, want: &Trust) -> Result<Change<'p>> {
        RULES.check(want)?;
        let (observed, suits) = futures::join!(self.observe_config(), self.suits());
        let observed = observed?;
        suits?;
        Ok(plan_keys::plan(&self.settings, want, &observed)?.map(|step| self.act(step)))
    }

    fn named(&self, right: &Right) -> Result<Option<Right>> {
        let kv = &self.settings.kv;
        Ok(match right.kind {
            RightKind::Versions => None,
            kind if kind.is_search() => Some(right.about(Folder::of(&right.on, kv)?.shown())),
            _ => Some(right.about(SecretPath::of(&right.on, kv)?.as_str())),
        })
    }

    async fn find(&self, find: &Find) -> Result<BTreeSet<String>> {
        let token = self.api.token()?;
        let found = trials::list(&self.api, &self.settings, token, find).await?;
        Ok(found.into_iter().map(|path| path.as_str().to_owned()).collect())
    }

    async fn probe(&self, token: &Token, trial: &Trial, _say: Say<'_>) -> Vec<Finding> {
        probe::probe(&self.api, &self.settings, token, trial).await
    }
}

impl fmt::Display for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { address, mount, namespace, .. } = &self.settings;
        write!(f, "auth/{mount} of {address}")?;
        match namespace {
            Some(namespace) => write!(f, ", namespace {namespace}"),
            None => Ok(()),
        }
    }
}

fn roots(pem: &str) -> Result<Vec<CertificateDer<'static>>> {
    let refuse = || {
        Error::usage(Code::CaFile, "the CA file of Vault cannot be used")
            .hint("vault.caFile takes PEM certificates of certificate authorities")
    };
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| refuse().caused_by_chain(&error))?;
    if found.is_empty() { Err(refuse().caused_by("it holds no certificate")) } else { Ok(found) }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod namespace_tests;
#[cfg(test)]
mod retry_tests;
#[cfg(test)]
#[path = "way_tests.rs"]
mod way;
