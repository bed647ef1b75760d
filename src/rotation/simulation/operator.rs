//! An operator who does what `keyless keys` advises, and nothing before it does.

use super::{
    super::{
        KeyId,
        advice::{Advice, Next},
        advise,
    },
    Event,
    world::{Document, World, id},
};

/// A relying party that keeps what it read, for so long or as long as the document allows.
struct Party {
    cache: u64,
    read: Option<Document>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Stage,
    Serve,
    Wait,
    Switch,
    Remove,
}

pub(super) struct Operator {
    world: World,
    phase: Phase,
    old: u8,
    new: u8,
    /// Of how many servers the step is done.
    done: usize,
    rotations: usize,
    parties: Vec<Party>,
}

impl Operator {
    pub(super) fn new(world: World) -> Self {
        let longest = world.policy.cache;
        let parties =
            [0, 60, longest / 2, longest].map(|cache| Party { cache: cache.min(longest), read: None });
        Self { world, phase: Phase::Stage, old: 1, new: 2, done: 0, rotations: 0, parties: parties.into() }
    }

    pub(super) fn rotations(&self) -> usize {
        self.rotations
    }

    pub(super) fn happens(&mut self, (kind, subject, detail): Event) -> Result<(), String> {
        match kind {
            20..=25 => self.steps(),
            26..=29 => self.uses(usize::from(subject) % self.parties.len()),
            30 | 31 => self.goes_on(super::world::WAITS[usize::from(subject % 8)]),
            _ => {
                self.world.disturbs((kind, subject, detail))?;
                self.servers_accept()
            }
        }
    }

    /// Nothing goes wrong.
    pub(super) fn goes_on(&mut self, wait: u64) -> Result<(), String> {
        self.world.poll(0)?;
        self.steps()?;
        for party in 0..self.parties.len() {
            self.uses(party)?;
        }
        self.world.disturbs((31, 0, 7))?;
        self.world.now += wait;
        self.world.poll(1)
    }

    fn advice(&self, key: u8) -> Option<Advice> {
        let (look, _) = self.world.look();
        let entry = self.world.ledger.as_ref()?.keys.get(&id(key))?;
        let state = *self.world.states.get(&id(key))?;
        Some(advise(&id(key), state, entry, &look, &self.world.judged))
    }

    fn is_advised(&self, key: u8, next: Next) -> bool {
        self.advice(key).is_some_and(|advice| advice.next == next)
    }

    /// The next step, if it is advised.
    fn steps(&mut self) -> Result<(), String> {
        let (old, new) = (id(self.old), id(self.new));
        let all = self.world.servers.len();
        match self.phase {
            Phase::Stage => {
                self.world.staged = [new].into();
                self.phase = Phase::Serve;
            }
            Phase::Serve => self.configure([old, new].into(), old, Phase::Wait),
            Phase::Wait if self.is_advised(self.new, Next::MaySign) => self.phase = Phase::Switch,
            Phase::Switch => self.configure([old, new].into(), new, Phase::Remove),
            // The first server waits for the advice; the others follow.
            Phase::Remove if self.done > 0 || self.is_advised(self.old, Next::MayRemove) => {
                self.configure([new].into(), new, Phase::Stage);
                if self.done == 0 || all == 1 {
                    (self.old, self.new) = (self.new, self.new % 100 + 1);
                    self.rotations += 1;
                    self.world.staged.clear();
                }
            }
            Phase::Wait | Phase::Remove => {}
        }
        self.servers_accept()
    }

    fn configure(&mut self, files: std::collections::BTreeSet<KeyId>, signer: KeyId, then: Phase) {
        self.world.servers[self.done].configured = (files, signer);
        self.world.restart(self.done);
        self.done += 1;
        if self.done == self.world.servers.len() {
            (self.done, self.phase) = (0, then);
        }
    }

    /// A relying party gets every token that is valid.
    fn uses(&mut self, party: usize) -> Result<(), String> {
        let now = self.world.now;
        let party = &mut self.parties[party];
        if party.read.as_ref().is_none_or(|read| read.at + read.cache.min(party.cache) <= now) {
            party.read = Some(self.world.document());
        }
        let Some(Document { at, cache, keys }) = &party.read else { return Ok(()) };
        let refused =
            self.world.tokens.iter().find(|token| token.expires > now && !keys.contains(&token.key));
        match refused {
            Some(token) => Err(format!(
                "{:?}: {token:?} is refused at {now} by a relying party that read at {at} and keeps it for {} s",
                self.phase,
                party.cache.min(*cache)
            )),
            None => Ok(()),
        }
    }

    fn servers_accept(&mut self) -> Result<(), String> {
        let now = self.world.now;
        self.world.tokens.retain(|token| token.expires > now);
        for (index, server) in self.world.servers.iter().enumerate() {
            if let Some(token) = self.world.tokens.iter().find(|token| !server.files.contains(&token.key)) {
                return Err(format!("{:?}: server {index} refuses {token:?} at {now}", self.phase));
            }
        }
        Ok(())
    }
}
