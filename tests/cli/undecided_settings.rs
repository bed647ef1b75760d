//! What only `./keyless.yaml` says, which no flag named: it decides nothing where no question is asked.

use std::{fs, io::Write};

use lab::SigningKey;

use crate::{
    estate::{Estate, SETUP},
    google::untouched,
    steps::{forget, recorded_writes},
    terminal::Terminal,
    world::{ISSUER, Ran},
};

/// Each setting, and what the refusal says of it.
const ALONE: [(&str, &[&str]); 9] = [
    ("google: {pool: keyless-own}", &["google.pool keyless-own"]),
    ("google: {access: project}", &["google.access project"]),
    ("google: {provider: other}", &["google.provider other"]),
    ("store: {name: gcp, serviceAccount: shop/web}", &["store.serviceAccount shop/web"]),
    ("store: {name: gcp, secrets: [db, root]}", &["ClusterSecretStore gcp may read root"]),
    ("store: {name: gcp, secrets: [db], rights: {push: [db]}}", &["ClusterSecretStore gcp may write db"]),
    ("issuer: https://oidc.evil.example", &["issuer", "https://oidc.evil.example"]),
    ("cluster: {publicKeys: [next.pub]}", &["cluster.publicKeys (key "]),
    ("cluster: {ledger: shop/theirs}", &["cluster.ledger shop/theirs"]),
];

fn estate() -> Estate {
    let estate = Estate::new();
    estate.google.add_secret("root", b"root");
    let next = SigningKey::from_stock();
    fs::write(estate.world.dir.path().join("next.pub"), next.public_pem()).unwrap();
    estate
}

#[test]
fn unnamed_file_grants_nothing_unasked() {
    for (settings, says) in ALONE {
        let estate = estate();
        estate.unnamed_settings(settings);
        let planned = estate.run(&["setup", "--dry-run"]).ends(1);
        forget(&estate);
        for flags in [&SETUP[..], &["setup", "--yes", "--retire-key"], &["setup", "--out", "plan.json"]] {
            let ran = estate.run(flags).fails(2, "settings-undecided", says);
            assert!(ran.err.contains("--config keyless.yaml"), "{}", ran.err);
        }
        assert!(planned.out.contains("set only by keyless.yaml"), "{}", planned.out);
        assert!(says.iter().all(|one| planned.out.contains(one)), "{settings}: {}", planned.out);
        assert_eq!(recorded_writes(&estate), Vec::<String>::new(), "{settings}");
        assert!(!estate.world.dir.path().join("plan.json").exists());
        untouched(&estate, settings);
        // Named, it is the user's own word.
        let named = estate.run(&["setup", "--dry-run", "--config", "keyless.yaml"]).ends(1);
        assert!(!named.out.contains("set only by keyless.yaml"), "{}", named.out);
    }
}

/// Who can write the bucket can sign as every workload.
#[test]
fn unnamed_file_decides_no_issuer() {
    let estate = estate();
    let bucket = format!("bucket: {{url: 'file://{}'}}", estate.world.www.display());
    let settings = format!("issuer: {ISSUER}\n{bucket}\n");
    estate.unnamed_settings(&settings);
    let says = ["bucket.url file://", "issuer https://oidc.lab.test/prod"];
    let planned = estate.run(&["setup", "--dry-run"]).ends(1);
    planned.snapshot("plan-settings-undecided");
    forget(&estate);
    estate.run(&SETUP).fails(2, "settings-undecided", &says).snapshot("error-settings-undecided");
    assert_eq!(recorded_writes(&estate), Vec::<String>::new());
    assert!(fs::read_dir(&estate.world.www).unwrap().next().is_none(), "nothing is published");
    // A flag is a person's word for what it says, and for nothing else.
    let flags = [&SETUP[..], &["--issuer", ISSUER]].concat();
    estate.run(&flags).fails(2, "settings-undecided", &["bucket.url"]);
    estate.google.resolve("oidc.lab.test", estate.world.web.addr());
    // The API servers' own flags are an administrator's word.
    estate.world.cluster.change_servers(|server| server.issuers = vec![ISSUER.into()]);
    estate.run(&SETUP).ends(0);
    assert!(estate.store_is_keyless());
}

/// One API server is not all of them.
#[test]
fn issuer_of_one_server_decides_nothing() {
    let estate = Estate::with_servers(2);
    estate.world.cluster.server(0).change(|server| server.issuers = vec![ISSUER.into()]);
    estate.unnamed_settings(&format!(
        "bucket: {{url: 'file://{}'}}\nissuer: {ISSUER}",
        estate.world.www.display()
    ));
    estate.run(&SETUP).fails(2, "settings-undecided", &["bucket.url", "issuer"]);
}

/// An object that a tenant may write and a list in the file make no administrator's decision.
#[test]
fn object_and_file_grant_nothing_new() {
    let estate = estate();
    estate.google.grant("secrets/root", "roles/secretmanager.viewer", "user:ops@example.com");
    estate.user(
        "shop",
        "root",
        &serde_json::json!({"data": [{"secretKey": "value", "remoteRef": {"key": "unreadable-root"}}]}),
    );
    estate.google.add_secret("unreadable-root", b"root");
    estate.unnamed_settings("store: {name: gcp, secrets: [db, unreadable-root]}");
    forget(&estate);
    estate.run(&SETUP).fails(2, "settings-undecided", &["ClusterSecretStore gcp may read unreadable-root"]);
    assert_eq!(recorded_writes(&estate), Vec::<String>::new());
    estate.run(&[&SETUP[..], &["--accept-new-secrets", "--dry-run"]].concat()).ends(1);
}

/// Who holds a staged key can sign as every workload; a shorter life of tokens takes former keys out early.
#[test]
fn unnamed_file_changes_no_key_set() {
    let estate = estate();
    let bucket = format!("file://{}", estate.world.www.display());
    for (settings, says) in [
        ("cluster: {publicKeys: [next.pub]}", "cluster.publicKeys"),
        ("cluster: {longestTokenSeconds: 600}", "cluster.longestTokenSeconds 600"),
        ("cluster: {ledger: shop/theirs}", "cluster.ledger shop/theirs"),
        ("cluster: {maxTokenSeconds: 3600}", "cluster.maxTokenSeconds 3600"),
    ] {
        estate.unnamed_settings(settings);
        forget(&estate);
        let flags = ["--bucket", &bucket, "--issuer", ISSUER];
        for command in [
            &["publish"][..],
            &["publish", "--out", "plan.json"],
            &["publish", "--watch"],
            &["keys", "add", "next.pub"],
            &["keys", "revoke", "--yes", "kid"],
        ] {
            let ran = estate.run(&[command, &flags].concat());
            ran.fails(2, "settings-undecided", &[says, "--config keyless.yaml"]);
        }
        assert!(estate.world.cluster.server(0).faults().requests().is_empty(), "{settings}");
        assert!(fs::read_dir(&estate.world.www).unwrap().next().is_none(), "{settings}");
    }
    // Longer ones keep former keys longer, which is no one's loss.
    estate.unnamed_settings("cluster: {longestTokenSeconds: 172800}");
    estate.run(&["publish", "--dry-run", "--bucket", &bucket, "--issuer", ISSUER]).ends(1);
}

/// Of several stores, each has its own ServiceAccount.
#[test]
fn unnamed_file_moves_no_store() {
    let estate = estate();
    estate.world.cluster.put_object(crate::estate::store("other", "gcp-key"));
    estate.unnamed_settings("store: {serviceAccount: shop/web}");
    let both = ["--store", "gcp", "--store", "other"];
    let says = ["store.serviceAccount shop/web of ClusterSecretStore gcp"];
    estate.run(&[&SETUP[..], &both].concat()).fails(2, "settings-undecided", &says);
    // Nor does it say whose former login comes back.
    estate.unnamed_settings("");
    estate.run(&[&SETUP[..], &["--store", "gcp"]].concat());
    assert!(estate.store_is_keyless());
    estate.unnamed_settings("store: {name: gcp}");
    forget(&estate);
    estate.run(&["setup", "--undo", "--yes"]).fails(2, "settings-undecided", &["store.name gcp"]);
    estate.run(&["teardown", "--yes"]).fails(2, "settings-undecided", &["store.name gcp"]);
    assert_eq!(recorded_writes(&estate), Vec::<String>::new());
}

/// The documents of another issuer may be another cluster's.
#[test]
fn unnamed_file_deletes_no_documents() {
    let estate = estate();
    let bucket = format!("file://{}", estate.world.www.display());
    let flags = ["--bucket", &bucket, "--issuer", ISSUER];
    estate.run(&[&["publish"][..], &flags].concat()).ends(0);
    let uid = estate.world.cluster_uid();
    estate
        .unnamed_settings(&format!("issuer: {ISSUER}\nbucket: {{url: '{bucket}'}}\ncluster: {{uid: {uid}}}"));
    let says = ["bucket.url file://", "issuer https://oidc.lab.test/prod"];
    estate.run(&["teardown", "--yes"]).fails(2, "settings-undecided", &says);
    assert!(fs::exists(estate.world.www.join("prod/openid/v1/jwks")).unwrap());
    estate.run(&["teardown", "--yes", "--config", "keyless.yaml"]).ends(0);
}

/// Whom a provider or the operator takes for a server.
#[test]
fn unnamed_file_names_no_authority() {
    for setting in ["caFile", "issuerCaFile"] {
        let estate = estate();
        estate.unnamed_settings(&format!("vault:\n  address: https://127.0.0.1:1\n  {setting}: ca.pem"));
        let ran = estate.run(&[&SETUP[..], &["--to", "google"]].concat());
        ran.fails(2, "settings-undecided", &[&format!("vault.{setting}")]);
    }
}

/// What the cluster says without the file is no decision of the file's.
#[test]
fn unnamed_file_agrees_with_cluster() {
    for settings in [
        "",
        "google: {project: acme-prod}",
        "provider: google\ngoogle: {project: acme-prod, provider: cluster, access: secrets, mode: uploaded}",
        "store: {name: gcp, secrets: [db]}",
        "store: {name: gcp, serviceAccount: external-secrets/keyless-gcp}",
    ] {
        let estate = estate();
        estate.unnamed_settings(settings);
        let planned = estate.run(&["setup", "--dry-run"]).ends(1);
        assert!(!planned.out.contains("set only by keyless.yaml"), "{settings}: {}", planned.out);
        estate.run(&SETUP).ends(0);
        assert!(estate.store_is_keyless(), "{settings}");
        // What setup wrote means the same.
        estate.run(&["setup", "--yes", "--retire-key", "--watch-for", "0s"]).ends(0);
        assert!(!estate.secret_is_there(), "{settings}");
    }
}

/// Environment variables are the user's word, as flags are.
#[test]
fn variable_decides_what_file_says() {
    let estate = estate();
    estate.unnamed_settings("google:\n  pool: keyless-own");
    let mut command = estate.command(&SETUP);
    let ran: Ran = command.env("KEYLESS_GOOGLE_POOL", "keyless-own").output().unwrap().into();
    ran.ends(0);
}

/// A person who is shown what it says has read it.
#[test]
fn person_at_terminal_decides() {
    for (answer, done) in [("n\n", false), ("yes\nyes\nyes\n", true)] {
        let estate = estate();
        estate.unnamed_settings("google: {pool: keyless-own}");
        let mut command = estate.command(&["setup", "-q", "--watch-for", "0s"]);
        let mut terminal = Terminal::of(&mut command);
        terminal.write_all(answer.as_bytes()).unwrap();
        let ran = Ran::of(&mut command);
        assert!(ran.out.contains("! google.pool keyless-own"), "{}", ran.out);
        assert_eq!(estate.store_is_keyless(), done, "{answer:?}: {}", ran.err);
    }
}

#[test]
fn unnamed_file_chooses_no_cluster() {
    let estate = estate();
    let text = fs::read_to_string(&estate.world.kubeconfig).unwrap();
    let second = "contexts:\n- name: other\n  context: {cluster: lab, user: none}\n";
    let text = text.replacen("contexts:\n", second, 1);
    let current = text.lines().map(|line| match line.starts_with("current-context:") {
        true => "current-context: other",
        false => line,
    });
    let text = current.collect::<Vec<_>>().join("\n");
    fs::write(&estate.world.kubeconfig, text).unwrap();
    estate.unnamed_settings("cluster: {context: admin}");
    forget(&estate);
    for command in [&SETUP[..], &["setup", "--out", "plan.json"]] {
        estate.run(command).fails(2, "settings-undecided", &["cluster.context admin"]);
    }
    assert_eq!(recorded_writes(&estate), Vec::<String>::new());
    estate.run(&[&SETUP[..], &["--context", "admin"]].concat()).ends(0);
    forget(&estate);
    estate.unnamed_settings("cluster: {context: admin}");
    for command in [&["setup", "--undo", "--yes"][..], &["teardown", "--yes"]] {
        estate.run(command).fails(2, "settings-undecided", &["cluster.context admin"]);
    }
    assert_eq!(recorded_writes(&estate), Vec::<String>::new());
}
