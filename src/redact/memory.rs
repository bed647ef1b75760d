//! PURE. The secrets that a process knows: for good, or for a while.
//!
//! `publish --watch` mints a token for every look, for months. What is used once and expires by itself is forgotten after
//! many others of its kind; what may be used again is remembered again when it is.

use std::ops::Range;

use super::known::Known;

/// So many pieces of secrets make a generation; two are kept. A token of an API server has some 250, and a look at 64 API
/// servers mints 64.
const GENERATION: usize = 1 << 15;

/// See the module.
#[derive(Default)]
pub(super) struct Memory {
    kept: Known,
    recent: Known,
    former: Known,
}

impl Memory {
    /// Remembers it as long as the process lives.
    pub(super) fn add(&mut self, secret: &str) {
        self.kept.add(secret);
    }

    /// Remembers it until two generations of others have come.
    pub(super) fn add_passing(&mut self, secret: &str) {
        if self.recent.len() >= GENERATION {
            self.former = std::mem::take(&mut self.recent);
        }
        self.recent.add(secret);
    }

    /// Where known secrets are in a text. The parts may overlap.
    pub(super) fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = self.kept.find(text);
        found.extend(self.recent.find(text));
        found.extend(self.former.find(text));
        found.sort_by_key(|part| part.start);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(number: usize) -> String {
        let long: String = (0..60).map(|part| format!("{:08x}.{number:x}-", part * 7919 + number)).collect();
        format!("eyJ{long}")
    }

    #[test]
    fn passing_secrets_are_bounded() {
        let mut memory = Memory::default();
        memory.add("kept-for-good-1234567890-abcdef");
        for number in 0..2000 {
            memory.add_passing(&token(number));
            assert!(!memory.find(&token(number)).is_empty());
        }
        assert!(memory.recent.len() + memory.former.len() < 3 * GENERATION);
        assert!(memory.find(&token(0)).is_empty(), "the first is forgotten");
        // So many of the last ones are known as two generations hold at least.
        (1900..2000).for_each(|number| assert!(!memory.find(&token(number)).is_empty(), "{number}"));
        assert!(!memory.find("x kept-for-good-1234567890-abcdef y").is_empty());
    }

    #[test]
    fn what_is_used_again_stays_known() {
        let mut memory = Memory::default();
        for number in 0..2000 {
            memory.add_passing(&token(number));
            memory.add_passing("Signature-that-is-used-each-time-42");
        }
        assert!(!memory.find("Signature-that-is-used-each-time-42").is_empty());
    }
}
