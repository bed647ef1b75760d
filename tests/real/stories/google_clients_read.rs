//! Google's own clients, which know nothing of `keyless`, read a secret through the file that it wrote for them,
//! with a token of the store's ServiceAccount in a file beside it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::setting::{ACCOUNT_OF_STORE, Mode, POOL, SECRET, Setting, configure, sign_as};
use crate::call::{Call, Ran, installed};
use crate::check::{Checked, Failure, While, check};
use crate::far_sides::FarSide;
use crate::google::{self, PROJECT};
use crate::kubernetes::DEFAULT_ISSUER;
use crate::world::{ACCOUNT, ISSUER, World};

/// Prints what it read: the same as the stand-in for Google is tried with.
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/google/client.py");

pub(crate) async fn play(world: &mut World) -> Checked {
    world.s3()?.forget(&world.anyone, "lab-issuer").await?;
    for mode in [Mode::Uploaded, Mode::Documents] {
        let issuers = match mode {
            Mode::Documents => [ISSUER, DEFAULT_ISSUER],
            Mode::Uploaded => [DEFAULT_ISSUER, ISSUER],
        };
        sign_as(world, issuers).await?;
        let config = configure(world, mode)?;
        let setting = Setting { world, mode, config: &config };
        setting.clear().await.during("taking away what a story that failed has left")?;
        setting.before().await.during("a store with a stored key")?;
        setting.setup(&[]).await?;
        world.google()?.add_version(SECRET, "for clients").await?;
        let clients = GoogleClients::new(&setting)?;
        clients.read().await.during(match mode {
            Mode::Documents => "with public documents",
            Mode::Uploaded => "with uploaded keys",
        })?;
        setting.keyless(&["teardown", "--yes"])?.run().await?.exits(0)?;
        setting.clear().await?;
    }
    Ok(())
}

struct GoogleClients<'a> {
    setting: &'a Setting<'a>,
    python: PathBuf,
    /// Not installed everywhere.
    gcloud: Option<PathBuf>,
    token: PathBuf,
    credentials: PathBuf,
}

impl<'a> GoogleClients<'a> {
    fn new(setting: &'a Setting<'a>) -> Checked<Self> {
        let folder = &setting.world.folder;
        Ok(Self {
            setting,
            python: setting.world.far_sides.program(FarSide::GoogleClients).map_err(Failure)?,
            gcloud: installed("gcloud"),
            token: folder.join("token"),
            credentials: folder.join("credentials.json"),
        })
    }

    async fn read(&self) -> Checked {
        let token_file = self.token.display().to_string();
        let arguments = ["render", "credentials", "--token-file", &token_file];
        let output = self.setting.keyless(&arguments)?.run().await?.exits(0)?.says("gcloud auth login")?;
        fs::write(&self.credentials, &output.stdout)?;
        let file: Value = serde_json::from_str(&output.stdout).during(&output)?;
        let audience = format!("https:{}", file["audience"].as_str().unwrap_or_default());
        check!(
            audience == format!("https:{}", google::provider(POOL, "cluster")),
            "the file's audience\n{output}"
        );

        self.mint(ACCOUNT_OF_STORE, &audience).await?;
        for transport in ["rest", "grpc"] {
            let output = self.python(transport).await?.exits(0)?;
            let read = output.stdout.contains(r#"{"password":"for clients"}"#);
            check!(read, "google-cloud-secret-manager by {transport} should read the secret\n{output}");
        }
        if let Some(gcloud) = &self.gcloud {
            let output = self.gcloud(gcloud).await?;
            check!(
                output.stdout == r#"{"password":"for clients"}"#,
                "gcloud should read the secret\n{output}"
            );
        } else {
            eprintln!("google-clients-read: without gcloud, which is not installed");
        }

        // The file opens nothing by itself: whose token lies there decides.
        self.mint(ACCOUNT, &audience).await?;
        let output = self.python("rest").await?.exits(0)?;
        check!(output.stdout.starts_with("no token"), "another ServiceAccount should be refused\n{output}");
        Ok(())
    }

    /// As the kubelet writes it, without a line break.
    async fn mint(&self, account: &str, audience: &str) -> Checked {
        let token = self.setting.world.servers()?[0].token(account, &[audience]).await?;
        Ok(fs::write(&self.token, token)?)
    }

    async fn python(&self, transport: &str) -> Checked<Ran> {
        let credentials = self.credentials.display().to_string();
        let arguments = ["-B", CLIENT, transport, &credentials, "secretmanager.googleapis.com"];
        let ca = self.setting.world.ca_file();
        let libraries = self.python.parent().unwrap_or(Path::new("/"));
        Call::new(&self.python, &arguments)
            .with("HOME", &self.setting.world.folder)
            .with("PYTHONPATH", libraries)
            .with("REQUESTS_CA_BUNDLE", &ca)
            .with("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", &ca)
            // The hosts file of this world is the system's to read.
            .with("GRPC_DNS_RESOLVER", "native")
            .run()
            .await
    }

    /// As its users do it: log in by the file, then read.
    async fn gcloud(&self, gcloud: &Path) -> Checked<Ran> {
        let credentials = format!("--cred-file={}", self.credentials.display());
        let call = |arguments: &[&str]| {
            Call::new(gcloud, arguments)
                .with("HOME", &self.setting.world.folder)
                .with("PATH", env::var_os("PATH").unwrap_or_default())
                .with("CLOUDSDK_PYTHON", &self.python)
                .with("CLOUDSDK_CONFIG", self.setting.world.folder.join("gcloud-of-clients"))
                .with("CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", self.setting.world.ca_file())
                .with("CLOUDSDK_CORE_PROJECT", PROJECT)
                .with("CLOUDSDK_CORE_DISABLE_PROMPTS", "1")
                .with("CLOUDSDK_CORE_DISABLE_USAGE_REPORTING", "1")
                .with("CLOUDSDK_CORE_CHECK_GCE_METADATA", "0")
                .with("CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK", "1")
        };
        call(&["auth", "login", &credentials]).run().await?.exits(0)?;
        let secret = format!("--secret={SECRET}");
        let output = call(&["secrets", "versions", "access", "latest", &secret]).run().await?.exits(0)?;
        // The next mode's login is another one.
        call(&["auth", "revoke", "--all"]).run().await?;
        Ok(output)
    }
}
