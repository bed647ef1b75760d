//! Tokens of a service account: by assertion (RFC 7523) and self-signed (AIP-4111).

use serde_json::{Value, json};

use super::{EMAIL, Shared, Token};
use crate::clock;
use crate::keys::jws_part;
use crate::s3::Access;
use crate::wire::{Reply, Request, percent_decode};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// `POST /token`
pub(crate) fn token(request: &Request, shared: &mut Shared) -> Reply {
    let body = String::from_utf8_lossy(&request.body);
    let field = |name: &str| {
        let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| percent_decode(value)).next()
    };
    let refused = |error: &str, description: &str| {
        Reply::json(400, &json!({"error": error, "error_description": description}))
    };
    if field("grant_type").as_deref() != Some(GRANT) {
        return refused("unsupported_grant_type", "Invalid grant_type");
    }
    let assertion = field("assertion").unwrap_or_default();
    let Some(claims) = verified(&assertion, shared) else {
        return refused("invalid_grant", "Invalid JWT Signature.");
    };
    let audience = claims["aud"].as_str().unwrap_or_default();
    if !audience.ends_with("/token") {
        return refused("invalid_grant", "Invalid JWT: Failed audience check.");
    }
    if claims["scope"].as_str().is_none_or(str::is_empty) {
        return refused("invalid_scope", "Invalid OAuth scope or ID token audience provided.");
    }
    let token = Token { expires: Some(clock::now(0) + 3600), ..Token::new(Access::Full) };
    let reply = json!({"access_token": token.secret, "expires_in": 3599, "token_type": "Bearer"});
    shared.tokens.push(token);
    Reply::json(200, &reply)
}

/// What a self-signed token may do
pub(crate) fn self_signed(bearer: &str, shared: &Shared) -> Option<Access> {
    let claims = verified(bearer, shared)?;
    let storage = |text: &str| {
        text.contains("https://storage.googleapis.com")
            || text.contains("/auth/cloud-platform")
            || text.contains("/auth/devstorage")
    };
    let meant = ["scope", "aud"].iter().any(|name| claims[*name].as_str().is_some_and(storage));
    (meant && claims["sub"] == EMAIL).then_some(Access::Full)
}

/// The claims of a JWT that the service account signed and that is valid at this time
fn verified(jwt: &str, shared: &Shared) -> Option<Value> {
    let header = jws_part(jwt, 0)?;
    let claims = shared.service_account.verify(jwt)?;
    let (now, iat, exp) = (clock::now(0), claims["iat"].as_i64()?, claims["exp"].as_i64()?);
    let right = header["alg"] == "RS256"
        && header["kid"] == shared.key_id.as_str()
        && claims["iss"] == EMAIL
        && exp > now
        && exp - iat <= 3600
        && iat <= now + 300;
    right.then_some(claims)
}
