//! Rotations of the signing key while workloads log in, with the publisher of `deploy/deployment`: its process is started by the story,
//! with the token that its pod would have.

use std::path::PathBuf;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::rbac::{self, PROBE};
use super::relying_parties_accept::introduce;
use crate::check::{Checked, While, check, until};
use crate::eso::{self, account, external_secret, namespace, store};
use crate::pki::{Algorithm, SigningKey};
use crate::process::Process;
use crate::tokens::kid;
use crate::witness::Witness;
use crate::world::{ACCOUNT, ISSUER, S3_FLAGS, SUBJECT, World};

const PUBLISHER: &str = "keyless-system/keyless";
/// The time between two looks of the publisher.
const POLL: Duration = Duration::from_secs(2);
/// What a look and a write may take beside it.
const BESIDE: Duration = Duration::from_secs(2);
const METRICS: &str = "127.0.0.1:9102";
const HERE: &str = "rotation";
const READER: &str = "system:serviceaccount:external-secrets:reader-of-rotation";

/// The first server signs with a key that nothing knows. Its tokens are refused until the publisher has looked once.
pub(crate) async fn careless(world: &mut World) -> Checked {
    let _publisher = begin(world).await?;
    world.openbao()?.trust(&world.anyone, ISSUER, &world.pki.ca_pem, SUBJECT).await?;
    let witness = Witness::start(world, None)?;
    let key = world.pki.signing_key("careless", Algorithm::Rs256)?;
    for server in [0, 1] {
        let (added, signing) = (key.clone(), key.clone());
        world
            .restart(server, |settings| {
                settings.keys.push(added);
                settings.signing_key = signing;
            })
            .await?;
    }
    let new = kid(&world.servers()?[1].token(ACCOUNT, &["any"]).await?)?;
    sleep(POLL + BESIDE).await;
    let seen = witness.seen();
    let by_new: Vec<_> = seen.iter().filter(|one| one.kid == new).collect();
    let [Some(first), Some(last)] = [by_new.first(), by_new.last()] else {
        check!(false, "no token of the new key was seen among {}", seen.len());
        return Ok(());
    };
    check!(last.refusals.is_empty(), "the last login is refused: {last:?}");
    let refused = by_new.iter().rfind(|one| !one.refusals.is_empty());
    let lasted = refused.map_or(Duration::ZERO, |one| one.at - first.at);
    check!(lasted <= POLL + BESIDE, "tokens of the new key were refused for {lasted:?}");
    let by_old = seen.iter().find(|one| one.kid != new && !one.refusals.is_empty());
    check!(by_old.is_none(), "a token of the former key was refused: {by_old:?}");
    println!(
        "{:26}refusals lasted {:.1} s, the poll is {} s",
        "careless-rotation",
        lasted.as_secs_f64(),
        POLL.as_secs()
    );
    Ok(())
}

/// As docs/rotation.md has it: nothing is refused.
pub(crate) async fn staged(world: &mut World) -> Checked {
    let publisher = begin(world).await?;
    introduce(world).await?;
    let objects = operator_reads(world).await?;
    let key = world.pki.signing_key("staged", Algorithm::Rs256)?;
    let witness = Witness::start(world, Some((HERE, HERE)))?;

    let public = key.public.display().to_string();
    keys(world, &["add", &public])?.run().await?.exits(0)?;
    for server in [0, 1] {
        let added = key.clone();
        world.restart(server, |settings| settings.keys.push(added)).await.during("serving the new key")?;
    }
    // As long as the documents may be kept by a cache: five minutes.
    keys(world, &["wait", "--timeout", "7m"])?.run_within(Duration::from_secs(440)).await?.exits(0)?;
    for server in [0, 1] {
        let signing = key.clone();
        world
            .restart(server, |settings| settings.signing_key = signing)
            .await
            .during("signing with the new key")?;
    }
    let new = kid(&world.servers()?[0].token(ACCOUNT, &["any"]).await?)?;
    check!(is_of(world, &new, &key).await?, "server-1 signs with {new}, not with the new key");
    world.openbao()?.put_secret(&world.anyone, HERE, HERE, "after").await?;
    world.synced(HERE, HERE, "after").await?;
    sleep(Duration::from_secs(5)).await;
    witness.none_refused(&new, 20)?;
    println!("{:26}{} logins, 0 refused", "staged-rotation", witness.seen().len());
    drop((witness, publisher));
    world.delete(&objects).await?;
    world.openbao()?.forget(&world.anyone, HERE).await
}

/// Whether every API server serves the key of this `kid`, which only the new files hold.
async fn is_of(world: &World, new: &str, key: &SigningKey) -> Checked<bool> {
    for server in world.servers()? {
        if !server.kids().await?.iter().any(|kid| kid == new)
            || server.settings.keys.last().map(|last| &last.public) != Some(&key.public)
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Publishes, and starts the publisher of `deploy/deployment`.
async fn begin(world: &World) -> Checked<Process> {
    // The ledger first: it notes with which cache time the documents are served from their first day on.
    rbac::install_deployment(world).await?;
    world.published().await?;
    // One that its pod would have.
    let token = world.servers()?[1].token_for(PUBLISHER, &[], Duration::from_secs(3600)).await?;
    let (settings, kubeconfig) = rbac::files_of(world, &token).await?;
    let ca_file = world.ca_file();
    let mut arguments: Vec<String> = ["publish", "--watch"].map(str::to_owned).into();
    arguments.extend(S3_FLAGS.map(str::to_owned));
    let poll = format!("{}s", POLL.as_secs());
    let more = [
        ("--config", settings.display().to_string()),
        ("--ca-file", ca_file.display().to_string()),
        ("--service-account", PROBE.to_owned()),
        ("--poll", poll),
        ("--metrics-address", METRICS.to_owned()),
        ("--lease", "keyless-system/keyless-publisher".to_owned()),
    ];
    arguments.extend(more.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]));
    let credentials = world.credentials().map(|(name, value)| (name, PathBuf::from(value)));
    let mut environment: Vec<_> = credentials.iter().map(|(name, value)| (*name, value.as_path())).collect();
    environment.push(("KUBECONFIG", &kubeconfig));
    let program = world.keyless_program()?;
    let mut publisher = Process::start_with("publisher", &program, arguments, environment, &world.folder)?;
    until("the publisher to be ready", Duration::from_secs(60), async || {
        publisher.running()?;
        let answer = world.anyone.get(format!("http://{METRICS}/readyz")).send().await?;
        check!(answer.status().is_success(), "{}", answer.status());
        Ok(())
    })
    .await?;
    Ok(publisher)
}

/// `keyless keys …` as the administrator.
fn keys(world: &World, more: &[&str]) -> Checked<crate::call::Call> {
    let ca_file = world.ca_file().display().to_string();
    let mut arguments = vec!["keys"];
    arguments.extend(more);
    arguments.extend(S3_FLAGS);
    arguments.extend(["--ca-file", &ca_file]);
    world.keyless(&arguments)
}

/// A store by OpenBao, and an ExternalSecret that is refreshed every two seconds by it.
async fn operator_reads(world: &World) -> Checked<Vec<Value>> {
    let openbao = world.openbao()?;
    openbao.trust_for_secrets(&world.anyone, HERE, ISSUER, &world.pki.ca_pem, READER).await?;
    openbao.put_secret(&world.anyone, HERE, HERE, "before").await?;
    let provider = json!({"vault": {
        "server": "https://bao.lab.test:8200",
        "path": HERE,
        "version": "v2",
        "caBundle": BASE64_STANDARD.encode(&world.pki.ca_pem),
        "auth": {"jwt": {
            "path": HERE,
            "role": HERE,
            "kubernetesServiceAccountToken": {
                "serviceAccountRef": {"name": "reader-of-rotation", "namespace": eso::NAMESPACE},
                "audiences": ["vault"],
            },
        }},
    }});
    let objects = vec![
        namespace(HERE),
        account(eso::NAMESPACE, "reader-of-rotation"),
        store(HERE, &provider),
        external_secret(HERE, HERE, HERE, HERE),
    ];
    world.apply(&objects).await?;
    world.synced(HERE, HERE, "before").await?;
    Ok(objects.into_iter().rev().filter(|object| object["kind"] != "Namespace").collect())
}
