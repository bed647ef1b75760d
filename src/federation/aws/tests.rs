//! The story against a far side that verifies signatures, documents, tokens and policies.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use aws_credential_types::Credentials;
use lab::{Ca, SigningKey, Web};
use serde_json::json;
use tempfile::TempDir;

use super::{
    key::{StoredKey, recognise},
    plan::tests::{CLUSTER, ISSUER},
    *,
};
use crate::{
    error::{Check, Error},
    federation::{
        TrustedIssuer, changes,
        credential::{LastUse, Standing, StoredCredential},
        reading, workload,
    },
    oidc::{KeySet, keys_from_pem},
    plan::{Action, Change},
    relying_party::Outcome,
    retry::Backoff,
};

const SUBJECT: &str = "system:serviceaccount:external-secrets:eso-reader";

/// An account with the secret `db` in it, and a cluster whose documents are public.
pub(super) struct World {
    pub(super) account: lab::Aws,
    key: SigningKey,
    _web: Web,
    _documents: TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        let (ca, documents, key) = (Ca::new(), TempDir::new().unwrap(), SigningKey::rsa(2048));
        let web = Web::start(&ca, &["oidc.lab.test"], documents.path());
        web.change(|settings| {
            let types = std::mem::take(&mut settings.content_types);
            settings.content_types =
                types.into_iter().map(|(path, kind)| (format!("/prod{path}"), kind)).collect();
        });
        let discovery = json!({
            "issuer": ISSUER, "jwks_uri": format!("{ISSUER}/openid/v1/jwks"), "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": [key.alg()],
        });
        for (path, document) in [
            ("prod/.well-known/openid-configuration", discovery),
            ("prod/openid/v1/jwks", json!({ "keys": [key.jwk()] })),
        ] {
            let path = documents.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, document.to_string()).unwrap();
        }
        let account = lab::Aws::start(&ca);
        account.resolve("oidc.lab.test", web.addr());
        account.put_secret("db", r#"{"password":"hunter2"}"#);
        account.put_parameter("/prod/db", "hunter2", None);
        Self { account, key, _web: web, _documents: documents }
    }

    fn settings(&self, service: Service) -> Settings {
        let url = self.account.http_url();
        let endpoints = json!({ "iam": url, "sts": url, "secretsManager": url, "ssm": url });
        Settings {
            account: lab::Aws::account().into(),
            region: Region::parse("aws.region", lab::Aws::region()).unwrap(),
            service,
            role: "eso".into(),
            kms_key: None,
            endpoints: serde_json::from_value(endpoints).unwrap(),
        }
    }

    pub(super) fn aws(&self, service: Service) -> Aws {
        let mut aws = Aws::connect(&self.settings(service), &Http::new(&[]).unwrap()).unwrap();
        aws.client = self.signing(aws.client);
        let ms = Duration::from_millis;
        aws.patience =
            Patience { first: ms(5), longest: ms(20), after_write: ms(2000), otherwise: Duration::ZERO };
        aws
    }

    fn signing(&self, client: Client) -> Client {
        let own = self.account.administrator();
        let mut client = client.signing_with(Credentials::new(
            own.access_key_id,
            own.secret_access_key,
            None,
            None,
            "test",
        ));
        client.backoff = Backoff::request(Duration::from_millis(1), 4);
        client
    }

    pub(super) fn trust(&self, secrets: &[&str]) -> Trust {
        Trust {
            issuer: TrustedIssuer::Published(ISSUER.parse().unwrap()),
            cluster_id: CLUSTER.to_owned(),
            keys: KeySet::new(keys_from_pem(self.key.public_pem().as_bytes(), "test").unwrap()).unwrap(),
            proof: None,
            signing: Vec::new(),
            staged: Vec::new(),
            former: Vec::new(),
            workloads: vec![workload("external-secrets/eso-reader", secrets)],
        }
    }

    /// As ESO asks for it, but for one claim.
    fn token(&self, claim: &str, value: Value) -> Token {
        let now = now();
        let mut claims = json!({
            "iss": ISSUER, "sub": SUBJECT, "aud": ["sts.amazonaws.com"], "iat": now, "nbf": now, "exp": now + 900
        });
        claims[claim] = value;
        Token::parse(&self.key.jws(&claims)).unwrap()
    }

    fn good_token(&self) -> Token {
        self.token("sub", json!(SUBJECT))
    }
}

#[expect(clippy::disallowed_methods, reason = "the stand-in's clock is this machine's")]
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

async fn do_all(changes: &[Change<Box<dyn Act + '_>>]) -> Result<()> {
    for change in changes {
        change.run(&mut |_: &str| ()).await?;
    }
    Ok(())
}

async fn set_up(aws: &Aws, want: &Trust) -> Result<Vec<Action>> {
    let changes = aws.plan(want).await?.changes;
    do_all(&changes).await?;
    Ok(changes.iter().map(|change| change.step.action).collect())
}

fn checks(findings: &[Finding]) -> Vec<(Check, bool)> {
    findings.iter().map(|it| (it.check, matches!(it.outcome, Outcome::Passed(_)))).collect()
}

const PASSED: [(Check, bool); 2] = [(Check::AwsExchange, true), (Check::AwsRead, true)];

#[tokio::test]
async fn there_and_back_for_both_services() {
    for (service, secret) in [(Service::SecretsManager, "db"), (Service::ParameterStore, "/prod/db")] {
        let world = World::new();
        let (aws, want) = (world.aws(service), world.trust(&[secret]));
        assert_eq!(set_up(&aws, &want).await.unwrap(), [Action::Create; 3], "{service:?}");
        assert_eq!(set_up(&aws, &want).await.unwrap(), [Action::NoOp; 3], "{service:?}");
        let findings = aws.probe(&world.good_token(), &reading(secret), &mut |_: &str| ()).await;
        assert_eq!(checks(&findings), PASSED, "{findings:?}");
        assert!(!format!("{findings:?}").contains("hunter2"));
        let rights = want.workloads[0].rights.clone();
        assert_eq!(aws.held(&want.workloads[0], CLUSTER, &rights).await, rights);
        assert!(aws.held(&want.workloads[0], "other", &rights).await.is_empty());

        let back = changes(aws.withdraw(&want).await.unwrap());
        assert_eq!(back.iter().map(|change| change.step.action).collect::<Vec<_>>(), [Action::Delete; 3]);
        do_all(&back).await.unwrap();
        do_all(&back).await.unwrap();
        assert!(world.account.roles().is_empty() && world.account.providers().is_empty());
        let back = changes(aws.withdraw(&want).await.unwrap());
        assert!(back.iter().all(|change| change.step.action == Action::NoOp), "{back:?}");
    }
}

#[tokio::test]
async fn wrong_tokens_open_nothing() {
    let world = World::new();
    let aws = world.aws(Service::SecretsManager);
    set_up(&aws, &world.trust(&["db"])).await.unwrap();
    // What was written is known by now.
    let aws = world.aws(Service::SecretsManager);
    for (claim, value, cause) in [
        ("aud", json!(["other"]), "client ID"),
        ("sub", json!("system:serviceaccount:external-secrets:other"), "does not tell which"),
        ("iss", json!("https://other.lab.test"), "no OIDC provider"),
        ("exp", json!(now() - 3600), "expired"),
    ] {
        let findings = aws.probe(&world.token(claim, value), &reading("db"), &mut |_: &str| ()).await;
        let text = findings[0].to_text();
        assert!(findings[0].is_failed() && text.contains(cause), "{claim}: {text}");
        assert!(!checks(&findings)[1].1, "{claim}");
    }
    let findings = aws.probe(&world.good_token(), &reading("other"), &mut |_: &str| ()).await;
    assert_eq!(checks(&findings), [(Check::AwsExchange, true), (Check::AwsRead, false)]);
}

#[tokio::test]
async fn new_role_is_waited_for() {
    let world = World::new();
    let aws = world.aws(Service::SecretsManager);
    set_up(&aws, &world.trust(&["db"])).await.unwrap();
    world.account.refuse_next(2, "sts:AssumeRoleWithWebIdentity", 403, "AccessDenied", "Not authorized");
    let mut reasons = Vec::new();
    let findings =
        aws.probe(&world.good_token(), &reading("db"), &mut |text: &str| reasons.push(text.to_owned())).await;
    assert_eq!(checks(&findings), PASSED, "{findings:?}");
    assert!(reasons.len() == 2 && reasons[0].contains("AccessDenied"), "{reasons:?}");
}

#[tokio::test]
async fn another_account_is_refused_first() {
    let world = World::new();
    let mut aws = world.aws(Service::SecretsManager);
    aws.settings.account = "999988887777".into();
    let error = aws.plan(&world.trust(&["db"])).await.unwrap_err();
    assert_eq!(error.code, Code::AwsOtherAccount, "{error}");
    assert!(world.account.roles().is_empty() && world.account.providers().is_empty());
}

#[tokio::test]
async fn full_account_says_what_to_do() {
    let world = World::new();
    world.account.change(|settings| settings.most_providers = 0);
    let error = set_up(&world.aws(Service::SecretsManager), &world.trust(&["db"])).await.unwrap_err();
    assert_eq!(error.code, Code::AwsLimit, "{error}");
    assert!(error.hints[0].contains("100 OIDC providers"), "{error}");
}

fn stored(world: &World, id: &str, user: Option<&str>) -> Result<StoredKey, Error> {
    let text = format!(
        "aws: {{account: '{}', region: {}, {}endpoints: {{iam: '{url}', sts: '{url}'}}}}\n",
        lab::Aws::account(),
        lab::Aws::region(),
        user.map(|user| format!("keyUser: {user}, ")).unwrap_or_default(),
        url = world.account.http_url(),
    );
    let section = section::tests::read(&text)?;
    let key = StoredKey::connect(&recognise(id.as_bytes()).unwrap(), &section, &Http::new(&[]).unwrap())?;
    Ok(key.with(|client| world.signing(client)))
}

#[tokio::test]
async fn key_is_retired_and_brought_back() {
    let world = World::new();
    let id = world.account.user("eso", json!({ "Statement": [] })).access_key_id;
    let key = stored(&world, &id, Some("eso")).unwrap();
    assert_eq!(key.look().await.unwrap(), Standing::Enabled);
    assert_eq!(key.last_use().await, LastUse::NotKnown);
    key.disable().await.unwrap();
    key.disable().await.unwrap();
    assert_eq!(
        (key.look().await.unwrap(), world.account.key_is_active(&id)),
        (Standing::Disabled, Some(false))
    );
    key.enable().await.unwrap();
    assert_eq!(key.look().await.unwrap(), Standing::Enabled);
    // One that is enabled again may be in use.
    let error = key.delete().await.unwrap_err();
    assert_eq!((error.code, world.account.key_is_active(&id)), (Code::AwsChanged, Some(true)), "{error}");
    key.disable().await.unwrap();
    let again = stored(&world, &id, Some("eso")).unwrap();
    key.delete().await.unwrap();
    key.delete().await.unwrap();
    // AWS does not tell a key that is gone from one that it may not tell of.
    assert!(matches!(again.look().await.unwrap(), Standing::NotProved(why) if why.contains("is not known")));
    assert_eq!((key.look().await.unwrap(), world.account.key_is_active(&id)), (Standing::Absent, None));
}

#[tokio::test]
async fn unconfirmed_key_stays() {
    let world = World::new();
    let id = world.account.user("admin", json!({ "Statement": [] })).access_key_id;
    for user in [None, Some("eso")] {
        let key = stored(&world, &id, user).unwrap();
        // The store may turn to its new login all the same.
        assert!(matches!(key.look().await.unwrap(), Standing::NotProved(why) if why.contains("aws.keyUser")));
        for error in [key.disable().await.unwrap_err(), key.delete().await.unwrap_err()] {
            assert_eq!(error.code, Code::AwsKeyUser, "{error}");
        }
    }
    let foreign = world.account.foreign_key("999988887777");
    let key = stored(&world, &foreign, Some("eso")).unwrap();
    assert!(key.disable().await.is_err());
    // The store reads in that account: it must not turn to another one.
    let error = key.look().await.unwrap_err();
    assert!(error.code == Code::AwsOtherAccount && error.message.contains("999988887777"), "{error}");
    // Where AWS may not tell, it is not known.
    world.account.deny("sts:GetAccessKeyInfo");
    assert!(matches!(key.look().await.unwrap(), Standing::NotProved(_)));
    assert_eq!(world.account.key_is_active(&id), Some(true));
}

#[path = "changed_tests.rs"]
mod changed;
