//! What is granted, to whom, on whose word: tenants ask, and an administrator decides.

use serde_json::{Value, json};

use crate::estate::{Estate, SETUP};

const ACCEPT: [&str; 5] = ["setup", "--yes", "--accept-new-secrets", "--watch-for", "0s"];

fn conditions(estate: &Estate, conditions: Value) {
    let mut store = estate.store();
    store["spec"]["conditions"] = conditions;
    store["metadata"] = json!({"name": "gcp"});
    estate.world.cluster.put_object(store);
    estate.until_read("shop", "db");
}

fn namespace(estate: &Estate, name: &str, labels: Value) {
    estate.world.cluster.put_object(
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}),
    );
}

#[test]
fn excluded_namespace_gets_nothing() {
    let estate = Estate::new();
    estate.google.add_secret("prod-root-password", b"root");
    estate.reads("dev", "steal", "prod-root-password");
    let ran = estate.run(&SETUP).ends(0);
    assert!(ran.out.contains("! ExternalSecret dev/steal: "), "{}", ran.out);
    assert!(estate.roles("secrets/prod-root-password").is_empty());
    assert_eq!(estate.roles("secrets/db"), ["secretAccessor"]);
    assert!(estate.store_is_keyless());
    // Not even a person who confirms everything that is new grants it: the operator refuses it.
    estate.run(&ACCEPT).ends(0);
    assert!(estate.roles("secrets/prod-root-password").is_empty());
    assert!(!estate.settings_text().contains("prod-root-password"));
}

#[test]
fn conditions_are_judged_like_the_operator() {
    let selected = json!([{"namespaceSelector": {"matchLabels": {"team": "a"}}}]);
    let expression = json!([{"namespaceSelector": {"matchExpressions": [
        {"key": "team", "operator": "NotIn", "values": ["b", "c"]}, {"key": "team", "operator": "Exists"}]}}]);
    let pattern = json!([{"namespaceRegexes": ["^shop$"]}]);
    for wanted in [selected, expression, pattern] {
        let estate = Estate::new();
        namespace(&estate, "shop", json!({"team": "a"}));
        namespace(&estate, "shop-b", json!({"team": "b"}));
        namespace(&estate, "none", json!({}));
        estate.google.add_secret("root", b"root");
        estate.reads("shop-b", "steal", "root");
        estate.reads("none", "steal", "root");
        // The stand-in of the operator knows names of namespaces only: what it has read by then stays.
        estate.user(
            "shop",
            "db",
            &json!({"refreshInterval": "1h",
                "data": [{"secretKey": "password", "remoteRef": {"key": "db", "property": "password"}}]}),
        );
        estate.until_read("shop", "db");
        conditions(&estate, wanted.clone());
        let ran = estate.run(&["setup", "--dry-run", "-o", "json"]).ends(1).json();
        let rights = &ran["rights"];
        assert_eq!(rights["granted"], json!(["read db"]), "{wanted}: {rights:#}");
        assert_eq!(rights["new"], json!([]), "{wanted}: {rights:#}");
        let left: Vec<_> =
            rights["leftOut"].as_array().unwrap().iter().map(|it| it["object"].as_str().unwrap()).collect();
        assert_eq!(left, ["ExternalSecret none/steal", "ExternalSecret shop-b/steal"], "{wanted}");
    }
}

#[test]
fn unseen_labels_leave_objects_out() {
    let estate = Estate::new();
    conditions(
        &estate,
        json!([{"namespaceSelector": {"matchLabels": {"team": "a"}}}, {"namespaces": ["shop"]}]),
    );
    estate.google.add_secret("other", b"other");
    estate.reads("dev", "other", "other");
    namespace(&estate, "dev", json!({"team": "a"}));
    estate.world.cluster.deny("admin", "list", "namespaces");
    let ran = estate.run(&SETUP).ends(1);
    for text in ["! ExternalSecret dev/other: ", "list namespaces", "left out, for the reasons above"] {
        assert!(ran.out.contains(text), "does not name `{text}`:\n{}", ran.out);
    }
    assert!(estate.roles("secrets/other").is_empty());
    assert_eq!(estate.roles("secrets/db"), ["secretAccessor"], "its namespace is named");
    estate.world.cluster.forgive("admin");
    estate.run(&ACCEPT).ends(0);
    assert_eq!(estate.roles("secrets/other"), ["secretAccessor"]);
}

#[test]
fn addition_takes_confirmation_of_its_own() {
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    let listed = estate.settings_text();
    estate.google.add_secret("prod-root-password", b"root");
    estate.reads("shop", "more", "prod-root-password");
    for arguments in [&["setup", "--dry-run"][..], &SETUP[..], &SETUP[..]] {
        let ran = estate.run(arguments).ends(1);
        for text in [
            "new since the last confirmed list",
            "+ may read prod-root-password: because of ExternalSecret shop/more",
            "--accept-new-secrets",
        ] {
            assert!(ran.out.contains(text), "does not name `{text}`:\n{}", ran.out);
        }
        assert!(estate.roles("secrets/prod-root-password").is_empty());
        assert_eq!(estate.settings_text(), listed);
        assert!(estate.store_is_keyless());
    }
    estate.run(&ACCEPT).ends(0);
    assert_eq!(estate.roles("secrets/prod-root-password"), ["secretAccessor"]);
    assert!(estate.settings_text().contains("  secrets:\n    - db\n    - prod-root-password\n"));
    estate.run(&SETUP).ends(0).says("nothing to do");
}

#[test]
fn rest_of_plan_runs_without_addition() {
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    estate.google.add_secret("other", b"other");
    estate.reads("shop", "other", "other");
    let foreign =
        json!([{"role": "roles/secretmanager.secretAccessor", "members": ["user:ops@acme.example"]}]);
    estate.google.set_policy("secrets/db", foreign);
    estate.run(&SETUP).ends(1);
    assert_eq!(estate.roles("secrets/db"), ["secretAccessor"], "what was listed is granted again");
    assert!(estate.roles("secrets/other").is_empty());
}

#[test]
fn unread_secret_is_new_at_first() {
    let estate = Estate::new();
    estate.google.add_secret("unreadable", b"x");
    estate.reads("shop", "broken", "unreadable");
    let ran = estate.run(&SETUP).ends(1);
    assert!(ran.out.contains("+ may read unreadable: because of ExternalSecret shop/broken"), "{}", ran.out);
    assert!(estate.roles("secrets/unreadable").is_empty());
    assert_eq!(estate.roles("secrets/db"), ["secretAccessor"], "it never blocks the rest");
    assert!(estate.store_is_keyless(), "what works goes on working");
    assert!(estate.settings_text().contains("  secrets:\n    - db\n"));
}

#[test]
fn listed_secrets_are_granted_without_question() {
    let estate = Estate::new();
    estate.google.add_secret("other", b"other");
    estate.reads("shop", "other", "other");
    estate.settings("store:\n  secrets: [db, other]");
    estate.run(&SETUP).ends(0);
    assert_eq!(estate.roles("secrets/other"), ["secretAccessor"]);
    // A list without what is read now: the store stays as it is.
    let estate = Estate::new();
    estate.settings("store:\n  secrets: []");
    let ran = estate.run(&SETUP).ends(1);
    assert!(ran.out.contains("+ may read db: because of ExternalSecret shop/db"), "{}", ran.out);
    assert!(estate.roles("secrets/db").is_empty() && !estate.store_is_keyless());
    assert_eq!(estate.key_disabled(), Some(false));
}

#[test]
fn broken_objects_are_omitted_by_name() {
    let estate = Estate::new();
    estate.reads("shop", "gone", "gone");
    estate.reads("shop", "slash", "../../secrets/root");
    estate.reads("shop", "quote", "a'b\"c");
    estate.reads("shop", "long", &"a".repeat(300));
    estate.reads("shop", "other-project", "projects/other-prod/secrets/root");
    estate.reads("shop", "unicode", "p\u{e4}ssword");
    estate.reads("shop", "encoded", "db%2Fversions%2F1");
    estate.user("shop", "empty", &json!({"data": [{"secretKey": "x", "remoteRef": {"key": ""}}]}));
    estate.user("shop", "nothing", &json!({"dataFrom": [{"find": {}}]}));
    estate.user("shop", "pattern", &json!({"dataFrom": [{"find": {"name": {"regexp": "("}}}]}));
    let ran = estate.run(&ACCEPT).ends(1);
    let forever =
        ["slash", "quote", "long", "other-project", "unicode", "encoded", "empty", "nothing", "pattern"];
    for name in forever.iter().chain(&["gone"]) {
        assert!(ran.out.contains(&format!("! ExternalSecret shop/{name}")), "{name}:\n{}", ran.out);
    }
    assert!(ran.out.contains("gcloud secrets create gone"), "{}", ran.out);
    assert_eq!(estate.roles("secrets/db"), ["secretAccessor"]);
    assert!(estate.store_is_keyless() && estate.key_disabled() == Some(true));
    for name in forever {
        estate.world.cluster.remove_object("external-secrets.io/v1", "ExternalSecret", Some("shop"), name);
    }
    estate.google.add_secret("gone", b"now there");
    estate.run(&ACCEPT).ends(0);
    assert_eq!(estate.roles("secrets/gone"), ["secretAccessor"]);
}

#[test]
fn deleted_object_asks_for_nothing() {
    let estate = Estate::new();
    estate.google.add_secret("other", b"other");
    estate.reads("shop", "other", "other");
    let cluster = &estate.world.cluster;
    let mut leaving =
        cluster.object("external-secrets.io/v1", "ExternalSecret", Some("shop"), "other").unwrap();
    leaving["metadata"]["deletionTimestamp"] = json!("2026-11-25T00:00:00Z");
    leaving["metadata"]["finalizers"] = json!(["externalsecrets.external-secrets.io/x"]);
    cluster.put_object(leaving);
    estate.run(&ACCEPT).ends(0).says("! ExternalSecret shop/other: it is being deleted");
    assert!(estate.roles("secrets/other").is_empty());
}

#[test]
fn same_named_store_elsewhere_gets_nothing() {
    let estate = Estate::new();
    estate.google.add_secret("root", b"root");
    estate.user(
        "shop",
        "other-kind",
        &json!({"secretStoreRef": {"name": "gcp", "kind": "SecretStore"},
            "data": [{"secretKey": "x", "remoteRef": {"key": "root"}}]}),
    );
    estate.user(
        "shop",
        "no-kind",
        &json!({"secretStoreRef": {"name": "gcp"}, "data": [{"secretKey": "x", "remoteRef": {"key": "root"}}]}),
    );
    estate.run(&ACCEPT).ends(0);
    assert!(estate.roles("secrets/root").is_empty());
}

#[test]
fn unused_right_is_revoked_on_request() {
    let estate = Estate::new();
    estate.google.add_secret("other", b"other");
    estate.reads("shop", "other", "other");
    estate.run(&ACCEPT).ends(0);
    estate.world.cluster.remove_object("external-secrets.io/v1", "ExternalSecret", Some("shop"), "other");
    let ran = estate.run(&SETUP).ends(0);
    assert!(ran.out.contains("= may read other") && ran.out.contains("--revoke-unused"), "{}", ran.out);
    assert_eq!(estate.roles("secrets/other"), ["secretAccessor"], "an object may be back tomorrow");
    let revoke = [&SETUP[..], &["--revoke-unused"]].concat();
    let planned = estate.run(&["setup", "--dry-run", "--revoke-unused"]).ends(1);
    assert!(
        planned.out.contains("- revoke  roles/secretmanager.secretAccessor on the secret other"),
        "{}",
        planned.out
    );
    estate.run(&revoke).ends(0);
    assert!(estate.roles("secrets/other").is_empty());
    assert_eq!(estate.roles("secrets/db"), ["secretAccessor"]);
    assert!(
        estate.settings_text().contains("  secrets:\n    - db\n")
            && !estate.settings_text().contains("other")
    );
    estate.run(&revoke).ends(0).says("nothing to do");
}

#[test]
fn store_of_other_project_is_refused() {
    let estate = Estate::new();
    let mut store = estate.store();
    store["metadata"] = json!({"name": "gcp"});
    store["spec"]["provider"]["gcpsm"]["projectID"] = json!("other-prod");
    estate.world.cluster.put_object(store);
    estate.settings("google: {project: acme-prod}");
    let ran = estate
        .run(&SETUP)
        .fails(2, "google-project-differs", &["other-prod", "acme-prod"])
        .snapshot("error-google-project-differs");
    assert!(!ran.out.contains("to do:"), "{}", ran.out);
    assert!(estate.roles("secrets/db").is_empty() && estate.google.federation().is_empty());
}
