use std::time::Duration;

use crate::check::{Checked, check, until};
use crate::kubernetes::ApiServer;
use crate::openbao;
use crate::tokens::{with_forged_signature, with_forged_subject};
use crate::world::{ACCOUNT, ISSUER, RELYING_AUDIENCE, RELYING_PREFIX, SUBJECT, World};

pub(crate) async fn play(world: &mut World) -> Checked {
    world.published().await?;
    introduce(world).await?;
    let server = &world.servers()?[0];
    accepted(world, server).await?;
    forged_is_refused(world, server).await
}

/// Configures both relying parties with the issuer's URL; they have read nothing before.
pub(crate) async fn introduce(world: &mut World) -> Checked {
    let ca = world.pki.ca_pem.clone();
    world.openbao()?.trust(&world.anyone, ISSUER, &ca, SUBJECT).await?;
    world.start_relying_party().await?;
    let token = world.servers()?[0].token(ACCOUNT, &[RELYING_AUDIENCE]).await?;
    // It reads the documents in the background, and tries again every ten seconds.
    until("the other API server to read the documents", Duration::from_secs(45), async || {
        let user = world.relying_party()?.who_is(&world.anyone, &token).await?;
        check!(user.is_ok(), "{user:?}");
        Ok(())
    })
    .await
}

/// Both relying parties accept a token that `server` mints for them.
pub(crate) async fn accepted(world: &World, server: &ApiServer) -> Checked {
    let name = server.settings.name;
    let token = server.token(ACCOUNT, &[openbao::AUDIENCE]).await?;
    if let Err(error) = world.openbao()?.login(&world.anyone, &token).await? {
        check!(false, "OpenBao refused a token of {name}: {error}");
    }
    let token = server.token(ACCOUNT, &[RELYING_AUDIENCE]).await?;
    let user = world.relying_party()?.who_is(&world.anyone, &token).await?;
    let expected = format!("{RELYING_PREFIX}{SUBJECT}");
    check!(user == Ok(expected), "the other API server took a token of {name} for {user:?}");
    Ok(())
}

/// Both relying parties refuse a token that no API server signed.
async fn forged_is_refused(world: &World, server: &ApiServer) -> Checked {
    let token = server.token(ACCOUNT, &[openbao::AUDIENCE]).await?;
    let administrator = "system:serviceaccount:kube-system:administrator";
    for forged in [with_forged_signature(&token)?, with_forged_subject(&token, administrator)?] {
        let answer = world.openbao()?.login(&world.anyone, &forged).await?;
        let refused = answer.as_ref().is_err_and(|error| error.contains("signature"));
        check!(refused, "OpenBao's answer to a forged token: {answer:?}");
    }
    let token = server.token(ACCOUNT, &[RELYING_AUDIENCE]).await?;
    for forged in [with_forged_signature(&token)?, with_forged_subject(&token, administrator)?] {
        let user = world.relying_party()?.who_is(&world.anyone, &forged).await?;
        check!(user.is_err(), "the other API server took a forged token for {user:?}");
    }
    // A true token that was minted for someone else.
    let user = world.relying_party()?.who_is(&world.anyone, &server.token(ACCOUNT, &["else"]).await?).await?;
    check!(user.is_err(), "the other API server took a token for another audience for {user:?}");
    Ok(())
}
