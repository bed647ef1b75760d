//! k3s: `kube-apiserver-arg` in its settings file. It pins `--api-audiences` itself, to values that stay.

use super::{
    Action, File, IssuerChange, Note, Rollout, Stage, flags,
    old_issuer::Present,
    registry::{Distribution, Guide},
};
use crate::{error::Result, oidc::SignedIssuer, shell};

pub(super) const DISTRIBUTION: Distribution = Distribution {
    id: "k3s",
    title: "k3s",
    detect: |it| it.has_version("+k3s") || it.has_label("node.kubernetes.io/instance-type", "k3s"),
    // Its settings file is on the servers only: there is nothing of it to read.
    guide: Some(Guide { present: |_| Ok(Present::default()), rollout, notes }),
};

const FILE: &str = "/etc/rancher/k3s/config.yaml";

fn rollout(change: &IssuerChange, _: &[SignedIssuer], _: &Present, stage: Stage) -> Result<Rollout> {
    let flags = flags(change, stage);
    let mut content = format!(
        "# {FILE}, on every server\n# If there is a list of this name already, its other entries stay: add these to it.\nkube-apiserver-arg:\n"
    );
    for flag in &flags {
        // A JSON string is one in YAML (YAML 1.2 §1.3).
        let value = serde_json::Value::from(format!("{}={}", flag.name, flag.value));
        content.push_str(&format!("- {value}\n"));
    }
    let steps = vec![
        Action {
            what: "Write that on every server, then restart one after the other; go on when it is Ready again. Agents need nothing."
                .to_owned(),
            commands: vec![
                "systemctl restart k3s".to_owned(),
                "kubectl wait --for=condition=Ready node --all --timeout=5m".to_owned(),
            ],
        },
        watch(change, stage),
    ];
    Ok(Rollout { stage, flags, files: vec![File { path: FILE.to_owned(), content }], steps })
}

fn watch(change: &IssuerChange, stage: Stage) -> Action {
    match stage {
        Stage::Accept => Action {
            what: "Check: the server runs with both, and signs as before.".to_owned(),
            commands: vec![
                "journalctl -u k3s | grep -o 'service-account-issuer=[^ ]*' | tail -n 4".to_owned(),
            ],
        },
        Stage::Sign => Action {
            what: format!("Check: every server signs as {}, and relying parties accept it.", change.issuer),
            commands: vec![format!("keyless verify --issuer {}", shell::quote(change.issuer.as_str()))],
        },
    }
}

fn notes(_: &IssuerChange) -> Vec<Note> {
    vec![
        Note::new(
            "k3s: a name alone replaces the default and keeps the order of repeated entries; `service-account-issuer+=` appends to the \
             default, `service-account-issuer-=` puts before it. Do not mix the forms.",
        ),
        Note::always(
            "k3s: see what each server runs with now: `journalctl -u k3s | grep -o 'service-account-issuer=[^ ]*' | sort -u`.",
        ),
        Note::always(
            "k3s: in a file of its own below config.yaml.d, write the key as `kube-apiserver-arg+`, or the list in config.yaml is lost.",
        ),
        Note::always(
            "k3s: old releases keep only the last of repeated flags; if `keyless verify` then sees the old issuer, or pods are refused, \
             upgrade k3s first.",
        ),
    ]
}
