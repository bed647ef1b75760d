//! Who asks, and whether he may.

use std::collections::BTreeSet;

use super::objects::Target;
use super::rbac::Grant;
use super::{Anonymous, ClusterSettings, KeyFile, ServerSettings};
use crate::keys::{jws_part, random_hex};
use crate::wire::Request;

/// One thing that a user may do; together what the CronJob's role grants
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// `create` of `serviceaccounts/token`
    CreateToken,
    /// `get` of `/.well-known/openid-configuration`
    Discovery,
    /// `get` of the EndpointSlice `default/kubernetes`
    EndpointSlices,
    /// `get` of `/openid/v1/jwks`
    Jwks,
    /// `get` of `/version` (every authenticated user has it by default)
    Version,
}

impl Right {
    /// All of them
    pub const ALL: [Self; 5] =
        [Self::CreateToken, Self::Discovery, Self::EndpointSlices, Self::Jwks, Self::Version];
}

/// What one rule allows or denies
#[derive(Clone)]
pub(crate) struct Rule {
    verb: String,
    resource: String,
    namespace: Option<String>,
}

impl Rule {
    pub(crate) fn new(verb: &str, resource: &str, namespace: Option<&str>) -> Self {
        let namespace = namespace.map(str::to_owned);
        Self { verb: verb.to_owned(), resource: resource.to_owned(), namespace }
    }

    /// Whether it is about this; what a rule denies in one namespace is denied in all together
    fn covers(&self, verb: &str, target: &Target, denies: bool) -> bool {
        let resource = target.qualified();
        // `secrets.GROUP/status`: the group belongs to the resource, not to the subresource.
        let (plural, group) = (&target.resource, &target.group);
        let full = resource.replacen(plural.as_str(), &format!("{plural}.{group}"), 1);
        let place = match &self.namespace {
            None => true,
            Some(namespace) => *namespace == target.namespace || denies && target.namespace.is_empty(),
        };
        (self.verb == "*" || self.verb == verb)
            && (self.resource == "*" || self.resource == resource || self.resource == full)
            && place
    }
}

pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) token: String,
    pub(crate) rights: BTreeSet<Right>,
    pub(crate) expired: bool,
    pub(crate) allowed: Vec<Rule>,
    pub(crate) denied: Vec<Rule>,
}

impl User {
    pub(crate) fn new(name: &str, rights: &[Right]) -> Self {
        Self {
            name: name.to_owned(),
            token: random_hex(16),
            rights: rights.iter().copied().collect(),
            expired: false,
            allowed: Vec::new(),
            denied: Vec::new(),
        }
    }

    /// One who may do everything with every object
    pub(crate) fn admin() -> Self {
        Self { allowed: vec![Rule::new("*", "*", None)], ..Self::new("admin", &Right::ALL) }
    }
}

/// The user that sent a request
pub(crate) struct Caller {
    pub(crate) name: String,
    rights: BTreeSet<Right>,
    allowed: Vec<Rule>,
    denied: Vec<Rule>,
    /// By RBAC objects
    granted: Vec<Grant>,
}

impl Caller {
    pub(crate) fn may(&self, right: Right) -> bool {
        self.rights.contains(&right)
    }

    /// Whether a verb on a resource is among the caller's rules
    pub(crate) fn can(&self, verb: &str, target: &Target) -> bool {
        let allowed = || self.allowed.iter().any(|rule| rule.covers(verb, target, false));
        !self.denied(verb, target)
            && (allowed() || self.granted.iter().any(|grant| grant.covers(verb, target)))
    }

    /// The same for something that a [`Right`] gives as well
    pub(crate) fn may_or_can(&self, right: Right, verb: &str, target: &Target) -> bool {
        !self.denied(verb, target)
            && (self.may(right) || self.granted.iter().any(|grant| grant.covers(verb, target)))
    }

    /// Whether a path that is no resource may be read
    pub(crate) fn may_read(&self, right: Right, path: &str) -> bool {
        self.may(right) || self.granted.iter().any(|grant| grant.covers_path("get", path))
    }

    /// Whether a rule takes this away, for what a [`Right`] gives
    pub(crate) fn denied(&self, verb: &str, target: &Target) -> bool {
        self.denied.iter().any(|rule| rule.covers(verb, target, true))
    }

    /// Who asks, as the credentials say: `admin by token`, `jane by certificate as bob, groups a, b`. For the record.
    pub(crate) fn described(request: &Request, shared: &ClusterSettings) -> String {
        let header = |name: &str| -> Vec<String> {
            let values = request.headers.get_all(name).iter();
            values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
        };
        let mut parts = Vec::new();
        parts.extend(request.peer.as_ref().map(|name| format!("{name} by certificate")));
        if let Some(token) = request.bearer() {
            let user = shared.users.iter().find(|user| user.token == token);
            parts.push(format!("{} by token", user.map_or("unknown", |user| &user.name)));
        } else if request.header("authorization").is_some() {
            parts.push("unknown by another scheme".to_owned());
        }
        let mut who = if parts.is_empty() { "anonymous".to_owned() } else { parts.join(" and ") };
        for (name, word) in
            [("impersonate-user", "as"), ("impersonate-uid", "uid"), ("impersonate-group", "groups")]
        {
            let values = header(name);
            if !values.is_empty() {
                who += &format!(", {word} {}", values.join(" "));
            }
        }
        let mut extra: Vec<String> = request
            .headers
            .keys()
            .filter_map(|name| Some((name, name.as_str().strip_prefix("impersonate-extra-")?)))
            .map(|(name, key)| format!(", {key}={}", header(name.as_str()).join(" ")))
            .collect();
        extra.sort();
        who + &extra.concat()
    }

    /// Whether a rule takes away a path that is no resource: `/apis`, or `/apis/*` for all below
    pub(crate) fn denied_path(&self, path: &str) -> bool {
        self.denied.iter().any(|rule| match rule.resource.strip_suffix('*') {
            Some(root) if root.starts_with('/') => path.starts_with(root),
            _ => rule.resource == path,
        })
    }

    /// `None`: 401
    pub(crate) fn of(
        request: &Request,
        server: &ServerSettings,
        shared: &ClusterSettings,
        now: i64,
    ) -> Option<Self> {
        let caller = Self::authenticated(request, server, shared, now)?;
        // Who may impersonate is whom the cluster calls it; what he may do then is the other's.
        match request.header("impersonate-user") {
            Some(whom) if caller.can_impersonate() => {
                let user = shared.users.iter().find(|user| user.name == whom);
                let none = || Self::new(whom, [Right::Version].into_iter().collect());
                Some(user.map_or_else(none, Self::from))
            }
            Some(_) => Some(Self::new(&caller.name, BTreeSet::new())),
            None => Some(caller),
        }
    }

    fn can_impersonate(&self) -> bool {
        Target::of("/api/v1/users/x").is_some_and(|users| self.can("impersonate", &users))
    }

    fn authenticated(
        request: &Request,
        server: &ServerSettings,
        shared: &ClusterSettings,
        now: i64,
    ) -> Option<Self> {
        // A certificate comes before every other credential.
        if let Some(name) = &request.peer {
            let user = shared.users.iter().find(|user| user.name == *name);
            return Some(
                user.map_or_else(|| Self::new(name, [Right::Version].into_iter().collect()), Self::from),
            );
        }
        let Some(token) = request.bearer() else {
            // Basic authentication is not supported any more.
            if request.header("authorization").is_some_and(|it| it.starts_with("Basic ")) {
                return None;
            }
            // Another scheme than Bearer is no credential: the caller stays anonymous.
            if shared.anonymous == Anonymous::Off {
                return None;
            }
            let rights = match shared.anonymous {
                Anonymous::Allowed => vec![Right::Discovery, Right::Jwks, Right::Version],
                // `system:public-info-viewer` opens /version to everyone.
                _ => vec![Right::Version],
            };
            return Some(Self::new("system:anonymous", rights.into_iter().collect()));
        };
        let user = shared.users.iter().find(|user| user.token == token && !user.expired);
        let caller = match user {
            Some(user) => Self::from(user),
            None => {
                let name = service_account(token, server, now)?;
                let user = shared.users.iter().find(|user| user.name == name);
                let default = || [Right::Discovery, Right::Jwks, Right::Version].into_iter().collect();
                user.map_or_else(|| Self::new(&name, default()), Self::from)
            }
        };
        Some(Self { granted: Grant::of(&shared.objects, &caller.name), ..caller })
    }

    fn new(name: &str, rights: BTreeSet<Right>) -> Self {
        Self { name: name.to_owned(), rights, allowed: Vec::new(), denied: Vec::new(), granted: Vec::new() }
    }
}

impl From<&User> for Caller {
    fn from(user: &User) -> Self {
        Self {
            name: user.name.clone(),
            rights: user.rights.clone(),
            allowed: user.allowed.clone(),
            denied: user.denied.clone(),
            granted: Vec::new(),
        }
    }
}

/// The subject of a token that this server accepts
fn service_account(token: &str, server: &ServerSettings, now: i64) -> Option<String> {
    let kid = jws_part(token, 0)?["kid"].as_str()?.to_owned();
    let claims = server.key_files.iter().find_map(|file| match file {
        KeyFile::Key(key) if key.kid() == kid => key.verify(token),
        _ => None,
    })?;
    let issuer = claims["iss"].as_str()?;
    let audiences = server.api_audiences.as_ref().unwrap_or(&server.issuers);
    let mut wanted = claims["aud"].as_array()?.iter().filter_map(|aud| aud.as_str());
    let accepted = server.issuers.iter().any(|other| other == issuer)
        && wanted.any(|aud| audiences.iter().any(|other| other == aud))
        && claims["exp"].as_i64()? > now
        && claims["nbf"].as_i64()? <= now;
    accepted.then(|| claims["sub"].as_str().map(str::to_owned)).flatten()
}
