//! The far side keeps conditions, generations and headers. It has no IAM: every object is public
//! and the bucket's policy cannot be set, so the bucket is made here and `--create` is not used.

use crate::call::Call;
use crate::check::{Checked, While, check};
use crate::pki::Algorithm;
use crate::published;
use crate::world::World;

const BUCKET: &str = "lab-issuer-gcs";
/// Not what the cluster's tokens say: the state of every cluster before its issuer is changed.
const ISSUER: &str = "https://storage.googleapis.com/lab-issuer-gcs/cluster-a";

pub(crate) async fn play(world: &mut World) -> Checked {
    let world = &*world;
    world.gcs()?.create(&world.anyone, BUCKET).await?;

    publish(world, &[])?.run().await?.exits(0)?;
    let [discovery, key_set] = published::documents(world, ISSUER).await?;
    let [discovery_before, key_set_before] =
        [generation(world, &discovery).await?, generation(world, &key_set).await?];

    let again = publish(world, &[])?.run().await?.exits(0)?;
    again.prints_one_line("unchanged:")?;
    let generations = [generation(world, &discovery).await?, generation(world, &key_set).await?];
    let before = [&discovery_before, &key_set_before];
    check!(generations.each_ref() == before, "written again: generations {before:?}, now {generations:?}");

    // Overwriting needs the generation that was read. The algorithm is there already, so only the
    // key set changes.
    let key = world.pki.signing_key("from-a-file", Algorithm::Rs256)?;
    let file = key.public.display().to_string();
    publish(world, &["--public-key", &file])?.run().await?.exits(0)?;
    let after = generation(world, &key_set).await?;
    check!(after != key_set_before, "the key of a file was not published");
    let after = generation(world, &discovery).await?;
    check!(after == discovery_before, "the discovery document was written although nothing in it changed");
    Ok(())
}

fn publish(world: &World, more: &[&str]) -> Checked<Call> {
    let ca_file = world.ca_file().display().to_string();
    let mut arguments = vec!["publish", "--bucket", "gs://lab-issuer-gcs/cluster-a", "--ca-file", &ca_file];
    arguments.extend(more);
    Ok(world.keyless(&arguments)?.with("GOOGLE_OAUTH_ACCESS_TOKEN", "anything"))
}

/// Google's number for this version of an object; also checks the headers that belong to it.
async fn generation(world: &World, url: &str) -> Checked<String> {
    let answer = world.anyone.get(url).send().await.during(url)?;
    let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let cache = header("cache-control");
    check!(cache == Some("public, max-age=300"), "{url}: Cache-Control {cache:?}");
    Ok(header("x-goog-generation").unwrap_or_default().to_owned())
}
