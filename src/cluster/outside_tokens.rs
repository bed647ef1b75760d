//! The longest life of a token with an audience outside the cluster, as pods, CSI drivers and stores ask for it.

use futures::join;
use serde_json::Value;

use super::{
    Cluster,
    objects::{Items, Resource},
};
use crate::error::Code;

static PODS: Resource = Resource::new("", "v1", "pods", "Pod", true);
static DRIVERS: Resource = Resource::new("storage.k8s.io", "v1", "csidrivers", "CSIDriver", false);
static STORES: Resource =
    Resource::new("external-secrets.io", "v1", "clustersecretstores", "ClusterSecretStore", false);
static NAMESPACED_STORES: Resource =
    Resource::new("external-secrets.io", "v1", "secretstores", "SecretStore", true);

/// What a pod or a driver gets that names no time (`expirationSeconds` of a projected token, and of a token request).
const DEFAULT: u64 = 3600;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OutsideTokens {
    /// In seconds, and what asks for it, e.g. `Pod app/web-0`; `None`: nothing asks for one.
    pub(crate) longest: Option<(u64, String)>,
    /// What could not be looked at, and why.
    pub(crate) unseen: Vec<String>,
}

impl Cluster {
    /// Takes the right to list pods, CSI drivers and stores; what may not be listed is named.
    pub(crate) async fn outside_tokens(&self) -> OutsideTokens {
        let (pods, drivers, stores, namespaced) = join!(
            self.longest_of(&PODS, "Pod", of_pod),
            self.longest_of(&DRIVERS, "CSIDriver", of_driver),
            self.longest_of(&STORES, "ClusterSecretStore", of_store),
            self.longest_of(&NAMESPACED_STORES, "SecretStore", of_store),
        );
        let mut all = OutsideTokens::default();
        for found in [pods, drivers, stores, namespaced] {
            all.unseen.extend(found.unseen);
            all.longest = all.longest.max(found.longest);
        }
        all
    }

    async fn longest_of(
        &self,
        resource: &Resource,
        kind: &'static str,
        asks: fn(&Value) -> Option<u64>,
    ) -> OutsideTokens {
        let mut asking = Asking { kind, asks, longest: None };
        let unseen = match self.each_object(resource, None, "", &mut asking).await {
            Ok(()) => None,
            // The operator is not installed, or is older.
            Err(error) if error.code == Code::ClusterNotFound => {
                match self.each_object(&resource.at_version("v1beta1"), None, "", &mut asking).await {
                    Err(error) if error.code != Code::ClusterNotFound => Some(error),
                    _ => None,
                }
            }
            Err(error) => Some(error),
        };
        let unseen = unseen.map(|error| format!("{}: {}", resource.name(), error.message));
        OutsideTokens { longest: asking.longest, unseen: unseen.into_iter().collect() }
    }
}

/// Takes the longest out of a list.
struct Asking {
    kind: &'static str,
    asks: fn(&Value) -> Option<u64>,
    longest: Option<(u64, String)>,
}

impl Items for Asking {
    fn begin(&mut self) {
        self.longest = None;
    }

    fn take(&mut self, json: &[u8]) {
        let Ok(item) = serde_json::from_slice::<Value>(json) else { return };
        let Some(seconds) = (self.asks)(&item) else { return };
        let name = ["namespace", "name"].map(|member| item["metadata"][member].as_str().unwrap_or_default());
        let name = name.join("/");
        let by = format!("{} {}", self.kind, name.trim_start_matches('/').escape_debug());
        self.longest = self.longest.take().max(Some((seconds, by)));
    }
}

/// One without an audience is for the API servers themselves.
fn of_request(request: &Value) -> Option<u64> {
    let is_outside = request["audience"].as_str().is_some_and(|audience| !audience.is_empty());
    is_outside.then(|| request["expirationSeconds"].as_u64().unwrap_or(DEFAULT))
}

fn of_pod(pod: &Value) -> Option<u64> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let volumes = list(&pod["spec"]["volumes"]);
    let sources = volumes.iter().flat_map(|volume| list(&volume["projected"]["sources"]));
    sources.filter_map(|source| of_request(&source["serviceAccountToken"])).max()
}

fn of_driver(driver: &Value) -> Option<u64> {
    driver["spec"]["tokenRequests"].as_array()?.iter().filter_map(of_request).max()
}

/// Wherever a provider's login has it; all others ask for less than the default of a pod.
fn of_store(store: &Value) -> Option<u64> {
    longest_in(&store["spec"]["provider"])
}

fn longest_in(value: &Value) -> Option<u64> {
    match value {
        Value::Object(members) => {
            let own = members.get("expirationSeconds").and_then(Value::as_u64);
            members.values().filter_map(longest_in).chain(own).max()
        }
        Value::Array(items) => items.iter().filter_map(longest_in).max(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn longest_outside_token_counts() {
        let pod = |sources: Value| json!({"spec": {"volumes": [{"emptyDir": {}}, {"projected": {"sources": sources}}]}});
        let token = |token: Value| json!([{"configMap": {"name": "a"}}, {"serviceAccountToken": token}]);
        for (pod, longest) in [
            (json!({}), None),
            (pod(json!("no list")), None),
            (pod(token(json!({"path": "a", "expirationSeconds": 99999}))), None),
            (pod(token(json!({"path": "a", "audience": "", "expirationSeconds": 99999}))), None),
            (pod(token(json!({"audience": "sts.amazonaws.com"}))), Some(3600)),
            (pod(token(json!({"audience": "vault", "expirationSeconds": 172_800}))), Some(172_800)),
            (pod(token(json!({"audience": "vault", "expirationSeconds": "172800"}))), Some(3600)),
            (pod(token(json!({"audience": 5, "expirationSeconds": 172_800}))), None),
        ] {
            assert_eq!(of_pod(&pod), longest, "{pod}");
        }
        let driver = json!({"spec": {"tokenRequests": [{"audience": ""}, {"audience": "vault", "expirationSeconds": 7200}]}});
        assert_eq!((of_driver(&driver), of_driver(&json!({"spec": {}}))), (Some(7200), None));
        let store = json!({"spec": {"provider": {"vault": {"auth": {"jwt": {"kubernetesServiceAccountToken":
            {"audiences": ["vault"], "expirationSeconds": 900}}}}}, "expirationSeconds": 99999}});
        assert_eq!((of_store(&store), of_store(&json!({}))), (Some(900), None));
    }
}
