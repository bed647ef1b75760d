//! What users of a store do takes rights: they are granted before anything depends on them, and `verify` tries each.

use serde_json::{Value, json};

use crate::estate::{Estate, SETUP};

const ACCEPT: [&str; 5] = ["setup", "--yes", "--accept-new-secrets", "--watch-for", "0s"];

/// What `verify` says of these checks: subject and result.
fn verified(estate: &Estate, exit: i32, check: &str) -> Vec<(String, String)> {
    let result = estate.run(&["verify", "-o", "json"]).ends(exit).json();
    let checks = result["checks"].as_array().unwrap();
    let text = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
    let these = checks.iter().filter(|it| it["check"] == check);
    these.map(|it| (text(it, "subject"), text(it, "result"))).collect()
}

fn failed(estate: &Estate, check: &str, subject: &str) {
    let findings = verified(estate, 1, check);
    assert!(findings.iter().any(|(of, result)| of.contains(subject) && result == "failed"), "{findings:#?}");
}

fn passed(estate: &Estate, check: &str, subject: &str) {
    let findings = verified(estate, 0, check);
    assert!(findings.iter().any(|(of, result)| of.contains(subject) && result == "passed"), "{findings:#?}");
}

fn of_store(estate: &Estate, change: impl FnOnce(&mut Value)) {
    let mut store = estate.store();
    store["metadata"] = json!({"name": "gcp"});
    change(&mut store["spec"]["provider"]["gcpsm"]);
    estate.world.cluster.put_object(store);
}

/// A PushSecret that writes this secret, with what else its specification says.
fn pushes(estate: &Estate, key: &str, more: &Value) {
    let mut object = json!({"apiVersion": "external-secrets.io/v1alpha1", "kind": "PushSecret",
        "metadata": {"name": "push", "namespace": "shop"},
        "spec": {"refreshInterval": "1s", "secretStoreRefs": [{"name": "gcp", "kind": "ClusterSecretStore"}],
            "selector": {"secret": {"name": "db"}},
            "data": [{"match": {"secretKey": "password", "remoteRef": {"remoteKey": key}}}]}});
    for (member, value) in more.as_object().unwrap() {
        object["spec"][member] = value.clone();
    }
    estate.world.cluster.put_object(object);
}

#[test]
fn search_is_granted_listed_and_tried() {
    let estate = Estate::new();
    estate.google.add_secret("shop-a", b"a");
    estate.google.add_secret("shop-b", b"b");
    estate.google.add_secret("other", b"c");
    estate.user("shop", "all", &json!({"dataFrom": [{"find": {"name": {"regexp": "^shop-"}}}]}));
    // Without a word of an administrator: not granted, and the store that may rely on it is not turned.
    let ran = estate.run(&SETUP).ends(1);
    for text in [
        "+ may find secrets by name: because of ExternalSecret shop/all",
        "+ may read shop-a",
        "+ may read shop-b",
    ] {
        assert!(ran.out.contains(text), "does not name `{text}`:\n{}", ran.out);
    }
    assert!(!ran.out.contains("may read other"), "{}", ran.out);
    assert!(estate.roles("").is_empty() && estate.roles("secrets/shop-a").is_empty());
    let ran = estate.run(&ACCEPT).ends(0);
    assert!(ran.out.contains("roles/secretmanager.viewer on the project acme-prod"), "{}", ran.out);
    assert!(ran.out.contains("names, labels, versions and policies of every secret"), "{}", ran.out);
    assert_eq!(estate.roles(""), ["viewer"]);
    assert_eq!(estate.roles("secrets/shop-a"), ["secretAccessor"]);
    assert!(estate.roles("secrets/other").is_empty());
    let settings = estate.settings_text();
    assert!(settings.contains("  rights:\n    find:\n      - \"*\"\n"), "{settings}");
    passed(&estate, "google-search", "^shop-");
    // One more secret is found, which was not granted: ESO's search fails, and so does this check.
    estate.google.add_secret("shop-c", b"c");
    failed(&estate, "google-search", "^shop-");
    estate.names_settings();
    estate.run(&ACCEPT).ends(0);
    passed(&estate, "google-search", "^shop-");
    estate.google.set_policy("", json!([]));
    failed(&estate, "google-search", "^shop-");
    estate.run(&SETUP).ends(0);
    passed(&estate, "google-search", "^shop-");
}

#[test]
fn tag_search_is_granted_and_tried() {
    let estate = Estate::new();
    estate.google.add_secret("tagged", b"a");
    estate.google.annotate_secret("tagged", json!({"team": "a"}), json!({}));
    estate.user("shop", "all", &json!({"dataFrom": [{"find": {"tags": {"team": "a"}}}]}));
    estate.run(&ACCEPT).ends(0);
    assert_eq!(estate.roles(""), ["viewer"]);
    assert_eq!(estate.roles("secrets/tagged"), ["secretAccessor"]);
    passed(&estate, "google-search", "team=a");
}

#[test]
fn metadata_is_granted_and_tried() {
    let estate = Estate::new();
    estate.google.annotate_secret("db", json!({"team": "a"}), json!({}));
    let fetch = |property: &str| {
        json!({"data": [{"secretKey": "x", "remoteRef":
        {"key": "db", "metadataPolicy": "Fetch", "property": property}}]})
    };
    estate.user("shop", "labels", &fetch("labels.team"));
    estate.until_read("shop", "labels");
    estate.run(&ACCEPT).ends(0);
    assert_eq!(estate.roles("secrets/db"), ["secretAccessor", "viewer"]);
    passed(&estate, "google-metadata", "db");
    estate.user("shop", "missing", &fetch("labels.missing"));
    failed(&estate, "google-metadata", "db");
    estate.world.cluster.remove_object("external-secrets.io/v1", "ExternalSecret", Some("shop"), "missing");
    let accessor = estate.google.policy("secrets/db").as_array().unwrap().clone();
    let only: Vec<_> =
        accessor.into_iter().filter(|it| it["role"] == "roles/secretmanager.secretAccessor").collect();
    estate.google.set_policy("secrets/db", json!(only));
    failed(&estate, "google-metadata", "db");
    estate.run(&SETUP).ends(0);
    passed(&estate, "google-metadata", "db");
}

#[test]
fn latest_or_fetch_lists_secret_versions() {
    let estate = Estate::new();
    of_store(&estate, |gcpsm| gcpsm["secretVersionSelectionPolicy"] = json!("LatestOrFetch"));
    estate.google.add_version("db", br#"{"password":"newer"}"#);
    estate.google.set_version("db", 2, "DISABLED");
    estate.until_read("shop", "db");
    estate.run(&ACCEPT).ends(0);
    assert_eq!(estate.roles("secrets/db"), ["secretAccessor", "viewer"]);
    passed(&estate, "google-versions", "db");
    passed(&estate, "google-secret", "db");
    // Without that policy, the disabled version is what is read.
    of_store(&estate, |gcpsm| drop(gcpsm.as_object_mut().unwrap().remove("secretVersionSelectionPolicy")));
    failed(&estate, "google-secret", "db");
}

#[test]
fn version_and_property_are_tried() {
    let estate = Estate::new();
    estate.google.add_secret("app", br#"{"user":"app","db":{"host":"h"},"a.b":"c"}"#);
    let of = |remote: Value| json!({"data": [{"secretKey": "x", "remoteRef": remote}]});
    estate.user("shop", "nested", &of(json!({"key": "app", "property": "db.host"})));
    estate.user("shop", "dotted", &of(json!({"key": "app", "property": "a.b"})));
    estate.user("shop", "pinned", &of(json!({"key": "app", "version": "1"})));
    estate.run(&ACCEPT).ends(0);
    passed(&estate, "google-secret", "app");
    for remote in [
        json!({"key": "app", "property": "password"}),
        json!({"key": "app", "property": "db.port"}),
        json!({"key": "app", "version": "7"}),
        json!({"key": "app", "version": "newest"}),
    ] {
        estate.user("shop", "wrong", &of(remote.clone()));
        let ran = estate.run(&["verify"]).ends(1);
        assert!(ran.out.contains("app"), "{remote}: {}", ran.out);
        assert!(!ran.out.contains("hunter2") && !ran.out.contains("\"host\""), "{}", ran.out);
    }
}

#[test]
fn regional_secrets_are_granted_regionally() {
    let estate = Estate::new();
    of_store(&estate, |gcpsm| gcpsm["location"] = json!("europe-west1"));
    estate.google.add_secret("europe-west1/db", br#"{"password":"hunter2"}"#);
    estate.until_read("shop", "db");
    let ran = estate.run(&SETUP).ends(0);
    assert!(ran.out.contains("the secret db in acme-prod (europe-west1)"), "{}", ran.out);
    assert_eq!(estate.roles("secrets/europe-west1/db"), ["secretAccessor"]);
    assert!(estate.roles("secrets/db").is_empty(), "the global secret of this name is another one");
    assert!(estate.settings_text().contains("  location: europe-west1\n"));
    passed(&estate, "google-secret", "db");
    estate.google.set_policy("secrets/europe-west1/db", json!([]));
    failed(&estate, "google-secret", "db");
    estate.run(&["teardown", "--yes"]).ends(0);
    assert!(estate.roles("secrets/europe-west1/db").is_empty());
}

#[test]
fn location_that_is_none_is_refused() {
    for location in ["europe-west1.evil.example/", "EUROPE", "a b", "..", "europe-west1:443"] {
        let estate = Estate::new();
        of_store(&estate, |gcpsm| gcpsm["location"] = json!(location));
        estate.run(&SETUP).fails(2, "google-location", &[location]);
        assert!(estate.google.federation().is_empty(), "{location}");
    }
}

#[test]
fn push_to_existing_secret_is_granted() {
    let estate = Estate::new();
    estate.google.add_secret("pushed", b"old");
    pushes(&estate, "pushed", &json!({}));
    let ran = estate.run(&SETUP).ends(1);
    assert!(ran.out.contains("+ may write pushed: because of PushSecret shop/push"), "{}", ran.out);
    assert!(estate.roles("secrets/pushed").is_empty());
    estate.run(&ACCEPT).ends(0);
    assert_eq!(estate.roles("secrets/pushed"), ["secretAccessor", "secretVersionAdder", "viewer"]);
    let before = estate.google.secret("pushed");
    passed(&estate, "google-write", "pushed");
    assert_eq!(estate.google.secret("pushed"), before, "asking changes nothing");
    estate.google.set_policy("secrets/pushed", json!([]));
    failed(&estate, "google-write", "pushed");
    // The list is the user's: what it has and the provider has lost is granted again.
    estate.run(&SETUP).fails(2, "settings-undecided", &["may write pushed"]);
    estate.names_settings();
    estate.run(&SETUP).ends(0);
    passed(&estate, "google-write", "pushed");
}

#[test]
fn deleting_push_reports_what_role_opens() {
    let estate = Estate::new();
    estate.google.add_secret("pushed", b"old");
    pushes(&estate, "pushed", &json!({"deletionPolicy": "Delete", "updatePolicy": "IfNotExists"}));
    let ran = estate.run(&ACCEPT).ends(0);
    assert!(ran.out.contains("read, destroyed and given to others"), "{}", ran.out);
    assert_eq!(estate.roles("secrets/pushed"), ["admin"]);
    passed(&estate, "google-write", "delete pushed");
}

#[test]
fn push_of_missing_secret_is_refused() {
    let estate = Estate::new();
    pushes(&estate, "not-there", &json!({}));
    let ran = estate.run(&ACCEPT).ends(1);
    for text in ["! PushSecret shop/push: write not-there: ", "gcloud secrets create not-there"] {
        assert!(ran.out.contains(text), "does not name `{text}`:\n{}", ran.out);
    }
    assert!(estate.roles("").is_empty(), "to create secrets would open all of them");
    assert_eq!(estate.roles("secrets/db"), ["secretAccessor"]);
    // The remedy works.
    estate.google.add_secret("not-there", b"made by hand");
    estate.run(&ACCEPT).ends(0);
    passed(&estate, "google-write", "not-there");
}

#[test]
fn unproved_property_is_skipped_not_passed() {
    let estate = Estate::new();
    estate.google.add_secret("app", br#"{"list":[{"a":"b"}]}"#);
    let remote = json!({"key": "app", "property": "list.#(a==\"b\").a"});
    estate.user("shop", "query", &json!({"data": [{"secretKey": "x", "remoteRef": remote}]}));
    estate.run(&ACCEPT).ends(0);
    let findings = verified(&estate, 0, "google-property");
    assert!(findings.iter().any(|(_, result)| result == "skipped"), "{findings:#?}");
    assert!(findings.iter().all(|(_, result)| result != "passed"), "{findings:#?}");
}
