//! Azurite keeps conditions, headers and who may read. Of tokens it looks at the claims alone, and it takes no token for
//! access policies, so the container is made open here and `--create` is not used.

use reqwest::{Method, StatusCode};

use crate::azurite::HOST;
use crate::call::Call;
use crate::check::{Checked, While, check};
use crate::pki::Algorithm;
use crate::published;
use crate::world::World;

const CONTAINER: &str = "lab-issuer-azure";
/// Not what the cluster's tokens say: the state of every cluster before its issuer is changed.
const ISSUER: &str = "https://acmeoidc.blob.core.windows.net/lab-issuer-azure/cluster-a";

pub(crate) async fn play(world: &mut World) -> Checked {
    let world = &*world;
    world.azurite()?.create(&world.anyone, CONTAINER).await?;

    publish(world, &[])?.run().await?.exits(0)?;
    let [discovery, key_set] = published::documents(world, ISSUER).await?;
    let ca_file = world.ca_file().display().to_string();
    let verify = ["verify", "--public-only", "--issuer", ISSUER, "--ca-file", &ca_file];
    world.keyless(&verify)?.run().await?.exits(0)?;
    let before = [
        etag(world, &discovery, "application/json").await?,
        etag(world, &key_set, "application/jwk-set+json").await?,
    ];

    let again = publish(world, &[])?.run().await?.exits(0)?;
    again.prints_one_line("unchanged:")?;
    let etags = [
        etag(world, &discovery, "application/json").await?,
        etag(world, &key_set, "application/jwk-set+json").await?,
    ];
    check!(etags == before, "written again: {before:?}, now {etags:?}");

    // Overwriting needs the version that was read. The algorithm is there already, so only the key set changes.
    let key = world.pki.signing_key("azurite-from-a-file", Algorithm::Rs256)?;
    let file = key.public.display().to_string();
    publish(world, &["--public-key", &file])?.run().await?.exits(0)?;
    let after = etag(world, &key_set, "application/jwk-set+json").await?;
    check!(after != before[1], "the key of a file was not published");
    let after = etag(world, &discovery, "application/json").await?;
    check!(after == before[0], "the discovery document was written although nothing in it changed");

    // What the program relies on: a false condition writes nothing.
    let body = world.public(&key_set).await?;
    for (header, value, wanted, code) in [
        ("if-none-match", "*", StatusCode::CONFLICT, "BlobAlreadyExists"),
        ("if-match", "\"0x1\"", StatusCode::PRECONDITION_FAILED, "ConditionNotMet"),
    ] {
        let request = world.azurite()?.request(&world.anyone, Method::PUT, &key_set).await?;
        let request = request.header("x-ms-blob-type", "BlockBlob").header(header, value).body("{}");
        let answer = request.send().await.during(&key_set)?;
        let seen =
            answer.headers().get("x-ms-error-code").and_then(|code| code.to_str().ok()).map(str::to_owned);
        check!(answer.status() == wanted, "{header}: {value}: {}", answer.status());
        check!(seen.as_deref() == Some(code), "{header}: {value}: {seen:?}");
    }
    let unchanged = world.public(&key_set).await?;
    check!(unchanged == body, "a write with a false condition changed {key_set}");

    // Everyone may read, and not list or write.
    let list = format!("https://{HOST}/{CONTAINER}?restype=container&comp=list");
    let status = world.anyone.get(&list).send().await.during(&list)?.status();
    check!(status.is_client_error(), "everyone may list: {status}");
    let status = world.anyone.put(&key_set).body("{}").send().await.during(&key_set)?.status();
    check!(status.is_client_error(), "everyone may write: {status}");
    Ok(())
}

fn publish(world: &World, more: &[&str]) -> Checked<Call> {
    let ca_file = world.ca_file().display().to_string();
    let bucket = format!("az://acmeoidc/{CONTAINER}/cluster-a");
    let mut arguments = vec!["publish", "--bucket", &bucket, "--ca-file", &ca_file];
    arguments.extend(more);
    let login = world.azurite()?.login();
    Ok(login.into_iter().fold(world.keyless(&arguments)?, |call, (name, value)| call.with(name, value)))
}

/// The version of a blob; also checks the headers that belong to it.
async fn etag(world: &World, url: &str, content_type: &str) -> Checked<String> {
    let answer = world.anyone.get(url).send().await.during(url)?;
    let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let cache = header("cache-control");
    check!(cache == Some("public, max-age=300"), "{url}: Cache-Control {cache:?}");
    check!(header("content-type") == Some(content_type), "{url}: Content-Type {:?}", header("content-type"));
    Ok(header("etag").unwrap_or_default().to_owned())
}
