//! The token service (AWS STS API reference; its texts as clients have reported them).

use serde_json::Value;

use super::ACCOUNT;
use super::error::{Refusal, Result, refused};
use super::policy::trusts;
use super::service::Service;
use super::state::{Caller, Provider, Session, State, random_id, random_secret};
use super::xml::{Form, around, tag};
use crate::clock;
use crate::keys::jws_part;
use crate::vault::jose::Key;

/// What STS takes as algorithms of tokens
const ALGORITHMS: [&str; 6] = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"];

/// `GetCallerIdentity`, which needs no permission
pub(crate) fn identity(caller: &Caller) -> String {
    [tag("Arn", &caller.arn), tag("UserId", &caller.id), tag("Account", ACCOUNT)].concat()
}

/// `GetAccessKeyInfo`: the account of any access key
pub(crate) fn key_info(form: &Form, caller: &Caller, state: &mut State) -> Result<String> {
    state.may(caller, "sts:GetAccessKeyInfo", "*")?;
    let id = form.need("AccessKeyId")?;
    let own = state.keys.contains_key(id) || state.sessions.contains_key(id);
    match state.foreign.get(id).map(String::as_str).or(own.then_some(ACCOUNT)) {
        Some(account) => Ok(tag("Account", account)),
        None => Err(Refusal::validation("Invalid AccessKeyId format")),
    }
}

/// A token with what the account says about its issuer
struct Exchange {
    token: String,
    claims: Value,
    provider_arn: String,
    url: String,
    audience: String,
    now: i64,
    cached: Option<Value>,
}

/// `AssumeRoleWithWebIdentity`, which is not signed
pub(crate) fn assume(form: &Form, service: &Service) -> Result<String> {
    let exchange = Exchange::read(form, &mut service.lock())?;
    exchange.verify(service)?;
    exchange.finish(form, &mut service.lock())
}

fn invalid<T>(message: impl Into<String>) -> Result<T> {
    refused(400, "InvalidIdentityToken", message)
}

impl Exchange {
    fn read(form: &Form, state: &mut State) -> Result<Self> {
        let (token, role) = (form.need("WebIdentityToken")?, form.need("RoleArn")?);
        parameters(form, role, token)?;
        let (Some(_), Some(claims), 3) = (jws_part(token, 0), jws_part(token, 1), token.split('.').count())
        else {
            return invalid(
                "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
            );
        };
        for claim in ["iss", "aud", "sub", "iat", "exp"] {
            if claims[claim].is_null() {
                return invalid(format!("Missing a required claim: {claim}"));
            }
        }
        let issuer = claims["iss"].as_str().unwrap_or_default().to_owned();
        let url = issuer.strip_prefix("https://").unwrap_or_default().to_owned();
        let own = role.split(':').nth(4) == Some(ACCOUNT);
        let provider = state.providers.get_mut(&url).filter(|_| own);
        let Some(provider) =
            provider.and_then(|provider| (!unseen(&mut provider.unseen)).then_some(provider))
        else {
            return invalid(format!("No OpenIDConnect provider found in your account for {issuer}"));
        };
        let audience = audience(&claims, provider)?;
        let (clock, now) = (state.settings.jwks_cache, state.now());
        let at = |name: &str| claims[name].as_i64();
        let (Some(expires), Some(issued)) = (at("exp"), at("iat")) else {
            return invalid("The ID Token provided is not a valid JWT: its times must be integers");
        };
        if expires <= now {
            let message = format!(
                "Token expired: current date/time {now} must be before the expiration date/time {expires}"
            );
            return refused(400, "ExpiredTokenException", message);
        }
        if issued.max(at("nbf").unwrap_or(issued)) > now + 300 {
            return invalid("The ID Token provided is not valid yet");
        }
        let provider_arn = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{url}");
        let cached = state.documents.get(&issuer, clock);
        Ok(Self { token: token.to_owned(), claims, provider_arn, url, audience, now, cached })
    }

    /// Whether a key that the issuer publishes has signed the token
    fn verify(&self, service: &Service) -> Result<()> {
        let header = jws_part(&self.token, 0).unwrap_or_default();
        let algorithm = header["alg"].as_str().unwrap_or_default();
        let (true, Some(kid)) = (ALGORITHMS.contains(&algorithm), header["kid"].as_str()) else {
            return invalid(UNVERIFIABLE);
        };
        let in_set = |set: &Value| {
            let keys = set["keys"].as_array()?;
            let key = keys.iter().find(|key| key["kid"] == kid)?;
            let fits = key["alg"].is_null() || key["alg"] == algorithm;
            Key::of_jwk(key).filter(|_| fits)
        };
        let key = match self.cached.as_ref().and_then(in_set) {
            Some(key) => key,
            None => {
                let issuer = format!("https://{}", self.url);
                let Ok(set) = service.world.key_set(&issuer, None) else { return invalid(UNVERIFIABLE) };
                service.lock().documents.put(&issuer, &set);
                in_set(&set).ok_or_else(|| Refusal::new(400, "InvalidIdentityToken", UNVERIFIABLE))?
            }
        };
        if key.signed(&self.token, algorithm) {
            return Ok(());
        }
        invalid("The ID Token provided could not be validated: its signature is invalid")
    }

    fn finish(self, form: &Form, state: &mut State) -> Result<String> {
        let denied =
            || refused(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
        let arn = form.need("RoleArn")?;
        let found = state.roles.iter_mut().find(|(name, role)| role.arn(name) == arn);
        let Some((name, role)) = found else { return denied() };
        let subject = self.claims["sub"].as_str().unwrap_or_default().to_owned();
        let context = [
            (format!("{}:aud", self.url), vec![self.audience.clone()]),
            (format!("{}:sub", self.url), vec![subject.clone()]),
        ];
        let trust = super::documents::read(&role.trust).unwrap_or_default();
        if unseen(&mut role.unseen)
            || !trusts(&trust, &self.provider_arn, &context)
            || state.denied.contains("sts:AssumeRoleWithWebIdentity")
        {
            return denied();
        }
        let seconds = form.get("DurationSeconds").map_or(Ok(3600), str::parse::<i64>);
        let seconds = seconds.ok().filter(|seconds| (900..=43_200).contains(seconds));
        let Some(seconds) = seconds else {
            return Err(Refusal::validation("The requested DurationSeconds is not between 900 and 43200."));
        };
        if seconds > role.longest_session {
            return Err(Refusal::validation(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            ));
        }
        let session = form.need("RoleSessionName")?.to_owned();
        let (id, role_id, name) = (random_id("ASIA"), role.id.clone(), name.clone());
        let credentials = Session {
            role: name.clone(),
            name: session.clone(),
            secret: random_secret(30),
            token: random_secret(240),
            expires: self.now + seconds,
        };
        let shown = [
            tag("AccessKeyId", &id),
            tag("SecretAccessKey", &credentials.secret),
            tag("SessionToken", &credentials.token),
            tag("Expiration", &clock::rfc3339(credentials.expires)),
        ];
        let assumed = format!("arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}");
        let user = [tag("AssumedRoleId", &format!("{role_id}:{session}")), tag("Arn", &assumed)];
        state.sessions.insert(id, credentials);
        state.needed.insert("sts:AssumeRoleWithWebIdentity".to_owned());
        Ok([
            tag("SubjectFromWebIdentityToken", &subject),
            tag("Audience", &self.audience),
            around("AssumedRoleUser", &user.concat()),
            around("Credentials", &shown.concat()),
            tag("Provider", &self.provider_arn),
        ]
        .concat())
    }
}

const UNVERIFIABLE: &str = "Couldn't retrieve verification key from your identity provider,  please reference \
                            AssumeRoleWithWebIdentity documentation for requirements";

/// One exchange less that does not see something new
fn unseen(left: &mut u32) -> bool {
    let unseen = *left > 0;
    *left = left.saturating_sub(1);
    unseen
}

/// `azp` if the token has it, else its one audience; a client ID of the provider in any case
fn audience(claims: &Value, provider: &Provider) -> Result<String> {
    let audiences = super::policy::texts(&claims["aud"]);
    let audience = match (claims["azp"].as_str(), audiences.as_slice()) {
        (Some(party), _) => party.to_owned(),
        (None, [one]) => one.clone(),
        _ => return invalid("The ID Token provided has several audiences and no azp"),
    };
    if provider.clients.contains(&audience) { Ok(audience) } else { invalid("Incorrect token audience") }
}

fn parameters(form: &Form, role: &str, token: &str) -> Result<()> {
    let session = form.need("RoleSessionName")?;
    let letters = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !(2..=64).contains(&session.len()) || !session.chars().all(letters) {
        return Err(Refusal::validation(
            "1 validation error detected: Value at 'roleSessionName' failed to satisfy constraint: Member must \
             satisfy regular expression pattern: [\\w+=,.@-]*",
        ));
    }
    if !(4..=20_000).contains(&token.len()) {
        return Err(Refusal::validation(
            "1 validation error detected: Value at 'webIdentityToken' failed to satisfy constraint: Member must \
             have length between 4 and 20000",
        ));
    }
    if !role.starts_with("arn:aws:iam::") || !role.contains(":role/") {
        return Err(Refusal::validation(format!("{role} is invalid")));
    }
    Ok(())
}
