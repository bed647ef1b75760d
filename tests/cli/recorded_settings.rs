//! What `keyless setup` resolves it writes to the settings file, and keeps to.

use std::fs;

use lab::Vault;
use serde_json::json;

use crate::{
    estate::{Estate, SETUP, store},
    world::Ran,
};

fn file(estate: &Estate) -> std::path::PathBuf {
    estate.world.dir.path().join("keyless.yaml")
}

#[test]
fn resolved_settings_are_written_once() {
    let estate = Estate::new();
    let planned = estate.run(&["setup", "--dry-run"]).ends(1);
    assert!(planned.out.contains("+ create  keyless.yaml: "), "{}", planned.out);
    assert!(!file(&estate).exists(), "a dry run writes nothing");
    estate.run(&SETUP).ends(0);
    let written = fs::read_to_string(file(&estate)).unwrap();
    for line in [
        "apiVersion: keyless/v1",
        "provider: google",
        "tls:\n  caFile: ca.pem",
        &format!("cluster:\n  uid: {}\n", estate.world.cluster_uid()),
        "google:\n  project: acme-prod\n  pool: keyless-",
        "  mode: uploaded",
        "store:\n  name: gcp\n  serviceAccount: external-secrets/keyless-gcp",
    ] {
        assert!(written.contains(line), "`{line}` is not in\n{written}");
    }
    // What ExternalSecrets name is granted as it was confirmed; the cluster's own issuer is no decision of setup.
    assert!(!written.contains("issuer") && written.contains("  secrets:\n    - db\n"), "{written}");
    let again: Ran = estate.run(&SETUP).ends(0).says("nothing to do");
    assert!(!again.out.contains("keyless.yaml"), "{}", again.out);
    assert_eq!(fs::read_to_string(file(&estate)).unwrap(), written);
    // Another store appears: which one is meant is known by now.
    estate.world.cluster.put_object(store("other", "other-key"));
    estate.run(&["setup", "--dry-run"]).ends(0);
}

#[test]
fn existing_settings_stay_flags_are_added() {
    let estate = Estate::new();
    let ca_file = estate.world.dir.path().join("ca.pem");
    let before = "# Ours.\napiVersion: keyless/v1\ngoogle:\n  pool: acme-pool # short\n";
    let before = format!("{before}tls:\n  caFile: {}\n", ca_file.display());
    fs::write(file(&estate), before).unwrap();
    let mut command = estate.world.command(&SETUP);
    command.args(["--config", "keyless.yaml"]);
    let ran: Ran = command.env("GOOGLE_OAUTH_ACCESS_TOKEN", estate.google.token()).output().unwrap().into();
    ran.ends(0);
    let written = fs::read_to_string(file(&estate)).unwrap();
    assert!(written.contains(&format!("  caFile: {}\n", ca_file.display())), "{written}");
    let begin = "# Ours.\napiVersion: keyless/v1\nprovider: google\ngoogle:\n  pool: acme-pool # short\n  project: acme-prod\n";
    assert!(written.starts_with(begin), "{written}");
}

#[test]
fn unwritable_settings_are_shown_as_lines() {
    let estate = Estate::new();
    let before = json!({"apiVersion": "keyless/v1", "google": {"pool": "acme-pool"}}).to_string();
    fs::write(file(&estate), &before).unwrap();
    estate.names_settings();
    let ran = estate.run(&SETUP).ends(0);
    assert!(
        ran.err.contains("warning[settings-not-written]") && ran.err.contains("google.project: acme-prod")
    );
    assert_eq!(fs::read_to_string(file(&estate)).unwrap(), before);
}

/// What is left to files is left whole: neither the new identity nor the store is waited for or relied on.
#[test]
fn manifests_are_written_in_applicable_order() {
    let estate = Estate::new();
    let before = estate.store()["spec"].clone();
    let arguments = ["setup", "--yes", "--watch-for", "0s", "--retire-key", "--manifests", "gitops"];
    let folder = estate.world.dir.path().join("gitops");
    let apply = |name: &str| {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        estate.world.cluster.put_object(serde_saphyr::from_str(&text).unwrap());
    };
    estate.run(&arguments).ends(1).says("run setup again");
    assert!(!folder.join("clustersecretstore-gcp.yaml").exists(), "the new path has not been probed");
    for kind in ["serviceaccount-", "role-keyless-mint-", "rolebinding-keyless-mint-"] {
        apply(&format!("{kind}keyless-gcp.yaml"));
    }
    estate.run(&arguments).ends(1).says("run setup again");
    assert_eq!(estate.store()["spec"], before, "nothing is written past the repository");
    assert_eq!(estate.key_disabled(), Some(false));
    apply("clustersecretstore-gcp.yaml");
    estate.run(&arguments).ends(0);
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (None, false));
    estate.run(&["audit"]).ends(0).says("ZERO");
}

/// On a terminal, and in a log that takes both streams.
#[test]
fn plan_is_printed_before_its_actions() {
    let estate = Estate::new();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = estate.command(&SETUP);
    command.stdout(writer.try_clone().unwrap()).stderr(writer);
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut output = String::new();
    std::io::Read::read_to_string(&mut reader, &mut output).unwrap();
    assert!(child.wait().unwrap().success(), "{output}");
    let place = |text: &str| output.find(text).unwrap_or_else(|| panic!("`{text}` is not in\n{output}"));
    assert!(place("issuer: ") < place("Plan: "), "{output}");
    assert!(place("Plan: ") < place("probing the new login"), "{output}");
    assert!(place("disabling key") < place("Its old key is disabled; delete it: keyless setup --retire-key"));
}

/// Whichever provider the store names now, what the others trust goes too.
#[test]
fn teardown_removes_trust_at_former_provider() {
    let estate = Estate::new();
    estate.run(&[&SETUP[..], &["--retire-key"]].concat()).ends(0);
    let bao = Vault::start(&estate.world.ca, &["bao.lab.test"]);
    estate.world.internet.route("bao.lab.test", bao.addr());
    let settings = fs::read_to_string(file(&estate)).unwrap();
    let settings = settings.replace("provider: google", "provider: vault");
    fs::write(file(&estate), settings + "vault:\n  address: https://bao.lab.test\n  mode: static-keys\n")
        .unwrap();
    let mut command = estate.command(&["teardown", "--yes"]);
    command.env("VAULT_ADDR", "https://bao.lab.test").env("VAULT_TOKEN", bao.root_token());
    let ran: Ran = command.output().unwrap().into();
    ran.ends(0);
    let names = estate.google.federation();
    let pool = names.iter().find_map(|name| name.split('/').nth(5)).unwrap();
    assert_eq!(estate.google.pool(pool).unwrap()["state"], "DELETED");
}

/// Deleted, it would be back a minute later.
#[test]
fn secret_kept_by_repository_is_left() {
    let estate = Estate::new();
    let mut held = estate.world.cluster.object("v1", "Secret", Some("external-secrets"), "gcp-key").unwrap();
    held["metadata"]["annotations"] =
        json!({"argocd.argoproj.io/tracking-id": "platform:/Secret:external-secrets/gcp-key"});
    estate.world.cluster.put_object(held);
    let ran = estate.run(&["setup", "--yes", "--watch-for", "0s", "--retire-key"]).ends(0);
    assert!(ran.err.contains("Secret external-secrets/gcp-key is kept by Argo CD"), "{}", ran.err);
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (None, true));
}

#[test]
fn linked_settings_file_stays_a_link() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    let estate = Estate::new();
    let real = estate.world.dir.path().join("settings/prod.yaml");
    fs::create_dir(real.parent().unwrap()).unwrap();
    fs::write(&real, "apiVersion: keyless/v1\n").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
    symlink(&real, file(&estate)).unwrap();
    // Names by which the next version could be written before it takes the old one's place.
    let victim = estate.world.dir.path().join("victim");
    fs::write(&victim, "mine").unwrap();
    for part in [real.with_extension("yaml.part"), file(&estate).with_extension("yaml.part")] {
        symlink(&victim, part).unwrap();
    }
    estate.run(&SETUP).ends(0);
    assert!(file(&estate).is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains("provider: google"));
    assert_eq!(fs::metadata(&real).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
}
