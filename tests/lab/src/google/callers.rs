//! Who asks: bearer tokens and the principals behind them.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{GoogleError, Result};
use super::state::State;
use crate::keys::random_hex;
use crate::wire::Request;

/// A bearer token that was given out
pub(crate) struct Caller {
    pub(crate) token: String,
    pub(crate) who: Who,
    pub(crate) expires: Option<i64>,
}

/// The principal behind a token
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Everything but what is denied to all
    Owner,
    /// These permissions everywhere in the project
    Only(BTreeSet<String>),
    /// What policies give to a workload identity
    Federated { pool: String, subject: String, attributes: BTreeMap<String, String> },
    /// What policies give to a service account
    Account { email: String },
}

impl Caller {
    pub(crate) fn new(who: Who, expires: Option<i64>) -> Self {
        // The prefixes of real tokens, which leak scanners know.
        let prefix = if matches!(who, Who::Federated { .. }) { "ya29.d." } else { "ya29." };
        Self { token: format!("{prefix}{}", random_hex(40)), who, expires }
    }
}

impl Who {
    /// The members of a policy that mean this principal
    pub(crate) fn members(&self) -> Vec<String> {
        match self {
            Self::Owner => vec!["user:owner@acme.example".into()],
            Self::Only(_) => Vec::new(),
            Self::Account { email } => vec![format!("serviceAccount:{email}")],
            Self::Federated { pool, subject, attributes } => {
                let at = format!("iam.googleapis.com/{pool}");
                let mut members =
                    vec![format!("principal://{at}/subject/{subject}"), format!("principalSet://{at}/*")];
                let set = |(name, value): (&String, &String)| {
                    format!("principalSet://{at}/{name}/{}", value.replace('/', "%2F"))
                };
                members.extend(attributes.iter().map(set));
                members
            }
        }
    }

    /// The name that introspection shows
    pub(crate) fn name(&self) -> String {
        self.members().into_iter().next().unwrap_or_else(|| "user:someone@acme.example".into())
    }
}

impl State {
    /// The caller that the bearer token of a request belongs to
    pub(crate) fn authenticate(&self, request: &Request) -> Result<Who> {
        let given = request.header("authorization").is_some();
        let bearer = request.bearer().ok_or_else(|| GoogleError::unauthenticated(given))?;
        self.known(bearer)
            .or_else(|| self.self_signed(bearer))
            .ok_or_else(|| GoogleError::unauthenticated(true))
    }

    /// The caller that a token was issued to, while it is valid
    pub(crate) fn known(&self, token: &str) -> Option<Who> {
        let valid = |expires: Option<i64>| expires.is_none_or(|expires| expires > self.now());
        let caller = self.callers.iter().find(|caller| caller.token == token && valid(caller.expires))?;
        Some(caller.who.clone())
    }
}
