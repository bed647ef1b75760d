//! What a person or something else between changes while keyless is at work.

use super::*;
use crate::{
    federation::{FindBy, further},
    pattern::Pattern,
};

const BARE: &str = "oidc.lab.test/prod";

/// Everything is set up, and another secret is asked for as well.
async fn with_more(world: &World) -> (Aws, Trust) {
    let aws = world.aws(Service::SecretsManager);
    set_up(&aws, &world.trust(&["db"])).await.unwrap();
    (aws, world.trust(&["db", "api"]))
}

fn theirs() -> Value {
    json!({ "Effect": "Deny", "Action": "secretsmanager:*", "Resource": "*",
        "Condition": { "IpAddress": { "aws:SourceIp": "192.0.2.1/32" } } })
}

fn add(document: &mut Value) {
    document["Statement"].as_array_mut().unwrap().push(theirs());
}

#[tokio::test]
async fn statement_added_by_hand_survives_write() {
    let world = World::new();
    let (aws, more) = with_more(&world).await;
    world.account.change_policy("eso", "keyless", add);
    assert_eq!(set_up(&aws, &more).await.unwrap(), [Action::NoOp, Action::NoOp, Action::Update]);
    let written = world.account.role("eso").unwrap()["Policies"]["keyless"].clone();
    let statements = written["Statement"].as_array().unwrap();
    assert!(statements.len() == 2 && statements.contains(&theirs()), "{written}");
    assert_eq!(set_up(&aws, &more).await.unwrap(), [Action::NoOp; 3]);
    // The way back leaves the role to the one who wrote that.
    let back = changes(aws.withdraw(&more).await.unwrap());
    assert!(back.iter().all(|change| change.step.action == Action::NoOp), "{back:?}");
}

#[tokio::test]
async fn change_after_plan_stops_write() {
    let world = World::new();
    let (aws, more) = with_more(&world).await;
    let plan = aws.plan(&more).await.unwrap().changes;
    world.account.change_policy("eso", "keyless", add);
    let before = world.account.role("eso");
    let error = do_all(&plan).await.unwrap_err();
    assert_eq!(error.code, Code::AwsChanged, "{error}");
    assert!(error.message.contains("its policy"), "{error}");
    assert_eq!(world.account.role("eso"), before);
}

#[tokio::test]
async fn change_after_plan_stops_deletes() {
    type ByHand = fn(&lab::Aws);
    let by_hand: [(ByHand, &str); 5] = [
        (|account| account.tag_role("eso", "keyless", "terraform"), "its tag"),
        (
            |account| account.change_trust("eso", |trust| trust["Statement"][0]["Effect"] = json!("Deny")),
            "its trust",
        ),
        (|account| account.change_policy("eso", "keyless", add), "its policy"),
        (
            |account| account.attach("eso", "arn:aws:iam::aws:policy/ReadOnlyAccess", json!({})),
            "other policies",
        ),
        (|account| account.tag_provider(BARE, "keyless", "terraform"), "its tag"),
    ];
    for (number, (change, what)) in by_hand.into_iter().enumerate() {
        let world = World::new();
        let (aws, want) = (world.aws(Service::SecretsManager), world.trust(&["db"]));
        set_up(&aws, &want).await.unwrap();
        let back = changes(aws.withdraw(&want).await.unwrap());
        change(&world.account);
        let heard = world.account.heard().len();
        let error = do_all(&back).await.unwrap_err();
        assert_eq!(error.code, Code::AwsChanged, "{what}: {error}");
        assert!(error.message.contains(what), "{error}");
        assert_eq!(world.account.providers(), [BARE]);
        let calls = world.account.heard().split_off(heard);
        let deletes = calls.iter().filter(|call| call.action.contains("Delete")).count();
        // The provider comes last: policy and role were still what the plan saw.
        assert_eq!(deletes, if number == 4 { 2 } else { 0 }, "{what}: {calls:?}");
    }
}

#[tokio::test]
async fn new_role_keeps_its_provider() {
    let world = World::new();
    let (aws, want) = (world.aws(Service::SecretsManager), world.trust(&["db"]));
    set_up(&aws, &want).await.unwrap();
    let back = changes(aws.withdraw(&want).await.unwrap());
    // Another store of the cluster is set up in the meantime.
    let mut other = want.clone();
    other.workloads = vec![further("shop/reader", &["db"])];
    set_up(&aws, &other).await.unwrap();
    let error = do_all(&back).await.unwrap_err();
    assert!(error.code == Code::AwsChanged && error.message.contains("who trusts it"), "{error}");
    assert_eq!(world.account.providers(), [BARE]);
}

#[tokio::test]
async fn answer_about_another_is_refused() {
    let account = lab::Aws::account();
    for (from, to) in [
        (format!("arn:aws:iam::{account}:role"), "arn:aws:iam::999988887777:role"),
        (format!("arn:aws:iam::{account}:role"), &format!("arn:aws-cn:iam::{account}:role")),
        (format!("{account}:role/eso"), &format!("{account}:role/team/eso")),
        ("<RoleName>eso<".to_owned(), "<RoleName>Eso<"),
        ("<PolicyName>keyless<".to_owned(), "<PolicyName>other<"),
        ("<Url>oidc.lab.test/prod<".to_owned(), "<Url>oidc.lab.test/other<"),
    ] {
        let world = World::new();
        let (aws, want) = with_more(&world).await;
        world.account.change(|settings| settings.swapped = Some((from.clone(), to.to_owned())));
        for error in [aws.plan(&want).await.unwrap_err(), aws.withdraw(&want).await.err().unwrap()] {
            assert_eq!(error.code, Code::AwsOtherAnswer, "{to}: {error}");
        }
        let rights = &want.workloads[0].rights;
        assert!(to.contains("Url") || aws.held(&want.workloads[0], CLUSTER, rights).await.is_empty());
    }
}

#[tokio::test]
async fn created_elsewhere_is_noticed() {
    for (from, what) in [(":oidc-provider/", "oidc-provider"), (":role/", "role")] {
        let world = World::new();
        let (aws, want) = (world.aws(Service::SecretsManager), world.trust(&["db"]));
        let plan = aws.plan(&want).await.unwrap().changes;
        let from = format!("{}{from}", lab::Aws::account());
        let to = from.replace(lab::Aws::account(), "999988887777");
        world.account.change(|settings| settings.swapped = Some((from, to)));
        let error = do_all(&plan).await.unwrap_err();
        assert!(error.code == Code::AwsOtherAnswer && error.message.contains(what), "{error}");
    }
}

#[tokio::test]
async fn credentials_of_another_are_refused() {
    let account = lab::Aws::account();
    for (from, to) in [
        (format!(":sts::{account}:assumed-role/eso/"), format!(":sts::{account}:assumed-role/other/")),
        (format!(":sts::{account}:"), ":sts::999988887777:".to_owned()),
        (SUBJECT.to_owned(), "system:serviceaccount:external-secrets:other".to_owned()),
    ] {
        let world = World::new();
        let (aws, _) = with_more(&world).await;
        world.account.change(|settings| settings.swapped = Some((from.clone(), to.clone())));
        let findings = aws.probe(&world.good_token(), &reading("db"), &mut |_: &str| ()).await;
        assert_eq!(checks(&findings), [(Check::AwsExchange, false), (Check::AwsRead, false)], "{to}");
    }
}

#[tokio::test]
async fn value_of_another_is_refused() {
    for (service, secret, from, to) in [
        (Service::SecretsManager, "db", ":secret:db-", ":secret:other-"),
        (Service::ParameterStore, "/prod/db", ":parameter/prod/db", ":parameter/prod/other"),
    ] {
        let world = World::new();
        let aws = world.aws(service);
        set_up(&aws, &world.trust(&[secret])).await.unwrap();
        world.account.change(|settings| settings.swapped = Some((from.into(), to.into())));
        let findings = aws.probe(&world.good_token(), &reading(secret), &mut |_: &str| ()).await;
        assert_eq!(checks(&findings), [(Check::AwsExchange, true), (Check::AwsRead, false)], "{findings:?}");
    }
}

/// One trial, with these rights.
async fn tried(world: &World, service: Service, right: Right, trial: Trial) -> Finding {
    let aws = world.aws(service);
    let mut want = world.trust(&[]);
    want.workloads[0].rights = BTreeSet::from([right]);
    set_up(&aws, &want).await.unwrap();
    aws.probe(&world.good_token(), &trial, &mut |_: &str| ()).await.pop().unwrap()
}

fn is_not_proved(finding: &Finding) -> bool {
    matches!(&finding.outcome, Outcome::Skipped(why) if why.contains("not proved"))
}

#[tokio::test]
async fn write_counts_without_other_policies() {
    let key =
        format!("arn:aws:kms:eu-central-1:{}:key/0b0a3f46-7f0f-4c55-9f0e-3b6f8f1f2a11", lab::Aws::account());
    for (service, secret) in [(Service::SecretsManager, "db"), (Service::ParameterStore, "/prod/db")] {
        let push = Right::new(RightKind::Push, secret);
        let world = World::new();
        let write = || tried(&world, service, push.clone(), Trial::Write(push.clone()));
        assert!(matches!(write().await.outcome, Outcome::Passed(_)), "{service:?}");
        // IAM does not look at the policy of the secret.
        world.account.put_resource_policy(secret, json!({ "Statement": [] }));
        assert!(is_not_proved(&write().await), "{service:?}");
        // Nor at that of its key.
        let world = World::new();
        world.account.change_secret("db", Some(&key), false);
        world.account.put_parameter("/prod/db", "hunter2", Some(&key));
        let write = || tried(&world, service, push.clone(), Trial::Write(push.clone()));
        assert!(is_not_proved(&write().await), "{service:?}");
        // What may not be asked is not proved.
        for action in
            ["secretsmanager:GetResourcePolicy", "ssm:GetResourcePolicies", "iam:SimulatePrincipalPolicy"]
        {
            let world = World::new();
            world.account.deny(action);
            let found = tried(&world, service, push.clone(), Trial::Write(push.clone())).await;
            let is_asked = action.starts_with(service.api().name()) || action.starts_with("iam");
            assert_eq!(is_not_proved(&found), is_asked, "{action} {service:?}: {}", found.to_text());
        }
        // What the operator creates has neither.
        let new = Right::new(RightKind::Push, "/new");
        let world = World::new();
        let found = tried(&world, service, new.clone(), Trial::Write(new)).await;
        assert!(matches!(found.outcome, Outcome::Passed(_)), "{}", found.to_text());
        let world = World::new();
        let found = tried(&world, service, Right::read(secret), Trial::Write(push)).await;
        assert!(found.is_failed(), "{}", found.to_text());
    }
}

#[tokio::test]
async fn versions_alone_prove_nothing() {
    let world = World::new();
    let trial = Trial::Versions { secret: "db".into() };
    let found = tried(&world, Service::SecretsManager, Right::read("db"), trial).await;
    assert!(is_not_proved(&found), "{}", found.to_text());
}

#[tokio::test]
async fn metadata_is_of_asked_secret() {
    for (service, secret, from) in
        [(Service::SecretsManager, "db", "\"ARN\""), (Service::ParameterStore, "/prod/db", "\"TagList\"")]
    {
        let world = World::new();
        let right = Right::new(RightKind::Metadata, secret);
        let trial = || Trial::Metadata { secret: secret.into(), properties: Vec::new() };
        let found = tried(&world, service, right.clone(), trial()).await;
        assert!(matches!(found.outcome, Outcome::Passed(_)), "{}", found.to_text());
        // An answer without what was asked for.
        world.account.change(|settings| settings.swapped = Some((from.into(), "\"x\"".into())));
        let found = tried(&world, service, right, trial()).await;
        assert!(found.is_failed(), "{}", found.to_text());
    }
}

#[tokio::test]
async fn search_reads_what_it_finds() {
    let world = World::new();
    world.account.put_secret("team/api", "hunter2");
    let find = Find { below: String::new(), by: FindBy::Name(Pattern::parse("team/.*").unwrap()) };
    let aws = world.aws(Service::SecretsManager);
    let mut want = world.trust(&["team/api"]);
    want.workloads[0].rights.insert(find.right());
    set_up(&aws, &want).await.unwrap();
    let trial = Trial::Find(find.clone());
    let found = aws.probe(&world.good_token(), &trial, &mut |_: &str| ()).await.pop().unwrap();
    assert!(
        matches!(&found.outcome, Outcome::Passed(seen) if seen == "1 found, and read"),
        "{}",
        found.to_text()
    );
    world.account.put_secret("team/new", "hunter2");
    let found = aws.probe(&world.good_token(), &trial, &mut |_: &str| ()).await.pop().unwrap();
    assert!(found.is_failed() && found.to_text().contains("team/new"), "{}", found.to_text());
}
