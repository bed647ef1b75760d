use std::collections::BTreeSet;

use reqwest::{Response, StatusCode};
use serde_json::Value;

use crate::check::{Checked, While, check};
use crate::world::{BUCKET, ISSUER, PREFIX, World};

pub(crate) async fn play(world: &mut World) -> Checked {
    let world = &*world;
    let [discovery, key_set] =
        [format!("{ISSUER}/.well-known/openid-configuration"), format!("{ISSUER}/openid/v1/jwks")];

    world.publish(&["--create", "--dry-run"])?.run().await?.exits(1).during("a dry run before")?;
    let status = get(world, &discovery).await?.status();
    check!(!status.is_success(), "a dry run made {discovery} public: {status}");

    world.publish(&["--create"])?.run().await?.exits(0)?;
    let published = get(world, &discovery).await?;
    headers(&published, "application/json")?;
    let document: Value = published.json().await?;
    check!(document["issuer"] == ISSUER, "the public document's issuer is {}", document["issuer"]);
    check!(document["jwks_uri"] == key_set, "its jwks_uri is {}", document["jwks_uri"]);

    let published = get(world, &key_set).await?;
    headers(&published, "application/jwk-set+json")?;
    let written = published.headers()["last-modified"].clone();
    let public = kids(&published.json().await?);
    let mut live = BTreeSet::new();
    for server in world.servers()? {
        live.extend(server.kids().await?);
    }
    check!(public == live, "public are the keys {public:?}, live are {live:?}");

    // Nothing but the two documents.
    world.s3()?.put(&world.anyone, &format!("{BUCKET}/{PREFIX}/other"), "not public").await?;
    for path in ["", "?list-type=2", "cluster-a/", "cluster-a/other", "cluster-a/openid/v1/absent"] {
        let url = format!("https://s3.lab.test/{BUCKET}/{path}");
        let status = get(world, &url).await?.status();
        check!(status == StatusCode::FORBIDDEN, "anyone may GET {url}: {status}");
    }

    let again = world.publish(&["--create"])?.run().await?.exits(0)?;
    again.prints_one_line("unchanged:").during("the second `publish --create`")?;
    let again = world.publish(&[])?.run().await?.exits(0)?;
    again.prints_one_line("unchanged:").during("a `publish` without --create")?;
    let last = get(world, &key_set).await?.headers()["last-modified"].clone();
    check!(last == written, "equal bytes were written again: last-modified {written:?}, now {last:?}");
    world.publish(&["--dry-run"])?.run().await?.exits(0).during("a dry run after")?;
    Ok(())
}

async fn get(world: &World, url: &str) -> Checked<Response> {
    world.anyone.get(url).send().await.during(url)
}

fn headers(answer: &Response, content_type: &str) -> Checked {
    let url = answer.url();
    check!(answer.status() == StatusCode::OK, "GET {url} without credentials: {}", answer.status());
    let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
    check!(header("content-type") == Some(content_type), "{url}: type {:?}", header("content-type"));
    let cache = header("cache-control");
    check!(cache == Some("public, max-age=300"), "{url}: Cache-Control {cache:?}");
    // What SDKs put there while they upload with a trailing checksum must not stay on the object.
    let encoding = header("content-encoding");
    check!(encoding.is_none(), "{url}: Content-Encoding {encoding:?}");
    Ok(())
}

/// Every `kid` of a key set.
fn kids(key_set: &Value) -> BTreeSet<String> {
    let keys = key_set["keys"].as_array().into_iter().flatten();
    keys.map(|key| key["kid"].as_str().unwrap_or_default().to_owned()).collect()
}
