//! k3s and RKE2: `kube-apiserver-arg` in their settings file. They pin `--api-audiences` themselves, to values that stay.
//!
//! Keys: one file in which the first signs and all are accepted (k3s pkg/daemons/control/deps `genServiceAccount`).
//! `certificate rotate-ca` takes any file that holds the present first key (pkg/server/handlers/cert `validateServiceKey`).

use super::{
    Action, File, IssuerChange, Note, Rollout, Stage, check, flags,
    keys::{KeyChange, StagedKeys, action},
    old_issuer::Present,
    registry::{Accepts, Audiences, DefaultIssuer, Distribution, Guide, IssuerGuide},
};
use crate::error::Result;

pub(super) const K3S: Distribution = Distribution {
    id: "k3s",
    title: "k3s",
    detect: |it| it.has_version("+k3s") || it.has_label("node.kubernetes.io/instance-type", "k3s"),
    issuer: IssuerGuide::Files(Guide {
        default_issuer: DefaultIssuer::OfDomain,
        accepts: Accepts::Several,
        audiences: Audiences::Kept,
        // Its settings file is on the servers only: there is nothing of it to read.
        present: |_| Ok(Present::default()),
        rollout: |change, _, _, stage| rollout(&K3S_FILES, change, stage),
        notes: |_| notes(&K3S_FILES),
    }),
    keys: KeyChange::Staged(StagedKeys {
        files: "k3s: the keys are in /var/lib/rancher/k3s/server/tls/service.key of each server, which `k3s certificate rotate-ca` \
                replaces; all steps: keyless render rotation --distro k3s",
        serve: || staged(&K3S_FILES, "cat {now} sa-new.key", SERVE),
        sign: || staged(&K3S_FILES, "cat sa-new.key {now}", SIGN),
        remove: || staged(&K3S_FILES, "cat sa-new.key", REMOVE),
    }),
};

/// Source: docs.rke2.io/reference/server_config and /security/certificates; the code is that of k3s.
pub(super) const RKE2: Distribution = Distribution {
    id: "rke2",
    title: "RKE2",
    detect: |it| it.has_version("+rke2") || it.has_label("node.kubernetes.io/instance-type", "rke2"),
    issuer: IssuerGuide::Files(Guide {
        default_issuer: DefaultIssuer::OfDomain,
        accepts: Accepts::Several,
        audiences: Audiences::Kept,
        present: |_| Ok(Present::default()),
        rollout: |change, _, _, stage| rollout(&RKE2_FILES, change, stage),
        notes: |_| notes(&RKE2_FILES),
    }),
    keys: KeyChange::Staged(StagedKeys {
        files: "RKE2: the keys are in /var/lib/rancher/rke2/server/tls/service.key of each server, which `rke2 certificate rotate-ca` \
                replaces; all steps: keyless render rotation --distro rke2",
        serve: || staged(&RKE2_FILES, "cat {now} sa-new.key", SERVE),
        sign: || staged(&RKE2_FILES, "cat sa-new.key {now}", SIGN),
        remove: || staged(&RKE2_FILES, "cat sa-new.key", REMOVE),
    }),
};

/// Where the two differ.
struct Files {
    title: &'static str,
    program: &'static str,
    settings: &'static str,
    unit: &'static str,
    /// Shows the flags that the API server of this machine runs with.
    running: &'static str,
    /// Waits until the API server of this machine answers.
    ready: &'static str,
}

const K3S_FILES: Files = Files {
    title: "k3s",
    program: "k3s",
    settings: "/etc/rancher/k3s/config.yaml",
    unit: "k3s",
    running: "journalctl -u k3s | grep -o 'service-account-issuer=[^ ]*' | tail -n 4",
    ready: "until k3s kubectl get --raw /readyz; do sleep 2; done",
};
const RKE2_FILES: Files = Files {
    title: "RKE2",
    program: "rke2",
    settings: "/etc/rancher/rke2/config.yaml",
    unit: "rke2-server",
    running: "grep -o 'service-account-issuer=[^ ]*' /var/lib/rancher/rke2/agent/pod-manifests/kube-apiserver.yaml",
    ready: "until /var/lib/rancher/rke2/bin/kubectl --kubeconfig /etc/rancher/rke2/rke2.yaml get --raw /readyz; do sleep 2; done",
};

fn rollout(files: &Files, change: &IssuerChange, stage: Stage) -> Result<Rollout> {
    let flags = flags(change, stage);
    let mut content = format!(
        "# {}, on every server\n# If there is a list of this name already, its other entries stay: add these to it.\nkube-apiserver-arg:\n",
        files.settings
    );
    for flag in &flags {
        // A JSON string is one in YAML (YAML 1.2 §1.3).
        let value = serde_json::Value::from(format!("{}={}", flag.name, flag.value));
        content.push_str(&format!("- {value}\n"));
    }
    let steps = vec![
        Action {
            what: "Write that on every server, then restart one after the other; go on when it answers again. Agents need nothing."
                .to_owned(),
            commands: vec![
                format!("systemctl restart {}", files.unit),
                files.ready.to_owned(),
            ],
        },
        check(change, stage, files.running),
    ];
    Ok(Rollout { stage, flags, files: vec![File { path: files.settings.to_owned(), content }], steps })
}

fn notes(files: &Files) -> Vec<Note> {
    let Files { title, running, .. } = files;
    vec![
        Note::new(format!(
            "{title}: a name alone replaces the default and keeps the order of repeated entries; `service-account-issuer+=` appends to \
             the default, `service-account-issuer-=` puts before it. Do not mix the forms."
        )),
        Note::always(format!("{title}: see what each server runs with now: `{running}`.")),
        Note::always(format!(
            "{title}: in a file of its own below config.yaml.d, write the key as `kube-apiserver-arg+`, or the list in config.yaml is lost."
        )),
        Note::always(format!(
            "{title}: old releases keep only the last of repeated flags; if `keyless verify` then sees the old issuer, or pods are \
             refused, upgrade {title} first."
        )),
    ]
}

const SERVE: &str = "On one server, as root: the old key stays the first, which signs. Warnings about other files are normal.";
const SIGN: &str = "On the same server, as root: the new key is the first, which signs.";
const REMOVE: &str = "On the same server, as root: the new key alone.";

/// Nothing else lies there: `rotate-ca` takes every certificate authority below the path that it is given.
const FOLDER: &str = "/root/keyless-rotation";

/// `{now}` in `cat`: the present keys, as they were before the rotation.
fn staged(files: &Files, cat: &str, what: &str) -> Vec<Action> {
    let program = files.program;
    let before = format!("{FOLDER}/service-before.key");
    let mut commands = vec!["umask 077".to_owned()];
    if what == SERVE {
        commands.push(format!("mkdir {FOLDER} {FOLDER}/server {FOLDER}/server/tls"));
        commands.push(format!("cp /var/lib/rancher/{program}/server/tls/service.key {before}"));
    }
    commands.push(format!("{} > {FOLDER}/server/tls/service.key", cat.replace("{now}", &before)));
    commands.push(format!("{program} certificate rotate-ca --path={FOLDER}/server"));
    if what == REMOVE {
        commands.push(format!("rm -r {FOLDER} sa-new.key"));
    }
    vec![
        Action { what: what.to_owned(), commands },
        action(
            "On every server, one after the other; go on when it answers again and shows what is expected. Agents and pods need nothing.",
            &[&format!("systemctl restart {}", files.unit), files.ready, "keyless keys"],
        ),
    ]
}
