//! The chart on a real API server, from one state to the next by the real Helm: other values, the other mode and back, the next
//! version. Nothing is refused, nothing is left over, and what the publisher noted stays.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::call::{Call, Ran};
use crate::check::{Checked, Failure, While, check};
use crate::far_sides::FarSide;
use crate::kubernetes::ApiServer;
use crate::world::World;

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/chart/keyless");
const NAMESPACE: &str = "keyless-system";
const LEDGER: &str = "/api/v1/namespaces/keyless-system/configmaps/keyless-ledger";
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/keyless-system/leases/keyless-publisher";
const ISSUER: &str = "https://s3.lab.test/chart-issuer";
/// What the chart makes, and the cluster of what it makes.
const KINDS: &str = "serviceaccounts,configmaps,secrets,services,pods,roles,rolebindings,clusterroles,clusterrolebindings,\
                     cronjobs,jobs,deployments,leases,networkpolicies,poddisruptionbudgets";

/// One state of the release: values of the chart's own, further ones, and whether it is of the next version.
struct State {
    values: &'static str,
    set: &'static [&'static str],
    is_next: bool,
}

/// Of its objects, those that only one mode has come and go.
const STATES: [State; 6] = [
    State { values: "cronjob-values", set: &[], is_next: false },
    State {
        values: "cronjob-values",
        set: &[
            "schedule=*/7 * * * *",
            "audit.enabled=true",
            "audit.mode=deep",
            "networkPolicy.enabled=false",
        ],
        is_next: false,
    },
    State { values: "deployment-values", set: &["monitoring.enabled=false"], is_next: false },
    State {
        values: "deployment-values",
        set: &["monitoring.enabled=false", "replicas=1", "poll=60s", "login.aws.roleArn="],
        is_next: true,
    },
    State { values: "single-values", set: &[], is_next: true },
    State { values: "cronjob-values", set: &[], is_next: true },
];

pub(crate) async fn play(world: &mut World) -> Checked {
    let world = &*world;
    let mut server =
        world.other_cluster("chart", "10.99.0.6", &[format!("service-account-issuer={ISSUER}")])?;
    server.ready().await?;
    let here = Here::new(world, &server)?;
    let next = next_version(&world.folder)?;
    let (mut noted, mut holds) = (None, false);
    for (count, state) in STATES.iter().enumerate() {
        let chart = if state.is_next { next.as_path() } else { Path::new(CHART) };
        let doing = format!("state {count}: {} {}", state.values, state.set.join(" "));
        here.apply(chart, state, count == 0).await.during(&doing)?;
        here.nothing_is_left_over().await.during(&doing)?;
        let ledger = server.get(LEDGER).await.during(&doing)?;
        match &noted {
            // The publisher notes the first key.
            None => noted = Some(here.publish(&server).await.during("the first `publish`")?),
            Some(noted) => check!(same(&ledger, noted), "{doing}: the ledger was {noted}, and is {ledger}"),
        }
        // As long as it is there, its holder is the same.
        let has_lease = state.values != "cronjob-values";
        if has_lease && holds {
            let lease = server.get(LEASE).await.during(&doing)?;
            check!(lease["spec"]["holderIdentity"] == "replica", "{doing}: the Lease is {lease}");
        } else if has_lease {
            let patch = r#"{"spec": {"holderIdentity": "replica"}}"#;
            let lease = ["patch", "lease", "keyless-publisher", "-n", NAMESPACE, "--type=merge", "-p", patch];
            here.kubectl(&lease)?.run().await?.exits(0)?;
        }
        holds = has_lease;
    }
    here.helm(&["uninstall", "keyless", "-n", NAMESPACE])?.run().await?.exits(0)?;
    let left = here.marked().await?;
    check!(left.is_empty(), "`helm uninstall` leaves {left:?}");
    Ok(())
}

/// The same object with the same content: not one of the same name that was made again.
fn same(now: &Value, before: &Value) -> bool {
    ["/metadata/uid", "/data"].iter().all(|at| now.pointer(at) == before.pointer(at))
}

/// The chart as its next version.
fn next_version(folder: &Path) -> Checked<PathBuf> {
    let next = folder.join("next-chart");
    copy(Path::new(CHART), &next)?;
    let file = next.join("Chart.yaml");
    let text = fs::read_to_string(&file)?;
    let changed = text.replace("ersion: 0.1.0", "ersion: 0.2.0");
    check!(changed != text, "the chart has another version by now");
    fs::write(file, changed)?;
    Ok(next)
}

fn copy(from: &Path, to: &Path) -> Checked {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).during(from.display())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &target)?,
            false => fs::copy(entry.path(), target).map(drop)?,
        }
    }
    Ok(())
}

/// The story's own cluster.
struct Here<'w> {
    world: &'w World,
    kubeconfig: PathBuf,
    helm: PathBuf,
}

impl<'w> Here<'w> {
    fn new(world: &'w World, server: &ApiServer) -> Checked<Self> {
        let kubeconfig = world.folder.join("kubeconfig-of-chart");
        world.write_kubeconfig_for(server, &kubeconfig)?;
        let helm = world.far_sides.program(FarSide::Helm).map_err(Failure)?;
        Ok(Self { world, kubeconfig, helm })
    }

    fn helm(&self, arguments: &[&str]) -> Checked<Call> {
        Ok(Call::new(&self.helm, arguments)
            .with("HOME", &self.world.folder)
            .with("KUBECONFIG", &self.kubeconfig))
    }

    fn kubectl(&self, arguments: &[&str]) -> Checked<Call> {
        Ok(self.world.kubectl(arguments)?.with("KUBECONFIG", &self.kubeconfig))
    }

    async fn apply(&self, chart: &Path, state: &State, is_first: bool) -> Checked<Ran> {
        let (chart, values) = (chart.display().to_string(), format!("{CHART}/ci/{}.yaml", state.values));
        let verb: &[&str] = if is_first { &["install", "--create-namespace"] } else { &["upgrade"] };
        let mut arguments = [verb, &["keyless", &chart, "-n", NAMESPACE, "--values", &values]].concat();
        arguments.extend(state.set.iter().flat_map(|set| ["--set", set]));
        self.helm(&arguments)?.run().await?.exits(0)
    }

    /// What Helm marked as its own is what the release names, object by object.
    async fn nothing_is_left_over(&self) -> Checked {
        let manifest = self.helm(&["get", "manifest", "keyless", "-n", NAMESPACE])?.run().await?.exits(0)?;
        let file = self.world.folder.join("release.yaml");
        fs::write(&file, &manifest.stdout)?;
        let file = file.display().to_string();
        let named = self.kubectl(&["get", "-f", &file, "-o", "name"])?.run().await?.exits(0)?;
        let (named, there) = (names(&named), self.marked().await?);
        check!(!named.is_empty() && named == there, "the release names {named:?}, and there is {there:?}");
        Ok(())
    }

    async fn marked(&self) -> Checked<BTreeSet<String>> {
        let arguments = ["get", KINDS, "-A", "-l", "app.kubernetes.io/managed-by=Helm", "-o", "name"];
        Ok(names(&self.kubectl(&arguments)?.run().await?.exits(0)?))
    }

    /// Fills the ledger; what it is then.
    async fn publish(&self, server: &ApiServer) -> Checked<Value> {
        let ca_file = self.world.ca_file().display().to_string();
        let account = format!("{NAMESPACE}/keyless-probe");
        let arguments = [
            "publish",
            "--create",
            "--bucket",
            "s3://chart-issuer",
            "--endpoint",
            "https://s3.lab.test",
            "--ca-file",
            &ca_file,
            "--service-account",
            &account,
        ];
        let call = self.world.keyless(&arguments)?.with("KUBECONFIG", &self.kubeconfig);
        call.run().await?.exits(0)?;
        let ledger = server.get(LEDGER).await?;
        check!(ledger["data"].is_object(), "nothing is noted: {ledger}");
        Ok(ledger)
    }
}

fn names(ran: &Ran) -> BTreeSet<String> {
    ran.stdout.lines().map(str::to_owned).collect()
}
