//! A person in the world.

use std::env;
use std::ffi::OsString;
use std::path::Path;

use tokio::process::Command;

use crate::check::{Checked, While};
use crate::far_sides::FarSide;
use crate::world::World;
use crate::{openbao, surroundings};

const ALL: [FarSide; 5] =
    [FarSide::FakeGcs, FarSide::Keyless, FarSide::Kubernetes, FarSide::OpenBao, FarSide::SeaweedFs];

/// Starts whatever is at hand, and a shell that ends it all when it ends.
pub(crate) async fn open() -> Checked<bool> {
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
        world.start_stranger().await?;
    }
    let ca = world.ca_file();
    println!("{}", WELCOME.replace("$CA", &ca.display().to_string()));
    let status = Command::new("bash")
        .args(["--noprofile", "--norc", "-i"])
        .env("PATH", path)
        .env("PS1", "keyless-world \\w $ ")
        .env("KUBECONFIG", world.kubeconfig())
        .env("CA", &ca)
        .env("CURL_CA_BUNDLE", &ca)
        .env("AWS_CA_BUNDLE", &ca)
        .env("GOOGLE_OAUTH_ACCESS_TOKEN", "anything")
        .env("BAO_ADDR", format!("http://{}", openbao::ADDRESS))
        .env("BAO_TOKEN", openbao::ROOT_TOKEN)
        .envs(world.credentials())
        .status()
        .await
        .during("starting bash")?;
    Ok(status.success())
}

const WELCOME: &str = "
A world of its own: nothing in here reaches the outside, and all of it ends with this shell.

  https://10.99.0.1:6443, https://10.99.0.2:6443   two API servers of one cluster; KUBECONFIG is its administrator
  https://s3.lab.test                              S3 (SeaweedFS); AWS_* is set
  https://storage.googleapis.com                   Google Cloud Storage (fake-gcs-server, no buckets yet)
  http://127.0.0.5:8200                            OpenBao; BAO_ADDR and BAO_TOKEN are set
  https://10.99.0.3:6443                           another cluster, trusts https://s3.lab.test/lab-issuer/cluster-a

  The cluster's tokens already say that issuer. Publish it:
    keyless publish --create --bucket s3://lab-issuer/cluster-a --endpoint https://s3.lab.test --ca-file $CA
    curl https://s3.lab.test/lab-issuer/cluster-a/openid/v1/jwks
";

fn prepend(path: &mut OsString, folder: Option<&Path>) {
    if let Some(folder) = folder {
        let mut longer = folder.as_os_str().to_owned();
        longer.push(":");
        longer.push(&*path);
        *path = longer;
    }
}
