//! `sts.googleapis.com`: tokens of a cluster against tokens of Google (RFC 8693).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::callers::Who;
use super::cel::Expression;
use super::documents::Unread;
use super::error::answer;
use super::jose;
use super::service::Service;
use super::state::{State, usable};
use crate::keys::jws_part;
use crate::wire::{Reply, Request, percent_decode};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const SUBJECT_TYPES: [&str; 2] =
    ["urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token"];

/// Clocks may differ by this
const SKEW: i64 = 60;
const DAY: i64 = 86_400;

/// An error of RFC 6749 §5.2
struct Refusal {
    error: &'static str,
    description: String,
}

type Result<T> = std::result::Result<T, Refusal>;

fn refused<T>(error: &'static str, description: impl Into<String>) -> Result<T> {
    Err(Refusal { error, description: description.into() })
}

/// `POST /v1/token`
pub(crate) fn token(request: &Request, service: &Service) -> Reply {
    match exchange(&Fields::of(request), service) {
        Ok(body) => answer(200, &body),
        Err(refusal) => {
            answer(400, &json!({"error": refusal.error, "error_description": refusal.description}))
        }
    }
}

/// `POST /v1/introspect` (RFC 7662)
pub(crate) fn introspect(request: &Request, state: &State) -> Reply {
    let fields = Fields::of(request);
    let token = fields.get("token");
    let found = state.callers.iter().find(|caller| caller.token == token);
    let body = match found.filter(|caller| caller.expires.is_none_or(|at| at > state.now())) {
        None => json!({"active": false}),
        Some(caller) => {
            let name = caller.who.name();
            json!({
                "active": true, "username": name, "sub": name, "client_id": name, "token_type": "Bearer",
                "iss": "https://sts.googleapis.com/", "exp": caller.expires,
                "scope": "https://www.googleapis.com/auth/cloud-platform",
            })
        }
    };
    answer(200, &body)
}

/// A provider with its pool, read at the beginning of an exchange
struct Provider {
    name: String,
    pool: String,
    resource: Value,
    now: i64,
    cached: Option<Value>,
}

fn exchange(fields: &Fields, service: &Service) -> Result<Value> {
    if fields.get("grant_type") != GRANT {
        return refused("unsupported_grant_type", "Invalid grant type.");
    }
    if fields.get("requested_token_type") != ACCESS_TOKEN {
        return refused("invalid_request", "Invalid value for \"requested_token_type\".");
    }
    if !SUBJECT_TYPES.contains(&fields.get("subject_token_type")) {
        return refused("invalid_request", "Invalid value for \"subject_token_type\".");
    }
    if fields.get("scope").is_empty() {
        return refused("invalid_scope", "Some requested scopes were invalid: the scope is empty.");
    }
    let provider = find(fields.get("audience"), &service.lock())?;
    let token = fields.get("subject_token");
    let (Some(header), Some(claims)) = (jws_part(token, 0), jws_part(token, 1)) else {
        return refused("invalid_grant", "Unable to parse the ID Token.");
    };
    let expires = check_claims(&claims, &provider)?;
    let keys = keys(&provider, service)?;
    match jose::verify(token, &header, &keys) {
        Ok(true) => {}
        Ok(false) => return refused("invalid_grant", "Unable to verify the ID Token signature."),
        Err(jose::NoKey) => return refused("invalid_grant", UNREACHABLE),
    }
    let (subject, attributes) = map(&claims, &provider)?;
    let mut state = service.lock();
    let lifetime = (expires - provider.now).clamp(1, 3600);
    let who = Who::Federated { pool: provider.pool, subject, attributes };
    Ok(json!({
        "access_token": state.admit(who, Some(lifetime)), "issued_token_type": ACCESS_TOKEN,
        "token_type": "Bearer", "expires_in": lifetime,
    }))
}

const UNREACHABLE: &str = "Error connecting to the given credential's issuer.";

fn find(audience: &str, state: &State) -> Result<Provider> {
    let name = audience.strip_prefix("//iam.googleapis.com/").unwrap_or_default();
    let parts: Vec<&str> = name.split('/').collect();
    let ["projects", _, "locations", "global", "workloadIdentityPools", _, "providers", _] = parts[..] else {
        return refused(
            "invalid_request",
            "Invalid value for \"audience\". This value should be the full resource name of the Identity \
             Provider. See https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token for the list \
             of possible formats.",
        );
    };
    let pool = parts[..6].join("/");
    // Names have the project's number, so a name with its id matches none.
    let found = [&pool, name].map(|name| state.federation.get(name).filter(|it| usable(it)));
    let [Some(_), Some(resource)] = found else {
        return refused(
            "invalid_target",
            "The target service indicated by the \"audience\" parameters is invalid. This might either be \
             because the pool or provider is disabled or deleted or because it doesn't exist.",
        );
    };
    let issuer = resource["oidc"]["issuerUri"].as_str().unwrap_or_default();
    Ok(Provider {
        name: name.to_owned(),
        pool,
        resource: resource.clone(),
        now: state.now(),
        cached: state.documents.get(issuer, state.settings.jwks_cache),
    })
}

/// Issuer, audience and times; the second from which the token is expired
fn check_claims(claims: &Value, provider: &Provider) -> Result<i64> {
    let issuer = provider.issuer();
    let iss = claims["iss"].as_str().unwrap_or_default();
    if iss != issuer {
        return refused(
            "invalid_grant",
            format!("The issuer in ID Token {iss} does not match the expected one: {issuer}."),
        );
    }
    let audiences: Vec<&str> = match &claims["aud"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if audiences.len() != 1 || !provider.expects(audiences[0]) {
        return refused(
            "invalid_grant",
            format!(
                "The audience in ID Token [{}] does not match the expected audience.",
                audiences.join(", ")
            ),
        );
    }
    let (iat, exp) = (claims["iat"].as_i64().unwrap_or_default(), claims["exp"].as_i64().unwrap_or_default());
    let now = provider.now;
    if exp + SKEW <= now || iat > now + SKEW || iat + DAY < now {
        return refused("invalid_grant", format!("ID Token issued at {iat} is stale to sign-in."));
    }
    Ok(exp)
}

impl Provider {
    fn issuer(&self) -> &str {
        self.resource["oidc"]["issuerUri"].as_str().unwrap_or_default()
    }

    /// The own name with or without scheme, unless a list of audiences replaces it
    fn expects(&self, audience: &str) -> bool {
        match self.resource["oidc"]["allowedAudiences"].as_array() {
            Some(allowed) if !allowed.is_empty() => allowed.iter().any(|it| it == audience),
            _ => audience
                .strip_prefix("https:")
                .unwrap_or(audience)
                .strip_prefix("//iam.googleapis.com/")
                .is_some_and(|name| name == self.name),
        }
    }
}

/// The uploaded keys, or those that the issuer publishes
fn keys(provider: &Provider, service: &Service) -> Result<Value> {
    if let Some(text) = provider.resource["oidc"]["jwksJson"].as_str() {
        return Ok(serde_json::from_str(text).unwrap_or_default());
    }
    if let Some(cached) = &provider.cached {
        return Ok(cached.clone());
    }
    let discovery = provider.resource["oidc"]["discoveryUri"].as_str();
    match service.world.key_set(provider.issuer(), discovery) {
        Ok(set) => {
            service.lock().documents.put(provider.issuer(), &set);
            Ok(set)
        }
        Err(Unread::Connection) => refused("invalid_grant", UNREACHABLE),
        Err(Unread::Issuer(other)) => refused(
            "invalid_grant",
            format!(
                "`issuer` claim in OIDC discovery document does not match the expected one: found {other}, \
                 expected {}.",
                provider.issuer()
            ),
        ),
    }
}

/// Subject and attributes by the provider's mapping, if its condition lets the token in
fn map(claims: &Value, provider: &Provider) -> Result<(String, BTreeMap<String, String>)> {
    let mut scope = json!({"assertion": claims, "google": {}, "attribute": {}});
    let mut attributes = BTreeMap::new();
    let mut subject = String::new();
    let mut size = 0;
    for (target, expression) in provider.resource["attributeMapping"].as_object().into_iter().flatten() {
        let expression = Expression::parse(expression.as_str().unwrap_or_default());
        let value = expression.and_then(|expression| expression.value(&json!({"assertion": claims})));
        let Some(value) = value.ok().and_then(|value| value.as_str().map(str::to_owned)) else {
            return refused(
                "unauthorized_client",
                format!(
                    "Could not obtain a value for {target} from the given credential. Check whether the \
                     attribute mapping yields a text for it."
                ),
            );
        };
        size += value.len();
        let (group, name) = target.split_once('.').unwrap_or((target, ""));
        scope[group][name] = json!(value);
        if target == "google.subject" {
            subject = value;
        } else {
            attributes.insert(target.clone(), value);
        }
    }
    if subject.is_empty() {
        return refused(
            "unauthorized_client",
            "Could not obtain a value for google.subject from the given credential.",
        );
    }
    if subject.len() > 127 {
        return refused(
            "invalid_request",
            "The size of mapped attribute google.subject exceeds the 127 bytes limit. Either modify your \
             attribute mapping or the incoming assertion to produce a mapped attribute that is less than 127 \
             bytes.",
        );
    }
    if size > 8192 {
        return refused("invalid_request", "The size of the mapped attributes exceeds the 8 KB limit.");
    }
    let condition = provider.resource["attributeCondition"].as_str().unwrap_or_default();
    let holds = |text: &str| Expression::parse(text).and_then(|it| it.value(&scope)) == Ok(json!(true));
    if !condition.is_empty() && !holds(condition) {
        return refused(
            "unauthorized_client",
            "The given credential is rejected by the attribute condition.",
        );
    }
    Ok((subject, attributes))
}

/// The fields of a request, by their names in a form
pub(crate) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// A form, or JSON with the same names in camel case
    pub(crate) fn of(request: &Request) -> Self {
        let json = request.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        if json {
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let fields = body.as_object().into_iter().flatten();
            return Self(
                fields
                    .map(|(name, value)| (snake(name), value.as_str().unwrap_or_default().into()))
                    .collect(),
            );
        }
        let body = String::from_utf8_lossy(&request.body).replace('+', " ");
        let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
        Self(pairs.map(|(name, value)| (percent_decode(name), percent_decode(value))).collect())
    }

    /// All of them, tokens blotted out
    pub(crate) fn shown(&self) -> Value {
        let secret = ["subject_token", "assertion", "refresh_token", "client_secret", "token"];
        let shown = |(name, value): (&String, &String)| {
            let value = if secret.contains(&name.as_str()) { "***" } else { value };
            (name.clone(), json!(value))
        };
        Value::Object(self.0.iter().map(shown).collect())
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }
}

fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}
