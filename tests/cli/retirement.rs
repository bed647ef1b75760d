//! The replaced credential from outside: what keeps it from being retired, what brings it back, what is said of it.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    estate::{Estate, RETIRE, SETUP, secret, store},
    world::Ran,
};

const ESO: &str = "external-secrets.io/v1";
const STATE: &str = "keyless-retirement-clustersecretstore.gcp";

impl Estate {
    fn put(&self, object: Value) {
        self.world.cluster.put_object(object);
    }

    /// Changes an object that is there.
    fn change(
        &self,
        kind: (&str, &str),
        namespace: Option<&str>,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) {
        let mut object = self.world.cluster.object(kind.0, kind.1, namespace, name).unwrap();
        change(&mut object);
        self.put(object);
    }

    fn key_secret(&self, change: impl FnOnce(&mut Value)) {
        self.change(("v1", "Secret"), Some("external-secrets"), "gcp-key", change);
    }

    fn change_user(&self, change: impl FnOnce(&mut Value)) {
        self.change((ESO, "ExternalSecret"), Some("shop"), "db", change);
    }

    fn key_file(&self) -> Value {
        let secret = self.world.cluster.object("v1", "Secret", Some("external-secrets"), "gcp-key").unwrap();
        let file = STANDARD.decode(secret["data"]["key.json"].as_str().unwrap()).unwrap();
        serde_json::from_slice(&file).unwrap()
    }

    fn state(&self) -> Option<Value> {
        self.world.cluster.object("v1", "ConfigMap", Some("keyless-system"), STATE)
    }

    fn is_moved(&self) -> bool {
        self.store()["spec"]["provider"]["gcpsm"]["auth"].get("secretRef").is_none()
    }

    /// The key and its Secret are as they were.
    #[track_caller]
    fn untouched(&self) {
        assert_eq!((self.key_disabled(), self.secret_is_there()), (Some(false), true));
    }

    /// The key and its Secret are gone, and so is what was noted of them.
    #[track_caller]
    fn retired(&self) {
        assert_eq!((self.key_disabled(), self.secret_is_there(), self.state()), (None, false, None));
    }
}

fn deployment(spec: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "api", "namespace": "external-secrets"},
        "spec": {"template": {"spec": spec}}})
}

fn with(more: &[&'static str]) -> Vec<&'static str> {
    [&RETIRE[..], more].concat()
}

#[test]
fn annotation_of_tenant_retires_nothing() {
    let estate = Estate::new();
    let other = estate.google.service_account("billing");
    let theirs = estate.google.create_key(&other);
    let claims = json!({"keyless/replaces": "shop/own/key.json",
        "keyless/replaced-key": format!("projects/acme-prod/serviceAccounts/{other}/keys/{}", theirs["private_key_id"].as_str().unwrap())});
    // A tenant's store of the same name, and the store itself.
    let mut tenants = store("gcp", "own");
    tenants["kind"] = json!("SecretStore");
    tenants["metadata"] = json!({"name": "gcp", "namespace": "shop", "annotations": claims});
    tenants["spec"].as_object_mut().unwrap().remove("conditions");
    estate.put(tenants);
    estate.settings("store: {name: gcp}");
    estate.run(&SETUP).ends(0);
    estate.change((ESO, "ClusterSecretStore"), None, "gcp", |store| {
        store["metadata"]["annotations"] = claims.clone();
    });
    estate.run(&RETIRE).ends(0);
    estate.retired();
    assert_eq!(estate.google.keys(&other).first().map(|(_, disabled)| *disabled), Some(false));

    // Nothing is noted any more: what the store says by itself is said again, and nothing else.
    let ran = estate.run(&RETIRE).fails(3, "retirement-not-noted", &["shop/own/key.json", "--replaced"]);
    assert!(!ran.err.contains("disabling") && !ran.err.contains("deleting"), "{}", ran.err);
    assert_eq!(estate.google.keys(&other).first().map(|(_, disabled)| *disabled), Some(false));
    estate.run(&SETUP).ends(0);
}

/// What setup notes is what an audit reads.
#[test]
fn noted_key_is_counted_until_it_is_gone() {
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    assert!(estate.state().is_some() && estate.is_moved());
    let annotations = estate.store()["metadata"]["annotations"].to_string();
    assert!(!annotations.contains("keyless/replace"), "{annotations}");
    let key = estate.key_id.as_str();
    let audited = estate.run(&["audit"]).ends(1).says("setup noted it as replaced").says(key);
    assert_eq!(audited.out.lines().next(), Some("1 long-lived credential lies beside the secret stores"));
    estate.run(&RETIRE).ends(0);
    estate.retired();
    estate.run(&["audit"]).ends(0).says("ZERO");

    // The note alone is enough: whether the key itself is gone is Google's to know.
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    estate.world.cluster.remove_object("v1", "Secret", Some("external-secrets"), "gcp-key");
    estate.run(&["audit"]).ends(1).says("setup noted it as replaced").says(&estate.key_id);
    estate.run(&RETIRE).ends(0);
    estate.run(&["audit"]).ends(0).says("ZERO");
}

#[test]
fn secret_that_claims_others_key_is_refused() {
    let estate = Estate::new();
    let other = estate.google.service_account("billing");
    let theirs = estate.google.create_key(&other);
    let mut file = estate.key_file();
    for member in ["client_email", "private_key_id"] {
        file[member] = theirs[member].clone();
    }
    estate.key_secret(|secret| secret["data"]["key.json"] = json!(STANDARD.encode(file.to_string())));
    for arguments in [&SETUP[..], &RETIRE[..]] {
        let ran = estate.run(arguments).fails(3, "credential-unproved", &["gcp-key", "public half"]);
        assert!(!ran.err.contains("disabling") && !ran.err.contains("deleting"), "{}", ran.err);
        assert_eq!(estate.google.keys(&other).first().map(|(_, disabled)| *disabled), Some(false));
        estate.untouched();
    }
    assert!(estate.is_moved(), "the store itself is moved");
}

#[test]
fn unreadable_key_secret_is_named() {
    for content in ["", "{", "not a key", r#"{"type":"service_account","private_key":"x"}"#] {
        let estate = Estate::new();
        estate.settings("google: {project: acme-prod}\nstore: {name: gcp}");
        let encoded = json!(STANDARD.encode(content));
        estate.key_secret(|secret| secret["data"]["key.json"] = encoded);
        estate.run(&RETIRE).fails(3, "credential-unproved", &["Secret external-secrets/gcp-key", "by hand"]);
        estate.untouched();
    }
}

#[test]
fn hourly_user_is_awaited_before_disabling() {
    let estate = Estate::new();
    estate.change_user(|user| user["spec"]["refreshInterval"] = json!("1h"));
    std::thread::sleep(Duration::from_millis(500));
    let begun = Instant::now();
    let arguments = ["setup", "--yes", "--watch-for", "1s", "--retire-key"];
    let ran =
        estate.run(&arguments).ends(1).says("ExternalSecret shop/db: it has not run by the new login yet");
    assert!(
        ran.out.contains("--force-sync") && ran.out.contains("it runs by itself at about"),
        "{}",
        ran.out
    );
    assert!(begun.elapsed() < Duration::from_secs(60), "what cannot come is not waited for");
    assert!(estate.is_moved() && estate.state().is_some());
    estate.untouched();
    // Started again, it is no nearer; asked to run, it is.
    estate.run(&arguments).ends(1);
    estate.untouched();
    estate.run(&with(&["--force-sync"])).ends(0);
    estate.retired();
}

#[test]
fn user_that_never_refreshes_is_named() {
    for (spec, why) in [
        (json!({"refreshInterval": "0"}), "its refreshInterval is 0"),
        (json!({"refreshPolicy": "CreatedOnce"}), "its refreshPolicy is CreatedOnce"),
        (json!({"refreshInterval": "999999999999999999999h"}), "cannot be read"),
    ] {
        let estate = Estate::new();
        estate.change_user(|user| {
            for (member, value) in spec.as_object().unwrap() {
                user["spec"][member] = value.clone();
            }
        });
        std::thread::sleep(Duration::from_millis(500));
        let ran = estate
            .run(&with(&["--force-sync", "--accept-new-secrets"]))
            .ends(1)
            .says("ExternalSecret shop/db: ")
            .says(why);
        assert!(ran.out.contains("--accept-unrefreshed"), "{}", ran.out);
        estate.untouched();
        estate.run(&with(&["--accept-unrefreshed"])).ends(0);
        estate.retired();
    }
}

#[test]
fn user_that_runs_on_change_is_asked() {
    let estate = Estate::new();
    estate.change_user(|user| user["spec"]["refreshPolicy"] = json!("OnChange"));
    std::thread::sleep(Duration::from_millis(500));
    estate.run(&RETIRE).ends(1).says("its refreshPolicy is OnChange");
    estate.untouched();
    estate.run(&with(&["--force-sync"])).ends(0);
    estate.retired();
}

#[test]
fn push_secret_counts_as_user() {
    let estate = Estate::new();
    estate.put(json!({"apiVersion": "external-secrets.io/v1alpha1", "kind": "PushSecret",
        "metadata": {"name": "up", "namespace": "shop"},
        "spec": {"refreshInterval": "1h", "secretStoreRefs": [{"name": "gcp", "kind": "ClusterSecretStore"}],
            "selector": {"secret": {"name": "db"}},
            "data": [{"match": {"secretKey": "password", "remoteRef": {"remoteKey": "db"}}}]}}));
    std::thread::sleep(Duration::from_millis(500));
    estate
        .run(&with(&["--accept-new-secrets"]))
        .ends(1)
        .says("PushSecret shop/up: it has not run by the new login yet");
    estate.untouched();
    estate.run(&with(&["--force-sync"])).ends(0);
    estate.retired();
}

/// Each in a cluster of its own: what uses the key, and how it is named.
#[test]
fn key_in_other_use_is_not_disabled() {
    let mount = json!({"volumes": [{"name": "k", "secret": {"secretName": "gcp-key"}}]});
    let variable = json!({"containers": [{"env": [{"name": "K", "valueFrom": {"secretKeyRef": {"name": "gcp-key", "key": "key.json"}}}]}]});
    let mut stateful = deployment(variable);
    stateful["kind"] = json!("StatefulSet");
    let job = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly", "namespace": "external-secrets"},
        "spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [{"envFrom": [{"secretRef": {"name": "gcp-key"}}]}]}}}}}});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "once", "namespace": "external-secrets"},
        "spec": mount.clone(), "status": {"phase": "Running"}});
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "puller", "namespace": "external-secrets"},
        "imagePullSecrets": [{"name": "gcp-key"}]});
    let pushed = json!({"apiVersion": "external-secrets.io/v1alpha1", "kind": "PushSecret",
        "metadata": {"name": "copy", "namespace": "external-secrets"},
        "spec": {"secretStoreRefs": [{"name": "elsewhere"}], "selector": {"secret": {"name": "gcp-key"}}}});
    for (user, named) in [
        (deployment(mount), "Deployment external-secrets/api uses Secret external-secrets/gcp-key"),
        (stateful, "StatefulSet external-secrets/api uses"),
        (job, "CronJob external-secrets/nightly uses"),
        (pod, "Pod external-secrets/once uses"),
        (account, "ServiceAccount external-secrets/puller uses"),
        (pushed, "PushSecret external-secrets/copy"),
        (store("other", "gcp-key"), "ClusterSecretStore other"),
    ] {
        let estate = Estate::new();
        estate.settings("store: {name: gcp}");
        estate.put(user.clone());
        estate.run(&RETIRE).ends(1).says(named);
        assert!(estate.is_moved());
        estate.untouched();
        let text = |pointer: &str| user.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let namespace = Some(text("/metadata/namespace")).filter(|namespace| !namespace.is_empty());
        let cluster = &estate.world.cluster;
        assert!(cluster.remove_object(text("/apiVersion"), text("/kind"), namespace, text("/metadata/name")));
        estate.run(&RETIRE).ends(0);
        estate.retired();
    }
}

#[test]
fn copy_of_key_is_found_everywhere() {
    let of = |estate: &Estate| estate.key_file().to_string();
    let pull = |estate: &Estate| {
        let auth = STANDARD.encode(format!("_json_key:{}", of(estate)));
        json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"name": "pull", "namespace": "shop"},
            "data": {".dockerconfigjson": STANDARD.encode(json!({"auths": {"eu.gcr.io": {"auth": auth}}}).to_string())}})
    };
    let renamed = |estate: &Estate| {
        let mut file = estate.key_file();
        file["private_key_id"] = json!("ffffffffffffffff");
        let mut object = secret("renamed", &file);
        object["metadata"]["namespace"] = json!("dns");
        object
    };
    let file = |estate: &Estate| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "file", "namespace": "dns"},
            "data": {"key.json": of(estate)}})
    };
    let literal = |estate: &Estate| {
        let mut object = deployment(json!({"containers": [{"env": [{"name": "KEY", "value": of(estate)}]}]}));
        object["metadata"]["namespace"] = json!("dns");
        object
    };
    type Copy<'a> = (&'a dyn Fn(&Estate) -> Value, &'a str);
    let copies: [Copy<'_>; 4] = [
        (&pull, "Secret shop/pull (.dockerconfigjson), which holds the same credential"),
        (&renamed, "Secret dns/renamed (key.json), which holds the same credential"),
        (&file, "ConfigMap dns/file (key.json), which holds the same credential"),
        (&literal, "Deployment dns/api has it written into it"),
    ];
    for (copy, named) in copies {
        let estate = Estate::new();
        estate.put(copy(&estate));
        estate.run(&RETIRE).ends(1).says(named);
        estate.untouched();
    }
}

#[test]
fn secret_with_more_is_found_first() {
    let estate = Estate::new();
    estate.key_secret(|secret| secret["data"]["other"] = json!("eA=="));
    let ran = estate.run(&RETIRE).fails(3, "secret-holds-more", &["gcp-key", "move the other values"]);
    assert!(!ran.err.contains("disabling"), "{}", ran.err);
    estate.untouched();
    // Without --retire-key nothing of the Secret is touched, so the key may be disabled.
    estate.run(&SETUP).ends(0);
    assert_eq!(estate.key_disabled(), Some(true));
    estate.run(&RETIRE).fails(3, "secret-holds-more", &["is disabled, and can be enabled again"]);
    estate.key_secret(|secret| drop(secret["data"].as_object_mut().unwrap().remove("other")));
    estate.run(&RETIRE).ends(0);
    estate.retired();
}

#[test]
fn users_not_seen_need_an_explicit_flag() {
    let estate = Estate::new();
    let cluster = &estate.world.cluster;
    cluster.add_user("blind", &lab::Right::ALL);
    cluster.allow("blind", "*", "*");
    cluster.deny("blind", "list", "secrets");
    cluster.deny("blind", "list", "replicasets.apps");
    cluster.kubeconfig_as(estate.world.dir.path(), "blind");
    let run = |arguments: &[&str]| -> Ran {
        let mut command = estate.command(arguments);
        command.env("KUBECONFIG", estate.world.dir.path().join("blind.kubeconfig"));
        command.output().unwrap().into()
    };
    let missing = ["list secrets in all namespaces", "list replicasets.apps", "--accept-unseen-users"];
    run(&RETIRE).fails(3, "users-not-seen", &missing);
    estate.untouched();
    run(&with(&["--accept-unseen-users"])).ends(0);
    estate.retired();
}

#[test]
fn last_use_is_part_of_the_plan() {
    let estate = Estate::new();
    estate.run(&["setup", "--dry-run"]).ends(1).says("when it was used last is not known");
    estate.google.enable("policyanalyzer.googleapis.com", true);
    estate.google.used(&estate.key_id, "2026-11-24T08:00:00Z");
    estate.run(&["setup", "--dry-run"]).ends(1).says("used last at 2026-11-24T08:00:00Z");
}

#[test]
fn undo_brings_former_login_back() {
    let estate = Estate::new();
    let before = estate.store()["spec"].clone();
    estate.run(&["setup", "--undo", "--yes"]).fails(3, "undo-unsaved", &["keyless-system/"]);
    estate.run(&SETUP).ends(0);
    assert_eq!(estate.key_disabled(), Some(true));
    let planned = estate.run(&["setup", "--undo", "--dry-run"]).ends(1);
    for line in [
        "+ enable  key ",
        "~ update  ClusterSecretStore gcp",
        "secretRef.secretAccessKeySecretRef.name: (none) → gcp-key",
    ] {
        assert!(planned.out.contains(line), "`{line}` is not in\n{}", planned.out);
    }
    assert_eq!((estate.key_disabled(), estate.is_moved()), (Some(true), true), "a dry run changes nothing");
    estate.run(&["setup", "--undo"]).fails(2, "confirmation", &["--yes"]);
    estate.run(&["setup", "--undo", "--yes"]).ends(0).says("logs in as before");
    // The API server has added a default by now, which is none of a login.
    let mut now = estate.store()["spec"].clone();
    now["provider"]["gcpsm"].as_object_mut().unwrap().remove("secretVersionSelectionPolicy");
    assert_eq!(now, before);
    assert_eq!((estate.key_disabled(), estate.state()), (Some(false), None));
    // And forward again, to the end; then there is no way back.
    estate.run(&RETIRE).ends(0);
    estate.retired();
    estate.run(&["setup", "--undo", "--yes"]).fails(3, "undo-unsaved", &[]);
}

#[test]
fn undo_that_would_break_is_refused() {
    let edited: fn(&Estate) = |estate| {
        estate.change((ESO, "ClusterSecretStore"), None, "gcp", |store| {
            store["spec"]["provider"]["gcpsm"]["projectID"] = json!("other-project");
        });
    };
    let without: fn(&Estate) = |estate| {
        estate.world.cluster.remove_object("v1", "Secret", Some("external-secrets"), "gcp-key");
    };
    let replaced: fn(&Estate) = |estate| {
        estate.key_secret(|secret| secret["data"]["key.json"] = json!(STANDARD.encode("{}")));
    };
    let gone: fn(&Estate) = |estate| {
        estate.world.cluster.remove_object(ESO, "ClusterSecretStore", None, "gcp");
        estate.put(store("gcp", "gcp-key"));
    };
    for (what, code, named) in [
        (edited, "store-changed", "other-project → acme-prod"),
        (without, "undo-without-secret", "Secret external-secrets/gcp-key"),
        (replaced, "undo-without-secret", "Secret external-secrets/gcp-key"),
        (gone, "undo-unsaved", "another store of this name"),
    ] {
        let estate = Estate::new();
        estate.settings("store: {name: gcp}");
        estate.run(&SETUP).ends(0);
        what(&estate);
        estate.run(&["setup", "--undo", "--yes"]).fails(3, code, &[]).says(named);
        assert_eq!(estate.key_disabled(), Some(true), "{code}");
    }
}

#[test]
fn state_that_does_not_fit_is_refused() {
    type Damage = (fn(&mut Value), &'static str);
    let damages: [Damage; 6] = [
        (|state| *state = json!("{"), "cannot be read"),
        (|state| *state = json!("{}"), "no version"),
        (
            |state| *state = json!(state.as_str().unwrap().replace("\"version\": 1", "\"version\": 2")),
            "newer keyless",
        ),
        (
            |state| {
                *state =
                    json!(state.as_str().unwrap().replacen("\"cluster\": \"", "\"cluster\": \"other-", 1))
            },
            "another cluster",
        ),
        (
            |state| *state = json!(state.as_str().unwrap().replacen("\"uid\": \"", "\"uid\": \"other-", 1)),
            "another store",
        ),
        (
            |state| *state = json!(state.as_str().unwrap().replacen("\"stage\"", "\"phase\"", 1)),
            "cannot be read",
        ),
    ];
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    let whole = estate.state().unwrap();
    for (damage, says) in damages {
        let mut state = whole.clone();
        damage(&mut state["data"]["state.json"]);
        estate.put(state);
        for arguments in [&SETUP[..], &RETIRE[..]] {
            estate.run(arguments).fails(3, "retirement-state", &[says, STATE]);
        }
        estate.run(&["setup", "--undo", "--yes"]).fails(3, "undo-unsaved", &[says]);
        assert_eq!((estate.key_disabled(), estate.secret_is_there()), (Some(true), true));
    }
    estate.put(whole);
    estate.run(&RETIRE).ends(0);
    estate.retired();
}

/// What is noted is written by setup alone, and holds no secret.
#[test]
fn state_holds_no_secret() {
    let estate = Estate::new();
    let file = estate.key_file();
    estate.run(&SETUP).ends(0);
    let state = estate.state().unwrap().to_string();
    let key = file["private_key"].as_str().unwrap();
    assert!(!key.lines().any(|line| line.len() > 20 && state.contains(line)), "{state}");
    assert!(state.contains(&estate.key_id) && state.contains("secretAccessKeySecretRef"), "{state}");
}

#[test]
fn vault_token_is_remembered_and_left() {
    let estate = Estate::new();
    estate.settings("google: {project: acme-prod}\nstore: {name: gcp}");
    estate.change((ESO, "ClusterSecretStore"), None, "gcp", |store| {
        store["spec"]["provider"] = json!({"vault": {"server": "https://bao.lab.test", "path": "kv", "version": "v2",
            "auth": {"tokenSecretRef": {"name": "bao-token", "namespace": "external-secrets", "key": "token"}}}});
    });
    estate.put(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bao-token", "namespace": "external-secrets"},
        "data": {"token": STANDARD.encode("s.CANARY-of-a-token")}}));
    std::thread::sleep(Duration::from_millis(500));
    let there =
        || estate.world.cluster.object("v1", "Secret", Some("external-secrets"), "bao-token").is_some();
    let arguments = with(&["--to", "google", "--accept-new-secrets"]);
    let ran = estate.run(&arguments).ends(1).says("a Vault token").says("vault token revoke");
    assert!(
        ran.out.contains("Secret external-secrets/bao-token") && ran.out.contains("audit counts it"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains("CANARY") && !ran.err.contains("CANARY"));
    assert!(estate.is_moved() && there());
    // It is not forgotten, and not called nothing.
    for _ in 0..2 {
        estate.run(&RETIRE).ends(1).says("a Vault token");
        assert!(there());
    }
    assert!(!estate.state().unwrap().to_string().contains("CANARY"));
    // Revoked by hand, its Secret goes when that is asked for, or is seen to be gone.
    estate.run(&with(&["--delete-secret"])).ends(0);
    assert!(!there() && estate.state().is_none());
    estate.run(&RETIRE).ends(0).says("nothing to do");
}

#[test]
fn failure_ends_with_the_state_of_things() {
    let estate = Estate::new();
    estate.google.deny("iam.serviceAccountKeys.disable");
    let ran = estate.run(&RETIRE).fails(3, "google-forbidden", &["iam.serviceAccountKeys.disable"]);
    let last = ran.err.trim_end().lines().last().unwrap();
    for part in [
        "ClusterSecretStore gcp logs in by its new provider.",
        "may be disabled by now.",
        "stays.",
        "To go on: keyless setup --retire-key.",
        "To go back: keyless setup --undo.",
    ] {
        assert!(last.contains(part), "`{part}` is not in\n{last}");
    }
    estate.google.allow("iam.serviceAccountKeys.disable");
    estate.run(&RETIRE).ends(0);
    estate.retired();

    let refused = Estate::new();
    refused.google.deny("secretmanager.secrets.setIamPolicy");
    let ran = refused.run(&RETIRE).fails(3, "google-forbidden", &[]);
    let last = ran.err.trim_end().lines().last().unwrap();
    assert!(last.contains("gcp logs in as before.") && last.contains("was not touched."), "{last}");
}

/// Stopped while it watches: it ends at once, says where things are, and the next run goes on with the watch.
#[test]
fn watch_is_stopped_and_gone_on_with() {
    for (signal, exit) in [("-INT", 130), ("-TERM", 143)] {
        let estate = Estate::new();
        let mut command = estate.command(&["setup", "--yes", "--retire-key", "--watch-for", "1h"]);
        let mut child: Child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.starts_with("watching gcp for 3600 s")), "it watches");
        let stopped = Instant::now();
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let rest: Vec<String> = lines.collect();
        assert_eq!(child.wait().unwrap().code(), Some(exit), "{rest:?}");
        assert!(stopped.elapsed() < Duration::from_secs(2), "{:?}", stopped.elapsed());
        let last = rest.last().unwrap();
        assert!(last.contains("is disabled, and can be enabled again."), "{rest:?}");
        assert!(last.contains("To go on: keyless setup --retire-key."), "{rest:?}");
        assert_eq!((estate.key_disabled(), estate.secret_is_there()), (Some(true), true));

        let planned = estate.run(&["setup", "--dry-run", "--retire-key"]).ends(1);
        assert!(planned.out.contains("is disabled"), "{}", planned.out);
        let mut again = estate.command(&["setup", "--yes", "--retire-key"]);
        let mut child = again.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let watching = lines.find(|line| line.starts_with("watching gcp for ")).unwrap();
        let left: u64 = watching.split(' ').nth(3).unwrap().parse().unwrap();
        assert!((3000..=3600).contains(&left), "{watching}");
        child.kill().unwrap();
        child.wait().unwrap();
        estate.run(&RETIRE).ends(0);
        estate.retired();
    }
}

/// While the key is disabled, something comes that needs it: it is given back.
#[test]
fn key_is_given_back_to_who_comes_later() {
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    assert_eq!(estate.key_disabled(), Some(true));
    estate.put(deployment(json!({"volumes": [{"name": "k", "secret": {"secretName": "gcp-key"}}]})));
    estate
        .run(&RETIRE)
        .fails(3, "credential-in-use", &["Deployment external-secrets/api"])
        .says("enabling key ");
    estate.untouched();
    // And so it is for a store that somebody puts back.
    let estate = Estate::new();
    let before = estate.store()["spec"].clone();
    estate.run(&SETUP).ends(0);
    estate.change((ESO, "ClusterSecretStore"), None, "gcp", |store| store["spec"] = before.clone());
    estate.run(&SETUP).fails(3, "store-reverted", &["gcp"]).says("enabling key ");
    assert_eq!(estate.key_disabled(), Some(false));
    estate.run(&RETIRE).ends(0);
    estate.retired();
}

#[test]
fn key_enabled_by_hand_stays_enabled() {
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    estate.google.disable_key(&estate.key_id, false);
    let ran = estate.run(&RETIRE).fails(3, "credential-enabled", &["is enabled", "To go on: "]);
    assert!(!ran.err.contains("deleting"), "{}", ran.err);
    estate.untouched();
    // Asked again, it begins again: nothing of what was seen before counts any more.
    estate.run(&with(&["--force-sync"])).ends(0);
    estate.retired();
}

/// The key goes, and what somebody has put into its Secret since does not.
#[test]
fn secret_edited_after_disabling_stays() {
    let other_key = |estate: &Estate| {
        let mut file = estate.key_file();
        let account = estate.google.service_account("billing");
        let theirs = estate.google.create_key(&account);
        for member in ["client_email", "private_key_id", "private_key"] {
            file[member] = theirs[member].clone();
        }
        file.to_string()
    };
    let contents: [&dyn Fn(&Estate) -> String; 3] = [&other_key, &|_| "{}".into(), &|_| String::new()];
    for content in contents {
        let estate = Estate::new();
        estate.settings("google: {project: acme-prod}\nstore: {name: gcp}");
        estate.run(&SETUP).ends(0);
        let content = content(&estate);
        estate.key_secret(|secret| secret["data"]["key.json"] = json!(STANDARD.encode(&content)));
        let ran = estate.run(&RETIRE).ends(0);
        assert!(!ran.err.contains("deleting Secret"), "{}", ran.err);
        assert_eq!((estate.key_disabled(), estate.secret_is_there(), estate.state()), (None, true, None));
        for (_, disabled) in estate.google.keys("billing@acme-prod.iam.gserviceaccount.com") {
            assert!(!disabled, "another's key is not touched");
        }
    }
}

/// Whoever goes on has the cluster, and no file of the one who began.
#[test]
fn another_person_goes_on_without_files() {
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    let settings = estate.world.dir.path().join("keyless.yaml");
    std::fs::remove_file(&settings).unwrap();
    estate.run(&["setup", "--undo", "--yes"]).ends(0).says("logs in as before");
    assert_eq!(estate.key_disabled(), Some(false));
    estate.run(&SETUP).ends(0);
    std::fs::remove_file(&settings).unwrap();
    estate.run(&RETIRE).ends(0);
    estate.retired();
}

#[test]
fn state_that_is_gone_is_said() {
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    assert!(estate.world.cluster.remove_object("v1", "ConfigMap", Some("keyless-system"), STATE));
    estate.run(&RETIRE).ends(0).says("No replaced credential is noted for this store.");
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (Some(true), true));
    estate.run(&["setup", "--undo", "--yes"]).fails(3, "undo-unsaved", &["there is no ConfigMap"]);
    // The remedy, followed.
    estate.run(&with(&["--replaced", "external-secrets/gcp-key"])).ends(0);
    estate.retired();
}

/// What was noted for the store before it counts for no other store, and the remedy works.
#[test]
fn recreated_store_takes_over_nothing() {
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    let moved = estate.store();
    estate.world.cluster.remove_object(ESO, "ClusterSecretStore", None, "gcp");
    estate.put(moved);
    std::thread::sleep(Duration::from_millis(500));
    let named = ["another store of this name", STATE, "--replaced"];
    estate.run(&RETIRE).fails(3, "retirement-state", &named);
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (Some(true), true));
    assert!(estate.world.cluster.remove_object("v1", "ConfigMap", Some("keyless-system"), STATE));
    estate.run(&with(&["--force-sync", "--replaced", "external-secrets/gcp-key/key.json"])).ends(0);
    estate.retired();
}

/// Another cluster, or a person: nothing here can see them, but the provider does.
#[test]
fn use_after_the_switch_keeps_the_key() {
    let estate = Estate::new();
    estate.google.enable("policyanalyzer.googleapis.com", true);
    estate.change_user(|user| user["spec"]["refreshInterval"] = json!("1h"));
    std::thread::sleep(Duration::from_millis(500));
    // As long as the store used it, its use says nothing.
    estate.google.used(&estate.key_id, "2026-01-01T00:00:00Z");
    estate.run(&RETIRE).ends(1).says("it has not run by the new login yet");
    estate.google.used(&estate.key_id, "2099-01-01T00:00:00Z");
    for _ in 0..2 {
        let ran = estate.run(&with(&["--force-sync"])).ends(1);
        assert!(
            ran.out.contains("something outside this cluster") && ran.out.contains("2099-01-01T00:00:00Z"),
            "{}",
            ran.out
        );
        estate.untouched();
    }
    estate.run(&with(&["--force-sync", "--accept-unseen-users"])).ends(0);
    estate.retired();
    // Seen only while the key is disabled, it gets it back.
    let later = Estate::new();
    later.google.enable("policyanalyzer.googleapis.com", true);
    later.run(&SETUP).ends(0);
    later.google.used(&later.key_id, "2099-01-01T00:00:00Z");
    later.run(&RETIRE).fails(3, "credential-in-use", &["something outside this cluster"]);
    later.untouched();
}

#[test]
fn replaced_secret_must_be_one() {
    let estate = Estate::new();
    estate.run(&RETIRE).ends(0);
    for (named, code) in [("gcp-key", "replaced-secret"), ("external-secrets/none", "replaced-secret")] {
        estate.run(&with(&["--replaced", named])).fails(2, code, &["--replaced"]);
    }
}
