//! What pools and providers may look like (discovery document of IAM v1, and the pages on limits).

use serde_json::Value;

use super::cel::Expression;
use super::error::{GoogleError, Result};
use super::federation::Kind;
use super::state::State;

/// 4 to 32 of `[a-z0-9-]`, not beginning with `gcp-`
pub(crate) fn id(id: &str) -> Result<()> {
    let right = (4..=32).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !id.starts_with("gcp-");
    if right {
        return Ok(());
    }
    invalid(format!(
        "Invalid ID '{id}': it must be 4-32 characters of [a-z0-9-]. The prefix 'gcp-' is reserved for use by Google."
    ))
}

/// A whole pool or provider as it would be after a write
pub(crate) fn resource(kind: Kind, resource: &Value, state: &State) -> Result<()> {
    let long =
        |field: &str, most: usize| resource[field].as_str().is_some_and(|text| text.chars().count() > most);
    for (field, most) in [("displayName", 32), ("description", 256)] {
        if long(field, most) {
            return invalid(format!("The {field} must not exceed {most} characters."));
        }
    }
    if kind == Kind::Provider {
        mapping(&resource["attributeMapping"])?;
        condition(resource["attributeCondition"].as_str().unwrap_or_default())?;
        oidc(&resource["oidc"], resource["name"].as_str().unwrap_or_default(), state)?;
    }
    Ok(())
}

fn mapping(mapping: &Value) -> Result<()> {
    let empty = serde_json::Map::new();
    let mapping = mapping.as_object().unwrap_or(&empty);
    if !mapping.contains_key("google.subject") {
        return invalid("The attribute mapping must contain google.subject.");
    }
    let custom = mapping.keys().filter(|key| key.starts_with("attribute.")).count();
    if custom > 50 {
        return invalid("The attribute mapping must not contain more than 50 custom attributes.");
    }
    for (key, expression) in mapping {
        let name = |name: &str| {
            let right = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            !name.is_empty() && name.len() <= 100 && name.bytes().all(right)
        };
        let google = ["google.subject", "google.groups"].contains(&key.as_str());
        if !google && !key.strip_prefix("attribute.").is_some_and(name) {
            return invalid(format!("Invalid attribute mapping key: {key}"));
        }
        let expression = expression.as_str().unwrap_or_default();
        if expression.len() > 2048 {
            return invalid(format!("The expression of {key} must not exceed 2048 characters."));
        }
        if let Err(error) = Expression::parse(expression) {
            return invalid(format!("Error in the attribute mapping of {key}: {error}"));
        }
    }
    Ok(())
}

fn condition(condition: &str) -> Result<()> {
    if condition.len() > 4096 {
        return invalid("The attribute condition must not exceed 4096 characters.");
    }
    match Expression::parse(condition) {
        Err(error) if !condition.is_empty() => invalid(format!("Error in the attribute condition: {error}")),
        _ => Ok(()),
    }
}

fn oidc(oidc: &Value, name: &str, state: &State) -> Result<()> {
    let issuer = oidc["issuerUri"].as_str().unwrap_or_default();
    if !issuer.starts_with("https://") || issuer.len() < 9 {
        return invalid("The OIDC issuer URI must be a valid URI that uses the https scheme.");
    }
    if state.settings.allowed_issuers.as_ref().is_some_and(|allowed| !allowed.iter().any(|it| it == issuer)) {
        let pool = name.split("/providers/").next().unwrap_or_default();
        return Err(GoogleError::organisation(
            "Precondition check failed.",
            "constraints/iam.workloadIdentityPoolProviders",
            &format!("orgpolicy:{pool}"),
        ));
    }
    let audiences = oidc["allowedAudiences"].as_array().map(Vec::as_slice).unwrap_or_default();
    if audiences.len() > 10 {
        return invalid("A provider must not have more than 10 allowed audiences.");
    }
    let long = |audience: &Value| audience.as_str().is_none_or(|it| it.is_empty() || it.len() > 256);
    if audiences.iter().any(long) {
        return invalid("An allowed audience must have between 1 and 256 characters.");
    }
    match oidc["jwksJson"].as_str() {
        None | Some("") => Ok(()),
        Some(text) => jwks(text),
    }
}

/// Shape and kind of uploaded keys; whether they are of any use is not looked at
fn jwks(text: &str) -> Result<()> {
    let set: Value = serde_json::from_str(text)
        .or_else(|error| invalid(format!("The JWKS must be a valid JSON document: {error}")))?;
    let Some(keys) = set["keys"].as_array().filter(|keys| !keys.is_empty()) else {
        return invalid("The JWKS must have a non-empty member 'keys'.");
    };
    if keys.len() > 8 {
        return invalid("The JWKS must not contain more than 8 keys.");
    }
    let allowed = ["kty", "alg", "use", "kid", "n", "e", "x", "y", "crv"];
    for key in keys {
        let Some(members) = key.as_object() else {
            return invalid("Each key of the JWKS must be an object.");
        };
        if let Some(other) = members.keys().find(|name| !allowed.contains(&name.as_str())) {
            return invalid(format!(
                "The JWKS contains the unsupported parameter '{other}'. Only {} are allowed.",
                allowed.join(", ")
            ));
        }
        let text = |name: &str| key[name].as_str().is_some_and(|value| !value.is_empty());
        let right = match key["kty"].as_str() {
            Some("RSA") => text("n") && text("e") && (key["alg"].is_null() || key["alg"] == "RS256"),
            Some("EC") => text("x") && text("y") && key["crv"] == "P-256",
            _ => false,
        };
        if !right {
            return invalid(
                "The JWKS contains an unsupported key. Only RSA keys and EC keys of P-256 are supported.",
            );
        }
    }
    Ok(())
}

fn invalid<T>(message: impl Into<String>) -> Result<T> {
    Err(GoogleError::invalid(message))
}
