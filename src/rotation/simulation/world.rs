//! Servers, publishers, bucket, ledger, tokens, and the claims that hold whatever happens to them.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{Entry, Judged, KeyId, Ledger, Look, Policy, Scene, Seen, State, judge},
    Event,
};

pub(super) fn id(number: u8) -> KeyId {
    KeyId([number; 32])
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
/// The attacker's key.
const FOREIGN: u8 = 200;
/// What a compromised server shows.
const SHOWN: u8 = 201;
pub(super) const WAITS: [u64; 8] =
    [10, MINUTE, 5 * MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, 24 * HOUR, 26 * HOUR];

#[derive(Clone, Debug)]
pub(super) struct Server {
    /// What its files hold; it is read when it starts.
    pub(super) configured: (BTreeSet<KeyId>, KeyId),
    pub(super) files: BTreeSet<KeyId>,
    pub(super) signer: KeyId,
    answers: bool,
    listed: bool,
    /// How often each key came to this server.
    epochs: BTreeMap<KeyId, u32>,
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) key: KeyId,
    pub(super) expires: u64,
    /// By which server, and in which of its epochs of the key.
    made: (usize, u32),
}

/// How far a publisher is.
#[derive(Clone, Debug)]
enum Run {
    Idle,
    /// It knows the ledger, in this version.
    Begun {
        ledger: Option<Ledger>,
        version: u32,
    },
    Looked {
        ledger: Option<Ledger>,
        version: u32,
        look: Look,
        /// Which keys which servers had, in which epoch.
        shown: Vec<(usize, KeyId, u32)>,
        stored: BTreeSet<KeyId>,
        stored_version: u32,
        at: u64,
    },
}

pub(super) struct World {
    pub(super) now: u64,
    pub(super) policy: Policy,
    pub(super) servers: Vec<Server>,
    pub(super) bucket: BTreeSet<KeyId>,
    bucket_version: u32,
    pub(super) ledger: Option<Ledger>,
    ledger_version: u32,
    publishers: [Run; 2],
    pub(super) staged: BTreeSet<KeyId>,
    pub(super) tokens: Vec<Token>,
    /// What a publisher has seen and noted.
    seen: BTreeSet<(usize, KeyId, u32)>,
    attacked: Option<u64>,
    /// Of the last run.
    pub(super) states: BTreeMap<KeyId, State>,
    /// Keys that were gone, and that the attacker put back.
    returned: BTreeSet<KeyId>,
    blank: Ledger,
}

impl World {
    pub(super) fn new(servers: u8, kind: u8) -> Self {
        let cache = [0, MINUTE, 5 * MINUTE, HOUR, 24 * HOUR][usize::from(kind % 5)];
        let longest_token = [10 * MINUTE, HOUR, 12 * HOUR, 24 * HOUR][usize::from(kind / 5 % 4)];
        let first: BTreeSet<_> = [id(1)].into();
        let server = Server {
            configured: (first.clone(), id(1)),
            files: first,
            signer: id(1),
            answers: true,
            listed: true,
            epochs: BTreeMap::new(),
        };
        let mut world = Self {
            now: 1_800_000_000,
            policy: Policy { cache, longest_token, skew: MINUTE, between_sights: 30 },
            servers: vec![server; usize::from(servers)],
            bucket: BTreeSet::new(),
            bucket_version: 0,
            ledger: None,
            ledger_version: 0,
            publishers: [Run::Idle, Run::Idle],
            staged: BTreeSet::new(),
            tokens: Vec::new(),
            seen: BTreeSet::new(),
            attacked: None,
            states: BTreeMap::new(),
            returned: BTreeSet::new(),
            blank: Ledger::new("uid", "issuer"),
        };
        world.poll(0).unwrap();
        world
    }

    /// Something happens. An error is a claim that does not hold.
    pub(super) fn happens(&mut self, (kind, subject, detail): Event) -> Result<(), String> {
        let server = usize::from(subject) % self.servers.len();
        match kind {
            20 | 21 => {
                let files = (1..=4).filter(|bit| detail & (1 << bit) != 0).map(id).collect();
                self.servers[server].configured = (files, id(1 + (detail >> 8) as u8 % 4));
            }
            22..=24 => self.restart(server),
            25 => self.lists(server),
            26 => drop(self.servers[server].files.insert(id(SHOWN))),
            27 => {
                let staged = id(1 + subject % 4);
                if !self.staged.remove(&staged) {
                    self.staged.insert(staged);
                }
            }
            _ => self.disturbs((kind, subject, detail))?,
        }
        self.keeps_what_is_needed()
    }

    /// What neither the operator nor the advice has a say in.
    pub(super) fn disturbs(&mut self, (kind, subject, detail): Event) -> Result<(), String> {
        let (server, publisher) = (usize::from(subject) % self.servers.len(), usize::from(subject % 2));
        match kind {
            0..=4 => self.now += WAITS[usize::from(subject % 8)],
            5..=8 => self.poll(publisher)?,
            9..=11 => self.advance(publisher, false)?,
            12 => self.publishers[publisher] = Run::Idle,
            13 => self.advance(publisher, true)?,
            14 => self.lose_ledger(),
            15 => self.servers[server].answers ^= true,
            16 if self.attacked.is_none() => {
                self.bucket.insert(id(FOREIGN));
                self.bucket_version += 1;
                self.attacked = Some(self.now);
            }
            17 => self.puts_back(),
            _ => self.mint(server, u64::from(detail)),
        }
        Ok(())
    }

    /// The attacker has a key that was seen to be gone.
    fn puts_back(&mut self) {
        let Some(ledger) = &self.ledger else { return };
        let is_gone = |(key, entry): &(&KeyId, &Entry)| {
            entry.dropped.is_some() && entry.public_since.is_none() && !self.bucket.contains(key)
        };
        let gone: Vec<_> = ledger.keys.iter().filter(is_gone).map(|(key, _)| *key).collect();
        if !gone.is_empty() {
            self.bucket.extend(&gone);
            self.returned.extend(gone);
            self.bucket_version += 1;
        }
    }

    fn lose_ledger(&mut self) {
        self.ledger = None;
        self.ledger_version += 1;
        self.returned.clear();
    }

    pub(super) fn restart(&mut self, server: usize) {
        let server = &mut self.servers[server];
        let before: BTreeSet<_> = server.files.iter().chain([&server.signer]).copied().collect();
        (server.files, server.signer) = server.configured.clone();
        for key in server.files.iter().chain([&server.signer]).filter(|key| !before.contains(*key)) {
            *server.epochs.entry(*key).or_default() += 1;
        }
        for key in before.iter().filter(|key| !server.files.contains(key) && server.signer != **key) {
            *server.epochs.entry(*key).or_default() += 1;
        }
    }

    /// A server is listed as long as it renews its lease in etcd. Without etcd it mints no tokens; once it is back, it has
    /// to be seen again.
    fn lists(&mut self, server: usize) {
        let server = &mut self.servers[server];
        server.listed ^= true;
        if server.listed {
            for key in server.files.iter().chain([&server.signer]) {
                *server.epochs.entry(*key).or_default() += 1;
            }
        }
    }

    fn mint(&mut self, server: usize, detail: u64) {
        if !self.servers[server].listed {
            return;
        }
        let life = (10 * MINUTE).max(self.policy.longest_token * (detail % 8 + 1) / 8);
        let key = self.servers[server].signer;
        let epoch = self.epoch(server, key);
        self.tokens.push(Token { key, expires: self.now + life, made: (server, epoch) });
    }

    fn epoch(&self, server: usize, key: KeyId) -> u32 {
        self.servers[server].epochs.get(&key).copied().unwrap_or_default()
    }

    /// Every token whose signer was seen and noted is accepted as long as it lives.
    fn keeps_what_is_needed(&self) -> Result<(), String> {
        let lives = |token: &&Token| token.expires + self.policy.skew > self.now;
        let seen = |token: &&Token| self.seen.contains(&(token.made.0, token.key, token.made.1));
        match self.tokens.iter().filter(lives).filter(seen).find(|token| !self.bucket.contains(&token.key)) {
            Some(token) => {
                Err(format!("key {:?} is lost, and {token:?} lives at {}", token.key.0[0], self.now))
            }
            None => Ok(()),
        }
    }

    /// What all servers that are listed answer.
    pub(super) fn look(&self) -> (Look, Vec<(usize, KeyId, u32)>) {
        let mut look = Look {
            servers: 0,
            whole: true,
            serving: BTreeMap::new(),
            signing: BTreeSet::new(),
            earliest: self.now,
            latest: self.now,
        };
        let mut shown = Vec::new();
        for (index, server) in self.servers.iter().enumerate().filter(|(_, server)| server.listed) {
            look.servers += 1;
            if !server.answers {
                look.whole = false;
                continue;
            }
            for key in &server.files {
                *look.serving.entry(*key).or_default() += 1;
                shown.push((index, *key, self.epoch(index, *key)));
            }
            look.signing.insert(server.signer);
            shown.push((index, server.signer, self.epoch(index, server.signer)));
        }
        (look, shown)
    }

    pub(super) fn poll(&mut self, publisher: usize) -> Result<(), String> {
        self.publishers[publisher] = Run::Idle;
        (0..3).try_for_each(|_| self.advance(publisher, false))
    }

    /// One call further. `dies`: between the ledger and the bucket.
    fn advance(&mut self, publisher: usize, dies: bool) -> Result<(), String> {
        let run = std::mem::replace(&mut self.publishers[publisher], Run::Idle);
        self.publishers[publisher] = match run {
            Run::Idle => Run::Begun { ledger: self.ledger.clone(), version: self.ledger_version },
            Run::Begun { ledger, version } => {
                let (look, shown) = self.look();
                // No server at all: the run ends.
                if look.serving.is_empty() {
                    return Ok(());
                }
                let (stored, stored_version) = (self.bucket.clone(), self.bucket_version);
                Run::Looked { ledger, version, look, shown, stored, stored_version, at: self.now }
            }
            Run::Looked { ledger, version, look, shown, stored, stored_version, at } => {
                let newest = !self
                    .publishers
                    .iter()
                    .any(|run| matches!(run, Run::Looked { at: other, .. } if *other <= at));
                let states = self.note(ledger, version, look.clone(), &stored);
                self.notices(&states, &look, &stored)?;
                self.states.clone_from(&states);
                if newest && !dies {
                    self.seen.extend(shown);
                }
                if !dies {
                    self.write(&states, &look, stored, stored_version);
                    self.published(&states, &look, at)?;
                }
                Run::Idle
            }
        };
        Ok(())
    }

    /// Judges, and writes the ledger over the version that was read before the look.
    fn note(
        &mut self,
        mut ledger: Option<Ledger>,
        version: u32,
        mut look: Look,
        stored: &BTreeSet<KeyId>,
    ) -> BTreeMap<KeyId, State> {
        if version != self.ledger_version {
            (ledger, look.whole) = (self.ledger.clone(), false);
        }
        let scene = Scene {
            ledger: ledger.as_ref(),
            look: &look,
            staged: &self.staged,
            stored,
            public: Some(stored),
            vouched: false,
            revoke: None,
            policy: &self.policy,
            kid: &|_| String::new(),
        };
        let Judged { ledger: noted, states } = judge(&scene, &self.blank);
        if ledger.as_ref() != Some(&noted) {
            self.ledger = Some(noted);
            self.ledger_version += 1;
        }
        states
    }

    /// What was put back is an alarm as long as no server has it and no file names it, and is never one of ours.
    fn notices(
        &mut self,
        states: &BTreeMap<KeyId, State>,
        look: &Look,
        stored: &BTreeSet<KeyId>,
    ) -> Result<(), String> {
        let is_needed = |key: &KeyId| {
            look.serving.contains_key(key) || look.signing.contains(key) || self.staged.contains(key)
        };
        self.returned.retain(|key| !is_needed(key) && self.bucket.contains(key));
        match self
            .returned
            .iter()
            .filter(|key| stored.contains(*key))
            .find(|key| !states.get(*key).is_some_and(|state| state.is_alarm() && !state.is_ours()))
        {
            Some(key) => Err(format!("key {} was put back, and is {:?}", key.0[0], states.get(key))),
            None => Ok(()),
        }
    }

    fn write(
        &mut self,
        states: &BTreeMap<KeyId, State>,
        look: &Look,
        mut stored: BTreeSet<KeyId>,
        version: u32,
    ) {
        if version != self.bucket_version {
            stored = self.bucket.clone();
        }
        let ours: BTreeSet<_> =
            look.serving.keys().chain(&look.signing).chain(&self.staged).copied().collect();
        let leaving =
            |key: &KeyId| states.get(key).is_some_and(|state| state.leaves()) && !ours.contains(key);
        let wanted: BTreeSet<_> = stored.iter().filter(|key| !leaving(key)).chain(&ours).copied().collect();
        if wanted != self.bucket {
            self.bucket = wanted;
            self.bucket_version += 1;
        }
    }

    /// What a run that came to its end must have brought about.
    fn published(&self, states: &BTreeMap<KeyId, State>, look: &Look, at: u64) -> Result<(), String> {
        if let Some(key) = look.serving.keys().chain(&look.signing).find(|key| !self.bucket.contains(key)) {
            return Err(format!("key {} is live, and not public", key.0[0]));
        }
        let foreign = id(FOREIGN);
        if self.attacked.is_some_and(|attacked| attacked <= at && self.bucket.contains(&foreign)) {
            match states.get(&foreign) {
                Some(state) if state.is_alarm() && !state.is_ours() => {}
                // The bucket was read before the attack, in the same second.
                None if self.attacked == Some(at) => {}
                other => return Err(format!("the foreign key is {other:?}")),
            }
        }
        let promoted = self.ledger.as_ref().and_then(|ledger| ledger.keys.get(&foreign));
        match promoted.is_some_and(|entry| entry.seen != Seen::Never) {
            true => Err("the foreign key is taken for one of ours".into()),
            false => Ok(()),
        }
    }
}
