//! What an administrator is told to write, judged by those who read it: the real kubeadm, and the real
//! kube-apiserver that is started with it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::call::Call;
use crate::check::{Checked, Failure, While, check};
use crate::far_sides::FarSide;
use crate::kubernetes::{ApiServer, DEFAULT_ISSUER};
use crate::tokens::claims;
use crate::world::{ACCOUNT, ISSUER, World};

/// An administrator's file has this part too; without it kubeadm asks for the machine's default route.
const MACHINE: &str = "\
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 10.99.0.6}
";

pub(crate) async fn play(world: &mut World) -> Checked {
    let world = &*world;
    let rendered = render(world, "kubeadm").await?;
    let changed = by_kubeadm(world, &rendered).await.during("kubeadm")?;
    let kubeadm = world.other_cluster("by-kubeadm", "10.99.0.6", &changed)?;

    let rendered = render(world, "k3s").await?;
    let k3s = world.other_cluster("by-k3s", "10.99.0.7", &by_k3s(&rendered)?)?;
    for mut server in [kubeadm, k3s] {
        server.ready().await?;
        signs_as_issuer(&server).await.during(server.settings.name)?;
    }
    Ok(())
}

async fn render(world: &World, distribution: &str) -> Checked<String> {
    let arguments = ["render", "issuer", "--distro", distribution, "--issuer", ISSUER];
    Ok(world.keyless(&arguments)?.run().await?.exits(0)?.stdout)
}

/// The flags of kube-apiserver that kubeadm makes of the rendered configuration, and would not make without.
async fn by_kubeadm(world: &World, rendered: &str) -> Checked<Vec<String>> {
    let folder = world.folder.join("kubeadm");
    fs::create_dir_all(&folder)?;
    let (with, without) = (folder.join("with.yaml"), folder.join("without.yaml"));
    fs::write(&with, format!("{rendered}\n---\n{MACHINE}"))?;
    fs::write(&without, MACHINE)?;

    let config = with.display().to_string();
    let judged =
        kubeadm(world, &folder, &["config", "validate", "--config", &config])?.run().await?.exits(0)?;
    for complaint in ["unknown field", "deprecated", "strict decoding"] {
        check!(!judged.stderr.contains(complaint), "kubeadm complains\n{judged}");
    }
    let usual = manifest(world, &folder.join("usual"), &without).await?;
    let flags = manifest(world, &folder.join("changed"), &with).await?;
    let lost: Vec<&String> =
        usual.iter().filter(|flag| !flags.contains(flag) && !is(flag, "service-account-issuer")).collect();
    check!(lost.is_empty(), "the API server would lose {lost:?}");
    let changed: Vec<String> =
        flags.into_iter().filter(|flag| is_issuers(flag) || !usual.contains(flag)).collect();
    only_issuer_flags(&changed)?;
    Ok(changed)
}

/// The API server's flags in the manifest that kubeadm would write.
async fn manifest(world: &World, folder: &Path, config: &Path) -> Checked<Vec<String>> {
    fs::create_dir_all(folder)?;
    let config = config.display().to_string();
    let phase = ["init", "phase", "control-plane", "apiserver", "--dry-run", "--config", &config];
    kubeadm(world, folder, &phase)?.run().await?.exits(0)?;
    let mut manifests = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    let written = manifests.find_map(|entry| {
        let file = if entry.is_dir() { entry.join("kube-apiserver.yaml") } else { entry };
        fs::read_to_string(file).ok().filter(|text| text.contains("kube-apiserver"))
    });
    let written =
        written.ok_or_else(|| Failure(format!("kubeadm wrote no manifest into {}", folder.display())))?;
    Ok(written.lines().filter_map(|line| line.trim().strip_prefix("- --")).map(str::to_owned).collect())
}

fn kubeadm(world: &World, folder: &Path, arguments: &[&str]) -> Checked<Call> {
    let program = world.far_sides.program(FarSide::Kubeadm).map_err(Failure)?;
    // It would write to /etc/kubernetes even when it only pretends.
    Ok(Call::new(&program, arguments).with("HOME", folder).with("KUBEADM_INIT_DRYRUN_DIR", folder))
}

/// The API server's flags in a configuration of k3s: nobody but k3s can judge the rest.
fn by_k3s(rendered: &str) -> Checked<Vec<String>> {
    let lines = rendered.lines().filter(|line| !line.trim_start().starts_with('#'));
    let mut entries = lines.skip_while(|line| line.trim_end() != "kube-apiserver-arg:").skip(1);
    let mut flags = Vec::new();
    while let Some(entry) = entries.next().and_then(|line| line.trim().strip_prefix("- ")) {
        flags.push(entry.trim_matches(['"', '\'']).to_owned());
    }
    check!(!flags.is_empty(), "no kube-apiserver-arg in the configuration for k3s:\n{rendered}");
    only_issuer_flags(&flags)?;
    Ok(flags)
}

fn only_issuer_flags(flags: &[String]) -> Checked {
    let issuers: Vec<&str> = flags
        .iter()
        .filter(|flag| is(flag, "service-account-issuer"))
        .filter_map(|flag| Some(flag.split_once('=')?.1))
        .collect();
    let both = issuers == [ISSUER, DEFAULT_ISSUER];
    check!(both, "the public issuer must be first, the cluster's own accepted: {issuers:?}");
    let others: BTreeSet<&String> = flags.iter().filter(|flag| !is_issuers(flag)).collect();
    check!(others.is_empty(), "flags that nobody needs: {others:?}");
    Ok(())
}

fn is_issuers(flag: &str) -> bool {
    is(flag, "service-account-issuer") || is(flag, "service-account-jwks-uri")
}

fn is(flag: &str, name: &str) -> bool {
    flag.split_once('=').is_some_and(|(flag, _)| flag == name)
}

/// Its tokens and its documents name the public issuer, and it takes its own tokens.
async fn signs_as_issuer(server: &ApiServer) -> Checked {
    let (namespace, name) = ACCOUNT.split_once('/').unwrap_or_default();
    let account = crate::eso::account(namespace, name);
    server.post(&format!("/api/v1/namespaces/{namespace}/serviceaccounts"), &account).await?;
    let token = server.token(ACCOUNT, &[]).await?;
    let issuer = claims(&token)?["iss"].clone();
    check!(issuer == ISSUER, "it signs as {issuer}");
    let document = server.get("/.well-known/openid-configuration").await?;
    check!(document["issuer"] == ISSUER, "its document: {document}");
    let key_set = format!("{ISSUER}/openid/v1/jwks");
    check!(document["jwks_uri"] == key_set, "its document: {document}");
    Ok(())
}
