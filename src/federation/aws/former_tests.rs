//! What one role is, by value.

use serde_json::{Value, json};

use super::{
    super::plan::tests::{settings, trust},
    *,
};
use crate::{federation::TrustedIssuer, plan::Action};

const FORMER: &str = "keyless-system/former";
const NOW: &str = "keyless-system/keyless";

fn documents(bucket: &str) -> Documents {
    let objects = ["prod/openid/v1/jwks", "prod/.well-known/openid-configuration"];
    Documents {
        bucket: bucket.into(),
        objects: objects.map(str::to_owned).into(),
        are_at_issuer: true,
        each_was_asked: true,
    }
}

fn publisher(account: &str) -> Workload {
    Workload::publisher(account.parse().unwrap(), Publishes::Documents(documents("acme-oidc")))
}

/// The role that keyless makes for a publisher of this account.
fn role(account: &str, bucket: &str) -> Role {
    let want = trust();
    let given = policy::of_documents(&documents(bucket), &settings());
    Role {
        trust: Some(wanted::trust(&settings(), &want, &publisher(account).subject().unwrap())),
        mark: Some(wanted::mark(&want)),
        policy: Some(Some(policy::document(&settings(), &given, &[]).unwrap())),
        others: Vec::new(),
    }
}

fn found(role: &Role) -> Found {
    find(&settings(), &trust(), (&publisher(NOW), &documents("acme-oidc")), role)
}

/// The role, with another policy.
fn saying(policy: Value) -> Role {
    Role { policy: Some(Some(policy)), ..role(FORMER, "acme-oidc") }
}

#[test]
fn former_publishers_role_goes() {
    let role = role(FORMER, "acme-oidc");
    let Found::Goes(workload) = found(&role) else { panic!("it stays") };
    assert_eq!(workload.account.to_string(), FORMER);
    let gone = goes(&settings(), &trust(), &workload, &role, Some("policy".into()), None);
    let shown: Vec<_> = gone.iter().map(|one| (one.step.action, one.step.depends_on.clone())).collect();
    let (policy, before) = (gone[0].step.name.clone(), "policy".to_owned());
    assert_eq!(shown, [(Action::Delete, vec![before]), (Action::Delete, vec![policy])]);
    assert!(gone.iter().all(|one| one.step.reason.contains(FORMER)));
}

#[test]
fn what_writes_no_documents_is_passed() {
    let given = policy::gives(&trust().workloads[0].rights, &settings()).unwrap();
    let reads = policy::document(&settings(), &given, &[]).unwrap();
    let unmarked = Role { mark: None, ..saying(json!({ "Version": "2012-10-17", "Statement": "x" })) };
    for role in [saying(reads), unmarked, Role { policy: None, ..role(FORMER, "acme-oidc") }] {
        assert!(matches!(found(&role), Found::Other), "{role:?}");
    }
}

/// The list tells by a part of the ARN.
#[test]
fn publishers_of_other_issuers_are_passed() {
    let ours = trust();
    let marks = [wanted::mark(&ours), "managed by keyless in cluster other for its ServiceAccounts".into()];
    for (more, mark) in ["-2", "/x", "0"].into_iter().flat_map(|more| marks.iter().map(move |it| (more, it)))
    {
        let issuer = format!("{}{more}", ours.issuer.as_str()).parse().unwrap();
        let want = Trust { issuer: TrustedIssuer::Published(issuer), ..trust() };
        let trust = wanted::trust(&settings(), &want, &publisher(FORMER).subject().unwrap());
        let role = Role { trust: Some(trust), mark: Some(mark.clone()), ..role(FORMER, "acme-oidc") };
        for policy in [role.policy.clone(), Some(None)] {
            assert!(matches!(found(&Role { policy, ..role.clone() }), Found::Other), "{more}: {role:?}");
        }
    }
}

#[test]
fn what_is_not_known_stays() {
    let ours = role(FORMER, "acme-oidc");
    let with = |change: &dyn Fn(&mut Role)| {
        let mut role = ours.clone();
        change(&mut role);
        role
    };
    let more = {
        let mut given = policy::of_documents(&documents("acme-oidc"), &settings());
        given.extend(policy::gives(&trust().workloads[0].rights, &settings()).unwrap());
        policy::document(&settings(), &given, &[]).unwrap()
    };
    let by_hand = {
        let given = policy::of_documents(&documents("acme-oidc"), &settings());
        let other = json!({ "Effect": "Allow", "Action": "s3:*", "Resource": "*" });
        policy::document(&settings(), &given, &[other]).unwrap()
    };
    let changed = {
        let mut policy = ours.policy.clone().flatten().unwrap();
        policy["Statement"][0]["Action"] = json!(["s3:*"]);
        policy
    };
    for (role, why) in [
        (with(&|role| role.mark = None), "its tag does not name this cluster"),
        (with(&|role| role.mark = Some("keyless other".into())), "its tag does not name this cluster"),
        (with(&|role| role.trust = None), "whom it lets in is not known"),
        (with(&|role| role.trust = Some(json!({ "Statement": "*" }))), "whom it lets in is not known"),
        (with(&|role| role.others = vec!["AdministratorAccess".into()]), "AdministratorAccess"),
        (with(&|role| role.policy = Some(None)), "was changed"),
        (saying(changed), "was changed"),
        (saying(more), "more rights"),
        (saying(by_hand), "statements in the policy"),
        (role(FORMER, "acme-other"), "not those of this run: arn:aws:s3:::acme-other/prod/"),
        (role(NOW, "acme-oidc"), "may still use it"),
    ] {
        match found(&role) {
            Found::Stays(told) => assert!(told.contains(why), "{why} is not in {told}"),
            _ => panic!("{why}: {role:?}"),
        }
    }
}
