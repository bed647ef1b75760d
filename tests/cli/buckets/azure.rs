//! Azure Blob Storage.

use std::{fs, time::SystemTime};

use lab::Azure;
use serde_json::json;

use super::{shown::steps, *};

const ISSUER: &str = "https://acmeoidc.blob.core.windows.net/keys";
const DOCUMENTS: [&str; 2] = [".well-known/openid-configuration", "openid/v1/jwks"];

struct Account {
    world: World,
    azure: Azure,
    login: Vec<(&'static str, String)>,
}

impl Account {
    fn new(issuer: &str, access: Access) -> Self {
        let world = World::signing_as(1, issuer);
        let azure = Azure::start_tls(&world.ca);
        Azure::names().iter().for_each(|name| world.internet.route(name, azure.addr()));
        let (id, secret) = azure.add_client(access);
        let login = vec![
            ("AZURE_TENANT_ID", Azure::tenant().to_owned()),
            ("AZURE_CLIENT_ID", id),
            ("AZURE_CLIENT_SECRET", secret),
        ];
        Self { world, azure, login }
    }

    fn keyless(&self, command: &str, more: &[&str]) -> Ran {
        self.on("az://acmeoidc/keys", command, more)
    }

    fn on(&self, bucket: &str, command: &str, more: &[&str]) -> Ran {
        let arguments = [&[command, "--bucket", bucket, "--ca-file", "ca.pem"], more].concat();
        let mut command = self.world.command(&arguments);
        command.envs(self.login.iter().map(|(name, value)| (name, value)));
        Ran::from(command.output().unwrap())
    }
}

#[test]
fn new_azure_container_publishes_and_verifies() {
    let account = Account::new(ISSUER, Azure::owner());
    account.keyless("publish", &[]).fails(3, "bucket-missing", &["--create"]);
    assert!(account.azure.containers().is_empty());
    account.keyless("publish", &["--create", "--dry-run"]).ends(1).snapshot("plan-azure-container-created");
    assert!(account.azure.containers().is_empty(), "a dry run makes nothing");
    account.keyless("publish", &["--create"]).ends(0);
    assert_eq!(account.azure.blobs("keys"), DOCUMENTS);
    assert_eq!(account.azure.public_access("keys").as_deref(), Some("blob"));
    account.keyless("publish", &["--create"]).ends(0).says("unchanged: 1 key");
    let ran = account.keyless("verify", &["-vv"]).ends(0);
    let secret = &account.login[2].1;
    assert!(!ran.err.contains(secret) && !ran.err.contains("eyJ0eXAiOiJKV1Qi"), "a credential is shown");
    let new = SigningKey::rsa(2048);
    account.world.cluster.change_servers(|server| server.key_files.push((&new).into()));
    account.keyless("publish", &[]).ends(0).says("published: 2 keys");
}

#[test]
fn azure_plan_matches_what_is_done() {
    for existing in [false, true] {
        let account = Account::new(ISSUER, Azure::owner());
        if existing {
            account.azure.add_container("keys", None);
        }
        let shown = account.keyless("publish", &["--create", "--dry-run", "-o", "json"]).ends(1).json();
        let changes = || {
            let asked = account.azure.faults().requests().into_iter();
            asked.filter(|call| call.method != "GET" && !call.path.contains("/oauth2/")).collect::<Vec<_>>()
        };
        assert!(changes().is_empty(), "{:#?}", changes());
        account.keyless("publish", &["--create"]).ends(0);
        let names: BTreeSet<_> = changes()
            .iter()
            .map(|call| match call.path.as_str() {
                "/keys?restype=container" => "container az://acmeoidc/keys".to_owned(),
                "/keys?restype=container&comp=acl" => "public access of az://acmeoidc/keys".to_owned(),
                blob => format!("az://acmeoidc{blob}"),
            })
            .collect();
        assert_eq!(names, steps(&shown), "existing: {existing}");
        assert_eq!(account.keyless("publish", &["--create", "--dry-run"]).ends(0).code, Some(0));
    }
}

#[test]
fn account_forbidding_anonymous_access_is_named() {
    let account = Account::new(ISSUER, Azure::owner());
    account.azure.allow_public_access(false);
    account
        .keyless("publish", &["--create"])
        .fails(3, "public-access-prevented", &["--allow-blob-public-access true", "$web"])
        .snapshot("error-azure-account-closed");
    assert_eq!(account.azure.public_access("keys"), None);
}

#[test]
fn azure_website_publishes_at_its_address() {
    let issuer = "https://acmeoidc.z6.web.core.windows.net/prod";
    let account = Account::new(issuer, Access::Full);
    account.azure.allow_public_access(false);
    let publish = |more: &[&str]| account.on("az://acmeoidc/$web", "publish", more);
    publish(&["--create", "--issuer", issuer]).ends(0);
    assert_eq!(account.azure.blobs("$web"), DOCUMENTS.map(|path| format!("prod/{path}")));
    publish(&["--issuer", issuer]).ends(0).says("unchanged: 1 key");
}

#[test]
fn azure_issuers_elsewhere_write_nothing() {
    for (bucket, issuer) in [
        ("az://acmeoidc/keys", "https://acmeoidc.blob.core.windows.net/other"),
        ("az://acmeoidc/keys", "https://acmeoidc.blob.core.windows.net"),
        ("az://acmeoidc/keys", "https://other.blob.core.windows.net/keys"),
        ("az://acmeoidc/keys", "https://acmeoidc.z6.web.core.windows.net"),
        ("az://acmeoidc/$web", "https://other.z6.web.core.windows.net"),
        ("az://acmeoidc/$web", "https://acmeoidc.blob.core.windows.net/web"),
    ] {
        let account = Account::new(issuer, Access::Full);
        account.azure.add_container("keys", None);
        let ran = account.on(bucket, "publish", &["--create", "--issuer", issuer]);
        ran.fails(2, "issuer-other-bucket", &[issuer]);
        assert!(account.azure.blobs("keys").is_empty(), "{issuer}");
        assert!(!account.azure.website());
    }
}

#[expect(clippy::disallowed_methods, reason = "the stand-in's clock is this machine's")]
fn epoch() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn publisher_logs_in_by_workload_identity() {
    let mut account = Account::new(ISSUER, Azure::owner());
    account.keyless("publish", &["--create"]).ends(0);
    let (key, subject) = (account.world.key.clone(), "system:serviceaccount:keyless-system:keyless");
    let client_id =
        account.azure.federate(ISSUER, subject, json!({"keys": [key.jwk()]}), Azure::contributor());
    let now = epoch();
    let mut claims = json!({
        "iss": ISSUER, "sub": subject, "aud": ["api://AzureADTokenExchange"], "iat": now, "exp": now + 900,
    });
    let file = account.world.dir.path().join("token");
    let token = key.jws(&claims);
    fs::write(&file, &token).unwrap();
    account.login = vec![
        ("AZURE_TENANT_ID", Azure::tenant().to_owned()),
        ("AZURE_CLIENT_ID", client_id),
        ("AZURE_FEDERATED_TOKEN_FILE", file.display().to_string()),
    ];
    let new = SigningKey::rsa(2048);
    account.world.cluster.change_servers(|server| server.key_files.push((&new).into()));
    let ran = account.keyless("publish", &["-vv"]).ends(0).says("published: 2 keys");
    assert!(!ran.err.contains(&token), "the token of the cluster is shown");
    claims["iss"] = json!(format!("{ISSUER}/"));
    fs::write(&file, key.jws(&claims)).unwrap();
    account.keyless("publish", &[]).fails(3, "azure-login-refused", &["AADSTS700211", "slash"]);
}

#[test]
fn every_refused_request_is_explained() {
    for (access, code) in
        [(Access::ReadOnly, "bucket-forbidden"), (Access::Only(Vec::new()), "bucket-forbidden")]
    {
        let account = Account::new(ISSUER, access);
        account.azure.add_container("keys", Some("blob"));
        let role = "Storage Blob Data Contributor";
        account.keyless("publish", &[]).fails(3, code, &[role]);
        assert!(account.azure.blobs("keys").is_empty());
    }
    let mut account = Account::new(ISSUER, Access::Full);
    account.login = vec![("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:9".to_owned())];
    account.keyless("publish", &[]).fails(3, "bucket-credentials", &["az login"]);
}
