//! A stored client secret: known by its form, and retired once nothing needs it.
//!
//! A secret does not name its application, and the client ID beside it proves nothing: everyone who may write the Secret may
//! write another one there. So a secret counts only if it is the one secret of the application that an administrator has
//! named as `entra.keyApplication`, of the tenant `entra.tenant`, and begins as Entra says. The client ID beside it decides
//! one thing: where it names another application, the secret is left.
//!
//! Graph cannot disable a secret. What can be taken back is the sign-in of the application (`accountEnabled` of its service
//! principal), which is the same as long as the secret is its only way to log in.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use http::Method;
use serde_json::{Value, json};

use super::{
    PROVIDER,
    api::{Caller, Client},
    place::{self, Api},
    refusal::{Outcome, Refusal},
    section::EntraSection,
};
use crate::{
    error::{Code, Error, Result},
    federation::{
        ProviderName,
        credential::{Act, Identity, Kind, LastUse, Standing, StoredCredential},
    },
    http::Http,
};

/// What Graph shows of a secret: its first characters.
const HINT: usize = 3;

/// How many things one look asks, at the same time.
const LOOKS: usize = 3;

/// `signInAudience` of an application that signs in to its own tenant alone.
const ONE_TENANT: &str = "AzureADMyOrg";

/// A client secret at Entra.
pub(crate) struct StoredSecret {
    client: Client,
    /// `entra.tenant`.
    tenant: Option<String>,
    /// `entra.keyApplication`.
    application: Option<String>,
    /// The first characters of the stored secret.
    hint: String,
    /// Whom the store names beside it; empty: nothing that could be a client ID.
    client_id: Option<String>,
    /// By this run.
    is_deleted: AtomicBool,
    /// It was asked for before, so that there are connections.
    is_reached: AtomicBool,
}

/// A client secret, by its form: three characters, a digit, `Q~`, and 31 to 34 more. Its first three characters are those
/// that Graph and the portal show.
pub(super) fn recognise(bytes: &[u8]) -> Option<Identity> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let marks = text.as_bytes().get(3..6)?;
    let fits = (37..=40).contains(&text.len())
        && marks[0].is_ascii_digit()
        && &marks[1..] == b"Q~"
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_~.-".contains(&byte));
    let hint = text.get(..HINT).filter(|_| fits)?;
    Some(Identity {
        kind: Kind::Of(ProviderName::new(&PROVIDER)),
        id: hint.to_owned(),
        shown: format!("client secret {hint}… of an Entra application"),
        public_half: None,
        client: None,
        by_hand: String::new(),
    })
}

pub(super) fn is_hint(text: &str) -> bool {
    text.len() == HINT && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_~.-".contains(&byte))
}

/// What Graph says of it.
struct Seen {
    key_id: String,
    /// The application may sign in.
    is_enabled: bool,
}

/// Whether it is the secret that an administrator has named.
enum Proof {
    Seen(Seen),
    /// The application has no secret any more. Whether the stored one ever was its own, only a run knows that saw it before.
    Gone,
    /// Why that is not known, and what to do.
    Unconfirmed(String, String),
}

impl StoredSecret {
    /// Sends nothing.
    pub(super) fn connect(identity: &Identity, section: &EntraSection, http: &Http) -> Result<Self> {
        if !is_hint(&identity.id) {
            return Err(Error::failed(
                Code::EntraSetting,
                "what was saved names no client secret that Entra can know",
            )
            .hint("`az ad app credential list --id APPLICATION` shows the secrets that there are"));
        }
        Ok(Self {
            client: Client::new(http, "", &section.endpoints)?,
            tenant: section.tenant.clone(),
            application: section.key_application.clone(),
            hint: identity.id.clone(),
            // What was saved is shown: it has to be an ID.
            client_id: identity.client.clone().map(|it| if place::is_guid(&it) { it } else { String::new() }),
            is_deleted: AtomicBool::new(false),
            is_reached: AtomicBool::new(false),
        })
    }

    /// With another client.
    #[cfg(test)]
    pub(super) fn with(self, change: impl FnOnce(Client) -> Client) -> Self {
        Self { client: change(self.client), ..self }
    }

    async fn graph(&self, path: &str) -> Outcome<Value> {
        self.client.get(Api::Graph, Caller::Administrator, path).await
    }

    fn refused(&self, refusal: Refusal, doing: &str, permission: &str) -> Error {
        let needs = format!("the permission {permission} of Microsoft Graph, or to own the application");
        refusal.error(&format!("{doing} the client secret {}…", self.hint), &needs)
    }

    /// The secret, once it is proved to be the only way to log in as the application that an administrator has named.
    async fn proved(&self) -> Result<Proof> {
        let unconfirmed = |why: String, remedy: &str| Ok(Proof::Unconfirmed(why, remedy.to_owned()));
        let Some(tenant) = &self.tenant else {
            return unconfirmed("entra.tenant is not set".into(), "set it to the tenant of the application");
        };
        let Some(app) = &self.application else {
            return unconfirmed(
                "entra.keyApplication is not set by a file that --config names, or by KEYLESS_ENTRA_KEY_APPLICATION"
                    .into(),
                "if the application that the store logged in as is used by nothing else: set entra.keyApplication to its client ID, and name the settings file by --config",
            );
        };
        if let Some(client) = self.client_id.as_deref().filter(|client| !client.eq_ignore_ascii_case(app)) {
            let beside = match client {
                "" => "nothing that could be a client ID".to_owned(),
                client => format!("the client ID {client}"),
            };
            return unconfirmed(
                format!("the store names {beside} beside the secret, and entra.keyApplication is {app}"),
                "set entra.keyApplication to the client ID of the application that the store logged in as; if the store or its Secret was changed, correct that first",
            );
        }
        let principal = format!(
            "/v1.0/servicePrincipals(appId='{app}')?$select=appId,accountEnabled,appOwnerOrganizationId,passwordCredentials,keyCredentials"
        );
        let path = format!("/v1.0/applications(appId='{app}')");
        let application = format!("{path}?$select=appId,signInAudience,passwordCredentials,keyCredentials");
        let federated = format!("{path}/federatedIdentityCredentials");
        let asked = async {
            futures::join!(
                self.graph(&principal),
                self.graph(&application),
                self.client.list(Api::Graph, Caller::Administrator, &federated),
            )
        };
        // While the administrator's token is asked for.
        let opened = if self.is_reached.swap(true, Ordering::Relaxed) { 0 } else { LOOKS };
        let (principal, application, federated) = self.client.opening(Api::Graph, opened, asked).await;
        let principal = match principal {
            Ok(seen) => seen,
            Err(refusal) if refusal.is_absent() => {
                return unconfirmed(
                    format!("the tenant has no application {app}"),
                    "correct entra.keyApplication",
                );
            }
            Err(refusal) => return Err(self.refused(refusal, "looking at", "Application.Read.All")),
        };
        let refused = |refusal| self.refused(refusal, "looking at", "Application.Read.All");
        let application = application.map_err(refused)?;
        for seen in [&principal, &application] {
            let seen = seen["appId"].as_str();
            if !seen.is_some_and(|seen| seen.eq_ignore_ascii_case(app)) {
                return Err(refused(Refusal::about_another(Api::Graph, app, seen)));
            }
        }
        let owner = principal["appOwnerOrganizationId"].as_str().unwrap_or_default();
        if !owner.eq_ignore_ascii_case(tenant) {
            return Err(Error::failed(
                Code::EntraOtherTenant,
                format!(
                    "the application {app} is of the tenant {}, and entra.tenant is {tenant}",
                    owner.escape_debug()
                ),
            )
            .hint("log in to that tenant: `az login --tenant TENANT`, or correct entra.keyApplication"));
        }
        let federated = federated.map_err(refused)?;
        let list = |of: &Value, name: &str| {
            let list = of[name].as_array().cloned();
            list.ok_or_else(|| refused(Refusal::without(Api::Graph, &format!("no {name}"))))
        };
        let secrets = list(&application, "passwordCredentials")?;
        let certificates =
            list(&application, "keyCredentials")?.len() + list(&principal, "keyCredentials")?.len();
        let of_principal = list(&principal, "passwordCredentials")?.len();
        let Value::Bool(is_enabled) = principal["accountEnabled"] else {
            return Err(refused(Refusal::without(Api::Graph, "no accountEnabled")));
        };
        if secrets.is_empty() {
            // Of an application without secrets it is not known whether the stored one was ever its.
            return match self.is_deleted.load(Ordering::Relaxed) {
                true => Ok(Proof::Gone),
                false => unconfirmed(
                    format!(
                        "the application {app} has no client secret: whether the stored one was its is not known"
                    ),
                    "if an earlier run deleted it, delete the Secret in the cluster by hand: nothing can log in with it",
                ),
            };
        }
        let by_hand = "retire this one by hand: `az ad app credential list --id APPLICATION`, then `az ad app credential delete --id APPLICATION --key-id KEY`";
        // The sign-in is switched off in the home tenant alone; in others the secret would go on opening what it opens.
        let audience = application["signInAudience"].as_str().unwrap_or_default();
        if audience != ONE_TENANT {
            return unconfirmed(
                format!(
                    "the application {app} may sign in to other tenants, where its client secret would stay good (signInAudience `{}`)",
                    audience.escape_debug()
                ),
                by_hand,
            );
        }
        let [secret] = secrets.as_slice() else {
            return unconfirmed(
                format!(
                    "the application {app} has {} client secrets, and which one it is cannot be known",
                    secrets.len()
                ),
                by_hand,
            );
        };
        if certificates + of_principal + federated.len() > 0 {
            let others = certificates + of_principal + federated.len();
            return unconfirmed(
                format!(
                    "the application {app} has {others} more ways to log in, which would be switched off with it"
                ),
                by_hand,
            );
        }
        if secret["hint"].as_str() != Some(self.hint.as_str()) {
            return unconfirmed(
                format!("the one client secret of the application {app} begins with other characters"),
                "set entra.keyApplication to the client ID of the application that the store logged in as",
            );
        }
        let key_id = secret["keyId"].as_str().filter(|id| place::is_guid(id));
        let key_id = key_id.ok_or_else(|| refused(Refusal::without(Api::Graph, "a secret without keyId")))?;
        Ok(Proof::Seen(Seen { key_id: key_id.to_owned(), is_enabled }))
    }

    /// What is not confirmed is left as it is.
    fn left(&self, why: &str, remedy: &str) -> Error {
        Error::failed(
            Code::EntraKeyApplication,
            format!("the client secret {}… is left as it is: {why}", self.hint),
        )
        .caused_by("everyone who may write the Secret of the store may name another application there")
        .hint(remedy)
    }

    async fn set(&self, doing: &str, enabled: bool) -> Result<()> {
        match self.proved().await? {
            Proof::Seen(_) => {}
            Proof::Gone => return Err(self.left("it is deleted", "nothing has to be done about it")),
            Proof::Unconfirmed(why, remedy) => return Err(self.left(&why, &remedy)),
        }
        let app = self.application.as_deref().unwrap_or_default();
        let path = format!("/v1.0/servicePrincipals(appId='{app}')");
        let body = json!({ "accountEnabled": enabled });
        // The same value again changes nothing.
        let done =
            self.client.call(Api::Graph, Caller::Administrator, Method::PATCH, &path, Some(&body)).await;
        done.map(drop).map_err(|refusal| self.refused(refusal, doing, "Application.ReadWrite.All"))
    }
}

#[async_trait]
impl StoredCredential for StoredSecret {
    async fn look(&self) -> Result<Standing> {
        Ok(match self.proved().await? {
            Proof::Seen(Seen { is_enabled: true, .. }) => Standing::Enabled,
            Proof::Seen(_) => Standing::Disabled,
            Proof::Gone => Standing::Absent,
            Proof::Unconfirmed(why, remedy) => Standing::NotProved(format!("{why}; {remedy}")),
        })
    }

    async fn last_use(&self) -> LastUse {
        LastUse::NotAsked(
            "Microsoft Graph 1.0 does not tell when a client secret was used; the sign-in logs of the application do"
                .to_owned(),
        )
    }

    async fn disable(&self) -> Result<()> {
        self.set("switching off the sign-in by", false).await
    }

    async fn enable(&self) -> Result<()> {
        self.set("switching on the sign-in by", true).await
    }

    /// Graph keeps no deleted secret. An application that may sign in may be in use again.
    async fn delete(&self) -> Result<()> {
        let Seen { key_id, is_enabled } = match self.proved().await? {
            Proof::Seen(seen) => seen,
            Proof::Gone => return Ok(()),
            Proof::Unconfirmed(why, remedy) => return Err(self.left(&why, &remedy)),
        };
        let app = self.application.as_deref().unwrap_or_default();
        if is_enabled {
            return Err(Error::failed(
                Code::EntraChanged,
                format!("the application {app} may sign in, and its client secret is not deleted"),
            )
            .caused_by(
                "only a secret that was useless before is deleted: then it is known that nothing needs it",
            )
            .hint("find out who switched its sign-in on again, then run the command again"));
        }
        let path = format!("/v1.0/applications(appId='{app}')/removePassword");
        let body = json!({ "keyId": key_id });
        let done =
            self.client.call(Api::Graph, Caller::Administrator, Method::POST, &path, Some(&body)).await;
        match done {
            Err(refusal) if !refusal.is_absent() => {
                Err(self.refused(refusal, "deleting", "Application.ReadWrite.All"))
            }
            Ok(_) | Err(_) => {
                self.is_deleted.store(true, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    fn needs(&self, act: Act) -> String {
        let done = match act {
            Act::Disable => {
                "the sign-in of the application is switched off, which ends the secret until it is switched on again"
            }
            Act::Enable => "the sign-in of the application is switched on",
            Act::Delete => "removePassword",
        };
        format!(
            "Application.ReadWrite.All of Microsoft Graph, or to own the application of entra.keyApplication: {done}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(begin: &str, rest: usize) -> String {
        format!("{begin}{}", "x".repeat(rest))
    }

    #[test]
    fn form_of_secret_is_known() {
        let identity = recognise(format!(" {}\n", secret("aB38Q~", 34)).as_bytes()).unwrap();
        assert_eq!(identity.id, "aB3");
        assert!(!format!("{identity:?}").contains("8Q~"), "no more of it is kept: {identity:?}");
        for text in [
            String::new(),
            secret("aB38Q~", 30),
            secret("aB38Q~", 35),
            secret("aB3xQ~", 34),
            secret("aB38q~", 34),
            secret("aB3/8Q~", 33),
            secret("ü38Q~", 34),
            secret("aB38Q~ ", 33),
            "00000000-0000-0000-0000-000000000001".to_owned(),
        ] {
            assert_eq!(recognise(text.as_bytes()), None, "{text}");
        }
    }
}
