//! MicroK8s: the lines of `args/kube-apiserver`, each a flag.
//!
//! Source: canonical.com/microk8s/docs/configuring-services; canonical/microk8s `microk8s-resources/default-args/kube-apiserver`.

use super::{
    Action, File, IssuerChange, Note, Rollout, Stage, check, flags,
    keys::{KeyChange, StagedKeys, action},
    old_issuer::Present,
    registry::{Accepts, Audiences, DefaultIssuer, Distribution, Guide, IssuerGuide},
};
use crate::{error::Result, shell};

pub(super) const DISTRIBUTION: Distribution = Distribution {
    id: "microk8s",
    title: "MicroK8s",
    detect: |it| it.has_label_of("microk8s.io/"),
    issuer: IssuerGuide::Files(Guide {
        default_issuer: DefaultIssuer::Fixed("https://kubernetes.default.svc"),
        accepts: Accepts::Several,
        audiences: Audiences::Kept,
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
        // One file with all keys, of which the first private one signs: a node that joins gets this file and no other.
        serve: || restart("cat serviceaccount-former.key sa-new.key", true),
        sign: || restart("cat sa-new.key serviceaccount-former.key", false),
        remove: || restart("cat sa-new.key", false),
    }),
};

const KEY: &str = "/var/snap/microk8s/current/certs/serviceaccount.key";
const RESTART: &str = "snap restart microk8s.daemon-kubelite";
const FILE: &str = "/var/snap/microk8s/current/args/kube-apiserver";

fn rollout(change: &IssuerChange, stage: Stage) -> Result<Rollout> {
    let flags = flags(change, stage);
    let mut content =
        format!("# {FILE}, on every node of the control plane: in place of the lines of these flags\n");
    for flag in &flags {
        // MicroK8s takes quotes away and expands variables.
        content.push_str(&format!("--{}={}\n", flag.name, shell::quote(&flag.value)));
    }
    let check = check(
        change,
        stage,
        "microk8s kubectl create token default | cut -d. -f2 | base64 -d 2>/dev/null | grep -o '\"aud\":[^]]*'",
    );
    let steps = vec![
        action(
            "Write that on every node of the control plane, then restart one after the other.",
            &[RESTART, "microk8s status --wait-ready"],
        ),
        check,
    ];
    Ok(Rollout { stage, flags, files: vec![File { path: FILE.to_owned(), content }], steps })
}

/// Writes the key file in place: owner and mode stay. `first`: keeps the present one.
fn restart(cat: &str, first: bool) -> Vec<Action> {
    let keep = format!("cp -n {KEY} serviceaccount-former.key");
    let write = format!("{cat} > {KEY}");
    let mut commands = vec!["umask 077"];
    commands.extend(first.then_some(keep.as_str()));
    commands.extend([write.as_str(), RESTART, "microk8s status --wait-ready"]);
    vec![action("On every node of the control plane, one after the other, as root.", &commands)]
}
