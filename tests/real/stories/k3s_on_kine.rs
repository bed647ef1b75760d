//! A server of k3s, as far as it can be had without k3s: its store (kine, over SQLite) and the API server with the flags that
//! k3s gives it, at a loopback address. No EndpointSlice names such an address, so the kubeconfig is all that leads to it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::call::Call;
use crate::check::{Checked, Failure, While, check, until};
use crate::eso::account;
use crate::far_sides::FarSide;
use crate::kubernetes::{ApiServer, DEFAULT_ISSUER, Settings};
use crate::pki::{Algorithm, SigningKey};
use crate::process::Process;
use crate::tokens::{claims, kid};
use crate::world::{ACCOUNT, World};

const NAME: &str = "k3s";
const ADDRESS: &str = "127.0.0.1";
const PLACE: &str = "s3://k3s-issuer";
const ISSUER: &str = "https://s3.lab.test/k3s-issuer";

/// k3s pkg/daemons/control/server.go (`apiServer`) and its agent's defaults, those aside that name files of k3s and the
/// addresses of its proxy. `--anonymous-auth=false` and the key files are the world's own.
const FLAGS: [&str; 12] = [
    "api-audiences=https://kubernetes.default.svc.cluster.local,k3s",
    "allow-privileged=true",
    "enable-admission-plugins=NodeRestriction",
    "enable-aggregator-routing=true",
    "enable-bootstrap-token-auth=true",
    "profiling=false",
    "service-cluster-ip-range=10.43.0.0/16",
    "service-node-port-range=30000-32767",
    "storage-backend=etcd3",
    "authorization-mode=Node",
    "tls-min-version=VersionTLS12",
    "tls-cipher-suites=TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
];

pub(crate) async fn play(world: &mut World) -> Checked {
    let world = &*world;
    let (old, new) = (
        world.pki.signing_key("k3s-old", Algorithm::Rs256)?,
        world.pki.signing_key("k3s-new", Algorithm::Rs256)?,
    );
    let (_kine, socket) = kine(world).await?;
    let mut server = world.further_server(Settings {
        name: NAME,
        address: ADDRESS,
        store: Some(format!("unix://{}", socket.display())),
        etcd_prefix: "registry",
        issuers: Vec::new(),
        keys: vec![service_key(world, &[&old])?],
        signing_key: service_key(world, &[&old])?,
        authentication: None,
        flags: flags(world).await?,
    })?;
    server.ready().await?;
    let here = Here { world, kubeconfig: world.folder.join("kubeconfig-of-k3s") };
    world.write_kubeconfig_for(&server, &here.kubeconfig)?;
    install(&server).await?;

    // No EndpointSlice names it.
    let slices = server.get("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices").await?;
    check!(slices["items"] == json!([]), "there is an EndpointSlice: {slices}");
    let before = signer(&server).await?;
    let first = here.run("publish", &["--create"])?.run().await?.exits(0)?.says("servers-not-singly")?;
    check!(first.stdout.contains("published: 1 key"), "it published something else\n{first}");
    here.run("publish", &[])?.run().await?.exits(0)?.prints_one_line("unchanged:")?;
    verified(&here).await.during("before the rotation")?;
    let ledger = server.get(LEDGER).await?;
    check!(ledger["data"].is_object(), "nothing is noted in the ledger: {ledger}");

    // As `keyless render rotation --distro k3s` has it: public first, then served, then signing, then alone.
    let public = new.public.display().to_string();
    here.run("keys", &["add", &public])?.run().await?.exits(0)?;
    let staged = rows(&here).await?;
    check!(staged.len() == 2, "{staged:?}");
    for row in &staged {
        let (is_old, live) = (row["kid"] == before, row["servedBy"] == 1);
        check!(is_old == live && row["signing"] == is_old && row["publicSince"].is_string(), "{staged:?}");
    }
    serve(world, &mut server, &[&old, &new]).await?;
    here.run("publish", &[])?.run().await?.exits(0)?;
    // Caches may still lack it: the story of two API servers waits for as long as it takes.
    let early = here.run("keys", &["wait", "--timeout", "1s"])?.run().await?.exits(1)?;
    check!(early.stdout.starts_with("next: "), "it names no next step\n{early}");
    serve(world, &mut server, &[&new, &old]).await?;
    let after = signer(&server).await?;
    check!(after != before, "it still signs with {before}");
    here.run("publish", &[])?.run().await?.exits(0)?;
    verified(&here).await.during("after the rotation")?;
    serve(world, &mut server, &[&new]).await?;
    let kept = here.run("publish", &[])?.run().await?.exits(0)?;
    let jwks = world.public(&format!("{ISSUER}/openid/v1/jwks")).await?.to_string();
    check!(
        jwks.contains(&before) && jwks.contains(&after),
        "a key whose tokens live is gone: {jwks}\n{kept}"
    );
    verified(&here).await.during("without the old key")
}

const LEDGER: &str = "/api/v1/namespaces/keyless-system/configmaps/keyless-ledger";

/// The story's own cluster.
struct Here<'w> {
    world: &'w World,
    kubeconfig: PathBuf,
}

impl Here<'_> {
    /// `keyless COMMAND …` as the administrator of this cluster and the owner of the bucket.
    fn run(&self, command: &str, more: &[&str]) -> Checked<Call> {
        let ca_file = self.world.ca_file().display().to_string();
        let flags = ["--bucket", PLACE, "--endpoint", "https://s3.lab.test", "--ca-file", &ca_file];
        let arguments = [&[command], more, &flags].concat();
        Ok(self.world.keyless(&arguments)?.with("KUBECONFIG", &self.kubeconfig))
    }
}

/// Starts kine, as k3s does: a socket, and SQLite in a file.
async fn kine(world: &World) -> Checked<(Process, PathBuf)> {
    let program = world.far_sides.program(FarSide::Kine).map_err(Failure)?;
    let (socket, database) = (world.folder.join("kine.sock"), world.folder.join("k3s-state.db"));
    let arguments = [
        format!("--listen-address=unix://{}", socket.display()),
        format!(
            "--endpoint=sqlite://{}?_journal=WAL&cache=shared&_busy_timeout=30000&_txlock=immediate",
            database.display()
        ),
        "--metrics-bind-address=0".to_owned(),
    ];
    let mut process = Process::start("kine", &program, arguments, &world.folder)?;
    until("kine", Duration::from_secs(30), async || {
        process.running()?;
        check!(socket.exists(), "it has no socket yet");
        Ok(())
    })
    .await?;
    Ok((process, socket))
}

/// Those of k3s, with the issuer that its settings file says.
async fn flags(world: &World) -> Checked<Vec<String>> {
    let rendered = ["render", "issuer", "--issuer", ISSUER, "--distro", "k3s"];
    let rendered = world.keyless(&rendered)?.run().await?.exits(0)?.stdout;
    let lines = rendered.lines().skip_while(|line| *line != "kube-apiserver-arg:").skip(1);
    let issuer: Vec<_> =
        lines.map_while(|line| line.strip_prefix("- \"")?.strip_suffix('"')).map(str::to_owned).collect();
    let issuers: Vec<_> =
        issuer.iter().filter_map(|flag| flag.strip_prefix("service-account-issuer=")).collect();
    check!(issuers == [ISSUER, DEFAULT_ISSUER], "k3s would be told {issuer:?}");
    let advertised = format!("advertise-address={ADDRESS}");
    Ok(FLAGS.map(str::to_owned).into_iter().chain([advertised]).chain(issuer).collect())
}

/// k3s keeps its keys as private keys, one after the other, in `service.key`; the first signs, out of a file of its own.
fn service_key(world: &World, keys: &[&SigningKey]) -> Checked<SigningKey> {
    let [all, current] =
        ["service.key", "service.current.key"].map(|name| world.folder.join(format!("k3s-{name}")));
    let texts: Vec<_> = keys.iter().map(|key| fs::read_to_string(&key.private)).collect::<Result<_, _>>()?;
    fs::write(&all, texts.concat())?;
    fs::write(&current, texts.first().map_or("", String::as_str))?;
    Ok(SigningKey { private: current, public: all })
}

/// With these keys, the first of which signs.
async fn serve(world: &World, server: &mut ApiServer, keys: &[&SigningKey]) -> Checked {
    service_key(world, keys)?;
    server.restart(|_| ()).await?;
    let served = server.kids().await?;
    check!(served.len() == keys.len(), "it serves {served:?}");
    Ok(())
}

/// What a person prepares, and what a controller-manager would do.
async fn install(server: &ApiServer) -> Checked {
    let (namespace, name) = ACCOUNT.split_once('/').unwrap_or_default();
    server
        .post(&format!("/api/v1/namespaces/{namespace}/serviceaccounts"), &account(namespace, name))
        .await?;
    let own = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "keyless-system"}});
    server.post("/api/v1/namespaces", &own).await?;
    Ok(())
}

/// The `kid` that it signs with, as the published issuer.
async fn signer(server: &ApiServer) -> Checked<String> {
    let token = server.token(ACCOUNT, &["any"]).await?;
    let issuer = claims(&token)?["iss"].clone();
    check!(issuer == ISSUER, "it signs as {issuer}");
    kid(&token)
}

/// What `keyless keys` tells of each key.
async fn rows(here: &Here<'_>) -> Checked<Vec<Value>> {
    // Behind the one address there could be more servers: what is known is not all.
    let told = here.run("keys", &["-o", "json"])?.run().await?.exits(3)?;
    let told: Value = serde_json::from_str(&told.stdout)?;
    Ok(told["keys"].as_array().cloned().unwrap_or_default())
}

async fn verified(here: &Here<'_>) -> Checked {
    let verified = here.run("verify", &["--audience", "anyone"])?.run().await?.exits(0)?;
    let closing = verified.stdout.lines().last().unwrap_or_default();
    check!(closing.ends_with(" passed, 0 failed"), "`verify` closes with `{closing}`\n{verified}");
    Ok(())
}
