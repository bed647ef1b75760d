//! The whole way against the stand-in: from nothing to a secret that is read, and back.

use std::time::{Duration, SystemTime};

use lab::{Ca, KillSwitch, Moment, SigningKey, Web};
use tempfile::TempDir;

use super::{
    plan::tests::{in_mode, issuer},
    *,
};
use crate::{
    error::Check,
    federation::{changes, reading, workload},
    oidc::{KeySet, keys_from_pem},
    plan::{Act, Action, Change},
    relying_party::Outcome,
    retry::Backoff,
};

const ISSUER: &str = "https://oidc.lab.test/prod";
const SUBJECT: &str = "system:serviceaccount:external-secrets:eso-reader";

/// A server that reaches the published documents, with one secret in it.
pub(super) struct World {
    ca: Ca,
    key: SigningKey,
    pub(super) server: lab::Vault,
    _web: Web,
    _documents: TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        Self::signing_with(SigningKey::ec(lab::Curve::P256))
    }

    fn signing_with(key: SigningKey) -> Self {
        let (ca, documents) = (Ca::new(), TempDir::new().unwrap());
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
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, document.to_string()).unwrap();
        }
        let server = lab::Vault::start(&ca, &["vault.lab.test"]);
        server.resolve("oidc.lab.test", web.addr());
        server.enable_kv("kv");
        server.put_secret("kv", "db", json!({ "password": "hunter2" }));
        Self { ca, key, server, _web: web, _documents: documents }
    }

    fn settings(&self, mode: Mode) -> Settings {
        Settings {
            address: self.server.url(),
            mount: "keyless".into(),
            mount_from_store: false,
            role_prefix: "external-secrets".into(),
            role: "eso".into(),
            kv: "kv".into(),
            mode,
            ca_pem: Some(self.ca.pem().to_owned()),
            issuer_ca_pem: Some(self.ca.pem().to_owned()),
            namespace: None,
            token: Some(Secret::new(self.server.root_token())),
        }
    }

    pub(super) fn vault(&self, mode: Mode, change: impl Fn(&mut Settings)) -> Vault {
        let mut settings = self.settings(mode);
        change(&mut settings);
        let mut vault = Vault::connect(&settings, &Http::new(&[]).unwrap()).unwrap();
        vault.api.backoff = Backoff::request(Duration::from_millis(1), 3);
        vault
    }

    pub(super) fn trust(&self) -> Trust {
        Trust {
            issuer: issuer(Mode::StaticKeys, ISSUER),
            cluster_id: "0b0a3f46-7f0f-4c55-9f0e-3b6f8f1f2a11".to_owned(),
            keys: KeySet::new(keys_from_pem(self.key.public_pem().as_bytes(), "test").unwrap()).unwrap(),
            proof: None,
            signing: Vec::new(),
            staged: Vec::new(),
            former: Vec::new(),
            workloads: vec![workload("external-secrets/eso-reader", &["db"])],
        }
    }

    /// As ESO asks for it, but for one claim.
    pub(super) fn token(&self, claim: &str, value: Value) -> Token {
        let now = now();
        let mut claims = json!({
            "iss": ISSUER, "sub": SUBJECT, "aud": ["vault"], "iat": now, "nbf": now, "exp": now + 900
        });
        claims[claim] = value;
        Token::parse(&self.key.jws(&claims)).unwrap()
    }

    pub(super) fn good_token(&self) -> Token {
        self.token("sub", json!(SUBJECT))
    }
}

#[expect(clippy::disallowed_methods, reason = "the stand-in's clock is this machine's")]
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

pub(super) async fn do_all(changes: &[Change<Box<dyn Act + '_>>]) -> Result<()> {
    for change in changes {
        change.run(&mut |_: &str| ()).await?;
    }
    Ok(())
}

pub(super) async fn set_up(vault: &Vault, want: &Trust) -> Result<Vec<Action>> {
    let changes = vault.plan(&in_mode(&vault.settings, want)).await?.changes;
    do_all(&changes).await?;
    Ok(changes.iter().map(|change| change.step.action).collect())
}

/// The names of the checks, and whether each passed.
pub(super) fn checks(findings: &[Finding]) -> Vec<(Check, bool)> {
    findings.iter().map(|it| (it.check, matches!(it.outcome, Outcome::Passed(_)))).collect()
}

pub(super) const PASSED: [(Check, bool); 3] =
    [(Check::VaultLogin, true), (Check::VaultRead, true), (Check::VaultLogout, true)];

#[tokio::test]
async fn there_and_back_in_every_mode() {
    for mode in [Mode::Discovery, Mode::JwksUrl, Mode::StaticKeys] {
        let world = World::signing_with(SigningKey::rsa(2048));
        let (vault, want) = (world.vault(mode, |_| ()), world.trust());
        let before = world.server.mounts();
        assert_eq!(set_up(&vault, &want).await.unwrap(), [Action::Create; 4], "{mode:?}");
        assert_eq!(set_up(&vault, &want).await.unwrap(), [Action::NoOp; 4], "{mode:?}");
        let config = world.server.jwt_config("keyless").unwrap();
        assert_eq!(config["bound_issuer"], ISSUER, "{mode:?}: never implied");
        let findings = vault.probe(&world.good_token(), &reading("db"), &mut |_: &str| ()).await;
        assert_eq!(checks(&findings), PASSED, "{findings:?}");
        assert!(!format!("{findings:?}").contains("hunter2"));

        let back = changes(vault.withdraw(&want).await.unwrap());
        assert_eq!(back.iter().map(|change| change.step.action).collect::<Vec<_>>(), [Action::Delete; 3]);
        do_all(&back).await.unwrap();
        do_all(&back).await.unwrap();
        assert_eq!(world.server.mounts(), before, "{mode:?}");
        assert_eq!(world.server.policy("keyless-eso"), None);
        let back = changes(vault.withdraw(&want).await.unwrap());
        assert!(back.iter().all(|change| change.step.action == Action::NoOp), "{back:?}");
    }
}

#[tokio::test]
async fn mode_change_leaves_nothing_behind() {
    let world = World::new();
    let want = world.trust();
    for mode in [Mode::StaticKeys, Mode::Discovery, Mode::JwksUrl, Mode::StaticKeys] {
        let vault = world.vault(mode, |_| ());
        set_up(&vault, &want).await.unwrap();
        assert_eq!(set_up(&vault, &want).await.unwrap(), [Action::NoOp; 4], "{mode:?}");
        let findings = vault.probe(&world.good_token(), &reading("db"), &mut |_: &str| ()).await;
        assert_eq!(checks(&findings), PASSED, "{mode:?}: {findings:?}");
    }
}

#[tokio::test]
async fn setup_resumed_anywhere_ends_the_same() {
    let world = World::new();
    let counter = KillSwitch::new(0, Moment::BeforeEffect, || ());
    world.server.faults().kill_switch(&counter);
    let vault = world.vault(Mode::StaticKeys, |_| ());
    set_up(&vault, &world.trust()).await.unwrap();
    let calls = counter.calls();
    assert!(calls >= 10, "{calls} calls");
    let state = |world: &World| {
        (world.server.mounts(), world.server.policy("keyless-eso"), world.server.jwt_role("keyless", "eso"))
    };
    let wanted = state(&world);
    for moment in [Moment::BeforeEffect, Moment::AfterEffect] {
        for at in 1..=calls {
            let world = World::new();
            let vault = world.vault(Mode::StaticKeys, |_| ());
            let switch = KillSwitch::new(at, moment, || ());
            world.server.faults().kill_switch(&switch);
            // Some questions may fail without harm; what follows is what counts.
            drop(set_up(&vault, &world.trust()).await);
            world.server.faults().kill_switch(&KillSwitch::new(0, moment, || ()));
            set_up(&vault, &world.trust()).await.unwrap();
            assert_eq!(state(&world), wanted, "stopped {moment:?} of call {at}");
            let findings = vault.probe(&world.good_token(), &reading("db"), &mut |_: &str| ()).await;
            assert_eq!(checks(&findings), PASSED, "stopped {moment:?} of call {at}: {findings:?}");
        }
    }
}

#[tokio::test]
async fn unsuitable_token_is_refused_with_cause() {
    let world = World::new();
    let vault = world.vault(Mode::Discovery, |_| ());
    set_up(&vault, &world.trust()).await.unwrap();
    let now = now();
    let other_cluster = World::new();
    let cases = [
        (world.token("exp", json!(now - 600)), "has expired"),
        (world.token("nbf", json!(now + 600)), "begins in the future"),
        (world.token("aud", json!(["https://kubernetes.default.svc"])), "does not take the audience"),
        (world.token("sub", json!("system:serviceaccount:default:default")), "another subject"),
        (world.token("iss", json!("https://oidc.lab.test/other")), "another issuer"),
        (other_cluster.good_token(), "does not have the key"),
    ];
    for (token, cause) in cases {
        let findings = vault.probe(&token, &reading("db"), &mut |_: &str| ()).await;
        assert_eq!(
            checks(&findings),
            [(Check::VaultLogin, false), (Check::VaultRead, false)],
            "{findings:?}"
        );
        assert!(findings[0].to_text().contains(cause), "{cause}: {}", findings[0].to_text());
        assert!(!findings[0].to_text().contains(token.expose()));
    }
    for (change, cause) in [
        ((|it: &mut Settings| it.role = "none".into()) as fn(&mut Settings), "there is no role none"),
        (|it| it.mount = "none".into(), "there is no auth method"),
    ] {
        let findings = world
            .vault(Mode::Discovery, change)
            .probe(&world.good_token(), &reading("db"), &mut |_: &str| ())
            .await;
        assert!(findings[0].to_text().contains(cause), "{}", findings[0].to_text());
    }
    let findings = vault.probe(&world.good_token(), &reading("other"), &mut |_: &str| ()).await;
    assert!(findings[1].to_text().contains("does not give this secret"), "{findings:?}");
    let want = world.trust().reading(&["db", "none"]);
    assert_eq!(set_up(&vault, &want).await.unwrap()[2], Action::Update);
    let findings = vault.probe(&world.good_token(), &reading("none"), &mut |_: &str| ()).await;
    assert!(findings[1].to_text().contains("does not exist"), "{findings:?}");
}

#[tokio::test]
async fn unreadable_documents_end_setup_with_cause() {
    let world = World::new();
    world.server.change(|settings| settings.trusts_lab = false);
    let http = Http::new(&roots(world.ca.pem()).unwrap()).unwrap();
    let without_ca = Settings { ca_pem: None, issuer_ca_pem: None, ..world.settings(Mode::Discovery) };
    let vault = Vault::connect(&without_ca, &http).unwrap();
    for (flavour, code) in
        [(lab::VaultFlavour::Vault, Code::VaultCannotFetch), (lab::VaultFlavour::OpenBao, Code::VaultCa)]
    {
        world.server.change(|settings| settings.flavour = flavour);
        let error = set_up(&vault, &world.trust()).await.unwrap_err();
        assert_eq!(error.code, code, "HashiCorp's server does not say why: {error}");
    }
    // With it, the same goes on from where it stopped.
    let vault = world.vault(Mode::Discovery, |_| ());
    let verbs = set_up(&vault, &world.trust()).await.unwrap();
    assert_eq!(verbs, [Action::NoOp, Action::Create, Action::Create, Action::Create]);

    let elsewhere = Trust { issuer: issuer(Mode::Discovery, "https://nowhere.lab.test"), ..world.trust() };
    let vault = world.vault(Mode::JwksUrl, |it| (it.mount, it.role) = ("other".into(), "other".into()));
    let error = set_up(&vault, &elsewhere).await.unwrap_err();
    assert!([Code::VaultCannotFetch, Code::VaultCa].contains(&error.code), "{error}");
    // A server that fetches nothing needs to reach no server.
    let vault = world.vault(Mode::StaticKeys, |it| (it.mount, it.role) = ("other".into(), "other".into()));
    set_up(&vault, &elsewhere).await.unwrap();
}

#[tokio::test]
async fn sealed() {
    let world = World::new();
    world.server.change(|settings| settings.sealed = true);
    let vault = world.vault(Mode::Discovery, |_| ());
    let error = vault.plan(&world.trust()).await.unwrap_err();
    assert_eq!(error.code, Code::VaultSealed, "{error}");
    let findings = vault.probe(&world.good_token(), &reading("db"), &mut |_: &str| ()).await;
    assert!(findings[0].to_text().contains("unseal"), "{findings:?}");
}

#[tokio::test]
async fn least_rights_suffice_and_are_needed() {
    let world = World::new();
    let rights = wanted::rights(&world.settings(Mode::StaticKeys));
    let policy = |without: Option<usize>| {
        let rights = rights.iter().enumerate().filter(|(position, _)| Some(*position) != without);
        rights
            .map(|(_, (path, capabilities))| {
                format!("path \"{path}\" {{ capabilities = {capabilities:?} }}\n")
            })
            .collect::<String>()
    };
    for without in (0..rights.len()).map(Some).chain([None]) {
        world.server.put_policy("admin", &policy(without));
        let token = world.server.token(&["admin"]);
        let vault = world.vault(Mode::StaticKeys, |it| it.token = Some(Secret::new(token.clone())));
        let way = async {
            let changes = vault.plan(&world.trust()).await?.changes;
            let reply = changes.iter().any(|change| change.step.needs().contains("this token lacks"));
            do_all(&changes).await.inspect_err(|error| {
                assert!(reply, "the plan did not say that {} would be refused", error.message);
            })?;
            // The same cluster moves to another issuer, and goes.
            let moved =
                Trust { issuer: issuer(Mode::StaticKeys, "https://oidc.lab.test/new"), ..world.trust() };
            let planned = vault.plan(&moved).await?.changes;
            assert_eq!(
                planned[..2].iter().map(|change| change.step.action).collect::<Vec<_>>(),
                [Action::Update; 2]
            );
            do_all(&planned).await?;
            do_all(&crate::federation::changes(vault.withdraw(&moved).await?)).await
        };
        let outcome = way.await;
        match without {
            None => outcome.unwrap(),
            Some(position) => {
                let error = outcome.unwrap_err();
                assert_eq!(error.code, Code::VaultForbidden, "{error}");
                let (path, _) = &rights[position];
                assert!(error.hints[0].contains(path.as_str()), "{path}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_somebody_elses_stays() {
    let world = World::new();
    let want = world.trust();
    let mine = world.vault(Mode::StaticKeys, |_| ());
    set_up(&mine, &want).await.unwrap();
    // Another cluster with the same names.
    let issuer = issuer(Mode::StaticKeys, "https://oidc.lab.test/other");
    let other = Trust { issuer, cluster_id: "another".into(), ..want.clone() };
    let error = mine.plan(&other).await.unwrap_err();
    assert_eq!(error.code, Code::VaultOtherCluster, "{error}");
    let beside = world.vault(Mode::StaticKeys, |it| it.mount = "other".into());
    let error = beside.plan(&other).await.unwrap_err();
    assert_eq!(error.code, Code::VaultOtherCluster, "the policy is the other role's: {error}");
    let beside = world.vault(Mode::StaticKeys, |it| (it.mount, it.role) = ("other".into(), "b".into()));
    set_up(&beside, &other).await.unwrap();

    // A second role on the same mount keeps the mount.
    let second = world.vault(Mode::StaticKeys, |it| it.role = "second".into());
    assert_eq!(
        set_up(&second, &want).await.unwrap(),
        [Action::NoOp, Action::NoOp, Action::Create, Action::Create]
    );
    let back = changes(mine.withdraw(&want).await.unwrap());
    assert_eq!(back.last().unwrap().step.action, Action::NoOp, "{back:?}");
    assert!(back.last().unwrap().step.reason.contains("second"), "{back:?}");
    do_all(&back).await.unwrap();
    let findings = second.probe(&world.good_token(), &reading("db"), &mut |_: &str| ()).await;
    assert_eq!(checks(&findings), PASSED, "{findings:?}");
    let error = world.vault(Mode::StaticKeys, |it| it.mount = "token".into()).plan(&want).await.unwrap_err();
    assert_eq!(error.code, Code::VaultMountInUse, "{error}");
}
