//! PURE. What was seen, as one screen and as JSON. What was not seen is `unknown`, never a number.

use serde_json::{Value, json};

use super::next::next;
use crate::{
    report::{Line, Tone},
    target::ClusterTarget,
};

/// The title of what to do.
const NEXT: &str = "Next";
/// As many stores as fit on a screen.
const MOST_STORES: usize = 12;
/// What the count of this page is worth.
pub(super) const NO_PROOF: &str =
    "Secrets were not looked into (mode refs): this is no proof of zero; keyless audit gives the verdict";

/// What was read, or why it is not known.
#[derive(Clone, Debug)]
pub(super) enum Part<T> {
    Seen(T),
    Unknown(String),
}

#[derive(Clone, Debug)]
pub(super) enum Documents {
    /// The settings name no issuer and no bucket.
    NotNamed,
    /// The provider is given the keys: nothing is published.
    Uploaded,
    Read {
        issuer: String,
        passed: usize,
        failed: usize,
        /// Checks that came to nothing.
        open: usize,
        /// The first that failed.
        first: Option<String>,
    },
}

#[derive(Clone, Debug)]
pub(super) enum Keys {
    /// The settings name no place for them.
    NotPublished,
    Counted {
        /// An API server has it.
        live: usize,
        /// Of the live ones, those that relying parties can have.
        public: usize,
        /// Public, and no longer live.
        former: usize,
        alarms: usize,
        /// Every API server and every provider answered.
        whole: bool,
        /// Whether `keyless keys` names a next step.
        pending: bool,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Stores {
    pub(super) installed: bool,
    pub(super) all: Vec<StoreLine>,
    /// There may be more.
    pub(super) more: bool,
}

#[derive(Clone, Debug)]
pub(super) struct StoreLine {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) provider: Option<String>,
    pub(super) login: Login,
    pub(super) ready: Option<bool>,
}

/// How a store logs in, by its own settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Login {
    Tokens,
    Stored,
    /// Otherwise, or not known: why.
    Other(String),
}

#[derive(Clone, Debug)]
pub(super) struct Credentials {
    /// Those that open a cloud or a secret store.
    pub(super) seen: usize,
    pub(super) others: usize,
    pub(super) unjudged: usize,
    pub(super) unread: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) cluster: ClusterTarget,
    /// The flags that name the settings file and the cluster.
    pub(super) again: String,
    pub(super) account: Option<String>,
    pub(super) documents: Part<Documents>,
    pub(super) keys: Part<Keys>,
    pub(super) stores: Part<Stores>,
    pub(super) credentials: Part<Credentials>,
}

impl Page {
    /// Whether everything was read that there is to read for this page.
    pub(super) fn is_whole(&self) -> bool {
        let keys = match &self.keys {
            Part::Seen(Keys::Counted { whole, .. }) => *whole,
            Part::Seen(Keys::NotPublished) => true,
            Part::Unknown(_) => false,
        };
        let credentials = matches!(&self.credentials, Part::Seen(seen) if seen.unread.is_empty());
        let stores = matches!(&self.stores, Part::Seen(stores) if !stores.more);
        let documents = match &self.documents {
            Part::Seen(Documents::Read { open, .. }) => *open == 0,
            Part::Seen(_) => true,
            Part::Unknown(_) => false,
        };
        keys && credentials && stores && documents && self.cluster.uid.is_some()
    }

    pub(super) fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut say = |title: &str, text: String| {
            let text = format!("{title:12} {text}");
            let line = if title.is_empty() { Line::from(text) } else { Line::marked(Tone::Title, text) };
            // What is to be done is a command to copy.
            lines.push(if title == NEXT { line } else { line.hanging(13) });
        };
        say("Cluster", self.cluster_in_words());
        say("Issuer", self.documents.in_words(Documents::in_words));
        say("Keys", self.keys.in_words(Keys::in_words));
        say("Provider", self.account.clone().unwrap_or_else(|| "none is named by the settings".to_owned()));
        say("Stores", self.stores.in_words(Stores::in_words));
        if let Part::Seen(stores) = &self.stores {
            stores.all.iter().take(MOST_STORES).for_each(|store| say("", store.in_words()));
            if let Some(more) = stores.all.len().checked_sub(MOST_STORES).filter(|more| *more > 0) {
                say("", format!("and {more} more: keyless status -o json"));
            }
        }
        say("Credentials", self.credentials.in_words(Credentials::in_words));
        if let Part::Seen(seen) = &self.credentials {
            seen.unread
                .iter()
                .take(MOST_STORES)
                .for_each(|unread| say("", format!("could not be read: {unread}")));
        }
        say(NEXT, next(self).to_string());
        lines
    }

    fn cluster_in_words(&self) -> String {
        let ClusterTarget { context, server, uid } = &self.cluster;
        let context = context.as_deref().unwrap_or("the pod's own credentials");
        format!("{context} ({server}), UID {}", uid.as_deref().unwrap_or("unknown"))
    }

    pub(super) fn to_json(&self) -> Value {
        let next = next(self);
        json!({
            "complete": self.is_whole(),
            "documents": self.documents.to_json(Documents::to_json),
            "keys": self.keys.to_json(Keys::to_json),
            "stores": self.stores.to_json(Stores::to_json),
            "credentials": self.credentials.to_json(Credentials::to_json),
            "next": { "command": next.command, "why": next.why },
        })
    }
}

impl<T> Part<T> {
    fn in_words(&self, words: fn(&T) -> String) -> String {
        match self {
            Self::Seen(seen) => words(seen),
            Self::Unknown(why) => format!("unknown: {why}"),
        }
    }

    fn to_json(&self, json: fn(&T) -> Value) -> Value {
        match self {
            Self::Seen(seen) => json(seen),
            Self::Unknown(why) => json!({ "state": "unknown", "why": why }),
        }
    }
}

impl Documents {
    fn in_words(&self) -> String {
        match self {
            Self::NotNamed => "none: the settings name no issuer and no bucket".to_owned(),
            Self::Uploaded => "no documents: the provider is given the keys".to_owned(),
            Self::Read { issuer, passed, failed: 0, open: 0, .. } => {
                format!("{issuer}: its documents match it ({passed} checks passed)")
            }
            Self::Read { issuer, passed, failed: 0, open, .. } => {
                format!(
                    "{issuer}: unknown whether its documents match it ({passed} checks passed, {open} came to nothing)"
                )
            }
            Self::Read { issuer, failed, first, .. } => {
                let first = first.as_ref().map(|first| format!(": {first}")).unwrap_or_default();
                format!("{issuer}: its documents do not match it ({failed} checks failed{first})")
            }
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::NotNamed => json!({ "state": "none" }),
            Self::Uploaded => json!({ "state": "uploaded" }),
            Self::Read { issuer, passed, failed, open, first } => json!({
                "state": match (failed, open) {
                    (0, 0) => "match",
                    (0, _) => "unknown",
                    _ => "differ",
                },
                "issuer": issuer, "passed": passed, "failed": failed, "notEvaluated": open, "first": first,
            }),
        }
    }
}

impl Keys {
    fn in_words(&self) -> String {
        let Self::Counted { live, public, former, alarms, whole, .. } = self else {
            return "none is published: the settings name no bucket, and no provider that is given them"
                .to_owned();
        };
        let mut text = format!("{live} live, {public} of them public");
        if *former > 0 {
            text += &format!("; {former} no longer live and still public");
        }
        if *alarms > 0 {
            text += &format!("; {alarms} to look at: keyless keys");
        }
        if !whole {
            text += "; not every API server or provider answered: there may be others";
        }
        text
    }

    fn to_json(&self) -> Value {
        match self {
            Self::NotPublished => json!({ "state": "none" }),
            Self::Counted { live, public, former, alarms, whole, .. } => json!({
                "state": if *whole { "counted" } else { "partial" },
                "live": live, "livePublic": public, "formerPublic": former, "alarms": alarms,
            }),
        }
    }
}

impl Stores {
    pub(super) fn with(&self, wanted: fn(&Login) -> bool) -> usize {
        self.all.iter().filter(|store| wanted(&store.login)).count()
    }

    fn in_words(&self) -> String {
        if !self.installed {
            return "none: External Secrets Operator is not installed".to_owned();
        }
        if self.all.is_empty() && !self.more {
            return "none: the cluster has no SecretStore and no ClusterSecretStore".to_owned();
        }
        let at_least = if self.more { "at least " } else { "" };
        format!(
            "{at_least}{}: {} with short-lived tokens, {} with a stored credential, {} otherwise or unknown",
            self.all.len(),
            self.with(|login| *login == Login::Tokens),
            self.with(|login| *login == Login::Stored),
            self.with(|login| matches!(login, Login::Other(_))),
        )
    }

    fn to_json(&self) -> Value {
        json!({
            "installed": self.installed,
            "complete": !self.more,
            "all": self.all.iter().map(StoreLine::to_json).collect::<Vec<_>>(),
        })
    }
}

impl StoreLine {
    fn in_words(&self) -> String {
        let Self { kind, name, provider, login, ready } = self;
        let provider = provider.as_deref().unwrap_or("no provider");
        let login = match login {
            Login::Tokens => "short-lived tokens of a ServiceAccount".to_owned(),
            Login::Stored => "a stored credential".to_owned(),
            Login::Other(why) => why.clone(),
        };
        let ready = match ready {
            Some(true) => "",
            Some(false) => "; the operator reports that it is not ready",
            None => "; the operator has reported nothing yet",
        };
        format!("{kind} {name} ({provider}): {login}{ready}")
    }

    fn to_json(&self) -> Value {
        let (login, why) = match &self.login {
            Login::Tokens => ("tokens", None),
            Login::Stored => ("stored", None),
            Login::Other(why) => ("other", Some(why)),
        };
        json!({ "kind": self.kind, "name": self.name, "provider": self.provider, "login": login, "why": why, "ready": self.ready })
    }
}

impl Credentials {
    fn in_words(&self) -> String {
        let seen = match self.seen {
            0 => "unknown: none was seen by reference".to_owned(),
            1 => "at least 1 long-lived credential opens a cloud or a secret store, or lies in the cluster"
                .to_owned(),
            more => format!(
                "at least {more} long-lived credentials open a cloud or a secret store, or lie in the cluster"
            ),
        };
        let others = match self.others {
            0 => String::new(),
            others => format!("; {others} of other classes"),
        };
        format!("{seen}{others}; {NO_PROOF}")
    }

    fn to_json(&self) -> Value {
        json!({
            "mode": "refs",
            // A zero would be read as a proof.
            "atLeast": if self.seen == 0 { Value::Null } else { json!(self.seen) },
            "provesZero": false,
            "otherClasses": self.others,
            "notJudged": self.unjudged,
            "notRead": self.unread,
        })
    }
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
