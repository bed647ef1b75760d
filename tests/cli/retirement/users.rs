//! What uses the store or its key: looked for, waited for and named before the key is disabled.

use super::*;

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
fn on_change_user_needs_forced_sync() {
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

pub(super) fn deployment(spec: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "api", "namespace": "external-secrets"},
        "spec": {"template": {"spec": spec}}})
}

/// Each in a cluster of its own: what uses the key, and how it is named.
#[test]
fn key_in_other_use_stays_enabled() {
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

/// That the key is retired was not asked for: what remains is the last word, and no failure.
#[test]
fn blocked_key_is_last_word() {
    let estate = Estate::new();
    estate.settings("store: {name: gcp}");
    estate.put(store("other", "gcp-key"));
    let last = |ran: &Ran| ran.out.trim_end().lines().last().unwrap_or_default().to_owned();
    // Started again, it is no nearer.
    for _ in 0..2 {
        let ran = estate.run(&SETUP).ends(0).says("ClusterSecretStore other");
        let line = last(&ran);
        assert!(line.starts_with("1 long-lived credential remains: "), "{}", ran.out);
        assert!(line.contains(&estate.key_id) && line.ends_with(" (enabled)"), "{line}");
        estate.untouched();
    }
    let shown = estate.run(&[&SETUP[..], &["-o", "json"]].concat()).ends(0).json();
    assert_eq!(shown["remaining"].as_array().unwrap().len(), 1, "{shown:#}");
    assert_eq!(shown["remaining"][0]["standing"], "enabled");
    assert!(shown["remaining"][0]["id"].as_str().unwrap().contains(&estate.key_id), "{shown:#}");
    // Asked for, it is not done.
    let ran = estate.run(&RETIRE).ends(1);
    assert!(last(&ran).starts_with("1 long-lived credential remains: "), "{}", ran.out);
    estate.world.cluster.remove_object(ESO, "ClusterSecretStore", None, "other");
    let ran = estate.run(&SETUP).ends(0);
    assert!(last(&ran).ends_with(" (disabled)"), "{}", ran.out);
    let shown = estate.run(&[&RETIRE[..], &["-o", "json"]].concat()).ends(0).json();
    assert_eq!((&shown["remaining"], &shown["outcome"]), (&json!([]), &json!("done")));
    estate.retired();
}

/// Its plan shows the key as disabled at the end: another store begins to use it while the run writes.
#[test]
fn late_user_of_key_fails_run() {
    let estate = Estate::new();
    estate.settings("store: {name: gcp}");
    let (waits, gate) = Fault::gate();
    let path = "/clustersecretstores/gcp?fieldManager=keyless&fieldValidation=Strict$";
    estate.world.cluster.server(0).faults().next(1, "PATCH", path, waits);
    let setup = estate.command(&SETUP).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    gate.arrived();
    assert!(!estate.is_moved());
    estate.put(store("other", "gcp-key"));
    gate.open();
    let ended = setup.wait_with_output().unwrap();
    let out = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{out}{}", String::from_utf8_lossy(&ended.stderr));
    assert!(out.contains("also used by") || out.contains("something else uses it"), "{out}");
    assert!(estate.is_moved());
    estate.untouched();
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
fn unseen_users_need_explicit_flag() {
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
fn last_use_appears_in_plan() {
    let estate = Estate::new();
    estate.run(&["setup", "--dry-run"]).ends(1).says("when it was used last is not known");
    estate.google.enable("policyanalyzer.googleapis.com", true);
    estate.google.used(&estate.key_id, "2026-11-24T08:00:00Z");
    estate.run(&["setup", "--dry-run"]).ends(1).says("used last at 2026-11-24T08:00:00Z");
}

/// Another cluster, or a person: nothing here can see them, but the provider does.
#[test]
fn use_after_switch_keeps_the_key() {
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
