//! `keyless setup --to aws` from outside, against a stand-in that verifies signatures, tokens, documents and policies.

mod call;
mod operator;
mod publisher;
mod publisher_moved;
mod refused;
mod rights;
mod steps;
mod story;

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use lab::{Aws, Credentials, EsoStandIn, SigningKey};
use serde_json::{Value, json};

use self::{
    call::{Call, form},
    operator::Operator,
};
use crate::{
    estate::put_operator,
    world::{ISSUER, PATIENCE, Ran, World},
};

const ESO: &str = "external-secrets.io/v1";
const SETUP: [&str; 6] = ["setup", "--yes", "--watch-for", "0s", "--to", "aws"];
const RETIRE: [&str; 7] = ["setup", "--yes", "--watch-for", "0s", "--to", "aws", "--retire-key"];
/// Where IAM has the issuer.
const PROVIDER: &str = "oidc.lab.test/prod";
/// The ServiceAccount that setup makes for the store.
const ACCOUNT: &str = "keyless-aws";
const SUBJECT: &str = "system:serviceaccount:external-secrets:keyless-aws";

/// A cluster whose store reads Secrets Manager with a stored access key, beside a bucket for its documents.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) aws: Aws,
    /// Of the IAM user `eso`.
    key_id: String,
    /// Who runs the program.
    pub(crate) administrator: Credentials,
    before: Value,
    _eso: EsoStandIn,
}

impl Scene {
    fn new() -> Self {
        Self::signing_as(ISSUER)
    }

    pub(crate) fn signing_as(issuer: &str) -> Self {
        let world = World::signing_with(1, issuer, SigningKey::from_stock());
        let aws = Aws::start(&world.ca);
        for name in Aws::names() {
            world.internet.route(name, aws.addr());
        }
        aws.resolve("oidc.lab.test", world.web.addr());
        aws.put_secret("db", r#"{"password":"hunter2"}"#);
        let may_read = json!({"Statement": {
            "Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}});
        let key = aws.user("eso", may_read);
        let cluster = &world.cluster;
        put_operator(cluster);
        cluster.put_object(json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": "aws-key", "namespace": "external-secrets"},
            "data": {"id": STANDARD.encode(&key.access_key_id), "key": STANDARD.encode(&key.secret_access_key)}}));
        let half = |member: &str| json!({"name": "aws-key", "namespace": "external-secrets", "key": member});
        cluster.put_object(
            json!({"apiVersion": ESO, "kind": "ClusterSecretStore", "metadata": {"name": "aws"},
            "spec": {"conditions": [{"namespaces": ["shop"]}], "provider": {"aws": {
                "service": "SecretsManager", "region": Aws::region(), "auth": {"secretRef": {
                    "accessKeyIDSecretRef": half("id"), "secretAccessKeySecretRef": half("key")}}}}}}),
        );
        cluster.put_object(json!({"apiVersion": ESO, "kind": "ExternalSecret",
            "metadata": {"name": "db", "namespace": "shop"},
            "spec": {"refreshInterval": "1s", "secretStoreRef": {"name": "aws", "kind": "ClusterSecretStore"},
                "target": {"name": "db"},
                "data": [{"secretKey": "password", "remoteRef": {"key": "db", "property": "password"}}]}}));
        let reader = Box::new(cluster.reader());
        let operator = Operator {
            cluster: reader,
            key: world.key.clone(),
            issuer: issuer.to_owned(),
            url: aws.http_url(),
        };
        let eso = EsoStandIn::start(cluster, move |store, key| operator.read(store, key));
        let administrator = aws.administrator();
        let before = cluster.object(ESO, "ClusterSecretStore", None, "aws").unwrap();
        let key_id = key.access_key_id;
        let scene = Self { world, aws, key_id, administrator, before, _eso: eso };
        scene.settings(&["keyUser: eso"]);
        scene.until_read();
        scene
    }

    /// Waits until the operator has read with the store as it is now.
    fn until_read(&self) {
        let end = Instant::now() + PATIENCE;
        loop {
            let user = self.world.cluster.object(ESO, "ExternalSecret", Some("shop"), "db").unwrap();
            if user["status"]["conditions"][0]["status"] == "True" {
                return;
            }
            assert!(Instant::now() < end, "{user:#}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the application has in the end.
    fn password(&self) -> Option<String> {
        let secret = self.world.cluster.object("v1", "Secret", Some("shop"), "db")?;
        String::from_utf8(STANDARD.decode(secret["data"]["password"].as_str()?).unwrap()).ok()
    }

    /// Waits until the application has this one.
    fn until_password(&self, password: &str) {
        let end = Instant::now() + PATIENCE;
        while self.password().as_deref() != Some(password) {
            assert!(Instant::now() < end, "{:?}", self.password());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Writes `keyless.yaml`: lines of `aws` beside the account.
    fn settings(&self, lines: &[&str]) {
        let www = self.world.www.display();
        let bucket = format!("bucket:\n  url: 'file://{www}'");
        let mut text = format!(
            "apiVersion: keyless/v1\nissuer: {ISSUER}\n{bucket}\naws:\n  account: '{}'\n",
            Aws::account()
        );
        for line in lines {
            text += &format!("  {line}\n");
        }
        std::fs::write(self.world.dir.path().join("keyless.yaml"), text).unwrap();
    }

    pub(crate) fn command(&self, as_: &Credentials, arguments: &[&str]) -> Command {
        let mut command = self.world.command(arguments);
        command.env("AWS_ACCESS_KEY_ID", &as_.access_key_id);
        command.env("AWS_SECRET_ACCESS_KEY", &as_.secret_access_key);
        if !matches!(arguments.first(), Some(&"audit")) {
            command.args(["--ca-file", "ca.pem"]);
        }
        // The user names the file: it decides whose key is retired.
        if !arguments.contains(&"--config") {
            command.args(["--config", "keyless.yaml"]);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let ran = Ran::of(&mut self.command(&self.administrator, arguments));
        self.shows_no_secret(&ran);
        ran
    }

    #[track_caller]
    fn shows_no_secret(&self, ran: &Ran) {
        for secret in [&*self.administrator.secret_access_key, "hunter2", "PRIVATE KEY", "eyJ"] {
            for text in [&ran.out, &ran.err] {
                assert!(!text.contains(secret), "{secret} is shown:\n{text}");
            }
        }
    }

    fn store(&self) -> Value {
        self.world.cluster.object(ESO, "ClusterSecretStore", None, "aws").unwrap()
    }

    fn provider(&self) -> Value {
        self.store()["spec"]["provider"]["aws"].clone()
    }

    /// The role that setup names by itself.
    fn role_name(&self) -> String {
        format!("keyless-{}", &self.world.cluster_uid()[..8])
    }

    fn role(&self) -> Option<Value> {
        self.aws.role(&self.role_name())
    }

    fn secret_is_there(&self) -> bool {
        self.world.cluster.object("v1", "Secret", Some("external-secrets"), "aws-key").is_some()
    }

    /// The tag that setup writes on what it makes for this cluster.
    fn mark(&self) -> String {
        format!("managed by keyless in cluster {} for its ServiceAccounts", self.world.cluster_uid())
    }

    /// The store reads with its key, and the key is good.
    #[track_caller]
    fn is_untouched(&self, why: &str) {
        assert_eq!(self.store()["spec"], self.before["spec"], "{why}");
        let key = (self.aws.key_is_active(&self.key_id), self.secret_is_there());
        assert_eq!(key, (Some(true), true), "{why}");
    }

    /// Setup comes to its end: the store reads without its key, which is disabled.
    #[track_caller]
    fn ends_well(&self) {
        self.run(&SETUP).ends(0);
        let auth = self.provider()["auth"].clone();
        let expected =
            json!({"jwt": {"serviceAccountRef": {"name": ACCOUNT, "namespace": "external-secrets"}}});
        assert_eq!(auth, expected);
        assert_eq!(self.aws.key_is_active(&self.key_id), Some(false), "disabled, not deleted");
    }

    /// A call of IAM as an administrator makes it by hand.
    #[track_caller]
    fn iam(&self, action: &str, parameters: &[(&str, &str)]) {
        let own = &self.administrator;
        let (id, secret) = (&own.access_key_id, &own.secret_access_key);
        let credentials = aws_credential_types::Credentials::new(id, secret, None, None, "by hand");
        let url = self.aws.http_url();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let body = form("2010-05-08", action, parameters);
        let signer = Some(("iam", "us-east-1", credentials));
        let answer = Call { url: &url, headers: &headers, body, signer }.send().unwrap();
        assert!(answer.contains(&format!("<{action}Response")), "{answer}");
    }

    #[track_caller]
    fn create_role(&self, name: &str, trust: &str) {
        self.iam("CreateRole", &[("RoleName", name), ("AssumeRolePolicyDocument", trust)]);
    }

    /// Calls of an administrator that change something at AWS, and were not refused: `iam:CreateRole`.
    fn writes(&self) -> Vec<String> {
        let asks = ["Get", "List", "Describe", "Simulate", "Assume"];
        let calls = self.aws.heard().into_iter().filter(|call| call.refused.is_none());
        let actions = calls.map(|call| call.action);
        actions.filter(|it| !asks.iter().any(|ask| it.split(':').nth(1).unwrap().starts_with(ask))).collect()
    }
}
