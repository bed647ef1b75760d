//! Several workloads at one auth method: a role and a policy each.

use super::{
    way::{PASSED, World, checks, do_all, set_up},
    *,
};
use crate::{
    federation::{changes, further, reading, workload},
    plan::Action,
};

const MAIN: &str = "external-secrets/eso-reader";
const POLICIES: [&str; 3] =
    ["keyless-eso", "keyless-external-secrets.shop.b", "keyless-external-secrets.team.c.reader"];

fn trust(world: &World, count: usize) -> Trust {
    let all =
        [workload(MAIN, &["db"]), further("shop/b", &["api"]), further("team/c.reader", &["db", "api"])];
    world.trust().of(all.into_iter().take(count))
}

fn world() -> World {
    let world = World::new();
    world.server.put_secret("kv", "api", json!({ "password": "hunter3" }));
    world
}

#[tokio::test]
async fn each_workload_has_role_and_policy() {
    for count in 0..=3 {
        let world = world();
        let (vault, want) = (world.vault(Mode::StaticKeys, |_| ()), trust(&world, count));
        let before = world.server.mounts();
        let planned = set_up(&vault, &want).await.unwrap();
        assert_eq!(planned, vec![Action::Create; 2 + 2 * count], "{count}");
        assert_eq!(set_up(&vault, &want).await.unwrap(), vec![Action::NoOp; 2 + 2 * count], "{count}");
        let there = |policy: &&str| world.server.policy(policy).is_some();
        assert_eq!(POLICIES.iter().filter(|it| there(it)).count(), count);
        if count == 0 {
            continue;
        }
        let back = changes(vault.withdraw(&want).await.unwrap());
        assert_eq!(
            back.iter().map(|it| it.step.action).collect::<Vec<_>>(),
            vec![Action::Delete; 1 + 2 * count]
        );
        do_all(&back).await.unwrap();
        assert_eq!((world.server.mounts(), POLICIES.iter().filter(|it| there(it)).count()), (before, 0));
    }
}

#[tokio::test]
async fn login_of_one_reads_nothing_else() {
    let world = world();
    let (vault, want) = (world.vault(Mode::StaticKeys, |_| ()), trust(&world, 3));
    set_up(&vault, &want).await.unwrap();
    for (index, subject, reads) in [
        (0, "external-secrets:eso-reader", [true, false]),
        (1, "shop:b", [false, true]),
        (2, "team:c.reader", [true, true]),
    ] {
        let token = world.token("sub", json!(format!("system:serviceaccount:{subject}")));
        let login = vault.login_of(&want.workloads[index]).unwrap();
        for (secret, may) in ["db", "api"].into_iter().zip(reads) {
            let findings = login.probe(&token, &reading(secret), &mut |_: &str| ()).await;
            assert_eq!(checks(&findings) == PASSED, may, "{subject} {secret}: {findings:?}");
        }
        // Another one's role does not take its token.
        let other = vault.login_of(&want.workloads[(index + 1) % 3]).unwrap();
        let findings = other.probe(&token, &reading("db"), &mut |_: &str| ()).await;
        assert!(findings[0].is_failed(), "{findings:?}");
    }
}

/// The role of a workload does not depend on which others a run is about, nor on what a store says.
#[test]
fn name_of_further_role_is_fixed() {
    let settings = plan::tests::settings();
    let other = Settings { role: "of-a-store".into(), ..settings.clone() };
    let further = further("shop/b.c", &[]);
    assert_eq!(settings.of_workload(&further).role, "eso.shop.b.c");
    assert_eq!(other.of_workload(&further).role, "eso.shop.b.c");
    assert_eq!(other.of_workload(&workload("shop/b.c", &[])).role, "of-a-store");
}

/// What stays of another workload keeps the auth method.
#[tokio::test]
async fn remaining_role_keeps_auth_method() {
    let world = world();
    let (vault, want) = (world.vault(Mode::StaticKeys, |_| ()), trust(&world, 3));
    set_up(&vault, &want).await.unwrap();
    let back = changes(vault.withdraw(&trust(&world, 2)).await.unwrap());
    let last = back.last().unwrap();
    assert_eq!(last.step.action, Action::NoOp);
    assert!(last.step.reason.contains("external-secrets.team.c.reader"), "{}", last.step.reason);
    do_all(&back).await.unwrap();
    assert!(world.server.policy(POLICIES[2]).is_some() && world.server.policy(POLICIES[1]).is_none());
}
