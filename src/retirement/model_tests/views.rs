//! The states and sightings that the model makes of its world.

use serde_json::json;

use super::world::{Life, Login, Rhythm, User, World};
use crate::{
    federation::{
        ProviderName,
        credential::{Identity, Kind},
    },
    plan::{Action, Step},
    retirement::{
        Block, End, Kept, Options, Place, Shown, Sighting, Stage, State, StoreId, Write, users::Schedule,
    },
};

pub(super) fn new_state(world: &World, id: StoreId) -> State {
    let mut state = State::new("cluster", id, Some(json!("old")), json!("new"));
    let one = |(index, key): (usize, &super::world::Key)| Kept {
        identity: Identity {
            kind: Kind::Of(ProviderName::default()),
            id: index.to_string(),
            shown: format!("key {index}"),
            public_half: None,
            client: None,
            by_hand: String::new(),
        },
        proved: key.life != Life::Deleted,
        ours: false,
        places: vec![Place {
            namespace: "external-secrets".into(),
            name: index.to_string(),
            uid: String::new(),
            version: String::new(),
            entries: Vec::new(),
        }],
    };
    state.credentials = world.keys.iter().enumerate().map(one).collect();
    let broken = world.users.iter().filter(|user| !user.ready);
    state.remember_broken(broken.map(|user| (user.uid.to_string(), user.refreshed.unwrap_or_default())));
    state
}

/// What a plan shows by what there is now.
pub(super) fn shown(world: &World, state: &State, options: &Options) -> Shown {
    let mut steps: Vec<Step> = Vec::new();
    if options.switch || options.undo {
        steps.push(Write::Store(&state.store).step(Action::Update, ""));
    }
    let others: Vec<_> = world.keys.iter().flat_map(|key| &key.others).map(u64::to_string).collect();
    for (kept, key) in state.credentials.iter().zip(&world.keys) {
        let (retires, is_kept) = (options.retire && others.is_empty(), !others.is_empty());
        match key.life {
            Life::Enabled if !is_kept => steps.push(Write::Disable(kept).step(Action::Disable, "")),
            Life::Disabled if options.undo => steps.push(Write::Enable(kept).step(Action::Enable, "")),
            _ => {}
        }
        if retires && key.life != Life::Deleted {
            steps.push(Write::Delete(kept).step(Action::Delete, ""));
        }
        if retires && key.secret {
            steps.extend(kept.places.iter().map(|place| Write::DeleteSecret(place).step(Action::Delete, "")));
        }
    }
    let goes_on =
        matches!(state.stage, Stage::Disabling { .. } | Stage::GivingBack { .. } | Stage::Undoing { .. });
    if !steps.is_empty() || goes_on {
        steps.push(Write::Record(&state.store).step(Action::Update, ""));
    }
    asking(world, Shown::of(&steps, &others))
}

pub(super) fn everything(world: &World, state: &State) -> Shown {
    asking(world, Shown::everything(state))
}

fn asking(world: &World, mut shown: Shown) -> Shown {
    let names: Vec<_> = world.users.iter().map(|user| format!("user {}", user.uid)).collect();
    shown.add_force_sync(names.iter().map(String::as_str));
    shown
}

pub(super) fn synced(user: &User) -> String {
    user.synced.map(|version| version.to_string()).unwrap_or_default()
}

pub(super) fn sighting(user: &User) -> Sighting {
    Sighting {
        uid: user.uid.to_string(),
        name: format!("user {}", user.uid),
        ready: user.ready,
        says: String::new(),
        refreshed: user.refreshed,
        created: Some(user.created),
        synced: synced(user),
        schedule: match user.rhythm {
            Rhythm::Every(seconds) => Schedule::Every(seconds),
            Rhythm::OnChange => Schedule::Asked("OnChange".into()),
            Rhythm::Once => Schedule::Never("CreatedOnce".into()),
        },
    }
}

pub(super) fn note(end: &End, world: &mut World) {
    let words = match end {
        End::Blocked(Block::GaveBack(_)) => "GaveBack".to_owned(),
        End::Blocked(block) => format!("{block:?}"),
        end => format!("{end:?}"),
    };
    let word = words.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    world.ends.insert(word.to_owned());
    if *end == End::Undone && !matches!(world.store, Some((Login::Old, _))) && !world.meddled {
        world.violate("it is undone, and the store is not as it was".into());
    }
}
