//! Namespaces: everything is done in the one that is named, or nothing is done.

use super::{
    way::{PASSED, World, checks, do_all, set_up},
    *,
};
use crate::{
    federation::{changes, reading},
    plan::Action,
};

#[tokio::test]
async fn everything_is_done_in_the_namespace() {
    let world = World::new();
    world.server.enter("team/prod");
    world.server.enable_kv("kv");
    world.server.put_secret("kv", "db", json!({ "password": "of the team" }));
    let vault = world.vault(Mode::Discovery, |it| it.namespace = Some("/team/prod/".into()));
    let want = world.trust();
    assert_eq!(set_up(&vault, &want).await.unwrap(), [Action::Create; 4]);
    assert_eq!(set_up(&vault, &want).await.unwrap(), [Action::NoOp; 4]);
    assert!(
        world.server.jwt_role("keyless", "eso").is_some() && world.server.policy("keyless-eso").is_some()
    );
    let findings = vault.probe(&world.good_token(), &reading("db"), &mut |_: &str| ()).await;
    assert_eq!(checks(&findings), PASSED, "{findings:?}");
    world.server.enter("");
    assert_eq!(world.server.policy("keyless-eso"), None, "nothing of it is in the root namespace");
    assert!(world.server.jwt_role("keyless", "eso").is_none());

    // What keyless asks for is enough for a token of that namespace.
    world.server.enter("team/prod");
    let rights = wanted::rights(&vault.settings)
        .into_iter()
        .map(|(path, capabilities)| format!("path \"{path}\" {{ capabilities = {capabilities:?} }}\n"));
    world.server.put_policy("admin", &rights.collect::<String>());
    let token = world.server.token(&["admin"]);
    let vault = world.vault(Mode::Discovery, |it| {
        (it.namespace, it.token) = (Some("team/prod".into()), Some(Secret::new(token.clone())));
    });
    let back = changes(vault.withdraw(&want).await.unwrap());
    assert_eq!(back.iter().map(|change| change.step.action).collect::<Vec<_>>(), [Action::Delete; 3]);
    do_all(&back).await.unwrap();
    assert!(world.server.jwt_role("keyless", "eso").is_none());

    let vault = world.vault(Mode::Discovery, |it| it.namespace = Some("nowhere".into()));
    let error = vault.plan(&want).await.unwrap_err();
    assert_eq!(error.code, Code::VaultNamespace, "{error}");
    world.server.change(|settings| settings.sealed = true);
    assert_eq!(vault.plan(&want).await.unwrap_err().code, Code::VaultSealed, "health is asked outside of it");
}

#[tokio::test]
async fn ignored_namespace_is_refused() {
    type Change = fn(&mut lab::VaultSettings);
    let cases: [(Change, Option<Code>); 7] = [
        (|it| it.flavour = lab::VaultFlavour::Vault, Some(Code::VaultNoNamespaces)),
        (|it| it.version = Some("2.2.0".into()), Some(Code::VaultNoNamespaces)),
        // A proxy before the server takes the header away.
        (|it| it.drops_namespace = true, Some(Code::VaultNoNamespaces)),
        (|it| it.version = Some(String::new()), Some(Code::VaultNamespacesUnknown)),
        (|it| it.version = Some("dev".into()), Some(Code::VaultNamespacesUnknown)),
        (|it| it.flavour = lab::VaultFlavour::VaultEnterprise, None),
        (|_| (), None),
    ];
    for (change, code) in cases {
        let world = World::new();
        world.server.enter("team/prod");
        world.server.enable_kv("kv");
        world.server.put_secret("kv", "db", json!({ "password": "of the team" }));
        world.server.enter("");
        world.server.change(change);
        let before = world.server.mounts();
        let vault = world.vault(Mode::StaticKeys, |it| it.namespace = Some("team/prod".into()));
        let (plan, back) = (
            vault.plan(&world.trust()).await.map(|plan| plan.changes),
            vault.withdraw(&world.trust()).await.map(changes),
        );
        for outcome in [plan, back] {
            assert_eq!(outcome.as_ref().err().map(|error| error.code), code, "{outcome:?}");
            if let Err(error) = outcome {
                let reply = error.to_string();
                assert!(
                    reply.contains("team/prod") && reply.contains("leave out vault.namespace"),
                    "{reply}"
                );
                assert_eq!(error.kind, crate::error::Kind::Failed);
            }
        }
        let written = |call: &lab::Call| call.method != "GET" && !call.path.contains("capabilities-self");
        let calls = world.server.faults().requests();
        assert!(!calls.iter().any(written), "{calls:?}");
        if code.is_none() {
            assert_eq!(set_up(&vault, &world.trust()).await.unwrap(), [Action::Create; 4]);
        }
        assert_eq!(world.server.mounts(), before, "nothing of it is in the root namespace");
        assert_eq!(world.server.policy("keyless-eso"), None);
        // In the root namespace, every one of them does.
        set_up(&world.vault(Mode::StaticKeys, |_| ()), &world.trust()).await.unwrap();
    }
}
