//! The image that `deploy/image` builds, with what a kubelet gives the pod of `deploy/base/cron-job.yaml`: user, mounts,
//! environment.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::rbac::{self, PROBE};
use crate::call::Call;
use crate::check::{Checked, Failure, While, check};
use crate::far_sides::FarSide;
use crate::hosts::hosts;
use crate::world::{BUCKET, ISSUER, PREFIX, World};

const JOB: &str = "keyless-system/keyless";
const USER: &str = "65532:65532";
const OF_IMAGE: [&str; 2] = ["etc/ssl/certs/ca-certificates.crt", "keyless"];
const ACCOUNT: &str = "var/run/secrets/kubernetes.io/serviceaccount";

pub(crate) async fn play(world: &mut World) -> Checked {
    let world = &*world;
    let folder = world.folder.join("image");
    let root = folder.join("root");
    let config = unpack(world, &folder, &root).await?;
    check!(config["User"] == USER, "the image's user: {config}");
    check!(config["Entrypoint"] == json!(["/keyless"]), "the image's entry point: {config}");
    let labels = &config["Labels"];
    for label in ["title", "version", "description", "licenses"] {
        let value = labels[format!("org.opencontainers.image.{label}")].as_str().unwrap_or_default();
        check!(!value.is_empty(), "the label {label} is empty: {labels}");
    }
    let holds = files(&root)?;
    check!(holds == OF_IMAGE, "the image holds {holds:?}");

    world.published().await?;
    rbac::install(world).await?;
    mount(world, &root).await?;
    let before = files(&root)?;
    // The first run enters the keys into the ledger, unless another story's has done so.
    run(world, &root, "publish")?.run().await?.exits(0).during("publish out of the image")?;
    let out = run(world, &root, "publish")?.run().await?.exits(0).during("publish out of the image again")?;
    out.prints_one_line("unchanged:")?;
    let verified = run(world, &root, "verify")?.run().await?.exits(0).during("verify out of the image")?;
    let closing = verified.stdout.lines().last().unwrap_or_default();
    check!(closing.ends_with(" passed, 0 failed"), "`verify` closes with `{closing}`");
    check!(files(&root)? == before, "the read-only root would not do: {:?}", files(&root)?);
    Ok(())
}

/// The image's configuration; its layers are in `root` afterwards.
async fn unpack(world: &World, folder: &Path, root: &Path) -> Checked<Value> {
    let archive = world.far_sides.locate(FarSide::Image).map_err(Failure)?;
    let layout = folder.join("layout");
    fs::create_dir_all(&layout)?;
    fs::create_dir_all(root)?;
    tar(&archive, &layout, "-xf").await?;
    let read = |path: &Path| -> Checked<Value> {
        Ok(serde_json::from_slice(&fs::read(path).during(path.display())?)?)
    };
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().unwrap_or_default();
        layout.join("blobs").join(digest.replace(':', "/"))
    };
    let index = read(&layout.join("index.json"))?;
    let manifest = read(&blob(&index["manifests"][0]))?;
    for layer in manifest["layers"].as_array().into_iter().flatten() {
        tar(&blob(layer), root, "-xzf").await?;
    }
    println!("{:26}{} bytes", "image", fs::metadata(&archive)?.len());
    Ok(read(&blob(&manifest["config"]))?["config"].clone())
}

async fn tar(archive: &Path, folder: &Path, how: &str) -> Checked {
    let (archive, folder) = (archive.display().to_string(), folder.display().to_string());
    let unpack = Call::new(Path::new("tar"), &[how, &archive, "-C", &folder]);
    unpack.with("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").run().await?.exits(0)?;
    Ok(())
}

/// What the kubelet mounts: settings, the ServiceAccount's token, names. The world's certificate authority is an addition, as a
/// user of a private store has it.
async fn mount(world: &World, root: &Path) -> Checked {
    let server = &world.servers()?[0];
    let system = ["get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"];
    let uid = world.kubectl(&system)?.run().await?.exits(0)?.stdout;
    let settings = json!({
        "apiVersion": "keyless/v1",
        "issuer": ISSUER,
        "bucket": {"url": format!("s3://{BUCKET}/{PREFIX}"), "endpoint": "https://s3.lab.test", "region": "us-east-1"},
        "cluster": {"uid": uid.trim(), "serviceAccount": PROBE, "ledger": "keyless-system/keyless-ledger"},
        "tls": {"caFile": "/etc/keyless/ca.pem"},
    });
    for folder in ["etc/keyless", ACCOUNT] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::write(root.join("etc/keyless/keyless.yaml"), settings.to_string())?;
    fs::write(root.join("etc/keyless/ca.pem"), &world.pki.ca_pem)?;
    fs::write(root.join(ACCOUNT).join("token"), server.token(JOB, &[]).await?)?;
    fs::write(root.join(ACCOUNT).join("ca.crt"), &world.pki.ca_pem)?;
    fs::write(root.join(ACCOUNT).join("namespace"), "keyless-system")?;
    let names: String = hosts().iter().map(|(address, name)| format!("{address} {name}\n")).collect();
    fs::write(root.join("etc/hosts"), format!("127.0.0.1 localhost\n{names}"))?;
    fs::write(root.join("etc/resolv.conf"), "")?;
    Ok(())
}

/// The entry point with the arguments of the CronJob, or with `verify`.
fn run(world: &World, root: &Path, command: &str) -> Checked<Call> {
    let user = format!("--userspec={USER}");
    let root = root.display().to_string();
    let arguments =
        [user.as_str(), "--groups=", &root, "/keyless", command, "--config", "/etc/keyless/keyless.yaml"];
    let mut call = Call::new(Path::new("chroot"), &arguments)
        .with("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .with("KUBERNETES_SERVICE_HOST", world.servers()?[0].settings.address)
        .with("KUBERNETES_SERVICE_PORT", "6443");
    for (name, value) in world.credentials() {
        call = call.with(name, value);
    }
    Ok(call)
}

/// Every file below this folder, as a path in it.
fn files(root: &Path) -> Checked<Vec<String>> {
    let (mut folders, mut found) = (vec![root.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path.strip_prefix(root)?.display().to_string()),
            }
        }
    }
    found.sort();
    Ok(found)
}
