//! A service-account token: what it claims, and whether a key made it.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm as JwtAlgorithm, Validation};
use serde_json::{Map, Value};

use super::{
    SignedIssuer,
    key::{Algorithm, PublicKey},
};
use crate::{
    error::{Code, Error, Result},
    redact,
};

/// A signed token in compact form (RFC 7519 §3). It is a credential: it cannot print itself.
#[derive(Clone)]
pub(crate) struct Token {
    text: String,
    claims: Claims,
}

/// What a token says of itself, unverified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) algorithm: String,
    pub(crate) kid: Option<String>,
    pub(crate) issuer: SignedIssuer,
    pub(crate) subject: String,
    pub(crate) audiences: Vec<String>,
    /// Seconds since 1970, as are the next two.
    pub(crate) expires: u64,
    pub(crate) issued: u64,
    pub(crate) not_before: Option<u64>,
}

impl Token {
    /// Reads the claims; nothing is verified yet.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        redact::remember_passing(text);
        let malformed = |why: &str| {
            Error::failed(Code::TokenMalformed, format!("the API server's token cannot be read: {why}"))
                .hint("a service-account token is a JWT of three parts (RFC 7519 §3)")
        };
        let mut parts = text.split('.');
        let (Some(header), Some(payload), Some(_signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed("it has not three parts"));
        };
        let object = |part: &str| -> Option<Map<String, Value>> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
        };
        let header = object(header).ok_or_else(|| malformed("its header is not JSON"))?;
        let payload = object(payload).ok_or_else(|| malformed("its payload is not JSON"))?;
        let string =
            |from: &Map<String, Value>, name: &str| from.get(name).and_then(Value::as_str).map(str::to_owned);
        let required = |name: &str| string(&payload, name).ok_or_else(|| malformed(&format!("no `{name}`")));
        let time = |name: &str| match payload.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => numeric_date(value)
                .map(Some)
                .ok_or_else(|| malformed(&format!("its `{name}` is no time from 1970 to 9999, in seconds"))),
        };
        let claims = Claims {
            algorithm: string(&header, "alg").ok_or_else(|| malformed("no `alg`"))?,
            kid: string(&header, "kid"),
            issuer: required("iss")?.parse().map_err(|error: Error| malformed(&error.message))?,
            subject: required("sub")?,
            audiences: match payload.get("aud") {
                Some(Value::String(one)) => vec![one.clone()],
                Some(Value::Array(many)) => {
                    many.iter().filter_map(Value::as_str).map(str::to_owned).collect()
                }
                _ => Vec::new(),
            },
            expires: time("exp")?.ok_or_else(|| malformed("no `exp`"))?,
            issued: time("iat")?.ok_or_else(|| malformed("no `iat`"))?,
            not_before: time("nbf")?,
        };
        Ok(Self { text: text.to_owned(), claims })
    }

    /// The token itself, for the one place that sends it.
    pub(crate) fn expose(&self) -> &str {
        &self.text
    }

    pub(crate) fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Whether this key signed the token (RFC 7515 §5.2). Claims are the caller's to compare, so that each
    /// difference can be named.
    pub(crate) fn signed_by(&self, key: &PublicKey) -> Result<(), String> {
        let algorithm = match key.algorithm() {
            Algorithm::Rs256 => JwtAlgorithm::RS256,
            Algorithm::Es256 => JwtAlgorithm::ES256,
            Algorithm::Es384 => JwtAlgorithm::ES384,
            // jsonwebtoken knows no ES512: what it cannot verify is verified by the library below it.
            Algorithm::Es512 => return self.signed_by_es512(key),
        };
        let mut validation = Validation::new(algorithm);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let decoding = key.decoding_key().map_err(|error| error.to_string())?;
        jsonwebtoken::decode::<Value>(&self.text, &decoding, &validation)
            .map(|_| ())
            .map_err(|error| error.to_string())
    }

    fn signed_by_es512(&self, key: &PublicKey) -> Result<(), String> {
        if self.claims.algorithm != "ES512" {
            return Err(format!("the token's algorithm is {}", self.claims.algorithm));
        }
        let (message, signature) = self.text.rsplit_once('.').ok_or("it has no signature")?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|error| error.to_string())?;
        key.verify_es512(message.as_bytes(), &signature)
    }
}

/// A NumericDate (RFC 7519 §2): seconds since 1970, here up to the end of the year 9999. A fraction is left out.
fn numeric_date(value: &Value) -> Option<u64> {
    const END: u64 = 253_402_300_799;
    let seconds = match (value.as_u64(), value.as_f64()) {
        (Some(seconds), _) => seconds,
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "within the bounds that are checked"
        )]
        (None, Some(seconds)) if (0.0..=END as f64).contains(&seconds) => seconds as u64,
        _ => return None,
    };
    (seconds <= END).then_some(seconds)
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("claims", &self.claims).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(payload: &str) -> Result<Token> {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        Token::parse(&format!(
            "{}.{}.{}",
            part(r#"{"alg":"RS256","kid":"a"}"#),
            part(payload),
            part("signature")
        ))
    }

    fn with(name: &str, value: &str) -> Result<Token> {
        let mut claims = json!({"iss": "https://a.example", "sub": "b", "iat": 1, "exp": 2});
        claims[name] = json!("PLACE");
        token(&claims.to_string().replace("\"PLACE\"", value))
    }

    #[test]
    fn times_are_seconds_until_year_9999() {
        for (value, seconds) in [
            ("0", 0),
            ("1800000000", 1_800_000_000),
            ("1800000000.9", 1_800_000_000),
            ("1.8e9", 1_800_000_000),
        ] {
            for name in ["iat", "exp", "nbf"] {
                let token = with(name, value).unwrap();
                let claims = token.claims();
                let times = [Some(claims.issued), Some(claims.expires), claims.not_before];
                assert!(times.contains(&Some(seconds)), "{name} {value}: {claims:?}");
            }
        }
        assert_eq!(with("nbf", "null").unwrap().claims().not_before, None);
    }

    #[test]
    fn other_times_name_their_claim() {
        for value in [
            "-1",
            "-1800000000",
            "-0.5",
            "253402300800",
            "18446744073709551615",
            "18446744073709551616",
            "1e300",
            "\"1800000000\"",
            "true",
            "[]",
            "{}",
            "[1800000000]",
        ] {
            for name in ["iat", "exp", "nbf"] {
                let error = with(name, value).unwrap_err();
                assert_eq!(error.code, Code::TokenMalformed);
                assert!(error.message.contains(&format!("`{name}`")), "{value}: {error}");
                assert!(!error.message.contains("253402300800"), "{error}");
            }
        }
    }
}
