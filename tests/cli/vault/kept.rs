//! A run that is about a part of what uses a login takes nothing from the rest.

use serde_json::{Value, json};

use super::{
    POLICY, Scene,
    roles::{BOTH, ROLES, set_up, two},
};

const ESO: &str = "external-secrets.io/v1";
const OWN: &str = "external-secrets.external-secrets.keyless-gcp";

fn used_by(store: &str) -> Value {
    json!({"name": store, "kind": "ClusterSecretStore"})
}

fn reads(scene: &Scene, store: &str, key: &str) {
    scene.vault.put_secret("kv", key, json!({"password": "hunter3"}));
    let data = json!([{"secretKey": "value", "remoteRef": {"key": key, "property": "password"}}]);
    scene.estate.user("shop", key, &json!({"secretStoreRef": used_by(store), "data": data}));
    scene.estate.until_read("shop", key);
}

/// The second store is also written and searched through.
fn used_in_all_ways() -> Scene {
    let scene = two();
    reads(&scene, "other", "mail");
    scene.vault.put_secret("kv", "tls", json!({"password": "old"}));
    scene.vault.put_secret("kv", "team/a", json!({"x": "1"}));
    let find = json!({"path": "team", "name": {"regexp": ".*"}});
    let data = json!([{"find": find}]);
    scene.estate.user("shop", "all", &json!({"secretStoreRef": used_by("other"), "dataFrom": data}));
    scene.estate.world.cluster.put_object(json!({"apiVersion": "external-secrets.io/v1alpha1",
        "kind": "PushSecret", "metadata": {"name": "push", "namespace": "shop"},
        "spec": {"refreshInterval": "1s", "secretStoreRefs": [used_by("other")],
            "selector": {"secret": {"name": "db"}},
            "data": [{"match": {"secretKey": "password", "remoteRef": {"remoteKey": "tls", "property": "password"}}}]}}));
    scene
}

fn again(scene: &Scene, flags: &[&str]) -> crate::world::Ran {
    scene.run(&[&["setup", "--yes", "--watch-for", "0s", "--to", "vault"], flags].concat())
}

#[test]
fn rerun_without_flag_narrows_no_policy() {
    let scene = used_in_all_ways();
    set_up(&scene);
    let policies = || ROLES.map(|role| scene.vault.policy(&format!("keyless-{role}")).unwrap());
    let before = policies();
    for path in ["kv/data/api", "kv/data/mail", "kv/data/tls", "kv/metadata/team/*", "kv/data/team/a"] {
        assert!(before[1].contains(&format!("\"{path}\"")), "{path} is not in {}", before[1]);
    }
    for flags in [&BOTH[..], &["--all"]] {
        let ran = again(&scene, flags).ends(0).says("nothing to do");
        assert_eq!(policies(), before, "{flags:?}:\n{}", ran.out);
    }
    // What nothing reads any more is shown, and stays until that is asked for.
    scene.estate.world.cluster.remove_object(ESO, "ExternalSecret", Some("shop"), "mail");
    again(&scene, &BOTH).ends(0).says("it also gives kv/data/mail (read): --revoke-unused");
    assert_eq!(policies(), before);
    again(&scene, &[&BOTH[..], &["--revoke-unused"]].concat()).ends(0);
    let after = policies();
    assert!(after[0] == before[0] && !after[1].contains("kv/data/mail"), "{}", after[1]);
    for path in ["kv/data/api", "kv/data/tls", "kv/metadata/team/*", "kv/data/team/a"] {
        assert!(after[1].contains(&format!("\"{path}\"")), "{path} is not in {}", after[1]);
    }
    for store in ["other", "gcp"] {
        again(&scene, &["--store", store]).ends(0).says("nothing to do");
        assert_eq!(policies(), after, "{store}");
    }
    scene.run(&["verify", "--all"]).ends(0);
}

/// The store of the settings, and one that logs in with its ServiceAccount.
#[test]
fn shared_account_has_one_role() {
    let scene = two();
    scene.settings("mode: static-keys", "store: {name: gcp}\n");
    scene.setup("vault").ends(0);
    let mut provider = scene.provider();
    provider["auth"]["jwt"]["role"] = json!(OWN);
    scene.estate.world.cluster.put_object(json!({"apiVersion": ESO, "kind": "ClusterSecretStore",
        "metadata": {"name": "other"}, "spec": {"provider": {"vault": provider}}}));
    let policy = || scene.vault.policy(POLICY).unwrap();
    let has = |paths: [bool; 2]| {
        let text = policy();
        assert_eq!(["db", "api"].map(|key| text.contains(&format!("kv/data/{key}"))), paths, "{text}");
    };
    has([true, false]);
    again(&scene, &["--store", "other", "--accept-new-secrets"]).ends(0);
    has([true, true]);
    let other = scene.estate.world.cluster.object(ESO, "ClusterSecretStore", None, "other").unwrap();
    assert_eq!(other["spec"]["provider"]["vault"]["auth"]["jwt"]["role"], "external-secrets");
    assert_eq!(scene.vault.jwt_role("keyless", OWN), None, "one ServiceAccount, one role");
    // Whichever of them a run is about, and even if unused rights are to go.
    let before = policy();
    for flags in [&["--store", "gcp"][..], &["--store", "other"], &BOTH, &["--revoke-unused"]] {
        again(&scene, flags).ends(0);
        assert_eq!(policy(), before, "{flags:?}");
    }
    scene.run(&["verify", "--all"]).ends(0);
    // With its last user, a right of the other store can go.
    scene.estate.world.cluster.remove_object(ESO, "ExternalSecret", Some("shop"), "api");
    again(&scene, &["--store", "gcp"]).ends(0);
    has([true, true]);
    again(&scene, &["--store", "gcp", "--revoke-unused"]).ends(0);
    has([true, false]);
}

/// It had a role of its own before it came into the settings.
#[test]
fn store_keeps_its_own_role() {
    let scene = two();
    set_up(&scene);
    scene.settings("mode: static-keys", "store: {name: gcp}\n");
    scene.vault.faults().forget();
    again(&scene, &[]).ends(0).says("nothing to do");
    assert_eq!(scene.provider()["auth"]["jwt"]["role"], OWN);
    assert_eq!(scene.vault.jwt_role("keyless", "external-secrets"), None);
    scene.run(&["verify"]).ends(0);
    scene.run(&["render", "store"]).ends(0).says(&format!("role: {OWN}"));
    scene.run(&["teardown", "--yes", "--store", "gcp"]).ends(0);
    assert_eq!(scene.vault.jwt_role("keyless", OWN), None);
    assert!(scene.vault.jwt_role("keyless", ROLES[1]).is_some());
}

/// What concerns one role holds up no other store.
#[test]
fn foreign_policy_holds_up_one_store() {
    let scene = two();
    let policy = format!("keyless-{}", ROLES[1]);
    scene.vault.put_policy(&policy, "# mine");
    let setup = ["setup", "--yes", "--accept-new-secrets", "--watch-for", "0s", "--to", "vault"];
    let ran = scene.run(&[&setup[..], &BOTH].concat()).ends(3).says("Not every store is moved");
    assert!(ran.out.contains(&format!("! ClusterSecretStore other: policy {policy} was not")), "{}", ran.out);
    assert!(scene.provider().is_object() && scene.vault.jwt_role("keyless", ROLES[0]).is_some());
    assert_eq!(
        (scene.vault.policy(&policy).as_deref(), scene.vault.jwt_role("keyless", ROLES[1])),
        (Some("# mine"), None)
    );
    assert_eq!(scene.estate.key_disabled(), Some(false), "the other one uses it");
    // The auth method is all stores': nothing is begun.
    scene.vault.change_keys("keyless", Vec::clear);
    scene.vault.disable_auth("keyless");
    scene.vault.enable_auth("keyless", "approle", "");
    scene.run(&[&setup[..], &BOTH].concat()).fails(3, "vault-mount-in-use", &["auth/keyless"]);
}
