//! The stand-in for AWS, driven by Amazon's own clients: boto3 and the AWS CLI.
//!
//! They are looked for in `target/aws-clients` (`python3 -m venv target/aws-clients`, then its
//! `pip install -r tests/lab/tests/clients/aws/requirements.txt`), and in the system's PATH.

mod exchange;
mod rights;
mod rules;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lab::{Aws, Ca, Credentials, SigningKey, Web};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client;

pub(crate) const HOST: &str = "issuer.lab.test";
pub(crate) const ISSUER: &str = "https://issuer.lab.test/prod";
pub(crate) const URL: &str = "issuer.lab.test/prod";
pub(crate) const SUBJECT: &str = "system:serviceaccount:external-secrets:eso-reader";

/// An account, and the documents of a cluster behind https
pub(crate) struct Account {
    pub(crate) ca: Ca,
    pub(crate) aws: Aws,
    pub(crate) key: SigningKey,
    pub(crate) dir: TempDir,
    pub(crate) web: Web,
    python: PathBuf,
}

impl Account {
    /// `None` and a named skip without boto3
    pub(crate) fn start() -> Option<Self> {
        let python = python()?;
        let (ca, key, dir) = (Ca::new(), SigningKey::from_stock(), tempfile::tempdir().unwrap());
        let site = dir.path().join("site");
        std::fs::create_dir_all(&site).unwrap();
        let web = Web::start(&ca, &[HOST], &site);
        let aws = Aws::start(&ca);
        aws.resolve(HOST, web.addr());
        let here = Self { ca, aws, key, dir, web, python };
        here.publish(&[&here.key]);
        Some(here)
    }

    /// Write the two documents
    pub(crate) fn publish(&self, keys: &[&SigningKey]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
        self.write(
            ".well-known/openid-configuration",
            &json!({"issuer": ISSUER, "jwks_uri": format!("{ISSUER}/openid/v1/jwks")}),
        );
        self.write("openid/v1/jwks", &json!({"keys": keys}));
    }

    pub(crate) fn write(&self, name: &str, document: &Value) {
        let path = self.dir.path().join("site/prod").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, document.to_string()).unwrap();
    }

    /// What the cluster mints for the workload, with some claims different
    pub(crate) fn token(&self, other: Value) -> String {
        self.key.jws(&claims(other))
    }

    /// The answers of boto3 to some steps; without `key` and `use` the administrator asks
    pub(crate) fn boto3(&self, steps: &[Value]) -> Vec<String> {
        let key = shown(&self.aws.administrator());
        let lines: String = steps
            .iter()
            .map(|step| {
                let mut step = step.clone();
                if step.get(3).is_none() {
                    step.as_array_mut().unwrap().push(json!({}));
                }
                if step[3].get("key").is_none() {
                    step[3]["key"] = key.clone();
                }
                format!("{step}\n")
            })
            .collect();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/aws/client.py");
        let mut command = clean(&self.python);
        command.arg(script).env("ENDPOINT", self.aws.url()).env("CA", self.ca.write(self.dir.path()));
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().expect("run python3");
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let answers: Vec<String> = out.lines().map(str::to_owned).collect();
        assert!(output.status.success() && answers.len() == steps.len(), "{out}\n{err}");
        answers
    }

    /// Provider, role with a policy for one secret, and the secret
    pub(crate) fn federate(&self) {
        self.aws.put_secret("prod/db", r#"{"password":"correct horse"}"#);
        for answer in self.boto3(&federation()) {
            assert!(answer.starts_with("ok"), "{answer}");
        }
    }
}

pub(crate) fn provider_arn() -> String {
    format!("arn:aws:iam::{}:oidc-provider/{URL}", Aws::account())
}

pub(crate) fn role_arn(name: &str) -> String {
    format!("arn:aws:iam::{}:role/{name}", Aws::account())
}

/// The steps that set the federation up
pub(crate) fn federation() -> [Value; 3] {
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Action": ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
        "Resource": [format!("arn:aws:secretsmanager:eu-central-1:{}:secret:prod/db-??????", Aws::account())]}]});
    [
        json!(["iam", "create_open_id_connect_provider", {"Url": ISSUER, "ClientIDList": ["sts.amazonaws.com"],
            "Tags": [{"Key": "keyless/cluster", "Value": "uid"}]}]),
        json!(["iam", "create_role", {"RoleName": "eso", "AssumeRolePolicyDocument": trust().to_string()}]),
        json!(["iam", "put_role_policy", {"RoleName": "eso", "PolicyName": "read",
            "PolicyDocument": policy.to_string()}]),
    ]
}

pub(crate) fn trust() -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"Federated": provider_arn()}, "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {(format!("{URL}:aud")): "sts.amazonaws.com", (format!("{URL}:sub")): SUBJECT}}}]})
}

pub(crate) fn claims(other: Value) -> Value {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let mut claims = json!({
        "iss": ISSUER, "sub": SUBJECT, "aud": ["sts.amazonaws.com"], "iat": now, "nbf": now, "exp": now + 3600,
    });
    for (name, value) in other.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

/// The step that exchanges a token, and its parameters
pub(crate) fn assume(token: &str, role: &str, options: Value) -> Value {
    json!(["sts", "assume_role_with_web_identity",
        {"RoleArn": role, "RoleSessionName": "lab", "WebIdentityToken": token}, options])
}

pub(crate) fn shown(key: &Credentials) -> Value {
    json!([key.access_key_id, key.secret_access_key, key.session_token])
}

/// A program without what the machine has set for Amazon's clients
pub(crate) fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars() {
        let upper = name.to_uppercase();
        if upper.ends_with("_PROXY") || upper.starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command
}

/// A program of `target/aws-clients`, or of the system
pub(crate) fn installed(program: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let own = target.join("aws-clients/bin").join(program);
    if own.is_file() { own } else { PathBuf::from(program) }
}

fn python() -> Option<PathBuf> {
    let python = installed("python3");
    let works = client("python3").is_some()
        && clean(&python).args(["-c", "import boto3"]).output().is_ok_and(|output| output.status.success());
    if !works {
        println!("skipped: boto3 is not installed");
        return None;
    }
    Some(python)
}
