use super::relying_parties_accept::{accepted, introduce};
use crate::check::{Checked, While, check};
use crate::pki::Algorithm;
use crate::tokens::kid;
use crate::world::{ACCOUNT, ISSUER, S3_FLAGS, World};

pub(crate) async fn play(world: &mut World) -> Checked {
    world.published().await?;

    // The order of a careful administrator: known, public, signing.
    let key = world.pki.signing_key("second", Algorithm::Es256)?;
    let (added, signing) = (key.clone(), key.clone());
    world.restart(1, |settings| settings.keys.push(added)).await.during("adding a key to server-2")?;
    let [first, second] = world.servers()?;
    let (before, after) = (first.kids().await?, second.kids().await?);
    let Some(new) = after.iter().find(|kid| !before.contains(kid)).cloned() else {
        check!(false, "server-2 serves no new key: {after:?}");
        return Ok(());
    };

    let difference = world.publish(&["--dry-run"])?.run().await?.exits(1)?;
    check!(difference.stdout.contains(&new), "the dry run does not name the new key {new}\n{difference}");
    world.publish(&[])?.run().await?.exits(0)?;
    let public = world.public(&format!("{ISSUER}/openid/v1/jwks")).await?.to_string();
    for kid in before.iter().chain([&new]) {
        check!(public.contains(kid), "the key {kid} is not public: {public}");
    }

    world.restart(1, |settings| settings.signing_key = signing).await.during("signing with the new key")?;
    let [first, second] = world.servers()?;
    let signed = kid(&second.token(ACCOUNT, &["any"]).await?)?;
    check!(signed == new, "server-2 signs with {signed}, not with {new}");
    let signed = kid(&first.token(ACCOUNT, &["any"]).await?)?;
    check!(before.contains(&signed), "server-1 signs with {signed}");

    // Relying parties keep what they have read for the documents' cache time; new ones have read nothing.
    introduce(world).await?;
    for server in world.servers()? {
        accepted(world, server).await?;
    }

    let ca_file = world.ca_file().display().to_string();
    let mut arguments = vec!["verify"];
    arguments.extend(S3_FLAGS);
    arguments.extend(["--ca-file", &ca_file, "--audience", "anyone"]);
    // A pod that reaches server-1 with a token of server-2 is refused there.
    let verified = world.keyless(&arguments)?.run().await?.exits(1)?;
    check!(
        verified.stdout.contains("[servers-agree]"),
        "the API servers differ, and it is not reported\n{verified}"
    );
    world.restart(0, |settings| settings.keys.push(key)).await.during("adding the key to server-1")?;
    let verified = world.keyless(&arguments)?.run().await?.exits(0)?;
    let closing = verified.stdout.lines().last().unwrap_or_default();
    check!(closing.ends_with(" passed, 0 failed"), "`verify` closes with `{closing}`\n{verified}");
    Ok(())
}
