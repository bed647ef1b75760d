//! `--out FILE` and `keyless apply FILE`: what was shown is done, exactly, or nothing.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::{Value, json};

use crate::{
    estate::Estate,
    steps::{forget, recorded_writes},
    world::Ran,
};

impl Estate {
    fn saves(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(&[arguments, &["--out", "plan.json"]].concat());
        assert!(ran.err.contains("keyless apply plan.json"), "{}", ran.err);
        ran
    }

    fn applies(&self) -> Ran {
        let mut command = self.world.command(&["apply", "plan.json"]);
        Ran::of(command.env("GOOGLE_OAUTH_ACCESS_TOKEN", self.google.token()))
    }

    fn plan(&self) -> Value {
        serde_json::from_str(&self.file("plan.json")).unwrap()
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.world.dir.path().join(name)).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.world.dir.path().join(name), text).unwrap();
    }
}

const SETUP: [&str; 3] = ["setup", "--watch-for", "0s"];

#[test]
fn saved_setup_is_applied_as_shown() {
    let estate = Estate::new();
    estate.settings("google: {pool: keyless-lab}\nstore: {name: gcp}\n");
    let before = estate.settings_text();
    let shown = estate.saves(&SETUP).ends(1).says("Plan: ").snapshot("plan-saved");
    assert_eq!(recorded_writes(&estate), Vec::<String>::new(), "{}", shown.out);
    assert_eq!(estate.settings_text(), before);
    let saved = estate.plan();
    assert_eq!(saved["apiVersion"], "keyless/saved-plan/v1");
    assert!(saved["steps"].as_array().unwrap().len() > 4, "{saved:#}");

    let applied = estate.applies().ends(0);
    assert!(applied.out.contains("logs in with short-lived tokens"), "{}", applied.out);
    assert!(estate.store_is_keyless());
    // It is done: the same plan fits no more.
    forget(&estate);
    estate
        .applies()
        .fails(3, "plan-changed", &["in the saved plan only: ", "nothing was changed"])
        .snapshot("error-plan-changed");
    assert_eq!(recorded_writes(&estate), Vec::<String>::new());
}

#[test]
fn saved_teardown_is_applied_as_shown() {
    let estate = Estate::new();
    estate.run(&["setup", "--yes", "--watch-for", "0s"]).ends(0);
    estate.saves(&["teardown"]).ends(1);
    assert!(!estate.google.federation().is_empty());
    estate.applies().ends(0);
    assert!(estate.roles("secrets/db").is_empty());
}

#[test]
fn changed_world_is_refused_untouched() {
    for change in [
        // A right more than the plan grants.
        |estate: &Estate| {
            estate.google.add_secret("api", b"x");
            estate.reads("shop", "api", "api");
        },
        // Another key beside the replaced one.
        |estate: &Estate| {
            estate.google.create_key(&estate.email);
            let key = estate.google.create_key(&estate.email);
            estate.world.cluster.put_object(crate::estate::secret("gcp-key", &key));
        },
        // Another run was faster.
        |estate: &Estate| drop(estate.run(&["setup", "--yes", "--watch-for", "0s"]).ends(0)),
        // The settings mean another pool by now.
        |estate: &Estate| estate.settings("google: {pool: keyless-other}\nstore: {name: gcp}\n"),
    ] {
        let estate = Estate::new();
        estate.settings("google: {pool: keyless-lab}\nstore: {name: gcp}\n");
        estate.saves(&[&SETUP[..], &["--accept-new-secrets"]].concat()).ends(1);
        change(&estate);
        forget(&estate);
        let refused = estate.applies();
        assert_eq!(refused.code, Some(3), "{}{}", refused.out, refused.err);
        assert!(refused.err.contains("plan-changed"), "{}", refused.err);
        assert_eq!(recorded_writes(&estate), Vec::<String>::new(), "{}", refused.err);
    }
}

#[test]
fn forged_plan_files_are_refused() {
    let estate = Estate::new();
    estate.saves(&SETUP).ends(1);
    let saved = estate.plan();
    let with = |member: &str, value: Value| {
        let mut forged = saved.clone();
        forged[member] = value;
        forged.to_string()
    };
    let other_context = with("arguments", json!(["setup", "--context", "elsewhere"]));
    for (text, exit, code) in [
        (String::new(), 2, "plan-file"),
        ("{}".into(), 2, "plan-file"),
        (with("apiVersion", json!("keyless/saved-plan/v9")), 2, "plan-file"),
        (with("arguments", json!(["audit"])), 2, "plan-file"),
        (with("arguments", json!(["apply", "plan.json"])), 2, "plan-file"),
        (with("arguments", json!([])), 2, "plan-file"),
        (with("arguments", json!(["setup", "--no-such-flag=hunter2"])), 2, "plan-file"),
        (with("directory", json!("/")), 2, "plan-directory"),
        (with("steps", json!([])), 3, "plan-changed"),
        (with("target", Value::Null), 3, "plan-changed"),
        (other_context, 2, "context"),
    ] {
        estate.write("plan.json", &text);
        forget(&estate);
        let refused = estate.applies();
        assert_eq!(refused.code, Some(exit), "{text}: {}", refused.err);
        assert!(refused.err.contains(code), "{text}: {}", refused.err);
        assert!(!refused.err.contains("hunter2"), "{}", refused.err);
        assert_eq!(recorded_writes(&estate), Vec::<String>::new());
    }
}

#[test]
fn plan_that_others_write_is_refused() {
    let estate = Estate::new();
    estate.saves(&SETUP).ends(1);
    let path = estate.world.dir.path().join("plan.json");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    estate.applies().fails(2, "plan-untrusted", &["others can write it"]).snapshot("error-plan-untrusted");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let named = estate.world.command(&["apply", "plan.json", "--config", "other.yaml"]).output().unwrap();
    Ran::from(named).fails(2, "plan-config", &["--out PLAN"]);
    fs::remove_file(&path).unwrap();
    estate.applies().fails(2, "plan-unreadable", &["cannot be read"]).snapshot("error-plan-unreadable");
}

#[test]
fn out_conflicts_with_yes() {
    let estate = Estate::new();
    let ran = estate.run(&["setup", "--yes", "--out", "plan.json"]);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert!(!estate.world.dir.path().join("plan.json").exists());
}
