//! The key of API servers that run as static pods, as kubeadm makes them: `sa.key` and `sa.pub` in the folder of certificates, equal
//! on all control plane nodes. kubeadm takes what is there, also on an upgrade (kubernetes cmd/kubeadm `phases/certs`).
//!
//! `sa.pub` may hold several keys, so no flag has to be changed. The kubelet starts a container again that was stopped.

use super::{Action, keys::action};

/// Both public keys, and the former one signs. `on`: where, as a sentence.
pub(super) fn serve(folder: &str, on: &str) -> Vec<Action> {
    vec![action(
        on,
        &[
            &format!("cp -p {folder}/sa.key {folder}/sa-former.key"),
            &format!("cp -p {folder}/sa.pub {folder}/sa-former.pub"),
            &format!("cat {folder}/sa-former.pub sa-new.pub > {folder}/sa.pub"),
            "crictl ps --name '^kube-apiserver$' -q | xargs crictl stop",
            "kubectl get --raw /readyz",
        ],
    )]
}

/// The controller manager signs as well: the tokens of Secrets.
pub(super) fn sign(folder: &str, on: &str) -> Vec<Action> {
    vec![action(
        on,
        &[
            &format!("install -m 600 sa-new.key {folder}/sa.key"),
            "crictl ps --name '^kube-apiserver$' -q | xargs crictl stop",
            "crictl ps --name '^kube-controller-manager$' -q | xargs crictl stop",
            "kubectl get --raw /readyz",
        ],
    )]
}

pub(super) fn remove(folder: &str, on: &str) -> Vec<Action> {
    vec![action(
        on,
        &[
            &format!("install -m 644 sa-new.pub {folder}/sa.pub"),
            "crictl ps --name '^kube-apiserver$' -q | xargs crictl stop",
            "kubectl get --raw /readyz",
            &format!("rm {folder}/sa-former.key {folder}/sa-former.pub sa-new.key"),
        ],
    )]
}
