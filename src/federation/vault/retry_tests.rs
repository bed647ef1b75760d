//! What is asked again of Vault, and when.

use std::time::{Duration, Instant};

use lab::Fault;

use super::{way::World, *};
use crate::error::Code;

/// What the server asks for, far beyond the pauses of its own.
const ASKED: Duration = Duration::from_secs(1);

fn count(world: &World, method: &str, path: &str) -> usize {
    let calls = world.server.faults().requests();
    calls.iter().filter(|call| call.method == method && call.path.ends_with(path)).count()
}

fn vault(world: &World) -> Vault {
    let mut vault = world.vault(Mode::StaticKeys, |_| ());
    vault.api.backoff.deadline = Duration::from_secs(60);
    vault
}

#[tokio::test]
async fn retry_after_of_vault_is_honoured() {
    let world = World::new();
    world.server.faults().next(1, "GET", "/v1/sys/auth", Fault::later(503, "1"));
    let begun = Instant::now();
    vault(&world).plan(&world.trust()).await.unwrap();
    assert!(begun.elapsed() >= ASKED, "{:?}", begun.elapsed());
    assert_eq!(count(&world, "GET", "/v1/sys/auth"), 2);
}

#[tokio::test]
async fn interrupted_write_to_vault_is_repeated() {
    let world = World::new();
    let vault = world.vault(Mode::StaticKeys, |_| ());
    let mount = Step::Mount { description: "managed by keyless for https://a.example".into() };
    world.server.faults().next(1, "POST", "/v1/sys/auth/", Fault::CloseAfterEffect);
    let mut reply = Vec::new();
    vault.act(mount).run(&mut |text: &str| reply.push(text.to_owned())).await.unwrap();
    assert!(reply.len() == 1 && reply[0].contains("trying again in 0.0 s"), "{reply:?}");
}

#[tokio::test]
async fn refusal_of_vault_is_final() {
    let world = World::new();
    world.server.faults().always("GET", "/v1/sys/auth", Fault::later(400, "0"));
    let error = vault(&world).plan(&world.trust()).await.unwrap_err();
    assert_eq!((error.code, count(&world, "GET", "/v1/sys/auth")), (Code::VaultRefused, 1), "{error}");
}
