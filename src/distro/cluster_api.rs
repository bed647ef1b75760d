//! Cluster API: the KubeadmControlPlane of the management cluster, from which control plane machines are made.
//!
//! Source: cluster-api.sigs.k8s.io, KubeadmControlPlane; extraArgs is a list of unique names since v1beta2
//! (Cluster API 1.11; api/bootstrap/kubeadm/v1beta2, issue 13853), a map before.

use serde_json::{Value, json};

use super::{
    Action, File, ISSUER_FLAG, IssuerChange, Note, Rollout, Stage, check, flags,
    keys::{KeyChange, StagedKeys, action},
    old_issuer::Present,
    registry::{Accepts, Audiences, DefaultIssuer, Distribution, Guide, IssuerGuide},
    static_pods, yaml,
};
use crate::error::Result;

pub(super) const DISTRIBUTION: Distribution = Distribution {
    id: "cluster-api",
    title: "Cluster API",
    // Of a control plane that kubeadm makes.
    detect: |it| it.has_annotation("cluster.x-k8s.io/cluster-name") && it.cluster_configuration.is_some(),
    issuer: IssuerGuide::Files(Guide {
        default_issuer: DefaultIssuer::OfDomain,
        accepts: Accepts::Several,
        audiences: Audiences::Kept,
        present: |_| Ok(Present::default()),
        rollout: |change, _, _, stage| rollout(change, stage),
        notes: |_| {
            vec![Note::always(
                "Cluster API: extraArgs holds one issuer, so the other one is in a patch. Before v1beta2 extraArgs is a map: `NAME: VALUE`.",
            )]
        },
    }),
    keys: KeyChange::Staged(StagedKeys {
        files: "Cluster API: new control plane machines get the key from the Secret CLUSTER-sa of the management cluster; existing ones \
                have it in /etc/kubernetes/pki/sa.pub and sa.key; all steps: keyless render rotation --distro cluster-api",
        serve: || {
            let steps = static_pods::serve(PKI, ON_MACHINES, READY);
            let mut steps = with_secret(steps, "sa-former.key", "sa-both.pub");
            let former = action(
                "Copy sa.key and sa.pub of a control plane machine to sa-former.key and sa-former.pub.",
                &["umask 077", "cat sa-former.pub sa-new.pub > sa-both.pub"],
            );
            steps.insert(0, former);
            steps
        },
        sign: || with_secret(static_pods::sign(PKI, ON_MACHINES, READY), "sa-new.key", "sa-both.pub"),
        remove: || with_secret(static_pods::remove(PKI, ON_MACHINES, READY), "sa-new.key", "sa-new.pub"),
    }),
};

const PKI: &str = "/etc/kubernetes/pki";
const PATCHES: &str = "/etc/kubernetes/patches";
const ON_MACHINES: &str = "On each control plane machine, one after the other, as root.";
const READY: &str = static_pods::READY;
const FILE: &str = "kubectl edit kubeadmcontrolplane NAME";

/// The Secret first: a machine that is made meanwhile would sign with the former key alone.
fn with_secret(mut steps: Vec<Action>, key: &str, public: &str) -> Vec<Action> {
    let what = format!(
        "In the management cluster first: machines that are made from now on get the Secret CLUSTER-sa, here {key} and {public}. Let no \
         machine be replaced before the part is complete."
    );
    let secret = format!(
        "kubectl -n NAMESPACE create secret generic CLUSTER-sa --from-file=tls.key={key} --from-file=tls.crt={public} --dry-run=client \
         -o json | jq '{{data}}' > sa.json"
    );
    let commands = [
        "umask 077",
        &secret,
        "kubectl -n NAMESPACE patch secret CLUSTER-sa --patch-file sa.json",
        "rm sa.json",
    ];
    steps.insert(0, action(&what, &commands));
    steps
}

fn rollout(change: &IssuerChange, stage: Stage) -> Result<Rollout> {
    let flags = flags(change, stage);
    // Names of extraArgs are unique (rule of the custom resource since v1beta2, a map before): one issuer there, the others by a
    // patch of kubeadm, which comes after it.
    let (mut args, mut patch, mut named) = (Vec::new(), Vec::new(), false);
    for flag in &flags {
        if flag.name == ISSUER_FLAG && std::mem::replace(&mut named, true) {
            let value = format!("--{}={}", flag.name, flag.value);
            patch.push(json!({ "op": "add", "path": "/spec/containers/0/command/-", "value": value }));
        } else {
            args.push(json!({ "name": flag.name, "value": flag.value }));
        }
    }
    let mut spec = json!({ "clusterConfiguration": { "apiServer": { "extraArgs": args } } });
    if !patch.is_empty() {
        let content = yaml(&Value::Array(patch))?;
        spec["files"] =
            json!([{ "path": format!("{PATCHES}/kube-apiserver0+json.yaml"), "content": content }]);
        for configuration in ["initConfiguration", "joinConfiguration"] {
            spec[configuration] = json!({ "patches": { "directory": PATCHES } });
        }
    }
    let part = json!({
        "apiVersion": "controlplane.cluster.x-k8s.io/v1beta2",
        "kind": "KubeadmControlPlane",
        "spec": { "kubeadmConfigSpec": spec },
    });
    let content = format!(
        "# {FILE}, in the management cluster: a part, everything else and the other entries of extraArgs stay\n{}",
        yaml(&part)?
    );
    let check = check(
        change,
        stage,
        "kubectl -n kube-system get pods -l component=kube-apiserver -o yaml | grep -e '- --service-account-issuer='",
    );
    let steps = vec![
        action(
            "Cluster API replaces the control plane machines one after the other. Wait until all are of the new form.",
            &[FILE, "kubectl get kubeadmcontrolplane NAME --watch"],
        ),
        check,
    ];
    Ok(Rollout { stage, flags, files: vec![File { path: FILE.to_owned(), content }], steps })
}
