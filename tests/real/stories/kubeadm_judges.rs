//! What an administrator is told to write, judged by those who read it: the real kubeadm, and the real
//! kube-apiserver that is started with it, once for each rollout that several API servers need.

use std::fs;
use std::path::Path;

use crate::call::Call;
use crate::check::{Checked, Failure, While, check};
use crate::eso::account;
use crate::far_sides::FarSide;
use crate::kubernetes::{ApiServer, DEFAULT_ISSUER};
use crate::tokens::claims;
use crate::world::{ACCOUNT, ISSUER, World};

/// What a cluster had when it was made, in the form in which kubeadm keeps it.
const CLUSTER: &str = "\
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
clusterName: acme
kubernetesVersion: v1.36.3
controlPlaneEndpoint: api.acme.example:6443
networking: {serviceSubnet: 10.0.0.0/24, podSubnet: 10.244.0.0/16, dnsDomain: cluster.local}
apiServer:
  certSANs: [api.acme.example]
  extraArgs:
  - {name: audit-log-maxage, value: '7'}
  - {name: enable-admission-plugins, value: NodeRestriction}
";
/// The part of an administrator's file that is about one machine.
const MACHINE: &str = "
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 10.99.0.6}
";
const JWKS_URI: &str = "service-account-jwks-uri";
const ISSUERS: &str = "service-account-issuer";

/// Every server accepts the new issuer before any signs with it.
#[derive(Clone, Copy)]
enum Stage {
    Accept,
    Sign,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Sign => "sign",
        }
    }

    /// The first signs.
    fn issuers(self) -> [&'static str; 2] {
        match self {
            Self::Accept => [DEFAULT_ISSUER, ISSUER],
            Self::Sign => [ISSUER, DEFAULT_ISSUER],
        }
    }
}

pub(crate) async fn play(world: &mut World) -> Checked {
    let world = &*world;
    let (accept, sign) = (Stage::Accept, Stage::Sign);
    let kubeadm = [by_kubeadm(world, accept).await?, by_kubeadm(world, sign).await?];
    let k3s = [by_k3s(world, accept).await?, by_k3s(world, sign).await?];
    let servers = [
        (world.other_cluster("by-kubeadm", "10.99.0.6", &kubeadm[0])?, kubeadm),
        (world.other_cluster("by-k3s", "10.99.0.7", &k3s[0])?, k3s),
    ];
    for (mut server, [_, then]) in servers {
        let name = server.settings.name;
        server.ready().await?;
        let (namespace, account_name) = ACCOUNT.split_once('/').unwrap_or_default();
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
        server.post(&path, &account(namespace, account_name)).await?;
        let old = signs(&server, accept).await.during(name)?;
        server.restart(|settings| settings.flags = then).await?;
        let new = signs(&server, sign).await.during(name)?;
        for token in [old, new] {
            let user = server.who_is(&world.anyone, &token).await?;
            check!(user.is_ok(), "{name} refuses a token of {}: {user:?}", claims(&token)?["iss"]);
        }
    }
    Ok(())
}

async fn render(world: &World, more: &[&str]) -> Checked<String> {
    let arguments = [&["render", "issuer", "--issuer", ISSUER, "--servers", "2"], more].concat();
    Ok(world.keyless(&arguments)?.run().await?.exits(0)?.stdout)
}

/// The flags of kube-apiserver that kubeadm makes of the rendered configuration, and would not make without.
async fn by_kubeadm(world: &World, stage: Stage) -> Checked<Vec<String>> {
    let folder = world.folder.join(format!("kubeadm-{}", stage.name()));
    fs::create_dir_all(&folder)?;
    let [before, part, after] = ["before", "part", "after"].map(|name| folder.join(format!("{name}.yaml")));
    fs::write(&before, CLUSTER)?;
    let for_kubeadm = ["--distro", "kubeadm", "--stage", stage.name()];
    fs::write(&part, render(world, &for_kubeadm).await?)?;
    let cluster = before.display().to_string();
    let whole = [&for_kubeadm[..], &["--cluster-configuration", &cluster]].concat();
    fs::write(&after, render(world, &whole).await?)?;
    for file in [&part, &after] {
        let file = file.display().to_string();
        let judged =
            kubeadm(world, &folder, &["config", "validate", "--config", &file])?.run().await?.exits(0)?;
        for complaint in ["unknown field", "deprecated", "strict decoding"] {
            check!(!judged.stderr.contains(complaint), "kubeadm complains\n{judged}");
        }
    }

    let usual = manifest(world, &folder, &before).await?;
    let flags = manifest(world, &folder, &after).await?;
    let lost: Vec<&String> =
        usual.iter().filter(|flag| !flags.contains(flag) && name(flag) != ISSUERS).collect();
    check!(lost.is_empty(), "the API server would lose {lost:?}");
    let changed = flags.into_iter().filter(|flag| name(flag) == ISSUERS || !usual.contains(flag)).collect();
    only_the_issuer(changed, stage)
}

/// The API server's flags in the manifest that kubeadm would write.
async fn manifest(world: &World, folder: &Path, cluster: &Path) -> Checked<Vec<String>> {
    let node = folder.join("node.yaml");
    fs::write(&node, format!("{}{MACHINE}", fs::read_to_string(cluster)?))?;
    let node = node.display().to_string();
    let phase = ["init", "phase", "control-plane", "apiserver", "--dry-run", "--config", &node];
    kubeadm(world, folder, &phase)?.run().await?.exits(0)?;
    let written = folder.join("kube-apiserver.yaml");
    let manifest = fs::read_to_string(&written).during(written.display())?;
    fs::remove_file(&written)?;
    let flags = manifest.lines().filter_map(|line| line.trim().strip_prefix("- --"));
    Ok(flags.map(str::to_owned).collect())
}

fn kubeadm(world: &World, folder: &Path, arguments: &[&str]) -> Checked<Call> {
    let program = world.far_sides.program(FarSide::Kubeadm).map_err(Failure)?;
    // It would write to /etc/kubernetes even when it only pretends.
    Ok(Call::new(&program, arguments).with("HOME", folder).with("KUBEADM_INIT_DRYRUN_DIR", folder))
}

/// The API server's flags in a configuration of k3s: the rest of it only k3s itself could judge.
async fn by_k3s(world: &World, stage: Stage) -> Checked<Vec<String>> {
    let rendered = render(world, &["--distro", "k3s", "--stage", stage.name()]).await?;
    let lines = rendered.lines().skip_while(|line| *line != "kube-apiserver-arg:").skip(1);
    let entries = lines.map_while(|line| line.strip_prefix("- \"")?.strip_suffix('"'));
    only_the_issuer(entries.map(str::to_owned).collect(), stage)
}

/// Fails unless these flags are about the issuer, and about nothing else.
fn only_the_issuer(flags: Vec<String>, stage: Stage) -> Checked<Vec<String>> {
    let issuers: Vec<&str> = flags
        .iter()
        .filter(|flag| name(flag) == ISSUERS)
        .filter_map(|flag| Some(flag.split_once('=')?.1))
        .collect();
    check!(issuers == stage.issuers(), "at the stage `{}`: {issuers:?}", stage.name());
    let others: Vec<&String> =
        flags.iter().filter(|flag| ![ISSUERS, JWKS_URI].contains(&name(flag))).collect();
    check!(others.is_empty(), "flags that are not about the issuer: {others:?}");
    Ok(flags)
}

fn name(flag: &str) -> &str {
    flag.split('=').next().unwrap_or_default()
}

/// Fails unless its tokens and its document name the issuer of the stage; returns a token.
async fn signs(server: &ApiServer, stage: Stage) -> Checked<String> {
    let [issuer, _] = stage.issuers();
    let token = server.token(ACCOUNT, &[]).await?;
    let signed = claims(&token)?["iss"].clone();
    check!(signed == issuer, "at the stage `{}` it signs as {signed}", stage.name());
    let document = server.get("/.well-known/openid-configuration").await?;
    check!(document["issuer"] == issuer, "its document: {document}");
    if matches!(stage, Stage::Sign) {
        check!(document["jwks_uri"] == format!("{ISSUER}/openid/v1/jwks"), "its document: {document}");
    }
    Ok(token)
}
