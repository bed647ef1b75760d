//! One planned step, done. What is there already is looked at again right before: Azure Resource Manager creates and
//! replaces with the same call, and takes no condition along with it.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use http::Method;
use serde_json::{Value, json};

use super::{
    Entra, Step,
    api::Caller,
    observe::{ASSIGNMENTS, IDENTITIES, Identity, is_about},
    obstacle,
    place::Api,
    plan::{credential_object, identity_object, own, role_object},
    wanted::{self, CREDENTIAL, TAG},
};
use crate::{
    error::Result,
    plan::{Act, Say},
};

/// A step, done at Azure.
pub(super) struct AtAzure {
    pub(super) entra: Entra,
    pub(super) step: Step,
    /// The mark of the cluster that the plan is for.
    pub(super) mark: String,
}

/// What is found right before a step.
enum Still {
    Same(Option<Box<Identity>>),
    /// Nothing has to be done any more.
    Done,
}

/// One call.
struct Call {
    method: Method,
    path: String,
    body: Option<Value>,
    /// What it takes.
    permission: &'static str,
    on: String,
}

impl AtAzure {
    /// Looks again at the very object that is created, changed or deleted next.
    async fn look_again(&self) -> Result<Still> {
        let (settings, object) = (&self.entra.settings, identity_object(&self.entra.settings));
        let changed = |what: &str| Err(obstacle::changed(&object, what));
        let now = self.entra.identity().await?;
        let Some(now) = now else {
            return match &self.step {
                Step::CreateIdentity { .. } => Ok(Still::Same(None)),
                // A role assignment outlives the identity that it is for.
                Step::DeleteCredential(_) | Step::DeleteIdentity(_) => Ok(Still::Done),
                _ => changed("it is gone"),
            };
        };
        let is_ours = now.mark.as_deref() == Some(self.mark.as_str());
        if !is_ours && !matches!(self.step, Step::CreateIdentity { .. }) {
            return changed("its tag");
        }
        match &self.step {
            Step::CreateIdentity { .. } => return changed("there is one of this name by now"),
            Step::PutCredential { wanted, before } => {
                let before = before.as_ref().map(|it| it.credentials.clone()).unwrap_or_default();
                let expected = now.credentials == before || now.credentials == std::slice::from_ref(wanted);
                if !expected {
                    return changed("its federated credentials");
                }
                let mark = |it: &super::observe::Assignment| it.mark.as_deref() == Some(self.mark.as_str());
                if !now.assignments.iter().all(mark) {
                    return changed("its roles");
                }
                if let Some(why) = &now.unseen {
                    return Err(obstacle::roles_unseen(settings, why));
                }
            }
            // What it is given, all whom it lets in are given.
            Step::Assign { wanted, .. } => {
                if now.credentials != std::slice::from_ref(wanted) {
                    return changed("its federated credentials");
                }
            }
            Step::Unassign(seen) => {
                match now.assignments.iter().find(|it| it.id.eq_ignore_ascii_case(&seen.id)) {
                    Some(same) if same == seen => {}
                    Some(_) => return changed("its roles"),
                    None => return Ok(Still::Done),
                }
            }
            // It was given since the plan was made, so another store may log in as it.
            Step::DeleteCredential(_) if now.unseen.is_some() || !now.assignments.is_empty() => {
                return changed("its roles");
            }
            Step::DeleteCredential(seen) => match own(&now) {
                Some(same) if same == seen => {}
                Some(_) => return Err(obstacle::changed(&credential_object(settings), "what it lets in")),
                None => return Ok(Still::Done),
            },
            Step::DeleteIdentity(seen) if now != **seen => {
                return changed("its federated credentials or its roles");
            }
            Step::DeleteIdentity(_) => {}
        }
        Ok(Still::Same(Some(Box::new(now))))
    }

    fn call(&self, now: Option<&Identity>) -> Call {
        let settings = &self.entra.settings;
        let id = settings.identity_id();
        let identity = format!("{id}?api-version={IDENTITIES}");
        let credential = format!("{id}/federatedIdentityCredentials/{CREDENTIAL}?api-version={IDENTITIES}");
        let call = |method, path, body, permission, on: &str| Call {
            method,
            path,
            body,
            permission,
            on: on.to_owned(),
        };
        match &self.step {
            Step::CreateIdentity { location, mark } => call(
                Method::PUT,
                identity,
                Some(json!({ "location": location, "tags": { TAG: mark } })),
                "Microsoft.ManagedIdentity/userAssignedIdentities/write",
                &id,
            ),
            Step::PutCredential { wanted, .. } => call(
                Method::PUT,
                credential,
                Some(wanted.body()),
                "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",
                &id,
            ),
            Step::Assign { given, mark, .. } => {
                let principal = now.map(|now| now.principal.as_str()).unwrap_or_default();
                let scope = given.scope(settings);
                let name = wanted::assignment(&scope, given.role.id(), principal);
                let body = json!({ "properties": {
                    "roleDefinitionId": given.role.definition(settings), "principalId": principal,
                    // So that Azure does not look for a principal that is not known everywhere yet.
                    "principalType": "ServicePrincipal", "description": mark,
                } });
                let path = format!(
                    "{scope}/providers/Microsoft.Authorization/roleAssignments/{name}?api-version={ASSIGNMENTS}"
                );
                call(Method::PUT, path, Some(body), "Microsoft.Authorization/roleAssignments/write", &scope)
            }
            Step::Unassign(seen) => call(
                Method::DELETE,
                format!("{}?api-version={ASSIGNMENTS}", seen.id),
                None,
                "Microsoft.Authorization/roleAssignments/delete",
                &seen.id,
            ),
            Step::DeleteCredential(_) => call(
                Method::DELETE,
                credential,
                None,
                "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/delete",
                &id,
            ),
            Step::DeleteIdentity(_) => call(
                Method::DELETE,
                identity,
                None,
                "Microsoft.ManagedIdentity/userAssignedIdentities/delete",
                &id,
            ),
        }
    }

    fn object(&self) -> String {
        let settings = &self.entra.settings;
        match &self.step {
            Step::CreateIdentity { .. } | Step::DeleteIdentity(_) => identity_object(settings),
            Step::PutCredential { .. } | Step::DeleteCredential(_) => credential_object(settings),
            Step::Assign { given, .. } => role_object(settings, given),
            Step::Unassign(seen) => format!("role {} for {}", seen.shown, settings.identity),
        }
    }
}

#[async_trait]
impl Act for AtAzure {
    async fn run(&self, say: Say<'_>) -> Result<()> {
        self.entra.ahead.forget();
        let Still::Same(now) = self.look_again().await? else { return Ok(()) };
        let call = self.call(now.as_deref());
        let doing = match call.method {
            Method::DELETE => format!("deleting the {}", self.object()),
            _ => format!("writing the {}", self.object()),
        };
        let needs = format!("{} on {}", call.permission, call.on);
        let mut spreading = self.entra.spreading_after_a_write();
        let done = loop {
            let Call { method, path, body, .. } = &call;
            let client = &self.entra.client;
            let asked =
                client.call(Api::ResourceManager, Caller::Administrator, method.clone(), path, body.as_ref());
            match asked.await {
                // The identity was created just before.
                Err(refusal) if refusal.is_too_early() && spreading.wait(&refusal.summary(), say).await => {}
                done => break done,
            }
        };
        match done {
            Ok(answer) => {
                self.entra.written.store(true, Ordering::Relaxed);
                // Everything else of the plan names what was created.
                if let Step::CreateIdentity { .. } = self.step {
                    is_about(&answer, &self.entra.settings.identity_id())
                        .map_err(|refusal| refusal.error(&doing, &needs))?;
                    if let Some(principal) = answer["properties"]["principalId"].as_str() {
                        self.entra.principals.expect(&self.entra.settings.identity, principal);
                    }
                }
                Ok(())
            }
            // An attempt before this one may have done it.
            Err(refusal) if call.method == Method::DELETE && refusal.is_absent() => Ok(()),
            Err(refusal) if refusal.is(&["RoleAssignmentExists"]) => self.is_assigned(&doing).await,
            Err(refusal) => Err(refusal.error(&doing, &needs)),
        }
    }
}

impl AtAzure {
    /// Whether the role is there, as the refusal tells.
    async fn is_assigned(&self, doing: &str) -> Result<()> {
        let Step::Assign { given, .. } = &self.step else { return Ok(()) };
        let has = |it: &Identity| it.assignments.iter().any(|one| one.given.as_ref() == Some(given));
        match self.entra.identity().await?.is_some_and(|now| has(&now)) {
            true => Ok(()),
            false => {
                Err(obstacle::changed(&self.object(), &format!("Azure has it and does not show it, {doing}")))
            }
        }
    }
}
