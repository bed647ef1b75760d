//! OpenBao as a relying party: it knows the issuer's URL and nothing else about the cluster.

use std::fs;
use std::path::Path;
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::check::{Checked, check, until};
use crate::pki::Pki;
use crate::process::Process;

pub(crate) const ADDRESS: &str = "127.0.0.5:8200";
/// The same server by TLS, as everyone but this harness reaches it.
pub(crate) const TLS_ADDRESS: &str = "10.99.0.5";
pub(crate) const TLS_HOST: &str = "bao.lab.test";
pub(crate) const ROOT_TOKEN: &str = "root-of-this-world";
const ROLE: &str = "app";
/// What a token for it must be minted for.
pub(crate) const AUDIENCE: &str = "openbao";

pub(crate) struct OpenBao {
    process: Process,
}

impl OpenBao {
    pub(crate) fn start(bao: &Path, folder: &Path, pki: &Pki) -> Checked<Self> {
        let serving = pki.serving("openbao", &[TLS_HOST]);
        let listener = json!({"listener": {"tcp": {
            "address": format!("{TLS_ADDRESS}:8200"),
            "tls_cert_file": serving.certificate,
            "tls_key_file": serving.key,
        }}});
        let config = folder.join("openbao.json");
        fs::write(&config, listener.to_string())?;
        let process = Process::start(
            "openbao",
            bao,
            [
                "server".to_owned(),
                "-dev".to_owned(),
                "-dev-no-store-token".to_owned(),
                format!("-dev-root-token-id={ROOT_TOKEN}"),
                format!("-dev-listen-address={ADDRESS}"),
                format!("-config={}", config.display()),
            ],
            folder,
        )?;
        Ok(Self { process })
    }

    pub(crate) async fn ready(&mut self, client: &Client) -> Checked {
        let process = &mut self.process;
        until("OpenBao", Duration::from_secs(60), async || {
            process.running()?;
            let answer = client.get(format!("http://{ADDRESS}/v1/sys/health")).send().await?;
            check!(answer.status().is_success(), "status {}", answer.status());
            Ok(())
        })
        .await
    }

    /// Makes a KV store and a JWT login of this name, and lets `subject` read everything in the store.
    pub(crate) async fn trust_for_secrets(
        &self,
        client: &Client,
        name: &str,
        issuer: &str,
        ca: &str,
        subject: &str,
    ) -> Checked {
        self.mount(client, name).await?;
        let steps = [
            (format!("sys/auth/{name}"), json!({"type": "jwt"})),
            (
                format!("auth/{name}/config"),
                json!({"oidc_discovery_url": issuer, "oidc_discovery_ca_pem": ca, "bound_issuer": issuer}),
            ),
            (
                format!("sys/policies/acl/{name}"),
                json!({"policy": format!("path \"{name}/data/*\" {{ capabilities = [\"read\"] }}")}),
            ),
            (
                format!("auth/{name}/role/{name}"),
                json!({
                    "role_type": "jwt",
                    "bound_audiences": ["vault"],
                    "bound_subject": subject,
                    "user_claim": "sub",
                    "token_policies": [name],
                    "token_ttl": "60s",
                }),
            ),
        ];
        for (path, body) in steps {
            self.write(client, &path, &body).await?;
        }
        Ok(())
    }

    /// Mounts a KV store of version 2, as OpenBao's administrator does before any client can read from it.
    pub(crate) async fn mount(&self, client: &Client, kv: &str) -> Checked {
        let body = json!({"type": "kv", "options": {"version": "2"}});
        self.write(client, &format!("sys/mounts/{kv}"), &body).await
    }

    /// Writes `{"password": …}` as the newest version of a secret.
    pub(crate) async fn put_secret(&self, client: &Client, kv: &str, key: &str, password: &str) -> Checked {
        let body = json!({"data": {"password": password}});
        // A mount that is being upgraded to version 2 refuses for a moment.
        until(format_args!("OpenBao's {kv}"), Duration::from_secs(10), async || {
            self.write(client, &format!("{kv}/data/{key}"), &body).await
        })
        .await
    }

    /// Takes away what [`OpenBao::trust_for_secrets`] made.
    pub(crate) async fn forget(&self, client: &Client, name: &str) -> Checked {
        for path in ["sys/mounts", "sys/auth", "sys/policies/acl"] {
            self.remove(client, &format!("{path}/{name}")).await?;
        }
        Ok(())
    }

    /// Deletes what is at this path; nothing there is as good.
    pub(crate) async fn remove(&self, client: &Client, path: &str) -> Checked {
        if let Err(error) = self.call(client, Method::DELETE, path, &json!({})).await? {
            check!(false, "OpenBao kept {path}: {error}");
        }
        Ok(())
    }

    pub(crate) async fn write(&self, client: &Client, path: &str, body: &Value) -> Checked {
        if let Err(error) = self.call(client, Method::POST, path, body).await? {
            check!(false, "OpenBao refused {path}: {error}");
        }
        Ok(())
    }

    /// Trusts the issuer, by what is public, and lets `subject` in. It reads the documents at once.
    pub(crate) async fn trust(&self, client: &Client, issuer: &str, ca: &str, subject: &str) -> Checked {
        // Written again each time: OpenBao keeps what it once read for as long as the mount exists.
        self.remove(client, "sys/auth/jwt").await?;
        let steps = [
            ("sys/auth/jwt", json!({"type": "jwt"})),
            (
                "auth/jwt/config",
                json!({
                    "oidc_discovery_url": issuer,
                    "oidc_discovery_ca_pem": ca,
                    // Not implied by the discovery URL.
                    "bound_issuer": issuer,
                }),
            ),
            (
                &format!("auth/jwt/role/{ROLE}"),
                json!({
                    "role_type": "jwt",
                    "bound_audiences": [AUDIENCE],
                    "bound_subject": subject,
                    "user_claim": "sub",
                    "token_ttl": "60s",
                }),
            ),
        ];
        for (path, body) in steps {
            self.write(client, path, &body).await?;
        }
        Ok(())
    }

    /// Logs in with a token; `Err` holds OpenBao's words.
    pub(crate) async fn login(&self, client: &Client, token: &str) -> Checked<Result<(), String>> {
        login(client, token).await
    }

    /// What it holds at `path` as its administrator sees it; `Err` holds OpenBao's words.
    pub(crate) async fn call(
        &self,
        client: &Client,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Checked<Result<String, String>> {
        call(client, method, path, body).await
    }
}

/// Logs in with a token, without the process at hand; `Err` holds OpenBao's words.
pub(crate) async fn login(client: &Client, token: &str) -> Checked<Result<(), String>> {
    let body = json!({"role": ROLE, "jwt": token});
    Ok(call(client, Method::POST, "auth/jwt/login", &body).await?.map(|_| ()))
}

async fn call(client: &Client, method: Method, path: &str, body: &Value) -> Checked<Result<String, String>> {
    let url = format!("http://{ADDRESS}/v1/{path}");
    let answer = client.request(method, url).header("X-Vault-Token", ROOT_TOKEN).json(body).send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    Ok(if status.is_success() { Ok(text) } else { Err(format!("{status}: {}", text.trim())) })
}
