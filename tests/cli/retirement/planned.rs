//! What the plan has shown bounds the run: what a later look finds beyond it is reported, and not done.

use super::*;
use crate::steps::writes_what_it_shows;

const PATCH_OF_STORE: &str = "/clustersecretstores/gcp?fieldManager=keyless&fieldValidation=Strict$";

impl Estate {
    /// Runs this, and lets the world change between its plan and its first look after the switch.
    fn changed_meanwhile(&self, command: &mut Command, change: impl FnOnce()) -> Ran {
        let (waits, gate) = Fault::gate();
        self.world.cluster.server(0).faults().next(1, "PATCH", PATCH_OF_STORE, waits);
        let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        gate.arrived();
        change();
        gate.open();
        run.wait_with_output().unwrap().into()
    }

    fn remove_other(&self) {
        assert!(self.world.cluster.remove_object(ESO, "ClusterSecretStore", None, "other"));
    }
}

/// The plan shows the key as kept for another store, which is gone when the run looks again.
#[test]
fn key_shown_as_kept_stays() {
    for arguments in [&SETUP[..], &RETIRE[..]] {
        let estate = Estate::new();
        estate.settings("store: {name: gcp}");
        estate.put(store("other", "gcp-key"));
        let ran = estate.changed_meanwhile(&mut estate.command(arguments), || estate.remove_other());
        let ran = ran.ends(1).says("also used by ClusterSecretStore other");
        let ran = ran.says("What else used it then is not seen to use it any more").says("Run setup again");
        assert!(!ran.err.contains("disabling") && !ran.err.contains("deleting"), "{}", ran.err);
        assert!(estate.is_moved());
        estate.untouched();
        // It is planned by then.
        estate.run(&RETIRE).ends(0);
        estate.retired();
    }
}

/// The same for a plan that was saved: what was approved is what is done.
#[test]
fn saved_plan_keeps_shown_key() {
    let estate = Estate::new();
    estate.settings("google: {project: acme-prod}\nstore: {name: gcp}");
    estate.put(store("other", "gcp-key"));
    estate.run(&["setup", "--watch-for", "0s", "--retire-key", "--out", "plan.json"]).ends(1);
    let mut command = estate.world.command(&["apply", "plan.json"]);
    command.env("GOOGLE_OAUTH_ACCESS_TOKEN", estate.google.token());
    let ran = estate.changed_meanwhile(&mut command, || estate.remove_other());
    ran.ends(1).says("Run setup again");
    assert!(estate.is_moved());
    estate.untouched();
    estate.run(&RETIRE).ends(0);
    estate.retired();
}

/// The plan shows the Secret as kept for a repository, which lets go of it when the run looks again.
#[test]
fn secret_shown_as_kept_stays() {
    let estate = Estate::new();
    let tracked = "argocd.argoproj.io/tracking-id";
    estate.key_secret(|secret| {
        secret["metadata"]["annotations"] = json!({tracked: "app:/Secret:external-secrets/gcp-key"});
    });
    let ran = estate.changed_meanwhile(&mut estate.command(&RETIRE), || {
        estate.key_secret(|secret| drop(secret["metadata"].as_object_mut().unwrap().remove("annotations")));
    });
    let ran = ran.ends(1).says("Argo CD (application app) keeps it");
    let ran = ran.says("did not show what there is to do by now");
    assert!(!ran.err.contains("deleting Secret"), "{}", ran.err);
    // What was shown is done, and no more.
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (None, true));
    assert!(estate.is_moved() && estate.state().is_some());
    estate.run(&RETIRE).ends(0);
    estate.retired();
}

/// What the run begins with is recorded only where something is done of which a rerun has to know.
#[test]
fn kept_key_is_not_recorded() {
    let estate = Estate::new();
    estate.settings("store: {name: gcp}");
    estate.put(store("other", "gcp-key"));
    estate.run(&SETUP).ends(0);
    assert!(estate.world.cluster.remove_object("v1", "ConfigMap", Some("keyless-system"), STATE));
    estate.google.add_secret("api", b"x");
    estate.reads("shop", "api", "api");
    let replaced = ["--accept-new-secrets", "--replaced", "external-secrets/gcp-key"];
    writes_what_it_shows(&estate, &[&["setup", "--watch-for", "0s"], &replaced[..]].concat());
    estate.untouched();
    assert_eq!(estate.state(), None);
}

/// Another user puts the store back: that its key is enabled is shown before it is done.
#[test]
fn key_of_reverted_store_is_planned() {
    let estate = Estate::new();
    let before = estate.store()["spec"].clone();
    estate.run(&SETUP).ends(0);
    estate.change((ESO, "ClusterSecretStore"), None, "gcp", |store| store["spec"] = before);
    let planned = estate.run(&["setup", "--dry-run"]).ends(1).says("+ enable  key ");
    assert!(planned.out.contains("the store names it again"), "{}", planned.out);
}

#[test]
fn forced_runs_are_steps() {
    let estate = Estate::new();
    estate.change_user(|user| user["spec"]["refreshInterval"] = json!("1h"));
    std::thread::sleep(Duration::from_millis(500));
    let forced = ["setup", "--watch-for", "0s", "--force-sync"];
    writes_what_it_shows(&estate, &forced);
    estate.run(&["setup", "--dry-run", "--force-sync"]).ends(0).says("nothing to do");

    // After a switch that waited for it.
    let estate = Estate::new();
    estate.change_user(|user| user["spec"]["refreshInterval"] = json!("1h"));
    std::thread::sleep(Duration::from_millis(500));
    estate.run(&RETIRE).ends(1);
    let planned = estate.run(&[&forced[..], &["--dry-run"]].concat()).ends(1);
    planned.snapshot("plan-force-sync");
    writes_what_it_shows(&estate, &[&forced[..], &["--retire-key"]].concat());
    estate.retired();
}

/// Runs `setup` until it has disabled the key, and kills it before it records that.
fn stopped_after_disable() -> Estate {
    let estate = Estate::new();
    let next_record = || {
        let (waits, gate) = Fault::gate();
        estate.world.cluster.server(0).faults().next(1, "PATCH", &format!("/configmaps/{STATE}"), waits);
        gate
    };
    let mut gate = next_record();
    let mut run = estate.command(&SETUP).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    loop {
        gate.arrived();
        if estate.key_disabled() == Some(true) {
            break;
        }
        let next = next_record();
        gate.open();
        gate = next;
    }
    run.kill().unwrap();
    run.wait().unwrap();
    // Never opened: what waits there has no effect.
    std::mem::forget(gate);
    estate
}

#[test]
fn unrecorded_disable_is_watched_next() {
    let estate = stopped_after_disable();
    let planned = estate.run(&["setup", "--dry-run"]).ends(1);
    assert!(planned.out.contains("was stopped when it had disabled the credential"), "{}", planned.out);
    writes_what_it_shows(&estate, &["setup", "--watch-for", "0s"]);
    assert_eq!(estate.key_disabled(), Some(true));
    estate.run(&["setup", "--dry-run"]).ends(0);
    estate.run(&RETIRE).ends(0);
    estate.retired();
}

/// Also where the plan shows something else only.
#[test]
fn needed_key_is_enabled_again() {
    let estate = stopped_after_disable();
    estate.settings("store: {name: gcp}");
    estate.put(store("other", "gcp-key"));
    let planned = estate.run(&["setup", "--dry-run"]).ends(1);
    assert!(planned.out.contains("also used by ClusterSecretStore other"), "{}", planned.out);
    estate.run(&SETUP).ends(3);
    assert_eq!(estate.key_disabled(), Some(false));
}
