//! Several workloads at one auth method: a role and a policy each.

use serde_json::json;

use super::{
    super::{
        Mode,
        paths::PathRules,
        plan::tests::{OWN_LOGIN, done, plan, policy, settings, trust as trust_of},
        way::{PASSED, World, checks, do_all, set_up},
    },
    *,
};
use crate::{
    error::Kind,
    federation::{Change, RightKind, changes, further, reading, reads, workload},
    plan::Action,
};

const MAIN: &str = "external-secrets/eso-reader";
/// A name with a dot has a digest behind it.
const POLICIES: [&str; 3] =
    ["keyless-eso", "keyless-external-secrets.shop.b", "keyless-external-secrets.team.c.reader.8f2d06b94d"];

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
    let settings = settings();
    let other = Settings { role: "of-a-store".into(), ..settings.clone() };
    let further = further("shop/b.c", &[]);
    assert_eq!(settings.of_workload(&further).role, "eso.shop.b.c.be3c302583");
    assert_eq!(other.of_workload(&further).role, "eso.shop.b.c.be3c302583");
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

/// Names of parts with dots: the same text could be that of others.
#[test]
fn names_of_roles_never_collide() {
    let parts = ["a", "b", "a.b", "b.a", "a.b.a", "b.a.b", "a-b"];
    let mut names: BTreeMap<String, [String; 3]> = BTreeMap::new();
    let mut named = |prefix: &str, namespace: &str, name: &str| {
        let role = own_role(prefix, &ServiceAccount { namespace: namespace.into(), name: name.into() });
        assert!(wanted::name("vault.role", &role).is_ok(), "{role}");
        let triple = [prefix, namespace, name].map(str::to_owned);
        let other = names.insert(role.clone(), triple.clone());
        assert!(other.is_none_or(|other| other == triple), "{role} is not of {triple:?} alone");
        role
    };
    for prefix in parts {
        for namespace in ["a", "b", "a-b"] {
            for name in parts {
                let role = named(prefix, namespace, name);
                // Another one that is called like it, or like the end of it.
                named("a", "b", &role);
                for (at, _) in role.match_indices('.') {
                    named("a", "b", &role[at + 1..]);
                }
            }
        }
    }
    assert!(names.len() > 300, "{}", names.len());
    assert_eq!(own_role("eso", &"shop/b".parse().unwrap()), "eso.shop.b", "as it always was");
}

async fn planned(vault: &Vault, want: &Trust) -> Vec<(Action, String)> {
    let changes = vault.plan(want).await.unwrap().changes;
    do_all(&changes).await.unwrap();
    changes.into_iter().map(|change| (change.step.action, change.step.reason)).collect()
}

fn all_rights() -> BTreeSet<Right> {
    let rights = [
        Right::read("db"),
        Right::read("not-ready"),
        Right::new(RightKind::Find, "team"),
        Right::new(RightKind::Push, "tls"),
        Right::new(RightKind::Metadata, "note"),
    ];
    rights.into()
}

/// What a run does not ask for is needed by others.
#[tokio::test]
async fn policy_never_shrinks_by_itself() {
    for known in [workload("shop/b", &[]), further("shop/b", &[])] {
        let world = world();
        let vault = world.vault(Mode::StaticKeys, |_| ());
        let want = |workload: Workload| world.trust().of([workload]);
        let name = wanted::policy_name(&vault.settings.of_workload(&known));
        let all = known.clone().granting(all_rights(), BTreeSet::new());
        planned(&vault, &want(all)).await;
        let before = world.server.policy(&name).unwrap();

        let less = known.clone().granting(reads(&["db"]), BTreeSet::new());
        let steps = planned(&vault, &want(less.clone())).await;
        assert_eq!(world.server.policy(&name).unwrap(), before);
        let (action, reason) = &steps[2];
        assert_eq!(*action, Action::NoOp);
        for kept in ["kv/data/not-ready (read)", "kv/metadata/team/* (list)", "--revoke-unused"] {
            assert!(reason.contains(kept), "`{kept}` is not in {reason}");
        }
        // Something new is added to it.
        planned(&vault, &want(known.clone().granting(reads(&["api"]), BTreeSet::new()))).await;
        let more = world.server.policy(&name).unwrap();
        assert!(more.contains("kv/data/api") && more.contains("kv/data/tls"), "{more}");

        // What is given back goes, unless something asks for it.
        let back = known.clone().granting(reads(&["db"]), reads(&["api", "not-ready"]));
        planned(&vault, &want(back.asking(reads(&["not-ready"]), false))).await;
        let now = world.server.policy(&name).unwrap();
        assert!(!now.contains("kv/data/api") && now.contains("kv/data/not-ready"), "{now}");
        planned(&vault, &want(less.asking(reads(&["not-ready"]), true))).await;
        let now = world.server.policy(&name).unwrap();
        let rules = PathRules::of(&reads(&["db", "not-ready"]), "kv").unwrap();
        let settings = vault.settings.of_workload(&known);
        assert_eq!(now, wanted::policy(&settings, &world.trust(), &rules));
    }
}

/// A role that goes to another ServiceAccount takes nothing along.
#[tokio::test]
async fn rebound_role_takes_nothing_along() {
    let world = world();
    let vault = world.vault(Mode::StaticKeys, |_| ());
    let of = |account: &str| world.trust().of([workload(account, &[]).granting(all_rights(), reads(&[]))]);
    planned(&vault, &of("shop/b")).await;
    let next = world.trust().of([workload("shop/c", &["api"])]);
    planned(&vault, &next).await;
    let policy = world.server.policy(POLICIES[0]).unwrap();
    assert!(policy.contains("kv/data/api") && !policy.contains("kv/data/tls"), "{policy}");
}

#[tokio::test]
async fn held_rights_are_seen_by_policy() {
    let world = world();
    let vault = world.vault(Mode::StaticKeys, |_| ());
    let known = further("shop/b", &[]).granting(all_rights(), BTreeSet::new());
    let want = world.trust().of([known.clone()]);
    let asked: BTreeSet<_> =
        all_rights().into_iter().chain([Right::read("api"), Right::new(RightKind::Delete, "tls")]).collect();
    assert_eq!(vault.held(&known, &want.cluster_id, &asked).await, BTreeSet::new());
    planned(&vault, &want).await;
    assert_eq!(vault.held(&known, &want.cluster_id, &asked).await, all_rights());
    assert_eq!(vault.held(&further("shop/c", &[]), &want.cluster_id, &asked).await, BTreeSet::new());
    assert_eq!(vault.held(&known, "another", &asked).await, BTreeSet::new());
}

/// What concerns one of them holds up no other.
#[tokio::test]
async fn refused_workload_leaves_others_planned() {
    let world = world();
    let (vault, want) = (world.vault(Mode::StaticKeys, |_| ()), trust(&world, 3));
    world.server.put_policy(POLICIES[1], "# mine");
    let plan = vault.plan_each(&want).await.unwrap();
    let refused: Vec<_> = plan.refused.iter().map(|(who, error)| (who.to_string(), error.code)).collect();
    assert_eq!(refused, [("shop/b".to_owned(), Code::VaultPolicyForeign)]);
    let names: Vec<_> = plan.changes.iter().map(|it: &Change<'_>| it.step.name.as_str()).collect();
    assert!(names.len() == 6 && !names.iter().any(|name| name.contains("shop.b")), "{names:?}");
    assert_eq!(plan.own.len(), 4);
    assert!(plan.changes[4].step.depends_on.iter().all(|name| !plan.own.contains_key(name)));
    assert_eq!(vault.plan(&want).await.unwrap_err().code, Code::VaultPolicyForeign);
}

#[test]
fn role_of_another_account_is_refused() {
    let (settings, known) = (settings(), further("shop/b", &["db"]));
    let own = settings.of_workload(&known);
    let want = trust_of().of([known.clone()]);
    let mut observed = done(&own, &want);
    assert!(plan(&own, &want, &observed).is_ok());
    observed.role.as_mut().unwrap().insert("bound_subject".into(), json!("system:serviceaccount:a:b"));
    let error = plan(&own, &want, &observed).unwrap_err();
    assert_eq!(error.code, Code::VaultRoleForeign);
    assert!(error.to_string().contains("system:serviceaccount:a:b"), "{error}");
}

#[test]
fn unreadable_policy_is_not_overwritten() {
    let (settings, want) = (settings(), trust_of());
    let mut observed = done(&settings, &want);
    let unreadable = format!("{}\npath \"kv/data/x\" {{\n", mark::of_policy(&settings, &want));
    observed.policy = Some(unreadable);
    assert_eq!(plan(&settings, &want, &observed).unwrap_err().code, Code::VaultPolicyForeign);
    let unused = workload("external-secrets/eso-reader", &["db"]).asking(BTreeSet::new(), true);
    assert!(plan(&settings, &want.of([unused]), &observed).is_ok());
}

#[test]
fn secrets_that_open_more_are_refused() {
    for secret in
        ["*", "team/+/db", "db\" { } path \"x", "{{identity.entity.id}}", "a//b", "../x", "", "a b", "a\nb"]
    {
        let want = trust_of().reading(&[secret]);
        let error = plan(&settings(), &want, &Observed::default()).unwrap_err();
        assert_eq!((error.code, error.kind), (Code::VaultSetting, Kind::Usage), "{secret:?}");
    }
    let want = trust_of().reading(&["team/db", "/a.b@c", "kv/data/team/db"]);
    let text = policy(&settings(), &want);
    assert_eq!(text.matches("path \"kv/data/").count(), 2, "{text}");
    let nothing = trust_of().reading(&[]);
    let text = policy(&settings(), &nothing);
    assert_eq!(text, format!("{}\n{OWN_LOGIN}", mark::of_policy(&settings(), &nothing)));
}
