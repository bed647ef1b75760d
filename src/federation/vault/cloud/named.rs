//! PURE. Where stores and generators log in at the server that an administrator has named, and as whom. What they say
//! decides what is asked for, never where.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    super::{of_store::OfStore, store_login::MEMBER, wanted},
    GENERATOR,
};
use crate::{base_url::is_of_one_network, cluster::objects::Unseen, federation::cloud::Scope};

/// More of them than a platform has.
const MOST: usize = 500;
/// By this header a request names its namespace.
const NAMESPACE_HEADER: &str = "x-vault-namespace";
/// Methods that are asked about, and what else is no method.
const KNOWN: [&str; 6] = ["tokenSecretRef", "appRole", "userPass", "jwt", "kubernetes", "namespace"];

/// As whom something logs in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Login {
    /// By a token: those of the server are looked at in each case.
    Token,
    /// `None`: a Secret holds the role's ID, so that each role may be it.
    AppRole {
        mount: String,
        role_id: Option<String>,
    },
    User {
        mount: String,
        name: String,
    },
    JwtRole {
        mount: String,
        role: String,
    },
    KubernetesRole {
        mount: String,
        role: String,
    },
}

/// A login, and the namespace in which it is made.
pub(super) type At = (Option<String>, Login);

#[derive(Debug, Default)]
pub(super) struct Named {
    /// With one place that names each.
    pub(super) logins: BTreeMap<At, String>,
    pub(super) unseen: BTreeSet<Unseen>,
}

/// Every place that logs in at a server of this kind.
pub(super) fn places<'a>(scope: &'a Scope<'_>) -> Vec<(String, &'a Value)> {
    let inventory = scope.inventory;
    let stores = inventory.stores.iter().filter_map(|store| match store.provider() {
        Some((MEMBER, spec)) => Some((store.0.describe(), spec)),
        _ => None,
    });
    let generators = inventory.generators.iter().flat_map(|generator| {
        let parts = generator.parts().unwrap_or_default().into_iter();
        let own = parts.filter(|part| part.kind == GENERATOR);
        own.map(|part| (generator.0.describe(), &part.settings["provider"])).collect::<Vec<_>>()
    });
    stores.chain(generators).collect()
}

pub(super) fn named(address: &str, scope: &Scope<'_>) -> Named {
    let mut named = Named::default();
    for (place, spec) in places(scope) {
        match OfStore::read(spec) {
            Some(store) if store.is_at(address) && scope.is_of_several && is_of_one_network(address) => named
                .not_seen(
                    &place,
                    &format!(
                        "{} is an address of one network: it may be another server in each of several clusters. Audit this cluster by itself",
                        store.address.escape_debug()
                    ),
                ),
            Some(store) if store.is_at(address) => named.login(&place, spec),
            Some(store) => named.not_seen(
                &place,
                &format!("it is at {}, and only {address} is asked", store.address.escape_debug()),
            ),
            None => named.not_seen(&place, "it names no server"),
        }
    }
    named
}

impl Named {
    fn login(&mut self, place: &str, spec: &Value) {
        // Each header is sent with the login, so that the namespace would be another one than the settings say.
        let mut headers = spec["headers"].as_object().into_iter().flat_map(|headers| headers.keys());
        if headers.any(|name| name.trim().eq_ignore_ascii_case(NAMESPACE_HEADER)) {
            return self.not_seen(place, "a header names its namespace: it was not asked there");
        }
        let auth = &spec["auth"];
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let namespace = text(&auth["namespace"]).or_else(|| text(&spec["namespace"]));
        let Ok(namespace) = wanted::namespace(namespace.as_deref()) else {
            return self.not_seen(place, "its namespace is none that a server can have");
        };
        let is_there = |name: &&str| !auth[*name].is_null();
        if !KNOWN[..KNOWN.len() - 1].iter().any(is_there) {
            self.not_seen(place, "it does not say as whom, or by a method that keyless does not ask about");
        }
        for method in auth.as_object().into_iter().flat_map(|auth| auth.keys()) {
            if !KNOWN.contains(&method.as_str()) && is_there(&method.as_str()) {
                let method = method.escape_debug();
                self.not_seen(place, &format!("keyless does not ask about the login by {method}"));
            }
        }
        for method in KNOWN.into_iter().filter(is_there) {
            let own = &auth[method];
            let mount = |member: &str, usual: &str| {
                wanted::path("the path of a method", own[member].as_str().unwrap_or(usual)).ok()
            };
            let name = |member: &str| {
                wanted::name("a name", own[member].as_str().unwrap_or_default())
                    .ok()
                    .map(|it| it.to_lowercase())
            };
            let login = match method {
                "tokenSecretRef" => Some(Login::Token),
                "appRole" => mount("path", "approle").and_then(|mount| {
                    // The ID is compared, and goes nowhere. The operator logs in with it trimmed.
                    let role_id = text(&own["roleId"]).map(|id| id.trim().to_owned());
                    let is_empty = role_id.as_ref().is_some_and(String::is_empty);
                    (!is_empty).then_some(Login::AppRole { mount, role_id })
                }),
                "userPass" => mount("path", "userpass")
                    .and_then(|mount| Some(Login::User { mount, name: name("username")? })),
                "jwt" => {
                    mount("path", "jwt").and_then(|mount| Some(Login::JwtRole { mount, role: name("role")? }))
                }
                "kubernetes" => mount("mountPath", "kubernetes")
                    .and_then(|mount| Some(Login::KubernetesRole { mount, role: name("role")? })),
                _ => continue,
            };
            match login {
                Some(_) if self.logins.len() >= MOST => {
                    self.not_seen(place, &format!("the cluster names more than {MOST} logins"));
                }
                Some(login) => {
                    self.logins.entry((namespace.clone(), login)).or_insert_with(|| place.to_owned());
                }
                None => self.not_seen(
                    place,
                    &format!(
                        "its login by {method} names no method's path and role or user that can be asked for"
                    ),
                ),
            }
        }
    }

    fn not_seen(&mut self, place: &str, why: &str) {
        self.unseen.insert(not_asked(place, why));
    }
}

pub(super) fn not_asked(place: &str, why: &str) -> Unseen {
    Unseen {
        what: format!("credentials at the Vault or OpenBao of {place}"),
        right: "a look at it by hand, at that server".into(),
        why: why.to_owned(),
    }
}

#[cfg(test)]
#[path = "named_tests.rs"]
mod tests;
