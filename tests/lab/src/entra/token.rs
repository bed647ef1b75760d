//! `POST /TENANT/oauth2/v2.0/token`, and `/TENANT/oauth2/token` of version 1, which older clients use.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::TENANT;
use super::service::Service;
use super::state::{Token, Who};
use crate::azure::aadsts;
use crate::google::jose;
use crate::keys::{jws_part, random_hex};
use crate::wire::{Reply, Request, percent_decode};

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const AUDIENCE: &str = "api://AzureADTokenExchange";

/// Version 1 names a resource, and writes numbers as texts
const V1: &str = "/oauth2/token";
const V2: &str = "/oauth2/v2.0/token";

pub(crate) fn is_path(path: &str) -> bool {
    path.ends_with(V1) || path.ends_with(V2)
}

pub(crate) fn token(request: &Request, service: &Service) -> Reply {
    let body = String::from_utf8_lossy(&request.body).replace('+', " ");
    let field = |name: &str| {
        let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| percent_decode(value)).next()
    };
    let tenant = request.path.trim_start_matches('/').split('/').next().unwrap_or_default();
    if request.method != "POST" || tenant != TENANT {
        return aadsts(400, "invalid_request", 90002, &format!("Tenant '{tenant}' not found."));
    }
    if field("grant_type").as_deref() != Some("client_credentials") {
        return aadsts(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.");
    }
    let first = request.path.ends_with(V1);
    let scope = field("scope").unwrap_or_default();
    let audience = match first {
        true => field("resource"),
        false => scope.split(' ').next().and_then(|scope| scope.strip_suffix("/.default")).map(str::to_owned),
    };
    let Some(audience) = audience else {
        return match first {
            true => aadsts(400, "invalid_request", 900_144, "The request body must contain 'resource'."),
            false => aadsts(400, "invalid_scope", 1_002_012, "The provided value for scope is not valid."),
        };
    };
    let client_id = field("client_id").unwrap_or_default();
    let who = match (field("client_secret"), field("client_assertion")) {
        (Some(secret), None) => by_secret(&client_id, &secret, service),
        (None, Some(_)) if field("client_assertion_type").as_deref() != Some(ASSERTION) => {
            Err(aadsts(400, "invalid_request", 50027, "client_assertion_type is not supported."))
        }
        (None, Some(assertion)) => by_assertion(&client_id, &assertion, service),
        _ => Err(aadsts(
            401,
            "invalid_client",
            7_000_218,
            "The request body must contain client_assertion or client_secret.",
        )),
    };
    let who = match who {
        Ok(who) => who,
        Err(refused) => return refused,
    };
    let mut state = service.lock();
    let claims = json!({"tid": state.settings.token_tenant, "oid": who.principal, "appid": client_id});
    let claims = match state.settings.opaque_tokens {
        true => random_hex(40),
        false => URL_SAFE_NO_PAD.encode(claims.to_string()),
    };
    let secret = format!("eyJ0eXAiOiJKV1Qi.{claims}.{}", random_hex(30));
    let expires = state.now() + 3599;
    state.tokens.push(Token { secret: secret.clone(), audience: audience.clone(), who, expires });
    let answer = match first {
        true => json!({
            "token_type": "Bearer", "expires_in": "3599", "ext_expires_in": "3599", "expires_on": expires.to_string(),
            "not_before": state.now().to_string(), "resource": audience, "access_token": secret,
        }),
        false => {
            json!({"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": secret})
        }
    };
    Reply::json(200, &answer)
}

fn unknown(client_id: &str) -> Reply {
    let message = format!("Application with identifier '{client_id}' was not found in the directory.");
    aadsts(400, "unauthorized_client", 700_016, &message)
}

fn by_secret(client_id: &str, secret: &str, service: &Service) -> Result<Who, Reply> {
    let state = service.lock();
    let application = state.applications.get(client_id).ok_or_else(|| unknown(client_id))?;
    if !application.enabled {
        let message = format!("Application '{client_id}' is disabled.");
        return Err(aadsts(400, "unauthorized_client", 7_000_112, &message));
    }
    if !application.secrets.iter().any(|(_, own)| own == secret) {
        return Err(aadsts(401, "invalid_client", 7_000_215, "Invalid client secret provided."));
    }
    Ok(Who { principal: application.principal.clone(), client_id: Some(client_id.to_owned()) })
}

/// A managed identity, by one of its federated credentials and the issuer's own documents.
fn by_assertion(client_id: &str, assertion: &str, service: &Service) -> Result<Who, Reply> {
    let refuse = |number, message: &str| aadsts(401, "invalid_client", number, message);
    let (Some(header), Some(claims)) = (jws_part(assertion, 0), jws_part(assertion, 1)) else {
        return Err(refuse(50027, "JWT token is invalid or malformed."));
    };
    let (who, now) = {
        let mut state = service.lock();
        let now = state.now();
        let identity = state.identities.values_mut().find(|it| it.client_id == client_id);
        let identity = identity.ok_or_else(|| unknown(client_id))?;
        let of_issuer: Vec<_> =
            identity.federated.iter().filter(|it| it["properties"]["issuer"] == claims["iss"]).collect();
        let unseen = identity.unseen > 0;
        identity.unseen = identity.unseen.saturating_sub(1);
        if of_issuer.is_empty() || unseen {
            let message = "No matching federated identity record found for presented assertion issuer.";
            return Err(refuse(700_211, message));
        }
        let audiences = match &claims["aud"] {
            Value::Array(several) => several.clone(),
            one => vec![one.clone()],
        };
        let takes = |it: &Value| {
            it["properties"]["audiences"].as_array().is_some_and(|all| {
                all.iter().any(|one| audiences.len() == 1 && audiences.contains(one) && one == AUDIENCE)
            })
        };
        let of_audience: Vec<_> = of_issuer.into_iter().filter(|it| takes(it)).collect();
        if of_audience.is_empty() {
            let message = "No matching federated identity record found for presented assertion audience.";
            return Err(refuse(700_212, message));
        }
        let subject = claims["sub"].as_str().unwrap_or_default();
        let own = |it: &&&Value| it["properties"]["subject"] == subject;
        if !of_audience.iter().any(|it| own(&it)) {
            let text = |it: &&Value| it["properties"]["subject"].as_str().unwrap_or_default().to_owned();
            let number = match of_audience.iter().any(|it| text(it).eq_ignore_ascii_case(subject)) {
                true => 7_002_138,
                false => 700_213,
            };
            let message = "No matching federated identity record found for presented assertion subject.";
            return Err(refuse(number, message));
        }
        (Who { principal: identity.principal.clone(), client_id: None }, now)
    };
    let time = |claim: &str| claims[claim].as_i64();
    if time("exp").is_none_or(|end| end <= now) || time("nbf").is_some_and(|begin| begin > now + 300) {
        return Err(refuse(700_024, "Client assertion is not within its valid time range."));
    }
    let issuer = claims["iss"].as_str().unwrap_or_default();
    let keys = service.world.key_set(issuer, None).map_err(|_| {
        let message = "Request to External OIDC endpoint failed.";
        aadsts(400, "invalid_request", 90061, message)
    })?;
    match jose::verify(assertion, &header, &keys) {
        Ok(true) if header["alg"] == "RS256" => Ok(who),
        Ok(_) => Err(refuse(50013, "Assertion failed signature validation.")),
        Err(_) => Err(refuse(
            700_027,
            "The certificate with identifier used to sign the client assertion is not registered.",
        )),
    }
}
