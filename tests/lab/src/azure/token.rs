//! Tokens: `POST /TENANT/oauth2/v2.0/token`, and the metadata service of a virtual machine.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::error::aadsts;
use super::{Application, Shared, TENANT, Token};
use crate::clock;
use crate::google::jose;
use crate::keys::{jws_part, random_hex};
use crate::s3::Access;
use crate::wire::{Reply, Request, percent_decode};

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const HEADER: &str = r#"{"typ":"JWT","alg":"RS256"}"#;
const AUDIENCE: &str = "api://AzureADTokenExchange";

/// The token endpoint of one tenant
pub(crate) fn token(request: &Request, shared: &mut Shared) -> Reply {
    let body = String::from_utf8_lossy(&request.body).replace('+', " ");
    let field = |name: &str| {
        let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| percent_decode(value)).next()
    };
    let tenant = request.path.trim_start_matches('/').split('/').next().unwrap_or_default();
    if tenant != TENANT {
        return aadsts(400, "invalid_request", 90002, &format!("Tenant '{tenant}' not found."));
    }
    if field("grant_type").as_deref() != Some("client_credentials") {
        return aadsts(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.");
    }
    let scope = field("scope").unwrap_or_default();
    let Some(audience) = scope.split(' ').next().and_then(|scope| scope.strip_suffix("/.default")) else {
        return aadsts(400, "invalid_scope", 1_002_012, "The provided value for scope is not valid.");
    };
    let client_id = field("client_id").unwrap_or_default();
    let Some(application) = shared.applications.iter().find(|it| it.client_id == client_id) else {
        let message = format!("Application with identifier '{client_id}' was not found in the directory.");
        return aadsts(400, "unauthorized_client", 700_016, &message);
    };
    let refused = match (field("client_secret"), field("client_assertion")) {
        (Some(secret), None) => (application.secret.as_deref() != Some(secret.as_str()))
            .then(|| aadsts(401, "invalid_client", 7_000_215, "Invalid client secret provided.")),
        (None, Some(_)) if field("client_assertion_type").as_deref() != Some(ASSERTION) => {
            Some(aadsts(400, "invalid_request", 50027, "client_assertion_type is not supported."))
        }
        (None, Some(assertion)) => exchange(&assertion, application),
        _ => Some(aadsts(
            401,
            "invalid_client",
            7_000_218,
            "The request body must contain client_assertion or client_secret.",
        )),
    };
    if let Some(refused) = refused {
        return refused;
    }
    let access = application.access.clone();
    issue(shared, audience, access, json!(shared.token_life))
}

/// Why an assertion is not taken. A client without a federated credential has none that fits.
fn exchange(assertion: &str, application: &Application) -> Option<Reply> {
    let refused = |number, message: &str| Some(aadsts(401, "invalid_client", number, message));
    let (Some(header), Some(claims)) = (jws_part(assertion, 0), jws_part(assertion, 1)) else {
        return refused(50027, "JWT token is invalid or malformed.");
    };
    let same = |claim: &str, wanted: &str| claims[claim] == wanted;
    let credentials = &application.federated;
    let of_issuer: Vec<_> = credentials.iter().filter(|it| same("iss", &it.issuer)).collect();
    if of_issuer.is_empty() {
        return refused(
            700_211,
            "No matching federated identity record found for presented assertion issuer.",
        );
    }
    let audiences = match &claims["aud"] {
        Value::Array(several) => several.clone(),
        one => vec![one.clone()],
    };
    if !audiences.iter().any(|audience| audience == AUDIENCE) {
        return refused(
            700_212,
            "No matching federated identity record found for presented assertion audience.",
        );
    }
    let Some(credential) = of_issuer.into_iter().find(|it| same("sub", &it.subject)) else {
        return refused(
            700_213,
            "No matching federated identity record found for presented assertion subject.",
        );
    };
    let (now, time) = (clock::now(0), |claim: &str| claims[claim].as_i64());
    if time("exp").is_none_or(|end| end <= now) || time("nbf").is_some_and(|begin| begin > now + 300) {
        return refused(700_024, "Client assertion is not within its valid time range.");
    }
    match jose::verify(assertion, &header, &credential.keys) {
        Ok(true) if header["alg"] == "RS256" => None,
        Ok(_) => refused(50013, "Assertion failed signature validation."),
        Err(_) => refused(
            700_027,
            "The certificate with identifier used to sign the client assertion is not registered.",
        ),
    }
}

/// `GET /metadata/identity/oauth2/token`: numbers are texts
pub(crate) fn metadata(request: &Request, shared: &mut Shared) -> Reply {
    let refused = |error: &str, description: &str| {
        Reply::json(400, &json!({"error": error, "error_description": description}))
    };
    if request.header("metadata") != Some("true") || request.header("x-forwarded-for").is_some() {
        return refused("bad_request_102", "Required metadata header not specified");
    }
    let (Some(resource), Some(_)) = (request.query("resource"), request.query("api-version")) else {
        return refused("invalid_request", "Required query variable 'resource' is missing");
    };
    let Some((client_id, access)) = shared.machine.clone() else {
        return refused("invalid_request", "Identity not found");
    };
    if request.query("client_id").is_some_and(|wanted| wanted != client_id) {
        return refused("invalid_request", "Identity not found");
    }
    let life = shared.token_life.to_string();
    issue(shared, &resource, access, json!(life))
}

fn issue(shared: &mut Shared, audience: &str, access: Access, life: Value) -> Reply {
    let (begins, expires) = (clock::now(0), clock::now(shared.token_life));
    let claims = json!({
        "aud": audience, "iss": format!("https://sts.windows.net/{TENANT}/"), "tid": TENANT, "ver": "1.0",
        "iat": begins, "nbf": begins - 300, "exp": expires, "jti": random_hex(10),
    });
    let [header, claims] = [HEADER, &claims.to_string()].map(|part| URL_SAFE_NO_PAD.encode(part));
    let secret = format!("{header}.{claims}.{}", random_hex(30));
    shared.tokens.push(Token { secret: secret.clone(), audience: audience.to_owned(), access, expires });
    Reply::json(
        200,
        &json!({"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": secret}),
    )
}
