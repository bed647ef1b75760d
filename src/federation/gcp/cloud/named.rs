//! PURE. Which identities and providers at Google the cluster names, and what it names without saying which.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    super::{
        names::{Number, check_email, check_id},
        section::GoogleSection,
        store_login::{IMPERSONATION_ANNOTATION, MEMBER},
    },
    GENERATORS,
};
use crate::{
    cluster::{
        objects::{Look, Unseen},
        snapshot::{Public, Reference, Target},
    },
    federation::cloud::Scope,
};

/// More of them than a platform has.
const MOST: usize = 500;
/// The kind of credential of which copies name the accounts.
const FOUND: &str = "google-key";
const GENERATOR: &str = GENERATORS[0];

/// What is asked for at Google.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// E-mail addresses of service accounts, with one place that names each.
    pub(super) accounts: BTreeMap<String, String>,
    /// `projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`, likewise.
    pub(super) providers: BTreeMap<String, String>,
    pub(super) unseen: BTreeSet<Unseen>,
}

pub(super) fn named(section: &GoogleSection, scope: &Scope<'_>) -> Named {
    let mut named = Named::default();
    if let Some(email) = &section.impersonate {
        named.account(email, "google.impersonate in keyless.yaml");
    }
    let inventory = scope.inventory;
    for sighting in inventory.sightings.distinct() {
        let place = sighting.places.first().map(|place| place.object()).unwrap_or_default();
        if sighting.kind.id == FOUND && sighting.accounts.is_empty() {
            named.not_seen(
                &sighting.what,
                format!("it names no service account, so that Google cannot be asked for it: {place}"),
            );
        }
        for account in &sighting.accounts {
            named.account(account, &place);
        }
    }
    let of_secrets = inventory.credentials.iter().map(|(key, found)| (key.to_string(), found));
    let of_config_maps = inventory.config_maps.iter().map(|(key, found)| (key.to_string(), found));
    for (place, found) in of_secrets.chain(of_config_maps) {
        let Look::Seen(credential) = found else { continue };
        match &credential.public {
            Public::GoogleKey { client_email, .. } => named.account(client_email, &place),
            Public::ExternalAccount { audience, impersonates, .. } => {
                named.text(audience, &place);
                if let Some(url) = impersonates {
                    named.impersonation(url, &place);
                }
            }
            _ => {}
        }
    }
    for store in &inventory.stores {
        let Some((MEMBER, settings)) = store.provider() else { continue };
        let keys = |reference: &Reference| inventory.secret_keys(store, reference);
        let accounts = accounts(store.references(), keys);
        named.principal(&store.0.describe(), settings, &accounts, scope);
    }
    for generator in &inventory.generators {
        let keys = |reference: &Reference| inventory.generator_keys(generator, reference);
        for part in generator.parts().unwrap_or_default() {
            if part.kind == GENERATOR {
                let accounts = accounts(generator.references(), keys);
                named.principal(&generator.0.describe(), part.settings, &accounts, scope);
            }
        }
    }
    named
}

/// The ServiceAccounts that are named, by namespace and name.
fn accounts(
    references: Vec<Reference>,
    keys: impl Fn(&Reference) -> Vec<crate::cluster::snapshot::SecretKey>,
) -> Vec<(String, String)> {
    let references = references.into_iter().filter(|reference| reference.target == Target::ServiceAccount);
    references.flat_map(|reference| keys(&reference)).map(|key| (key.namespace, key.name)).collect()
}

impl Named {
    pub(super) fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.providers.is_empty()
    }

    fn account(&mut self, email: &str, place: &str) {
        let why = match () {
            () if self.accounts.contains_key(email) => return,
            () if check_email(email).is_err() => {
                "it is not the address of a Google service account".to_owned()
            }
            () if self.accounts.len() >= MOST => {
                format!("the cluster names more than {MOST} service accounts")
            }
            () => {
                self.accounts.insert(email.to_owned(), place.to_owned());
                return;
            }
        };
        self.not_seen(&format!("the identity that {place} names at Google"), why);
    }

    /// Names of providers are what tokens are meant for.
    fn text(&mut self, text: &str, place: &str) {
        match provider(text) {
            None => {}
            Some(name) if self.providers.len() >= MOST && !self.providers.contains_key(&name) => self
                .not_seen(
                    &format!("a workload identity provider that {place} names at Google"),
                    format!("the cluster names more than {MOST} providers"),
                ),
            Some(name) => {
                self.providers.entry(name).or_insert_with(|| place.to_owned());
            }
        }
    }

    /// `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/EMAIL:generateAccessToken`.
    fn impersonation(&mut self, url: &str, place: &str) {
        let rest = url.split_once("/serviceAccounts/").map(|(_, rest)| rest);
        let email = rest.and_then(|rest| rest.split_once(':')).map_or("", |(email, _)| email);
        self.account(email, place);
    }

    /// A store or a generator.
    fn principal(&mut self, place: &str, settings: &Value, accounts: &[(String, String)], scope: &Scope<'_>) {
        self.texts(settings, place);
        for name in accounts {
            let shown = format!("ServiceAccount {}/{}", name.0, name.1);
            match scope.accounts.get(name) {
                Some(Look::Seen(account)) => {
                    if let Some(email) = account.annotation(IMPERSONATION_ANNOTATION) {
                        self.account(email, &shown);
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
        let auth = &settings["auth"];
        let names = |path: &str| auth.pointer(path).is_some_and(|value| !value.is_null());
        let is_known = [
            "/secretRef/secretAccessKeySecretRef",
            "/workloadIdentity/serviceAccountRef",
            "/workloadIdentityFederation/serviceAccountRef",
            "/workloadIdentityFederation/credConfig",
        ];
        if !is_known.into_iter().any(names) {
            let why = "it does not say which one: the login of the operator's own pod takes effect, or one that keyless does not know";
            self.not_seen(&format!("the identity of {place} at Google"), why.into());
        }
    }

    /// Every text in the settings: whichever member has it, an address or a provider's name is one.
    fn texts(&mut self, value: &Value, place: &str) {
        match value {
            Value::String(text) if text.contains("/serviceAccounts/") => self.impersonation(text, place),
            Value::String(text) if check_email(text).is_ok() => self.account(text, place),
            Value::String(text) => self.text(text, place),
            Value::Array(items) => items.iter().for_each(|item| self.texts(item, place)),
            Value::Object(members) => members.values().for_each(|member| self.texts(member, place)),
            _ => {}
        }
    }

    fn not_seen(&mut self, what: &str, why: String) {
        let right = "a look at it by hand, at Google".to_owned();
        self.unseen.insert(Unseen { what: what.to_owned(), right, why });
    }
}

/// The relative name of a provider, from what tokens for it are meant for.
fn provider(text: &str) -> Option<String> {
    let text = text.strip_prefix("https:").unwrap_or(text);
    let name = text.strip_prefix("//iam.googleapis.com/")?;
    let parts: Vec<_> = name.split('/').collect();
    let ["projects", number, "locations", "global", "workloadIdentityPools", pool, "providers", provider] =
        parts.as_slice()
    else {
        return None;
    };
    Number::parse(number)?;
    check_id("pool", pool).ok()?;
    check_id("provider", provider).ok()?;
    Some(name.to_owned())
}

/// The project that a service account is of, by its address; `-` where that does not say it.
/// <https://cloud.google.com/iam/docs/service-account-types>
pub(super) fn project_of(email: &str) -> String {
    let (name, host) = email.split_once('@').unwrap_or_default();
    if let Some(project) = host.strip_suffix(".iam.gserviceaccount.com") {
        // `web.example.com` is the project `example.com:web`.
        return match project.split_once('.') {
            Some((project, domain)) => format!("{domain}:{project}"),
            None => project.to_owned(),
        };
    }
    let number = name.strip_suffix("-compute").and_then(Number::parse);
    match (host, number) {
        ("developer.gserviceaccount.com", Some(number)) => number.to_string(),
        ("appspot.gserviceaccount.com", _) => name.to_owned(),
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
#[path = "named_tests.rs"]
mod tests;
