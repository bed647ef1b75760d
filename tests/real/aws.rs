//! AWS as `lab` has it, at AWS's own names, and what the owner of an account does there by hand.

use lab::Credentials;
use serde_json::{Value, json};

use crate::buckets::{ACCESS_KEY, SECRET_KEY};
use crate::check::Checked;
use crate::pki::Pki;

pub(crate) const ADDRESS: &str = "127.0.0.6";

pub(crate) struct Aws {
    lab: lab::Aws,
}

impl Aws {
    pub(crate) fn start(pki: &Pki) -> Checked<Self> {
        let address = format!("{ADDRESS}:443").parse()?;
        // It fetches the issuer's documents by the world's own names.
        let lab = lab::Aws::start_at(&pki.ca, address, lab::Resolver::System)?;
        // The owner of the S3 bucket is that of the account: there is one login in the environment.
        let owner = Credentials {
            access_key_id: ACCESS_KEY.to_owned(),
            secret_access_key: SECRET_KEY.to_owned(),
            session_token: None,
        };
        let everything = json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
        lab.take_key("owner", everything, &owner);
        Ok(Self { lab })
    }

    /// A new value of the secret, in the form that survives a change of provider.
    pub(crate) fn put_secret(&self, name: &str, password: &str) {
        self.lab.put_secret(name, &json!({"password": password}).to_string());
    }

    /// A long-lived key of a new IAM user that may read this secret.
    pub(crate) fn create_key(&self, user: &str, secret: &str) -> Credentials {
        let arn = format!("arn:aws:secretsmanager:*:*:secret:{secret}-??????");
        let policy = json!({"Statement": {
            "Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": arn}});
        self.lab.user(user, policy)
    }

    /// `None`: it is deleted.
    pub(crate) fn key_is_active(&self, key: &Credentials) -> Option<bool> {
        self.lab.key_is_active(&key.access_key_id)
    }

    pub(crate) fn role(&self, name: &str) -> Option<Value> {
        self.lab.role(name)
    }

    /// Everything that lets tokens in.
    pub(crate) fn trusts(&self) -> Vec<String> {
        [self.lab.roles(), self.lab.providers()].concat()
    }
}
