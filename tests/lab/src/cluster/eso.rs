//! A stand-in for the External Secrets controller: what it writes into the cluster, at the moments
//! when it would.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::eso_values::{condition, duration, id, plain, searched, version};
use super::{Cluster, ClusterSettings};
use crate::clock;
use crate::keys::hex;

const GROUP: &str = "external-secrets.io/v1";
const TICK: Duration = Duration::from_millis(25);
/// The controller retries with growing pauses; this is one of the first
const RETRY: Duration = Duration::from_millis(250);
/// `--store-requeue-interval`
const REQUEUE: Duration = Duration::from_secs(300);

type Exchange = dyn Fn(&Value, &str) -> Result<Vec<u8>, String> + Send + Sync;

/// The External Secrets controller of a [`Cluster`]; it stops when it is dropped.
///
/// Faithful (external-secrets/external-secrets v0.20.4, pkg/controllers/{secretstore,externalsecret}):
/// a store is validated when it is new or changed and every five minutes (its `refreshInterval`),
/// conditions, reasons and messages of stores and ExternalSecrets, `capabilities`, an
/// ExternalSecret waits for its store, is refreshed when it changes (labels and annotations
/// count) and every `refreshInterval` and not when its store changes, `refreshPolicy`, an interval of 0
/// (an ExternalSecret is never read again then, a PushSecret when it changes), `refreshTime`,
/// `syncedResourceVersion`, `binding`; the target Secret with owner, labels, manager and the
/// hash of its data, written again when it is gone; `data` with `property`, `dataFrom` with `extract`,
/// stores that an entry names by itself; `conditions.namespaces`.
/// Not faithful: it has no ServiceAccount and no rights, makes no requests of its own (so no fault
/// and no kill switch meets it), the exchange is the test's; no templates, generators; a `find` finds
/// nothing, metadata have every member that is asked for, queries in a `property` give all of it; no
/// decoding strategies, deletion policies, events, finalizers; of a PushSecret only its status; no
/// selectors and regular expressions of namespaces; failures are retried at a fixed pace.
pub struct EsoStandIn {
    stop: Arc<AtomicBool>,
    exchanges: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

struct Controller {
    shared: Arc<Mutex<ClusterSettings>>,
    exchange: Box<Exchange>,
    exchanges: Arc<AtomicUsize>,
    /// By kind, namespace and name: what was seen, and when to look again
    seen: BTreeMap<String, (String, Instant)>,
}

impl EsoStandIn {
    /// Start the controller. `exchange` is given a store object and a key and must do what the
    /// store says: get a token, exchange it, read the payload of the key. An empty key only asks
    /// whether the store gets so far as to have a client, as the validation of a store does.
    pub fn start(
        cluster: &Cluster,
        exchange: impl Fn(&Value, &str) -> Result<Vec<u8>, String> + Send + Sync + 'static,
    ) -> Self {
        let (stop, exchanges) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut controller = Controller {
            shared: cluster.shared.clone(),
            exchange: Box::new(exchange),
            exchanges: exchanges.clone(),
            seen: BTreeMap::new(),
        };
        let thread = {
            let stop = stop.clone();
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    controller.reconcile();
                    std::thread::sleep(TICK);
                }
            })
        };
        Self { stop, exchanges, thread: Some(thread) }
    }

    /// How often the exchange was called so far
    pub fn exchanges(&self) -> usize {
        self.exchanges.load(Ordering::Relaxed)
    }
}

impl Drop for EsoStandIn {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Controller {
    fn reconcile(&mut self) {
        for kind in ["ClusterSecretStore", "SecretStore"] {
            for store in self.of_kind(kind) {
                self.store(&store);
            }
        }
        for secret in self.of_kind("ExternalSecret") {
            self.external_secret(&secret);
        }
        for push in self.of_kind("PushSecret") {
            self.push_secret(&push);
        }
    }

    fn lock(&self) -> MutexGuard<'_, ClusterSettings> {
        self.shared.lock().expect("settings")
    }

    fn of_kind(&self, kind: &str) -> Vec<Value> {
        self.lock().objects.of_kind(kind)
    }

    fn call(&self, store: &Value, key: &str) -> Result<Vec<u8>, String> {
        self.exchanges.fetch_add(1, Ordering::Relaxed);
        (self.exchange)(store, key)
    }

    fn store(&mut self, store: &Value) {
        let (id, version) = (id(store), version(store));
        let due = self.seen.get(&id).is_none_or(|(seen, next)| *seen != version || Instant::now() >= *next);
        if !due {
            return;
        }
        let outcome = self.call(store, "");
        let every = store["spec"]["refreshInterval"].as_u64().filter(|seconds| *seconds > 0);
        let pause = match &outcome {
            Ok(_) => every.map_or(REQUEUE, Duration::from_secs),
            Err(_) => RETRY,
        };
        self.seen.insert(id, (version, Instant::now() + pause));
        let mut status = json!({"conditions": store["status"]["conditions"]});
        match outcome {
            Ok(_) => {
                status["capabilities"] = json!("ReadWrite");
                condition(&mut status, "True", "Valid", "store validated");
            }
            Err(_) => condition(&mut status, "False", "InvalidProviderConfig", "unable to create client"),
        }
        self.write_status(store, status);
    }

    fn external_secret(&mut self, secret: &Value) {
        let (id, version) = (id(secret), version(secret));
        let interval = duration(secret["spec"]["refreshInterval"].as_str().unwrap_or("1h"));
        let synced = secret["status"]["syncedResourceVersion"].as_str().unwrap_or_default();
        let elapsed = self.seen.get(&id).is_none_or(|(_, next)| Instant::now() >= *next);
        let changed = self.seen.get(&id).is_none_or(|(seen, _)| *seen != version);
        let due = match secret["spec"]["refreshPolicy"].as_str() {
            Some("CreatedOnce") => synced.is_empty() && elapsed,
            Some("OnChange") => synced != version && (elapsed || changed),
            _ if interval.is_zero() && !synced.is_empty() => false,
            _ => elapsed || changed,
        };
        if !due && !self.target_is_gone(secret) {
            return;
        }
        let outcome = self.data(secret);
        let pause = if outcome.is_ok() { interval } else { RETRY };
        self.seen.insert(id, (version.clone(), Instant::now() + pause));
        let mut status = secret["status"].clone();
        match outcome {
            Ok(data) => {
                let target = self.write_target(secret, data);
                status["refreshTime"] = json!(clock::rfc3339(clock::now(0)));
                status["syncedResourceVersion"] = json!(version);
                status["binding"] = json!({"name": target});
                condition(&mut status, "True", "SecretSynced", "secret synced");
            }
            Err(_) => {
                let message = "could not get secret data from provider";
                condition(&mut status, "False", "SecretSyncedError", message);
            }
        }
        self.write_status(secret, status);
    }

    /// What is pushed where is the exchange's to say: it is called with the remote key.
    fn push_secret(&mut self, push: &Value) {
        let (id, version) = (id(push), version(push));
        let interval = duration(push["spec"]["refreshInterval"].as_str().unwrap_or("1h"));
        let synced = push["status"]["syncedResourceVersion"].as_str().unwrap_or_default();
        let elapsed = self.seen.get(&id).is_none_or(|(_, next)| Instant::now() >= *next);
        let changed = self.seen.get(&id).is_none_or(|(seen, _)| *seen != version);
        let never = interval.is_zero() && synced == version;
        if never || !elapsed && !changed {
            return;
        }
        let refs = push["spec"]["secretStoreRefs"].as_array().cloned().unwrap_or_default();
        let outcome: Result<(), String> = refs.iter().try_for_each(|reference| {
            let as_user = json!({"metadata": push["metadata"], "spec": {"secretStoreRef": reference}});
            let store = self.store_of(&as_user)?;
            push["spec"]["data"].as_array().into_iter().flatten().try_for_each(|entry| {
                let key = entry["match"]["remoteRef"]["remoteKey"].as_str().unwrap_or_default();
                self.call(&store, key).map(drop)
            })
        });
        let pause = if outcome.is_ok() { interval } else { RETRY };
        self.seen.insert(id, (version.clone(), Instant::now() + pause));
        let mut status = push["status"].clone();
        match outcome {
            Ok(()) => {
                status["refreshTime"] = json!(clock::rfc3339(clock::now(0)));
                status["syncedResourceVersion"] = json!(version);
                condition(&mut status, "True", "Synced", "PushSecret synced successfully");
            }
            Err(why) => {
                condition(&mut status, "False", "Errored", &format!("set secret failed: {why}"));
            }
        }
        self.write_status(push, status);
    }

    /// Whether another client removed the Secret that was written
    fn target_is_gone(&self, secret: &Value) -> bool {
        let Some(target) = secret["status"]["binding"]["name"].as_str() else { return false };
        let shared = self.lock();
        let kind = shared.objects.kind("v1", "Secret");
        let namespace = secret["metadata"]["namespace"].as_str().unwrap_or_default();
        let failed = secret["status"]["conditions"][0]["status"] != "True";
        !failed && shared.objects.get(&kind.key(namespace, target)).is_none()
    }

    /// What the target Secret is to hold
    fn data(&self, secret: &Value) -> Result<BTreeMap<String, Vec<u8>>, String> {
        let spec = &secret["spec"];
        let mut data = BTreeMap::new();
        for from in spec["dataFrom"].as_array().into_iter().flatten() {
            let store = self.store_of_entry(secret, from)?;
            if from["find"].is_object() {
                searched(&from["find"])?;
                self.call(&store, "")?;
                continue;
            }
            let key = from["extract"]["key"].as_str().ok_or("only extract is known here")?;
            let payload: Value =
                serde_json::from_slice(&self.call(&store, key)?).map_err(|e| e.to_string())?;
            for (name, value) in payload.as_object().ok_or("no JSON object")? {
                data.insert(name.clone(), plain(value));
            }
        }
        for entry in spec["data"].as_array().into_iter().flatten() {
            let reference = &entry["remoteRef"];
            let name = entry["secretKey"].as_str().unwrap_or_default();
            let store = self.store_of_entry(secret, entry)?;
            if reference["metadataPolicy"] == "Fetch" {
                self.call(&store, "")?;
                data.insert(name.to_owned(), b"noted".to_vec());
                continue;
            }
            let key =
                reference["key"].as_str().filter(|key| !key.is_empty()).ok_or("an entry names no key")?;
            let payload = self.call(&store, key)?;
            let value = match reference["property"].as_str().filter(|property| !property.is_empty()) {
                None => payload,
                Some(property) if property.contains(['#', '@', '|', '*']) => payload,
                Some(property) => {
                    let payload: Value = serde_json::from_slice(&payload).map_err(|e| e.to_string())?;
                    let pointer = format!("/{}", property.replace('.', "/"));
                    let value = payload.get(property).or_else(|| payload.pointer(&pointer));
                    plain(value.ok_or_else(|| format!("property {property} does not exist"))?)
                }
            };
            data.insert(name.to_owned(), value);
        }
        Ok(data)
    }

    /// The store that an entry names by itself, else that of the whole
    fn store_of_entry(&self, secret: &Value, entry: &Value) -> Result<Value, String> {
        let reference = match &entry["sourceRef"]["storeRef"] {
            Value::Null => &secret["spec"]["secretStoreRef"],
            own => own,
        };
        self.store_of(&json!({"metadata": secret["metadata"], "spec": {"secretStoreRef": reference}}))
    }

    /// The store that an ExternalSecret names, if it is ready and takes this namespace
    fn store_of(&self, secret: &Value) -> Result<Value, String> {
        let (reference, namespace) = (&secret["spec"]["secretStoreRef"], &secret["metadata"]["namespace"]);
        let kind = reference["kind"].as_str().filter(|kind| !kind.is_empty()).unwrap_or("SecretStore");
        let of = |store: &Value| {
            store["metadata"]["name"] == reference["name"]
                && (kind == "ClusterSecretStore" || store["metadata"]["namespace"] == *namespace)
        };
        let store = self.of_kind(kind).into_iter().find(of);
        let store = store.ok_or_else(|| format!("could not get {kind} {}", reference["name"]))?;
        let ready = store["status"]["conditions"].as_array().into_iter().flatten();
        if !ready.into_iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True") {
            return Err(format!("{kind} {} is not ready", reference["name"]));
        }
        let conditions = store["spec"]["conditions"].as_array().filter(|_| kind == "ClusterSecretStore");
        let admits =
            |condition: &Value| condition["namespaces"].as_array().is_some_and(|all| all.contains(namespace));
        if conditions.is_some_and(|all| !all.is_empty() && !all.iter().any(admits)) {
            return Err(format!(
                "using cluster store {} is not allowed from namespace {namespace}: denied by spec.condition",
                reference["name"]
            ));
        }
        Ok(store)
    }

    fn write_target(&self, secret: &Value, data: BTreeMap<String, Vec<u8>>) -> String {
        let metadata = &secret["metadata"];
        let owner = metadata["name"].as_str().unwrap_or_default();
        let target =
            secret["spec"]["target"]["name"].as_str().filter(|name| !name.is_empty()).unwrap_or(owner);
        let data: BTreeMap<String, String> =
            data.into_iter().map(|(name, value)| (name, STANDARD.encode(value))).collect();
        let hash = hex(&digest(&SHA256, json!(data).to_string().as_bytes()).as_ref()[..28]);
        let mut object = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": data,
            "metadata": {
                "name": target, "namespace": metadata["namespace"],
                "labels": {"reconcile.external-secrets.io/managed": "true"},
                "annotations": {"reconcile.external-secrets.io/data-hash": hash},
            },
        });
        let policy = secret["spec"]["target"]["creationPolicy"].as_str().unwrap_or("Owner");
        if policy == "Owner" {
            object["metadata"]["ownerReferences"] = json!([{
                "apiVersion": GROUP, "kind": "ExternalSecret", "name": owner, "uid": metadata["uid"],
                "controller": true, "blockOwnerDeletion": true,
            }]);
        }
        let manager = format!("externalsecrets.external-secrets.io/{owner}");
        self.lock().put_object(object, &manager, "");
        target.to_owned()
    }

    /// Writes a status, unless the object is gone or has changed since
    fn write_status(&self, object: &Value, status: Value) {
        let mut shared = self.lock();
        let group = object["apiVersion"].as_str().unwrap_or(GROUP);
        let Some(kind) = shared.objects.kinds.by_kind(group, object["kind"].as_str().unwrap_or_default())
        else {
            return;
        };
        let text = |name: &str| object["metadata"][name].as_str().unwrap_or_default();
        let key = kind.key(text("namespace"), text("name"));
        let current = shared.objects.get(&key).cloned();
        let Some(mut current) = current.filter(|current| version(current) == version(object)) else { return };
        if current["status"] == status {
            return;
        }
        current["status"] = status;
        shared.put_object(current, "external-secrets", "status");
    }
}
