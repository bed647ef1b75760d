//! What a container `FROM scratch` has: the binary, the files of its mounts, and from the kubelet a
//! hosts file and a resolv.conf. A static binary that would load a part of the C library for looking
//! up names fails here.

use std::fs;
use std::path::Path;

use crate::call::Call;
use crate::check::{Checked, While, check};
use crate::dns::NameServer;
use crate::hosts::hosts;
use crate::world::{S3_FLAGS, World};

const NAME_SERVER: &str = "10.99.0.4";
const FILES: [&str; 5] = ["ca.pem", "etc/hosts", "etc/resolv.conf", "keyless", "kubeconfig"];

pub(crate) async fn play(world: &mut World) -> Checked {
    let world = &*world;
    let root = world.folder.join("root");
    fs::create_dir_all(root.join("etc"))?;
    fs::copy(world.keyless_program()?, root.join("keyless"))?;
    fs::copy(world.ca_file(), root.join("ca.pem"))?;
    fs::copy(world.kubeconfig(), root.join("kubeconfig"))?;

    // By hosts file first, then by DNS only, as in a pod.
    let names: String = hosts().iter().map(|(address, name)| format!("{address} {name}\n")).collect();
    fs::write(root.join("etc/hosts"), format!("127.0.0.1 localhost\n{names}"))?;
    fs::write(root.join("etc/resolv.conf"), "")?;
    publish(world, &root)?.run().await?.exits(0).during("with a hosts file")?;

    let _server = NameServer::start(NAME_SERVER, &hosts()).await?;
    fs::write(root.join("etc/hosts"), "127.0.0.1 localhost\n")?;
    // As the kubelet writes it.
    let resolver = format!(
        "search default.svc.cluster.local svc.cluster.local cluster.local\n\
         nameserver {NAME_SERVER}\noptions ndots:5\n"
    );
    fs::write(root.join("etc/resolv.conf"), resolver)?;
    let again = publish(world, &root)?.run().await?.exits(0).during("with DNS only")?;
    again.prints_one_line("unchanged:")?;

    let mut left = Vec::new();
    list(&root, &root, &mut left)?;
    left.sort();
    check!(left == FILES, "the read-only root would not do: afterwards it holds {left:?}");
    Ok(())
}

fn publish(world: &World, root: &Path) -> Checked<Call> {
    let root = root.display().to_string();
    let mut arguments = vec![root.as_str(), "/keyless", "publish", "--create"];
    arguments.extend(S3_FLAGS);
    arguments.extend(["--ca-file", "/ca.pem"]);
    let mut call = Call::new(Path::new("chroot"), &arguments)
        .with("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .with("KUBECONFIG", "/kubeconfig");
    for (name, value) in world.credentials() {
        call = call.with(name, value);
    }
    Ok(call)
}

fn list(root: &Path, folder: &Path, files: &mut Vec<String>) -> Checked {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(root, &path, files)?;
        } else {
            files.push(path.strip_prefix(root)?.display().to_string());
        }
    }
    Ok(())
}
