//! `POST auth/MOUNT/login` (openbao/openbao builtin/credential/jwt/path_login.go;
//! hashicorp/cap jwt/jwt.go).

use std::sync::Mutex;

use serde_json::{Value, json};

use super::VaultSettings;
use super::api::{Answer, Refusal, issued};
use super::jose::{ALGORITHMS, Key};
use super::jwt::{Config, Source, all_known, texts};
use super::state::{DEFAULT_TTL, State, Token};
use super::world::World;
use crate::keys::jws_part;

/// `cap/jwt`, `DefaultLeewaySeconds`
const LEEWAY: i64 = 150;
/// go-jose `jwt.DefaultLeeway`
const SKEW: i64 = 60;

/// A login as far as it can be prepared without the network
pub(crate) struct Attempt {
    namespace: String,
    mount: String,
    role_name: String,
    role: Value,
    token: String,
    config: Config,
    settings: VaultSettings,
    now: i64,
}

impl Attempt {
    pub(crate) fn new(state: &State, mount: &str, body: &Value) -> Result<Self, Refusal> {
        let method = state.jwt.get(mount).ok_or_else(Refusal::not_found)?;
        let default = method.config.as_ref().map(|config| config.default_role.as_str()).unwrap_or_default();
        let role_name =
            body["role"].as_str().filter(|role| !role.is_empty()).unwrap_or(default).to_lowercase();
        if role_name.is_empty() {
            return Err(Refusal::bad("missing role"));
        }
        let role = method.roles.get(&role_name).cloned();
        let role = role.ok_or_else(|| Refusal::bad(&format!("role {role_name:?} could not be found")))?;
        if role["role_type"] == "oidc" {
            return Err(Refusal::bad("role with oidc role_type is not allowed"));
        }
        let token = body["jwt"].as_str().unwrap_or_default().to_owned();
        if token.is_empty() {
            return Err(Refusal::bad("missing token"));
        }
        let config = method.config.clone().ok_or_else(|| Refusal::bad("could not load configuration"))?;
        let (settings, now) = (state.settings.clone(), state.now());
        let namespace = state.here().to_owned();
        Ok(Self { namespace, mount: mount.to_owned(), role_name, role, token, config, settings, now })
    }
}

pub(crate) fn login(state: &Mutex<State>, world: &World, mut attempt: Attempt) -> Answer {
    let unsigned = |words: String| {
        Refusal::bad(&format!("error validating token: error verifying token signature: {words}"))
    };
    if attempt.config.key_set_url.is_none() {
        let url = attempt.config.source.key_set_url(world, &attempt.settings).map_err(|words| {
            Refusal::bad(&format!("error configuring token validator: keyset configuration error: {words}"))
        })?;
        attempt.config.key_set_url = Some(url);
    }
    attempt.verify_signature(world).map_err(unsigned)?;
    let mut state = state.lock().expect("state");
    state.enter(&attempt.namespace);
    // A key set that was fetched for a token that is refused later is kept as well.
    if let Some(config) = state.jwt.get_mut(&attempt.mount).and_then(|method| method.config.as_mut()) {
        config.cached = attempt.config.cached.clone();
        config.key_set_url = attempt.config.key_set_url.clone();
    }
    let claims = jws_part(&attempt.token, 1).unwrap_or_default();
    attempt.check(&claims).map_err(|words| Refusal::bad(&format!("error validating token: {words}")))?;
    let audiences = texts(&claims["aud"]).unwrap_or_default();
    let bound = texts(&attempt.role["bound_audiences"]).unwrap_or_default();
    if bound.is_empty() && !audiences.is_empty() {
        return Err(Refusal::bad("audience claim found in JWT but no audiences bound to the role"));
    }
    attempt
        .check_claims(&claims)
        .map_err(|words| Refusal::bad(&format!("error validating claims: {words}")))?;
    let role = &attempt.role;
    let name = role["user_claim"].as_str().unwrap_or_default();
    let user = claim(&claims, name, role["user_claim_json_pointer"] == true);
    let user = user
        .and_then(Value::as_str)
        .ok_or_else(|| Refusal::bad(&format!("claim {name:?} not found in token")))?;

    let seconds = |name: &str| role[name].as_i64().filter(|seconds| *seconds > 0);
    let ttl = seconds("token_ttl").unwrap_or(DEFAULT_TTL);
    let ttl = seconds("token_max_ttl").map_or(ttl, |most| ttl.min(most));
    let policies = texts(&role["token_policies"]).unwrap_or_default();
    let path = format!("auth/{}login", attempt.mount);
    let display = format!("{}-{user}", attempt.mount.trim_end_matches('/'));
    let mut token = Token::new(policies, attempt.now, ttl, &display, &path);
    if role["token_no_default_policy"] == true {
        token.policies.retain(|policy| policy != "default");
    }
    token.meta = json!({"role": attempt.role_name});
    let id = state.issue(token.clone());
    Ok(Some(issued(token.auth(&id, true))))
}

impl Attempt {
    fn verify_signature(&mut self, world: &World) -> Result<(), String> {
        if self.token.split('.').count() != 3 {
            return Err(
                "oidc: malformed jwt: go-jose/go-jose: compact JWS format must have three parts".into()
            );
        }
        let Some(header) = jws_part(&self.token, 0) else {
            return Err("oidc: malformed jwt: go-jose/go-jose: invalid compact serialized data".into());
        };
        let algorithm = header["alg"].as_str().unwrap_or_default().to_owned();
        let mut supported: Vec<String> = ALGORITHMS.iter().map(|name| (*name).to_owned()).collect();
        if !self.config.algorithms.is_empty() {
            supported = self.config.algorithms.clone();
        }
        if !supported.contains(&algorithm) {
            let supported: Vec<String> = supported.iter().map(|name| format!("{name:?}")).collect();
            return Err(format!(
                "oidc: malformed jwt: unexpected signature algorithm {algorithm:?}; expected [{}]",
                supported.join(" ")
            ));
        }
        if let Source::Pem(pems) = &self.config.source {
            let signed =
                |pem: &String| Key::of_pem(pem).is_some_and(|key| key.signed(&self.token, &algorithm));
            return if pems.iter().any(signed) {
                Ok(())
            } else {
                Err("no known key successfully validated the token signature".into())
            };
        }
        let kid = header["kid"].as_str().map(str::to_owned);
        let signed = |set: &Value| {
            let keys = set["keys"].as_array().into_iter().flatten();
            let mut keys = keys.filter(|key| kid.as_ref().is_none_or(|kid| key["kid"] == *kid));
            keys.any(|key| Key::of_jwk(key).is_some_and(|key| key.signed(&self.token, &algorithm)))
        };
        if self.config.cached.as_ref().is_some_and(signed) {
            return Ok(());
        }
        let (url, ca) = (self.config.key_set_url.as_deref().unwrap_or_default(), self.config.source.ca());
        let fetched = world.get(url, ca, self.settings.trusts_lab);
        let fetched = fetched.map_err(|words| format!("fetching keys oidc: get keys failed: {words}"))?;
        if !all_known(&fetched) {
            return Err(
                "fetching keys oidc: failed to decode keys: go-jose/go-jose: unsupported key type/format"
                    .into(),
            );
        }
        let signed = signed(&fetched);
        self.config.cached = Some(fetched);
        if signed { Ok(()) } else { Err("failed to verify id token signature".into()) }
    }

    fn check(&self, claims: &Value) -> Result<(), String> {
        let at = |name: &str| claims[name].as_f64().map(|seconds| seconds as i64);
        let (exp, nbf, iat) = (at("exp"), at("nbf"), at("iat"));
        if exp.or(nbf).or(iat).is_none() {
            return Err(
                "no issued at (iat), not before (nbf), or expiration time (exp) claims in token".into()
            );
        }
        let leeway = |name: &str, default: i64| match self.role[name].as_i64().unwrap_or(0) {
            0 => default,
            negative if negative < 0 => 0,
            seconds => seconds,
        };
        let skew = leeway("clock_skew_leeway", SKEW);
        let later = iat.unwrap_or(0).max(nbf.unwrap_or(0));
        let exp = exp.unwrap_or_else(|| later + leeway("expiration_leeway", LEEWAY));
        let nbf = nbf.unwrap_or_else(|| iat.unwrap_or(exp - leeway("not_before_leeway", LEEWAY)));
        if self.now - skew > exp {
            return Err("invalid expiration time (exp) claim: token is expired".into());
        }
        if self.now + skew < nbf {
            return Err("invalid not before (nbf) claim: token not yet valid".into());
        }
        if iat.is_some_and(|iat| self.now + skew < iat) {
            return Err("invalid issued at (iat) claim: token issued in the future".into());
        }
        let bound = &self.config.bound_issuer;
        if !bound.is_empty() && claims["iss"] != *bound {
            return Err("invalid issuer (iss) claim".into());
        }
        let subject = self.role["bound_subject"].as_str().unwrap_or_default();
        if !subject.is_empty() && claims["sub"] != subject {
            return Err("invalid subject (sub) claim".into());
        }
        let bound = texts(&self.role["bound_audiences"]).unwrap_or_default();
        let audiences = match &claims["aud"] {
            Value::String(audience) => vec![audience.clone()],
            other => texts(other).unwrap_or_default(),
        };
        if !bound.is_empty() && !bound.iter().any(|audience| audiences.contains(audience)) {
            return Err(
                "invalid audience (aud) claim: audience claim does not match any expected audience".into()
            );
        }
        Ok(())
    }

    fn check_claims(&self, claims: &Value) -> Result<(), String> {
        let glob = self.role["bound_claims_type"] == "glob";
        for (name, wanted) in self.role["bound_claims"].as_object().into_iter().flatten() {
            let Some(has) = claim(claims, name, name.starts_with('/')) else {
                return Err(format!("claim {name:?} is missing"));
            };
            let wanted = wanted.as_array().cloned().unwrap_or_else(|| vec![wanted.clone()]);
            let has = has.as_array().cloned().unwrap_or_else(|| vec![has.clone()]);
            let fits = |wanted: &Value, has: &Value| match (glob, wanted.as_str(), has.as_str()) {
                (true, Some(pattern), Some(text)) => matches(pattern, text),
                _ => wanted == has,
            };
            if !wanted.iter().any(|wanted| has.iter().any(|has| fits(wanted, has))) {
                return Err(format!("claim {name:?} does not match any associated bound claim values"));
            }
        }
        Ok(())
    }
}

fn claim<'a>(claims: &'a Value, name: &str, pointer: bool) -> Option<&'a Value> {
    if pointer && name.starts_with('/') { claims.pointer(name) } else { claims.get(name) }
}

/// `*` matches any text
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => {
            let Some(text) = text.strip_prefix(start) else { return false };
            (0..=text.len()).any(|at| text.is_char_boundary(at) && matches(rest, &text[at..]))
        }
    }
}
