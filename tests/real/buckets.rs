//! SeaweedFS as S3, and a stand-in for Google Cloud Storage.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::json;

use crate::check::{Checked, check, until};
use crate::pki::Pki;
use crate::process::Process;

pub(crate) const ACCESS_KEY: &str = "LABPUBLISHER";
pub(crate) const SECRET_KEY: &str = "only-for-this-world";
pub(crate) const S3_HOST: &str = "s3.lab.test";
pub(crate) const S3_ADDRESS: &str = "10.99.0.4";
/// A second gateway of SeaweedFS, with its token service.
pub(crate) const STS_HOST: &str = "sts.lab.test";
pub(crate) const STS_ADDRESS: &str = "10.99.0.8";
pub(crate) const GCS_HOST: &str = "storage.googleapis.com";
pub(crate) const GCS_ADDRESS: &str = "127.0.0.4";

const READY: Duration = Duration::from_secs(60);
const MASTER: &str = "127.0.0.1:9333";
/// SeaweedFS keeps its objects as files, which its own file API on loopback reads and writes.
const FILER: &str = "http://127.0.0.1:8888";

/// S3 at <https://s3.lab.test>, path style, with one identity that may do everything.
pub(crate) struct S3 {
    master: Process,
    /// Everything but the master.
    server: Option<Process>,
    weed: PathBuf,
    folder: PathBuf,
    flags: Vec<String>,
}

impl S3 {
    /// Starts the first part; [`S3::ready`] starts the rest and waits for it.
    pub(crate) fn start(weed: &Path, folder: &Path, pki: &Pki) -> Checked<Self> {
        let [master, data] = ["seaweedfs-master", "seaweedfs-data"].map(|name| folder.join(name));
        fs::create_dir_all(&master)?;
        fs::create_dir_all(&data)?;
        let identities = json!({"identities": [{
            "name": "publisher",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }]});
        let config = folder.join("s3.json");
        fs::write(&config, identities.to_string())?;
        let serving = pki.serving("s3", &[S3_HOST]);
        let flags = vec![
            "server".to_owned(),
            // Each bucket takes seven; stories have buckets of their own.
            "-volume.max=64".to_owned(),
            "-master=false".to_owned(),
            format!("-master.peers={MASTER}"),
            format!("-dir={}", data.display()),
            "-ip=127.0.0.1".to_owned(),
            "-ip.bind=127.0.0.1".to_owned(),
            "-filer".to_owned(),
            "-s3".to_owned(),
            format!("-s3.ip.bind={S3_ADDRESS}"),
            "-s3.port=443".to_owned(),
            "-s3.port.iceberg=0".to_owned(),
            "-s3.port.lance=0".to_owned(),
            format!("-s3.cert.file={}", serving.certificate.display()),
            format!("-s3.key.file={}", serving.key.display()),
            format!("-s3.config={}", config.display()),
        ];
        let master = Process::start(
            "seaweedfs-master",
            weed,
            [
                "master".to_owned(),
                format!("-mdir={}", master.display()),
                "-ip=127.0.0.1".to_owned(),
                "-ip.bind=127.0.0.1".to_owned(),
                "-volumeSizeLimitMB=64".to_owned(),
                "-telemetry=false".to_owned(),
            ],
            folder,
        )?;
        Ok(Self { master, server: None, weed: weed.to_owned(), folder: folder.to_owned(), flags })
    }

    pub(crate) async fn ready(&mut self, client: &Client) -> Checked {
        // A server that comes before the master has elected itself asks again five seconds later.
        let master = &mut self.master;
        until("SeaweedFS's master", READY, async || {
            master.running()?;
            let status = client.get(format!("http://{MASTER}/cluster/status")).send().await?;
            let status = status.text().await?;
            check!(status.contains("\"IsLeader\":true"), "{status}");
            Ok(())
        })
        .await?;
        let process = Process::start("seaweedfs", &self.weed, &self.flags, &self.folder)?;
        let process = self.server.insert(process);
        until(S3_HOST, READY, async || {
            process.running()?;
            // 403 without credentials: it is up, and requires authentication.
            let answer = client.get(format!("https://{S3_HOST}/")).send().await?;
            check!(answer.status() == StatusCode::FORBIDDEN, "status {}", answer.status());
            // It answers before it has a place to write to.
            put(client, &format!("{FILER}/ready"), "content").await
        })
        .await
    }

    /// Puts an object into a bucket behind the back of S3.
    pub(crate) async fn put(&self, client: &Client, path: &str, body: &'static str) -> Checked {
        put(client, &format!("{FILER}/buckets/{path}"), body).await
    }

    /// Whether there is a bucket of this name.
    pub(crate) async fn has(&self, client: &Client, bucket: &str) -> Checked<bool> {
        Ok(client.head(format!("{FILER}/buckets/{bucket}/")).send().await?.status().is_success())
    }

    /// Takes away a bucket with all that is in it, if there is one.
    pub(crate) async fn forget(&self, client: &Client, bucket: &str) -> Checked {
        let url = format!("{FILER}/buckets/{bucket}?recursive=true");
        let status = client.delete(&url).send().await?.status();
        check!(status.is_success() || status == StatusCode::NOT_FOUND, "DELETE {url}: {status}");
        Ok(())
    }
}

async fn put(client: &Client, url: &str, body: &'static str) -> Checked {
    let status = client.put(url).body(body).send().await?.status();
    check!(status.is_success(), "PUT {url}: {status}");
    Ok(())
}

/// Google Cloud Storage's JSON API and public URLs; no IAM, everything is public.
pub(crate) struct Gcs {
    process: Process,
}

impl Gcs {
    pub(crate) fn start(program: &Path, folder: &Path, pki: &Pki) -> Checked<Self> {
        let serving = pki.serving("gcs", &[GCS_HOST]);
        let process = Process::start(
            "fake-gcs-server",
            program,
            [
                "-scheme=https".to_owned(),
                format!("-host={GCS_ADDRESS}"),
                "-port=443".to_owned(),
                "-backend=memory".to_owned(),
                format!("-public-host={GCS_HOST}"),
                format!("-cert-location={}", serving.certificate.display()),
                format!("-private-key-location={}", serving.key.display()),
            ],
            folder,
        )?;
        Ok(Self { process })
    }

    pub(crate) async fn ready(&mut self, client: &Client) -> Checked {
        let process = &mut self.process;
        until(GCS_HOST, READY, async || {
            process.running()?;
            let answer = client.get(format!("https://{GCS_HOST}/storage/v1/b?project=lab")).send().await?;
            check!(answer.status().is_success(), "status {}", answer.status());
            Ok(())
        })
        .await
    }

    /// Makes a bucket; it is there already when a story runs a second time.
    pub(crate) async fn create(&self, client: &Client, bucket: &str) -> Checked {
        let url = format!("https://{GCS_HOST}/storage/v1/b?project=lab");
        let status = client.post(url).json(&json!({"name": bucket})).send().await?.status();
        check!(status.is_success() || status == StatusCode::CONFLICT, "creating {bucket}: {status}");
        Ok(())
    }
}
