//! Entra's part of `keyless audit --cloud`: client secrets and certificates of the applications that the cluster names, and
//! whom they and the managed identities trust.
//!
//! Everything is asked with the login of the user who runs this program, at Azure's own addresses or those of
//! `entra.endpoints`. What an object says decides what is asked for, never where. What was found in a Secret is not sent.

mod answers;
#[cfg(feature = "fuzzing")]
pub(super) mod fuzzing;
mod kinds;
mod named;

use std::collections::BTreeMap;

use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use serde_json::Value;

pub(super) use self::kinds::KINDS;
use self::{
    answers::{Credential, Kind, OF_APPLICATION, OF_PRINCIPAL, admits},
    kinds::{CREDENTIAL, WIDE},
    named::{Client as Named, named},
};
use super::{
    api::{Caller, Client},
    observe::IDENTITIES,
    place::Api,
    refusal::{Outcome, Refusal},
    section::EntraSection,
};
use crate::{
    credentials::Same,
    federation::cloud::{Admits, CloudLook, Issued, NONE_OF_THIS_NAME, Remark, Scope, in_a_line, remedy_of},
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
    let issuer = scope.issuer.map(str::to_owned);
    let auditor = Auditor { client, tenant: tenant.clone(), issuer, now: rfc3339(scope.now) };
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
    look
}

const EVERYTHING: &str = "what the cluster names at Microsoft Entra";

/// Who asks.
struct Auditor {
    client: Client,
    tenant: String,
    /// The cluster's.
    issuer: Option<String>,
    /// RFC 3339, UTC.
    now: String,
}

impl Auditor {
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
            }
        }
        for client in stored.into_values() {
            look.not_seen(
                format!("the application that {} logs in as", client.place),
                "a login in the tenant of the application; if it was deleted, take the login out of the store".into(),
                format!("the tenant {} has none with the client ID that the store names", self.tenant),
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
                    format!("the tenant {} has no such application", self.tenant),
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
                    Ok(entries) => self.judge(&mut look, entries.iter(), &title, place),
                    Err(refusal) => {
                        look.merge(refused(format!("whom {what}, trusts"), refusal, READ));
                    }
                }
            }
        }
        credentials.sort_by(|a, b| a.key_id.cmp(&b.key_id));
        credentials.dedup_by(|a, b| a.key_id == b.key_id);
        unlisted(&mut look, app, &credentials, named);
        let (expired, active): (Vec<_>, Vec<_>) =
            credentials.into_iter().partition(|it| it.is_expired(&self.now));
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
                );
            }
            Err(refusal) => look.merge(refused(format!("whom {what}, trusts"), refusal, &needed)),
        }
        look
    }

    fn judge<'v>(
        &self,
        look: &mut CloudLook,
        entries: impl Iterator<Item = &'v Value>,
        title: &str,
        place: &str,
    ) {
        for entry in entries {
            match admits(entry, self.issuer.as_deref()) {
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

/// Copies that are used with this application and are none that it lists: they may be of another one.
fn unlisted(look: &mut CloudLook, app: &str, all: &[Credential], named: &Named) {
    let begins = |hint: &String| all.iter().any(|it| it.hint.as_ref() == Some(hint));
    let is_listed = |half: &String| all.iter().any(|it| it.public_half.as_ref() == Some(half));
    let secrets = named
        .copies
        .values()
        .filter(|hint| !begins(hint))
        .map(|_| ("client secret", "secret that begins like it"));
    let certificates = named.certificates.iter().filter(|half| !is_listed(half));
    let certificates = certificates.map(|_| ("client certificate", "certificate of its key"));
    for (what, missing) in secrets.chain(certificates) {
        look.not_seen(
            format!("whose {what} {} logs in with", named.place),
            "a look at it by hand, at Microsoft Entra; if it was deleted, delete its copy in the cluster"
                .into(),
            format!("the application {app} lists no {missing}"),
        );
    }
}

/// The copy in the cluster that this secret is: the one that begins as Entra shows it, if no other secret does.
fn copy_of(credential: &Credential, all: &[Credential], named: &Named) -> Option<Same> {
    let hint = credential.hint.as_ref()?;
    let is_alone = all.iter().filter(|it| it.hint.as_ref() == Some(hint)).count() == 1;
    let mut copies = named.copies.iter().filter(|(_, begin)| *begin == hint);
    match (copies.next(), copies.next()) {
        (Some((copy, _)), None) if is_alone => Some(copy.clone()),
        _ => None,
    }
}

fn issued(app: &str, credential: &Credential, copy: Option<Same>, is_enabled: bool, place: &str) -> Issued {
    let Credential { key_id, is_certificate, hint, begins, ends, .. } = credential;
    let (kind, flag) = if *is_certificate { ("certificate", " --cert") } else { ("client secret", "") };
    let mut why = Vec::new();
    why.extend(hint.as_ref().map(|hint| format!("it begins with {hint}")));
    why.extend(begins.as_ref().map(|time| format!("made for use from {time}")));
    why.push(ends.as_ref().map_or_else(|| "never expires".to_owned(), |time| format!("expires {time}")));
    if !is_enabled {
        why.push("the application may not sign in now: one call lets it".into());
    }
    Issued {
        kind: CREDENTIAL,
        name: format!("entra:{key_id}"),
        public_half: credential.public_half.clone(),
        copy,
        what: format!("{kind} {key_id} of the Entra application {app}"),
        place: format!("Entra application {app}"),
        why: format!("{}; {place} names the application", why.join(", ")),
        remedy: format!(
            "when nothing misses it: az ad app credential delete --id {app} --key-id {key_id}{flag}"
        ),
    }
}

fn refused(what: String, refusal: Refusal, needed: &str) -> CloudLook {
    let mut look = CloudLook::default();
    let if_absent = refusal.is_absent().then_some(NONE_OF_THIS_NAME);
    look.not_answered(what, needed, &refusal.error("asking Azure", needed), if_absent);
    look
}

fn odd(what: String, why: &str, needed: &str) -> CloudLook {
    let mut look = CloudLook::default();
    look.odd_answer(what, needed.to_owned(), ("Azure", why));
    look
}

#[cfg(test)]
#[path = "mod_tests.rs"]
mod tests;
