//! MicroK8s: the lines of `args/kube-apiserver`, each a flag.
//!
//! Source: canonical.com/microk8s/docs/configuring-services; canonical/microk8s `microk8s-resources/default-args/kube-apiserver`.

use super::{
    Action, File, IssuerChange, Note, Rollout, Stage, check, flags,
    keys::{KeyChange, StagedKeys, action},
    old_issuer::Present,
    registry::{Accepts, DefaultIssuer, Distribution, Guide, IssuerGuide},
};
use crate::{error::Result, shell};

pub(super) const DISTRIBUTION: Distribution = Distribution {
    id: "microk8s",
    title: "MicroK8s",
    detect: |it| it.has_label_of("microk8s.io/"),
    issuer: IssuerGuide::Files(Guide {
        default_issuer: DefaultIssuer::Fixed("https://kubernetes.default.svc"),
        accepts: Accepts::Several,
        present: |_| Ok(Present::default()),
        rollout: |change, _, _, stage| rollout(change, stage),
        notes: |_| {
            vec![Note::always(
                "MicroK8s: take the line of --service-account-issuer that is in the file already away, or its issuer is named twice.",
            )]
        },
    }),
    keys: KeyChange::Staged(StagedKeys {
        files: "MicroK8s: the key is /var/snap/microk8s/current/certs/serviceaccount.key of each node of the control plane; the flags are \
                in args/kube-apiserver beside it; all steps: keyless render rotation --distro microk8s",
        serve: || {
            vec![
                action(
                    "On every node of the control plane, as root.",
                    &["install -m 600 sa-new.key /var/snap/microk8s/current/certs/serviceaccount-new.key"],
                ),
                restart(
                    "Add the line `--service-account-key-file=${SNAP_DATA}/certs/serviceaccount-new.key` to args/kube-apiserver. The \
                     present line of that flag stays.",
                ),
            ]
        },
        sign: || {
            vec![restart(
                "`--service-account-signing-key-file` in args/kube-apiserver and `--service-account-private-key-file` in \
                 args/kube-controller-manager become ${SNAP_DATA}/certs/serviceaccount-new.key.",
            )]
        },
        remove: || {
            vec![restart(
                "Take `--service-account-key-file=${SNAP_DATA}/certs/serviceaccount.key` from args/kube-apiserver.",
            )]
        },
    }),
};

const FILE: &str = "/var/snap/microk8s/current/args/kube-apiserver";

fn rollout(change: &IssuerChange, stage: Stage) -> Result<Rollout> {
    let flags = flags(change, stage);
    let mut content =
        format!("# {FILE}, on every node of the control plane: in place of the lines of these flags\n");
    for flag in &flags {
        // The file is read by a shell.
        content.push_str(&format!("--{}={}\n", flag.name, shell::quote(&flag.value)));
    }
    let check = check(
        change,
        stage,
        "tr '\\0' '\\n' < /proc/$(pgrep -x kubelite)/cmdline; grep service-account-issuer /var/snap/microk8s/current/args/kube-apiserver",
    );
    let steps = vec![
        action(
            "Write that on every node of the control plane, then restart one after the other.",
            &["snap restart microk8s.daemon-kubelite", "microk8s status --wait-ready"],
        ),
        check,
    ];
    Ok(Rollout { stage, flags, files: vec![File { path: FILE.to_owned(), content }], steps })
}

fn restart(what: &str) -> Action {
    action(
        &format!("On every node of the control plane, one after the other: {what}"),
        &["snap restart microk8s.daemon-kubelite", "microk8s status --wait-ready"],
    )
}
