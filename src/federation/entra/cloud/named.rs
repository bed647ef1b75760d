//! PURE. Which applications and managed identities of Entra the cluster names, and what it names without saying which.
//!
//! A client ID that lies in a Secret is compared with the IDs that the tenant has, and is not sent: the author of a store
//! can name any value of a Secret as one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    super::{
        place::is_guid,
        section::EntraSection,
        store_login::{CLIENT_ANNOTATION, MEMBER},
    },
    GENERATORS,
    answers::identity_id,
};
use crate::{
    cluster::{
        objects::{Look, Object, Unseen},
        snapshot::{Public, SecretKey},
    },
    credentials::{Same, Sighting, Thumbprint, Who},
    federation::cloud::{Holder, Scope, holders},
};

/// More of them than a platform has.
const MOST: usize = 500;
/// Kinds of credentials that name no application themselves.
const FOUND: [&str; 2] = ["entra-secret", "entra-certificate"];
const TENANT_ANNOTATION: &str = "azure.workload.identity/tenant-id";

/// What is named, by one place that names it.
#[derive(Clone, Debug, Default)]
pub(super) struct Client {
    pub(super) place: String,
    /// Client secrets that lie in the cluster and are used with it, each with its first characters.
    pub(super) copies: BTreeMap<Same, String>,
    /// Public halves of the private keys that lie in the files.
    pub(super) certificates: BTreeSet<String>,
    /// What a login names as its client certificate.
    pub(super) files: BTreeMap<SecretKey, File>,
}

/// What is known of a client certificate that lies in the cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    /// Thumbprints of its certificates, each with the public half of its key.
    pub(super) thumbprints: BTreeMap<Thumbprint, String>,
    /// A private key in it was read.
    pub(super) has_key: bool,
}

#[derive(Debug, Default)]
pub(super) struct Named {
    /// By client ID.
    pub(super) applications: BTreeMap<String, Client>,
    /// By client IDs that lie in Secrets.
    pub(super) stored: BTreeMap<Same, Client>,
    /// By the IDs of the resources.
    pub(super) identities: BTreeMap<String, String>,
    pub(super) unseen: BTreeSet<Unseen>,
}

/// How something logs in.
enum Login {
    /// By a client ID and a secret or certificate that are stored.
    Stored,
    /// By a token of a ServiceAccount.
    Account,
    /// As an identity of the machine.
    Machine(Value),
    /// Why it is not known.
    NotKnown(&'static str),
}

pub(super) fn named(section: &EntraSection, tenant: &str, scope: &Scope<'_>) -> Named {
    let mut named = Named::default();
    if let Some(app) = &section.key_application {
        named.application(app, Client { place: "entra.keyApplication".into(), ..Client::default() });
    }
    for holder in holders(scope.inventory, MEMBER, &GENERATORS) {
        named.holder(&holder, tenant, scope);
    }
    let sightings = scope.inventory.sightings.distinct();
    for sighting in &sightings {
        named.add_key(sighting);
    }
    for sighting in sightings {
        if FOUND.contains(&sighting.kind.id) && !named.is_known(&sighting) {
            let place = sighting.places.first().map(|place| place.object()).unwrap_or_default();
            named.not_seen(
                &sighting.what,
                format!("it names no application, so that Entra cannot be asked for it: {place}"),
            );
        }
    }
    named
}

/// `authType` of a store, the one member of `auth` of a generator.
fn login(holder: &Holder<'_>) -> Login {
    const SEVERAL: Login = Login::NotKnown("it names several logins");
    let settings = holder.settings;
    if holder.kind == MEMBER {
        return match settings["authType"].as_str() {
            None if !settings["authType"].is_null() => Login::NotKnown("its authType is no text"),
            None | Some("" | "ServicePrincipal") => Login::Stored,
            Some("WorkloadIdentity") => Login::Account,
            Some("ManagedIdentity") => Login::Machine(settings["identityId"].clone()),
            Some(_) => Login::NotKnown("its authType is not known"),
        };
    }
    let auth = settings["auth"].as_object();
    let mut methods = auth.into_iter().flatten().filter(|(_, value)| !value.is_null());
    match (methods.next(), methods.next()) {
        (Some((name, _)), None) if name == "servicePrincipal" => Login::Stored,
        (Some((name, _)), None) if name == "workloadIdentity" => Login::Account,
        (Some((name, own)), None) if name == "managedIdentity" => Login::Machine(own["identityId"].clone()),
        (Some(_), None) => Login::NotKnown("keyless does not know its login"),
        (Some(_), Some(_)) => SEVERAL,
        (None, _) => Login::NotKnown("it names no login"),
    }
}

impl Named {
    pub(super) fn is_empty(&self) -> bool {
        self.applications.is_empty() && self.stored.is_empty() && self.identities.is_empty()
    }

    /// Whether a login names this very credential together with an application, which is asked for it.
    fn is_known(&self, sighting: &Sighting) -> bool {
        match &sighting.who {
            Who::Same(same) => self.stored.values().any(|client| client.copies.contains_key(same)),
            Who::Key(half) => self.stored.values().any(|client| {
                client.certificates.contains(half) && client.files.keys().any(|file| lies_in(sighting, file))
            }),
            Who::Named(_) => false,
        }
    }

    /// A private key of whatever kind that lies where a login has its certificate is what it logs in with.
    fn add_key(&mut self, sighting: &Sighting) {
        let Who::Key(half) = &sighting.who else { return };
        for client in self.stored.values_mut() {
            for (_, file) in client.files.iter_mut().filter(|(file, _)| lies_in(sighting, file)) {
                file.has_key = true;
                client.certificates.insert(half.clone());
            }
        }
    }

    fn holder(&mut self, holder: &Holder<'_>, tenant: &str, scope: &Scope<'_>) {
        let what = format!("the identity of {} at Microsoft Entra", holder.place);
        if let Err(why) = is_in_tenant(holder, tenant, scope) {
            return self.not_seen(&what, why);
        }
        match login(holder) {
            Login::Stored => self.stored(holder, &what, scope),
            Login::Account => self.account(holder, tenant, &what, scope),
            Login::Machine(id) => self.machine(&id, holder, &what),
            Login::NotKnown(why) => self.not_seen(&what, why.into()),
        }
    }

    fn stored(&mut self, holder: &Holder<'_>, what: &str, scope: &Scope<'_>) {
        let credential = |key: &SecretKey| scope.inventory.credentials.get(key).and_then(Look::seen);
        let copies: BTreeMap<_, _> = holder
            .secrets("clientSecret")
            .filter_map(|key| match credential(key) {
                Some(it) => match &it.public {
                    Public::EntraSecret { hint } => Some((it.same.clone(), hint.clone())),
                    _ => None,
                },
                None => None,
            })
            .collect();
        let mut keys = holder.secrets("clientId").peekable();
        if keys.peek().is_none() {
            self.not_seen(what, "it names no client ID".into());
        }
        for key in keys {
            match scope.inventory.credentials.get(key) {
                Some(Look::Seen(id)) => {
                    if self.stored.len() >= MOST {
                        let why = format!("the cluster names more than {MOST} client IDs");
                        self.not_seen(what, why);
                        continue;
                    }
                    let client = self.stored.entry(id.same.clone()).or_default();
                    if client.place.is_empty() {
                        client.place.clone_from(&holder.place);
                    }
                    client.copies.extend(copies.clone());
                    for key in holder.secrets("clientCertificate") {
                        match scope.inventory.credentials.get(key) {
                            Some(Look::Seen(it)) => {
                                let certificates = it.certificates.iter();
                                let file = client.files.entry(key.clone()).or_default();
                                file.thumbprints
                                    .extend(certificates.map(|it| (it.thumbprint, it.public_half.clone())));
                            }
                            // Nothing can log in by it.
                            Some(Look::Absent) => {}
                            Some(Look::Unseen(_)) | None => {
                                client.files.entry(key.clone()).or_default();
                            }
                        }
                    }
                }
                // Nothing can log in by it.
                Some(Look::Absent) => {}
                Some(Look::Unseen(unseen)) => {
                    self.unseen.insert(unseen.clone());
                }
                None => self.not_seen(what, format!("{key} was not read")),
            }
        }
    }

    fn account(&mut self, holder: &Holder<'_>, tenant: &str, what: &str, scope: &Scope<'_>) {
        let mut accounts = holder.accounts().peekable();
        if accounts.peek().is_none() {
            return self.not_seen(what, "the login of the operator's own pod takes effect".into());
        }
        for name in accounts {
            let shown = format!("ServiceAccount {}/{}", name.0, name.1);
            match scope.accounts.get(&name) {
                Some(Look::Seen(account)) => {
                    let other = account.annotation(TENANT_ANNOTATION);
                    if let Some(other) = other.filter(|it| !it.eq_ignore_ascii_case(tenant)) {
                        self.not_seen(what, of_tenant(other, tenant));
                        continue;
                    }
                    match client_id(account) {
                        Some(id) => {
                            self.application(id, Client { place: shown, ..Client::default() });
                        }
                        // Then it may be one that lies in a Secret.
                        None if holder.secrets("clientId").next().is_some() => {
                            self.stored(holder, what, scope);
                        }
                        None => {}
                    }
                }
                // Nothing can log in by it.
                Some(Look::Absent) => {}
                Some(Look::Unseen(unseen)) => {
                    self.unseen.insert(unseen.clone());
                }
                None => self.not_seen(&format!("the identity of {shown}"), "it was not read".into()),
            }
        }
    }

    fn machine(&mut self, id: &Value, holder: &Holder<'_>, what: &str) {
        let id = id.as_str().unwrap_or_default();
        match identity_id(id) {
            Some(id) if self.identities.len() < MOST => {
                self.identities.entry(id).or_insert_with(|| holder.place.clone());
            }
            None if is_guid(id) => {
                self.application(id, Client { place: holder.place.clone(), ..Client::default() });
            }
            _ => self.not_seen(
                what,
                "it does not say which one: an identity of the machine takes effect, which no object names"
                    .into(),
            ),
        }
    }

    fn application(&mut self, id: &str, client: Client) {
        let id = id.to_ascii_lowercase();
        let why = match () {
            () if self.applications.contains_key(&id) => return,
            () if !is_guid(&id) => "it is no client ID of Entra".to_owned(),
            () if self.applications.len() >= MOST => format!("the cluster names more than {MOST} client IDs"),
            () => {
                self.applications.insert(id, client);
                return;
            }
        };
        self.not_seen(&format!("the application that {} names at Microsoft Entra", client.place), why);
    }

    fn not_seen(&mut self, what: &str, why: String) {
        let right = "a look at it by hand, at Microsoft Entra".to_owned();
        self.unseen.insert(Unseen { what: what.to_owned(), right, why });
    }
}

/// A file without an entry is any one of the Secret.
fn lies_in(sighting: &Sighting, file: &SecretKey) -> bool {
    sighting.places.iter().any(|place| {
        &*place.kind == "Secret"
            && (file.key.is_none() || place.key() == file.key.as_deref())
            && (&place.namespace, &place.name) == (&file.namespace, &file.name)
    })
}

fn client_id(account: &Object) -> Option<&str> {
    account.annotation(CLIENT_ANNOTATION).filter(|id| !id.is_empty())
}

fn of_tenant(other: &str, tenant: &str) -> String {
    format!("it is in the tenant {}, and only {tenant} is asked", other.escape_debug())
}

/// `Err`: why it is not, or not known to be.
fn is_in_tenant(holder: &Holder<'_>, tenant: &str, scope: &Scope<'_>) -> Result<(), String> {
    let settings = holder.settings;
    if !settings["customCloudConfig"].is_null() {
        return Err("it names endpoints of its own, and only the public cloud of Azure is asked".into());
    }
    match settings["environmentType"].as_str() {
        None if settings["environmentType"].is_null() => {}
        Some("" | "PublicCloud") => {}
        _ => return Err("it is not in the public cloud of Azure, the one that is asked".into()),
    }
    match &settings["tenantId"] {
        Value::Null => {}
        Value::String(own) if own.is_empty() || own.eq_ignore_ascii_case(tenant) => {}
        Value::String(own) => return Err(of_tenant(own, tenant)),
        _ => return Err("its tenantId is no text".into()),
    }
    let tenants = [Same::of(tenant.as_bytes()), Same::of(tenant.to_ascii_uppercase().as_bytes())];
    for key in holder.secrets("tenantId") {
        if let Some(Look::Seen(own)) = scope.inventory.credentials.get(key)
            && !tenants.contains(&own.same)
        {
            return Err(format!("the tenant in {key} is another one than {tenant}, the one that is asked"));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "named_tests.rs"]
mod tests;
