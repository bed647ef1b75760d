//! A person, or a command of theirs, in the world.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use tokio::process::Command;

use crate::check::{Checked, While};
use crate::far_sides::FarSide;
use crate::world::World;
use crate::{google, openbao, surroundings};

const ALL: [FarSide; 8] = [
    FarSide::ExternalSecrets,
    FarSide::FakeGcs,
    FarSide::Google,
    FarSide::Keyless,
    FarSide::Kubeadm,
    FarSide::Kubernetes,
    FarSide::OpenBao,
    FarSide::SeaweedFs,
];

/// A shell that ends it all when it ends.
pub(crate) async fn open() -> Checked<bool> {
    let (_world, mut bash) = enter("bash").await?;
    println!("{WELCOME}");
    bash.args(["--noprofile", "--norc", "-i"]).env("PS1", "keyless-world \\w $ ");
    Ok(bash.status().await.during("starting bash")?.success())
}

/// One command, which succeeds or not.
pub(crate) async fn run(program: &str, arguments: &[&str]) -> Checked<bool> {
    let (_world, mut command) = enter(program).await?;
    Ok(command.args(arguments).status().await.during(format_args!("starting {program}"))?.success())
}

/// Starts whatever is at hand; the command knows the way to it.
async fn enter(program: &str) -> Checked<(World, Command)> {
    let (folder, far_sides) = surroundings()?;
    let mut path = env::var_os("PATH").unwrap_or_default();
    let mut needed = Vec::new();
    for far_side in ALL {
        match (far_sides.locate(far_side), far_side) {
            (Ok(program), FarSide::Keyless) => prepend(&mut path, program.parent()),
            (Ok(folder), _) => {
                prepend(&mut path, Some(&folder));
                needed.push(far_side);
            }
            (Err(reason), _) => eprintln!("not here: {reason}"),
        }
    }
    let mut world = World::start(folder, far_sides, &needed).await?;
    if needed.contains(&FarSide::Kubernetes) {
        // It asks for the documents every ten seconds until they are public.
        world.start_relying_party().await?;
    }
    let ca = world.ca_file();
    // gcloud takes a token by a file only.
    let token = world.folder.join("google-token");
    fs::write(&token, &world.google()?.token)?;
    let mut command = Command::new(program);
    command
        .env("PATH", path)
        .env("KUBECONFIG", world.kubeconfig())
        .env("CA", &ca)
        .env("CURL_CA_BUNDLE", &ca)
        .env("AWS_CA_BUNDLE", &ca)
        .env("SSL_CERT_FILE", &ca)
        .env("CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", &ca)
        .env("GOOGLE_OAUTH_ACCESS_TOKEN", &world.google()?.token)
        .env("REQUESTS_CA_BUNDLE", &ca)
        .env("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", &token)
        .env("CLOUDSDK_CORE_PROJECT", google::PROJECT)
        .env("CLOUDSDK_CONFIG", world.folder.join("gcloud"))
        .env("VAULT_TOKEN", openbao::ROOT_TOKEN)
        .env("BAO_ADDR", format!("http://{}", openbao::ADDRESS))
        .env("BAO_TOKEN", openbao::ROOT_TOKEN)
        .envs(world.credentials());
    Ok((world, command))
}

const WELCOME: &str = "
A world of its own: nothing in here reaches the outside, and all of it ends with this shell.

  https://10.99.0.1:6443, https://10.99.0.2:6443   two API servers of one cluster; KUBECONFIG is its administrator
  https://s3.lab.test                              S3 (SeaweedFS); AWS_* is set
  https://storage.googleapis.com                   Google Cloud Storage (fake-gcs-server, no buckets yet)
  https://iam.googleapis.com and the like          the rest of Google, from `lab`: project acme-prod, the token is its owner's
  http://127.0.0.5:8200, https://bao.lab.test:8200 OpenBao; BAO_ADDR, BAO_TOKEN and VAULT_TOKEN are set
  External Secrets Operator 0.20.4                 in the namespace external-secrets
  https://10.99.0.3:6443                           another cluster, trusts https://s3.lab.test/lab-issuer/cluster-a

  The cluster's tokens already say that issuer. Publish it:
    keyless publish --create --bucket s3://lab-issuer/cluster-a --endpoint https://s3.lab.test --ca-file $CA
    curl https://s3.lab.test/lab-issuer/cluster-a/openid/v1/jwks
    aws --endpoint-url https://s3.lab.test s3 ls --recursive s3://lab-issuer
";

fn prepend(path: &mut OsString, folder: Option<&Path>) {
    if let Some(folder) = folder {
        let mut longer = folder.as_os_str().to_owned();
        longer.push(":");
        longer.push(&*path);
        *path = longer;
    }
}
