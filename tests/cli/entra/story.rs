//! From a stored client secret to none, and back.

use std::io::Write;

use lab::Entra;
use serde_json::json;

use super::{DRY, RETIRE, SETUP, SUBJECT, Scene};
use crate::{
    terminal::Terminal,
    world::{ISSUER, Ran},
};

#[test]
fn stored_client_secret_becomes_none() {
    let scene = Scene::new();
    scene.run(&["audit"]).ends(1).says("1 LONG-LIVED credential");
    scene.run(&DRY).ends(1).snapshot("plan-entra");
    assert_eq!(scene.writes(), Vec::<String>::new(), "a dry run writes nothing");
    scene.is_untouched("a dry run changes nothing");

    scene.ends_well();
    let conditions = scene.before["spec"]["conditions"].clone();
    assert_eq!(scene.store()["spec"]["conditions"], conditions, "who may use it stays");
    let identity = scene.identity().unwrap();
    let account = scene.account().unwrap();
    let annotation = &account["metadata"]["annotations"]["azure.workload.identity/client-id"];
    assert_eq!(*annotation, identity["properties"]["clientId"], "no placeholder");
    assert_eq!(
        identity["federated"],
        json!([{"issuer": ISSUER, "subject": SUBJECT, "audiences": ["api://AzureADTokenExchange"]}])
    );
    assert_eq!(identity["roles"], json!(["4633458b-17de-408a-b874-0445c86b69e6 on acmevault/secrets/db"]));
    assert_eq!(identity["tags"], json!({"keyless": scene.mark()}));
    // The application gets a value that was written after the secret became useless.
    scene.azure.put_secret("db", r#"{"password":"second"}"#);
    scene.until_password("second");
    scene.run(&DRY).ends(0);
    let before = scene.writes();
    scene.run(&SETUP).ends(0);
    assert_eq!(scene.writes(), before, "the second run writes nothing");
    scene.run(&["verify"]).ends(0);

    scene.run(&[&DRY[..], &["--retire-key"]].concat()).ends(1).snapshot("plan-entra-retire-key");
    scene.run(&RETIRE).ends(0);
    assert_eq!((scene.key(), scene.secret_is_there()), ((0, false), false));
    scene.run(&[&DRY[..], &["--retire-key"]].concat()).ends(0);
    scene.run(&["audit"]).ends(0).says("ZERO");
    scene.run(&["verify"]).ends(0).says(&scene.identity_name());
    scene.azure.put_secret("db", r#"{"password":"third"}"#);
    scene.until_password("third");
}

/// What a person types, or confirms, counts for the old secret in the same run.
#[test]
fn typed_tenant_proves_old_secret() {
    let scene = Scene::new();
    let file = scene.world.dir.path().join("keyless.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let is_asked =
        |line: &&str| ["tenant:", "subscription:"].iter().any(|name| line.trim_start().starts_with(name));
    let left: Vec<_> = text.lines().filter(|line| !is_asked(line)).collect();
    assert_eq!(left.len() + 2, text.lines().count(), "{text}");
    std::fs::write(&file, left.join("\n") + "\n").unwrap();
    // The store names a tenant: its author does not decide.
    scene.run(&SETUP).fails(2, "setting-missing", &["entra.tenant", "only an object in the cluster says"]);
    scene.is_untouched("no tenant is named");
    let mut command =
        scene.command(&scene.administrator, &["setup", "--watch-for", "0s", "--to", "entra", "--retire-key"]);
    let mut terminal = Terminal::of(&mut command);
    write!(terminal, "\n{}\nyes\nyes\nyes\n", Entra::subscription()).unwrap();
    let ran = Ran::of(&mut command).ends(0);
    assert!(ran.err.contains(&format!("ID of the Entra tenant? [{}]", Entra::tenant())), "{}", ran.err);
    assert_eq!((scene.key(), scene.secret_is_there()), ((0, false), false));
}

#[test]
fn teardown_leaves_nothing_at_azure() {
    let scene = Scene::new();
    scene.run(&RETIRE).ends(0);
    scene.run(&["teardown", "--dry-run"]).ends(1).snapshot("plan-entra-teardown");
    assert!(scene.identity().is_some(), "a dry run removes nothing");
    scene.run(&["teardown", "--yes"]).ends(0);
    assert_eq!((scene.azure.identities(), scene.azure.assignments()), (Vec::<String>::new(), 0));
    assert!(scene.account().is_none(), "the identity that it made is gone");
    scene.run(&["teardown", "--dry-run"]).ends(0).says("nothing to remove");
}

/// A manifest for GitOps names the identity itself, or is not written.
#[test]
fn manifest_without_identity_is_refused() {
    let scene = Scene::new();
    let render = ["render", "store", "--to", "entra"];
    let ran = scene.run(&render).fails(3, "provider-not-set-up", &["keyless setup"]);
    assert!(!ran.out.contains("client-id"), "{}", ran.out);
    scene.run(&RETIRE).ends(0);
    let client_id = scene.identity().unwrap()["properties"]["clientId"].as_str().unwrap().to_owned();
    scene.run(&render).ends(0).says(&client_id);
}

/// What Azure does not know everywhere yet is waited for, and the reason is told.
#[test]
fn what_is_new_is_waited_for() {
    let scene = Scene::new();
    scene.azure.change(|it| (it.unseen_exchanges, it.unseen_reads) = (1, 1));
    let ran = scene.run(&SETUP).ends(0);
    let told = format!("{}{}", ran.out, ran.err);
    assert!(told.contains("AADSTS700211") && told.contains("ForbiddenByRbac"), "{told}");
}
