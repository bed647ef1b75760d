//! PURE. In one paragraph: what state the store, its former credential and the grants are in, and what to do.

use super::{
    observed::{KeyStanding, KeyView, StoreView},
    state::{Stage, State},
};

/// What the final message is about. `provider`: where grants were made, if they were.
pub(crate) struct Situation<'a> {
    pub(crate) state: &'a State,
    /// Nothing has been written down, so nothing has been done to store and credential.
    pub(crate) untouched: bool,
    pub(crate) store: Option<&'a StoreView>,
    /// As they were last seen, unless something was done to them since.
    pub(crate) keys: Option<&'a [KeyView]>,
    pub(crate) provider: Option<&'a str>,
    /// `keyless setup --retire-key`.
    pub(crate) command: &'a str,
    /// Whether an undo is the way back.
    pub(crate) undoes: bool,
    /// `keyless setup --undo`.
    pub(crate) undo: &'a str,
}

/// The paragraph.
pub(crate) fn last_words(it: &Situation<'_>) -> String {
    let mut words = vec![store(it)];
    for (index, kept) in it.state.credentials.iter().enumerate() {
        let seen = it.keys.and_then(|keys| keys.get(index)).map(|key| &key.standing);
        let name = without_article(&kept.identity.shown);
        words.push(format!("The {name} {}.", credential(it, seen, kept.ours)));
    }
    if let Some(provider) = it.provider {
        words.push(format!("What was granted at {provider} stays."));
    }
    words.push(match it.state.stage {
        Stage::Undoing { .. } => format!("To finish the undo: {}.", it.undo),
        Stage::Deleting { .. } => format!("To go on: {}.", it.command),
        _ if it.untouched || !it.undoes || it.state.credentials.is_empty() => {
            format!("To go on: {}.", it.command)
        }
        _ => format!("To go on: {}. To go back: {}.", it.command, it.undo),
    });
    words.join(" ")
}

/// Of `a Vault token` the noun.
fn without_article(shown: &str) -> &str {
    ["a ", "an ", "the "].iter().find_map(|article| shown.strip_prefix(article)).unwrap_or(shown)
}

fn store(it: &Situation<'_>) -> String {
    let name = &it.state.store;
    match (it.store, &it.state.stage) {
        _ if it.untouched => format!("{name} logs in as before."),
        (Some(StoreView::Before), _) => format!("{name} logs in as before."),
        (Some(StoreView::After { .. }), _) => format!("{name} logs in by its new provider."),
        (Some(StoreView::Other { .. }), _) => format!("{name} says something that keyless did not write."),
        (Some(StoreView::Gone), _) => format!("{name} is gone."),
        (Some(StoreView::Replaced { .. }), _) => format!("Another store has the name of {name} by now."),
        (None, Stage::Saved | Stage::Undoing { .. }) => {
            format!("{name} logs in as before, or by its new provider if the change was just made.")
        }
        (None, _) => format!("{name} logs in by its new provider."),
    }
}

fn credential(it: &Situation<'_>, seen: Option<&KeyStanding>, ours: bool) -> &'static str {
    match (seen, &it.state.stage) {
        _ if it.untouched => "was not touched",
        (Some(KeyStanding::Enabled), _) => "is enabled",
        (Some(KeyStanding::Disabled), _) => "is disabled, and can be enabled again",
        (Some(KeyStanding::Absent), _) => "is deleted",
        (Some(KeyStanding::Unproved(_)), _) => "was not touched: it is not proved what it is",
        (Some(KeyStanding::ByHand), _) => "was not touched: only a person can revoke it",
        (None, Stage::Deleting { .. }) => "is disabled, and may be deleted by now",
        (None, Stage::Disabling { .. } | Stage::GivingBack { .. } | Stage::Undoing { .. }) if ours => {
            "may be disabled by now"
        }
        (None, Stage::Disabled { .. }) if ours => "is disabled, and can be enabled again",
        (None, Stage::GivenBack { .. }) => "is enabled again",
        (None, _) => "was not touched",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        federation::{
            ProviderName,
            credential::{Identity, Kind},
        },
        retirement::{Kept, StoreId, Why},
    };

    fn state(stage: Stage) -> State {
        let store = StoreId {
            kind: "ClusterSecretStore".into(),
            namespace: String::new(),
            name: "gcp".into(),
            uid: "u".into(),
        };
        let mut state = State::new("c", store, Some(json!({})), json!({}));
        state.credentials.push(Kept {
            identity: Identity {
                kind: Kind::Of(ProviderName::default()),
                id: "k".into(),
                shown: "key 0123 of eso@acme-prod".into(),
                public_half: None,
                client: None,
                by_hand: String::new(),
            },
            proved: true,
            ours: true,
            places: Vec::new(),
        });
        state.stage = stage;
        state
    }

    fn words(stage: Stage, store: Option<StoreView>, standing: Option<KeyStanding>) -> String {
        let state = state(stage);
        let keys = standing.map(|standing| vec![KeyView { standing, places: Vec::new() }]);
        last_words(&Situation {
            state: &state,
            untouched: false,
            store: store.as_ref(),
            keys: keys.as_deref(),
            provider: Some("Google project acme-prod"),
            command: "keyless setup --retire-key",
            undoes: true,
            undo: "keyless setup --undo",
        })
    }

    #[test]
    fn final_message_names_state_and_command() {
        let after = || Some(StoreView::After { ready: true, says: String::new() });
        let disabled = Stage::Disabled { at: 1, since: 2, until: 3 };
        assert_eq!(
            words(disabled, after(), Some(KeyStanding::Disabled)),
            "ClusterSecretStore gcp logs in by its new provider. The key 0123 of eso@acme-prod is disabled, and can be \
             enabled again. What was granted at Google project acme-prod stays. To go on: keyless setup --retire-key. To \
             go back: keyless setup --undo."
        );
    }

    #[test]
    fn article_is_said_once() {
        for (shown, noun) in [
            ("the secret half of a key", "secret half of a key"),
            ("a Vault token", "Vault token"),
            ("an AWS access key", "AWS access key"),
            ("another key", "another key"),
        ] {
            assert_eq!(without_article(shown), noun);
        }
    }

    /// What was under way when the program was stopped may have had its effect.
    #[test]
    fn interrupted_act_is_never_assumed_undone() {
        for (stage, says) in [
            (Stage::Saved, "or by its new provider if the change was just made"),
            (Stage::Disabling { at: 1 }, "may be disabled by now"),
            (Stage::Deleting { at: 1, since: 2 }, "may be deleted by now"),
            (Stage::GivingBack { at: 1, why: Why::Reverted }, "may be disabled by now"),
            (Stage::Undoing { at: 1 }, "may be disabled by now"),
        ] {
            let words = words(stage.clone(), None, None);
            assert!(words.contains(says) && !words.contains('\n'), "{stage:?}: {words}");
        }
    }
}
