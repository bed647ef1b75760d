//! One run of `setup`: looks, decides by [`next`], acts; between any two of these it may be killed.

use super::mutant::Mutant;
use super::views::{everything, new_state, note, shown, sighting, synced};
use super::world::{Life, Login, Rhythm, User, World};
use crate::retirement::{
    Asked, Deed, Elsewhere, Kept, KeyStanding, KeyView, Next, Observed, Options, PlaceView, Shown, Stage,
    State, StoreId, StoreView, Tracker, Until, Write, next,
};

pub(super) struct Process {
    id: u64,
    /// What its plan showed.
    shown: Shown,
    options: Options,
    state: State,
    version: Option<u64>,
    is_new: bool,
    tracker: Tracker,
    seen: Observed,
    looked: u64,
    planned: Option<Next>,
    before: Vec<(u64, Option<u64>)>,
}

impl Process {
    pub(super) fn start(world: &mut World) -> Option<Self> {
        let (login, uid) = world.store?;
        let mut flag = |times: u64| world.random.one_in(times);
        let mut options = Options {
            switch: login != Login::New,
            retire: !flag(3),
            delete_secret: false,
            undo: flag(6),
            force_sync: flag(2),
            accept_unrefreshed: flag(2),
            accept_unseen: false,
            watch_for: (!flag(3)).then_some(0),
            deadline: 0,
            grace: 60,
            until: Until::End,
            shown: Shown::default(),
        };
        if let Some(watch_for) = &mut options.watch_for {
            *watch_for = world.random.below(900);
        }
        options.deadline = world.now + world.random.below(4000);
        let id = StoreId {
            kind: "ClusterSecretStore".into(),
            namespace: String::new(),
            name: "gcp".into(),
            uid: uid.to_string(),
        };
        let saved = match world.saved.clone() {
            None => None,
            // What is noted for another store of this name is of no use, and prevents everything.
            Some((state, version)) => {
                let state = State::parse(&state.to_text(), "cluster", &id).ok()?;
                state.begin(login == Login::Old, world.now).map(|state| (state, version))
            }
        };
        let is_new = saved.is_none();
        let (state, version) = match saved {
            Some((state, version)) => (state, Some(version)),
            // Without a state nothing tells what the store logged in with, once it has left it.
            None if login != Login::Old || options.undo => return None,
            None => (new_state(world, id), world.saved.as_ref().map(|(_, version)| *version)),
        };
        let shown = shown(world, &state, &options);
        options.shown = match world.mutant {
            Some(Mutant::Plan) => everything(world, &state),
            _ => shown.clone(),
        };
        let id = world.fresh();
        world.tell(|| format!("run {id} begins: {options:?}, {:?}", state.stage));
        Some(Self {
            id,
            shown,
            options,
            state,
            version,
            is_new,
            tracker: Tracker::default(),
            seen: Observed::default(),
            looked: 0,
            planned: None,
            before: Vec::new(),
        })
    }

    /// Whether what is done next is to wait.
    pub(super) fn waits(&self) -> bool {
        matches!(self.planned, Some(Next::WaitForStore | Next::WaitForUsers(_) | Next::Watch(_)))
    }

    /// Looks and decides, or acts; `false` when it has ended.
    pub(super) fn step(&mut self, world: &mut World) -> bool {
        match self.planned.take() {
            Some(planned) => self.act(&planned, world),
            None => {
                self.look(world);
                self.planned = Some(next(&self.state, &self.seen, &self.options, world.now));
                if std::mem::take(&mut self.is_new) {
                    // The first thing that a run writes is where it begins.
                    self.planned = Some(Next::Save(Box::new(self.state.clone())));
                }
                self.gives_back(world);
                true
            }
        }
    }

    /// What this program has disabled does not stay so while the store needs it.
    fn gives_back(&self, world: &mut World) {
        let needed = matches!(self.seen.store, StoreView::Before | StoreView::Replaced { names_it: true });
        let answers =
            matches!(self.planned, Some(Next::Save(_) | Next::LookAtKeys | Next::Enable(_) | Next::Clear(_)));
        let hopeless = self
            .seen
            .keys
            .iter()
            .flat_map(|(_, keys)| keys)
            .any(|key| matches!(key.standing, KeyStanding::Unproved(_) | KeyStanding::Absent));
        let goes_forward = !self.options.undo && world.mutant.is_none();
        if needed && self.state.holds() && !answers && !hopeless && goes_forward {
            world.violate(format!(
                "the store needs what keyless has disabled, and it does {:?}",
                self.planned
            ));
        }
    }

    fn look(&mut self, world: &mut World) {
        let names_it = |login| login == Login::Old;
        self.seen.store = match world.store {
            None => StoreView::Gone,
            Some((login, uid)) if uid.to_string() != self.state.store.uid => {
                StoreView::Replaced { names_it: names_it(login) }
            }
            Some((Login::Old, _)) => StoreView::Before,
            Some((Login::New, _)) => StoreView::After { ready: world.store_ready, says: String::new() },
            Some((Login::Foreign, _)) => StoreView::Other { names_it: false },
        };
        let unready = ("the store", "it says so");
        let store = (!world.store_ready).then_some(unready);
        let sightings = world.users.iter().map(sighting).collect();
        let (users, trouble) = self.tracker.see(&self.state, sightings, store, world.now);
        (self.seen.users, self.seen.trouble) = (users, trouble);
        self.seen.asked = self.tracker.asked_uids();
        match world.mutant {
            Some(Mutant::Users) => self.seen.users.iter_mut().for_each(|user| user.ran = true),
            Some(Mutant::FirstRun) => {
                for user in &mut self.seen.users {
                    let before = self.before.iter().find(|(uid, _)| uid.to_string() == user.uid);
                    let now = world.users.iter().find(|now| now.uid.to_string() == user.uid);
                    user.ran |=
                        now.zip(before).is_some_and(|(now, (_, at))| now.ready && now.refreshed != *at);
                }
            }
            Some(Mutant::Trouble) => self.seen.trouble = None,
            Some(Mutant::Probe) => self.seen.probed = true,
            Some(Mutant::Store) if self.state.stage != Stage::Saved => {
                self.seen.store = StoreView::After { ready: true, says: String::new() };
            }
            Some(Mutant::Elsewhere) => self.seen.elsewhere = Some((world.now, Elsewhere::default())),
            Some(Mutant::StaleElsewhere) => {
                if let Some((at, _)) = &mut self.seen.elsewhere {
                    *at = world.now;
                }
            }
            Some(Mutant::StaleKeys) => {
                if let Some((at, keys)) = &mut self.seen.keys
                    && keys.iter().all(|key| key.standing != KeyStanding::Enabled)
                {
                    *at = world.now;
                }
            }
            _ => {}
        }
    }

    fn act(&mut self, planned: &Next, world: &mut World) -> bool {
        // A server that fails, before or after it has done what it was asked.
        let (lost, cut) = (world.random.one_in(60), world.random.one_in(60));
        world.tell(|| match planned {
            Next::Save(state) => {
                format!("run {} saves {:?}, broken {:?}", self.id, state.stage, state.broken)
            }
            planned => format!("run {} does {planned:?}", self.id),
        });
        let is_write =
            !matches!(planned, Next::WaitForStore | Next::WaitForUsers(_) | Next::Watch(_) | Next::Stop(_));
        // The plan showed it with this gate, and that the run does not do it.
        let shut = Deed::of(planned, |_| false).map(|deed| deed.gate(&self.options));
        if let Some(gate) = shut.filter(|gate| gate.is_later()) {
            world.violate(format!("{planned:?} is done, and the plan says {gate:?}"));
        }
        let kept = |index: &usize| &self.state.credentials[*index];
        let write = match planned {
            Next::SwitchStore | Next::RestoreStore => Some(Write::Store(&self.state.store)),
            Next::Disable(index) => Some(Write::Disable(kept(index))),
            Next::DeleteKey(index) => Some(Write::Delete(kept(index))),
            Next::DeleteSecret(index, place) => Some(Write::DeleteSecret(&kept(index).places[*place])),
            _ => None,
        };
        if let Some(write) = write.filter(|write| !self.shown.has(*write)) {
            world.violate(format!("{} is changed, and the plan did not show it", write.name()));
        }
        if lost && is_write {
            return false;
        }
        let goes_on = self.effect(planned, world);
        goes_on && !(cut && is_write)
    }

    fn effect(&mut self, planned: &Next, world: &mut World) -> bool {
        let fenced = matches!(
            planned,
            Next::SwitchStore
                | Next::RestoreStore
                | Next::Disable(_)
                | Next::Enable(_)
                | Next::DeleteKey(_)
                | Next::DeleteSecret(..)
        );
        if fenced && world.mutant != Some(Mutant::Version) {
            let Some((_, version)) = &mut world.saved else { return false };
            if Some(*version) != self.version {
                return false;
            }
            world.uids += 1;
            *version = world.uids;
            self.version = Some(world.uids);
        }
        match planned {
            Next::Save(state) => {
                let current = world.saved.as_ref().map(|(_, version)| *version);
                if current != self.version && world.mutant != Some(Mutant::Version) {
                    world.tell(|| "  and is refused".into());
                    return false;
                }
                let version = world.fresh();
                let state = State::clone(state);
                world.saved = Some((state.clone(), version));
                (self.state, self.version) = (state, Some(version));
                self.seen.keys = None;
            }
            Next::Probe if !world.grants => return false,
            Next::Probe => (self.seen.probed, world.revoked) = (true, false),
            Next::SwitchStore => {
                let Some((_, uid)) = world.store else { return false };
                if uid.to_string() != self.state.store.uid {
                    return false;
                }
                self.before = world.users.iter().map(|user| (user.uid, user.refreshed)).collect();
                // What became ready after this run had looked is as good as one that comes later.
                for user in &mut world.users {
                    let broken = self.state.broken.get(&user.uid.to_string());
                    user.relied = user.ready && broken != Some(&user.refreshed.unwrap_or_default());
                    user.ran_new = false;
                }
                self.tracker.forget();
                self.options.switch = false;
                world.set_store(Login::New);
                world.meddled = false;
                world.revoked |= !world.grants && world.mutant != Some(Mutant::Probe);
            }
            Next::Ask(uids) => {
                for user in world.users.iter_mut().filter(|user| uids.contains(&user.uid.to_string())) {
                    user.version += 1;
                    let asked = Asked { synced: Some(synced(user)) };
                    self.tracker.asked([(user.uid.to_string(), asked)]);
                }
            }
            Next::LookAtKeys => self.seen.keys = Some((world.now, self.keys(world))),
            Next::LookElsewhere => {
                self.looked = world.now;
                let others = world.keys.iter().flat_map(|key| &key.others).map(u64::to_string);
                self.seen.elsewhere =
                    Some((world.now, Elsewhere { users: others.collect(), ..Elsewhere::default() }));
            }
            Next::WaitForStore | Next::WaitForUsers(_) | Next::Watch(_) => {}
            Next::Disable(index) => {
                self.judge(*index, "disabled", world);
                self.live(*index, Life::Disabled, world);
            }
            Next::Enable(index) => self.live(*index, Life::Enabled, world),
            Next::DeleteKey(index) => {
                self.judge(*index, "deleted", world);
                if world.keys[*index].life == Life::Enabled && !world.meddled {
                    world.violate(format!("key {index} is deleted while it is enabled"));
                }
                // Of what was ready when it was disabled.
                let broken = world.users.iter().any(|user| {
                    let uid = user.uid.to_string();
                    let seen = self.seen.users.iter().any(|seen| seen.uid == uid && !seen.ready);
                    seen && user.hidden
                        && user.key == *index
                        && user.relied
                        && self.state.broken.get(&uid) != Some(&user.refreshed.unwrap_or_default())
                });
                if broken {
                    world.violate(format!("key {index} is deleted although something broke without it"));
                }
                if !self.options.retire {
                    world.violate(format!("key {index} is deleted unasked"));
                }
                self.live(*index, Life::Deleted, world);
            }
            Next::DeleteSecret(index, _) => {
                if world.keys[*index].life != Life::Deleted {
                    world.violate(format!("the Secret of key {index} is deleted, and the key lives"));
                }
                world.keys[*index].secret = false;
                self.seen.keys = None;
            }
            Next::RestoreStore => {
                if world.keys.iter().any(|key| key.by_keyless && key.life != Life::Enabled) {
                    world.violate("the store is put back before its key".into());
                }
                world.set_store(Login::Old);
                world.meddled = false;
            }
            Next::Clear(end) => {
                if world.saved.as_ref().map(|(_, version)| *version) != self.version {
                    return false;
                }
                world.saved = None;
                note(end, world);
                return false;
            }
            Next::Stop(end) => {
                note(end, world);
                return false;
            }
        }
        true
    }

    fn live(&mut self, index: usize, life: Life, world: &mut World) {
        let key = &mut world.keys[index];
        if key.life != Life::Deleted {
            key.life = life;
            key.by_keyless = life != Life::Enabled;
        }
        self.seen.keys = None;
    }

    /// Nothing else may use it that was there when this run looked, and everything has run without it.
    fn judge(&self, index: usize, what: &str, world: &mut World) {
        let others = world.keys[index].others.iter().any(|since| *since < self.looked);
        if others || self.looked == 0 && !world.keys[index].others.is_empty() {
            world.violate(format!("key {index} is {what} while something else uses it"));
        }
        let waits = |user: &&User| {
            matches!(user.rhythm, Rhythm::Every(_)) && user.relied && !user.ran_new && user.key == index
        };
        let waiting = world.users.iter().find(waits).map(|user| user.uid);
        if let Some(uid) = waiting.filter(|_| !world.meddled) {
            world.violate(format!("key {index} is {what} before user {uid} has run without it"));
        }
    }

    fn keys(&self, world: &World) -> Vec<KeyView> {
        let all = self.state.credentials.iter().zip(&world.keys);
        let one = |(kept, key): (&Kept, &super::world::Key)| KeyView {
            standing: match key.life {
                Life::Enabled => KeyStanding::Enabled,
                Life::Disabled => KeyStanding::Disabled,
                Life::Deleted if kept.proved => KeyStanding::Absent,
                Life::Deleted => KeyStanding::Unproved("there is no such key".into()),
            },
            places: vec![PlaceView { there: key.secret, ..PlaceView::default() }],
        };
        all.map(one).collect()
    }
}
