//! PURE. What reads or pushes through a store, as far as a retirement looks at it.

use std::collections::BTreeSet;

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use crate::{
    cluster::{
        key_users::Holder,
        objects::Object,
        snapshot::{Estate, Reference, SecretKey, Store, Target, store_references},
    },
    federation::credential::{Identity, LastUse},
    secret_store::RefreshInterval,
};

/// An ExternalSecret or PushSecret as it was seen once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub(crate) uid: String,
    /// `ExternalSecret shop/db`.
    pub(crate) name: String,
    pub(crate) ready: bool,
    /// What its controller says of it.
    pub(crate) says: String,
    /// When its last successful run began, by the operator's clock.
    pub(crate) refreshed: Option<u64>,
    pub(crate) created: Option<u64>,
    /// `status.syncedResourceVersion`: changes with its spec, labels and annotations.
    pub(crate) synced: String,
    pub(crate) schedule: Schedule,
}

/// When it runs again.
/// external-secrets, pkg/controllers/{externalsecret,pushsecret}: `shouldRefresh`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Schedule {
    /// By the clock, in seconds.
    Every(u64),
    /// When its labels, annotations or spec change, and never else, for this reason.
    Asked(String),
    /// Never again, for this reason, whatever is changed on it.
    Never(String),
}

impl Sighting {
    pub(crate) fn of(user: &Object) -> Self {
        let time = |pointer: &str| {
            let time = user.text(pointer).parse::<Timestamp>().ok()?;
            u64::try_from(time.as_second()).ok()
        };
        let refreshed = time("/status/refreshTime");
        let ready = user.is_ready() == Some(true);
        let schedule = match schedule(user) {
            Schedule::Every(_) if ready && refreshed.is_none() => {
                Schedule::Never("its status does not say when it ran".into())
            }
            schedule => schedule,
        };
        Self {
            uid: user.uid().to_owned(),
            name: user.describe(),
            ready,
            says: user.condition_text(),
            refreshed,
            created: time("/metadata/creationTimestamp"),
            synced: user.text("/status/syncedResourceVersion").to_owned(),
            schedule,
        }
    }

    /// Whether it ever came to its end.
    pub(crate) fn has_run(&self) -> bool {
        self.ready || self.refreshed.is_some() || !self.synced.is_empty()
    }
}

fn schedule(user: &Object) -> Schedule {
    // One that runs when it changes does so by its annotations too; one that ran once never does.
    let is_push = user.kind() == "PushSecret";
    match RefreshInterval::of(user) {
        RefreshInterval::Every(interval) => Schedule::Every(interval.as_secs().max(1)),
        RefreshInterval::Never(why) if is_push || user.text("/spec/refreshPolicy") == "OnChange" => {
            Schedule::Asked(why)
        }
        RefreshInterval::Never(why) => Schedule::Never(why),
    }
}

/// Whether this object reads or pushes through this store, by name or by the store's labels. What cannot be judged
/// counts as a user.
pub(crate) fn uses(user: &Object, store: &Store) -> bool {
    let kind = |reference: &Value| {
        let kind = reference["kind"].as_str().filter(|kind| !kind.is_empty());
        kind.unwrap_or("SecretStore") == store.0.kind()
    };
    let near = store.is_cluster() || user.namespace() == store.0.namespace();
    near && store_references(user).any(|reference| {
        kind(reference)
            && (reference["name"] == store.0.name()
                || reference.get("labelSelector").is_some_and(|selector| selects(selector, &store.0)))
    })
}

/// A label selector, as Kubernetes has it.
fn selects(selector: &Value, object: &Object) -> bool {
    let same = |(name, value): (&String, &Value)| object.label(name) == value.as_str();
    let labels = selector.get("matchLabels").and_then(Value::as_object);
    let expressions = selector.get("matchExpressions").and_then(Value::as_array);
    labels.into_iter().flatten().all(same)
        && expressions.into_iter().flatten().all(|expression| {
            let label = object.label(expression["key"].as_str().unwrap_or_default());
            let among = || {
                let values = expression["values"].as_array();
                values.into_iter().flatten().any(|value| label.is_some() && value.as_str() == label)
            };
            match expression["operator"].as_str() {
                Some("In") => among(),
                Some("NotIn") => !among(),
                Some("Exists") => label.is_some(),
                Some("DoesNotExist") => label.is_none(),
                _ => true,
            }
        })
}

/// How much later than the change of the store a use has to be: clocks differ.
const SKEW: u64 = 60;

/// A user outside this cluster, if the credential was used after the store had left it: nothing in the cluster
/// accounts for that. `since`: when the store left it, by the cluster's clock.
pub(crate) fn used_after(identity: &Identity, last_use: &LastUse, since: u64) -> Option<String> {
    let LastUse::At(time) = last_use else { return None };
    let used = u64::try_from(time.parse::<Timestamp>().ok()?.as_second()).ok()?;
    (used > since.saturating_add(SKEW)).then(|| {
        format!(
            "something outside this cluster: {identity} was used at {time}, after the store had left it (--accept-unseen-users goes on all the same)"
        )
    })
}

/// Every other store, generator and PushSecret that names one of these Secrets, in words. `own`: the UIDs of the stores
/// that are not others.
pub(super) fn others_naming(estate: &Estate, own: &[&str], holders: &[Holder]) -> BTreeSet<String> {
    let holds = |key: &SecretKey| {
        let same = |holder: &Holder| {
            holder.kind == "Secret" && holder.namespace == key.namespace && holder.name == key.name
        };
        holders.iter().any(same)
    };
    let secrets = |all: Vec<Reference>| all.into_iter().filter(|it| it.target == Target::Secret);
    let stores = estate.stores.iter().filter(|store| !own.contains(&store.0.uid()));
    let stores = stores.filter(|store| {
        secrets(store.references()).any(|reference| estate.secret_keys(store, &reference).iter().any(holds))
    });
    let generators = estate.generators.iter().filter(|it| {
        secrets(it.references()).any(|reference| estate.generator_keys(it, &reference).iter().any(holds))
    });
    // What it pushes is taken out of the Secret.
    let pushed = estate.push_secrets.iter().filter(|push| {
        let name = push.text("/spec/selector/secret/name").to_owned();
        holds(&SecretKey { namespace: push.namespace().to_owned(), name, key: None })
    });
    let all = stores.map(|store| store.0.describe()).chain(generators.map(|it| it.0.describe()));
    all.chain(pushed.map(Object::describe)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::federation::credential;

    fn user(kind: &str, spec: Value, status: Value) -> Sighting {
        Sighting::of(&Object(
            json!({"kind": kind, "metadata": {"name": "db", "namespace": "shop", "uid": "u"},
            "spec": spec, "status": status}),
        ))
    }

    fn ready(at: &str) -> Value {
        json!({"refreshTime": at, "syncedResourceVersion": "1-a",
            "conditions": [{"type": "Ready", "status": "True", "reason": "SecretSynced", "message": "m"}]})
    }

    #[test]
    fn schedules_follow_the_operators_own_rule() {
        let noon = "2026-11-11T12:00:00Z";
        for (kind, spec, schedule) in [
            ("ExternalSecret", json!({}), "every 3600"),
            ("ExternalSecret", json!({"refreshInterval": "10ms"}), "every 1"),
            ("ExternalSecret", json!({"refreshInterval": "0"}), "never"),
            ("ExternalSecret", json!({"refreshInterval": "-5s"}), "never"),
            ("ExternalSecret", json!({"refreshInterval": "999999999999999999999h"}), "never"),
            ("ExternalSecret", json!({"refreshPolicy": "CreatedOnce", "refreshInterval": "1m"}), "never"),
            ("ExternalSecret", json!({"refreshPolicy": "OnChange"}), "asked"),
            ("PushSecret", json!({"refreshInterval": "0"}), "asked"),
            ("PushSecret", json!({"refreshInterval": "1h0m0s"}), "every 3600"),
        ] {
            let found = match user(kind, spec.clone(), ready(noon)).schedule {
                Schedule::Every(seconds) => format!("every {seconds}"),
                Schedule::Asked(_) => "asked".to_owned(),
                Schedule::Never(_) => "never".to_owned(),
            };
            assert_eq!(found, schedule, "{kind} {spec}");
        }
        // Older versions of the operator note no time on a PushSecret: when it ran is unknown.
        let silent = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        assert!(matches!(user("PushSecret", json!({}), silent).schedule, Schedule::Never(_)));
    }

    #[test]
    fn use_after_the_change_is_somebodys() {
        let identity = credential::recognise(&credential::Found { path: "aws.auth", value: None });
        let at = "2026-11-24T08:00:00Z";
        let since = u64::try_from(at.parse::<Timestamp>().unwrap().as_second()).unwrap();
        let used = |time: &str, since| used_after(&identity, &LastUse::At(time.into()), since);
        assert!(used(at, since - SKEW - 1).unwrap().contains(at));
        for (time, since) in [(at, since), (at, since - SKEW), (at, since + 9999), ("yesterday", 0), ("", 0)]
        {
            assert_eq!(used(time, since), None, "{time} {since}");
        }
        for unknown in [LastUse::NotKnown, LastUse::NotAsked("why".into())] {
            assert_eq!(used_after(&identity, &unknown, 0), None);
        }
    }

    #[test]
    fn sighting_of_anything_never_panics() {
        for status in [
            json!(null),
            json!([]),
            json!({"conditions": "x", "refreshTime": 5}),
            ready("yesterday"),
            ready("0001-01-01T00:00:00Z"),
            ready("9999-12-31T23:59:59Z"),
        ] {
            let seen = user("ExternalSecret", json!(null), status);
            assert_eq!(seen.uid, "u");
        }
        let never = user("ExternalSecret", json!({}), json!({}));
        assert!(!never.ready && !never.has_run());
        assert!(user("ExternalSecret", json!({}), ready("2026-11-11T12:00:00Z")).has_run());
    }

    #[test]
    fn users_match_by_name_or_labels() {
        let store = Store(Object(json!({"kind": "ClusterSecretStore",
            "metadata": {"name": "gcp", "labels": {"tier": "prod"}}})));
        let is_used = |kind: &str, spec: Value| {
            let user =
                Object(json!({"kind": kind, "metadata": {"name": "x", "namespace": "shop"}, "spec": spec}));
            uses(&user, &store)
        };
        let by = |reference: Value| json!({"secretStoreRefs": [{"name": "other"}, reference]});
        let cluster = |rest: Value| {
            let mut reference = rest;
            reference["kind"] = json!("ClusterSecretStore");
            reference
        };
        for (spec, expected) in [
            (json!({"secretStoreRef": cluster(json!({"name": "gcp"}))}), true),
            (json!({"secretStoreRef": {"name": "gcp"}}), false),
            (json!({"data": [{"sourceRef": {"storeRef": cluster(json!({"name": "gcp"}))}}]}), true),
            (by(cluster(json!({"name": "gcp"}))), true),
            (by(cluster(json!({"labelSelector": {"matchLabels": {"tier": "prod"}}}))), true),
            (by(cluster(json!({"labelSelector": {"matchLabels": {"tier": "test"}}}))), false),
            (by(json!({"labelSelector": {"matchLabels": {"tier": "prod"}}})), false),
            (
                by(cluster(
                    json!({"labelSelector": {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["a", "prod"]}]}}),
                )),
                true,
            ),
            (
                by(cluster(
                    json!({"labelSelector": {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["prod"]}]}}),
                )),
                false,
            ),
            (
                by(cluster(
                    json!({"labelSelector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}}),
                )),
                true,
            ),
            (
                by(cluster(
                    json!({"labelSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}),
                )),
                false,
            ),
            (json!({}), false),
        ] {
            assert_eq!(is_used("PushSecret", spec.clone()), expected, "{spec}");
        }
    }
}
