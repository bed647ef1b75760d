//! Worlds without a provider: the cluster's keys and their documents, and commands that ask no cluster.

use std::{fs, rc::Rc};

use lab::SigningKey;
use serde_json::json;

use super::Stage;
use crate::{
    ledger,
    world::{ISSUER, World},
};

/// No command asks a cluster here.
pub(super) fn none() -> Stage {
    let world = Rc::new(World::new(1));
    fs::remove_file(&world.kubeconfig).unwrap();
    let stage = Stage::world(&world).file("sa.pub", world.key.public_pem());
    fs::create_dir_all(stage.folder.join(".config/fish/completions")).unwrap();
    fs::create_dir_all(stage.folder.join("zsh")).unwrap();
    stage
}

/// A cluster that keeps a ledger, and settings that name where its documents are.
fn kept() -> Rc<World> {
    let world = ledger::world(1);
    let text =
        format!("apiVersion: keyless/v1\nissuer: {ISSUER}\nbucket:\n  url: file://{}\n", world.www.display());
    fs::write(world.dir.path().join("keyless.yaml"), text).unwrap();
    Rc::new(world)
}

pub(super) fn documents(published: bool) -> Stage {
    let world = kept();
    if published {
        world.keyless("publish", &[]).ends(0);
    }
    Stage::world(&world)
}

/// Two clusters under the names of two contexts, without anything long-lived.
pub(super) fn two() -> Stage {
    let (prod, test) = (Rc::new(World::with_operator()), Rc::new(World::with_operator()));
    crate::audit_fleet::know(&[("prod", &prod), ("test", &test)]);
    Stage::of(&prod.command(&[]), (prod.clone(), test))
}

/// Results that were kept.
pub(super) fn results() -> Stage {
    let fixture = |name: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/audit-results");
        fs::read_to_string(format!("{folder}/{name}")).unwrap()
    };
    let world = Rc::new(World::new(1));
    let stage = Stage::world(&world);
    stage.file("monday.json", fixture("good-found.json")).file("tuesday.json", fixture("good-zero.json"))
}

/// The public half of the next key lies in a file.
pub(super) fn staged() -> Stage {
    let world = kept();
    world.keyless("publish", &[]).ends(0);
    Stage::world(&world).file("new.pub", SigningKey::rsa(2048).public_pem())
}

/// The next key is public and at every API server, for so long that it may sign.
pub(super) fn served() -> Stage {
    let world = kept();
    next(&world);
    Stage::world(&world)
}

fn next(world: &World) -> SigningKey {
    world.keyless("publish", &[]).ends(0);
    let next = SigningKey::rsa(2048);
    fs::write(world.dir.path().join("new.pub"), next.public_pem()).unwrap();
    crate::keys::of_keys(world, &["add", "new.pub"]).ends(0);
    world.cluster.change_servers(|server| server.key_files.push((&next).into()));
    ledger::age(world, 400);
    next
}

/// The next key signs, and the last token of the former one has expired.
pub(super) fn rotated() -> Stage {
    let world = kept();
    let next = next(&world);
    world.cluster.change_servers(|server| server.signing_key = next.clone());
    world.keyless("publish", &[]).ends(0);
    ledger::age(&world, 2 * ledger::DAY);
    Stage::world(&world)
}

/// No API server has the former key any more.
pub(super) fn leaked() -> Stage {
    let world = kept();
    world.keyless("publish", &[]).ends(0);
    ledger::rotate(&world, &SigningKey::rsa(2048));
    world.keyless("publish", &[]).ends(0);
    Stage::world(&world).named("{kid}", world.key.kid())
}

/// The former key is gone from the bucket, and its tokens still live.
pub(super) fn lost() -> Stage {
    let world = kept();
    world.keyless("publish", &[]).ends(0);
    let former = fs::read(world.jwks()).unwrap();
    ledger::rotate(&world, &SigningKey::rsa(2048));
    world.keyless("publish", &[]).ends(0);
    let mut set: serde_json::Value = serde_json::from_slice(&fs::read(world.jwks()).unwrap()).unwrap();
    let kid = world.key.kid();
    assert!(String::from_utf8(former).unwrap().contains(&kid));
    set["keys"].as_array_mut().unwrap().retain(|key| key["kid"] != json!(kid));
    fs::write(world.jwks(), set.to_string()).unwrap();
    Stage::world(&world).file("old.pub", world.key.public_pem())
}

/// A key is public that neither an API server nor a file ever had.
pub(super) fn unknown() -> Stage {
    let world = kept();
    world.keyless("publish", &[]).ends(0);
    ledger::add_to_bucket(&world, &SigningKey::rsa(2048));
    world.keyless("publish", &[]).ends(1);
    Stage::world(&world)
}

/// The published set was emptied.
pub(super) fn damaged() -> Stage {
    let world = kept();
    world.keyless("publish", &[]).ends(0);
    fs::write(world.jwks(), r#"{"keys":[]}"#).unwrap();
    Stage::world(&world)
}
