//! PURE. What is remembered of a retirement from one run to the next. It holds names, times and public halves; no secret.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{cluster::objects::Object, federation::credential::Identity, secret_store::StoreName};

/// The one version of this form.
const VERSION: u32 = 1;
/// More UIDs than this are not remembered: a ConfigMap takes 1 MiB.
const MOST_BROKEN: usize = 5000;

/// A retirement, from before the store is changed until nothing of the credential is left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct State {
    version: u32,
    /// UID of the namespace `kube-system`.
    pub(crate) cluster: String,
    pub(crate) store: StoreId,
    /// `spec.provider` of the store as it was; `None` where it may hold a credential in clear.
    pub(crate) before: Option<Value>,
    /// `spec.provider` as this program wrote it.
    pub(crate) after: Value,
    pub(crate) credentials: Vec<Kept>,
    /// What was not ready before the store was changed, and later before the credential was disabled: by its UID, when
    /// it had last run to its end, or 0.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) broken: BTreeMap<String, u64>,
    pub(crate) stage: Stage,
}

/// A store, and this very one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct StoreId {
    pub(crate) kind: String,
    /// Empty for a ClusterSecretStore.
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
}

/// A credential that the store logged in with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Kept {
    pub(crate) identity: Identity,
    /// Its provider has confirmed once that the stored private half belongs to this identity.
    pub(crate) proved: bool,
    /// This program has disabled it, or was about to.
    pub(crate) ours: bool,
    pub(crate) places: Vec<Place>,
}

/// Entries of a Secret, and of this very one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Place {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    /// Its `resourceVersion` when this was saved.
    pub(crate) version: String,
    /// The entries that hold it; empty when the store named none.
    pub(crate) entries: Vec<String>,
}

/// How far it has come. Times are seconds since 1970 by the cluster's clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub(crate) enum Stage {
    /// The store is about to be changed.
    Saved,
    /// The store logs in by its new provider since `at`, at the latest.
    Switched { at: u64 },
    /// The credentials that are `ours` are about to be disabled.
    Disabling { at: u64 },
    /// They are disabled; the store is watched.
    Disabled { at: u64, since: u64, until: u64 },
    /// They are about to be deleted at their provider, then the Secrets.
    Deleting { at: u64, since: u64 },
    /// They are about to be enabled again.
    GivingBack { at: u64, why: Why },
    /// They are enabled again.
    GivenBack { at: u64, why: Why },
    /// The store is about to get back its former provider.
    Undoing { at: u64 },
}

/// Why a credential was given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub(crate) enum Why {
    /// This object was ready with it and is not without it.
    Broke { object: String, says: String },
    /// Something else uses it.
    Others { users: Vec<String> },
    /// The store names it again.
    Reverted,
    /// It was enabled by another user.
    Enabled,
    /// What held before it was disabled held no more.
    Unfit,
}

/// Why a saved state is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    Damaged(String),
    Newer(u64),
    OtherCluster { saved: String },
    OtherStore { saved: String },
}

impl State {
    pub(crate) fn new(cluster: &str, store: StoreId, before: Option<Value>, after: Value) -> Self {
        Self {
            version: VERSION,
            cluster: cluster.to_owned(),
            store,
            before,
            after,
            credentials: Vec::new(),
            broken: BTreeMap::new(),
            stage: Stage::Saved,
        }
    }

    pub(crate) fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Reads what an earlier run saved, and refuses what is not of this very cluster and store.
    pub(crate) fn parse(text: &str, cluster: &str, store: &StoreId) -> Result<Self, Unusable> {
        let state = Self::parse_any(text, cluster)?;
        if state.store != *store {
            return Err(Unusable::OtherStore { saved: state.store.uid });
        }
        Ok(state)
    }

    /// The same for whichever store it is about.
    pub(crate) fn parse_any(text: &str, cluster: &str) -> Result<Self, Unusable> {
        // The parser's own words would quote what it read.
        let damaged = |error: &serde_json::Error| {
            Unusable::Damaged(format!("line {}, column {}", error.line(), error.column()))
        };
        let value: Value = serde_json::from_str(text).map_err(|error| damaged(&error))?;
        match value.get("version").and_then(Value::as_u64) {
            Some(version) if version > u64::from(VERSION) => return Err(Unusable::Newer(version)),
            Some(version) if version == u64::from(VERSION) => {}
            _ => return Err(Unusable::Damaged("it names no version".into())),
        }
        let state: Self = serde_json::from_str(text).map_err(|error| damaged(&error))?;
        if state.cluster != cluster {
            return Err(Unusable::OtherCluster { saved: state.cluster });
        }
        Ok(state)
    }

    pub(crate) fn with_stage(&self, stage: Stage) -> Self {
        Self { stage, ..self.clone() }
    }

    /// Remembers what is not ready, so that it is not blamed on the credential.
    pub(crate) fn remember_broken(&mut self, broken: impl IntoIterator<Item = (String, u64)>) {
        self.broken = broken.into_iter().collect();
        if self.broken.len() > MOST_BROKEN {
            self.broken.clear();
        }
    }

    /// Whether this program may have disabled something.
    pub(crate) fn holds(&self) -> bool {
        self.credentials.iter().any(|kept| kept.ours)
    }

    /// Whether one of these (namespace and name) is a Secret that held a credential; of those that this program has
    /// disabled, if it has. An empty namespace is any.
    pub(crate) fn is_named_in(&self, named: &BTreeSet<(String, String)>) -> bool {
        let counts = |kept: &&Kept| kept.ours || !self.holds();
        let mut places = self.credentials.iter().filter(counts).flat_map(|kept| &kept.places);
        places.any(|place| {
            named.iter().any(|(namespace, name)| {
                *name == place.name && (namespace.is_empty() || *namespace == place.namespace)
            })
        })
    }

    /// Where a new run goes on; `None`: the store names a credential again, and a fresh look is better than an old one.
    /// `names_it`: it does so as it is now.
    pub(crate) fn begin(self, names_it: bool, now: u64) -> Option<Self> {
        let stage = match self.stage {
            // Nothing was disabled, or all was given back.
            Stage::Saved | Stage::GivenBack { .. } | Stage::Switched { .. } if names_it && !self.holds() => {
                return None;
            }
            // Everything that reads through the store has to do so again before it is tried again.
            Stage::GivenBack { .. } => Stage::Switched { at: now },
            Stage::Undoing { .. } if names_it && !self.holds() => return None,
            Stage::Undoing { .. } => Stage::Switched { at: now },
            stage => stage,
        };
        Some(Self { stage, ..self })
    }
}

impl StoreId {
    pub(crate) fn of(store: &Object) -> Self {
        Self {
            kind: store.kind().to_owned(),
            namespace: store.namespace().to_owned(),
            name: store.name().to_owned(),
            uid: store.uid().to_owned(),
        }
    }
}

impl From<&StoreId> for StoreName {
    fn from(store: &StoreId) -> Self {
        match store.namespace.clone() {
            namespace if namespace.is_empty() => Self::Cluster(store.name.clone()),
            namespace => Self::Namespaced { namespace, name: store.name.clone() },
        }
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{} {}", self.kind, self.name),
            namespace => write!(f, "{} {namespace}/{}", self.kind, self.name),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret {}/{}", self.namespace, self.name)?;
        if self.entries.is_empty() { Ok(()) } else { write!(f, " ({})", self.entries.join(", ")) }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(why) => write!(f, "it cannot be read: {why}"),
            Self::Newer(version) => write!(f, "a newer keyless wrote it (version {version})"),
            Self::OtherCluster { saved } => {
                write!(f, "it belongs to another cluster, whose kube-system has the UID {saved}")
            }
            Self::OtherStore { saved } => {
                write!(f, "it belongs to another store of this name, with the UID {saved}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::federation::{ProviderName, credential::Kind};

    fn state(stage: Stage, ours: bool) -> State {
        let store = StoreId {
            kind: "SecretStore".into(),
            namespace: "shop".into(),
            name: "gcp".into(),
            uid: "u-1".into(),
        };
        let mut state = State::new("c-1", store, Some(json!({"gcpsm": {}})), json!({"vault": {}}));
        state.credentials.push(Kept {
            identity: Identity {
                kind: Kind::Of(ProviderName::default()),
                id: "projects/p/serviceAccounts/e/keys/k".into(),
                shown: "key k of e".into(),
                public_half: Some("h".into()),
                client: None,
                by_hand: String::new(),
            },
            proved: true,
            ours,
            places: vec![Place {
                namespace: "shop".into(),
                name: "key".into(),
                uid: "u-2".into(),
                version: "7".into(),
                entries: vec!["key.json".into()],
            }],
        });
        state.remember_broken([("u-3".into(), 5)]);
        state.stage = stage;
        state
    }

    fn stages() -> [Stage; 8] {
        [
            Stage::Saved,
            Stage::Switched { at: 1 },
            Stage::Disabling { at: 1 },
            Stage::Disabled { at: 1, since: 2, until: 3 },
            Stage::Deleting { at: 1, since: 2 },
            Stage::GivingBack { at: 1, why: Why::Broke { object: "o".into(), says: "s".into() } },
            Stage::GivenBack { at: 1, why: Why::Others { users: vec!["x".into()] } },
            Stage::Undoing { at: 1 },
        ]
    }

    #[test]
    fn every_stage_is_read_as_written() {
        for stage in stages() {
            let state = state(stage, true);
            assert_eq!(State::parse(&state.to_text(), "c-1", &state.store), Ok(state.clone()));
        }
    }

    #[test]
    fn state_of_anything_else_is_refused() {
        let state = state(Stage::Saved, false);
        let (text, store) = (state.to_text(), state.store.clone());
        let parse = |text: &str| State::parse(text, "c-1", &store);
        let other = StoreId { uid: "u-9".into(), ..store.clone() };
        assert_eq!(State::parse(&text, "c-2", &store), Err(Unusable::OtherCluster { saved: "c-1".into() }));
        assert_eq!(State::parse(&text, "c-1", &other), Err(Unusable::OtherStore { saved: "u-1".into() }));
        assert_eq!(parse(&text.replace("\"version\": 1", "\"version\": 99")), Err(Unusable::Newer(99)));
        for (from, to) in [
            ("\"version\": 1", "\"version\": 0"),
            ("\"version\": 1", "\"version\": \"1\""),
            ("\"stage\"", "\"stages\""),
            ("\"saved\"", "\"unheard-of\""),
            ("\"proved\": true", "\"proved\": \"CANARY\""),
            ("\"ours\": false", "\"ours\": false, \"more\": 1"),
            ("{", "["),
        ] {
            let Err(Unusable::Damaged(why)) = parse(&text.replacen(from, to, 1)) else {
                panic!("{from} → {to}")
            };
            assert!(!why.contains("CANARY"), "{why}");
        }
        assert!(matches!(parse(""), Err(Unusable::Damaged(_))));
    }

    /// What is disabled is never forgotten, whatever the store says by then.
    #[test]
    fn new_run_never_forgets_held_key() {
        for stage in stages() {
            for (names_it, ours) in [(false, false), (false, true), (true, false), (true, true)] {
                let begun = state(stage.clone(), ours).begin(names_it, 100);
                if ours || !names_it {
                    assert!(begun.is_some(), "{stage:?} {names_it} {ours}");
                }
            }
        }
        let given = Stage::GivenBack { at: 1, why: Why::Reverted };
        assert_eq!(state(given, false).begin(false, 100).unwrap().stage, Stage::Switched { at: 100 });
        assert!(state(Stage::Saved, false).begin(true, 100).is_none());
    }

    #[test]
    fn excess_broken_users_are_not_excused() {
        let mut state = state(Stage::Saved, false);
        let many = |count: usize| (0..count).map(|index| (index.to_string(), 0));
        state.remember_broken(many(MOST_BROKEN));
        assert_eq!(state.broken.len(), MOST_BROKEN);
        state.remember_broken(many(MOST_BROKEN + 1));
        assert!(state.broken.is_empty());
    }

    #[test]
    fn secret_matches_by_name_and_namespace() {
        let state = state(Stage::Saved, false);
        let named = |namespace: &str, name: &str| {
            state.is_named_in(&BTreeSet::from([(namespace.to_owned(), name.to_owned())]))
        };
        assert!(named("shop", "key") && named("", "key"));
        assert!(!named("other", "key") && !named("shop", "keys"));
    }
}
