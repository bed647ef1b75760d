//! Entra's part of `keyless audit --cloud`: client secrets and certificates of the applications that the cluster names, and
//! whom they and the managed identities trust.
//!
//! Everything is asked with the login of the user who runs this program, at Azure's own addresses or those of
//! `entra.endpoints`. What an object says decides what is asked for, never where. What was found in a Secret is not sent.

mod answers;
#[cfg(feature = "fuzzing")]
pub(super) mod fuzzing;
mod issued;
mod kinds;
mod named;
mod rights;

use std::collections::BTreeMap;

use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use serde_json::Value;

use self::{
    answers::{Kind, OF_APPLICATION, OF_PRINCIPAL, admits},
    issued::{by_end, copy_of, identify, issued, tell_apart, unlisted},
    kinds::{CREDENTIAL, WIDE},
    named::{Client as Named, named},
};
pub(super) use self::{kinds::KINDS, rights::RIGHTS};
use super::{
    api::{Caller, Client},
    observe::IDENTITIES,
    place::Api,
    refusal::{Outcome, Refusal},
    section::EntraSection,
};
use crate::{
    azure::Whose,
    credentials::Same,
    federation::{
        OwnIssuer,
        cloud::{Admits, CloudLook, NONE_OF_THIS_NAME, Remark, Scope, in_a_line, remedy_of},
    },
    http::Http,
    rfc3339::rfc3339,
};

/// Kinds of generators that log in there.
pub(super) static GENERATORS: [&str; 1] = ["ACRAccessToken"];
/// Applications and identities that are asked for at the same time.
const IN_FLIGHT: usize = 4;
/// The permission of Microsoft Graph that all of it takes.
const READ: &str = "the permission Application.Read.All of Microsoft Graph";

pub(super) async fn look(section: &EntraSection, scope: &Scope<'_>, http: &Http) -> CloudLook {
    let tenant = section.tenant.as_ref().or(section.usual_tenant.as_ref());
    let named = named(section, tenant.map_or("", String::as_str), scope);
    let is_empty = named.is_empty();
    let Some(tenant) = tenant else {
        let mut look = CloudLook::default();
        if !is_empty || !named.unseen.is_empty() {
            let right = "entra.tenant or AZURE_TENANT_ID: the ID of the tenant".to_owned();
            look.not_seen(EVERYTHING.into(), right, "no tenant is named".into());
        }
        return look;
    };
    let mut look = CloudLook { unseen: named.unseen, ..CloudLook::default() };
    if is_empty {
        return look;
    }
    let client = match Client::new(http, "", &section.endpoints) {
        Ok(client) => client,
        Err(error) => {
            look.not_seen(EVERYTHING.into(), remedy_of(&error, "a login at Azure"), in_a_line(&error));
            return look;
        }
    };
    let login = client.whose(Api::Graph).await;
    let login = login
        .map_err(|error| in_a_line(&error))
        .and_then(|whose| whose.ok_or_else(|| "the token of Microsoft Entra does not say".to_owned()));
    look.asked_as("entra", login.as_ref().map(Whose::to_string).map_err(Clone::clone));
    if let Ok(Whose { tenant: own, .. }) = &login
        && !own.eq_ignore_ascii_case(tenant)
    {
        let right = format!("a login in the tenant {tenant}: az login --tenant {tenant}");
        let why = format!("the login is of the tenant {own}, and {tenant} is the one that the settings name");
        look.not_seen(EVERYTHING.into(), right, why);
        return look;
    }
    let is_of_tenant = login.is_ok();
    let (issuer, now) = (scope.issuer, rfc3339(scope.now));
    let auditor = Auditor { client, tenant: tenant.clone(), is_of_tenant, issuer, now };
    let mut applications = named.applications;
    if !named.stored.is_empty() {
        look.merge(auditor.find(named.stored, &mut applications).await);
    }
    let mut parts: Vec<BoxFuture<'_, CloudLook>> = Vec::new();
    for (app, client) in &applications {
        parts.push(auditor.application(app, client).boxed());
    }
    for (id, place) in &named.identities {
        parts.push(auditor.identity(id, place).boxed());
    }
    let parts: Vec<_> = stream::iter(parts).buffered(IN_FLIGHT).collect().await;
    parts.into_iter().for_each(|part| look.merge(part));
    tell_apart(&mut look.issued);
    look
}

const EVERYTHING: &str = "what the cluster names at Microsoft Entra";

/// Who asks.
struct Auditor<'a> {
    client: Client,
    tenant: String,
    /// The login is known to be of it.
    is_of_tenant: bool,
    issuer: &'a OwnIssuer<'a>,
    /// RFC 3339, UTC.
    now: String,
}

impl Auditor<'_> {
    /// A tenant in which something was looked for in vain.
    fn asked_tenant(&self) -> String {
        match self.is_of_tenant {
            true => format!("the tenant {}, which was asked,", self.tenant),
            false => format!("the tenant of the login, which is not known to be {},", self.tenant),
        }
    }

    async fn graph(&self, path: &str) -> Outcome<Value> {
        self.client.get(Api::Graph, Caller::Administrator, path).await
    }

    async fn list(&self, api: Api, path: &str) -> Outcome<Vec<Value>> {
        self.client.list(api, Caller::Administrator, path).await
    }

    /// Finds the applications whose client IDs lie in Secrets: those of the tenant are compared with them here.
    async fn find(
        &self,
        mut stored: BTreeMap<Same, Named>,
        found: &mut BTreeMap<String, Named>,
    ) -> CloudLook {
        let mut look = CloudLook::default();
        let what = "the applications whose client IDs lie in Secrets";
        let entries = match self.list(Api::Graph, "/v1.0/servicePrincipals?$select=appId&$top=999").await {
            Ok(entries) => entries,
            Err(refusal) => return refused(what.into(), refusal, READ),
        };
        for entry in &entries {
            let app = match answers::app_id(entry) {
                Ok(app) => app,
                Err(why) => return odd(what.into(), why, READ),
            };
            for form in [app.to_owned(), app.to_ascii_lowercase(), app.to_ascii_uppercase()] {
                let Some(client) = stored.remove(&Same::of(form.as_bytes())) else { continue };
                let known = found
                    .entry(app.to_ascii_lowercase())
                    .or_insert_with(|| Named { place: client.place.clone(), ..Named::default() });
                known.copies.extend(client.copies);
                known.certificates.extend(client.certificates);
                known.files.extend(client.files);
            }
        }
        for client in stored.into_values() {
            look.not_seen(
                format!("the application that {} logs in as", client.place),
                "a login in the tenant of the application; if it was deleted, take the login out of the store".into(),
                format!("{} has none with the client ID that the store names", self.asked_tenant()),
            );
        }
        look
    }

    /// Secrets, certificates and federated credentials of one application.
    async fn application(&self, app: &str, named: &Named) -> CloudLook {
        let mut look = CloudLook::counted("Entra applications", 1);
        let place = &named.place;
        let what = format!("the application {app}, which {place} names");
        let seen = match self.graph(&format!("/v1.0/servicePrincipals(appId='{app}')?{OF_PRINCIPAL}")).await {
            Ok(seen) => seen,
            Err(refusal) if refusal.is_absent() => {
                look.not_seen(
                    what,
                    "a login in the tenant of the application; if it was deleted, take its client ID out of the cluster"
                        .into(),
                    format!("{} has no such application", self.asked_tenant()),
                );
                return look;
            }
            Err(refusal) => return look.with(refused(what, refusal, READ)),
        };
        let principal = match answers::principal(&seen, app) {
            Ok(principal) => principal,
            Err(why) => return look.with(odd(what, why, READ)),
        };
        let mut credentials = principal.credentials;
        match principal.kind {
            Kind::ManagedIdentity(resource) => {
                // One of a machine trusts no tokens of others.
                if let Some(id) = resource {
                    look.merge(self.identity(&id, place).await);
                }
            }
            Kind::Application if principal.owner != self.tenant => {
                look.not_seen(
                    what.clone(),
                    format!("a login in the tenant {}", principal.owner),
                    format!("it is of the tenant {}, and only {} is asked", principal.owner, self.tenant),
                );
            }
            Kind::Application => {
                let path = format!("/v1.0/applications(appId='{app}')");
                let own = match self.graph(&format!("{path}?{OF_APPLICATION}")).await {
                    Ok(own) => answers::application(&own, app).map_err(|why| odd(what.clone(), why, READ)),
                    Err(refusal) => Err(refused(what.clone(), refusal, READ)),
                };
                match own {
                    Ok(own) => credentials.extend(own),
                    Err(part) => look.merge(part),
                }
                let title = format!("Entra application {app}");
                match self.list(Api::Graph, &format!("{path}/federatedIdentityCredentials")).await {
                    Ok(entries) => self.judge(&mut look, entries.iter(), &title, place).await,
                    Err(refusal) => {
                        look.merge(refused(format!("whom {what}, trusts"), refusal, READ));
                    }
                }
            }
        }
        identify(&mut look, app, &mut credentials, named);
        unlisted(&mut look, app, &credentials, named);
        let (expired, active) = by_end(credentials, &self.now);
        for credential in &active {
            let copy = copy_of(credential, &active, named);
            look.issued.push(issued(app, credential, copy, principal.is_enabled, place));
        }
        for credential in expired {
            let kind = if credential.is_certificate { "certificate" } else { "client secret" };
            let ended = credential.ends.unwrap_or_default();
            look.notes.push(Remark {
                kind: CREDENTIAL,
                place: format!("Entra application {app}"),
                why: format!("the {kind} {} has expired on {ended}: it opens nothing", credential.key_id),
                remedy: CREDENTIAL.remedy.to_owned(),
            });
        }
        look
    }

    /// Whom a managed identity trusts.
    async fn identity(&self, id: &str, place: &str) -> CloudLook {
        const ACTION: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";
        let mut look = CloudLook::counted("Azure managed identities", 1);
        let what = format!("the managed identity {id}, which {place} names");
        let needed = format!("{ACTION}/read on {id}");
        let path = format!("{id}?api-version={IDENTITIES}");
        let seen = match self.client.get(Api::ResourceManager, Caller::Administrator, &path).await {
            Ok(seen) => {
                answers::identity(&seen, id, &self.tenant).map_err(|why| odd(what.clone(), why, &needed))
            }
            Err(refusal) => Err(refused(what.clone(), refusal, &needed)),
        };
        if let Err(part) = seen {
            return look.with(part);
        }
        let needed = format!("{ACTION}/federatedIdentityCredentials/read on {id}");
        let path = format!("{id}/federatedIdentityCredentials?api-version={IDENTITIES}");
        match self.list(Api::ResourceManager, &path).await {
            Ok(entries) => {
                self.judge(
                    &mut look,
                    entries.iter().map(|entry| &entry["properties"]),
                    &format!("Azure {id}"),
                    place,
                )
                .await;
            }
            Err(refusal) => look.merge(refused(format!("whom {what}, trusts"), refusal, &needed)),
        }
        look
    }

    async fn judge<'v>(
        &self,
        look: &mut CloudLook,
        entries: impl Iterator<Item = &'v Value>,
        title: &str,
        place: &str,
    ) {
        for entry in entries {
            match admits(entry, self.issuer.known(look).await) {
                Admits::Named => {}
                Admits::More(who) => look.findings.push(Remark {
                    kind: WIDE,
                    place: title.to_owned(),
                    why: format!("a federated credential lets in {who}; {place} names the identity"),
                    remedy: WIDE.remedy.to_owned(),
                }),
                Admits::NotKnown(why) => look.not_seen(
                    format!("whom {title}, which {place} names, trusts"),
                    "a look by hand: read its federated credentials, with their expressions".into(),
                    why.to_owned(),
                ),
            }
        }
    }
}

fn refused(what: String, refusal: Refusal, needed: &str) -> CloudLook {
    let mut look = CloudLook::default();
    if refusal.is_forbidden() {
        look.lacks("entra", needed);
    }
    let if_absent = refusal.is_absent().then_some(NONE_OF_THIS_NAME);
    look.not_answered(what, needed, &refusal.error("asking Azure", needed), if_absent);
    look
}

fn odd(what: String, why: &str, needed: &str) -> CloudLook {
    let mut look = CloudLook::default();
    look.odd_answer(what, needed.to_owned(), ("Azure", why));
    look
}
