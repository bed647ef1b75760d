//! Google as `lab` has it, at Google's own names, and what the owner of a project does there by hand.

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::check::{Checked, Failure, While, check, until};
use crate::pki::Pki;

pub(crate) const ADDRESS: &str = "127.0.0.2";
pub(crate) const HOSTS: [&str; 7] = [
    "cloudresourcemanager.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "oauth2.googleapis.com",
    "secretmanager.googleapis.com",
    "serviceusage.googleapis.com",
    "sts.googleapis.com",
];
pub(crate) const PROJECT: &str = "acme-prod";
pub(crate) const NUMBER: &str = "123456789012";
const PROJECT_URL: &str = "https://cloudresourcemanager.googleapis.com/v3/projects/acme-prod";
pub(crate) const ACCESSOR: &str = "roles/secretmanager.secretAccessor";

pub(crate) struct Google {
    _lab: lab::Google,
    /// The project's owner.
    pub(crate) token: String,
    client: Client,
}

impl Google {
    pub(crate) fn start(pki: &Pki, client: &Client) -> Checked<Self> {
        let address = format!("{ADDRESS}:443").parse()?;
        // It fetches the issuer's documents by the world's own names.
        let lab = lab::Google::start_at(&pki.ca, address, lab::Resolver::System)?;
        let token = lab.token();
        Ok(Self { _lab: lab, token, client: client.clone() })
    }

    pub(crate) async fn call(&self, method: Method, url: &str, body: &Value) -> Checked<Value> {
        let mut request = self.client.request(method.clone(), url).bearer_auth(&self.token);
        if method != Method::GET && method != Method::DELETE {
            request = request.json(body);
        }
        let doing = format!("{method} {url} as the project's owner");
        let answer = request.send().await.during(&doing)?;
        let status = answer.status();
        let text = answer.text().await.during(&doing)?;
        check!(status.is_success(), "{doing}: {status}: {text}");
        serde_json::from_str(&text).during(doing)
    }

    pub(crate) async fn get(&self, url: &str) -> Checked<Value> {
        self.call(Method::GET, url, &Value::Null).await
    }

    pub(crate) async fn post(&self, url: &str, body: &Value) -> Checked<Value> {
        self.call(Method::POST, url, body).await
    }

    /// A call that answers with an operation, until that is done.
    pub(crate) async fn operate(&self, method: Method, url: &str, body: &Value) -> Checked {
        let operation = self.call(method, url, body).await?;
        let name = operation["name"].as_str().unwrap_or_default();
        until(format_args!("the operation {name}"), Duration::from_secs(20), async || {
            let operation = self.get(&format!("https://iam.googleapis.com/v1/{name}")).await?;
            check!(operation["done"] == true, "{operation}");
            check!(operation["error"].is_null(), "{operation}");
            Ok(())
        })
        .await
    }

    /// A token of Google for one of the cluster; `Err` holds the token service's message.
    pub(crate) async fn exchange(&self, audience: &str, token: &str) -> Checked<Result<(), String>> {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("audience", audience),
            ("scope", "https://www.googleapis.com/auth/cloud-platform"),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
            ("subject_token", token),
        ];
        let url = "https://sts.googleapis.com/v1/token";
        let answer = self.client.post(url).form(&form).send().await.during(url)?;
        let status = answer.status();
        let text = answer.text().await.during(url)?;
        Ok(if status.is_success() { Ok(()) } else { Err(text) })
    }

    /// A secret whose first version is `{"password": …}`.
    pub(crate) async fn create_secret(&self, name: &str, password: &str) -> Checked {
        self.create_labelled_secret(name, &json!({}), password).await
    }

    /// The same, with labels.
    pub(crate) async fn create_labelled_secret(&self, name: &str, labels: &Value, password: &str) -> Checked {
        let url = format!("{}?secretId={name}", secrets());
        self.post(&url, &json!({"replication": {"automatic": {}}, "labels": labels})).await?;
        self.add_version(name, password).await
    }

    /// The newest value of a secret.
    pub(crate) async fn latest(&self, name: &str) -> Checked<String> {
        let version = self.get(&format!("{}/versions/latest:access", secret(name))).await?;
        let data = BASE64_STANDARD.decode(version["payload"]["data"].as_str().unwrap_or_default())?;
        Ok(String::from_utf8(data)?)
    }

    pub(crate) async fn add_version(&self, name: &str, password: &str) -> Checked {
        let data = BASE64_STANDARD.encode(json!({"password": password}).to_string());
        let url = format!("{}:addVersion", secret(name));
        self.post(&url, &json!({"payload": {"data": data}})).await?;
        Ok(())
    }

    /// Lets exactly these members read the secret.
    pub(crate) async fn let_read(&self, name: &str, members: &[&str]) -> Checked {
        let policy = json!({"version": 3, "bindings": [{"role": ACCESSOR, "members": members}]});
        let url = format!("{}:setIamPolicy", secret(name));
        self.post(&url, &json!({"policy": policy})).await?;
        Ok(())
    }

    /// Deletes what is at this URL, if there is something.
    pub(crate) async fn remove(&self, url: &str) -> Checked {
        let status = self.client.delete(url).bearer_auth(&self.token).send().await.during(url)?.status();
        check!(status.is_success() || status == StatusCode::NOT_FOUND, "DELETE {url}: {status}");
        Ok(())
    }

    /// Who may read the secret, in which role.
    pub(crate) async fn readers(&self, name: &str) -> Checked<Value> {
        let url = format!("{}:getIamPolicy?options.requestedPolicyVersion=3", secret(name));
        Ok(self.get(&url).await?["bindings"].clone())
    }

    /// Who may do what in the whole project.
    pub(crate) async fn members(&self) -> Checked<Value> {
        let url = format!("{PROJECT_URL}:getIamPolicy");
        let asked = json!({"options": {"requestedPolicyVersion": 3}});
        Ok(self.post(&url, &asked).await?["bindings"].clone())
    }

    /// Lets exactly these bindings hold in the whole project.
    pub(crate) async fn set_members(&self, bindings: &Value) -> Checked {
        let policy = json!({"version": 3, "bindings": bindings});
        self.post(&format!("{PROJECT_URL}:setIamPolicy"), &json!({"policy": policy})).await?;
        Ok(())
    }

    /// A service account, and the file of a long-lived key for it.
    pub(crate) async fn create_key(&self, account: &str) -> Checked<Key> {
        let accounts = format!("https://iam.googleapis.com/v1/projects/{PROJECT}/serviceAccounts");
        self.post(&accounts, &json!({"accountId": account})).await?;
        let email = email(account);
        let key = self.post(&format!("{accounts}/{email}/keys"), &json!({})).await?;
        let file = BASE64_STANDARD.decode(key["privateKeyData"].as_str().unwrap_or_default())?;
        let name = key["name"].as_str().ok_or_else(|| Failure(format!("a key without a name: {key}")))?;
        Ok(Key {
            url: format!("https://iam.googleapis.com/v1/{name}"),
            file: String::from_utf8(file)?,
            email,
        })
    }

    /// All keys that users made for a service account.
    pub(crate) async fn keys(&self, email: &str) -> Checked<Vec<Value>> {
        let url = format!(
            "https://iam.googleapis.com/v1/projects/{PROJECT}/serviceAccounts/{email}/keys?keyTypes=USER_MANAGED"
        );
        Ok(self.get(&url).await?["keys"].as_array().cloned().unwrap_or_default())
    }

    /// Every pool, the deleted ones too.
    pub(crate) async fn pools(&self) -> Checked<Vec<Value>> {
        let answer = self.get(&format!("{}?showDeleted=true", pools())).await?;
        Ok(answer["workloadIdentityPools"].as_array().cloned().unwrap_or_default())
    }
}

/// A long-lived key of a service account.
pub(crate) struct Key {
    pub(crate) url: String,
    /// What an administrator once downloaded and put into a Secret.
    pub(crate) file: String,
    pub(crate) email: String,
}

fn email(account: &str) -> String {
    format!("{account}@{PROJECT}.iam.gserviceaccount.com")
}

pub(crate) fn account(account: &str) -> String {
    format!("https://iam.googleapis.com/v1/projects/{PROJECT}/serviceAccounts/{}", email(account))
}

pub(crate) fn secret(name: &str) -> String {
    format!("{}/{name}", secrets())
}

pub(crate) fn pools() -> String {
    format!("https://iam.googleapis.com/v1/projects/{PROJECT}/locations/global/workloadIdentityPools")
}

/// A provider's full name without a scheme, as an audience begins.
pub(crate) fn provider(pool: &str, provider: &str) -> String {
    format!(
        "//iam.googleapis.com/projects/{NUMBER}/locations/global/workloadIdentityPools/{pool}/providers/{provider}"
    )
}

/// One ServiceAccount of the cluster, as a policy names it.
pub(crate) fn principal(pool: &str, subject: &str) -> String {
    format!(
        "principal://iam.googleapis.com/projects/{NUMBER}/locations/global/workloadIdentityPools/{pool}/subject/{subject}"
    )
}

fn secrets() -> String {
    format!("https://secretmanager.googleapis.com/v1/projects/{PROJECT}/secrets")
}
