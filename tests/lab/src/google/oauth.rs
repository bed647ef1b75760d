//! Tokens of service accounts and users: `oauth2.googleapis.com`, self-signed ones, and the metadata
//! server.

use serde_json::{Value, json};

use super::accounts::Key;
use super::callers::Who;
use super::error::answer;
use super::state::State;
use super::sts::Fields;
use crate::keys::jws_part;
use crate::wire::{Reply, Request};

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// `POST /tokeninfo`: whose an access token is. One of a workload identity is none that it knows
pub(crate) fn token_info(request: &Request, state: &State) -> Reply {
    let fields = Fields::of(request);
    let token = fields.get("access_token");
    let found = state.callers.iter().find(|caller| caller.token == token);
    let found = found.filter(|caller| caller.expires.is_none_or(|at| at > state.now()));
    let name = found.map(|caller| caller.who.name()).unwrap_or_default();
    match name.split_once(':') {
        Some(("user" | "serviceAccount", email)) => answer(
            200,
            &json!({
                "azp": "104", "aud": "104", "sub": "104", "expires_in": "3599", "email": email,
                "scope": "https://www.googleapis.com/auth/cloud-platform",
            }),
        ),
        _ => answer(400, &json!({"error": "invalid_token", "error_description": "Invalid Value"})),
    }
}

/// `POST /token`: an assertion of a service account (RFC 7523) or a user's refresh token
pub(crate) fn token(request: &Request, state: &mut State) -> Reply {
    let fields = Fields::of(request);
    let refused = |error: &str, description: &str| {
        answer(400, &json!({"error": error, "error_description": description}))
    };
    let who = match fields.get("grant_type") {
        JWT_BEARER => {
            let assertion = fields.get("assertion");
            let claims = jws_part(assertion, 1).unwrap_or_default();
            let iss = claims["iss"].as_str().unwrap_or_default();
            let Some(account) = state.accounts.get(iss) else {
                return refused("invalid_grant", "Invalid grant: account not found");
            };
            let audience = claims["aud"].as_str().unwrap_or_default();
            if signed(assertion, state).is_none() {
                return refused("invalid_grant", "Invalid JWT Signature.");
            }
            if account.disabled {
                return refused("invalid_grant", "Account has been disabled");
            }
            if !timely(&claims, state.now()) {
                return refused(
                    "invalid_grant",
                    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. \
                     Check your iat and exp values in the JWT claim.",
                );
            }
            if !audience.ends_with("/token") {
                return refused("invalid_grant", "Invalid JWT: Failed audience check.");
            }
            if claims["scope"].as_str().is_none_or(str::is_empty) {
                return refused("invalid_scope", "Invalid OAuth scope or ID token audience provided.");
            }
            Who::Account { email: iss.to_owned() }
        }
        "refresh_token" => match state.settings.refresh_token.as_str() {
            "" => return refused("invalid_grant", "Token has been expired or revoked."),
            known if known == fields.get("refresh_token") => Who::Owner,
            _ => return refused("invalid_grant", "Bad Request"),
        },
        _ => return refused("unsupported_grant_type", "Invalid grant_type"),
    };
    let token = state.admit(who, Some(3600));
    answer(200, &json!({"access_token": token, "expires_in": 3599, "token_type": "Bearer"}))
}

/// `http://metadata.google.internal`, for clients that are configured to find it here (`GCE_METADATA_HOST`)
pub(crate) fn metadata(request: &Request, state: &mut State) -> Reply {
    if request.header("metadata-flavor") != Some("Google") {
        return Reply::new(403, "text/html", "Missing Metadata-Flavor:Google header.");
    }
    let text = |text: &str| Reply::new(200, "application/text", text.to_owned());
    let default = "/computeMetadata/v1/instance/service-accounts/default";
    let email = state.accounts.keys().next().cloned().unwrap_or_default();
    let reply = match request.path.strip_prefix(default) {
        Some("/token") if !email.is_empty() => {
            let token = state.admit(Who::Account { email }, Some(3600));
            Reply::json(200, &json!({"access_token": token, "expires_in": 3599, "token_type": "Bearer"}))
        }
        Some("/email") if !email.is_empty() => text(&email),
        _ if request.path == "/computeMetadata/v1/universe/universe-domain" => text("googleapis.com"),
        _ if request.path == "/computeMetadata/v1/project/project-id" => text(super::PROJECT_ID),
        _ => Reply::new(404, "text/html", "not found"),
    };
    reply.with("metadata-flavor", "Google")
}

impl State {
    /// The service account that signed a bearer token itself (AIP-4111)
    pub(crate) fn self_signed(&self, bearer: &str) -> Option<Who> {
        let claims = signed(bearer, self)?;
        let email = claims["iss"].as_str()?;
        let google = |text: &str| text.contains("googleapis.com");
        let meant = ["aud", "scope"].iter().any(|name| claims[*name].as_str().is_some_and(google));
        let right = claims["sub"] == email && meant && timely(&claims, self.now());
        right.then(|| Who::Account { email: email.to_owned() })
    }
}

/// The claims of a JWT that a usable key of its issuer signed
fn signed(jwt: &str, state: &State) -> Option<Value> {
    let (header, claims) = (jws_part(jwt, 0)?, jws_part(jwt, 1)?);
    let account = state.accounts.get(claims["iss"].as_str()?)?;
    let named = |key: &&Key| header["kid"].is_null() || header["kid"] == key.id.as_str();
    let usable = account.keys.iter().filter(|key| !key.disabled).filter(named);
    usable.map(|key| key.pair.verify(jwt)).find(Option::is_some)?
}

fn timely(claims: &Value, now: i64) -> bool {
    let (Some(iat), Some(exp)) = (claims["iat"].as_i64(), claims["exp"].as_i64()) else { return false };
    exp > now && exp - iat <= 3600 && iat <= now + 300
}
