//! What is taken away again where several stores were set up: one store's login, what no store uses, all of it.

use super::*;

#[test]
fn teardown_of_one_keeps_shared_trust() {
    let estate = two();
    estate.set_up(&BOTH, &["--retire-key"]).ends(0);
    let account =
        |name: &str| estate.world.cluster.object("v1", "ServiceAccount", Some("external-secrets"), name);
    forget(&estate);
    let ran = estate.run(&["teardown", "--yes", "--store", "oter"]).ends(2);
    assert!(ran.err.contains("error[store-unknown]"), "{}", ran.err);
    assert_eq!(recorded_writes(&estate), [""; 0]);

    let ran = estate.run(&["teardown", "--yes", "--store", "other"]).ends(0);
    assert!(ran.out.contains("ClusterSecretStore gcp logs in by it"), "{}", ran.out);
    let deleted = |path: &str| path.contains("workloadIdentityPools");
    let calls = estate.google.faults().requests();
    assert!(!calls.iter().any(|call| call.method == "DELETE" && deleted(&call.path)), "{calls:?}");
    assert_eq!(estate.readers("db"), ["external-secrets:keyless-gcp"]);
    assert_eq!(estate.readers("api"), [""; 0]);
    assert!(account("keyless-gcp").is_some() && account("keyless-other").is_none());
    // The last one takes it away.
    estate.world.cluster.remove_object(ESO, "ClusterSecretStore", None, "other");
    estate.run(&["teardown", "--yes", "--store", "gcp"]).ends(0);
    let calls = estate.google.faults().requests();
    assert!(calls.iter().any(|call| call.method == "DELETE" && deleted(&call.path)), "{calls:?}");
}

#[test]
fn teardown_removes_what_several_got() {
    let estate = two();
    estate.set_up(&BOTH, &["--retire-key"]).ends(0);
    writes_what_it_shows(&estate, &[&["teardown"][..], &BOTH].concat());
    let account =
        |name: &str| estate.world.cluster.object("v1", "ServiceAccount", Some("external-secrets"), name);
    assert_eq!((account("keyless-gcp"), account("keyless-other")), (None, None));
    assert_eq!((estate.readers("db"), estate.readers("api")), (Vec::new(), Vec::new()));
}

/// The settings file names no store after a run about several: every command finds them.
#[test]
fn later_commands_know_all_stores() {
    let estate = two();
    estate.set_up(&BOTH, &["--retire-key"]).ends(0);
    assert!(!estate.settings_text().contains("store:"), "{}", estate.settings_text());
    let shown = estate.run(&["verify", "-o", "json"]).ends(0).json();
    let stores: Vec<_> = shown["stores"].as_array().unwrap().iter().map(|it| &it["store"]).collect();
    assert_eq!(stores, [&json!("ClusterSecretStore gcp"), &json!("ClusterSecretStore other")]);
    estate.run(&["publish"]).ends(0);
}

/// What one store was given is taken away with what all log in by: the login of the other one is its own.
#[test]
fn teardown_keeps_login_of_others() {
    let estate = two();
    estate.set_up(&BOTH, &["--retire-key"]).ends(0);
    estate.settings("store: {name: gcp}");
    let planned = estate.run(&["teardown", "--dry-run"]).ends(1);
    assert!(
        planned.out.contains("from principal://") && planned.out.contains(":keyless-gcp"),
        "{}",
        planned.out
    );
    assert!(!planned.out.contains(":keyless-other"), "{}", planned.out);
    assert!(
        planned.out.contains("ClusterSecretStore other") && planned.out.contains("cannot log in any more")
    );
    estate.run(&["teardown", "--yes"]).ends(0).says("warning[store-orphaned]");
    let account =
        |name: &str| estate.world.cluster.object("v1", "ServiceAccount", Some("external-secrets"), name);
    assert!(account("keyless-gcp").is_none() && account("keyless-other").is_some());
    assert_eq!(estate.readers("db"), [""; 0]);
    assert_eq!(estate.readers("api"), ["external-secrets:keyless-other"]);
}

/// The settings name none, and there are two: nothing is taken away by a guess.
#[test]
fn teardown_of_unnamed_stores_is_refused() {
    let estate = two();
    estate.set_up(&BOTH, &["--retire-key"]).ends(0);
    forget(&estate);
    let ran = estate.run(&["teardown", "--yes"]).ends(2);
    assert!(ran.err.contains("store.name"), "{}", ran.err);
    assert_eq!(recorded_writes(&estate), [""; 0]);
}

/// What was made for a store that is gone by now, and nothing else.
#[test]
fn unused_account_loses_its_roles() {
    let estate = two();
    estate.set_up(&BOTH, &["--retire-key"]).ends(0);
    estate.run(&["teardown", "--unused", "--yes"]).ends(0).says("nothing to remove");
    estate.world.cluster.remove_object(ESO, "ClusterSecretStore", None, "other");
    reads_through(&estate, "gcp", "api", "1h");
    let planned = estate.run(&["teardown", "--unused", "--dry-run"]).ends(1);
    assert!(
        planned.out.contains("keyless-other")
            && !planned.out.contains("from system:serviceaccount:external-secrets:keyless-gcp"),
        "{}",
        planned.out
    );
    forget(&estate);
    estate.run(&["teardown", "--unused", "--yes"]).ends(0);
    let calls = estate.google.faults().requests();
    assert!(!calls.iter().any(|call| call.method == "DELETE"), "{calls:?}");
    assert_eq!(estate.readers("api"), [""; 0]);
    assert_eq!(estate.readers("db"), ["external-secrets:keyless-gcp"]);
    let account =
        |name: &str| estate.world.cluster.object("v1", "ServiceAccount", Some("external-secrets"), name);
    assert!(account("keyless-gcp").is_some() && account("keyless-other").is_none());
    estate.run(&["teardown", "--unused", "--yes"]).ends(0).says("nothing to remove");
}

/// In keyless's pool a person may grant a role to another ServiceAccount: no store names it, and it is not keyless's.
#[test]
fn unused_login_of_others_stays() {
    let estate = two();
    estate.set_up(&BOTH, &["--retire-key"]).ends(0);
    let own = estate.principal("external-secrets:keyless-other");
    let theirs = own.replace("external-secrets:keyless-other", "shop:web");
    estate.google.grant("secrets/db", "roles/secretmanager.secretAccessor", &theirs);
    let settings = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web", "namespace": "shop"}});
    forget(&estate);
    for there in [false, true] {
        if there {
            estate.world.cluster.put_object(settings.clone());
        }
        let ran = estate.run(&["teardown", "--unused", "--yes"]).ends(3);
        assert!(ran.err.contains("warning[trust-left]") && ran.err.contains("shop/web"), "{}", ran.err);
        assert_eq!(recorded_writes(&estate), [""; 0]);
    }
    assert!(estate.readers("db").contains(&"shop:web".to_owned()));
}
