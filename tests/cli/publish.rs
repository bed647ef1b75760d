//! The main job: from the API servers to documents that relying parties accept.

use std::{fs, os::unix::fs::PermissionsExt};

use lab::{Curve, SigningKey};

use crate::{
    long::long_or,
    world::{ISSUER, World},
};

#[test]
fn publishes_writes_nothing_twice_and_verifies() {
    let world = World::new(2);
    let ran = world.keyless("publish", &[]).ends(0);
    assert!(ran.out.contains(&world.key.kid()) && ran.out.contains("served by 2 of 2"), "{}", ran.out);
    let before = fs::metadata(world.jwks()).unwrap().modified().unwrap();

    let ran = world.keyless("publish", &[]).ends(0);
    assert_eq!(ran.out, format!("unchanged: 1 key at {ISSUER} (2 API servers)\n"));
    assert_eq!(ran.err, format!("{}\n", world.target()));
    assert_eq!(fs::metadata(world.jwks()).unwrap().modified().unwrap(), before);

    let ran = world.keyless("verify", &[]).ends(0).snapshot("verify-passed");
    assert!(ran.out.ends_with(" passed, 0 failed\n"), "{}", ran.out);
}

#[test]
fn dry_run_shows_keys_writes_nothing() {
    let world = World::new(1);
    let ran = world.keyless("publish", &["--dry-run"]).ends(1).snapshot("plan-publish");
    assert!(ran.out.contains(&format!("+ {}", world.key.kid())), "{}", ran.out);
    assert!(!world.jwks().exists());
    world.keyless("publish", &[]).ends(0).snapshot("publish-done");
    world
        .keyless("publish", &["--dry-run"])
        .ends(0)
        .says("unchanged: 1 key")
        .snapshot("plan-publish-no-changes");
}

#[test]
fn second_key_on_server_is_added() {
    let world = World::new(2);
    world.keyless("publish", &[]).ends(0);
    let new = SigningKey::ec(Curve::P384);
    world.cluster.server(1).change(|server| {
        server.key_files.push((&new).into());
        server.signing_key = new.clone();
    });
    world
        .keyless("verify", &[])
        .ends(1)
        .says("is live but not published")
        .snapshot("verify-key-not-published");
    let ran = world.keyless("publish", &[]).ends(0).says("published: 2 keys");
    assert!(ran.err.contains("warning[servers-differ]"), "{}", ran.err);
    let mut published = world.published();
    published.sort();
    let mut wanted = [world.key.kid(), new.kid()];
    wanted.sort();
    assert_eq!(published, wanted);
    // The tokens of both verify; until the first server knows the key as well, it refuses those of the second.
    let ran = world.keyless("verify", &[]).ends(1).says("1 failed").says("[servers-agree]");
    assert_eq!(ran.out.matches("ok    signature by").count(), 2, "{}", ran.out);
    world.cluster.server(0).change(|server| server.key_files.push((&new).into()));
    world.keyless("verify", &[]).ends(0);
}

#[test]
fn unread_key_is_warned_before_writing() {
    for (key, who) in
        [(SigningKey::ec(Curve::P521), "without ES512"), (SigningKey::ec(Curve::P384), "Google refuses")]
    {
        let world = World::new(1);
        world.cluster.change_servers(|server| server.key_files.push((&key).into()));
        for arguments in [&["--dry-run"][..], &[]] {
            let ran = world.keyless("publish", arguments);
            let warning =
                ran.err.lines().find(|line| line.starts_with("warning[key-not-read-by-all]: ")).unwrap();
            assert!(warning.contains(&key.kid()) && warning.contains(who), "{warning}");
        }
        let again = world.keyless("publish", &[]).ends(0);
        assert!(
            !again.err.contains("key-not-read-by-all"),
            "reported before, and not each time: {}",
            again.err
        );
    }
    let world = World::new(1);
    let ran = world.keyless("publish", &[]).ends(0);
    assert!(!ran.err.contains("key-not-read-by-all"), "{}", ran.err);
}

#[test]
fn keys_of_every_algorithm_verify() {
    for key in [SigningKey::ec(Curve::P256), SigningKey::ec(Curve::P521), SigningKey::rsa(4096)] {
        let world = World::new(1);
        world.cluster.change_servers(|server| {
            server.key_files = vec![(&key).into()];
            server.signing_key = key.clone();
        });
        world.keyless("publish", &[]).ends(0);
        world.keyless("verify", &[]).ends(0).says(key.alg());
    }
}

#[test]
fn key_no_longer_live_stays_published() {
    let world = World::new(1);
    let new = SigningKey::rsa(2048);
    world.keyless("publish", &[]).ends(0);
    world.cluster.change_servers(|server| server.key_files.push((&new).into()));
    world.keyless("publish", &[]).ends(0);
    world.cluster.change_servers(|server| {
        server.key_files = vec![(&new).into()];
        server.signing_key = new.clone();
    });
    let ran = world.keyless("publish", &["-o", "json"]).ends(0).json();
    let old =
        ran["keys"].as_array().unwrap().iter().find(|key| key["kid"] == world.key.kid().as_str()).unwrap();
    assert_eq!((old["status"].as_str(), old["servedBy"].as_u64()), (Some("not-served"), Some(0)));
    assert_eq!(ran["changed"], false);
    // It looks like a foreign one, so nothing else is claimed.
    let ran = world
        .keyless("publish", &[])
        .ends(0)
        .says("warning[key-not-served]")
        .snapshot("publish-key-not-served");
    assert!(ran.err.contains(&world.key.kid()) && !ran.err.contains("retained"), "{}", ran.err);
}

#[test]
fn key_files_publish_without_a_cluster() {
    let world = World::new(1);
    let pem = world.dir.path().join("sa.pub");
    fs::write(&pem, world.key.public_pem()).unwrap();
    let args = ["--no-cluster", "--public-key", "sa.pub"];
    world
        .keyless("publish", &args)
        .ends(0)
        .says("staged")
        .says("files only")
        .snapshot("publish-without-cluster");
    world.keyless("verify", &["--public-only"]).ends(0);
    // Then the cluster comes, with that key.
    world.keyless("publish", &[]).ends(0).says("unchanged: 1 key");
    world.keyless("verify", &[]).ends(0);
    // A private key file gives its public half, and nothing of it is shown.
    fs::write(&pem, SigningKey::rsa(2048).private_pem()).unwrap();
    let ran = world.keyless("publish", &[&args[..], &["-vv"]].concat()).ends(0);
    assert!(!ran.err.contains("PRIVATE") && !world.published().is_empty());
    let body = fs::read_to_string(world.jwks()).unwrap();
    assert!(!body.contains(r#""d":"#) && !body.contains(r#""p":"#));
}

#[test]
fn issuer_not_signed_yet_is_published() {
    let world = World::signing_as(1, "https://kubernetes.default.svc.cluster.local");
    world
        .keyless("publish", &[])
        .ends(0)
        .says("warning[issuer-not-signed]")
        .snapshot("publish-issuer-not-signed");
    world.keyless("verify", &[]).ends(1).says("first --service-account-issuer is another one");
    world.cluster.change_servers(|server| server.issuers.insert(0, ISSUER.into()));
    world.keyless("verify", &[]).ends(0);
}

#[test]
fn settings_file_applies_and_flags_win() {
    let world = World::new(1);
    let file = format!(
        "apiVersion: keyless/v1\nissuer: {ISSUER}\nbucket:\n  url: file://{}\ntls:\n  caFile: ca.pem\n",
        world.www.display()
    );
    fs::write(world.dir.path().join("keyless.yaml"), file).unwrap();
    world.run(&["publish"]).ends(0).says("published: 1 key");
    world.run(&["verify"]).ends(0);
    world.run(&["verify", "--issuer", "https://oidc.lab.test/other", "--public-only"]).ends(1);
}

#[test]
fn issuer_of_other_cluster_is_refused() {
    let world = World::new(1);
    world.keyless("publish", &[]).ends(0);
    let before = fs::read(world.jwks()).unwrap();
    let other = SigningKey::rsa(2048);
    world.cluster.change_servers(|server| {
        server.key_files = vec![(&other).into()];
        server.signing_key = other.clone();
    });
    world
        .keyless("publish", &[])
        .fails(3, "issuer-of-another-cluster", &[&other.kid(), &world.key.kid()])
        .snapshot("error-issuer-of-another-cluster");
    assert_eq!(fs::read(world.jwks()).unwrap(), before);
    world.keyless("publish", &["--same-cluster", "--yes"]).ends(0).says("published: 2 keys");
}

#[test]
fn unwritable_folder_is_a_clear_error() {
    let world = World::new(1);
    // A file where the folder should be: permissions do not stop root, this does.
    world.put(&world.www.join("prod"), "x");
    let ran = world.keyless("publish", &[]).ends(3);
    assert!(ran.err.contains("error[bucket-") && ran.err.contains("hint: "), "{}", ran.err);
    fs::set_permissions(world.www.join("prod"), fs::Permissions::from_mode(0o644)).unwrap();
}

/// In no round a key is lost, whichever publisher is first.
#[test]
fn concurrent_publishers_lose_no_key() {
    let world = World::new(1);
    let rounds = long_or(1000, 60);
    let keys: Vec<_> = (0..90).map(|_| SigningKey::ec(Curve::P256)).collect();
    for (index, key) in keys.iter().enumerate() {
        fs::write(world.dir.path().join(format!("{index}.pub")), key.public_pem()).unwrap();
    }
    // Each round two publishers add a key each to the same set, at the same time. When the set is nearly
    // full it starts again.
    let mut wanted: Vec<String> = Vec::new();
    for round in 0..rounds {
        let pair = [(2 * round) % keys.len(), (2 * round + 1) % keys.len()];
        if pair[0] == 0 {
            drop(fs::remove_dir_all(world.www.join("prod")));
            wanted.clear();
        }
        let children = pair.map(|index| {
            let file = format!("{index}.pub");
            world.spawn("publish", &["--no-cluster", "--public-key", &file])
        });
        for child in children {
            let ran: crate::world::Ran = child.wait_with_output().unwrap().into();
            ran.ends(0);
        }
        wanted.extend(pair.map(|index| keys[index].kid()));
        let mut published = world.published();
        published.sort();
        wanted.sort();
        assert_eq!(published, wanted, "round {round}");
    }
}
