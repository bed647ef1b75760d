//! Who uses a store, for what: `fixtures/eso/users`. The first line of each file says what is expected.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::json;

use super::*;
use crate::{
    cluster::{objects::Unseen, snapshot::tests::objects},
    federation::ProviderName,
    secret_store::Needs,
};

/// What a file says: what is expected, the store, its users, the namespaces.
struct Case {
    name: String,
    expected: String,
    store: Store,
    users: Vec<Object>,
    namespaces: Namespaces,
}

impl Case {
    fn all(folder: &str) -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/eso/users").join(folder);
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| Self::read(file)).collect()
    }

    fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).unwrap();
        let expected = text.lines().next().unwrap().strip_prefix("# ").unwrap().to_owned();
        let mut objects = objects(&text);
        let store = Store(objects.remove(0));
        let (namespaces, users): (Vec<_>, Vec<_>) =
            objects.into_iter().partition(|object| object.kind() == "Namespace");
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        Self { name, expected, store, users, namespaces: Namespaces::of(&namespaces) }
    }

    fn needs(&self, namespaces: &Look<Namespaces>) -> Needs {
        let at = ProviderName::of_store(&self.store).zip(self.store.provider());
        let prefix = at.map_or("", |(name, (_, settings))| name.entry().key_prefix(settings));
        Needs::of(usage(&self.users, &self.store, prefix, namespaces), &|right| Ok(Some(right.clone())))
    }

    fn seen(&self) -> Needs {
        self.needs(&Look::Seen(self.namespaces.clone()))
    }
}

#[test]
fn admitted_users_need_what_they_do() {
    let cases = Case::all("granted");
    assert!(cases.len() >= 15, "{}", cases.len());
    for case in cases {
        let needs = case.seen();
        assert_eq!(needs.left_out, [], "{}", case.name);
        let found: BTreeSet<String> = needs.rights.keys().map(ToString::to_string).collect();
        let expected: BTreeSet<String> = case.expected.split("; ").map(str::to_owned).collect();
        assert_eq!(found, expected, "{}", case.name);
    }
}

#[test]
fn other_users_are_omitted_by_name() {
    let cases = Case::all("left-out");
    assert!(cases.len() > Case::all("granted").len());
    for case in cases {
        let needs = case.seen();
        assert!(needs.rights.is_empty(), "{}: {:?}", case.name, needs.rights);
        let [left] = &needs.left_out[..] else { panic!("{}: {:?}", case.name, needs.left_out) };
        assert!(left.why.contains(&case.expected), "{}: {}", case.name, left.why);
        assert!(left.object.contains(case.users[0].name()), "{}: {}", case.name, left.object);
    }
}

#[test]
fn unseen_labels_admit_no_user() {
    let unseen = Unseen { what: "namespaces".into(), right: "list namespaces".into(), why: "no".into() };
    let unseen = Look::Unseen(unseen);
    let mut by_labels = 0;
    for case in Case::all("granted") {
        let asks = needs_namespaces(&case.users, &case.store);
        let needs = case.needs(&unseen);
        assert_eq!(needs.rights.is_empty(), asks, "{}", case.name);
        assert_eq!(needs.left_out.iter().any(|it| it.why.contains("list namespaces")), asks, "{}", case.name);
        assert!(needs.left_out.iter().all(|it| !it.is_refused), "{}", case.name);
        by_labels += usize::from(asks);
    }
    assert_eq!(by_labels, 2, "one condition, one ClusterExternalSecret");
}

fn user(generation: u64, status: Value) -> Object {
    Object(json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": { "name": "db", "namespace": "shop", "generation": generation },
        "spec": { "secretStoreRef": { "name": "main" }, "data": [{ "remoteRef": { "key": "db" } }] },
        "status": status,
    }))
}

fn status(ready: &str, reason: &str, synced: &str, at: &str) -> Value {
    json!({ "conditions": [{ "type": "Ready", "status": ready, "reason": reason }],
        "syncedResourceVersion": synced, "refreshTime": at })
}

#[test]
fn only_fresh_reading_of_generation_counts() {
    const AT: &str = "2026-11-25T12:00:00Z";
    for (status, expected) in [
        (status("True", "SecretSynced", "3-abc", AT), UseState::Read),
        (status("True", "SecretSynced", "2-abc", AT), UseState::Ready),
        (status("True", "SecretSynced", "", AT), UseState::Ready),
        (status("True", "SecretSynced", "3-abc", ""), UseState::Ready),
        (status("True", "SecretDeleted", "3-abc", AT), UseState::Ready),
        (status("False", "SecretSyncedError", "3-abc", AT), UseState::NotReady),
        (json!({}), UseState::NotReady),
        (json!({ "conditions": "none" }), UseState::NotReady),
    ] {
        assert_eq!(state(&user(3, status.clone()), None), expected, "{status}");
    }
    assert_eq!(state(&user(0, status("True", "SecretSynced", "-", AT)), None), UseState::Ready);
}

/// Those who have a SecretStore can turn it to a project that they have never read.
#[test]
fn reading_before_store_write_proves_nothing() {
    let store = |kind: &str, written: &str| {
        let fields = json!([
            { "manager": "kubectl", "time": "2026-11-25T10:00:00Z" },
            { "manager": "tenant", "time": written },
            { "manager": "external-secrets", "subresource": "status", "time": "2026-11-25T13:00:00Z" },
        ]);
        Store(Object(
            json!({ "kind": kind, "metadata": { "name": "main", "namespace": "shop", "managedFields": fields } }),
        ))
    };
    let read = |store: &Store| {
        let user = user(1, status("True", "SecretSynced", "1-abc", "2026-11-25T12:00:00Z"));
        let mut user = user;
        user.0["spec"]["secretStoreRef"]["kind"] = json!(store.0.kind());
        usage([&user], store, "", &Look::Absent).uses[0].state
    };
    assert_eq!(read(&store("SecretStore", "2026-11-25T11:00:00Z")), UseState::Read);
    assert_eq!(read(&store("SecretStore", "2026-11-25T12:30:00Z")), UseState::Ready);
    assert_eq!(
        read(&store("ClusterSecretStore", "2026-11-25T12:30:00Z")),
        UseState::Read,
        "administrators write it"
    );
    let mut unknown = store("SecretStore", "2026-11-25T11:00:00Z");
    unknown.0.0["metadata"]["managedFields"] = json!(null);
    assert_eq!(read(&unknown), UseState::Ready);
}

/// What one namespace has read with a key of its own, another that uses the store has not.
#[test]
fn reading_by_own_key_proves_nothing() {
    let key = |namespace: Value| json!({ "name": "key", "namespace": namespace, "key": "key.json" });
    let account = |namespace: Value| json!({ "name": "eso", "namespace": namespace, "audiences": ["a"] });
    let state = |provider: Value| {
        let store = Store(Object(json!({ "kind": "ClusterSecretStore", "metadata": { "name": "main" },
            "spec": { "provider": provider } })));
        let mut user = user(1, status("True", "SecretSynced", "1-abc", "2026-11-25T12:00:00Z"));
        user.0["spec"]["secretStoreRef"]["kind"] = json!("ClusterSecretStore");
        usage([&user], &store, "", &Look::Absent).uses[0].state
    };
    let by_key = |namespace: Value| json!({ "gcpsm": { "auth": { "secretRef": { "secretAccessKeySecretRef": key(namespace) } } } });
    let by_token = |namespace: Value| json!({ "gcpsm": { "auth": { "workloadIdentity": { "serviceAccountRef": account(namespace) } } } });
    let by_approle =
        |namespace: Value| json!({ "vault": { "auth": { "appRole": { "secretRef": key(namespace) } } } });
    let logins: [&dyn Fn(Value) -> Value; 3] = [&by_key, &by_token, &by_approle];
    for login in logins {
        assert_eq!(state(login(json!("external-secrets"))), UseState::Read);
        for own in [json!(null), json!("")] {
            assert_eq!(state(login(own.clone())), UseState::Ready, "{}", login(own));
        }
    }
    assert_eq!(state(json!({ "gcpsm": {} })), UseState::Read);
}

/// It is another store, which its users do not share with the one of this name.
#[test]
fn namesake_elsewhere_has_no_users_here() {
    let store = json!({ "kind": "SecretStore", "metadata": { "name": "main", "namespace": "shop" } });
    let store = Store(Object(store));
    let own = user(1, json!({}));
    let mut other = own.clone();
    other.0["metadata"]["namespace"] = json!("team");
    let used = usage([&own, &other], &store, "", &Look::Absent);
    assert_eq!((used.uses.len(), used.left_out), (1, Vec::new()));
}
