//! Plans by value: no server.

use serde_json::json;

use super::{
    super::Service,
    super::place::{Endpoints, Region},
    super::withdraw,
    *,
};
use crate::{
    error::Code,
    federation::{After, Publishes, TrustedIssuer, further, workload},
    oidc::{KeySet, keys_from_pem},
};

pub(in super::super) const ISSUER: &str = "https://oidc.lab.test/prod";
pub(in super::super) const CLUSTER: &str = "0b0a3f46-7f0f-4c55-9f0e-3b6f8f1f2a11";

pub(in super::super) fn settings() -> Settings {
    Settings {
        account: "123456789012".into(),
        region: Region::parse("aws.region", "eu-central-1").unwrap(),
        service: Service::SecretsManager,
        role: "eso".into(),
        kms_key: None,
        endpoints: Endpoints::default(),
    }
}

pub(in super::super) fn trust() -> Trust {
    let pem = lab::SigningKey::ec(lab::Curve::P256).public_pem();
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

/// What AWS holds after everything was applied.
fn done(want: &Trust) -> (Provider, Role) {
    let provider = Provider { client_ids: vec![AUDIENCE.into()], mark: Some(mark(want)) };
    let subject = want.workloads[0].subject().unwrap();
    let given = policy::gives(&want.workloads[0].rights, &settings()).unwrap();
    let role = Role {
        trust: Some(wanted::trust(&settings(), want, &subject)),
        mark: Some(mark(want)),
        policy: Some(Some(policy::document(&settings(), &given, &[]).unwrap())),
        others: Vec::new(),
    };
    (provider, role)
}

fn actions(want: &Trust, have: Option<&Role>) -> Result<Vec<Action>> {
    let changes = plan_workload(&settings(), want, &want.workloads[0], have, None)?;
    Ok(changes.iter().map(|change| change.step.action).collect())
}

#[test]
fn empty_account_gets_three_things() {
    let want = trust();
    let provider = plan_provider(&settings(), &want, None).unwrap();
    assert_eq!(provider.step.action, Action::Create);
    assert!(
        provider.step.requires[0].contains("iam:CreateOpenIDConnectProvider on arn:aws:iam::123456789012")
    );
    let before = Some(provider.step.name.clone());
    let changes = plan_workload(&settings(), &want, &want.workloads[0], None, before).unwrap();
    let names: Vec<_> =
        changes.iter().map(|it| (it.step.name.as_str(), it.step.depends_on.as_slice())).collect();
    assert_eq!(
        names,
        [
            ("role eso", ["OIDC provider oidc.lab.test/prod".to_owned()].as_slice()),
            ("policy keyless of the role eso", ["role eso".to_owned()].as_slice()),
        ]
    );
}

#[test]
fn what_was_applied_is_unchanged() {
    let want = trust();
    let (provider, role) = done(&want);
    assert_eq!(plan_provider(&settings(), &want, Some(&provider)).unwrap().step.action, Action::NoOp);
    assert_eq!(actions(&want, Some(&role)).unwrap(), [Action::NoOp, Action::NoOp]);
    let more = want.clone().reading(&["db", "api"]);
    assert_eq!(actions(&more, Some(&role)).unwrap(), [Action::NoOp, Action::Update]);
    let none = want.clone().reading(&[]);
    assert_eq!(actions(&none, Some(&role)).unwrap(), [Action::NoOp, Action::NoOp], "rights stay");
}

#[test]
fn client_is_added_and_provider_kept() {
    let want = trust();
    let other = |mark: Option<String>| Provider { client_ids: vec!["other".into()], mark };
    let ours = plan_provider(&settings(), &want, Some(&other(Some(mark(&want))))).unwrap();
    assert_eq!(ours.step.action, Action::Update);
    assert_eq!(
        ours.act,
        Some(Step::AddClient {
            arn: "arn:aws:iam::123456789012:oidc-provider/oidc.lab.test/prod".into(),
            seen: other(Some(mark(&want))),
        })
    );
    assert_eq!(ours.step.fields[0].after, Some(json!(["other", AUDIENCE])));
    let foreign = plan_provider(&settings(), &want, Some(&other(None))).unwrap_err();
    assert_eq!(foreign.code, Code::AwsProviderForeign);
    let fitting = Provider { client_ids: vec![AUDIENCE.into()], mark: None };
    let used = plan_provider(&settings(), &want, Some(&fitting)).unwrap();
    assert_eq!((used.step.action, used.step.reason.as_str()), (Action::NoOp, USED));
}

#[test]
fn resources_of_others_are_refused() {
    let want = trust();
    let other = Trust { cluster_id: "other".into(), ..want.clone() };
    let (provider, role) = done(&other);
    assert_eq!(plan_provider(&settings(), &want, Some(&provider)).unwrap_err().code, Code::AwsOtherCluster);
    assert_eq!(actions(&want, Some(&role)).unwrap_err().code, Code::AwsOtherCluster);
    let (_, ours) = done(&want);
    for (tag, code) in [
        (None, Code::AwsRoleForeign),
        (Some("terraform"), Code::AwsRoleForeign),
        (Some("managed by keyless"), Code::AwsOwnerUnknown),
    ] {
        let role = Role { mark: tag.map(str::to_owned), ..ours.clone() };
        let error = actions(&want, Some(&role)).unwrap_err();
        assert_eq!(error.code, code, "{tag:?}");
        assert!(!error.hints.is_empty());
    }
}

#[test]
fn unknown_trust_is_left_alone() {
    let want = trust();
    let (_, ours) = done(&want);
    let mut broad = ours.trust.clone().unwrap();
    broad["Statement"][0]["Condition"] =
        json!({ "StringLike": { "oidc.lab.test/prod:sub": "system:serviceaccount:*" } });
    let mut denies = ours.trust.clone().unwrap();
    let mut deny = denies["Statement"][0].clone();
    deny["Effect"] = json!("Deny");
    denies["Statement"].as_array_mut().unwrap().push(deny);
    for unknown in [Some(broad), Some(denies), None] {
        let role = Role { trust: unknown, ..ours.clone() };
        let error = actions(&want, Some(&role)).unwrap_err();
        assert_eq!(error.code, Code::AwsPolicyUnread, "{error}");
        assert!(error.hints.iter().any(|hint| hint.contains("update-assume-role-policy")), "{error}");
        let gone = withdraw::workload(&settings(), &want, &want.workloads[0], Some(&role), &mut None);
        assert!(gone.iter().all(|one| one.after == After::Stays));
    }
    // A role whose name follows from the account is another's.
    let mut further_want = want.clone();
    further_want.workloads = vec![further("shop/reader", &["db"])];
    let error =
        plan_workload(&settings(), &further_want, &further_want.workloads[0], Some(&ours), None).unwrap_err();
    assert_eq!(error.code, Code::AwsRoleForeign);
}

#[test]
fn new_issuer_waits_for_switch() {
    let want = trust();
    let (_, role) = done(&want);
    let moved = Trust { issuer: TrustedIssuer::Published("https://new.lab.test".parse().unwrap()), ..want };
    let changes = plan_workload(&settings(), &moved, &moved.workloads[0], Some(&role), None).unwrap();
    assert_eq!(
        (changes[0].step.action, changes[0].step.gate),
        (Action::Update, Some(Gate::AfterIssuerSwitch))
    );
}

#[test]
fn unread_policy_is_not_overwritten() {
    let mut want = trust();
    let (_, ours) = done(&want);
    let role = Role { policy: Some(None), ..ours };
    for revokes_unused in [false, true] {
        want.workloads[0].revokes_unused = revokes_unused;
        assert_eq!(actions(&want, Some(&role)).unwrap_err().code, Code::AwsPolicyUnread);
    }
    let gone = withdraw::workload(&settings(), &want, &want.workloads[0], Some(&role), &mut None);
    assert!(gone.iter().all(|one| one.after == After::Stays));
}

#[test]
fn foreign_statements_are_shown_and_kept() {
    let mut want = trust();
    let (_, mut role) = done(&want);
    let theirs = json!({ "Effect": "Deny", "Action": "secretsmanager:*", "Resource": "*",
        "Condition": { "StringNotEquals": { "aws:RequestedRegion": "eu-central-1" } } });
    let policy = role.policy.as_mut().unwrap().as_mut().unwrap();
    policy["Statement"].as_array_mut().unwrap().push(theirs.clone());
    assert_eq!(actions(&want, Some(&role)).unwrap(), [Action::NoOp; 2]);
    // More is given, or nothing any more.
    for (secrets, revokes_unused) in [(&["db", "api"][..], false), (&[], true)] {
        want = want.reading(secrets);
        want.workloads[0].revokes_unused = revokes_unused;
        let changes = plan_workload(&settings(), &want, &want.workloads[0], Some(&role), None).unwrap();
        let Some(Step::PutPolicy { document: written, .. }) = &changes[1].act else { panic!("{changes:?}") };
        assert!(written["Statement"].as_array().unwrap().contains(&theirs), "{written}");
        assert_eq!(written["Statement"].as_array().unwrap().len(), 1 + usize::from(!revokes_unused));
        let shown = changes[1].step.fields.iter().find(|field| field.path.contains("did not write")).unwrap();
        assert!(shown.before == shown.after && shown.after == Some(json!([theirs])), "{shown:?}");
    }
    let gone = withdraw::workload(&settings(), &want, &want.workloads[0], Some(&role), &mut None);
    assert!(gone.iter().all(|one| one.after == After::Stays));
    // Another issuer's tokens would get what that person gave.
    let moved = Trust { issuer: TrustedIssuer::Published("https://new.lab.test".parse().unwrap()), ..want };
    let error = plan_workload(&settings(), &moved, &moved.workloads[0], Some(&role), None).unwrap_err();
    assert_eq!(error.code, Code::AwsRoleForeign, "{error}");
}

#[test]
fn teardown_takes_only_our_own() {
    let want = trust();
    let (provider, role) = done(&want);
    let after = |role: &Role, roles: &[String]| {
        let mut before = None;
        let mut all = withdraw::workload(&settings(), &want, &want.workloads[0], Some(role), &mut before);
        all.push(withdraw::provider(&settings(), &want, Some(&provider), (roles, Vec::new()), before));
        all.into_iter().map(|one| (one.after, one.change.step.depends_on)).collect::<Vec<_>>()
    };
    let gone = after(&role, &[]);
    assert!(gone.iter().all(|(after, _)| *after == After::Gone), "{gone:?}");
    assert_eq!(gone[2].1, ["role eso"]);
    assert_eq!(after(&role, &["app".into()])[2].0, After::Stays);
    let attached = Role { others: vec!["ReadOnlyAccess".into()], ..role.clone() };
    assert_eq!(after(&attached, &[])[1].0, After::Stays);
    // Another workload has it by now.
    let mut let_in = role.trust.clone().unwrap().to_string();
    let_in = let_in.replace(want.workloads[0].subject().unwrap().as_str(), "system:serviceaccount:other:one");
    let taken = Role { trust: serde_json::from_str(&let_in).ok(), ..role.clone() };
    assert!(after(&taken, &[])[..2].iter().all(|(after, _)| *after == After::Stays));
    let error = plan_workload(&settings(), &want, &want.workloads[0], Some(&taken), None).unwrap_err();
    assert_eq!(error.code, Code::AwsRoleForeign, "{error}");
    let foreign = Role { mark: None, ..role.clone() };
    assert!(after(&foreign, &[])[..2].iter().all(|(after, _)| *after == After::Stays));
    let others = Role { mark: Some("managed by keyless in cluster other for x".into()), ..role };
    assert!(after(&others, &[])[..2].iter().all(|(after, _)| *after == After::OfAnotherCluster));
}

/// The publisher of these documents.
fn publisher(bucket: &str, are_at_issuer: bool) -> Workload {
    let objects = ["prod/openid/v1/jwks", "prod/.well-known/openid-configuration"].map(str::to_owned);
    let documents =
        Documents { bucket: bucket.into(), objects: objects.into(), are_at_issuer, each_was_asked: true };
    Workload::publisher("keyless-system/keyless".parse().unwrap(), Publishes::Documents(documents))
}

/// Its role, with a right on the documents in these buckets.
fn writing(buckets: &[&str]) -> Role {
    let want = trust();
    let of = |bucket: &&str| policy::of_documents(publisher(bucket, true).documents().unwrap(), &settings());
    let given = buckets.iter().flat_map(of).collect();
    Role {
        trust: Some(wanted::trust(&settings(), &want, &publisher("new", true).subject().unwrap())),
        mark: Some(mark(&want)),
        policy: Some(Some(policy::document(&settings(), &given, &[]).unwrap())),
        others: Vec::new(),
    }
}

/// What is written as the policy, and what each step waits for.
fn written(workload: &Workload, have: &Role) -> Vec<(Value, Option<Gate>)> {
    let changes = plan_workload(&settings(), &trust(), workload, Some(have), None).unwrap();
    let written = changes.into_iter().filter_map(|change| match change.act? {
        Step::PutPolicy { document, .. } => Some((document, change.step.gate)),
        other => panic!("{other:?}"),
    });
    written.collect()
}

fn policy_of(role: Role) -> Value {
    role.policy.flatten().unwrap()
}

#[test]
fn former_documents_are_written_until_switch() {
    let at_issuer = publisher("new", true);
    let (both, new) = (policy_of(writing(&["old", "new"])), policy_of(writing(&["new"])));
    let later = Some(Gate::AfterIssuerSwitch);
    let first = written(&at_issuer, &writing(&["old"]));
    assert_eq!(first, [(both, None), (new.clone(), later)]);
    // Before the switch once more, and after it.
    assert_eq!(written(&at_issuer, &writing(&["old", "new"])), [(new, later)]);
    assert_eq!(written(&at_issuer, &writing(&["new"])), []);
    assert!(former_documents_stay(&settings(), &trust(), &at_issuer, Some(&writing(&["old"]))).is_none());
    let changes = plan_workload(&settings(), &trust(), &at_issuer, Some(&writing(&["old"])), None).unwrap();
    let [_, grant, narrow] = &changes[..] else { panic!("{}", changes.len()) };
    assert_eq!(narrow.step.depends_on, std::slice::from_ref(&grant.step.name));
    assert_eq!(grant.step.fields[0].after, narrow.step.fields[0].before);
    assert!(narrow.step.fields[0].before.as_ref().unwrap().to_string().contains(":::old/"));
    assert!(!narrow.step.fields[0].after.as_ref().unwrap().to_string().contains(":::old/"));
    // What the first one writes is what the second one expects.
    let Some(Step::PutPolicy { before: Some(before), .. }) = &narrow.act else { panic!() };
    assert!(before.differs(&writing(&["old", "new"])).is_empty());
    assert_eq!(before.differs(&writing(&["old", "new", "third"])), ["its policy"]);
}

/// A domain may show any bucket.
#[test]
fn former_documents_behind_domain_stay() {
    let domain = publisher("new", false);
    let both = policy_of(writing(&["old", "new"]));
    assert_eq!(written(&domain, &writing(&["old"])), [(both, None)]);
    assert_eq!(written(&domain, &writing(&["old", "new"])), []);
    for have in [writing(&["old"]), writing(&["old", "new"])] {
        let warning = former_documents_stay(&settings(), &trust(), &domain, Some(&have)).unwrap();
        assert_eq!(warning.code, Code::TrustLeft);
        for named in [
            ISSUER,
            "may still lead to arn:aws:s3:::old/prod/",
            "aws iam delete-role-policy --role-name eso --policy-name keyless",
            "run setup again",
        ] {
            assert!(warning.message.contains(named), "{named}: {}", warning.message);
        }
    }
    for have in [Some(writing(&["new"])), None] {
        assert!(former_documents_stay(&settings(), &trust(), &domain, have.as_ref()).is_none());
    }
    // What was no document goes at once, as before.
    let mut given = policy::of_documents(domain.documents().unwrap(), &settings());
    given.extend(policy::gives(&trust().workloads[0].rights, &settings()).unwrap());
    let reads =
        Role { policy: Some(Some(policy::document(&settings(), &given, &[]).unwrap())), ..writing(&[]) };
    assert_eq!(written(&domain, &reads), [(policy_of(writing(&["new"])), None)]);
}
