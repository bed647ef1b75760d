//! PURE. Which long-lived credentials a run leaves behind: what its last line counts.

use serde_json::{Value, json};

use super::{
    observed::{KeyStanding, KeyView},
    state::{Kept, Stage, State},
};

/// A credential that the store used before, and that is not known to be gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remaining {
    /// As people name it.
    credential: String,
    /// As its provider names it.
    id: String,
    standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Enabled,
    Disabled,
    /// Its provider did not prove it to be the stored one.
    Unproved,
    /// Only a person can revoke it.
    ByHand,
    /// Something was done to it, and it was not seen since.
    NotSeen,
}

impl Standing {
    fn name(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Unproved => "unproved",
            Self::ByHand => "by-hand",
            Self::NotSeen => "unknown",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Unproved => "it is not proved what it is",
            Self::ByHand => "only a person can revoke it",
            Self::NotSeen => "whether it is enabled is not known",
        }
    }
}

/// `keys`: as they were last seen, unless something was done to them since.
pub(crate) fn remaining(state: &State, keys: Option<&[KeyView]>) -> Vec<Remaining> {
    let one = |(index, kept): (usize, &Kept)| {
        let key = keys.and_then(|keys| keys.get(index));
        let standing = standing(kept, key, &state.stage)?;
        let (credential, id) = (kept.identity.to_string(), kept.identity.id.clone());
        Some(Remaining { credential, id, standing })
    };
    state.credentials.iter().enumerate().filter_map(one).collect()
}

/// `None`: it is gone.
fn standing(kept: &Kept, key: Option<&KeyView>, stage: &Stage) -> Option<Standing> {
    let Some(key) = key else {
        return Some(match stage {
            Stage::Disabled { .. } if kept.ours => Standing::Disabled,
            Stage::GivenBack { .. } => Standing::Enabled,
            _ => Standing::NotSeen,
        });
    };
    match key.standing {
        KeyStanding::Enabled => Some(Standing::Enabled),
        KeyStanding::Disabled => Some(Standing::Disabled),
        KeyStanding::Absent => None,
        KeyStanding::Unproved(_) => Some(Standing::Unproved),
        KeyStanding::ByHand => Some(Standing::ByHand).filter(|_| key.places.iter().any(|place| place.there)),
    }
}

/// Each once, although several stores used it.
pub(crate) fn distinct(all: impl IntoIterator<Item = Remaining>) -> Vec<Remaining> {
    let mut distinct: Vec<Remaining> = Vec::new();
    for one in all {
        if !distinct.iter().any(|known| (&known.id, &known.credential) == (&one.id, &one.credential)) {
            distinct.push(one);
        }
    }
    distinct
}

/// The last line of a run; `None`: none is known.
pub(crate) fn line(all: &[Remaining]) -> Option<String> {
    let what = match all.len() {
        0 => return None,
        1 => "1 long-lived credential remains".to_owned(),
        many => format!("{many} long-lived credentials remain"),
    };
    let named: Vec<_> = all.iter().map(|it| format!("{} ({})", it.credential, it.standing.words())).collect();
    Some(format!("{what}: {}", named.join(", ")))
}

pub(crate) fn to_json(all: &[Remaining]) -> Value {
    let one =
        |it: &Remaining| json!({ "credential": it.credential, "id": it.id, "standing": it.standing.name() });
    all.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        federation::{
            ProviderName,
            credential::{Identity, Kind},
        },
        retirement::{PlaceView, StoreId, Why},
    };

    fn state(names: &[&str], stage: Stage) -> State {
        let store = StoreId {
            kind: "ClusterSecretStore".into(),
            namespace: String::new(),
            name: "gcp".into(),
            uid: "u".into(),
        };
        let mut state = State::new("c", store, None, json!({}));
        state.credentials.extend(names.iter().map(|name| Kept {
            identity: Identity {
                kind: Kind::Of(ProviderName::default()),
                id: format!("id-{name}"),
                shown: format!("key {name}"),
                public_half: None,
                client: None,
                by_hand: String::new(),
            },
            proved: true,
            ours: true,
            places: Vec::new(),
        }));
        state.stage = stage;
        state
    }

    fn seen(standing: KeyStanding, there: bool) -> KeyView {
        KeyView { standing, places: vec![PlaceView { there, ..PlaceView::default() }] }
    }

    fn last_line(state: &State, keys: Option<&[KeyView]>) -> Option<String> {
        line(&remaining(state, keys))
    }

    #[test]
    fn remaining_keys_are_counted_and_named() {
        let state = state(&["a", "b"], Stage::Switched { at: 1 });
        let keys = [seen(KeyStanding::Enabled, true), seen(KeyStanding::Disabled, true)];
        assert_eq!(
            last_line(&state, Some(&keys)).unwrap(),
            "2 long-lived credentials remain: key a (enabled), key b (disabled)"
        );
        let keys = [seen(KeyStanding::Absent, true), seen(KeyStanding::Unproved("x".into()), true)];
        assert_eq!(
            last_line(&state, Some(&keys)).unwrap(),
            "1 long-lived credential remains: key b (it is not proved what it is)"
        );
    }

    #[test]
    fn gone_keys_are_not_counted() {
        let state = state(&["a", "b"], Stage::Deleting { at: 1, since: 1 });
        let keys = [seen(KeyStanding::Absent, false), seen(KeyStanding::ByHand, false)];
        assert_eq!(last_line(&state, Some(&keys)), None);
    }

    #[test]
    fn unseen_key_is_not_called_disabled() {
        for (stage, standing) in [
            (Stage::Saved, "unknown"),
            (Stage::Disabling { at: 1 }, "unknown"),
            (Stage::Deleting { at: 1, since: 1 }, "unknown"),
            (Stage::GivingBack { at: 1, why: Why::Unfit }, "unknown"),
            (Stage::GivenBack { at: 1, why: Why::Unfit }, "enabled"),
            (Stage::Disabled { at: 1, since: 1, until: 2 }, "disabled"),
        ] {
            let shown = to_json(&remaining(&state(&["a"], stage.clone()), None));
            assert_eq!(shown[0]["standing"], standing, "{stage:?}");
        }
        let mut others = state(&["a"], Stage::Disabled { at: 1, since: 1, until: 2 });
        others.credentials[0].ours = false;
        assert_eq!(to_json(&remaining(&others, None))[0]["standing"], "unknown");
    }

    #[test]
    fn shared_key_is_counted_once() {
        let one = || remaining(&state(&["a"], Stage::Saved), None);
        assert_eq!(distinct(one().into_iter().chain(one())).len(), 1);
    }
}
