//! PURE. How the key that signs ServiceAccount tokens is replaced, without a token that is refused.
//!
//! Every API server accepts a key before one signs with it, and relying parties have it before that. Key files are read
//! when the API server starts, and each may hold several PEM blocks (kube-apiserver `--service-account-key-file`).

use serde::Serialize;

use super::{Action, ClusterFacts, Distribution, detect};

/// How a distribution replaces the key.
pub(super) enum KeyChange {
    /// The old and the new key are accepted at the same time.
    Staged(StagedKeys),
    /// There is one key at a time: tokens of the old one are refused.
    Single {
        /// Where it is, in one line.
        files: &'static str,
        sign: fn() -> Vec<Action>,
    },
    /// The provider of the cluster does it.
    Provider,
    /// No procedure is known. Why, and what to look at.
    Unknown(&'static str),
}

/// The change at the API servers, in three parts. Each is done on every server, one after the other, before the next begins.
pub(super) struct StagedKeys {
    /// Where the keys are, in one line.
    pub(super) files: &'static str,
    /// Every API server accepts the new key, and signs with the old one.
    pub(super) serve: fn() -> Vec<Action>,
    /// Every API server signs with the new key, and accepts the old one.
    pub(super) sign: fn() -> Vec<Action>,
    /// No API server accepts the old key.
    pub(super) remove: fn() -> Vec<Action>,
}

/// The rotation, in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyInstructions {
    pub(crate) distro: &'static Distribution,
    /// Whether no token is refused on the way.
    pub(crate) seamless: bool,
    pub(crate) parts: Vec<Part>,
    pub(crate) notes: Vec<&'static str>,
}

/// One part of it: it is complete before the next begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Part {
    pub(crate) title: &'static str,
    pub(crate) steps: Vec<Action>,
}

/// Where the distribution of this cluster keeps the keys, in one line; `None`: it is not known.
pub(crate) fn key_files(facts: &ClusterFacts) -> Option<&'static str> {
    match &detect(facts)?.keys {
        KeyChange::Staged(StagedKeys { files, .. }) | KeyChange::Single { files, .. } => Some(files),
        KeyChange::Provider => {
            Some("the provider rotates the keys of this cluster's API servers: nothing is to be done by hand")
        }
        KeyChange::Unknown(_) => None,
    }
}

/// The rotation for a distribution.
pub(crate) fn rotation(distro: &'static Distribution) -> KeyInstructions {
    let part = |title, steps| Part { title, steps };
    let (seamless, parts) = match &distro.keys {
        KeyChange::Staged(keys) => {
            let parts = vec![
                part("Make the new key, and publish its public half", vec![new_key(), publish()]),
                part(
                    "Every API server accepts the new key, and signs with the old one",
                    with((keys.serve)(), served()),
                ),
                part("Wait until relying parties have the new key", vec![wait()]),
                part(
                    "Every API server signs with the new key, and accepts the old one",
                    with((keys.sign)(), signs()),
                ),
                part("Wait until the last token of the old key has expired", vec![restart_pods(), wait()]),
                part("No API server accepts the old key", with((keys.remove)(), verify())),
            ];
            (true, parts)
        }
        KeyChange::Single { sign, .. } => {
            let parts = vec![
                part("Make the new key, and publish its public half", vec![new_key(), publish()]),
                part("Wait until relying parties have the new key", vec![wait_by_time()]),
                part(
                    "Every API server signs with the new key, and refuses the old one",
                    with(sign(), verify()),
                ),
                part("Restart what holds a token of the old key", vec![restart_pods()]),
            ];
            (false, parts)
        }
        KeyChange::Provider => (
            true,
            vec![part("The provider of the cluster rotates the key, and publishes it", vec![verify()])],
        ),
        KeyChange::Unknown(why) => (
            false,
            vec![part(
                "No procedure is known",
                vec![Action { what: (*why).to_owned(), commands: Vec::new() }],
            )],
        ),
    };
    let notes = match &distro.keys {
        KeyChange::Staged(_) => vec![
            "Do each part on every API server, one after the other, before you begin the next: a server that signs with a key that \
             another one does not accept has its tokens refused there.",
            "Keep the kind of key (RSA stays RSA): some relying parties accept RSA only.",
            "With one API server, the second part may be left out.",
        ],
        KeyChange::Single { .. } => vec![
            "One key at a time: from the restart on, tokens of the old key are refused by the API servers. Plan an outage: pods \
             get a new token within an hour, or when they are restarted.",
            "Relying parties accept both keys meanwhile: `keyless publish` keeps the old one published until its tokens have expired.",
        ],
        KeyChange::Provider | KeyChange::Unknown(_) => Vec::new(),
    };
    KeyInstructions { distro, seamless, parts, notes }
}

impl KeyInstructions {
    /// For people.
    pub(crate) fn to_text(&self) -> String {
        let mut out = format!("Replace the signing key of {}:\n", self.distro.title);
        for (number, part) in self.parts.iter().enumerate() {
            out.push_str(&format!("\n{}. {}\n", number + 1, part.title));
            for action in &part.steps {
                out.push_str(&format!("\n   {}\n", action.what));
                for command in &action.commands {
                    out.push_str(&format!("     $ {command}\n"));
                }
            }
        }
        if !self.notes.is_empty() {
            out.push('\n');
        }
        for note in &self.notes {
            out.push_str(&format!("  * {note}\n"));
        }
        out
    }
}

fn with(mut steps: Vec<Action>, check: Action) -> Vec<Action> {
    steps.push(check);
    steps
}

fn new_key() -> Action {
    action(
        "On a machine that you trust. OpenSSL before 3 takes no -traditional: leave it out there. Where `keyless keys` shows ES256, make an EC \
         key instead: openssl ecparam -name prime256v1 -genkey -noout.",
        &[
            "umask 077",
            "openssl genrsa -traditional -out sa-new.key 2048",
            "openssl rsa -in sa-new.key -pubout -out sa-new.pub",
        ],
    )
}

fn publish() -> Action {
    action("It is public before anything signs with it.", &["keyless keys add sa-new.pub"])
}

fn served() -> Action {
    action("Check: every API server has it (LIVE AT), none signs with it.", &["keyless keys"])
}

fn signs() -> Action {
    action("Check: it signs, and relying parties accept it.", &["keyless keys", "keyless verify"])
}

fn wait() -> Action {
    action("The command ends when the next part is safe.", &["keyless keys wait"])
}

/// No API server has it, so `keys wait` has nothing to wait for.
fn wait_by_time() -> Action {
    action("Wait until the time in SAFE TO SIGN AFTER.", &["keyless keys"])
}

fn restart_pods() -> Action {
    action(
        "Pods that read their token once, at their start, use it at the API for up to a year. Restart them now.",
        &["kubectl -n NAMESPACE rollout restart deployment NAME"],
    )
}

fn verify() -> Action {
    action("Check.", &["keyless verify"])
}

pub(super) fn action(what: &str, commands: &[&str]) -> Action {
    Action { what: what.to_owned(), commands: commands.iter().map(|command| (*command).to_owned()).collect() }
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
