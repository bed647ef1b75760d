//! The JWT method: configuration and roles (openbao/openbao builtin/credential/jwt/path_config.go,
//! path_role.go).

use std::collections::BTreeMap;

use hyper::Method as Verb;
use serde_json::{Value, json};

use super::api::{Answer, Refusal, data, is_list};
use super::jose::{ALGORITHMS, Key};
use super::state::State;
use super::world::World;
use super::{VaultFlavour, VaultSettings};
use crate::wire::Request;

/// One mounted method
#[derive(Default)]
pub(crate) struct Method {
    pub(crate) config: Option<Config>,
    /// As they are read
    pub(crate) roles: BTreeMap<String, Value>,
}

#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) source: Source,
    pub(crate) bound_issuer: String,
    pub(crate) default_role: String,
    pub(crate) algorithms: Vec<String>,
    /// Where the key set is, once a login has asked
    pub(crate) key_set_url: Option<String>,
    /// The key set as it was read last
    pub(crate) cached: Option<Value>,
}

#[derive(Clone)]
pub(crate) enum Source {
    Discovery { url: String, ca: String },
    KeySet { url: String, ca: String },
    Pem(Vec<String>),
}

/// The mounted JWT method that a path belongs to, and the rest of the path
pub(crate) fn mount_of<'a>(state: &State, path: &'a str) -> Option<(String, &'a str)> {
    let path = path.strip_prefix("auth/")?;
    let mount = state.jwt.keys().find(|mount| path.starts_with(mount.as_str()))?;
    Some((mount.clone(), &path[mount.len()..]))
}

pub(crate) fn handle(request: &Request, state: &mut State, mount: &str, rest: &str, body: &Value) -> Answer {
    let Some(method) = state.jwt.get_mut(mount) else { return Err(Refusal::not_found()) };
    match rest.split_once('/').unwrap_or((rest, "")) {
        ("config", "") => {
            let config = method.config.as_ref().ok_or_else(Refusal::not_found)?;
            Ok(Some(data(&config.shown())))
        }
        ("role", "") if is_list(request) => {
            let keys: Vec<&String> = method.roles.keys().collect();
            if keys.is_empty() { Err(Refusal::not_found()) } else { Ok(Some(data(&json!({"keys": keys})))) }
        }
        ("role", name) if !name.is_empty() => role(request, method, &name.to_lowercase(), body),
        _ => Err(Refusal::new(404, &format!("unsupported path \"{rest}\""))),
    }
}

impl Config {
    /// Of what is written: everything that is not named goes back to its default
    pub(crate) fn parse(body: &Value, world: &World, settings: &VaultSettings) -> Result<Self, Refusal> {
        let text = |name: &str| body[name].as_str().unwrap_or_default().trim().to_owned();
        let pems = texts(&body["jwt_validation_pubkeys"]).unwrap_or_default();
        let pems: Vec<String> = pems.iter().map(|pem| pem.trim().to_owned()).collect();
        let (discovery, set) = (text("oidc_discovery_url"), text("jwks_url"));
        let given = [!discovery.is_empty(), !set.is_empty(), !pems.is_empty()];
        if given.into_iter().filter(|given| *given).count() != 1 {
            let words = match settings.flavour {
                VaultFlavour::OpenBao => {
                    "exactly one of 'jwt_validation_pubkeys', 'jwks_url', 'jwks_pairs', 'oidc_discovery_url', or \
                     'provider_config' must be set"
                }
                VaultFlavour::Vault | VaultFlavour::VaultEnterprise => {
                    "exactly one of 'jwt_validation_pubkeys', 'jwks_url', 'jwks_pairs' or 'oidc_discovery_url' must be set"
                }
            };
            return Err(Refusal::bad(words));
        }
        let algorithms = texts(&body["jwt_supported_algs"]).unwrap_or_default();
        if let Some(unknown) = algorithms.iter().find(|name| !ALGORITHMS.contains(&name.as_str())) {
            let words = format!("invalid jwt_supported_algs: unsupported signing algorithm {unknown:?}");
            return Err(Refusal::bad(&words));
        }
        let source = if !discovery.is_empty() {
            let source = Source::Discovery { url: discovery, ca: text("oidc_discovery_ca_pem") };
            source.check_discovery(world, settings)?;
            source
        } else if !set.is_empty() {
            let source = Source::KeySet { url: set, ca: text("jwks_ca_pem") };
            if !text("jwks_ca_pem").is_empty() && !World::is_ca(&text("jwks_ca_pem")) {
                return Err(Refusal::bad("error checking jwks_ca_pem"));
            }
            let set = world.get(source.url(), source.ca(), settings.trusts_lab);
            if !set.is_ok_and(|set| all_known(&set)) {
                return Err(Refusal::bad("error checking jwks URL"));
            }
            source
        } else {
            if pems.iter().any(|pem| Key::of_pem(pem).is_none()) {
                let words = "error parsing public key: data does not contain any valid public keys";
                return Err(Refusal::bad(words));
            }
            Source::Pem(pems)
        };
        let (bound_issuer, default_role) = (text("bound_issuer"), text("default_role"));
        Ok(Self { source, bound_issuer, default_role, algorithms, key_set_url: None, cached: None })
    }

    pub(crate) fn shown(&self) -> Value {
        let mut shown = json!({
            "bound_issuer": self.bound_issuer, "default_role": self.default_role, "jwks_ca_pem": "",
            "jwks_url": "", "jwt_supported_algs": self.algorithms, "jwt_validation_pubkeys": [],
            "namespace_in_state": true, "oidc_client_id": "", "oidc_discovery_ca_pem": "",
            "oidc_discovery_url": "", "oidc_response_mode": "", "oidc_response_types": [],
            "override_allowed_server_names": [], "provider_config": {}, "status": "valid",
        });
        let fields = match &self.source {
            Source::Discovery { url, ca } => {
                vec![("oidc_discovery_url", json!(url)), ("oidc_discovery_ca_pem", json!(ca))]
            }
            Source::KeySet { url, ca } => vec![("jwks_url", json!(url)), ("jwks_ca_pem", json!(ca))],
            Source::Pem(pems) => vec![("jwt_validation_pubkeys", json!(pems))],
        };
        fields.into_iter().for_each(|(name, value)| shown[name] = value);
        shown
    }
}

impl Source {
    fn check_discovery(&self, world: &World, settings: &VaultSettings) -> Result<(), Refusal> {
        let Self::Discovery { url, ca } = self else { return Ok(()) };
        if url.contains(".well-known") && settings.flavour == VaultFlavour::OpenBao {
            return Err(Refusal::bad("'oidc_discovery_url' contains '.well-known' component"));
        }
        let outcome = if ca.is_empty() || World::is_ca(ca) {
            discover(world, url, ca, settings).map(drop)
        } else {
            Err("could not parse CA PEM value successfully".into())
        };
        outcome.map_err(|words| match settings.flavour {
            VaultFlavour::OpenBao => Refusal::bad(&format!("error checking oidc discovery URL: {words}")),
            VaultFlavour::Vault | VaultFlavour::VaultEnterprise => {
                Refusal::bad("error checking oidc discovery URL")
            }
        })
    }

    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Discovery { url, .. } | Self::KeySet { url, .. } => url,
            Self::Pem(_) => "",
        }
    }

    pub(crate) fn ca(&self) -> &str {
        match self {
            Self::Discovery { ca, .. } | Self::KeySet { ca, .. } => ca,
            Self::Pem(_) => "",
        }
    }

    /// Where the key set is
    pub(crate) fn key_set_url(&self, world: &World, settings: &VaultSettings) -> Result<String, String> {
        let Self::Discovery { url, ca } = self else { return Ok(self.url().to_owned()) };
        let document = discover(world, url, ca, settings)?;
        Ok(document["jwks_uri"].as_str().unwrap_or_default().to_owned())
    }
}

/// Whether a key set has keys of known kinds only: one other spoils it
pub(crate) fn all_known(set: &Value) -> bool {
    set["keys"].as_array().is_some_and(|keys| keys.iter().all(|key| Key::of_jwk(key).is_some()))
}

fn discover(world: &World, url: &str, ca: &str, settings: &VaultSettings) -> Result<Value, String> {
    let well_known = format!("{}/.well-known/openid-configuration", url.trim_end_matches('/'));
    let document = world.get(&well_known, ca, settings.trusts_lab)?;
    let issuer = document["issuer"].as_str().unwrap_or_default();
    if issuer == url {
        return Ok(document);
    }
    Err(format!("issuer did not match the returned issuer, expected {url:?} got {issuer:?}"))
}

/// The fields of a role and their values when nothing is written
pub(crate) fn defaults() -> Value {
    json!({
        "allowed_redirect_uris": null, "bound_audiences": null, "bound_claims": null,
        "bound_claims_type": "string", "bound_subject": "", "callback_mode": "client",
        "claim_mappings": null, "clock_skew_leeway": 0, "expiration_leeway": 0, "groups_claim": "",
        "max_age": 0, "not_before_leeway": 0, "oauth2_metadata": null, "oidc_disable_confirmation": false,
        "oidc_scopes": null, "role_type": "oidc", "token_bound_cidrs": [], "token_explicit_max_ttl": 0,
        "token_max_ttl": 0, "token_no_default_policy": false, "token_num_uses": 0, "token_period": 0,
        "token_policies": [], "token_policies_template_claims": false, "token_strictly_bind_ip": false,
        "token_ttl": 0, "token_type": "default", "user_claim": "", "user_claim_json_pointer": false,
        "verbose_oidc_logging": false,
    })
}

const LISTS: [&str; 6] = [
    "allowed_redirect_uris",
    "bound_audiences",
    "oauth2_metadata",
    "oidc_scopes",
    "token_bound_cidrs",
    "token_policies",
];
const SECONDS: [&str; 7] = [
    "clock_skew_leeway",
    "expiration_leeway",
    "max_age",
    "not_before_leeway",
    "token_explicit_max_ttl",
    "token_max_ttl",
    "token_ttl",
];

fn role(request: &Request, method: &mut Method, name: &str, body: &Value) -> Answer {
    match request.method {
        Verb::GET => {
            let role = method.roles.get(name).ok_or_else(Refusal::not_found)?;
            Ok(Some(data(role)))
        }
        Verb::POST | Verb::PUT => {
            let role = written(method.roles.get(name).cloned().unwrap_or_else(defaults), body)?;
            method.roles.insert(name.to_owned(), role);
            Ok(None)
        }
        Verb::DELETE => {
            method.roles.remove(name);
            Ok(None)
        }
        _ => Err(Refusal::new(405, "unsupported operation")),
    }
}

/// A role with what is written into it
fn written(mut role: Value, body: &Value) -> Result<Value, Refusal> {
    // These two fall back to their defaults when they are not named, unlike all others.
    role["role_type"] = json!("oidc");
    role["bound_claims_type"] = json!("string");
    for (name, value) in body.as_object().into_iter().flatten() {
        let name = if name == "policies" { "token_policies" } else { name };
        if role.get(name).is_none() {
            continue;
        }
        role[name] = match value {
            value if LISTS.contains(&name) => json!(texts(value).unwrap_or_default()),
            value if SECONDS.contains(&name) => json!(seconds(value).ok_or_else(|| {
                let words =
                    format!("error converting input for field {name:?}: time: invalid duration {value}");
                Refusal::bad(&words)
            })?),
            Value::String(text) if text == "true" || text == "false" => json!(text == "true"),
            value => value.clone(),
        };
    }
    let kind = role["role_type"].as_str().unwrap_or_default();
    let empty = |name: &str| {
        let value = &role[name];
        value.is_null()
            || value.as_str().is_some_and(str::is_empty)
            || value.as_array().is_some_and(Vec::is_empty)
            || value.as_object().is_some_and(serde_json::Map::is_empty)
    };
    let problem = match kind {
        "jwt" | "oidc" => None,
        other => Some(format!("invalid 'role_type': {other}")),
    };
    let (ttl, most) = (role["token_ttl"].as_i64().unwrap_or(0), role["token_max_ttl"].as_i64().unwrap_or(0));
    let problem = problem.or_else(|| match kind {
        "oidc" if empty("allowed_redirect_uris") => {
            Some("'allowed_redirect_uris' must be set if 'role_type' is 'oidc' or unspecified.".into())
        }
        _ if empty("user_claim") => Some("a user claim must be defined on the role".into()),
        "jwt"
            if ["bound_audiences", "bound_subject", "bound_claims", "token_bound_cidrs"]
                .into_iter()
                .all(empty) =>
        {
            Some("must have at least one bound constraint when creating/updating a role".into())
        }
        _ if most > 0 && ttl > most => Some("'token_ttl' cannot be greater than 'token_max_ttl'".into()),
        _ => None,
    });
    match problem {
        Some(problem) => Err(Refusal::bad(&problem)),
        None => Ok(role),
    }
}

/// A list as it may be written: JSON, or text with commas
pub(crate) fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(items) => {
            Some(items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect())
        }
        Value::String(text) if text.contains("-----BEGIN") => Some(vec![text.clone()]),
        Value::String(text) => {
            Some(text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect())
        }
        _ => None,
    }
}

/// A duration as it may be written: seconds, or text with units
pub(crate) fn seconds(value: &Value) -> Option<i64> {
    let text = match value {
        Value::Number(number) => return number.as_i64(),
        Value::String(text) => text.trim(),
        _ => return None,
    };
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let mut total = 0;
    let mut rest = text;
    while let Some(end) = rest.find(|c: char| !c.is_ascii_digit()) {
        let number: i64 = rest[..end].parse().ok()?;
        total += number
            * match rest[end..].chars().next()? {
                'd' => 86_400,
                'h' => 3600,
                'm' => 60,
                's' => 1,
                _ => return None,
            };
        rest = &rest[end + 1..];
    }
    rest.is_empty().then_some(total)
}
