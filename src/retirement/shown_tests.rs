use serde_json::json;

use super::*;
use crate::{
    federation::{
        ProviderName,
        credential::{Identity, Kind},
    },
    retirement::{
        Block, Elsewhere, End, KeyStanding, KeyView, Next, Observed, Options, PlaceView, StoreView, Until,
        Why, next, users::Schedule,
    },
};

const NOW: u64 = 1000;
const OTHER: &str = "ClusterSecretStore other";

fn state(stage: Stage) -> State {
    let store = StoreId {
        kind: "ClusterSecretStore".into(),
        namespace: String::new(),
        name: "gcp".into(),
        uid: "u".into(),
    };
    let mut state = State::new("c", store, Some(json!({"gcpsm": {}})), json!({"vault": {}}));
    state.credentials.push(Kept {
        identity: Identity {
            kind: Kind::Of(ProviderName::default()),
            id: "k".into(),
            client: None,
            shown: "key 0123 of eso".into(),
            public_half: Some("h".into()),
            by_hand: String::new(),
        },
        proved: true,
        ours: !matches!(stage, Stage::Saved | Stage::Switched { .. }),
        places: vec![Place {
            namespace: "eso".into(),
            name: "key".into(),
            uid: "s".into(),
            version: "1".into(),
            entries: vec!["key.json".into()],
        }],
    });
    state.stage = stage;
    state
}

fn seen(standing: KeyStanding, store: StoreView) -> Observed {
    let places = vec![PlaceView { there: true, ..PlaceView::default() }];
    Observed {
        store,
        keys: Some((NOW, vec![KeyView { standing, places }])),
        elsewhere: Some((NOW, Elsewhere::default())),
        probed: true,
        ..Observed::default()
    }
}

fn options(shown: Shown) -> Options {
    Options {
        switch: false,
        retire: true,
        delete_secret: false,
        undo: false,
        force_sync: false,
        accept_unrefreshed: false,
        accept_unseen: false,
        watch_for: Some(0),
        deadline: NOW + 60,
        grace: 60,
        until: Until::End,
        shown,
    }
}

fn after() -> StoreView {
    StoreView::After { ready: true, says: String::new() }
}

impl Shown {
    /// The same without the steps about this.
    fn without(mut self, action: Action, name: &str) -> Self {
        let before = self.steps.len();
        self.steps.retain(|(_, does, named)| !(*does == action && named == name));
        assert_eq!(self.steps.len() + 1, before, "{name} is not among {:?}", self.steps);
        self
    }
}

fn unplanned(beyond: &[&str], others: &[&str]) -> Next {
    let owned = |all: &[&str]| all.iter().map(|&it| it.to_owned()).collect();
    Next::Stop(End::Blocked(Block::Unplanned { beyond: owned(beyond), others: owned(others) }))
}

/// Another store used it when the plan was shown, and does not when the run looks.
#[test]
fn key_shown_as_kept_stays() {
    let state = state(Stage::Switched { at: 1 });
    let record = Write::Record(&state.store).step(Action::Update, "");
    let kept = Write::Disable(&state.credentials[0]).step(Action::NoOp, format!("also used by {OTHER}"));
    for retire in [false, true] {
        let shown = Shown::of([&record, &kept], &[OTHER.to_owned()]);
        let options = Options { retire, ..options(shown) };
        let mut seen = seen(KeyStanding::Enabled, after());
        let key = "key 0123 of eso";
        let at_provider = format!("{key} at its provider");
        let beyond = if retire { vec![key, &at_provider] } else { vec![key] };
        assert_eq!(next(&state, &seen, &options, NOW), unplanned(&beyond, &[OTHER]));
        // As long as it does, that is the reason.
        seen.elsewhere = Some((NOW, Elsewhere { users: vec![OTHER.into()], ..Elsewhere::default() }));
        let others = Block::Others(vec![OTHER.into()]);
        assert_eq!(next(&state, &seen, &options, NOW), Next::Stop(End::Blocked(others)));
    }
}

/// A step whose gate another run opens is shown, and is none of this run.
#[test]
fn later_step_bounds_the_run() {
    let state = state(Stage::Disabled { at: 1, since: 2, until: 3 });
    let later = Write::Delete(&state.credentials[0]).step(Action::Delete, "");
    let later = later.gated(crate::plan::Gate::OnRetireKey);
    assert!(!Shown::of([&later], &[]).has(Write::Delete(&state.credentials[0])));
}

/// Each write is done where its step was shown, and is not where that alone was left out.
#[test]
fn each_write_needs_its_step() {
    let key = "key 0123 of eso";
    let at_provider = "key 0123 of eso at its provider";
    let secret = "Secret eso/key (key.json)";
    let store = "ClusterSecretStore gcp";
    let disabled = || Stage::Disabled { at: 1, since: 2, until: 3 };
    let deleting = || Stage::Deleting { at: 1, since: 2 };
    let before = || StoreView::Before;
    for (stage, standing, view, change, does, left_out) in [
        (
            Stage::Disabling { at: 1 },
            KeyStanding::Enabled,
            after(),
            None,
            Next::Disable(0),
            (Action::Disable, key),
        ),
        (deleting(), KeyStanding::Disabled, after(), None, Next::DeleteKey(0), (Action::Delete, at_provider)),
        (deleting(), KeyStanding::Absent, after(), None, Next::DeleteSecret(0, 0), (Action::Delete, secret)),
        (
            Stage::Saved,
            KeyStanding::Enabled,
            before(),
            Some("switch"),
            Next::SwitchStore,
            (Action::Update, store),
        ),
        (
            Stage::Undoing { at: 1 },
            KeyStanding::Enabled,
            after(),
            Some("undo"),
            Next::RestoreStore,
            (Action::Update, store),
        ),
    ] {
        let state = state(stage);
        let all = Shown::everything(&state);
        let with = |shown: Shown| {
            let options = options(shown);
            Options { switch: change == Some("switch"), undo: change == Some("undo"), ..options }
        };
        let seen = seen(standing, view);
        assert_eq!(next(&state, &seen, &with(all.clone()), NOW), does);
        let bounded = next(&state, &seen, &with(all.without(left_out.0, left_out.1)), NOW);
        match does {
            // It goes back to where nothing is done, and is refused there.
            Next::Disable(_) => assert!(matches!(bounded, Next::Save(_)), "{bounded:?}"),
            _ => assert_eq!(bounded, unplanned(&[left_out.1], &[])),
        }
    }
    // Nothing is deleted after a watch, if that was not shown.
    let state = state(disabled());
    let shown = Shown::everything(&state).without(Action::Delete, at_provider);
    let seen = seen(KeyStanding::Disabled, after());
    assert_eq!(next(&state, &seen, &options(shown), NOW), unplanned(&[at_provider], &[]));
}

/// Whatever was shown: else what needs it stays broken. What another user has disabled is theirs.
#[test]
fn credential_held_is_given_back() {
    let mut state = state(Stage::GivingBack { at: 1, why: Why::Reverted });
    let seen = seen(KeyStanding::Disabled, after());
    let other = Write::Store(&state.store).step(Action::Update, "");
    for shown in [Shown::default(), Shown::of([&other], &[]), Shown::everything(&state)] {
        assert!(shown.may_record(&state));
        assert_eq!(next(&state, &seen, &options(shown), NOW), Next::Enable(0));
    }
    state.credentials[0].ours = false;
    assert!(!Shown::default().may_record(&state));
    let decided = next(&state, &seen, &options(Shown::everything(&state)), NOW);
    assert!(!matches!(decided, Next::Enable(_)), "{decided:?}");
}

/// What never runs again, or has run by the new login, is not asked; a store whose switch was not noted counts as switched.
#[test]
fn only_waiting_users_are_asked() {
    let user = |name: &str, refreshed: u64, schedule: Schedule| Sighting {
        uid: name.into(),
        name: name.into(),
        ready: true,
        says: String::new(),
        refreshed: Some(refreshed),
        created: Some(0),
        synced: "1".into(),
        schedule,
    };
    let hourly = || Schedule::Every(3600);
    let broken = Sighting { ready: false, ..user("broken", 5, hourly()) };
    let users = vec![
        user("waits", 5, hourly()),
        user("ran", NOW - 10, hourly()),
        user("once", 5, Schedule::Never("it ran".into())),
        broken,
    ];
    let asked = |stage: Stage, switch: bool| to_ask(&state(stage), users.clone(), switch, NOW);
    assert_eq!(asked(Stage::Switched { at: 100 }, false), ["waits", "broken"]);
    assert_eq!(asked(Stage::Saved, false), ["waits", "ran", "broken"]);
    // What is not ready before the switch did not rely on the former login.
    assert_eq!(asked(Stage::Saved, true), ["waits", "ran"]);
}
