//! Azurite as Azure Blob Storage, and `lab`'s token endpoint beside it: Azurite looks at audience, issuer and times of a
//! token, and not at its signature.

use std::fs;
use std::path::Path;
use std::time::Duration;

use lab::Azure;
use reqwest::{Client, Method, RequestBuilder, StatusCode};

use crate::check::{Checked, Failure, While, check, until};
use crate::pki::Pki;
use crate::process::Process;

pub(crate) const ADDRESS: &str = "127.0.0.7";
pub(crate) const HOST: &str = "acmeoidc.blob.core.windows.net";

const READY: Duration = Duration::from_secs(60);
const VERSION: &str = "2024-11-04";

pub(crate) struct Azurite {
    process: Process,
    lab: Azure,
    /// Client ID and secret of an application; Azurite has no rights that one could lack.
    application: (String, String),
}

impl Azurite {
    pub(crate) fn start(program: &Path, folder: &Path, pki: &Pki) -> Checked<Self> {
        let serving = pki.serving("azurite", &[HOST]);
        let data = folder.join("azurite-data");
        fs::create_dir_all(&data)?;
        // The account's key, which nothing here uses: 32 times the same byte, in base64.
        let account = format!("acmeoidc:{}=", "QUFB".repeat(11).split_at(43).0);
        let process = Process::start_with(
            "azurite",
            program,
            [
                format!("--blobHost={ADDRESS}"),
                "--blobPort=443".to_owned(),
                format!("--cert={}", serving.certificate.display()),
                format!("--key={}", serving.key.display()),
                "--oauth=basic".to_owned(),
                "--skipApiVersionCheck".to_owned(),
                "--disableTelemetry".to_owned(),
                format!("--location={}", data.display()),
            ],
            [("AZURITE_ACCOUNTS", Path::new(&account))],
            folder,
        )?;
        let lab = Azure::start_tls(&pki.ca);
        let application = lab.add_client(Azure::contributor());
        Ok(Self { process, lab, application })
    }

    pub(crate) async fn ready(&mut self, client: &Client) -> Checked {
        let process = &mut self.process;
        until(HOST, READY, async || {
            process.running()?;
            // 403 without credentials: it is up, and nothing is public yet.
            let answer = client.get(format!("https://{HOST}/none/none")).send().await?;
            check!(answer.status() == StatusCode::FORBIDDEN, "status {}", answer.status());
            Ok(())
        })
        .await
    }

    /// What a program that logs in as the application has in its environment.
    pub(crate) fn login(&self) -> [(&'static str, String); 4] {
        [
            ("AZURE_AUTHORITY_HOST", self.lab.authority()),
            ("AZURE_TENANT_ID", Azure::tenant().to_owned()),
            ("AZURE_CLIENT_ID", self.application.0.clone()),
            ("AZURE_CLIENT_SECRET", self.application.1.clone()),
        ]
    }

    /// A container whose blobs everyone may read, and not list; it is there already when a story runs a second time.
    pub(crate) async fn create(&self, client: &Client, container: &str) -> Checked {
        let url = format!("https://{HOST}/{container}?restype=container");
        let request =
            self.request(client, Method::PUT, &url).await?.header("x-ms-blob-public-access", "blob");
        let status = request.send().await.during(&url)?.status();
        check!(
            status == StatusCode::CREATED || status == StatusCode::CONFLICT,
            "creating {container}: {status}"
        );
        Ok(())
    }

    /// A request of the account's owner.
    pub(crate) async fn request(
        &self,
        client: &Client,
        method: Method,
        url: &str,
    ) -> Checked<RequestBuilder> {
        let token = self.token(client).await?;
        Ok(client.request(method, url).bearer_auth(token).header("x-ms-version", VERSION))
    }

    async fn token(&self, client: &Client) -> Checked<String> {
        let url = format!("{}/{}/oauth2/v2.0/token", self.lab.authority(), Azure::tenant());
        let (id, secret) = &self.application;
        let form = format!(
            "grant_type=client_credentials&client_id={id}&client_secret={secret}&scope=https%3A%2F%2Fstorage.azure.com%2F.default"
        );
        let request =
            client.post(&url).header("content-type", "application/x-www-form-urlencoded").body(form);
        let text = request.send().await.during(&url)?.text().await.during(&url)?;
        let answer: serde_json::Value = serde_json::from_str(&text).during(&url)?;
        let token = answer["access_token"].as_str().map(str::to_owned);
        token.ok_or_else(|| Failure(format!("{url} gives no token")))
    }
}
