//! The key of API servers that run as static pods, as kubeadm makes them: `sa.key` and `sa.pub` in the folder of certificates, equal
//! on all control plane nodes. kubeadm takes what is there, also on an upgrade (kubernetes cmd/kubeadm `phases/certs`).
//!
//! `sa.pub` may hold several keys, so no flag has to be changed. The kubelet starts a container again that was stopped. Files are
//! written in place: owner and mode stay, as an API server that is not root needs it.

use super::{Action, keys::action};

/// The API server of this node, not one behind a load balancer.
pub(super) const READY: &str = "until kubectl --kubeconfig /etc/kubernetes/admin.conf --server https://ADDRESS-OF-THIS-NODE:6443 get --raw /readyz; do sleep 2; done";

const STOP_SERVER: &str = "crictl ps --name '^kube-apiserver$' -q | xargs -r crictl stop -t 60";
const STOP_CONTROLLER: &str = "crictl ps --name '^kube-controller-manager$' -q | xargs -r crictl stop -t 60";

/// Both public keys, and the former one signs. `on`: where, as a sentence. `ready`: waits until its API server answers.
pub(super) fn serve(folder: &str, on: &str, ready: &str) -> Vec<Action> {
    vec![action(
        on,
        &[
            // What a first try kept is not overwritten.
            &format!("cp -pn {folder}/sa.key {folder}/sa-former.key"),
            &format!("cp -pn {folder}/sa.pub {folder}/sa-former.pub"),
            &format!("cat {folder}/sa-former.pub sa-new.pub > {folder}/sa.pub"),
            STOP_SERVER,
            ready,
        ],
    )]
}

/// The controller manager signs as well: the tokens of Secrets.
pub(super) fn sign(folder: &str, on: &str, ready: &str) -> Vec<Action> {
    vec![action(on, &[&format!("cp sa-new.key {folder}/sa.key"), STOP_SERVER, STOP_CONTROLLER, ready])]
}

pub(super) fn remove(folder: &str, on: &str, ready: &str) -> Vec<Action> {
    vec![action(
        on,
        &[
            &format!("cp sa-new.pub {folder}/sa.pub"),
            STOP_SERVER,
            ready,
            &format!("rm {folder}/sa-former.key {folder}/sa-former.pub sa-new.key"),
        ],
    )]
}
