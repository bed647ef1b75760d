//! `keyless setup` for several stores in one run: a plan for all, an identity and gates each, a shared key retired once.

mod teardown;

use serde_json::{Value, json};

use crate::{
    estate::{Estate, store},
    steps::{forget, recorded_writes, writes_what_it_shows},
    world::Ran,
};

const ESO: &str = "external-secrets.io/v1";
pub(crate) const BOTH: [&str; 4] = ["--store", "gcp", "--store", "other"];
const QUICK: [&str; 3] = ["setup", "--watch-for", "0s"];

/// A second store that logs in with the same key, and reads another secret.
pub(crate) fn two() -> Estate {
    let estate = Estate::new();
    estate.google.add_secret("api", br#"{"password":"hunter3"}"#);
    let reader = format!("serviceAccount:{}", estate.email);
    estate.google.grant("secrets/api", "roles/secretmanager.secretAccessor", &reader);
    estate.world.cluster.put_object(store("other", "gcp-key"));
    reads_through(&estate, "other", "api", "1s");
    estate.until_read("shop", "api");
    estate
}

pub(crate) fn reads_through(estate: &Estate, store: &str, key: &str, interval: &str) {
    let data = json!([{"secretKey": "value", "remoteRef": {"key": key}}]);
    let store = json!({"name": store, "kind": "ClusterSecretStore"});
    estate.user("shop", key, &json!({"secretStoreRef": store, "data": data, "refreshInterval": interval}));
}

impl Estate {
    pub(crate) fn set_up(&self, stores: &[&str], more: &[&str]) -> Ran {
        self.run(&[&QUICK[..], &["--yes"], stores, more].concat())
    }

    fn store_named(&self, name: &str) -> Value {
        self.world.cluster.object(ESO, "ClusterSecretStore", None, name).unwrap()
    }

    /// The ServiceAccount that a store logs in with; `None`: it logs in otherwise.
    pub(crate) fn account_of(&self, name: &str) -> Option<String> {
        let auth = self.store_named(name)["spec"]["provider"]["gcpsm"]["auth"].clone();
        let account = &auth["workloadIdentityFederation"]["serviceAccountRef"];
        auth["secretRef"].is_null().then(|| account["name"].as_str().unwrap().to_owned())
    }

    /// The ServiceAccounts of this cluster that may read a secret.
    pub(crate) fn readers(&self, secret: &str) -> Vec<String> {
        let policy = self.google.policy(&format!("secrets/{secret}"));
        let members = policy.as_array().into_iter().flatten().flat_map(|binding| {
            assert_eq!(binding["role"], "roles/secretmanager.secretAccessor", "{policy}");
            binding["members"].as_array().unwrap().clone()
        });
        let members = members.filter_map(|member| {
            Some(member.as_str()?.split_once("/subject/system:serviceaccount:")?.1.to_owned())
        });
        members.collect()
    }

    /// The member that means this ServiceAccount, `NAMESPACE:NAME`, where it reads `api`.
    fn principal(&self, account: &str) -> String {
        let policy = self.google.policy("secrets/api");
        let members =
            policy.as_array().into_iter().flatten().flat_map(|it| it["members"].as_array().unwrap());
        let mut members = members.filter_map(Value::as_str);
        members.find(|member| member.ends_with(account)).unwrap().to_owned()
    }

    fn noted(&self, name: &str) -> bool {
        let name = format!("keyless-retirement-clustersecretstore.{name}");
        self.world.cluster.object("v1", "ConfigMap", Some("keyless-system"), &name).is_some()
    }

    pub(crate) fn calls(&self, verb: &str) -> usize {
        let calls = self.google.faults().requests();
        let is_it = |path: &str| path.contains(&self.key_id) && path.ends_with(verb);
        calls.iter().filter(|call| is_it(call.path.split('?').next().unwrap_or_default())).count()
    }
}

#[test]
fn shared_key_is_retired_once() {
    let estate = two();
    let planned = estate.run(&[&QUICK[..], &BOTH, &["--dry-run"]].concat());
    planned.ends(1).snapshot("plan-several-stores");
    estate.set_up(&BOTH, &[]).ends(0);
    assert_eq!(estate.account_of("gcp").as_deref(), Some("keyless-gcp"));
    assert_eq!(estate.account_of("other").as_deref(), Some("keyless-other"));
    // Each identity reads what its own store reads.
    assert_eq!(estate.readers("db"), ["external-secrets:keyless-gcp"]);
    assert_eq!(estate.readers("api"), ["external-secrets:keyless-other"]);
    assert_eq!((estate.key_disabled(), estate.calls(":disable")), (Some(true), 1));
    assert!(estate.noted("gcp") && estate.noted("other"));
    // Nothing is left to do, and the settings are about neither store.
    estate.set_up(&BOTH, &[]).ends(0).says("nothing to do");
    assert!(!estate.settings_text().contains("store:"), "{}", estate.settings_text());

    estate.set_up(&BOTH, &["--retire-key"]).ends(0);
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (None, false));
    assert!(!estate.noted("gcp") && !estate.noted("other"));
    assert_eq!((estate.calls(":disable"), estate.calls(":enable")), (1, 0));
    estate.run(&["audit"]).ends(0).says("ZERO");
}

#[test]
fn several_stores_write_what_is_shown() {
    let both = [&QUICK[..], &BOTH].concat();
    writes_what_it_shows(&two(), &both);
    let retire = [&both[..], &["--retire-key"]].concat();
    writes_what_it_shows(&two(), &retire);
    let estate = two();
    estate.run(&[&both[..], &["--yes"]].concat()).ends(0);
    writes_what_it_shows(&estate, &retire);
}

/// A copy of the key lies in a Secret that one of the stores alone uses.
#[test]
fn copies_of_shared_key_are_steps() {
    let copied = || {
        let estate = two();
        let cluster = &estate.world.cluster;
        let mut copy = cluster.object("v1", "Secret", Some("external-secrets"), "gcp-key").unwrap();
        copy["metadata"] = json!({"name": "other-key", "namespace": "external-secrets"});
        cluster.put_object(copy);
        cluster.put_object(store("other", "other-key"));
        std::thread::sleep(std::time::Duration::from_millis(500));
        estate
    };
    let retire = [&QUICK[..], &BOTH, &["--retire-key"]].concat();
    let is_gone = |estate: &Estate| {
        let secret = |name| estate.world.cluster.object("v1", "Secret", Some("external-secrets"), name);
        assert_eq!((secret("gcp-key"), secret("other-key")), (None, None));
        assert_eq!((estate.key_disabled(), estate.noted("gcp"), estate.noted("other")), (None, false, false));
    };
    let estate = copied();
    writes_what_it_shows(&estate, &retire);
    is_gone(&estate);
    // The same in two runs.
    let estate = copied();
    writes_what_it_shows(&estate, &[&QUICK[..], &BOTH].concat());
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (Some(true), true));
    writes_what_it_shows(&estate, &retire);
    is_gone(&estate);
}

#[test]
fn key_of_other_store_stays() {
    let estate = two();
    let ran = estate.set_up(&["--store", "other"], &["--retire-key"]).ends(1);
    assert!(ran.out.contains("ClusterSecretStore gcp"), "{}", ran.out);
    assert_eq!((estate.account_of("gcp"), estate.account_of("other").is_some()), (None, true));
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (Some(false), true));
    assert_eq!(estate.readers("db"), [""; 0]);
    // Both together are gone on with.
    estate.set_up(&BOTH, &["--retire-key"]).ends(0);
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (None, false));
    assert_eq!((estate.calls(":disable"), estate.readers("db").len()), (1, 1));
}

#[test]
fn unmovable_store_holds_up_no_other() {
    let estate = two();
    let put = |name: &str, provider: Value| {
        estate.world.cluster.put_object(json!({"apiVersion": ESO, "kind": "ClusterSecretStore",
            "metadata": {"name": name}, "spec": {"provider": provider}}));
    };
    let token = json!({"tokenSecretRef": {"name": "t", "namespace": "external-secrets", "key": "t"}});
    put(
        "bao",
        json!({"vault": {"server": "https://bao.lab.test", "path": "kv", "version": "v2", "auth": token}}),
    );
    put("odd", json!({"gcpsm": {"projectID": "acme-prod", "auth": {"newWay": {"x": "y"}}}}));
    let elsewhere = json!({"secretRef": {"secretAccessKeySecretRef": {
        "name": "gcp-key", "namespace": "external-secrets", "key": "key.json"}}});
    put("far", json!({"gcpsm": {"projectID": "acme-test", "auth": elsewhere}}));
    estate.settings("google: {project: acme-prod}");
    // The one that stays uses the key as well.
    let ran = estate.set_up(&["--all"], &[]).ends(3).says("Not every store is moved");
    assert!(estate.account_of("gcp").is_some() && estate.account_of("other").is_some());
    for named in [
        "! ClusterSecretStore bao: ",
        "setup --store bao --to google",
        "! ClusterSecretStore odd: ",
        "! ClusterSecretStore far: ",
    ] {
        assert!(ran.out.contains(named), "`{named}` is not in\n{}", ran.out);
    }
    assert_eq!(estate.key_disabled(), Some(false), "the store in the other project uses it");
    assert!(estate.store_named("bao")["spec"]["provider"]["vault"].is_object());

    estate.world.cluster.remove_object(ESO, "ClusterSecretStore", None, "far");
    let shown = estate.run(&["setup", "--all", "--watch-for", "0s", "--yes", "-o", "json"]).ends(3).json();
    assert_eq!(estate.key_disabled(), Some(true));
    assert_eq!(shown["outcome"], "incomplete");
    assert_eq!(
        (&shown["notMoved"][0]["store"], &shown["notMoved"][0]["code"]),
        (&json!("ClusterSecretStore bao"), &json!("store-other-provider"))
    );
    assert_eq!(shown["notLookedAt"][0]["store"], "ClusterSecretStore odd");
    let stores: Vec<_> =
        shown["stores"].as_array().unwrap().iter().map(|it| (&it["store"], &it["outcome"])).collect();
    let done = json!("done");
    assert_eq!(
        stores,
        [(&json!("ClusterSecretStore gcp"), &done), (&json!("ClusterSecretStore other"), &done)]
    );
}

#[test]
fn stores_share_a_service_account() {
    let estate = two();
    estate.settings("store: {serviceAccount: external-secrets/reader}");
    estate.set_up(&["--all"], &["--retire-key"]).ends(0);
    for name in ["gcp", "other"] {
        assert_eq!(estate.account_of(name).as_deref(), Some("reader"));
    }
    let reader = ["external-secrets:reader"];
    assert_eq!(
        (estate.readers("db"), estate.readers("api")),
        (reader.map(str::to_owned).to_vec(), reader.map(str::to_owned).to_vec())
    );
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (None, false));
    estate.set_up(&["--all"], &[]).ends(0).says("no store is known to log in with a stored credential");
}

/// What one store's users have not shown holds the key for all of them.
#[test]
fn unrefreshed_user_keeps_shared_key() {
    let estate = two();
    reads_through(&estate, "other", "api", "0");
    let ran = estate.set_up(&BOTH, &[]).ends(1).says("The credential stays");
    assert!(estate.account_of("gcp").is_some() && estate.account_of("other").is_some(), "{}", ran.out);
    assert_eq!((estate.key_disabled(), estate.calls(":disable")), (Some(false), 0));
    assert!(ran.out.contains("ClusterSecretStore other, which has not come as far"), "{}", ran.out);
    estate.set_up(&BOTH, &["--accept-unrefreshed"]).ends(0);
    assert_eq!((estate.key_disabled(), estate.calls(":disable")), (Some(true), 1));
}

/// What is noted of a store counts in later runs that are not about it.
#[test]
fn unproven_store_keeps_shared_key() {
    let estate = two();
    reads_through(&estate, "other", "api", "0");
    estate.set_up(&BOTH, &[]).ends(1);
    assert!(estate.account_of("gcp").is_some() && estate.account_of("other").is_some());
    let ran = estate.set_up(&["--store", "gcp"], &["--retire-key"]).ends(1).says("The credential stays");
    assert!(ran.out.contains("ClusterSecretStore other, which is switched"), "{}", ran.out);
    // It is told before anything is done.
    let planned = estate.run(&[&QUICK[..], &["--store", "gcp", "--retire-key", "--dry-run"]].concat());
    assert!(planned.out.contains("! also used by ClusterSecretStore other, which is"), "{}", planned.out);
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (Some(false), true));
    // The same with the other store in the run, where it drops out of it.
    let mut other = estate.store_named("other");
    other["spec"]["provider"]["gcpsm"]["projectID"] = json!("acme-test");
    estate.world.cluster.put_object(other.clone());
    let ran = estate.set_up(&["--all"], &["--retire-key"]).ends(3);
    assert!(ran.out.contains("! ClusterSecretStore other: "), "{}", ran.out);
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (Some(false), true));
    other["spec"]["provider"]["gcpsm"]["projectID"] = json!("acme-prod");
    estate.world.cluster.put_object(other);

    reads_through(&estate, "other", "api", "1s");
    estate.set_up(&BOTH, &["--retire-key"]).ends(0);
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (None, false));
}

#[test]
fn unread_note_keeps_shared_key() {
    let estate = two();
    reads_through(&estate, "other", "api", "0");
    estate.set_up(&BOTH, &[]).ends(1);
    let name = "keyless-retirement-clustersecretstore.other";
    let mut note = estate.world.cluster.object("v1", "ConfigMap", Some("keyless-system"), name).unwrap();
    note["data"]["state.json"] = json!("{");
    estate.world.cluster.put_object(note);
    let ran = estate.set_up(&["--store", "gcp"], &["--retire-key"]);
    assert_eq!(ran.code, Some(3), "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("error[users-not-seen]") && ran.err.contains(name), "{}", ran.err);
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (Some(false), true));
    estate.set_up(&["--store", "gcp"], &["--retire-key", "--accept-unseen-users"]).ends(0);
    assert_eq!(estate.key_disabled(), None);
}

#[test]
fn failed_probe_of_one_moves_others() {
    let estate = two();
    // It is granted, and reads nothing that this store's user could use.
    estate.google.set_version("api", 1, "DISABLED");
    let ran = estate.set_up(&BOTH, &[]);
    assert_ne!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(estate.account_of("gcp").is_some(), "{}{}", ran.out, ran.err);
    assert_eq!(estate.account_of("other"), None);
    assert_eq!((estate.key_disabled(), estate.calls(":disable")), (Some(false), 0));
    estate.google.set_version("api", 1, "ENABLED");
    estate.set_up(&BOTH, &[]).ends(0);
    assert_eq!((estate.key_disabled(), estate.calls(":disable")), (Some(true), 1));
}

/// Every user who may write a SecretStore could choose the place for the whole run.
#[test]
fn unnamed_tenant_store_completes_no_settings() {
    let estate = Estate::new();
    estate.world.cluster.remove_object(ESO, "ClusterSecretStore", None, "gcp");
    estate.world.cluster.put_object(json!({"apiVersion": ESO, "kind": "ClusterSecretStore",
        "metadata": {"name": "other"}, "spec": {"provider": {"oracle": {"region": "eu-frankfurt-1", "vault": "ocid1"}}}}));
    let key = json!({"secretRef": {"secretAccessKeySecretRef": {"name": "k", "key": "k"}}});
    estate.world.cluster.put_object(json!({"apiVersion": ESO, "kind": "SecretStore",
        "metadata": {"name": "mine", "namespace": "tenant"},
        "spec": {"provider": {"gcpsm": {"projectID": "mallory", "location": "mars", "auth": key}}}}));
    forget(&estate);
    let ran = estate.set_up(&["--all"], &[]).ends(2);
    for says in ["error[setting-missing]", "SecretStore tenant/mine", "set google.project"] {
        assert!(ran.err.contains(says), "`{says}` is not in\n{}", ran.err);
    }
    assert_eq!(recorded_writes(&estate), [""; 0]);
    // Where the settings name the project, nothing else is taken from it either.
    estate.settings("google: {project: acme-prod}");
    let mut mine = estate.world.cluster.object(ESO, "SecretStore", Some("tenant"), "mine").unwrap();
    mine["spec"]["provider"]["gcpsm"]["projectID"] = json!("acme-prod");
    estate.world.cluster.put_object(mine);
    let ran = estate.set_up(&["--all"], &[]).ends(3);
    assert!(ran.out.contains("! SecretStore tenant/mine: "), "{}{}", ran.out, ran.err);
    assert_eq!(recorded_writes(&estate), [""; 0]);
}

#[test]
fn flags_about_stores_are_checked() {
    let estate = two();
    let refused = |arguments: &[&str], says: &str| {
        let ran = estate.run(&[&["setup", "--yes"], arguments].concat()).ends(2);
        assert!(ran.err.contains(says), "{}", ran.err);
    };
    refused(&["--all", "--store", "gcp"], "cannot be used with");
    refused(&["--all", "--undo"], "cannot be used with");
    refused(&["--store", "Gcp"], "NAMESPACE/NAME");
    refused(&["--store", "gcp", "--store", "none"], "error[store-unknown]");
    refused(&["--store", "shop/gcp"], "error[store-unknown]");
    refused(&["--store", "gcp", "--store", "other", "--undo"], "error[undo-several]");
    refused(&["--store", "gcp", "--store", "other", "--replaced", "a/b"], "error[replaced-secret]");
    estate.settings("store: {secrets: [db]}");
    refused(&BOTH, "error[setting-missing]");
    assert_eq!((estate.account_of("gcp"), estate.account_of("other")), (None, None));
    forget(&estate);
    assert_eq!(recorded_writes(&estate), [""; 0]);
}

#[test]
fn undo_takes_one_store() {
    let estate = two();
    estate.set_up(&BOTH, &[]).ends(0);
    estate.run(&["setup", "--undo", "--yes", "--store", "other"]).ends(0);
    assert_eq!((estate.account_of("gcp").is_some(), estate.account_of("other")), (true, None));
    assert_eq!(estate.key_disabled(), Some(false), "the store needs it again");
}
