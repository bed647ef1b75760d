//! What comes after the switch: the watch, failures, another run, the way back.

use super::{users::deployment, *};

#[test]
fn undo_brings_former_login_back() {
    let estate = Estate::new();
    let before = estate.store()["spec"].clone();
    estate
        .run(&["setup", "--undo", "--yes"])
        .fails(3, "undo-unsaved", &["keyless-system/"])
        .snapshot("error-undo-unsaved");
    estate.run(&SETUP).ends(0);
    assert_eq!(estate.key_disabled(), Some(true));
    let planned = estate.run(&["setup", "--undo", "--dry-run"]).ends(1).snapshot("plan-undo");
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
fn failure_ends_with_state_and_commands() {
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
fn interrupted_watch_ends_and_resumes() {
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
fn key_needed_later_is_enabled_again() {
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    assert_eq!(estate.key_disabled(), Some(true));
    estate.put(deployment(json!({"volumes": [{"name": "k", "secret": {"secretName": "gcp-key"}}]})));
    estate
        .run(&RETIRE)
        .fails(3, "credential-in-use", &["Deployment external-secrets/api"])
        .says("enabling key ");
    estate.untouched();
    // And so it is for a store that another user puts back.
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

/// The key goes, and what another user has put into its Secret since does not.
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

/// The person who goes on has the cluster, and no file of the one who began.
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
