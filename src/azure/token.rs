//! PURE. An access token, and how answers are read that hold one.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderValue;
use serde_json::Value;

use crate::{
    error::{Code, Error, Result},
    secret::{Secret, is_header_safe},
};

/// A token that ends sooner is replaced by a new one.
const EARLY: Duration = Duration::from_secs(300);
/// Of a token whose answer names no end: it is asked for again soon.
const UNKNOWN_LIFE: Duration = Duration::from_secs(60);
/// Entra's tokens live for a day at most; a longer life is not relied on.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);

/// What a service is shown.
#[derive(Clone, Debug)]
pub(super) struct Token {
    secret: Secret,
    /// Until then it is used without asking for another.
    fresh_until: Instant,
}

impl Token {
    /// From the JSON of a token service (RFC 6749 §5.1). `who` gave the answer; it is not quoted.
    pub(super) fn from_answer(body: &[u8], now: Instant, who: &str) -> Result<Self> {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        Self::new(&answer["access_token"], seconds(&answer["expires_in"]), now, who)
    }

    /// From the JSON of `az account get-access-token`. `epoch`: seconds since 1970, now.
    pub(super) fn from_cli(body: &[u8], now: Instant, epoch: u64, who: &str) -> Result<Self> {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        // Versions before 2.54 tell the end in local time only.
        let life = seconds(&answer["expires_on"]).map(|end| end.saturating_sub(epoch));
        Self::new(&answer["accessToken"], life, now, who)
    }

    fn new(token: &Value, life: Option<u64>, now: Instant, who: &str) -> Result<Self> {
        let Some(text) = token.as_str().filter(|text| is_header_safe(text)) else {
            return Err(Error::failed(Code::AzureAnswer, format!("{who} answers without a usable token"))
                .hint("check AZURE_AUTHORITY_HOST, and any proxy before it (its login page?)"));
        };
        let secret = Secret::passing(text.to_owned());
        if life == Some(0) {
            return Err(Error::failed(Code::AzureAnswer, format!("{who} gives a token that has expired"))
                .hint("check the clock of this machine, then run the command again"));
        }
        let life = life.map_or(UNKNOWN_LIFE, |life| Duration::from_secs(life).min(LONGEST_LIFE));
        // A token with a short life is used for half of it.
        let fresh = life.checked_sub(EARLY).filter(|left| *left > life / 2).unwrap_or(life / 2);
        Ok(Self { secret, fresh_until: now.checked_add(fresh).unwrap_or(now) })
    }

    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        now < self.fresh_until
    }

    /// `Authorization`, as a bearer token (RFC 6750).
    pub(super) fn header(&self) -> Result<HeaderValue> {
        self.secret.bearer("the token of Microsoft Entra")
    }
}

/// Whose a token is, as Entra has written into it: nothing of it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Whose {
    pub(crate) tenant: String,
    /// The user, or the service principal.
    object: String,
    /// The program that it was given to.
    application: String,
}

impl std::fmt::Display for Whose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tenant, object, application } = self;
        write!(f, "the object {object} of the tenant {tenant}, by the application {application}")
    }
}

impl Token {
    /// Read, not verified: it comes from Entra itself, and decides nothing but whether it is used. `None`: it does not say.
    pub(super) fn whose(&self) -> Option<Whose> {
        let claims = self.secret.expose().split('.').nth(1)?;
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        let id = |name: &str| claims[name].as_str().filter(|id| is_guid(id)).map(str::to_ascii_lowercase);
        let application = id("appid").or_else(|| id("azp"))?;
        Some(Whose { tenant: id("tid")?, object: id("oid")?, application })
    }
}

fn is_guid(text: &str) -> bool {
    let form = "00000000-0000-0000-0000-000000000000".bytes();
    text.len() == form.len()
        && text.bytes().zip(form).all(|(byte, form)| match form {
            b'0' => byte.is_ascii_hexdigit(),
            _ => byte == form,
        })
}

/// The metadata service writes numbers as text.
fn seconds(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(life: &str) -> Duration {
        let now = Instant::now();
        let body = format!(r#"{{"access_token":"CANARY.t","expires_in":{life},"token_type":"Bearer"}}"#);
        let token = Token::from_answer(body.as_bytes(), now, "Entra").unwrap();
        assert!(!format!("{token:?}").contains("CANARY"));
        token.fresh_until.duration_since(now)
    }

    #[test]
    fn token_is_replaced_before_it_ends() {
        for (life, seconds) in [
            ("3600", 3300),
            ("\"3600\"", 3300),
            ("600", 300),
            ("400", 200),
            ("2", 1),
            ("null", 30),
            ("-5", 30),
            ("18446744073709551615", 24 * 3600 - 300),
        ] {
            assert_eq!(fresh(life), Duration::from_secs(seconds), "{life}");
        }
        let now = Instant::now();
        let cli = r#"{"accessToken":"t","expiresOn":"2026-11-27 06:00:00.000000","expires_on":5000}"#;
        let token = Token::from_cli(cli.as_bytes(), now, 1400, "az").unwrap();
        assert_eq!(token.fresh_until.duration_since(now), Duration::from_secs(3300));
        assert!(token.is_fresh(now) && !token.is_fresh(now + Duration::from_secs(3300)));
    }

    #[test]
    fn token_says_whose_it_is() {
        let of = |claims: &str| {
            let text = format!("e30.{}.CANARY", URL_SAFE_NO_PAD.encode(claims));
            let body = serde_json::json!({"access_token": text, "expires_in": 60}).to_string();
            Token::from_answer(body.as_bytes(), Instant::now(), "Entra").unwrap().whose()
        };
        let id = |last: u8| format!("0A1b2c3d-0000-4000-8000-00000000000{last}");
        let all = format!(r#"{{"tid":"{}","oid":"{}","appid":"{}","upn":"CANARY"}}"#, id(1), id(2), id(3));
        let shown = of(&all).unwrap().to_string();
        assert!((1..=3).all(|last| shown.contains(&id(last).to_lowercase())), "{shown}");
        assert!(!shown.contains("CANARY"));
        assert!(of(&all.replace("appid", "azp")).is_some());
        for odd in ["tid", "oid", "appid"] {
            assert_eq!(of(&all.replace(odd, "other")), None, "{odd}");
        }
        for claims in ["", "[]", r#"{"tid":7}"#, &all.replace(&id(1), "not a GUID, but as long as one is: 3")]
        {
            assert_eq!(of(claims), None, "{claims}");
        }
    }

    #[test]
    fn answers_without_token_are_not_quoted() {
        let now = Instant::now();
        for body in [
            "",
            "CANARY",
            "<html>CANARY</html>",
            "[]",
            r#"{"access_token":"","expires_in":3600}"#,
            r#"{"access_token":"CANARY\n","expires_in":3600}"#,
            r#"{"access_token":"CANA RY","expires_in":3600}"#,
            r#"{"access_token":["CANARY"],"expires_in":3600}"#,
            r#"{"access_token":"CANARY","expires_in":0}"#,
            r#"{"id_token":"CANARY"}"#,
        ] {
            let error = Token::from_answer(body.as_bytes(), now, "Entra").unwrap_err();
            assert_eq!(error.code, Code::AzureAnswer, "{body}");
            assert!(!format!("{error} {error:?}").contains("CANA"), "{error}");
        }
    }
}
