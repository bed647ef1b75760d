//! The states and sightings that the model makes of its world.

use serde_json::json;

use super::world::{Life, Login, Rhythm, User, World};
use crate::{
    federation::{
        ProviderName,
        credential::{Identity, Kind},
    },
    retirement::{Block, End, Kept, Place, Sighting, State, StoreId, users::Schedule},
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
