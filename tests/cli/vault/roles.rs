//! Several stores at one server: a role and a policy each.

use lab::Call;
use serde_json::json;

use super::{Scene, refused};
use crate::estate::store;

pub(super) const BOTH: [&str; 4] = ["--store", "gcp", "--store", "other"];
pub(super) const ROLES: [&str; 2] =
    ["external-secrets.external-secrets.keyless-gcp", "external-secrets.external-secrets.keyless-other"];

pub(super) fn two() -> Scene {
    let scene = Scene::new();
    scene.vault.put_secret("kv", "api", json!({"password": "hunter3"}));
    let estate = &scene.estate;
    estate.world.cluster.put_object(store("other", "gcp-key"));
    let data = json!([{"secretKey": "value", "remoteRef": {"key": "api", "property": "password"}}]);
    let other = json!({"name": "other", "kind": "ClusterSecretStore"});
    estate.user("shop", "api", &json!({"secretStoreRef": other, "data": data}));
    estate.until_read("shop", "api");
    scene
}

pub(super) fn set_up(scene: &Scene) {
    let setup = ["setup", "--yes", "--accept-new-secrets", "--watch-for", "0s", "--to", "vault"];
    scene.run(&[&setup[..], &BOTH].concat()).ends(0);
}

#[test]
fn each_store_has_its_own_role() {
    let scene = two();
    set_up(&scene);
    let object = |name: &str| {
        scene.estate.world.cluster.object("external-secrets.io/v1", "ClusterSecretStore", None, name).unwrap()
    };
    for (index, (name, reads, other)) in
        [("gcp", "kv/data/db", "kv/data/api"), ("other", "kv/data/api", "kv/data/db")].into_iter().enumerate()
    {
        let role = scene.vault.jwt_role("keyless", ROLES[index]).unwrap();
        assert_eq!(role["bound_subject"], format!("system:serviceaccount:external-secrets:keyless-{name}"));
        let policy = scene.vault.policy(&format!("keyless-{}", ROLES[index])).unwrap();
        assert!(policy.contains(reads) && !policy.contains(other), "{policy}");
        let jwt = object(name)["spec"]["provider"]["vault"]["auth"]["jwt"].clone();
        assert_eq!(jwt["role"], ROLES[index]);
    }
    assert_eq!(scene.estate.key_disabled(), Some(true), "both have left it");
    // The names do not change, whichever stores a run is about.
    let writes =
        |call: &Call| call.method != "GET" && !call.path.contains("/login") && !call.path.contains("-self");
    scene.vault.faults().forget();
    set_up(&scene);
    let calls = scene.vault.faults().requests();
    assert!(!calls.iter().any(writes), "{calls:?}");
}

#[test]
fn teardown_removes_each_role() {
    let scene = two();
    set_up(&scene);
    scene.run(&[&["teardown", "--yes"][..], &BOTH].concat()).ends(0);
    for role in ROLES {
        assert_eq!(scene.vault.jwt_role("keyless", role), None);
        assert_eq!(scene.vault.policy(&format!("keyless-{role}")), None);
    }
    assert!(!scene.vault.mounts().iter().any(|(path, _)| path.contains("keyless")));
}

/// A store that is gone keeps no role, and a role that others made is theirs.
#[test]
fn unused_role_is_removed_alone() {
    let scene = two();
    set_up(&scene);
    let cluster = &scene.estate.world.cluster;
    cluster.remove_object("external-secrets.io/v1", "ClusterSecretStore", None, "other");
    let theirs = "external-secrets.shop.mine";
    let role = json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"],
        "bound_subject": "system:serviceaccount:shop:mine", "token_policies": [format!("keyless-{theirs}")]});
    let token = scene.vault.root_token();
    refused::write(&scene, &token, &format!("auth/keyless/role/{theirs}"), &role);
    scene.vault.put_policy(&format!("keyless-{theirs}"), "path \"kv/data/x\" { capabilities = [\"read\"] }");
    let planned = scene.run(&["teardown", "--unused", "--dry-run"]).ends(1);
    let deleted = |role: &str| planned.out.contains(&format!("- delete  role {role} "));
    assert_eq!([ROLES[1], ROLES[0], theirs].map(deleted), [true, false, false], "{}", planned.out);
    scene.run(&["teardown", "--unused", "--yes"]).ends(0);
    for (role, stays) in [(ROLES[0], true), (ROLES[1], false), (theirs, true)] {
        assert_eq!(scene.vault.jwt_role("keyless", role).is_some(), stays, "{role}");
        assert_eq!(scene.vault.policy(&format!("keyless-{role}")).is_some(), stays, "{role}");
    }
    let account = |name: &str| cluster.object("v1", "ServiceAccount", Some("external-secrets"), name);
    assert!(account("keyless-gcp").is_some() && account("keyless-other").is_none());
    scene.run(&["verify", "--store", "gcp"]).ends(0);
    scene.run(&["teardown", "--unused", "--yes"]).ends(0).says("nothing to remove");
}

/// An account whose store has another role by now: the one that no store names goes, the account stays.
#[test]
fn second_role_of_account_goes_alone() {
    let scene = two();
    scene.settings("mode: static-keys", "store: {name: gcp}\n");
    scene.setup("vault").ends(0);
    let first = scene.vault.jwt_role("keyless", "external-secrets").unwrap();
    assert_eq!(first["bound_subject"], "system:serviceaccount:external-secrets:keyless-gcp");
    // The operator's administrator gives the store the name that follows from the account.
    scene.settings("mode: static-keys", "");
    set_up(&scene);
    let cluster = &scene.estate.world.cluster;
    let store = || cluster.object("external-secrets.io/v1", "ClusterSecretStore", None, "gcp").unwrap();
    assert_eq!(store()["spec"]["provider"]["vault"]["auth"]["jwt"]["role"], ROLES[0]);
    scene.settings("mode: static-keys", "store: {name: gcp}\n");
    let ran = scene.run(&["teardown", "--unused", "--dry-run"]).ends(1);
    assert!(ran.out.contains("- delete  role external-secrets "), "{}", ran.out);
    for stays in [ROLES[0], ROLES[1], "ServiceAccount"] {
        assert!(!ran.out.contains(&format!("- delete  {stays}")), "{}", ran.out);
        assert!(!ran.out.contains(&format!("- delete  role {stays} ")), "{}", ran.out);
    }
    scene.run(&["teardown", "--unused", "--yes"]).ends(0);
    for (role, stays) in [("external-secrets", false), (ROLES[0], true), (ROLES[1], true)] {
        assert_eq!(scene.vault.jwt_role("keyless", role).is_some(), stays, "{role}");
        assert_eq!(scene.vault.policy(&format!("keyless-{role}")).is_some(), stays, "{role}");
    }
    assert!(cluster.object("v1", "ServiceAccount", Some("external-secrets"), "keyless-gcp").is_some());
    scene.run(&["verify", "--store", "gcp"]).ends(0);
    scene.run(&["teardown", "--unused", "--yes"]).ends(0).says("nothing to remove");
}
