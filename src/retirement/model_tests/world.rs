//! Everything but the program: the cluster, the operator, the provider, and what people do to them.

use std::collections::BTreeSet;

use super::{mutant::Mutant, process::Process, random::Random};
use crate::retirement::State;

const BEGIN: u64 = 1_800_000_000;

/// How a store logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Login {
    Old,
    New,
    Foreign,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Enabled,
    Disabled,
    Deleted,
}

pub(super) struct Key {
    pub(super) life: Life,
    pub(super) by_keyless: bool,
    pub(super) secret: bool,
    /// Since when something else uses it.
    pub(super) others: Vec<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rhythm {
    Every(u64),
    OnChange,
    Once,
}

/// An ExternalSecret or PushSecret.
pub(super) struct User {
    pub(super) uid: u64,
    pub(super) created: u64,
    pub(super) rhythm: Rhythm,
    /// Which credential it comes to, where the store names one in each namespace.
    pub(super) key: usize,
    pub(super) ready: bool,
    pub(super) refreshed: Option<u64>,
    /// Counts changes of its annotations.
    pub(super) version: u64,
    pub(super) synced: Option<u64>,
    /// It asks for what there is not.
    faulty: bool,
    /// It depends on the credential in a way that leaves no trace.
    pub(super) hidden: bool,
    /// Truth: it was ready by the old login when keyless changed the store.
    pub(super) relied: bool,
    /// Truth: it has run by the new login.
    pub(super) ran_new: bool,
    next: u64,
    run: Option<Run>,
}

/// A run under way.
struct Run {
    start: u64,
    ends: u64,
    login: Login,
    version: u64,
}

pub(super) struct World {
    pub(super) random: Random,
    pub(super) now: u64,
    pub(super) saved: Option<(State, u64)>,
    pub(super) store: Option<(Login, u64)>,
    pub(super) store_ready: bool,
    pub(super) keys: Vec<Key>,
    pub(super) users: Vec<User>,
    pub(super) grants: bool,
    /// Another user took the grants away after they were seen to hold.
    pub(super) revoked: bool,
    /// Since keyless wrote the store, another user put the old login back, changed a key, or took the state away.
    pub(super) meddled: bool,
    pub(super) mutant: Option<Mutant>,
    pub(super) violated: Option<String>,
    pub(super) ends: BTreeSet<String>,
    /// What happened, if it is to be told.
    pub(super) history: Option<Vec<String>>,
    sees: Login,
    learns: Option<(u64, Login)>,
    cut_until: u64,
    skew: i64,
    pub(super) uids: u64,
    calm: bool,
    processes: Vec<Process>,
}

impl World {
    pub(super) fn new(mut random: Random, mutant: Option<Mutant>) -> Self {
        let keys = 1 + random.below(2) as usize;
        let skew = random.below(21) as i64 - 10;
        let mut world = Self {
            now: BEGIN,
            saved: None,
            store: Some((Login::Old, 1)),
            store_ready: true,
            keys: (0..keys)
                .map(|_| Key { life: Life::Enabled, by_keyless: false, secret: true, others: Vec::new() })
                .collect(),
            users: Vec::new(),
            grants: false,
            revoked: false,
            meddled: false,
            mutant,
            violated: None,
            ends: BTreeSet::new(),
            history: None,
            sees: Login::Old,
            learns: None,
            cut_until: 0,
            skew,
            uids: 1,
            calm: false,
            processes: Vec::new(),
            random,
        };
        for _ in 0..world.random.below(5) {
            world.add_user();
            world.pass(40);
        }
        world
    }

    pub(super) fn violate(&mut self, what: String) {
        self.violated.get_or_insert(what);
    }

    pub(super) fn tell(&mut self, what: impl FnOnce() -> String) {
        let at = self.now - BEGIN;
        if let Some(history) = &mut self.history {
            history.push(format!("{at:>6} {}", what()));
        }
    }

    pub(super) fn fresh(&mut self) -> u64 {
        self.uids += 1;
        self.uids
    }

    pub(super) fn set_store(&mut self, login: Login) {
        // The worst moment is the likeliest here: a run has just begun by the login that goes.
        for index in 0..self.users.len() {
            if self.random.one_in(4) && self.users[index].run.is_none() {
                let (start, ends) = (self.now, self.now + 1 + self.random.below(20));
                let (login, version) = (self.sees, self.users[index].version);
                self.users[index].run = Some(Run { start, ends, login, version });
            }
        }
        if let Some((now, _)) = &mut self.store {
            *now = login;
        }
        self.learns = Some((self.now + self.random.below(2), login));
    }

    /// One event, of whichever kind.
    pub(super) fn step(&mut self) {
        match self.random.below(100) {
            0..55 => self.run_processes(),
            55..75 => {
                let seconds = match self.random.below(4) {
                    0 => 1,
                    1 => 1 + self.random.below(10),
                    2 => self.random.below(200),
                    _ => {
                        let longest = if self.random.one_in(16) { 4000 } else { 60 };
                        self.random.below(longest)
                    }
                };
                self.pass(seconds);
            }
            75..82 => self.start(),
            82..85 => self.kill(),
            _ => self.meddle(),
        }
    }

    fn start(&mut self) {
        if self.processes.len() < 2
            && let Some(process) = Process::start(self)
        {
            self.processes.push(process);
        }
    }

    fn kill(&mut self) {
        if !self.processes.is_empty() {
            let victim = self.random.below(self.processes.len() as u64) as usize;
            self.processes.remove(victim);
            self.tell(|| format!("run {victim} is killed"));
        }
    }

    fn run_processes(&mut self) {
        if self.processes.is_empty() {
            return self.start();
        }
        let which = self.random.below(self.processes.len() as u64) as usize;
        let mut process = self.processes.remove(which);
        if process.step(self) {
            self.processes.push(process);
        }
    }

    /// No user does anything any more, and a last setup is let go on until it ends.
    pub(super) fn come_to_rest(&mut self) {
        self.calm = true;
        self.processes.clear();
        self.cut_until = 0;
        for _ in 0..4 {
            let Some(mut process) = Process::start(self) else { break };
            let mut steps = 0;
            while process.step(self) && self.violated.is_none() {
                steps += 1;
                if steps > 5000 {
                    return self.violate("setup does not come to an end".into());
                }
                if process.waits() {
                    self.pass(25);
                }
            }
        }
        self.pass(1500);
    }

    fn add_user(&mut self) {
        let rhythm = match self.random.below(8) {
            0 => Rhythm::OnChange,
            1 => Rhythm::Once,
            2..5 => Rhythm::Every(10 + self.random.below(60)),
            5 => Rhythm::Every(3600),
            6 => Rhythm::Every(86_400),
            _ => Rhythm::Every(300),
        };
        let uid = self.fresh();
        self.users.push(User {
            uid,
            created: self.now,
            rhythm,
            key: self.random.below(self.keys.len() as u64) as usize,
            ready: false,
            refreshed: None,
            version: 0,
            synced: None,
            faulty: self.random.one_in(8),
            hidden: self.random.one_in(12),
            relied: false,
            ran_new: false,
            next: self.now,
            run: None,
        });
    }

    fn meddle(&mut self) {
        let key = self.random.below(self.keys.len() as u64) as usize;
        let user = (!self.users.is_empty()).then(|| self.random.below(self.users.len() as u64) as usize);
        let what = self.random.below(16);
        self.tell(|| format!("another user does thing {what}, key {key}, user {user:?}"));
        match what {
            0 => self.add_user(),
            1 => drop(user.map(|user| self.users.remove(user))),
            2 => drop(user.map(|user| self.users[user].version += 1)),
            3 => drop(user.map(|user| self.users[user].faulty ^= true)),
            4 if self.keys[key].others.len() < 2 => self.keys[key].others.push(self.now),
            5..7 => drop(self.keys[key].others.pop()),
            7 => {
                (self.grants, self.revoked) = (!self.grants, self.grants);
            }
            8 if self.random.one_in(3) => {
                self.meddled = true;
                let login = if self.random.one_in(3) { Login::Foreign } else { Login::Old };
                self.set_store(login);
            }
            9 if self.random.one_in(4) => {
                self.meddled = true;
                let uid = self.fresh();
                self.store = Some((Login::Old, uid));
                self.learns = Some((self.now, Login::Old));
            }
            10 if self.random.one_in(3) && self.keys[key].life != Life::Deleted => {
                self.meddled = true;
                let disabled = self.keys[key].life == Life::Enabled;
                self.keys[key].life = if disabled { Life::Disabled } else { Life::Enabled };
                self.keys[key].by_keyless = false;
            }
            11 => self.cut_until = self.now + self.random.below(900),
            12 => self.store_ready ^= true,
            13 if self.random.one_in(4) => self.keys[key].secret = false,
            14 if self.random.one_in(8) => (self.saved, self.meddled) = (None, true),
            _ => self.grants = true,
        }
    }

    /// Time passes, second by second.
    pub(super) fn pass(&mut self, seconds: u64) {
        let mut left = seconds;
        while left > 0 && self.violated.is_none() {
            // Where nothing happens soon, nothing is looked at.
            let next =
                self.users.iter().map(|user| user.run.as_ref().map_or(user.next, |run| run.ends)).min();
            let next = [next, self.learns.map(|(at, _)| at)].into_iter().flatten().min();
            let jump = next.map_or(left, |next| next.saturating_sub(self.now).clamp(1, left));
            self.now += jump;
            left -= jump;
            self.operate();
        }
    }

    /// The operator. Cut off from its API server it learns nothing and writes nothing, but runs by the clock.
    fn operate(&mut self) {
        let cut = self.now < self.cut_until;
        if let Some((at, login)) = self.learns
            && self.now >= at
            && !cut
        {
            (self.sees, self.learns) = (login, None);
        }
        for index in 0..self.users.len() {
            if let Some(run) = self.users[index].run.take() {
                if self.now < run.ends {
                    self.users[index].run = Some(run);
                } else {
                    self.finish(index, run, cut);
                }
            }
            let user = &self.users[index];
            let changed = user.synced.is_some_and(|synced| synced != user.version) && !cut;
            let due = match user.rhythm {
                Rhythm::Every(_) => self.now >= user.next || changed,
                Rhythm::OnChange => user.synced.is_none() && self.now >= user.next || changed,
                Rhythm::Once => user.synced.is_none() && self.now >= user.next,
            };
            if due && user.run.is_none() {
                let long = if self.random.one_in(6) { self.random.below(25) } else { 0 };
                let (start, login, version) = (self.now, self.sees, user.version);
                self.users[index].run = Some(Run { start, ends: self.now + long, login, version });
            }
        }
    }

    fn finish(&mut self, index: usize, run: Run, cut: bool) {
        let key = &self.keys[self.users[index].key];
        let by_keyless = key.by_keyless && key.life != Life::Enabled;
        let opens = match run.login {
            Login::Old => key.life == Life::Enabled && key.secret,
            Login::New => self.grants,
            Login::Foreign => true,
        };
        let user = &mut self.users[index];
        let hidden = user.hidden && key.life != Life::Enabled;
        let works = opens && !user.faulty && !hidden && self.store_ready;
        user.next = match user.rhythm {
            Rhythm::Every(interval) if works && !cut => run.start + interval,
            _ => self.now + 5 + self.random.below(60),
        };
        let accepted = matches!(user.rhythm, Rhythm::Once | Rhythm::OnChange);
        let blamed = match run.login {
            Login::Old => by_keyless && !self.meddled && !accepted,
            Login::New => !self.grants && !self.revoked,
            Login::Foreign => false,
        };
        if !opens && blamed && user.relied && !user.faulty {
            let (uid, login) = (user.uid, run.login);
            return self.violate(format!("user {uid} fails by its {login:?} login because of keyless"));
        }
        if cut {
            return;
        }
        let was = std::mem::replace(&mut user.ready, works);
        let uid = user.uid;
        let Run { start, login, .. } = run;
        if works {
            user.refreshed = Some(run.start.saturating_add_signed(self.skew));
            user.synced = Some(run.version);
            user.ran_new |= run.login == Login::New;
        }
        if was != works || works {
            self.tell(|| format!("user {uid} ran by {login:?} since {}: {works}", start - BEGIN));
        }
    }
}
