//! `cargo run -p lab`: the whole way from one stored key to none, done by the very binary on far sides that
//! need no account. Shows each command with its output; fails if a check fails.
//!
//! ```text
//!  main       the story, act by act
//!  shell      runs the binary, shows what it says, checks how it ends
//!  world      the far sides, and what their owners do to them
//!  estate     what lies in the cluster
//!  operator   External Secrets Operator: really logs in, really reads
//!  readme     README's session is an extract of what is shown
//! ```

mod estate;
mod operator;
mod readme;
mod shell;
mod world;

use std::collections::BTreeSet;
use std::fs;
use std::process::ExitCode;
use std::time::Instant;

use lab::{Curve, SigningKey};

use crate::shell::{Shown, build, expect};
use crate::world::World;

fn main() -> ExitCode {
    match demo() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThe demo ends here: {error}");
            ExitCode::FAILURE
        }
    }
}

fn demo() -> Shown {
    let program = build()?;
    let begin = Instant::now();
    let world = World::start(program)?;
    one_stored_key(&world)?;
    none(&world)?;
    another_signing_key(&world)?;
    another_provider(&world)?;
    teardown(&world)?;
    readme::check(&world.shell.shown())?;
    drop(world);
    println!("\nThat took {} s. Everything is stopped and removed.", begin.elapsed().as_secs());
    Ok(())
}

fn one_stored_key(world: &World) -> Shown {
    world.application_sees("one")?;
    world.shell.say(
        "A k3s cluster with two API servers, nothing of it public. External Secrets Operator reads the secret db\n\
         from Google for an application in the namespace shop, with a key that lies in the cluster.\n\
         (All but keyless are stand-ins inside this process; the operator's really logs in and really reads.\n\
         ✓ marks what the demo looked at by itself. It fails if a check fails.)",
    );
    let output = world.shell.keyless("audit", 1)?;
    let counted = output.lines().any(|line| line.starts_with("1 LONG-LIVED credential"));
    expect(counted, "one credential is counted")
}

fn none(world: &World) -> Shown {
    let shell = &world.shell;
    shell.say(
        "One setting is needed: where the public documents go. The first run does all that disturbs no user, and\n\
         prints what only the API servers' administrator can do:",
    );
    let bucket = "--bucket s3://acme-oidc --endpoint https://s3.example.com --ca-file ca.pem";
    let output = shell.keyless(&format!("setup {bucket} --yes"), 1)?;
    expect(output.contains("service-account-issuer="), "the flag of the API servers is shown")?;
    world.change_at_google("two");
    world.application_sees("two")?;
    let as_before = estate::logs_in_with_a_key(&world.cluster) && world.keys_at_google() == 1;
    expect(as_before, "store and key are as they were")?;
    shell.seen("until then, the operator logs in with the stored key, and reads a new value with it");

    world.sign_as_the_bucket();
    shell.say(
        "The administrator has done it, one API server after the other. The second run goes on from there:",
    );
    shell.keyless("setup --yes --retire-key --watch-for 3s", 0)?;
    expect(world.keys_at_google() == 0, "Google has no key of the service account")?;
    shell.seen("Google has no key of the service account any more");
    world.change_at_google("three");
    world.application_sees("three")?;
    shell.seen("a new value at Google reaches the application, through the same ExternalSecret");
    shell.say("What is left:");
    let output = shell.keyless("audit", 0)?;
    expect(output.lines().any(|line| line.starts_with("ZERO")), "no credential is counted")
}

fn another_signing_key(world: &World) -> Shown {
    let successor = SigningKey::ec(Curve::P256);
    fs::write(world.folder().join("new.pub"), successor.public_pem())?;
    world
        .shell
        .say("The API servers are to get a new signing key. First its public half, new.pub, is published:");
    let output = world.shell.keyless("publish --public-key new.pub", 0)?;
    expect(output.contains(&successor.kid()), "the new key is published")?;
    world.sign_with(&successor);
    world.shell.say("The documents' cache time is over (the lab does not wait), and they sign with it:");
    let output = world.shell.keyless("verify", 0)?;
    expect(output.contains("ExternalSecret shop/db"), "the last check is run")?;
    world.change_at_google("four");
    world.application_sees("four")?;
    world.shell.seen("the operator logs in with tokens that the new key signs, and reads a new value");
    Ok(())
}

fn another_provider(world: &World) -> Shown {
    let shell = &world.shell;
    let before = estate::objects(&world.cluster);
    shell.say("OpenBao holds the same secret. One object names the provider, so one object changes:");
    shell.append("keyless.yaml", "vault:\n  address: https://bao.example.com\n")?;
    shell.keyless("setup --yes --to vault --config keyless.yaml", 0)?;
    let after = estate::objects(&world.cluster);
    let names = before.keys().chain(after.keys());
    let changed: BTreeSet<_> = names.filter(|name| before.get(*name) != after.get(*name)).collect();
    let only_the_store = changed.iter().eq(["ClusterSecretStore app-secrets"].iter());
    expect(only_the_store, &format!("one object is changed, the store: {changed:?}"))?;
    let metadata = &after["ExternalSecret shop/db"]["metadata"];
    let (uid, generation) = (metadata["uid"].as_str().unwrap_or_default(), &metadata["generation"]);
    shell.seen("one object in the cluster is changed, ClusterSecretStore app-secrets");
    shell.seen(&format!("ExternalSecret shop/db is not: still uid {uid}, generation {generation}"));
    world.application_sees("from OpenBao")?;
    world.change_in_openbao("five");
    world.application_sees("five")?;
    shell.seen("the application has OpenBao's value, and gets a new one when it changes there");
    Ok(())
}

fn teardown(world: &World) -> Shown {
    // Pool, provider and grant; login and policy; identity, Role and RoleBinding; bucket.
    let made = world.made();
    expect(made.len() == 9, &format!("everything that is to go was there: {made:?}"))?;
    world.shell.say("Everything that keyless made goes away again, trust first:");
    world.shell.keyless("teardown --yes", 0)?;
    let left = world.made();
    expect(left.is_empty(), &format!("nothing is left: {left:?}"))?;
    world.shell.seen("nothing of it is left at Google, in OpenBao, in the cluster, in the bucket store");
    Ok(())
}
