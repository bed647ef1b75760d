//! What is there now.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use futures::future::join_all;
use serde_json::Value;

use super::{
    Entra, Settings,
    api::Caller,
    place::{self, Api},
    refusal::{Outcome, Refusal},
    roles::Given,
    wanted::{self, TAG},
};
use crate::{
    error::{Code, Error, Result},
    federation::Trust,
};

/// A managed identity, whom it lets in, and what it may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Identity {
    /// The value of our tag.
    pub(super) mark: Option<String>,
    pub(super) tenant: String,
    pub(super) client_id: String,
    pub(super) principal: String,
    pub(super) credentials: Vec<Credential>,
    pub(super) assignments: Vec<Assignment>,
    /// Why its roles away from the vault are not known; `None`: they are.
    pub(super) unseen: Option<String>,
}

/// The principals that identities had when they were seen last, by name. A guess at what to ask for, never an answer.
#[derive(Debug, Default)]
pub(super) struct Principals(Mutex<BTreeMap<String, String>>);

impl Principals {
    fn expected(&self, identity: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(identity).cloned()
    }

    pub(super) fn expect(&self, identity: &str, principal: &str) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(identity.to_owned(), principal.to_owned());
    }
}

/// A federated identity credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Credential {
    pub(super) name: String,
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) audiences: Vec<String>,
}

/// A role of the identity, anywhere in the subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) id: String,
    /// On the vault or on something in it: what a store of this vault may need.
    pub(super) here: bool,
    /// `None`: keyless assigns no such role, or not there.
    pub(super) given: Option<Given>,
    /// For people.
    pub(super) shown: String,
    /// Its description.
    pub(super) mark: Option<String>,
}

/// Versions of the APIs.
const SUBSCRIPTIONS: &str = "2022-12-01";
const GROUPS: &str = "2022-09-01";
const VAULTS: &str = "2023-07-01";
pub(super) const IDENTITIES: &str = "2023-01-31";
pub(super) const ASSIGNMENTS: &str = "2022-04-01";

impl Settings {
    pub(super) fn group_id(&self) -> String {
        format!("/subscriptions/{}/resourceGroups/{}", self.subscription, self.group)
    }

    pub(super) fn vault_id(&self) -> String {
        let Self { subscription, vault_group, vault, .. } = self;
        format!(
            "/subscriptions/{subscription}/resourceGroups/{vault_group}/providers/Microsoft.KeyVault/vaults/{vault}"
        )
    }

    pub(super) fn identity_id(&self) -> String {
        format!(
            "{}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{}",
            self.group_id(),
            self.identity
        )
    }
}

impl Entra {
    pub(super) async fn arm(&self, path: &str) -> Outcome<Value> {
        self.client.get(Api::ResourceManager, Caller::Administrator, path).await
    }

    /// Refuses another tenant than the settings name, and a vault whose roles would not count.
    pub(super) async fn check_place(&self) -> Result<()> {
        let Settings { subscription, tenant, vault, .. } = &self.settings;
        let id = self.settings.vault_id();
        let path = format!("/subscriptions/{subscription}?api-version={SUBSCRIPTIONS}");
        let path_of_vault = format!("{id}?api-version={VAULTS}");
        let (seen, seen_vault) = futures::join!(self.arm(&path), self.arm(&path_of_vault));
        let seen = seen.map_err(|refusal| {
            let needs = format!("Microsoft.Resources/subscriptions/read on /subscriptions/{subscription}");
            refusal.error(&format!("looking at the subscription {subscription}"), &needs)
        })?;
        self.is_of_tenant(&format!("the subscription {subscription}"), &seen["tenantId"])?;
        let doing = format!("looking at the vault {vault}");
        let seen = seen_vault
            .and_then(|seen| is_about(&seen, &id).map(|()| seen))
            .map_err(|refusal| refusal.error(&doing, &format!("Microsoft.KeyVault/vaults/read on {id}")))?;
        let properties = &seen["properties"];
        self.is_of_tenant(&format!("the vault {vault}"), &properties["tenantId"])?;
        let uri = properties["vaultUri"].as_str().unwrap_or_default();
        if !place::vault_of(uri).is_some_and(|it| it.eq_ignore_ascii_case(vault)) {
            return Err(Refusal::about_another(Api::ResourceManager, &place::vault_url(vault), Some(uri))
                .error(&doing, ""));
        }
        if properties["enableRbacAuthorization"] == Value::Bool(true) {
            return Ok(());
        }
        // `tenant` is the settings' own: it was compared above.
        Err(Error::failed(
            Code::EntraVaultMode,
            format!("the vault {vault} of the tenant {tenant} goes by access policies, which keyless does not write"),
        )
        .caused_by("an access policy gives every secret of a vault, a role can give one")
        .hint(format!(
            "give its present users roles, then: `az keyvault update --name {vault} --enable-rbac-authorization true`; from then on its access policies do not count"
        )))
    }

    fn is_of_tenant(&self, what: &str, seen: &Value) -> Result<()> {
        let (seen, tenant) = (seen.as_str().unwrap_or_default(), &self.settings.tenant);
        if seen.eq_ignore_ascii_case(tenant) {
            return Ok(());
        }
        Err(Error::failed(
            Code::EntraOtherTenant,
            format!("{what} is of the tenant {}, and entra.tenant is {tenant}", seen.escape_debug()),
        )
        .hint("correct entra.tenant, or log in to the other tenant: `az login --tenant TENANT`"))
    }

    /// Where the resource group is: a new identity goes there.
    pub(super) async fn location(&self) -> Result<String> {
        let id = self.settings.group_id();
        let group = self
            .arm(&format!("{id}?api-version={GROUPS}"))
            .await
            .and_then(|seen| is_about(&seen, &id).map(|()| seen));
        let group = group.map_err(|refusal| {
            let needs = format!("Microsoft.Resources/subscriptions/resourceGroups/read on {id}");
            let is_absent = refusal.is_absent();
            let error =
                refusal.error(&format!("looking at the resource group {}", self.settings.group), &needs);
            match is_absent {
                true => error.hint(format!(
                    "or create it: `az group create --subscription {} --name {} --location LOCATION`",
                    self.settings.subscription,
                    crate::shell::quote(&self.settings.group)
                )),
                false => error,
            }
        })?;
        let location = group["location"].as_str().unwrap_or_default();
        let fits = !location.is_empty() && location.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match fits {
            true => Ok(location.to_owned()),
            false => {
                Err(Refusal::without(Api::ResourceManager, "no location of the resource group").error("", ""))
            }
        }
    }

    /// The identity that the settings name, without what it lets in and may.
    pub(super) async fn identity_alone(&self) -> Result<Option<Identity>> {
        let id = self.settings.identity_id();
        let refused = |refusal: Refusal| {
            let needs = format!("Microsoft.ManagedIdentity/userAssignedIdentities/read on {id}");
            refusal.error(&format!("looking at the identity {}", self.settings.identity), &needs)
        };
        let name = &self.settings.identity;
        let seen = match self.arm(&format!("{id}?api-version={IDENTITIES}")).await {
            Ok(seen) => seen,
            Err(refusal) if refusal.is_absent() => {
                self.ahead.client_ids.put(name, None);
                return Ok(None);
            }
            Err(refusal) => return Err(refused(refusal)),
        };
        is_about(&seen, &id).map_err(refused)?;
        let property = |name: &str| {
            let text = seen["properties"][name].as_str().filter(|text| place::is_guid(text));
            let text = text.map(str::to_ascii_lowercase);
            text.ok_or_else(|| refused(Refusal::without(Api::ResourceManager, &format!("no {name}"))))
        };
        let (principal, client_id) = (property("principalId")?, property("clientId")?);
        self.principals.expect(name, &principal);
        self.ahead.client_ids.put(name, Some(client_id.clone()));
        Ok(Some(Identity {
            mark: seen["tags"][TAG].as_str().map(str::to_owned),
            tenant: property("tenantId")?,
            client_id,
            principal,
            credentials: Vec::new(),
            assignments: Vec::new(),
            unseen: None,
        }))
    }

    /// All of it. Where the principal is known from an earlier look, its roles are asked for at the same time; they count if
    /// it is still the same.
    pub(super) async fn identity(&self) -> Result<Option<Identity>> {
        let Some(expected) = self.principals.expected(&self.settings.identity) else {
            let Some(identity) = self.identity_alone().await? else { return Ok(None) };
            let (credentials, assignments) =
                futures::join!(self.credentials(), self.assignments(&identity.principal));
            let (assignments, unseen) = assignments?;
            return Ok(Some(Identity { credentials: credentials?, assignments, unseen, ..identity }));
        };
        let (identity, credentials, assignments) =
            futures::join!(self.identity_alone(), self.credentials(), self.assignments(&expected));
        let Some(identity) = identity? else { return Ok(None) };
        let credentials = credentials?;
        let (assignments, unseen) = match identity.principal == expected {
            true => assignments?,
            false => self.assignments(&identity.principal).await?,
        };
        Ok(Some(Identity { credentials, assignments, unseen, ..identity }))
    }

    /// The names of the identities in the resource group that are marked for this cluster.
    pub(super) async fn marked_identities(&self, want: &Trust) -> Result<Vec<String>> {
        let group = self.settings.group_id();
        let path = format!(
            "{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities?api-version={IDENTITIES}"
        );
        let refused = |refusal: Refusal| {
            let needs = format!("Microsoft.ManagedIdentity/userAssignedIdentities/read on {group}");
            refusal.error("listing the managed identities", &needs)
        };
        let all = self.client.list(Api::ResourceManager, Caller::Administrator, &path).await;
        let mut names = Vec::new();
        for seen in all.map_err(refused)? {
            if wanted::is_of_cluster(seen["tags"][TAG].as_str(), &want.cluster_id) {
                let name = seen["name"].as_str().unwrap_or_default();
                names.push(place::identity("the name of an identity", name)?);
            }
        }
        Ok(names)
    }

    async fn credentials(&self) -> Result<Vec<Credential>> {
        let id = self.settings.identity_id();
        let path = format!("{id}/federatedIdentityCredentials?api-version={IDENTITIES}");
        let all = self.client.list(Api::ResourceManager, Caller::Administrator, &path).await;
        let all = all.and_then(|all| all.iter().map(credential).collect::<Outcome<Vec<_>>>());
        all.map_err(|refusal| {
            let needs = format!(
                "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read on {id}"
            );
            let doing =
                format!("looking at the federated credentials of the identity {}", self.settings.identity);
            refusal.error(&doing, &needs)
        })
    }

    /// All of the subscription: another vault's store may log in as the same identity. Who may not see that sees those at,
    /// above and below the vault, and why there are no more.
    async fn assignments(&self, principal: &str) -> Result<(Vec<Assignment>, Option<String>)> {
        let subscription = format!("/subscriptions/{}", self.settings.subscription);
        let needs = format!("Microsoft.Authorization/roleAssignments/read on {subscription}");
        let seen = match self.assignments_at(&subscription, principal).await {
            Err(refusal) if refusal.is_forbidden() => {
                let why = format!("it takes {needs} ({})", refusal.summary());
                let near = self.assignments_at(&self.settings.vault_id(), principal).await;
                near.map(|all| (all, Some(why)))
            }
            seen => seen.map(|all| (all, None)),
        };
        seen.map_err(|refusal| {
            refusal.error(&format!("looking at the roles of the identity {}", self.settings.identity), &needs)
        })
    }

    /// At, above and below this scope.
    async fn assignments_at(&self, scope: &str, principal: &str) -> Outcome<Vec<Assignment>> {
        let path = format!(
            "{scope}/providers/Microsoft.Authorization/roleAssignments?api-version={ASSIGNMENTS}&$filter=principalId%20eq%20'{principal}'"
        );
        let all = self.client.list(Api::ResourceManager, Caller::Administrator, &path).await?;
        all.iter().map(|one| self.assignment(one, principal)).collect()
    }

    fn assignment(&self, seen: &Value, principal: &str) -> Outcome<Assignment> {
        assignment(&self.settings, seen, principal)
    }

    /// What each workload has.
    pub(super) async fn observe_each(&self, want: &Trust) -> Result<Vec<(Self, Result<Option<Identity>>)>> {
        let each: Vec<_> = want.workloads.iter().map(|workload| self.of_workload(workload)).collect();
        let identity =
            async |it: &Self| it.ahead.identities.take_or(&it.settings.identity, it.identity()).await;
        let place = self.ahead.place.take_or(&(), self.check_place());
        let (place, all) = futures::join!(place, join_all(each.iter().map(identity)));
        // What was seen counts in the right place alone.
        place?;
        Ok(each.into_iter().zip(all).collect())
    }
}

/// A role assignment, of this principal.
pub(super) fn assignment(settings: &Settings, seen: &Value, principal: &str) -> Outcome<Assignment> {
    let properties = &seen["properties"];
    let text = |name: &str| {
        let text = properties[name].as_str().filter(|text| !text.is_empty());
        text.ok_or_else(|| {
            Refusal::without(Api::ResourceManager, &format!("a role assignment without {name}"))
        })
    };
    let of = text("principalId")?;
    if !of.eq_ignore_ascii_case(principal) {
        return Err(Refusal::about_another(Api::ResourceManager, principal, Some(of)));
    }
    let (scope, definition) = (text("scope")?, text("roleDefinitionId")?);
    let here = is_at(scope, &settings.vault_id());
    // What lies elsewhere is never deleted by its ID.
    let id = seen["id"].as_str().filter(|id| !here || is_assignment(id));
    let id = id.ok_or_else(|| Refusal::without(Api::ResourceManager, "a role assignment without its ID"))?;
    let given = Given::of(settings, scope, definition);
    // What depends on a condition is not given without it.
    let given = given.filter(|_| properties["condition"].as_str().is_none_or(str::is_empty));
    let role = definition.rsplit('/').next().unwrap_or_default();
    let shown = given
        .as_ref()
        .map_or_else(|| format!("role {} on {}", role.escape_debug(), scope.escape_debug()), Given::shown);
    let mark = properties["description"].as_str().map(str::to_owned);
    Ok(Assignment { id: id.to_owned(), here, given, shown, mark })
}

/// Azure does not regard case in scopes.
fn is_at(scope: &str, vault: &str) -> bool {
    let scope = scope.to_ascii_lowercase();
    let rest = scope.strip_prefix(&vault.to_ascii_lowercase());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A path that can be deleted by: of nothing else than a role assignment.
pub(super) fn is_assignment(id: &str) -> bool {
    let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-()$".contains(&byte));
    let (scope, name) =
        id.rsplit_once("/providers/Microsoft.Authorization/roleAssignments/").unwrap_or_default();
    plain && scope.starts_with('/') && !id.contains("..") && place::is_guid(name)
}

pub(super) fn credential(seen: &Value) -> Outcome<Credential> {
    let without = |what: &str| {
        Refusal::without(Api::ResourceManager, &format!("a federated credential without {what}"))
    };
    let property = |name: &str| {
        let text = seen["properties"][name].as_str();
        text.map(str::to_owned).ok_or_else(|| without(name))
    };
    let name = seen["name"].as_str().filter(|name| !name.is_empty()).ok_or_else(|| without("name"))?;
    let audiences = seen["properties"]["audiences"].as_array().ok_or_else(|| without("audiences"))?;
    let audiences = audiences.iter().map(|it| it.as_str().unwrap_or_default().to_owned()).collect();
    Ok(Credential {
        name: name.to_owned(),
        issuer: property("issuer")?,
        subject: property("subject")?,
        audiences,
    })
}

/// Refuses an answer about another resource than was asked for. Azure does not regard case in IDs.
pub(super) fn is_about(answer: &Value, id: &str) -> Outcome<()> {
    match answer["id"].as_str() {
        Some(seen) if seen.trim_end_matches('/').eq_ignore_ascii_case(id) => Ok(()),
        seen => Err(Refusal::about_another(Api::ResourceManager, id, seen)),
    }
}

#[cfg(test)]
#[path = "observe_tests.rs"]
mod tests;
