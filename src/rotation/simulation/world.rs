//! Servers, publishers, bucket, ledger, tokens, and the claims that hold whatever happens to them.

mod publish;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{Entry, KeyId, Ledger, Look, Policy, State},
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
        copies: BTreeSet<KeyId>,
        at: u64,
    },
}

/// The key set as it was served at this time, to be kept for so long.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub(super) at: u64,
    pub(super) cache: u64,
    pub(super) keys: BTreeSet<KeyId>,
}

pub(super) struct World {
    pub(super) now: u64,
    /// With the longest cache time that there ever is.
    pub(super) policy: Policy,
    /// By what the last run judged.
    pub(super) judged: Policy,
    /// The cache time of the documents now.
    cache: u64,
    /// What a cache before the bucket shows, as long as it may.
    cached: Option<Document>,
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
        let policy = Policy { cache, longest_token, skew: MINUTE, between_sights: 30 };
        let mut world = Self {
            now: 1_800_000_000,
            policy,
            judged: policy,
            cache,
            cached: None,
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
            28 => self.revokes(id(1 + subject % 4))?,
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
            18 if detail % 2 == 0 => self.cache = self.policy.cache * u64::from(detail / 2 % 5) / 4,
            // Someone else reads.
            18 => self.cached = Some(self.document()),
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

    /// As anonymous readers get it.
    pub(super) fn document(&self) -> Document {
        match &self.cached {
            Some(cached) if cached.at + cached.cache > self.now => cached.clone(),
            _ => Document { at: self.now, cache: self.cache, keys: self.bucket.clone() },
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
        let entry = |token: &Token| self.ledger.as_ref().and_then(|ledger| ledger.keys.get(&token.key));
        let is_revoked = |token: &Token| entry(token).is_some_and(|entry| entry.revoked.is_some());
        let lives = |token: &&Token| lives(token) && !is_revoked(token);
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
                let (copies, at) = (self.document().keys, self.now);
                Run::Looked { ledger, version, look, shown, stored, stored_version, copies, at }
            }
            Run::Looked { ledger, version, look, shown, stored, stored_version, copies, at } => {
                let newest = !self
                    .publishers
                    .iter()
                    .any(|run| matches!(run, Run::Looked { at: other, .. } if *other <= at));
                let states = self.note(ledger, version, look.clone(), &stored, &copies);
                self.notices(&states, &look, &stored)?;
                self.states.clone_from(&states);
                if newest && !dies {
                    // Revoked after it was looked at: its tokens are refused, also once the ledger is lost.
                    let counts =
                        |(_, key, _): &(usize, KeyId, u32)| states.get(key) != Some(&State::RevokedLive);
                    self.seen.extend(shown.into_iter().filter(counts));
                }
                if !dies {
                    self.write(&states, &look, stored, &copies, stored_version)?;
                    self.published(&states, &look, at)?;
                }
                Run::Idle
            }
        };
        Ok(())
    }
}
