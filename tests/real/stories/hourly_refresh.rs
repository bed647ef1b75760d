//! An ExternalSecret that runs once an hour keeps the old key alive until the operator has run it by the new login.

use serde_json::{Value, json};

use super::setting::{KEY_SECRET, Mode, SECRET, SHOP, STORE, Setting, configure};
use crate::call::Ran;
use crate::check::{Checked, While, check};
use crate::eso::{self, external_secret};
use crate::google::Key;
use crate::world::World;

const HOURLY: &str = "hourly";

pub(crate) async fn play(world: &mut World) -> Checked {
    let world = &*world;
    let config = configure(world, Mode::Uploaded)?;
    let setting = Setting { world, mode: Mode::Uploaded, config: &config };
    let mut hourly = external_secret(SHOP, HOURLY, STORE, SECRET);
    hourly["spec"]["refreshInterval"] = json!("1h");
    setting.clear().await.during("taking away what a story that failed has left")?;
    world.delete(&[hourly.clone()]).await?;
    let key = setting.before().await?;
    world.apply(&[hourly.clone()]).await?;
    world.synced(SHOP, HOURLY, "by the key").await?;
    let google = world.google()?;
    google.add_version(SECRET, "by federation").await?;

    // The store moves, and the key stays: once, and as often as one asks.
    for time in ["the first", "the second"] {
        let output = setting.keyless(&["setup", "--yes", "--watch-for", "5s"])?.run().await?.exits(1)?;
        names_only_the_hourly(&output).during(format_args!("{time} `setup`"))?;
        let auth = world.store(STORE).await?["spec"]["provider"]["gcpsm"]["auth"].clone();
        check!(auth["workloadIdentityFederation"].is_object(), "the store's authentication: {auth}");
        key_is(&setting, &key, Some(false)).await.during(format_args!("{time} `setup`"))?;
    }
    world.synced(SHOP, SECRET, "by federation").await?;
    let before = world.external_secret(SHOP, HOURLY).await?;
    let untouched = before["metadata"]["annotations"]["force-sync"].is_null();
    check!(untouched, "it was asked to run without --force-sync: {}", before["metadata"]);
    setting.audit_says(1).await?;

    // Asked to run, it reads by the new login at once, and only then is the key disabled.
    let output = setting.setup(&["--force-sync"]).await?;
    let after = world.external_secret(SHOP, HOURLY).await?;
    let asked = after["metadata"]["annotations"]["force-sync"].is_string();
    check!(asked, "it was not asked to run: {}\n{output}", after["metadata"]);
    let [was, is] = [&before, &after].map(|it| it["status"]["refreshTime"].clone());
    check!(was != is, "the operator did not run it: it ran last at {is}\n{output}");
    let same = before["spec"] == after["spec"] && before["metadata"]["uid"] == after["metadata"]["uid"];
    check!(same, "more than its annotation was changed: {}", after["spec"]);
    world.synced(SHOP, HOURLY, "by federation").await?;
    key_is(&setting, &key, Some(true)).await.during("`setup --force-sync`")?;

    setting.setup(&["--retire-key"]).await?;
    key_is(&setting, &key, None).await.during("`setup --retire-key`")?;
    setting.audit_says(0).await?;

    world.delete(&[hourly]).await?;
    setting.keyless(&["teardown", "--yes"])?.run().await?.exits(0)?;
    setting.clear().await
}

/// It says which has not run, when that will run, and what can be done; the other one has run by itself.
fn names_only_the_hourly(output: &Ran) -> Checked {
    let hourly =
        output.stdout.lines().find(|line| line.contains(&format!("ExternalSecret {SHOP}/{HOURLY}: ")));
    let told = hourly.is_some_and(|line| line.contains("has not run") && line.contains("by itself at about"));
    check!(told, "it should say that {SHOP}/{HOURLY} has not run, and when it will\n{output}");
    let pending = output.stdout.split("Not yet").nth(1).unwrap_or_default();
    check!(
        !pending.contains(&format!("{SHOP}/{SECRET}:")),
        "{SHOP}/{SECRET} runs every two seconds\n{output}"
    );
    check!(pending.contains("--force-sync"), "it should name --force-sync\n{output}");
    check!(pending.contains("is enabled"), "it should say that the key is enabled\n{output}");
    Ok(())
}

/// Whether Google has the key disabled, and the Secret that holds it is there; `None`: both are gone.
async fn key_is(setting: &Setting<'_>, key: &Key, disabled: Option<bool>) -> Checked {
    let keys = setting.world.google()?.keys(&key.email).await?;
    let found: Vec<bool> = keys.iter().map(|key| key["disabled"] == true).collect();
    check!(found == Vec::from_iter(disabled), "Google has the key disabled: {found:?}");
    let path = format!("/api/v1/namespaces/{}/secrets", eso::NAMESPACE);
    let secrets: Value = setting.world.servers()?[0].get(&path).await?;
    let is_there = secrets.to_string().contains(KEY_SECRET);
    check!(is_there == disabled.is_some(), "the Secret {KEY_SECRET} is there: {is_there}");
    Ok(())
}
