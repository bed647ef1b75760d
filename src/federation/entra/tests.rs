//! The story against a far side that verifies tokens, documents, federated credentials and roles.

use std::{ffi::OsString, fs, time::SystemTime};

use lab::{Ca, SigningKey, Web};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    key::{StoredSecret, recognise},
    plan::tests::{CLUSTER, ISSUER},
    section::EntraSection,
    *,
};
use crate::{
    azure::Tokens,
    error::Check,
    federation::{FindBy, TrustedIssuer, changes, provider::Source, reading, workload},
    oidc::{KeySet, keys_from_pem},
    pattern::Pattern,
    plan::{Action, Change},
    relying_party::Outcome,
    retry::Backoff,
};

const SUBJECT: &str = "system:serviceaccount:external-secrets:eso-reader";

/// A vault with the secret `db` in it, and a cluster whose documents are public.
pub(super) struct World {
    pub(super) azure: lab::Entra,
    key: SigningKey,
    _web: Web,
    _documents: TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        let (ca, documents, key) = (Ca::new(), TempDir::new().unwrap(), SigningKey::from_stock());
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
        let azure = lab::Entra::start(&ca);
        azure.resolve("oidc.lab.test", web.addr());
        azure.put_secret("db", r#"{"password":"hunter2"}"#);
        Self { azure, key, _web: web, _documents: documents }
    }

    fn settings(&self) -> Settings {
        let url = self.azure.http_url();
        let endpoints = json!({ "login": url, "resourceManager": url, "graph": url, "keyVault": url });
        Settings {
            tenant: lab::Entra::tenant().into(),
            subscription: lab::Entra::subscription().into(),
            group: lab::Entra::group().into(),
            vault: lab::Entra::vault().into(),
            vault_group: lab::Entra::group().into(),
            identity: "eso".into(),
            endpoints: serde_json::from_value(endpoints).unwrap(),
        }
    }

    fn logging_in(&self, client: Client) -> Client {
        let (id, secret) = self.azure.administrator();
        let url = self.azure.http_url();
        let environment = move |name: &str| {
            let text = match name {
                "AZURE_AUTHORITY_HOST" => url.clone(),
                "AZURE_TENANT_ID" => lab::Entra::tenant().to_owned(),
                "AZURE_CLIENT_ID" => id.clone(),
                "AZURE_CLIENT_SECRET" => secret.clone(),
                _ => return None,
            };
            Some(OsString::from(text))
        };
        let tokens = Tokens::find(&Http::new(&[]).unwrap(), environment).unwrap();
        let mut client = client.logging_in_with(tokens);
        client.backoff = Backoff::request(Duration::from_millis(1), 4);
        client
    }

    pub(super) fn entra(&self) -> Entra {
        let mut entra = Entra::connect(&self.settings(), &Http::new(&[]).unwrap()).unwrap();
        entra.client = self.logging_in(entra.client);
        let ms = Duration::from_millis;
        entra.patience =
            Patience { first: ms(5), longest: ms(20), after_write: ms(2000), otherwise: Duration::ZERO };
        entra
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
        let mut claims = json!({ "iss": ISSUER, "sub": SUBJECT, "aud": [AUDIENCE], "iat": now, "nbf": now, "exp": now + 900 });
        claims[claim] = value;
        Token::parse(&self.key.jws(&claims)).unwrap()
    }

    pub(super) fn stored(&self, application: &str, secret: &str) -> StoredSecret {
        self.stored_beside(application, secret, None)
    }

    pub(super) fn stored_beside(
        &self,
        application: &str,
        secret: &str,
        client: Option<&str>,
    ) -> StoredSecret {
        let url = self.azure.http_url();
        let yaml = format!(
            "entra:\n  tenant: {}\n  keyApplication: '{application}'\n  endpoints:\n    graph: '{url}'\n",
            lab::Entra::tenant()
        );
        let section = section(&yaml);
        let identity = recognise(secret.as_bytes()).expect("the form of a secret");
        let identity =
            crate::federation::credential::Identity { client: client.map(str::to_owned), ..identity };
        let stored = StoredSecret::connect(&identity, &section, &Http::new(&[]).unwrap()).unwrap();
        stored.with(|client| self.logging_in(client))
    }
}

pub(super) fn section(yaml: &str) -> EntraSection {
    EntraSection::read(&Source {
        file: Some((yaml, std::path::Path::new("keyless.yaml"))),
        environment: &|_| None,
        has_bucket: true,
        ca_pem: None,
        is_of_user: &|_| true,
    })
    .unwrap()
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

async fn set_up(entra: &Entra, want: &Trust) -> Result<Vec<Action>> {
    let changes = entra.plan(want).await?.changes;
    do_all(&changes).await?;
    Ok(changes.iter().map(|change| change.step.action).collect())
}

fn checks(findings: &[Finding]) -> Vec<(Check, bool)> {
    findings.iter().map(|it| (it.check, matches!(it.outcome, Outcome::Passed(_)))).collect()
}

const PASSED: [(Check, bool); 2] = [(Check::EntraExchange, true), (Check::EntraRead, true)];

#[tokio::test(flavor = "multi_thread")]
async fn token_reads_once_everything_is_there() {
    let world = World::new();
    let (entra, want) = (world.entra(), world.trust(&["db"]));
    entra.suits().await.unwrap();
    assert_eq!(set_up(&entra, &want).await.unwrap(), [Action::Create; 3]);
    assert_eq!(set_up(&entra, &want).await.unwrap(), [Action::NoOp; 3]);
    let token = world.token("x", json!(1));
    let mut waits = Vec::new();
    let findings = entra.probe(&token, &reading("db"), &mut |text: &str| waits.push(text.to_owned())).await;
    assert_eq!((checks(&findings).as_slice(), waits.len()), (PASSED.as_slice(), 0), "{findings:?}");
    let other = entra.probe(&token, &reading("absent"), &mut |_: &str| ()).await;
    assert_eq!(checks(&other), [(Check::EntraExchange, true), (Check::EntraRead, false)]);
    let identity = world.azure.identity("eso").unwrap();
    assert_eq!(identity["roles"], json!(["4633458b-17de-408a-b874-0445c86b69e6 on acmevault/secrets/db"]));
    let logins = entra.logins(&want, &BTreeSet::new()).await.unwrap();
    let accounts: Vec<_> = logins.found.iter().map(|login| login.workload.account.to_string()).collect();
    assert_eq!((accounts, logins.unseen), (vec!["external-secrets/eso-reader".to_owned()], Vec::new()));
    let other = Trust { cluster_id: "other".into(), ..want.clone() };
    assert!(entra.logins(&other, &BTreeSet::new()).await.unwrap().found.is_empty());
    let gone = changes(entra.withdraw(&want).await.unwrap());
    do_all(&gone).await.unwrap();
    assert_eq!((world.azure.identities(), world.azure.assignments()), (Vec::<String>::new(), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_new_is_waited_for() {
    let world = World::new();
    world.azure.change(|it| (it.unseen_exchanges, it.unseen_reads) = (2, 2));
    world.azure.refuse_next(1, "Microsoft.Authorization/roleAssignments/write", 400, "PrincipalNotFound");
    let conflict = "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity";
    let write = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write";
    world.azure.refuse_next(2, write, 409, conflict);
    let (entra, want) = (world.entra(), world.trust(&["db"]));
    set_up(&entra, &want).await.unwrap();
    let mut waits = Vec::new();
    let token = world.token("x", json!(1));
    let findings = entra.probe(&token, &reading("db"), &mut |text: &str| waits.push(text.to_owned())).await;
    assert_eq!(checks(&findings), PASSED, "{findings:?}");
    assert!(
        waits[0].contains("AADSTS700211") && waits.iter().any(|it| it.contains("ForbiddenByRbac")),
        "{waits:?}"
    );
    // One that wrote nothing waits for nothing.
    let look = world.entra();
    world.azure.change(|it| it.unseen_exchanges = 0);
    world.azure.federate("eso", "keyless", "https://other.example", SUBJECT);
    let findings = look.probe(&token, &reading("db"), &mut |text: &str| panic!("{text}")).await;
    assert_eq!(checks(&findings), [(Check::EntraExchange, false), (Check::EntraRead, false)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_tokens_are_told_apart() {
    let world = World::new();
    let (entra, want) = (world.entra(), world.trust(&["db"]));
    set_up(&entra, &want).await.unwrap();
    let entra = Entra { written: Arc::default(), ..entra };
    for (claim, value, number) in [
        ("iss", json!(format!("{ISSUER}/")), "700211"),
        ("aud", json!(["sts.amazonaws.com"]), "700212"),
        ("aud", json!([AUDIENCE, "x"]), "700212"),
        ("sub", json!("system:serviceaccount:external-secrets:other"), "700213"),
        ("sub", json!("system:serviceaccount:external-secrets:ESO-reader"), "7002138"),
        ("exp", json!(1), "700024"),
    ] {
        let findings = entra.probe(&world.token(claim, value), &reading("db"), &mut |_: &str| ()).await;
        let Outcome::Failed { seen, .. } = &findings[0].outcome else { panic!("{findings:?}") };
        assert!(seen.contains(&format!("AADSTS{number}:")), "{claim}: {seen}");
    }
    let forged = World { key: SigningKey::rsa(2048), ..World::new() };
    let token = forged.token("x", json!(1));
    let findings = entra.probe(&token, &reading("db"), &mut |_: &str| ()).await;
    assert!(format!("{findings:?}").contains("AADSTS700027"), "{findings:?}");
}

/// Changes the stand-in; `&str`: the other tenant.
type Alteration = fn(&mut lab::EntraSettings, &str);

#[tokio::test(flavor = "multi_thread")]
async fn unsuitable_place_is_refused() {
    let other = "99999999-0000-0000-0000-000000000000";
    let cases: [(Alteration, Code, &str); 4] = [
        (|it, _| it.vault_by_roles = false, Code::EntraVaultMode, "--enable-rbac-authorization"),
        (|it, to| it.vault_tenant = to.into(), Code::EntraOtherTenant, "entra.tenant"),
        (|it, to| it.subscription_tenant = to.into(), Code::EntraOtherTenant, "entra.tenant"),
        (
            |it, _| it.swapped = Some(("/vaults/acmevault".into(), "/vaults/other".into())),
            Code::EntraOtherAnswer,
            "entra.endpoints",
        ),
    ];
    for (change, code, hint) in cases {
        let world = World::new();
        world.azure.change(|it| change(it, other));
        let error = world.entra().suits().await.unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(error.hints.iter().any(|it| it.contains(hint)) || error.message.contains(hint), "{error}");
        assert!(world.entra().plan(&world.trust(&["db"])).await.is_err());
        assert!(world.azure.identities().is_empty());
    }
    let world = World::new();
    world.azure.change(|it| it.identity_tenant = other.into());
    world.azure.add_identity("eso", json!({"keyless": wanted::mark(&world.trust(&[]))}));
    let error = world.entra().plan(&world.trust(&["db"])).await.unwrap_err();
    assert_eq!(error.code, Code::EntraOtherTenant, "{error}");
    let mut settings = world.settings();
    settings.group = "none".into();
    let mut entra = Entra::connect(&settings, &Http::new(&[]).unwrap()).unwrap();
    entra.client = world.logging_in(entra.client);
    let error = entra.plan(&world.trust(&["db"])).await.unwrap_err();
    assert_eq!(error.code, Code::EntraAbsent, "{error}");
    assert!(error.hints.iter().any(|hint| hint.contains("az group create")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_since_plan_is_left() {
    let world = World::new();
    let (entra, want) = (world.entra(), world.trust(&["db"]));
    let changes = entra.plan(&want).await.unwrap().changes;
    world.azure.add_identity("eso", json!({}));
    let error = do_all(&changes).await.unwrap_err();
    assert_eq!(error.code, Code::EntraChanged, "{error}");
    assert!(
        world.azure.identity("eso").unwrap()["tags"]["keyless"].is_null(),
        "a foreign one is not taken over"
    );

    let world = World::new();
    let entra = world.entra();
    set_up(&entra, &world.trust(&[])).await.unwrap();
    let want = world.trust(&["db"]);
    let changes = entra.plan(&want).await.unwrap().changes;
    world.azure.federate("eso", "ci", "https://ci.example", SUBJECT);
    let error = do_all(&changes).await.unwrap_err();
    assert_eq!((error.code, world.azure.assignments()), (Code::EntraChanged, 0), "{error}");
    let error = entra.plan(&want).await.unwrap_err();
    assert_eq!(error.code, Code::EntraIdentityForeign, "{error}");
    // Its way back: what lets in others stays.
    do_all(&changes_of(&entra, &want).await).await.unwrap();
    assert!(world.azure.identity("eso").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn role_on_another_vault_counts() {
    let world = World::new();
    let (entra, want) = (world.entra(), world.trust(&["db"]));
    set_up(&entra, &want).await.unwrap();
    let has = || {
        let it = world.azure.identity("eso");
        it.map(|it| it["federated"].as_array().map_or(0, Vec::len))
    };
    let planned = changes_of(&entra, &want).await;
    // Another vault's store logs in as it by now.
    world.azure.assign_elsewhere("eso", Some(&wanted::mark(&want)));
    let error = do_all(&planned).await.unwrap_err();
    assert_eq!((error.code, has()), (Code::EntraChanged, Some(1)), "{error}");
    do_all(&changes_of(&entra, &want).await).await.unwrap();
    assert_eq!((has(), world.azure.assignments()), (Some(1), 1), "the other one's role stays as well");
    world.azure.unassign_elsewhere();
    // Who may not look there takes nothing away that might be needed there.
    let read = "Microsoft.Authorization/roleAssignments/read";
    world.azure.refuse_next(1, read, 403, "AuthorizationFailed");
    do_all(&changes_of(&entra, &want).await).await.unwrap();
    assert_eq!(has(), Some(1));
    do_all(&changes_of(&entra, &want).await).await.unwrap();
    assert_eq!(has(), None);
    // And no new workload is let in to what another user gave it elsewhere.
    world.azure.add_identity("eso", json!({"keyless": wanted::mark(&want)}));
    world.azure.assign_elsewhere("eso", None);
    let error = entra.plan(&want).await.unwrap_err();
    assert_eq!(error.code, Code::EntraIdentityForeign, "{error}");
}

async fn changes_of<'e>(entra: &'e Entra, want: &Trust) -> Vec<Change<Box<dyn Act + 'e>>> {
    changes(entra.withdraw(want).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn list_is_read_to_its_end() {
    let world = World::new();
    world.azure.add_identity("eso", json!({"keyless": wanted::mark(&world.trust(&[]))}));
    for number in 0..20 {
        world.azure.federate("eso", &format!("ci-{number}"), "https://ci.example", &format!("x{number}"));
    }
    let error = world.entra().plan(&world.trust(&["db"])).await.unwrap_err();
    assert_eq!(error.code, Code::EntraLimit, "{error}");
    // A next page elsewhere would be given the credential.
    let from = world.azure.http_url();
    world.azure.change(|it| {
        it.swapped = Some((format!("\"nextLink\":\"{from}"), "\"nextLink\":\"https://evil.example".into()))
    });
    let error = world.entra().plan(&world.trust(&["db"])).await.unwrap_err();
    assert_eq!(error.code, Code::EntraAnswer, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn search_reads_what_it_finds() {
    let world = World::new();
    world.azure.put_secret("db-2", "x");
    world.azure.put_secret("api", "x");
    let find = Find { below: String::new(), by: FindBy::Name(Pattern::parse("^db").unwrap()) };
    let (entra, mut want) = (world.entra(), world.trust(&["db", "db-2"]));
    assert_eq!(entra.find(&find).await.unwrap(), ["db".to_owned(), "db-2".to_owned()].into());
    want.workloads[0].rights.insert(find.right());
    set_up(&entra, &want).await.unwrap();
    let token = world.token("x", json!(1));
    let findings = entra.probe(&token, &Trial::Find(find), &mut |_: &str| ()).await;
    assert_eq!(checks(&findings), [(Check::EntraExchange, true), (Check::EntraSearch, true)], "{findings:?}");
    let api = Find { below: String::new(), by: FindBy::Name(Pattern::parse("api").unwrap()) };
    let entra = Entra { written: Arc::default(), ..entra };
    let findings = entra.probe(&token, &Trial::Find(api), &mut |_: &str| ()).await;
    assert_eq!(checks(&findings)[1], (Check::EntraSearch, false), "{findings:?}");
    let held = entra.held(&want.workloads[0], CLUSTER, &want.workloads[0].rights).await;
    assert_eq!(held, want.workloads[0].rights);
    assert!(entra.held(&want.workloads[0], "other", &held).await.is_empty());
}
