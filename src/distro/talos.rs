//! Talos: the machine configuration. What it can hold differs by version: one issuer until 1.12, a list in 1.13, and since 1.14 a
//! document of its own, which is also the first that can hold two keys.
//!
//! Source: docs.siderolabs.com/talos/v1.14/reference/configuration/kubernetes/kubeserviceaccountconfig;
//! siderolabs/talos issues 12607, 13210 (lists), 7418 (a changed key).

use serde_json::{Value, json};

use super::{
    Action, File, Flag, ISSUER_FLAG, IssuerChange, JWKS_FLAG, Note, Rollout, Stage, check, flags,
    keys::{KeyChange, StagedKeys, action},
    old_issuer::Present,
    registry::{Accepts, Audiences, DefaultIssuer, Distribution, Guide, IssuerGuide},
    yaml,
};
use crate::error::Result;

pub(super) const TALOS: Distribution = Distribution {
    id: "talos",
    title: "Talos",
    detect: |it| it.image_minor(IMAGE).is_some_and(|minor| minor >= 14),
    issuer: IssuerGuide::Files(Guide {
        // The control plane's endpoint.
        default_issuer: DefaultIssuer::Unknown,
        accepts: Accepts::Several,
        audiences: Audiences::Named,
        present: |_| Ok(Present::default()),
        rollout: |change, _, _, stage| document(change, stage),
        notes: |_| notes_of_documents(),
    }),
    keys: KeyChange::Staged(StagedKeys {
        files: "Talos: the keys are in the document KubeServiceAccountConfig of each control plane node (issuer.privateKey, \
                accepted.publicKeys); all steps: keyless render rotation --distro talos",
        serve: || {
            let mut steps = vec![former_key("issuer.privateKey of the document KubeServiceAccountConfig")];
            steps.extend(keys("accepted.publicKeys gets the text of sa-new.pub. issuer.privateKey stays."));
            steps
        },
        sign: || {
            keys(
                "issuer.privateKey becomes the text of sa-new.key, and accepted.publicKeys holds the text of sa-former.pub instead of \
                 that of sa-new.pub.",
            )
        },
        remove: || keys("Take the public half of the former key from accepted.publicKeys."),
    }),
};

pub(super) const TALOS_1_13: Distribution = Distribution {
    id: "talos-1.13",
    title: "Talos 1.13",
    detect: |it| it.image_minor(IMAGE) == Some(13),
    issuer: IssuerGuide::Files(Guide {
        default_issuer: DefaultIssuer::Unknown,
        accepts: Accepts::Several,
        audiences: Audiences::Kept,
        present: |_| Ok(Present::default()),
        rollout: |change, _, _, stage| extra_args(change, stage, Accepts::Several),
        notes: |_| notes(),
    }),
    keys: ONE_KEY,
};

pub(super) const TALOS_1_12: Distribution = Distribution {
    id: "talos-1.12",
    title: "Talos before 1.13",
    detect: |it| it.image_minor(IMAGE).is_some_and(|minor| minor < 13),
    issuer: IssuerGuide::Files(Guide {
        default_issuer: DefaultIssuer::Unknown,
        accepts: Accepts::One,
        audiences: Audiences::Kept,
        present: |_| Ok(Present::default()),
        rollout: |change, _, _, stage| extra_args(change, stage, Accepts::One),
        notes: |_| notes(),
    }),
    keys: ONE_KEY,
};

/// `status.nodeInfo.osImage`: `Talos (v1.14.0)`.
const IMAGE: &str = "Talos";

const ONE_KEY: KeyChange = KeyChange::Single {
    files: "Talos before 1.14: there is one key, cluster.serviceAccount.key of the machine configuration of each control plane node; all \
            steps: keyless render rotation --distro talos-1.13",
    sign: || {
        vec![
            former_key("cluster.serviceAccount.key, decoded from base64"),
            action(
                "On every control plane node, one after the other: cluster.serviceAccount.key becomes the base64 of sa-new.key.",
                &["base64 -w 0 sa-new.key", "talosctl -n NODE edit machineconfig"],
            ),
            action(
                "If the API server does not sign with it, restart the node: a changed key did nothing in some versions.",
                &["keyless keys", "talosctl -n NODE reboot"],
            ),
        ]
    },
};

const AUDIENCES_FLAG: &str = "api-audiences";
const FILE: &str = "machine configuration (talosctl edit machineconfig)";

/// `kind: KubeServiceAccountConfig`, and the flag that it has no member for.
fn document(change: &IssuerChange, stage: Stage) -> Result<Rollout> {
    let mut flags = flags(change, stage);
    // Unset, Talos takes the first issuer alone for the API server's audience (config/types/k8s/service_account.go).
    let audiences: Vec<_> =
        change.accepted.iter().chain([&change.issuer]).map(|it| it.as_str().to_owned()).collect();
    flags.push(Flag { name: AUDIENCES_FLAG, value: audiences.join(",") });
    let issuers: Vec<&str> =
        flags.iter().filter(|it| it.name == ISSUER_FLAG).map(|it| it.value.as_str()).collect();
    let (signs, accepted) = issuers.split_first().map_or(("", &[][..]), |(first, rest)| (*first, rest));
    let service_accounts = json!({
        "apiVersion": "v1alpha1",
        "kind": "KubeServiceAccountConfig",
        "issuer": { "issuerURL": signs },
        "accepted": { "issuers": accepted, "audiences": audiences },
    });
    let mut content = format!(
        "# A part of the {FILE}: the other members of these documents stay.\n{}",
        yaml(&service_accounts)?
    );
    for flag in flags.iter().filter(|it| it.name == JWKS_FLAG) {
        let server = json!({
            "apiVersion": "v1alpha1",
            "kind": "KubeAPIServerConfig",
            "extraArgs": { flag.name: flag.value },
        });
        content.push_str(&format!("---\n{}", yaml(&server)?));
    }
    Ok(Rollout {
        stage,
        flags,
        files: vec![File { path: FILE.to_owned(), content }],
        steps: steps(change, stage),
    })
}

fn extra_args(change: &IssuerChange, stage: Stage, accepts: Accepts) -> Result<Rollout> {
    let mut flags = flags(change, stage);
    if accepts == Accepts::One {
        let mut named = false;
        flags.retain(|flag| flag.name != ISSUER_FLAG || !std::mem::replace(&mut named, true));
    }
    let issuers: Vec<&str> =
        flags.iter().filter(|it| it.name == ISSUER_FLAG).map(|it| it.value.as_str()).collect();
    let value = match accepts {
        Accepts::Several => json!(issuers),
        Accepts::One => json!(issuers.first()),
    };
    let mut args = serde_json::Map::from_iter([(ISSUER_FLAG.to_owned(), value)]);
    args.extend(
        flags
            .iter()
            .filter(|it| it.name == JWKS_FLAG)
            .map(|it| (it.name.to_owned(), Value::from(it.value.as_str()))),
    );
    let part = json!({ "cluster": { "apiServer": { "extraArgs": args } } });
    let content = format!("# A part of the {FILE}: everything else of it stays.\n{}", yaml(&part)?);
    Ok(Rollout {
        stage,
        flags,
        files: vec![File { path: FILE.to_owned(), content }],
        steps: steps(change, stage),
    })
}

fn steps(change: &IssuerChange, stage: Stage) -> Vec<Action> {
    let check = check(
        change,
        stage,
        "kubectl -n kube-system get pods -o yaml | grep -e '- --service-account-issuer='",
    );
    vec![
        action(
            "On every control plane node, one after the other. Edit it: a patch would append to the lists, and an issuer that is named \
             twice keeps the API server from starting.",
            &["talosctl -n NODE edit machineconfig", "talosctl -n NODE health"],
        ),
        check,
    ]
}

fn keys(what: &str) -> Vec<Action> {
    vec![action(
        &format!(
            "On every control plane node, one after the other, in the document KubeServiceAccountConfig: {what}"
        ),
        &["talosctl -n NODE edit machineconfig", "talosctl -n NODE health"],
    )]
}

/// The way back, and what verifies the tokens of the key meanwhile.
fn former_key(from: &str) -> Action {
    action(
        &format!("Keep the key that signs now: put {from} of the machine configuration into sa-former.key."),
        &["umask 077", "openssl pkey -in sa-former.key -pubout -out sa-former.pub"],
    )
}

fn notes() -> Vec<Note> {
    vec![
        Note::always(
            "Talos: the issuer of a cluster is the endpoint of its control plane, unless the machine configuration names another one.",
        ),
        Note::new("Talos 1.13: its release candidates appended to the default issuer; use 1.13.0 or later."),
    ]
}

fn notes_of_documents() -> Vec<Note> {
    let mut notes = notes();
    notes.push(
        Note::always(
            "Talos 1.14: a machine configuration of an earlier version holds cluster.serviceAccount and cluster.apiServer, and Talos \
             refuses these documents beside them. Move them first: issuer.privateKey is cluster.serviceAccount.key decoded from base64, \
             and KubeAPIServerConfig names the image.",
        )
    );
    notes
}
