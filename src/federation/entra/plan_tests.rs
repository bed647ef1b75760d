//! Plans by value: no server.

use super::{super::place::Endpoints, super::roles, super::withdraw, *};
use crate::{
    error::Code,
    federation::{After, TrustedIssuer, further, reads, workload},
    oidc::{KeySet, keys_from_pem},
};

pub(in super::super) const ISSUER: &str = "https://oidc.lab.test/prod";
pub(in super::super) const CLUSTER: &str = "0b0a3f46-7f0f-4c55-9f0e-3b6f8f1f2a11";
const TENANT: &str = "00000000-0000-0000-0000-0000000000bb";

pub(in super::super) fn settings() -> Settings {
    Settings {
        tenant: TENANT.into(),
        subscription: "00000000-0000-0000-0000-0000000000aa".into(),
        group: "identities".into(),
        vault: "acme".into(),
        vault_group: "secrets".into(),
        identity: "eso".into(),
        endpoints: Endpoints::default(),
    }
}

pub(in super::super) fn trust() -> Trust {
    let pem = lab::SigningKey::from_stock().public_pem();
    Trust {
        issuer: TrustedIssuer::Published(ISSUER.parse().unwrap()),
        cluster_id: CLUSTER.into(),
        keys: KeySet::new(keys_from_pem(pem.as_bytes(), "test").unwrap()).unwrap(),
        proof: None,
        signing: Vec::new(),
        staged: Vec::new(),
        former: Vec::new(),
        workloads: vec![workload("external-secrets/eso-reader", &["db"])],
    }
}

fn assignment(want: &Trust, secret: &str) -> Assignment {
    let given = roles::gives(reads(&[secret]).iter()).unwrap().into_iter().next().unwrap();
    Assignment {
        id: format!("/x/providers/Microsoft.Authorization/roleAssignments/{secret}"),
        here: true,
        shown: given.shown(),
        given: Some(given),
        mark: Some(mark(want)),
    }
}

fn of_others() -> Assignment {
    Assignment { id: "/other".into(), here: false, given: None, shown: "role Owner on /".into(), mark: None }
}

/// What Azure holds after everything was applied.
fn done(want: &Trust) -> Identity {
    Identity {
        mark: Some(mark(want)),
        tenant: TENANT.into(),
        client_id: "00000000-0000-0000-0000-00000000000c".into(),
        principal: "00000000-0000-0000-0000-00000000000d".into(),
        credentials: vec![wanted::credential(ISSUER, &want.workloads[0].subject().unwrap())],
        assignments: vec![assignment(want, "db")],
        unseen: None,
    }
}

fn planned(want: &Trust, have: Option<&Identity>) -> Result<Vec<Planned>> {
    plan_workload(&settings(), want, &want.workloads[0], have, "westeurope")
}

fn actions(want: &Trust, have: Option<&Identity>) -> Result<Vec<Action>> {
    Ok(planned(want, have)?.iter().map(|change| change.step.action).collect())
}

fn changed(change: impl FnOnce(&mut Identity)) -> Identity {
    let mut have = done(&trust());
    change(&mut have);
    have
}

#[test]
fn empty_group_gets_three_things() {
    let changes = planned(&trust(), None).unwrap();
    let names: Vec<_> =
        changes.iter().map(|it| (it.step.name.as_str(), it.step.depends_on.join(","))).collect();
    assert_eq!(
        names,
        [
            ("managed identity eso", String::new()),
            ("federated credential keyless of eso", "managed identity eso".to_owned()),
            (
                "role Key Vault Secrets User on the secret db for eso",
                "federated credential keyless of eso".to_owned()
            ),
        ]
    );
    let requires: Vec<_> = changes.iter().flat_map(|it| it.step.requires.clone()).collect();
    assert!(requires[2].ends_with("/vaults/acme/secrets/db"), "{requires:?}");
}

#[test]
fn what_was_applied_is_unchanged() {
    let want = trust();
    let have = done(&want);
    assert_eq!(actions(&want, Some(&have)).unwrap(), [Action::NoOp; 3]);
    let more = want.clone().reading(&["db", "api"]);
    let [.., api, db] = &planned(&more, Some(&have)).unwrap()[..] else { panic!() };
    assert_eq!((api.step.action, db.step.action), (Action::Create, Action::NoOp));
    let none = want.reading(&[]);
    assert_eq!(actions(&none, Some(&have)).unwrap(), [Action::NoOp; 3], "rights stay");
}

#[test]
fn unused_role_goes_by_consent() {
    let mut want = trust().reading(&[]);
    want.workloads[0].revokes_unused = true;
    let have = done(&want);
    let changes = planned(&want, Some(&have)).unwrap();
    assert_eq!(changes[2].act, Some(Step::Unassign(assignment(&want, "db"))));
    let foreign = changed(|it| it.assignments[0].mark = None);
    assert_eq!(actions(&want, Some(&foreign)).unwrap(), [Action::NoOp; 2], "it is another's");
}

#[test]
fn role_of_others_is_used() {
    let want = trust();
    for mark in [None, Some("by hand".to_owned()), Some(mark(&Trust { cluster_id: "x".into(), ..trust() }))] {
        let have = changed(|it| it.assignments[0].mark.clone_from(&mark));
        let changes = planned(&want, Some(&have)).unwrap();
        assert_eq!((changes[2].step.action, changes[2].step.reason.as_str()), (Action::NoOp, USED));
    }
}

#[test]
fn identities_of_others_are_refused() {
    let want = trust();
    let other = Trust { cluster_id: "other".into(), ..trust() };
    for (mark, code) in [
        (None, Code::EntraIdentityForeign),
        (Some("terraform".to_owned()), Code::EntraIdentityForeign),
        (Some("managed by keyless".to_owned()), Code::EntraOwnerUnknown),
        (Some(mark(&other)), Code::EntraOtherCluster),
    ] {
        let error = planned(&want, Some(&changed(|it| it.mark = mark.clone()))).unwrap_err();
        assert_eq!(error.code, code, "{mark:?}");
        assert!(error.hints.iter().any(|hint| hint.contains("entra.identity")), "{error}");
    }
    let error = planned(&want, Some(&changed(|it| it.tenant = CLUSTER.into()))).unwrap_err();
    assert_eq!(error.code, Code::EntraOtherTenant);
}

#[test]
fn identity_with_others_gets_nothing() {
    let want = trust();
    let foreign = |number: usize| Credential {
        name: format!("ci-{number}"),
        issuer: "https://other.example".into(),
        ..wanted::credential(ISSUER, &want.workloads[0].subject().unwrap())
    };
    let error = planned(&want, Some(&changed(|it| it.credentials.push(foreign(0))))).unwrap_err();
    assert_eq!(error.code, Code::EntraIdentityForeign);
    assert!(error.causes[0].contains("ci-0") && error.causes[0].contains("https://other.example"), "{error}");
    let full = changed(|it| it.credentials = (0..20).map(foreign).collect());
    let error = planned(&want, Some(&full)).unwrap_err();
    assert_eq!(error.code, Code::EntraLimit);
    assert!(error.message.contains("20 federated credentials"), "{error}");
}

#[test]
fn credential_of_another_workload_is_refused() {
    let want = trust();
    let subject = |text: &str| changed(|it| it.credentials[0].subject = text.to_owned());
    let error = planned(&want, Some(&subject("system:serviceaccount:shop:other"))).unwrap_err();
    assert_eq!(error.code, Code::EntraIdentityForeign);
    let case = subject("system:serviceaccount:external-secrets:ESO-reader");
    assert_eq!(actions(&want, Some(&case)).unwrap(), [Action::NoOp, Action::Update, Action::NoOp]);
}

#[test]
fn issuer_changes_once_servers_sign_so() {
    let want = trust();
    let have = changed(|it| it.credentials[0].issuer = "https://old.example".into());
    let changes = planned(&want, Some(&have)).unwrap();
    assert_eq!(changes[1].step.action, Action::Update);
    assert_eq!(changes[1].step.gate, Some(Gate::AfterIssuerSwitch));
    let audience = changed(|it| it.credentials[0].audiences = vec!["x".into()]);
    assert_eq!(planned(&want, Some(&audience)).unwrap()[1].step.gate, None);
}

#[test]
fn roles_of_others_stop_it() {
    let want = trust();
    let with = |change: fn(&mut Identity)| {
        changed(|it| {
            it.assignments.push(of_others());
            change(it);
        })
    };
    let changes = planned(&want, Some(&with(|_| ()))).unwrap();
    assert!(changes[1].step.reason.contains("role Owner on /"), "{}", changes[1].step.reason);
    for have in [with(|it| it.credentials.clear()), with(|it| it.credentials[0].audiences.clear())] {
        let error = planned(&want, Some(&have)).unwrap_err();
        assert_eq!(error.code, Code::EntraIdentityForeign);
        assert!(error.causes[0].contains("role Owner"), "{error}");
    }
}

#[test]
fn way_back_takes_ours_alone() {
    let want = trust();
    let gone = |have: Option<&Identity>| {
        let all = withdraw::workload(&settings(), &want, &want.workloads[0], have, &mut None);
        all.iter().map(|one| (one.after, one.change.step.action)).collect::<Vec<_>>()
    };
    assert_eq!(gone(Some(&done(&want))), [(After::Gone, Action::Delete); 3]);
    assert_eq!(gone(None), [(After::Gone, Action::NoOp)]);
    let stays = (After::Stays, Action::NoOp);
    assert_eq!(gone(Some(&changed(|it| it.mark = None))), [stays; 3]);
    let other = mark(&Trust { cluster_id: "other".into(), ..trust() });
    assert_eq!(
        gone(Some(&changed(|it| it.mark = Some(other.clone())))),
        [(After::OfAnotherCluster, Action::NoOp); 3]
    );
    let another = changed(|it| {
        it.credentials[0].subject = further("shop/b", &[]).subject().unwrap().as_str().to_owned();
    });
    assert_eq!(gone(Some(&another)), [stays; 3]);
    let with_roles = changed(|it| it.assignments.push(of_others()));
    assert_eq!(gone(Some(&with_roles)), [(After::Gone, Action::Delete), stays, stays]);
}

#[test]
fn identity_of_another_vault_stays() {
    let want = trust();
    let reasons = |have: &Identity| {
        let all = withdraw::workload(&settings(), &want, &want.workloads[0], Some(have), &mut None);
        let one = |one: &crate::federation::Withdrawn<Step>| {
            (one.after, one.change.step.action, one.change.step.reason.clone())
        };
        all.iter().map(one).collect::<Vec<_>>()
    };
    let elsewhere = changed(|it| {
        let shown = "role Key Vault Secrets User on /other".to_owned();
        it.assignments.push(Assignment { here: false, given: None, shown, ..assignment(&want, "x") });
    });
    let unseen = changed(|it| it.unseen = Some("403 AuthorizationFailed".into()));
    for (have, why) in [(&elsewhere, "on /other"), (&unseen, "403 AuthorizationFailed")] {
        let [role, credential, identity] = &reasons(have)[..] else { panic!("{:?}", reasons(have)) };
        assert_eq!((role.0, role.1), (After::Gone, Action::Delete), "{why}");
        for kept in [credential, identity] {
            assert_eq!((kept.0, kept.1), (After::Stays, Action::NoOp), "{why}");
            assert!(kept.2.contains(why), "{kept:?}");
        }
    }
    // For the same workload it may be used, but no new one is let in unseen.
    assert_eq!(actions(&want, Some(&elsewhere)).unwrap(), [Action::NoOp; 3]);
    assert_eq!(actions(&want, Some(&unseen)).unwrap(), [Action::NoOp; 3]);
    let no_credential = Identity { credentials: Vec::new(), ..unseen };
    assert_eq!(planned(&want, Some(&no_credential)).unwrap_err().code, Code::EntraForbidden);
}
